//! What the tests need of the machine: a JDK, mvn, python3, openssl, PostgreSQL, Prometheus, Alertmanager, buildah. And what they can do without: Go,
//! Chromium, Node, zsh and fish, without which tests over MinIO, in a browser and of completions say that they are skipped; a CI run skips none in a
//! browser, so that it needs them too. As root on Debian what is
//! missing is installed, and said; elsewhere the command to run is printed and the exit code is 2.

use std::path::Path;
use std::process::Command;

use crate::command::{Done, Failure, is_ci, run};

/// Kafka 4 runs on 17 and later.
const JAVA_MIN: u32 = 17;
/// PyIceberg's pinned companions run on 3.10 and later.
const PYTHON_MIN: (u32, u32) = (3, 10);
/// From this version on Go fetches the toolchain that a module asks for.
const GO_MIN: (u32, u32) = (1, 21);
/// What drives the browser runs on 18 and later.
const NODE_MIN: u32 = 18;

struct Need {
    what: &'static str,
    /// Debian's packages for it.
    packages: &'static [&'static str],
    is_there: fn() -> bool,
}

const NEEDS: [Need; 7] = [
    Need { what: "a JDK 17 or later", packages: &["default-jdk-headless"], is_there: has_java },
    Need { what: "mvn", packages: &["maven"], is_there: || said("mvn", &["--version"]).is_some() },
    Need { what: "python3 3.10 or later with venv", packages: &["python3", "python3-venv"], is_there: has_python },
    Need { what: "openssl", packages: &["openssl"], is_there: || said("openssl", &["version"]).is_some() },
    Need { what: "PostgreSQL", packages: &["postgresql"], is_there: has_postgres },
    Need {
        what: "Prometheus and Alertmanager",
        packages: &["prometheus", "prometheus-alertmanager"],
        is_there: || ["promtool", "prometheus-alertmanager"].iter().all(|name| said(name, &["--version"]).is_some()),
    },
    Need {
        what: "buildah",
        packages: &["buildah", "crun", "fuse-overlayfs", "ca-certificates"],
        is_there: || said("buildah", &["--version"]).is_some(),
    },
];

const IN_A_BROWSER: &str = "in a browser";

/// Without these some tests are skipped, which they say.
const OPTIONAL: [(Need, &str); 4] = [
    (Need { what: "go 1.21 or later", packages: &["golang-go"], is_there: has_go }, "over MinIO"),
    (Need { what: "chromium", packages: &["chromium"], is_there: has_chromium }, IN_A_BROWSER),
    (Need { what: "node 18 or later with npm", packages: &["nodejs", "npm"], is_there: has_node }, IN_A_BROWSER),
    (Need { what: "zsh and fish", packages: &["zsh", "fish"], is_there: has_shells }, "of their completions"),
];

/// Returns when everything is there.
pub fn ensure() -> Done {
    let mut lacking = missing(is_ci());
    let install = !lacking.is_empty() || can_install();
    for (need, tests) in OPTIONAL.iter().filter(|(need, tests)| !is_needed(tests, is_ci()) && !(need.is_there)()) {
        if install {
            lacking.push(need);
        } else {
            println!("without {} the tests {tests} are skipped", need.what);
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = lacking.iter().flat_map(|need| need.packages).copied().collect();
    let names = names(&lacking);
    let command = format!("apt-get update && apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !can_install() {
        let text = format!("the tests need {names}; on Debian or Ubuntu this installs it:\n  sudo sh -c '{command}'");
        return Err(Failure::Machine(text));
    }
    println!("the tests need {names}: installing it by apt-get");
    run(apt(&["update"]))?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    run(apt(&arguments))?;
    trust_like_the_system()?;
    for (need, tests) in OPTIONAL.iter().filter(|(need, tests)| !is_needed(tests, is_ci()) && !(need.is_there)()) {
        println!("apt-get did not bring {}: the tests {tests} are skipped", need.what);
    }
    match missing(is_ci()) {
        lacking if lacking.is_empty() => Ok(()),
        lacking => Err(Failure::Machine(format!("apt-get did not bring {}", self::names(&lacking)))),
    }
}

/// Java has a store of its own. Debian fills it at installation, but leaves out a certificate authority that the
/// machine trusts beside the public ones (a company's proxy) until the system's store is rebuilt.
fn trust_like_the_system() -> Done {
    if said("update-ca-certificates", &["--help"]).is_none() {
        return Ok(());
    }
    let mut command = Command::new("update-ca-certificates");
    command.arg("--fresh");
    run(command)
}

fn missing(as_ci: bool) -> Vec<&'static Need> {
    needs(as_ci).filter(|need| !(need.is_there)()).collect()
}

fn needs(as_ci: bool) -> impl Iterator<Item = &'static Need> {
    let more = OPTIONAL.iter().filter(move |(_, tests)| is_needed(tests, as_ci)).map(|(need, _)| need);
    NEEDS.iter().chain(more)
}

/// Whether no test of these is skipped.
fn is_needed(tests: &str, as_ci: bool) -> bool {
    as_ci && tests == IN_A_BROWSER
}

fn names(needs: &[&Need]) -> String {
    needs.iter().map(|need| need.what).collect::<Vec<_>>().join(", ")
}

fn can_install() -> bool {
    Path::new("/etc/debian_version").exists() && said("id", &["-u"]).is_some_and(|id| id.trim() == "0")
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Everything a program printed, if it is there and content.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

/// With the compiler: a part of ours is compiled from its source.
fn has_java() -> bool {
    said("javac", &["-version"]).is_some()
        && said("java", &["-version"]).and_then(|text| java_major(&text)).is_some_and(|major| major >= JAVA_MIN)
}

fn has_python() -> bool {
    let version = said("python3", &["--version"]).and_then(|text| python_version(&text));
    version.is_some_and(|version| version >= PYTHON_MIN) && said("python3", &["-c", "import ensurepip, venv"]).is_some()
}

fn has_go() -> bool {
    said("go", &["version"]).and_then(|text| go_version(&text)).is_some_and(|version| version >= GO_MIN)
}

fn has_chromium() -> bool {
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
        .iter()
        .any(|name| said(name, &["--version"]).is_some())
}

fn has_shells() -> bool {
    ["zsh", "fish"].iter().all(|name| said(name, &["--version"]).is_some())
}

fn has_node() -> bool {
    said("node", &["--version"]).and_then(|text| node_major(&text)).is_some_and(|major| major >= NODE_MIN)
        && said("npm", &["--version"]).is_some()
}

/// Debian's programs, of any version; they are on no path.
fn has_postgres() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|entry| entry.path().join("bin")).any(|bin| bin.join("initdb").is_file() && bin.join("psql").is_file())
}

/// `openjdk version "17.0.15" 2025-04-15`; before 9 it was `"1.8.0_392"`.
fn java_major(text: &str) -> Option<u32> {
    text.split('"').nth(1)?.split(['.', '-', '+']).next()?.parse().ok()
}

/// `Python 3.11.2`.
fn python_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix("Python ")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// `v20.20.2`.
fn node_major(text: &str) -> Option<u32> {
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// `go version go1.26.8 linux/amd64`.
fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split_whitespace().nth(2)?.strip_prefix("go")?.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(java_major("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(java_major("openjdk version \"26-ea\" 2026-03-17"), Some(26));
        assert_eq!(java_major("java version \"1.8.0_392\""), Some(1));
        assert_eq!(python_version("Python 3.11.2\n"), Some((3, 11)));
        assert_eq!(go_version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(go_version("go version go1.27rc1 linux/arm64"), Some((1, 27)));
        assert_eq!((node_major("v20.20.2\n"), node_major("v8.0.0")), (Some(20), Some(8)));
        assert_eq!(python_version("Python 3.9.2\n").filter(|version| *version >= PYTHON_MIN), None);
    }

    #[test]
    fn what_is_lacking_is_named_with_its_packages() {
        let needs: Vec<&Need> = NEEDS.iter().collect();
        assert_eq!(
            names(&needs),
            "a JDK 17 or later, mvn, python3 3.10 or later with venv, openssl, PostgreSQL, Prometheus and Alertmanager, \
             buildah"
        );
        let of_ci = super::needs(true).skip(needs.len()).map(|need| need.what).collect::<Vec<_>>();
        assert_eq!(of_ci, ["chromium", "node 18 or later with npm"]);
        assert_eq!(super::needs(false).count(), needs.len());
        let all = NEEDS.iter().chain(OPTIONAL.iter().map(|(need, _)| need));
        assert!(all.into_iter().all(|need| !need.packages.is_empty()));
    }
}

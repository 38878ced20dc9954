//! The build script that says version and commit, run as cargo runs it: in a clone, outside of one, inside of another's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiled script.
fn script(home: &Path) -> PathBuf {
    let binary = home.join("script");
    let source = crate::repository::package().join("build.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc).args(["--edition", "2024", "-o"]).arg(&binary).arg(source).output();
    let built = built.expect("rustc is there, it built this test");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    binary
}

/// What the script says in a tree with this root.
fn said(script: &Path, root: &Path, epoch: Option<&str>) -> String {
    let (package, out) = (root.join("validator/app"), root.join("out"));
    fs::create_dir_all(&package).expect("the folder takes folders");
    fs::create_dir_all(&out).expect("the folder takes folders");
    let mut command = Command::new(script);
    command.current_dir(&package).env("CARGO_MANIFEST_DIR", &package).env("CARGO_PKG_VERSION", "1.2.3");
    command.env("OUT_DIR", &out).env_remove("SOURCE_DATE_EPOCH");
    if let Some(epoch) = epoch {
        command.env("SOURCE_DATE_EPOCH", epoch);
    }
    let output = command.output().expect("the script starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the script writes text")
}

fn version(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.strip_prefix("cargo:rustc-env=VALIDATOR_VERSION="));
    line.expect("the version is said")
}

fn git(folder: &Path, words: &str) -> String {
    let mut command = Command::new("git");
    command.args(words.split(' ')).current_dir(folder);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "n").env(format!("GIT_{who}_EMAIL"), "e@example.com");
        command.env(format!("GIT_{who}_DATE"), "2024-08-08T12:00:00Z");
    }
    let output = command.output().expect("git is there");
    assert!(output.status.success(), "git {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("git writes text").trim().to_owned()
}

#[test]
fn a_build_says_its_commit_in_a_clone_and_nothing_elsewhere() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    let script = script(home.path());
    let alone = home.path().join("unpacked");
    assert_eq!(version(&said(&script, &alone, None)), "1.2.3");
    // `git` looks upwards: a tree inside of somebody's repository is not that repository's commit.
    let clone = home.path().join("clone");
    fs::create_dir(&clone).expect("the folder takes folders");
    git(&clone, "init --quiet");
    assert_eq!(version(&said(&script, &clone, None)), "1.2.3", "no commit yet");
    git(&clone, "commit --quiet --allow-empty -m one");
    let hash = git(&clone, "rev-parse --short HEAD");
    let text = said(&script, &clone, None);
    assert_eq!(version(&text), format!("1.2.3 ({hash} 2024-08-08)"));
    assert_eq!(version(&said(&script, &clone.join("vendor/validator"), None)), "1.2.3");
    // Cargo runs it again when one of these changes, and all are there: one that is not would make each build anew.
    let watched: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("cargo:rerun-if-changed=")).collect();
    assert!(watched.iter().any(|path| path.ends_with("HEAD")), "{watched:?}");
    let absent = watched.iter().find(|path| **path != "build.rs" && !Path::new(path).exists());
    assert_eq!(absent, None);
    git(&clone, "checkout --quiet --detach");
    assert_eq!(version(&said(&script, &clone, None)), format!("1.2.3 ({hash} 2024-08-08)"));
}

#[test]
fn a_build_that_must_not_differ_has_the_date_that_it_is_told() {
    let home = tempfile::tempdir().expect("the system gives a folder");
    let script = script(home.path());
    let root = home.path().join("tree");
    let days = [
        ("0", "1970-01-01"),
        ("951782400", "2000-02-29"),
        ("1723075200", "2024-08-08"),
        ("1735689599", "2024-12-31"),
        ("4107542400", "2100-03-01"),
    ];
    for (epoch, day) in days {
        assert_eq!(version(&said(&script, &root, Some(epoch))), format!("1.2.3 ({day})"), "{epoch}");
    }
    assert_eq!(version(&said(&script, &root, Some("soon"))), "1.2.3");
}

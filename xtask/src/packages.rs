//! What comes with the binary: how many packages, under which licences, none of the banned ones.
//!
//! `deny.toml` is the one list of rules. `cargo deny` checks all of it where it is installed; the counts, licences and
//! bans are checked here too, so that they hold on every machine.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command::{Done, Failure, cargo, output, root, run};
use crate::licences::permits;

/// Normal and build packages of the binary: each costs every user's build and trust.
const PACKAGES_MAX: usize = 520;

/// Counts, licences and bans.
pub fn check() -> Done {
    let tree = output(cargo(&["tree", "--locked", "-p", "validator-app", "-e", "normal,build", "--prefix", "none"]))?;
    let packages: BTreeSet<&str> = tree.lines().map(without_marks).filter(|line| !line.is_empty()).collect();
    println!("{} packages in the binary, at most {PACKAGES_MAX}", packages.len());
    let mut faults = Vec::new();
    if packages.len() > PACKAGES_MAX {
        faults.push(format!("the binary has {} packages, at most {PACKAGES_MAX} are allowed", packages.len()));
    }
    print_built_twice()?;
    let rules = read_rules()?;
    // For this platform alone: the packages of others are not downloaded by a build, and CI may be offline.
    let host = host()?;
    let metadata = output(cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", &host]))?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| Failure::Check(format!("cargo metadata: {error}")))?;
    let locked = locked_packages(&metadata);
    println!("{} packages for {host} with the tests' own", locked.len());
    faults.extend(licence_faults(&locked, &rules.licences));
    faults.extend(ban_faults(&locked, &rules));
    if !faults.is_empty() {
        return Err(Failure::Check(faults.join("\n")));
    }
    cargo_deny()
}

/// The platform we build for, as rustc names it.
fn host() -> Result<String, Failure> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.arg("-vV").current_dir(root());
    let text = output(rustc)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned);
    host.ok_or_else(|| Failure::Machine("rustc -vV names no host".into()))
}

fn cargo_deny() -> Done {
    let mut probe = Command::new("cargo-deny");
    let installed = probe.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if installed.is_ok_and(|status| status.success()) {
        return run(cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]));
    }
    println!("cargo deny: skipped, it is not installed");
    Ok(())
}

/// Features are unified per build: where the tests turn on more of them in a package of the binary, it and all that
/// depends on it is built once for `cargo run` and once for `cargo test`. Time, not a fault, so it is only told.
fn print_built_twice() -> Done {
    let tree = |arguments: &[&str]| {
        let mut command = cargo(&["tree", "--locked", "--prefix", "none", "-f", "{p} [{f}]"]);
        command.args(arguments);
        output(command)
    };
    let with_tests = tree(&["--workspace", "-e", "normal,build,dev"])?;
    let binary = tree(&["-p", "validator-app", "-e", "normal,build"])?;
    let twice = other_features(&binary, &with_tests);
    if !twice.is_empty() {
        println!("built twice, for `cargo run` and for tests, with all that depends on them: {}", twice.join(", "));
    }
    Ok(())
}

/// Lines of the binary's tree that the tests' tree does not have in this form.
fn other_features(binary: &str, with_tests: &str) -> Vec<String> {
    let form = |line: &str| line.trim_end_matches(" (*)").to_owned();
    let known: BTreeSet<String> = with_tests.lines().map(form).collect();
    let own: BTreeSet<String> = binary.lines().map(form).collect();
    own.difference(&known).cloned().collect()
}

/// `serde v1.0.2 (proc-macro) (*)` → `serde v1.0.2`.
fn without_marks(line: &str) -> &str {
    line.split(" (").next().unwrap_or(line).trim()
}

struct Rules {
    licences: BTreeSet<String>,
    /// Never in the lock file.
    banned: BTreeSet<String>,
    /// In the lock file only under these parents.
    wrapped: BTreeMap<String, BTreeSet<String>>,
    /// At most one version.
    single: BTreeSet<String>,
}

fn read_rules() -> Result<Rules, Failure> {
    let broken = |why: &str| Failure::Check(format!("deny.toml: {why}"));
    let text = std::fs::read_to_string(root().join("deny.toml")).map_err(|error| broken(&error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| broken(&error.to_string()))?;
    rules(&table).ok_or_else(|| broken("no list at licenses.allow or bans.deny"))
}

fn rules(table: &toml::Table) -> Option<Rules> {
    let texts = |value: &toml::Value| -> Option<BTreeSet<String>> {
        value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let licences = texts(table.get("licenses")?.get("allow")?)?;
    let mut rules = Rules { licences, banned: BTreeSet::new(), wrapped: BTreeMap::new(), single: BTreeSet::new() };
    for entry in table.get("bans")?.get("deny")?.as_array()? {
        let name = entry.get("crate")?.as_str()?.to_owned();
        if entry.get("deny-multiple-versions").and_then(toml::Value::as_bool) == Some(true) {
            rules.single.insert(name);
        } else if let Some(wrappers) = entry.get("wrappers") {
            rules.wrapped.insert(name, texts(wrappers)?);
        } else {
            rules.banned.insert(name);
        }
    }
    Some(rules)
}

/// One package of the lock file.
#[derive(Default)]
struct Package {
    name: String,
    version: String,
    licence: Option<String>,
    /// Names of the packages that it pulls in, on any platform.
    depends_on: BTreeSet<String>,
}

/// The packages of `cargo metadata`, with what each resolved to.
fn locked_packages(metadata: &Value) -> Vec<Package> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for one in list(&metadata["packages"]) {
        let licence = one["license"].as_str().map(str::to_owned);
        let package =
            Package { name: text(&one["name"]), version: text(&one["version"]), licence, ..Package::default() };
        packages.insert(text(&one["id"]), package);
    }
    for node in list(&metadata["resolve"]["nodes"]) {
        let deps = list(&node["deps"]);
        let names = deps.iter().filter_map(|dep| packages.get(dep["pkg"].as_str()?)).map(|one| one.name.clone());
        let names: BTreeSet<String> = names.collect();
        if let Some(package) = packages.get_mut(&text(&node["id"])) {
            package.depends_on = names;
        }
    }
    packages.into_values().collect()
}

fn licence_faults(packages: &[Package], allowed: &BTreeSet<String>) -> Vec<String> {
    let fault = |package: &Package| match package.licence.as_deref() {
        None => Some(format!("{} {} names no licence", package.name, package.version)),
        Some(licence) if permits(licence, allowed) => None,
        Some(licence) => Some(format!("{} {} has the licence `{licence}`", package.name, package.version)),
    };
    packages.iter().filter_map(fault).collect()
}

fn ban_faults(packages: &[Package], rules: &Rules) -> Vec<String> {
    let mut faults = Vec::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().insert(&package.version);
        if rules.banned.contains(&package.name) {
            faults.push(format!("{} {} is banned by deny.toml", package.name, package.version));
        }
        for (wrapped, wrappers) in &rules.wrapped {
            if package.depends_on.contains(wrapped) && !wrappers.contains(&package.name) {
                faults.push(format!("{} may not depend on {wrapped}", package.name));
            }
        }
    }
    for name in &rules.single {
        if let Some(found) = versions.get(name.as_str()).filter(|found| found.len() > 1) {
            let found: Vec<&str> = found.iter().copied().collect();
            faults.push(format!("more than one version of {name}: {}", found.join(", ")));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = r#"
        [licenses]
        allow = ["MIT"]
        [bans]
        deny = [
            { crate = "bad" },
            { crate = "c-tls", wrappers = ["kafka"] },
            { crate = "arrow", deny-multiple-versions = true },
        ]
    "#;

    fn faults(packages: &Value, nodes: &Value) -> Vec<String> {
        let rules = rules(&DENY.parse().expect("TOML")).expect("complete");
        let packages = locked_packages(&json!({"packages": packages, "resolve": {"nodes": nodes}}));
        let mut faults = licence_faults(&packages, &rules.licences);
        faults.extend(ban_faults(&packages, &rules));
        faults
    }

    #[test]
    fn licences_and_bans_are_checked_without_cargo_deny() {
        let packages = json!([
            {"id": "1", "name": "kafka", "version": "1.0.0", "license": "MIT"},
            {"id": "2", "name": "c-tls", "version": "1.0.0", "license": "GPL-3.0"},
            {"id": "3", "name": "other", "version": "1.0.0", "license": null},
            {"id": "4", "name": "bad", "version": "1.0.0", "license": "MIT"},
            {"id": "5", "name": "arrow", "version": "1.0.0", "license": "MIT"},
            {"id": "6", "name": "arrow", "version": "2.0.0", "license": "MIT"},
        ]);
        let nodes = json!([
            {"id": "1", "deps": [{"pkg": "2"}]},
            {"id": "3", "deps": [{"pkg": "2"}]},
        ]);
        let expected = [
            "c-tls 1.0.0 has the licence `GPL-3.0`",
            "other 1.0.0 names no licence",
            "other may not depend on c-tls",
            "bad 1.0.0 is banned by deny.toml",
            "more than one version of arrow: 1.0.0, 2.0.0",
        ];
        assert_eq!(faults(&packages, &nodes), expected);
    }

    #[test]
    fn packages_that_tests_build_with_more_features_are_told() {
        let with_tests = "app v1 []\nuuid v1 [std,v4]\nserde v1 [std] (*)\nproptest v1 []";
        assert_eq!(other_features("app v1 []\nuuid v1 [v4] (*)\nserde v1 [std]", with_tests), ["uuid v1 [v4]"]);
    }

    #[test]
    fn marks_of_cargo_tree_do_not_make_packages() {
        assert_eq!(without_marks("serde_derive v1.0.2 (proc-macro) (*)"), "serde_derive v1.0.2");
        assert_eq!(without_marks("serde v1.0.2"), "serde v1.0.2");
    }
}

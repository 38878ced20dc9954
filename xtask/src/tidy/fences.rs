//! Who may depend on whom, and who may use which heavy crate. Data flows down the tree; the core is pure.

use super::Fault;
use super::tree::Tree;

/// All dependencies a pure crate may have (normal and build; tests may use more).
const PURE: [(&str, &[&str]); 2] = [
    (
        "validator/core",
        &[
            "arrow-array",
            "arrow-buffer",
            "arrow-schema",
            "arrow-select",
            "base64",
            "blake3",
            "chrono",
            "serde",
            "serde_json",
            "smallvec",
            "thiserror",
        ],
    ),
    ("fixtures/kit", &["chrono", "rand", "rand_chacha", "serde", "serde_json"]),
];

/// Which of our own crates a crate may depend on. Tests of the validator may use every fixture beside these.
const LAYERS: [(&str, &[&str]); 13] = [
    ("validator/core", &[]),
    ("validator/tap", &["validator-core"]),
    ("validator/table", &["validator-core"]),
    ("validator/engine", &["validator-core", "validator-tap", "validator-table"]),
    ("validator/ledger", &["validator-core"]),
    ("validator/publish", &[]),
    (
        "validator/app",
        &[
            "validator-core",
            "validator-tap",
            "validator-table",
            "validator-engine",
            "validator-ledger",
            "validator-publish",
            "fixtures-kit",
            "fixtures-warehouse",
        ],
    ),
    // The truth is kept apart from the validator: no fixture sees its code.
    ("fixtures/kit", &[]),
    ("fixtures/warehouse", &["fixtures-kit"]),
    ("fixtures/harness", &["fixtures-kit", "fixtures-warehouse"]),
    // Measures the validator itself.
    (
        "fixtures/bench",
        &[
            "validator-core",
            "validator-tap",
            "validator-table",
            "validator-engine",
            "validator-ledger",
            "validator-app",
            "fixtures-kit",
            "fixtures-warehouse",
            "fixtures-harness",
        ],
    ),
    // Looks for bytes that break the validator's promises.
    ("fixtures/fuzz", &["validator-core", "validator-tap", "validator-table", "validator-app", "fixtures-warehouse"]),
    ("xtask", &[]),
];

/// A heavy crate has one owner on the validator's side; fixtures talk to the real thing by themselves.
const FENCES: [(&str, &[&str]); 8] = [
    ("rdkafka", &["validator/tap", "fixtures/warehouse", "fixtures/harness", "fixtures/bench"]),
    ("rdkafka-sys", &["validator/tap", "fixtures/harness"]),
    ("iceberg", &["validator/table", "validator/publish", "fixtures/warehouse", "fixtures/fuzz"]),
    // Recorded messages may be Parquet files, and findings and answers are written as such (decision 0030).
    (
        "parquet",
        &[
            "validator/table",
            "validator/tap",
            "validator/publish",
            "validator/app",
            "fixtures/warehouse",
            "fixtures/fuzz",
        ],
    ),
    ("object_store", &["validator/table", "fixtures/warehouse", "fixtures/fuzz"]),
    ("datafusion", &["validator/engine"]),
    // Catalogs are read with it; the ledger is written with it.
    ("sqlx", &["validator/table", "validator/ledger", "fixtures/warehouse"]),
    // The registry, catalogs and stores are asked with it, and channels are told of alerts.
    ("reqwest", &["validator/tap", "validator/table", "validator/app", "fixtures/harness"]),
];

/// What the core never does: files, the network, threads, the environment.
const OUTSIDE: [&str; 4] = ["std::fs", "std::net", "std::thread", "std::env"];
/// What no pure crate does: a result that depends on when it was made can not be replayed.
const CLOCKS: [&str; 4] = ["SystemTime::now", "Instant::now", "Utc::now", "Local::now"];

/// All rules of this file.
pub fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in &tree.texts {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else { continue };
        match text.parse::<toml::Table>() {
            Ok(manifest) => faults.extend(manifest_faults(folder, path, text, &manifest)),
            Err(error) => faults.push(Fault::new(path, 1, format!("not a manifest: {}", error.message()))),
        }
    }
    for (path, source) in &tree.sources {
        if !PURE.iter().any(|(folder, _)| path.starts_with(&format!("{folder}/src/"))) {
            continue;
        }
        // The kit renders its worlds into files.
        let outside: &[&str] = if path.starts_with("validator/core/") { &OUTSIDE } else { &[] };
        for (number, line) in source.numbered_code().filter(|(number, _)| !source.is_test(*number)) {
            for word in CLOCKS.iter().chain(outside).filter(|word| line.contains(**word)) {
                faults.push(Fault::new(path, number, format!("`{word}` in a pure crate: pass the value in")));
            }
        }
    }
    faults
}

fn manifest_faults(folder: &str, path: &str, text: &str, manifest: &toml::Table) -> Vec<Fault> {
    let line_of = |name: &str| text.lines().position(|line| line.starts_with(name)).map_or(1, |index| index + 1);
    let fault = |name: &str, why: String| Fault::new(path, line_of(name), why);
    let mut faults = Vec::new();
    let Some((_, layer)) = LAYERS.iter().find(|(known, _)| *known == folder) else {
        return vec![Fault::new(
            path,
            1,
            "a crate that tidy does not know: give it a layer in xtask/src/tidy/fences.rs",
        )];
    };
    for (section, name, value) in dependencies(manifest) {
        if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
            faults.push(fault(&name, format!("`{name}`: versions and features stand in [workspace.dependencies]")));
        }
        let fixture = name.starts_with("fixtures-");
        let for_tests = fixture && section == "dev-dependencies" && folder.starts_with("validator/");
        if (fixture || name.starts_with("validator-")) && !for_tests && !layer.contains(&name.as_str()) {
            faults.push(fault(&name, format!("`{name}` is not below this crate")));
        }
        if let Some((_, owners)) = FENCES.iter().find(|(fenced, _)| *fenced == name)
            && !owners.contains(&folder)
        {
            faults.push(fault(&name, format!("`{name}` is for {}", owners.join(", "))));
        }
        if let Some((_, allowed)) = PURE.iter().find(|(pure, _)| *pure == folder)
            && section != "dev-dependencies"
            && !allowed.contains(&name.as_str())
        {
            faults.push(fault(&name, format!("`{name}` in a pure crate")));
        }
    }
    if manifest.contains_key("features") {
        faults.push(fault("[features]", "cargo features of our own: a crate is the fence".into()));
    }
    faults
}

fn dependencies(manifest: &toml::Table) -> impl Iterator<Item = (&'static str, String, toml::Value)> {
    ["dependencies", "dev-dependencies", "build-dependencies"].into_iter().flat_map(|section| {
        let table = manifest.get(section).and_then(toml::Value::as_table).cloned().unwrap_or_default();
        table.into_iter().map(move |(name, value)| (section, name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::new([(path.to_owned(), text.to_owned())]);
        let mut faults = faults(&tree);
        faults.sort();
        faults.into_iter().map(|fault| format!("{}: {}", fault.line, fault.text)).collect()
    }

    #[test]
    fn a_pure_crate_has_no_heavy_dependency_and_no_clock() {
        let manifest = "[dependencies]\ntokio.workspace = true\n[dev-dependencies]\nproptest.workspace = true\n";
        assert_eq!(check("validator/core/Cargo.toml", manifest), ["2: `tokio` in a pure crate"]);
        let code = "//! A.\nfn a() { let now = std::time::Instant::now(); }\n";
        assert_eq!(check("validator/core/src/a.rs", code), ["2: `Instant::now` in a pure crate: pass the value in"]);
        assert!(check("validator/tap/src/a.rs", code).is_empty());
    }

    #[test]
    fn layers_and_fences_hold() {
        let manifest = "[dependencies]\nvalidator-engine.workspace = true\nsqlx.workspace = true\n";
        let expected = [
            "2: `validator-engine` is not below this crate",
            "3: `sqlx` is for validator/table, validator/ledger, fixtures/warehouse",
        ];
        assert_eq!(check("validator/tap/Cargo.toml", manifest), expected);
        assert_eq!(check("fixtures/kit/Cargo.toml", "[dev-dependencies]\nvalidator-core.workspace = true\n").len(), 1);
        let harness = "fixtures-harness.workspace = true\n";
        assert_eq!(check("validator/tap/Cargo.toml", &format!("[dev-dependencies]\n{harness}")), [""; 0]);
        assert_eq!(check("validator/app/Cargo.toml", &format!("[dependencies]\n{harness}")).len(), 1);
    }

    #[test]
    fn versions_stand_in_the_workspace_and_crates_have_no_features() {
        let manifest = "[dependencies]\nserde = \"1\"\n[features]\nfast = []\n";
        assert_eq!(check("validator/app/Cargo.toml", manifest).len(), 2);
        assert_eq!(check("validator/new/Cargo.toml", "").len(), 1, "a crate without a layer");
    }
}

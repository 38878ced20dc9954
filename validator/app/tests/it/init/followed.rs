//! What `init` writes for the tables of K2 is followed by `run` as it is judged by `reconcile`: by windows where rows have no offsets.

use std::collections::BTreeMap;

use super::k2;
use super::shapes::{MESSAGES, damaged, stage};

/// Lets a run go on until nothing is left to do; its exit code and what the ledger says then.
fn followed(stage: &super::stage::Stage, file: &str) -> (i32, serde_json::Value) {
    let ran = stage.run(&format!("run {file} --until-idle 300ms"));
    let report = stage.run(&format!("report --pipeline {file} --format json"));
    let json = serde_json::from_str(&report.stdout);
    (ran.exit, json.unwrap_or_else(|why| panic!("{why}: {}\n{}", report.all(), ran.all())))
}

#[test]
fn tables_of_k2_are_followed_by_what_init_wrote() {
    let mut modes: BTreeMap<String, u32> = BTreeMap::new();
    for shape in k2::shapes() {
        let stage = stage(&shape);
        let (text, _) = stage.written();
        let file: toml::Table = text.parse().expect("the file is TOML");
        let (name, identity) = (file["pipeline"]["name"].as_str().expect("a name"), &file["identity"]);
        let mode = identity["mode"].as_str().expect("a mode").to_owned();
        if mode != "offset" && identity.get("window").is_none() {
            let ran = stage.run("run pipeline.toml --until-idle 300ms");
            assert!(ran.exit == 2 && ran.all().contains("`window`"), "{}: {}", shape.name, ran.all());
            continue;
        }
        // Of each mode one is followed without damage too.
        if !modes.contains_key(&mode) {
            let (exit, report) = followed(&stage, "pipeline.toml");
            let shown = format!("{}: {report:#}\n{text}", shape.name);
            assert_eq!((exit, report["messages"]["intact"].as_i64()), (0, Some(MESSAGES)), "{shown}");
        }
        let other = damaged(&shape, &stage, &text).replacen(&format!("name = \"{name}\""), "name = \"damaged\"", 1);
        std::fs::write(stage.join("damaged.toml"), other).expect("the folder takes files");
        let (exit, report) = followed(&stage, "damaged.toml");
        let shown = format!("{}: {report:#}\n{text}", shape.name);
        assert_eq!((exit, report["messages"]["intact"].as_i64()), (1, Some(MESSAGES - 1)), "{shown}");
        *modes.entry(mode).or_default() += 1;
    }
    println!("{modes:?}");
    assert!(modes.contains_key("key") && modes.contains_key("content"), "{modes:?}");
}

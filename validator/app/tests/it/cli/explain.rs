//! `check --explain`: the mapping as SQL, and the plan.

use insta::assert_snapshot;

use super::{sound, written};
use crate::scene::Scene;
use crate::transcript::{run_arguments, validator};

#[test]
fn a_contract_is_explained_as_sql() {
    let folder = written(&sound());
    folder.edit(
        "pipeline.toml",
        "[source]",
        "[compare]\ndrop = { venue = \"not kept\" }\ntolerate = { id = \"trim\" }\nmask = [\"price\"]\n\n[source]",
    );
    folder.edit(
        "pipeline.toml",
        "[identity]",
        "filter = \"id <> 'x'\"\n\n[fields]\nq = \"decimal(18, 8)\"\n\n[map]\nprice = \"round(q, 8)\"\n\n[identity]",
    );
    folder.edit("pipeline.toml", "format = \"json\"\n\n", "format = \"json\"\n");
    let recording = std::fs::read_to_string(folder.join("topic.jsonl")).expect("it is there");
    std::fs::write(folder.join("topic.jsonl"), recording.replace("price", "q")).expect("the folder takes files");
    let ran = validator(folder.path(), "check --explain pipeline.toml");
    assert_snapshot!(ran.all(), @"");
    // It is SQL: `validator sql` takes it.
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    let select = ran.stdout.split("\n\n").nth(1).expect("the mapping comes second");
    let rows = run_arguments(folder.path(), &["sql", "--format", "csv", &format!("{select}\nORDER BY 2, 3")], &[]);
    assert_snapshot!(rows.all(), @"");
}

#[test]
fn the_window_and_the_versions_of_keys_are_explained() {
    let scene = Scene::upsert().topic("0@0 a 1 | 0@1 b 2").file("a 1 | b 2");
    let ran = validator(written(&scene).path(), "check --explain pipeline.toml");
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("--")).collect();
    assert_snapshot!(lines.join("\n"), @"");
    let ran = validator(written(&scene).path(), "check --explain --offline pipeline.toml");
    assert_eq!(ran.exit, 2);
}

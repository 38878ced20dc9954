//! What is wrong, where, and one thing to do about it: a transcript for each mistake that people make.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;

use super::{damaged, sound, written};
use crate::scene::Folder;
use crate::terminal::seen_at;
use crate::transcript::{run, validator};

fn all(folder: &Folder, words: &str) -> String {
    let ran = validator(folder.path(), words).assert_no_panic();
    let hints = ran.stderr.matches("hint: ").count() + ran.stderr.matches("For more information").count();
    let errors = ran.stderr.matches("error: ").count();
    assert_eq!(hints, errors, "one thing to do for each error: {}", ran.all());
    ran.all()
}

#[test]
fn a_command_line_that_is_wrong() {
    let folder = written(&sound());
    let lines = [
        "reconcil",
        "reconcile",
        "reconcile trades --fron 3",
        "check --ofline",
        "schema",
        "schema rules",
        "schema repor",
        "completions tcsh",
        "man --output no/such/folder",
        "demo --messages 0",
    ];
    let said: Vec<String> = lines.iter().map(|line| format!("$ validator {line}\n{}", all(&folder, line))).collect();
    assert_snapshot!(said.join("\n"));
}

#[test]
fn a_pipeline_that_is_not_found() {
    let folder = written(&sound());
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    fs::create_dir(folder.join("folder.toml")).expect("the folder takes folders");
    fs::write(folder.join("latin.toml"), b"name = \"\xe9\"").expect("the folder takes files");
    let mut lines = vec!["reconcile tradse", "reconcile orders", "reconcile none.toml", "reconcile folder.toml"];
    lines.extend(["reconcile latin.toml", "reconcile -c none.toml trades", "check -c latin.toml"]);
    let mut said: Vec<String> = lines.iter().map(|line| format!("$ validator {line}\n{}", all(&folder, line))).collect();
    fs::remove_file(folder.join("validator.toml")).expect("it was written");
    said.push(format!("$ validator reconcile trades\n{}", all(&folder, "reconcile trades")));
    said.push(format!("$ validator check\n{}", all(&folder, "check")));
    assert_snapshot!(said.join("\n"));
}

#[test]
fn a_file_that_may_not_be_read() {
    let folder = written(&sound());
    let path = folder.join("pipeline.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0)).expect("it is ours");
    if fs::read(&path).is_ok() {
        println!("root reads everything");
        return;
    }
    assert_snapshot!(all(&folder, "check pipeline.toml"));
}

#[test]
fn keys_and_values_that_are_wrong_are_shown_with_what_could_stand_there() {
    let folder = written(&sound());
    let changes = [
        ("format = \"json\"", "format = \"xml\""),
        ("mode = \"offset\"", "mode = \"offset\"\nwindow = \"at\""),
        ("mode = \"offset\"", "mode = \"offset\"\nwidth = \"big\""),
        ("[identity]", "[fidelity]\nsettle = 90\ntarget = 2\n\n[identity]"),
        ("[identity]", "[compare]\nstrict_fields = \"no\"\nmask = \"price\"\n\n[identity]"),
        ("[identity]", "[identity"),
        ("lake.market.trades", "lake.trades"),
    ];
    let text = fs::read_to_string(folder.join("pipeline.toml")).expect("it was written");
    let said: Vec<String> = changes
        .iter()
        .map(|(this, that)| {
            assert!(text.contains(this), "{this} is in the file");
            fs::write(folder.join("pipeline.toml"), text.replace(this, that)).expect("the folder takes files");
            all(&folder, "check --offline pipeline.toml")
        })
        .collect();
    assert_snapshot!(said.join("\n"));
}

#[test]
fn columns_and_fields_that_are_not_there_are_shown_with_those_that_are() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "[identity]", "[compare]\nmask = [\"zzz\"]\nignore = { qqq = \"none\" }\n\n[identity]");
    assert_snapshot!(all(&folder, "check pipeline.toml"));
}

#[test]
fn a_problem_keeps_to_the_columns_and_has_colours_on_a_terminal() {
    let folder = written(&damaged());
    folder.edit("pipeline.toml", "mode = \"offset\"", "mode = \"ofset\" # \u{1b}[31m and a comment that goes on and on");
    let narrow = seen_at(40, folder.path(), "check --offline pipeline.toml", &[("NO_COLOR", "1")]);
    assert_eq!(narrow.0, 2);
    assert!(narrow.1.lines().all(|line| line.chars().count() <= 40), "{}", narrow.1);
    assert_snapshot!(narrow.1);
    let painted = |columns, words: &str, environment: &[(&str, &str)]| {
        seen_at(columns, folder.path(), words, environment).1.contains("\u{1b}[")
    };
    assert!(painted(80, "check --offline pipeline.toml", &[]));
    assert!(!painted(80, "check --offline pipeline.toml", &[("TERM", "dumb")]));
    assert!(!painted(80, "check --offline pipeline.toml --color never", &[]));
    let piped = |words: &str| run(folder.path(), words, &[("NO_COLOR", "1")]).stderr.contains("\u{1b}[");
    assert!(piped("check --offline --color always pipeline.toml"));
    assert!(!piped("check --offline pipeline.toml"));
}

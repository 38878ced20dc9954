//! Where answers go: all at once, each whole, no two in one file; of the demo too.

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

use super::damaged;
use super::dom::Dom;
use crate::scene::Folder;
use crate::transcript::{Ran, validator};

fn written() -> Folder {
    tokio::runtime::Runtime::new().expect("the system gives threads").block_on(damaged().write())
}

fn reconcile(folder: &Folder, flags: &str) -> Ran {
    let words = format!("reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --quiet {flags}");
    validator(folder.path(), &words).assert_no_panic()
}

#[test]
fn all_answers_are_written_at_once_and_nothing_is_left_beside_them() {
    let folder = written();
    let before = fs::read_dir(folder.path()).expect("a folder").count();
    let flags = "--report r.json --html r.html --junit r.xml --markdown r.md --findings f.parquet";
    assert_snapshot!(reconcile(&folder, flags).all(), @"exit 1");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), before + 5);
    let read = |name: &str| fs::read(folder.join(name)).expect("it was written");
    assert!(read("r.json").starts_with(b"{\n"));
    assert!(read("r.html").starts_with(b"<!DOCTYPE html>"));
    assert!(read("r.xml").starts_with(b"<?xml"));
    assert!(read("r.md").starts_with("## ❌ breached".as_bytes()));
    assert!(read("f.parquet").starts_with(b"PAR1") && read("f.parquet").ends_with(b"PAR1"));
    let page = String::from_utf8(read("r.html")).expect("text");
    assert!(page.contains("are in <code>f.parquet</code>"), "the page says where all findings are");
}

#[test]
fn two_answers_in_one_file_are_refused_before_anything_is_read() {
    let folder = written();
    assert_snapshot!(reconcile(&folder, "--html out --junit ./out").all(), @"
    exit 2
    --- stderr
    error: --html and --junit name the same file
      = hint: give each a file of its own
    ");
    assert!(!folder.join("out").exists());
    assert_snapshot!(validator(folder.path(), "demo --findings f --truth f").all(), @"
    exit 2
    --- stderr
    error: --findings and --truth name the same file
      = hint: give each a file of its own
    ");
}

#[test]
fn an_ending_of_another_format_is_refused() {
    let folder = written();
    assert_snapshot!(reconcile(&folder, "--html report.md").all(), @"
    exit 2
    --- stderr
    error: invalid value 'report.md' for '--html <FILE.html>': this is written as HTML: name a FILE.html, not .md

    For more information, try '--help'.
    ");
}

#[test]
fn two_runs_write_the_same_but_for_their_times() {
    let folder = written();
    let flags = "--html r.html --junit r.xml --markdown r.md --findings f.parquet";
    let runs = [(), ()].map(|()| {
        reconcile(&folder, flags);
        let text = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
        let timeless = |text: String, sign: &str| {
            text.lines().filter(|line| !line.contains(sign)).map(|line| format!("{line}\n")).collect::<String>()
        };
        let xml = timeless(text("r.xml"), "<testsuite");
        (
            timeless(text("r.html"), "<dt>Run</dt>"),
            xml,
            text("r.md"),
            fs::read(folder.join("f.parquet")).expect("it was"),
        )
    });
    assert!(runs[0] == runs[1]);
}

#[test]
fn the_demo_writes_its_page() {
    let folder = written();
    let ran = validator(folder.path(), "demo --seed 7 --messages 500 --html demo.html --findings demo.parquet");
    assert_eq!(ran.assert_no_panic().exit, 0);
    let page = fs::read_to_string(folder.join("demo.html")).expect("it was written");
    assert!(page.contains("validator demo --seed 7 --messages 500"), "the page says how it is made again");
    assert!(page.contains("<article class=\"finding\""));
}

/// The folder of a demo is gone when its page is read.
#[test]
fn each_finding_of_the_page_of_a_demo_has_a_command_that_prints_it_again() {
    let folder = written();
    let demo = "demo --seed 7 --messages 500";
    assert_eq!(validator(folder.path(), &format!("{demo} --html demo.html --findings f.jsonl")).exit, 0);
    let html = Dom::parse(&fs::read_to_string(folder.join("demo.html")).expect("it was written"));
    let articles = html.select("article.finding");
    let commands: Vec<(String, String)> = articles
        .iter()
        .map(|article| {
            let id = article.attr("id").and_then(|id| id.strip_prefix("f-")).expect("an article has its id");
            (id.to_owned(), article.select(".command").first().expect("each has one").text())
        })
        .collect();
    let known = fs::read_to_string(folder.join("f.jsonl")).expect("it was written");
    for (id, command) in &commands {
        assert!(command.starts_with(&format!("validator {demo} --findings /dev/stdout | grep ")), "{command}");
        assert!(known.contains(id), "{id}");
    }
    let of = |id: &str| {
        let line = known.lines().find(|line| line.contains(id)).expect("a finding of the page is one of all");
        serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON")
    };
    let places: Vec<&(String, String)> = commands.iter().filter(|(id, _)| of(id)["offset"].is_null()).collect();
    let message = commands.iter().find(|(id, _)| !of(id)["offset"].is_null()).expect("a message is damaged");
    for (id, command) in [message, places[0], places[places.len() - 1]] {
        let binary = Path::new(env!("CARGO_BIN_EXE_validator")).parent().expect("a binary is in a folder");
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", command]).env("PATH", path).current_dir(folder.path()).output();
        let output = output.expect("there is a shell");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{command}: {printed}");
        let finding: serde_json::Value = serde_json::from_str(printed.trim()).expect("one finding and nothing else");
        let told = of(id);
        // What is about a row or a file has an id of its path, and each demo has a folder of its own.
        for key in ["verdict", "cause", "topic", "partition", "offset", "columns", "copies"] {
            assert_eq!(finding[key], told[key], "{key}: {printed}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_made_is_refused_before_the_run() {
    let folder = written();
    assert_snapshot!(reconcile(&folder, "--report r.json --html /proc/r.html").all(), @r#"
    exit 3
    --- stderr
    error: write /proc/r.html
      because: No such file or directory (os error 2)
      hint:    `ls -ld /proc`
    "#);
    assert!(!folder.join("r.json").exists(), "nothing was judged");
}

/// What only writing tells: a device that is full. Whoever waited for the run sees what it found, and has the other files.
#[test]
fn a_file_that_cannot_be_written_takes_no_other_answer_with_it() {
    let folder = written();
    let ran = reconcile(&folder, "--html /dev/full --junit r.xml --markdown r.md --findings f.jsonl");
    assert_eq!(ran.exit, 3, "{}", ran.all());
    assert!(ran.stdout.contains("trades") && ran.stdout.contains("fidelity"), "{}", ran.all());
    assert_snapshot!(ran.stderr, @"
    error: write /dev/full
      because: No space left on device (os error 28)
      hint:    `ls -ld /dev`
    ");
    for name in ["r.xml", "r.md", "f.jsonl"] {
        assert!(fs::metadata(folder.join(name)).is_ok_and(|file| file.len() > 0), "{name}");
    }
}

#[test]
fn the_report_is_json_and_no_ending_of_another_format_is_taken_for_it() {
    let folder = written();
    for (flags, says) in [
        ("--report r.html", "this is written as JSON: name a FILE.json, not .html"),
        ("--findings F.CSV", "name a FILE.jsonl or FILE.parquet, not .csv"),
        ("--html r.MD", "this is written as HTML: name a FILE.html, not .md"),
        ("--html -", "expected a file; /dev/stdout is stdout"),
    ] {
        let ran = reconcile(&folder, flags);
        assert!(ran.exit == 2 && ran.stderr.contains(says), "{}", ran.all());
    }
    assert_eq!(reconcile(&folder, "--findings F.PARQUET").exit, 1);
    assert!(fs::read(folder.join("F.PARQUET")).expect("it was written").starts_with(b"PAR1"));
}

#[test]
fn the_words_say_more_than_once_where_rows_are_copies() {
    let scene =
        crate::scene::Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2");
    let folder = tokio::runtime::Runtime::new().expect("the system gives threads").block_on(scene.write());
    assert_eq!(reconcile(&folder, "--html r.html --markdown r.md").exit, 1);
    let says = "2 of 2 due messages are in the table unaltered, 2 of them more than once, beside 2 surplus copies: \
                fidelity 0.5; what was promised is broken.";
    for name in ["r.html", "r.md"] {
        let text = fs::read_to_string(folder.join(name)).expect("it was written");
        assert!(text.contains(says) && !text.contains("in the table, exactly once"), "{name}: {text}");
    }
}

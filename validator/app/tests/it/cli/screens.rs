//! The report on terminals of 40 and 80 columns and on none, with and without colours.

use insta::assert_snapshot;

use super::{damaged, reconcile, reconcile_in, sound, written};
use crate::scene::{Folder, Scene};
use crate::terminal::{kept_to_forty, seen_at};

const JUDGED: &str = "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --quiet";

/// What does not differ from run to run.
fn steady(text: &str, folder: &Folder) -> String {
    let text = text.replace(&folder.path().display().to_string(), "DIR");
    let untimed =
        |line: &str| line.split_once(", took").map_or(line.to_owned(), |(before, _)| format!("{before}, took TIME"));
    // On a narrow terminal the time stands in a line of its own.
    let is_time =
        |line: &str| line.trim().strip_suffix(" ms").is_some_and(|ms| ms.replace(',', "").parse::<u64>().is_ok());
    text.lines().filter(|line| !is_time(line)).map(|line| untimed(line) + "\n").collect()
}

#[test]
fn a_report_keeps_to_the_columns_there_are() {
    let folder = written(&damaged());
    let (exit, text) = seen_at(80, folder.path(), JUDGED, &[("NO_COLOR", "1")]);
    assert_eq!(exit, 1);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let (exit, text) = seen_at(40, folder.path(), JUDGED, &[("NO_COLOR", "1")]);
    assert_eq!(exit, 1);
    assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    // The folder's name is broken at the edge: what stands before the first of it.
    let before = text.split("\nmessages").next().unwrap_or_default();
    assert_snapshot!(steady(before, &folder), @"
    BREACHED  trades
      fidelity 0.5 is below its target
      0.9999

      topic   trades, 2 partitions
      table   lake.market.trades, snapshot
              1003, 3 files
      judged  2024-08-08T14:00:00.000Z, took TIME
      proof   2 segments, 0 balanced, 2
              disputed, 2 of these judged

    fidelity      0.5 (target 0.9999)
    completeness  1
    precision     0.5
    coverage      0.75
    ");
}

#[test]
fn colours_are_the_terminals_or_asked_for() {
    let folder = written(&sound());
    let painted = |environment: &[(&str, &str)], flags: &str| {
        seen_at(80, folder.path(), &format!("{JUDGED} {flags}"), environment).1.contains("\u{1b}[")
    };
    assert!(painted(&[], ""));
    assert!(!painted(&[("NO_COLOR", "1")], ""));
    assert!(!painted(&[("TERM", "dumb")], ""));
    assert!(!painted(&[], "--color never"));
    assert!(painted(&[("NO_COLOR", "1")], "--color always"));
    assert!(reconcile(&folder, "--color always").stdout.contains("\u{1b}["));
    assert!(!reconcile_in(&folder, "", &[("TERM", "xterm")]).stdout.contains("\u{1b}["));
    // Colours are all that differs.
    let plain = reconcile(&folder, "").stdout;
    let stripped = without_colours(&reconcile(&folder, "--color always").stdout);
    assert_eq!(plain, stripped);
}

/// The text without `ESC [ … m`.
fn without_colours(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\u{1b}[") {
        out += before;
        rest = behind.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}

#[test]
fn progress_is_for_a_terminal_and_not_for_a_dumb_one() {
    let folder = written(&sound());
    let loud = JUDGED.replace(" --quiet", "");
    assert_eq!(reconcile(&folder, "").stderr, "");
    let (exit, text) = seen_at(80, folder.path(), &loud, &[("TERM", "dumb"), ("NO_COLOR", "1")]);
    assert_eq!(exit, 0);
    assert!(!text.contains('\u{1b}') && text.starts_with("HOLDS"), "{text:?}");
}

/// So many messages that a run of a development build takes longer than the bars take to be drawn.
fn long() -> Folder {
    let lines = |of: fn(i64) -> String| (0..30_000).map(of).collect::<Vec<_>>().join(" | ");
    written(
        &Scene::key_plain().topic(&lines(|n| format!("0@{n} id{n} {n}.5"))).file(&lines(|n| format!("id{n} {n}.5"))),
    )
}

#[test]
fn progress_shows_how_far_both_sides_are_and_goes_away() {
    let folder = long();
    let loud = JUDGED.replace(" --quiet", "");
    let (exit, text) = seen_at(80, folder.path(), &loud, &[("NO_COLOR", "1")]);
    assert_eq!(exit, 0, "{text}");
    let (drawn, answer) = text.split_once("HOLDS").expect("the answer comes after the bars");
    for side in ["messages", "rows"] {
        let bars = drawn.split(['\r', '\n', '\u{1b}']).filter(|line| line.contains(&format!("{side} ")));
        let far = bars.filter(|bar| bar.contains("/30,000") || bar.contains("/s")).count();
        assert!(far > 0, "no bar of {side} was drawn: {drawn:?}");
    }
    // The last bar was wiped, and the answer has none.
    assert!(drawn.contains("\u{1b}[2K") && !answer.contains("\u{1b}") && !answer.contains("left"), "{text:?}");
    let (exit, text) = seen_at(80, folder.path(), JUDGED, &[("NO_COLOR", "1")]);
    assert_eq!(exit, 0, "{text}");
    assert!(text.starts_with("HOLDS") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn every_command_keeps_to_forty_columns() {
    let folder = written(&sound());
    for words in [
        "check pipeline.toml --offline",
        "check pipeline.toml",
        "check pipeline.toml --explain",
        "reconcile pipeline.toml --dry-run",
        "reconcile pipeline.toml --quiet",
        "reconcile nothing.toml",
        "demo --seed 7 --messages 500",
        "--version",
        "--help",
        "init --help",
        "init",
        "explain",
        "reconcile pipeline.toml --threads 0",
        "reconcile pipeline.toml --findings found.csv",
    ] {
        kept_to_forty(folder.path(), words);
    }
}

#[test]
fn what_could_not_be_judged_is_said_first() {
    let folder = written(&Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1"));
    assert_snapshot!(reconcile(&folder, "").all(), @"
    exit 3
    --- stdout
    UNJUDGED  trades
      coverage 0.5 is below its target 0.9999: too much could not be judged, or not yet

      topic   trades, 1 partition
      table   lake.market.trades, snapshot 1001, 1 file
      judged  2024-08-08T14:00:00.000Z, took TIME
      proof   1 segment, 0 balanced, 1 disputed, 1 of these judged

    fidelity      1 (target 0.9999)
    completeness  1
    precision     1
    coverage      0.5 (target 0.9999)

    messages  2
      intact                 1
      overdue                1

    rows  1 in scope
      intact                 1

    findings  1
      overdue                       1

    overdue  no row yet, and the table has not moved past it: lag, not loss
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        no row yet, and the table has not moved past it: lag, not loss

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z (again, after the table's next
      commit: what is on its way is not lost)
    ");
}

#[test]
fn two_runs_differ_in_nothing_but_times() {
    let folder = written(&damaged());
    assert_eq!(reconcile(&folder, "").all(), reconcile(&folder, "").all());
    let threads = |n: u8| reconcile(&folder, &format!("--threads {n} --findings f.jsonl")).stdout;
    assert_eq!(threads(1).replace("--threads 1", ""), threads(4).replace("--threads 4", ""));
}

#[test]
fn strings_of_others_reach_no_terminal_as_they_are() {
    let hostile = "\u{1b}[2J\u{202e}\u{7}<b>=1+1";
    let scene = Scene::offset().topic("0@0 a 1");
    let payload = serde_json::json!({ "id": hostile, "price": 1, "at": "2024-08-08T12:00:00Z", hostile: 1 });
    let folder = written(&scene.payload(1, payload.to_string()).file("0@0 a 1 | 0@1 b 2"));
    let of_a_file = format!("check {hostile}.toml");
    for words in [JUDGED, "check pipeline.toml", &of_a_file] {
        let (exit, text) = seen_at(80, folder.path(), words, &[("NO_COLOR", "1")]);
        assert_ne!(exit, 0);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
        assert!(text.contains("\\u{1b}"), "{text}");
    }
}

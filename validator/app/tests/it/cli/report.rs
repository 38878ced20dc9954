//! `reconcile`: the text report, where answers go, and exit codes.

use std::fs;

use insta::assert_snapshot;

use super::{damaged, reconcile, reconcile_in, sound, written};
use crate::scene::Scene;
use crate::transcript::validator;

#[test]
fn a_report_of_a_run_that_holds() {
    assert_snapshot!(reconcile(&written(&sound()), "").all(), @"
    exit 0
    --- stdout
    HOLDS  trades

      topic   trades, 2 partitions
      table   lake.market.trades, snapshot 1002, 2 files
      judged  2024-08-08T14:00:00.000Z, took TIME
      proof   2 segments, 2 balanced, 0 disputed, 0 of these judged

    fidelity      1 (target 0.9999)
    completeness  1
    precision     1
    coverage      1

    messages  3
      intact                 3

    rows  3 in scope
      intact                 3
    ");
}

#[test]
fn a_report_of_a_run_that_is_breached() {
    assert_snapshot!(reconcile(&written(&damaged()), "").all(), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0.5 is below its target 0.9999

      topic   trades, 2 partitions
      table   lake.market.trades, snapshot 1003, 3 files
      judged  2024-08-08T14:00:00.000Z, took TIME
      proof   2 segments, 0 balanced, 2 disputed, 2 of these judged

    fidelity      0.5 (target 0.9999)
    completeness  1
    precision     0.5
    coverage      0.75

    messages  5
      intact                 1
      corrupted              1
      duplicated             1
      overdue                1
      excluded               1 (tombstone 1)

    rows  4 in scope
      intact                 1
      corrupted              1
      copies                 2

    partitions
      trades[0]  corrupted 1, overdue 1 of 3
      trades[1]  duplicated 1 of 2

    findings  3
      corrupted truncated           1
      duplicated copied             1
      overdue                       1

    corrupted  the row is cut off at the end
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        price
          message  2.125
          row      2.12
        file://DIR/warehouse/market/trades/data/f1.parquet row 1
        written by snapshot 1001 (append)
        price differs: cut off

    duplicated  more than one row, all equal to the message
      trades[1]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 1, offset = 0
        file://DIR/warehouse/market/trades/data/f2.parquet row 0
        file://DIR/warehouse/market/trades/data/f3.parquet row 0
        written by snapshot 1002 (append)
        2 rows in all
        2 equal rows for one message

    overdue  no row yet, and the table has not moved past it: lag, not loss
      trades[0]@2  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 2
        no row yet, and the table has not moved past it: lag, not loss

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z (again, after the table's next
      commit: what is on its way is not lost)
    ");
}

#[test]
fn exit_codes_are_0_holds_1_breached_2_usage_3_unjudged() {
    let unjudged = Scene::offset().topic("0@0 a 1");
    let codes = [&sound(), &damaged(), &unjudged].map(|scene| reconcile(&written(scene), "").exit);
    assert_eq!(codes, [0, 1, 3]);
    assert_eq!(reconcile(&written(&sound()), "--no-such-flag").exit, 2);
}

#[test]
fn a_report_goes_to_stdout_or_a_file_and_findings_to_theirs() {
    let folder = written(&damaged());
    let text = reconcile(&folder, "--findings f.jsonl");
    assert_eq!(text.exit, 1);
    let findings = fs::read_to_string(folder.join("f.jsonl")).expect("the file was written");
    assert_eq!(findings.lines().count(), 3);
    let json = reconcile(&folder, "--report -");
    assert!(json.stdout.starts_with("{\n  \"schema\": \"validator.report/1\""), "{}", json.stdout);
    let ran = reconcile(&folder, "--report r.json");
    assert_snapshot!(ran.all(), @"exit 1");
    let report = fs::read_to_string(folder.join("r.json")).expect("the file was written");
    let same = |text: &str| text.lines().filter(|line| !line.contains("ed_at") && !line.contains("elapsed")).count();
    assert_eq!(same(&report), same(&json.stdout));
}

#[test]
fn the_report_says_where_all_findings_are() {
    let folder = written(&damaged());
    let said = reconcile(&folder, "--findings f.jsonl").stdout;
    assert_snapshot!(&said[said.find("next").expect("what to do next")..], @"
    next
      all 3 findings are in f.jsonl
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings f.jsonl (again, after
      the table's next commit: what is on its way is not lost)
    ");
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let folder = written(&damaged());
    assert_snapshot!(reconcile(&folder, "--report no/such/folder/r.json").all(), @"
    exit 2
    --- stderr
    error: invalid value 'no/such/folder/r.json' for '--report <FILE.json>': there is no folder no/such/folder

    For more information, try '--help'.
    ");
    assert_snapshot!(reconcile(&folder, "--findings no/such/folder/f.jsonl --report -").all(), @"
    exit 2
    --- stderr
    error: invalid value 'no/such/folder/f.jsonl' for '--findings <FILE.jsonl|.parquet>': there is no folder no/such/folder

    For more information, try '--help'.
    ");
}

#[test]
fn nothing_is_painted_unless_asked_for() {
    let folder = written(&damaged());
    let plain = |ran: &crate::transcript::Ran| !ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}');
    assert!(plain(&reconcile(&folder, "")));
    assert!(plain(&reconcile(&folder, "--color never")));
    assert!(plain(&reconcile_in(&folder, "", &[("NO_COLOR", "1")])));
    let painted = reconcile_in(&folder, "--color always", &[("NO_COLOR", "1")]);
    assert!(!plain(&painted), "{}", painted.stdout);
    let mut parts = painted.stdout.split("\u{1b}[");
    let mut stripped = parts.next().unwrap_or_default().to_owned();
    stripped.extend(parts.map(|part| part.split_once('m').map_or(part, |(_, text)| text)));
    let report = |text: &str| text.split("\nnext\n").next().map(str::to_owned);
    assert_eq!(report(&stripped), report(&reconcile(&folder, "").stdout));
}

#[test]
fn errors_are_painted_as_well_as_answers() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "lake.market.trades", "lake.market.trade");
    assert!(reconcile(&folder, "--color always").stderr.contains('\u{1b}'));
}

#[test]
fn quiet_or_not_no_progress_is_drawn_where_nobody_watches() {
    let folder = written(&damaged());
    let (quiet, loud) = (reconcile(&folder, "--quiet"), reconcile(&folder, ""));
    assert_eq!((quiet.stderr.as_str(), loud.stderr.as_str()), ("", ""));
}

#[test]
fn a_dry_run_says_what_would_be_read() {
    assert_snapshot!(reconcile(&written(&damaged()), "--dry-run").all(), @"
    exit 0
    --- stdout
    would read
      messages  5 at most, of 2 partitions
      rows      4, of 3 files, 4.6 KiB
    nothing was judged
    ");
    assert_snapshot!(reconcile(&written(&damaged()), "--dry-run --from 1 --to 2").all(), @"
    exit 0
    --- stdout
    would read
      messages  2 at most, of 2 partitions
      rows      4, of 3 files, 4.6 KiB
    nothing was judged
    ");
}

#[test]
fn a_dry_run_asks_the_table_and_the_topic() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "lake.market.trades", "lake.market.trade");
    assert_eq!(reconcile(&folder, "--dry-run").exit, 2);
}

#[test]
fn a_pipeline_is_named_by_its_file_or_its_name() {
    let folder = written(&sound());
    folder.edit("validator.toml", "[catalogs.lake]", "[service]\npipelines = [\"pipe*.toml\"]\n\n[catalogs.lake]");
    assert_eq!(validator(folder.path(), "reconcile trades").exit, 0);
    assert_snapshot!(validator(folder.path(), "reconcile trade").all(), @"
    exit 2
    --- stderr
    error: no pipeline of validator.toml is called `trade`
      = hint: did you mean `trades`?
    ");
    fs::rename(folder.join("validator.toml"), folder.join("other.toml")).expect("it is there");
    assert_eq!(validator(folder.path(), "reconcile trades -c other.toml").exit, 0);
    assert_snapshot!(validator(folder.path(), "reconcile pipeline.toml").all(), @r#"
    exit 2
    --- stderr
    error: there is no catalog `lake` in validator.toml (there is none here; name it with `-c`)
     --> pipeline.toml:4:9
      |
    4 | table = "lake.market.trades"
      |         ^^^^^^^^^^^^^^^^^^^^
      = hint: write [catalogs.lake] with `type = "sql"` and `uri = "sqlite:///…"`
    "#);
    assert_snapshot!(validator(folder.path(), "reconcile pipeline.toml -c missing.toml").all(), @"
    exit 2
    --- stderr
    error: read missing.toml
      because: No such file or directory (os error 2)
      hint:    a path starts at the working folder: `ls` it
    ");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = written(&damaged());
    let reports: Vec<String> = ["--threads 1", "--threads 2", "--threads 7"]
        .iter()
        .map(|flags| reconcile(&folder, flags).stdout.replace(&format!("{flags} "), ""))
        .collect();
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0], reports[2]);
    assert_snapshot!(reconcile(&folder, "--threads 0").all(), @"
    exit 2
    --- stderr
    error: invalid value '0' for '--threads <N>': expected a whole number of threads, 1 to 1024

    For more information, try '--help'.
    ");
}

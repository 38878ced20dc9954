//! `reconcile`: which messages, which snapshot, which time, which files.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value as Json;

use super::{damaged, written};
use crate::scene::{Folder, Scene};
use crate::transcript::validator;

/// Of the report: judged_at, each partition's range, the snapshot, what was consumed and the rows by verdict.
fn told(folder: &Folder, flags: &str) -> String {
    let ran = validator(folder.path(), &format!("reconcile pipeline.toml --report - {flags}")).assert_no_panic();
    let Ok(report) = serde_json::from_str::<Json>(&ran.stdout) else { return ran.all() };
    let partitions = report["partitions"].as_array().into_iter().flatten();
    let ranges: Vec<String> = partitions.map(|p| format!("{}: {}..{}", p["partition"], p["from"], p["to"])).collect();
    let rows = report["rows"].as_object().into_iter().flatten();
    let rows: Vec<String> =
        rows.filter(|(_, n)| n.as_u64().is_some_and(|n| n > 0)).map(|(name, n)| format!("{n} {name}")).collect();
    let (judged, snapshot) = (&report["judged_at"], &report["table"]["snapshot_id"]);
    let judged =
        if flags.contains("--as-of") || flags.contains("--snapshot") { judged.to_string() } else { String::new() };
    let (ranges, rows) = (ranges.join(", "), rows.join(", "));
    format!(
        "exit {}; {ranges}; snapshot {snapshot} {judged}; {} consumed; {rows}",
        ran.exit, report["messages"]["consumed"]
    )
}

/// Ten messages a minute apart in two partitions, and their rows.
fn ten() -> Scene {
    let messages: Vec<String> = (0..10).map(|n| format!("{}@{}/+{} m{n} {n}", n % 2, n / 2, n * 60)).collect();
    let rows: Vec<String> = (0..10).map(|n| format!("{}@{} m{n} {n}", n % 2, n / 2)).collect();
    Scene::offset().topic(&messages.join("|")).file(&rows[..5].join("|")).file(&rows[5..].join("|"))
}

#[test]
fn a_range_that_ends_before_it_begins_is_a_mistake() {
    let folder = written(&ten());
    for flags in
        ["--from 7 --to 3", "--from 0:3,1:2 --to 0:1,1:5", "--from 2024-08-08T12:04:00Z --to 2024-08-08T12:03:00Z"]
    {
        let ran = validator(folder.path(), &format!("reconcile pipeline.toml {flags}"));
        assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{flags}");
        assert!(ran.stderr.contains("--from lies behind --to"), "{flags}: {}", ran.stderr);
    }
}

/// Only the source knows which offsets these are.
#[test]
fn a_range_of_two_kinds_of_bounds_that_ends_before_it_begins_is_one_too() {
    let folder = written(&ten());
    let reversed = [
        "--from 4 --to 0:2",
        "--from 0:4 --to 2",
        "--from 4 --to 2024-08-08T12:03:00Z",
        "--from 2024-08-08T12:07:00Z --to 1:2",
        "--from 2030-01-01T00:00:00Z --to 3",
    ];
    for flags in reversed {
        for dry in ["", "--dry-run"] {
            let ran = validator(folder.path(), &format!("reconcile pipeline.toml {flags} {dry}"));
            assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{flags}");
        }
    }
    assert_snapshot!(validator(folder.path(), "reconcile pipeline.toml --from 0:4 --to 2").all(), @"
    exit 2
    --- stderr
    error: open the topic
      because: --from lies behind --to: in trades[0] it begins at offset 4 and ends before 2
      hint:    a range begins at --from and ends before --to, in every partition
    ");
}

#[test]
fn a_range_is_offsets_for_every_partition_or_for_each_or_times() {
    let folder = written(&ten());
    let flags = [
        "",
        "--from 2",
        "--to 3",
        "--from 1 --to 1",
        "--from 0:1,1:4",
        "--from 1:2 --to 1:4",
        "--from earliest --to now",
        "--from 2024-08-08T12:04:00Z",
        "--from 2024-08-08T12:04:00.001Z --to 2024-08-08T12:08:00+00:00",
        "--from 99",
        "--to 2001-01-01T00:00:00Z",
        "--from -1h",
    ];
    let said: Vec<String> = flags.iter().map(|flags| format!("{flags:<45} {}", told(&folder, flags))).collect();
    assert_snapshot!(said.join("\n"), @"
                                                  exit 0; 0: 0..5, 1: 0..5; snapshot 1002 ; 10 consumed; 10 intact, 10 total
    --from 2                                      exit 0; 0: 2..5, 1: 2..5; snapshot 1002 ; 6 consumed; 6 intact, 4 out_of_scope, 6 total
    --to 3                                        exit 0; 0: 0..3, 1: 0..3; snapshot 1002 ; 6 consumed; 6 intact, 4 out_of_scope, 6 total
    --from 1 --to 1                               exit 0; 0: 1..1, 1: 1..1; snapshot 1002 ; 0 consumed; 10 out_of_scope
    --from 0:1,1:4                                exit 0; 0: 1..5, 1: 4..5; snapshot 1002 ; 5 consumed; 5 intact, 5 out_of_scope, 5 total
    --from 1:2 --to 1:4                           exit 0; 1: 2..4; snapshot 1002 ; 2 consumed; 2 intact, 8 out_of_scope, 2 total
    --from earliest --to now                      exit 0; 0: 0..5, 1: 0..5; snapshot 1002 ; 10 consumed; 10 intact, 10 total
    --from 2024-08-08T12:04:00Z                   exit 0; 0: 2..5, 1: 2..5; snapshot 1002 ; 6 consumed; 6 intact, 4 out_of_scope, 6 total
    --from 2024-08-08T12:04:00.001Z --to 2024-08-08T12:08:00+00:00 exit 0; 0: 3..4, 1: 2..4; snapshot 1002 ; 3 consumed; 3 intact, 7 out_of_scope, 3 total
    --from 99                                     exit 0; 0: 5..5, 1: 5..5; snapshot 1002 ; 0 consumed; 10 out_of_scope
    --to 2001-01-01T00:00:00Z                     exit 0; 0: 0..0, 1: 0..0; snapshot 1002 ; 0 consumed; 10 out_of_scope
    --from -1h                                    exit 0; 0: 5..5, 1: 5..5; snapshot 1002 ; 0 consumed; 10 out_of_scope
    ");
}

#[test]
fn a_snapshot_is_an_id_a_reference_or_a_time_and_its_commit_is_the_clock() {
    let folder = written(&ten());
    let flags = [
        "--snapshot 1001",
        "--snapshot 1002",
        "--snapshot main",
        "--snapshot 2024-08-08T13:00:00Z",
        "--snapshot 2024-08-08T13:00:00.999Z",
        "--snapshot 2024-08-08T14:00:00Z",
        "--snapshot 1001 --as-of 2024-08-08T15:00:00Z",
        "--as-of 2024-08-08T12:00:00Z",
    ];
    let said: Vec<String> = flags.iter().map(|flags| format!("{flags:<45} {}", told(&folder, flags))).collect();
    assert_snapshot!(said.join("\n"), @r#"
    --snapshot 1001                               exit 3; 0: 0..5, 1: 0..5; snapshot 1001 "2024-08-08T13:00:00.000Z"; 10 consumed; 5 intact, 5 total
    --snapshot 1002                               exit 0; 0: 0..5, 1: 0..5; snapshot 1002 "2024-08-08T13:00:01.000Z"; 10 consumed; 10 intact, 10 total
    --snapshot main                               exit 0; 0: 0..5, 1: 0..5; snapshot 1002 "2024-08-08T13:00:01.000Z"; 10 consumed; 10 intact, 10 total
    --snapshot 2024-08-08T13:00:00Z               exit 3; 0: 0..5, 1: 0..5; snapshot 1001 "2024-08-08T13:00:00.000Z"; 10 consumed; 5 intact, 5 total
    --snapshot 2024-08-08T13:00:00.999Z           exit 3; 0: 0..5, 1: 0..5; snapshot 1001 "2024-08-08T13:00:00.000Z"; 10 consumed; 5 intact, 5 total
    --snapshot 2024-08-08T14:00:00Z               exit 0; 0: 0..5, 1: 0..5; snapshot 1002 "2024-08-08T13:00:01.000Z"; 10 consumed; 10 intact, 10 total
    --snapshot 1001 --as-of 2024-08-08T15:00:00Z  exit 3; 0: 0..5, 1: 0..5; snapshot 1001 "2024-08-08T15:00:00.000Z"; 10 consumed; 5 intact, 5 total
    --as-of 2024-08-08T12:00:00Z                  exit 0; 0: 0..5, 1: 0..5; snapshot 1002 "2024-08-08T12:00:00.000Z"; 10 consumed; 10 intact, 10 total
    "#);
}

#[test]
fn ranges_and_times_that_are_none() {
    let folder = written(&damaged());
    let flags =
        ["--from now", "--to earliest", "--from 0:1,0:2", "--from 5m", "--as-of 2024-08-08", "--to 0:x", "--from -7"];
    let said: Vec<String> = flags
        .iter()
        .map(|flags| {
            let ran = validator(folder.path(), &format!("reconcile pipeline.toml {flags}")).assert_no_panic();
            format!("{flags:<20} exit {} {}", ran.exit, ran.stderr.lines().next().unwrap_or_default())
        })
        .collect();
    assert_snapshot!(said.join("\n"), @"
    --from now           exit 2 error: invalid value 'now' for '--from <OFFSETS|TIME|earliest>': a range cannot start at `now`
    --to earliest        exit 2 error: invalid value 'earliest' for '--to <OFFSETS|TIME|now>': a range cannot end at `earliest`
    --from 0:1,0:2       exit 2 error: invalid value '0:1,0:2' for '--from <OFFSETS|TIME|earliest>': partition 0 is named twice
    --from 5m            exit 2 error: invalid value '5m' for '--from <OFFSETS|TIME|earliest>': a duration back from now has a minus: -5m
    --as-of 2024-08-08   exit 2 error: invalid value '2024-08-08' for '--as-of <TIME>': a date alone is no instant: write 2024-08-08T00:00:00Z
    --to 0:x             exit 2 error: invalid value '0:x' for '--to <OFFSETS|TIME|now>': `0:x` is not partition:offset, like 0:100
    --from -7            exit 2 error: invalid value '-7' for '--from <OFFSETS|TIME|earliest>': expected an offset like 12345, offsets by partition like 0:100,1:2500, or a time: RFC 3339 with its zone like 2024-08-08T00:00:00Z, or a duration back from now like -2h
    ");
}

#[test]
fn recorded_files_stand_in_for_the_source() {
    let folder = written(&damaged());
    folder.edit("pipeline.toml", "[source]\nfiles = [\"topic.jsonl\"]\nenvelope = \"kcat\"\n", "");
    let judged = "--as-of 2024-08-08T14:00:00Z";
    assert_snapshot!(told(&folder, &format!("{judged} --source topic.jsonl --envelope kcat")), @r#"exit 1; 0: 0..3, 1: 0..2; snapshot 1003 "2024-08-08T14:00:00.000Z"; 5 consumed; 2 copies, 1 corrupted, 1 intact, 4 total"#);
    assert_snapshot!(told(&folder, &format!("{judged} --source topic.jsonl --envelope kca")), @"
    exit 2
    --- stderr
    error: invalid value 'kca' for '--envelope <none|kcat|table>': expected none, kcat or table

    For more information, try '--help'.
    ");
    assert_snapshot!(told(&folder, &format!("{judged} --envelope kcat")), @"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      --source <FILES>...

    Usage: validator reconcile --source <FILES>... --report <FILE.json> --as-of <TIME> --envelope <none|kcat|table> <PIPELINE.toml|NAME>

    For more information, try '--help'.
    ");
    // Without an envelope each line would be a message, which these are not.
    assert_snapshot!(told(&folder, &format!("{judged} --source topic.jsonl")), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic.jsonl is a recording of `kcat -J`: its lines hold messages, and are none themselves
      hint:    `--envelope kcat`, or `envelope = \"kcat\"` in [source]
    ");
}

#[test]
fn offsets_alone_are_of_a_topic_of_one_partition() {
    let folder = written(&damaged());
    let (all, alone) = ("columns = [\"topic\", \"partition\", \"offset\"]", "columns = [\"offset\"]");
    let ignored = "[compare]\nignore = { topic = \"beside\", partition = \"beside\" }\n";
    folder.edit("pipeline.toml", all, &format!("{alone}\n{ignored}"));
    for words in ["reconcile pipeline.toml --from 1:0", "reconcile pipeline.toml", "check pipeline.toml"] {
        let ran = validator(folder.path(), words).assert_no_panic();
        let said = "the offset alone does not say which message a row is of: there is trades[1]";
        assert!(ran.exit == 2 && ran.stderr.contains(said), "{words}: {}", ran.all());
    }
}

#[test]
fn one_message_a_line_has_its_place_in_the_file_as_offset() {
    let folder = written(&Scene::offset().file("0@0 a 1 | 0@1 b 2 | 1@0 c 3"));
    let line =
        |id: &str, price: u32| format!("{{\"id\": \"{id}\", \"price\": {price}, \"at\": \"2024-08-08T12:00:00Z\"}}\n");
    fs::write(folder.join("m1.jsonl"), line("a", 1) + &line("b", 2)).expect("the folder takes files");
    fs::write(folder.join("m2.jsonl"), line("c", 3)).expect("the folder takes files");
    assert_snapshot!(told(&folder, "--as-of 2024-08-08T14:00:00Z --source m*.jsonl --envelope none"), @r#"exit 0; 0: 0..2, 1: 0..1; snapshot 1001 "2024-08-08T14:00:00.000Z"; 3 consumed; 3 intact, 3 total"#);
}

//! Payloads and recordings.

use insta::assert_snapshot;

use super::{reconcile, sound, written};
use crate::scene::Scene;

/// Message 0 is `a 1` and sound, message 1 has this payload; the table has the row of the first.
fn beside_a_sound_one(payload: impl AsRef<[u8]>) -> String {
    let scene = Scene::offset().topic("0@0 a 1").payload(1, payload).file("0@0 a 1");
    reconcile(&written(&scene))
}

/// What it says of the message alone. The sound one beside it is intact, and nothing else is told.
fn of_message(payload: impl AsRef<[u8]>) -> String {
    let said = beside_a_sound_one(payload);
    assert!(said.contains("messages  2\n  intact                 1\n"), "{said}");
    assert!(said.contains("findings  1\n"), "{said}");
    let (_, findings) = said.split_once("findings  1\n").expect("one finding");
    let (counts, text) = findings.split_once("\n\n").expect("counts, then the finding");
    let (text, _) = text.split_once("\n\nnext").expect("what to do next");
    let detail = text.lines().last().expect("a finding ends in a sentence");
    format!("{} ── {}", counts.trim(), detail.trim())
}

#[test]
fn an_undecodable_message() {
    assert_snapshot!(beside_a_sound_one("no JSON at all"), @"
    exit 3
    --- stdout
    UNJUDGED  trades
      coverage 0.5 is below its target 0.9999: too much could not be judged, or not yet

    messages  2
      intact                 1
      undecodable            1

    rows  1 in scope
      intact                 1

    findings  1
      undecodable bad_payload       1

    undecodable  the payload is not what the format says
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        cannot be decoded: the document is no object (byte 0)

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_truncated_message() {
    assert_snapshot!(of_message(r#"{"id": "b", "pri"#), @"undecodable bad_payload       1 ── cannot be decoded: the payload ends inside a string (byte 16)");
}

#[test]
fn two_documents_in_one_payload() {
    assert_snapshot!(of_message(r#"{"id": "b"} {"id": "c"}"#), @"undecodable bad_payload       1 ── cannot be decoded: bytes after the end of the document (byte 12)");
}

#[test]
fn trailing_bytes() {
    assert_snapshot!(of_message(b"{\"id\": \"b\"}\0\0"), @"undecodable bad_payload       1 ── cannot be decoded: bytes after the end of the document (byte 11)");
}

#[test]
fn what_is_no_object() {
    assert_snapshot!(of_message(r#"["b", 2]"#), @"undecodable bad_payload       1 ── cannot be decoded: the document is no object (byte 0)");
}

#[test]
fn bytes_that_are_no_utf_8() {
    assert_snapshot!(of_message(b"{\"id\": \"b\xff\xfe\", \"price\": \"2\"}"), @"undecodable bad_payload       1 ── cannot be decoded: bytes that are not UTF-8 (byte 9)");
}

#[test]
fn a_lone_surrogate() {
    assert_snapshot!(of_message(r#"{"id": "b\ud800", "price": "2"}"#), @"undecodable bad_payload       1 ── cannot be decoded: field id: a lone surrogate (byte 9)");
}

#[test]
fn too_many_levels() {
    assert_snapshot!(of_message(format!("{{\"x\": {}{}}}", "[".repeat(200), "]".repeat(200))), @"undecodable bad_payload       1 ── cannot be decoded: field x: nested deeper than any payload may be (byte 133)");
}

#[test]
fn a_key_twice_counts_by_its_last_value_and_warns() {
    let scene = Scene::offset().topic("0@0 a 1").payload(1, r#"{"id": "b", "price": "1", "price": "2"}"#);
    assert_snapshot!(reconcile(&written(&scene.file("0@0 a 1 | 0@1 b 2 -"))), @"
    exit 0
    --- stdout
    HOLDS  trades

    messages  2
      intact                 2

    rows  2 in scope
      intact                 2

    warning  1 message names a key of an object twice; the last one counts
    ");
}

#[test]
fn null_payloads_and_null_keys() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 null").file("0@0 a 1");
    assert_snapshot!(reconcile(&written(&scene)), @"
    exit 0
    --- stdout
    HOLDS  trades

    messages  2
      intact                 1
      excluded               1 (tombstone 1)

    rows  1 in scope
      intact                 1
    ");
}

#[test]
fn text_that_a_terminal_would_obey_is_escaped() {
    let payload = r#"{"id": "b\u001b[2J\u202e", "price": "2", "at": null}"#;
    let scene = Scene::offset().topic("0@0 a 1").payload(1, payload).file("0@0 a 1 | 0@1 c 2 -");
    assert_snapshot!(reconcile(&written(&scene)), @r#"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0.5 is below its target 0.9999

    messages  2
      intact                 1
      corrupted              1

    rows  2 in scope
      intact                 1
      corrupted              1

    findings  1
      corrupted other               1

    corrupted  the row holds another value
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        id
          message  "b\u{1b}[2J\u{202e}"
          row      c
        file://DIR/warehouse/market/trades/data/f1.parquet row 1
        written by snapshot 1001 (append)
        id differs: another value

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    "#);
}

#[test]
fn an_empty_topic() {
    assert_snapshot!(reconcile(&written(&Scene::offset().file("0@0 a 1"))), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0 is below its target 0.9999

    messages  0

    rows  1 in scope
      phantom                1

    findings  1
      phantom unexplained           1

    phantom  a row that no message explains
      file://DIR/warehouse/market/trades/data/f1.parquet row 0
        topic = trades, partition = 0, offset = 0
        written by snapshot 1001 (append)
        no message explains this row

    warning  topic trades has no recorded message

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_topic_that_is_not_recorded() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "topic = \"trades\"", "topic = \"trade\"");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic trade is not recorded: the files hold trades
      hint:    `topic` in [pipeline] is one that the files hold
    ");
}

#[test]
fn a_recording_that_is_not_there() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "topic.jsonl", "*.json");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: no recorded file matches *.json
      hint:    a path of [source] starts at the folder of the pipeline file, one of --source at the
               working folder
    ");
}

#[test]
fn a_recorded_line_that_is_no_message() {
    let folder = written(&sound());
    folder.edit("topic.jsonl", "\"offset\":1", "\"ofset\":1");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic.jsonl, line 2: topic, partition or offset is not there (byte 181)
      hint:    `--envelope none|kcat|table` says how messages lie in the files
    ");
    folder.edit("topic.jsonl", "{", "");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic.jsonl, line 1: the line is no object (byte 0)
      hint:    `--envelope none|kcat|table` says how messages lie in the files
    ");
}

#[test]
fn two_messages_at_one_offset() {
    let folder = written(&sound());
    folder.edit("topic.jsonl", "\"offset\":1", "\"offset\":0");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic.jsonl, line 2: another message is recorded at trades[0] offset 0
      hint:    `--source FILES` names other files; `ls` shows which there are
    ");
}

#[test]
fn a_recording_in_another_envelope() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "\"kcat\"", "\"table\"");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic.jsonl does not hold messages so: envelope table is Parquet with topic, partition,
               offset, key and value (.parquet)
      hint:    `--envelope none|kcat|table` says how messages lie in the files
    ");
}

#[test]
fn a_partition_that_the_topic_does_not_have() {
    let folder = written(&sound());
    let ran = crate::transcript::validator(folder.path(), "reconcile pipeline.toml --from 0:0,7:3");
    assert_snapshot!(ran.all(), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic trades has no partition 7: it has 1
      hint:    `kcat -L -b BROKERS -t trades` shows the partitions that there are
    ");
}

#[test]
fn each_of_many_kinds_of_payload_harms_itself_alone() {
    let kinds = [
        "null",
        "7",
        "{}",
        "",
        "{\"id\": 7}",
        "{\"price\": true}",
        "{\"at\": \"yesterday\"}",
        "{\"price\": \"1e999\"}",
    ];
    let said: Vec<String> = kinds.iter().map(|payload| format!("{payload:<20} {}", of_message(payload))).collect();
    assert_snapshot!(said.join("\n"), @r#"
    null                 undecodable bad_payload       1 ── cannot be decoded: the document is no object (byte 0)
    7                    undecodable bad_payload       1 ── cannot be decoded: the document is no object (byte 0)
    {}                   overdue                       1 ── no row yet, and the table has not moved past it: lag, not loss
                         undecodable bad_payload       1 ── cannot be decoded: the payload ends where a value is due (byte 0)
    {"id": 7}            undecodable bad_payload       1 ── cannot be decoded: field id: a text is wanted here (byte 7)
    {"price": true}      undecodable bad_payload       1 ── cannot be decoded: field price: a number, or a text of one, is wanted here (byte 10)
    {"at": "yesterday"}  undecodable bad_payload       1 ── cannot be decoded: field at: the text of a timestamp with its zone is wanted here (byte 7)
    {"price": "1e999"}   overdue                       1 ── no row yet, and the table has not moved past it: lag, not loss
    "#);
}

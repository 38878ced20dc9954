//! The pipeline file, sound and not.

use std::collections::BTreeMap;
use std::path::Path;

use validator_core::contract::{
    Bound, DeadLetter, Envelope, Format, Identity, KeyFormat, NullPayload, PositionNames, Upsert,
};

use super::super::{Pipeline, Profile, join};
use super::{NOW_MS, pipeline, seen, service};
use crate::render::{Palette, problems};

const HEAD: &str = "[pipeline]\nname = \"trades\"\ntopic = \"t\"\ntable = \"lake.ns.trades\"\nformat = \"json\"\n";
const OFFSET: &str = "[identity]\nmode = \"offset\"\ncolumns = [\"topic\", \"partition\", \"offset\"]\n";

fn sound(text: &str) -> Pipeline {
    match pipeline(text) {
        Ok(pipeline) => pipeline,
        Err(error) => panic!("{}", seen::<()>(Err(error))),
    }
}

/// A sound file with these lines behind its head and identity.
fn with(more: &str) -> String {
    format!("{HEAD}{OFFSET}{more}")
}

#[test]
fn every_key_of_this_release_is_read() {
    let read = sound(
        r#"
        [pipeline]
        name = "trades"
        topics = ["${TOPIC}.a", "${TOPIC}.b"]
        table = "lake.market_data.trades_v2"
        format = "json"
        start = "0:100,1:2500"
        filter = "e = 'trade'"
        null_payload = "row"
        [fields]
        T = "epoch_ms"
        m = "boolean"
        [map]
        side = "CASE WHEN m THEN 'SELL' ELSE 'BUY' END"
        [identity]
        mode = "key"
        columns = ["symbol", "trade.id"]
        window = "timestamp"
        every = "5m"
        shards = 16
        [compare]
        ignore = { ingestion_timestamp = "set by the sink" }
        drop = { a = "not kept", b = "not kept" }
        strict_fields = false
        [fidelity]
        target = 0.999
        coverage = 1
        settle = "90s"
        give_up = "1h30m"
        retention = "30d"
        diverted_max = 0.01
        [source]
        files = ["capture/*.jsonl.gz"]
        envelope = "none"
        timestamp = "T"
        "#,
    );
    let contract = &read.contract;
    assert_eq!(contract.topics, ["market.trades.a", "market.trades.b"]);
    assert!(!contract.is_of_one_topic());
    assert_eq!(contract.start, Some(Bound::Offsets(BTreeMap::from([(0, 100), (1, 2500)]))));
    assert_eq!(contract.null_payload, NullPayload::Row);
    assert_eq!(contract.fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["T", "m"]);
    assert_eq!(contract.map["side"], "CASE WHEN m THEN 'SELL' ELSE 'BUY' END");
    let identity = Identity::Key {
        columns: vec!["symbol".into(), "trade.id".into()],
        window: Some("timestamp".into()),
        every_ms: 300_000,
        shards: 16,
        upsert: None,
    };
    assert_eq!(contract.identity, identity);
    assert_eq!(contract.compare.drop.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(!contract.compare.strict_fields);
    let fidelity = &contract.fidelity;
    assert_eq!((fidelity.target, fidelity.coverage, fidelity.diverted_max), (0.999, 1.0, 0.01));
    assert_eq!((fidelity.settle_ms, fidelity.give_up_ms), (90_000, 5_400_000));
    assert_eq!(fidelity.retention_ms, Some(30 * 86_400_000));
    let source = contract.source.as_ref().expect("there is a [source]");
    assert_eq!(source.files, ["rules/capture/*.jsonl.gz"]);
    assert_eq!((source.envelope, source.timestamp.as_deref()), (Envelope::None, Some("T")));
    assert_eq!(read.catalog_name(), "lake");
}

#[test]
fn rows_are_held_until_their_messages_are_due_in_any_run() {
    let retention = |lines: &str| seen(pipeline(&with(&format!("[fidelity]\n{lines}\n"))));
    for (lines, is_sound) in [
        ("retention = \"0s\"", false),
        ("retention = \"2m\"", false),
        ("retention = \"121s\"", true),
        ("settle = \"0s\"\nretention = \"1s\"", true),
        ("settle = \"1h\"\nretention = \"1h\"", false),
        ("settle = \"1h\"\nretention = \"1d\"\ngive_up = \"2d\"", true),
    ] {
        let text = retention(lines);
        assert_eq!(!text.contains("`retention` is over before a message is due"), is_sound, "{lines}: {text}");
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let read = sound(&with(""));
    let fidelity = &read.contract.fidelity;
    assert_eq!((fidelity.target, fidelity.coverage, fidelity.diverted_max), (0.9999, 0.9999, 0.001));
    assert_eq!((fidelity.settle_ms, fidelity.give_up_ms, fidelity.retention_ms), (0, 86_400_000, None));
    assert!(read.contract.compare.strict_fields);
    assert_eq!(read.contract.null_payload, NullPayload::Exclude);
    assert_eq!((&read.contract.start, &read.contract.source), (&None, &None));
    let identity = Identity::Offset {
        topic: Some("topic".into()),
        partition: Some("partition".into()),
        offset: "offset".into(),
        timestamp: None,
        width: 4096,
    };
    assert_eq!(read.contract.identity, identity);
    let bytes = sound(&with("").replace("\"json\"", "\"bytes\""));
    assert_eq!((bytes.contract.format, bytes.contract.null_payload), (Format::Bytes, NullPayload::Row));
}

#[test]
fn key_mode_without_a_window_is_one_window_of_65536_shards() {
    let read = sound(&format!("{HEAD}[identity]\nmode = \"key\"\ncolumns = [\"id\"]\n"));
    let expected =
        Identity::Key { columns: vec!["id".into()], window: None, every_ms: 60_000, shards: 65_536, upsert: None };
    assert_eq!(read.contract.identity, expected);
    let read = sound(&format!("{HEAD}[identity]\nmode = \"key\"\ncolumns = [\"id\"]\nwindow = \"ts\"\n"));
    let expected = Identity::Key {
        columns: vec!["id".into()],
        window: Some("ts".into()),
        every_ms: 60_000,
        shards: 64,
        upsert: None,
    };
    assert_eq!(read.contract.identity, expected);
}

#[test]
fn content_mode_has_a_window_or_none_and_no_columns() {
    let read = sound(&format!("{HEAD}[identity]\nmode = \"content\"\n"));
    assert_eq!(read.contract.identity, Identity::Content { window: None, every_ms: 60_000, shards: 65_536 });
    let lines = "window = \"ts\"\nevery = \"5m\"\nshards = 16\n";
    let read = sound(&format!("{HEAD}[identity]\nmode = \"content\"\n{lines}"));
    assert_eq!(read.contract.identity, Identity::Content { window: Some("ts".into()), every_ms: 300_000, shards: 16 });
    let wrong = "columns = [\"id\"]\nwidth = 8\nprofile = \"redpanda\"\nevery = \"1m\"\nshards = 0\n";
    insta::assert_snapshot!(seen(pipeline(&format!("{HEAD}[identity]\nmode = \"content\"\n{wrong}"))), @r#"
    5 problems in rules/trades.toml

    error: `columns` has no meaning in `mode = "content"`: every compared column counts
     --> rules/trades.toml:8:1
      |
    8 | columns = ["id"]
      | ^^^^^^^
      = hint: take `columns` out

    error: `width` is for `mode = "offset"`
     --> rules/trades.toml:9:1
      |
    9 | width = 8
      | ^^^^^
      = hint: take `width` out

    error: `profile` is for `mode = "offset"`
      --> rules/trades.toml:10:1
       |
    10 | profile = "redpanda"
       | ^^^^^^^
       = hint: take `profile` out

    error: `every` needs a `window`, the time column that both sides have
      --> rules/trades.toml:11:1
       |
    11 | every = "1m"
       | ^^^^^
       = hint: take `every` out

    error: `shards` is a whole number from 1 to 65536, not 0
      --> rules/trades.toml:12:10
       |
    12 | shards = 0
       |          ^
       = hint: write `shards = 64`
    "#);
    let ignored = "window = \"ts\"\n[compare]\nignore = { ts = \"why\" }\n";
    insta::assert_snapshot!(seen(pipeline(&format!("{HEAD}[identity]\nmode = \"content\"\n{ignored}"))), @r#"
    1 problem in rules/trades.toml

    error: column `ts` is the window of the identity and cannot be ignored
      --> rules/trades.toml:10:12
       |
    10 | ignore = { ts = "why" }
       |            ^^
       = hint: take `ts` out
    "#);
}

#[test]
fn columns_and_profiles_name_the_offset_columns() {
    let identity = |lines: &str| sound(&format!("{HEAD}[identity]\nmode = \"offset\"\n{lines}\n")).contract.identity;
    let two = identity("columns = [\"p\", \"o\"]");
    assert!(
        matches!(two, Identity::Offset { topic: None, partition: Some(p), offset, .. } if p == "p" && offset == "o")
    );
    let one = identity("columns = [\"m.o\"]\nwidth = 256");
    assert!(
        matches!(one, Identity::Offset { topic: None, partition: None, offset, width: 256, .. } if offset == "m.o")
    );
    let read = sound(&format!("{HEAD}[identity]\nmode = \"offset\"\nprofile = \"redpanda\"\n"));
    assert_eq!(read.profile, Some(Profile::Redpanda));
    assert!(matches!(read.contract.identity, Identity::Offset { offset, .. } if offset == "redpanda.offset"));
}

#[test]
fn a_start_is_an_offset_offsets_or_a_time() {
    let start =
        |value: &str| sound(&with("").replace("format =", &format!("start = {value}\nformat ="))).contract.start;
    assert_eq!(start("12345"), Some(Bound::Offset(12345)));
    assert_eq!(start("\"12345\""), Some(Bound::Offset(12345)));
    assert_eq!(start("\"-2h\""), Some(Bound::Time(NOW_MS - 7_200_000)));
    assert_eq!(start("2024-08-08T00:00:00Z"), Some(Bound::Time(NOW_MS)));
    assert_eq!(start("\"earliest\""), None);
}

#[test]
fn files_that_mean_the_same_have_the_same_hash() {
    let hash = |text: &str| sound(text).config_hash;
    let plain = hash(&with("[fidelity]\nsettle = \"60s\"\n"));
    assert_eq!(plain.len(), 64);
    assert_eq!(plain, hash(&with("# a comment\n[fidelity]\nsettle = '1m'\ntarget = 0.9999\ngive_up = \"24h\"\n")));
    assert_eq!(plain, hash(&with("[fidelity]\nsettle = \"60s\"\n").replace("topic = \"t\"", "topics = [\"t\"]")));
    let others = [
        with(""),
        with("[fidelity]\nsettle = \"61s\"\n"),
        with("[fidelity]\nsettle = \"60s\"\n[map]\na = \"b\"\n"),
        with("[fidelity]\nsettle = \"60s\"\n[compare]\nignore = { a = \"b\" }\n"),
        with("[fidelity]\nsettle = \"60s\"\n[compare]\ndrop = { a = \"b\" }\n"),
        with("[fidelity]\nsettle = \"60s\"\n[fields]\na = \"int\"\n"),
        with("[fidelity]\nsettle = \"60s\"\n").replace("format =", "start = \"-2h\"\nformat ="),
    ];
    let mut hashes: Vec<String> = others.iter().map(|text| hash(text)).chain([plain]).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), others.len() + 1);
}

#[test]
fn files_on_the_command_line_take_the_place_of_the_source() {
    let mut read = sound(&with("[source]\nfiles = [\"a\"]\nenvelope = \"kcat\"\n"));
    read.read_from_files(vec!["b".into()], None);
    let source = read.contract.source.as_ref().expect("there is a source");
    assert_eq!((source.files.as_slice(), source.envelope), (["b".to_owned()].as_slice(), Envelope::Kcat));
    read.read_from_files(vec!["c".into()], Some(Envelope::Table));
    assert_eq!(read.contract.source.map(|source| source.envelope), Some(Envelope::Table));
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_name() {
    let text = "\
[pipeline]
nam = \"trades\"
topic = \"t\"
table = \"lake.ns.trades\"
format = \"json\"
color = \"blue\"
[identiy]
mode = \"offset\"
[fidelity]
settel = \"90s\"
";
    insta::assert_snapshot!(seen(pipeline(text)), @r#"
    6 problems in rules/trades.toml

    error: the file has no [identity]: how is a row paired with its message?
     --> rules/trades.toml
      = hint: `mode = "offset"` where the table keeps topic, partition and offset, `mode = "key"` where
              columns are unique, `mode = "content"` where it has neither

    error: [pipeline] has no `name`
     --> rules/trades.toml:1:2
      |
    1 | [pipeline]
      |  ^^^^^^^^
      = hint: write `name = "trades"` in [pipeline]

    error: unknown key `nam` in [pipeline]
     --> rules/trades.toml:2:1
      |
    2 | nam = "trades"
      | ^^^
      = hint: did you mean `name`?

    error: unknown key `color` in [pipeline]
     --> rules/trades.toml:6:1
      |
    6 | color = "blue"
      | ^^^^^
      = hint: known here: `name`, `topic`, `topics`, `table`, `format`, `schema`, `start`, `filter`,
              `row_filter`, `null_payload` and `poll`

    error: unknown key `identiy`
     --> rules/trades.toml:7:2
      |
    7 | [identiy]
      |  ^^^^^^^
      = hint: did you mean `identity`?

    error: unknown key `settel` in [fidelity]
      --> rules/trades.toml:10:1
       |
    10 | settel = "90s"
       | ^^^^^^
       = hint: did you mean `settle`?
    "#);
}

#[test]
fn a_key_in_the_wrong_section_is_told_where_it_belongs() {
    let text = with("[fidelity]\nwindow = \"ts\"\n").replace("[identity]", "settle = \"90s\"\n[identity]");
    insta::assert_snapshot!(seen(pipeline(&text)), @r#"
    2 problems in rules/trades.toml

    error: unknown key `settle` in [pipeline]
     --> rules/trades.toml:6:1
      |
    6 | settle = "90s"
      | ^^^^^^
      = hint: `settle` belongs in [fidelity]

    error: unknown key `window` in [fidelity]
      --> rules/trades.toml:11:1
       |
    11 | window = "ts"
       | ^^^^^^
       = hint: `window` belongs in [identity]
    "#);
}

#[test]
fn wrong_types_and_values_say_what_was_expected() {
    let text = "\
[pipeline]
name = 7
topic = \"trades.*\"
table = \"trades\"
format = \"jason\"
start = \"2024-08-08\"
null_payload = \"skip\"
[identity]
mode = \"offset\"
columns = [\"a\", \"b\", \"c\", \"d\"]
width = 1000
[compare]
strict_fields = \"yes\"
ignore = [\"ingestion_timestamp\"]
drop = { f = \"\" }
[fidelity]
target = 99.99
settle = 90
give_up = \"1 day or so\"
coverage = \"all\"
[fields]
T = [\"epoch_ms\"]
[map]
side = \"\"
[source]
files = []
envelope = \"kcat\"
timestamp = \"T\"
";
    insta::assert_snapshot!(seen(pipeline(text)), @r#"
    19 problems in rules/trades.toml

    error: `name` is a string, not a whole number
     --> rules/trades.toml:2:8
      |
    2 | name = 7
      |        ^
      = hint: write `name = "trades"`

    error: no topic can have this name
     --> rules/trades.toml:3:9
      |
    3 | topic = "trades.*"
      |         ^^^^^^^^^^
      = hint: a topic's name is 1 to 249 letters, digits, `.`, `_` and `-`; a pattern begins with `^`

    error: `table` is catalog.namespace.table, not "trades"
     --> rules/trades.toml:4:9
      |
    4 | table = "trades"
      |         ^^^^^^^^
      = hint: write `table = "lake.market_data.trades"`

    error: `format` is one of `json`, `avro`, `bytes` or `parquet`, not "jason"
     --> rules/trades.toml:5:10
      |
    5 | format = "jason"
      |          ^^^^^^^
      = hint: did you mean "json"?

    error: `start` cannot be "2024-08-08": a date alone is no instant: write 2024-08-08T00:00:00Z
     --> rules/trades.toml:6:9
      |
    6 | start = "2024-08-08"
      |         ^^^^^^^^^^^^
      = hint: write `start = "0:100,1:2500"`

    error: `null_payload` is one of `exclude` or `row`, not "skip"
     --> rules/trades.toml:7:16
      |
    7 | null_payload = "skip"
      |                ^^^^^^
      = hint: write `null_payload = "exclude"`

    error: `columns` of mode `offset` are those of topic, partition and offset
      --> rules/trades.toml:10:11
       |
    10 | columns = ["a", "b", "c", "d"]
       |           ^^^^^^^^^^^^^^^^^^^^
       = hint: write `columns = ["topic", "partition", "offset"]`; where the table has no topic column,
               two

    error: `width` is a power of two, not 1000
      --> rules/trades.toml:11:9
       |
    11 | width = 1000
       |         ^^^^
       = hint: the nearest are 512 and 1024

    error: `strict_fields` is true or false, not a string
      --> rules/trades.toml:13:17
       |
    13 | strict_fields = "yes"
       |                 ^^^^^
       = hint: write `strict_fields = true`

    error: `ignore` is a table, not a list
      --> rules/trades.toml:14:10
       |
    14 | ignore = ["ingestion_timestamp"]
       |          ^^^^^^^^^^^^^^^^^^^^^^^
       = hint: `validator schema pipeline` says what each key may be

    error: `f` has no reason
      --> rules/trades.toml:15:14
       |
    15 | drop = { f = "" }
       |              ^^
       = hint: say why, for the one who reads the report: `"set by the sink"`

    error: `target` is a number from 0 to 1, not 99.99
      --> rules/trades.toml:17:10
       |
    17 | target = 99.99
       |          ^^^^^
       = hint: write `target = 0.9999`

    error: `settle` is a duration with a unit, like "90s", "2m", "1h30m" or "24h", not a whole number
      --> rules/trades.toml:18:10
       |
    18 | settle = 90
       |          ^^
       = hint: write `settle = "2m"`

    error: `give_up` is a duration with a unit, like "90s", "2m", "1h30m" or "24h", not "1 day or so"
      --> rules/trades.toml:19:11
       |
    19 | give_up = "1 day or so"
       |           ^^^^^^^^^^^^^
       = hint: write `give_up = "24h"`

    error: `coverage` is a number from 0 to 1, not a string
      --> rules/trades.toml:20:12
       |
    20 | coverage = "all"
       |            ^^^^^
       = hint: write `coverage = 0.99`

    error: `T` is a string, not a list
      --> rules/trades.toml:22:5
       |
    22 | T = ["epoch_ms"]
       |     ^^^^^^^^^^^^
       = hint: write `T = "epoch_ms"`

    error: the expression of `side` is empty
      --> rules/trades.toml:24:8
       |
    24 | side = ""
       |        ^^
       = hint: write `side = "round(price * quantity, 8)"`

    error: `files` is empty
      --> rules/trades.toml:25:2
       |
    25 | [source]
       |  ^^^^^^
       = hint: `validator schema pipeline` says what each key may be

    error: `timestamp` is for `envelope = "none"`: other envelopes hold the timestamp
      --> rules/trades.toml:28:13
       |
    28 | timestamp = "T"
       |             ^^^
       = hint: take `timestamp` out
    "#);
}

#[test]
fn a_wrong_type_is_marked_inside_its_text() {
    let text = with("[fields]\nT = \"epoch_mss\"\np = \"decimal(18 8)\"\nd = 'struct<p: strin>'\n");
    insta::assert_snapshot!(seen(pipeline(&text)), @r#"
    3 problems in rules/trades.toml

    error: the type of `T` is not one: unknown type `epoch_mss` at character 1; did you mean `epoch_ms`?
      --> rules/trades.toml:10:6
       |
    10 | T = "epoch_mss"
       |      ^^^^^^^^^
       = hint: write `T = "epoch_ms"`

    error: the type of `p` is not one: expected `,` and the scale at character 12, found `8`
      --> rules/trades.toml:11:17
       |
    11 | p = "decimal(18 8)"
       |                 ^
       = hint: write `p = "epoch_ms"`

    error: the type of `d` is not one: unknown type `strin` at character 11; did you mean `string`?
      --> rules/trades.toml:12:16
       |
    12 | d = 'struct<p: strin>'
       |                ^^^^^
       = hint: write `d = "epoch_ms"`
    "#);
}

#[test]
fn what_is_missing_is_named_with_the_line_to_write() {
    insta::assert_snapshot!(seen(pipeline("")), @r#"
    2 problems in rules/trades.toml

    error: the file has no [pipeline]
     --> rules/trades.toml
      = hint: a pipeline file starts with [pipeline]: name, topic, table, format

    error: the file has no [identity]: how is a row paired with its message?
     --> rules/trades.toml
      = hint: `mode = "offset"` where the table keeps topic, partition and offset, `mode = "key"` where
              columns are unique, `mode = "content"` where it has neither
    "#);
    insta::assert_snapshot!(seen(pipeline("[pipeline]\n[identity]\n[source]\n")), @r#"
    6 problems in rules/trades.toml

    error: [pipeline] has no `name`
     --> rules/trades.toml:1:2
      |
    1 | [pipeline]
      |  ^^^^^^^^
      = hint: write `name = "trades"` in [pipeline]

    error: [pipeline] has no `topic`
     --> rules/trades.toml:1:2
      |
    1 | [pipeline]
      |  ^^^^^^^^
      = hint: write `topic = "market.crypto.trades"` in [pipeline]

    error: [pipeline] has no `table`
     --> rules/trades.toml:1:2
      |
    1 | [pipeline]
      |  ^^^^^^^^
      = hint: write `table = "lake.market_data.trades"` in [pipeline]

    error: [pipeline] has no `format`
     --> rules/trades.toml:1:2
      |
    1 | [pipeline]
      |  ^^^^^^^^
      = hint: write `format = "json"` in [pipeline]

    error: [identity] has no `mode`
     --> rules/trades.toml:2:2
      |
    2 | [identity]
      |  ^^^^^^^^
      = hint: write `mode = "offset"` in [identity]

    error: [source] has no `files`
     --> rules/trades.toml:3:2
      |
    3 | [source]
      |  ^^^^^^
      = hint: write `files = ["capture/*.jsonl"]` in [source]
    "#);
    insta::assert_snapshot!(seen(pipeline(&format!("{HEAD}[identity]\nmode = \"offset\"\n"))), @r#"
    1 problem in rules/trades.toml

    error: `mode = "offset"` needs the columns in which the table keeps topic, partition and offset
     --> rules/trades.toml:6:2
      |
    6 | [identity]
      |  ^^^^^^^^
      = hint: write `columns = ["topic", "partition", "offset"]`, or a known sink: profile =
              kafka-connect | redpanda | automq | spark | flink | k2-bronze
    "#);
}

#[test]
fn what_later_releases_bring_is_refused_by_name() {
    let text = "\
[pipeline]
name = \"trades\"
topic = \"t\"
table = \"lake.ns.trades\"
format = \"protobuf\"
poll = \"2s\"
[identity]
mode = \"content\"
[compare]
tolerate = { vendor_data = \"empty_is_null\" }
mask = [\"account\"]
[[rules]]
expect = \"column_values_to_not_be_null\"
";
    insta::assert_snapshot!(seen(pipeline(text)), @r#"
    2 problems in rules/trades.toml

    error: `format = "protobuf"` is not built yet
     --> rules/trades.toml:5:10
      |
    5 | format = "protobuf"
      |          ^^^^^^^^^^
      = hint: write `format = "json"`

    error: [[rules]] is not built yet
      --> rules/trades.toml:12:3
       |
    12 | [[rules]]
       |   ^^^^^
       = hint: take it out for now
    "#);
}

#[test]
fn dead_letters_are_a_topic_or_a_table_and_say_what_names_a_message() {
    let read = |line: &str| sound(&with(&format!("[fidelity]\n{line}\n")));
    let of = |line: &str| read(line).contract.fidelity.dead_letter.expect("it is there");
    let names = |topic: Option<&str>, partition: Option<&str>, offset: &str| PositionNames {
        topic: topic.map(str::to_owned),
        partition: partition.map(str::to_owned),
        offset: offset.to_owned(),
    };
    let connect = DeadLetter::Topic { topic: "d".into(), position: PositionNames::of_kafka_connect() };
    assert_eq!(of("dead_letter = { topic = \"d\" }"), connect);
    let own = DeadLetter::Topic { topic: "d".into(), position: names(None, Some("p"), "o") };
    assert_eq!(of("dead_letter = { topic = \"d\", headers = [\"p\", \"o\"] }"), own);
    assert_eq!(of("dead_letter = { table = \"a.b.c\" }"), DeadLetter::Table { table: "a.b.c".into(), position: None });
    let own = DeadLetter::Table { table: "a.b.c".into(), position: Some(names(Some("t"), Some("s.p"), "s.o")) };
    assert_eq!(of("dead_letter = { table = \"a.b.c\", columns = [\"t\", \"s.p\", \"s.o\"] }"), own);
    let lines = [
        "",
        "dead_letter = { topic = \"d\" }",
        "dead_letter = { topic = \"d\", headers = [\"o\"] }",
        "dead_letter = { table = \"a.b.c\" }",
        "dead_letter = { table = \"a.b.c\", columns = [\"o\"] }",
    ];
    let hashes: std::collections::BTreeSet<String> = lines.map(|line| read(line).config_hash).into();
    assert_eq!(hashes.len(), 5, "another meaning has another hash");
    let books: std::collections::BTreeSet<[u8; 32]> = lines.map(|line| read(line).books_hash).into();
    assert_eq!(books.len(), 1, "which messages and rows are equal is the same");
}

#[test]
fn dead_letters_that_are_nowhere_or_say_too_much_are_refused() {
    let text = |line: &str| with(&format!("[fidelity]\ndead_letter = {line}\n"));
    let said: Vec<String> = [
        "{ }",
        "{ topic = \"d\", table = \"a.b.c\" }",
        "{ topic = \"d\", columns = [\"o\"] }",
        "{ table = \"a.b.c\", headers = [\"o\"] }",
        "{ table = \"c\" }",
        "{ topic = \"d\", headers = [] }",
        "{ topic = \"d\", headres = [\"o\"] }",
        "\"d\"",
    ]
    .map(|line| seen(pipeline(&text(line))))
    .to_vec();
    let expected = [
        "`dead_letter` says neither `topic` nor `table`",
        "dead letters are in a `topic` or in a `table`, not in both",
        "`columns` is for dead letters of a `table`",
        "`headers` is for dead letters of a `topic`",
        "`c` names no table",
        "`headers` are those of topic, partition and offset",
        "unknown key `headres`",
        "`dead_letter` is a table, not a string",
    ];
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.contains(expected), "{expected:?} is not said:\n{said}");
    }
}

#[test]
fn dead_letters_need_a_catalog_brokers_and_one_topic() {
    let said = |head: &str, line: &str| {
        let text = format!("{head}{OFFSET}[fidelity]\ndead_letter = {line}\n");
        let read = pipeline(&text).expect("it is sound");
        let service = service("[catalogs.lake]\ntype = \"metadata\"\nlocation = \"m\"\n").expect("it is sound");
        let found = join(&read, &service).expect_err("something is missing");
        problems(&found, "error", Palette::PLAIN, 100)
    };
    let two = HEAD.replace("topic = \"t\"", "topics = [\"t\", \"u\"]");
    let all = [
        said(HEAD, "{ topic = \"t\" }"),
        said(HEAD, "{ table = \"lkae.ns.dlq\" }"),
        said(HEAD, "{ table = \"lake.ns.trades\" }"),
        said(&two, "{ table = \"lake.ns.dlq\", columns = [\"p\", \"o\"] }"),
    ];
    let expected = [
        "the dead letters have no source",
        "there is no catalog `lkae`",
        "lake.ns.trades is the table of the pipeline",
        "dead letters of 2 topics do not say which of them each is of",
    ];
    for (said, expected) in all.iter().zip(expected) {
        assert!(said.contains(expected), "{expected:?} is not said:\n{said}");
    }
}

#[test]
fn an_upsert_table_is_said_beside_its_key() {
    let identity = "[identity]\nmode = \"key\"\ncolumns = [\"id\"]\n";
    let read = |lines: &str| pipeline(&format!("{HEAD}{identity}{lines}")).expect("it is sound").contract.identity;
    let Identity::Key { upsert, .. } = read("upsert = true\ndelete_when = \"op = 'd'\"\nkey = \"json\"\n") else {
        panic!("its mode is key");
    };
    assert_eq!(upsert, Some(Upsert { delete_when: Some("op = 'd'".into()), key: Some(KeyFormat::Json) }));
    let Identity::Key { upsert, .. } = read("upsert = false\n") else { panic!("its mode is key") };
    assert_eq!(upsert, None);
    let hash = |lines: &str| pipeline(&format!("{HEAD}{identity}{lines}")).expect("it is sound").config_hash;
    let hashes = ["", "upsert = true\n", "upsert = true\nkey = \"json\"\n", "upsert = true\ndelete_when = \"a\"\n"];
    let hashes: std::collections::BTreeSet<String> = hashes.map(hash).into();
    assert_eq!(hashes.len(), 4, "another meaning has another hash");
    assert_eq!(hash(""), hash("upsert = false\n"));
}

#[test]
fn what_only_an_upsert_table_has_is_refused_elsewhere_and_rows_of_null_payloads_there() {
    let lines = "[identity]\nmode = \"key\"\ncolumns = [\"id\"]\ndelete_when = \"op = 'd'\"\nkey = \"json\"\n";
    insta::assert_snapshot!(seen(pipeline(&format!("{HEAD}{lines}"))), @r#"
    2 problems in rules/trades.toml

    error: `delete_when` is for `upsert = true`
     --> rules/trades.toml:9:1
      |
    9 | delete_when = "op = 'd'"
      | ^^^^^^^^^^^
      = hint: take `delete_when` out

    error: `key` is for `upsert = true`
      --> rules/trades.toml:10:1
       |
    10 | key = "json"
       | ^^^
       = hint: take `key` out
    "#);
    let lines = "null_payload = \"row\"\n[identity]\nmode = \"key\"\ncolumns = [\"id\"]\nupsert = true\n";
    insta::assert_snapshot!(seen(pipeline(&format!("{HEAD}{lines}"))), @r#"
    1 problem in rules/trades.toml

    error: in an upsert table a null payload deletes its key, and is no row
     --> rules/trades.toml:6:16
      |
    6 | null_payload = "row"
      |                ^^^^^
      = hint: take `null_payload` out
    "#);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let text = "\
[pipeline]
name = \"trades\"
topic = \"t\"
topics = [\"t\", \"t\"]
table = \"lake.ns.trades\"
format = \"avro\"
[fields]
T = \"epoch_ms\"
[map]
side = \"'BUY'\"
[identity]
mode = \"key\"
columns = [\"id\", \"id\", \"k.v\"]
every = \"1m\"
width = 64
[compare]
ignore = { side = \"random\", k = \"set by the sink\" }
[fidelity]
settle = \"2h\"
give_up = \"1h\"
[source]
files = [\"a.parquet\"]
";
    insta::assert_snapshot!(seen(pipeline(text)), @r#"
    9 problems in rules/trades.toml

    error: give `topic` or `topics`, not both
     --> rules/trades.toml:4:1
      |
    4 | topics = ["t", "t"]
      | ^^^^^^
      = hint: take `topic` out

    error: [fields] is for `format = "json"`: other formats know the types of their fields
     --> rules/trades.toml:7:2
      |
    7 | [fields]
      |  ^^^^^^
      = hint: take [fields] out

    error: `columns` names `id` twice
      --> rules/trades.toml:13:18
       |
    13 | columns = ["id", "id", "k.v"]
       |                  ^^^^
       = hint: write `columns = ["topic", "partition", "offset"]`

    error: `every` needs a `window`, the time column that both sides have
      --> rules/trades.toml:14:1
       |
    14 | every = "1m"
       | ^^^^^
       = hint: take `every` out

    error: `width` is for `mode = "offset"`
      --> rules/trades.toml:15:1
       |
    15 | width = 64
       | ^^^^^
       = hint: take `width` out

    error: column `side` is mapped in [map] and ignored here
      --> rules/trades.toml:17:12
       |
    17 | ignore = { side = "random", k = "set by the sink" }
       |            ^^^^
       = hint: keep one of the two

    error: column `k` is part of the identity and cannot be ignored
      --> rules/trades.toml:17:29
       |
    17 | ignore = { side = "random", k = "set by the sink" }
       |                             ^
       = hint: take `k` out

    error: `give_up` comes before `settle` is over
      --> rules/trades.toml:20:11
       |
    20 | give_up = "1h"
       |           ^^^^
       = hint: write `give_up = "24h"`

    error: rows of Parquet files that are messages are `format = "parquet"`
      --> rules/trades.toml:21:2
       |
    21 | [source]
       |  ^^^^^^
       = hint: files with topic, partition, offset, key and value are `envelope = "table"`
    "#);
}

#[test]
fn a_pipeline_needs_its_catalog_brokers_and_registry() {
    let read = sound(&with("").replace("\"json\"", "\"avro\""));
    let service = service("[catalogs.lakes]\ntype = \"metadata\"\nlocation = \"x\"\n").expect("the file is sound");
    let missing = join(&read, &service).expect_err("much is missing");
    insta::assert_snapshot!(problems(&missing, "error", Palette::PLAIN, 100), @r#"
    error: there is no catalog `lake` in etc/validator.toml
     --> rules/trades.toml:4:9
      |
    4 | table = "lake.ns.trades"
      |         ^^^^^^^^^^^^^^^^
      = hint: did you mean `lakes`?

    error: the messages have no source: etc/validator.toml has no [kafka]
     --> rules/trades.toml:3:9
      |
    3 | topic = "t"
      |         ^^^
      = hint: write [kafka] with `brokers = "localhost:9092"`, or read files with `--source`

    error: Avro messages need their schemas: etc/validator.toml has no [schema_registry]
     --> rules/trades.toml:5:10
      |
    5 | format = "avro"
      |          ^^^^^^
      = hint: write [schema_registry] with its `url`, or `schema = "file.avsc"` in [pipeline]
    "#);
    let missing = join(&read, &super::super::Service::default()).expect_err("much is missing");
    insta::assert_snapshot!(problems(&missing[..1], "error", Palette::PLAIN, 100), @r#"
    error: there is no catalog `lake` in validator.toml (there is none here; name it with `-c`)
     --> rules/trades.toml:4:9
      |
    4 | table = "lake.ns.trades"
      |         ^^^^^^^^^^^^^^^^
      = hint: write [catalogs.lake] with `type = "sql"` and `uri = "sqlite:///…"`
    "#);
}

#[test]
fn a_later_error_points_into_the_file() {
    let read =
        sound(&with("[map]\nside = \"CASE WHEN m\"\nnote = '''\nCASE\n  WHEN wrng THEN 1\nEND'''\nesc = \"a\\tb\"\n"));
    let shown = |problem| problems(&[problem], "error", Palette::PLAIN, 80);
    insta::assert_snapshot!(shown(read.problem_in_sql("map.note", 2, 8, "there is no field `wrng`")), @"
    error: there is no field `wrng`
      --> rules/trades.toml:13:8
       |
    13 |   WHEN wrng THEN 1
       |        ^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity,
               8)`
    ");
    insta::assert_snapshot!(shown(read.problem_in_sql("map.esc", 1, 4, "there is no field `b`")), @r#"
    error: there is no field `b`
      --> rules/trades.toml:15:7
       |
    15 | esc = "a\tb"
       |       ^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity,
               8)`
    "#);
    insta::assert_snapshot!(shown(read.problem_at("map.price", "no field gives `price`")), @"
    error: no field gives `price`
     --> rules/trades.toml:9:1
      |
    9 | [map]
      | ^^^^^
      = hint: write SQL over the fields of a message, like `round(price * quantity,
              8)`
    ");
    insta::assert_snapshot!(shown(read.problem_at("nowhere", "of no place")), @"
    error: of no place
     --> rules/trades.toml
      = hint: `validator schema pipeline` says what each key may be
    ");
}

#[test]
fn the_sample_of_the_k2_trades_is_sound() {
    let path = Path::new("../../rules/suites/trades.toml");
    let read = match super::loader().pipeline_file(path) {
        Ok(read) => read,
        Err(error) => panic!("{}", seen::<()>(Err(error))),
    };
    assert_eq!(read.contract.name, "trades");
    assert_eq!(read.contract.format, Format::Avro);
}

#[test]
fn tolerances_and_masks_are_read_and_their_words_are_checked() {
    let lines = "[compare]\ntolerate = { a = \"trim\", \"b.c\" = \"json_equal\" }\nmask = [\"b\", \"a\", \"b\"]\n";
    let text = |lines: &str| format!("{HEAD}[identity]\nmode = \"key\"\ncolumns = [\"id\"]\n{lines}");
    let read = pipeline(&text(lines)).expect("sound");
    let compare = &read.contract.compare;
    let words: Vec<_> =
        compare.tolerate.iter().map(|(column, tolerance)| (column.as_str(), tolerance.word())).collect();
    assert_eq!((words, compare.mask.join(",")), (vec![("a", "trim"), ("b.c", "json_equal")], "a,b".to_owned()));
    let without = pipeline(&text("")).expect("sound");
    assert_ne!(read.config_hash, without.config_hash);
    insta::assert_snapshot!(seen(pipeline(&text("[compare]\ntolerate = { a = \"trimm\" }\nmask = [\"\"]\n"))), @r#"
    2 problems in rules/trades.toml

    error: `trimm` is no tolerance
      --> rules/trades.toml:10:18
       |
    10 | tolerate = { a = "trimm" }
       |                  ^^^^^^^
       = hint: did you mean "trim"?

    error: `mask` names no column here
      --> rules/trades.toml:11:9
       |
    11 | mask = [""]
       |         ^^
       = hint: write `mask = ["email"]`
    "#);
}

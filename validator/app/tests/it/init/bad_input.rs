//! What `init` says where the sides do not show enough, and that foreign strings do no harm.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;
use insta::assert_snapshot;

use super::{shapes, sinks};
use crate::registry_stub::RegistryStub;

use super::stage::{EPOCH_MS, Sent, Stage, table};

fn sent(payload: impl Into<Vec<u8>>) -> Sent {
    Sent { partition: 0, key: None, payload: Some(payload.into()) }
}

fn columns() -> Vec<Column> {
    vec![
        Column::optional("id", ColumnType::String),
        Column::optional("price", ColumnType::Decimal { precision: 18, scale: 8 }),
    ]
}

fn json(nth: i64) -> Sent {
    sent(format!(r#"{{"id":"t-{nth}","price":"{nth}.5"}}"#))
}

fn rows(count: i64) -> Vec<Vec<Value>> {
    (0..count).map(|nth| vec![Value::text(format!("t-{nth}")), Value::decimal(i128::from(nth) * 10 + 5, 1)]).collect()
}

#[test]
fn a_topic_without_schema_says_so() {
    let stage = Stage::new(&(0..20).map(|_| sent("<trade/>")).collect::<Vec<_>>(), &table(columns(), rows(20), 20));
    assert_snapshot!(stage.init("--output pipeline.toml").all(), @"
    exit 3
    --- stderr
    error: topic trades has no schema: its payloads are neither JSON objects nor framed Avro, and no
           column of the table holds them as they are
      hint:    where payloads are Avro without a frame, name their schema: --schema FILE.avsc
    ");
    assert!(!stage.join("pipeline.toml").exists());
}

#[test]
fn framed_messages_without_a_registry_ask_for_one() {
    let messages: Vec<Sent> = (0..20).map(|nth| sent([0, 0, 0, 0, 7, nth])).collect();
    let stage = Stage::new(&messages, &table(columns(), rows(20), 20));
    assert_snapshot!(stage.init("").all(), @"
    exit 2
    --- stderr
    error: messages of topic trades name schemas (ids 7), and no [schema_registry] says what they are
      hint:    write [schema_registry] with its `url` in validator.toml
    ");
}

#[test]
fn mixed_formats_are_told_by_their_shares_and_none_is_chosen() {
    let messages: Vec<Sent> = (0..50).map(|nth| if nth % 5 < 2 { sent("<trade/>") } else { json(nth) }).collect();
    let stage = Stage::new(&messages, &table(columns(), rows(50), 50));
    assert_snapshot!(stage.init("").all(), @"
    exit 3
    --- stderr
    error: topic trades mixes formats, and none is chosen: 30 of 50 messages sampled are JSON objects,
           20 of 50 messages sampled are neither JSON objects nor framed Avro
      hint:    a pipeline has one format: split the topic, or validate the table of raw bytes
    ");
}

#[test]
fn a_few_broken_messages_are_no_second_format() {
    let messages: Vec<Sent> = (0..100).map(|nth| if nth == 50 { sent("<trade/>") } else { json(nth) }).collect();
    let rows: Vec<Vec<Value>> =
        rows(100).into_iter().enumerate().filter(|(nth, _)| *nth != 50).map(|(_, row)| row).collect();
    let ran = Stage::new(&messages, &table(columns(), rows, 100)).init("");
    assert!(ran.stdout.contains("format = \"json\"") && ran.stderr.contains("1 undecodable"), "{}", ran.all());
}

#[test]
fn an_empty_topic_and_an_empty_table_say_so() {
    assert_snapshot!(Stage::new(&[], &table(columns(), rows(5), 5)).init("").all(), @"
    exit 3
    --- stderr
    error: topic trades holds no message, so nothing shows how its messages become rows
      hint:    run it again when the sink has written rows of messages that are still there
    ");
    let messages: Vec<Sent> = (0..5).map(json).collect();
    assert_snapshot!(Stage::new(&messages, &table(columns(), Vec::new(), 5)).init("").all(), @"
    exit 3
    --- stderr
    error: table lake.market.trades holds no row, so nothing shows what its sink makes of a message
      hint:    run it again when the sink has written rows of messages that are still there
    ");
}

#[test]
fn null_payloads_alone_show_nothing() {
    let messages: Vec<Sent> = (0..5).map(|_| Sent { partition: 0, key: None, payload: None }).collect();
    assert_snapshot!(Stage::new(&messages, &table(columns(), rows(5), 5)).init("").all(), @"
    exit 3
    --- stderr
    error: topic trades: all 5 messages sampled have a null payload
      hint:    a larger --sample may reach messages that have a payload
    ");
}

#[test]
fn a_table_that_is_not_of_the_topic_is_refused_with_what_was_tried() {
    let candles = vec![
        Column::optional("symbol", ColumnType::String),
        Column::optional("window_start", ColumnType::Timestamptz),
        Column::optional("open", ColumnType::Double),
        Column::optional("trade_count", ColumnType::Long),
    ];
    let row = |nth: i64| {
        vec![
            Value::text(["BTCUSDT", "ETHUSDT"][(nth % 2) as usize]),
            Value::instant((EPOCH_MS - 86_400_000 + nth / 2 * 60_000) * 1_000),
            Value::double(1.5 + nth as f64),
            Value::long(7_000_000 + nth),
        ]
    };
    let message =
        |nth: i64| sent(format!(r#"{{"symbol":"{}","p":"{nth}.25"}}"#, ["BTCUSDT", "ETHUSDT"][(nth % 2) as usize]));
    let stage = Stage::new(&(0..60).map(message).collect::<Vec<_>>(), &table(candles, (0..40).map(row).collect(), 40));
    assert_snapshot!(stage.init("").all(), @"
    exit 3
    --- stderr
    error: no row of lake.market.trades can be paired with a message of trades: 60 messages and 40 rows
           were held against each other, value by value; column symbol has 2 values of field symbol, and
           they tie no row to one message
      hint:    is it the table of this topic? a larger --sample, or a later run, may show more
    ");
}

#[test]
fn a_file_that_is_there_stays_unless_forced() {
    let messages: Vec<Sent> = (0..20).map(json).collect();
    let stage = Stage::new(&messages, &table(columns(), rows(20), 20));
    std::fs::write(stage.join("pipeline.toml"), "mine").expect("the folder takes files");
    assert_snapshot!(stage.init("--output pipeline.toml").all(), @"
    exit 2
    --- stderr
    error: pipeline.toml is there already
      hint:    name another file, or overwrite it with --force
    ");
    assert_eq!(std::fs::read_to_string(stage.join("pipeline.toml")).expect("it is there"), "mine");
    let forced = stage.init("--output pipeline.toml --force");
    assert_eq!(forced.exit, 0, "{}", forced.all());
    assert_eq!(stage.run("check pipeline.toml").exit, 0);
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_anything_is_looked_at() {
    // No brokers answer: what is said is said before they are asked.
    let stage = Stage::new(&[], &table(columns(), rows(1), 1));
    std::fs::create_dir(stage.join("folder")).expect("the folder takes folders");
    for (flags, said) in [
        ("--output no/such/x.toml", "there is no folder no/such"),
        ("--output folder", "folder is a folder"),
        ("--output folder --force", "folder is a folder"),
        ("--output -", "expected a file; without --output it goes to stdout"),
        ("--sample 100001", "expected a whole number of messages, 1 to 100,000"),
        ("--sample 0", "expected a whole number of messages, 1 to 100,000"),
    ] {
        let ran = stage.init(flags);
        assert!(ran.exit == 2 && ran.stderr.contains(said), "{flags}: {}", ran.all());
    }
    assert!(!stage.join("-").exists());
}

#[test]
fn an_overwritten_file_keeps_its_mode_and_its_link_and_stays_where_nothing_is_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let messages: Vec<Sent> = (0..20).map(json).collect();
    let stage = Stage::new(&messages, &table(columns(), rows(20), 20));
    let (real, link) = (stage.join("real.toml"), stage.join("link.toml"));
    std::fs::write(&real, "mine").expect("the folder takes files");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).expect("it is ours");
    std::os::unix::fs::symlink(&real, &link).expect("the folder takes links");
    let inode = |path: &std::path::Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).expect("there"));
    let before = inode(&real);
    assert_eq!(stage.run("init --topic no.such --table lake.market.trades --output link.toml --force").exit, 2);
    assert_eq!(std::fs::read_to_string(&real).expect("it is there"), "mine");
    let ran = stage.init("--output link.toml --force");
    assert_eq!(ran.exit, 0, "{}", ran.all());
    assert!(link.is_symlink() && std::fs::read_to_string(&real).expect("it is there").contains("[pipeline]"));
    assert_eq!(std::fs::metadata(&real).expect("it is there").permissions().mode() & 0o777, 0o640);
    assert_ne!(inode(&real), before, "it was put in its place as a whole");
    let left = std::fs::read_dir(stage.join("")).expect("the folder is there").flatten();
    assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".validator-")));
}

#[test]
fn a_file_whose_proof_fails_is_said_to_be_written_and_not_proven() {
    let schema =
        r#"{"type":"record","name":"T","fields":[{"name":"id","type":"string"},{"name":"price","type":"string"}]}"#;
    let framed = |nth: i64| {
        let texts = [format!("t-{nth}"), format!("{nth}.5")];
        let fields = texts.iter().flat_map(|text| [&[text.len() as u8 * 2][..], text.as_bytes()].concat());
        sent([0, 0, 0, 0, 1].into_iter().chain(fields).collect::<Vec<u8>>())
    };
    let messages: Vec<Sent> = (0..20).map(framed).collect();
    let stage = Stage::new(&messages, &table(columns(), rows(20), 20));
    let service = std::fs::read_to_string(stage.join("validator.toml")).expect("it was written");
    let mut ends = Vec::new();
    // The registry breaks down after each number of answers: before the sample, before the proof, never.
    for answers in 0..20 {
        let registry = RegistryStub::of_schema(schema).for_requests(answers);
        let url = format!("{service}\n[schema_registry]\nurl = \"http://{}\"\n", registry.address());
        std::fs::write(stage.join("validator.toml"), url).expect("the folder takes files");
        let ran = stage.init("--output pipeline.toml");
        let is_written = std::fs::remove_file(stage.join("pipeline.toml")).is_ok();
        let is_said = ran.stderr.contains("written, not proven: pipeline.toml\n");
        assert_eq!(is_said, is_written && ran.exit >= 2, "{answers}: {}", ran.all());
        ends.push((is_written, ran.exit));
        if ran.exit == 0 {
            break;
        }
    }
    assert!(ends.iter().any(|(is_written, exit)| *is_written && *exit >= 2), "{ends:?}");
    assert_eq!((ends[0].0, ends.last()), (false, Some(&(true, 0))), "{ends:?}");
}

#[test]
fn hostile_names_and_values_neither_leave_a_string_nor_reach_the_terminal() {
    let hostile = "x\u{1b}[2J\"]\n[pipeline]\nname = \"y\" # \u{202e}${HOME}";
    let name = serde_json::json!(hostile).to_string();
    let message = |nth: i64| {
        let value = serde_json::json!(format!("{hostile}{nth}"));
        sent(format!(r#"{{"id":{value},"price":"{nth}.5",{name}:1,"b":{name}}}"#))
    };
    let mut named = columns();
    named.push(Column::optional(hostile, ColumnType::Long));
    named.push(Column::optional("made", ColumnType::String));
    let row = |nth: i64| {
        let id = Value::text(format!("{hostile}{nth}"));
        vec![id, Value::decimal(i128::from(nth) * 10 + 5, 1), Value::long(1), Value::text(format!("{hostile}!"))]
    };
    let stage = Stage::new(&(0..30).map(message).collect::<Vec<_>>(), &table(named, (0..30).map(row).collect(), 30));
    let (text, ran) = stage.written();
    for shown in [&text, &ran.stderr] {
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }
    let read: toml::Table = text.parse().expect("the file is TOML");
    assert_eq!(read["pipeline"]["name"].as_str(), Some("trades"));
    assert_eq!(
        read.len(),
        text.lines().filter(|line| line.starts_with('[') && !line.contains('.')).count() + 1,
        "{text}"
    );
    assert_eq!(stage.run("reconcile pipeline.toml --quiet").exit, 0);
}

#[test]
fn a_value_of_a_megabyte_is_one_value() {
    let long = "é".repeat(450_000);
    let message = |nth: i64| match nth {
        7 => sent(format!(r#"{{"id":"t-7","price":"7.5","note":"{long}"}}"#)),
        _ => sent(format!(r#"{{"id":"t-{nth}","price":"{nth}.5","note":"n{nth}"}}"#)),
    };
    let mut wide = columns();
    wide.push(Column::optional("note", ColumnType::String));
    let note = |nth: i64| Value::text(if nth == 7 { long.clone() } else { format!("n{nth}") });
    let rows = rows(20).into_iter().zip(0..).map(|(mut row, nth)| {
        row.push(note(nth));
        row
    });
    let stage = Stage::new(&(0..20).map(message).collect::<Vec<_>>(), &table(wide, rows.collect(), 20));
    let (text, ran) = stage.written();
    assert!(text.len() < 4_000 && ran.stderr.len() < 4_000, "{} {}", text.len(), ran.stderr.len());
}

#[test]
fn what_does_not_exist_is_a_mistake_of_the_command_line() {
    let stage = shapes::stage(&sinks::shapes().swap_remove(0));
    assert_eq!(stage.run("init --topic no.such --table lake.market.trades").exit, 2);
    assert_eq!(stage.run("init --topic trades --table lake.market.no").exit, 2);
    assert_snapshot!(stage.run("init --topic trades --table lale.market.trades").all(), @"
    exit 2
    --- stderr
    error: --table: there is no catalog `lale` in validator.toml
      = hint: did you mean `lake`?
    ");
    let pattern = stage.run("init --topic ^tra --table lake.market.trades");
    assert_eq!(pattern.exit, 2);
    assert!(pattern.stderr.contains("one topic is looked at, and no pattern"), "{}", pattern.all());
    assert_snapshot!(stage.run("init --topic tra/des --table trades").all(), @r#"
    exit 2
    --- stderr
    error: --topic: no topic can have this name
      = hint: a topic's name is 1 to 249 letters, digits, `.`, `_` and `-`; a pattern begins with `^`

    error: --table: `table` is catalog.namespace.table, not "trades"
      = hint: write `--table lake.market_data.trades`
    "#);
}

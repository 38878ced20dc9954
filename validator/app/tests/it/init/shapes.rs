//! The table of shapes: what `init` must choose for each sink and each table of the K2 platform, and that its file is sound
//! and holds on a clean sample.

use fixtures_kit::schema::Column;
use fixtures_kit::value::Value;

use super::stage::{At, Sent, Stage, Topic, partitions, table};
use super::{k2, k2_messages, k2_topics, k2_trades, sinks};

/// One row of the table.
pub struct Shape {
    pub name: &'static str,
    pub topic: Topic,
    pub columns: Vec<Column>,
    /// The message of that number.
    pub message: fn(i64) -> Sent,
    /// The row of the message that stands there.
    pub row: fn(At<'_>) -> Vec<Value>,
    /// Lines that the file must have.
    pub expected: &'static [&'static str],
}

const MESSAGES: i64 = 240;

pub fn stage(shape: &Shape) -> Stage {
    let sent: Vec<Sent> = (0..MESSAGES).map(shape.message).collect();
    let (_, places) = partitions(&shape.topic, &sent);
    let at = |(nth, (partition, offset, timestamp_ms)): (i64, &(i32, i64, i64))| At {
        topic: shape.topic.name,
        nth,
        partition: *partition,
        offset: *offset,
        timestamp_ms: *timestamp_ms,
    };
    let rows: Vec<Vec<Value>> = (0..).zip(&places).map(at).map(shape.row).collect();
    Stage::of(shape.topic, &sent, &table(shape.columns.clone(), rows, 40))
}

fn check(shape: &Shape) -> Result<(), String> {
    let stage = stage(shape);
    let ran = stage.init("--output pipeline.toml");
    let text = std::fs::read_to_string(stage.join("pipeline.toml")).unwrap_or_default();
    let seen = || format!("== {}\n{}\n{text}", shape.name, ran.all());
    if ran.exit != 0 {
        return Err(format!("init does not hold\n{}", seen()));
    }
    for line in shape.expected {
        if !text.lines().any(|written| written.starts_with(line)) {
            return Err(format!("no line begins with {line}\n{}", seen()));
        }
    }
    for words in ["check pipeline.toml", "reconcile pipeline.toml --quiet"] {
        let again = stage.run(words);
        if again.exit != 0 {
            return Err(format!("{words}: {}\n{}", again.all(), seen()));
        }
    }
    Ok(())
}

#[test]
fn a_table_of_last_versions_is_an_upsert_table() {
    for topic in [k2_topics::BINANCE_REFERENCE, k2_topics::KRAKEN_REFERENCE] {
        let (columns, message, row) = k2_trades::reference_data();
        let sent: Vec<Sent> = (0..MESSAGES).map(message).collect();
        let rows = (MESSAGES - k2_messages::INSTRUMENTS..MESSAGES).map(row).collect();
        let stage = Stage::of(topic, &sent, &table(columns, rows, 20));
        let (text, _) = stage.written();
        for line in ["mode = \"key\"", "columns = [\"company_id\"]", "upsert = true", "vendor_data = \"json_equal\""] {
            assert!(text.lines().any(|written| written == line), "{line}\n{text}");
        }
        assert!(!text.contains("[compare.ignore]") && !text.contains("[compare.drop]"), "{text}");
        for words in ["check pipeline.toml", "reconcile pipeline.toml --quiet"] {
            let again = stage.run(words);
            assert_eq!(again.exit, 0, "{words}: {}\n{text}", again.all());
        }
    }
}

#[test]
fn what_a_sink_keeps_beside_the_position_may_be_ignored_and_the_position_may_not() {
    let shapes = sinks::shapes();
    let shape = shapes.iter().find(|shape| shape.name.starts_with("redpanda with headers")).expect("in the table");
    let stage = stage(shape);
    let (text, _) = stage.written();
    let with = |line: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("\"redpanda.headers\""));
        let lines = lines.flat_map(|own| [Some(own), (own.starts_with("[compare.ignore]")).then_some(line)]);
        std::fs::write(stage.join("pipeline.toml"), lines.flatten().collect::<Vec<_>>().join("\n")).expect("a file");
        stage.run("check pipeline.toml")
    };
    for (line, says) in [
        ("", "write [compare] ignore = { \"redpanda.headers\" = \"reason\" }"),
        ("\"redpanda.header\" = \"x\"", "the table has no column redpanda.header"),
        ("\"redpanda.headers\" = \"x\"\n\"redpanda.offset\" = \"x\"", "redpanda.offset"),
        ("\"redpanda.headers\" = \"x\"\n\"redpanda.partition\" = \"x\"", "redpanda.partition"),
    ] {
        let ran = with(line);
        assert!(ran.exit == 2 && ran.all().contains(says), "{line}\n{}", ran.all());
    }
    assert_eq!(with("\"redpanda.headers\" = \"not kept\"").exit, 0);
    assert_eq!(stage.run("reconcile pipeline.toml --quiet").exit, 0);
}

#[test]
fn each_sink_gets_its_identity_and_holds() {
    each(sinks::shapes());
}

#[test]
fn each_table_of_k2s_first_generation_gets_its_identity_and_holds() {
    each(k2::shapes().into_iter().filter(|shape| shape.name.starts_with("v1 ")));
}

#[test]
fn each_table_of_k2s_second_generation_gets_its_identity_and_holds() {
    each(k2::shapes().into_iter().filter(|shape| shape.name.starts_with("v2 ")));
}

fn each(shapes: impl IntoIterator<Item = Shape>) {
    let wanted = std::env::var("SHAPE").ok();
    let shapes = shapes.into_iter();
    let failed: Vec<String> = shapes
        .filter(|shape| wanted.as_ref().is_none_or(|name| shape.name.contains(name.as_str())))
        .filter_map(|shape| check(&shape).err())
        .collect();
    assert!(failed.is_empty(), "{} shapes fail\n{}", failed.len(), failed.join("\n\n"));
}

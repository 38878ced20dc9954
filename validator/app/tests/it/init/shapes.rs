//! The table of shapes: what `init` must choose for each sink and each table of the K2 platform, that its file is sound and
//! holds on a clean sample, what it leaves out, and that one damaged value of what it compares is found by it.

use std::collections::BTreeSet;

use fixtures_kit::schema::Column;
use fixtures_kit::table::{Table, Transform};
use fixtures_kit::value::{Number, Value};

use super::k2_messages::{BINANCE_V1, INSTRUMENTS, KRAKEN_V1, company, reference};
use super::k2_trades::{reference_columns, reference_row};
use super::stage::{At, Sent, Stage, Topic, partitioned, partitions, table};
use super::{k2, k2_topics, sinks};

/// One row of the table.
pub struct Shape {
    pub name: &'static str,
    pub topic: Topic,
    pub columns: Vec<Column>,
    /// What its files are partitioned by.
    pub partitioning: &'static [(&'static str, Transform)],
    /// The message of that number.
    pub message: fn(i64) -> Sent,
    /// The row of the message that stands there.
    pub row: fn(At<'_>) -> Vec<Value>,
    /// Lines that the file must have.
    pub expected: &'static [&'static str],
    /// The columns that it ignores: these and no others.
    pub ignored: &'static [&'static str],
    /// The fields that it drops: these and no others.
    pub dropped: &'static [&'static str],
    /// A column that it compares, of which one value is damaged then.
    pub damaged: &'static str,
}

pub const MESSAGES: i64 = 240;

/// From here on a row is looked for that has a value to damage.
const DAMAGED_FROM: usize = 100;

/// The messages and the rows of them.
fn sides(shape: &Shape) -> (Vec<Sent>, Vec<Vec<Value>>) {
    let sent: Vec<Sent> = (0..MESSAGES).map(shape.message).collect();
    let (_, places) = partitions(&shape.topic, &sent);
    let at = |(nth, (partition, offset, timestamp_ms)): (i64, &(i32, i64, i64))| At {
        topic: shape.topic.name,
        nth,
        partition: *partition,
        offset: *offset,
        timestamp_ms: *timestamp_ms,
    };
    let rows = (0..).zip(&places).map(at).map(shape.row).collect();
    (sent, rows)
}

fn table_of(shape: &Shape, rows: Vec<Vec<Value>>) -> Table {
    partitioned(shape.columns.clone(), shape.partitioning, rows, 40)
}

pub fn stage(shape: &Shape) -> Stage {
    let (sent, rows) = sides(shape);
    Stage::of(shape.topic, &sent, &table_of(shape, rows))
}

fn check(shape: &Shape) -> Result<(), String> {
    let stage = stage(shape);
    let ran = stage.init("--output pipeline.toml");
    let text = std::fs::read_to_string(stage.join("pipeline.toml")).unwrap_or_default();
    let failed = |why: String| format!("== {}: {why}\n{}\n{text}", shape.name, ran.all());
    if ran.exit != 0 {
        return Err(failed("init does not hold".to_owned()));
    }
    if let Some(line) = shape.expected.iter().find(|line| !text.lines().any(|written| written.starts_with(**line))) {
        return Err(failed(format!("no line begins with {line}")));
    }
    for (section, wanted) in [("ignore", shape.ignored), ("drop", shape.dropped)] {
        let (written, wanted) = (left_out(&text, section), wanted.iter().map(|name| (*name).to_owned()).collect());
        if written != wanted {
            return Err(failed(format!("{section} {written:?}, and not {wanted:?}")));
        }
    }
    // Words that lines break between.
    let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let proved = format!("{MESSAGES} of {MESSAGES} messages intact in {MESSAGES} rows");
    if !said.contains(&proved) {
        return Err(failed(format!("not said: {proved}")));
    }
    for words in ["check pipeline.toml", "reconcile pipeline.toml --quiet"] {
        let again = stage.run(words);
        if again.exit != 0 {
            return Err(failed(format!("{words}: {}", again.all())));
        }
    }
    damage_is_found(shape, &stage, &text).map_err(failed)
}

/// The names in a section of `[compare]`.
fn left_out(text: &str, section: &str) -> BTreeSet<String> {
    let file: toml::Table = text.parse().expect("the file is TOML");
    let names = file.get("compare").and_then(|compare| compare.get(section)).and_then(toml::Value::as_table);
    names.into_iter().flat_map(toml::Table::keys).cloned().collect()
}

/// Writes the same table with one value of another; the file over it.
pub fn damaged(shape: &Shape, stage: &Stage, text: &str) -> String {
    let (_, mut rows) = sides(shape);
    let column = shape.columns.iter().position(|column| column.name == shape.damaged).expect("a column of the table");
    let there = rows[DAMAGED_FROM..].iter_mut().find(|row| !row[column].is_null()).expect("a row with a value");
    there[column] = another(&there[column]);
    stage.write_as(&table_of(shape, rows), "damaged");
    text.replace("lake.market.trades", "lake.market.damaged")
}

/// Runs the file over the same table with one value of another.
fn damage_is_found(shape: &Shape, stage: &Stage, text: &str) -> Result<(), String> {
    std::fs::write(stage.join("damaged.toml"), damaged(shape, stage, text)).expect("the folder takes files");
    let ran = stage.run("reconcile damaged.toml --quiet --findings found.jsonl");
    let found = std::fs::read_to_string(stage.join("found.jsonl")).unwrap_or_default();
    let seen = format!("{} damaged: {}\n{found}", shape.damaged, ran.all());
    let findings: Vec<serde_json::Value> =
        found.lines().map(|line| serde_json::from_str(line).expect("a line is a finding")).collect();
    match findings.len() {
        1 | 2 if ran.exit == 1 && findings.iter().all(|finding| names(finding, shape.damaged)) => Ok(()),
        _ => Err(seen),
    }
}

/// Whether a finding says that this column differs: itself, or between the two halves of a damaged row.
fn names(finding: &serde_json::Value, column: &str) -> bool {
    let differing = finding["columns"].as_array().expect("a list").iter().filter_map(|of| of["name"].as_str());
    let (mut differing, detail) = (differing.peekable(), finding["detail"].as_str().unwrap_or_default());
    match differing.peek() {
        Some(_) => differing.all(|name| name.split(['.', '[']).next() == Some(column)),
        None => !finding["related"].is_null() && detail.contains(column),
    }
}

/// A value next to this one: the last digit, letter, moment or byte of another.
fn another(value: &Value) -> Value {
    let next = |number: &Number| Value::decimal(number.unscaled() + 1, number.scale());
    match value {
        Value::Null | Value::Struct(_) | Value::Inexact(_) | Value::Uuid(_) => panic!("nothing is next to {value:?}"),
        Value::Boolean(value) => Value::Boolean(!value),
        Value::Number(number) => next(number),
        Value::Double(bits) => Value::double(f64::from_bits(bits.get().to_bits() + 1)),
        Value::Date(days) => Value::Date(days + 1),
        Value::Timestamp { micros, zoned } => Value::Timestamp { micros: micros + 1, zoned: *zoned },
        Value::Text(text) => {
            let kept: String = text.chars().take(text.chars().count().saturating_sub(1)).collect();
            Value::text(format!("{kept}{}", if text.ends_with('x') { 'y' } else { 'x' }))
        }
        Value::Bytes(bytes) => Value::Bytes(bytes.iter().rev().skip(1).rev().copied().collect()),
        Value::List(items) => Value::List(items.iter().cloned().chain([Value::text("x")]).collect()),
        Value::Map(entries) => {
            Value::Map(entries.clone().into_iter().chain([("x".to_owned(), Value::text("x"))]).collect())
        }
    }
}

#[test]
fn a_table_of_last_versions_is_an_upsert_table() {
    for (topic, of) in [(k2_topics::BINANCE_REFERENCE, BINANCE_V1), (k2_topics::KRAKEN_REFERENCE, KRAKEN_V1)] {
        let sent: Vec<Sent> = (0..MESSAGES).map(|nth| reference(&topic, &of, nth)).collect();
        let row = |nth| reference_row(&of, &company(&of, nth), nth);
        let rows = (MESSAGES - INSTRUMENTS..MESSAGES).map(row).collect();
        let stage = Stage::of(topic, &sent, &table(reference_columns(), rows, 20));
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

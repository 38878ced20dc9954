//! Topics and tables far larger than a sample: what is looked at is found by seeking, and still meets.

use std::fmt::Write as _;

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};
use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;

use super::stage::{EPOCH_MS, table};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;

const MESSAGES: i64 = 60_000;
const PARTITIONS: i64 = 4;
/// Far fewer than there are: a tenth of a file's rows.
const SAMPLE: i64 = 400;

fn price(nth: i64) -> i64 {
    100_000 + nth * 7_919 % 99_991
}

/// The topic, with the position that each message is to have.
fn topic() -> String {
    let cluster = kafka_cluster();
    let topic = unique_name("large");
    good(cluster.create_topic(&TopicSpec::new(&topic, i32::try_from(PARTITIONS).expect("few"))));
    let payload = |nth: i64| {
        let (price, time) = (price(nth), EPOCH_MS + nth * 10);
        format!(r#"{{"id":"t-{nth}","symbol":"S{}","price":{price},"time":{time}}}"#, nth % 5).into_bytes()
    };
    let payloads: Vec<Vec<u8>> = (0..MESSAGES).map(payload).collect();
    let record = |(nth, payload)| {
        let partition = i32::try_from(nth % PARTITIONS).expect("few");
        Record::new(partition, None, Some(payload)).at(EPOCH_MS + nth * 10 + 4)
    };
    let records: Vec<Record<'_>> = (0..MESSAGES).zip(payloads.iter().map(Vec::as_slice)).map(record).collect();
    good(good(Producer::connect(&producer_config(cluster))).produce(&topic, &records));
    topic
}

/// What of the row beside symbol, price and time is kept.
#[derive(Clone, Copy)]
enum Kept {
    Position,
    Id,
    Nothing,
}

fn stage(topic: &str, kept: Kept) -> Stage {
    let more = match kept {
        Kept::Position => {
            vec![("partition", ColumnType::Int), ("offset", ColumnType::Long), ("topic", ColumnType::String)]
        }
        Kept::Id => vec![("id", ColumnType::String)],
        Kept::Nothing => Vec::new(),
    };
    let own = [("symbol", ColumnType::String), ("price", ColumnType::Long), ("at", ColumnType::Timestamptz)];
    let columns = own.into_iter().chain(more).map(|(name, kind)| Column::optional(name, kind)).collect();
    let row = |nth: i64| {
        let own = [
            Value::text(format!("S{}", nth % 5)),
            Value::long(price(nth)),
            Value::instant((EPOCH_MS + nth * 10) * 1_000),
        ];
        let more = match kept {
            Kept::Position => vec![Value::long(nth % PARTITIONS), Value::long(nth / PARTITIONS), Value::text(topic)],
            Kept::Id => vec![Value::text(format!("t-{nth}"))],
            Kept::Nothing => Vec::new(),
        };
        own.into_iter().chain(more).collect()
    };
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns, (0..MESSAGES).map(row).collect(), 7_000));
    stage
}

#[test]
fn a_sample_of_a_large_topic_meets_a_large_table_and_proves_it() {
    let topic = topic();
    let mut failed = String::new();
    for (kept, lines) in [
        (Kept::Position, ["mode = \"offset\"", "profile = \"spark\""]),
        (Kept::Id, ["mode = \"key\"", "columns = [\"id\"]"]),
        (Kept::Nothing, ["mode = \"content\"", "window = \"at\""]),
    ] {
        let stage = stage(&topic, kept);
        let words = format!("init --topic {topic} --table lake.market.trades --output made.toml --sample {SAMPLE}");
        let ran = stage.run("", &words, &[]);
        let text = std::fs::read_to_string(stage.folder().join("made.toml")).unwrap_or_default();
        let is_whole = ran.stderr.contains("the whole topic") || ran.stderr.contains("60,000");
        let has_lines = lines.iter().all(|line| text.lines().any(|written| written == *line));
        if ran.exit != 0 || is_whole || !has_lines {
            writeln!(failed, "{}\n{text}\n", ran.all()).expect("a string takes text");
        }
        let whole = stage.run("", "reconcile made.toml --quiet", &[]);
        if whole.exit != 0 {
            writeln!(failed, "{}", whole.all()).expect("a string takes text");
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

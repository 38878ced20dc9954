//! Against a real broker and a real registry.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, schema_registry, unique_name};
use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;

use super::stage::{EPOCH_MS, table};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;

/// TradeV2 of the K2 platform, as far as it matters here.
const TRADE: &str = r#"{"type":"record","name":"TradeV2","fields":[
    {"name":"message_id","type":"string"},
    {"name":"symbol","type":"string"},
    {"name":"timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"side","type":{"type":"enum","name":"Side","symbols":["BUY","SELL"]}},
    {"name":"platform_sequence","type":["null","long"],"default":null}]}"#;
const TRADES: i64 = 300;

fn long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    long(out, value.len() as i64);
    out.extend_from_slice(value);
}

fn id(nth: i64) -> String {
    format!("{:08x}-0000-4000-8000-{:012x}", nth * 7_919, nth)
}

fn micros(nth: i64) -> i64 {
    (EPOCH_MS + nth * 250) * 1_000 + nth
}

fn framed(schema: u32, nth: i64) -> Vec<u8> {
    let mut out = vec![0];
    out.extend_from_slice(&schema.to_be_bytes());
    bytes(&mut out, id(nth).as_bytes());
    bytes(&mut out, ["BTC", "ETH"][(nth % 2) as usize].as_bytes());
    long(&mut out, micros(nth));
    bytes(&mut out, &(6_000_000_000_000 + nth * 1_000_100).to_be_bytes());
    long(&mut out, nth % 2);
    long(&mut out, 0);
    out
}

fn row(nth: i64) -> Vec<Value> {
    vec![
        Value::text(id(nth)),
        Value::text(["BTC", "ETH"][(nth % 2) as usize]),
        Value::Timestamp { micros: micros(nth), zoned: false },
        Value::decimal(6_000_000_000_000 + i128::from(nth) * 1_000_100, 8),
        Value::text(["BUY", "SELL"][(nth % 2) as usize]),
        Value::Null,
    ]
}

fn columns() -> Vec<Column> {
    vec![
        Column::optional("message_id", ColumnType::String),
        Column::optional("symbol", ColumnType::String),
        Column::optional("timestamp", ColumnType::Timestamp),
        Column::optional("price", ColumnType::Decimal { precision: 18, scale: 8 }),
        Column::optional("side", ColumnType::String),
        Column::optional("platform_sequence", ColumnType::Long),
    ]
}

fn topic(schema: u32) -> String {
    let cluster = kafka_cluster();
    let topic = unique_name("init");
    good(cluster.create_topic(&TopicSpec::new(&topic, 3)));
    let payloads: Vec<Vec<u8>> = (0..TRADES).map(|nth| framed(schema, nth)).collect();
    let records: Vec<Record<'_>> = (0..TRADES)
        .zip(&payloads)
        .map(|(nth, payload)| {
            Record::new(i32::try_from(nth % 3).expect("small"), None, Some(payload)).at(EPOCH_MS + nth * 250)
        })
        .collect();
    good(good(Producer::connect(&producer_config(cluster))).produce(&topic, &records));
    topic
}

#[test]
fn avro_of_a_registry_is_proven_and_one_damaged_row_is_found() {
    let schema = good(schema_registry().register(&unique_name("trade"), TRADE));
    let topic = topic(schema);
    let stage = || Stage::new().with_kafka(kafka_cluster()).with_registry(schema_registry());
    let clean = stage();
    clean.write(&table(columns(), (0..TRADES).map(row).collect(), 60));
    let words = format!("init --topic {topic} --table lake.market.trades --output made.toml");
    let ran = clean.run("", &words, &[]);
    let text = std::fs::read_to_string(clean.folder().join("made.toml")).unwrap_or_default();
    assert_eq!(ran.exit, 0, "{}\n{text}", ran.all());
    for line in ["format = \"avro\"", "mode = \"key\"", "columns = [\"message_id\"]", "window = \"timestamp\""] {
        assert!(text.lines().any(|written| written == line), "{line}\n{text}");
    }
    assert!(!text.contains("[map]") && !text.contains("[fields]"), "{text}");
    assert_eq!(clean.run("", "check made.toml", &[]).exit, 0);
    assert_eq!(clean.run("", "reconcile made.toml --quiet", &[]).exit, 0);

    let damaged = stage();
    let mut rows: Vec<Vec<Value>> = (0..TRADES).map(row).collect();
    rows[123][3] = Value::decimal(1, 8);
    damaged.write(&table(columns(), rows, 60));
    let ran = damaged.run("", &words, &[]);
    assert_eq!(ran.exit, 1, "{}", ran.all());
    assert!(ran.stderr.contains("1 corrupted"), "{}", ran.all());
    let found = damaged.run("", "reconcile made.toml --quiet --findings found.jsonl", &[]);
    assert_eq!(found.exit, 1, "{}", found.all());
}

#[test]
fn schemas_that_the_registry_does_not_know_are_told_by_their_ids() {
    let topic = topic(987_654_321);
    let stage = Stage::new().with_kafka(kafka_cluster()).with_registry(schema_registry());
    stage.write(&table(columns(), (0..TRADES).map(row).collect(), 60));
    let ran = stage.run("", &format!("init --topic {topic} --table lake.market.trades"), &[]);
    assert_eq!(ran.exit, 3, "{}", ran.all());
    assert!(ran.stderr.contains("ids 987654321"), "{}", ran.all());
}

//! Against a real broker and a real registry.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, schema_registry, unique_name};
use fixtures_kit::value::Value;

use super::k2_messages::trade_v2;
use super::k2_schemas::TRADE_V2;
use super::k2_trades::{trades_v2_columns, trades_v2_row};
use super::stage::{EPOCH_MS, table};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;

const TRADES: i64 = 300;

/// TradeV2 of the K2 platform, framed with the id that the registry gave its schema.
fn framed(schema: u32, nth: i64) -> Vec<u8> {
    let mut payload = trade_v2(nth).payload.expect("each has one");
    payload[1..5].copy_from_slice(&schema.to_be_bytes());
    payload
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
fn avro_of_a_registry_is_proven_and_damaged_rows_are_found() {
    let schema = good(schema_registry().register(&unique_name("trade"), TRADE_V2));
    let topic = topic(schema);
    let stage = || Stage::new().with_kafka(kafka_cluster()).with_registry(schema_registry());
    let clean = stage();
    clean.write(&table(trades_v2_columns(), (0..TRADES).map(trades_v2_row).collect(), 60));
    let words = format!("init --topic {topic} --table lake.market.trades --output made.toml");
    let ran = clean.run("", &words, &[]);
    let text = std::fs::read_to_string(clean.folder().join("made.toml")).unwrap_or_default();
    assert_eq!(ran.exit, 0, "{}\n{text}", ran.all());
    for line in [
        "format = \"avro\"",
        "mode = \"key\"",
        "columns = [\"message_id\"]",
        "window = \"timestamp\"",
        "trade_conditions = \"json_equal\"",
        "vendor_data = \"json_equal\"",
    ] {
        assert!(text.lines().any(|written| written == line), "{line}\n{text}");
    }
    assert!(!text.contains("[compare.ignore]") && !text.contains("[compare.drop]"), "{text}");
    assert_eq!(clean.run("", "check made.toml", &[]).exit, 0);
    assert_eq!(clean.run("", "reconcile made.toml --quiet", &[]).exit, 0);

    let damaged = stage();
    let mut rows: Vec<Vec<Value>> = (0..TRADES).map(trades_v2_row).collect();
    // The price, and in another row a word in the JSON text of the vendor.
    rows[123][6] = Value::decimal(1, 6);
    rows[124][14] = Value::text("{\"is_buyer_maker\": \"perhaps\"}");
    damaged.write(&table(trades_v2_columns(), rows, 60));
    let ran = damaged.run("", &words, &[]);
    assert_eq!(ran.exit, 1, "{}", ran.all());
    assert!(ran.stderr.contains("2 corrupted"), "{}", ran.all());
    let found = damaged.run("", "reconcile made.toml --quiet --findings found.jsonl", &[]);
    assert_eq!(found.exit, 1, "{}", found.all());
}

#[test]
fn schemas_that_the_registry_does_not_know_are_told_by_their_ids() {
    let topic = topic(987_654_321);
    let stage = Stage::new().with_kafka(kafka_cluster()).with_registry(schema_registry());
    stage.write(&table(trades_v2_columns(), (0..TRADES).map(trades_v2_row).collect(), 60));
    let ran = stage.run("", &format!("init --topic {topic} --table lake.market.trades"), &[]);
    assert_eq!(ran.exit, 3, "{}", ran.all());
    assert!(ran.stderr.contains("ids 987654321"), "{}", ran.all());
}

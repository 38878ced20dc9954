//! Against a real broker and a real registry.

use std::time::Duration;

use fixtures_harness::{
    Isolation, Look, Producer, Record, TopicSpec, kafka_cluster, producer_config, schema_registry, unique_name,
    wait_until,
};
use fixtures_kit::value::Value;

use super::k2_messages::{INSTRUMENTS, KRAKEN_V1, company, reference_of, trade_v2};
use super::k2_schemas::{REFERENCE_DATA_V2, TRADE_V2};
use super::k2_topics::KRAKEN_REFERENCE;
use super::k2_trades::{reference_columns, reference_row, trades_v2_columns, trades_v2_row};
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

const VERSIONS: i64 = INSTRUMENTS * 3;
/// Its last message is a tombstone.
const DELETED: i64 = 5;
/// The company of the messages that only make the log roll.
const ROLLING: (&str, i64) = ("ROLL", 900);

/// Kraken's reference data under the schema's id.
fn reference_data(schema: u32, company: &str, nth: i64) -> Vec<u8> {
    let mut payload = reference_of(&KRAKEN_REFERENCE, &KRAKEN_V1, company, nth).payload.expect("each has one");
    payload[1..5].copy_from_slice(&schema.to_be_bytes());
    payload
}

/// Appends versions, each under its company.
fn append(topic: &str, schema: u32, versions: std::ops::Range<i64>) {
    let of = |nth: i64| (company(&KRAKEN_V1, nth), reference_data(schema, &company(&KRAKEN_V1, nth), nth));
    let versions: Vec<(String, Vec<u8>)> = versions.map(of).collect();
    let record = |(company, payload): &'static (String, Vec<u8>)| {
        Record::new(0, Some(company.as_bytes()), Some(payload)).at(EPOCH_MS)
    };
    let versions: &'static [(String, Vec<u8>)] = versions.leak();
    let records: Vec<Record<'_>> = versions.iter().map(record).collect();
    good(good(Producer::connect(&producer_config(kafka_cluster()))).produce(topic, &records));
}

/// What `init` makes of the topic and rows of these versions, while the log was not cleaned.
fn reference_file(topic: &str, versions: &[i64]) -> (Stage, String) {
    let row = |nth: &i64| reference_row(&KRAKEN_V1, &company(&KRAKEN_V1, *nth), *nth);
    let rolled = reference_row(&KRAKEN_V1, ROLLING.0, ROLLING.1);
    let rows: Vec<Vec<Value>> = versions.iter().map(row).chain([rolled]).collect();
    let read = || good(kafka_cluster().read_all(topic, Isolation::Committed));
    let look = || {
        let stage = Stage::new().with_kafka(kafka_cluster()).with_registry(schema_registry());
        stage.write(&table(reference_columns(), rows.clone(), 25));
        let before = read();
        let words = format!("init --topic {topic} --table lake.market.trades --output made.toml");
        let ran = stage.run("", &words, &[]);
        let text = std::fs::read_to_string(stage.folder().join("made.toml")).unwrap_or_default();
        let proven = (ran.exit, stage.run("", "reconcile made.toml --quiet", &[]).exit);
        if before != read() {
            return Look::NotYet("the log was cleaned meanwhile".to_owned());
        }
        assert_eq!(proven, (0, 0), "{}\n{text}", ran.all());
        Look::Done((stage, text))
    };
    good(wait_until("a log that nobody cleans", Duration::from_secs(120), look))
}

#[test]
fn reference_data_of_a_compacted_topic_is_a_table_of_last_versions_and_a_tombstone_takes_its_row_away() {
    let cluster = kafka_cluster();
    let schema = good(schema_registry().register(&unique_name("reference"), REFERENCE_DATA_V2));
    let topic = unique_name("reference");
    good(cluster.create_topic(&TopicSpec::compacted(&topic, 1, 3_600_000)));
    append(&topic, schema, 0..VERSIONS);
    let gone = company(&KRAKEN_V1, DELETED);
    let producer = good(Producer::connect(&producer_config(cluster)));
    good(producer.produce(&topic, &[Record::new(0, Some(gone.as_bytes()), None).at(EPOCH_MS)]));
    let roll = reference_data(schema, ROLLING.0, ROLLING.1);
    good(cluster.compact(&topic, 0, (ROLLING.0.as_bytes(), &roll), 70));
    let is_left = |nth: &i64| nth % INSTRUMENTS != DELETED;
    let lines = [
        "format = \"avro\"",
        "company_id = \"CAST(_key AS VARCHAR)\"",
        "mode = \"key\"",
        "columns = [\"company_id\"]",
        "upsert = true",
        "company_id = \"the Kafka key says the same, and of deletions too\"",
        "vendor_data = \"json_equal\"",
    ];
    let has = |text: &str| {
        for line in lines {
            assert!(text.lines().any(|written| written.starts_with(line)), "{line}\n{text}");
        }
    };
    // Only the last versions are left of the topic, and then a few newer ones that no cleaner has seen.
    let last: Vec<i64> = (VERSIONS - INSTRUMENTS..VERSIONS).filter(is_left).collect();
    let (_, text) = reference_file(&topic, &last);
    has(&text);
    append(&topic, schema, VERSIONS..VERSIONS + 4);
    append(&topic, schema, VERSIONS + INSTRUMENTS..VERSIONS + INSTRUMENTS + 4);
    let newest: Vec<i64> =
        last.iter().map(|nth| if nth % INSTRUMENTS < 4 { nth + 2 * INSTRUMENTS } else { *nth }).collect();
    let (stage, text) = reference_file(&topic, &newest);
    has(&text);
    // The row of the company that was deleted, and one that is not the newest.
    let row = |nth: &i64| reference_row(&KRAKEN_V1, &company(&KRAKEN_V1, *nth), *nth);
    let stale = newest.iter().map(|nth| if nth % INSTRUMENTS == 1 { *nth - INSTRUMENTS } else { *nth });
    let rows = stale.chain([VERSIONS - INSTRUMENTS + DELETED]).map(|nth| row(&nth));
    let rolled = reference_row(&KRAKEN_V1, ROLLING.0, ROLLING.1);
    let damaged = Stage::new().with_kafka(cluster).with_registry(schema_registry());
    damaged.write(&table(reference_columns(), rows.chain([rolled]).collect(), 25));
    std::fs::write(damaged.folder().join("made.toml"), text).expect("the folder takes files");
    let ran = damaged.run("", "reconcile made.toml --quiet --findings found.jsonl", &[]);
    let found = std::fs::read_to_string(damaged.folder().join("found.jsonl")).unwrap_or_default();
    assert_eq!((ran.exit, found.lines().count()), (1, 2), "{}\n{found}", ran.all());
    assert!(found.contains("\"stale_value\"") && found.contains("\"resurrected\""), "{found}");
    drop(stage);
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

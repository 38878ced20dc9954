//! Avro in Confluent's framing through a real registry: a schema that changes in mid-stream, ids that nobody knows, and a
//! registry that is gone.

use std::time::{Duration, Instant};

use fixtures_harness::{
    Producer, Record, SchemaRegistry, TopicSpec, kafka_cluster, producer_config, schema_registry, unique_name,
};
use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::value::Value;
use validator_app::cli::Exit;

use super::facts::{findings, partitions, summary};
use super::good;
use super::stage::Stage;
use super::trades::{self, with};

pub const FIRST: &str = r#"{"type":"record","name":"Trade","namespace":"market","fields":[
    {"name":"id","type":"long"},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"venue","type":["null","string"],"default":null}]}"#;
/// One more field, before others; readers of the first version do not know it.
pub const SECOND: &str = r#"{"type":"record","name":"Trade","namespace":"market","fields":[
    {"name":"id","type":"long"},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"venue","type":["null","string"],"default":null}]}"#;
const UNKNOWN_ID: u32 = 987_654_321;
/// Trades 0–39; every third from the twelfth on is written with the second schema, and all from the thirtieth.
const TRADES: i64 = 40;
/// Far more than the questions to a registry that refuses connections may take in all.
const REFUSED_WITHIN: Duration = Duration::from_secs(60);

/// The column of [`columns`] that only the second schema has.
const NOTE: usize = 6;

pub fn columns() -> Vec<Column> {
    let mut columns = trades::columns();
    columns.push(Column::optional("note", ColumnType::String));
    number(&mut columns);
    columns
}

fn is_second(id: i64) -> bool {
    id >= 30 || (id >= 12 && id % 3 == 0)
}

/// The note of a trade: every fourth of the second schema has none.
fn note(id: i64) -> Option<String> {
    (is_second(id) && id % 4 != 0).then(|| format!("note {id} 😀"))
}

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

fn optional(out: &mut Vec<u8>, value: Option<&str>) {
    long(out, i64::from(value.is_some()));
    if let Some(value) = value {
        bytes(out, value.as_bytes());
    }
}

/// Confluent's frame: 0, the schema's id, the record.
pub fn frame(schema: u32, id: i64, with_note: bool) -> Vec<u8> {
    let mut out = vec![0];
    out.extend_from_slice(&schema.to_be_bytes());
    long(&mut out, id);
    if with_note {
        optional(&mut out, note(id).as_deref());
    }
    bytes(&mut out, &trades::price(id).0.to_be_bytes()[8..]);
    optional(&mut out, trades::venue(id).as_deref());
    out
}

pub fn row(topic: &str, offset: i64, id: i64) -> Vec<Value> {
    let mut row = trades::row(topic, 0, offset, id);
    row.push(note(id).map_or(Value::Null, Value::Text));
    row
}

pub fn pipeline(topic: &str) -> String {
    trades::pipeline(topic).replace("\"json\"", "\"avro\"")
}

/// A topic of trades under both schemas; the payloads of `others` follow them.
pub fn topic_of(registry: &SchemaRegistry, others: &[Vec<u8>]) -> String {
    let cluster = kafka_cluster();
    let topic = unique_name("evolving");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let subject = format!("{topic}-value");
    let ids = [good(registry.register(&subject, FIRST)), good(registry.register(&subject, SECOND))];
    assert_eq!(good(registry.versions(&subject)), [1, 2]);
    let mut payloads: Vec<Vec<u8>> =
        (0..TRADES).map(|id| frame(ids[usize::from(is_second(id))], id, is_second(id))).collect();
    payloads.extend_from_slice(others);
    let producer = good(Producer::connect(&producer_config(cluster)));
    let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
    good(producer.produce(&topic, &records));
    topic
}

#[test]
fn both_schemas_are_read_as_one_table_and_damage_is_found_under_either() {
    let topic = topic_of(schema_registry(), &[]);
    let stage = Stage::new().with_kafka(kafka_cluster()).with_registry(schema_registry());
    let mut rows: Vec<Vec<Value>> = (0..TRADES).map(|id| row(&topic, id, id)).collect();
    stage.write(&trades::table(columns(), vec![rows[..20].to_vec(), rows[20..].to_vec()]));
    let answer = stage.judge(&pipeline(&topic));
    assert_eq!(summary(&answer), "holds | consumed 40, intact 40 | intact 40, total 40");
    assert_eq!(partitions(&answer), ["0: 0..40 consumed 40, intact 40 | "]);
    assert_eq!(answer.report.warnings, [""; 0]);

    // The sink kept the first schema: it lost the new field of one, gave it to another, and cut a price of the old ones.
    rows[15][NOTE] = Value::Null;
    rows[5][NOTE] = Value::text("note 5");
    let (unscaled, _) = trades::price(3);
    rows[3] = with(rows[3].clone(), trades::PRICE, Value::decimal(unscaled / 100_000, 3));
    let stage = Stage::new().with_kafka(kafka_cluster()).with_registry(schema_registry());
    stage.write(&trades::table(columns(), vec![rows[..20].to_vec(), rows[20..].to_vec()]));
    let answer = stage.judge(&pipeline(&topic));
    let expected = "breached | consumed 40, corrupted 3, intact 37 | corrupted 3, intact 37, total 40";
    assert_eq!(summary(&answer), expected);
    assert_eq!(
        findings(&answer),
        [
            "corrupted truncated 0@3 [price 61837.66000003 → 61837.66 truncated] 00000:3",
            "corrupted value_for_null 0@5 [note null → note 5 value_for_null] 00000:5",
            "corrupted null_for_value 0@15 [note note 15 😀 → null null_for_value] 00000:15",
        ]
    );
}

#[test]
fn a_message_of_an_unknown_schema_or_of_broken_bytes_is_undecodable_alone() {
    let registry = schema_registry();
    let cut = {
        let whole = frame(good(registry.register(&unique_name("spare"), FIRST)), 77, false);
        whole[..whole.len() - 3].to_vec()
    };
    let others = [frame(UNKNOWN_ID, 40, false), frame(UNKNOWN_ID, 41, false), cut, vec![9, 9, 9]];
    let topic = topic_of(registry, &others);
    let stage = Stage::new().with_kafka(kafka_cluster()).with_registry(registry);
    let mut rows: Vec<Vec<Value>> = (0..TRADES).map(|id| row(&topic, id, id)).collect();
    // The sink knew the schema of one of them.
    rows.push(row(&topic, 41, 41));
    stage.write(&trades::table(columns(), vec![rows]));
    let answer = stage.judge(&pipeline(&topic));
    let rows = "intact 40, total 41, unjudged 1";
    assert_eq!(summary(&answer), format!("unjudged | consumed 44, intact 40, undecodable 4 | {rows}"));
    assert_eq!(
        findings(&answer),
        [
            "undecodable schema_unknown 0@40",
            "undecodable schema_unknown 0@41 00000:40",
            "undecodable bad_payload 0@42",
            "undecodable bad_payload 0@43",
        ]
    );
    assert!(
        answer.findings.at_hand[0].detail.contains(&UNKNOWN_ID.to_string()),
        "{}",
        answer.findings.at_hand[0].detail
    );
    assert_eq!(answer.report.fidelity.value, Some(1.0));
    assert_eq!(answer.report.fidelity.coverage, Some(40.0 / 44.0));
    let answer = stage.judge(&(pipeline(&topic) + "[fidelity]\ncoverage = 0.5\n"));
    assert_eq!(summary(&answer), format!("holds | consumed 44, intact 40, undecodable 4 | {rows}"));
}

#[test]
fn a_registry_that_is_gone_ends_the_run_in_bounded_time_with_exit_3() {
    let registry = good(SchemaRegistry::start());
    let topic = topic_of(&registry, &[]);
    let stage = Stage::new().with_kafka(kafka_cluster()).with_registry(&registry);
    stage.write(&trades::table(columns(), vec![(0..TRADES).map(|id| row(&topic, id, id)).collect()]));
    assert_eq!(summary(&stage.judge(&pipeline(&topic))), "holds | consumed 40, intact 40 | intact 40, total 40");
    registry.kill();
    let started = Instant::now();
    let failure = stage.try_judge(&pipeline(&topic), |request| request).expect_err("nobody knows the schemas");
    assert!(started.elapsed() < REFUSED_WITHIN, "{:?}", started.elapsed());
    let text = validator_app::render::failure(&failure, validator_app::render::Palette::PLAIN, 120);
    assert!(text.contains(registry.url()) && text.contains("registry"), "{text}");
    assert_eq!(failure.exit(), Exit::Unjudged, "{text}");
}

//! Messages that no broker has: recorded files of every envelope, and Avro by a schema file.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use fixtures_kit::avro::{put_blocks, put_bytes, put_decimal, put_long, put_text};
use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;

use super::stage::{EPOCH_MS, Sent, Stage, table};
use crate::transcript::Ran;

const MESSAGES: i64 = 200;
const SCHEMA: &str = r#"{"type":"record","name":"Trade","fields":[
    {"name":"id","type":"string"},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}},
    {"name":"at","type":"long","logicalType":"timestamp-millis"}]}"#;

fn id(nth: i64) -> String {
    format!("t-{nth}")
}

fn price(nth: i64) -> i64 {
    10_000 + nth * 37
}

fn at(nth: i64) -> i64 {
    EPOCH_MS + nth * 250
}

fn columns() -> Vec<Column> {
    vec![
        Column::optional("id", ColumnType::String),
        Column::optional("price", ColumnType::Decimal { precision: 18, scale: 2 }),
        Column::optional("at", ColumnType::Timestamptz),
    ]
}

fn row(nth: i64) -> Vec<Value> {
    vec![Value::text(id(nth)), Value::decimal(price(nth).into(), 2), Value::instant(at(nth) * 1_000)]
}

fn json(nth: i64) -> String {
    format!(r#"{{"id":"{}","price":"{}.{:02}","at":{}}}"#, id(nth), price(nth) / 100, price(nth) % 100, at(nth))
}

/// A bare record of the schema.
fn avro(nth: i64) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, &id(nth));
    put_decimal(&mut out, price(nth).into());
    put_long(&mut out, at(nth));
    out
}

/// A container file of the schema: one block.
fn container(path: &Path) {
    let sync = [7_u8; 16];
    let mut out = b"Obj\x01".to_vec();
    put_blocks(&mut out, &["avro.schema"], |out, key| {
        put_text(out, key);
        put_text(out, SCHEMA);
    });
    out.extend_from_slice(&sync);
    let records: Vec<u8> = (0..MESSAGES).flat_map(avro).collect();
    put_long(&mut out, MESSAGES);
    put_bytes(&mut out, &records);
    out.extend_from_slice(&sync);
    std::fs::write(path, out).expect("the folder takes files");
}

fn stage() -> Stage {
    // The topic of the brokers holds something else: nobody may look at it.
    let other = Sent { partition: 0, key: None, payload: Some(b"<other/>".to_vec()) };
    Stage::new(&vec![other; 50], &table(columns(), (0..MESSAGES).map(row).collect(), 50))
}

/// The file that `init` wrote into a folder beside, which must be sound and hold.
fn held(stage: &Stage, ran: &Ran, lines: &[&str]) -> String {
    let text = std::fs::read_to_string(stage.join("rules/made.toml")).unwrap_or_default();
    assert_eq!(ran.exit, 0, "{}\n{text}", ran.all());
    for line in lines {
        assert!(text.lines().any(|written| written.starts_with(line)), "{line}\n{text}");
    }
    for words in ["check rules/made.toml", "reconcile rules/made.toml --quiet"] {
        let again = stage.run(words);
        assert_eq!(again.exit, 0, "{words}: {}\n{text}", again.all());
    }
    text
}

fn init(stage: &Stage, flags: &str) -> Ran {
    std::fs::create_dir_all(stage.join("rules")).expect("a folder");
    stage.init(&format!("{flags} --output rules/made.toml"))
}

#[test]
fn lines_of_json_are_read_in_place_of_the_brokers() {
    let stage = stage();
    for part in 0..2 {
        let lines: String = (0..MESSAGES).filter(|nth| nth % 2 == part).map(|nth| json(nth) + "\n").collect();
        std::fs::write(stage.join(&format!("capture-{part}.jsonl")), lines).expect("a file");
    }
    let ran = init(&stage, "--source capture-*.jsonl");
    let lines = ["format = \"json\"", "[source]", "mode = \"key\"", "columns = [\"id\"]", "at = \"epoch_ms\""];
    let text = held(&stage, &ran, &lines);
    assert!(text.contains("capture-*.jsonl\"]") && !text.contains("envelope"), "{text}");
}

#[test]
fn what_kcat_prints_has_its_positions() {
    let stage = stage();
    let line = |nth: i64| {
        let payload = serde_json::json!(json(nth));
        format!(
            r#"{{"topic":"trades","partition":0,"offset":{nth},"tstype":"create","ts":{},"key":null,"payload":{payload}}}"#,
            at(nth)
        ) + "\n"
    };
    std::fs::write(stage.join("capture.jsonl"), (0..MESSAGES).map(line).collect::<String>()).expect("a file");
    let ran = init(&stage, "--source capture.jsonl --envelope kcat");
    held(&stage, &ran, &["format = \"json\"", "envelope = \"kcat\"", "columns = [\"id\"]"]);
}

#[test]
fn container_files_of_avro_have_their_schema_and_its_numbers_become_instants() {
    let stage = stage();
    container(&stage.join("capture.avro"));
    let ran = init(&stage, "--source capture.avro");
    let at = "at = \"CAST(to_timestamp_millis(at) AS TIMESTAMPTZ)\"";
    let text = held(&stage, &ran, &["format = \"avro\"", "columns = [\"id\"]", at]);
    assert!(!text.contains("[fields]") && !text.contains("schema ="), "{text}");
}

#[test]
fn rows_of_parquet_are_messages() {
    let stage = stage();
    let numbers = |of: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((0..MESSAGES).map(of))) as ArrayRef;
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values((0..MESSAGES).map(id)));
    let price = arrow_array::Decimal128Array::from_iter_values((0..MESSAGES).map(|nth| i128::from(price(nth))));
    let price: ArrayRef = Arc::new(price.with_precision_and_scale(18, 2).expect("it fits"));
    let batch = RecordBatch::try_from_iter([("id", ids), ("price", price), ("at", numbers(at))]).expect("one length");
    let file = std::fs::File::create(stage.join("capture.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("it takes rows");
    writer.close().expect("it ends");
    let ran = init(&stage, "--source capture.parquet");
    let at = "at = \"CAST(to_timestamp_millis(at) AS TIMESTAMPTZ)\"";
    held(&stage, &ran, &["format = \"parquet\"", "columns = [\"id\"]", at]);
}

/// Bare records in a topic.
fn bare() -> Stage {
    let sent = |nth| Sent { partition: 0, key: None, payload: Some(avro(nth)) };
    let stage = Stage::new(
        &(0..MESSAGES).map(sent).collect::<Vec<_>>(),
        &table(columns(), (0..MESSAGES).map(row).collect(), 50),
    );
    std::fs::write(stage.join("trade.avsc"), SCHEMA).expect("a file");
    stage
}

#[test]
fn avro_without_a_frame_is_read_by_its_schema_file() {
    let stage = bare();
    let ran = init(&stage, "--schema trade.avsc");
    let text = held(&stage, &ran, &["format = \"avro\"", "schema = ", "mode = \"key\"", "columns = [\"id\"]"]);
    assert!(text.contains("/trade.avsc\""), "seen from another folder: {text}");
}

#[test]
fn another_ones_schema_is_refused() {
    let stage = bare();
    let other = r#"{"type":"record","name":"Other","fields":[
        {"name":"a","type":"boolean"},{"name":"b","type":"double"},{"name":"c","type":"string"}]}"#;
    std::fs::write(stage.join("other.avsc"), other).expect("a file");
    assert_snapshot!(stage.init("--schema other.avsc").all(), @"
    exit 2
    --- stderr
    error: 200 of 200 messages sampled of topic trades cannot be decoded by other.avsc
      hint:    name the schema that the producers write with
    ");
    assert_snapshot!(stage.init("").all(), @"
    exit 3
    --- stderr
    error: topic trades has no schema: its payloads are neither JSON objects nor framed Avro, and no
           column of the table holds them as they are
      hint:    where payloads are Avro without a frame, name their schema: --schema FILE.avsc
    ");
    assert_eq!(stage.init("--schema no.avsc").exit, 2);
    assert_eq!(stage.init("--source no-*.jsonl").exit, 2);
}

/// Kafka records in Parquet, as sinks archive them: a position, a key and the payload of each.
fn archived(path: &Path, payload: fn(i64) -> Vec<u8>) {
    let numbers = |of: &dyn Fn(i64) -> i64| Int64Array::from_iter_values((0..MESSAGES).map(of));
    let columns: [(&str, ArrayRef); 6] = [
        ("topic", Arc::new(StringArray::from_iter_values((0..MESSAGES).map(|_| "trades")))),
        ("partition", Arc::new(arrow_array::Int32Array::from_iter_values((0..MESSAGES).map(|nth| (nth % 2) as i32)))),
        ("offset", Arc::new(numbers(&|nth| 1_000 + nth / 2))),
        ("timestamp", {
            let millis = arrow_array::TimestampMillisecondArray::from(numbers(&at).values().to_vec());
            Arc::new(millis.with_timezone("UTC"))
        }),
        ("key", Arc::new(arrow_array::BinaryArray::from_iter_values((0..MESSAGES).map(|nth| id(nth).into_bytes())))),
        ("value", Arc::new(arrow_array::BinaryArray::from_iter_values((0..MESSAGES).map(payload)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("one length");
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).expect("a file"), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("it takes rows");
    writer.close().expect("it ends");
}

#[test]
fn a_table_of_kafka_records_has_their_payloads_and_positions() {
    let stage = stage();
    archived(&stage.join("archive.parquet"), |nth| json(nth).into_bytes());
    let ran = init(&stage, "--source archive.parquet --envelope table");
    let lines = ["format = \"json\"", "[source]", "envelope = \"table\"", "columns = [\"id\"]", "at = \"epoch_ms\""];
    let text = held(&stage, &ran, &lines);
    assert!(text.contains("archive.parquet\"]"), "{text}");

    // A table that keeps the positions is tied by them.
    let columns = vec![
        Column::optional("raw", ColumnType::Binary),
        Column::optional("partition", ColumnType::Int),
        Column::optional("offset", ColumnType::Long),
    ];
    let payload = |nth: i64| if nth % 3 == 0 { b"<trade/>".to_vec() } else { json(nth).into_bytes() };
    let row = |nth: i64| vec![Value::Bytes(payload(nth)), Value::long(nth % 2), Value::long(1_000 + nth / 2)];
    let other = Sent { partition: 0, key: None, payload: Some(b"<other/>".to_vec()) };
    let stage = Stage::new(&vec![other; 50], &table(columns, (0..MESSAGES).map(row).collect(), 50));
    archived(&stage.join("archive.parquet"), payload);
    let ran = init(&stage, "--source archive.parquet --envelope table");
    held(&stage, &ran, &["format = \"bytes\"", "envelope = \"table\"", "mode = \"offset\"", "raw = \"_value\""]);
}

#[test]
fn an_envelope_that_the_files_do_not_have_is_said() {
    let stage = stage();
    archived(&stage.join("archive.parquet"), |nth| json(nth).into_bytes());
    std::fs::write(stage.join("capture.jsonl"), json(1)).expect("a file");
    for flags in ["--source capture.jsonl --envelope table", "--source archive.parquet --envelope kcat"] {
        let ran = stage.init(flags);
        assert!(ran.exit == 2 && ran.stderr.contains("envelope "), "{flags}\n{}", ran.all());
    }
    assert_eq!(stage.init("--envelope table").exit, 2, "of no files");
    let line = r#"{"topic":"trades","partition":0,"offset":0,"tstype":"create","ts":1,"key":null,"payload":"{}"}"#;
    std::fs::write(stage.join("kcat.jsonl"), line).expect("a file");
    let ran = stage.init("--source kcat.jsonl");
    assert!(ran.exit == 2 && ran.stderr.contains("--envelope kcat"), "{}", ran.all());
}

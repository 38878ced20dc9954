//! Rows of Parquet and records of Avro as messages, and several topics in one table.

use std::fs;
use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use insta::assert_snapshot;

use crate::scene::{EPOCH_MS, Folder, Scene};
use crate::transcript::validator;

pub(super) fn written(scene: &Scene, format: &str) -> Folder {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let folder = runtime.block_on(scene.write());
    folder.edit("pipeline.toml", "format = \"json\"", &format!("format = \"{format}\""));
    folder.edit("pipeline.toml", "envelope = \"kcat\"", "envelope = \"none\"");
    folder
}

/// The outcome, the counts of messages, and each finding by verdict and offset.
fn judged(folder: &Folder, words: &str) -> String {
    let words =
        format!("reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --report r.json --findings f.jsonl {words}");
    let ran = validator(folder.path(), &words).assert_no_panic();
    let Ok(report) = fs::read_to_string(folder.join("r.json")) else { return ran.all() };
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let mut said =
        format!("{} consumed {}", report["outcome"].as_str().unwrap_or_default(), report["messages"]["consumed"]);
    for line in fs::read_to_string(folder.join("f.jsonl")).expect("findings").lines() {
        let finding: serde_json::Value = serde_json::from_str(line).expect("JSON");
        said += &format!(
            "\n{} {}[{}]@{} {}",
            finding["verdict"], finding["topic"], finding["partition"], finding["offset"], finding["columns"]
        );
    }
    said
}

#[test]
fn rows_of_parquet_are_judged_by_their_columns() {
    let scene = Scene::key().topic("0@0 x 1").file("a 1.5 | b 2.25 | d 4");
    let folder = written(&scene, "parquet");
    let batch = |ids: Vec<&str>, prices: Vec<i128>| {
        let at = TimestampMicrosecondArray::from(vec![EPOCH_MS * 1000; ids.len()]).with_timezone("UTC");
        // More digits than the column keeps, where there are any.
        let prices = Decimal128Array::from(prices).with_precision_and_scale(30, 10).expect("fits");
        let columns: [(&str, ArrayRef); 3] =
            [("id", Arc::new(StringArray::from(ids))), ("price", Arc::new(prices)), ("at", Arc::new(at))];
        RecordBatch::try_from_iter(columns).expect("a batch")
    };
    for (name, batch) in [
        ("b.parquet", batch(vec!["c", "d"], vec![1, 40_000_000_001])),
        ("a.parquet", batch(vec!["a", "b"], vec![15_000_000_000, 22_500_000_000])),
    ] {
        fixtures_warehouse::write_rows(&folder.join(name), &batch).expect("written");
    }
    assert_snapshot!(judged(&folder, "--source *.parquet --envelope none"), @r#"
    breached consumed 4
    "missing" "trades"[1]@0 []
    "corrupted" "trades"[1]@1 [{"damage":"truncated","message":"4.0000000001","name":"price","row":"4"}]
    "#);
}

#[test]
fn records_of_avro_are_judged_by_the_schema_of_their_file() {
    let schema = r#"{"type": "record", "name": "t", "fields": [{"name": "id", "type": "string"},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 8}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;
    let scene = Scene::key().topic("0@0 x 1").file("a 1 | b 3");
    let folder = written(&scene, "avro");
    let long = |value: i64| {
        let (mut raw, mut bytes) = (((value << 1) ^ (value >> 63)) as u64, Vec::new());
        while raw >= 0x80 {
            bytes.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        bytes.push(raw as u8);
        bytes
    };
    let text = |bytes: &[u8]| [long(bytes.len() as i64), bytes.to_vec()].concat();
    let record = |id: &str, price: i64| {
        [text(id.as_bytes()), text(&(price * 100_000_000).to_be_bytes()), long(EPOCH_MS)].concat()
    };
    let data = [record("a", 1), record("b", 2)].concat();
    let header = [b"Obj\x01".to_vec(), long(1), text(b"avro.schema"), text(schema.as_bytes()), long(0), vec![7; 16]];
    let file = [header.concat(), long(2), text(&data), vec![7; 16]].concat();
    fs::write(folder.join("x.avro"), file).expect("written");
    assert_snapshot!(judged(&folder, "--source *.avro --envelope none"), @r#"
    breached consumed 2
    "corrupted" "trades"[0]@1 [{"damage":"other","message":"2","name":"price","row":"3"}]
    "#);
}

#[test]
fn several_topics_go_into_one_table_each_with_its_own_partition_0() {
    let messages = "p:0@0 a 1 | p:0@1 b 2 | q:0@0 c 3 | q:0@1 d 4 | q:1@0 e 5";
    let rows = "p:0@0 a 1 | p:0@1 b 2 | q:0@0 c 3 | q:0@1 d 5 | q:1@0 e 5";
    assert_snapshot!(Scene::offset().topic(messages).file(rows).verdicts(), @"
    messages 5: 1 corrupted, 4 intact
    rows 5: 1 corrupted, 4 intact
    breached, fidelity 0.8
    corrupted other q[0]@1 f1:3 price 4 → 5 other
    ");
    let rows = "a 1 | b 2 | c 3 | d 4 | e 6";
    assert_snapshot!(Scene::key().topic(messages).file(rows).verdicts(), @"
    messages 5: 1 corrupted, 4 intact
    rows 5: 1 corrupted, 4 intact
    breached, fidelity 0.8
    corrupted other q[1]@0 f1:4 price 5 → 6 other
    ");
}

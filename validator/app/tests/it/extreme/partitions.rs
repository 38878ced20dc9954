//! A table of a hundred thousand partitions, a topic of two thousand.

use fixtures_kit::table::{DataFile, PartitionField, Row, Transform};
use fixtures_kit::value::Value;

use super::{judged, written};
use crate::scene::{EPOCH_MS, Scene};

const TOPIC_PARTITIONS: usize = 2_000;

#[test]
fn a_recorded_topic_of_two_thousand_partitions_is_judged() {
    let all: Vec<String> = (0..TOPIC_PARTITIONS).map(|partition| format!("{partition}@0 a 1")).collect();
    let judged = judged(written(&Scene::offset().topic(&all.join("|")).file(&all.join("|"))).path());
    assert_eq!(judged.counts(), "consumed 2000, intact 2000 | intact 2000, total 2000");
    assert_eq!(judged.report["partitions"].as_array().map(Vec::len), Some(2_000));
    assert!(judged.mib < 600, "{} MiB for 2,000 messages", judged.mib);
}

/// The id of a message, and its partition of the table.
fn id(offset: i64) -> String {
    format!("id-{offset}")
}

/// A file of a partition by id: one row, which is all that its partition may hold.
fn file(offset: i64) -> DataFile {
    let values = vec![
        Value::text("trades"),
        Value::long(0),
        Value::long(offset),
        Value::Text(id(offset)),
        Value::decimal(1, 0),
        Value::instant(EPOCH_MS * 1000),
    ];
    DataFile {
        path: format!("data/id={offset}/f.parquet"),
        rows: vec![Row { values, labels: Vec::new() }],
        row_group_rows: 1,
        partition: vec![Value::Text(id(offset))],
        bounds: true,
        breakage: None,
        record_count_error: 0,
    }
}

#[test]
fn a_table_of_ten_thousand_partitions_is_judged() {
    let count: i64 = 10_000;
    let mut scene = Scene::offset();
    scene.table.partitioning = vec![PartitionField { column: 3, transform: Transform::Identity }];
    let messages: Vec<String> = (0..count).map(|offset| format!("0@{offset} {} 1", id(offset))).collect();
    scene = scene.topic(&messages.join("|"));
    scene.table.files = (0..count).map(file).collect();
    let added: Vec<usize> = (0..count as usize).collect();
    let scene = scene.commit(fixtures_kit::table::Operation::Append, &added, &[]);
    let judged = judged(written(&scene).path());
    assert_eq!(judged.counts(), format!("consumed {count}, intact {count} | intact {count}, total {count}"));
    assert!(judged.mib < 900, "{} MiB for {count} partitions", judged.mib);
}

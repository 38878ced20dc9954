//! **Misrouted** rows: what `rows.misrouted` of section 5 counts, and one finding for each of them.

use fixtures_kit::schema::ColumnType;
use fixtures_kit::table::{Operation, PartitionField, Transform};
use fixtures_kit::value::Value;
use insta::assert_snapshot;
use serde_json::json;

use crate::scene::Scene;

/// 2024-08-08, the day of every row without a time of its own, in days since the epoch.
pub(super) const DAY: i32 = 19_943;

/// The scene's table, partitioned by the day of its time; every file stands in the partition of `day`.
pub(super) fn by_day(mut scene: Scene, day: i32) -> Scene {
    let column = scene.table.columns.iter().position(|column| column.kind == ColumnType::Timestamptz);
    let column = column.expect("scenes have a time");
    scene.table.partitioning = vec![PartitionField { column, transform: Transform::Day }];
    scene.table.files.iter_mut().for_each(|file| file.partition = vec![Value::Date(day)]);
    scene
}

#[test]
fn a_row_whose_values_give_another_partition_is_intact_and_misrouted() {
    // The second row is of the next day.
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 +43200").file("0@0 a 1 | 0@1 b 2 +43200");
    assert_snapshot!(by_day(scene.clone(), DAY).verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact, 1 misrouted
    breached, fidelity 1.0
    misrouted f1:1 (at is 2024-08-09T00:00:00Z, the file's partition says at_day = 2024-08-08 (day))
    ");
    let answer = by_day(scene.clone(), DAY).answer();
    let finding = serde_json::to_value(&answer.findings.at_hand[0]).expect("a finding is JSON");
    assert_eq!(finding["identity"], json!({ "topic": "trades", "partition": 0, "offset": "1" }));
    assert_eq!((&finding["snapshot_id"], &finding["operation"]), (&json!(1001), &json!("append")));
    assert_eq!(by_day(scene, DAY + 1).answer().report.rows.misrouted, Some(1), "the first row then");
}

#[test]
fn where_all_rows_stand_in_their_partition_none_is_misrouted() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2");
    assert_eq!(scene.answer().report.rows.misrouted, Some(0), "an unpartitioned table");
    assert_eq!(by_day(scene, DAY).answer().report.rows.misrouted, Some(0));
}

#[test]
fn misrouted_rows_are_also_in_one_of_the_other_verdicts_on_rows() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 {\"id\"");
    let scene = scene.file("0@0 a 1.5 | 0@1 b 2 | 0@1 b 2 | 0@9 z 9 | 0@3 d 4");
    assert_snapshot!(by_day(scene, DAY + 1).verdicts(), @"
    messages 4: 1 corrupted, 1 duplicated, 1 overdue, 1 undecodable
    rows 5: 2 copies, 1 corrupted, 5 misrouted, 1 phantom, 1 unjudged
    breached, fidelity 0.25
    corrupted other trades[0]@0 f1:0 price 1 → 1.5 other
    duplicated copied trades[0]@1 f1:1 f1:2
    overdue trades[0]@2
    undecodable bad_payload trades[0]@3 f1:4 (cannot be decoded: `:` is due here (byte 5))
    misrouted f1:0 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    misrouted f1:1 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    misrouted f1:2 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    phantom unexplained f1:3
    misrouted f1:3 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    misrouted f1:4 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    ");
}

#[test]
fn a_row_out_of_scope_is_not_misrouted() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@- d 4");
    assert_snapshot!(by_day(scene.clone().to("0:1"), DAY + 1).verdicts(), @"
    messages 1: 1 intact
    rows 1: 1 intact, 1 misrouted, 3 out_of_scope
    breached, fidelity 1.0
    misrouted f1:0 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    ");
    assert_snapshot!(by_day(scene, DAY + 1).verdicts(), @"
    messages 3: 3 intact
    rows 4: 3 intact, 4 misrouted, 1 phantom
    breached, fidelity 0.75
    misrouted f1:0 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    misrouted f1:1 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    misrouted f1:2 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    phantom unexplained f1:3
    misrouted f1:3 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    ");
}

#[test]
fn at_the_edge_of_a_cut_range_a_paired_row_is_in_scope_and_an_unpaired_one_is_not() {
    // Read are b to d; the windows from 12:20 on are inside. a and x are unpaired and lie before them, z within.
    let scene = Scene::key().topic("0@0 a 1 | 0@1 b 2 +600 | 0@2 c 3 +1200 | 0@3 d 4 +1800").from("0:1");
    let scene = scene.file("a 1 | b 2 +600 | x 9 +600 | c 3 +1200 | z 9 +1200 | d 4.5 +1800");
    assert_snapshot!(by_day(scene, DAY + 1).verdicts(), @"
    messages 3: 1 corrupted, 2 intact
    rows 4: 1 corrupted, 2 intact, 4 misrouted, 2 out_of_scope, 1 phantom
    breached, fidelity 0.5
    corrupted other trades[0]@3 f1:5 price 4 → 4.5 other
    misrouted f1:1 (at is 2024-08-08T12:10:00Z, the file's partition says at_day = 2024-08-09 (day))
    misrouted f1:3 (at is 2024-08-08T12:20:00Z, the file's partition says at_day = 2024-08-09 (day))
    phantom unexplained f1:4
    misrouted f1:4 (at is 2024-08-08T12:20:00Z, the file's partition says at_day = 2024-08-09 (day))
    misrouted f1:5 (at is 2024-08-08T12:30:00Z, the file's partition says at_day = 2024-08-09 (day))
    ");
}

#[test]
fn a_row_of_a_file_with_two_live_entries_counts_twice_and_is_told_once() {
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a 1").commit(Operation::Append, &[0], &[]);
    assert_snapshot!(by_day(scene, DAY + 1).verdicts(), @"
    messages 1: 1 duplicated
    rows 2: 2 copies, 2 misrouted
    breached, fidelity 0.5
    duplicated copied trades[0]@0 f1:0 f1:0
    misrouted f1:0 (at is 2024-08-08T12:00:00Z, the file's partition says at_day = 2024-08-09 (day))
    metadata_inconsistent f1 (2 live manifest entries name this file: its rows are in the table 2 times)
    ");
}

#[test]
fn a_partition_of_an_ignored_column_is_not_looked_at() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2");
    let scene = by_day(scene, DAY + 1).section("[compare]\nignore = { at = \"not compared here\" }");
    let answer = scene.answer();
    assert_eq!((answer.report.rows.misrouted, answer.findings.at_hand.len()), (None, 0));
}

//! **What cannot be looked at** and **Unreadable bytes**.

use fixtures_kit::table::{Breakage, Operation};
use insta::assert_snapshot;

use crate::scene::{Scene, alike};

const FOUR: &str = "0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4";

#[test]
fn a_file_of_a_format_nobody_reads_here_makes_its_messages_unobservable() {
    let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2").broken(Breakage::ForeignFormat);
    let scene = scene.file("0@2 c 3 | 0@3 d 4");
    assert_snapshot!(scene.clone().verdicts(), @"
    messages 4: 2 intact, 2 unobservable
    rows 2: 2 intact
    unjudged, fidelity 1.0, not complete
    unobservable trades[0]@0
    unobservable trades[0]@1
    warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: data files of format ORC are not read
    ");
    // A message outside its bounds is lost all the same, and fidelity breaches where what was seen says so.
    let lost = scene.last_file(|file| drop(file.rows.remove(0)));
    assert_snapshot!(lost.verdicts(), @"
    messages 4: 1 intact, 1 missing, 2 unobservable
    rows 1: 1 intact
    breached, fidelity 0.5, not complete
    unobservable trades[0]@0
    unobservable trades[0]@1
    missing lost trades[0]@2
    warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: data files of format ORC are not read
    ");
}

#[test]
fn without_manifest_bounds_an_unreadable_file_may_hold_every_message() {
    let scene = Scene::offset().topic(FOUR).file("0@3 d 4").broken(Breakage::ForeignFormat);
    assert_snapshot!(scene.last_file(|file| file.bounds = false).verdicts(), @"
    messages 4: 4 unobservable
    rows 0
    unjudged, fidelity null, not complete
    unobservable trades[0]@0
    unobservable trades[0]@1
    unobservable trades[0]@2
    unobservable trades[0]@3
    warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: data files of format ORC are not read
    ");
}

#[test]
fn messages_that_are_not_due_are_pending_whatever_cannot_be_read() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1/+9999 b 2").file("0@0 a 1 | 0@1 b 2");
    assert_snapshot!(scene.clone().broken(Breakage::ForeignFormat).verdicts(), @"
    messages 2: 1 pending, 1 unobservable
    rows 0
    unjudged, fidelity null, not complete
    unobservable trades[0]@0
    warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: data files of format ORC are not read
    ");
    assert_snapshot!(scene.broken(Breakage::Missing).verdicts(), @"
    messages 2: 1 missing, 1 pending
    rows 0
    breached, fidelity 0.0
    missing storage_corrupt trades[0]@0
    storage_corrupt f1 (the file is not there; 2 rows are lost)
    ");
}

#[test]
fn the_unit_of_unreadable_bytes_is_the_row_group() {
    let scene = Scene::offset().topic(FOUR).file(FOUR).last_file(|file| file.row_group_rows = 2);
    assert_snapshot!(scene.broken(Breakage::RowGroups(vec![1])).verdicts(), @"
    messages 4: 2 intact, 2 missing
    rows 2: 2 intact
    breached, fidelity 0.5
    missing storage_corrupt trades[0]@2
    missing storage_corrupt trades[0]@3
    storage_corrupt f1 (row group 1: Unexpected struct field type 15; 2 rows are lost)
    ");
}

#[test]
fn in_key_mode_the_unit_is_the_row_group_too() {
    let scene = Scene::key().topic(FOUR).file("a 1 | b 2 | c 3 | d 4").last_file(|file| file.row_group_rows = 1);
    assert_snapshot!(scene.broken(Breakage::RowGroups(vec![0, 2])).verdicts(), @"
    messages 4: 2 intact, 2 missing
    rows 2: 2 intact
    breached, fidelity 0.5
    missing storage_corrupt trades[0]@0
    missing storage_corrupt trades[0]@2
    storage_corrupt f1 (row group 0: Unexpected struct field type 15; row group 2: Unexpected struct field type 15; 2 rows are lost)
    ");
}

#[test]
fn a_file_whose_footer_fails_is_lost_whole() {
    let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2").broken(Breakage::Truncated);
    assert_snapshot!(scene.file("0@2 c 3 | 0@3 d 4").verdicts(), @"
    messages 4: 2 intact, 2 missing
    rows 2: 2 intact
    breached, fidelity 0.5
    missing storage_corrupt trades[0]@0
    missing storage_corrupt trades[0]@1
    storage_corrupt f1 (the footer does not read: Invalid Parquet file. Corrupt footer; the file has N bytes, the manifest says N; 2 rows are lost)
    ");
}

#[test]
fn a_file_that_is_not_there_is_lost_whether_or_not_the_table_moved_past() {
    let scene = Scene::offset().topic(FOUR).file("0@2 c 3 | 0@3 d 4").broken(Breakage::Missing);
    assert_snapshot!(scene.file("0@0 a 1 | 0@1 b 2").verdicts(), @"
    messages 4: 2 intact, 2 missing
    rows 2: 2 intact
    breached, fidelity 0.5
    missing storage_corrupt trades[0]@2
    missing storage_corrupt trades[0]@3
    storage_corrupt f1 (the file is not there; 2 rows are lost)
    ");
}

#[test]
fn the_finding_says_when_missing_messages_outnumber_the_lost_rows() {
    // The bounds of the lost file span a message that lies in no file.
    let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@2 c 3").broken(Breakage::Missing).file("0@3 d 4");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 1 intact, 3 missing
    rows 1: 1 intact
    breached, fidelity 0.25
    missing storage_corrupt trades[0]@0
    missing storage_corrupt trades[0]@1
    missing storage_corrupt trades[0]@2
    storage_corrupt f1 (the file is not there; 2 rows are lost, 3 missing messages lie in its bounds: more than it held)
    ");
}

#[test]
fn without_manifest_bounds_a_lost_file_may_have_held_every_message() {
    let scene = Scene::offset().topic(FOUR).file("0@0 a 1").broken(Breakage::Missing);
    let scene = scene.last_file(|file| file.bounds = false).file("0@3 d 4");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 1 intact, 3 missing
    rows 1: 1 intact
    breached, fidelity 0.25
    missing storage_corrupt trades[0]@0
    missing storage_corrupt trades[0]@1
    missing storage_corrupt trades[0]@2
    storage_corrupt f1 (the file is not there; 1 row is lost, 3 missing messages lie in its bounds: more than it held)
    ");
}

#[test]
fn in_key_mode_the_identity_or_the_window_lies_inside_the_bounds() {
    // Lost are ids b to d at 60 s: c has such an id, z such a time, and x neither.
    let messages = "0@0 b 1 +60 | 0@1 c 2 +900 | 0@2 d 3 +60 | 0@3 z 4 +60 | 0@4 x 5 +900";
    let scene = Scene::key().topic(messages).file("b 1 +60 | d 3 +60").broken(Breakage::Missing);
    assert_snapshot!(scene.clone().verdicts(), @"
    messages 5: 5 missing
    rows 0
    breached, fidelity 0.0
    missing storage_corrupt trades[0]@0
    missing storage_corrupt trades[0]@1
    missing storage_corrupt trades[0]@2
    missing storage_corrupt trades[0]@3
    missing lost trades[0]@4
    storage_corrupt f1 (the file is not there; 2 rows are lost, 4 missing messages lie in its bounds: more than it held)
    ");
    let mut unreadable = scene;
    unreadable.table.files[0].breakage = Some(Breakage::ForeignFormat);
    assert_snapshot!(unreadable.verdicts(), @"
    messages 5: 1 missing, 4 unobservable
    rows 0
    breached, fidelity 0.0, not complete
    unobservable trades[0]@0
    unobservable trades[0]@1
    unobservable trades[0]@2
    unobservable trades[0]@3
    missing lost trades[0]@4
    warning: file://DIR/warehouse/market/trades/data/f1.parquet could not be looked at: data files of format ORC are not read
    ");
}

#[test]
fn a_lost_copy_is_a_finding_of_the_table_alone() {
    let scene = Scene::offset().topic(FOUR).file(FOUR).file("0@0 a 1").broken(Breakage::Missing);
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 4 intact
    rows 4: 4 intact
    breached, fidelity 1.0
    storage_corrupt f2 (the file is not there; 1 row is lost)
    ");
}

#[test]
fn a_data_file_with_two_live_entries_is_read_twice_and_one_finding() {
    let [offset, key] = [(Scene::offset(), "0@0 a 1 | 0@1 b 2"), (Scene::key(), "a 1 | b 2")]
        .map(|(scene, rows)| scene.topic("0@0 a 1 | 0@1 b 2").file(rows).commit(Operation::Append, &[0], &[]));
    assert_snapshot!(alike(&offset, &key), @"
    messages 2: 2 duplicated
    rows 4: 4 copies
    breached, fidelity 0.5
    duplicated copied trades[0]@0 f1:0 f1:0
    duplicated copied trades[0]@1 f1:1 f1:1
    metadata_inconsistent f1 (2 live manifest entries name this file: its rows are in the table 2 times)
    ");
}

#[test]
fn a_broken_file_with_two_live_entries_is_lost_once() {
    let scene = Scene::offset().topic(FOUR).file("0@0 a 1 | 0@1 b 2").broken(Breakage::Missing);
    let scene = scene.commit(Operation::Append, &[0], &[]).file("0@2 c 3 | 0@3 d 4");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 2 intact, 2 missing
    rows 2: 2 intact
    breached, fidelity 0.5
    missing storage_corrupt trades[0]@0
    missing storage_corrupt trades[0]@1
    storage_corrupt f1 (the file is not there; 2 rows are lost)
    metadata_inconsistent f1 (2 live manifest entries name this file: its rows are in the table 2 times)
    ");
}

#[test]
fn a_manifest_that_lies_about_a_files_rows_is_metadata_inconsistent() {
    let scene = Scene::offset().topic(FOUR).file(FOUR).last_file(|file| file.record_count_error = 1);
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 4 intact
    rows 4: 4 intact
    breached, fidelity 1.0
    metadata_inconsistent f1 (the file has 4 rows, its manifest entry says 5)
    ");
}

#[test]
fn a_table_with_equality_deletes_refuses_the_run() {
    let mut scene = Scene::offset().topic(FOUR).file(FOUR);
    scene.table.equality_deletes = true;
    assert_snapshot!(scene.verdicts(), @"
    error: open the table
      because: table needs what this version cannot do: equality delete files (1 live)
      hint:    `--snapshot ID` judges a state of the table from before that was there
    ");
}

//! **Late** and **Withdrawn**: what time and an older snapshot say of rows and messages.

use fixtures_kit::table::Operation;
use insta::assert_snapshot;

use crate::scene::{Scene, alike};

#[test]
fn intact_messages_whose_row_came_after_its_time_and_settle_are_late() {
    // Committed at 60 s and 61 s; settle is 30 s, so that the row of 30 s is in time and that of 29 s is not.
    let scene =
        Scene::key().topic("0@0 a 1 +30 | 0@1 b 2 +29 | 0@2 c 3 +31 | 0@3 d 4 +30").fidelity("settle = \"30s\"");
    let scene = scene.file("a 1 +30 | b 2 +29").committed_at(60).file("c 3 +31 | d 4 +30").committed_at(61);
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 4 intact, 2 late
    rows 4: 4 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn late_is_null_when_settle_is_0() {
    let scene = Scene::key().topic("0@0 a 1").file("a 1");
    assert_eq!(scene.answer().report.messages.late, None);
    assert_eq!(scene.fidelity("settle = \"1s\"").answer().report.messages.late, Some(1));
}

#[test]
fn late_is_null_when_there_is_no_such_column() {
    for scene in [Scene::offset().file("0@0 a 1"), Scene::key_plain().file("a 1")] {
        let scene = scene.topic("0@0 a 1").fidelity("settle = \"1s\"");
        assert_eq!(scene.answer().report.messages.late, None);
    }
}

#[test]
fn corrupted_and_duplicated_messages_are_not_late() {
    let scene = Scene::key().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("a 9 | b 2 | b 2 | c 3");
    assert_eq!(scene.fidelity("settle = \"1s\"").answer().report.messages.late, Some(1));
}

#[test]
fn rows_that_replace_wrote_are_skipped_with_their_number_in_a_warning() {
    let scene = Scene::key().topic("0@0 a 1 | 0@1 b 2").file("a 1").file("b 2").file("a 1").fidelity("settle = \"1s\"");
    let mut scene = scene;
    scene.table.snapshots[2].operation = Operation::Replace;
    scene.table.snapshots[2].removed = vec![0];
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact, 1 late
    rows 2: 2 intact
    holds, fidelity 1.0
    warning: 1 row was rewritten or its snapshot has expired: late is not known of them
    ");
}

#[test]
fn late_is_null_when_every_row_was_skipped() {
    let mut scene = Scene::key().topic("0@0 a 1").file("a 1").file("a 1").fidelity("settle = \"1s\"");
    scene.table.snapshots[1].operation = Operation::Replace;
    scene.table.snapshots[1].removed = vec![0];
    assert_eq!(scene.answer().report.messages.late, None);
}

#[test]
fn a_message_whose_row_stands_in_an_older_snapshot_is_missing_removed_with_the_operation_named() {
    let both = [(Scene::offset(), "0@0 a 1 | 0@1 b 2", "0@1 b 2"), (Scene::key(), "a 1 | b 2", "b 2")];
    let [offset, key] = both.map(|(scene, rows, rest)| {
        let mut scene = scene.topic("0@0 a 1 | 0@1 b 2").file(rows).file(rest);
        scene.table.snapshots[1].operation = Operation::Overwrite;
        scene.table.snapshots[1].removed = vec![0];
        let finding = &scene.answer().findings.at_hand[0];
        assert_eq!((finding.snapshot_id, finding.operation.as_deref()), (Some(1002), Some("overwrite")));
        scene
    });
    assert_snapshot!(alike(&offset, &key), @"
    messages 2: 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing removed trades[0]@0
    ");
}

#[test]
fn a_removed_row_is_missing_also_where_the_table_has_not_moved_past() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1").file("0@1 b 2");
    let scene = scene.commit(Operation::Delete, &[], &[1]);
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing removed trades[0]@1
    ");
}

#[test]
fn what_a_replace_dropped_is_removed_too() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1 | 0@1 b 2").file("0@1 b 2");
    let mut scene = scene;
    scene.table.snapshots[1].operation = Operation::Replace;
    scene.table.snapshots[1].removed = vec![0];
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing removed trades[0]@0
    ");
    assert_eq!(scene.answer().findings.at_hand[0].operation.as_deref(), Some("replace"));
}

#[test]
fn a_row_that_was_rewritten_was_not_taken_from_an_equal_message() {
    let lagging = Scene::key().topic("0@0 a 1 | 0@1 a 1").file("a 1");
    let before = lagging.verdicts();
    let mut rewritten = lagging.file("a 1");
    rewritten.table.snapshots[1].operation = Operation::Replace;
    rewritten.table.snapshots[1].removed = vec![0];
    assert_eq!(rewritten.verdicts(), before);
    assert!(!before.contains("removed"), "{before}");

    // One of two rows was.
    let mut taken = Scene::key().topic("0@0 a 1 | 0@1 a 1").file("a 1 | a 1").file("a 1");
    taken.table.snapshots[1].operation = Operation::Overwrite;
    taken.table.snapshots[1].removed = vec![0];
    assert_snapshot!(taken.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing removed trades[0]@1
    ");
}

#[test]
fn rows_of_a_snapshot_that_came_after_the_judged_one_are_not_removed_from_it() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@1 b 2").file("0@0 a 1").snapshot(1001);
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    ");
}

#[test]
fn withdrawn_is_0_in_a_one_shot_run() {
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a 1").commit(Operation::Delete, &[], &[0]);
    assert_eq!(scene.answer().report.messages.withdrawn, 0);
}

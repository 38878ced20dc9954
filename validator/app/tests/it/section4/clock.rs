//! **Clock.**

use fixtures_kit::table::Operation;
use insta::assert_snapshot;

use crate::scene::{EPOCH_MS, Scene, alike};

#[test]
fn a_message_is_due_when_its_timestamp_and_settle_are_not_after_judged_at() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@1 b 2").fidelity("settle = \"10m\"");
    assert_snapshot!(scene.clone().judged_at(600).verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    ");
    assert_snapshot!(scene.judged_at_ms(EPOCH_MS + 599_999).verdicts(), @"
    messages 2: 1 intact, 1 pending
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn a_message_without_a_row_has_expired_once_its_retention_is_over_whatever_it_was() {
    let scene = |mode: Scene| mode.topic("0@0 a 1 | 0@1 b 2").file("0@1 b 2").fidelity("retention = \"30m\"");
    let before = scene(Scene::offset()).judged_at_ms(EPOCH_MS + 1_799_999);
    assert_snapshot!(before.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    ");
    assert_snapshot!(scene(Scene::offset()).judged_at(1_800).verdicts(), @"
    messages 2: 1 excluded, 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    warning: 1 message has no row, and retention is over: only a continuous run knows which of them ever had one
    ");
}

#[test]
fn a_row_that_is_there_is_compared_however_old_it_is() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 9 | 0@1 b 2 | 0@1 b 2");
    assert_snapshot!(scene.fidelity("retention = \"30m\"").verdicts(), @"
    messages 3: 1 corrupted, 1 duplicated, 1 excluded
    rows 3: 2 copies, 1 corrupted
    breached, fidelity 0.3333333333333333
    corrupted other trades[0]@0 f1:0 price 1 → 9 other
    duplicated copied trades[0]@1 f1:1 f1:2
    warning: 1 message has no row, and retention is over: only a continuous run knows which of them ever had one
    ");
}

#[test]
fn a_message_with_a_row_is_judged_before_it_is_due() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 1 | 0@1 b 9 | 0@2 c 3 | 0@2 c 3");
    assert_snapshot!(scene.judged_at(-1).verdicts(), @"
    messages 3: 1 corrupted, 1 duplicated, 1 intact
    rows 4: 2 copies, 1 corrupted, 1 intact
    breached, fidelity 0.5
    corrupted other trades[0]@1 f1:1 price 2 → 9 other
    duplicated copied trades[0]@2 f1:2 f1:3
    ");
}

#[test]
fn a_message_without_timestamp_is_always_due_and_the_table_has_moved_past_it() {
    let [offset, key] =
        [Scene::offset(), Scene::key()].map(|scene| scene.topic("0@0/- a 1 | 0@1 b 2").fidelity("settle = \"24h\""));
    assert_snapshot!(alike(&offset, &key), @"
    messages 2: 1 missing, 1 pending
    rows 0
    breached, fidelity 0.0
    missing lost trades[0]@0
    ");
}

#[test]
fn offset_mode_a_row_with_a_larger_offset_of_the_partition_shows_that_the_table_moved_past() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@1 b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 intact, 1 missing, 1 overdue
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    overdue trades[0]@2
    ");
}

#[test]
fn offset_mode_another_partition_shows_nothing() {
    let scene = Scene::offset().topic("0@0 a 1 | 1@7 b 2 | 1@8 c 3").file("1@7 b 2 | 1@8 c 3");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 overdue
    rows 2: 2 intact
    unjudged, fidelity 1.0
    overdue trades[0]@0
    ");
}

#[test]
fn offset_mode_only_a_row_paired_by_step_1_shows_it() {
    let damaged = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@1 b 9");
    assert_snapshot!(damaged.verdicts(), @"
    messages 2: 1 corrupted, 1 overdue
    rows 1: 1 corrupted
    breached, fidelity 0.0
    overdue trades[0]@0
    corrupted other trades[0]@1 f1:0 price 2 → 9 other
    ");
    let duplicated = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@1 b 2 | 0@1 b 9");
    assert_snapshot!(duplicated.verdicts(), @"
    messages 2: 1 duplicated, 1 duplicated_differing, 1 missing
    rows 2: 2 copies
    breached, fidelity 0.3333333333333333
    missing lost trades[0]@0
    duplicated copies_differ trades[0]@1 f1:0 f1:1 price 2 → 9 other
    ");
}

#[test]
fn key_mode_a_later_commit_that_added_rows_shows_that_the_table_moved_past() {
    // The commits come 60 s and 61 s after the epoch; settle is 30 s.
    let scene = Scene::key().topic("0@0/+30 a 1 | 0@1/+31 b 2 | 0@2/+32 c 3").file("z 1").committed_at(60);
    let scene = scene.topic("0@3 z 1").fidelity("settle = \"30s\"");
    assert_snapshot!(scene.clone().verdicts(), @"
    messages 4: 1 intact, 1 late, 1 missing, 2 overdue
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    overdue trades[0]@1
    overdue trades[0]@2
    ");
    assert_snapshot!(scene.file("y 2").committed_at(61).topic("0@4 y 2").verdicts(), @"
    messages 5: 2 intact, 2 late, 2 missing, 1 overdue
    rows 2: 2 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    missing lost trades[0]@1
    overdue trades[0]@2
    ");
}

#[test]
fn key_mode_a_replace_shows_nothing_nor_does_a_commit_that_adds_no_rows() {
    let scene = Scene::key().topic("0@0/+100 a 1 | 0@1 z 1").file("z 1").committed_at(60).file("z 1");
    let mut replaced = scene.clone();
    replaced.table.snapshots[1].operation = Operation::Replace;
    replaced.table.snapshots[1].removed = vec![0];
    assert_snapshot!(replaced.verdicts(), @"
    messages 2: 1 intact, 1 overdue
    rows 1: 1 intact
    unjudged, fidelity 1.0
    overdue trades[0]@0
    ");
    let deleted =
        Scene::key().topic("0@0/+100 a 1 | 0@1 z 1").file("z 1").committed_at(60).file("y 2").committed_at(61);
    assert_snapshot!(deleted.commit(Operation::Delete, &[], &[1]).verdicts(), @"
    messages 2: 1 intact, 1 overdue
    rows 1: 1 intact
    unjudged, fidelity 1.0
    overdue trades[0]@0
    ");
}

#[test]
fn key_mode_only_commits_in_the_ancestry_of_the_judged_snapshot_count() {
    let scene = Scene::key().topic("0@0/+100 a 1 | 0@1 z 1").file("z 1").committed_at(120).file("y 2");
    let scene = scene.topic("0@2/+130 y 2").snapshot(1001);
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 intact, 1 missing, 1 pending
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    ");
}

#[test]
fn after_give_up_a_message_is_missing_in_any_case() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1/+1 b 2").file("1@0 z 1").topic("1@0 z 1");
    let scene = scene.fidelity("give_up = \"1h\"").judged_at(3600);
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 intact, 1 missing, 1 overdue
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    overdue trades[0]@1
    ");
}

#[test]
fn judged_at_is_the_commit_time_of_a_snapshot_that_is_asked_for() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1/+3600 b 2 | 0@2/+3601 c 3").file("0@0 a 1").snapshot(1001);
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 intact, 1 overdue, 1 pending
    rows 1: 1 intact
    unjudged, fidelity 1.0
    overdue trades[0]@1
    ");
}

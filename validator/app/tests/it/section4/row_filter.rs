//! **Row filter**: a table that several pipelines write to, judged by one of them.

use fixtures_kit::table::Operation;
use insta::assert_snapshot;

use crate::scene::{Scene, alike};

const OURS: &str = "row_filter = \"id NOT LIKE 'x%'\"";

#[test]
fn rows_of_others_are_out_of_scope_in_each_mode() {
    let scenes = [Scene::key(), Scene::key_plain(), Scene::content(), Scene::content_plain(), Scene::upsert()];
    let said = "messages 2: 2 intact\nrows 2: 2 intact, 3 out_of_scope\nholds, fidelity 1.0";
    for scene in scenes {
        let scene = scene.topic("0@0 a 1 | 0@1 b 2").pipeline(OURS).file("x1 1 | a 1 | x2 2 +86400").file("b 2 | x3 3");
        assert_eq!(scene.verdicts().trim(), said);
    }
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").pipeline(OURS).file("0@0 a 1 | 0@0 x1 7").file("0@1 b 2");
    assert_eq!(scene.verdicts().trim(), said.replace("3 out_of_scope", "1 out_of_scope"));
}

#[test]
fn what_is_wrong_with_rows_of_ones_own_is_found_beside_those_of_others() {
    let both = [Scene::key(), Scene::key_plain()];
    let [window, plain] = both.map(|scene| {
        scene.topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").pipeline(OURS).file("x1 1 | a 1 | b 9 | x2 2 | d 4 | a 1")
    });
    assert_snapshot!(alike(&window, &plain), @"
    messages 3: 1 corrupted, 1 duplicated, 1 missing
    rows 4: 2 copies, 1 corrupted, 2 out_of_scope, 1 phantom
    breached, fidelity 0.2
    duplicated copied trades[0]@0 f1:1 f1:5
    corrupted other trades[0]@1 f1:2 price 2 → 9 other
    missing lost trades[0]@2
    phantom unexplained f1:4
    ");
}

#[test]
fn a_row_that_seems_to_be_anothers_is_missing_and_one_that_seems_to_be_ours_is_a_phantom() {
    let scene = Scene::key().topic("0@0 a 1 | 0@1 b 2").pipeline(OURS).file("xa 1 | b 2 | c 3");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 2: 1 intact, 1 out_of_scope, 1 phantom
    breached, fidelity 0.3333333333333333
    missing lost trades[0]@0
    phantom unexplained f1:2
    ");
}

#[test]
fn a_row_that_is_gone_is_removed_and_what_was_anothers_is_not_taken_for_it() {
    // A row of the same identity, which is another pipeline's, never was this message's row.
    let filter = "row_filter = \"price < 100\"";
    let mut scene = Scene::key().topic("0@0 a 1 | 0@1 b 2").pipeline(filter).file("a 1 | b 200").file("c 300");
    scene.table.snapshots[1].operation = Operation::Overwrite;
    scene.table.snapshots[1].removed = vec![0];
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 missing
    rows 0: 1 out_of_scope
    breached, fidelity 0.0
    missing removed trades[0]@0
    missing lost trades[0]@1
    ");
}

#[test]
fn a_condition_that_is_null_keeps_no_row() {
    let scene = Scene::key().topic("0@0 a 1").pipeline("row_filter = \"nullif(price, 2) < 5\"").file("a 1 | b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 intact
    rows 1: 1 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
}

//! **Content mode**: neither offsets nor a key; what is said of messages and rows as multisets.

use fixtures_kit::table::{Breakage, Operation};
use insta::assert_snapshot;

use crate::scene::{Scene, alike};

#[test]
fn what_is_there_once_and_unaltered_is_intact() {
    let both =
        [Scene::content(), Scene::content_plain()].map(|scene| scene.topic("0@0 a 1 | 1@0 b 2").file("b 2 | a 1"));
    assert_snapshot!(alike(&both[0], &both[1]), @"
    messages 2: 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn a_damaged_row_is_one_missing_and_one_phantom_linked_where_they_differ_in_one_column() {
    let both = [Scene::content(), Scene::content_plain()];
    let [window, plain] = both.map(|scene| scene.topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("a 1 | b 9 | c 3 +86400"));
    assert_snapshot!(alike(&window, &plain), @"
    messages 3: 1 intact, 2 missing
    rows 3: 1 intact, 2 phantom
    breached, fidelity 0.2
    missing lost trades[0]@1 (no row, and the table has moved past it; one phantom row differs from it in price alone)
    missing lost trades[0]@2 (no row, and the table has moved past it; one phantom row differs from it in at alone)
    phantom unexplained f1:1 (no message explains this row; one missing message differs from it in price alone)
    phantom unexplained f1:2 (no message explains this row; one missing message differs from it in at alone)
    ");
    let findings = window.answer().findings.at_hand;
    assert_eq!(findings[0].related.as_ref(), Some(&findings[2].id));
    assert_eq!(findings[2].related.as_ref(), Some(&findings[0].id));
    assert!(findings.iter().all(|finding| finding.identity.is_none() && finding.columns.is_empty()));
}

#[test]
fn a_link_that_is_not_unique_is_none() {
    // b has two rows that differ in one column each; c differs from its row in two.
    let scene = Scene::content().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("a 1 | b 8 | b 9 | C 4");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 intact, 2 missing
    rows 4: 1 intact, 3 phantom
    breached, fidelity 0.16666666666666666
    missing lost trades[0]@1
    missing lost trades[0]@2
    phantom unexplained f1:1
    phantom unexplained f1:2
    phantom unexplained f1:3
    ");
}

#[test]
fn an_inexact_value_is_linked_to_the_row_that_was_rounded() {
    let scene = Scene::content().topic("0@0 a 1.123456785 | 0@1 b 2").file("a 1.12345679 | b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.3333333333333333
    missing lost trades[0]@0 (no row, and the table has moved past it; one phantom row differs from it in price alone)
    phantom unexplained f1:0 (no message explains this row; one missing message differs from it in price alone)
    ");
}

#[test]
fn among_equal_messages_counts_are_exact_and_the_finding_lists_candidates() {
    let scene = Scene::content().topic("0@0 a 1 | 0@1 a 1 | 1@0 a 1 | 1@1 b 2").file("a 1 | b 2").file("a 1");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 3 intact, 1 missing
    rows 3: 3 intact
    breached, fidelity 0.75
    missing lost trades[1]@0 of [0]@0 [0]@1 [1]@0
    ");
    let detail = &scene.answer().findings.at_hand[0].detail;
    assert_eq!(detail, "no row, and the table has moved past it; which of 3 equal messages it is cannot be told");
}

#[test]
fn surplus_rows_are_copies_of_the_last_of_equal_messages() {
    let scene = Scene::content().topic("0@0 a 1 | 0@1 a 1 | 0@2 b 2").file("a 1 | a 1 | b 2 | b 2").file("a 1");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 duplicated, 1 intact
    rows 5: 4 copies, 1 intact
    breached, fidelity 0.6
    duplicated copied trades[0]@1 f1:1 f2:0 of [0]@0 [0]@1
    duplicated copied trades[0]@2 f1:2 f1:3
    ");
}

#[test]
fn a_copy_that_differs_is_a_phantom_that_nothing_is_missing_for() {
    let scene = Scene::content().topic("0@0 a 1").file("a 1 | a 9");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 intact
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.5
    phantom unexplained f1:1
    ");
}

#[test]
fn null_equals_null_and_a_null_window_is_the_window_none() {
    let scene = Scene::content().topic("0@0 - - - | 0@1 - - - | 0@2 b 2 -").file("b 2 - | - - - | c 3 -");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 missing
    rows 3: 2 intact, 1 phantom
    breached, fidelity 0.5
    missing lost trades[0]@1 of [0]@0 [0]@1
    phantom unexplained f1:2
    ");
}

const MINUTES: &str = "0@0 a 1 +0 | 0@1 b 2 +60 | 0@2 c 3 +120 | 0@3 d 4 +180 | 0@4 e 5 +240 | 0@5 f 6 +300";

#[test]
fn window_bounds_leave_every_on_either_side_of_a_cut_range() {
    // As in mode key: L = 60 s, U = 240 s, so that only [120, 180) is inside. The copy of b lies at an edge.
    let rows = "b 2 +60 | c 3 +120 | d 4 +180 | e 5 +240 | b 2 +60 | c 3 +120";
    let phantoms = "v 9 +30 | w 9 +90 | x 9 +150 | y 9 +210 | z 9 +270 | n 9 -";
    let scene = Scene::content().topic(MINUTES).file(rows).file(phantoms).from("1").to("5");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 1 duplicated, 3 intact
    rows 6: 2 copies, 3 intact, 6 out_of_scope, 1 phantom
    breached, fidelity 0.6666666666666666
    duplicated copied trades[0]@2 f1:1 f1:5
    phantom unexplained f2:2
    ");
}

#[test]
fn a_range_of_time_is_cut_at_its_edge_windows() {
    // Kafka timestamps are the event times here; read are those from +60 to before +300: b, c, d, e. Partition 0 is cut
    // below (L = 60 s) and partition 1 above (U = 240 s): of the windows only [120, 180) is inside.
    let topic = "0@0/+0 a 1 +0 | 0@1/+60 b 2 +60 | 0@2/+120 c 3 +120 | 1@0/+180 d 4 +180 | 1@1/+240 e 5 +240 | 1@2/+300 f 6 +300";
    let scene = Scene::content().topic(topic).file("a 1 +0 | b 2 +60 | c 9 +120 | d 4 +180 | e 5 +240 | f 6 +300");
    let scene = scene.from("2024-08-08T12:01:00Z").to("2024-08-08T12:05:00Z");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 3 intact, 1 missing
    rows 4: 3 intact, 2 out_of_scope, 1 phantom
    breached, fidelity 0.6
    missing lost trades[0]@2 (no row, and the table has moved past it; one phantom row differs from it in price alone)
    phantom unexplained f1:2 (no message explains this row; one missing message differs from it in price alone)
    ");
}

#[test]
fn without_a_window_a_cut_range_says_nothing_of_unpaired_rows() {
    let scene = Scene::content_plain().topic(MINUTES).file("a 1 +0 | b 9 +60 | c 3 +120 | c 3 +120 | f 6 +300");
    assert_snapshot!(scene.from("1").to("4").verdicts(), @"
    messages 3: 1 intact, 2 missing
    rows 1: 1 intact, 4 out_of_scope
    breached, fidelity 0.3333333333333333
    missing lost trades[0]@1
    missing lost trades[0]@3
    ");
}

#[test]
fn rows_of_messages_below_start_are_out_of_scope_unless_a_later_one_equals_them() {
    let scene = Scene::content().topic("0@0 a 1 | 0@1 b 2 | 0@2 a 1").file("a 1 | b 2 | a 1");
    let scene = scene.pipeline("start = 1").from("earliest");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 excluded, 2 intact
    rows 2: 2 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn the_table_has_moved_past_by_its_commits() {
    // The commit comes at 3,600 s: a message of 3,541 s has settled after it.
    let scene = Scene::content().topic("0@0 a 1 | 0@1/+3541 b 2 | 0@2/+3540 c 3").file("a 1");
    let scene = scene.fidelity("settle = \"60s\"").fidelity("coverage = 0.5");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 intact, 1 late, 1 missing, 1 overdue
    rows 1: 1 intact
    breached, fidelity 0.5
    overdue trades[0]@1
    missing lost trades[0]@2
    ");
}

#[test]
fn as_many_rows_left_as_there_are_undecodable_messages_are_unjudged() {
    let scene = Scene::content().topic("0@0 a 1 | 0@1 {\"id\": | 0@2 c 3").file("x 8 | a 1 | c 3 | y 9");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 undecodable
    rows 4: 2 intact, 1 phantom, 1 unjudged
    breached, fidelity 0.6666666666666666
    undecodable bad_payload trades[0]@1 (cannot be decoded: field id: the payload ends where a value is due (byte 6))
    phantom unexplained f1:3
    ");
}

#[test]
fn a_message_that_cannot_be_mapped_has_no_known_content() {
    // In mode key the row of b would be set aside by its identity; here it is one of the rows left.
    let text = r#"0@0 a 1 | 0@1 {"id": "b", "price": "many", "at": "2024-08-08T12:00:00Z"}"#;
    let scene = Scene::content().topic(text).file("b 2 | a 1").section("[fields]\nprice = \"string\"");
    let scene = scene.section("[map]\nprice = \"CAST(price AS DECIMAL(18, 8))\"");
    assert_snapshot!(scene.verdicts(), @r#"
    messages 2: 1 intact, 1 undecodable
    rows 2: 1 intact, 1 unjudged
    unjudged, fidelity 1.0
    undecodable map_failed trades[0]@1 (cannot be mapped: price: "many" is not a decimal(18, 8))
    "#);
}

#[test]
fn a_message_that_the_filter_cannot_decide_on_leaves_equal_messages_their_rows() {
    let cast = "filter = \"CAST(CASE WHEN _offset = 0 THEN 'no number' ELSE '1' END AS INT) = 1\"";
    let scene = Scene::content().topic("0@0 a 1 | 0@1 a 1 | 0@2 b 2").pipeline(cast);
    let one = scene.clone().file("a 1 | b 2");
    assert!(
        one.verdicts().starts_with("messages 3: 2 intact, 1 undecodable\nrows 2: 2 intact\n"),
        "{}",
        one.verdicts()
    );
    let both = scene.file("a 1 | a 1 | b 2").verdicts();
    assert!(both.starts_with("messages 3: 2 intact, 1 undecodable\nrows 3: 2 intact, 1 unjudged\n"), "{both}");
}

#[test]
fn a_row_equal_to_a_filtered_message_is_phantom_filtered_and_one_of_a_tombstone_unexplained() {
    let scene = Scene::content()
        .topic("0@0 a 1 | 0@1 b 2 | 0@2 null")
        .file("a 1 | b 2 | c 3")
        .pipeline("filter = \"id = 'a'\"");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 3: 1 intact, 2 phantom
    breached, fidelity 0.3333333333333333
    phantom filtered f1:1
    phantom unexplained f1:2
    ");
}

#[test]
fn a_filtered_phantom_is_no_half_of_a_damaged_row() {
    let scene = Scene::content().topic("0@0 a 1 | 0@1 b 1").file("b 1").pipeline("filter = \"id = 'a'\"");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 excluded, 1 missing
    rows 1: 1 phantom
    breached, fidelity 0.0
    missing lost trades[0]@0
    phantom filtered f1:0
    ");
}

#[test]
fn a_lost_file_explains_what_its_window_bounds_may_hold() {
    let topic = "0@0 a 1 +0 | 0@1 b 2 +10 | 0@2 c 3 +999";
    let scene = Scene::content().topic(topic).file("a 1 +0 | x 9 +20").broken(Breakage::Missing);
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 3 missing
    rows 0
    breached, fidelity 0.0
    missing storage_corrupt trades[0]@0
    missing storage_corrupt trades[0]@1
    missing lost trades[0]@2
    storage_corrupt f1 (the file is not there; 2 rows are lost)
    ");
    // Without a window there is nothing to bound it by.
    let plain = Scene::content_plain().topic(topic).file("a 1 +0 | x 9 +20").broken(Breakage::Missing);
    assert_snapshot!(plain.verdicts(), @"
    messages 3: 3 missing
    rows 0
    breached, fidelity 0.0
    missing storage_corrupt trades[0]@0
    missing storage_corrupt trades[0]@1
    missing storage_corrupt trades[0]@2
    storage_corrupt f1 (the file is not there; 2 rows are lost, 3 missing messages lie in its bounds: more than it held)
    ");
}

#[test]
fn of_equal_messages_as_many_are_removed_as_rows_were_taken_away() {
    // Four equal messages; two rows were there, one of them is taken away; two never came.
    let scene = Scene::content().topic("0@0 a 1 | 0@1 a 1 | 0@2 a 1 | 0@3 a 1").file("a 1").file("a 1");
    let scene = scene.commit(Operation::Delete, &[], &[1]);
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 1 intact, 3 missing
    rows 1: 1 intact
    breached, fidelity 0.25
    missing removed trades[0]@1 of [0]@0 [0]@1 [0]@2 [0]@3
    missing lost trades[0]@2 of [0]@0 [0]@1 [0]@2 [0]@3
    missing lost trades[0]@3 of [0]@0 [0]@1 [0]@2 [0]@3
    ");
}

#[test]
fn several_topics_go_into_one_table_and_their_equal_messages_each_want_a_row() {
    let scene = Scene::content().topic("0@0 a 1 | q:0@0 a 1 | q:0@1 b 2").file("a 1 | b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 missing
    rows 2: 2 intact
    breached, fidelity 0.6666666666666666
    missing lost trades[0]@0 of [0]@0 [0]@0
    ");
}

#[test]
fn an_ignored_column_is_no_part_of_the_content() {
    let scene = Scene::content_plain().topic("0@0 a 1 | 0@1 a 2").file("a 7 | a 8");
    let scene = scene.section("[compare]\nignore = { price = \"another service sets it\" }");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn with_no_column_compared_there_is_no_content() {
    let scene = Scene::content_plain().topic("0@0 a 1").file("a 1");
    let all = "[compare]\nignore = { id = \"x\", price = \"x\", at = \"x\" }";
    let says = scene.section(all).verdicts();
    assert!(says.contains("no column is compared, so every row is like every other one"), "{says}");
}

#[test]
fn a_window_that_is_no_time_is_refused_at_its_line() {
    let folder = crate::bad_input::written(&Scene::content().topic("0@0 a 1").file("a 1"));
    folder.edit("pipeline.toml", "window = \"at\"", "window = \"price\"");
    let says = crate::bad_input::reconcile(&folder);
    assert!(
        says.contains("price is decimal(18, 8), not a date or a timestamp") && says.contains("window = \"price\""),
        "{says}"
    );
    folder.edit("pipeline.toml", "window = \"price\"", "window = \"att\"");
    let says = crate::bad_input::reconcile(&folder);
    assert!(says.contains("the table has no column att") && says.contains("window = \"att\""), "{says}");
}

/// Beside content mode: a NULL in the window column of mode `key`.
mod null_windows_of_key_mode {
    use super::*;

    #[test]
    fn a_null_window_pairs_by_the_key_in_the_window_none() {
        let scene = Scene::key().topic("0@0 a 1 - | 0@1 b 2 - | 0@2 c 3").file("a 1 - | b 9 - | c 3 | z 9 -");
        assert_snapshot!(scene.verdicts(), @"
        messages 3: 1 corrupted, 2 intact
        rows 4: 1 corrupted, 2 intact, 1 phantom
        breached, fidelity 0.5
        corrupted other trades[0]@1 f1:1 price 2 → 9 other
        phantom unexplained f1:3
        ");
    }

    #[test]
    fn a_window_that_became_null_and_one_that_was_null_are_damage() {
        let scene = Scene::key().topic("0@0 a 1 | 0@1 b 2 - | 0@2 c 3").file("a 1 - | b 2 | c 3");
        assert_snapshot!(scene.verdicts(), @"
        messages 3: 2 corrupted, 1 intact
        rows 3: 2 corrupted, 1 intact
        breached, fidelity 0.3333333333333333
        corrupted null_for_value trades[0]@0 f1:0 at 2024-08-08T12:00:00Z → null null_for_value
        corrupted value_for_null trades[0]@1 f1:1 at null → 2024-08-08T12:00:00Z value_for_null
        ");
    }

    #[test]
    fn in_a_cut_range_rows_of_the_window_none_pair_and_are_out_of_scope_unpaired() {
        let scene = Scene::key().topic("0@0 a 1 - | 0@1 b 2 - | 0@2 c 3").file("a 1 - | b 2 - | z 9 - | c 3");
        assert_snapshot!(scene.from("1").verdicts(), @"
        messages 2: 2 intact
        rows 2: 2 intact, 2 out_of_scope
        holds, fidelity 1.0
        ");
    }

    #[test]
    fn bounds_are_those_of_the_first_and_last_message_that_has_a_window() {
        // L is that of b, as the first message read has none: [120, 180) is inside, [60, 120) is not.
        let topic = "0@0 z 0 | 0@1 a 1 - | 0@2 b 2 +60 | 0@3 c 3 +240";
        let scene = Scene::key().topic(topic).file("a 1 - | b 2 +60 | c 3 +240 | x 9 +119 | y 9 +120");
        assert_snapshot!(scene.from("1").verdicts(), @"
        messages 3: 3 intact
        rows 4: 3 intact, 1 out_of_scope, 1 phantom
        breached, fidelity 0.75
        phantom unexplained f1:4
        ");
    }
}

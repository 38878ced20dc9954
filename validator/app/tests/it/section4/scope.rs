//! **Scope.**

use insta::assert_snapshot;

use crate::scene::{Scene, alike};

const THREE: &str = "0@0 a 1 | 0@1 b 2 | 0@2 c 3";

#[test]
fn from_defaults_to_earliest_and_to_to_now() {
    let scene = Scene::offset().topic(THREE).file(THREE);
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 3 intact
    rows 3: 3 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn what_lies_below_the_first_offset_there_is_is_no_hole() {
    let recorded = "0@100 a 1 | 0@101 b 2";
    let scene = Scene::offset().topic(recorded).file(recorded).file("0@99 z 9");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 3: 2 intact, 1 unobservable
    holds, fidelity 1.0
    ");
}

#[test]
fn from_defaults_to_the_declared_start() {
    let scene = Scene::offset().topic(THREE).file(THREE).pipeline("start = 1");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn messages_below_start_that_from_asks_for_are_excluded_and_their_rows_out_of_scope() {
    let scene = Scene::offset().topic(THREE).file(THREE).pipeline("start = 1").from("earliest");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 excluded, 2 intact
    rows 2: 2 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn in_key_mode_rows_of_messages_below_start_are_out_of_scope_too() {
    let scene = Scene::key().topic(THREE).file("a 1 | b 2 | c 3").pipeline("start = 1").from("earliest");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 excluded, 2 intact
    rows 2: 2 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn a_damaged_window_takes_no_row_of_a_message_below_start_into_scope() {
    let scene = Scene::key().topic(THREE).file("a 1 +86400 | b 2 | c 3").pipeline("start = 1").from("earliest");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 excluded, 2 intact
    rows 2: 2 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn a_row_of_the_identity_of_a_message_below_start_is_no_copy_whatever_window_that_message_has() {
    // Both messages say a; the second row may be that of either.
    let [near, far] = ["+600", "+0"].map(|at| {
        let topic = format!("0@0 a 1 {at} | 0@1 a 1 +600");
        let scene = Scene::key().topic(&topic).file("a 1 +600 | a 1 +600");
        scene.pipeline("start = 1").from("earliest")
    });
    assert_snapshot!(alike(&near, &far), @"
    messages 2: 1 excluded, 1 intact
    rows 1: 1 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn offset_mode_a_row_is_in_scope_when_its_offset_lies_in_the_range() {
    let phantom_beside = "0@0 a 1 | 0@0 z 9 | 0@1 b 2 | 0@2 c 3 | 0@2 z 9";
    let scene = Scene::offset().topic(THREE).file(phantom_beside).from("1").to("2");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 intact
    rows 1: 1 intact, 4 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn offset_mode_a_row_of_a_partition_that_is_not_listed_is_out_of_scope() {
    let scene = Scene::offset().topic("0@0 a 1 | 1@0 b 2").file("0@0 a 1 | 1@0 b 2 | 1@0 b 2").from("0:0");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 intact
    rows 1: 1 intact, 2 out_of_scope
    holds, fidelity 1.0
    ");
}

const MINUTES: &str = "0@0 a 1 +0 | 0@1 b 2 +60 | 0@2 c 3 +120 | 0@3 d 4 +180 | 0@4 e 5 +240 | 0@5 f 6 +300";

#[test]
fn window_bounds_leave_every_on_either_side_of_a_cut_range() {
    // Read are b (+60) to e (+240): L = 60 s, U = 240 s, so that only [120, 180) is inside.
    let phantoms = "v 9 +30 | w 9 +90 | x 9 +150 | y 9 +210 | z 9 +270 | n 9 -";
    let scene = Scene::key().topic(MINUTES).file("b 2 +60 | c 3 +120 | d 4 +180 | e 5 +240").file(phantoms);
    assert_snapshot!(scene.from("1").to("5").verdicts(), @"
    messages 4: 4 intact
    rows 5: 4 intact, 5 out_of_scope, 1 phantom
    breached, fidelity 0.8
    phantom unexplained f2:2
    ");
}

#[test]
fn without_an_end_there_is_no_upper_bound() {
    let phantoms = "v 9 +30 | w 9 +90 | x 9 +150 | z 9 +999 | n 9 -";
    let rows = "b 2 +60 | c 3 +120 | d 4 +180 | e 5 +240 | f 6 +300";
    let scene = Scene::key().topic(MINUTES).file(rows).file(phantoms).from("1");
    assert_snapshot!(scene.verdicts(), @"
    messages 5: 5 intact
    rows 7: 5 intact, 3 out_of_scope, 2 phantom
    breached, fidelity 0.7142857142857143
    phantom unexplained f2:2
    phantom unexplained f2:3
    ");
}

#[test]
fn without_a_cut_every_window_is_inside_and_so_is_none() {
    let scene = Scene::key().topic("0@0 a 1").file("a 1 | y 9 -9999 | z 9 +9999 | n 9 -");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 intact
    rows 4: 1 intact, 3 phantom
    breached, fidelity 0.25
    phantom unexplained f1:1
    phantom unexplained f1:2
    phantom unexplained f1:3
    ");
}

#[test]
fn the_window_value_bounds_and_not_the_window_it_lies_in() {
    // L = 90 s: [120, 180) begins less than a minute after it, though its window begins a minute after L's own.
    let scene = Scene::key().topic("0@0 a 1 | 0@1 b 2 +90 | 0@2 c 3 +240").file("b 2 +90 | c 3 +240 | x 9 +130");
    assert_snapshot!(scene.from("1").verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact, 1 out_of_scope
    holds, fidelity 1.0
    ");
}

/// Beside [`MINUTES`], in partition 1.
const QUIET: &str = "1@0 p 1 +120 | 1@1 q 2 +180";

/// The rows of both.
const OF_BOTH: &str = "a 1 +0 | b 2 +60 | c 3 +120 | d 4 +180 | e 5 +240 | f 6 +300 | p 1 +120 | q 2 +180";

#[test]
fn rows_of_a_partition_that_is_left_out_or_lies_below_the_range_are_no_phantoms() {
    let both = [Scene::key(), Scene::content()].map(|scene| scene.topic(MINUTES).topic(QUIET).file(OF_BOTH));
    let [left_out, cut_above, read_past] = [("0:1", "now"), ("0:1", "0:5"), ("0:1,1:2", "now")].map(|(from, to)| {
        let [key, content] = both.clone().map(|scene| scene.from(from).to(to));
        alike(&key, &content)
    });
    assert_snapshot!(left_out, @"
    messages 5: 5 intact
    rows 5: 5 intact, 3 out_of_scope
    holds, fidelity 1.0
    ");
    assert_snapshot!(cut_above, @"
    messages 4: 4 intact
    rows 4: 4 intact, 4 out_of_scope
    holds, fidelity 1.0
    ");
    assert_eq!(read_past, left_out);
}

#[test]
fn rows_of_a_partition_whose_messages_read_tell_no_window_are_no_phantoms() {
    let broken = Scene::key().topic(MINUTES).topic("1@0 p 1 +120 | 1@1 {broken").file(OF_BOTH);
    let says = broken.from("0:1,1:1").verdicts();
    assert_eq!(says.lines().nth(1), Some("rows 5: 5 intact, 3 out_of_scope"), "{says}");
    let of_no_time =
        Scene::key().topic(MINUTES).topic("1@0 p 1 +120 | 1@1 q 2 -").file(&OF_BOTH.replace("q 2 +180", "q 2 -"));
    assert_snapshot!(of_no_time.from("0:1,1:1").verdicts(), @"
    messages 6: 6 intact
    rows 6: 6 intact, 2 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn what_a_filter_leaves_out_bounds_no_window() {
    // The first message read says a time long past: L is that of c, 120 s.
    let topic = "0@0 a 1 +0 | 0@1 beat 0 -9999 | 0@2 c 3 +120 | 0@3 d 4 +180 | 0@4 e 5 +240";
    let scene = Scene::key().topic(topic).file("a 1 +0 | c 3 +120 | d 4 +180 | e 5 +240 | x 9 +200");
    assert_snapshot!(scene.pipeline("filter = \"id <> 'beat'\"").from("1").verdicts(), @"
    messages 4: 1 excluded, 3 intact
    rows 4: 3 intact, 1 out_of_scope, 1 phantom
    breached, fidelity 0.75
    phantom unexplained f1:4
    ");
}

#[test]
fn a_row_that_no_message_can_have_takes_part_in_step_3_in_every_run() {
    let scene = Scene::offset().topic(THREE).from("1").to("2");
    let unknown = ["-@1 b 2", "0@- b 2", "-:0@1 b 2", "7@1 b 2", "other:0@1 b 2", "0@3 b 2", "0@-5 b 2"];
    for row in unknown {
        let says = scene.clone().file(row).verdicts();
        assert!(says.contains("1 corrupted"), "{row}: {says}");
    }
}

#[test]
fn unpaired_it_is_phantom_when_the_whole_topic_is_read() {
    let rows = "-@1 z 9 | 0@- z 9 | -:0@1 z 9 | 7@1 z 9 | other:0@1 z 9 | 0@3 z 9 | 0@-5 z 9";
    let scene = Scene::offset().topic(THREE).file(THREE).file(rows);
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 3 intact
    rows 10: 3 intact, 7 phantom
    breached, fidelity 0.3
    phantom unexplained f2:0
    phantom unexplained f2:1
    phantom unexplained f2:2
    phantom unexplained f2:3
    phantom unexplained f2:4
    phantom unexplained f2:5
    phantom unexplained f2:6
    ");
}

#[test]
fn unpaired_it_is_out_of_scope_when_the_range_is_cut() {
    let rows = "-@1 z 9 | 0@- z 9 | -:0@1 z 9 | 7@1 z 9 | other:0@1 z 9 | 0@3 z 9 | 0@-5 z 9";
    let scene = Scene::offset().topic(THREE).file(THREE).file(rows).from("1");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact, 8 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn a_row_out_of_scope_pairs_with_no_message_of_the_range() {
    // The row of c lies at the offset of a message that is not read.
    let scene = Scene::offset().topic(THREE).file("0@0 c 3 | 0@1 b 2").from("1");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 overdue
    rows 1: 1 intact, 1 out_of_scope
    unjudged, fidelity 1.0
    overdue trades[0]@2
    ");
}

#[test]
fn in_key_mode_a_row_out_of_scope_pairs_by_its_identity_and_counts_as_in_scope() {
    let scene = Scene::key().topic(MINUTES).file("b 9 +60 | c 3 +120 | d 4 +180 | e 5 +0").from("1").to("5");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 2 corrupted, 2 intact
    rows 4: 2 corrupted, 2 intact
    breached, fidelity 0.5
    corrupted other trades[0]@1 f1:0 price 2 → 9 other
    corrupted truncated trades[0]@4 f1:3 at 2024-08-08T12:04:00Z → 2024-08-08T12:00:00Z truncated
    ");
}

//! **Holes**, as far as a recording has them; those of brokers are tested against brokers.

use insta::assert_snapshot;

use crate::scene::Scene;

#[test]
fn offsets_that_are_not_there_are_holes_with_a_reason() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@3 b 2 | 0@5 c 3 | 1@7 d 4");
    let scene = scene.file("0@0 a 1 | 0@3 b 2 | 0@5 c 3 | 1@7 d 4");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 4 intact
    rows 4: 4 intact
    holds, fidelity 1.0
    hole trades[0] 1..3 unknown
    hole trades[0] 4..5 unknown
    ");
}

#[test]
fn a_row_at_an_unknown_hole_is_unobservable() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@3 b 2").file("0@0 a 1 | 0@1 x 9 | 0@2 y 9 | 0@3 b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 4: 2 intact, 2 unobservable
    holds, fidelity 1.0
    hole trades[0] 1..3 unknown
    ");
}

#[test]
fn a_message_whose_row_stands_at_a_hole_is_found_by_step_3() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@3 b 2 | 0@4 c 3").file("0@0 a 1 | 0@2 b 2 | 0@4 c 3");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 corrupted, 2 intact
    rows 3: 1 corrupted, 2 intact
    breached, fidelity 0.6666666666666666
    hole trades[0] 1..3 unknown
    corrupted bit_flip trades[0]@3 f1:1 offset 3 → 2 bit_flip
    ");
}

#[test]
fn the_holes_of_a_cut_range_are_those_inside_it() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@4 b 2 | 0@9 c 3").file("0@4 b 2").from("2").to("6");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    hole trades[0] 2..4 unknown
    hole trades[0] 5..6 unknown
    ");
}

#[test]
fn key_mode_rows_know_no_holes() {
    let scene = Scene::key().topic("0@0 a 1 | 0@4 b 2").file("a 1 | x 9 | b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 3: 2 intact, 1 phantom
    breached, fidelity 0.6666666666666666
    hole trades[0] 1..4 unknown
    phantom unexplained f1:1
    ");
}

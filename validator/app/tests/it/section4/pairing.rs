//! **Pairing**, steps 1 to 5, and **Duplicated** with a copy that differs.

use insta::assert_snapshot;

use crate::scene::{Scene, alike};

#[test]
fn step_1_equal_digests_pair_in_order() {
    // Two equal messages (a producer's retry) and one row: the first has it.
    let scene = Scene::key().topic("0@0 a 1 | 0@1 a 1 | 0@2 b 2").file("a 1 | b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 missing
    rows 2: 2 intact
    breached, fidelity 0.6666666666666666
    missing lost trades[0]@1
    ");
}

#[test]
fn equal_messages_each_want_a_row() {
    let scene = Scene::key().topic("0@0 a 1 | 1@0 a 1").file("a 1").file("a 1");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn order_of_messages_is_topic_partition_offset_and_not_time() {
    let scene = Scene::key().topic("1@0 a 1 | 0@5/+50 a 1").file("a 1");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 1: 1 intact
    breached, fidelity 0.5
    missing lost trades[1]@0
    ");
}

#[test]
fn step_1_goes_before_step_2_whatever_the_order_of_rows() {
    // The equal row comes last; the damaged one is a copy then, not the row of the message.
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a 9").file("0@0 a 1");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 duplicated, 1 duplicated_differing
    rows 2: 2 copies
    breached, fidelity 0.5
    duplicated copies_differ trades[0]@0 f1:0 f2:0 price 1 → 9 other
    ");
}

#[test]
fn step_2_the_rest_pairs_by_identity_in_order_and_is_corrupted() {
    let scene = Scene::key().topic("0@0 a 1 | 0@1 a 2 | 0@2 a 3").file("a 2 | a 7 | a 8");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 corrupted, 1 intact
    rows 3: 2 corrupted, 1 intact
    breached, fidelity 0.3333333333333333
    corrupted other trades[0]@0 f1:1 price 1 → 7 other
    corrupted other trades[0]@2 f1:2 price 3 → 8 other
    ");
}

#[test]
fn null_in_an_identity_equals_null() {
    let scene = Scene::key().topic("0@0 - 1 | 0@1 - 2").file("- 1 | - 9");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 corrupted, 1 intact
    rows 2: 1 corrupted, 1 intact
    breached, fidelity 0.5
    corrupted other trades[0]@1 f1:1 price 2 → 9 other
    ");
}

#[test]
fn step_3_offset_100_written_as_101_is_corrupted_and_not_duplicated_and_missing() {
    let scene = Scene::offset().topic("0@100 a 1 | 0@101 b 2 | 0@102 c 3").file("0@101 a 1 | 0@101 b 2 | 0@102 c 3");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 corrupted, 2 intact
    rows 3: 1 corrupted, 2 intact
    breached, fidelity 0.6666666666666666
    corrupted bit_flip trades[0]@100 f1:0 offset 100 → 101 bit_flip
    ");
}

#[test]
fn step_3_finds_a_row_in_another_partition_and_in_another_topic() {
    let scene = Scene::offset().topic("0@0 a 1 | 1@0 b 2 | q:0@0 c 3").file("1@0 a 1 | 1@0 b 2 | 0@0 c 3");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 corrupted, 1 duplicated, 1 duplicated_differing, 1 overdue
    rows 3: 2 copies, 1 corrupted
    breached, fidelity 0.3333333333333333
    overdue q[0]@0
    corrupted bit_flip trades[0]@0 f1:2 id a → c bit_flip price 1 → 3 other
    duplicated copies_differ trades[1]@0 f1:0 f1:1 id b → a other price 2 → 1 other
    ");
}

#[test]
fn step_3_finds_a_row_whose_damaged_window_lies_far_away() {
    let scene = Scene::key().topic("0@0 a 1 | 0@1 b 2").file("a 1 +86400 | b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 corrupted, 1 intact
    rows 2: 1 corrupted, 1 intact
    breached, fidelity 0.5
    corrupted zone_shift trades[0]@0 f1:0 at 2024-08-08T12:00:00Z → 2024-08-09T12:00:00Z zone_shift
    ");
}

#[test]
fn step_3_a_damaged_key_is_found_by_the_other_columns() {
    let scene = Scene::key().topic("0@0 a 1 | 0@1 b 2").file("A 1 | b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 corrupted, 1 intact
    rows 2: 1 corrupted, 1 intact
    breached, fidelity 0.5
    corrupted case_or_trim trades[0]@0 f1:0 id a → A case_or_trim
    ");
    let to_null = Scene::key().topic("0@0 a 1 | 0@1 b 2").file("- 1 | b 2");
    assert_snapshot!(to_null.verdicts(), @"
    messages 2: 1 corrupted, 1 intact
    rows 2: 1 corrupted, 1 intact
    breached, fidelity 0.5
    corrupted null_for_value trades[0]@0 f1:0 id a → null null_for_value
    ");
}

#[test]
fn step_3_an_exact_copy_beside_a_loss_of_the_same_values_is_a_copy() {
    let offset = Scene::offset().topic("0@0 a 1 | 0@1 a 1 | 0@2 a 1").file("0@1 a 1 | 0@2 a 1 | 0@2 a 1");
    assert_snapshot!(offset.verdicts(), @"
    messages 3: 1 duplicated, 1 intact, 1 missing
    rows 3: 2 copies, 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    duplicated copied trades[0]@2 f1:1 f1:2
    ");
    let key = Scene::key().topic("0@0 a 1 | 0@1 b 1 | 0@2 c 1").file("b 1 | c 1 | c 1");
    assert_snapshot!(key.verdicts(), @"
    messages 3: 1 duplicated, 1 intact, 1 missing
    rows 3: 2 copies, 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@0
    duplicated copied trades[0]@2 f1:1 f1:2
    ");
}

#[test]
fn step_3_needs_a_value_beside_the_identity() {
    // A foreign row and a lost message, and nothing but NULL beside their ids; then no column at all.
    let null = Scene::key().topic("0@0 a 1 | 0@1 b - -").file("a 1 | x - -");
    assert_snapshot!(null.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.3333333333333333
    missing lost trades[0]@1
    phantom unexplained f1:1
    ");
    let only = Scene::key_plain().topic("0@0 a 1 | 0@1 b 2").file("a 1 | x 2");
    let only = only.section("[compare]\nignore = { price = \"no matter\", at = \"no matter\" }");
    assert_snapshot!(only.verdicts(), @"
    messages 2: 1 intact, 1 missing
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.3333333333333333
    missing lost trades[0]@1
    phantom unexplained f1:1
    ");
}

#[test]
fn step_3_pairs_only_where_one_such_message_and_one_such_row_are_left() {
    // Two messages of the same price, and their ids lost: nobody can say which row is whose.
    let two = Scene::key().topic("0@0 a 1 | 0@1 b 1 | 0@2 c 3").file("x 1 | y 1 | c 3");
    assert_snapshot!(two.verdicts(), @"
    messages 3: 1 intact, 2 missing
    rows 3: 1 intact, 2 phantom
    breached, fidelity 0.2
    missing lost trades[0]@0
    missing lost trades[0]@1
    phantom unexplained f1:0
    phantom unexplained f1:1
    ");
    // One of the two rows is still there: what is left is unique.
    let one = Scene::key().topic("0@0 a 1 | 0@1 b 1 | 0@2 c 3").file("a 1 | y 1 | c 3");
    assert_snapshot!(one.verdicts(), @"
    messages 3: 1 corrupted, 2 intact
    rows 3: 1 corrupted, 2 intact
    breached, fidelity 0.6666666666666666
    corrupted other trades[0]@1 f1:1 id b → y other
    ");
}

#[test]
fn step_4_surplus_rows_are_copies_of_the_last_paired_message_of_their_identity() {
    let scene = Scene::key().topic("0@0 a 1 | 0@1 a 2 | 0@2 b 3").file("a 1 | a 2 | b 3").file("a 1 | a 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 duplicated, 1 duplicated_differing, 2 intact
    rows 5: 3 copies, 2 intact
    breached, fidelity 0.6
    duplicated copies_differ trades[0]@1 f1:1 f2:0 f2:1 price 2 → 1 other
    ");
}

#[test]
fn step_4_looks_up_identities_in_balanced_segments() {
    // The copy lies in a window where no message is; its message's own window balances.
    let scene =
        Scene::key().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("a 1 | b 2 | c 3").file("b 2 +7200 | b 9 +86400");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 duplicated, 1 duplicated_differing, 2 intact
    rows 5: 3 copies, 2 intact
    breached, fidelity 0.6
    duplicated copies_differ trades[0]@1 f1:1 f2:0 f2:1 price 2 → 9 other at 2024-08-08T12:00:00Z → 2024-08-08T14:00:00Z zone_shift
    ");
}

#[test]
fn step_5_what_is_left_is_missing_or_overdue_and_a_phantom() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@3 d 4").file("0@2 c 3 | 0@9 x 9");
    assert_snapshot!(scene.verdicts(), @"
    messages 4: 1 intact, 2 missing, 1 overdue
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.25
    missing lost trades[0]@0
    missing lost trades[0]@1
    overdue trades[0]@3
    phantom unexplained f1:1
    ");
}

#[test]
fn a_row_of_an_identity_whose_message_is_not_paired_is_no_copy() {
    // Both messages pair; the surplus identity x has none.
    let scene = Scene::key().topic("0@0 a 1").file("a 1 | x 5 | x 5");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 intact
    rows 3: 1 intact, 2 phantom
    breached, fidelity 0.3333333333333333
    phantom unexplained f1:1
    phantom unexplained f1:2
    ");
}

#[test]
fn every_message_written_twice_is_one_finding_each_and_half_the_fidelity() {
    let [offset, key] = [(Scene::offset(), "0@0 a 1 | 0@1 b 2"), (Scene::key(), "a 1 | b 2")]
        .map(|(scene, rows)| scene.topic("0@0 a 1 | 0@1 b 2").file(rows).file(rows));
    assert_snapshot!(alike(&offset, &key), @"
    messages 2: 2 duplicated
    rows 4: 4 copies
    breached, fidelity 0.5
    duplicated copied trades[0]@0 f1:0 f2:0
    duplicated copied trades[0]@1 f1:1 f2:1
    ");
}

#[test]
fn duplicated_with_a_copy_that_differs_names_the_columns_and_is_counted() {
    let scene =
        Scene::offset().topic("0@0 a 1.25 | 0@1 b 2").file("0@0 a 1.25 | 0@0 a 1.2 | 0@0 - 1.25 | 0@1 b 2 | 0@1 b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 duplicated, 1 duplicated_differing
    rows 5: 5 copies
    breached, fidelity 0.4
    duplicated copies_differ trades[0]@0 f1:0 f1:1 f1:2 id a → null null_for_value price 1.25 → 1.2 truncated
    duplicated copied trades[0]@1 f1:3 f1:4
    ");
}

#[test]
fn a_duplicated_message_without_an_equal_row_is_not_faithful() {
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a 8 | 0@0 a 9");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 duplicated, 1 duplicated_differing
    rows 2: 2 copies
    breached, fidelity 0.0
    duplicated copies_differ trades[0]@0 f1:0 f1:1 price 1 → 8 other
    ");
}

#[test]
fn two_rows_that_swapped_a_value_are_two_corrupted() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3").file("0@0 a 2 | 0@1 b 1 | 0@2 c 3");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 corrupted, 1 intact
    rows 3: 2 corrupted, 1 intact
    breached, fidelity 0.3333333333333333
    corrupted row_mix trades[0]@0 f1:0 price 1 → 2 row_mix
    corrupted row_mix trades[0]@1 f1:1 price 2 → 1 row_mix
    ");
}

#[test]
fn a_message_whose_value_no_column_can_hold_equals_no_row() {
    let inexact = r#"0@0 {"id": "a", "price": 0.123456785, "at": "2024-08-08T12:00:00Z"} | 0@1 b 2"#;
    let scene = Scene::offset().topic(inexact).file("0@0 a 0.12345678 | 0@1 b 2");
    let key = Scene::key().topic(inexact).file("a 0.12345678 | b 2");
    assert_snapshot!(alike(&scene, &key), @"
    messages 2: 1 corrupted, 1 intact
    rows 2: 1 corrupted, 1 intact
    breached, fidelity 0.5
    corrupted truncated trades[0]@0 f1:0 price 0.123456785 → 0.12345678 truncated
    ");
}

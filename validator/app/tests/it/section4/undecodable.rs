//! **Pairing**: undecodable and excluded messages, and the precedence of verdicts.

use insta::assert_snapshot;

use crate::scene::{Scene, alike};

const BAD: &str = "0@0 a 1 | 0@1 {\"id\": | 0@2 c 3";
const UNMAPPABLE: &str = r#"0@0 a 1 | 0@1 {"id": "b", "price": "many"} | 0@2 c 3"#;

#[test]
fn an_undecodable_message_never_pairs_and_rows_of_its_identity_are_unjudged() {
    let scene = Scene::offset().topic(BAD).file("0@0 a 1 | 0@1 b 2 | 0@2 c 3 | 0@1 b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 undecodable
    rows 4: 2 intact, 2 unjudged
    unjudged, fidelity 1.0
    undecodable bad_payload trades[0]@1 f1:1 f1:3 (cannot be decoded: field id: the payload ends where a value is due (byte 6))
    ");
}

#[test]
fn an_undecodable_message_without_a_row_is_undecodable_too() {
    let scene = Scene::offset().topic(BAD).file("0@0 a 1 | 0@2 c 3");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 undecodable
    rows 2: 2 intact
    unjudged, fidelity 1.0
    undecodable bad_payload trades[0]@1 (cannot be decoded: field id: the payload ends where a value is due (byte 6))
    ");
}

#[test]
fn key_mode_where_the_identity_is_unknown_as_many_rows_left_in_order_are_unjudged() {
    let scene = Scene::key().topic(BAD).file("x 8 | a 1 | c 3 | y 9");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 undecodable
    rows 4: 2 intact, 1 phantom, 1 unjudged
    breached, fidelity 0.6666666666666666
    undecodable bad_payload trades[0]@1 (cannot be decoded: field id: the payload ends where a value is due (byte 6))
    phantom unexplained f1:3
    ");
}

#[test]
fn key_mode_rows_of_a_known_identity_are_set_aside_in_balanced_segments_too() {
    let text = r#"0@0 a 1 | 0@1 {"id": "b", "price": "many", "at": "2024-08-08T12:00:00Z"} | 0@2 c 3"#;
    let scene = Scene::key().topic(text).file("a 1 | b 2 | c 3").section("[fields]\nprice = \"string\"");
    let scene = scene.section("[map]\nprice = \"CAST(price AS DECIMAL(18, 8))\"");
    assert_snapshot!(scene.verdicts(), @r#"
    messages 3: 2 intact, 1 undecodable
    rows 3: 2 intact, 1 unjudged
    unjudged, fidelity 1.0
    undecodable map_failed trades[0]@1 f1:1 (cannot be mapped: price: "many" is not a decimal(18, 8))
    "#);
}

#[test]
fn a_value_of_another_kind_is_bad_payload_and_one_that_does_not_parse_too() {
    let scene = Scene::offset().topic(UNMAPPABLE).file("0@0 a 1 | 0@1 b 2 | 0@2 c 3");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 intact, 1 undecodable
    rows 3: 2 intact, 1 unjudged
    unjudged, fidelity 1.0
    undecodable bad_payload trades[0]@1 f1:1 (cannot be decoded: field price: a number, or a text of one, is wanted here (byte 21))
    ");
}

#[test]
fn excluded_goes_before_paired_and_its_row_is_phantom_filtered() {
    let [offset, key] = [(Scene::offset(), "0@0 a 1 | 0@1 b 2"), (Scene::key(), "a 1 | b 2")]
        .map(|(scene, rows)| scene.topic("0@0 a 1 | 0@1 b 2").file(rows).pipeline("filter = \"id <> 'b'\""));
    assert_snapshot!(alike(&offset, &key), @"
    messages 2: 1 excluded, 1 intact
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.5
    phantom filtered f1:1
    ");
}

#[test]
fn the_row_of_a_tombstone_is_phantom_tombstone() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 null").file("0@0 a 1 | 0@1 b 2");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 excluded, 1 intact
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.5
    phantom tombstone f1:1
    ");
}

#[test]
fn a_null_payload_is_a_row_of_nulls_where_the_contract_says_so() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 null").file("0@0 a 1 | 0@1 - - -");
    assert_snapshot!(scene.pipeline("null_payload = \"row\"").verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn an_empty_payload_is_not_null() {
    let scene = Scene::offset().topic("0@0 a 1").payload(1, "").file("0@0 a 1");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 undecodable
    rows 1: 1 intact
    unjudged, fidelity 1.0
    undecodable bad_payload trades[0]@1 (cannot be decoded: the payload ends where a value is due (byte 0))
    ");
}

#[test]
fn before_start_goes_before_undecodable() {
    let scene = Scene::offset().topic(BAD).file("0@0 a 1 | 0@1 b 2 | 0@2 c 3").pipeline("start = 2").from("earliest");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 1: 1 intact, 2 out_of_scope
    holds, fidelity 1.0
    ");
}

#[test]
fn undecodable_goes_before_pending() {
    let scene = Scene::offset().topic(BAD).judged_at(-10);
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 pending, 1 undecodable
    rows 0
    unjudged, fidelity null
    undecodable bad_payload trades[0]@1 (cannot be decoded: field id: the payload ends where a value is due (byte 6))
    ");
}

#[test]
fn a_message_that_the_filter_cannot_judge_is_map_failed() {
    let text = r#"0@0 {"id": "7", "price": "1"} | 0@1 {"id": "x", "price": "1"}"#;
    let scene = Scene::offset().topic(text).file("0@0 7 1 -").pipeline("filter = \"CAST(id AS INT) > 0\"");
    assert_snapshot!(scene.verdicts(), @r#"
    messages 2: 1 intact, 1 undecodable
    rows 1: 1 intact
    unjudged, fidelity 1.0
    undecodable map_failed trades[0]@1 (cannot be mapped: filter: "x" is not an int)
    "#);
}

#[test]
fn a_message_whose_filtered_field_is_inexact_is_map_failed_and_never_excluded() {
    let text = r#"0@0 a 1 | 0@1 {"id": "b", "price": 12345678901234567890.5, "at": "2024-08-08T12:00:00Z"} | 0@2 c -3"#;
    let [offset, key] = [(Scene::offset(), "0@0 a 1"), (Scene::key(), "a 1")]
        .map(|(scene, rows)| scene.topic(text).file(rows).pipeline("filter = \"price > 0\""));
    assert_snapshot!(alike(&offset, &key), @"
    messages 3: 1 excluded, 1 intact, 1 undecodable
    rows 1: 1 intact
    unjudged, fidelity 1.0
    undecodable map_failed trades[0]@1 (cannot be mapped: filter: field price has no exact value for 12345678901234567890.5)
    ");
}

#[test]
fn an_inexact_field_that_the_filter_does_not_read_keeps_nobody_out() {
    let text = r#"0@0 a 1 | 0@1 {"id": "b", "price": 12345678901234567890.5, "at": "2024-08-08T12:00:00Z"}"#;
    let scene = Scene::offset().topic(text).file("0@0 a 1 | 0@1 b 2").pipeline("filter = \"id <> 'c'\"");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 corrupted, 1 intact
    rows 2: 1 corrupted, 1 intact
    breached, fidelity 0.5
    corrupted inexact trades[0]@1 f1:1 price 12345678901234567890.5 → 2 inexact
    ");
}

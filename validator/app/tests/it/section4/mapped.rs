//! **`[map]` and `filter`** (interface, section 2): what an expression reads is the value that the message has.

use insta::assert_snapshot;

use crate::scene::Scene;

const TINY: &str = r#"0@0 a 1.5 | 0@1 {"id": "b", "price": 0.123456789, "at": "2024-08-08T12:00:00Z"} | 0@2 c -1"#;

#[test]
fn a_filter_judges_the_value_that_the_message_has_and_not_its_columns() {
    let scene = Scene::offset().topic(TINY).file("0@0 a 1.5").pipeline("filter = \"price > 0\"");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 excluded, 1 intact, 1 overdue
    rows 1: 1 intact
    unjudged, fidelity 1.0
    overdue trades[0]@1
    ");
    let scene = Scene::offset().topic(TINY).file("0@0 a 1.5").pipeline("filter = \"price > 1\"");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 2 excluded, 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn digits_that_an_expression_sees_do_not_make_its_fields_own_column_exact() {
    let scene = Scene::offset().topic(TINY).file("0@0 a 1.5 | 0@1 b 0.12345678 | 0@2 c -1");
    assert_snapshot!(scene.pipeline("filter = \"price < 5\"").verdicts(), @"
    messages 3: 1 corrupted, 2 intact
    rows 3: 1 corrupted, 2 intact
    breached, fidelity 0.6666666666666666
    corrupted truncated trades[0]@1 f1:1 price 0.123456789 → 0.12345678 truncated
    ");
}

#[test]
fn factors_that_are_rounded_themselves_have_a_product() {
    let text = r#"0@0 {"id": "x", "p": "65000.12", "price": "1.5", "at": "2024-08-08T12:00:00Z"}
        0@1 {"id": "y", "p": "2", "price": "0.000000015", "at": "2024-08-08T12:00:00Z"}"#;
    let scene = Scene::offset().topic(text).file("0@0 x 97500.18 | 0@1 y 0.00000003");
    let scene = scene.section("[fields]\np = \"decimal(28, 18)\"\n\n[map]\nprice = \"round(price * p, 8)\"");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn text_joined_out_of_functions_and_casts() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b -").file("0@0 a+1 1 | 0@1 b+none -");
    let scene = scene.section(
        "[map]\nid = \"id || '+' || coalesce(CAST(CAST(price AS DECIMAL(5, 2)) AS VARCHAR), 'none')\"\nat = \"at AT TIME ZONE 'UTC'\"",
    );
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn a_field_that_an_expression_reads_and_no_message_has_is_warned_of() {
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a 1").section("[map]\nid = \"coalesce(idd, id)\"");
    assert_snapshot!(scene.verdicts(), @"
    messages 1: 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    warning: no message has a value in field idd, which an expression of the contract reads
    ");
}

#[test]
fn null_is_of_every_type() {
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a -").section("[map]\nprice = \"NULL\"");
    assert_snapshot!(scene.section("[compare]\ndrop = { price = \"not kept\" }").verdicts(), @"
    messages 1: 1 intact
    rows 1: 1 intact
    holds, fidelity 1.0
    ");
}

//! interface.md section 5: **Outcome**, and its worked examples at their full size.

use insta::assert_snapshot;

use crate::scene::Scene;

#[test]
fn an_empty_topic_and_an_empty_table_hold_with_a_warning() {
    assert_snapshot!(Scene::offset().verdicts(), @"
    messages 0
    rows 0
    holds, fidelity null
    warning: there was nothing to judge: no message was due and no row was found
    warning: topic trades has no recorded message
    ");
    assert_snapshot!(Scene::key().verdicts(), @"
    messages 0
    rows 0
    holds, fidelity null
    warning: there was nothing to judge: no message was due and no row was found
    warning: topic trades has no recorded message
    ");
}

#[test]
fn messages_without_any_row_are_overdue_and_nothing_is_judged() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2");
    assert_snapshot!(scene.clone().verdicts(), @"
    messages 2: 2 overdue
    rows 0
    unjudged, fidelity null
    overdue trades[0]@0
    overdue trades[0]@1
    ");
    assert_snapshot!(scene.fidelity("coverage = 0.0").verdicts(), @"
    messages 2: 2 overdue
    rows 0
    unjudged, fidelity null
    overdue trades[0]@0
    overdue trades[0]@1
    ");
}

#[test]
fn excluded_messages_alone_hold_with_a_warning() {
    let scene = Scene::offset().topic("0@0 null | 0@1 null");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 2 excluded
    rows 0
    holds, fidelity null
    warning: there was nothing to judge: no message was due and no row was found
    ");
}

#[test]
fn rows_without_a_topic_are_phantoms() {
    assert_snapshot!(Scene::key().file("a 1").verdicts(), @"
    messages 0
    rows 1: 1 phantom
    breached, fidelity 0.0
    phantom unexplained f1:0
    warning: topic trades has no recorded message
    ");
}

#[test]
fn an_unknown_field_breaches_unless_strict_fields_is_false() {
    let text = r#"0@0 {"id": "a", "price": "1", "venue": "x"} | 0@1 {"id": "b", "price": "2", "venue": null}"#;
    let scene = Scene::offset().topic(text).file("0@0 a 1 - | 0@1 b 2 -");
    assert_snapshot!(scene.clone().verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    breached, fidelity 1.0
    warning: field venue is in 1 message, and neither a column nor [compare] drop accounts for it
    ");
    assert_snapshot!(scene.clone().section("[compare]\nstrict_fields = false").verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    warning: field venue is in 1 message, and neither a column nor [compare] drop accounts for it
    ");
    assert_snapshot!(scene.section("[compare]\ndrop = { venue = \"nobody keeps it\" }").verdicts(), @"
    messages 2: 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
}

#[test]
fn overdue_lowers_coverage_and_not_fidelity() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1");
    assert_snapshot!(scene.clone().verdicts(), @"
    messages 2: 1 intact, 1 overdue
    rows 1: 1 intact
    unjudged, fidelity 1.0
    overdue trades[0]@1
    ");
    assert_snapshot!(scene.fidelity("coverage = 0.5").verdicts(), @"
    messages 2: 1 intact, 1 overdue
    rows 1: 1 intact
    holds, fidelity 1.0
    overdue trades[0]@1
    ");
}

#[test]
fn breached_goes_before_unjudged() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 9");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 corrupted, 1 overdue
    rows 1: 1 corrupted
    breached, fidelity 0.0
    corrupted other trades[0]@0 f1:0 price 1 → 9 other
    overdue trades[0]@1
    ");
}

#[test]
fn coverage_defaults_to_target() {
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file("0@0 a 1").fidelity("target = 0.5");
    assert_snapshot!(scene.verdicts(), @"
    messages 2: 1 intact, 1 overdue
    rows 1: 1 intact
    holds, fidelity 1.0
    overdue trades[0]@1
    ");
}

/// 10,000 messages in three partitions, and their rows after `damage`; fidelity and outcome.
fn ten_thousand(damage: impl Fn(&mut Vec<String>)) -> (f64, String) {
    let mut rows: Vec<String> = (0..10_000).map(|n| format!("{}@{} m{n} {n}", n % 3, n / 3)).collect();
    let topic = rows.join("\n");
    damage(&mut rows);
    let report = Scene::offset().topic(&topic).file(&rows.join("\n")).answer().report;
    (report.fidelity.value.expect("messages are due"), report.outcome.to_string())
}

#[test]
fn worked_example_one_of_ten_thousand_lost() {
    let lost = ten_thousand(|rows| drop(rows.remove(4_711)));
    assert_eq!(lost, (0.9999, "holds".to_owned()));
}

#[test]
fn worked_example_one_written_twice() {
    let twice = ten_thousand(|rows| rows.push(rows[4_711].clone()));
    assert_eq!(twice, (10_000.0 / 10_001.0, "holds".to_owned()));
}

#[test]
fn worked_example_one_phantom() {
    let phantom = ten_thousand(|rows| rows.push("7@0 x 1".to_owned()));
    assert_eq!(phantom, (10_000.0 / 10_001.0, "holds".to_owned()));
}

#[test]
fn worked_example_all_written_twice() {
    let twice = ten_thousand(|rows| rows.extend(rows.clone()));
    assert_eq!(twice, (0.5, "breached".to_owned()));
}

#[test]
fn worked_example_two_rows_that_swapped_a_value() {
    let swapped = ten_thousand(|rows| {
        rows[300] = "0@100 m300 600".to_owned();
        rows[600] = "0@200 m600 300".to_owned();
    });
    assert_eq!(swapped, (0.9998, "breached".to_owned()));
}

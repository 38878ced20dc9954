//! **`tolerate`** (interface, section 2): declared differences are none, are counted, and everything else is still seen.

use fixtures_kit::table::Operation;
use fixtures_kit::value::Value;
use insta::assert_snapshot;

use crate::scene::{EPOCH_MS, Scene, alike};
use crate::transcript::validator;

pub(super) fn policy(scene: &Scene) -> (String, Vec<(String, String, u64, u64)>) {
    let answer = scene.answer();
    let messages = serde_json::to_value(&answer.report).expect("a report")["messages"].clone();
    let said = format!("{} {} {}", answer.report.outcome.as_str(), messages["intact"], messages["corrupted"]);
    let policy = answer.report.policy.iter();
    (
        said,
        policy.map(|p| (p.column.clone(), p.tolerance.clone(), p.messages, p.rows.expect("it is counted"))).collect(),
    )
}

pub(super) fn used(column: &str, tolerance: &str, messages: u64, rows: u64) -> (String, String, u64, u64) {
    (column.to_owned(), tolerance.to_owned(), messages, rows)
}

pub(super) fn tolerating(scene: Scene, lines: &str) -> Scene {
    scene.section(&format!("[compare]\ntolerate = {{ {lines} }}"))
}

#[test]
fn decimals_with_more_digits_than_the_column_are_rounded_half_away_from_zero_and_counted() {
    let messages = "0@0 a 1.000000005 | 0@1 b -1.000000005 | 0@2 c 1.000000004 | 0@3 d 2";
    let scene = Scene::offset().topic(messages).file("0@0 a 1.00000001 | 0@1 b -1.00000001 | 0@2 c 1 | 0@3 d 2");
    let (said, counted) = policy(&tolerating(scene, "price = \"round_scale\""));
    assert_eq!((said.as_str(), counted), ("holds 4 0", vec![used("price", "round_scale", 3, 0)]));
    let scene = Scene::offset().topic("0@0 a 1.000000005").file("0@0 a 1");
    let scene = tolerating(scene, "price = \"round_scale\"");
    assert!(scene.verdicts().contains("price 1.000000005 → 1"), "the values as they are: {}", scene.verdicts());
}

#[test]
fn instants_are_cut_on_both_sides_also_where_the_column_could_not_hold_the_message() {
    let at = |at: &str| format!(r#"{{"id": "a", "price": 1, "at": "2024-08-08T12:00:0{at}Z"}}"#);
    let scene = Scene::offset().payload(0, at("0.0009")).payload(1, at("0.0001234567")).payload(2, at("1"));
    let scene = tolerating(scene.file("0@0 a 1 | 0@1 a 1 | 0@2 a 1"), "at = \"truncate_ms\"");
    let (said, counted) = policy(&scene);
    assert_eq!((said.as_str(), counted), ("breached 2 1", vec![used("at", "truncate_ms", 2, 0)]));
}

#[test]
fn an_instant_that_no_column_can_hold_harms_no_neighbour() {
    let at = |at: &str| format!(r#"{{"id": "a", "price": 1, "at": "{at}"}}"#);
    let fine = at("2024-08-08T12:00:00.0001234567Z");
    let scene = Scene::offset().payload(0, fine.clone()).payload(1, at("+300000-01-01T00:00:00Z")).payload(2, fine);
    let scene = tolerating(scene.file("0@0 a 1 | 0@2 a 1"), "at = \"truncate_ms\"");
    let (said, counted) = policy(&scene);
    assert_eq!((said.as_str(), counted), ("breached 2 0", vec![used("at", "truncate_ms", 2, 0)]));
}

#[test]
fn blanks_case_and_emptiness_are_matched_on_either_side_and_only_as_declared() {
    let messages = r#"0@0 {"id": " a ", "price": 1, "at": "2024-08-08T12:00:00Z"}
        0@1 {"id": "b", "price": 1, "at": "2024-08-08T12:00:00Z"} | 0@2 {"id": "", "price": 1, "at": "2024-08-08T12:00:00Z"}"#;
    let rows = "0@0 a 1 | 0@1 B 1 | 0@2 - 1";
    for (tolerance, said, counted) in [
        ("trim", "breached 1 2", vec![used("id", "trim", 1, 0)]),
        ("case", "breached 1 2", vec![used("id", "case", 0, 1)]),
        ("empty_is_null", "breached 1 2", vec![used("id", "empty_is_null", 1, 0)]),
    ] {
        let scene = tolerating(Scene::offset().topic(messages).file(rows), &format!("id = \"{tolerance}\""));
        assert_eq!(policy(&scene), (said.to_owned(), counted), "{tolerance}");
    }
}

#[test]
fn a_column_that_is_equal_under_its_tolerance_is_not_named_beside_one_that_differs() {
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 A 2");
    let says = tolerating(scene, "id = \"case\"").verdicts();
    assert!(says.contains("price 1 → 2") && !says.contains("id a"), "{says}");
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 B 2");
    let says = tolerating(scene, "id = \"case\"").verdicts();
    assert!(says.contains("id a → B"), "both as they are: {says}");
}

#[test]
fn json_and_names_are_compared_by_what_they_say() {
    let id = |id: &str| format!(r#"{{"id": {id:?}, "price": 1, "at": "2024-08-08T12:00:00Z"}}"#);
    let scene = Scene::offset().payload(0, id("[1.0,2]")).payload(1, id("[1,2]")).file("0@0 [1,2] 1 | 0@1 [2,1] 1");
    let (said, counted) = policy(&tolerating(scene, "id = \"json_equal\""));
    assert_eq!((said.as_str(), counted), ("breached 1 1", vec![used("id", "json_equal", 1, 0)]));
    let scene = Scene::offset().topic("0@0 SELL_SHORT 1 | 0@1 BUY 1").file("0@0 sellShort 1 | 0@1 Sell 1");
    let (said, counted) = policy(&tolerating(scene, "id = \"enum_name\""));
    assert_eq!((said.as_str(), counted), ("breached 1 1", vec![used("id", "enum_name", 2, 2)]));
}

#[test]
fn what_fits_no_column_is_refused_with_what_does() {
    // By one run: the file's lines move with the variations of a key scene.
    let says = |lines: &str| {
        let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
        let folder = runtime.block_on(tolerating(Scene::key().topic("0@0 a 1").file("a 1"), lines).write());
        validator(folder.path(), "reconcile pipeline.toml").assert_no_panic().all()
    };
    let price = says("price = \"trim\"");
    assert!(price.contains("trim is for text, and price is decimal(18, 8)"), "{price}");
    assert!(price.contains("for decimal(18, 8) there is round_scale"), "{price}");
    assert!(says("id = \"trim\"").contains("id says which message a row is"));
    assert!(says("at = \"truncate_s\"").contains("at says which message a row is"), "the window too");
    assert!(says("prise = \"trim\"").contains("the table has no column prise"));
    let mapped = Scene::offset().topic("0@0 a 1").file("0@0 a 1").section("[map]\nprice = \"price * 2\"");
    assert!(tolerating(mapped, "price = \"round_scale\"").verdicts().contains("write the rounding in [map]"));
}

/// A payload whose time is this text.
fn at(at: &str) -> String {
    format!(r#"{{"id": "a", "price": 1, "at": "{at}"}}"#)
}

/// Rows `a 1` of partition 0 by their times, in microseconds since the epoch.
fn with_times(scene: Scene, times_us: &[i64]) -> Scene {
    let rows: Vec<String> = (0..times_us.len()).map(|offset| format!("0@{offset} a 1")).collect();
    scene.file(&rows.join("|")).last_file(|file| {
        for (row, micros) in file.rows.iter_mut().zip(times_us) {
            *row.values.last_mut().expect("the time comes last") = Value::instant(*micros);
        }
    })
}

#[test]
fn instants_are_cut_to_seconds_towards_the_past_on_both_sides() {
    let noon = EPOCH_MS * 1000;
    let payloads = [
        ("2024-08-08T12:00:00.999999Z", noon),
        ("2024-08-08T12:00:00Z", noon + 999_999),
        ("1969-12-31T23:59:59.5Z", -1_000_000),
        ("2024-08-08T12:00:00.1234567891Z", noon + 500_000),
        ("2024-08-08T12:00:00.999Z", noon + 1_000_000),
        // No second of 60 is the second after it.
        ("2016-12-31T23:59:60.5Z", 1_483_228_800_000_000),
    ];
    let scene = (0..).zip(payloads).fold(Scene::offset(), |scene, (offset, (text, _))| scene.payload(offset, at(text)));
    let scene = tolerating(with_times(scene, &payloads.map(|(_, row)| row)), "at = \"truncate_s\"");
    // Changed are all messages but the whole second and the second of 60, and the rows of the second and the fourth.
    assert_eq!(policy(&scene), ("breached 4 2".to_owned(), vec![used("at", "truncate_s", 4, 2)]));
    let says = scene.verdicts();
    assert!(says.contains("trades[0]@4 f1:4 at 2024-08-08T12:00:00.999Z → 2024-08-08T12:00:01Z"), "{says}");
    assert!(says.contains("trades[0]@5 f1:5 at 2016-12-31T23:59:60.5Z → 2017-01-01T00:00:00Z"), "{says}");
}

#[test]
fn instants_are_cut_to_milliseconds_on_both_sides() {
    let noon = EPOCH_MS * 1000;
    let scene = Scene::offset().payload(0, at("2024-08-08T12:00:00.0004Z")).payload(1, at("2024-08-08T12:00:00.001Z"));
    let scene = scene.payload(2, at("1969-12-31T23:59:59.9999Z")).payload(3, at("2024-08-08T12:00:00.0019Z"));
    let scene = with_times(scene, &[noon + 700, noon + 1_999, -1_000, noon + 2_000]);
    let scene = tolerating(scene, "at = \"truncate_ms\"");
    assert_eq!(policy(&scene), ("breached 3 1".to_owned(), vec![used("at", "truncate_ms", 3, 2)]));
}

#[test]
fn what_differs_by_a_tolerance_alone_is_equal_content() {
    let [window, plain] = [Scene::content(), Scene::content_plain()].map(|scene| {
        let scene = scene.topic("0@0 Ab 1 | 0@1 b 2 | 0@2 C 3").file("AB 1 | b 2 | c 3");
        tolerating(scene, "id = \"case\"")
    });
    assert_snapshot!(alike(&window, &plain), @"
    messages 3: 3 intact
    rows 3: 3 intact
    holds, fidelity 1.0
    ");
    assert_eq!(policy(&window).1, [used("id", "case", 2, 1)]);
}

#[test]
fn messages_of_equal_content_under_a_tolerance_are_equal_and_so_are_copies() {
    let scene = Scene::content().topic("0@0 a 1 | 0@1 A 1 | 0@2 b 2").file("A 1 | b 2 | B 2");
    let scene = tolerating(scene, "id = \"case\"");
    assert_snapshot!(scene.verdicts(), @"
    messages 3: 1 duplicated, 1 intact, 1 missing
    rows 3: 2 copies, 1 intact
    breached, fidelity 0.5
    missing lost trades[0]@1 of [0]@0 [0]@1
    duplicated copied trades[0]@2 f1:1 f1:2
    ");
    assert_eq!(policy(&scene).1, [used("id", "case", 1, 2)]);
}

#[test]
fn a_row_equal_to_a_filtered_message_under_the_tolerance_is_filtered() {
    let scene = Scene::content().topic("0@0 a 1 | 0@1 b 2").file("a 1 | B 2").pipeline("filter = \"id = 'a'\"");
    assert_snapshot!(tolerating(scene, "id = \"case\"").verdicts(), @"
    messages 2: 1 excluded, 1 intact
    rows 2: 1 intact, 1 phantom
    breached, fidelity 0.5
    phantom filtered f1:1
    ");
}

#[test]
fn content_whose_row_was_taken_away_is_removed_also_where_they_are_equal_under_the_tolerance_only() {
    let scene = |row: &str| {
        let scene = Scene::content().topic("0@0 a 1 | 0@1 b 2").file(row).file("b 2");
        tolerating(scene.commit(Operation::Delete, &[], &[0]), "id = \"case\"").verdicts()
    };
    assert!(scene("a 1").ends_with("\nmissing removed trades[0]@0\n"), "{}", scene("a 1"));
    assert_eq!(scene("A 1"), scene("a 1"));
}

/// A thousand messages and their rows, of which one is lost, one damaged and one there twice, once as `twice` spells it.
fn few_of_many(row: impl Fn(i64) -> String, twice: &str) -> Scene {
    let topic: String = (0..1_000).map(|n| format!("0@{n} m{n} {n}\n")).collect();
    let rows = (0..1_000).map(|n| match n {
        100 => String::new(),
        200 => format!("{} 0.5\n", row(n)),
        300 => format!("{} 300\n{twice} 300\n", row(n)),
        n => format!("{} {n}\n", row(n)),
    });
    Scene::content().topic(&topic).file(&rows.collect::<String>())
}

const FEW_OF_MANY: &str = "messages 1000: 1 duplicated, 997 intact, 2 missing\nrows 1000: 2 copies, 997 intact, 1 phantom\n\
    breached, fidelity 0.9960079840319361\nmissing lost trades[0]@100\n";

#[test]
fn the_halves_of_a_damaged_row_are_linked_also_where_another_column_is_equal_under_its_tolerance_only() {
    let both = [Scene::content(), Scene::content_plain()].map(|scene| {
        // The price of both is damaged, one by a value that its column cannot hold; the names are equal under the tolerance.
        let scene = scene.topic("0@0 a 1 | 0@1 b 2 | 0@2 c 3.000000004").file("a 1 | B 9 | C 3");
        scene.section("[compare]\ntolerate = { id = \"case\" }")
    });
    assert_snapshot!(alike(&both[0], &both[1]), @"
    messages 3: 1 intact, 2 missing
    rows 3: 1 intact, 2 phantom
    breached, fidelity 0.2
    missing lost trades[0]@1 (no row, and the table has moved past it; one phantom row differs from it in price alone)
    missing lost trades[0]@2 (no row, and the table has moved past it; one phantom row differs from it in price alone)
    phantom unexplained f1:1 (no message explains this row; one missing message differs from it in price alone)
    phantom unexplained f1:2 (no message explains this row; one missing message differs from it in price alone)
    ");
    // Without the tolerance two columns differ.
    let scene = Scene::content().topic("0@0 a 1 | 0@1 b 2").file("a 1 | B 9");
    assert!(!scene.verdicts().contains("differs from it"), "{}", scene.verdicts());
}

#[test]
fn few_that_differ_among_many_in_mode_content_are_found() {
    let says = few_of_many(|n| format!("m{n}"), "m300").verdicts();
    assert!(
        says.starts_with(FEW_OF_MANY) && says.contains("duplicated copied trades[0]@300 f1:299 f1:300\n"),
        "{says}"
    );
}

#[test]
fn few_that_differ_among_many_in_mode_content_are_found_under_a_tolerance() {
    let says = tolerating(few_of_many(|n| format!("M{n}"), "m300"), "id = \"case\"").verdicts();
    assert!(
        says.starts_with(FEW_OF_MANY) && says.contains("duplicated copied trades[0]@300 f1:299 f1:300\n"),
        "{says}"
    );
}

#[test]
fn the_last_version_of_a_key_is_held_against_its_row_under_the_tolerance() {
    let rounding = |scene: Scene| tolerating(scene, "price = \"round_scale\"");
    let scene = Scene::upsert().topic("0@0 a 1 | 0@1 a 2.000000005 | 0@2 b 5.000000004").file("a 2.00000001 | b 5");
    assert_snapshot!(rounding(scene.clone()).verdicts(), @"
    messages 3: 1 excluded, 2 intact
    rows 2: 2 intact
    holds, fidelity 1.0
    ");
    assert_eq!(policy(&rounding(scene)).1, [used("price", "round_scale", 2, 0)]);
    // The row shows the older version, as the column holds it.
    let stale = Scene::upsert().topic("0@0 a 1.000000005 | 0@1 a 2").file("a 1.00000001");
    assert_snapshot!(rounding(stale).verdicts(), @"
    messages 2: 1 corrupted, 1 excluded
    rows 1: 1 corrupted, 1 stale
    breached, fidelity 0.0
    corrupted stale_value trades[0]@1 f1:0 price 2 → 1.00000001 stale_value
    ");
}

#[test]
fn messages_that_are_not_judged_and_rows_out_of_scope_are_not_counted() {
    let scene = Scene::offset().topic("0@0 A 1 | 0@1 B 2 | 0@2 C 3").file("0@0 A 1 | 0@1 b 2 | 0@2 C 3");
    let scene = tolerating(scene.pipeline("filter = \"price <> 1\"").to("2"), "id = \"case\"");
    // Of the message that the filter leaves out there is a phantom row, which is in scope.
    assert_eq!(policy(&scene), ("breached 1 0".to_owned(), vec![used("id", "case", 1, 1)]));
}

//! **`tolerate`** (interface, section 2): declared differences are none, are counted, and everything else is still seen.

use crate::scene::Scene;
use crate::transcript::validator;

fn policy(scene: &Scene) -> (String, Vec<(String, String, u64, u64)>) {
    let answer = scene.answer();
    let messages = serde_json::to_value(&answer.report).expect("a report")["messages"].clone();
    let said = format!("{} {} {}", answer.report.outcome.as_str(), messages["intact"], messages["corrupted"]);
    let policy = answer.report.policy.iter();
    (said, policy.map(|p| (p.column.clone(), p.tolerance.clone(), p.messages, p.rows)).collect())
}

fn used(column: &str, tolerance: &str, messages: u64, rows: u64) -> (String, String, u64, u64) {
    (column.to_owned(), tolerance.to_owned(), messages, rows)
}

fn tolerating(scene: Scene, lines: &str) -> Scene {
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

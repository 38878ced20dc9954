//! Structs and maps (interface, section 2): a leaf is tolerated or masked by its dotted path, and its neighbours are not.

use std::collections::BTreeMap;

use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::table::Operation;
use fixtures_kit::value::Value;
use serde_json::Value as Json;

use super::masked::{MARK, nothing_leaks, shown};
use super::tolerated::{policy, tolerating, used};
use crate::scene::{EPOCH_MS, Scene};
use crate::transcript::validator;

/// The scene with one more column, and these values of it in the rows of its files.
fn with_column(mut scene: Scene, name: &str, kind: ColumnType, rows: Vec<Value>) -> Scene {
    scene.table.columns.push(Column::optional(name, kind));
    number(&mut scene.table.columns);
    let in_files = scene.table.files.iter_mut().flat_map(|file| &mut file.rows);
    in_files.zip(rows).for_each(|(row, value)| row.values.push(value));
    scene
}

fn payload(id: &str, meta: &str) -> String {
    format!(r#"{{"id": {id:?}, "price": 1, "at": "2024-08-08T12:00:00Z", "meta": {meta}}}"#)
}

fn kind_of_meta() -> ColumnType {
    let fields = [("venue", ColumnType::String), ("lot", ColumnType::String), ("seen", ColumnType::Timestamptz)];
    ColumnType::Struct(fields.map(|(name, kind)| Column::optional(name, kind)).to_vec())
}

/// Messages `a 1` at the offsets from 0 with these values of `meta`, and their rows with those.
fn with_meta(pairs: &[(&str, Value)]) -> Scene {
    let messages = (0..).zip(pairs);
    let scene = messages.fold(Scene::offset(), |scene, (offset, (meta, _))| scene.payload(offset, payload("a", meta)));
    let rows: Vec<String> = (0..pairs.len()).map(|offset| format!("0@{offset} a 1")).collect();
    let values = pairs.iter().map(|(_, row)| row.clone()).collect();
    with_column(scene.file(&rows.join("|")), "meta", kind_of_meta(), values)
}

/// A struct of these fields; the others are NULL.
fn meta(fields: &[(&str, Value)]) -> Value {
    Value::Struct(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn texts(venue: &str, lot: &str) -> Value {
    meta(&[("venue", Value::text(venue)), ("lot", Value::text(lot))])
}

#[test]
fn a_leaf_is_tolerated_by_its_path_and_its_neighbours_are_not() {
    let scene = with_meta(&[
        (r#"{"venue": "XNAS", "lot": "r"}"#, texts("xnas", "r")),
        (r#"{"venue": "xnas", "lot": "R"}"#, texts("XNAS", "r")),
        (r#"{"venue": "XNAS", "lot": "r"}"#, texts("xlon", "r")),
    ]);
    let scene = tolerating(scene, "\"meta.venue\" = \"case\"");
    assert_eq!(policy(&scene), ("breached 1 2".to_owned(), vec![used("meta.venue", "case", 2, 1)]));
    let says = scene.verdicts();
    assert!(says.contains("trades[0]@1 f1:1 meta.lot R → r case_or_trim\n"), "{says}");
    assert!(says.contains("trades[0]@2 f1:2 meta.venue XNAS → xlon"), "{says}");
}

#[test]
fn an_instant_in_a_struct_is_cut_on_both_sides() {
    let seen = |micros: i64| meta(&[("seen", Value::instant(EPOCH_MS * 1000 + micros))]);
    let scene = with_meta(&[
        (r#"{"seen": "2024-08-08T12:00:00.0004Z"}"#, seen(0)),
        (r#"{"seen": "2024-08-08T12:00:00Z"}"#, seen(999)),
        (r#"{"seen": "2024-08-08T12:00:00.0004Z"}"#, seen(1_000)),
    ]);
    let scene = tolerating(scene, "\"meta.seen\" = \"truncate_ms\"");
    assert_eq!(policy(&scene), ("breached 2 1".to_owned(), vec![used("meta.seen", "truncate_ms", 2, 1)]));
}

#[test]
fn an_empty_leaf_and_a_struct_of_nulls_are_null_where_declared() {
    let lot = meta(&[("lot", Value::text("x"))]);
    let leaf = with_meta(&[(r#"{"venue": "", "lot": "x"}"#, lot)]);
    assert_eq!(policy(&leaf), ("breached 0 1".to_owned(), vec![]));
    let leaf = tolerating(leaf, "\"meta.venue\" = \"empty_is_null\"");
    assert_eq!(policy(&leaf), ("holds 1 0".to_owned(), vec![used("meta.venue", "empty_is_null", 1, 0)]));
    let whole = with_meta(&[
        ("{}", Value::Null),
        (r#"{"venue": null}"#, meta(&[])),
        (r#"{"venue": ""}"#, Value::Null),
        ("null", meta(&[])),
    ]);
    let whole = tolerating(whole, "meta = \"empty_is_null\"");
    assert_eq!(policy(&whole), ("breached 3 1".to_owned(), vec![used("meta", "empty_is_null", 2, 2)]));
}

#[test]
fn what_is_no_leaf_of_a_struct_is_refused() {
    let says = |scene: Scene, line: &str| tolerating(scene, line).verdicts();
    let scene = || with_meta(&[("{}", meta(&[]))]);
    assert!(says(scene(), "\"meta.city\" = \"case\"").contains("the table has no column meta.city"));
    let whole = says(scene(), "meta = \"case\"");
    assert!(whole.contains("case is for text, and meta is struct<"), "{whole}");
    let tags = tagged(r#"{"k": "v"}"#, &[("k", "v")]);
    let tags = says(tags, "\"tags.k\" = \"trim\"");
    assert!(tags.contains("inside lists and maps nothing can be tolerated"), "{tags}");
}

#[test]
fn a_version_whose_row_was_taken_away_is_removed_also_where_they_are_equal_under_the_tolerance_only() {
    let scene = |venue: &str| {
        let scene = Scene::upsert().payload(0, payload("a", r#"{"venue": "XNAS"}"#));
        let scene = scene.payload(1, payload("b", r#"{"venue": "v"}"#)).file("a 1").file("b 1");
        let values = [venue, "v"].map(|venue| meta(&[("venue", Value::text(venue))]));
        let scene = with_column(scene, "meta", kind_of_meta(), values.to_vec());
        tolerating(scene.commit(Operation::Overwrite, &[], &[0]), "\"meta.venue\" = \"case\"").verdicts()
    };
    assert!(scene("XNAS").ends_with("\nmissing removed trades[0]@0\n"), "{}", scene("XNAS"));
    assert_eq!(scene("xnas"), scene("XNAS"));
}

/// A message `a 1` with a map of texts, and its row with another.
fn tagged(message: &str, row: &[(&str, &str)]) -> Scene {
    let payload = format!(r#"{{"id": "a", "price": 1, "at": "2024-08-08T12:00:00Z", "tags": {message}}}"#);
    let entries: BTreeMap<String, Value> =
        row.iter().map(|(key, value)| ((*key).to_owned(), Value::text(*value))).collect();
    let scene = Scene::offset().payload(0, payload).file("0@0 a 1");
    with_column(scene, "tags", ColumnType::StringMap { key_id: 0, value_id: 0 }, vec![Value::Map(entries)])
}

/// What differs by the findings of a run: names, and what is shown of both sides.
fn differences(scene: &Scene) -> Vec<Vec<Json>> {
    let findings = scene.answer().findings.at_hand;
    let columns = findings.into_iter().map(|finding| serde_json::to_value(finding).expect("JSON")["columns"].clone());
    let of_finding = |columns: Json| {
        let columns = columns.as_array().expect("a list").clone();
        columns
            .iter()
            .map(|of| Json::from(vec![of["name"].clone(), of["message"].clone(), of["row"].clone()]))
            .collect()
    };
    columns.map(of_finding).collect()
}

fn json(text: &str) -> Vec<Json> {
    vec![serde_json::from_str(text).expect("JSON")]
}

#[test]
fn of_a_struct_with_a_masked_leaf_that_leaf_alone_is_hidden() {
    let message = |lot: &str| format!(r#"{{"venue": "{MARK}1", "lot": "{lot}"}}"#);
    let [same, other, both, gone] = ["l0", "l1", "l2", "l3"].map(message);
    let scene = with_meta(&[
        (&same, texts(&format!("{MARK}2"), "l0")),
        (&other, texts(&format!("{MARK}1"), "m1")),
        (&both, texts(&format!("{MARK}3"), "m2")),
        (&gone, Value::Null),
    ]);
    let scene = scene.section("[compare]\nmask = [\"meta.venue\"]");
    nothing_leaks(&scene);
    let found = differences(&scene);
    assert_eq!(found[0], json(r#"["meta.venue", "(masked)", "(masked)"]"#));
    assert_eq!(found[1], json(r#"["meta.lot", "l1", "m1"]"#));
    // Of both leaves, and of a struct that is gone, the whole column is named: it holds the hidden leaf.
    assert_eq!(found[2], json(r#"["meta", "(masked)", "(masked)"]"#));
    assert_eq!(found[3], json(r#"["meta", "(masked)", null]"#));
}

#[test]
fn messages_that_cannot_be_decoded_or_mapped_quote_no_masked_leaf() {
    let bad = format!(r#"{{"venue": {{"x": "{MARK}"}}, "lot": "l"}}"#);
    let finer = format!(r#"{{"venue": "{MARK}", "seen": "{MARK}"}}"#);
    let scene = with_meta(&[(&bad, texts("v", "l")), (&finer, texts("v", "l"))]);
    nothing_leaks(&scene.section("[compare]\nmask = [\"meta.venue\", \"meta.seen\"]"));
    let scene = with_meta(&[(&format!(r#"{{"venue": "{MARK}"}}"#), texts("v", "l"))]);
    let scene = scene.section("[map]\nprice = \"CAST(meta['venue'] AS DECIMAL(18, 8))\"");
    let all = nothing_leaks(&scene.section("[compare]\nmask = [\"meta.venue\"]\ndrop = { price = \"not kept\" }"));
    assert!(all.contains("cannot be mapped: price: (masked)"), "{all}");
}

#[test]
fn keys_and_values_of_a_masked_map_are_hidden() {
    for (message, row) in [
        (format!(r#"{{"{MARK}": "1"}}"#), vec![(MARK, "2")]),
        (format!(r#"{{"k": "{MARK}"}}"#), vec![("k", "2")]),
        (format!(r#"{{"a.b]{MARK}[c": "1"}}"#), vec![]),
        ("{}".to_owned(), vec![("k", MARK)]),
    ] {
        let scene = tagged(&message, &row).section("[compare]\nmask = [\"tags\"]");
        nothing_leaks(&scene);
        let found = differences(&scene);
        assert_eq!((found.len(), found[0].len(), &found[0][0][0]), (1, 1, &Json::from("tags")), "{message}");
    }
    // What is shown of a map that is not masked would have been seen.
    let open = tagged(&format!(r#"{{"{MARK}": "1"}}"#), &[(MARK, "2")]);
    assert!(shown(&open, super::masked::WORDS[0]).contains(MARK));
}

#[test]
fn a_leaf_that_is_not_there_cannot_be_masked() {
    let scene = with_meta(&[("{}", meta(&[]))]).section("[compare]\nmask = [\"meta.city\"]");
    let folder = crate::bad_input::written(&scene);
    for words in ["reconcile pipeline.toml", "check pipeline.toml"] {
        let ran = validator(folder.path(), words).assert_no_panic();
        assert!(ran.exit == 2 && ran.stderr.contains("the table has no column meta.city"), "{}", ran.all());
    }
}

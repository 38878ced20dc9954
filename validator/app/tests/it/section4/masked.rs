//! **`mask`** (interface, section 2): a value that is masked is shown nowhere.

use std::fs;

use super::misrouted::{DAY, by_day};
use crate::bad_input::written;
use crate::scene::{Folder, Scene};
use crate::transcript::validator;

/// No output may hold it.
pub(super) const MARK: &str = "secretmarker";

/// Everything that a run of these words shows.
pub(super) fn shown(scene: &Scene, words: &str) -> String {
    shown_in(&written(scene), words)
}

fn shown_in(folder: &Folder, words: &str) -> String {
    let ran = validator(folder.path(), words).assert_no_panic();
    let files = ["findings.jsonl", "report.json"].map(|name| fs::read_to_string(folder.join(name)).unwrap_or_default());
    format!("{}\n{}", ran.all(), files.concat())
}

pub(super) const WORDS: [&str; 3] = [
    "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl",
    "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --report report.json",
    "check pipeline.toml",
];

pub(super) fn nothing_leaks(scene: &Scene) -> String {
    let all = WORDS.map(|words| shown(scene, words)).concat();
    assert!(!all.to_lowercase().contains(MARK), "{all}");
    all
}

#[test]
fn values_of_a_masked_column_stand_in_no_finding_and_no_identity() {
    let messages = format!("0@0 {MARK}1 1 | 0@1 {MARK}2 2 | 0@2 c 3 | 0@3 - 4");
    let rows = format!("0@0 {MARK}9 1 | 0@1 {MARK}2 7 | 0@2 c 3 | 0@2 {MARK}3 3 | 0@3 {MARK} 4 | 0@9 {MARK} 5");
    let scene = Scene::offset().topic(&messages).file(&rows).section("[compare]\nmask = [\"id\"]");
    let all = nothing_leaks(&scene);
    assert!(all.contains("(masked)") && all.contains("\"value_for_null\""), "{all}");
    let messages = format!("0@0 {MARK}1 1 | 0@1 {MARK}2 2");
    let scene = Scene::key().topic(&messages).file(&format!("{MARK}1 5 | {MARK}3 2"));
    let all = nothing_leaks(&scene.section("[compare]\nmask = [\"id\"]"));
    assert!(all.contains("{\"id\":\"(masked)\"}"), "{all}");
}

#[test]
fn values_that_cannot_be_decoded_or_mapped_are_not_quoted() {
    let bad = format!(r#"{{"id": "a", "price": "{MARK}", "at": "2024-08-08T12:00:00Z"}}"#);
    let inexact = format!(r#"{{"id": "{MARK}", "price": "1", "at": "2024-08-08T12:00:00.1234567Z"}}"#);
    let scene = Scene::offset().payload(0, &bad).payload(1, inexact).file("0@0 a 1 | 0@1 a 1");
    nothing_leaks(&scene.section("[compare]\nmask = [\"price\", \"id\"]"));
    for map in ["price = \"CAST(price AS DECIMAL(18, 8))\"", "price = \"arrow_cast(price, 'Decimal128(18, 8)')\""] {
        let scene = Scene::offset().payload(0, &bad).topic("0@1 a 2").file("0@0 a 1 | 0@1 a 2");
        let scene = scene.section(&format!("[fields]\nprice = \"string\"\n\n[map]\n{map}"));
        nothing_leaks(&scene.section("[compare]\nmask = [\"price\"]"));
    }
    // A column that is not masked reads a field that is.
    let scene = Scene::offset().payload(
        0,
        bad.replace("\"a\"", &format!("\"{MARK}\"")).replace(&format!("\"{MARK}\", \"at\""), "\"1\", \"at\""),
    );
    let scene = scene.file("0@0 a 1").section("[map]\nprice = \"CAST(id AS DECIMAL(18, 8))\"");
    nothing_leaks(&scene.section("[compare]\nmask = [\"id\"]\ndrop = { price = \"not kept\" }"));
}

#[test]
fn what_cannot_be_masked_is_refused() {
    let scene = Scene::offset().topic("0@0 a 1").file("0@0 a 1").section("[compare]\nmask = [\"idd\"]");
    assert!(scene.verdicts().contains("the table has no column idd"), "{}", scene.verdicts());
}

#[test]
fn a_column_that_the_table_is_partitioned_by_cannot_be_masked() {
    let scene = by_day(Scene::offset().topic("0@0 a 1").file("0@0 a 1"), DAY);
    let folder = written(&scene.clone().section("[compare]\nmask = [\"id\", \"at\"]"));
    for words in WORDS {
        let ran = validator(folder.path(), words).assert_no_panic();
        let why = "error: at cannot be masked: the table is partitioned by it, so paths of files hold its values";
        assert!(ran.exit == 2 && ran.stderr.starts_with(why), "{}", ran.all());
        assert!(ran.stderr.contains("mask = [\"id\", \"at\"]"), "the place: {}", ran.all());
    }
    assert!(!folder.join("report.json").exists());
    // Any other column of that table can.
    let other = scene.section("[compare]\nmask = [\"id\"]");
    assert!(other.verdicts().contains("holds, fidelity 1.0"), "{}", other.verdicts());
}

#[test]
fn misrouted_rows_of_a_table_with_a_masked_column_do_not_show_it() {
    let scene = Scene::offset().topic(&format!("0@0 {MARK}1 1")).file(&format!("0@0 {MARK}2 1"));
    let all = nothing_leaks(&by_day(scene, DAY + 1).section("[compare]\nmask = [\"id\"]"));
    assert!(all.contains("\"misrouted\"") && all.contains("\"corrupted\""), "{all}");
}

#[test]
fn in_mode_content_halves_candidates_and_copies_show_nothing_of_a_masked_column() {
    let messages =
        format!("0@0 {MARK}1 1 | 0@1 {MARK}2 2 | 0@2 {MARK}2 2 | 0@3 {MARK}3 3 | 0@4 {{\"id\": \"{MARK}\", }}");
    // The first row left may be that of the message which cannot be decoded.
    let rows = format!("{MARK}7 7 | {MARK}9 1 | {MARK}2 2 | {MARK}3 3 | {MARK}3 3 | {MARK}8 8");
    for scene in [Scene::content(), Scene::content_plain()] {
        let scene = scene.topic(&messages).file(&rows).section("[compare]\nmask = [\"id\"]");
        let all = nothing_leaks(&scene);
        assert!(all.contains("differs from it in id alone") && all.contains("2 equal messages"), "{all}");
        assert!(all.contains("\"duplicated\"") && all.contains("\"undecodable\""), "{all}");
    }
}

/// A number that no output may hold, as its digits.
const SECRET: &str = "31415926";

#[test]
fn of_an_upsert_table_neither_keys_nor_stale_values_are_shown() {
    let messages = format!(
        "0@0 {MARK}a {SECRET}.5 | 0@1 {MARK}a 2 | 0@2 {MARK}b 2 | 0@3 null {{\"id\": \"{MARK}b\"}}
         0@4 null [\"{MARK}\"] | 0@5 null {{\"id\": {{\"{MARK}\": 1}}}} | 0@6 {MARK}c {SECRET}.25"
    );
    let scene = Scene::upsert().topic(&messages).file(&format!("{MARK}a {SECRET}.5 | {MARK}b 2 | {MARK}c 3"));
    let all = nothing_leaks(&scene.section("[compare]\nmask = [\"id\", \"price\"]"));
    assert!(!all.contains(SECRET), "{all}");
    for word in ["stale_value", "resurrected", "key_unknown", "{\"id\":\"(masked)\"}"] {
        assert!(all.contains(word), "{word}: {all}");
    }
}

#[test]
fn a_kafka_key_that_a_masked_column_cannot_hold_is_not_quoted() {
    let key = format!("{{\"price\": {SECRET}535897932384.5}}");
    let scene = Scene::upsert().topic(&format!("0@0 a 1 | 0@1 null {key}")).file("a 1");
    let folder = written(&scene.section("[compare]\nmask = [\"price\"]"));
    folder.edit("pipeline.toml", "columns = [\"id\"]", "columns = [\"price\"]");
    let all = WORDS.map(|words| shown_in(&folder, words)).concat();
    assert!(all.contains("\"key_unknown\"") && !all.contains(SECRET), "{all}");
}

#[test]
fn what_a_condition_reads_of_a_masked_column_is_not_quoted() {
    let topic = format!("0@0 {MARK} 1 | 0@1 7 2");
    let [offset, others] = ["0@0 x 1 | 0@1 7 2", "x 1 | 7 2"];
    for (scene, rows) in [(Scene::offset(), offset), (Scene::key(), others), (Scene::content(), others)] {
        let scene = scene.topic(&topic).file(rows).pipeline("filter = \"CAST(id AS INT) > 0\"");
        let all = nothing_leaks(&scene.section("[compare]\nmask = [\"id\"]"));
        assert!(all.contains("cannot be mapped: filter: (masked)"), "{all}");
    }
    let scene = Scene::upsert().topic(&topic).file(others).identity("delete_when = \"CAST(id AS INT) = 0\"");
    let all = nothing_leaks(&scene.section("[compare]\nmask = [\"id\"]"));
    assert!(all.contains("cannot be mapped: delete_when: (masked)"), "{all}");
    let scene = Scene::offset().topic(&format!("0@0 a {SECRET}535897932384.5")).file("0@0 a 1");
    let scene = scene.pipeline("filter = \"price > 0\"").section("[compare]\nmask = [\"price\"]");
    let all = nothing_leaks(&scene);
    assert!(all.contains("cannot be mapped: filter: (masked)") && !all.contains(SECRET), "{all}");
}

#[test]
fn an_expression_over_the_whole_payload_shows_nothing_of_a_masked_column() {
    let scene = Scene::offset().topic(&format!("0@0 {MARK} 1")).file("0@0 a 1");
    let scene = scene.section("[map]\nprice = \"CAST(CAST(_value AS VARCHAR) AS DECIMAL(18, 8))\"");
    let all = nothing_leaks(&scene.section("[compare]\nmask = [\"id\"]\ndrop = { price = \"not kept\" }"));
    assert!(all.contains("\"map_failed\""), "{all}");
}

//! **`mask`** (interface, section 2): a value that is masked is shown nowhere.

use std::fs;

use crate::scene::Scene;
use crate::transcript::validator;

/// No output may hold it.
const MARK: &str = "secretmarker";

/// Everything that a run of these words shows.
fn shown(scene: &Scene, words: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let folder = runtime.block_on(scene.write());
    let ran = validator(folder.path(), words).assert_no_panic();
    let files = ["findings.jsonl", "report.json"].map(|name| fs::read_to_string(folder.join(name)).unwrap_or_default());
    format!("{}\n{}", ran.all(), files.concat())
}

const WORDS: [&str; 3] = [
    "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl",
    "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --report report.json",
    "check pipeline.toml",
];

fn nothing_leaks(scene: &Scene) -> String {
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

//! **The contract is probably wrong** (interface, section 6): nearly all of the first messages differ in one column.

use std::fs;

use crate::bad_input::written;
use crate::scene::Scene;
use crate::transcript::validator;

fn scene(messages: i64, wrong: i64) -> Scene {
    let topic: String = (0..messages).map(|n| format!("0@{n} a{n} {}\n", n + 1)).collect();
    let price = |n: i64| if n < wrong { (n + 1) * 1000 } else { n + 1 };
    let rows: String = (0..messages).map(|n| format!("0@{n} a{n} {}\n", price(n))).collect();
    Scene::offset().topic(&topic).file(&rows)
}

#[test]
fn it_is_said_when_nearly_all_differ_in_one_column_and_not_before() {
    let warnings = |scene: &Scene| scene.answer().report.warnings.join("; ");
    let said = warnings(&scene(100, 95));
    assert!(
        said.contains("95 of the first 100 messages differ in column price: probably the contract is wrong"),
        "{said}"
    );
    assert_eq!(warnings(&scene(100, 94)), "");
    assert_eq!(warnings(&scene(19, 19)), "", "too few to say so");
}

#[test]
fn the_run_ends_there_when_asked_to() {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let words = "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --stop-if-contract --report report.json";
    let folder = runtime.block_on(scene(50, 50).write());
    let ran = validator(folder.path(), words).assert_no_panic();
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{}", ran.all());
    assert!(ran.all().contains("50 of the first 50 messages differ in column price"), "{}", ran.all());
    assert!(!folder.join("report.json").exists());
    let folder = runtime.block_on(scene(50, 10).write());
    let ran = validator(folder.path(), words).assert_no_panic();
    assert_eq!(ran.exit, 1, "a contract that is not wrong is judged: {}", ran.all());
    assert!(folder.join("report.json").exists());
}

#[test]
fn of_an_upsert_table_the_last_versions_count() {
    let topic: String = (0..80).map(|n| format!("0@{n} k{} {n}\n", n % 40)).collect();
    let table = |times: i64| (0..40).map(|n| format!("k{n} {}\n", (n + 40) * times)).collect::<String>();
    let scene = |times| Scene::upsert().topic(&topic).file(&table(times));
    let said = scene(1000).answer().report.warnings.join("; ");
    assert!(said.contains("40 of the first 40 messages differ in column price"), "{said}");
    assert_eq!(scene(1).answer().report.warnings.join("; "), "");
}

#[test]
fn a_table_of_later_versions_is_not_held_against_the_first_messages() {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    // The first 10,000 messages alone would differ from their rows, each in its price.
    let keys = 10_000;
    let topic: String = (0..2 * keys).map(|n| format!("0@{n} k{} {n}\n", n % keys)).collect();
    let table: String = (0..keys).map(|n| format!("k{n} {}\n", n + keys)).collect();
    let folder = runtime.block_on(Scene::upsert().topic(&topic).file(&table).write());
    let words = "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --stop-if-contract --report report.json";
    let ran = validator(folder.path(), words).assert_no_panic();
    assert_eq!(ran.exit, 0, "{}", ran.all());
}

/// Messages of one partition with a price each, and their rows, of another price where that is wrong.
fn partition(number: i32, messages: i64, is_wrong: impl Fn(i64) -> bool) -> [String; 2] {
    let price = |n: i64| if is_wrong(n) { (n + 1) * 1000 } else { n + 1 };
    let lines = |price: &dyn Fn(i64) -> i64| {
        let line = |n| format!("{number}@{n} {number}-{n} {}\n", price(n));
        (0..messages).map(line).collect::<String>()
    };
    [lines(&|n| n + 1), lines(&price)]
}

/// What is warned of over these partitions, mode `offset`.
fn warned(partitions: &[[String; 2]]) -> String {
    let scene = partitions.iter().fold(Scene::offset(), |scene, [topic, _]| scene.topic(topic));
    let rows: String = partitions.iter().map(|[_, rows]| rows.as_str()).collect();
    scene.file(&rows).answer().report.warnings.join("; ")
}

fn notice(differing: u64, of: u64, column: &str) -> String {
    format!(
        "{differing} of the first {of} messages differ in column {column}: probably the contract is wrong, not the data"
    )
}

#[test]
fn without_a_file_of_findings_messages_beyond_those_that_a_report_shows_count_too() {
    let folder = written(&scene(3_000, 3_000));
    let words = "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z";
    let ran = validator(folder.path(), words).assert_no_panic();
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(ran.exit == 1 && said.contains(&notice(3_000, 3_000, "price")), "{}", ran.all());
    let ran = validator(folder.path(), &format!("{words} --report report.json")).assert_no_panic();
    let report = fs::read_to_string(folder.join("report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((ran.exit, &report["warnings"]), (1, &serde_json::json!([notice(3_000, 3_000, "price")])));
    assert_eq!(report["findings"]["total"], 3_000);
}

#[test]
fn of_a_longer_topic_the_first_ten_thousand_offsets_count() {
    assert_eq!(warned(&[partition(0, 12_000, |n| n < 9_500)]), notice(9_500, 10_000, "price"));
    assert_eq!(warned(&[partition(0, 12_000, |n| !(9_499..10_000).contains(&n))]), "");
    assert_eq!(warned(&[partition(0, 12_000, |n| n >= 10_000)]), "");
}

#[test]
fn partitions_have_equal_shares_of_the_first_messages() {
    let all = || partition(0, 6_000, |_| true);
    assert_eq!(warned(&[all(), partition(1, 6_000, |n| n < 4_500)]), notice(9_500, 10_000, "price"));
    assert_eq!(warned(&[all(), partition(1, 6_000, |n| !(4_499..5_000).contains(&n))]), "");
    // What a short one leaves of its share, no other has.
    assert_eq!(warned(&[all(), partition(1, 100, |_| false)]), notice(5_000, 5_100, "price"));
}

#[test]
fn offsets_without_a_message_and_messages_that_are_not_judged_are_none_of_them() {
    // Every 200th offset holds a message: 50 of them are below 10,000.
    let lines = |price: &dyn Fn(i64) -> i64| -> String {
        (0..100).map(|n| format!("0@{} a{n} {}\n", n * 200, price(n))).collect()
    };
    let scene =
        Scene::offset().topic(&lines(&|n| n + 1)).file(&lines(&|n| if n < 50 { (n + 1) * 1000 } else { n + 1 }));
    assert_eq!(scene.answer().report.warnings.join("; "), notice(50, 50, "price"));
    // Of the first 50 the filter leaves 30 out.
    let scene = scene.pipeline("filter = \"_offset >= 6000\"");
    assert_eq!(scene.answer().report.warnings.join("; "), notice(20, 20, "price"));
}

#[test]
fn in_mode_key_it_is_said_of_the_first_messages_as_well() {
    let lines = |messages: i64, row: &dyn Fn(i64) -> String| -> String { (0..messages).map(row).collect() };
    let topic = |messages| lines(messages, &|n| format!("0@{n} a{n} {}\n", n + 1));
    let wrong = lines(12_000, &|n| format!("a{n} {}\n", if n < 10_000 { (n + 1) * 1000 } else { n + 1 }));
    let scene = Scene::key().topic(&topic(12_000)).file(&wrong);
    assert_eq!(scene.answer().report.warnings.join("; "), notice(10_000, 10_000, "price"));
    let words = "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --stop-if-contract --report report.json";
    let folder = written(&scene);
    let ran = validator(folder.path(), words).assert_no_panic();
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{}", ran.all());
    assert!(ran.stderr.contains("10000 of the first 10000 messages differ in column price"), "{}", ran.all());
    assert!(!folder.join("report.json").exists());
    // A key that every row spells otherwise: the rows are found by their other columns.
    let spelled = Scene::key().topic(&topic(60)).file(&lines(60, &|n| format!("A{n} {}\n", n + 1)));
    assert_eq!(spelled.answer().report.warnings.join("; "), notice(60, 60, "id"));
}

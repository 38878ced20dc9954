//! **The contract is probably wrong** (interface, section 6): nearly all of the first messages differ in one column.

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

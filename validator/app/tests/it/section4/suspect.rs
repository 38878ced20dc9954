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

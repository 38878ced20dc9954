//! Findings as Parquet: the same findings as in the lines of JSON, in columns that others can read.

use std::fs;

use fixtures_harness::run_python;
use serde_json::{Value as Json, json};

use super::damaged;
use crate::scene::{Folder, Scene};
use crate::transcript::validator;

fn written(scene: &Scene) -> Folder {
    let folder = tokio::runtime::Runtime::new().expect("the system gives threads").block_on(scene.write());
    for file in ["f.jsonl", "f.parquet"] {
        let flags = format!("reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --quiet --findings {file}");
        validator(folder.path(), &flags).assert_no_panic();
    }
    folder
}

/// What pyarrow reads of a file: the rows as Python writes them in JSON, and the types.
const READ: &str = r#"
import json, sys
import pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
rows = table.to_pylist()
for row in rows:
    at = row["timestamp"]
    row["timestamp"] = at and at.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (at.microsecond // 1000)
    row["identity"] = row["identity"] and json.loads(row["identity"])
print(json.dumps({"rows": rows, "types": {field.name: str(field.type) for field in table.schema}}))
"#;

/// A value of `columns` as a text column holds it.
fn as_text(value: &Json) -> Json {
    match value {
        Json::Null | Json::String(_) => value.clone(),
        other => json!(other.to_string()),
    }
}

#[test]
fn pyarrow_reads_the_findings_that_the_lines_of_json_say() {
    let content = Scene::content().topic("0@0 a 1 | 0@1 a 1 | 0@2 b 2.5 | 0@3 c -").file("a 1 | b 2.25 | c 7");
    for scene in [damaged(), content] {
        let folder = written(&scene);
        let path = folder.join("f.parquet").display().to_string();
        let read: Json = serde_json::from_str(&run_python(READ, &[&path]).expect("pyarrow reads it")).expect("JSON");
        let lines = fs::read_to_string(folder.join("f.jsonl")).expect("the lines were written");
        let mut lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(lines.len() > 1);
        for line in &mut lines {
            for column in line["columns"].as_array_mut().into_iter().flatten() {
                for side in ["message", "row"] {
                    column[side] = as_text(&column[side]);
                }
            }
        }
        assert_eq!(read["rows"], Json::from(lines));
        insta::allow_duplicates! {
            insta::assert_json_snapshot!(read["types"]);
        }
    }
}

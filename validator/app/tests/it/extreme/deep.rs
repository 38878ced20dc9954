//! Two hundred levels of nesting, wherever something nests.

use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use super::written;
use crate::scene::Scene;
use crate::transcript::validator;

const LEVELS: usize = 200;

fn sound() -> Scene {
    Scene::offset().topic("0@0 a 1").file("0@0 a 1")
}

fn reconcile(folder: &crate::scene::Folder) -> String {
    validator(folder.path(), "reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z").assert_no_panic().all()
}

/// A record in a record, so many levels deep.
fn avro(levels: usize) -> Json {
    (0..levels).fold(
        json!("long"),
        |inner, level| json!({"type": "record", "name": format!("R{level}"), "fields": [{"name": "f", "type": inner}]}),
    )
}

#[test]
fn an_avro_schema() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "format = \"json\"", "format = \"avro\"\nschema = \"deep.avsc\"");
    std::fs::write(folder.join("deep.avsc"), avro(LEVELS).to_string()).expect("the folder takes files");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: deep.avsc is no Avro schema: the schema has more than 127 levels of JSON
      hint:    `schema` in [pipeline] names a file as `curl URL/schemas/ids/1/schema` prints it
    ");
}

#[test]
fn a_table_schema() {
    let folder = written(&sound());
    let path = folder.table.metadata_location.trim_start_matches("file://").to_owned();
    let text = std::fs::read_to_string(&path).expect("the metadata is there");
    let mut metadata: Json = serde_json::from_str(&text).expect("metadata is JSON");
    let deep = (0..LEVELS as i64).fold(json!("long"), |inner, level| {
        let field = json!({"id": 1_000 + level, "name": "f", "required": false, "type": inner});
        json!({"type": "struct", "fields": [field]})
    });
    let columns = metadata["schemas"][0]["fields"].as_array_mut().expect("columns");
    columns.push(json!({"id": 2_000, "name": "deep", "required": false, "type": deep}));
    std::fs::write(&path, metadata.to_string()).expect("the table takes files");
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stderr
    error: open the table
      because: table needs what this version cannot do: metadata of more than 127 levels of JSON
      hint:    `--snapshot ID` judges a state of the table from before that was there
    ");
}

#[test]
fn the_type_of_a_field() {
    let ty = format!("{}long{}", "struct<f: ".repeat(LEVELS), ">".repeat(LEVELS));
    let folder = written(&sound().section(&format!("[fields]\ndeep = \"{ty}\"")));
    let said = reconcile(&folder);
    let (first, _) = said.split_once("-->").expect("a place in the file");
    assert_snapshot!(first, @"
    exit 2
    --- stderr
    error: the type of `deep` is not one: types nest deeper than 32 at character 331
    ");
}

#[test]
fn a_value_in_the_service_file() {
    let folder = written(&sound());
    let deep = format!("[service]\nmemory = {}1{}\n", "[".repeat(100_000), "]".repeat(100_000));
    std::fs::write(folder.join("validator.toml"), deep).expect("the folder takes files");
    let said = reconcile(&folder);
    let (first, _) = said.split_once("-->").expect("a place in the file");
    assert_snapshot!(first, @"
    exit 2
    --- stderr
    error: not TOML: cannot recurse further; max recursion depth met
    ");
}

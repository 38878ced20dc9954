//! Metadata tables row by row against what Iceberg's own Python library says of the same tables: position deletes, a
//! partition spec that changed again and again, tags, branches, and a history with a commit that was taken back.

use fixtures_harness::{IcebergCatalog, Story, iceberg_catalog, run_python, write_foreign_tables};
use serde_json::{Map, Value as Json};

use super::ask_in;
use crate::real_kafka::good;

const SCRIPT: &str = include_str!("inspect.py");
const KINDS: [&str; 5] = ["files", "snapshots", "history", "partitions", "refs"];

/// A row as both sides can say it: maps and lists that are empty or not there are the same (a manifest entry of the
/// iceberg crate does not tell them apart), and a partition has no member that is NULL (PyIceberg's `partitions` leaves
/// out fields of specs that no manifest of the snapshot is of).
fn levelled(row: &Json) -> Json {
    let mut levelled = Map::new();
    for (name, value) in row.as_object().expect("a row is an object") {
        let value = match value {
            Json::Array(items) if items.is_empty() => Json::Null,
            Json::Object(members) if members.is_empty() => Json::Null,
            Json::Object(members) if name == "partition" => {
                let there = members.iter().filter(|(_, value)| !value.is_null());
                Json::Object(there.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            other => other.clone(),
        };
        levelled.insert(name.clone(), value);
    }
    Json::Object(levelled)
}

fn sorted(rows: impl Iterator<Item = Json>) -> Vec<String> {
    let mut rows: Vec<String> = rows.map(|row| levelled(&row).to_string()).collect();
    rows.sort();
    rows
}

#[test]
fn metadata_tables_are_row_by_row_what_pyiceberg_says() {
    let catalog = iceberg_catalog();
    let stories = [Story::PositionDeletes, Story::PartitionEvolution];
    let tables = good(write_foreign_tables(&catalog, &stories));
    let (uri, warehouse) = (catalog.sqlalchemy_uri(), catalog.warehouse().uri());
    let mut arguments = vec![IcebergCatalog::NAME, &uri, &warehouse];
    arguments.extend(tables.iter().map(|table| table.identifier.as_str()));
    let said = good(run_python(SCRIPT, &arguments));
    let said: Vec<Json> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();

    let folder = tempfile::tempdir().expect("the system gives a folder");
    let service = format!(
        "[catalogs.lake]\ntype = \"sql\"\nuri = {:?}\ncatalog_name = {:?}\nwarehouse = {warehouse:?}\n",
        catalog.uri(),
        IcebergCatalog::NAME,
    );
    std::fs::write(folder.path().join("validator.toml"), service).expect("the folder takes files");
    let mut counts = Vec::new();
    for table in &tables {
        for kind in KINDS {
            let of_kind = said.iter().filter(|line| line["table"] == table.identifier && line["kind"] == kind);
            let expected = sorted(of_kind.map(|line| line["row"].clone()));
            let (namespace, name) = table.identifier.split_once('.').expect("namespace.table");
            let query = format!("SELECT * FROM lake.{namespace}.\"{name}${kind}\"");
            // Not through a transcript, which masks identifiers.
            let ran = std::process::Command::new(env!("CARGO_BIN_EXE_validator"))
                .args(["sql", "--format", "jsonl", &query])
                .current_dir(folder.path())
                .output()
                .expect("the binary runs");
            let (out, talk) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
            assert!(ran.status.success(), "{query}\n{talk}");
            let answered = sorted(out.lines().map(|line| serde_json::from_str(line).expect("JSON")));
            assert_eq!(answered, expected, "{query}");
            counts.push((name, kind, answered.len()));
        }
    }
    // What is compared is there to be compared.
    for (kind, least) in KINDS.into_iter().zip([5, 5, 5, 2, 4]) {
        assert!(counts.iter().filter(|count| count.1 == kind).all(|count| count.2 >= least), "{counts:?}");
    }
    let taken_back = "SELECT count(*) AS n FROM lake.ns.\"position_deletes$history\" WHERE NOT is_current_ancestor";
    let ran = ask_in(folder.path(), "--format jsonl", taken_back);
    assert_eq!(ran.stdout, "{\"n\":1}\n", "{}", ran.all());
    let deletes = "SELECT count(*) > 0 AS deletes, count(DISTINCT spec_id) AS specs \
                   FROM lake.ns.\"position_deletes$files\" WHERE content = 1";
    let ran = ask_in(folder.path(), "--format jsonl", deletes);
    assert_eq!(ran.stdout, "{\"deletes\":true,\"specs\":2}\n", "{}", ran.all());
}

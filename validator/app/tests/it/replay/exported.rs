//! The ledger as files of Parquet, read back by a query; and the deep proof.

use fixtures_harness::run_python;
use serde_json::Value as Json;

use super::{State, faulty, refused, run, told, written};
use crate::scene::Folder;

fn rows(folder: &Folder, file: &str) -> usize {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let file = std::fs::File::open(folder.join(file)).expect("it is there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build()).expect("Parquet");
    reader.map(|batch| batch.expect("a batch").num_rows()).sum()
}

#[test]
fn findings_states_and_segments_are_exported() {
    for state in State::both() {
        let folder = written(&faulty(), &state);
        run(&folder);
        let findings = told(&folder, "findings --all --format jsonl");
        let said = told(&folder, "ledger export --to out");
        assert_eq!(rows(&folder, "out/trades/findings.parquet"), findings.lines().count());
        assert_eq!(rows(&folder, "out/trades/states.parquet"), findings.lines().count());
        let segments = rows(&folder, "out/trades/segments.parquet");
        assert!(segments >= 2, "{segments} segments");
        let count = findings.lines().count();
        assert_eq!(said, format!("trades: {count} findings and {segments} segments in out/trades\n"));
        // A plan of the exported findings is one of the ledger, without holes.
        let plan = told(&folder, "replay-plan trades --findings out/trades/findings.parquet --format json");
        let plan: Json = serde_json::from_str(&plan).expect("a plan is JSON");
        assert_eq!(plan["messages"]["total"], 7);
    }
}

/// Prints the rows of each table, by PyIceberg, and how many snapshots it has.
const READ: &str = r#"
import sys
from pyiceberg.table import StaticTable

for name in ["findings", "states", "segments"]:
    hint = open(f"{sys.argv[1]}/{name}/metadata/version-hint.text").read()
    table = StaticTable.from_metadata(f"{sys.argv[1]}/{name}/metadata/v{hint}.metadata.json")
    rows = table.scan().to_arrow()
    print(name, rows.num_rows, len(table.snapshots()))
    if name == "findings":
        findings = rows.to_pylist()
    if name == "states":
        assert sorted(rows["id"].to_pylist()) == sorted(finding["id"] for finding in findings)
damaged = next(finding for finding in findings if finding["verdict"] == "corrupted")
print(damaged["columns"][0]["damage"], damaged["offset"], damaged["timestamp"].isoformat())
"#;

#[test]
fn the_same_are_exported_as_iceberg_tables() {
    let folder = written(&faulty(), &State::both()[0]);
    run(&folder);
    let count = told(&folder, "findings --all --format jsonl").lines().count();
    told(&folder, "ledger export --to out");
    let segments = rows(&folder, "out/trades/segments.parquet");
    for times in 1..=2 {
        let said = told(&folder, "ledger export --to lake --format iceberg");
        assert_eq!(said, format!("trades: {count} findings and {segments} segments in lake/trades\n"));
        let tables = folder.join("lake/trades");
        let read = run_python(READ, &[tables.to_str().expect("a path of text")]).expect("PyIceberg reads the tables");
        let counts = format!("findings {count} {times}\nstates {count} {times}\nsegments {segments} {times}\n");
        let (said, damaged) = read.split_at(counts.len());
        assert_eq!(said, counts);
        assert_eq!(damaged, "truncated 1 2024-08-08T12:00:00+00:00\n");
    }
    // Another version of the validator had other columns.
    let hint = folder.join("lake/trades/segments/metadata/version-hint.text");
    assert_eq!(std::fs::read_to_string(&hint).expect("it is there"), "2");
    let (states, other) = (folder.join("lake/trades/states"), folder.join("lake/trades/findings"));
    std::fs::remove_dir_all(&states).and_then(|()| std::fs::rename(other, &states)).expect("the folder is ours");
    let refused = refused(&folder, "ledger export --to lake --format iceberg", 3).stderr;
    assert!(refused.contains("is a table of other columns") && refused.contains("--to"), "{refused}");
}

#[test]
fn verify_proves_the_books_down_to_each_offset_and_report_shows_it() {
    for state in State::both() {
        let folder = written(&faulty(), &state);
        run(&folder);
        let said = told(&folder, "ledger verify");
        for line in [
            "trades: sound at checkpoint ",
            "  the bags of 2 files give the credit of ",
            "  trades[0] 0..9: each offset is in one of 1 segment or in a hole; 8 messages, 1 in holes (unknown)",
            "  trades[1] 0..4: each offset is in one of 1 segment or in a hole; 3 messages, 1 in holes (unknown)",
        ] {
            assert!(said.contains(line), "{said}");
        }
        let report = refused(&folder, "report", 1).stdout;
        let flat = report.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = "trades[0] 0..9: each offset is in one of 1 segment or in a hole; 8 messages, 1 in holes (unknown)";
        assert!(flat.contains(line), "{report}");
    }
}

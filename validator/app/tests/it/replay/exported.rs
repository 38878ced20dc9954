//! The ledger as files of Parquet, read back by a query; and the deep proof.

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

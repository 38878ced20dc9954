//! The rows of a table, of an export, and what differs between them; as text, so that no comparison of ours decides.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use validator_engine::reconcile::Run;
use validator_table::{RowGroups, ScanItem};

use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;

/// Each row, its cells by the names of their columns, and how often it is there.
pub type Rows = BTreeMap<String, usize>;

/// What Spark exported.
pub fn exported(files: &[PathBuf]) -> Rows {
    texts(files.iter().flat_map(|file| good(fixtures_warehouse::read_parquet(file))))
}

/// What the validator reads of the table of a run.
pub fn read(stage: &Stage, run: Run) -> Rows {
    let pinned = &run.pinned;
    assert_eq!(pinned.findings, []);
    let batches = stage.block_on(async {
        let mut batches = Vec::new();
        for file in &pinned.files {
            let reader = pinned.open(file, &pinned.schema.fields).await.expect("the file opens");
            assert_eq!(reader.findings(), []);
            let mut items = reader.scan(&RowGroups::All);
            while let Some(item) = items.next().await {
                match item {
                    ScanItem::Rows(rows) => batches.push(rows.batch),
                    ScanItem::End(end) => assert!(end.fault.is_none(), "{:?}", end.fault),
                }
            }
        }
        batches
    });
    texts(batches)
}

/// Fails with the rows that only one of both has.
pub fn assert_same(table: &str, read: &Rows, exported: &Rows) {
    let lacking = |these: &Rows, those: &Rows| {
        let differs = these.iter().filter(|(row, count)| those.get(*row) != Some(count));
        differs.map(|(row, count)| format!("{count} x {row}")).collect::<Vec<_>>()
    };
    let (too_many, too_few) = (lacking(read, exported), lacking(exported, read));
    let told = format!("{table}\nread only:\n{}\nexported only:\n{}", too_many.join("\n"), too_few.join("\n"));
    assert!(too_many.is_empty() && too_few.is_empty(), "{told}");
}

fn texts(batches: impl IntoIterator<Item = RecordBatch>) -> Rows {
    let mut rows = Rows::new();
    let options = FormatOptions::default().with_null("NULL");
    for batch in batches {
        let schema = batch.schema();
        let format = |array| ArrayFormatter::try_new(array, &options).expect("every type of a table has a text");
        let columns: Vec<_> = batch.columns().iter().map(|array| format(array.as_ref())).collect();
        for row in 0..batch.num_rows() {
            let cells = schema.fields().iter().zip(&columns);
            let cells = cells.map(|(field, column)| format!("{}={}", field.name(), column.value(row)));
            *rows.entry(cells.collect::<Vec<_>>().join(" ")).or_default() += 1;
        }
    }
    rows
}

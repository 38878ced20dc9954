//! The scan over tables on disk, polled partition by partition: what depends on threads is decided here, and not by luck.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema};
use fixtures_kit::schema::{Column as KitColumn, ColumnType, number};
use fixtures_kit::table::{DataFile, Operation, Row, Snapshot, Table};
use fixtures_kit::value::Value;
use fixtures_warehouse::Warehouse;
use validator_table::{CatalogConfig, SnapshotSelector, Storage, TableName, load_with};

use super::*;

/// Rows of each row group.
const GROUP: usize = 10;

/// A table with one file for each of these numbers of rows; `id` counts through all of them.
async fn pinned(folder: &std::path::Path, files: &[usize]) -> Arc<Pinned> {
    let mut columns = vec![KitColumn::optional("id", ColumnType::Long)];
    number(&mut columns);
    let mut ids = 0..;
    let file = |(index, rows): (usize, &usize)| DataFile {
        path: format!("data/f{index}.parquet"),
        rows: (&mut ids).take(*rows).map(|id| Row { values: vec![Value::long(id)], labels: Vec::new() }).collect(),
        row_group_rows: GROUP,
        partition: Vec::new(),
        bounds: true,
        breakage: None,
        record_count_error: 0,
    };
    let files: Vec<DataFile> = files.iter().enumerate().map(file).collect();
    let (added, removed) = ((0..files.len()).collect(), Vec::new());
    let snapshot = Snapshot { id: 1, commit_ms: 1_000, operation: Operation::Append, added, removed };
    let (namespace, name) = ("market".to_owned(), "trades".to_owned());
    let table = Table {
        namespace,
        name,
        columns,
        partitioning: Vec::new(),
        files,
        snapshots: vec![snapshot],
        judged: Some(0),
        deletes: Vec::new(),
        equality_deletes: false,
    };
    let warehouse = Warehouse::create(&folder.join("warehouse")).await.expect("the folder takes files");
    let written = warehouse.write(&table).await.expect("the folder takes files");
    let config = CatalogConfig::Metadata { location: written.metadata_location };
    let name = TableName { catalog: "lake".into(), namespace: vec!["market".into()], table: "trades".into() };
    let loaded = load_with(&config, &name, Storage::local()).await.expect("it was just written");
    Arc::new(loaded.pin(&SnapshotSelector::Current).await.expect("it has a snapshot"))
}

fn scan(pinned: &Arc<Pinned>, limit: Option<usize>, threads: usize) -> LakeScan {
    let schema = Arc::new(ArrowSchema::new(vec![ArrowField::new("id", DataType::Int64, true)]));
    let columns = vec![Column::Field(pinned.schema.fields[0].clone())];
    LakeScan::new(Arc::clone(pinned), columns, schema, limit, threads)
}

fn begin(scan: &LakeScan, partition: usize) -> SendableRecordBatchStream {
    scan.execute(partition, Arc::new(TaskContext::default())).expect("it begins")
}

async fn next(stream: &mut SendableRecordBatchStream) -> Option<Vec<i64>> {
    let batch = stream.next().await?.expect("all can be read");
    Some(batch.column(0).as_primitive::<Int64Type>().values().to_vec())
}

async fn all(stream: &mut SendableRecordBatchStream) -> Vec<i64> {
    let mut rows = Vec::new();
    while let Some(more) = next(stream).await {
        rows.extend(more);
    }
    rows
}

fn count(scan: &LakeScan, name: &str) -> usize {
    scan.metrics().and_then(|all| all.sum_by_name(name)).map_or(0, |value| value.as_usize())
}

#[tokio::test]
async fn partitions_share_the_row_groups_of_one_file_and_another_execution_reads_it_again() {
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let pinned = pinned(folder.path(), &[200]).await;
    let scan = scan(&pinned, None, 2);
    assert_eq!(scan.properties().partitioning.partition_count(), 2);
    for time in 1..=2 {
        let mut streams = [begin(&scan, 0), begin(&scan, 1)];
        let first = next(&mut streams[0]).await.expect("the first has rows");
        // While the first waits for nothing but us, the second has rows of the same file.
        let second = next(&mut streams[1]).await.expect("the second has rows");
        let rest = [all(&mut streams[0]).await, all(&mut streams[1]).await].concat();
        let mut rows = [first, second, rest].concat();
        rows.sort_unstable();
        assert_eq!(rows, (0..200).collect::<Vec<i64>>());
        assert_eq!((count(&scan, "files_opened"), count(&scan, "row_groups_read")), (time, time * 20));
    }
}

#[tokio::test]
async fn a_partition_that_nobody_asks_is_waited_for_by_none() {
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let scan = scan(&pinned(folder.path(), &[30, 5, 200]).await, None, 2);
    let mut streams = [begin(&scan, 0), begin(&scan, 1)];
    let rows: BTreeSet<i64> = all(&mut streams[1]).await.into_iter().collect();
    assert_eq!(rows, (0..235).collect());
    assert_eq!(next(&mut streams[0]).await, None);
}

#[tokio::test]
async fn with_a_limit_rows_come_in_the_order_of_the_table_and_few_files_are_opened() {
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let pinned = pinned(folder.path(), &[5, 30, 200, 10]).await;
    let scan = scan(&pinned, Some(20), 2);
    assert_eq!(scan.properties().partitioning.partition_count(), 1);
    let mut stream = begin(&scan, 0);
    let mut rows = Vec::new();
    while rows.len() < 20 {
        rows.extend(next(&mut stream).await.expect("there are rows enough"));
    }
    assert_eq!(rows, (0..25).collect::<Vec<i64>>());
    assert_eq!(next(&mut stream).await, None);
    assert_eq!(count(&scan, "files_opened"), 2);
}

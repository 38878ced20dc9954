//! Tables that are published, as another client reads them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use fixtures_harness::run_python;
use parquet::arrow::ArrowWriter;
use validator_publish::{PublishError, Published, TableFolder};

/// Of the first export; later ones are a second apart.
const FIRST_MS: i64 = 1_790_000_000_000;

/// Prints what PyIceberg finds in each snapshot, oldest first; then what the newest one took away.
const READ: &str = r#"
import sys
from pyiceberg.table import StaticTable

table = StaticTable.from_metadata(sys.argv[1])
print(table.schema().find_field("at").field_type, [field.required for field in table.schema().fields])
for snapshot in sorted(table.snapshots(), key=lambda one: one.sequence_number):
    rows = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().to_pylist()
    print(snapshot.summary.operation.value, snapshot.summary["total-records"], [(row["id"], row["name"], str(row["at"])) for row in rows])
print(table.inspect.history().num_rows, sorted(table.inspect.entries()["status"].to_pylist()))
"#;

fn columns() -> Schema {
    Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false),
    ])
}

async fn opened(folder: &Path) -> TableFolder {
    TableFolder::open(folder, &columns()).await.expect("the folder takes a table")
}

fn written(table: &TableFolder, ids: &[i64]) -> PathBuf {
    let schema: SchemaRef = table.schema().expect("the columns have types");
    let names = StringArray::from_iter(ids.iter().map(|id| (id % 2 == 0).then(|| format!("n{id}"))));
    let at: TimestampMicrosecondArray = ids.iter().map(|id| Some(FIRST_MS * 1_000 + id)).collect();
    let DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) = schema.field(2).data_type() else {
        panic!("{schema:?} has no instants")
    };
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(ids.to_vec())), Arc::new(names), Arc::new(at.with_timezone(zone.clone()))];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("the columns fit");
    let path = table.new_file();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).expect("the folder takes files"), schema, None)
        .expect("the columns can be written");
    writer.write(&batch).expect("there is room");
    writer.close().expect("there is room");
    path
}

async fn published(folder: &Path, ids: &[i64], after_ms: i64) -> Result<Published, PublishError> {
    let table = opened(folder).await;
    let path = (!ids.is_empty()).then(|| written(&table, ids));
    table.replace(path.as_deref().map(|path| (path, ids.len() as u64)), FIRST_MS + after_ms).await
}

fn read(published: &Published) -> String {
    let path = published.metadata.to_str().expect("a path of text");
    run_python(READ, &[path]).expect("PyIceberg reads the table")
}

#[tokio::test]
async fn each_export_is_a_snapshot_that_replaces_all_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("findings");
    published(&folder, &[1, 2], 0).await.expect("the first");
    published(&folder, &[3], 1_000).await.expect("the second");
    published(&folder, &[], 2_000).await.expect("an empty one");
    // The clock was set back; an export is one nevertheless.
    let last = published(&folder, &[4], -3_600_000).await.expect("the last");
    let instant = |micros: i64| format!("2026-09-21 14:13:20.{micros:06}+00:00");
    let expected = format!(
        "timestamptz [True, False, True]\n\
         append 2 [(1, None, '{}'), (2, 'n2', '{}')]\n\
         overwrite 1 [(3, None, '{}')]\n\
         delete 0 []\n\
         append 1 [(4, 'n4', '{}')]\n\
         4 [1]\n",
        instant(1),
        instant(2),
        instant(3),
        instant(4)
    );
    assert_eq!(read(&last), expected);
    let hint = std::fs::read_to_string(folder.join("metadata/version-hint.text")).expect("it is there");
    assert_eq!((hint.as_str(), last.metadata.file_name()), ("4", Some("v4.metadata.json".as_ref())));
}

/// What an incremental reader needs: the file that went is an entry of the snapshot that took it away.
#[tokio::test]
async fn what_went_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    published(folder.path(), &[1], 0).await.expect("the first");
    let second = published(folder.path(), &[2], 0).await.expect("the second");
    assert!(read(&second).ends_with("2 [1, 2]\n"), "{}", read(&second));
}

#[tokio::test]
async fn of_two_writers_one_is_refused_and_nothing_of_it_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    published(folder.path(), &[1], 0).await.expect("the first");
    let (one, other) = (opened(folder.path()).await, opened(folder.path()).await);
    let (of_one, of_other) = (written(&one, &[2]), written(&other, &[3]));
    let second = one.replace(Some((&of_one, 1)), FIRST_MS + 1_000).await.expect("it is the first of the two");
    let refused = other.replace(Some((&of_other, 1)), FIRST_MS + 1_000).await.expect_err("the version is taken");
    assert!(matches!(refused, PublishError::Overtaken { .. }), "{refused}");
    assert!(read(&second).contains("overwrite 1 [(2, 'n2'"));
    // It is not a state to stay in.
    let third = published(folder.path(), &[3], 2_000).await.expect("the third");
    assert!(read(&third).contains("overwrite 1 [(3, None"));
}

#[tokio::test]
async fn what_ends_before_the_commit_leaves_the_table_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = published(folder.path(), &[1], 0).await.expect("the first");
    written(&opened(folder.path()).await, &[2]);
    // The hint is behind: the commit happened, and the process ended before it said so.
    std::fs::write(folder.path().join("metadata/version-hint.text"), "0").expect("there is room");
    assert!(read(&first).contains("append 1 [(1, None"));
    let second = published(folder.path(), &[3], 0).await.expect("the second");
    assert!(second.metadata.ends_with("v2.metadata.json"));
}

#[tokio::test]
async fn a_table_of_other_columns_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    published(folder.path(), &[1], 0).await.expect("the first");
    let fewer = Schema::new(columns().fields().iter().take(2).cloned().collect::<Vec<_>>());
    let refused = TableFolder::open(folder.path(), &fewer).await.err().expect("a column is missing");
    assert!(matches!(refused, PublishError::OtherColumns { .. }), "{refused}");
}

#[tokio::test]
async fn metadata_that_is_broken_is_an_error_and_no_new_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = published(folder.path(), &[1], 0).await.expect("the first");
    std::fs::write(&first.metadata, "{").expect("there is room");
    let refused = TableFolder::open(folder.path(), &columns()).await.err().expect("it is no metadata");
    assert!(matches!(refused, PublishError::Iceberg { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(&first.metadata).expect("it is there"), "{");
}

//! Files of older snapshots: where the row of a missing message may have stood, and who removed it.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_schema::DataType;
use iceberg::spec::{DataContentType, DataFile};
use serde_json::json;
use validator_table::{Removed, RowGroups};

use crate::lake::{Lake, assigned, column, field, read};

fn file(lake: &Lake, name: &str, value: i64) -> DataFile {
    lake.write(name, vec![(field(1, "a", DataType::Int64), Arc::new(Int64Array::from(vec![value])))])
}

/// Commits a snapshot that holds exactly these files.
async fn replace_all(lake: &mut Lake, operation: &str, name: &str, files: Vec<DataFile>) -> i64 {
    let id = lake.metadata["current-snapshot-id"].as_i64().unwrap_or(100) + 1;
    let manifest = assigned(lake.manifest(name, files).await, id);
    lake.commit(operation, vec![manifest]).await
}

/// The file's name, the last snapshot it stood in, the snapshot and operation that removed it.
type Told = (String, i64, Option<(i64, String)>);

fn told(removed: &Removed) -> Vec<Told> {
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let by = |snapshot: &validator_table::SnapshotInfo| (snapshot.id, snapshot.operation.clone());
    removed.files.iter().map(|f| (name(&f.file.path), f.stood_in.id, f.removed_by.as_ref().map(by))).collect()
}

#[tokio::test]
async fn removed_files_are_told_with_the_snapshot_and_operation_that_removed_them() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let (a, b, c) = (file(&lake, "a.parquet", 1), file(&lake, "b.parquet", 2), file(&lake, "c.parquet", 3));
    replace_all(&mut lake, "append", "m1.avro", vec![a.clone(), b.clone(), c.clone()]).await;
    replace_all(&mut lake, "overwrite", "m2.avro", vec![b.clone(), c.clone()]).await;
    replace_all(&mut lake, "delete", "m3.avro", vec![c]).await;
    let pinned = lake.pin().await.unwrap();
    let removed = pinned.removed_files().await;
    assert_eq!(
        told(&removed),
        [
            ("a.parquet".to_owned(), 101, Some((102, "overwrite".to_owned()))),
            ("b.parquet".to_owned(), 102, Some((103, "delete".to_owned()))),
        ]
    );
    assert!(removed.skipped.is_empty());
    let reader = pinned.open(&removed.files[1].file, &pinned.schema.fields).await.unwrap();
    assert_eq!(read(&reader, &RowGroups::All, &pinned).await.0, ["a=2"]);
}

#[tokio::test]
async fn rolled_back_snapshots_are_looked_at_and_staged_ones_are_not() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let (a, b, c) = (file(&lake, "a.parquet", 1), file(&lake, "b.parquet", 2), file(&lake, "c.parquet", 3));
    replace_all(&mut lake, "append", "m1.avro", vec![a.clone()]).await;
    replace_all(&mut lake, "append", "m2.avro", vec![a.clone(), b]).await;
    replace_all(&mut lake, "append", "m3.avro", vec![a.clone(), c]).await;
    lake.metadata["snapshot-log"].as_array_mut().unwrap().remove(2);
    lake.metadata["current-snapshot-id"] = json!(101);
    lake.metadata["refs"] = json!({});
    let pinned = lake.pin().await.unwrap();
    assert!(told(&pinned.removed_files().await).is_empty(), "what is newer than the judged snapshot is not older");
    lake.commit("append", vec![assigned(lake.manifest("m4.avro", vec![a]).await, 104)]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(told(&pinned.removed_files().await), [("b.parquet".to_owned(), 102, None)]);
}

#[tokio::test]
async fn older_snapshots_that_cannot_be_looked_at_are_skipped_and_named() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let (a, b) = (file(&lake, "a.parquet", 1), file(&lake, "b.parquet", 2));
    replace_all(&mut lake, "append", "m1.avro", vec![a.clone(), b.clone()]).await;
    let delete = lake.builder("d.parquet", 1, 10).content(DataContentType::PositionDeletes).build().unwrap();
    let deletes = assigned(lake.manifest("d.avro", vec![delete]).await, 102);
    let manifests = [lake.manifests.clone(), vec![deletes]].concat();
    lake.commit("delete", manifests).await;
    replace_all(&mut lake, "overwrite", "m3.avro", vec![b]).await;
    std::fs::remove_file(lake.path("metadata/snap-101.avro")).unwrap();
    let removed = lake.pin().await.unwrap().removed_files().await;
    assert!(removed.files.is_empty());
    assert_eq!(removed.skipped[0], (102, "it has delete files".to_owned()));
    assert_eq!(removed.skipped[1].0, 101);
    assert!(removed.skipped[1].1.starts_with("manifest list not readable: "), "{}", removed.skipped[1].1);
}

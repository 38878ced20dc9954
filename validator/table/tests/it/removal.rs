//! Files of older snapshots: where the row of a missing message may have stood, and who removed it.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_schema::DataType;
use iceberg::spec::{DataContentType, DataFile};
use serde_json::json;
use validator_table::{Pinned, Removed, RowGroups};

use crate::delete_files::{data, delete, of_file, vectors};
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
    removed.rows.iter().map(|f| (name(&f.file.path), f.stood_in.id, f.removed_by.as_ref().map(by))).collect()
}

#[tokio::test]
async fn removed_files_are_told_with_the_snapshot_and_operation_that_removed_them() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let (a, b, c) = (file(&lake, "a.parquet", 1), file(&lake, "b.parquet", 2), file(&lake, "c.parquet", 3));
    replace_all(&mut lake, "append", "m1.avro", vec![a.clone(), b.clone(), c.clone()]).await;
    replace_all(&mut lake, "overwrite", "m2.avro", vec![b.clone(), c.clone()]).await;
    replace_all(&mut lake, "delete", "m3.avro", vec![c]).await;
    let pinned = lake.pin().await.unwrap();
    let removed = pinned.removed_rows().await;
    assert_eq!(
        told(&removed),
        [
            ("a.parquet".to_owned(), 101, Some((102, "overwrite".to_owned()))),
            ("b.parquet".to_owned(), 102, Some((103, "delete".to_owned()))),
        ]
    );
    assert!(removed.skipped.is_empty());
    let reader = pinned.open_removed(&removed.rows[1], &pinned.schema.fields).await.unwrap();
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
    assert!(told(&pinned.removed_rows().await).is_empty(), "what is newer than the judged snapshot is not older");
    lake.commit("append", vec![assigned(lake.manifest("m4.avro", vec![a]).await, 104)]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(told(&pinned.removed_rows().await), [("b.parquet".to_owned(), 102, None)]);
}

#[tokio::test]
async fn older_snapshots_that_cannot_be_looked_at_are_skipped_and_named() {
    let mut lake = Lake::new(vec![column(1, "a", "long")]);
    let (a, b) = (file(&lake, "a.parquet", 1), file(&lake, "b.parquet", 2));
    replace_all(&mut lake, "append", "m1.avro", vec![a.clone(), b.clone()]).await;
    let mut builder = lake.builder("d.parquet", 1, 10);
    let delete = builder.content(DataContentType::EqualityDeletes).equality_ids(Some(vec![1])).build().unwrap();
    let deletes = assigned(lake.manifest("d.avro", vec![delete]).await, 102);
    let manifests = [lake.manifests.clone(), vec![deletes]].concat();
    lake.commit("delete", manifests).await;
    replace_all(&mut lake, "overwrite", "m3.avro", vec![b]).await;
    std::fs::remove_file(lake.path("metadata/snap-101.avro")).unwrap();
    let removed = lake.pin().await.unwrap().removed_rows().await;
    assert!(removed.rows.is_empty());
    assert_eq!(removed.skipped[0], (102, "it has equality delete files".to_owned()));
    assert_eq!(removed.skipped[1].0, 101);
    assert!(removed.skipped[1].1.starts_with("manifest list not readable: "), "{}", removed.skipped[1].1);
}

/// The rows that each part of what was removed holds.
async fn rows_of(pinned: &Pinned, removed: &Removed) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for part in &removed.rows {
        let reader = pinned.open_removed(part, &pinned.schema.fields).await.unwrap();
        rows.push(read(&reader, &RowGroups::All, pinned).await.0);
    }
    rows
}

#[tokio::test]
async fn rows_that_deletes_took_away_are_told_with_the_commit_that_took_each() {
    let mut lake = crate::delete_files::lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 5), data(&lake, "b.parquet", 10, 2));
    lake.append(vec![a.clone(), b]).await;
    let first = of_file(&lake, "d.parquet", &a, &[0, 1]);
    delete(&mut lake, vec![first]).await;
    let second = of_file(&lake, "e.parquet", &a, &[1, 4]);
    delete(&mut lake, vec![second]).await;
    let pinned = lake.pin().await.unwrap();
    let removed = pinned.removed_rows().await;
    let by = |id| Some((id, "delete".to_owned()));
    let named = |stood_in, removed_by| ("a.parquet".to_owned(), stood_in, by(removed_by));
    assert_eq!(told(&removed), [named(102, 103), named(101, 102)]);
    assert_eq!(rows_of(&pinned, &removed).await, [vec!["a=4"], vec!["a=0", "a=1"]]);
}

#[tokio::test]
async fn rows_under_a_rewritten_deletion_vector_are_told_by_the_vector_that_came_first() {
    let mut lake = crate::delete_files::lake(3);
    let a = data(&lake, "a.parquet", 0, 5);
    lake.append(vec![a.clone()]).await;
    let data_only = lake.manifests.clone();
    let first = vectors(&lake, "one.puffin", &[(&a, &[2])]);
    delete(&mut lake, first).await;
    // The next vector holds what the first held, and replaces it.
    lake.manifests = data_only;
    let second = vectors(&lake, "two.puffin", &[(&a, &[2, 3])]);
    delete(&mut lake, second).await;
    let pinned = lake.pin().await.unwrap();
    let removed = pinned.removed_rows().await;
    let ids: Vec<_> = told(&removed).into_iter().map(|(_, stood_in, by)| (stood_in, by.unwrap().0)).collect();
    assert_eq!(ids, [(102, 103), (101, 102)]);
    assert_eq!(rows_of(&pinned, &removed).await, [["a=3"], ["a=2"]]);
}

#[tokio::test]
async fn rows_of_a_removed_file_are_told_without_those_that_were_deleted_before() {
    let mut lake = crate::delete_files::lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 4), data(&lake, "b.parquet", 10, 1));
    lake.append(vec![a.clone()]).await;
    let gone = of_file(&lake, "d.parquet", &a, &[1]);
    delete(&mut lake, vec![gone]).await;
    replace_all(&mut lake, "overwrite", "m3.avro", vec![b]).await;
    let pinned = lake.pin().await.unwrap();
    let removed = pinned.removed_rows().await;
    let operations: Vec<_> = told(&removed).into_iter().map(|(_, _, by)| by.unwrap()).collect();
    assert_eq!(operations, [(103, "overwrite".to_owned()), (102, "delete".to_owned())]);
    assert_eq!(rows_of(&pinned, &removed).await, [vec!["a=0", "a=2", "a=3"], vec!["a=1"]]);
}

#[tokio::test]
async fn an_old_delete_file_that_is_gone_is_no_evidence() {
    let mut lake = crate::delete_files::lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 4), data(&lake, "b.parquet", 10, 1));
    lake.append(vec![a.clone()]).await;
    let gone = of_file(&lake, "d.parquet", &a, &[1]);
    delete(&mut lake, vec![gone]).await;
    replace_all(&mut lake, "overwrite", "m3.avro", vec![b]).await;
    std::fs::remove_file(lake.path("data/d.parquet")).unwrap();
    let pinned = lake.pin().await.unwrap();
    let removed = pinned.removed_rows().await;
    // What stood in the first snapshot stood there, whatever became of it in the second.
    assert_eq!(rows_of(&pinned, &removed).await, [["a=0", "a=1", "a=2", "a=3"]]);
    assert!(pinned.delete_findings().is_empty(), "the pinned snapshot has no deletes");
}

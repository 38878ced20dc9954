//! The metadata graph: manifests that are missing, cut, wrong or ask for what is not built.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_schema::DataType;
use iceberg::spec::{DataContentType, DataFile, ManifestContentType};
use serde_json::json;
use validator_core::value::Value;
use validator_core::verdict::TableVerdict;
use validator_table::{AddedBy, TableError};

use crate::lake::{FIRST_COMMIT_MS, Lake, assigned, column, field};
use crate::parquet_bytes::{cut, size};

fn lake() -> Lake {
    Lake::new(vec![column(1, "a", "long")])
}

fn file(lake: &Lake, name: &str) -> DataFile {
    lake.write(name, vec![(field(1, "a", DataType::Int64), Arc::new(Int64Array::from(vec![1, 2])))])
}

#[tokio::test]
async fn live_files_come_sorted_with_the_commit_that_added_them() {
    let mut lake = lake();
    let (b, a) = (file(&lake, "b.parquet"), file(&lake, "a.parquet"));
    lake.append(vec![b]).await;
    lake.append(vec![a]).await;
    let pinned = lake.pin().await.unwrap();
    let paths: Vec<&str> = pinned.files.iter().map(|file| file.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(paths, ["a.parquet", "b.parquet"]);
    let added: Vec<_> =
        pinned.files.iter().map(|file| (file.snapshot_id, file.sequence, file.added_by.clone())).collect();
    let commit = |after_ms| Some(AddedBy { commit_ms: FIRST_COMMIT_MS + after_ms, operation: "append".to_owned() });
    assert_eq!(added, [(102, Some(2), commit(1_000)), (101, Some(1), commit(0))]);
    assert_eq!(pinned.files.iter().map(|file| (file.record_count, file.entries)).collect::<Vec<_>>(), [(2, 1), (2, 1)]);
    assert!(pinned.findings.is_empty());
}

#[tokio::test]
async fn files_of_expired_snapshots_keep_their_id_and_have_no_commit() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    lake.append(vec![]).await;
    lake.metadata["snapshots"].as_array_mut().unwrap().remove(0);
    lake.metadata["snapshot-log"].as_array_mut().unwrap().remove(0);
    let pinned = lake.pin().await.unwrap();
    assert_eq!((pinned.files[0].snapshot_id, pinned.files[0].added_by.clone()), (101, None));
    assert_eq!(pinned.ancestry.len(), 1);
}

#[tokio::test]
async fn commits_that_added_rows_are_told_from_those_that_did_not() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    let manifests = lake.manifests.clone();
    for (operation, summary) in [
        ("append", json!({ "added-records": "0" })),
        ("replace", json!({ "added-records": "2" })),
        ("overwrite", json!({ "added-data-files": "1" })),
        ("delete", json!({})),
        ("append", json!({ "total-records": "2" })),
        ("append", json!({})),
    ] {
        lake.commit(operation, manifests.clone()).await;
        let snapshots = lake.metadata["snapshots"].as_array_mut().unwrap();
        let of = snapshots.last_mut().unwrap()["summary"].as_object_mut().unwrap();
        of.extend(summary.as_object().unwrap().clone());
    }
    let pinned = lake.pin().await.unwrap();
    let added: Vec<bool> = pinned.snapshots.iter().map(|snapshot| snapshot.adds_rows).collect();
    assert_eq!(added, [true, false, true, true, false, false, true]);
    let at = |seconds: i64| FIRST_COMMIT_MS + seconds * 1_000;
    assert_eq!(pinned.commits_that_added_rows_ms(), [at(6), at(3), at(0)]);
}

#[tokio::test]
async fn a_file_that_two_entries_name_is_one_file_of_two_entries_and_a_finding() {
    let mut lake = lake();
    let twice = file(&lake, "a.parquet");
    let path = twice.file_path().to_owned();
    let mut other_spelling = lake.builder("a.parquet", 2, twice.file_size_in_bytes());
    let other = other_spelling.file_path(path.replace("file:///", "file:/")).build().unwrap();
    lake.append(vec![twice]).await;
    lake.append(vec![other]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(pinned.files.iter().map(|file| file.entries).collect::<Vec<_>>(), [2]);
    let finding = &pinned.findings[0];
    assert_eq!((finding.verdict, finding.cause), (TableVerdict::MetadataInconsistent, "double_reference"));
    assert_eq!(finding.detail, "2 live manifest entries name this file: its rows are in the table 2 times");
    assert_eq!(pinned.findings.len(), 1);
}

#[tokio::test]
async fn a_missing_manifest_list_or_manifest_refuses_the_run() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    let manifest = lake.path("metadata/m0.avro");
    let kept = std::fs::read(&manifest).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    let error = lake.pin().await.unwrap_err();
    assert!(matches!(error, TableError::ReadManifest { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("manifest not readable: {}", manifest.display()));
    std::fs::write(&manifest, kept).unwrap();
    lake.pin().await.unwrap();
    std::fs::remove_file(lake.path("metadata/snap-101.avro")).unwrap();
    let error = lake.pin().await.unwrap_err();
    assert!(matches!(error, TableError::ReadManifestList { .. }), "{error:?}");
}

#[tokio::test]
async fn every_cut_of_a_manifest_or_list_refuses_the_run_or_is_found() {
    let mut lake = lake();
    let files = (0..3).map(|i| file(&lake, &format!("{i}.parquet"))).collect();
    lake.append(files).await;
    let snapshots = lake.metadata["snapshots"].as_array_mut().unwrap();
    snapshots[0]["summary"]["total-data-files"] = json!("3");
    for (name, step) in [("metadata/m0.avro", 7), ("metadata/snap-101.avro", 1)] {
        let path = lake.path(name);
        let whole = std::fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(step) {
            std::fs::write(&path, &whole[..length]).unwrap();
            match lake.pin().await {
                Err(_) => {}
                Ok(pinned) => assert!(!pinned.findings.is_empty(), "{name} cut to {length} bytes"),
            }
        }
        std::fs::write(&path, whole).unwrap();
    }
    assert!(lake.pin().await.unwrap().findings.is_empty());
}

/// The offset behind the Avro header: magic, metadata map, 16 bytes of sync marker, which also ends the file.
fn avro_header(bytes: &[u8]) -> usize {
    let sync = &bytes[bytes.len() - 16..];
    bytes.windows(16).position(|window| window == sync).unwrap() + 16
}

#[tokio::test]
async fn a_manifest_cut_at_the_edge_of_an_avro_block_is_truncated() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    let path = lake.path("metadata/m0.avro");
    cut(&path, avro_header(&std::fs::read(&path).unwrap()) as u64);
    let error = lake.pin().await.unwrap_err();
    assert!(matches!(error, TableError::TruncatedManifest { entries: 0, claimed: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn a_manifest_list_cut_at_the_edge_of_an_avro_block_is_found_by_the_summary() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    lake.metadata["snapshots"][0]["summary"]["total-data-files"] = json!("1");
    let path = lake.path("metadata/snap-101.avro");
    cut(&path, avro_header(&std::fs::read(&path).unwrap()) as u64);
    let pinned = lake.pin().await.unwrap();
    assert_eq!((pinned.files.len(), pinned.findings[0].cause), (0, "manifest_list_short"));
}

#[tokio::test]
async fn a_manifest_list_with_wrong_claims_about_a_whole_manifest_is_a_finding() {
    let mut lake = lake();
    let manifest = lake.manifest("m0.avro", vec![file(&lake, "a.parquet")]).await;
    let mut wrong = assigned(manifest, 101);
    wrong.added_files_count = Some(97);
    lake.commit("append", vec![wrong.clone()]).await;
    let pinned = lake.pin().await.unwrap();
    let finding = &pinned.findings[0];
    assert_eq!((finding.cause, pinned.files.len()), ("manifest_entries", 1));
    assert_eq!(
        finding.detail,
        "the manifest has 1 added, 0 existing and 0 deleted entries, the manifest list says 97, 0 and 0"
    );
    wrong.added_files_count = Some(1);
    wrong.manifest_length += 1;
    lake.commit("append", vec![wrong]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!((pinned.findings[0].cause, pinned.files.len()), ("manifest_length", 1));
}

#[tokio::test]
async fn a_manifest_that_is_no_avro_refuses_the_run() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    let path = lake.path("metadata/m0.avro");
    std::fs::write(&path, vec![0; size(&path) as usize]).unwrap();
    let error = lake.pin().await.unwrap_err();
    assert!(matches!(error, TableError::ParseManifest { .. }), "{error:?}");
}

#[tokio::test]
async fn every_flipped_byte_of_the_graph_is_an_answer_and_never_a_panic() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    let metadata = lake.save();
    for path in [lake.path("metadata/m0.avro"), lake.path("metadata/snap-101.avro"), metadata.clone().into()] {
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(5) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xFF;
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(table) = crate::lake::load_at(&metadata).await {
                let _ = table.pin(&Default::default()).await;
            }
        }
        std::fs::write(&path, whole).unwrap();
    }
}

fn deletes(lake: &Lake, content: DataContentType) -> DataFile {
    let mut builder = lake.builder("deletes.parquet", 1, 100);
    if content == DataContentType::EqualityDeletes {
        builder.equality_ids(Some(vec![1]));
    }
    builder.content(content).build().unwrap()
}

#[tokio::test]
async fn live_equality_deletes_refuse_the_run_and_deleted_ones_do_not() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    let equality = deletes(&lake, DataContentType::EqualityDeletes);
    let manifest = assigned(lake.manifest("d.avro", vec![equality.clone()]).await, 102);
    assert_eq!(manifest.content, ManifestContentType::Deletes);
    let data = lake.manifests[0].clone();
    lake.commit("delete", vec![data.clone(), manifest]).await;
    let error = lake.pin().await.unwrap_err();
    assert_eq!(error.to_string(), "table needs what this version cannot do: equality delete files (1 live)");
    assert!(!error.is_usage());
    let empty = lake.empty_delete_manifest("e.avro", equality).await;
    lake.commit("overwrite", vec![data, empty]).await;
    assert_eq!(lake.pin().await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn a_manifest_list_cut_before_its_deletes_is_found_by_the_summary() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    lake.metadata["snapshots"][0]["summary"]["total-delete-files"] = json!("1");
    let findings = lake.pin().await.unwrap().findings;
    assert_eq!(findings[0].detail, "the manifests have 0 live delete files, the snapshot's summary says 1");
    assert_eq!((findings.len(), findings[0].cause), (1, "manifest_list_short"));
}

#[tokio::test]
async fn an_encrypted_delete_file_refuses_the_run() {
    let mut lake = lake();
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    let mut builder = lake.builder("d.parquet", 1, 100);
    let encrypted = builder.content(DataContentType::PositionDeletes).key_metadata(Some(vec![1])).build().unwrap();
    let manifest = assigned(lake.manifest("d.avro", vec![encrypted]).await, 102);
    lake.commit("delete", vec![lake.manifests[0].clone(), manifest]).await;
    let error = lake.pin().await.unwrap_err();
    assert_eq!(error.to_string(), "table needs what this version cannot do: encryption");
}

#[tokio::test]
async fn encryption_refuses_the_run() {
    let mut lake = lake();
    let size = file(&lake, "a.parquet").file_size_in_bytes();
    let encrypted = lake.builder("a.parquet", 2, size).key_metadata(Some(vec![1, 2])).build().unwrap();
    lake.append(vec![encrypted]).await;
    let error = lake.pin().await.unwrap_err();
    assert_eq!(error.to_string(), "table needs what this version cannot do: encryption");
}

#[tokio::test]
async fn tables_of_every_format_version_are_read() {
    for version in 1..=3 {
        let mut lake = Lake::with(vec![column(1, "a", "long")], json!([]), version);
        if version == 1 {
            lake.metadata["last-sequence-number"] = json!(0);
        }
        let first = file(&lake, "a.parquet");
        lake.append(vec![first]).await;
        if version == 1 {
            lake.metadata["last-sequence-number"] = json!(0);
        }
        assert_eq!(lake.rows().await, ["a=1", "a=2"], "version {version}");
    }
}

#[tokio::test]
async fn a_table_upgraded_to_version_2_keeps_its_version_1_manifests() {
    let mut lake = Lake::with(vec![column(1, "a", "long")], json!([]), 1);
    let first = file(&lake, "a.parquet");
    lake.append(vec![first]).await;
    lake.metadata["format-version"] = json!(2);
    let pinned = lake.pin().await.unwrap();
    assert_eq!((pinned.files.len(), pinned.files[0].sequence), (1, Some(0)));
    assert!(pinned.findings.is_empty());
}

#[tokio::test]
async fn manifest_bounds_say_what_a_file_may_hold() {
    let mut lake = Lake::new(vec![column(1, "a", "long"), column(2, "s", "string"), column(3, "n", "int")]);
    let bounded = lake
        .builder("a.parquet", 10, 100)
        .lower_bounds([(1, iceberg::spec::Datum::long(-5)), (2, iceberg::spec::Datum::string("b"))].into())
        .upper_bounds([(1, iceberg::spec::Datum::long(9))].into())
        .null_value_counts([(1, 0), (2, 3)].into())
        .build()
        .unwrap();
    lake.append(vec![bounded]).await;
    let pinned = lake.pin().await.unwrap();
    let file = &pinned.files[0];
    assert_eq!(file.bounds(1), (Some(Value::integer(-5)), Some(Value::integer(9))));
    let held = |id, values: Vec<Value>| values.iter().map(|value| file.may_hold(id, value)).collect::<Vec<_>>();
    let integers = [-6, -5, 0, 9, 10].map(Value::integer).to_vec();
    assert_eq!(held(1, integers.clone()), [false, true, true, true, false]);
    assert_eq!(held(3, integers), [true; 5]);
    assert_eq!(held(2, vec![Value::string("a"), Value::string("b"), Value::string("zz")]), [false, true, true]);
    assert_eq!([1, 2, 3].map(|id| file.may_hold(id, &Value::Null)), [false, true, true]);
}

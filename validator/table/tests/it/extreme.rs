//! Tables far beyond what anyone means to write: wide, deep, of huge values, of a hundred thousand partitions.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, StringArray, StructArray};
use arrow_schema::{DataType, Fields};
use futures::StreamExt;
use iceberg::spec::{DataFile, Literal};
use parquet::file::properties::WriterProperties;
use serde_json::{Value as Json, json};
use validator_core::error_chain::error_chain;
use validator_table::{RowGroups, ScanItem, SnapshotSelector, Storage, TableError};

use crate::failing_store::FailingStore;
use crate::lake::{Lake, column, field, load_in, tuple};

#[tokio::test]
async fn a_value_of_ten_megabytes_that_a_dictionary_holds_once_is_read_in_short_batches() {
    // 300 rows are 3 GB of text, more than one array can hold: the file has 10 MB.
    const ROWS: usize = 300;
    let long = "0123456789".repeat(1_000_000);
    let mut lake = Lake::new(vec![column(1, "n", "int"), column(2, "s", "string")]);
    let texts = arrow_array::DictionaryArray::<arrow_array::types::Int32Type>::new(
        Int32Array::from(vec![0; ROWS]),
        Arc::new(StringArray::from(vec![long.as_str()])),
    );
    let texts: ArrayRef = Arc::new(texts);
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..ROWS as i32));
    let columns = vec![(field(1, "n", DataType::Int32), numbers), (field(2, "s", texts.data_type().clone()), texts)];
    let file = lake.write_with("f.parquet", columns, WriterProperties::builder().build());
    assert!(file.file_size_in_bytes() < 12_000_000, "the dictionary holds it once");
    lake.append(vec![file]).await;
    let pinned = lake.pin().await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    let mut scan = reader.scan(&RowGroups::All);
    let (mut rows, mut longest) = (0, 0);
    while let Some(item) = scan.next().await {
        match item {
            ScanItem::End(end) => assert_eq!((end.yielded, end.fault), (ROWS as u64, None)),
            ScanItem::Rows(read) => {
                let texts = read.batch.column(1).as_any().downcast_ref::<StringArray>().unwrap();
                assert!((0..texts.len()).all(|row| texts.value(row) == long));
                rows += texts.len();
                longest = longest.max(texts.len());
            }
        }
    }
    assert_eq!(rows, ROWS);
    assert!(longest * long.len() <= 128 << 20, "{longest} rows in one batch");
    // Of scattered rows only these become text, and not all that lie between.
    let positions: Vec<u64> = (0..ROWS as u64).step_by(30).collect();
    let items: Vec<ScanItem> = reader.rows_at(&positions).collect().await;
    let read = items.iter().map(|item| match item {
        ScanItem::Rows(read) => read.batch.num_rows(),
        ScanItem::End(end) => {
            assert_eq!(end.fault, None);
            0
        }
    });
    assert_eq!(read.sum::<usize>(), positions.len());
}

#[tokio::test]
async fn five_thousand_columns_are_read_by_their_ids() {
    const COLUMNS: i32 = 5_000;
    let name = |id: i32| format!("c{id}");
    let mut lake = Lake::new((1..=COLUMNS).map(|id| column(id, &name(id), "int")).collect());
    let value = |id: i32| -> ArrayRef { Arc::new(Int32Array::from(vec![Some(id), None, Some(-id)])) };
    // In another order than the table's.
    let columns = (1..=COLUMNS).rev().map(|id| (field(id, &name(id), DataType::Int32), value(id))).collect();
    let file = lake.write("f.parquet", columns);
    lake.append(vec![file]).await;
    let rows = lake.rows().await;
    assert_eq!(rows.len(), 3);
    for (row, sign) in [(0, 1), (2, -1)] {
        let expected: Vec<String> = (1..=COLUMNS).map(|id| format!("c{id}={}", id * sign)).collect();
        assert_eq!(rows[row], expected.join(", "));
    }
}

/// A struct in a struct, so many levels deep, ids from 1.
fn nested(levels: i32) -> (Json, ArrayRef) {
    let mut ty = json!("long");
    let mut array: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    for id in (2..=levels).rev() {
        ty = json!({ "type": "struct", "fields": [column(id, "f", ty)] });
        let inner = field(id, "f", array.data_type().clone());
        array = Arc::new(StructArray::new(Fields::from(vec![inner]), vec![array], None));
    }
    (ty, array)
}

#[tokio::test]
async fn thirty_levels_of_structs_are_read() {
    let (ty, array) = nested(30);
    let mut lake = Lake::new(vec![column(1, "deep", ty)]);
    let file = lake.write("f.parquet", vec![(field(1, "deep", array.data_type().clone()), array)]);
    lake.append(vec![file]).await;
    let expected = format!("deep={}\"7\"{}", "{\"f\":".repeat(29), "}".repeat(29));
    assert_eq!(lake.rows().await, [expected]);
}

#[tokio::test]
async fn two_hundred_levels_of_structs_are_refused_by_name() {
    let (ty, _) = nested(200);
    let lake = Lake::new(vec![column(1, "deep", ty)]);
    let error = lake.load().await.unwrap_err();
    assert!(matches!(error, TableError::Unsupported { .. }), "{error}");
    assert_eq!(
        error_chain(&error),
        "table needs what this version cannot do: metadata of more than 127 levels of JSON"
    );
}

#[tokio::test]
async fn a_hundred_thousand_partitions_are_pinned_and_each_is_read_from_its_own_file() {
    const FILES: i64 = 100_000;
    const MANIFESTS: i64 = 10;
    let spec = json!([{ "source-id": 1, "field-id": 1000, "name": "day", "transform": "identity" }]);
    let mut lake = Lake::with(vec![column(1, "day", "long"), column(2, "n", "int")], spec, 2);
    // The partition's value is in the manifest alone, so that one file can be the file of every partition.
    let one = lake.write("one.parquet", vec![(field(2, "n", DataType::Int32), Arc::new(Int32Array::from(vec![7])))]);
    let bytes = std::fs::read(lake.path("data/one.parquet")).unwrap();
    let entry = |day: i64| -> DataFile {
        lake.builder(&format!("day={day}/f.parquet"), 1, one.file_size_in_bytes())
            .file_path(format!("mem://lake/day={day}/f.parquet"))
            .partition(tuple(vec![Some(Literal::long(day))]))
            .build()
            .unwrap()
    };
    let mut manifests = Vec::new();
    for manifest in 0..MANIFESTS {
        let days = (manifest..FILES).step_by(MANIFESTS as usize);
        let written = lake.manifest(&format!("m{manifest}.avro"), days.map(entry).collect()).await;
        manifests.push(crate::lake::assigned(written, 101));
    }
    lake.commit("append", manifests).await;
    let store = Arc::new(FailingStore::serving(bytes, u64::MAX..u64::MAX));
    let table = load_in(&lake.save(), Storage::local().with_store("mem://lake/", store)).await.unwrap();
    let pinned = table.pin(&SnapshotSelector::Current).await.unwrap();
    assert_eq!((pinned.files.len() as i64, pinned.findings.len()), (FILES, 0));
    let partitions: BTreeSet<String> = pinned.files.iter().map(|file| file.partition_path()).collect();
    assert_eq!(partitions.len() as i64, FILES);
    for file in pinned.files.iter().step_by(997) {
        let reader = pinned.open(file, &pinned.schema.fields).await.unwrap();
        let (rows, _) = crate::lake::read(&reader, &RowGroups::All, &pinned).await;
        assert_eq!(rows, [format!("{}, n=7", file.partition_path())]);
    }
}

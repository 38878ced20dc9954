//! Position delete files and deletion vectors: which rows of which files they take away, in the words of the
//! specification.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_schema::DataType;
use iceberg::spec::{DataContentType, DataFile, DataFileFormat, Literal, Struct};
use parquet::file::properties::WriterProperties;
use serde_json::json;
use validator_core::value::Value;
use validator_table::{Pinned, Positions, RowGroups, ScanItem};

use crate::lake::{Lake, assigned, column, field, read, shown, tuple};
use crate::puffin::{Vector, puffin};

pub fn lake(version: u8) -> Lake {
    Lake::with(vec![column(1, "a", "long")], json!([]), version)
}

/// A data file of the values `from..from + rows`, in row groups of 10.
pub fn data(lake: &Lake, name: &str, from: i64, rows: i64) -> DataFile {
    data_in(lake, name, from, rows, Struct::empty())
}

fn data_in(lake: &Lake, name: &str, from: i64, rows: i64, partition: Struct) -> DataFile {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + rows));
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    lake.write_with(name, vec![(field(1, "a", DataType::Int64), values)], properties);
    lake.describe_in(name, rows as u64, partition)
}

/// A position delete file of these rows.
pub fn deletes(lake: &Lake, name: &str, rows: &[(&str, i64)], partition: Struct, referenced: Option<&str>) -> DataFile {
    let paths: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|(path, _)| path)));
    let positions: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, position)| *position)));
    let columns = vec![
        (field(2_147_483_546, "file_path", DataType::Utf8).with_nullable(false), paths),
        (field(2_147_483_545, "pos", DataType::Int64).with_nullable(false), positions),
    ];
    lake.write(name, columns);
    let size = std::fs::metadata(lake.path("data").join(name)).unwrap().len();
    lake.builder(name, rows.len() as u64, size)
        .content(DataContentType::PositionDeletes)
        .partition(partition)
        .referenced_data_file(referenced.map(str::to_owned))
        .build()
        .unwrap()
}

/// Position deletes of one file.
pub fn of_file(lake: &Lake, name: &str, file: &DataFile, positions: &[i64]) -> DataFile {
    let rows: Vec<(&str, i64)> = positions.iter().map(|position| (file.file_path(), *position)).collect();
    deletes(lake, name, &rows, Struct::empty(), None)
}

/// The manifest entry of one deletion vector.
pub fn vector_entry(lake: &Lake, name: &str, referenced: &str, place: (i64, i64), cardinality: u64) -> DataFile {
    let size = std::fs::metadata(lake.path("data").join(name)).map_or(1_000, |file| file.len());
    lake.builder(name, cardinality, size)
        .content(DataContentType::PositionDeletes)
        .file_format(DataFileFormat::Puffin)
        .partition(Struct::empty())
        .referenced_data_file(Some(referenced.to_owned()))
        .content_offset(Some(place.0))
        .content_size_in_bytes(Some(place.1))
        .build()
        .unwrap()
}

/// One Puffin file with a deletion vector for each of these data files.
pub fn vectors(lake: &Lake, name: &str, of: &[(&DataFile, &[u64])]) -> Vec<DataFile> {
    let vectors: Vec<Vector<'_>> =
        of.iter().map(|(file, positions)| Vector { referenced: file.file_path(), positions }).collect();
    let (bytes, places) = puffin(&vectors);
    std::fs::write(lake.path("data").join(name), bytes).unwrap();
    let entry = |((file, positions), place): (&(&DataFile, &[u64]), (i64, i64))| {
        vector_entry(lake, name, file.file_path(), place, positions.len() as u64)
    };
    of.iter().zip(places).map(entry).collect()
}

/// Commits these deletes beside the live manifests.
pub async fn delete(lake: &mut Lake, files: Vec<DataFile>) -> i64 {
    let id = lake.metadata["current-snapshot-id"].as_i64().unwrap() + 1;
    let manifest = assigned(lake.manifest(&format!("deletes-{id}.avro"), files).await, id);
    let manifests = [lake.manifests.clone(), vec![manifest]].concat();
    lake.commit("delete", manifests).await
}

/// The values that are live, in the order of files and positions.
pub async fn live(pinned: &Pinned) -> Vec<i64> {
    let mut live = Vec::new();
    for file in &pinned.files {
        let reader = pinned.open(file, &pinned.schema.fields).await.unwrap();
        live.extend(read(&reader, &RowGroups::All, pinned).await.0);
    }
    live.iter().map(|row| row.strip_prefix("a=").unwrap().parse().unwrap()).collect()
}

fn without(range: std::ops::Range<i64>, gone: &[i64]) -> Vec<i64> {
    range.filter(|value| !gone.contains(value)).collect()
}

#[tokio::test]
async fn position_deletes_of_a_file_take_its_rows_and_no_other_ones() {
    let mut lake = lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 25), data(&lake, "b.parquet", 100, 5));
    let gone = of_file(&lake, "d.parquet", &a, &[0, 9, 10, 24]);
    lake.append(vec![a, b]).await;
    delete(&mut lake, vec![gone]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await, [without(0..25, &[0, 9, 10, 24]), without(100..105, &[])].concat());
    assert!(pinned.delete_findings().is_empty());
}

#[tokio::test]
async fn positions_of_live_rows_are_those_in_the_file() {
    let mut lake = lake(2);
    let a = data(&lake, "a.parquet", 0, 25);
    let gone = of_file(&lake, "d.parquet", &a, &[0, 3, 11, 12]);
    lake.append(vec![a]).await;
    delete(&mut lake, vec![gone]).await;
    let pinned = lake.pin().await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    let mut items = reader.scan(&RowGroups::All);
    while let Some(item) = futures::StreamExt::next(&mut items).await {
        let ScanItem::Rows(rows) = item else { continue };
        for row in 0..rows.batch.num_rows() {
            let value = Value::from_arrow(rows.batch.column(0), row, &pinned.schema.fields[0].ty);
            assert_eq!(value.to_string(), rows.positions.get(row).to_string(), "the value is the position");
        }
        assert!(matches!(rows.positions, Positions::Listed(_)) == (rows.row_group < 2), "{:?}", rows.positions);
    }
    let items: Vec<ScanItem> = futures::StreamExt::collect(reader.rows_at(&[0, 1, 3, 4, 12, 20])).await;
    let (rows, ends) = shown(items, &pinned);
    assert_eq!(rows, ["a=1", "a=4", "a=20"], "deleted rows are not read, also where they are asked for");
    assert!(ends.iter().all(|end| end.fault.is_none()), "{ends:?}");
    assert_eq!(reader.rows(), 25, "the footer's rows");
}

#[tokio::test]
async fn position_deletes_of_a_partition_take_rows_of_all_its_files() {
    let mut lake = lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 12), data(&lake, "b.parquet", 100, 5));
    let (at_a, at_b) = (a.file_path().to_owned(), b.file_path().to_owned());
    let rows = [(at_a.as_str(), 1), (&at_a, 11), (&at_b, 0)];
    let gone = deletes(&lake, "d.parquet", &rows, Struct::empty(), None);
    lake.append(vec![a, b]).await;
    delete(&mut lake, vec![gone]).await;
    assert_eq!(live(&lake.pin().await.unwrap()).await, [without(0..12, &[1, 11]), without(100..105, &[100])].concat());
}

#[tokio::test]
async fn every_spelling_of_a_path_is_the_same_file() {
    let bare = |path: &str| path.strip_prefix("file://").unwrap().to_owned();
    type Spell<'a> = &'a dyn Fn(&str) -> String;
    let spellings: [Spell<'_>; 4] = [&str::to_owned, &bare, &|path| format!("file:{}", bare(path)), &|path| {
        format!("file://localhost{}", bare(path))
    }];
    for spell in spellings {
        for referenced in [false, true] {
            let mut lake = lake(2);
            let a = data(&lake, "a.parquet", 0, 5);
            let path = spell(a.file_path());
            let named = referenced.then_some(path.as_str());
            let gone = deletes(&lake, "d.parquet", &[(&path, 2)], Struct::empty(), named);
            lake.append(vec![a]).await;
            delete(&mut lake, vec![gone]).await;
            let pinned = lake.pin().await.unwrap();
            assert_eq!(live(&pinned).await, without(0..5, &[2]), "{path}");
            assert!(pinned.delete_findings().is_empty(), "{:?}", pinned.delete_findings());
        }
    }
}

#[tokio::test]
async fn deletes_touch_data_of_their_own_commit_and_of_older_ones_only() {
    let mut lake = lake(2);
    let names = ["old.parquet", "same.parquet", "new.parquet"];
    let files: Vec<DataFile> = names.iter().zip([0, 10, 20]).map(|(name, from)| data(&lake, name, from, 2)).collect();
    let paths: Vec<String> = files.iter().map(|file| file.file_path().to_owned()).collect();
    let rows: Vec<(&str, i64)> = paths.iter().map(|path| (path.as_str(), 0)).collect();
    let gone = deletes(&lake, "d.parquet", &rows, Struct::empty(), None);
    lake.append(vec![files[0].clone()]).await;
    let added = assigned(lake.manifest("same.avro", vec![files[1].clone()]).await, 102);
    let deleted = assigned(lake.manifest("d.avro", vec![gone]).await, 102);
    lake.commit("overwrite", [lake.manifests.clone(), vec![added, deleted]].concat()).await;
    lake.append(vec![files[2].clone()]).await;
    // Files come sorted by path: new, old, same.
    assert_eq!(live(&lake.pin().await.unwrap()).await, [20, 21, 1, 11]);
}

#[tokio::test]
async fn deletes_of_another_partition_or_spec_do_not_touch_a_file() {
    let by_a = json!([{ "source-id": 1, "field-id": 1000, "name": "p", "transform": "identity" }]);
    let mut lake = Lake::with(vec![column(1, "a", "long")], by_a, 2);
    let p = |value| tuple(vec![Some(Literal::long(value))]);
    let (a, b) = (data_in(&lake, "a.parquet", 0, 3, p(1)), data_in(&lake, "b.parquet", 10, 3, p(2)));
    let (at_a, at_b) = (a.file_path().to_owned(), b.file_path().to_owned());
    let gone = deletes(&lake, "d.parquet", &[(&at_a, 0), (&at_b, 0)], p(1), None);
    lake.append(vec![a, b]).await;
    delete(&mut lake, vec![gone]).await;
    assert_eq!(live(&lake.pin().await.unwrap()).await, [1, 2, 10, 11, 12]);
}

#[tokio::test]
async fn a_partition_value_that_was_promoted_is_the_same_partition() {
    let by_a = json!([{ "source-id": 1, "field-id": 1000, "name": "p", "transform": "identity" }]);
    let mut lake = Lake::with(vec![column(1, "a", "int")], by_a, 2);
    let a = lake.write(
        "a.parquet",
        vec![(field(1, "a", DataType::Int32), Arc::new(arrow_array::Int32Array::from(vec![7, 7])) as ArrayRef)],
    );
    let path = a.file_path().to_owned();
    let a = lake.describe_in("a.parquet", 2, tuple(vec![Some(Literal::int(7))]));
    lake.append(vec![a]).await;
    lake.evolve(vec![column(1, "a", "long")]);
    let gone = deletes(&lake, "d.parquet", &[(&path, 0)], tuple(vec![Some(Literal::long(7))]), None);
    delete(&mut lake, vec![gone]).await;
    assert_eq!(live(&lake.pin().await.unwrap()).await, [7]);
}

#[tokio::test]
async fn unsorted_and_repeated_deletes_are_a_set() {
    let mut lake = lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 5), data(&lake, "b.parquet", 10, 5));
    let (at_a, at_b) = (a.file_path().to_owned(), b.file_path().to_owned());
    let rows = [(at_b.as_str(), 3), (&at_a, 4), (&at_b, 1), (&at_a, 0), (&at_a, 4), (&at_b, 3)];
    let (one, two) =
        (deletes(&lake, "d.parquet", &rows, Struct::empty(), None), of_file(&lake, "e.parquet", &a, &[4, 1]));
    lake.append(vec![a, b]).await;
    delete(&mut lake, vec![one]).await;
    delete(&mut lake, vec![two]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await, [2, 3, 10, 12, 14]);
    assert!(pinned.delete_findings().is_empty());
}

#[tokio::test]
async fn deletes_of_files_that_are_not_live_delete_nothing() {
    let mut lake = lake(2);
    let a = data(&lake, "a.parquet", 0, 3);
    let gone = deletes(&lake, "d.parquet", &[("file:///elsewhere/x.parquet", 0)], Struct::empty(), None);
    let named = deletes(&lake, "e.parquet", &[("s3://b/x", 0)], Struct::empty(), Some("s3://b/x"));
    lake.append(vec![a]).await;
    delete(&mut lake, vec![gone, named]).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await, [0, 1, 2]);
    assert!(pinned.delete_findings().is_empty());
}

#[tokio::test]
async fn deletion_vectors_of_one_puffin_file_take_the_rows_of_their_data_files() {
    let mut lake = lake(3);
    let (a, b) = (data(&lake, "a.parquet", 0, 25), data(&lake, "b.parquet", 100, 5));
    let gone = vectors(&lake, "dv.puffin", &[(&a, &[0, 10, 24]), (&b, &[1])]);
    lake.append(vec![a, b]).await;
    delete(&mut lake, gone).await;
    let pinned = lake.pin().await.unwrap();
    assert_eq!(live(&pinned).await, [without(0..25, &[0, 10, 24]), without(100..105, &[101])].concat());
    assert!(pinned.delete_findings().is_empty(), "{:?}", pinned.delete_findings());
}

#[tokio::test]
async fn a_deletion_vector_replaces_the_position_deletes_of_its_file_only() {
    let mut lake = lake(2);
    let (a, b) = (data(&lake, "a.parquet", 0, 5), data(&lake, "b.parquet", 10, 5));
    let (at_a, at_b) = (a.file_path().to_owned(), b.file_path().to_owned());
    let old = deletes(&lake, "d.parquet", &[(&at_a, 0), (&at_b, 0)], Struct::empty(), None);
    lake.append(vec![a.clone(), b]).await;
    delete(&mut lake, vec![old]).await;
    // The table is upgraded; the old delete file stays live beside the vector.
    lake.metadata["format-version"] = json!(3);
    lake.metadata["next-row-id"] = json!(0);
    let vector = vectors(&lake, "dv.puffin", &[(&a, &[1, 2])]);
    delete(&mut lake, vector).await;
    assert_eq!(live(&lake.pin().await.unwrap()).await, [0, 3, 4, 11, 12, 13, 14]);
}

#[tokio::test]
async fn a_row_group_whose_rows_are_all_deleted_is_not_read() {
    let mut lake = lake(3);
    let a = data(&lake, "a.parquet", 0, 25);
    let positions: Vec<u64> = (10..20).chain([3]).collect();
    let gone = vectors(&lake, "dv.puffin", &[(&a, &positions)]);
    let path = lake.path("data/a.parquet");
    lake.append(vec![a]).await;
    delete(&mut lake, gone).await;
    crate::parquet_bytes::break_row_group(&path, 1);
    let pinned = lake.pin().await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    let (rows, ends) = read(&reader, &RowGroups::All, &pinned).await;
    assert_eq!(rows.len(), 14);
    assert!(ends.iter().all(|end| end.fault.is_none()) && ends.len() == 3, "{ends:?}");
}

#[tokio::test]
async fn lost_rows_are_counted_without_the_deleted_ones() {
    let mut lake = lake(3);
    let a = data(&lake, "a.parquet", 0, 25);
    let gone = vectors(&lake, "dv.puffin", &[(&a, &[3, 11, 12])]);
    let path = lake.path("data/a.parquet");
    lake.append(vec![a]).await;
    delete(&mut lake, gone).await;
    crate::parquet_bytes::break_row_group(&path, 1);
    let pinned = lake.pin().await.unwrap();
    let reader = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap();
    let (_, ends) = read(&reader, &RowGroups::All, &pinned).await;
    let fault = ends[1].fault.as_ref().unwrap();
    assert_eq!((fault.row_groups.clone(), fault.rows), (Some(vec![1]), Some(8)));
    std::fs::remove_file(&path).unwrap();
    let fault = pinned.open(&pinned.files[0], &pinned.schema.fields).await.unwrap_err();
    assert_eq!((fault.row_groups, fault.rows), (None, Some(22)));
}

#[tokio::test]
async fn many_random_deletes_leave_exactly_the_other_rows() {
    use std::hash::{BuildHasher, Hasher};
    let seed = std::hash::RandomState::new().build_hasher().finish();
    println!("seed {seed}");
    let mut state = seed | 1;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for version in [2, 3] {
        let mut lake = lake(version);
        let rows = 20_000;
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(9_000)).build();
        let a = lake.write_with("a.parquet", vec![(field(1, "a", DataType::Int64), values)], properties);
        // Crowded in places, as well as spread.
        let mut gone: Vec<u64> =
            (0..2_000).map(|_| draw(rows as u64)).chain(8_180..8_200).chain(8_995..9_005).collect();
        gone.sort_unstable();
        gone.dedup();
        let entries = match version {
            2 => vec![of_file(&lake, "d.parquet", &a, &gone.iter().map(|at| *at as i64).collect::<Vec<_>>())],
            _ => vectors(&lake, "dv.puffin", &[(&a, &gone)]),
        };
        lake.append(vec![a]).await;
        delete(&mut lake, entries).await;
        let wanted: Vec<i64> = (0..rows).filter(|value| gone.binary_search(&(*value as u64)).is_err()).collect();
        assert_eq!(live(&lake.pin().await.unwrap()).await, wanted, "version {version}");
    }
}

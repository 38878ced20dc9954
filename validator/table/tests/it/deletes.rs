//! Position delete files and deletion vectors: which rows of which files they take away, in the words of the
//! specification.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::DataType;
use fixtures_warehouse::puffin::{Vector, puffin};
use iceberg::spec::{DataFile, Literal, Struct};
use parquet::file::properties::WriterProperties;
use serde_json::json;
use validator_core::value::Value;
use validator_table::{Positions, ReadLimits, RowGroups, ScanItem, SnapshotSelector, Storage};

use crate::delete_files::{data, data_in, delete, deletes, lake, live, of_file, vector_entry, vectors};
use crate::lake::{Lake, assigned, column, field, load_in, read, shown, tuple};

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
        let rows = 80_000;
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(9_000)).build();
        let a = lake.write_with("a.parquet", vec![(field(1, "a", DataType::Int64), values)], properties);
        // Crowded in places, as well as spread.
        let mut gone: Vec<u64> =
            (0..12_000).map(|_| draw(rows as u64)).chain(8_180..8_200).chain(8_995..9_005).collect();
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

/// A table whose data file lies at this location of an object store, which is the folder `data`.
async fn in_a_store(location: &str, spelled: &str, vector: bool) -> (Lake, Vec<i64>, usize) {
    let mut lake = lake(if vector { 3 } else { 2 });
    let a = data(&lake, "a.parquet", 0, 5);
    let elsewhere =
        lake.builder("a.parquet", 5, a.file_size_in_bytes()).file_path(location.to_owned()).build().unwrap();
    let gone = if vector {
        let (bytes, places) = puffin(&[Vector { referenced: spelled, positions: &[1, 3] }]);
        std::fs::write(lake.path("data/dv.puffin"), bytes).unwrap();
        vector_entry(&lake, "dv.puffin", spelled, places[0], 2)
    } else {
        deletes(&lake, "d.parquet", &[(spelled, 1), (spelled, 3)], Struct::empty(), None)
    };
    lake.append(vec![elsewhere]).await;
    delete(&mut lake, vec![gone]).await;
    let prefix = location.strip_suffix("a.parquet").unwrap();
    let store = object_store::local::LocalFileSystem::new_with_prefix(lake.path("data")).unwrap();
    let storage = Storage::local().with_store(prefix, Arc::new(store));
    let table = load_in(&lake.save(), storage).await.unwrap();
    let pinned = table.pin(&SnapshotSelector::Current).await.unwrap();
    (lake, live(&pinned).await, pinned.delete_findings().len())
}

#[tokio::test]
async fn schemes_of_one_store_are_one_location() {
    let at = |scheme: &str| format!("{scheme}://bucket/dt=2024%2F01/a.parquet");
    for vector in [false, true] {
        for (data, deletes) in [("s3", "s3a"), ("s3a", "s3"), ("s3n", "s3a"), ("s3", "s3")] {
            let (_lake, live, findings) = in_a_store(&at(data), &at(deletes), vector).await;
            assert_eq!((live, findings), (vec![0, 2, 4], 0), "{data} and {deletes}");
        }
        let (_lake, live, _) = in_a_store(&at("s3"), &at("gs"), vector).await;
        assert_eq!(live, [0, 1, 2, 3, 4], "another store");
    }
}

#[tokio::test]
async fn row_groups_that_are_read_through_windows_lose_the_same_rows() {
    let mut lake = lake(3);
    let a = data(&lake, "a.parquet", 0, 25);
    let positions: Vec<u64> = (10..20).chain([0, 24]).collect();
    let gone = vectors(&lake, "dv.puffin", &[(&a, &positions)]);
    lake.append(vec![a]).await;
    delete(&mut lake, gone).await;
    let windows = ReadLimits { row_group_bytes: 0, window_bytes: 100, read_ahead_bytes: 0 };
    let table = load_in(&lake.save(), Storage::local().with_limits(windows)).await.unwrap();
    let pinned = table.pin(&SnapshotSelector::Current).await.unwrap();
    assert_eq!(live(&pinned).await, [(1..10).collect::<Vec<i64>>(), (20..24).collect()].concat());
}

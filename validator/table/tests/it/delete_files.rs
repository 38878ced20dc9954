//! Delete files for tests: position delete files by the Parquet writer, deletion vectors by the writer of `puffin.rs`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_schema::DataType;
use fixtures_warehouse::puffin::{Vector, puffin};
use iceberg::spec::{DataContentType, DataFile, DataFileFormat, Struct};
use parquet::file::properties::WriterProperties;
use serde_json::json;
use validator_table::{Pinned, RowGroups};

use crate::lake::{Lake, assigned, column, field, read};

/// A table of one column.
pub fn lake(version: u8) -> Lake {
    Lake::with(vec![column(1, "a", "long")], json!([]), version)
}

/// A data file of the values `from..from + rows`, in row groups of 10.
pub fn data(lake: &Lake, name: &str, from: i64, rows: i64) -> DataFile {
    data_in(lake, name, from, rows, Struct::empty())
}

/// [`data`], in a partition.
pub fn data_in(lake: &Lake, name: &str, from: i64, rows: i64, partition: Struct) -> DataFile {
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

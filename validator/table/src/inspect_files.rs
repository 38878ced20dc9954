//! Metadata tables made of manifest entries: files and partitions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, MapBuilder};
use arrow_array::{Array, ArrayRef, BinaryArray, Int32Array, RecordBatch, StructArray, new_null_array};
use arrow_schema::{Field as ArrowField, Fields};
use iceberg::spec::{DataContentType, Datum, Literal, TableMetadata};
use validator_core::schema::Type;

use crate::contain::contained;
use crate::inspect::{batch, instants, longs, texts};
use crate::literal::scalar;
use crate::manifest::{Graph, LiveEntry};
use crate::schema::primitive_type;

/// A field of some partition spec of the table.
struct Partitioning {
    id: i32,
    name: String,
    ty: Type,
}

/// One row for each live manifest entry.
pub(crate) fn files(metadata: &TableMetadata, graph: &Graph) -> RecordBatch {
    let entries: Vec<&LiveEntry> = graph.data.iter().chain(&graph.deletes).chain(&graph.equality).collect();
    let file = |entry: &&LiveEntry| entry.entry.data_file().clone();
    let all: Vec<_> = entries.iter().map(file).collect();
    let content = all.iter().map(|file| match file.content_type() {
        DataContentType::Data => 0,
        DataContentType::PositionDeletes => 1,
        DataContentType::EqualityDeletes => 2,
    });
    let count = |count: u64| i64::try_from(count).ok();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("content", Arc::new(Int32Array::from_iter_values(content))),
        ("file_path", texts(all.iter().map(|file| Some(file.file_path().to_owned())))),
        ("file_format", texts(all.iter().map(|file| Some(file.file_format().to_string().to_uppercase())))),
        ("spec_id", Arc::new(Int32Array::from_iter_values(entries.iter().map(|e| e.written_under.spec.spec_id())))),
    ];
    let partitioning = partitioning(metadata);
    if !partitioning.is_empty() {
        columns.push(("partition", partition_column(&partitioning, &entries)));
    }
    columns.extend([
        ("record_count", longs(all.iter().map(|file| count(file.record_count())))),
        ("file_size_in_bytes", longs(all.iter().map(|file| count(file.file_size_in_bytes())))),
        ("column_sizes", counts(all.iter().map(|file| file.column_sizes()))),
        ("value_counts", counts(all.iter().map(|file| file.value_counts()))),
        ("null_value_counts", counts(all.iter().map(|file| file.null_value_counts()))),
        ("nan_value_counts", counts(all.iter().map(|file| file.nan_value_counts()))),
        ("lower_bounds", bounds(all.iter().map(|file| file.lower_bounds()))),
        ("upper_bounds", bounds(all.iter().map(|file| file.upper_bounds()))),
        ("key_metadata", Arc::new(BinaryArray::from_iter(all.iter().map(|file| file.key_metadata())))),
        ("split_offsets", offsets(all.iter().map(|file| file.split_offsets()))),
        ("equality_ids", ids(all.iter().map(|file| file.equality_ids()))),
        ("sort_order_id", Arc::new(Int32Array::from_iter(all.iter().map(|file| file.sort_order_id())))),
    ]);
    batch(columns)
}

/// Sums over one partition.
#[derive(Default)]
struct Sums {
    first: Option<usize>,
    spec_id: i32,
    records: i64,
    files: i64,
    bytes: i64,
    position_records: i64,
    position_files: i64,
    equality_records: i64,
    equality_files: i64,
    updated: Option<(i64, i64)>,
}

/// One row for each partition and spec; of a table without partitions one for all.
pub(crate) fn partitions(metadata: &TableMetadata, graph: &Graph) -> RecordBatch {
    let entries: Vec<&LiveEntry> = graph.data.iter().chain(&graph.deletes).chain(&graph.equality).collect();
    let partitioning = partitioning(metadata);
    let mut sums: BTreeMap<(i32, String), Sums> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let file = entry.entry.data_file();
        let spec = &entry.written_under.spec;
        let sum = sums.entry((spec.spec_id(), format!("{:?}", file.partition()))).or_default();
        sum.first.get_or_insert(index);
        sum.spec_id = spec.spec_id();
        let (records, bytes) = (file.record_count() as i64, file.file_size_in_bytes() as i64);
        match file.content_type() {
            DataContentType::Data => {
                sum.records += records;
                sum.files += 1;
                sum.bytes += bytes;
            }
            DataContentType::PositionDeletes => {
                sum.position_records += records;
                sum.position_files += 1;
            }
            DataContentType::EqualityDeletes => {
                sum.equality_records += records;
                sum.equality_files += 1;
            }
        }
        let commit = metadata.snapshot_by_id(entry.snapshot_id).map(|s| (s.timestamp_ms(), s.snapshot_id()));
        sum.updated = sum.updated.max(commit);
    }
    let sums: Vec<Sums> = sums.into_values().collect();
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    if !partitioning.is_empty() {
        let firsts: Vec<&LiveEntry> = sums.iter().filter_map(|sum| entries.get(sum.first?).copied()).collect();
        columns.push(("partition", partition_column(&partitioning, &firsts)));
        columns.push(("spec_id", Arc::new(Int32Array::from_iter_values(sums.iter().map(|sum| sum.spec_id)))));
    }
    let long = |of: fn(&Sums) -> i64| longs(sums.iter().map(|sum| Some(of(sum))));
    let int = |of: fn(&Sums) -> i64| -> ArrayRef {
        Arc::new(Int32Array::from_iter(sums.iter().map(|sum| i32::try_from(of(sum)).ok())))
    };
    columns.extend([
        ("record_count", long(|sum| sum.records)),
        ("file_count", int(|sum| sum.files)),
        ("total_data_file_size_in_bytes", long(|sum| sum.bytes)),
        ("position_delete_record_count", long(|sum| sum.position_records)),
        ("position_delete_file_count", int(|sum| sum.position_files)),
        ("equality_delete_record_count", long(|sum| sum.equality_records)),
        ("equality_delete_file_count", int(|sum| sum.equality_files)),
        ("last_updated_at", instants(sums.iter().map(|sum| sum.updated.map(|(ms, _)| ms)))),
        ("last_updated_snapshot_id", longs(sums.iter().map(|sum| sum.updated.map(|(_, id)| id)))),
    ]);
    batch(columns)
}

/// The fields of all specs, each once, in the order of their ids.
fn partitioning(metadata: &TableMetadata) -> Vec<Partitioning> {
    let mut fields: BTreeMap<i32, Partitioning> = BTreeMap::new();
    let mut specs: Vec<_> = metadata.partition_specs_iter().collect();
    specs.sort_by_key(|spec| spec.spec_id());
    for spec in specs {
        // A field whose source column is gone has a type only under the schema that it was made for.
        let mut schemas: Vec<_> = metadata.schemas_iter().collect();
        schemas.sort_by_key(|schema| std::cmp::Reverse(schema.schema_id()));
        let typed = schemas.iter().find_map(|schema| contained(|| spec.partition_type(schema)).ok()?.ok());
        let Some(typed) = typed else { continue };
        for (field, of_type) in spec.fields().iter().zip(typed.fields()) {
            let Some(primitive) = of_type.field_type.as_primitive_type() else { continue };
            let Ok(ty) = primitive_type(primitive, &field.name) else { continue };
            fields.entry(field.field_id).or_insert(Partitioning { id: field.field_id, name: field.name.clone(), ty });
        }
    }
    fields.into_values().collect()
}

/// A struct with a field for each field of any spec; NULL where the entry's spec has none.
fn partition_column(partitioning: &[Partitioning], entries: &[&LiveEntry]) -> ArrayRef {
    let value = |entry: &LiveEntry, field: &Partitioning| -> Option<ArrayRef> {
        let spec = &entry.written_under.spec;
        let index = spec.fields().iter().position(|known| known.field_id == field.id)?;
        let literal: Option<Literal> = entry.entry.data_file().partition().fields().get(index)?.clone();
        scalar(&literal?, &field.ty)
    };
    let column = |field: &Partitioning| {
        let arrays: Vec<ArrayRef> = entries
            .iter()
            .map(|entry| value(entry, field).unwrap_or_else(|| new_null_array(&field.ty.to_arrow(), 1)))
            .collect();
        let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        match arrays.is_empty() {
            true => new_null_array(&field.ty.to_arrow(), 0),
            false => arrow_select::concat::concat(&arrays).expect("all are of the field's type"),
        }
    };
    let fields: Fields = partitioning.iter().map(|f| ArrowField::new(&f.name, f.ty.to_arrow(), true)).collect();
    Arc::new(StructArray::new(fields, partitioning.iter().map(column).collect(), None))
}

fn counts<'a>(maps: impl Iterator<Item = &'a HashMap<i32, u64>>) -> ArrayRef {
    let mut builder = MapBuilder::new(None, Int32Builder::new(), Int64Builder::new());
    for map in maps {
        let sorted: BTreeMap<_, _> = map.iter().collect();
        for (id, count) in &sorted {
            builder.keys().append_value(**id);
            builder.values().append_option(i64::try_from(**count).ok());
        }
        builder.append(!sorted.is_empty()).expect("keys and values are appended in pairs");
    }
    Arc::new(builder.finish())
}

fn bounds<'a>(maps: impl Iterator<Item = &'a HashMap<i32, Datum>>) -> ArrayRef {
    let mut builder = MapBuilder::new(None, Int32Builder::new(), BinaryBuilder::new());
    for map in maps {
        let sorted: BTreeMap<_, _> = map.iter().collect();
        for (id, datum) in &sorted {
            builder.keys().append_value(**id);
            builder.values().append_option(contained(|| datum.to_bytes()).ok().and_then(Result::ok));
        }
        builder.append(!sorted.is_empty()).expect("keys and values are appended in pairs");
    }
    Arc::new(builder.finish())
}

fn offsets<'a>(lists: impl Iterator<Item = Option<&'a [i64]>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Int64Builder::new());
    for list in lists {
        builder.append_option(list.map(|list| list.iter().copied().map(Some)));
    }
    Arc::new(builder.finish())
}

fn ids(lists: impl Iterator<Item = Option<Vec<i32>>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Int32Builder::new());
    for list in lists {
        builder.append_option(list.map(|list| list.into_iter().map(Some)));
    }
    Arc::new(builder.finish())
}

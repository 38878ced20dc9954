//! One live data file of a pinned snapshot, as its manifest entry describes it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use iceberg::spec::{DataFileFormat, Datum, Literal, Transform};
use validator_core::value::Value;

use crate::literal::datum_value;
use crate::manifest::{LiveEntry, WrittenUnder};

/// One live data file.
#[derive(Clone)]
pub struct DataFile {
    /// The path, as the table names it.
    pub path: String,
    /// Its size in bytes, as the manifest claims.
    pub size: u64,
    /// Its rows, as the manifest claims.
    pub record_count: u64,
    /// Live manifest entries that name it; beyond 1 it is read that many times and its rows are copies.
    pub entries: u32,
    /// The snapshot that added it.
    pub snapshot_id: i64,
    /// That snapshot's commit, where it is still in the metadata.
    pub added_by: Option<AddedBy>,
    /// Its data sequence number; `None` where the manifest leaves it out against the spec.
    pub sequence: Option<i64>,
    /// The partition spec it was written under.
    pub spec_id: i32,
    /// Its format.
    pub format: FileFormat,
    /// The sequence numbers of its further live entries.
    pub(crate) other_sequences: Vec<Option<i64>>,
    pub(crate) entry: LiveEntry,
}

/// The commit that added a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedBy {
    /// Commit time, milliseconds since the epoch.
    pub commit_ms: i64,
    /// `append`, `replace`, `overwrite` or `delete`.
    pub operation: String,
}

/// Formats of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Read.
    Parquet,
    /// Not read: its rows are unobservable.
    Avro,
    /// Not read: its rows are unobservable.
    Orc,
    /// Never holds data.
    Puffin,
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileFormat::Parquet => "Parquet",
            FileFormat::Avro => "Avro",
            FileFormat::Orc => "ORC",
            FileFormat::Puffin => "Puffin",
        })
    }
}

impl DataFile {
    pub(crate) fn new(entry: LiveEntry, entries: u32, added_by: Option<AddedBy>) -> Self {
        let data_file = entry.entry.data_file();
        Self {
            path: data_file.file_path().to_owned(),
            size: data_file.file_size_in_bytes(),
            record_count: data_file.record_count(),
            entries,
            snapshot_id: entry.snapshot_id,
            added_by,
            sequence: entry.sequence,
            spec_id: entry.written_under.spec.spec_id(),
            format: match data_file.file_format() {
                DataFileFormat::Parquet => FileFormat::Parquet,
                DataFileFormat::Avro => FileFormat::Avro,
                DataFileFormat::Orc => FileFormat::Orc,
                DataFileFormat::Puffin => FileFormat::Puffin,
            },
            other_sequences: Vec::new(),
            entry,
        }
    }

    /// The partition tuple as a path, `dt=2024-01-01/bucket=3`; empty when unpartitioned.
    pub fn partition_path(&self) -> String {
        let WrittenUnder { spec, schema } = self.entry.written_under.as_ref();
        if spec.fields().is_empty() {
            return String::new();
        }
        let partition = self.entry.entry.data_file().partition();
        // The iceberg crate indexes and unwraps; a tuple that does not fit its spec must not end the run.
        crate::contain::contained(|| spec.partition_to_path(partition, schema.clone())).unwrap_or_default()
    }

    /// The manifest's bounds of a column: least and greatest value; a bound is `None` where the manifest has none. Text
    /// and bytes may be cut: the bounds still enclose what is there.
    pub fn bounds(&self, field_id: i32) -> (Option<Value>, Option<Value>) {
        let data_file = self.entry.entry.data_file();
        let value = |bounds: &HashMap<i32, Datum>| bounds.get(&field_id).and_then(datum_value);
        (value(data_file.lower_bounds()), value(data_file.upper_bounds()))
    }

    /// Whether a row with this value may be in the file, as far as its manifest tells: what its bounds exclude is not.
    pub fn may_hold(&self, field_id: i32, value: &Value) -> bool {
        if value.is_null() {
            return self.entry.entry.data_file().null_value_counts().get(&field_id) != Some(&0);
        }
        let (lower, upper) = self.bounds(field_id);
        let below = lower.is_some_and(|lower| value.order(&lower) == Some(Ordering::Less));
        let above = upper.is_some_and(|upper| value.order(&upper) == Some(Ordering::Greater));
        !below && !above
    }

    /// Values of columns that the file may lack because its path holds them: source field id → value of the identity
    /// transform (spec, "Column Projection", first rule).
    pub(crate) fn identity_values(&self) -> HashMap<i32, Option<Literal>> {
        let spec = &self.entry.written_under.spec;
        let partition = self.entry.entry.data_file().partition();
        spec.fields()
            .iter()
            .zip(partition.fields())
            .filter(|(field, _)| field.transform == Transform::Identity)
            .map(|(field, value)| (field.source_id, value.clone()))
            .collect()
    }
}

impl fmt::Debug for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataFile")
            .field("path", &self.path)
            .field("size", &self.size)
            .field("record_count", &self.record_count)
            .field("entries", &self.entries)
            .field("snapshot_id", &self.snapshot_id)
            .field("spec_id", &self.spec_id)
            .field("partition", &self.partition_path())
            .finish_non_exhaustive()
    }
}

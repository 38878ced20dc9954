//! Metadata tables: what a table's metadata tells, as rows, under the names that Iceberg's own and Spark's users know.
//!
//! Contract: rows are what the metadata says, believed or not; nothing of the data files is read. Source of the columns:
//! Iceberg documentation, "Spark queries", "Inspecting tables".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use serde_json::Value as Json;
use validator_core::schema::UTC;

use crate::inspect_files::{files, partitions};
use crate::manifest::{Graph, read_graph};
use crate::snapshot::{Chosen, SnapshotSelector, ancestry, choose};
use crate::table::{Table, TableError};

/// One of a table's metadata tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataTable {
    /// Live files of the snapshot, data and deletes.
    Files,
    /// All snapshots.
    Snapshots,
    /// Which snapshot was current when.
    History,
    /// Partitions of the snapshot.
    Partitions,
    /// Branches and tags.
    Refs,
}

impl MetadataTable {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Files, Self::Snapshots, Self::History, Self::Partitions, Self::Refs];

    /// The word behind the `$`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Snapshots => "snapshots",
            Self::History => "history",
            Self::Partitions => "partitions",
            Self::Refs => "refs",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.word() == word)
    }
}

impl Table {
    /// The rows of a metadata table; of files and partitions those of the snapshot.
    ///
    /// # Errors
    /// The snapshot does not exist, or its manifests cannot be read.
    pub async fn inspect(&self, what: MetadataTable, selector: &SnapshotSelector) -> Result<RecordBatch, TableError> {
        match what {
            MetadataTable::Files => {
                let graph = self.graph(&choose(self, selector)?).await?;
                Ok(files(&self.metadata, &graph))
            }
            MetadataTable::Partitions => {
                let graph = self.graph(&choose(self, selector)?).await?;
                Ok(partitions(&self.metadata, &graph))
            }
            MetadataTable::Snapshots => Ok(self.snapshot_rows()),
            MetadataTable::History => Ok(self.history_rows()),
            MetadataTable::Refs => Ok(self.ref_rows()),
        }
    }

    async fn graph(&self, chosen: &Chosen) -> Result<Graph, TableError> {
        match &chosen.snapshot {
            Some(snapshot) => read_graph(&self.storage, snapshot, self.metadata.format_version()).await,
            None => Ok(Graph::default()),
        }
    }

    fn snapshot_rows(&self) -> RecordBatch {
        let mut snapshots: Vec<_> = self.metadata.snapshots().collect();
        snapshots.sort_by_key(|snapshot| (snapshot.timestamp_ms(), snapshot.snapshot_id()));
        let mut summaries = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for snapshot in &snapshots {
            let sorted: BTreeMap<_, _> = snapshot.summary().additional_properties.iter().collect();
            for (key, value) in sorted {
                summaries.keys().append_value(key);
                summaries.values().append_value(value);
            }
            summaries.append(true).expect("keys and values are appended in pairs");
        }
        batch(vec![
            ("committed_at", instants(snapshots.iter().map(|s| Some(s.timestamp_ms())))),
            ("snapshot_id", longs(snapshots.iter().map(|s| Some(s.snapshot_id())))),
            ("parent_id", longs(snapshots.iter().map(|s| s.parent_snapshot_id()))),
            ("operation", texts(snapshots.iter().map(|s| Some(s.summary().operation.as_str().to_owned())))),
            ("manifest_list", texts(snapshots.iter().map(|s| Some(s.manifest_list().to_owned())))),
            ("summary", Arc::new(summaries.finish())),
        ])
    }

    fn history_rows(&self) -> RecordBatch {
        let log = self.metadata.history();
        let current = self.metadata.current_snapshot();
        let line: BTreeSet<i64> = current
            .map(|snapshot| ancestry(&self.metadata, snapshot).iter().map(|s| s.snapshot_id()).collect())
            .unwrap_or_default();
        let parent = |id: i64| self.metadata.snapshot_by_id(id).and_then(|snapshot| snapshot.parent_snapshot_id());
        batch(vec![
            ("made_current_at", instants(log.iter().map(|entry| Some(entry.timestamp_ms)))),
            ("snapshot_id", longs(log.iter().map(|entry| Some(entry.snapshot_id)))),
            ("parent_id", longs(log.iter().map(|entry| parent(entry.snapshot_id)))),
            (
                "is_current_ancestor",
                Arc::new(BooleanArray::from_iter(log.iter().map(|entry| Some(line.contains(&entry.snapshot_id))))),
            ),
        ])
    }

    /// The iceberg crate keeps them to itself, but writes them.
    fn ref_rows(&self) -> RecordBatch {
        let metadata = serde_json::to_value(self.metadata.as_ref()).unwrap_or_default();
        let refs: BTreeMap<&String, &Json> =
            metadata.get("refs").and_then(Json::as_object).map(|refs| refs.iter().collect()).unwrap_or_default();
        let long = |key: &str| longs(refs.values().map(|of| of.get(key).and_then(Json::as_i64)));
        let kind = |of: &&Json| of.get("type").and_then(Json::as_str).map(str::to_uppercase);
        let kept = refs.values().map(|of| of.get("min-snapshots-to-keep").and_then(Json::as_i64));
        let kept = kept.map(|kept| kept.and_then(|kept| i32::try_from(kept).ok()));
        batch(vec![
            ("name", texts(refs.keys().map(|name| Some((*name).clone())))),
            ("type", texts(refs.values().map(kind))),
            ("snapshot_id", long("snapshot-id")),
            ("max_reference_age_in_ms", long("max-ref-age-ms")),
            ("min_snapshots_to_keep", Arc::new(Int32Array::from_iter(kept))),
            ("max_snapshot_age_in_ms", long("max-snapshot-age-ms")),
        ])
    }
}

pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("the columns are equally long")
}

pub(crate) fn longs(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values))
}

pub(crate) fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

pub(crate) fn instants(ms: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let micros = ms.map(|ms| ms.and_then(|ms| ms.checked_mul(1_000)));
    Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone(UTC))
}

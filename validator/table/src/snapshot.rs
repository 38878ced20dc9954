//! Snapshots: which one a user asks for, and what is known of each.

use std::collections::BTreeSet;

use iceberg::spec::{Snapshot, SnapshotRef, TableMetadata};

use crate::limits::ANCESTRY_MAX;
use crate::metadata::RefKind;
use crate::nearest::nearest;
use crate::table::{Table, TableError};

/// Which snapshot to judge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SnapshotSelector {
    /// The current one; none for a table that has no snapshot yet.
    #[default]
    Current,
    /// By id.
    Id(i64),
    /// By branch or tag.
    Ref(String),
    /// The one that was current at this instant, milliseconds since the epoch, by the table's snapshot log.
    Time(i64),
}

/// One snapshot, as the metadata tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its id.
    pub id: i64,
    /// Its parent's id; the parent may have been expired.
    pub parent: Option<i64>,
    /// Commit time, milliseconds since the epoch.
    pub commit_ms: i64,
    /// `append`, `replace`, `overwrite` or `delete`.
    pub operation: String,
    /// Whether it added data rows (of any operation; a `replace` adds rows too).
    pub adds_rows: bool,
}

impl SnapshotInfo {
    /// `added_by_manifests`: snapshots of which the pinned manifests show live rows, whatever the summaries say.
    pub(crate) fn new(snapshot: &Snapshot, added_by_manifests: &BTreeSet<i64>) -> Self {
        Self {
            id: snapshot.snapshot_id(),
            parent: snapshot.parent_snapshot_id(),
            commit_ms: snapshot.timestamp_ms(),
            operation: snapshot.summary().operation.as_str().to_owned(),
            adds_rows: added_by_manifests.contains(&snapshot.snapshot_id()) || summary_adds_rows(snapshot),
        }
    }
}

/// What the summary claims: its counts where it has them, else its operation.
fn summary_adds_rows(snapshot: &Snapshot) -> bool {
    let count = |key: &str| snapshot.summary().additional_properties.get(key).and_then(|text| text.parse::<u64>().ok());
    match (count("added-records"), count("added-data-files")) {
        (Some(records), _) => records > 0,
        (None, Some(files)) => files > 0,
        // Writers leave the counts out when they are zero, but then write the totals.
        (None, None) => count("total-records").is_none() && !matches!(snapshot.summary().operation.as_str(), "delete"),
    }
}

/// The chosen snapshot, and whether it is to be read by the table's current schema (as for heads of branches) rather
/// than by its own.
pub(crate) struct Chosen {
    pub snapshot: Option<SnapshotRef>,
    pub head: bool,
}

pub(crate) fn choose(table: &Table, selector: &SnapshotSelector) -> Result<Chosen, TableError> {
    let metadata = &table.metadata;
    match selector {
        SnapshotSelector::Current => Ok(Chosen { snapshot: metadata.current_snapshot().cloned(), head: true }),
        SnapshotSelector::Id(id) => match metadata.snapshot_by_id(*id) {
            Some(snapshot) => Ok(Chosen { snapshot: Some(snapshot.clone()), head: false }),
            None => Err(TableError::NoSnapshot { id: *id, current: metadata.current_snapshot_id() }),
        },
        SnapshotSelector::Ref(name) => by_ref(table, name),
        SnapshotSelector::Time(ms) => by_time(metadata, *ms),
    }
}

fn by_ref(table: &Table, name: &str) -> Result<Chosen, TableError> {
    match table.metadata.snapshot_for_ref(name) {
        Some(snapshot) => {
            let head = table.refs.get(name) != Some(&RefKind::Tag);
            Ok(Chosen { snapshot: Some(snapshot.clone()), head })
        }
        None => {
            let near = nearest(name, table.refs.keys().map(String::as_str));
            Err(TableError::NoRef { name: name.to_owned(), nearest: near })
        }
    }
}

fn by_time(metadata: &TableMetadata, ms: i64) -> Result<Chosen, TableError> {
    let log = metadata.history();
    let Some(entry) = log.iter().rfind(|entry| entry.timestamp_ms <= ms) else {
        return Err(TableError::NoSnapshotAt { ms, first_ms: log.first().map(|entry| entry.timestamp_ms) });
    };
    match metadata.snapshot_by_id(entry.snapshot_id) {
        Some(snapshot) => Ok(Chosen { snapshot: Some(snapshot.clone()), head: false }),
        None => Err(TableError::NoSnapshot { id: entry.snapshot_id, current: metadata.current_snapshot_id() }),
    }
}

/// The snapshot and its ancestors, newest first, as far as they are retained.
pub(crate) fn ancestry(metadata: &TableMetadata, from: &SnapshotRef) -> Vec<SnapshotRef> {
    let mut line = vec![from.clone()];
    let mut seen = BTreeSet::from([from.snapshot_id()]);
    let mut next = from.parent_snapshot_id();
    while let Some(snapshot) = next.and_then(|id| metadata.snapshot_by_id(id)) {
        if line.len() >= ANCESTRY_MAX || !seen.insert(snapshot.snapshot_id()) {
            break;
        }
        line.push(snapshot.clone());
        next = snapshot.parent_snapshot_id();
    }
    line
}

//! From where a continuous run is in the table's history to its head: the snapshots to step over, oldest first.
//!
//! Contract: the last step is the head, or that there is none where there was one: all rows went then. The first look of a run goes straight to it, for files that older snapshots alone
//! name may be gone, and nothing was said yet that they could change.

use std::collections::{BTreeSet, VecDeque};

use iceberg::spec::{Snapshot, SnapshotRef};
use validator_core::shadow::Line;
use validator_core::shadow::event::{NO_SNAPSHOT, SnapshotFact, Why};

use crate::limits::STEPS_MAX;
use crate::manifest_cache::ManifestCache;
use crate::snapshot::{SnapshotSelector, ancestry, choose};
use crate::table::{Table, TableError};
use crate::{Pinned, StorageError};

/// A snapshot to make the live set of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepPlan {
    /// The snapshot.
    pub snapshot: SnapshotFact,
    /// How it follows the one before.
    pub why: Why,
}

impl Table {
    /// The snapshots between a run's last step and the head that `head` names, oldest first; none where it is there.
    ///
    /// # Errors
    /// There is no such head; [`TableError::OlderMetadata`]: this is of before the line's snapshot was committed.
    pub fn steps(&self, line: &Line, head: &SnapshotSelector) -> Result<Vec<StepPlan>, TableError> {
        let Some(head) = choose(self, head)?.snapshot else { return self.emptied(line) };
        let Some(cursor) = &line.cursor else {
            // A rewrite that nothing is known before cannot be held against what it rewrote.
            let why = if head.parent_snapshot_id().is_none() { Why::Next } else { Why::Jumped };
            return Ok(vec![StepPlan::new(&head, why)]);
        };
        if line.uuid.as_ref().is_some_and(|uuid| *uuid != self.uuid()) {
            return Ok(vec![StepPlan::new(&head, Why::Recreated)]);
        }
        self.refuse_overtaken(cursor)?;
        let ancestors = ancestry(&self.metadata, &head);
        if let Some(place) = ancestors.iter().position(|ancestor| is_same(ancestor, cursor)) {
            return Ok(onwards(&ancestors[..place], None));
        }
        let left = self.metadata.snapshot_by_id(cursor.id).filter(|snapshot| is_same(snapshot, cursor));
        if let Some(left) = left {
            let before: BTreeSet<i64> = ancestry(&self.metadata, left).iter().map(|one| one.snapshot_id()).collect();
            if let Some(common) = ancestors.iter().position(|ancestor| before.contains(&ancestor.snapshot_id())) {
                return Ok(onwards(&ancestors[..=common], Some(Why::RolledBack)));
            }
        }
        let is_newer = |snapshot: &&SnapshotRef| place_in_time(snapshot) > (cursor.sequence, cursor.commit_ms);
        let newer = ancestors.iter().take_while(is_newer).count();
        match newer {
            0 => Ok(vec![StepPlan::new(&head, Why::RolledBack)]),
            _ if left.is_some() => Ok(onwards(&ancestors[..newer], Some(Why::RolledBack))),
            _ => {
                let follows = ancestors[newer - 1].parent_snapshot_id() == Some(cursor.id);
                Ok(onwards(&ancestors[..newer], (!follows).then_some(Why::Jumped)))
            }
        }
    }

    /// Where no snapshot is current. A table was made anew, or replaced, and nobody has written to it since; or nobody ever did.
    fn emptied(&self, line: &Line) -> Result<Vec<StepPlan>, TableError> {
        let Some(cursor) = &line.cursor else { return Ok(Vec::new()) };
        let is_another = line.uuid.as_ref().is_some_and(|uuid| *uuid != self.uuid());
        if !is_another && !cursor.is_there() {
            return Ok(Vec::new());
        }
        if !is_another {
            self.refuse_overtaken(cursor)?;
        }
        let snapshot = SnapshotFact {
            id: NO_SNAPSHOT,
            parent: None,
            sequence: self.metadata.last_sequence_number(),
            commit_ms: self.metadata.last_updated_ms(),
            operation: String::new(),
        };
        Ok(vec![StepPlan { snapshot, why: if is_another { Why::Recreated } else { Why::RolledBack } }])
    }

    /// Metadata that does not have a snapshot and was written before its commit tells of no rollback: it is older.
    fn refuse_overtaken(&self, cursor: &SnapshotFact) -> Result<(), TableError> {
        let is_later = self.metadata.last_sequence_number() > cursor.sequence;
        if is_later
            || self.metadata.snapshot_by_id(cursor.id).is_some()
            || self.metadata.last_updated_ms() >= cursor.commit_ms
        {
            return Ok(());
        }
        let known = format!("snapshot {} was looked at", cursor.id);
        Err(TableError::OlderMetadata { location: self.metadata_location.clone(), known })
    }

    /// Pins the first of `steps` whose metadata can still be read, and takes it and those before it out; the one after a gap
    /// is a jump. None: there was no step.
    ///
    /// # Errors
    /// As [`Table::pin`]; the last step is never passed over, and none is because a store fails.
    pub async fn pin_next(
        &self,
        cache: &ManifestCache,
        steps: &mut VecDeque<StepPlan>,
    ) -> Result<Option<(StepPlan, Pinned)>, TableError> {
        while let Some(step) = steps.pop_front() {
            match self.pin_with(cache, step.snapshot.id).await {
                Ok(pinned) => return Ok(Some((step, pinned))),
                Err(error) if error.may_pass() || steps.is_empty() => {
                    steps.push_front(step);
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(snapshot = step.snapshot.id, "a snapshot is passed over: {error}");
                    step.pass_over(steps);
                }
            }
        }
        Ok(None)
    }
}

impl StepPlan {
    fn new(snapshot: &Snapshot, why: Why) -> Self {
        let snapshot = SnapshotFact {
            id: snapshot.snapshot_id(),
            parent: snapshot.parent_snapshot_id(),
            sequence: snapshot.sequence_number(),
            commit_ms: snapshot.timestamp_ms(),
            operation: snapshot.summary().operation.as_str().to_owned(),
        };
        Self { snapshot, why }
    }

    /// Leaves this step out: the next one of `steps` follows what was before it, across a gap. For a snapshot whose metadata or
    /// files are gone, and never for the head.
    pub fn pass_over(&self, steps: &mut VecDeque<Self>) {
        if let Some(next) = steps.front_mut() {
            next.why = if self.why == Why::Next { Why::Jumped } else { self.why };
        }
    }
}

impl TableError {
    /// Whether a store failed, so that what was asked for may be read later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::ReadMetadata { source, .. }
            | Self::ReadManifestList { source, .. }
            | Self::ReadManifest { source, .. } => !matches!(source, StorageError::NotFound { .. }),
            Self::Catalog(_) => true,
            _ => false,
        }
    }
}

/// These snapshots, newest first, as steps; the oldest one follows so.
fn onwards(newest_first: &[SnapshotRef], first: Option<Why>) -> Vec<StepPlan> {
    let is_far = newest_first.len() > STEPS_MAX;
    let near = &newest_first[..newest_first.len().min(STEPS_MAX)];
    let mut steps: Vec<StepPlan> = near.iter().rev().map(|snapshot| StepPlan::new(snapshot, Why::Next)).collect();
    if let Some(step) = steps.first_mut() {
        step.why = match first {
            Some(why) => why,
            None if is_far => Why::Jumped,
            None => Why::Next,
        };
    }
    steps
}

/// Whether a retained snapshot is the one that was stepped to: an id alone says little of metadata that was made anew.
fn is_same(snapshot: &Snapshot, cursor: &SnapshotFact) -> bool {
    snapshot.snapshot_id() == cursor.id && place_in_time(snapshot) == (cursor.sequence, cursor.commit_ms)
}

/// Tables of format 1 have no sequence numbers.
fn place_in_time(snapshot: &Snapshot) -> (i64, i64) {
    (snapshot.sequence_number(), snapshot.timestamp_ms())
}

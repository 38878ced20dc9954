//! From what the first pass saw to the run's scope: standings of rows, lateness, lost parts, and a check of the offsets.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::hole::Holes;
use validator_core::judge::{LossKind, RowStanding};
use validator_core::position::FileIndex;
use validator_core::scope::{ExistingPartition, ListedPartition, OffsetScope, PartitionEdges, WindowScope};
use validator_core::segment::SegmentKey;
use validator_core::shadow::windows::Floor;
use validator_table::{FaultKind, FileFault, RowGroups};
use validator_tap::PartitionRange;

use crate::binding::{BoundIdentity, LeafPath, leaf_field};
use crate::late::LateRule;
use crate::limits::CONSTANT_OFFSET_ROWS;
use crate::losses::{Loss, Losses};
use crate::observations::{Observations, PartitionSeen};
use crate::reconcile::Run;
use crate::segment_exec::RowCensus;
use crate::segments::{MessageSegments, RowSegments};

/// The scope of one run.
#[derive(Debug)]
pub struct Scoping {
    /// Whether every partition is read from its first message to its last.
    pub whole_topic: bool,
    offsets: Option<OffsetScope>,
    windows: Option<WindowScope>,
}

impl Scoping {
    /// The scope of `run`, by what its first pass has seen.
    pub fn new(run: &Run, seen: &Observations, holes: &[Holes]) -> Self {
        let ranges = run.messages.tap.partitions();
        let ends = |index: usize| seen.partitions[index].position.unwrap_or(ranges[index].to);
        let at_now = |index: usize| ranges[index].ends_at_now && ends(index) >= ranges[index].to;
        match *run.messages.segments {
            MessageSegments::Offset(_) => {
                let listed = ranges.iter().enumerate().map(|(index, range)| ListedPartition {
                    tp: range.tp.clone(),
                    log_start: range.log_start,
                    high_watermark: range.high_watermark,
                    from: range.from,
                    to: ends(index),
                    start: range.start,
                    starts_at_first: range.starts_at_first,
                    ends_at_now: at_now(index),
                    holes: holes[index].clone(),
                });
                let existing = ranges.iter().filter(|range| !range.listed).map(|range| ExistingPartition {
                    tp: range.tp.clone(),
                    high_watermark: Some(range.high_watermark),
                });
                let scope = OffsetScope::new(listed.collect(), &existing.collect::<Vec<_>>());
                let whole_topic = scope.is_whole_topic() && ranges.iter().all(|range| range.listed);
                Self { whole_topic, offsets: Some(scope), windows: None }
            }
            MessageSegments::Key(ref cut) => {
                let edges: Vec<PartitionEdges> = ranges
                    .iter()
                    .enumerate()
                    .map(|(index, range)| {
                        let PartitionSeen { windows, consumed, .. } = seen.partitions[index];
                        PartitionEdges {
                            starts_at_first: range.starts_at_first,
                            ends_at_now: at_now(index),
                            first: windows.map(|(first, _)| first),
                            last: windows.map(|(_, last)| last),
                            may_hide: is_partly_read(range, ends(index)) || (consumed > 0 && windows.is_none()),
                        }
                    })
                    .collect();
                let topics: BTreeSet<&str> = ranges.iter().map(|range| range.tp.topic.as_str()).collect();
                let compacted = topics.iter().any(|topic| run.messages.tap.compacted(topic) == Some(true));
                let whole_topic = edges.iter().all(|edge| edge.starts_at_first && edge.ends_at_now);
                let every_us = cut.length.span_us(0).end;
                Self { whole_topic, offsets: None, windows: Some(WindowScope::new(every_us, &edges, compacted)) }
            }
        }
    }

    /// How rows are cut into segments.
    pub fn row_segments(&self, run: &Run) -> RowSegments {
        match (&*run.messages.segments, &run.messages.binding.identity, &self.offsets, self.windows) {
            (
                MessageSegments::Offset(width),
                BoundIdentity::Offset { topic, partition, offset, .. },
                Some(scope),
                _,
            ) => RowSegments::Offset {
                scope: scope.clone(),
                width: *width,
                topic: topic.clone(),
                partition: partition.clone(),
                offset: offset.clone(),
            },
            (MessageSegments::Key(cut), _, _, Some(scope)) => {
                RowSegments::Key { scope, cut: cut.clone(), floor: Floor::Undecided }
            }
            _ => unreachable!("segments, identity and scope are made from one identity mode"),
        }
    }

    /// Whether a segment without messages counts as one of the run.
    pub fn counts(&self, segment: &SegmentKey) -> bool {
        match (segment, self.windows) {
            (SegmentKey::Window { start, .. }, Some(windows)) => windows.standing(*start) != RowStanding::OutOfScope,
            (SegmentKey::Nowhere, _) => self.whole_topic,
            _ => true,
        }
    }
}

/// Whether a partition has messages beside those that were read up to `end`; one that is not listed has an empty range.
fn is_partly_read(range: &PartitionRange, end: i64) -> bool {
    range.from > range.log_start || end < range.last_stable
}

/// When a row is late: asked for only where something may settle and the table has a time column for it.
pub fn late_rule(run: &Run) -> Option<LateRule> {
    // A commit of an upsert table writes rows again: its time is not that of a version.
    if run.is_upsert() {
        return None;
    }
    let leaf: &LeafPath = match &run.messages.binding.identity {
        BoundIdentity::Offset { timestamp, .. } => timestamp.as_ref()?,
        identity => identity.window()?,
    };
    (run.clock.settle_ms > 0).then(|| LateRule::new(Some(leaf.clone()), run.clock.settle_ms, &run.pinned.files))
}

/// Lost parts by their place among the faults, with the manifest's bounds of their files.
pub fn losses(run: &Run, faults: &[(FileIndex, FileFault)]) -> Losses {
    let columns = &run.messages.binding.columns;
    let identity = &run.messages.binding.identity;
    let leaves = Losses::leaves(identity);
    let loss = |(place, (file, fault)): (u32, &(FileIndex, FileFault))| Loss {
        kind: match fault.kind {
            FaultKind::Corrupt | FaultKind::Missing => LossKind::Corrupt { loss: place },
            FaultKind::Unreadable => LossKind::Unreadable { loss: place },
        },
        bounds: leaves
            .iter()
            .map(|leaf| {
                let id = leaf_field(columns, leaf).id;
                let (lower, upper) = run.pinned.files[file.0 as usize].bounds(id);
                (id, lower, upper)
            })
            .collect(),
    };
    let losses = (0..).zip(faults).map(loss).collect();
    Losses::new(losses, columns, identity)
}

/// One fault for each file and kind, in the order of the files: each gives one finding, and one loss.
pub fn merged(faults: Vec<(FileIndex, FileFault)>) -> Vec<(FileIndex, FileFault)> {
    let files: BTreeMap<String, FileIndex> = faults.iter().map(|(file, fault)| (fault.path.clone(), *file)).collect();
    let merged = FileFault::merge(faults.into_iter().map(|(_, fault)| fault));
    merged.into_iter().map(|fault| (files[&fault.path], fault)).collect()
}

/// Adds the parts that failed to what later passes leave out.
pub fn note_lost(lost: &mut BTreeMap<FileIndex, RowGroups>, faults: &[(FileIndex, FileFault)]) {
    for (file, fault) in faults {
        let groups = lost.entry(*file).or_default();
        match (&fault.row_groups, &mut *groups) {
            (None, _) => *groups = RowGroups::Only(BTreeSet::new()),
            (Some(failed), RowGroups::All) => *groups = RowGroups::Except(failed.iter().copied().collect()),
            (Some(failed), RowGroups::Except(except)) => except.extend(failed),
            (Some(failed), RowGroups::Only(only)) => only.retain(|group| !failed.contains(group)),
        }
    }
}

/// Whether the offset column holds offsets; duplicates are findings and never refuse.
///
/// # Errors
/// What the column holds instead.
pub fn check_offsets(run: &Run, census: &RowCensus) -> Result<(), String> {
    let BoundIdentity::Offset { offset, .. } = &run.messages.binding.identity else { return Ok(()) };
    let name = &run.messages.binding.columns[offset[0]].field.name;
    // The first row of a partition is no sign of a constant: a topic of many partitions may have a message in each.
    let alike = (census.rows + 1).saturating_sub(census.offsets.len() as u64);
    if alike > CONSTANT_OFFSET_ROWS && census.is_constant() {
        return Err(format!(
            "column {name} holds one single offset per partition in {} rows: it is a constant, not Kafka's offset; use identity mode key",
            census.rows
        ));
    }
    if census.rows > CONSTANT_OFFSET_ROWS && census.strange * 2 > census.rows {
        return Err(format!(
            "column {name} is negative or at or above the high watermark in {} of {} rows: it is not this topic's offset",
            census.strange, census.rows
        ));
    }
    Ok(())
}

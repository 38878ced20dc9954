//! Lanes, facts of files, and what belongs to no row, as bytes. Contract: see [`super::pack`].

use super::KnownFile;
use super::Line;
use super::delta::Damaged;
use super::event::SnapshotFact;
use super::file::{FaultFact, FileFacts, FileId};
use super::lane::Lane;
use super::pack::{Reader, Writer, whole};
use super::tally::Totals;
use crate::judge::{Draft, MessageTally};
use crate::position::{PartitionIndex, RowAt, TopicPartition};
use crate::verdict::{ExcludedCause, MessageVerdict};

/// What belongs to no row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub line: Line,
    pub last_file: u32,
    pub judged_at_ms: i64,
}

impl State {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.byte(u8::from(self.line.uuid.is_some()));
        to.text(self.line.uuid.as_deref().unwrap_or_default());
        to.byte(u8::from(self.line.cursor.is_some()));
        if let Some(cursor) = &self.line.cursor {
            to.signed(cursor.id);
            to.maybe(cursor.parent);
            to.signed(cursor.sequence);
            to.signed(cursor.commit_ms);
            to.text(&cursor.operation);
        }
        to.number(u64::from(self.last_file));
        to.signed(self.judged_at_ms);
        to.seal()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "the state", |from| {
            let (has_uuid, uuid) = (from.flag()?, from.text()?);
            let cursor = if from.flag()? {
                Some(SnapshotFact {
                    id: from.signed()?,
                    parent: from.maybe()?,
                    sequence: from.signed()?,
                    commit_ms: from.signed()?,
                    operation: from.text()?,
                })
            } else {
                None
            };
            let line = Line { uuid: has_uuid.then_some(uuid), cursor };
            Some(Self { line, last_file: from.small()?, judged_at_ms: from.signed()? })
        })
    }
}

impl Lane {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        [self.start, self.position, self.log_start, self.high_watermark].iter().for_each(|offset| to.signed(*offset));
        to.byte(u8::from(self.declared));
        for cause in ExcludedCause::ALL {
            to.number(self.excluded.get(cause).copied().unwrap_or(0));
        }
        for count in [self.judged, self.undecodable, self.hole_offsets] {
            to.number(count);
        }
        for count in [self.balanced_segments, self.balanced_messages, self.balanced_late] {
            to.number(count);
        }
        to.number(self.proven.len() as u64);
        let (mut last_page, mut last_offset) = (0, 0);
        for (page, offset) in &self.proven {
            to.signed(page.wrapping_sub(last_page));
            to.signed(offset.wrapping_sub(last_offset));
            (last_page, last_offset) = (*page, *offset);
        }
        to.seal()
    }

    pub(super) fn from_bytes(tp: TopicPartition, bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "a lane", |from| {
            let [start, position, log_start, high_watermark] =
                [from.signed()?, from.signed()?, from.signed()?, from.signed()?];
            let declared = from.flag()?;
            let mut excluded = std::collections::BTreeMap::new();
            for cause in ExcludedCause::ALL {
                let count = from.number()?;
                if count > 0 {
                    excluded.insert(*cause, count);
                }
            }
            let [judged, undecodable, hole_offsets] = [from.number()?, from.number()?, from.number()?];
            let [balanced_segments, balanced_messages, balanced_late] =
                [from.number()?, from.number()?, from.number()?];
            let (mut page, mut offset) = (0_i64, 0_i64);
            let proven = from.list(|from| {
                page = page.wrapping_add(from.signed()?);
                offset = offset.wrapping_add(from.signed()?);
                Some((page, offset))
            })?;
            let proven = proven.into_iter().collect();
            Some(Self {
                tp,
                start,
                declared,
                position,
                log_start,
                high_watermark,
                judged,
                excluded,
                undecodable,
                hole_offsets,
                balanced_segments,
                balanced_messages,
                balanced_late,
                proven,
            })
        })
    }
}

impl KnownFile {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.number(self.facts.size);
        to.number(u64::from(self.facts.entries));
        to.maybe(self.facts.sequence);
        to.signed(self.facts.added_by);
        to.maybe(self.facts.commit_ms);
        to.byte(u8::from(self.facts.is_replace));
        to.raw(&self.facts.deletes);
        to.signed(i64::from(self.facts.spec_id));
        to.number(self.rows);
        to.number(self.out_of_scope);
        to.number(self.ahead.len() as u64);
        for (partition, offset) in &self.ahead {
            to.number(u64::from(partition.0));
            to.signed(*offset);
        }
        to.byte(u8::from(self.strangers));
        to.number(self.faults.len() as u64);
        for fault in &self.faults {
            to.byte(u8::from(fault.corrupt));
            to.number(fault.rows);
            to.byte(u8::from(fault.bounds.is_some()));
            let bounds = fault.bounds.as_deref().unwrap_or_default();
            to.number(bounds.len() as u64);
            for (partition, first, last) in bounds {
                to.number(u64::from(partition.0));
                to.signed(*first);
                to.signed(*last);
            }
        }
        to.seal()
    }

    pub(super) fn from_bytes(id: FileId, path: String, bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "the facts of a file", |from| {
            let facts = FileFacts {
                path,
                size: from.number()?,
                entries: from.small()?,
                sequence: from.maybe()?,
                added_by: from.signed()?,
                commit_ms: from.maybe()?,
                is_replace: from.flag()?,
                deletes: from.raw()?,
                spec_id: i32::try_from(from.signed()?).ok()?,
            };
            Some(Self {
                id,
                fingerprint: facts.fingerprint(),
                facts,
                rows: from.number()?,
                out_of_scope: from.number()?,
                ahead: from.list(|from| Some((PartitionIndex(from.small()?), from.signed()?)))?.into_iter().collect(),
                strangers: from.flag()?,
                faults: from.list(read_fault)?,
            })
        })
    }
}

fn read_fault(from: &mut Reader<'_>) -> Option<FaultFact> {
    let (corrupt, rows, has_bounds) = (from.flag()?, from.number()?, from.flag()?);
    let bounds = from.list(|from| Some((PartitionIndex(from.small()?), from.signed()?, from.signed()?)))?;
    Some(FaultFact { corrupt, rows, bounds: has_bounds.then_some(bounds) })
}

impl Totals {
    /// Its bytes: what a checkpoint keeps of its counts.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.number(self.lanes.len() as u64);
        for (consumed, tally) in &self.lanes {
            to.number(*consumed);
            MessageVerdict::ALL.iter().for_each(|verdict| to.number(tally.of(*verdict)));
            [tally.late, tally.duplicated_differing, tally.duplicated_faithful].iter().for_each(|one| to.number(*one));
        }
        to.number(self.rows_read);
        let rows = &self.rows;
        let counts = [rows.intact, rows.corrupted, rows.copies, rows.phantom, rows.unjudged, rows.unobservable];
        counts.iter().for_each(|count| to.number(*count));
        to.number(rows.out_of_scope);
        let stages = &self.segments;
        let counts = [stages.balanced, stages.judged, stages.drilling, stages.bare, stages.to_drill, stages.open];
        counts.iter().for_each(|count| to.number(*count));
        to.seal()
    }

    /// The counts of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "the totals", |from| {
            let mut totals = Self { lanes: from.list(read_lane_counts)?, rows_read: from.number()?, ..Self::default() };
            let rows = &mut totals.rows;
            for count in [&mut rows.intact, &mut rows.corrupted, &mut rows.copies, &mut rows.phantom] {
                *count = from.number()?;
            }
            for count in [&mut rows.unjudged, &mut rows.unobservable, &mut rows.out_of_scope] {
                *count = from.number()?;
            }
            let stages = &mut totals.segments;
            for count in [&mut stages.balanced, &mut stages.judged, &mut stages.drilling] {
                *count = from.number()?;
            }
            for count in [&mut stages.bare, &mut stages.to_drill, &mut stages.open] {
                *count = from.number()?;
            }
            Some(totals)
        })
    }
}

fn read_lane_counts(from: &mut Reader<'_>) -> Option<(u64, MessageTally)> {
    let consumed = from.number()?;
    let mut tally = MessageTally::default();
    for verdict in MessageVerdict::ALL {
        tally.add(*verdict, from.number()?);
    }
    tally.late = from.number()?;
    tally.duplicated_differing = from.number()?;
    tally.duplicated_faithful = from.number()?;
    Some((consumed, tally))
}

/// What a finding says beside its place, verdict and cause: its rows, the pairs that differ, and the message's timestamp.
pub(super) fn draft_bytes(draft: &Draft) -> Vec<u8> {
    let mut to = Writer::new();
    to.maybe(draft.timestamp_ms);
    write_rows(&mut to, draft.rows.iter());
    write_rows(&mut to, draft.compare.iter().map(|(_, row)| row));
    to.byte(u8::from(draft.identity_moved));
    to.number(draft.copies);
    to.seal()
}

fn write_rows<'a>(to: &mut Writer, rows: impl ExactSizeIterator<Item = &'a RowAt>) {
    to.number(rows.len() as u64);
    for row in rows {
        to.number(u64::from(row.file.0));
        to.number(row.position);
    }
}

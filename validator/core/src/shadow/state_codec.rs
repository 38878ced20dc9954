//! Lanes, facts of files, and what belongs to no row, as bytes. Contract: see [`super::pack`].

use std::collections::BTreeMap;

use super::Line;
use super::delta::Damaged;
use super::event::{CannotLook, SnapshotFact};
use super::file::{FaultFact, FileFacts, FileId};
use super::files::KnownFile;
use super::hidden::Hidden;
use super::lane::Lane;
use super::pack::{Reader, Writer, whole};
use super::runs::Offsets;
use super::slips::{FileSlips, Partings};
use super::standing::NoLook;
use super::terms::{Cut, JudgedBy, TimedBy, Windows};
use super::windows::Floor;
use crate::hole::HoleReason;
use crate::judge::{Draft, ModeKind};
use crate::position::{PartitionIndex, RowAt, TopicPartition};
use crate::verdict::ExcludedCause;

/// What belongs to no row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub line: Line,
    pub last_file: u32,
    pub judged_at_ms: i64,
    pub cannot_look: Option<NoLook>,
    pub notes: String,
    /// What the last checkpoint was judged by.
    pub judged_by: JudgedBy,
    pub partings: Partings,
    pub late_after: FileId,
    pub floor: Floor,
    pub moved_ms: Option<i64>,
}

impl State {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.byte(u8::from(self.line.uuid.is_some()));
        to.text(self.line.uuid.as_deref().unwrap_or_default());
        to.byte(u8::from(self.line.cursor.is_some()));
        if let Some(cursor) = &self.line.cursor {
            write_snapshot(&mut to, cursor);
        }
        to.number(u64::from(self.last_file));
        to.signed(self.judged_at_ms);
        write_no_look(&mut to, self.cannot_look);
        to.text(&self.notes);
        let by = &self.judged_by;
        to.signed(by.settle_ms);
        to.signed(by.give_up_ms);
        to.byte(u8::from(by.whole_topic));
        self.partings.write(&mut to);
        to.byte(match by.timed {
            TimedBy::Nobody => 0,
            TimedBy::Rows => 1,
            TimedBy::Messages => 2,
        });
        to.number(u64::from(self.late_after.0));
        to.maybe(self.moved_ms);
        let windows = match by.cut {
            Cut::Offsets => [0, 0],
            Cut::Windows(Windows { mode, compacted }) => {
                let mode = MODES.iter().position(|one| *one == mode).expect("ranges of offsets are no windows");
                [1 + mode as u8, u8::from(compacted)]
            }
        };
        to.raw(&windows);
        to.byte(u8::from(self.floor != Floor::Undecided));
        to.maybe(self.floor.first());
        to.maybe(by.retention_ms);
        to.seal()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "the state", |from| {
            let (has_uuid, uuid) = (from.flag()?, from.text()?);
            let cursor = if from.flag()? { Some(read_snapshot(from)?) } else { None };
            let line = Line { uuid: has_uuid.then_some(uuid), cursor };
            let (last_file, judged_at_ms) = (from.small()?, from.signed()?);
            let cannot_look = read_no_look(from)?;
            let (notes, settle_ms, give_up_ms) = (from.text()?, from.signed()?, from.signed()?);
            let is_whole = from.flag()?;
            let partings = if from.has_slips() { Partings::read(from)? } else { Partings::default() };
            let timed = if from.has_late() { read_timed(from)? } else { TimedBy::Nobody };
            let late_after = FileId(if from.has_late() { from.small()? } else { last_file });
            let (mut cut, mut floor, mut moved_ms) = (Cut::Offsets, Floor::Undecided, None);
            if from.has_windows() {
                moved_ms = from.maybe()?;
                cut = read_cut(from)?;
                let is_decided = from.flag()?;
                floor = match from.maybe()? {
                    Some(first) => Floor::At(first),
                    None if is_decided => Floor::Open,
                    None => Floor::Undecided,
                };
            }
            let retention_ms = if from.has_retention() { from.maybe()? } else { None };
            Some(Self {
                line,
                last_file,
                judged_at_ms,
                cannot_look,
                notes,
                judged_by: JudgedBy { settle_ms, give_up_ms, retention_ms, whole_topic: is_whole, timed, cut },
                partings,
                late_after,
                floor,
                moved_ms,
            })
        })
    }
}

fn read_cut(from: &mut Reader<'_>) -> Option<Cut> {
    match (from.byte()?, from.flag()?) {
        (0, false) => Some(Cut::Offsets),
        (0, true) => None,
        (mode, compacted) => Some(Cut::Windows(Windows { mode: *MODES.get(usize::from(mode) - 1)?, compacted })),
    }
}

/// Modes of windows, in the order of their numbers.
const MODES: [ModeKind; 3] = [ModeKind::Key, ModeKind::Content, ModeKind::Upsert];

/// Where only a flag was written, one that is set reads as rows: messages tell anew then.
fn read_timed(from: &mut Reader<'_>) -> Option<TimedBy> {
    match from.byte()? {
        0 => Some(TimedBy::Nobody),
        1 => Some(TimedBy::Rows),
        2 => Some(TimedBy::Messages),
        _ => None,
    }
}

pub(super) fn write_snapshot(to: &mut Writer, snapshot: &SnapshotFact) {
    to.signed(snapshot.id);
    to.maybe(snapshot.parent);
    to.signed(snapshot.sequence);
    to.signed(snapshot.commit_ms);
    to.text(&snapshot.operation);
}

pub(super) fn read_snapshot(from: &mut Reader<'_>) -> Option<SnapshotFact> {
    Some(SnapshotFact {
        id: from.signed()?,
        parent: from.maybe()?,
        sequence: from.signed()?,
        commit_ms: from.signed()?,
        operation: from.text()?,
    })
}

const NOT_THERE: [CannotLook; 4] = [CannotLook::Catalog, CannotLook::Store, CannotLook::Broker, CannotLook::TableGone];

pub(super) fn write_no_look(to: &mut Writer, no_look: Option<NoLook>) {
    let place = no_look.and_then(|no_look| NOT_THERE.iter().position(|what| *what == no_look.what));
    to.byte(place.map_or(0, |place| place as u8 + 1));
    to.signed(no_look.map_or(0, |no_look| no_look.since_ms));
}

pub(super) fn read_no_look(from: &mut Reader<'_>) -> Option<Option<NoLook>> {
    let (place, since_ms) = (from.byte()?, from.signed()?);
    let Some(place) = place.checked_sub(1) else { return Some(None) };
    Some(Some(NoLook { what: *NOT_THERE.get(usize::from(place))?, since_ms }))
}

impl Lane {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        let offsets = [self.start, self.position, self.log_start, self.barrier, self.high_watermark];
        offsets.iter().for_each(|offset| to.signed(*offset));
        to.byte(u8::from(self.declared));
        for cause in ExcludedCause::ALL {
            to.number(self.excluded.get(cause).copied().unwrap_or(0));
        }
        for reason in HoleReason::ALL {
            to.number(self.holes.get(reason).copied().unwrap_or(0));
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
        to.maybe((self.unseen_below > i64::MIN).then_some(self.unseen_below));
        to.number(self.diverted_undecodable);
        to.maybe(self.windows.map(|(first, _)| first));
        to.maybe(self.windows.map(|(_, greatest)| greatest));
        to.number(self.windowless);
        self.hidden.write(&mut to);
        to.number(self.balanced_superseded);
        to.seal()
    }

    pub(super) fn from_bytes(tp: TopicPartition, bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "a lane", |from| {
            let [start, position, log_start] = [from.signed()?, from.signed()?, from.signed()?];
            let [barrier, high_watermark] = [from.signed()?, from.signed()?];
            let declared = from.flag()?;
            let excluded = from.excluded()?;
            let holes = read_counts(from, HoleReason::ALL)?;
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
            let unseen_below = if from.has_slips() { from.maybe()?.unwrap_or(i64::MIN) } else { i64::MIN };
            let diverted_undecodable = if from.has_letters() { from.number()? } else { 0 };
            let windows = if from.has_windows() { from.maybe()?.zip(from.maybe()?) } else { None };
            let windowless = if from.has_windows() { from.number()? } else { 0 };
            let hidden = if from.has_windows() { Hidden::read_back(from)? } else { Hidden::default() };
            let balanced_superseded = if from.has_keys() { from.number()? } else { 0 };
            Some(Self {
                tp,
                start,
                declared,
                position,
                log_start,
                barrier,
                high_watermark,
                judged,
                excluded,
                undecodable,
                diverted_undecodable,
                hole_offsets,
                holes,
                balanced_segments,
                balanced_messages,
                balanced_late,
                balanced_superseded,
                unseen_below,
                proven,
                windows,
                windowless,
                hidden,
            })
        })
    }
}

/// One number for each of these; 0 is not there.
pub(super) fn read_counts<T: Copy + Ord>(from: &mut Reader<'_>, all: &[T]) -> Option<BTreeMap<T, u64>> {
    let mut counts = BTreeMap::new();
    for one in all {
        let count = from.number()?;
        if count > 0 {
            counts.insert(*one, count);
        }
    }
    Some(counts)
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
        to.byte(u8::from(self.slips.is_some()));
        if let Some(slips) = &self.slips {
            slips.write(&mut to);
        }
        to.number(self.untold);
        self.late_ahead.write(&mut to);
        to.byte(u8::from(self.has_late));
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
            let rows = from.number()?;
            Some(Self {
                id,
                facts,
                rows,
                out_of_scope: from.number()?,
                ahead: from.list(|from| Some((PartitionIndex(from.small()?), from.signed()?)))?.into_iter().collect(),
                strangers: from.flag()?,
                faults: from.list(read_fault)?,
                slips: if from.has_slips() && from.flag()? { Some(FileSlips::read(from)?) } else { None },
                untold: if from.has_late() { from.number()? } else { rows },
                late_ahead: if from.has_late() { Offsets::read(from)? } else { Offsets::default() },
                // Not every build said it.
                has_late: from.is_empty() || from.flag()?,
            })
        })
    }
}

fn read_fault(from: &mut Reader<'_>) -> Option<FaultFact> {
    let (corrupt, rows, has_bounds) = (from.flag()?, from.number()?, from.flag()?);
    let bounds = from.list(|from| Some((PartitionIndex(from.small()?), from.signed()?, from.signed()?)))?;
    Some(FaultFact { corrupt, rows, bounds: has_bounds.then_some(bounds) })
}

/// What a finding says beside its place, verdict and cause: its rows, the pairs that differ, and the message's timestamp.
/// `may_have_stood`: that nobody can know any more whether it had a row.
pub(super) fn draft_bytes(draft: &Draft, may_have_stood: bool) -> Vec<u8> {
    let mut to = Writer::of_facts();
    to.maybe(draft.timestamp_ms);
    write_rows(&mut to, draft.rows.iter());
    write_rows(&mut to, draft.compare.iter().map(|(_, row)| row));
    to.byte(u8::from(draft.identity_moved));
    to.number(draft.copies);
    if may_have_stood {
        to.byte(1);
    }
    to.seal()
}

fn write_rows<'a>(to: &mut Writer, rows: impl ExactSizeIterator<Item = &'a RowAt>) {
    to.number(rows.len() as u64);
    for row in rows {
        to.number(u64::from(row.file.0));
        to.number(row.position);
    }
}

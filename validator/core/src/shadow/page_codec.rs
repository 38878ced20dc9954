//! Pages and bags of files as bytes.
//!
//! Contract: see [`super::pack`]. Of a balanced segment one bag is written, since the other one is equal.

use super::delta::Damaged;
use super::file::{FileBags, FileId};
use super::pack::{Reader, Writer, whole};
use super::page::Page;
use super::segment::{Segment, Times};
use crate::hole::{Hole, HoleReason, Holes};
use crate::limits::PAGE_SLOTS;
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;

impl Page {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        let slots = self.iter().fold(0_u64, |slots, (slot, _)| slots | 1 << slot);
        to.raw(&slots.to_le_bytes());
        self.iter().for_each(|(_, segment)| write_segment(&mut to, segment));
        to.number(self.holes.runs().len() as u64);
        for hole in self.holes.runs() {
            to.signed(hole.from);
            to.signed(hole.to);
            to.byte(HoleReason::ALL.iter().position(|reason| *reason == hole.reason).unwrap_or(0) as u8);
        }
        to.number(self.unexplained.len() as u64);
        for (from, end) in &self.unexplained {
            to.signed(*from);
            to.signed(*end);
        }
        to.seal()
    }

    /// The page of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "a page", |from| {
            let slots = u64::from_le_bytes(from.raw()?);
            let mut page = Self::default();
            for slot in (0..PAGE_SLOTS).filter(|slot| slots >> slot & 1 == 1) {
                page.slots[slot] = Some(Box::new(read_segment(from)?));
            }
            let holes = from.list(|from| {
                let (start, to) = (from.signed()?, from.signed()?);
                Some(Hole { from: start, to, reason: *HoleReason::ALL.get(usize::from(from.byte()?))? })
            })?;
            page.holes = Holes::new(holes);
            page.unexplained = from.list(|from| Some((from.signed()?, from.signed()?)))?;
            Some(page)
        })
    }
}

fn write_segment(to: &mut Writer, segment: &Segment) {
    let is_balanced = segment.is_balanced();
    to.byte(u8::from(is_balanced));
    to.bag(&segment.debit);
    if !is_balanced {
        to.bag(&segment.credit);
    }
    to.signed(segment.from);
    to.signed(segment.upto - segment.from);
    let small = [segment.excluded, segment.undecodable, segment.hole_offsets, segment.late, segment.late_open];
    small.iter().for_each(|number| to.number(u64::from(*number)));
    to.maybe(known(segment.offset_max));
    to.maybe(segment.times.min_ms);
    to.maybe(segment.times.max_ms);
    to.number(u64::from(segment.times.untimed));
    to.maybe(segment.unproven_min_ms);
    to.maybe(known(segment.proven_max));
    to.maybe(known(segment.stood_below));
    write_files(to, &segment.files);
    write_files(to, &segment.gone);
    to.number(u64::from(segment.revision));
}

fn known(number: i64) -> Option<i64> {
    (number > i64::MIN).then_some(number)
}

/// Ascending, so as differences.
fn write_files(to: &mut Writer, files: &[FileId]) {
    to.number(files.len() as u64);
    let mut last = 0;
    for file in files {
        to.number(u64::from(file.0 - last));
        last = file.0;
    }
}

fn read_files(from: &mut Reader<'_>) -> Option<Vec<FileId>> {
    let mut last = 0_u32;
    from.list(|from| {
        last = last.checked_add(from.small()?)?;
        Some(FileId(last))
    })
}

fn read_segment(from: &mut Reader<'_>) -> Option<Segment> {
    let is_balanced = from.flag()?;
    let debit = from.bag()?;
    let credit = if is_balanced { debit } else { from.bag()? };
    let start = from.signed()?;
    let upto = start.checked_add(from.signed()?)?;
    let [excluded, undecodable, hole_offsets, late, late_open] =
        [from.small()?, from.small()?, from.small()?, from.small()?, from.small()?];
    let offset_max = from.maybe()?.unwrap_or(i64::MIN);
    let times = Times { min_ms: from.maybe()?, max_ms: from.maybe()?, untimed: from.small()? };
    Some(Segment {
        debit,
        credit,
        from: start,
        upto,
        excluded,
        undecodable,
        hole_offsets,
        offset_max,
        times,
        unproven_min_ms: from.maybe()?,
        proven_max: from.maybe()?.unwrap_or(i64::MIN),
        stood_below: from.maybe()?.unwrap_or(i64::MIN),
        files: read_files(from)?,
        gone: read_files(from)?,
        late,
        late_open,
        revision: from.small()?,
    })
}

impl FileBags {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.number(self.bags.len() as u64);
        for (key, bag, late) in &self.bags {
            write_key(&mut to, *key);
            to.bag(bag);
            to.number(u64::from(*late));
        }
        to.number(self.rows);
        to.number(self.out_of_scope);
        to.number(self.misrouted.len() as u64);
        for (position, key) in &self.misrouted {
            to.number(*position);
            write_key(&mut to, *key);
        }
        to.number(self.tolerated.len() as u64);
        self.tolerated.iter().for_each(|rows| to.number(*rows));
        to.number(self.ahead.len() as u64);
        for (partition, offset) in &self.ahead {
            to.number(u64::from(partition.0));
            to.signed(*offset);
        }
        to.byte(u8::from(self.strangers));
        to.seal()
    }

    /// The bags of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "the bags of a file", |from| {
            Some(Self {
                bags: from.list(|from| Some((read_key(from)?, from.bag()?, from.small()?)))?,
                rows: from.number()?,
                out_of_scope: from.number()?,
                misrouted: from.list(|from| Some((from.number()?, read_key(from)?)))?,
                tolerated: from.list(Reader::number)?,
                ahead: from.list(|from| Some((PartitionIndex(from.small()?), from.signed()?)))?.into_iter().collect(),
                strangers: from.flag()?,
            })
        })
    }
}

pub(super) fn write_key(to: &mut Writer, key: SegmentKey) {
    let (kind, number) = key.to_pair();
    to.number(kind);
    to.signed(number);
}

pub(super) fn read_key(from: &mut Reader<'_>) -> Option<SegmentKey> {
    SegmentKey::from_pair((from.number()?, from.signed()?))
}

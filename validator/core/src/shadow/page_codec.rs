//! Pages and bags of files as bytes.
//!
//! Contract: see [`super::pack`]. Of a balanced segment one bag is written, since the other one is equal.

use std::collections::BTreeMap;

use super::blame::Taker;
use super::delta::Damaged;
use super::file::{FileBags, FileId};
use super::keys::Keys;
use super::late::Lateness;
use super::late_windows::LateRows;
use super::letters::Letters;
use super::pack::{Reader, Writer, whole};
use super::page::Page;
use super::runs::Runs;
use super::segment::{Segment, Share, Times};
use super::slips::Slips;
use crate::bag::Bag;
use crate::hole::{Hole, HoleReason, Holes};
use crate::limits::PAGE_SLOTS;
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::UndecodableCause;

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
        let causes = UndecodableCause::ALL.iter().map(|cause| self.undecodable.get(cause));
        causes.for_each(|offsets| offsets.unwrap_or(&Runs::default()).write(&mut to));
        self.letters.write(&mut to);
        let shared: Vec<_> = self.iter().filter(|(_, segment)| !segment.shares.is_empty()).collect();
        to.number(shared.len() as u64);
        for (slot, segment) in shared {
            to.number(slot as u64);
            write_shares(&mut to, &segment.shares);
        }
        let keyed: Vec<_> = self.iter().filter(|(_, segment)| !segment.keys.is_empty()).collect();
        to.number(keyed.len() as u64);
        for (slot, segment) in keyed {
            to.number(slot as u64);
            segment.keys.write(&mut to);
        }
        let tardy: Vec<_> = self.iter().filter(|(_, segment)| !segment.late_in.is_empty()).collect();
        to.number(tardy.len() as u64);
        for (slot, segment) in tardy {
            to.number(slot as u64);
            to.number(segment.late_in.len() as u64);
            for late in &segment.late_in {
                write_files(&mut to, &late.files);
                to.number(late.rows);
            }
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
            if from.has_letters() {
                for cause in UndecodableCause::ALL {
                    let offsets = Runs::read(from)?;
                    if !offsets.is_empty() {
                        page.undecodable.insert(*cause, offsets);
                    }
                }
                page.letters = Letters::read(from)?;
            }
            if from.has_windows() {
                for (slot, shares) in from.list(|from| Some((from.number()?, from.list(read_share)?)))? {
                    let segment = slot_of(&mut page, slot)?;
                    segment.shares = shares.into_iter().collect();
                }
            }
            if from.has_keys() {
                for (slot, keys) in from.list(|from| Some((from.number()?, Keys::read(from)?)))? {
                    slot_of(&mut page, slot)?.keys = keys;
                }
            }
            if from.has_late_of_windows() {
                let read_late =
                    |from: &mut Reader<'_>| Some(LateRows { files: read_files(from)?, rows: from.number()? });
                for (slot, late) in from.list(|from| Some((from.number()?, from.list(read_late)?)))? {
                    slot_of(&mut page, slot)?.late_in = late;
                }
            }
            Some(page)
        })
    }
}

/// The segment in a slot that bytes name.
fn slot_of(page: &mut Page, slot: u64) -> Option<&mut Segment> {
    let slot = usize::try_from(slot).ok().filter(|slot| *slot < PAGE_SLOTS)?;
    page.slots[slot].as_deref_mut()
}

fn write_shares(to: &mut Writer, shares: &BTreeMap<PartitionIndex, Share>) {
    to.number(shares.len() as u64);
    for (partition, share) in shares {
        to.number(u64::from(partition.0));
        to.signed(share.from);
        to.signed(share.upto.wrapping_sub(share.from));
        to.number(share.judged);
        to.maybe(known(share.stood_below).map(|offset| offset.wrapping_sub(share.from)));
    }
}

fn read_share(from: &mut Reader<'_>) -> Option<(PartitionIndex, Share)> {
    let (partition, start) = (PartitionIndex(from.small()?), from.signed()?);
    let (upto, judged) = (start.wrapping_add(from.signed()?), from.number()?);
    let stood_below = from.maybe()?.map_or(i64::MIN, |offset| start.wrapping_add(offset));
    Some((partition, Share { from: start, upto, judged, stood_below }))
}

/// Parts of a segment that are mostly not there, by bit of the first byte.
const BALANCED: u8 = 1;
const NO_ROWS_ASKED: u8 = 2;
const LATE: u8 = 4;
const UNTIMED: u8 = 8;
const UNPROVEN: u8 = 16;
const PROVEN_ELSEWHERE: u8 = 32;
const STOOD: u8 = 64;
const GONE: u8 = 128;

fn flags_of(segment: &Segment) -> u8 {
    let parts = [
        (segment.is_balanced(), BALANCED),
        (segment.excluded > 0 || segment.undecodable > 0 || segment.hole_offsets > 0, NO_ROWS_ASKED),
        (!segment.late.is_empty(), LATE),
        (segment.times.untimed > 0, UNTIMED),
        (segment.unproven_min_ms.is_some(), UNPROVEN),
        (segment.proven_max != segment.offset_max, PROVEN_ELSEWHERE),
        (segment.stood_below != stood_by_balance(segment), STOOD),
        (has_files_apart(segment), GONE),
    ];
    parts.iter().filter(|(is_there, _)| *is_there).fold(0, |flags, (_, flag)| flags | flag)
}

fn write_segment(to: &mut Writer, segment: &Segment) {
    let flags = flags_of(segment);
    let has = |flag: u8| flags & flag != 0;
    to.byte(flags);
    to.bag(&segment.debit);
    if !has(BALANCED) {
        to.bag(&segment.credit);
    }
    to.signed(segment.from);
    to.signed(segment.upto.wrapping_sub(segment.from));
    to.maybe(known(segment.offset_max).map(|offset| offset.wrapping_sub(segment.from)));
    to.maybe(segment.times.min_ms);
    to.maybe(segment.times.max_ms.map(|max| max.wrapping_sub(segment.times.min_ms.unwrap_or(0))));
    if has(NO_ROWS_ASKED) {
        let counts = [segment.excluded, segment.undecodable, segment.hole_offsets];
        counts.iter().for_each(|count| to.number(u64::from(*count)));
    }
    if has(LATE) {
        write_late(to, &segment.late);
    }
    if has(UNTIMED) {
        to.number(u64::from(segment.times.untimed));
    }
    if let Some(unproven) = segment.unproven_min_ms {
        to.signed(unproven);
    }
    if has(PROVEN_ELSEWHERE) {
        to.maybe(known(segment.proven_max));
    }
    if has(STOOD) {
        to.maybe(known(segment.stood_below).map(|offset| offset.wrapping_sub(segment.from)));
    }
    write_files(to, &segment.files);
    if has(GONE) {
        write_files(to, &segment.fresh);
        write_files(to, &segment.gone);
        to.byte(u8::from(segment.unseen));
        to.number(segment.takers.len() as u64);
        segment.takers.iter().for_each(|taker| taker.write(to));
        to.number(u64::from(segment.takes));
        to.number(segment.slips.len() as u64);
        for (file, slips) in &segment.slips {
            to.number(u64::from(file.0));
            slips.write(to);
        }
        segment.stood.write(to);
    }
    to.number(u64::from(segment.revision));
}

/// What a balance says of it; of a segment that is not balanced, that it never was.
fn stood_by_balance(segment: &Segment) -> i64 {
    let has_stood = segment.is_balanced() && segment.offset_max > i64::MIN;
    if has_stood { segment.upto } else { i64::MIN }
}

fn has_files_apart(segment: &Segment) -> bool {
    !segment.fresh.is_empty()
        || !segment.gone.is_empty()
        || !segment.stood.is_empty()
        || segment.unseen
        || segment.takes > 0
}

fn known(number: i64) -> Option<i64> {
    (number > i64::MIN).then_some(number)
}

fn write_late(to: &mut Writer, late: &BTreeMap<FileId, Runs>) {
    to.number(late.len() as u64);
    for (file, runs) in late {
        to.number(u64::from(file.0));
        runs.write(to);
    }
}

/// Older builds have two counts there, which nobody kept up.
fn read_late(from: &mut Reader<'_>) -> Option<BTreeMap<FileId, Runs>> {
    if !from.has_late() {
        let _: [u64; 2] = from.numbers()?;
        return Some(BTreeMap::new());
    }
    let late = from.list(|from| Some((FileId(from.small()?), Runs::read(from)?)))?;
    Some(late.into_iter().collect())
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
    let flags = from.byte()?;
    let has = |flag: u8| flags & flag != 0;
    let debit = from.bag()?;
    let credit = if has(BALANCED) { debit } else { from.bag()? };
    let start = from.signed()?;
    let upto = start.wrapping_add(from.signed()?);
    let offset_max = from.maybe()?.map_or(i64::MIN, |offset| start.wrapping_add(offset));
    let min_ms = from.maybe()?;
    let max_ms = from.maybe()?.map(|span| span.wrapping_add(min_ms.unwrap_or(0)));
    let mut segment = Segment { debit, credit, from: start, upto, offset_max, ..Segment::default() };
    segment.times = Times { min_ms, max_ms, untimed: 0 };
    if has(NO_ROWS_ASKED) {
        (segment.excluded, segment.undecodable, segment.hole_offsets) = (from.small()?, from.small()?, from.small()?);
    }
    if has(LATE) {
        segment.late = read_late(from)?;
    }
    if has(UNTIMED) {
        segment.times.untimed = from.small()?;
    }
    if has(UNPROVEN) {
        segment.unproven_min_ms = Some(from.signed()?);
    }
    segment.proven_max = if has(PROVEN_ELSEWHERE) { from.maybe()?.unwrap_or(i64::MIN) } else { offset_max };
    segment.stood_below = stood_by_balance(&segment);
    if has(STOOD) {
        segment.stood_below = from.maybe()?.map_or(i64::MIN, |offset| start.wrapping_add(offset));
    }
    segment.files = read_files(from)?;
    if has(GONE) {
        segment.fresh = read_files(from)?;
        segment.gone = read_files(from)?;
        segment.unseen = from.flag()?;
        segment.takers = from.list(Taker::read)?;
        segment.takes = from.small()?;
        if from.has_slips() {
            let slips = from.list(|from| Some((FileId(from.small()?), Slips::read(from)?)))?;
            segment.slips = slips.into_iter().collect();
            segment.stood = Slips::read(from)?;
        }
    }
    segment.revision = from.small()?;
    Some(segment)
}

impl FileBags {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.number(self.bags.len() as u64);
        for (key, bag) in &self.bags {
            write_key(&mut to, *key);
            to.bag(bag);
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
        self.late.write(&mut to);
        to.seal()
    }

    /// The bags of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "the bags of a file", |from| {
            Some(Self {
                bags: from.list(read_bag)?,
                rows: from.number()?,
                out_of_scope: from.number()?,
                misrouted: from.list(|from| Some((from.number()?, read_key(from)?)))?,
                tolerated: from.list(Reader::number)?,
                ahead: from.list(|from| Some((PartitionIndex(from.small()?), from.signed()?)))?.into_iter().collect(),
                strangers: from.flag()?,
                late: if from.has_late() { Lateness::read(from)? } else { Lateness::Untold },
            })
        })
    }
}

pub(super) fn write_key(to: &mut Writer, key: SegmentKey) {
    let (kind, number) = key.to_pair();
    to.number(kind);
    to.signed(number);
}

/// Older builds have a count of late rows there, which nobody used.
fn read_bag(from: &mut Reader<'_>) -> Option<(SegmentKey, Bag)> {
    let one = (read_key(from)?, from.bag()?);
    if !from.has_late() {
        from.small()?;
    }
    Some(one)
}

pub(super) fn read_key(from: &mut Reader<'_>) -> Option<SegmentKey> {
    SegmentKey::from_pair((from.number()?, from.signed()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::digest::IdentityHash;
    use crate::judge::MessageEntry;
    use crate::judge::MessageState;
    use crate::position::MessageAt;

    /// Segments as a topic of 10,000 messages a second has them.
    fn page(is_balanced: bool) -> Page {
        let mut page = Page::default();
        for slot in 0..PAGE_SLOTS {
            let number = slot as i64;
            let mut debit = Bag::from_iter(&[Digest([slot as u8 | 1; 32])]);
            debit.count = 4_096;
            let from = 80_000_000 + number * 4_096;
            let first = 1_763_000_000_000 + number * 4_900;
            page.slots[slot] = Some(Box::new(Segment {
                debit,
                credit: if is_balanced { debit } else { Bag::EMPTY },
                from,
                upto: from + 4_096,
                offset_max: from + 4_095,
                proven_max: if is_balanced { from + 4_095 } else { i64::MIN },
                stood_below: if is_balanced { from + 4_096 } else { i64::MIN },
                times: Times { min_ms: Some(first), max_ms: Some(first + 4_899), untimed: 0 },
                unproven_min_ms: (!is_balanced).then_some(first),
                files: if is_balanced { vec![FileId(40_000), FileId(40_001)] } else { Vec::new() },
                revision: 9,
                ..Segment::default()
            }));
        }
        page
    }

    #[test]
    fn a_page_comes_back_and_takes_few_bytes() {
        for (is_balanced, bytes_a_slot) in [(true, 62), (false, 66)] {
            let page = page(is_balanced);
            let bytes = page.to_bytes();
            assert_eq!(Page::from_bytes(&bytes).as_ref(), Ok(&page));
            let each = bytes.len() / PAGE_SLOTS;
            assert!(each <= bytes_a_slot, "{each} bytes a slot, balanced: {is_balanced}");
        }
    }

    #[test]
    fn keys_come_back_with_their_page() {
        let version = MessageEntry {
            at: MessageAt { partition: PartitionIndex(2), offset: 5 },
            timestamp_ms: Some(-3),
            identity: None,
            digest: Some(Digest([4; 32])),
            rest: Some(Digest([5; 32])),
            state: MessageState::Judged,
            loss: None,
            stood: true,
        };
        let mut page = page(false);
        let segment = page.slots[3].as_mut().expect("all are there");
        assert!(segment.keys.put(IdentityHash([1; 16]), version));
        assert!(segment.keys.put(IdentityHash([2; 16]), MessageEntry { stood: false, digest: None, ..version }));
        assert_eq!(Page::from_bytes(&page.to_bytes()), Ok(page));
    }

    #[test]
    fn a_damaged_page_is_told_and_none_panics() {
        let bytes = page(false).to_bytes();
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert_eq!(Page::from_bytes(&damaged), Err(Damaged { what: "a page" }), "byte {at}");
        }
    }
}

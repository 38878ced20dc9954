//! Slips: offset and beginning of the digest of rows that a scan saw, kept as long as nothing else proves that their messages had a
//! row.
//!
//! Contract: slips say what stood, and nothing else rests on them: they are asked of messages without a row only. A set of
//! them is complete for its file and segment, or is not there; where there is no room for it, the file itself is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::Shadow;
use super::blame::Taker;
use super::delta::Damaged;
use super::file::FileId;
use super::files::KnownFile;
use super::pack::{Reader, Writer, whole};
use super::segment::Segment;
use super::step::note_unknown;
use crate::digest::Digest;
use crate::limits::{PARTINGS_MAX, SLIPS_OF_SEGMENT_MAX};
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;

/// The first eight bytes of a digest: another digest at the same offset has the same ones once in 2^64.
pub type Mark = [u8; 8];

/// The mark of a digest.
pub fn mark_of(digest: &Digest) -> Mark {
    let mut first = [0; 8];
    first.copy_from_slice(&digest.0[..8]);
    first
}

/// The offset in slips of windows, whose rows have none.
pub const OF_WINDOW: i64 = 0;

/// Slips of one segment: offset and mark, ascending, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slips(Vec<(i64, Mark)>);

impl FromIterator<(i64, Mark)> for Slips {
    fn from_iter<T: IntoIterator<Item = (i64, Mark)>>(slips: T) -> Self {
        let mut slips: Vec<(i64, Mark)> = slips.into_iter().collect();
        slips.sort_unstable();
        slips.dedup();
        Self(slips)
    }
}

impl Slips {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a row of this offset and mark is among them.
    pub fn has(&self, slip: &(i64, Mark)) -> bool {
        self.0.binary_search(slip).is_ok()
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &(i64, Mark)> {
        self.0.iter()
    }

    /// Adds others.
    pub fn extend(&mut self, others: impl IntoIterator<Item = (i64, Mark)>) {
        *self = self.0.drain(..).chain(others).collect();
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.number(self.0.len() as u64);
        let mut last = 0_i64;
        for (offset, mark) in &self.0 {
            to.signed(offset.wrapping_sub(last));
            to.raw(mark);
            last = *offset;
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut last = 0_i64;
        let slips = from.list(|from| {
            last = last.wrapping_add(from.signed()?);
            Some((last, from.raw()?))
        })?;
        Some(Self(slips))
    }
}

/// Slips of all rows of one file that lie in a known partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileSlips {
    /// By segment.
    pub rows: BTreeMap<SegmentKey, Slips>,
    /// Rows that were not below the position of the scan, by partition.
    pub ahead: BTreeMap<PartitionIndex, Slips>,
}

impl FileSlips {
    /// How many.
    pub fn len(&self) -> usize {
        self.rows.values().chain(self.ahead.values()).map(Slips::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.number(self.rows.len() as u64);
        for (key, slips) in &self.rows {
            super::page_codec::write_key(to, *key);
            slips.write(to);
        }
        to.number(self.ahead.len() as u64);
        for (partition, slips) in &self.ahead {
            to.number(u64::from(partition.0));
            slips.write(to);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let rows = from.list(|from| Some((super::page_codec::read_key(from)?, Slips::read(from)?)))?;
        let ahead = from.list(|from| Some((PartitionIndex(from.small()?), Slips::read(from)?)))?;
        Some(Self { rows: rows.into_iter().collect(), ahead: ahead.into_iter().collect() })
    }

    /// As a body of its own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        self.write(&mut to);
        to.seal()
    }

    /// From such a body.
    ///
    /// # Errors
    /// [`Damaged`]: it is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "slips", Self::read)
    }
}

/// Rows that stood and went before their messages were consumed, by place: marks, and what took them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Partings(BTreeMap<(PartitionIndex, i64), Vec<Parting>>);

/// A row that went, and what took it.
type Parting = (Mark, Option<Taker>);

impl Partings {
    fn add(&mut self, at: (PartitionIndex, i64), mark: Mark, taker: Option<Taker>) -> bool {
        if self.0.len() >= PARTINGS_MAX && !self.0.contains_key(&at) {
            return false;
        }
        let marks = self.0.entry(at).or_default();
        // Where the same row stood and went once more, the last step took it.
        match marks.iter_mut().find(|(known, _)| *known == mark) {
            Some(known) => known.1 = taker,
            None => marks.push((mark, taker)),
        }
        true
    }

    pub fn write(&self, to: &mut Writer) {
        to.number(self.0.len() as u64);
        for ((partition, offset), marks) in &self.0 {
            to.number(u64::from(partition.0));
            to.signed(*offset);
            to.number(marks.len() as u64);
            for (mark, taker) in marks {
                to.raw(mark);
                to.byte(u8::from(taker.is_some()));
                if let Some(taker) = taker {
                    taker.write(to);
                }
            }
        }
    }

    pub fn read(from: &mut Reader<'_>) -> Option<Self> {
        let marks = |from: &mut Reader<'_>| {
            let mark = from.raw()?;
            Some((mark, if from.flag()? { Some(Taker::read(from)?) } else { None }))
        };
        let all = from.list(|from| Some(((PartitionIndex(from.small()?), from.signed()?), from.list(marks)?)))?;
        Some(Self(all.into_iter().collect()))
    }
}

impl Segment {
    /// Slips that it holds.
    pub fn slips(&self) -> usize {
        self.stood.len() + self.slips.values().map(Slips::len).sum::<usize>()
    }

    /// Whether it is known by a slip that a message of this offset and digest had an equal row.
    pub fn has_stood(&self, offset: i64, digest: &Digest) -> bool {
        self.stood.has(&(offset, mark_of(digest)))
    }

    /// What was read of these files is known to have stood, whatever becomes of them.
    pub(super) fn forget_fresh(&mut self, read: &BTreeSet<FileId>) {
        self.fresh.retain(|file| !read.contains(file));
        self.slips.retain(|file, _| !read.contains(file));
    }

    /// Files with rows here came, with their slips where there are any.
    pub(super) fn take_in(&mut self, slips: Vec<(FileId, Slips)>, mut room: usize) {
        for (file, slips) in slips {
            let fits = slips.len() <= room && self.slips() + slips.len() <= SLIPS_OF_SEGMENT_MAX;
            if fits && self.fresh.binary_search(&file).is_ok() {
                room -= slips.len();
                self.slips.insert(file, slips);
            }
        }
    }

    /// Rows went that nobody read: those that stand in no other file stay known. Without room it is said that they are not.
    pub(super) fn let_stand(&mut self, parted: Slips) {
        let parted: Vec<(i64, Mark)> =
            parted.0.into_iter().filter(|slip| !self.slips.values().any(|live| live.has(slip))).collect();
        if self.slips() + parted.len() <= SLIPS_OF_SEGMENT_MAX {
            self.stood.extend(parted);
        } else {
            self.unseen = true;
        }
    }
}

impl Shadow {
    /// A file went before it was read again for messages that came since it was read. Without slips nobody knows which of
    /// them, or of those that come, had a row in it.
    pub(super) fn note_overtaken(&mut self, file: &KnownFile, taker: Option<Taker>) {
        let is_known = file.slips.is_some() && !file.strangers;
        for (partition, least) in &file.ahead {
            if let Some(below) = self.lane(*partition).map(|lane| lane.high_watermark).filter(|_| !is_known) {
                self.cannot_part(*partition, below);
            }
            let Some(lane) = self.lane(*partition).filter(|lane| *least < lane.position) else { continue };
            let of = |offset: i64| self.terms.width.segment_of(*partition, offset);
            let (first, last) = (of(*least), of(lane.position));
            let unbalanced = self.pages.unbalanced_between(first, last);
            for key in unbalanced {
                if !is_known {
                    self.change(key, |segment| note_unknown(segment, &[file.id]));
                    self.forget_judged();
                }
                self.note_taker(key, taker);
            }
        }
    }

    /// A file went, or was read again: its rows that were not below the position when it was read stood.
    pub(super) fn part(&mut self, ahead: BTreeMap<PartitionIndex, Slips>, taker: Option<Taker>) {
        for (partition, slips) in ahead {
            let Some(position) = self.lane(partition).map(|lane| lane.position) else { continue };
            let mut overtaken: BTreeMap<SegmentKey, Vec<(i64, Mark)>> = BTreeMap::new();
            let mut begun: BTreeSet<SegmentKey> = BTreeSet::new();
            for (offset, mark) in slips.0 {
                let key = self.terms.width.segment_of(partition, offset);
                begun.insert(key);
                if offset < position {
                    overtaken.entry(key).or_default().push((offset, mark));
                } else if !self.partings.add((partition, offset), mark, taker) {
                    self.cannot_part(partition, offset.saturating_add(1));
                }
            }
            for (key, slips) in overtaken {
                self.stood(key, slips.into_iter().collect());
            }
            begun.into_iter().for_each(|key| self.note_taker(key, taker));
        }
    }

    /// Rows of messages below this offset went that nobody can know of once the messages come.
    pub(super) fn cannot_part(&mut self, partition: PartitionIndex, below: i64) {
        if let Some(lane) = self.lane_mut(partition) {
            lane.unseen_below = lane.unseen_below.max(below);
        }
    }

    /// Messages were consumed whose rows may have stood before.
    pub(super) fn meet_partings(&mut self, partition: PartitionIndex, from: i64, to: i64) {
        if self.partings.0.is_empty() {
            return;
        }
        let met: Vec<(PartitionIndex, i64)> =
            self.partings.0.range((partition, from)..(partition, to)).map(|(at, _)| *at).collect();
        let mut takers: BTreeSet<(SegmentKey, Taker)> = BTreeSet::new();
        for at in met {
            let key = self.terms.width.segment_of(partition, at.1);
            for (mark, taker) in self.partings.0.remove(&at).into_iter().flatten() {
                self.stood(key, std::iter::once((at.1, mark)).collect());
                takers.extend(taker.map(|taker| (key, taker)));
            }
        }
        takers.into_iter().for_each(|(key, taker)| self.note_former(key, taker));
    }

    /// Rows of messages of a segment are known to have stood. Where it is balanced they all are.
    fn stood(&mut self, key: SegmentKey, slips: Slips) {
        if self.pages.segment(key).is_some_and(|segment| !segment.is_balanced()) {
            self.change(key, |segment| segment.let_stand(slips));
            self.forget_judged();
        }
    }

    /// What took rows before their messages came. Others that are known may have come later: then it is not alone.
    fn note_former(&mut self, key: SegmentKey, taker: Taker) {
        if self.pages.segment(key).is_some_and(|segment| !segment.is_balanced()) {
            self.change(key, |segment| match segment.takers.last() {
                None => {
                    segment.takes += 1;
                    segment.takers.push(taker);
                }
                Some(last) if *last == taker => segment.takes += 1,
                Some(_) => {
                    segment.takes += 2;
                    if !segment.takers.contains(&taker) {
                        segment.takers.insert(0, taker);
                        segment.trim_takers();
                    }
                }
            });
        }
    }
}

impl KnownFile {
    /// Slips that it holds.
    pub(super) fn held(&self) -> usize {
        self.slips.as_ref().map_or(0, FileSlips::len)
    }

    /// Its slips of rows that were ahead, but for those that another reading of it has too.
    pub(super) fn ahead_without(self, again: Option<&FileSlips>) -> BTreeMap<PartitionIndex, Slips> {
        let mut ahead = self.slips.map(|slips| slips.ahead).unwrap_or_default();
        let Some(again) = again else { return ahead };
        for (partition, slips) in &mut ahead {
            let of_segment =
                |key: &SegmentKey| matches!(key, SegmentKey::Offsets { partition: of, .. } if of == partition);
            let below = again.rows.iter().filter(|(key, _)| of_segment(key)).map(|(_, slips)| slips);
            let known: Vec<&Slips> = below.chain(again.ahead.get(partition)).collect();
            slips.0.retain(|slip| !known.iter().any(|slips| slips.has(slip)));
        }
        ahead
    }
}

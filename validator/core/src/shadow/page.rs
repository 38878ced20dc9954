//! Pages: neighbouring segments that are read and written together.
//!
//! Contract: a segment is in exactly one slot of one page. A row for each segment costs ten times as much to write.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Index, IndexMut};

use super::letters::Letters;
use super::runs::Runs;
use super::segment::Segment;
use crate::hole::Holes;
use crate::limits::{KEY_PAGE_SLOTS, PAGE_SLOTS};
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::UndecodableCause;

const KIND_NOWHERE: u8 = 0;
const KIND_OFFSETS: u8 = 1;
const KIND_WINDOW: u8 = 2;
const KIND_NO_WINDOW: u8 = 3;
const KIND_KEYS: u8 = 4;
/// Slots of a page as a shift.
const SLOT_BITS: u32 = PAGE_SLOTS.trailing_zeros();
/// The same of a page of keys: updates of a topic come to all of them, and each page that one changes is written whole.
const KEY_SLOT_BITS: u32 = KEY_PAGE_SLOTS.trailing_zeros();

/// Which page: `(1, partition, index >> 6)`, `(2, window, shard >> 6)`, `(3, 0, shard >> 6)`, `(4, 0, shard)` or `(0, 0, 0)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageKey {
    /// 0 nowhere, 1 offsets, 2 window, 3 no window, 4 keys.
    pub kind: u8,
    /// Partition or window.
    pub a: i64,
    /// Number of the page within it.
    pub b: i64,
}

impl PageKey {
    /// The page and the slot that hold a segment.
    pub fn of(segment: SegmentKey) -> (Self, usize) {
        let (kind, a, number) = match segment {
            SegmentKey::Nowhere => (KIND_NOWHERE, 0, 0),
            SegmentKey::Offsets { partition, index } => (KIND_OFFSETS, i64::from(partition.0), index),
            SegmentKey::Window { start: Some(start), shard } => (KIND_WINDOW, start, i64::from(shard)),
            SegmentKey::Window { start: None, shard } => (KIND_NO_WINDOW, 0, i64::from(shard)),
            SegmentKey::Keys { shard } => (KIND_KEYS, 0, i64::from(shard)),
        };
        let bits = slot_bits(kind);
        (Self { kind, a, b: number >> bits }, (number & ((1 << bits) - 1)) as usize)
    }

    /// The segment in a slot; none where no segment has that place.
    pub fn segment(self, slot: usize) -> Option<SegmentKey> {
        let number = self.b.checked_mul(1 << slot_bits(self.kind))?.checked_add(i64::try_from(slot).ok()?)?;
        let key = match self.kind {
            KIND_NOWHERE => SegmentKey::Nowhere,
            KIND_OFFSETS => {
                SegmentKey::Offsets { partition: PartitionIndex(u32::try_from(self.a).ok()?), index: number }
            }
            KIND_WINDOW => SegmentKey::Window { start: Some(self.a), shard: u32::try_from(number).ok()? },
            KIND_NO_WINDOW => SegmentKey::Window { start: None, shard: u32::try_from(number).ok()? },
            KIND_KEYS => SegmentKey::Keys { shard: u32::try_from(number).ok()? },
            _ => return None,
        };
        (Self::of(key) == (self, slot)).then_some(key)
    }
}

impl PageKey {
    /// The segment in the last slot that one has.
    pub fn last_segment(self) -> Option<SegmentKey> {
        if self.kind == KIND_NOWHERE { self.segment(0) } else { self.segment((1 << slot_bits(self.kind)) - 1) }
    }
}

fn slot_bits(kind: u8) -> u32 {
    if kind == KIND_KEYS { KEY_SLOT_BITS } else { SLOT_BITS }
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}/{}/{}", self.kind, self.a, self.b)
    }
}

/// Segments by slot, as many as were put in.
#[derive(Debug, Clone, Default)]
pub struct Slots(Vec<Option<Box<Segment>>>);

static NONE: Option<Box<Segment>> = None;

impl Slots {
    /// The segments with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Segment)> {
        self.0.iter().enumerate().filter_map(|(slot, segment)| Some((slot, segment.as_deref()?)))
    }
}

impl Index<usize> for Slots {
    type Output = Option<Box<Segment>>;

    fn index(&self, slot: usize) -> &Self::Output {
        self.0.get(slot).unwrap_or(&NONE)
    }
}

impl IndexMut<usize> for Slots {
    fn index_mut(&mut self, slot: usize) -> &mut Self::Output {
        assert!(slot < PAGE_SLOTS, "a page has no slot {slot}");
        if self.0.len() <= slot {
            self.0.reserve_exact(slot + 1 - self.0.len());
            self.0.resize(slot + 1, None);
        }
        &mut self.0[slot]
    }
}

impl PartialEq for Slots {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Slots {}

/// Segments of one page, and the offsets in it that hold no message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// By slot.
    pub slots: Slots,
    /// Offsets that are not there, with their reason.
    pub holes: Holes,
    /// Offsets that are not there and whose reason nobody has said, half-open, ascending.
    pub unexplained: Vec<(i64, i64)>,
    /// Messages that cannot be told, by why.
    pub undecodable: BTreeMap<UndecodableCause, Runs>,
    /// What dead letters say of messages, consumed or not.
    pub letters: Letters,
}

impl Page {
    /// The segments with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Segment)> {
        self.slots.iter()
    }

    /// Whether a segment of it is not balanced, or a hole of it has no reason yet: such pages are read at a restart.
    pub fn is_unsettled(&self) -> bool {
        !self.unexplained.is_empty() || self.iter().any(|(_, segment)| !segment.is_balanced())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_slot_of_one_page_and_comes_back_from_it() {
        let offsets = |index| SegmentKey::Offsets { partition: PartitionIndex(7), index };
        let window = |start, shard| SegmentKey::Window { start, shard };
        let keys = [
            offsets(0),
            offsets(63),
            offsets(64),
            offsets(-1),
            window(Some(-3), 64),
            window(None, 65_535),
            SegmentKey::Keys { shard: 262_143 },
            SegmentKey::Nowhere,
        ];
        for key in keys {
            let (page, slot) = PageKey::of(key);
            assert_eq!(page.segment(slot), Some(key), "{page}");
        }
        assert_eq!(PageKey::of(offsets(64)), (PageKey { kind: 1, a: 7, b: 1 }, 0));
        assert_eq!(PageKey { kind: 0, a: 0, b: 0 }.segment(1), None);
        assert_eq!(PageKey { kind: 1, a: -1, b: 0 }.segment(0), None);
        assert_eq!(PageKey { kind: 9, a: 0, b: 0 }.segment(0), None);
    }
}

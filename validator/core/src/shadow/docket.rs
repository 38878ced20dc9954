//! The residues of disputed segments, with what each tells of other segments.
//!
//! Contract: a residue changes only through [`Docket::put`], so that what it tells is never made anew for all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::residue::Residue;
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Docket {
    residues: BTreeMap<SegmentKey, Residue>,
    signs: BTreeMap<SegmentKey, Signs>,
    entries: usize,
    loose: usize,
    paired: BTreeSet<(PartitionIndex, i64, SegmentKey)>,
}

/// What one residue tells of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signs {
    entries: usize,
    /// Whether a row of it may be that of a message of any segment.
    loose: bool,
    /// The greatest offset of a message with an equal row.
    paired_max: Option<i64>,
}

impl Docket {
    pub fn get(&self, key: &SegmentKey) -> Option<&Residue> {
        self.residues.get(key)
    }

    pub fn has(&self, key: &SegmentKey) -> bool {
        self.residues.contains_key(key)
    }

    pub fn is_empty(&self) -> bool {
        self.residues.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&SegmentKey, &Residue)> {
        self.residues.iter()
    }

    pub fn values(&self) -> impl Iterator<Item = &Residue> {
        self.residues.values()
    }

    pub fn keys(&self) -> impl Iterator<Item = &SegmentKey> {
        self.residues.keys()
    }

    /// Whether a segment between these two has a residue.
    pub fn has_between(&self, first: SegmentKey, last: SegmentKey) -> bool {
        self.residues.range(first..=last).next().is_some()
    }

    /// Puts one in the place of that of a segment; none: it is disputed no longer. The former one is given back.
    pub fn put(&mut self, key: SegmentKey, residue: Option<Residue>) -> Option<Residue> {
        if let Some(signs) = self.signs.remove(&key) {
            self.count(key, signs, false);
        }
        let Some(residue) = residue else { return self.residues.remove(&key) };
        let (loose, paired_max) = (residue.is_loose(), residue.paired_max());
        let signs = Signs { entries: residue.entries(), loose, paired_max };
        self.count(key, signs, true);
        self.signs.insert(key, signs);
        self.residues.insert(key, residue)
    }

    fn count(&mut self, key: SegmentKey, signs: Signs, enters: bool) {
        let moved = |sum: usize, part: usize| if enters { sum + part } else { sum - part };
        self.entries = moved(self.entries, signs.entries);
        self.loose = moved(self.loose, usize::from(signs.loose));
        if let (SegmentKey::Offsets { partition, .. }, Some(offset)) = (key, signs.paired_max) {
            let place = (partition, offset, key);
            if enters {
                self.paired.insert(place)
            } else {
                self.paired.remove(&place)
            };
        }
    }

    /// Entries of all.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Whether a row of one may be that of a message of any segment.
    pub fn is_loose(&self) -> bool {
        self.loose > 0
    }

    /// The greatest offset of a partition of a message with an equal row.
    pub fn paired_max(&self, partition: PartitionIndex) -> Option<i64> {
        let first = SegmentKey::Offsets { partition: PartitionIndex(0), index: i64::MIN };
        let mut offsets = self.paired.range((partition, i64::MIN, first)..=(partition, i64::MAX, SegmentKey::Nowhere));
        offsets.next_back().map(|(_, offset, _)| *offset)
    }
}

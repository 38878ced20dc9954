//! What a step changes in each segment: bags of added files less those of removed ones, summed before anything is applied.
//!
//! Contract: bodies of files are streamed through and not held; about 100 bytes a segment that the step touches, and the
//! offsets of rows that are late, as runs; those of rows that were moved only where late ones go.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{FileBags, FileId};
use super::late::Lateness;
use super::runs::Offsets;
use crate::bag::Bag;
use crate::segment::SegmentKey;

/// Whether a file comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It becomes live.
    Added,
    /// It is live no longer.
    Removed,
}

/// What happens to one segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Net {
    /// Added less removed.
    pub bag: Bag,
    /// Files that come, one for each entry, ascending once sorted.
    pub added: Vec<FileId>,
    /// Files that go, one for each entry.
    pub removed: Vec<FileId>,
}

/// What happens to all segments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nets {
    pub(super) segments: BTreeMap<SegmentKey, Net>,
    pub(super) added: BTreeSet<FileId>,
    pub(super) removed: BTreeSet<FileId>,
    /// What the scans of these files say of their rows.
    pub(super) late: BTreeMap<FileId, Lateness>,
    /// Rows of one live entry, of files that go and of those whose rows a rewrite moved.
    pub(super) booked: BTreeMap<FileId, Bag>,
    /// Whether late rows go, so that it is asked which rows were moved.
    pub(super) keeps_rows: bool,
    /// Files whose rows are held against another reading of their path.
    pub(super) again: BTreeSet<FileId>,
}

impl Nets {
    /// Adds a file with that many live entries.
    pub fn add(&mut self, file: FileId, bags: &FileBags, entries: u32, sign: Sign) {
        for (key, bag) in &bags.bags {
            let net = self.segments.entry(*key).or_default();
            for _ in 0..entries {
                match sign {
                    Sign::Added => {
                        net.bag.merge(bag);
                        net.added.push(file);
                    }
                    Sign::Removed => {
                        net.bag.subtract(bag);
                        net.removed.push(file);
                    }
                }
            }
        }
        let is_again = self.again.contains(&file);
        if sign == Sign::Added || is_again {
            let late = match &bags.late {
                Lateness::Moved { .. } if !is_again && !self.keeps_rows => {
                    Lateness::Moved { rows: Offsets::default(), several: Offsets::default() }
                }
                late => late.clone(),
            };
            self.late.insert(file, late);
        }
        if sign == Sign::Removed || matches!(bags.late, Lateness::Moved { .. }) {
            self.booked.insert(file, bags.booked());
        }
        match sign {
            Sign::Added => self.added.insert(file),
            Sign::Removed => self.removed.insert(file),
        };
    }

    /// The segments that it touches.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentKey> {
        self.segments.keys()
    }
}

/// Files to come and to go for a live set: whose bodies make the [`Nets`] of its step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Scanned files that become live, with their entries.
    pub added: Vec<(FileId, u32)>,
    /// Live files that go, with their entries.
    pub removed: Vec<(FileId, u32)>,
    /// Paths that are to be scanned first.
    pub unscanned: Vec<String>,
}

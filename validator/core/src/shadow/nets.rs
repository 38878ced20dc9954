//! What a step changes in each segment: bags of added files less those of removed ones, summed before anything is applied.
//!
//! Contract: bodies of files are streamed through and not held; about 100 bytes a segment that the step touches.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{FileBags, FileId};
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
    /// Late rows of the files that go.
    pub late_removed: u32,
}

/// What happens to all segments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nets {
    pub(super) segments: BTreeMap<SegmentKey, Net>,
    pub(super) added: BTreeSet<FileId>,
    pub(super) removed: BTreeSet<FileId>,
}

impl Nets {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file with that many live entries.
    pub fn add(&mut self, file: FileId, bags: &FileBags, entries: u32, sign: Sign) {
        for (key, bag, late) in &bags.bags {
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
                        net.late_removed += late;
                    }
                }
            }
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

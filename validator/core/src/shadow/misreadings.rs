//! Whose turn it is: answers that did not add up to the books, by segment, are asked once more, behind all others; keys take turns.
//!
//! Contract: not saved, and nothing that is said follows from it alone: a process that begins anew asks anew.

use std::collections::BTreeMap;

use crate::segment::SegmentKey;

/// See the module. Two of them are equal: they are no part of what a state says.
#[derive(Debug, Clone, Default)]
pub(super) struct Misreadings {
    /// The shard of keys that was answered last.
    shard: u32,
    last: u64,
    of: BTreeMap<SegmentKey, Misreading>,
}

#[derive(Debug, Clone, Copy)]
struct Misreading {
    turn: u64,
    revision: u32,
}

impl PartialEq for Misreadings {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Misreadings {
    /// One more of a segment of this revision; true: so was the last one, and nothing of the segment has changed since.
    pub fn note(&mut self, key: SegmentKey, revision: u32) -> bool {
        self.last += 1;
        let before = self.of.insert(key, Misreading { turn: self.last, revision });
        before.is_some_and(|before| before.revision == revision)
    }

    /// Something was answered of a segment.
    pub fn answered(&mut self, key: SegmentKey) {
        if let SegmentKey::Keys { shard } = key {
            self.shard = shard;
        }
    }

    /// The shard of keys that was answered last.
    pub fn turn(&self) -> u32 {
        self.shard
    }

    /// The segment adds up, or is asked for no more.
    pub fn forget(&mut self, key: &SegmentKey) {
        self.of.remove(key);
    }

    /// Whether the last answer did not add up.
    pub fn has(&self, key: &SegmentKey) -> bool {
        self.of.contains_key(key)
    }

    /// Those that were answered longest ago first.
    pub fn in_turn(&self) -> impl Iterator<Item = SegmentKey> + use<> {
        let mut turns: Vec<(u64, SegmentKey)> = self.of.iter().map(|(key, one)| (one.turn, *key)).collect();
        turns.sort_unstable();
        turns.into_iter().map(|(_, key)| key)
    }
}

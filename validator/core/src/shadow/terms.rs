//! What a shadow takes from the contract.

use crate::clock::Clock;
use crate::segment::OffsetWidth;

/// The terms of one pipeline. Settle and give-up may change while the books go on; the width may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its name, which is part of the ids of findings.
    pub pipeline: String,
    /// How long after its timestamp a message may still be on its way.
    pub settle_ms: i64,
    /// How long after its timestamp a message without a row is missing in any case.
    pub give_up_ms: i64,
    /// Offsets of a segment.
    pub width: OffsetWidth,
    /// Whether every partition of the topics is followed from its first message.
    pub whole_topic: bool,
    /// What says when rows should have come.
    pub timed: TimedBy,
}

/// What says when rows should have come. Once another one does, nothing is known of the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimedBy {
    /// Nothing: nothing settles, or nothing has a time.
    #[default]
    Nobody,
    /// Their own timestamps.
    Rows,
    /// The timestamps of their messages.
    Messages,
}

impl Terms {
    /// Of them, what may change while the books go on: settle, give-up, whether the whole topic is followed, and what
    /// says when rows should have come.
    pub(super) fn judged_by(&self) -> (i64, i64, bool, TimedBy) {
        (self.settle_ms, self.give_up_ms, self.whole_topic, self.timed)
    }

    /// The clock at an instant.
    pub fn clock(&self, judged_at_ms: i64) -> Clock {
        Clock { judged_at_ms, settle_ms: self.settle_ms, give_up_ms: self.give_up_ms }
    }
}

//! What a shadow takes from the contract.

use crate::clock::Clock;
use crate::judge::ModeKind;
use crate::position::MessageAt;
use crate::segment::OffsetWidth;

/// The terms of one pipeline. Settle, give-up and retention may change while the books go on; width and cut may not, but for whether
/// topics are compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its name, which is part of the ids of findings.
    pub pipeline: String,
    /// How long after its timestamp a message may still be on its way.
    pub settle_ms: i64,
    /// How long after its timestamp a message without a row is missing in any case.
    pub give_up_ms: i64,
    /// How long after its timestamp the table has to hold a message's row; none: for ever.
    pub retention_ms: Option<i64>,
    /// Offsets of a segment of mode `offset`; in the other modes, of the ranges that holes and letters are noted by.
    pub width: OffsetWidth,
    /// What segments are.
    pub cut: Cut,
    /// Whether every partition of the topics is followed from its first message.
    pub whole_topic: bool,
    /// What says when rows should have come.
    pub timed: TimedBy,
}

/// What segments are. It may not change while the books go on, but for whether topics are compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// Ranges of offsets of one partition: mode `offset`.
    #[default]
    Offsets,
    /// Shards of windows of time, or of keys, with messages of any partition: the modes `key` and `content`, and upsert tables.
    Windows(Windows),
}

/// See [`Cut::Windows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// How messages and rows are paired: any but [`ModeKind::Offset`].
    pub mode: ModeKind,
    /// Whether a topic is compacted, so that a row without a message may be that of one that is gone.
    pub compacted: bool,
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

/// Of terms, what may change while the books go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JudgedBy {
    pub settle_ms: i64,
    pub give_up_ms: i64,
    pub retention_ms: Option<i64>,
    pub whole_topic: bool,
    pub timed: TimedBy,
    pub cut: Cut,
}

impl Terms {
    /// Of them, what may change while the books go on.
    pub(super) fn judged_by(&self) -> JudgedBy {
        JudgedBy {
            settle_ms: self.settle_ms,
            give_up_ms: self.give_up_ms,
            retention_ms: self.retention_ms,
            whole_topic: self.whole_topic,
            timed: self.timed,
            cut: self.cut,
        }
    }

    /// Goes by what a state was judged by.
    pub(super) fn judge_by(&mut self, by: JudgedBy) {
        let JudgedBy { settle_ms, give_up_ms, retention_ms, whole_topic, timed, cut } = by;
        (self.settle_ms, self.give_up_ms, self.retention_ms) = (settle_ms, give_up_ms, retention_ms);
        (self.whole_topic, self.timed, self.cut) = (whole_topic, timed, cut);
    }

    /// The windows that segments are of; none in mode `offset`.
    pub fn windows(&self) -> Option<Windows> {
        match self.cut {
            Cut::Offsets => None,
            Cut::Windows(windows) => Some(windows),
        }
    }

    /// Whether the table keeps the last version of each key.
    pub fn is_upsert(&self) -> bool {
        self.windows().is_some_and(|windows| windows.mode == ModeKind::Upsert)
    }

    /// The place of a message among those of its segment: its offset, and where a segment has messages of several partitions
    /// both as one number.
    pub(super) fn place(&self, at: MessageAt) -> i64 {
        match self.cut {
            Cut::Offsets => at.offset,
            Cut::Windows(_) => at.place(),
        }
    }

    /// The clock at an instant.
    pub fn clock(&self, judged_at_ms: i64) -> Clock {
        let Self { settle_ms, give_up_ms, retention_ms, .. } = *self;
        Clock { judged_at_ms, settle_ms, give_up_ms, retention_ms }
    }
}

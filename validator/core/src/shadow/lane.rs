//! One partition that a shadow follows: its position, and what its balanced segments add up to.
//!
//! Contract: the sums over balanced segments change with each segment that enters or leaves them and are never made anew,
//! so that settled pages need not be held. Their counts depend on no clock.

use std::collections::BTreeMap;

use super::event::NewLane;
use super::hidden::Hidden;
use crate::hole::HoleReason;
use crate::position::TopicPartition;
use crate::verdict::ExcludedCause;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Which.
    pub tp: TopicPartition,
    /// The first offset that is consumed.
    pub start: i64,
    /// Whether that was declared.
    pub declared: bool,
    /// The next offset to consume.
    pub position: i64,
    /// The first offset that the log had when the lane began.
    pub log_start: i64,
    /// The last stable offset of the last look, which the position had passed.
    pub barrier: i64,
    /// One past the last offset, as of the last look.
    pub high_watermark: i64,
    /// Judged messages consumed.
    pub judged: u64,
    /// Messages that ask for no row.
    pub excluded: BTreeMap<ExcludedCause, u64>,
    /// Messages that cannot be told.
    pub undecodable: u64,
    /// Of them, those that dead letters name.
    pub diverted_undecodable: u64,
    /// Offsets that hold no message.
    pub hole_offsets: u64,
    /// Of them, those whose reason is known.
    pub holes: BTreeMap<HoleReason, u64>,
    /// Segments with messages that balance.
    pub balanced_segments: u64,
    /// Judged messages in them.
    pub balanced_messages: u64,
    /// Late ones of these.
    pub balanced_late: u64,
    /// Of an upsert table: judged messages in balanced segments that later ones took the place of.
    pub balanced_superseded: u64,
    /// Rows of messages below it went before the messages came, and nobody knows which; `i64::MIN`: none.
    pub unseen_below: i64,
    /// By page, the greatest offset of a message that is known to have an equal row.
    pub proven: BTreeMap<i64, i64>,
    /// The modes `key` and `content`: of judged messages with a window, that of the first one and the greatest.
    pub windows: Option<(i64, i64)>,
    /// Judged messages that are in no book: without a window, where older rows without one cannot be told from theirs, or of a key for
    /// which there is no room.
    pub windowless: u64,
    /// The modes `key` and `content`: what its holes hide.
    pub hidden: Hidden,
}

impl Lane {
    /// Balanced segments, and messages, late rows and superseded messages in them.
    pub(super) fn count_balanced(&mut self, [segments, messages, late, superseded]: [u64; 4], enters: bool) {
        let sums = [
            (&mut self.balanced_segments, segments),
            (&mut self.balanced_messages, messages),
            (&mut self.balanced_late, late),
            (&mut self.balanced_superseded, superseded),
        ];
        for (sum, part) in sums {
            *sum = if enters { *sum + part } else { *sum - part };
        }
    }

    /// At its first offset.
    pub fn new(lane: NewLane) -> Self {
        Self {
            tp: lane.tp,
            start: lane.start,
            declared: lane.declared,
            position: lane.start,
            log_start: lane.log_start,
            barrier: lane.start,
            high_watermark: lane.high_watermark,
            judged: 0,
            excluded: BTreeMap::new(),
            undecodable: 0,
            diverted_undecodable: 0,
            hole_offsets: 0,
            holes: BTreeMap::new(),
            balanced_segments: 0,
            balanced_messages: 0,
            balanced_late: 0,
            balanced_superseded: 0,
            unseen_below: i64::MIN,
            proven: BTreeMap::new(),
            windows: None,
            windowless: 0,
            hidden: Hidden::default(),
        }
    }

    /// Messages consumed, each state.
    pub fn consumed(&self) -> u64 {
        self.judged + self.windowless + self.excluded.values().sum::<u64>() + self.undecodable
    }

    /// The greatest offset of a message that is known to have an equal row.
    pub fn proven_max(&self) -> Option<i64> {
        self.proven.last_key_value().map(|(_, offset)| *offset)
    }
}

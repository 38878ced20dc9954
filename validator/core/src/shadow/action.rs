//! What a shadow wants done: a function of its state, never stored, so that a restart asks again for what is open.

use std::ops::Range;

use super::file::FileId;
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;

/// One wish. The answer is an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Read a disputed segment from both sides.
    Drill(DrillAsk),
    /// Read a live file again.
    Rescan {
        /// Which.
        file: FileId,
        /// Its path.
        path: String,
        /// Why.
        why: RescanWhy,
    },
    /// Say why offsets hold no message.
    Explain(Vec<(PartitionIndex, i64, i64)>),
}

/// What to read of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillAsk {
    /// Which.
    pub segment: SegmentKey,
    /// Offsets whose messages are to be read, by partition, ascending; of them those of the segment are meant.
    pub messages: Vec<(PartitionIndex, Range<i64>)>,
    /// How many messages of the segment are expected, at most.
    pub entries: u64,
    /// Live files whose rows there are to be read; a file with several entries is listed once.
    pub files: Vec<FileId>,
    /// Files that are no longer live.
    pub gone: Vec<FileId>,
}

impl DrillAsk {
    /// How many offsets are to be read.
    pub fn offsets(&self) -> u64 {
        self.messages.iter().map(|(_, range)| range.end.abs_diff(range.start)).sum()
    }

    /// Where its messages lie.
    fn places(&self) -> Vec<(PartitionIndex, i64, i64)> {
        self.messages.iter().map(|(partition, range)| (*partition, range.start, range.end)).collect()
    }
}

impl PartialOrd for DrillAsk {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DrillAsk {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let files = |ask: &Self| (ask.files.clone(), ask.gone.clone());
        let order = |ask: &Self| (ask.segment, ask.places(), files(ask), ask.entries);
        order(self).cmp(&order(other))
    }
}

/// Why a live file is to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RescanWhy {
    /// Messages came to which rows of it may belong.
    Ahead,
    /// Partitions came to which rows of it may belong.
    Strangers,
    /// A part of it could not be read.
    FaultRetry,
}

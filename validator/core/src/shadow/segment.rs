//! The account of one segment, as the ledger keeps it.
//!
//! Contract: no stage is stored. Whether a segment is balanced, bare, to be drilled or open follows from its bags, its
//! times and the clock, so that it cannot contradict them.

use std::collections::BTreeMap;

use super::blame::Taker;
use super::file::FileId;
use super::keys::Keys;
use super::late_windows::LateRows;
use super::runs::Runs;
use super::slips::Slips;
use crate::bag::Bag;
use crate::position::{MessageAt, PartitionIndex};

/// Timestamps of messages: least, greatest, and how many have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Milliseconds since the epoch.
    pub min_ms: Option<i64>,
    /// Milliseconds since the epoch.
    pub max_ms: Option<i64>,
    /// Messages without timestamp.
    pub untimed: u32,
}

impl Times {
    /// One more message.
    pub fn note(&mut self, at_ms: Option<i64>) {
        match at_ms {
            Some(at) => {
                self.min_ms = Some(self.min_ms.map_or(at, |min| min.min(at)));
                self.max_ms = Some(self.max_ms.map_or(at, |max| max.max(at)));
            }
            None => self.untimed += 1,
        }
    }

    /// All messages of another one.
    pub fn merge(&mut self, other: &Self) {
        self.min_ms = least(self.min_ms, other.min_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
        self.untimed += other.untimed;
    }
}

/// The lesser of those that are there.
pub(super) fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// The messages of one partition in a segment that has some of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The offset of the first one, each state.
    pub from: i64,
    /// One past that of the last one.
    pub upto: i64,
    /// Judged ones.
    pub judged: u64,
    /// Those below it had an equal row in a step; `i64::MIN`: none is known to have had one.
    pub stood_below: i64,
}

/// One segment. See `docs/decisions/0040-the-shadow.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Judged messages.
    pub debit: Bag,
    /// Rows of live files: the sum over `files` of their bags here (I2).
    pub credit: Bag,
    /// Offset mode: the consumed part of the range, half-open; 0, 0 where nothing was.
    pub from: i64,
    /// See `from`.
    pub upto: i64,
    /// Messages that ask for no row.
    pub excluded: u32,
    /// Messages that cannot be told.
    pub undecodable: u32,
    /// Offsets that hold no message.
    pub hole_offsets: u32,
    /// The greatest offset of a judged message; `i64::MIN`: none.
    pub offset_max: i64,
    /// Of judged messages.
    pub times: Times,
    /// The least timestamp of judged messages that came since it last balanced.
    pub unproven_min_ms: Option<i64>,
    /// Live files with rows here, ascending, one for each live entry.
    pub files: Vec<FileId>,
    /// Of `files`, those with rows that came since it last balanced, ascending: rows of messages that had none then stand in
    /// no other one.
    pub fresh: Vec<FileId>,
    /// Files that went since it last balanced and may have had rows of messages of which it is not known that they had one,
    /// at most `GONE_FILES_MAX`.
    pub gone: Vec<FileId>,
    /// Slips of rows in files that are `fresh` and were not read, by file; none where there was no room.
    pub slips: BTreeMap<FileId, Slips>,
    /// Slips of rows that stood since it last balanced, and went unread.
    pub stood: Slips,
    /// Whether further files went that nobody can ask any more.
    pub unseen: bool,
    /// Steps that took rows away since it last balanced, at most the last `TAKERS_MAX`.
    pub takers: Vec<Taker>,
    /// How many there were.
    pub takes: u32,
    /// The greatest offset of a judged message that is known to have an equal row: that of the last balance, as long as
    /// no row went since. `i64::MIN`: none.
    pub proven_max: i64,
    /// Messages below it had an equal row in a step: the end of the consumed part when it last balanced with messages.
    /// `i64::MIN`: never.
    pub stood_below: i64,
    /// The modes `key` and `content`: its messages by partition.
    pub shares: BTreeMap<PartitionIndex, Share>,
    /// Of an upsert table: its keys.
    pub keys: Keys,
    /// Offsets of late rows, by file; of `files`, only those that have some.
    pub late: BTreeMap<FileId, Runs>,
    /// The modes `key` and `content`: its late rows, by the files that they lie in.
    pub late_in: Vec<LateRows>,
    /// One more at each change of debit, credit or files.
    pub revision: u32,
}

impl Default for Segment {
    fn default() -> Self {
        Self {
            debit: Bag::EMPTY,
            credit: Bag::EMPTY,
            from: 0,
            upto: 0,
            excluded: 0,
            undecodable: 0,
            hole_offsets: 0,
            offset_max: i64::MIN,
            times: Times::default(),
            unproven_min_ms: None,
            files: Vec::new(),
            fresh: Vec::new(),
            gone: Vec::new(),
            slips: BTreeMap::new(),
            stood: Slips::default(),
            unseen: false,
            takers: Vec::new(),
            takes: 0,
            proven_max: i64::MIN,
            stood_below: i64::MIN,
            shares: BTreeMap::new(),
            keys: Keys::default(),
            late: BTreeMap::new(),
            late_in: Vec::new(),
            revision: 0,
        }
    }
}

impl Segment {
    /// Whether its two bags are equal.
    pub fn is_balanced(&self) -> bool {
        self.debit == self.credit
    }

    /// Whether a row went of a message that had one when it last balanced.
    pub fn is_shaken(&self) -> bool {
        self.stood_below > i64::MIN && self.proven_max == i64::MIN
    }

    /// Whether a message had an equal row when it last balanced.
    pub fn stood_in_balance(&self, at: MessageAt) -> bool {
        let below = match self.shares.get(&at.partition) {
            Some(share) => share.stood_below,
            None => self.stood_below,
        };
        at.offset < below
    }

    /// Offsets that are accounted for: judged, excluded, undecodable, or holes (I6).
    pub fn offsets(&self) -> u64 {
        self.debit.count + u64::from(self.excluded) + u64::from(self.undecodable) + u64::from(self.hole_offsets)
    }
}

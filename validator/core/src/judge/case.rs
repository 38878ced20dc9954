//! What the judge is asked: the entries of all disputed segments, the clock, and what the balanced segments tell.
//!
//! Contract: entries may come in any order; the judge sorts them by (topic, partition, offset) and (file, position).

use std::collections::BTreeSet;

use crate::clock::{Clock, Past};
use crate::digest::{Digest, IdentityHash};
use crate::hole::HoleReason;
use crate::position::{MessageAt, RowAt};
use crate::verdict::{ExcludedCause, UndecodableCause};

/// Everything that one judgement needs.
///
/// `messages` are those of the disputed segments, plus every undecodable message of the run, plus every excluded
/// message whose identity a row of the case may have. A message whose identity is known and which is undecodable has
/// the segments of that identity disputed, so that its rows are in `rows`.
///
/// Mode `Upsert`: of each key whose last version stands in the case, all versions do. Of a key whose last version was
/// proven elsewhere only what that one takes the place of may be there, as excluded, cause `superseded`.
#[derive(Debug, Clone)]
pub struct Case {
    /// How messages and rows are paired.
    pub mode: ModeKind,
    /// Messages; each position at most once.
    pub messages: Vec<MessageEntry>,
    /// Rows; a position more than once where a file has several live entries.
    pub rows: Vec<RowEntry>,
    /// The run's clock.
    pub clock: Clock,
    /// What shows that the table has moved past a message.
    pub past: Past,
    /// Whether every partition is read from its first message to its last.
    pub whole_topic: bool,
    /// Those of `messages` that dead letters name; others may be there, and say nothing.
    pub diverted: BTreeSet<MessageAt>,
    /// Whether it is known which messages had a row ([`MessageEntry::stood`]); of a single run it is not.
    pub remembers: bool,
}

impl Case {
    /// Why the table need not hold the row of a judged message any more; none: it has to. One that never had a row was lost, however
    /// long ago.
    pub fn release(&self, message: &MessageEntry) -> Option<ExcludedCause> {
        let had_row = message.stood || !self.remembers;
        (had_row && self.clock.is_expired(message.timestamp_ms)).then_some(ExcludedCause::Expired)
    }
}

/// The identity modes that the judge knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeKind {
    /// Topic, partition and offset.
    Offset,
    /// Columns that are unique per message.
    Key,
    /// Neither: the identity is the whole content. An identity is the first half of the digest, and lies in one segment.
    Content,
    /// Columns that name a key; the table keeps the last version of each.
    Upsert,
}

/// One message, as little as pairing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageEntry {
    /// Where it stands.
    pub at: MessageAt,
    /// Kafka's timestamp, milliseconds since the epoch; none where there is none.
    pub timestamp_ms: Option<i64>,
    /// None: not known (undecodable); it then has no row by identity.
    pub identity: Option<IdentityHash>,
    /// None: equals no row.
    pub digest: Option<Digest>,
    /// The digest of the columns beside the identity. None: equals that of no row.
    pub rest: Option<Digest>,
    /// Whether it asks for a row.
    pub state: MessageState,
    /// The lost part of the table whose manifest bounds hold it; an unreadable one goes before a corrupt one.
    pub loss: Option<LossKind>,
    /// Whether an equal row of it stood in an earlier look; a single run has none.
    pub stood: bool,
}

/// Whether a message asks for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// It does, and is judged.
    Judged,
    /// It cannot be told.
    Undecodable(UndecodableCause),
    /// It does not.
    Excluded(ExcludedCause),
}

/// A part of the table that could not be read. `loss` is the caller's number of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossKind {
    /// Unreadable bytes: its due unpaired messages are missing, cause `storage_corrupt`.
    Corrupt {
        /// Which.
        loss: u32,
    },
    /// Codec, format or a failing store: its due unpaired messages are unobservable.
    Unreadable {
        /// Which.
        loss: u32,
    },
}

impl LossKind {
    /// The caller's number of the lost part.
    pub const fn number(self) -> u32 {
        match self {
            Self::Corrupt { loss } | Self::Unreadable { loss } => loss,
        }
    }
}

/// One row, as little as pairing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowEntry {
    /// Where it stands.
    pub at: RowAt,
    /// The digest of its identity columns; NULL equals NULL.
    pub identity: IdentityHash,
    /// The digest of all columns.
    pub digest: Digest,
    /// The digest of the columns beside the identity.
    pub rest: Digest,
    /// How it stands to the run's scope.
    pub standing: RowStanding,
    /// Why its offset is not there, where it lies in a hole.
    pub hole: Option<HoleReason>,
    /// Whether it came after settle.
    pub late: bool,
}

/// How a row stands to the run's scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStanding {
    /// Unpaired, it is a phantom.
    InScope,
    /// Unpaired, the run says nothing of it. With windows it may be paired by equal digest or identity all the same.
    OutOfScope,
    /// Offset mode: no message can have its identity: a null in it, no such partition, an offset at or above the high
    /// watermark or negative.
    Impossible,
    /// Unpaired, its message may be one that can no longer be read.
    Unobservable,
}

/// Key mode: finds messages of balanced segments by identity.
pub trait BalancedLookup {
    /// Why it could not look.
    type Error;

    /// For each of these identities (sorted, distinct) that a message in a balanced segment has: its last paired
    /// message there, with the row it is paired with.
    ///
    /// # Errors
    /// What keeps it from reading the segments.
    fn find(&mut self, identities: &[IdentityHash]) -> Result<Vec<BalancedPartner>, Self::Error>;
}

/// A message of a balanced segment and its row, counted as intact so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalancedPartner {
    /// The identity that was asked for.
    pub identity: IdentityHash,
    /// The digest of both.
    pub digest: Digest,
    /// The last message of that identity in balanced segments.
    pub message: MessageAt,
    /// Its Kafka timestamp.
    pub timestamp_ms: Option<i64>,
    /// The row it is paired with.
    pub row: RowAt,
    /// Whether that row was counted as late.
    pub late: bool,
}

/// For cases that have no balanced segments.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBalanced;

impl BalancedLookup for NoBalanced {
    type Error = std::convert::Infallible;

    fn find(&mut self, _: &[IdentityHash]) -> Result<Vec<BalancedPartner>, Self::Error> {
        Ok(Vec::new())
    }
}

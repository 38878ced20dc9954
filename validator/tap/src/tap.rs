//! What every source of messages offers: its partitions with their ranges, reading, and the reasons of holes.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use validator_core::hole::Hole;
use validator_core::position::{PartitionIndex, TopicPartition};

use crate::follow::{Ends, Follow, follow_whole};
use crate::registry::Schemas;
use crate::{Message, RowSource, TapError};

/// One partition of a run and what is asked of it. Ranges are half-open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRange {
    /// Topic and partition.
    pub tp: TopicPartition,
    /// The first offset there is; recorded: the first offset recorded.
    pub log_start: i64,
    /// One past the last offset that any reader could see (read_uncommitted); recorded: one past the last recorded.
    pub high_watermark: i64,
    /// The last stable offset, what `now` means; recorded: as `high_watermark`.
    pub last_stable: i64,
    /// The first offset asked for; below `log_start` when the bound named offsets that retention has taken.
    pub from: i64,
    /// One past the last offset asked for; never above `last_stable`, never below `from`.
    pub to: i64,
    /// The declared start of the pipeline in this partition, resolved; messages below it are excluded.
    pub start: Option<i64>,
    /// Nothing of the partition is skipped and nothing was trimmed: `from` ≤ `log_start` = 0, or an uncut recording.
    pub starts_at_first: bool,
    /// The range ends at `now` (recorded: at the end of the recording).
    pub ends_at_now: bool,
    /// Whether the bounds name this partition; an unlisted one has an empty range and is not read.
    pub listed: bool,
}

/// Offset ranges of one partition, ascending and disjoint.
pub type Wanted = (PartitionIndex, Vec<Range<i64>>);

/// How far a read came.
#[derive(Debug, Default)]
pub struct ReadEnd {
    /// One entry per wanted partition, in the order asked.
    pub partitions: Vec<PartitionEnd>,
    /// `each` asked to stop.
    pub stopped: bool,
}

/// How far a read came in one partition.
#[derive(Debug)]
pub struct PartitionEnd {
    /// The partition.
    pub partition: PartitionIndex,
    /// Every wanted message below this offset was delivered; what was not is a hole.
    pub position: i64,
    /// Why it ended before the last wanted range did; `None`: it did not, or `each` stopped it.
    pub failure: Option<Arc<TapError>>,
}

/// A source of messages: brokers, recorded files, or a test's own.
pub trait Tap: Send + Sync + fmt::Debug {
    /// All partitions of the topics, sorted by (topic, partition); a [`PartitionIndex`] is an index into this slice.
    fn partitions(&self) -> &[PartitionRange];

    /// Reads the wanted ranges and gives every message to `each`, ascending within a partition, partitions interleaved.
    ///
    /// Blocking: call it on a thread of its own; several calls may run at once. `each` may return `Break` to stop. It ends
    /// by position, never by having seen the last offset, so holes do not stall it.
    ///
    /// # Errors
    /// Only what stops the whole read before it began; a failure on the way is in [`PartitionEnd::failure`].
    fn read(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError>;

    /// Follows the partitions from the offsets given until `each` says `Break`; the others are not followed. A source that
    /// does not grow tells all that it has, the ends, and then [`crate::Followed::Quiet`].
    ///
    /// Blocking: call it on a thread of its own. Messages of partitions are interleaved.
    ///
    /// # Errors
    /// Only what stops all of it: a client that cannot be made. What concerns one partition is told.
    fn follow(&self, from: &[(PartitionIndex, i64)], each: Follow<'_>) -> Result<(), TapError> {
        follow_whole(self, from, each)
    }

    /// Where each partition begins and ends now, in the order of [`Tap::partitions`]. Blocking, for a few seconds at most.
    ///
    /// # Errors
    /// The brokers do not answer in time, or a topic is not there, or not the one that was opened.
    fn ends(&self) -> Result<Vec<Ends>, TapError> {
        let ends = (0..).map(PartitionIndex).zip(self.partitions()).map(|(partition, range)| Ends {
            partition,
            log_start: range.log_start,
            last_stable: range.last_stable,
            high_watermark: range.high_watermark,
        });
        Ok(ends.collect())
    }

    /// Partitions of its topics that came after it was opened, or were left out; sorted. Blocking, for a few seconds at most.
    ///
    /// # Errors
    /// As [`Tap::ends`].
    fn grown(&self) -> Result<Vec<TopicPartition>, TapError> {
        Ok(Vec::new())
    }

    /// The ids of its topics, as far as brokers have told any: a topic that is made again has another one.
    fn topic_ids(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Names the reason of each gap that a complete read left; neighbouring offsets of one reason come as one hole.
    ///
    /// # Errors
    /// When the source fails while looking.
    fn explain(&self, gaps: &[(PartitionIndex, Range<i64>)]) -> Result<Vec<(PartitionIndex, Hole)>, TapError>;

    /// Whether the topic's cleanup policy holds `compact`; `None` where it cannot be known.
    fn compacted(&self, topic: &str) -> Option<bool>;

    /// For how long the brokers keep messages of a topic by their age, in milliseconds; none: for good, or nobody knows.
    fn retention_ms(&self, _topic: &str) -> Option<i64> {
        None
    }

    /// Whether a reading that begins after this follows as fast as the brokers and the network allow, at the cost of memory.
    fn read_ahead_far(&self, _far: bool) {}

    /// Upper estimate of the messages in all ranges.
    fn estimate(&self) -> u64 {
        self.partitions().iter().map(|p| u64::try_from(p.to - p.from.max(p.log_start)).unwrap_or(0)).sum()
    }

    /// What a person should know about the source: recorded duplicates that were dropped, for example.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// The writers' schemas that the source itself carries: Avro container files have theirs.
    fn schemas(&self) -> Option<Arc<Schemas>> {
        None
    }

    /// The source's rows in columns, where its messages are rows of Parquet and not payloads.
    fn rows(&self) -> Option<&dyn RowSource> {
        None
    }
}

//! Why a source could not be opened or read.

use std::path::PathBuf;

use validator_core::position::TopicPartition;

/// A failure of the source itself, never of one message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// No broker answered in time.
    #[error("no broker of {brokers} answered within {seconds} s: {last}")]
    BrokersUnreachable {
        /// The brokers asked.
        brokers: String,
        /// The time given to them.
        seconds: u64,
        /// What the client last said.
        last: String,
    },
    /// The topic does not exist.
    #[error("topic {topic} does not exist")]
    TopicMissing {
        /// The topic.
        topic: String,
    },
    /// A bound names a partition that the topic does not have.
    #[error("topic {topic} has no partition {partition}: it has {count}")]
    PartitionMissing {
        /// The topic.
        topic: String,
        /// The partition named.
        partition: i32,
        /// Partitions of the topic.
        count: usize,
    },
    /// Nothing arrived for too long.
    #[error("no progress in {tp} at offset {position} for {seconds} s: {last}")]
    Stalled {
        /// The partition.
        tp: TopicPartition,
        /// The offset that was to come.
        position: i64,
        /// The time without progress.
        seconds: u64,
        /// What the client last said.
        last: String,
    },
    /// A recorded file cannot be opened or read.
    #[error("read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The batch in a decoder is full.
    #[error("the batch holds over {limit} bytes of payloads: finish it before")]
    BatchFull {
        /// The most it may hold.
        limit: usize,
    },
}

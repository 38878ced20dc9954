//! Why dead letters could not be read, or are none.

use std::sync::Arc;

use validator_core::position::TopicPartition;
use validator_tap::TapError;

/// Why there is no evidence of dead letters.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// Their topic could not be read.
    #[error("read the dead letters of topic {topic}")]
    Topic {
        /// The topic.
        topic: String,
        /// Why.
        source: TapError,
    },
    /// A partition of it could not be read to its end.
    #[error("read the dead letters of {tp} from offset {position} on")]
    Partition {
        /// The partition.
        tp: TopicPartition,
        /// How far it came.
        position: i64,
        /// Why no further.
        source: Arc<TapError>,
    },
    /// Some lie behind a transaction that has not ended: the brokers do not tell them yet.
    #[error("dead letters of {tp} from offset {offset} on lie behind a transaction that is open")]
    Behind {
        /// The partition.
        tp: TopicPartition,
        /// Where it begins.
        offset: i64,
    },
    /// A file of their table could not be read.
    #[error("read the dead letters in {path}: {detail}")]
    File {
        /// The file.
        path: String,
        /// Why.
        detail: String,
    },
    /// Several sinks put messages aside there.
    #[error("dead letters of {topic} are of several connectors: {}", .connectors.join(", "))]
    SeveralConnectors {
        /// Their topic.
        topic: String,
        /// The first of them.
        connectors: Vec<String>,
    },
    /// The metadata of their table is not whole.
    #[error("read the dead letters of {source_of}: {detail}")]
    Table {
        /// Where they are.
        source_of: String,
        /// What is wrong.
        detail: String,
    },
    /// None of them names a message.
    #[error("none of {letters} dead letters of {source_of} says which message it is of")]
    Nameless {
        /// Where they are.
        source_of: String,
        /// How many.
        letters: u64,
    },
    /// Most of them name offsets that their partitions never had.
    #[error(
        "{impossible} of {named} dead letters of {source_of} name offsets that the topic does not have: these are no \
         positions in it"
    )]
    NotPositions {
        /// Where they are.
        source_of: String,
        /// Those that name an offset of the topic.
        named: u64,
        /// Of them, those that cannot be.
        impossible: u64,
    },
}

impl DeadLetterError {
    /// Whether what was asked for is at fault and not the source.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::SeveralConnectors { .. } | Self::Nameless { .. } | Self::NotPositions { .. })
    }
}

//! Why messages could not be read.

use std::sync::Arc;

use validator_core::encode::EncodeError;
use validator_core::position::TopicPartition;
use validator_tap::{DecoderError, TapError};

use crate::expr::ExprError;

/// Why a read could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error("read messages")]
    Tap(#[from] TapError),
    /// The format cannot deliver a field.
    #[error("prepare the decoder")]
    Decoder(#[from] DecoderError),
    /// The columns have no canonical bytes.
    #[error("encode messages")]
    Encode(#[from] EncodeError),
    /// A sample of a partition could not be read: what there was of it says nothing of the rest.
    #[error("read a sample of {tp}")]
    Unsampled {
        /// The partition.
        tp: TopicPartition,
        /// Why.
        source: Arc<TapError>,
    },
    /// What was read once could not be read again.
    #[error("{tp} could not be read again: {failure}")]
    Lost {
        /// The partition.
        tp: String,
        /// Why.
        failure: String,
    },
    /// An upsert table: a later message may be the last version of any key.
    #[error("{tp} could not be read to its end, and the last version of a key is known only there: {failure}")]
    Unfinished {
        /// The partition.
        tp: String,
        /// Why.
        failure: String,
    },
    /// An expression does not compile over the decoder's fields.
    #[error("compile [map] {column}")]
    Map {
        /// The column, or `filter`.
        column: String,
        /// Why.
        source: ExprError,
    },
}

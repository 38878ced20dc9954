//! The Kafka side: taps that read messages, and decoders that turn payloads into Arrow columns.
//!
//! Contract: a tap never writes to a topic and never commits an offset; it delivers each partition's messages in
//! ascending offset order and ends by position. A decoder appends exactly one row per message, whatever the payload
//! holds: a bad message is an answer about that message and never harms its neighbours. This crate is the only one that
//! uses rdkafka.

mod column;
mod decoder;
mod error;
mod json;
pub mod limits;
mod message;
mod tap;

pub use decoder::{Decoded, Decoder, DecoderError, FieldText, Undecodable, WantedField};
pub use error::TapError;
pub use json::JsonDecoder;
pub use message::{Header, Headers, Message, NoHeaders};
pub use tap::{PartitionEnd, PartitionRange, ReadEnd, Tap, Wanted};

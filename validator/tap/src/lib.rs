//! The Kafka side: taps that read messages, and decoders that turn payloads into Arrow columns.
//!
//! Contract: a tap never writes to a topic (the one exception, for `validator replay`, is `kafka/republish.rs`) and never
//! commits an offset; it delivers each partition's messages in
//! ascending offset order and ends by position. A decoder appends exactly one row per message, whatever the payload
//! holds: a bad message is an answer about that message and never harms its neighbours. This crate is the only one that
//! uses rdkafka.

mod avro;
mod bounds;
mod bytes;
mod column;
pub mod dead_letter;
mod decoder;
mod error;
mod follow;
mod json;
mod kafka;
pub mod limits;
mod message;
mod recorded;
mod recorded_rows;
mod registry;
mod rows;
mod tap;
mod topics;

pub use avro::{AvroDecoder, AvroFields, avro_fields, schema_id};
pub use bounds::Bounds;
pub use bytes::{BytesDecoder, VALUE_FIELD};
pub use decoder::{Decoded, Decoder, DecoderError, FieldText, Undecodable, WantedField};
pub use error::TapError;
pub use follow::{Ends, Follow, Followed, tell_ends, wanted_of};
pub use json::JsonDecoder;
pub use kafka::{
    Begin, KafkaConfig, KafkaTap, LaneToOpen, Membership, Republisher, SOURCE_HEADERS, Told, Waiting, with_source,
};
pub use message::{Header, Headers, Message, NoHeaders};
pub use recorded::{RecordedConfig, RecordedTap};
pub use recorded_rows::RowsTap;
pub use registry::{RegistryConfig, Schemas};
pub use rows::{RowBatch, RowFields, RowSource};
pub use tap::{PartitionEnd, PartitionRange, ReadEnd, Tap, Wanted};
pub use topics::{TopicPattern, is_meant};

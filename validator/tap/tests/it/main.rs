//! What the taps and decoders promise, from outside.

mod avro;
mod avro_support;
mod json;
mod json_random;
mod kafka;
mod recorded;
mod stub_registry;
mod support;

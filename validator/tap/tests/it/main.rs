//! What the taps and decoders promise, from outside.

mod avro;
mod avro_nested;
mod avro_random;
mod avro_scalars;
mod avro_support;
mod avro_topics;
mod follow;
mod follow_real;
mod followed;
mod json;
mod json_random;
mod kafka;
mod membership;
mod real_kafka;
mod recorded;
mod recorded_avro;
mod recorded_random;
mod recorded_rows;
mod republish;
#[allow(dead_code, reason = "the tests of the registry itself use the rest")]
mod stub_registry;
mod support;

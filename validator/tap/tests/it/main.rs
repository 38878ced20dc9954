//! What the taps and decoders promise, from outside.

mod json;
mod json_random;
mod kafka;
mod recorded;
mod support;

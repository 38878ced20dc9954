//! What the taps and decoders promise, from outside.

mod json;
mod kafka;
mod recorded;
mod support;

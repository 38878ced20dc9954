//! What the taps and decoders promise, from outside.

mod json;
mod support;

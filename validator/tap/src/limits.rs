//! Every bound of this crate, with its unit and its reason.

/// Payload bytes in one batch: Arrow's string offsets are 32 bits, and no decoded text is longer than its payload.
pub const BATCH_PAYLOAD_BYTES_MAX: usize = i32::MAX as usize;

/// Levels of objects and arrays in one JSON payload: deeper ones would exhaust the stack.
pub const JSON_DEPTH_MAX: usize = 128;

/// Names of unknown fields that are counted one by one; the rest are counted together under [`OTHER_FIELDS`].
pub const UNKNOWN_FIELDS_MAX: usize = 1_000;

/// The name under which unknown fields beyond [`UNKNOWN_FIELDS_MAX`] are counted.
pub const OTHER_FIELDS: &str = "(other fields)";

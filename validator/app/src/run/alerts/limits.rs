//! Bounds of alerts, each with its unit and reason.

/// Characters of one condition.
pub const CONDITION_CHARS_MAX: usize = 1_000;

/// Parentheses and negations inside one another: the parser calls itself.
pub const CONDITION_DEPTH_MAX: usize = 32;

/// Milliseconds of the shortest window: looks are seconds apart.
pub const WINDOW_MS_MIN: i64 = 60_000;

/// Milliseconds of the longest window: a week. The longest of the workbook's burn rates is three days.
pub const WINDOW_MS_MAX: i64 = 7 * 24 * 3_600_000;

/// Rules of one pipeline: each is evaluated every second.
pub const RULES_MAX: usize = 100;

/// Alerts of one pipeline that are pending or firing at once; a rule has one for each cause.
pub const INSTANCES_MAX: usize = 1_000;

/// From this age in milliseconds on, samples of a window are this many milliseconds apart: 360 an hour, 300 in the next
/// five, 972 in the rest of a week.
pub const SAMPLE_STEPS_MS: [(i64, i64); 3] = [(0, 10_000), (3_600_000, 60_000), (6 * 3_600_000, 600_000)];

/// Milliseconds between two writings of the samples into the ledger. A restart loses as much of a window's history.
pub const HISTORY_SAVED_EVERY_MS: i64 = 60_000;

/// Seconds for one message to be delivered: connect, send, and the answer.
pub const DELIVERY_SECONDS: u64 = 10;

/// Bytes of an answer that are read: they are for the log alone.
pub const ANSWER_BYTES_MAX: usize = 1_024;

/// Milliseconds until a message that was not delivered is tried again: doubled each time, from the first to the second.
pub const RETRY_MS: (i64, i64) = (1_000, 300_000);

/// Tries after which a message is given up: with [`RETRY_MS`] a day, and what it says is a day old then.
pub const TRIES_MAX: u32 = 296;

/// Rounds of messages that wait for a channel: it takes one when it is idle.
pub const ROUNDS_QUEUED: usize = 1;

/// Reminders of alerts that still fire, waiting for a channel; more are dropped, the next reminder comes anyway.
pub const REMINDERS_QUEUED: usize = 1_000;

/// Outcomes that wait to be kept; the channels wait then.
pub const OUTCOMES_QUEUED: usize = 256;

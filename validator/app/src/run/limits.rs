//! Bounds of a continuous run.

use std::time::Duration;

/// Batches of the tap that wait for their pipeline: with a batch of 8,192 messages a third of a second at 100,000 msg/s, which
/// is what a checkpoint may take.
pub const BATCHES_QUEUED: usize = 4;

/// How often a table is looked at unless given.
pub const POLL_DEFAULT: Duration = Duration::from_secs(2);

/// Least time between checkpoints: a commit waits for the disk.
pub const CHECKPOINT_EVERY_MIN: Duration = Duration::from_millis(200);

/// A checkpoint is written at the latest after this time with something to write.
pub const CHECKPOINT_EVERY_MAX: Duration = Duration::from_secs(1);

/// How long to wait after a checkpoint that could not be written, and after which a pipeline that ended in an error is opened again; doubles.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);

/// Where that stops to double.
pub const RETRY_MOST: Duration = Duration::from_secs(30);

/// Segments of one round of drills.
pub const DRILL_SEGMENTS: usize = 16;

/// Messages of one round of drills: some tens of MiB of entries.
pub const DRILL_MESSAGES: i64 = 65_536;

/// Drafts whose values are read in one round.
pub const EVIDENCE_DRAFTS: usize = 1_000;

/// How often partitions are looked for that came since.
pub const GROWN_EVERY: Duration = Duration::from_secs(30);

/// How long a stop may take; what is not saved then is read again by the next run.
pub const STOP_MOST: Duration = Duration::from_secs(8);

/// Pipelines that fail by an assertion of our own are opened again so often.
pub const PANICS_MAX: u32 = 3;

/// How often the files are looked at for changes.
pub const FILES_EVERY: Duration = Duration::from_secs(5);

//! What the jobs of a look bring back.

use std::collections::{BTreeMap, VecDeque};

use validator_engine::live::error::LookError;
use validator_engine::live::scan::FileScan;
use validator_table::{Pinned, Reloaded, StepPlan, TableError};
use validator_tap::{Ends, TapError};

use super::letters::{LettersSight, Unread};

/// What a job of a look found.
pub enum Sight {
    /// Metadata and ends.
    Asked {
        /// When it began.
        at_ms: i64,
        /// What was found.
        found: Result<Found, Unseen>,
    },
    /// There are partitions that are not followed yet: rows of them would be of no message.
    Grown,
    /// A pinned snapshot, and the steps behind it.
    Pinned(Box<Result<Option<(StepPlan, Pinned)>, TableError>>, VecDeque<StepPlan>),
    /// The snapshot that the shadow stands at, pinned.
    AtLine(Box<Result<Pinned, TableError>>),
    /// Files, read.
    Scanned(Result<Vec<FileScan>, LookError>),
    /// Dead letters, read.
    Lettered(Result<LettersSight, Unread>),
}

/// What catalog and brokers say.
pub struct Found {
    /// The table's metadata.
    pub reloaded: Reloaded,
    /// Where the partitions begin and end.
    pub ends: Vec<Ends>,
    /// By topic, for how long the brokers keep messages.
    pub retention_ms: BTreeMap<String, i64>,
}

/// Why catalog or brokers say nothing.
pub enum Unseen {
    /// The catalog, or the metadata.
    Table(TableError),
    /// The brokers.
    Brokers(TapError),
}

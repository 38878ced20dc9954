//! What the ledger writes at a checkpoint, and what it gives back at a restart.
//!
//! Contract: bodies are bytes that only the core reads, each with its own version and checksum. Everything of a delta is
//! written in one transaction, or nothing is.

use super::file::{FileId, PathHash};
use super::page::PageKey;
use super::told::OpenFinding;
use crate::finding::FindingId;
use crate::position::{PartitionIndex, TopicPartition};
use crate::segment::SegmentKey;
use crate::verdict::{Cause, Verdict};

/// Everything since the last checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// The number of this checkpoint: one more than that of the last one.
    pub checkpoint: u64,
    /// The instant that the state judges by.
    pub judged_at_ms: i64,
    /// The snapshot that was last made the live set.
    pub snapshot: Option<i64>,
    /// What belongs to no row below.
    pub state: Vec<u8>,
    /// Lanes that changed.
    pub lanes: Vec<LaneRow>,
    /// Pages that changed.
    pub pages: Vec<PageRow>,
    /// Files that were scanned; each id is new.
    pub files_new: Vec<FileRow>,
    /// Known files that became live or are no longer.
    pub files_changed: Vec<FileChange>,
    /// Residues that changed; no body: it is gone.
    pub residues: Vec<ResidueRow>,
    /// Findings that opened, changed or were resolved.
    pub findings: Vec<FindingChange>,
    /// Whole segments with one verdict that opened, changed or were resolved.
    pub runs: Vec<RunChange>,
    /// How all stands: [`super::standing::Standing`], packed.
    pub totals: Vec<u8>,
}

/// What a restart begins with. An empty one is that of a new pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    /// The last checkpoint; 0: there was none.
    pub checkpoint: u64,
    /// Of the last checkpoint.
    pub state: Vec<u8>,
    /// All lanes, by number.
    pub lanes: Vec<LaneRow>,
    /// Pages that are unsettled; the others are asked for when they are needed.
    pub pages: Vec<PageRow>,
    /// Files that are live or wait to be, without their bodies.
    pub files: Vec<FileChange>,
    /// All residues.
    pub residues: Vec<ResidueRow>,
    /// Findings that are open, but for those that are told once.
    pub findings: Vec<OpenFinding>,
    /// All runs that are open.
    pub runs: Vec<RunChange>,
    /// Of the last checkpoint.
    pub totals: Vec<u8>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRow {
    /// Its number.
    pub lane: PartitionIndex,
    /// Which.
    pub tp: TopicPartition,
    /// The rest.
    pub body: Vec<u8>,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// Which.
    pub key: PageKey,
    /// Whether a restart reads it.
    pub unsettled: bool,
    /// [`super::page::Page`], packed.
    pub body: Vec<u8>,
}

/// A new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Its state.
    pub file: FileChange,
    /// [`super::file::FileBags`], packed; kept as long as the file is live or a segment lists it as gone.
    pub body: Vec<u8>,
}

/// The state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its number.
    pub id: FileId,
    /// As the manifest has it.
    pub path: String,
    /// Of the path.
    pub path_hash: PathHash,
    /// Waiting, live or gone.
    pub standing: FileStanding,
    /// [`super::file::FileFacts`] and counts, packed.
    pub facts: Vec<u8>,
}

/// Where a file is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileStanding {
    /// Scanned, and not yet of the live set.
    Waiting,
    /// Of the live set.
    Live,
    /// No longer, since the look that began then (milliseconds since the epoch).
    Gone {
        /// When.
        since_ms: i64,
    },
}

/// The residue of a disputed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidueRow {
    /// Of which.
    pub segment: SegmentKey,
    /// None: the segment is disputed no longer.
    pub body: Option<Vec<u8>>,
}

/// A finding that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingChange {
    /// The same in every run.
    pub id: FindingId,
    /// What is true.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// What it is about.
    pub place: FindingPlace,
    /// What happened to it.
    pub change: Change,
    /// When: the instant that the state judges by.
    pub at_ms: i64,
    /// The judge's draft, packed; empty where it was resolved.
    pub facts: Vec<u8>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingPlace {
    /// A message.
    Message {
        /// Its lane.
        lane: PartitionIndex,
        /// Its offset.
        offset: i64,
    },
    /// A row alone.
    Row {
        /// Its file.
        file: FileId,
        /// Its position in it.
        position: u64,
    },
    /// The table or a file.
    Table {
        /// The path, or what stands for it.
        path: String,
    },
}

/// What happened to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It is new, or true again.
    Opened,
    /// It is true in another way: other rows, another cause.
    Changed,
    /// It is true no longer.
    Resolved,
}

/// A whole segment without rows, whose messages have one verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunChange {
    /// The segment.
    pub segment: SegmentKey,
    /// The verdict of each of its judged messages.
    pub verdict: Verdict,
    /// Its cause.
    pub cause: Option<Cause>,
    /// How many.
    pub messages: u64,
    /// What happened.
    pub change: Change,
    /// When.
    pub at_ms: i64,
}

/// Bytes of the ledger that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is damaged")]
pub struct Damaged {
    /// Of what.
    pub what: &'static str,
}

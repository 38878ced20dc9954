//! What happens to a shadow: messages came, a look at the table was made, a question was answered.
//!
//! Contract: events carry facts that somebody read; the shadow decides. An event that no longer fits is refused and
//! changes nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use super::file::{FaultFact, FileBags, FileFacts, FileId};
use super::nets::Nets;
use super::segment::Times;
use super::slips::FileSlips;
use crate::bag::Bag;
use crate::digest::IdentityHash;
use crate::hole::Hole;
use crate::judge::{MessageEntry, RowEntry};
use crate::position::{MessageAt, PartitionIndex, TopicPartition};
use crate::segment::SegmentKey;
use crate::verdict::{ExcludedCause, UndecodableCause};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A batch of the tap.
    Consumed(Consumed),
    /// A file was read; it waits until a look makes it live, or takes the place of a live one of its path.
    Scanned(Scanned),
    /// The books of windows begin, if it is known at which one: before the first look is made.
    Begin,
    /// The table was looked at, and the tap has passed the barrier of the look.
    Looked(Look, Nets),
    /// Catalog, store or broker could not be asked; no verdict changes.
    NotLooked {
        /// When it was tried.
        at_ms: i64,
        /// What is not there.
        what: CannotLook,
    },
    /// The answer to a drill.
    Drilled(Drilled),
    /// New partitions, in the order in which the shadow numbers them.
    Partitions(Vec<NewLane>),
    /// Why offsets are not there.
    Explained(Vec<(PartitionIndex, Hole)>),
    /// Dead letters were read.
    Letters(Vec<Letter>),
    /// The log now begins there.
    Trimmed {
        /// Which partition.
        partition: PartitionIndex,
        /// The first offset that it still has.
        log_start: i64,
    },
}

/// A batch of messages, summed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Consumed {
    /// By partition, each at most once.
    pub lanes: Vec<LanePart>,
}

/// The messages `from..to` of one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct LanePart {
    /// Which.
    pub partition: PartitionIndex,
    /// The position of the lane, else the part is refused.
    pub from: i64,
    /// The new position.
    pub to: i64,
    /// By segment, ascending; a segment that holds neither message nor gap may be left out.
    pub parts: Vec<SegmentPart>,
    /// Offsets that hold no message, ascending and disjoint.
    pub gaps: Vec<Range<i64>>,
    /// Messages that cannot be told.
    pub undecodable: Vec<Undecodable>,
    /// Messages that ask for no row, by cause.
    pub excluded: BTreeMap<ExcludedCause, u64>,
    /// Of judged messages with a window, that of the first one and the greatest; none in mode `offset`.
    pub windows: Option<(i64, i64)>,
    /// Of an upsert table: messages whose key is known, but for undecodable ones, by offset. There are no `parts` then.
    pub versions: Vec<MessageEntry>,
}

/// Messages of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentPart {
    /// Which.
    pub segment: SegmentKey,
    /// Digests of judged messages.
    pub bag: Bag,
    /// Of judged messages.
    pub times: Times,
    /// Of judged messages; `i64::MIN`: none.
    pub offset_max: i64,
    /// From its first message to one past its last, each state.
    pub span: (i64, i64),
    /// Messages that ask for no row.
    pub excluded: u32,
    /// Messages that cannot be told.
    pub undecodable: u32,
}

/// A dead letter of a message that was consumed, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message's partition.
    pub partition: PartitionIndex,
    /// Its offset.
    pub offset: i64,
    /// Why it was put aside, in words that anybody may see; none: it does not say.
    pub cause: Option<String>,
}

/// A message that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// Where it stands.
    pub at: MessageAt,
    /// Why.
    pub cause: UndecodableCause,
    /// Its Kafka timestamp.
    pub timestamp_ms: Option<i64>,
    /// One sentence for a person.
    pub detail: String,
    /// The modes `key` and `content`: its identity, where that is known.
    pub identity: Option<IdentityHash>,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Scanned {
    /// As its manifest entries say.
    pub facts: FileFacts,
    /// What one live entry of it adds.
    pub bags: FileBags,
    /// Its parts that cannot be read.
    pub faults: Vec<FaultFact>,
    /// Slips of all its rows; none: they are too many.
    pub slips: Option<FileSlips>,
}

/// One look at the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When it began: what the shadow judges by, once it is applied.
    pub at_ms: i64,
    /// By partition: last stable offset, which the tap has passed, and high watermark.
    pub barrier: Vec<(PartitionIndex, i64, i64)>,
    /// The snapshot; none: nothing changed since the last one.
    pub step: Option<Step>,
}

/// One snapshot to make the shadow's live set equal to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The snapshot.
    pub snapshot: SnapshotFact,
    /// The table's.
    pub uuid: String,
    /// How it follows the one before.
    pub why: Why,
    /// The whole live set, each path once.
    pub live: Vec<FileFacts>,
    /// The modes `key` and `content`: when rows were last added to the table, in the ancestry of the snapshot that is known.
    pub moved_ms: Option<i64>,
}

/// The id of no snapshot, as metadata writes it of a table that has none (Iceberg spec, `current-snapshot-id`).
pub const NO_SNAPSHOT: i64 = -1;

/// What the metadata says of a snapshot, or of there being none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFact {
    /// Its id; [`NO_SNAPSHOT`]: the table has none.
    pub id: i64,
    /// Its parent's.
    pub parent: Option<i64>,
    /// Its sequence number.
    pub sequence: i64,
    /// When it was committed.
    pub commit_ms: i64,
    /// Its operation.
    pub operation: String,
}

impl SnapshotFact {
    /// Whether there is such a snapshot.
    pub fn is_there(&self) -> bool {
        self.id != NO_SNAPSHOT
    }
}

/// How a step follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// It is the next one of the line, or the first of all.
    Next,
    /// The last one is no longer an ancestor of the head: back to the newest common ancestor.
    RolledBack,
    /// Those between are expired, or too many.
    Jumped,
    /// It is of another table under the same name.
    Recreated,
}

/// What could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CannotLook {
    /// The catalog.
    Catalog,
    /// The object store.
    Store,
    /// The broker.
    Broker,
    /// The table is not there.
    TableGone,
}

/// The answer to an [`super::action::DrillAsk`].
#[derive(Debug, Clone, PartialEq)]
pub struct Drilled {
    /// The segment.
    pub segment: SegmentKey,
    /// The offsets that were read, as asked.
    pub messages: Vec<(PartitionIndex, Range<i64>)>,
    /// Messages of them, each state.
    pub found: Vec<MessageEntry>,
    /// Digests of the judged ones, as they stand in debits.
    pub debit: Bag,
    /// By file its rows in the segment, each live entry's.
    pub files: BTreeMap<FileId, Vec<SeenRow>>,
    /// Files that are no longer live; none: its object is gone.
    pub gone: BTreeMap<FileId, Option<Vec<SeenRow>>>,
    /// Whether the log no longer has all that was asked for.
    pub lost_messages: bool,
}

/// A row of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenRow {
    /// As the judge sees it; its standing and hole are taken anew when it is judged. `at.file` is the [`FileId`].
    pub entry: RowEntry,
    /// The partition that it names, where the shadow knows it.
    pub partition: Option<PartitionIndex>,
    /// The offset that it names.
    pub offset: Option<i64>,
}

/// A partition that the shadow begins to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLane {
    /// Which.
    pub tp: TopicPartition,
    /// The first offset that is consumed.
    pub start: i64,
    /// Whether that was declared, so that rows below it are out of scope; else their messages are gone.
    pub declared: bool,
    /// The first offset that the log had.
    pub log_start: i64,
    /// One past the last offset.
    pub high_watermark: i64,
}

/// Why an event changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The answer is to a question that is no longer asked.
    #[error("stale answer for {segment}")]
    Stale {
        /// Of what.
        segment: SegmentKey,
    },
    /// The part does not begin at the position.
    #[error("messages of lane {lane} begin at {from}, its position is {position}", lane = .partition.0)]
    Position {
        /// Of which partition.
        partition: PartitionIndex,
        /// Where they begin.
        from: i64,
        /// Where they should.
        position: i64,
    },
    /// The tap has not passed the barrier.
    #[error("lane {lane} is at {position}, the look needs {barrier}", lane = .partition.0)]
    Barrier {
        /// Of which partition.
        partition: PartitionIndex,
        /// Where it is.
        position: i64,
        /// Where it should be.
        barrier: i64,
    },
    /// Files of the look were not scanned, or before messages of theirs came.
    #[error("{} files are not scanned", .paths.len())]
    NotScanned {
        /// Which.
        paths: Vec<String>,
    },
    /// A look at books of windows that have not begun.
    #[error("the books have not begun")]
    NotBegun,
    /// The sums are not those of the files that the look adds and removes.
    #[error("the sums of the step are of other files")]
    OtherFiles,
    /// No such partition.
    #[error("lane {lane} is not known", lane = .0.0)]
    UnknownLane(PartitionIndex),
    /// A page that it needs was not admitted.
    #[error("{page} is not held")]
    NotHeld {
        /// Which.
        page: super::page::PageKey,
    },
}

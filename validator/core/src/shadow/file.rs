//! Data files as the shadow knows them: what the manifest says of one, and what its rows add to each segment.
//!
//! Contract: the bags of a file are a pure function of the file, the deletes that reach it, the contract and the known
//! partitions; what depends on the moment of the scan is only `ahead`, which makes the file be read again (I2).

use std::collections::BTreeMap;

use super::late::Lateness;
use crate::bag::Bag;
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;

/// The ledger's number of a data file of one pipeline; never used again for another one. 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub u32);

/// The first 16 bytes of the plain BLAKE3 of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathHash(pub [u8; 16]);

impl PathHash {
    /// Of a path as the manifest has it.
    pub fn of(path: &str) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&blake3::hash(path.as_bytes()).as_bytes()[..16]);
        Self(first)
    }
}

/// One live data file of a snapshot, as its manifest entries say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// As the manifest has it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Live entries: as often its rows count.
    pub entries: u32,
    /// Data sequence number, where there is one.
    pub sequence: Option<i64>,
    /// The snapshot that added it.
    pub added_by: i64,
    /// When that was committed, milliseconds since the epoch; none where the snapshot is expired.
    pub commit_ms: Option<i64>,
    /// Whether that snapshot's operation is `replace`.
    pub is_replace: bool,
    /// The beginning of BLAKE3 over the sorted deletes that reach it; zero: none do.
    pub deletes: [u8; 16],
    /// Its partition spec.
    pub spec_id: i32,
}

impl FileFacts {
    /// Whether its rows are those of another reading of the path: size, entries, sequence number and deletes are equal.
    pub fn has_rows_of(&self, other: &Self) -> bool {
        let facts = |of: &Self| (of.size, of.entries, of.sequence, of.deletes);
        facts(self) == facts(other)
    }
}

/// What one live entry of a file adds to each segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileBags {
    /// Sorted by key, each key once: its rows there.
    pub bags: Vec<(SegmentKey, Bag)>,
    /// Rows of one live entry, out of scope ones too.
    pub rows: u64,
    /// Of them, those that are in no segment: below a declared start, or not below the position of the scan.
    pub out_of_scope: u64,
    /// Rows in a partition tuple that their values do not give: position, segment.
    pub misrouted: Vec<(u64, SegmentKey)>,
    /// Rows in which each declared tolerance was used, in the contract's order.
    pub tolerated: Vec<u64>,
    /// By partition, the least offset of a row that was not below the position of the scan.
    pub ahead: BTreeMap<PartitionIndex, i64>,
    /// Whether it has rows of partitions that were not known.
    pub strangers: bool,
    /// Which of its rows are late.
    pub late: Lateness,
}

impl FileBags {
    /// Its rows in segments.
    pub fn booked(&self) -> Bag {
        self.bags.iter().map(|(_, bag)| bag).collect()
    }
}

/// A part of a file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultFact {
    /// Whether bytes are bad (else: codec, format, a failing store).
    pub corrupt: bool,
    /// Rows that are lost with it, by the manifest.
    pub rows: u64,
    /// The offsets of each partition that the manifest's bounds allow, closed; none: it has no bounds.
    pub bounds: Option<Vec<(PartitionIndex, i64, i64)>>,
}

//! What is wrong with a file or with the table: faults of parts that cannot be read, and findings that stay open.

use std::fmt;

use validator_core::verdict::TableVerdict;

/// One finding about a file or the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableFinding {
    /// The verdict.
    pub verdict: TableVerdict,
    /// What exactly, one snake_case word: `missing_file`, `size_mismatch`, `record_count`, `double_reference`, …
    pub cause: &'static str,
    /// The file the finding is about, as the table names it.
    pub path: String,
    /// Row groups lost, ascending; empty when the whole file is meant or nothing is lost.
    pub row_groups: Vec<u32>,
    /// Rows lost, where any are and their number is known.
    pub rows: Option<u64>,
    /// One sentence for a person.
    pub detail: String,
}

/// Why a part of a data file cannot be read, and which part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The kind, which decides what its messages are: `missing` or `unobservable` (interface.md §4).
    pub kind: FaultKind,
    /// The file, as the table names it.
    pub path: String,
    /// Row groups that are lost, ascending; `None`: the whole file.
    pub row_groups: Option<Vec<u32>>,
    /// Rows that are lost with them, where known: as the footer says for row groups, as the manifest says for a file.
    pub rows: Option<u64>,
    /// One sentence for a person.
    pub detail: String,
}

/// Kinds of [`FileFault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Bytes that fail a checksum, a size, the magic or decoding: `storage_corrupt`.
    Corrupt,
    /// The file is not there: `storage_corrupt`.
    Missing,
    /// We cannot look: codec, format, encryption, a failing store. No finding about the table; `unobservable`.
    Unreadable,
}

impl FileFault {
    /// The table finding of this fault; `None` for [`FaultKind::Unreadable`], which says nothing about the table.
    pub fn finding(&self) -> Option<TableFinding> {
        let cause = match self.kind {
            FaultKind::Corrupt => "unreadable_bytes",
            FaultKind::Missing => "missing_file",
            FaultKind::Unreadable => return None,
        };
        Some(TableFinding {
            verdict: TableVerdict::StorageCorrupt,
            cause,
            path: self.path.clone(),
            row_groups: self.row_groups.clone().unwrap_or_default(),
            rows: self.rows,
            detail: self.detail.clone(),
        })
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.detail)
    }
}

impl std::error::Error for FileFault {}

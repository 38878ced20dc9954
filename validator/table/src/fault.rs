//! What is wrong with a file or with the table: faults of parts that cannot be read, and findings that stay open.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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
    /// Of [`FaultKind::Unreadable`]: the store failed or had no key for us, so that a later look may read it.
    pub may_pass: bool,
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
    /// One fault for each file and kind, sorted: row groups and rows of the same file are put together, so that each
    /// gives one finding, whatever the order in which they were met. A fault of the whole file takes in those of its row
    /// groups.
    pub fn merge(faults: impl IntoIterator<Item = FileFault>) -> Vec<FileFault> {
        let mut merged: BTreeMap<(String, FaultKind), FileFault> = BTreeMap::new();
        let mut faults: Vec<FileFault> = faults.into_iter().collect();
        faults.sort_by(|a, b| (&a.row_groups, &a.detail).cmp(&(&b.row_groups, &b.detail)));
        for fault in faults {
            match merged.entry((fault.path.clone(), fault.kind)) {
                Entry::Vacant(first) => {
                    first.insert(fault);
                }
                Entry::Occupied(mut known) => known.get_mut().take_in(fault),
            }
        }
        merged.into_values().collect()
    }

    fn take_in(&mut self, other: FileFault) {
        self.may_pass |= other.may_pass;
        match (&mut self.row_groups, &other.row_groups) {
            (None, _) => {}
            (Some(_), None) => *self = Self { may_pass: self.may_pass, ..other },
            (Some(known), Some(more)) if more.iter().all(|group| known.contains(group)) => {}
            (Some(known), Some(more)) => {
                known.extend(more);
                known.sort_unstable();
                known.dedup();
                self.rows = self.rows.zip(other.rows).map(|(a, b)| a + b);
                self.detail = format!("{}; {}", self.detail, other.detail);
            }
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(path: &str, row_groups: Option<Vec<u32>>) -> FileFault {
        let detail = row_groups.as_ref().map_or("footer".to_owned(), |groups| format!("row group {}", groups[0]));
        FileFault {
            kind: FaultKind::Corrupt,
            path: path.to_owned(),
            row_groups,
            rows: Some(100),
            detail,
            may_pass: false,
        }
    }

    #[test]
    fn faults_of_one_file_become_one() {
        let faults = [
            fault("b", Some(vec![3])),
            fault("a", Some(vec![0])),
            fault("b", Some(vec![1])),
            fault("b", Some(vec![3])),
        ];
        let merged = FileFault::merge(faults);
        assert_eq!(merged.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((merged[1].row_groups.clone(), merged[1].rows), (Some(vec![1, 3]), Some(200)));
        assert_eq!(merged[1].detail, "row group 1; row group 3", "whatever the order in which streams met them");
    }

    #[test]
    fn a_lost_file_takes_in_its_lost_row_groups() {
        for faults in [[fault("a", None), fault("a", Some(vec![1]))], [fault("a", Some(vec![1])), fault("a", None)]] {
            assert_eq!(FileFault::merge(faults), [fault("a", None)]);
        }
    }
}

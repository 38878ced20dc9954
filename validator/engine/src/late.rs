//! When a row is late: its own time + settle lies before the commit of the snapshot that its manifest entry names.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType};
use arrow_schema::{DataType, TimeUnit};
use roaring::RoaringTreemap;
use validator_core::position::{FileIndex, PartitionIndex, RowAt};
use validator_core::shadow::late::Lateness;
use validator_core::shadow::runs::{Offsets, Runs};
use validator_table::DataFile;

use crate::binding::LeafPath;
use crate::leaves::leaf_array;

/// The rule of one run.
#[derive(Debug)]
pub struct LateRule {
    /// None: the table has no time column, and messages tell.
    leaf: Option<LeafPath>,
    settle_ms: i64,
    /// By file: the commit time; none for rewritten files and expired snapshots.
    commits_ms: Arc<[Option<i64>]>,
    /// Whether a pass notes where late rows are, and all rows of files without a commit time.
    notes_rows: bool,
}

/// What the noted rows of a file say.
#[derive(Debug, Clone, PartialEq)]
pub enum Noted {
    /// Which are late.
    Said(Lateness),
    /// Only their messages tell which are.
    Landed {
        /// When they were committed.
        commit_ms: i64,
        /// All rows.
        rows: Offsets,
    },
}

/// Rows of one file that a pass noted, by the offsets that they name.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct NotedRows {
    offsets: BTreeMap<PartitionIndex, RoaringTreemap>,
    /// Those that several rows name.
    several: BTreeMap<PartitionIndex, RoaringTreemap>,
}

impl NotedRows {
    /// One more; offsets that no message can have are left out.
    pub fn note(&mut self, partition: PartitionIndex, offset: i64) {
        let Ok(offset) = u64::try_from(offset) else { return };
        if !self.offsets.entry(partition).or_default().insert(offset) {
            self.several.entry(partition).or_default().insert(offset);
        }
    }
}

fn offsets(noted: &BTreeMap<PartitionIndex, RoaringTreemap>) -> Offsets {
    let runs = |offsets: &RoaringTreemap| -> Runs {
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for offset in offsets.iter().map(u64::cast_signed) {
            match runs.last_mut() {
                Some((_, end)) if *end == offset => *end = offset.saturating_add(1),
                _ => runs.push((offset, offset.saturating_add(1))),
            }
        }
        runs.into_iter().collect()
    };
    noted.iter().map(|(partition, offsets)| (*partition, runs(offsets))).collect()
}

impl LateRule {
    /// The rule over the time column at `leaf`; `files` in the order of their indexes.
    pub fn new(leaf: Option<LeafPath>, settle_ms: i64, files: &[DataFile]) -> Self {
        let commit =
            |file: &DataFile| file.added_by.as_ref().filter(|by| by.operation != "replace").map(|by| by.commit_ms);
        Self { leaf, settle_ms, commits_ms: files.iter().map(commit).collect(), notes_rows: false }
    }

    /// With other commit times, by file: those of files as they were when their rows came.
    #[must_use]
    pub fn with_commits(self, commits_ms: Vec<Option<i64>>) -> Self {
        Self { commits_ms: commits_ms.into(), ..self }
    }

    /// For a run that follows the table: rows are noted.
    #[must_use]
    pub fn noting_rows(self) -> Self {
        Self { notes_rows: true, ..self }
    }

    /// Whether a row is to be noted, by whether it is late.
    pub fn notes(&self, late: Option<bool>) -> bool {
        self.notes_rows && late != Some(false)
    }

    /// What is said of a file of which these rows were noted.
    pub fn lateness(&self, file: FileIndex, noted: &NotedRows) -> Noted {
        let rows = offsets(&noted.offsets);
        match (self.commits_ms[file.0 as usize], &self.leaf) {
            (Some(_), Some(_)) => Noted::Said(Lateness::Told { late: rows, untold: 0 }),
            (Some(commit_ms), None) => Noted::Landed { commit_ms, rows },
            (None, _) => Noted::Said(Lateness::Moved { rows, several: offsets(&noted.several) }),
        }
    }

    /// For each row whether it is late; `None` where that cannot be told.
    pub fn late(&self, columns: &[ArrayRef], rows: &[RowAt]) -> Vec<Option<bool>> {
        let Some(leaf) = &self.leaf else { return vec![None; rows.len()] };
        let times = milliseconds(&leaf_array(columns, leaf));
        let late = |(row, time): (&RowAt, Option<i64>)| {
            let commit = self.commits_ms[row.file.0 as usize]?;
            Some(time.is_some_and(|time| time.saturating_add(self.settle_ms) < commit))
        };
        rows.iter().zip(times).map(late).collect()
    }
}

/// A time column in milliseconds; a `long` holds milliseconds already.
fn milliseconds(array: &ArrayRef) -> Vec<Option<i64>> {
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().collect(),
        DataType::Date32 => {
            array.as_primitive::<Date32Type>().iter().map(|d| d.map(|d| i64::from(d) * 86_400_000)).collect()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = array.as_primitive::<TimestampNanosecondType>();
            nanos.iter().map(|ns| ns.map(|ns| ns.div_euclid(1_000_000))).collect()
        }
        DataType::Timestamp(_, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>();
            micros.iter().map(|us| us.map(|us| us.div_euclid(1000))).collect()
        }
        _ => vec![None; array.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_noted_as_runs_of_offsets_and_those_with_several_apart() {
        let mut noted = NotedRows::default();
        let partition = PartitionIndex(3);
        [5, 1, 2, 3, 9, 2, -1].into_iter().for_each(|offset| noted.note(partition, offset));
        let of = |runs: &[(i64, i64)]| Offsets::from_iter([(partition, Runs::from_iter(runs.iter().copied()))]);
        let rule = |commit_ms: Option<i64>, leaf: Option<LeafPath>| LateRule {
            leaf,
            settle_ms: 1,
            commits_ms: Arc::new([commit_ms]),
            notes_rows: true,
        };
        let rows = of(&[(1, 4), (5, 6), (9, 10)]);
        let file = FileIndex(0);
        let told = Lateness::Told { late: rows.clone(), untold: 0 };
        assert_eq!(rule(Some(7), Some(vec![0])).lateness(file, &noted), Noted::Said(told));
        assert_eq!(rule(Some(7), None).lateness(file, &noted), Noted::Landed { commit_ms: 7, rows: rows.clone() });
        let moved = Lateness::Moved { rows, several: of(&[(2, 3)]) };
        assert_eq!(rule(None, None).lateness(file, &noted), Noted::Said(moved));
    }
}

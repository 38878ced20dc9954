//! When a row is late: its own time + settle lies before the commit of the snapshot that its manifest entry names.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType};
use arrow_schema::{DataType, TimeUnit};
use validator_core::position::RowAt;
use validator_table::DataFile;

use crate::binding::LeafPath;
use crate::leaves::leaf_array;

/// The rule of one run.
#[derive(Debug)]
pub struct LateRule {
    leaf: LeafPath,
    settle_ms: i64,
    /// By file: the commit time; none for rewritten files and expired snapshots.
    commits_ms: Arc<[Option<i64>]>,
}

impl LateRule {
    /// The rule over the time column at `leaf`; `files` in the order of their indexes.
    pub fn new(leaf: LeafPath, settle_ms: i64, files: &[DataFile]) -> Self {
        let commit =
            |file: &DataFile| file.added_by.as_ref().filter(|by| by.operation != "replace").map(|by| by.commit_ms);
        Self { leaf, settle_ms, commits_ms: files.iter().map(commit).collect() }
    }

    /// For each row whether it is late; `None` where that cannot be told.
    pub fn late(&self, columns: &[ArrayRef], rows: &[RowAt]) -> Vec<Option<bool>> {
        let times = milliseconds(&leaf_array(columns, &self.leaf));
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

//! The values behind a difference: exactly the messages and rows that findings name, read once more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow_array::ArrayRef;
use futures::StreamExt;
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use validator_core::schema::Field;
use validator_core::value::Value;
use validator_table::{Pinned, ScanItem};

use crate::message_reader::{MessageSide, ReadError};

/// The values of one message or row, in the order of the bound columns.
pub type Values = Arc<[Value]>;

/// Offsets that lie this near are read in one go.
const NEAR_OFFSETS: i64 = 512;

/// The expected rows of exactly these messages. Blocking.
///
/// # Errors
/// The source failed.
pub fn of_messages(side: &MessageSide, wanted: &BTreeSet<MessageAt>) -> Result<HashMap<MessageAt, Values>, ReadError> {
    let mut found = HashMap::with_capacity(wanted.len());
    if wanted.is_empty() {
        return Ok(found);
    }
    side.read(&ranges(wanted), &mut |batch| {
        for row in 0..batch.len() {
            let at = MessageAt { partition: PartitionIndex(batch.partition[row]), offset: batch.offset[row] };
            if wanted.contains(&at) {
                let columns = side.binding.columns.iter().enumerate();
                let value = |(index, column): (usize, &crate::binding::BoundColumn)| match batch.mark(row, index) {
                    Some(text) => Value::Inexact(text.to_owned()),
                    None => Value::from_arrow(batch.shown(index), row, &column.field.ty),
                };
                found.insert(at, columns.map(value).collect());
            }
        }
        if found.len() == wanted.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

/// Runs of near offsets, per partition.
fn ranges(wanted: &BTreeSet<MessageAt>) -> Vec<(PartitionIndex, Vec<Range<i64>>)> {
    let mut ranges: Vec<(PartitionIndex, Vec<Range<i64>>)> = Vec::new();
    for at in wanted {
        match ranges.last_mut() {
            Some((partition, runs)) if *partition == at.partition => match runs.last_mut() {
                Some(run) if at.offset - run.end < NEAR_OFFSETS => run.end = at.offset + 1,
                _ => runs.push(at.offset..at.offset + 1),
            },
            _ => ranges.push((at.partition, iter::once(at.offset..at.offset + 1).collect())),
        }
    }
    ranges
}

/// The values of exactly these rows; rows of files that cannot be read any more are absent.
pub async fn of_rows(pinned: &Pinned, fields: &[Field], wanted: &BTreeSet<RowAt>) -> HashMap<RowAt, Values> {
    let mut by_file: BTreeMap<FileIndex, Vec<u64>> = BTreeMap::new();
    for at in wanted {
        by_file.entry(at.file).or_default().push(at.position);
    }
    let mut found = HashMap::with_capacity(wanted.len());
    for (file, positions) in by_file {
        let Ok(reader) = pinned.open(&pinned.files[file.0 as usize], fields).await else { continue };
        let mut items = reader.rows_at(&positions);
        while let Some(item) = items.next().await {
            let ScanItem::Rows(rows) = item else { continue };
            let columns: Vec<ArrayRef> = rows.batch.columns().to_vec();
            for row in 0..rows.batch.num_rows() {
                let values = columns.iter().zip(fields).map(|(array, field)| Value::from_arrow(array, row, &field.ty));
                found.insert(RowAt { file, position: rows.positions.get(row) }, values.collect());
            }
        }
    }
    found
}

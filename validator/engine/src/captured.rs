//! Values that the drill has read anyway: of messages and rows that differ, kept for their findings.
//!
//! Contract: at most [`CAPTURED_BYTES_MAX`]; what goes beyond is read once more when its finding is made.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::iter;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow_array::{Array, ArrayRef};
use arrow_schema::SortOptions;
use datafusion::arrow::array::{DynComparator, make_comparator};
use validator_core::damage::Cell;
use validator_core::position::{MessageAt, PartitionIndex, RowAt};
use validator_core::schema::Field;
use validator_core::value::Value;

use crate::binding::Binding;
use crate::limits::{CAPTURED_BYTES_MAX, NEAR_OFFSETS};
use crate::message_batch::MessageBatch;
use crate::place_hasher::PlaceHasher;
use crate::row_reader::RowBatch;
use crate::values::Values;

/// Batches of both sides as they come.
#[derive(Debug, Default)]
pub struct Captured {
    messages: Mutex<Vec<MessageBatch>>,
    rows: Mutex<Vec<RowBatch>>,
    bytes: AtomicUsize,
}

/// The same, by position.
#[derive(Debug, Default)]
pub struct CapturedValues {
    messages: Vec<MessageBatch>,
    rows: Vec<RowBatch>,
    message_at: HashMap<MessageAt, (u32, u32), BuildHasherDefault<PlaceHasher>>,
    row_at: HashMap<RowAt, (u32, u32), BuildHasherDefault<PlaceHasher>>,
}

impl Captured {
    /// Keeps a batch of messages.
    pub fn add_messages(&self, batch: MessageBatch) {
        if self.has_room(&batch.columns, &batch.originals) {
            self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
        }
    }

    /// Keeps a batch of rows.
    pub fn add_rows(&self, batch: RowBatch) {
        if self.has_room(&batch.columns, &batch.originals) {
            self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
        }
    }

    fn has_room(&self, columns: &[ArrayRef], originals: &[(usize, ArrayRef)]) -> bool {
        let arrays = columns.iter().chain(originals.iter().map(|(_, array)| array));
        let bytes: usize = arrays.map(|column| column.get_array_memory_size()).sum();
        columns.first().is_some_and(|column| !column.is_empty())
            && self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= CAPTURED_BYTES_MAX
    }

    /// Takes them out, by position.
    pub fn take(&self) -> CapturedValues {
        let messages = std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner));
        let rows = std::mem::take(&mut *self.rows.lock().unwrap_or_else(PoisonError::into_inner));
        let mut values = CapturedValues { messages, rows, ..CapturedValues::default() };
        for (batch, messages) in (0..).zip(&values.messages) {
            let places = messages.partition.iter().zip(&messages.offset);
            let at =
                places.map(|(partition, offset)| MessageAt { partition: PartitionIndex(*partition), offset: *offset });
            values.message_at.extend(at.zip((0..).map(|row| (batch, row))));
        }
        for (batch, rows) in (0..).zip(&values.rows) {
            values.row_at.extend(rows.at.iter().copied().zip((0..).map(|row| (batch, row))));
        }
        values
    }
}

impl CapturedValues {
    /// The values of a message, before any tolerance.
    pub fn message(&self, at: MessageAt, binding: &Binding) -> Option<Values> {
        let (batch, row) = self.message_at.get(&at)?;
        Some(self.messages[*batch as usize].values(*row as usize, binding))
    }

    /// The columns in which a message and the row that it is compared with may differ: of all others both have the same.
    /// `None` where one of them was not captured.
    pub fn pair(&self, (message, row): (MessageAt, RowAt), cells: &mut Cells, fields: &[Field]) -> Option<Vec<Cell>> {
        let ((of_message, message), (of_row, row)) = (*self.message_at.get(&message)?, *self.row_at.get(&row)?);
        let (messages, rows) = (&self.messages[of_message as usize], &self.rows[of_row as usize]);
        let (message, row) = (message as usize, row as usize);
        let compare = cells.of((of_message, of_row), messages, rows);
        let is_same = |column: usize| {
            compare[column].as_ref().is_some_and(|compare| compare(message, row).is_eq())
                && messages.mark(message, column).is_none()
        };
        let cell = |column: usize| Cell {
            column,
            message: messages.value((message, column), &fields[column].ty),
            row: Value::from_arrow(rows.shown(column), row, &fields[column].ty),
        };
        Some((0..fields.len()).filter(|column| !is_same(*column)).map(cell).collect())
    }

    /// The values of a row, as the table has them.
    pub fn row(&self, at: RowAt, fields: &[Field]) -> Option<Values> {
        let (batch, row) = self.row_at.get(&at)?;
        let rows = &self.rows[*batch as usize];
        let value = |(index, field): (usize, &Field)| Value::from_arrow(rows.shown(index), *row as usize, &field.ty);
        Some(fields.iter().enumerate().map(value).collect())
    }
}

/// Compares cells of captured pairs where they lie, batch by batch.
#[derive(Default)]
pub struct Cells {
    by_batches: HashMap<(u32, u32), Vec<Option<DynComparator>>>,
}

impl Cells {
    /// By column; none where they cannot be compared so.
    fn of(&mut self, at: (u32, u32), messages: &MessageBatch, rows: &RowBatch) -> &[Option<DynComparator>] {
        let compare = |column| {
            let (message, row) = (messages.shown(column), rows.shown(column));
            make_comparator(message, row, SortOptions::default()).ok()
        };
        self.by_batches.entry(at).or_insert_with(|| (0..messages.columns.len()).map(compare).collect())
    }
}

/// Runs of near offsets, by partition; `wanted` ascends.
pub fn near(wanted: impl IntoIterator<Item = MessageAt>) -> Vec<(PartitionIndex, Vec<Range<i64>>)> {
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

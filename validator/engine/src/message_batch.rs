//! A batch of messages as the rows they should be, with what is known of each.

use std::collections::HashMap;

use arrow_array::builder::BinaryBuilder;
use arrow_array::{ArrayRef, BinaryArray};
use validator_core::encode::inexact_bytes;
use validator_core::judge::MessageState;
use validator_core::schema::Type;
use validator_core::value::Value;

use crate::binding::{Binding, BoundColumn};
use crate::mapping::Mark;
use crate::selection::Selection;
use crate::values::Values;

/// Messages of one or several partitions, mapped. Row `i` of every column belongs to message `i`.
#[derive(Debug)]
pub struct MessageBatch {
    /// Partition indexes of the run.
    pub partition: Vec<u32>,
    /// Offsets.
    pub offset: Vec<i64>,
    /// Kafka timestamps, milliseconds since the epoch.
    pub timestamp_ms: Vec<Option<i64>>,
    /// Judged, undecodable or excluded.
    pub states: Vec<MessageState>,
    /// The bound columns.
    pub columns: Vec<ArrayRef>,
    /// Inexact values, ascending by row and column.
    pub marks: Vec<Mark>,
    /// The bound columns that a tolerance changed, as they were: index and array. `columns` has the canonical forms.
    pub originals: Vec<(usize, ArrayRef)>,
    /// Values that only a tolerance made exact, ascending by row and column.
    pub settled: Vec<Mark>,
    /// Messages whose failure lies in the payload: nothing of their identity is known.
    pub fieldless: Vec<bool>,
    /// Those of them whose Kafka key names the identity; empty where none is asked.
    pub named: Vec<bool>,
    /// Every (message, column) that could not be mapped.
    pub failed_cells: Vec<(usize, usize)>,
    /// Why a message is undecodable, ascending by row.
    pub details: Vec<(usize, String)>,
}

impl MessageBatch {
    /// Messages in the batch.
    pub fn len(&self) -> usize {
        self.offset.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.offset.is_empty()
    }

    /// Whether neither its payload nor its Kafka key tells the identity of a message.
    pub fn is_nameless(&self, row: usize) -> bool {
        self.fieldless[row] && !self.named.get(row).is_some_and(|named| *named)
    }

    /// Whether all messages are judged: the common case.
    pub fn all_judged(&self) -> bool {
        self.states.iter().all(|state| *state == MessageState::Judged)
    }

    /// The marks of the columns that `counts` holds, one value per message, for a digest; `None` without any.
    pub fn inexact(&self, counts: impl Fn(usize) -> bool) -> Option<BinaryArray> {
        let sorted: Vec<&Mark> = self.marks.iter().filter(|mark| counts(mark.column)).collect();
        sorted.first()?;
        let mut builder = BinaryBuilder::new();
        let mut at = 0;
        for row in 0..self.len() {
            let end = at + sorted[at..].iter().take_while(|mark| mark.row == row).count();
            let poison = sorted[at..end].iter().map(|mark| (mark.column as i32, mark.text.as_str()));
            builder.append_option((end > at).then(|| inexact_bytes(poison)));
            at = end;
        }
        Some(builder.finish())
    }

    /// A bound column as the message has it, before any tolerance: what people are shown.
    pub fn shown(&self, column: usize) -> &ArrayRef {
        let original = self.originals.iter().find(|(index, _)| *index == column);
        original.map_or(&self.columns[column], |(_, array)| array)
    }

    /// These messages of the batch, ascending.
    pub fn select(&self, rows: &[usize]) -> Self {
        let place: HashMap<usize, usize> = rows.iter().copied().zip(0..).collect();
        let placed = |mark: &Mark| Some(Mark { row: *place.get(&mark.row)?, ..mark.clone() });
        let failed = self.failed_cells.iter().filter_map(|(row, column)| Some((*place.get(row)?, *column)));
        let details = self.details.iter().filter_map(|(row, why)| Some((*place.get(row)?, why.clone())));
        let (columns, originals) = match rows.len() == self.len() {
            true => (self.columns.clone(), self.originals.clone()),
            false => {
                let selection = Selection::new(self.len(), rows);
                (selection.columns(&self.columns), selection.originals(&self.originals))
            }
        };
        Self {
            marks: self.marks.iter().filter_map(placed).collect(),
            settled: self.settled.iter().filter_map(placed).collect(),
            failed_cells: failed.collect(),
            details: details.collect(),
            partition: rows.iter().map(|row| self.partition[*row]).collect(),
            offset: rows.iter().map(|row| self.offset[*row]).collect(),
            timestamp_ms: rows.iter().map(|row| self.timestamp_ms[*row]).collect(),
            states: rows.iter().map(|row| self.states[*row]).collect(),
            fieldless: rows.iter().map(|row| self.fieldless[*row]).collect(),
            named: if self.named.is_empty() { Vec::new() } else { rows.iter().map(|row| self.named[*row]).collect() },
            columns,
            originals,
        }
    }

    /// The values of a message as it has them, in the order of the bound columns.
    pub fn values(&self, row: usize, binding: &Binding) -> Values {
        let value = |(index, column): (usize, &BoundColumn)| self.value((row, index), &column.field.ty);
        binding.columns.iter().enumerate().map(value).collect()
    }

    /// One of them: row and column.
    pub fn value(&self, (row, column): (usize, usize), ty: &Type) -> Value {
        match self.mark(row, column) {
            Some(text) => Value::Inexact(text.to_owned()),
            None => Value::from_arrow(self.shown(column), row, ty),
        }
    }

    /// The source text of an inexact value of that row and column.
    pub fn mark(&self, row: usize, column: usize) -> Option<&str> {
        let found = |marks: &[Mark]| marks.binary_search_by_key(&(row, column), |mark| (mark.row, mark.column)).ok();
        let mark = found(&self.marks).map(|at| &self.marks[at]);
        mark.or_else(|| found(&self.settled).map(|at| &self.settled[at])).map(|mark| mark.text.as_str())
    }
}

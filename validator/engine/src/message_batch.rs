//! A batch of messages as the rows they should be, with what is known of each.

use arrow_array::builder::BinaryBuilder;
use arrow_array::{ArrayRef, BinaryArray};
use validator_core::encode::inexact_bytes;
use validator_core::judge::MessageState;

use crate::mapping::Mark;

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
    /// Inexact values, ascending by row.
    pub marks: Vec<Mark>,
    /// The bound columns that a tolerance changed, as they were: index and array. `columns` has the canonical forms.
    pub originals: Vec<(usize, ArrayRef)>,
    /// Values that only a tolerance made exact.
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
        let mut marks = self.marks.iter().filter(|mark| counts(mark.column)).peekable();
        marks.peek()?;
        let mut sorted: Vec<&Mark> = marks.collect();
        sorted.sort_by_key(|mark| (mark.row, mark.column));
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

    /// The source text of an inexact value of that row and column.
    pub fn mark(&self, row: usize, column: usize) -> Option<&str> {
        let found = self.marks.iter().chain(&self.settled).find(|mark| mark.row == row && mark.column == column);
        found.map(|mark| mark.text.as_str())
    }
}

//! Entries for the judge: of each message and row only what pairing needs.

use std::collections::BTreeSet;

use arrow_array::ArrayRef;
use validator_core::encode::EncodeError;
use validator_core::judge::{MessageEntry, MessageState, RowEntry};
use validator_core::position::{MessageAt, PartitionIndex, RowAt};

use crate::identity::IdentityDigests;
use crate::losses::Losses;
use crate::message_batch::MessageBatch;
use crate::segments::RowPlace;

/// The entries of a batch's messages, for which `wanted` is true.
///
/// # Errors
/// Columns that are not of the bound types.
pub fn of_messages(
    batch: &MessageBatch,
    digests: &IdentityDigests,
    by_position: bool,
    losses: &Losses,
    wanted: impl Fn(usize) -> bool,
) -> Result<Vec<MessageEntry>, EncodeError> {
    let wanted: Vec<usize> = (0..batch.len()).filter(|row| wanted(*row)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let all = digests.all(batch.len(), &batch.columns, |counts| batch.inexact(counts))?;
    let marked: BTreeSet<usize> = batch.marks.iter().map(|mark| mark.row).collect();
    let rest_marked: BTreeSet<usize> =
        batch.marks.iter().filter(|mark| digests.in_rest(mark.column)).map(|mark| mark.row).collect();
    let nameless: BTreeSet<usize> =
        batch.failed_cells.iter().filter(|(_, column)| digests.in_identity(*column)).map(|(row, _)| *row).collect();
    let entry = |row: usize| {
        let judged = batch.states[row] == MessageState::Judged;
        let known = by_position || !(batch.is_nameless(row) || nameless.contains(&row));
        MessageEntry {
            at: MessageAt { partition: PartitionIndex(batch.partition[row]), offset: batch.offset[row] },
            timestamp_ms: batch.timestamp_ms[row],
            identity: known.then_some(all.identity[row]),
            digest: (judged && !marked.contains(&row)).then_some(all.row[row]),
            rest: (judged && !rest_marked.contains(&row)).then_some(all.rest[row]),
            state: batch.states[row],
            loss: if judged { losses.of(&batch.columns, row) } else { None },
        }
    };
    Ok(wanted.into_iter().map(entry).collect())
}

/// The entries of the rows `wanted`, in that order.
///
/// # Errors
/// Columns that are not of the bound types.
pub fn of_rows(
    columns: &[ArrayRef],
    at: &[RowAt],
    places: &[RowPlace],
    late: &[Option<bool>],
    digests: &IdentityDigests,
    wanted: &[usize],
) -> Result<Vec<RowEntry>, EncodeError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let all = digests.all(at.len(), columns, |_| None)?;
    let entry = |row: &usize| {
        let row = *row;
        RowEntry {
            at: at[row],
            identity: all.identity[row],
            digest: all.row[row],
            rest: all.rest[row],
            standing: places[row].standing,
            hole: places[row].hole,
            late: late[row] == Some(true),
        }
    };
    Ok(wanted.iter().map(entry).collect())
}

//! Entries for the judge: of each message and row only what pairing needs.

use std::collections::BTreeSet;

use validator_core::digest::Digest;
use validator_core::encode::EncodeError;
use validator_core::judge::{MessageEntry, MessageState, RowEntry};
use validator_core::position::{MessageAt, PartitionIndex};

use crate::identity::IdentityDigests;
use crate::losses::Losses;
use crate::message_batch::MessageBatch;
use crate::row_reader::RowBatch;

/// The entries of a batch's messages for which `wanted` is true.
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
    Ok(of_all_messages(&batch.select(&wanted), digests, by_position, losses)?.0)
}

/// The entries of all messages of a batch, and the digests that they have in their bags.
///
/// # Errors
/// Columns that are not of the bound types.
pub fn of_all_messages(
    batch: &MessageBatch,
    digests: &IdentityDigests,
    by_position: bool,
    losses: &Losses,
) -> Result<(Vec<MessageEntry>, Vec<Digest>), EncodeError> {
    if batch.is_empty() {
        return Ok(Default::default());
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
            rest: (judged && !rest_marked.contains(&row) && all.has_rest[row]).then_some(all.rest[row]),
            state: batch.states[row],
            loss: if judged { losses.of(&batch.columns, row) } else { None },
            stood: false,
        }
    };
    Ok(((0..batch.len()).map(entry).collect(), all.row))
}

/// The entries of the rows of a batch.
///
/// # Errors
/// Columns that are not of the bound types.
pub fn of_rows(batch: &RowBatch, digests: &IdentityDigests) -> Result<Vec<RowEntry>, EncodeError> {
    if batch.at.is_empty() {
        return Ok(Vec::new());
    }
    let all = digests.all(batch.at.len(), &batch.columns, |_| None)?;
    let entry = |row: usize| RowEntry {
        at: batch.at[row],
        identity: all.identity[row],
        digest: all.row[row],
        rest: all.rest[row],
        standing: batch.places[row].standing,
        hole: batch.places[row].hole,
        late: batch.late[row] == Some(true),
    };
    Ok((0..batch.at.len()).map(entry).collect())
}

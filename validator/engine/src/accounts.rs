//! From books, observations and judgement to the counts of the whole run.
//!
//! Contract: what balanced segments prove and what the judge decided add up to what was consumed and read
//! (I1); both sides are counted apart, so the check can fail.

use std::collections::BTreeMap;

use validator_core::accounting::{Accounts, PartitionAccount};
use validator_core::books::Books;
use validator_core::judge::{Judgement, MessageTally, RowTally};
use validator_core::position::PartitionIndex;
use validator_core::segment::SegmentKey;

use crate::bag_plan::RowBag;
use crate::kept::Agreed;
use crate::message_reader::MessageSide;
use crate::observations::Observations;
use crate::segment_exec::RowCensus;

/// What is proven: all of the balanced segments, and of the disputed ones the identities that agree.
#[derive(Debug, Default)]
pub struct Balanced {
    /// Messages, each with its one equal row.
    pub intact: u64,
    /// The same by partition; only in mode `offset`, where a segment is of one partition.
    pub by_partition: BTreeMap<PartitionIndex, u64>,
    /// Of them, late ones.
    pub late: u64,
}

impl Balanced {
    /// Counts the balanced segments of `books`.
    pub fn of(books: &Books, rows: &[RowBag]) -> Self {
        let mut balanced = Self::default();
        for (segment, account) in books.iter().filter(|(_, account)| account.is_balanced()) {
            balanced.intact += account.debit.count;
            if let SegmentKey::Offsets { partition, .. } = segment {
                *balanced.by_partition.entry(*partition).or_default() += account.debit.count;
            }
        }
        let is_balanced = |row: &&RowBag| books.account(&row.segment).is_some_and(|account| account.is_balanced());
        balanced.late = rows.iter().filter(is_balanced).map(|row| row.late).sum();
        balanced
    }

    /// Adds what the identities of disputed segments agree on.
    pub fn add(&mut self, agreed: &BTreeMap<PartitionIndex, Agreed>, by_offset: bool) {
        for (partition, agreed) in agreed {
            self.intact += agreed.messages;
            self.late += agreed.late;
            if by_offset {
                *self.by_partition.entry(*partition).or_default() += agreed.messages;
            }
        }
    }
}

/// The counts of the run and how many intact messages are late. `rows_beside` are rows of disputed segments that lie
/// beside the run's windows and that the drill left aside.
pub fn accounts(
    side: &MessageSide,
    seen: &Observations,
    census: &RowCensus,
    balanced: &Balanced,
    judgement: &Judgement,
    rows_beside: u64,
) -> (Accounts, u64) {
    let by_offset = !balanced.by_partition.is_empty() || balanced.intact == 0;
    let mut partitions = Vec::new();
    let mut total = MessageTally::default();
    let mut late = balanced.late;
    for (index, (range, seen)) in side.tap.partitions().iter().zip(&seen.partitions).enumerate() {
        let partition = PartitionIndex(index as u32);
        let mut tally = judgement.messages.get(&partition).copied().unwrap_or_default();
        let moved = judgement.moved_from_intact.get(&partition).copied().unwrap_or_default();
        late = (late + tally.late).saturating_sub(moved.late);
        tally.late = 0;
        tally.excluded = seen.excluded.values().sum();
        // Those of them that dead letters name are diverted.
        let diverted = judgement.diverted_undecodable.get(&partition).copied().unwrap_or(0);
        tally.undecodable = seen.undecodable.values().sum::<u64>() - diverted;
        tally.intact += match by_offset {
            true => balanced.by_partition.get(&partition).copied().unwrap_or(0) - moved.messages,
            false => seen.consumed.saturating_sub(tally.total()),
        };
        total += tally;
        partitions.push(PartitionAccount { tp: range.tp.clone(), consumed: seen.consumed, messages: tally });
    }
    let rows = RowTally {
        intact: (judgement.rows.intact + balanced.intact) - judgement.total_moved_from_intact().messages,
        out_of_scope: census.out_of_scope + judgement.rows.out_of_scope + rows_beside,
        ..judgement.rows
    };
    (Accounts { partitions, messages: total, rows_read: census.rows, rows }, late)
}

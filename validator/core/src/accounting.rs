//! Invariant I1: what was consumed and what was read is what the verdicts add up to, per partition and in total.
//!
//! Contract: checked in release too, before a report leaves the process; a violation is our own fault, never the
//! input's. Source: design.md §3 and §5.

use crate::judge::{MessageTally, RowTally};
use crate::position::TopicPartition;

/// The counts of a run, each side counted apart: what came in, and the verdicts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// By partition.
    pub partitions: Vec<PartitionAccount>,
    /// Messages by verdict, all partitions.
    pub messages: MessageTally,
    /// Rows read from live files, in scope and out of it, each live entry of a file once.
    pub rows_read: u64,
    /// Rows by verdict.
    pub rows: RowTally,
}

/// The counts of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionAccount {
    /// Which.
    pub tp: TopicPartition,
    /// Messages that the tap handed over.
    pub consumed: u64,
    /// Messages by verdict.
    pub messages: MessageTally,
}

/// A violation of I1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Imbalance {
    /// The eleven verdicts of a partition do not add up.
    #[error("I1 violated in {tp}: {consumed} messages consumed, {judged} verdicts")]
    Partition {
        /// Which partition.
        tp: TopicPartition,
        /// Messages consumed.
        consumed: u64,
        /// Sum of the eleven verdicts.
        judged: u64,
    },
    /// The total is not the sum of the partitions.
    #[error("I1 violated in total: the partitions have {partitions:?}, the total says {total:?}")]
    Total {
        /// The sum of the partitions.
        partitions: Box<MessageTally>,
        /// What the total says.
        total: Box<MessageTally>,
    },
    /// The verdicts on rows do not add up.
    #[error("I1 violated in the table: {read} rows read, {judged} verdicts")]
    Rows {
        /// Rows read.
        read: u64,
        /// Sum of the verdicts, `out_of_scope` included.
        judged: u64,
    },
    /// Messages and rows of one verdict do not fit each other.
    #[error("I1 violated between the sides: {what}: {messages} messages, {rows} rows")]
    Sides {
        /// The verdict, and what it asks for.
        what: &'static str,
        /// Messages of it.
        messages: u64,
        /// Rows of it.
        rows: u64,
    },
}

impl Accounts {
    /// Checks every equation of I1.
    ///
    /// # Errors
    /// The first one violated, by partition.
    pub fn check(&self) -> Result<(), Imbalance> {
        let mut sum = MessageTally::default();
        for partition in &self.partitions {
            let (consumed, judged) = (partition.consumed, partition.messages.total());
            if consumed != judged {
                return Err(Imbalance::Partition { tp: partition.tp.clone(), consumed, judged });
            }
            sum += partition.messages;
        }
        if sum != self.messages {
            return Err(Imbalance::Total { partitions: Box::new(sum), total: Box::new(self.messages) });
        }
        let judged = self.rows.total() + self.rows.out_of_scope;
        if self.rows_read != judged {
            return Err(Imbalance::Rows { read: self.rows_read, judged });
        }
        self.check_sides()
    }

    /// Stops the process on a violation: a report whose sums do not hold must not leave it.
    ///
    /// # Panics
    /// When I1 does not hold; the message names the partition and both counts.
    pub fn assert_balanced(&self) {
        if let Err(imbalance) = self.check() {
            panic!("{imbalance}");
        }
    }

    fn check_sides(&self) -> Result<(), Imbalance> {
        let (messages, rows) = (&self.messages, &self.rows);
        let equations = [
            ("intact, one row each", messages.intact, rows.intact, messages.intact == rows.intact),
            ("corrupted, one row each", messages.corrupted, rows.corrupted, messages.corrupted == rows.corrupted),
            (
                "duplicated, more than one row each",
                messages.duplicated,
                rows.copies,
                rows.copies / 2 >= messages.duplicated,
            ),
            (
                "copies only of duplicated",
                messages.duplicated,
                rows.copies,
                messages.duplicated > 0 || rows.copies == 0,
            ),
            ("late among intact", messages.late, rows.intact, messages.late <= messages.intact),
            (
                "differing among duplicated",
                messages.duplicated_differing,
                rows.copies,
                messages.duplicated_differing <= messages.duplicated,
            ),
            (
                "faithful among duplicated",
                messages.duplicated_faithful,
                rows.copies,
                messages.duplicated_faithful <= messages.duplicated,
            ),
        ];
        match equations.into_iter().find(|(.., holds)| !holds) {
            Some((what, messages, rows, _)) => Err(Imbalance::Sides { what, messages, rows }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        let first = MessageTally { intact: 3, missing: 1, ..Default::default() };
        let second = MessageTally { duplicated: 1, duplicated_faithful: 1, ..Default::default() };
        let account = |partition, consumed, messages| PartitionAccount {
            tp: TopicPartition { topic: "trades".into(), partition },
            consumed,
            messages,
        };
        let mut messages = first;
        messages += second;
        Accounts {
            partitions: vec![account(0, 4, first), account(1, 1, second)],
            messages,
            rows_read: 6,
            rows: RowTally { intact: 3, copies: 2, out_of_scope: 1, ..Default::default() },
        }
    }

    #[test]
    fn balanced_accounts_pass() {
        assert_eq!(accounts().check(), Ok(()));
        accounts().assert_balanced();
    }

    #[test]
    fn a_message_without_verdict_names_its_partition() {
        let mut broken = accounts();
        broken.partitions[1].consumed = 2;
        let imbalance = broken.check().expect_err("one message has no verdict");
        assert_eq!(imbalance.to_string(), "I1 violated in trades[1]: 2 messages consumed, 1 verdicts");
    }

    #[test]
    #[should_panic(expected = "I1 violated in the table: 7 rows read, 6 verdicts")]
    fn a_row_without_verdict_stops_the_process() {
        let mut broken = accounts();
        broken.rows_read = 7;
        broken.assert_balanced();
    }

    #[test]
    fn a_total_that_is_not_the_sum_is_seen() {
        let mut broken = accounts();
        broken.messages.late += 1;
        assert!(matches!(broken.check(), Err(Imbalance::Total { .. })));
    }

    #[test]
    fn sides_that_do_not_fit_are_seen() {
        let move_rows = |change: fn(&mut RowTally)| {
            let mut broken = accounts();
            change(&mut broken.rows);
            broken.rows_read = broken.rows.total() + broken.rows.out_of_scope;
            broken.check().expect_err("the sides do not fit").to_string()
        };
        let one_less = move_rows(|rows| rows.intact -= 1);
        assert_eq!(one_less, "I1 violated between the sides: intact, one row each: 3 messages, 2 rows");
        assert!(move_rows(|rows| rows.copies = 1).contains("duplicated, more than one row each"));
        assert!(move_rows(|rows| rows.corrupted = 1).contains("corrupted, one row each"));
    }
}

//! Whether the contract is probably wrong, and not the data: nearly all of the first messages differ in one column.
//!
//! Contract: the first messages are those of the first offsets of each partition that is read, `FIRST_MESSAGES` in all in
//! equal shares; of them, the judged ones count. It is a notice and changes no verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use validator_core::finding::Finding;
use validator_core::hole::Hole;
use validator_core::position::PartitionIndex;
use validator_core::verdict::{MessageVerdict, Verdict};
use validator_tap::{Message, PartitionRange, ReadEnd, RowSource, Schemas, Tap, TapError, Wanted};

use crate::limits::{FIRST_MESSAGES, FIRST_MESSAGES_LEAST};

/// A column in which nearly all of the first messages differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// The column.
    pub column: String,
    /// Messages that differ in it.
    pub differing: u64,
    /// Judged messages among the first.
    pub of: u64,
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, differing, of } = self;
        write!(
            f,
            "{differing} of the first {of} messages differ in column {column}: probably the contract is wrong, not the data"
        )
    }
}

/// One past the first offsets of each partition.
pub fn heads(partitions: &[PartitionRange]) -> Vec<i64> {
    let read = partitions.iter().filter(|range| range.from < range.to).count();
    let share = FIRST_MESSAGES.div_ceil(read.max(1) as u64);
    let head = |range: &PartitionRange| {
        let first = range.from.max(range.log_start).max(range.start.unwrap_or(0));
        first.saturating_add_unsigned(share).min(range.to)
    };
    partitions.iter().map(head).collect()
}

/// Counts the first messages that differ, by column.
#[derive(Debug)]
pub struct Suspects {
    /// One past the first offsets of each partition.
    heads: BTreeMap<(String, i32), i64>,
    by_column: BTreeMap<String, u64>,
}

impl Suspects {
    /// None so far.
    pub fn new(partitions: &[PartitionRange]) -> Self {
        let heads = partitions.iter().zip(heads(partitions));
        let heads = heads.map(|(range, head)| ((range.tp.topic.clone(), range.tp.partition), head)).collect();
        Self { heads, by_column: BTreeMap::new() }
    }

    /// Looks at a finding.
    pub fn look(&mut self, finding: &Finding) {
        if finding.verdict != Verdict::Message(MessageVerdict::Corrupted) {
            return;
        }
        let (Some(topic), Some(partition), Some(offset)) = (&finding.topic, finding.partition, finding.offset) else {
            return;
        };
        // Few partitions: a search without a key of its own.
        let head = self.heads.iter().find(|((of, number), _)| *number == partition && of == topic);
        if head.is_some_and(|(_, head)| offset < *head) {
            let columns: BTreeSet<&str> = finding.columns.iter().map(|column| whole(&column.name)).collect();
            columns.into_iter().for_each(|column| *self.by_column.entry(column.to_owned()).or_default() += 1);
        }
    }

    /// The column that nearly all of `judged` first messages differ in, if there is one.
    pub fn suspect(self, judged: u64) -> Option<Suspect> {
        let (column, differing) = self.by_column.into_iter().max_by_key(|(_, messages)| *messages)?;
        // Nearly all: 95 of 100.
        let is_rule = judged >= FIRST_MESSAGES_LEAST && differing * 100 >= judged * 95;
        is_rule.then_some(Suspect { column, differing, of: judged })
    }
}

/// The column itself, without the leaf in it.
fn whole(name: &str) -> &str {
    name.split(['.', '[']).next().unwrap_or(name)
}

/// A source cut to its first messages: what `--stop-if-contract` looks at before it reads the rest.
#[derive(Debug)]
pub struct FirstMessages {
    inner: Arc<dyn Tap>,
    partitions: Vec<PartitionRange>,
}

impl FirstMessages {
    /// The first messages of a source.
    pub fn of(inner: Arc<dyn Tap>) -> Self {
        let cut = |(range, head): (&PartitionRange, i64)| PartitionRange {
            to: head.max(range.from),
            ends_at_now: range.ends_at_now && head >= range.to,
            ..range.clone()
        };
        let partitions = inner.partitions().iter().zip(heads(inner.partitions())).map(cut).collect();
        Self { inner, partitions }
    }
}

impl Tap for FirstMessages {
    fn partitions(&self) -> &[PartitionRange] {
        &self.partitions
    }

    fn read(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError> {
        self.inner.read(wanted, each)
    }

    fn explain(&self, gaps: &[(PartitionIndex, Range<i64>)]) -> Result<Vec<(PartitionIndex, Hole)>, TapError> {
        self.inner.explain(gaps)
    }

    fn compacted(&self, topic: &str) -> Option<bool> {
        self.inner.compacted(topic)
    }

    fn schemas(&self) -> Option<Arc<Schemas>> {
        self.inner.schemas()
    }

    fn rows(&self) -> Option<&dyn RowSource> {
        self.inner.rows()
    }
}

#[cfg(test)]
mod tests {
    use validator_core::position::TopicPartition;

    use super::*;

    fn range(partition: i32, from: i64, to: i64) -> PartitionRange {
        PartitionRange {
            tp: TopicPartition { topic: "trades".to_owned(), partition },
            log_start: 0,
            high_watermark: to,
            last_stable: to,
            from,
            to,
            start: None,
            starts_at_first: false,
            ends_at_now: true,
            listed: true,
        }
    }

    fn suspect(differing: u64, judged: u64) -> Option<Suspect> {
        let by_column = [("price".to_owned(), differing), ("side".to_owned(), 1)].into();
        Suspects { heads: BTreeMap::new(), by_column }.suspect(judged)
    }

    #[test]
    fn the_first_messages_are_shared_among_the_partitions_that_are_read() {
        assert_eq!(heads(&[range(0, 0, 1_000_000)]), [10_000]);
        assert_eq!(heads(&[range(0, 500, 1_000_000), range(1, 7, 7), range(2, 0, 90)]), [5_500, 7, 90]);
        let trimmed = PartitionRange { log_start: 600, ..range(0, 500, 1_000_000) };
        assert_eq!(heads(&[trimmed]), [10_600], "what is gone is none of the first");
        let declared = PartitionRange { start: Some(2_000), ..range(0, 500, 1_000_000) };
        assert_eq!(heads(&[declared]), [12_000], "what is excluded is none of the first");
    }

    #[test]
    fn nearly_all_is_95_of_100_and_20_at_least() {
        let found = suspect(9_500, 10_000).map(|suspect| (suspect.column, suspect.differing, suspect.of));
        assert_eq!(found, Some(("price".to_owned(), 9_500, 10_000)));
        assert_eq!(suspect(9_499, 10_000), None);
        assert_eq!(suspect(20, 20).map(|suspect| suspect.of), Some(20));
        assert_eq!(suspect(19, 19), None);
    }
}

//! Findings as a plan needs them, from the ledger or from a file of `reconcile`.

use std::ops::Range;

use validator_core::finding::{Finding, RowPlace};
use validator_core::position::TopicPartition;
use validator_core::verdict::{Cause, Verdict};
use validator_ledger::{FindingRow, Place, RunRow, is_nameless};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What is true.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// What it is about.
    pub about: About,
    /// Its rows.
    pub rows: Vec<RowPlace>,
    /// All n rows of a duplicated message.
    pub copies: u64,
    /// The message's Kafka timestamp, where it is known.
    pub timestamp_ms: Option<i64>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A message.
    Message {
        /// Its partition.
        tp: TopicPartition,
        /// Its offset.
        offset: i64,
    },
    /// Messages of a partition.
    Run {
        /// Their partition.
        tp: TopicPartition,
        /// Each offset in them is one.
        offsets: Vec<Range<i64>>,
    },
    /// Messages whose offsets are not known one by one.
    Unknown {
        /// Their partition.
        tp: TopicPartition,
        /// Where they are.
        range: Option<(i64, i64)>,
        /// Why not.
        why: String,
    },
    /// A row alone.
    Row,
    /// A file or the table: nothing to be replayed.
    Table,
}

impl Told {
    /// Of a finding of the ledger.
    pub fn of_row(row: &FindingRow) -> Self {
        let place = |(file, position): &(String, u64)| {
            let position = (!is_nameless(file)).then_some(*position);
            RowPlace { file: file.clone(), position }
        };
        let mut rows: Vec<RowPlace> = row.rows.iter().map(place).collect();
        let about = match &row.place {
            Place::Message { tp, offset } => About::Message { tp: tp.clone(), offset: *offset },
            Place::Row { file, position } => {
                rows = vec![RowPlace { file: file.clone(), position: Some(*position) }];
                About::Row
            }
            Place::Table { .. } => About::Table,
        };
        Self { verdict: row.verdict, cause: row.cause, about, rows, copies: row.copies, timestamp_ms: row.timestamp_ms }
    }

    /// Of a whole segment of the ledger.
    pub fn of_run(run: &RunRow) -> Self {
        let tp = run.tp.clone();
        let about = if run.offsets.is_empty() {
            let (from, to, partition) = (run.from, run.upto, run.tp.partition);
            let why = format!(
                "{} of its messages are meant, and the ledger does not say which: `validator reconcile --from {partition}:{from} \
                 --to {partition}:{to} --findings FILE.jsonl` does",
                run.messages
            );
            About::Unknown { tp, range: Some((from, to)), why }
        } else {
            About::Run { tp, offsets: run.offsets.clone() }
        };
        Self { verdict: run.verdict, cause: run.cause, about, rows: Vec::new(), copies: 0, timestamp_ms: None }
    }

    /// Of a line of a file of findings.
    pub fn of_finding(finding: Finding) -> Self {
        let tp = finding.topic.zip(finding.partition).map(|(topic, partition)| TopicPartition { topic, partition });
        let about = match (tp, finding.offset) {
            (Some(tp), Some(offset)) => About::Message { tp, offset },
            (Some(tp), None) => About::Unknown { tp, range: None, why: finding.detail },
            (None, _) if finding.rows.first().is_some_and(|row| row.position.is_some()) => About::Row,
            (None, _) => About::Table,
        };
        let timestamp_ms = finding.timestamp.map(|at| at.0);
        let (verdict, cause, copies) = (finding.verdict, finding.cause, finding.copies);
        Self { verdict, cause, about, rows: finding.rows, copies, timestamp_ms }
    }
}

//! What the judge answers: counts, and a draft for each finding.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::case::LossKind;
use super::tally::{MessageTally, MovedFromIntact, RowTally};
use crate::hole::HoleReason;
#[cfg(doc)]
use crate::limits::CANDIDATES_MAX;
use crate::position::{MessageAt, PartitionIndex, RowAt};
use crate::verdict::{Cause, ExcludedCause, MessageVerdict, Verdict};

/// The verdicts on a case.
///
/// `messages` and `rows` count every entry of the case, excluded and undecodable messages too, and in addition the
/// messages of balanced segments that became duplicated, with their rows. Those are in `moved_from_intact`, which the
/// caller takes off the counts of the balanced segments: then the sums are exact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// By partition.
    pub messages: BTreeMap<PartitionIndex, MessageTally>,
    /// All rows of the case.
    pub rows: RowTally,
    /// Rows of the case that are out of scope, in order (file, position).
    pub rows_out_of_scope: Vec<RowAt>,
    /// By partition, what the balanced segments no longer have as intact.
    pub moved_from_intact: BTreeMap<PartitionIndex, MovedFromIntact>,
    /// Rows that show an older version of their key; each has a verdict of its own beside.
    pub stale: u64,
    /// Of the excluded messages in `messages`, by partition: those of which a later version takes the place.
    pub superseded: BTreeMap<PartitionIndex, u64>,
    /// Of the excluded messages in `messages`, by partition and cause: those that ask for a row, and whose row may be gone by what
    /// is declared.
    pub released: BTreeMap<(PartitionIndex, ExcludedCause), u64>,
    /// Of the diverted messages in `messages`, by partition: those that cannot be told either.
    pub diverted_undecodable: BTreeMap<PartitionIndex, u64>,
    /// Of the excluded messages in `messages`.
    pub excluded: BTreeMap<ExcludedCause, u64>,
    /// How many messages each loss explains: missing with cause `storage_corrupt`, or unobservable. Where they outnumber
    /// the rows of a corrupt part, its finding says so.
    pub losses: BTreeMap<LossKind, u64>,
    /// One for each finding: those of messages in order (partition, offset), then those of rows in order (file, position).
    pub drafts: Vec<Draft>,
}

impl Judgement {
    /// The counts of all partitions.
    pub fn total(&self) -> MessageTally {
        let mut total = MessageTally::default();
        for tally in self.messages.values() {
            total += *tally;
        }
        total
    }

    /// These messages' rows stand in a retained older snapshot: what was lost or overdue among them is missing, cause
    /// `removed`, whether or not the table has moved past it (interface.md §4, Withdrawn).
    pub fn mark_removed(&mut self, removed: &BTreeSet<MessageAt>) {
        for draft in &mut self.drafts {
            let Some(at) = draft.message.filter(|at| removed.contains(at)) else { continue };
            let is_overdue = draft.verdict == Verdict::Message(MessageVerdict::Overdue);
            if is_overdue {
                let tally = self.messages.get_mut(&at.partition).expect("each draft's message is counted");
                (tally.overdue, tally.missing) = (tally.overdue - 1, tally.missing + 1);
            } else if draft.cause != Some(Cause::Lost) {
                continue;
            }
            (draft.verdict, draft.cause) = (MessageVerdict::Missing.into(), Some(Cause::Removed));
        }
    }

    /// Adds the judgement of other entries of the same run; the drafts of both stay in order.
    pub fn add(&mut self, other: Self) {
        for (partition, tally) in other.messages {
            *self.messages.entry(partition).or_default() += tally;
        }
        self.rows += other.rows;
        self.rows_out_of_scope.extend(other.rows_out_of_scope);
        self.rows_out_of_scope.sort_unstable();
        for (partition, moved) in other.moved_from_intact {
            let all = self.moved_from_intact.entry(partition).or_default();
            all.messages += moved.messages;
            all.late += moved.late;
        }
        self.stale += other.stale;
        add(&mut self.superseded, other.superseded);
        add(&mut self.released, other.released);
        add(&mut self.diverted_undecodable, other.diverted_undecodable);
        add(&mut self.excluded, other.excluded);
        add(&mut self.losses, other.losses);
        self.drafts.extend(other.drafts);
        self.drafts.sort_by_key(Draft::place);
    }

    /// What moved out of the balanced segments, of all partitions.
    pub fn total_moved_from_intact(&self) -> MovedFromIntact {
        let mut total = MovedFromIntact::default();
        for moved in self.moved_from_intact.values() {
            total.messages += moved.messages;
            total.late += moved.late;
        }
        total
    }
}

fn add<K: Ord>(all: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (key, count) in more {
        *all.entry(key).or_default() += count;
    }
}

/// Where entries or a draft stand among others: messages in order (partition, offset), then rows without a message in
/// order (file, position).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A message.
    Message(MessageAt),
    /// A row.
    Row(RowAt),
    /// Neither.
    None,
}

impl Place {
    /// Of a message, else of its first row.
    pub fn of(message: Option<MessageAt>, row: Option<RowAt>) -> Self {
        message.map(Self::Message).or(row.map(Self::Row)).unwrap_or(Self::None)
    }
}

/// A finding without names and values: what the judge knows from digests alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// On a message, or `phantom` on a row.
    pub verdict: Verdict,
    /// None: of a corrupted message, named by comparing columns; of a verdict that has no causes.
    pub cause: Option<Cause>,
    /// The message; none for a phantom.
    pub message: Option<MessageAt>,
    /// Its Kafka timestamp.
    pub timestamp_ms: Option<i64>,
    /// Its rows in order (file, position); of one that cannot be told those set aside; of a phantom the row itself.
    pub rows: Vec<RowAt>,
    /// Pairs that differ and whose columns are to be named.
    pub compare: Vec<(MessageAt, RowAt)>,
    /// Those of `rows` that show an older version of their key.
    pub stale: Vec<RowAt>,
    /// The pair was made by step 3: the identity columns are what differs.
    pub identity_moved: bool,
    /// All n rows of a duplicated message, else 0.
    pub copies: u64,
    /// The lost part that explains a missing or unobservable message.
    pub loss: Option<LossKind>,
    /// The hole in which a phantom's offset lies.
    pub hole: Option<HoleReason>,
    /// Mode `content`: the equal messages that cannot be told from this one.
    pub equals: Option<Equals>,
}

impl Draft {
    /// Where it stands among others.
    pub fn place(&self) -> Place {
        Place::of(self.message, self.rows.first().copied())
    }
}

/// Messages of one content, two or more, of which one or several have a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equals {
    /// How many there are.
    pub messages: u64,
    /// The first [`CANDIDATES_MAX`] of them in order, shared by all of their findings.
    pub candidates: Arc<[MessageAt]>,
}

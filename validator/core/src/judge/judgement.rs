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
    /// Its rows in order (file, position); of an undecodable message those set aside; of a phantom the row itself.
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

/// Messages of one content, two or more, of which one or several have a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equals {
    /// How many there are.
    pub messages: u64,
    /// The first [`CANDIDATES_MAX`] of them in order, shared by all of their findings.
    pub candidates: Arc<[MessageAt]>,
}

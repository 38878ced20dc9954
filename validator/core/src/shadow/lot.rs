//! What one segment that is not balanced counts as.

use std::collections::BTreeSet;

use super::stage::Stage;
use super::upsert::Waiting;
use crate::digest::IdentityHash;
use crate::position::PartitionIndex;
use crate::verdict::{Cause, MessageVerdict};

/// A whole segment of one verdict: verdict, cause, messages.
pub type Run = (MessageVerdict, Option<Cause>, u64);

/// What the messages of one partition in a segment count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub partition: PartitionIndex,
    /// Of the segment's verdict.
    pub messages: u64,
    /// Of a disputed one: what agreed.
    pub intact: u64,
    pub late: u64,
    /// Of keys: what later ones took the place of.
    pub superseded: u64,
    /// Of keys: those that need not have a row any more, and have none.
    pub expired: u64,
    /// Of keys: those that a message may have taken the place of which nobody has read.
    pub unobservable: u64,
}

impl Part {
    /// No messages of a partition.
    pub fn of(partition: PartitionIndex) -> Self {
        Self { partition, messages: 0, intact: 0, late: 0, superseded: 0, expired: 0, unobservable: 0 }
    }
}

/// What one segment counts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lot {
    pub stage: Stage,
    /// Of a disputed one: whether all that was asked is read.
    pub is_read: bool,
    /// Of the messages of `parts`.
    pub verdict: MessageVerdict,
    pub parts: Vec<Part>,
    pub unjudged: u64,
    pub unobservable: u64,
    /// Of windows: late rows of which nobody knows which they are.
    pub late_unknown: u64,
    /// Of one to be drilled: whether it is known what its messages count as.
    pub is_told: bool,
    pub oldest_ms: Option<i64>,
    /// When it may count otherwise.
    pub turn_ms: Option<i64>,
    /// Of keys: the same by when rows are added.
    pub pass_ms: Option<i64>,
    /// Whether rows of it went.
    pub stays: bool,
    pub run: Option<Run>,
    /// Of keys: messages that are before the judge although no row of theirs is.
    pub waiting: Vec<Waiting>,
    /// Keys that are before the judge with their rows.
    pub apart: BTreeSet<IdentityHash>,
}

impl Lot {
    /// Of messages that wait, and no rows.
    pub fn new(stage: Stage, parts: Vec<Part>) -> Self {
        Self {
            stage,
            is_read: true,
            verdict: MessageVerdict::Pending,
            parts,
            unjudged: 0,
            unobservable: 0,
            late_unknown: 0,
            is_told: false,
            oldest_ms: None,
            turn_ms: None,
            pass_ms: None,
            stays: true,
            run: None,
            waiting: Vec::new(),
            apart: BTreeSet::new(),
        }
    }

    /// What is before the judge counts as it says.
    pub fn put_aside(&mut self) {
        for (message, _) in &self.waiting {
            let mut parts = self.parts.iter_mut();
            if let Some(part) = parts.find(|part| part.partition == message.at.partition) {
                part.messages -= 1;
            }
        }
    }

    /// Whether holes in the log decide what is said of it.
    pub fn asks_for_holes(&self) -> bool {
        self.is_in_question() || self.unobservable > 0 || self.parts.iter().any(|part| part.unobservable > 0)
    }

    pub fn is_in_question(&self) -> bool {
        !self.waiting.is_empty() || !self.apart.is_empty()
    }

    /// Messages of a verdict that is told, of which no finding says so.
    pub fn unlisted(&self) -> [(MessageVerdict, u64); 2] {
        let is_finding = is_finding(self.verdict);
        let of_verdict = if is_finding && self.run.is_none() { self.messages() } else { 0 };
        let unobservable = self.parts.iter().map(|part| part.unobservable).sum();
        [(self.verdict, of_verdict), (MessageVerdict::Unobservable, unobservable)]
    }

    /// Of the messages of a part, and of those beside them: those that need not have a row any more, and have none.
    pub fn expired(&self, part: &Part) -> u64 {
        part.expired + if self.verdict == MessageVerdict::Excluded { part.messages } else { 0 }
    }

    pub fn messages(&self) -> u64 {
        self.parts.iter().map(|part| part.messages).sum()
    }
}

/// Whether a finding says so of a message.
pub(super) fn is_finding(verdict: MessageVerdict) -> bool {
    !matches!(verdict, MessageVerdict::Pending | MessageVerdict::Intact | MessageVerdict::Excluded)
}

/// Why messages have a verdict that is that of a whole segment.
pub(super) fn cause_of(verdict: MessageVerdict) -> Option<Cause> {
    (verdict == MessageVerdict::Missing).then_some(Cause::Lost)
}

/// Whether the judge is asked the same of a segment of keys. Of those that are apart other versions may have come.
pub(super) fn is_asked_alike(one: Option<&Lot>, other: Option<&Lot>) -> bool {
    let [one, other] =
        [one, other].map(|lot| lot.map(|lot| (lot.apart.is_empty(), lot.waiting.as_slice())).unwrap_or((true, &[])));
    one.0 && other.0 && one.1 == other.1
}

//! Counts of verdicts: of messages (one partition or all), of rows, and what moves out of the balanced segments.

use std::ops::AddAssign;

use crate::verdict::{MessageVerdict, RowVerdict};

/// Messages by verdict. The eleven verdicts add up to what was consumed (I1); the last three count some of them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageTally {
    /// Not yet due.
    pub pending: u64,
    /// Exactly one row, equal.
    pub intact: u64,
    /// The row differs.
    pub corrupted: u64,
    /// More than one row.
    pub duplicated: u64,
    /// Lost.
    pub missing: u64,
    /// Lagging.
    pub overdue: u64,
    /// Row gone; 0 in a one-shot run.
    pub withdrawn: u64,
    /// In the dead-letter topic or table.
    pub diverted: u64,
    /// No row is asked for.
    pub excluded: u64,
    /// Not decodable or not mappable.
    pub undecodable: u64,
    /// Their side of the table cannot be read.
    pub unobservable: u64,
    /// Of the intact: those whose row came after settle.
    pub late: u64,
    /// Of the duplicated: those with a row that differs.
    pub duplicated_differing: u64,
    /// Of the duplicated: those with at least one equal row.
    pub duplicated_faithful: u64,
}

impl MessageTally {
    /// The count of one verdict.
    pub fn of(&self, verdict: MessageVerdict) -> u64 {
        let mut tally = *self;
        *tally.slot(verdict)
    }

    /// Counts `messages` more of one verdict.
    pub fn add(&mut self, verdict: MessageVerdict, messages: u64) {
        *self.slot(verdict) += messages;
    }

    /// Counts messages of one verdict in, or out again.
    pub(crate) fn count(&mut self, verdict: MessageVerdict, messages: u64, enters: bool) {
        let slot = self.slot(verdict);
        *slot = if enters { *slot + messages } else { *slot - messages };
    }

    /// The sum of the eleven verdicts.
    pub fn total(&self) -> u64 {
        MessageVerdict::ALL.iter().map(|verdict| self.of(*verdict)).sum()
    }

    fn slot(&mut self, verdict: MessageVerdict) -> &mut u64 {
        match verdict {
            MessageVerdict::Pending => &mut self.pending,
            MessageVerdict::Intact => &mut self.intact,
            MessageVerdict::Corrupted => &mut self.corrupted,
            MessageVerdict::Duplicated => &mut self.duplicated,
            MessageVerdict::Missing => &mut self.missing,
            MessageVerdict::Overdue => &mut self.overdue,
            MessageVerdict::Withdrawn => &mut self.withdrawn,
            MessageVerdict::Diverted => &mut self.diverted,
            MessageVerdict::Excluded => &mut self.excluded,
            MessageVerdict::Undecodable => &mut self.undecodable,
            MessageVerdict::Unobservable => &mut self.unobservable,
        }
    }
}

impl AddAssign for MessageTally {
    fn add_assign(&mut self, other: Self) {
        for verdict in MessageVerdict::ALL {
            self.add(*verdict, other.of(*verdict));
        }
        self.late += other.late;
        self.duplicated_differing += other.duplicated_differing;
        self.duplicated_faithful += other.duplicated_faithful;
    }
}

/// Rows by verdict; all but `out_of_scope` are in scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowTally {
    /// The one row of each intact message.
    pub intact: u64,
    /// The one row of each corrupted message.
    pub corrupted: u64,
    /// All n rows of each duplicated message.
    pub copies: u64,
    /// No message explains them.
    pub phantom: u64,
    /// They belong, or may belong, to undecodable messages.
    pub unjudged: u64,
    /// Their messages can no longer be read.
    pub unobservable: u64,
    /// The run does not ask about them.
    pub out_of_scope: u64,
}

impl RowTally {
    /// Rows in scope: `rows.total`.
    pub fn total(&self) -> u64 {
        self.intact + self.corrupted + self.copies + self.phantom + self.unjudged + self.unobservable
    }

    /// Counts `rows` more of one verdict; `misrouted` and `stale` stand beside these and are counted elsewhere.
    pub(crate) fn add(&mut self, verdict: RowVerdict, rows: u64) {
        match verdict {
            RowVerdict::Intact => self.intact += rows,
            RowVerdict::Corrupted => self.corrupted += rows,
            RowVerdict::Copies => self.copies += rows,
            RowVerdict::Phantom => self.phantom += rows,
            RowVerdict::Unjudged => self.unjudged += rows,
            RowVerdict::Unobservable => self.unobservable += rows,
            RowVerdict::OutOfScope => self.out_of_scope += rows,
            RowVerdict::Misrouted | RowVerdict::Stale => unreachable!("not a verdict of the judge on a row"),
        }
    }
}

impl AddAssign for RowTally {
    fn add_assign(&mut self, other: Self) {
        self.intact += other.intact;
        self.corrupted += other.corrupted;
        self.copies += other.copies;
        self.phantom += other.phantom;
        self.unjudged += other.unjudged;
        self.unobservable += other.unobservable;
        self.out_of_scope += other.out_of_scope;
    }
}

/// What balanced segments counted as intact and the judge counts as duplicated: to be taken off their counts.
///
/// `messages` is at once the number of rows to take off `rows.intact`: each had exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MovedFromIntact {
    /// Messages off `intact`, and as many rows off `rows.intact`.
    pub messages: u64,
    /// Of them, off `late`.
    pub late: u64,
}

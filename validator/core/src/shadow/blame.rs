//! Which step took a row away that stood.
//!
//! Contract: a step is named for a message only where it is certain that no other one did it: it is the only one that took
//! rows of the segment since the segment last balanced, or since it was last read whole. Else a message has a step that is
//! the last one in question.

use std::collections::BTreeMap;

use super::Shadow;
use super::event::{SnapshotFact, Step, Why};
use super::pack::{Reader, Writer};
use super::segment::Segment;
use crate::finding::Finding;
use crate::position::MessageAt;

/// How a step took rows away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Took {
    /// A commit of operation `append`.
    Append,
    /// A commit of operation `replace`, which should have kept all rows.
    Replace,
    /// A commit of operation `overwrite`.
    Overwrite,
    /// A commit of operation `delete`.
    Delete,
    /// A commit of an operation of another name.
    Other,
    /// The table was set back to a snapshot before; named is the last one that had the row.
    RolledBack,
    /// The table was dropped and made anew; named is the last snapshot of the old one.
    Recreated,
    /// Snapshots between were expired before they were seen; named is the first without the row.
    Between,
}

const ALL: [Took; 8] = [
    Took::Append,
    Took::Replace,
    Took::Overwrite,
    Took::Delete,
    Took::Other,
    Took::RolledBack,
    Took::Recreated,
    Took::Between,
];

/// A step that took rows away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taker {
    /// See [`Took`].
    pub snapshot: i64,
    /// How.
    pub took: Took,
}

/// What is known of who took a row away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blame {
    /// The last step that may have.
    pub taker: Taker,
    /// Whether no other one may have.
    pub alone: bool,
}

impl Taker {
    /// Of a step, and the snapshot before it.
    pub(super) fn of(step: &Step, before: Option<&SnapshotFact>) -> Self {
        let last = before.map_or(step.snapshot.id, |before| before.id);
        let (snapshot, took) = match step.why {
            Why::RolledBack => (last, Took::RolledBack),
            Why::Recreated => (last, Took::Recreated),
            Why::Jumped => (step.snapshot.id, Took::Between),
            Why::Next => (step.snapshot.id, Took::of_operation(&step.snapshot.operation)),
        };
        Self { snapshot, took }
    }

    pub(super) fn write(self, to: &mut Writer) {
        to.raw(&self.snapshot.to_le_bytes());
        to.byte(ALL.iter().position(|took| *took == self.took).unwrap_or(0) as u8);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let snapshot = i64::from_le_bytes(from.raw()?);
        Some(Self { snapshot, took: *ALL.get(usize::from(from.byte()?))? })
    }
}

impl Took {
    fn of_operation(operation: &str) -> Self {
        match operation {
            "append" => Self::Append,
            "replace" => Self::Replace,
            "overwrite" => Self::Overwrite,
            "delete" => Self::Delete,
            _ => Self::Other,
        }
    }

    /// The commit's operation, where a commit did it and its name is known.
    pub fn operation(self) -> Option<&'static str> {
        match self {
            Self::Append => Some("append"),
            Self::Replace => Some("replace"),
            Self::Overwrite => Some("overwrite"),
            Self::Delete => Some("delete"),
            Self::Other | Self::RolledBack | Self::Recreated | Self::Between => None,
        }
    }
}

impl Blame {
    /// The snapshot, where no other one may have done it.
    pub fn snapshot(&self) -> Option<i64> {
        self.alone.then_some(self.taker.snapshot)
    }

    /// Its operation, where it is known.
    pub fn operation(&self) -> Option<&'static str> {
        self.taker.took.operation().filter(|_| self.alone)
    }

    /// Names snapshot and operation in a finding, and says so.
    pub fn tell(&self, finding: &mut Finding) {
        finding.snapshot_id = self.snapshot();
        finding.operation = self.operation().map(str::to_owned);
        finding.detail = self.sentence();
    }

    /// One sentence for a person.
    pub fn sentence(&self) -> String {
        let Taker { snapshot, took } = self.taker;
        if !self.alone {
            return format!("the row stood and was taken away, by snapshot {snapshot} or one before it");
        }
        match took {
            Took::Append | Took::Overwrite | Took::Delete => {
                let operation = took.operation().unwrap_or_default();
                format!("the row stood and was taken away by snapshot {snapshot} ({operation})")
            }
            Took::Replace => {
                format!("the row stood and was lost by snapshot {snapshot} (replace), which should have kept it")
            }
            Took::Other => format!("the row stood and was taken away by snapshot {snapshot}"),
            Took::RolledBack => format!("the row stood in snapshot {snapshot}, which is no longer of the history"),
            Took::Recreated => {
                format!("the row stood in snapshot {snapshot}, of a table that was dropped and made anew")
            }
            Took::Between => {
                format!("the row stood and is gone in snapshot {snapshot}; snapshots before that are expired")
            }
        }
    }
}

/// By place, messages of one segment that had a row and had none when the segment was last read whole.
pub(super) type Blames = BTreeMap<i64, Blame>;

impl Segment {
    /// Who took the rows away of a segment that was never read since.
    pub fn blame(&self) -> Option<Blame> {
        self.blame_since(0)
    }

    /// What is known of a row that a reading did not know to be gone, after so many takers.
    pub(super) fn blame_since(&self, takes: u32) -> Option<Blame> {
        let taker = *self.takers.last()?;
        (self.takes > takes).then_some(Blame { taker, alone: self.takes - takes == 1 })
    }
}

impl Shadow {
    /// Who took the row of a withdrawn message away.
    pub fn blame(&self, at: MessageAt) -> Option<Blame> {
        let key = self.segment_at(at)?;
        let segment = self.pages.segment(key)?;
        let residue = self.residues.get(&key);
        let read = residue.and_then(|residue| residue.taken.get(&self.terms.place(at)).copied());
        let since = || segment.blame_since(residue.map_or(0, |residue| residue.takes));
        // Who took rows before and after a reading counts once: of what stood since it is the last of those who may have.
        let last = || segment.takers.last().map(|taker| Blame { taker: *taker, alone: false });
        read.or_else(since).or_else(last)
    }
}

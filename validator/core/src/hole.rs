//! Offsets that are not there, why, and what that says of a row that claims one.
//!
//! Contract: half-open runs of one partition, sorted, disjoint; touching runs of one reason are one run.
//! Source: interface.md §4, Holes.

use serde::Serialize;

use crate::verdict::words;

words! {
    /// Why offsets are not there.
    HoleReason {
        /// Below the log's start: gone before we came.
        Retention = "retention",
        /// Of an aborted transaction: a read_uncommitted look saw them.
        Aborted = "aborted",
        /// The topic's policy holds compact.
        Compacted = "compacted",
        /// A transaction marker or the like: the policy does not hold compact.
        Control = "control",
        /// The policy cannot be read, or the source is recorded.
        Unknown = "unknown",
    }
}

impl HoleReason {
    /// Whether a message may once have stood there, so that a row at such an offset proves nothing.
    pub const fn hides_messages(self) -> bool {
        matches!(self, Self::Retention | Self::Compacted | Self::Unknown)
    }
}

/// One run of offsets that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Hole {
    /// The first offset that is not there.
    pub from: i64,
    /// The first offset after it that is not of this run.
    pub to: i64,
    /// Why.
    pub reason: HoleReason,
}

/// The holes of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Holes {
    runs: Vec<Hole>,
}

impl Holes {
    /// Sorts and merges; empty runs are dropped. Where runs overlap, the offsets belong to the run that starts first.
    pub fn new(mut runs: Vec<Hole>) -> Self {
        runs.sort();
        let mut merged: Vec<Hole> = Vec::with_capacity(runs.len());
        for mut run in runs {
            if let Some(last) = merged.last_mut() {
                run.from = run.from.max(last.to);
                if run.from >= run.to {
                    continue;
                }
                if run.from == last.to && run.reason == last.reason {
                    last.to = run.to;
                    continue;
                }
            }
            if run.from < run.to {
                merged.push(run);
            }
        }
        Self { runs: merged }
    }

    /// The runs, ascending and disjoint.
    pub fn runs(&self) -> &[Hole] {
        &self.runs
    }

    /// Why this offset is not there; `None` where it is no hole.
    pub fn at(&self, offset: i64) -> Option<HoleReason> {
        let after = self.runs.partition_point(|run| run.from <= offset);
        let run = self.runs[..after].last()?;
        (offset < run.to).then_some(run.reason)
    }

    /// Whether messages are gone that the range asked for: the report is then not `complete`.
    pub fn has_retention(&self) -> bool {
        self.runs.iter().any(|run| run.reason == HoleReason::Retention)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(from: i64, to: i64, reason: HoleReason) -> Hole {
        Hole { from, to, reason }
    }

    #[test]
    fn touching_runs_of_one_reason_become_one() {
        let holes = Holes::new(vec![
            hole(7, 9, HoleReason::Control),
            hole(3, 5, HoleReason::Control),
            hole(5, 7, HoleReason::Control),
            hole(9, 10, HoleReason::Aborted),
            hole(4, 4, HoleReason::Unknown),
        ]);
        assert_eq!(holes.runs(), [hole(3, 9, HoleReason::Control), hole(9, 10, HoleReason::Aborted)]);
    }

    #[test]
    fn overlap_goes_to_the_run_that_starts_first() {
        let holes = Holes::new(vec![hole(0, 5, HoleReason::Aborted), hole(3, 8, HoleReason::Control)]);
        assert_eq!(holes.runs(), [hole(0, 5, HoleReason::Aborted), hole(5, 8, HoleReason::Control)]);
    }

    #[test]
    fn an_offset_is_looked_up_in_half_open_runs() {
        let holes = Holes::new(vec![hole(3, 5, HoleReason::Aborted), hole(9, 10, HoleReason::Retention)]);
        let found: Vec<_> = (2..11).map(|offset| holes.at(offset)).collect();
        let (aborted, retention) = (Some(HoleReason::Aborted), Some(HoleReason::Retention));
        assert_eq!(found, [None, aborted, aborted, None, None, None, None, retention, None]);
        assert!(holes.has_retention());
    }

    #[test]
    fn only_retention_compaction_and_the_unknown_hide_messages() {
        let hiding: Vec<_> =
            HoleReason::ALL.iter().filter(|reason| reason.hides_messages()).map(|r| r.as_str()).collect();
        assert_eq!(hiding, ["retention", "compacted", "unknown"]);
    }
}

//! The run's clock: when a message is due, when it is given up, and when the table has moved past it.
//!
//! Contract: milliseconds since the epoch; sums saturate, so no timestamp of a producer can overflow them.
//! Source: interface.md §4, Clock.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, SecondsFormat};
use serde::{Serialize, Serializer};

use crate::position::{MessageAt, PartitionIndex};

/// The times a run judges by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// `--as-of`, else the commit time of a snapshot asked for, else the start of the run; milliseconds since the epoch.
    pub judged_at_ms: i64,
    /// How long after its timestamp a message may still be on its way.
    pub settle_ms: i64,
    /// How long after its timestamp a message without a row is missing in any case.
    pub give_up_ms: i64,
    /// How long after its timestamp the table has to hold a message's row, longer than `settle_ms`; none: for ever.
    pub retention_ms: Option<i64>,
}

impl Clock {
    /// Whether a message with this Kafka timestamp is due; one without timestamp always is.
    pub fn is_due(&self, timestamp_ms: Option<i64>) -> bool {
        timestamp_ms.is_none_or(|at| at.saturating_add(self.settle_ms) <= self.judged_at_ms)
    }

    /// Whether a message with this Kafka timestamp is no longer waited for; one without timestamp has no age, so never.
    pub fn has_given_up(&self, timestamp_ms: Option<i64>) -> bool {
        timestamp_ms.is_some_and(|at| at.saturating_add(self.give_up_ms) <= self.judged_at_ms)
    }

    /// Whether the table need not hold the row of a message with this Kafka timestamp any more; one without timestamp has no
    /// age, so never.
    pub fn is_expired(&self, timestamp_ms: Option<i64>) -> bool {
        let ends = timestamp_ms.zip(self.retention_ms).map(|(at, retention)| at.saturating_add(retention));
        ends.is_some_and(|end| end <= self.judged_at_ms)
    }

    /// How long after its timestamp a message may be another thing by the clock alone.
    pub fn waits(&self) -> impl Iterator<Item = i64> + Clone + use<> {
        [self.settle_ms, self.give_up_ms].into_iter().chain(self.retention_ms)
    }
}

/// What shows that the table has moved past a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// Offset mode: the largest offset of each partition that is paired by step 1.
    Offsets {
        /// What balanced segments give; the judge adds the pairs of its own case.
        paired_max: BTreeMap<PartitionIndex, i64>,
    },
    /// Other modes: when the snapshots in the judged one's ancestry, not of operation `replace`, that added rows were committed.
    Commits {
        /// Milliseconds since the epoch, in any order.
        times_ms: Vec<i64>,
    },
}

/// Notes one more paired offset in `paired_max` of [`Past::Offsets`].
pub fn note_paired(paired_max: &mut BTreeMap<PartitionIndex, i64>, at: MessageAt) {
    let largest = paired_max.entry(at.partition).or_insert(at.offset);
    *largest = at.offset.max(*largest);
}

/// [`Past`] made ready for many questions.
#[derive(Debug)]
pub(crate) enum MovedPast {
    Offsets(BTreeMap<PartitionIndex, i64>),
    LastCommit { at_ms: Option<i64>, settle_ms: i64 },
}

impl MovedPast {
    /// `paired` are the messages that the case paired by step 1.
    pub(crate) fn new(past: Past, settle_ms: i64, paired: impl Iterator<Item = MessageAt>) -> Self {
        match past {
            Past::Offsets { mut paired_max } => {
                paired.for_each(|at| note_paired(&mut paired_max, at));
                Self::Offsets(paired_max)
            }
            Past::Commits { times_ms } => Self::LastCommit { at_ms: times_ms.into_iter().max(), settle_ms },
        }
    }

    /// Whether the table has moved past this message.
    ///
    /// It always has moved past one without timestamp, in every mode: such a message is due at once and has no age, so
    /// it would be overdue for ever.
    pub(crate) fn has_passed(&self, at: MessageAt, timestamp_ms: Option<i64>) -> bool {
        let Some(sent) = timestamp_ms else { return true };
        match self {
            Self::Offsets(paired_max) => paired_max.get(&at.partition).is_some_and(|largest| *largest > at.offset),
            Self::LastCommit { at_ms, settle_ms } => {
                at_ms.is_some_and(|commit| commit >= sent.saturating_add(*settle_ms))
            }
        }
    }
}

/// An instant for people and scripts: RFC 3339 in UTC with three decimals, `2026-01-01T00:00:00.000Z`.
///
/// Years beyond 9999 have more digits; beyond chrono's range (year 262142) the milliseconds themselves are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(pub i64);

impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_millis(self.0) {
            Some(instant) => f.write_str(&instant.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for UtcMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { judged_at_ms: 1_000, settle_ms: 100, give_up_ms: 500, retention_ms: Some(300) };

    fn at(offset: i64) -> MessageAt {
        MessageAt { partition: PartitionIndex(0), offset }
    }

    #[test]
    fn due_is_inclusive_and_a_message_without_timestamp_is_always_due() {
        assert!(CLOCK.is_due(Some(900)));
        assert!(!CLOCK.is_due(Some(901)));
        assert!(CLOCK.is_due(None));
        assert!(!CLOCK.is_due(Some(i64::MAX)));
    }

    #[test]
    fn give_up_counts_from_the_timestamp_as_settle_does() {
        assert!(CLOCK.has_given_up(Some(500)));
        assert!(!CLOCK.has_given_up(Some(501)));
        assert!(!CLOCK.has_given_up(None));
    }

    #[test]
    fn retention_counts_from_the_timestamp_and_where_there_is_none_nothing_expires() {
        assert!(CLOCK.is_expired(Some(700)));
        assert!(!CLOCK.is_expired(Some(701)));
        assert!(!CLOCK.is_expired(None) && !CLOCK.is_expired(Some(i64::MAX)));
        assert!(!Clock { retention_ms: None, ..CLOCK }.is_expired(Some(0)));
    }

    #[test]
    fn offsets_move_past_only_with_a_strictly_larger_one_of_the_partition() {
        let past = Past::Offsets { paired_max: BTreeMap::from([(PartitionIndex(0), 5)]) };
        let moved = MovedPast::new(past, 0, [at(3), at(7)].into_iter());
        assert!(moved.has_passed(at(6), Some(0)));
        assert!(!moved.has_passed(at(7), Some(0)));
        assert!(moved.has_passed(at(7), None));
        assert!(!moved.has_passed(MessageAt { partition: PartitionIndex(1), offset: 0 }, Some(0)));
    }

    #[test]
    fn commits_move_past_what_was_settled_when_they_were_made() {
        let moved = MovedPast::new(Past::Commits { times_ms: vec![700, 600] }, 100, std::iter::empty());
        assert!(moved.has_passed(at(0), Some(600)));
        assert!(!moved.has_passed(at(0), Some(601)));
        let none = MovedPast::new(Past::Commits { times_ms: vec![] }, 100, std::iter::empty());
        assert!(!none.has_passed(at(0), Some(0)));
        assert!(none.has_passed(at(0), None));
    }

    #[test]
    fn instants_are_rfc_3339_in_utc() {
        assert_eq!(UtcMillis(1_700_000_000_123).to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(UtcMillis(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(UtcMillis(i64::MAX).to_string(), "9223372036854775807 ms");
        assert_eq!(serde_json::to_string(&UtcMillis(0)).expect("text"), r#""1970-01-01T00:00:00.000Z""#);
    }
}

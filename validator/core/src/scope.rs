//! What a run asks about: the standing of a row by its offset (offset mode) or its window (the modes `key` and `content`).
//!
//! Contract: pure functions of the ranges that the tap read. Source: interface.md §4, Scope and Holes.

use std::collections::BTreeMap;

use crate::hole::{HoleReason, Holes};
use crate::judge::RowStanding;
use crate::position::{PartitionIndex, TopicPartition};

/// One partition that the run reads; [`PartitionIndex`] is its place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPartition {
    /// Which.
    pub tp: TopicPartition,
    /// The first offset that the log still has.
    pub log_start: i64,
    /// The first offset that no message has yet.
    pub high_watermark: i64,
    /// The first offset asked for.
    pub from: i64,
    /// The first offset after it that is not asked for, or the position at which the broker failed.
    pub to: i64,
    /// The declared start; messages below it are excluded, their rows out of scope.
    pub start: Option<i64>,
    /// Whether the range begins with the first message that the partition ever had.
    pub starts_at_first: bool,
    /// Whether the range ends with the last message there is.
    pub ends_at_now: bool,
    /// The offsets in the range that are not there.
    pub holes: Holes,
}

/// A partition that the topics have, read by the run or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingPartition {
    /// Which.
    pub tp: TopicPartition,
    /// The first offset that no message has yet, where it was asked.
    pub high_watermark: Option<i64>,
}

/// Offset mode: where a row's topic, partition and offset put it.
#[derive(Debug, Clone)]
pub struct OffsetScope {
    listed: Vec<ListedPartition>,
    /// By topic, then by partition number.
    topics: BTreeMap<String, Vec<Known>>,
}

/// What is known of a partition that a row names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// There is none.
    Absent,
    /// It is not read.
    Unlisted {
        /// The first offset that no message has yet, where it was asked.
        high_watermark: Option<i64>,
    },
    /// It is read.
    Listed(PartitionIndex),
}

/// The answer of [`OffsetScope::place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How the row stands.
    pub standing: RowStanding,
    /// The listed partition, where its segment is; none for rows of no listed partition.
    pub partition: Option<PartitionIndex>,
    /// Why its offset is not there, where it lies in a hole of the range.
    pub hole: Option<HoleReason>,
}

impl OffsetScope {
    /// `listed` in the run's order; `existing` are all partitions of its topics (the listed ones may be among them).
    pub fn new(listed: Vec<ListedPartition>, existing: &[ExistingPartition]) -> Self {
        let mut topics: BTreeMap<String, Vec<Known>> = BTreeMap::new();
        let mut know = |tp: &TopicPartition, known: Known| {
            let Ok(number) = usize::try_from(tp.partition) else { return };
            let partitions = topics.entry(tp.topic.clone()).or_default();
            if partitions.len() <= number {
                partitions.resize(number + 1, Known::Absent);
            }
            partitions[number] = known;
        };
        for partition in existing {
            know(&partition.tp, Known::Unlisted { high_watermark: partition.high_watermark });
        }
        for (index, partition) in (0..).zip(&listed) {
            know(&partition.tp, Known::Listed(PartitionIndex(index)));
        }
        Self { listed, topics }
    }

    /// Whether the whole topic is read: every existing partition is listed, from its first message to the last.
    pub fn is_whole_topic(&self) -> bool {
        self.topics.values().flatten().all(|known| !matches!(known, Known::Unlisted { .. }))
            && self.listed.iter().all(|partition| partition.starts_at_first && partition.ends_at_now)
    }

    /// The listed partitions in the run's order.
    pub fn listed(&self) -> &[ListedPartition] {
        &self.listed
    }

    /// The standing of a row with these identity values; `None` is NULL.
    pub fn place(&self, topic: Option<&str>, partition: Option<i64>, offset: Option<i64>) -> Place {
        self.place_in(self.known(topic, partition), offset)
    }

    /// What is known of the partition that a row names.
    pub fn known(&self, topic: Option<&str>, partition: Option<i64>) -> Known {
        let number = partition.and_then(|partition| usize::try_from(partition).ok());
        let known = number.and_then(|number| self.topics.get(topic?)?.get(number).copied());
        known.unwrap_or(Known::Absent)
    }

    /// The standing of a row with this offset in a partition.
    pub fn place_in(&self, known: Known, offset: Option<i64>) -> Place {
        let alone = |standing| Place { standing, partition: None, hole: None };
        let Some(offset) = offset else { return alone(RowStanding::Impossible) };
        match known {
            Known::Absent => alone(RowStanding::Impossible),
            _ if offset < 0 => alone(RowStanding::Impossible),
            Known::Unlisted { high_watermark: Some(end) } if offset >= end => alone(RowStanding::Impossible),
            Known::Unlisted { .. } => alone(RowStanding::OutOfScope),
            Known::Listed(index) => self.place_listed(index, offset),
        }
    }

    fn place_listed(&self, index: PartitionIndex, offset: i64) -> Place {
        let range = &self.listed[index.0 as usize];
        let hole = range.holes.at(offset);
        let standing = if offset >= range.high_watermark {
            RowStanding::Impossible
        } else if range.start.is_some_and(|start| offset < start) {
            RowStanding::OutOfScope
        } else if offset < range.log_start && (offset >= range.from || range.from == range.log_start) {
            // With `from = earliest` what lies below is no hole, and yet its messages are gone, not left aside.
            RowStanding::Unobservable
        } else if !(range.from..range.to).contains(&offset) {
            RowStanding::OutOfScope
        } else if hole.is_some_and(HoleReason::hides_messages) {
            RowStanding::Unobservable
        } else {
            RowStanding::InScope
        };
        Place { standing, partition: Some(index), hole }
    }
}

/// What the windows' bounds need to know of one partition. Window values are in one unit, any, the same as `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionEdges {
    /// Whether the range begins with the first message that the partition ever had.
    pub starts_at_first: bool,
    /// Whether the range ends with the last message there is.
    pub ends_at_now: bool,
    /// The window value of the first judged message read that has one.
    pub first: Option<i64>,
    /// The window value of the last judged message read that has one.
    pub last: Option<i64>,
    /// Whether it has messages that were not read, or has some and none of them gave a window value.
    pub may_hide: bool,
}

/// Modes `key` and `content`: which windows the run has read whole, so that an unpaired row in them means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowScope {
    every: i64,
    lower: Edge,
    upper: Edge,
    inside: RowStanding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Open,
    At(i64),
    /// The range is cut and no message tells where, or a partition does not tell: nothing is inside.
    Nowhere,
}

impl WindowScope {
    /// `every` ≥ 1 is the window's length; `compacted` whether the policy of a topic holds compact.
    pub fn new(every: i64, partitions: &[PartitionEdges], compacted: bool) -> Self {
        assert!(every >= 1, "a window has a length");
        let cut_below = partitions.iter().filter(|partition| !partition.starts_at_first);
        let cut_above = partitions.iter().filter(|partition| !partition.ends_at_now);
        let inside = if compacted { RowStanding::Unobservable } else { RowStanding::InScope };
        Self {
            every,
            lower: Edge::of(cut_below.map(|partition| (partition.first, partition.may_hide)), i64::max),
            upper: Edge::of(cut_above.map(|partition| (partition.last, partition.may_hide)), i64::min),
            inside,
        }
    }

    /// The standing of an unpaired row in this window: `Some(n)` is [n·every, (n+1)·every), `None` the pseudo-window `none`.
    pub fn standing(&self, window: Option<i64>) -> RowStanding {
        let inside = match window {
            None => (self.lower, self.upper) == (Edge::Open, Edge::Open),
            Some(number) => {
                let every = i128::from(self.every);
                let begin = i128::from(number) * every;
                let above_lower = match self.lower {
                    Edge::Open => true,
                    Edge::At(lower) => begin >= i128::from(lower) + every,
                    Edge::Nowhere => false,
                };
                let below_upper = match self.upper {
                    Edge::Open => true,
                    Edge::At(upper) => begin + every <= i128::from(upper) - every,
                    Edge::Nowhere => false,
                };
                above_lower && below_upper
            }
        };
        if inside { self.inside } else { RowStanding::OutOfScope }
    }
}

impl Edge {
    /// Of the window values of cut partitions, and whether each may hide messages.
    fn of(values: impl Iterator<Item = (Option<i64>, bool)>, narrower: fn(i64, i64) -> i64) -> Self {
        let mut edge = Self::Open;
        for (value, may_hide) in values {
            edge = match (edge, value) {
                // The rows of its messages may be in any window.
                (_, None) if may_hide => return Self::Nowhere,
                (Self::Open | Self::Nowhere, Some(value)) => Self::At(value),
                (Self::At(so_far), Some(value)) => Self::At(narrower(so_far, value)),
                // An empty partition bounds nothing where another one does.
                (Self::At(so_far), None) => Self::At(so_far),
                (_, None) => Self::Nowhere,
            };
        }
        edge
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hole::Hole;

    fn tp(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }

    fn listed(partition: i32, from: i64, to: i64) -> ListedPartition {
        ListedPartition {
            tp: tp("t", partition),
            log_start: 0,
            high_watermark: 100,
            from,
            to,
            start: None,
            starts_at_first: from == 0,
            ends_at_now: to == 100,
            holes: Holes::default(),
        }
    }

    fn standing(scope: &OffsetScope, offset: i64) -> RowStanding {
        scope.place(Some("t"), Some(0), Some(offset)).standing
    }

    #[test]
    fn rows_that_no_message_can_have_are_impossible() {
        let existing = [ExistingPartition { tp: tp("t", 1), high_watermark: Some(10) }];
        let scope = OffsetScope::new(vec![listed(0, 0, 100)], &existing);
        let place = |topic, partition, offset| scope.place(topic, partition, offset).standing;
        assert_eq!(place(None, Some(0), Some(1)), RowStanding::Impossible);
        assert_eq!(place(Some("t"), None, Some(1)), RowStanding::Impossible);
        assert_eq!(place(Some("t"), Some(0), None), RowStanding::Impossible);
        assert_eq!(place(Some("u"), Some(0), Some(1)), RowStanding::Impossible);
        assert_eq!(place(Some("t"), Some(2), Some(1)), RowStanding::Impossible);
        assert_eq!(place(Some("t"), Some(-1), Some(1)), RowStanding::Impossible);
        assert_eq!(place(Some("t"), Some(i64::MAX), Some(1)), RowStanding::Impossible);
        assert_eq!(place(Some("t"), Some(0), Some(-1)), RowStanding::Impossible);
        assert_eq!(place(Some("t"), Some(0), Some(100)), RowStanding::Impossible);
        assert_eq!(place(Some("t"), Some(1), Some(9)), RowStanding::OutOfScope);
        assert_eq!(place(Some("t"), Some(1), Some(10)), RowStanding::Impossible);
        assert!(!scope.is_whole_topic());
    }

    #[test]
    fn a_range_is_half_open_and_what_lies_beside_it_is_out_of_scope() {
        let scope = OffsetScope::new(vec![listed(0, 10, 20)], &[]);
        assert_eq!(standing(&scope, 9), RowStanding::OutOfScope);
        assert_eq!(standing(&scope, 10), RowStanding::InScope);
        assert_eq!(standing(&scope, 19), RowStanding::InScope);
        assert_eq!(standing(&scope, 20), RowStanding::OutOfScope);
        assert_eq!(standing(&scope, 100), RowStanding::Impossible);
    }

    #[test]
    fn a_row_below_the_log_is_unobservable_when_the_range_reaches_down_to_it() {
        let mut range = listed(0, 0, 100);
        range.log_start = 30;
        range.holes = Holes::new(vec![Hole { from: 0, to: 30, reason: HoleReason::Retention }]);
        let asked = OffsetScope::new(vec![range.clone()], &[]);
        assert_eq!(standing(&asked, 5), RowStanding::Unobservable);
        range.from = 30;
        range.holes = Holes::default();
        let earliest = OffsetScope::new(vec![range.clone()], &[]);
        assert_eq!(standing(&earliest, 5), RowStanding::Unobservable);
        range.from = 40;
        let later = OffsetScope::new(vec![range], &[]);
        assert_eq!(standing(&later, 5), RowStanding::OutOfScope);
        assert_eq!(standing(&later, 35), RowStanding::OutOfScope);
    }

    #[test]
    fn a_hole_hides_or_proves_by_its_reason() {
        let mut range = listed(0, 0, 100);
        let reasons = HoleReason::ALL.iter().zip(1..);
        range.holes = Holes::new(reasons.map(|(reason, from)| Hole { from, to: from + 1, reason: *reason }).collect());
        let scope = OffsetScope::new(vec![range], &[]);
        let found: Vec<_> = (1..6).map(|offset| scope.place(Some("t"), Some(0), Some(offset))).collect();
        let expected = [
            (RowStanding::Unobservable, HoleReason::Retention),
            (RowStanding::InScope, HoleReason::Aborted),
            (RowStanding::Unobservable, HoleReason::Compacted),
            (RowStanding::InScope, HoleReason::Control),
            (RowStanding::Unobservable, HoleReason::Unknown),
        ];
        let partition = Some(PartitionIndex(0));
        let expected = expected.map(|(standing, hole)| Place { standing, partition, hole: Some(hole) });
        assert_eq!(found, expected);
    }

    #[test]
    fn rows_below_the_declared_start_are_out_of_scope() {
        let mut range = listed(0, 10, 100);
        range.start = Some(50);
        let scope = OffsetScope::new(vec![range], &[]);
        assert_eq!(standing(&scope, 49), RowStanding::OutOfScope);
        assert_eq!(standing(&scope, 50), RowStanding::InScope);
    }

    #[test]
    fn the_whole_topic_is_every_partition_from_first_to_last() {
        let whole = vec![listed(0, 0, 100), listed(1, 0, 100)];
        let existing = [tp("t", 0), tp("t", 1)].map(|tp| ExistingPartition { tp, high_watermark: None });
        assert!(OffsetScope::new(whole.clone(), &existing).is_whole_topic());
        assert!(!OffsetScope::new(whole[..1].to_vec(), &existing).is_whole_topic());
        assert!(!OffsetScope::new(vec![listed(0, 1, 100), listed(1, 0, 100)], &existing).is_whole_topic());
        assert!(!OffsetScope::new(vec![listed(0, 0, 100), listed(1, 0, 99)], &existing).is_whole_topic());
    }

    fn edges(starts_at_first: bool, ends_at_now: bool, first: Option<i64>, last: Option<i64>) -> PartitionEdges {
        PartitionEdges { starts_at_first, ends_at_now, first, last, may_hide: false }
    }

    fn inside(scope: &WindowScope) -> Vec<i64> {
        (-2..12).filter(|number| scope.standing(Some(*number)) == RowStanding::InScope).collect()
    }

    #[test]
    fn windows_are_inside_between_the_narrowest_edges_of_cut_partitions() {
        let partitions = [
            edges(false, true, Some(25), Some(99)),
            edges(false, false, Some(12), Some(85)),
            edges(true, true, None, None),
        ];
        let scope = WindowScope::new(10, &partitions, false);
        // L = 25, U = 85: [a, b) with a ≥ 35 and b ≤ 75.
        assert_eq!(inside(&scope), [4, 5, 6]);
        assert_eq!(scope.standing(None), RowStanding::OutOfScope);
    }

    #[test]
    fn an_edge_on_a_windows_border_counts() {
        let scope = WindowScope::new(10, &[edges(false, false, Some(30), Some(80))], false);
        assert_eq!(inside(&scope), [4, 5, 6]);
    }

    #[test]
    fn without_bounds_every_window_and_none_are_inside() {
        let scope = WindowScope::new(10, &[edges(true, true, Some(30), Some(80))], false);
        assert_eq!(inside(&scope).len(), 14);
        assert_eq!(scope.standing(None), RowStanding::InScope);
        assert_eq!(scope.standing(Some(i64::MAX)), RowStanding::InScope);
    }

    #[test]
    fn where_no_message_tells_where_the_range_is_cut_nothing_is_inside() {
        let scope = WindowScope::new(10, &[edges(false, true, None, None)], false);
        assert!(inside(&scope).is_empty());
        let quiet_beside_busy = [edges(false, true, None, None), edges(false, true, Some(25), None)];
        assert_eq!(inside(&WindowScope::new(10, &quiet_beside_busy, false))[0], 4);
    }

    #[test]
    fn a_cut_partition_with_messages_of_unknown_windows_leaves_nothing_inside() {
        let hides = PartitionEdges { may_hide: true, ..edges(false, false, None, None) };
        let busy = edges(false, false, Some(25), Some(85));
        for partitions in [[hides, busy], [busy, hides]] {
            assert!(inside(&WindowScope::new(10, &partitions, false)).is_empty());
        }
        // A value bounds all the same, and where the range is not cut there is nothing to bound.
        let bounded = PartitionEdges { may_hide: true, ..busy };
        assert_eq!(inside(&WindowScope::new(10, &[bounded], false)), [4, 5, 6]);
        let whole = PartitionEdges { may_hide: true, ..edges(true, true, None, None) };
        assert_eq!(inside(&WindowScope::new(10, &[whole, busy], false)), [4, 5, 6]);
    }

    #[test]
    fn in_a_compacted_topic_what_would_be_in_scope_is_unobservable() {
        let scope = WindowScope::new(10, &[edges(true, false, None, Some(80))], true);
        assert_eq!(scope.standing(Some(3)), RowStanding::Unobservable);
        assert_eq!(scope.standing(Some(9)), RowStanding::OutOfScope);
    }
}

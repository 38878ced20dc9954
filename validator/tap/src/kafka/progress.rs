//! How far one partition is read: which of its ranges is next, and what an event changes.

use std::ops::Range;
use std::sync::Arc;

use validator_core::position::PartitionIndex;

use crate::{PartitionEnd, TapError, limits};

/// The state of one partition of a read.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    pub(super) partition: PartitionIndex,
    ranges: &'a [Range<i64>],
    /// The range at hand; beyond the last: done.
    at: usize,
    /// Every wanted offset below is delivered or not there.
    position: i64,
    failure: Option<Arc<TapError>>,
}

/// What to do after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Read on.
    Continue,
    /// The next wanted offset is far: go there.
    Seek(i64),
    /// Nothing more is wanted of the partition.
    Done,
}

impl<'a> Progress<'a> {
    /// Empty ranges count as read.
    pub(super) fn new(partition: PartitionIndex, ranges: &'a [Range<i64>]) -> Self {
        let position = ranges.first().map_or(0, |range| range.start);
        let mut progress = Self { partition, ranges, at: 0, position, failure: None };
        progress.pass(position);
        progress
    }

    pub(super) fn is_done(&self) -> bool {
        self.at == self.ranges.len() || self.failure.is_some()
    }

    /// The next offset that is wanted.
    pub(super) fn target(&self) -> Option<i64> {
        if self.is_done() { None } else { Some(self.position.max(self.ranges[self.at].start)) }
    }

    /// Leaves the ranges that end at or below `offset` behind: nothing of them can come any more.
    fn pass(&mut self, offset: i64) {
        while self.ranges.get(self.at).is_some_and(|range| range.end <= offset) {
            self.position = self.position.max(self.ranges[self.at].end);
            self.at += 1;
        }
    }

    /// A message of that offset has come, and with it the news that nothing lies between it and the one before.
    /// Whether it is wanted.
    pub(super) fn meet(&mut self, offset: i64) -> bool {
        self.pass(offset);
        !self.is_done() && self.ranges[self.at].start <= offset && self.position <= offset
    }

    /// The message of that offset was delivered, or passed over.
    pub(super) fn after(&mut self, offset: i64) -> Next {
        if self.ranges.get(self.at).is_some_and(|range| range.contains(&offset)) {
            self.position = self.position.max(offset + 1);
        }
        self.pass(offset + 1);
        match self.target() {
            None => Next::Done,
            Some(target) if target - (offset + 1) > limits::SEEK_GAP_OFFSETS => Next::Seek(target),
            Some(_) => Next::Continue,
        }
    }

    /// The partition ends at `offset` for now. Where more is wanted (a new leader may not yet know how far the log
    /// goes) that decides nothing.
    pub(super) fn end_of_partition(&mut self, offset: i64) -> Next {
        self.pass(offset);
        if self.is_done() { Next::Done } else { Next::Continue }
    }

    /// The log begins at `offset` only: what is wanted below is gone.
    pub(super) fn begin_at(&mut self, offset: i64) -> Next {
        self.pass(offset);
        match self.target() {
            None => Next::Done,
            Some(target) => {
                self.position = self.position.max(offset);
                Next::Seek(target.max(offset))
            }
        }
    }

    pub(super) fn fail(&mut self, error: Arc<TapError>) {
        if !self.is_done() {
            self.failure = Some(error);
        }
    }

    pub(super) fn position(&self) -> i64 {
        self.position
    }

    pub(super) fn into_end(self) -> PartitionEnd {
        let position = match (self.failure.is_none() && self.is_done(), self.ranges.last()) {
            (true, Some(last)) => last.end,
            _ => self.position,
        };
        PartitionEnd { partition: self.partition, position, failure: self.failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(ranges: &[Range<i64>]) -> Progress<'_> {
        Progress::new(PartitionIndex(0), ranges)
    }

    fn one(range: &Range<i64>) -> Progress<'_> {
        progress(std::slice::from_ref(range))
    }

    /// Feeds offsets; those that were wanted, and what came last.
    fn feed(progress: &mut Progress<'_>, offsets: &[i64]) -> (Vec<i64>, Next) {
        let mut wanted = Vec::new();
        let mut next = Next::Continue;
        for offset in offsets {
            if progress.meet(*offset) {
                wanted.push(*offset);
            }
            next = progress.after(*offset);
        }
        (wanted, next)
    }

    #[test]
    fn a_range_ends_by_position_even_when_its_last_offsets_are_holes() {
        let range = 10..20;
        let mut p = one(&range);
        assert_eq!(feed(&mut p, &[10, 12, 18]), (vec![10, 12, 18], Next::Continue));
        assert_eq!(p.position(), 19);
        assert_eq!(feed(&mut p, &[25]), (vec![], Next::Done));
        assert_eq!(p.into_end().position, 20);

        let mut p = one(&range);
        assert_eq!(feed(&mut p, &[19]), (vec![19], Next::Done));
        let mut p = one(&range);
        assert_eq!((feed(&mut p, &[15]).0, p.end_of_partition(20)), (vec![15], Next::Done));
    }

    #[test]
    fn an_end_before_the_range_is_over_decides_nothing() {
        let range = 10..20;
        let mut p = one(&range);
        assert_eq!((p.end_of_partition(15), p.is_done(), p.position()), (Next::Continue, false, 10));
    }

    #[test]
    fn near_ranges_are_read_through_and_far_ones_sought() {
        let far = 10 + 2 * limits::SEEK_GAP_OFFSETS;
        let ranges = [0..2, 4..6, far..far + 2];
        let mut p = progress(&ranges);
        assert_eq!(feed(&mut p, &[0, 1, 2, 3, 4]), (vec![0, 1, 4], Next::Continue));
        assert_eq!(feed(&mut p, &[5]), (vec![5], Next::Seek(far)));
        assert_eq!(feed(&mut p, &[6, 7]).0, [0; 0], "still on their way from before");
        assert_eq!(feed(&mut p, &[far, far + 1]), (vec![far, far + 1], Next::Done));
    }

    #[test]
    fn a_message_that_comes_again_is_not_delivered_again() {
        let range = 0..10;
        let mut p = one(&range);
        assert_eq!(feed(&mut p, &[0, 1, 2, 1, 2, 3]).0, [0, 1, 2, 3]);
    }

    #[test]
    fn what_retention_took_is_passed_over() {
        let ranges = [0..2, 5..20];
        let mut p = progress(&ranges);
        assert_eq!(p.begin_at(8), Next::Seek(8));
        assert_eq!(p.target(), Some(8));
        assert_eq!(p.begin_at(30), Next::Done);
        assert_eq!(p.into_end().position, 20);
    }

    #[test]
    fn a_failure_keeps_the_position_and_ends_the_partition() {
        let ranges = [0..10, 20..30];
        let mut p = progress(&ranges);
        feed(&mut p, &[0, 1, 4]);
        p.fail(Arc::new(TapError::TopicMissing { topic: "t".to_owned() }));
        assert!(p.is_done() && p.target().is_none());
        let end = p.into_end();
        assert_eq!((end.position, end.failure.is_some()), (5, true));
        let mut done = progress(&[]);
        done.fail(Arc::new(TapError::TopicMissing { topic: "t".to_owned() }));
        assert!(done.into_end().failure.is_none(), "nothing was missed");
    }
}

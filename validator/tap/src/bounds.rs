//! From the bounds that a person gave to the offsets of one partition.

use validator_core::contract::Bound;
use validator_core::position::TopicPartition;

use crate::{PartitionRange, TapError};

/// What is asked of every partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Where to begin; `start` where absent.
    pub from: Option<Bound>,
    /// Where to end; `now` where absent.
    pub to: Option<Bound>,
    /// The pipeline's declared start; the first offset where absent.
    pub start: Option<Bound>,
}

/// What one partition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edges {
    pub(crate) log_start: i64,
    pub(crate) last_stable: i64,
    pub(crate) high_watermark: i64,
    /// Whether the first offset there is was the first there ever was.
    pub(crate) untrimmed: bool,
}

impl Bounds {
    /// The instants that offsets must be looked up for, milliseconds since the epoch.
    pub(crate) fn times(&self) -> Vec<i64> {
        let mut times: Vec<i64> = [&self.from, &self.to, &self.start]
            .into_iter()
            .filter_map(|bound| if let Some(Bound::Time(ms)) = bound { Some(*ms) } else { None })
            .collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// Refuses bounds that name a partition which the topic does not have.
    pub(crate) fn check_partitions(&self, topic: &str, partitions: &[i32]) -> Result<(), TapError> {
        for bound in [&self.from, &self.to, &self.start].into_iter().flatten() {
            let Bound::Offsets(offsets) = bound else { continue };
            if let Some(missing) = offsets.keys().find(|p| !partitions.contains(p)) {
                return Err(TapError::PartitionMissing {
                    topic: topic.to_owned(),
                    partition: *missing,
                    count: partitions.len(),
                });
            }
        }
        Ok(())
    }

    /// Refuses a range of one partition that ends before it begins: bounds of two kinds can be compared only here.
    fn check_order(
        &self,
        tp: &TopicPartition,
        last_stable: i64,
        at_time: &dyn Fn(i64) -> Option<i64>,
    ) -> Result<(), TapError> {
        let offset = |bound: &Bound| match bound {
            Bound::Offset(offset) => Some(*offset),
            Bound::Offsets(offsets) => offsets.get(&tp.partition).copied(),
            Bound::Time(ms) => at_time(*ms),
            Bound::Earliest | Bound::Now => None,
        };
        // A time that no message has yet begins where the partition ends.
        let begins = |bound: &Bound| match bound {
            Bound::Time(_) => Some(offset(bound).unwrap_or(last_stable)),
            _ => offset(bound),
        };
        match (self.from.as_ref().and_then(begins), self.to.as_ref().and_then(offset)) {
            (Some(from), Some(to)) if from > to => Err(TapError::RangeReversed { tp: tp.clone(), from, to }),
            _ => Ok(()),
        }
    }

    /// The range of one partition; `at_time` is the first offset whose timestamp is at or after an instant.
    ///
    /// # Errors
    /// It ends before it begins.
    pub(crate) fn range(
        &self,
        tp: TopicPartition,
        edges: Edges,
        at_time: &dyn Fn(i64) -> Option<i64>,
    ) -> Result<PartitionRange, TapError> {
        let Edges { log_start, last_stable, high_watermark, untrimmed } = edges;
        self.check_order(&tp, last_stable, at_time)?;
        let resolve = |bound: &Bound| match bound {
            Bound::Earliest => Some(log_start),
            Bound::Now => Some(last_stable),
            Bound::Offset(offset) => Some(*offset),
            Bound::Offsets(offsets) => offsets.get(&tp.partition).copied(),
            Bound::Time(ms) => Some(at_time(*ms).unwrap_or(last_stable).max(log_start)),
        };
        let start = self.start.as_ref().map(resolve);
        let from = match &self.from {
            Some(bound) => resolve(bound),
            None => start.unwrap_or(Some(log_start)),
        };
        let to = self.to.as_ref().map_or(Some(last_stable), resolve);
        let listed = from.is_some() && to.is_some();
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => {
                let from = from.clamp(0, last_stable.max(0));
                (from, to.clamp(from, last_stable.max(from)))
            }
            _ => (log_start, log_start),
        };
        Ok(PartitionRange {
            log_start,
            high_watermark,
            last_stable,
            from,
            to,
            start: start.flatten(),
            starts_at_first: listed && untrimmed && from <= log_start,
            ends_at_now: listed && to >= last_stable,
            listed,
            tp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: Edges = Edges { log_start: 100, last_stable: 200, high_watermark: 205, untrimmed: false };

    fn range(from: Option<Bound>, to: Option<Bound>, start: Option<Bound>) -> PartitionRange {
        let bounds = Bounds { from, to, start };
        let tp = TopicPartition { topic: "t".to_owned(), partition: 1 };
        bounds.range(tp, EDGES, &|ms| (ms < 1_000).then_some(ms / 10)).expect("it ends behind its beginning")
    }

    fn edges(range: &PartitionRange) -> (i64, i64) {
        (range.from, range.to)
    }

    #[test]
    fn without_bounds_all_there_is_up_to_now_is_read() {
        let all = range(None, None, None);
        assert_eq!((edges(&all), all.listed, all.ends_at_now, all.starts_at_first), ((100, 200), true, true, false));
        assert_eq!(all.start, None);
        let tp = TopicPartition { topic: "t".to_owned(), partition: 1 };
        let whole = Bounds::default()
            .range(tp, Edges { log_start: 0, untrimmed: true, ..EDGES }, &|_| None)
            .expect("it has no bounds");
        assert!(whole.starts_at_first);
    }

    #[test]
    fn from_defaults_to_the_declared_start_and_may_go_below_it() {
        let start = Some(Bound::Offset(150));
        assert_eq!(edges(&range(None, None, start.clone())), (150, 200));
        let below = range(Some(Bound::Earliest), None, start);
        assert_eq!((edges(&below), below.start), ((100, 200), Some(150)));
    }

    #[test]
    fn offsets_that_retention_has_taken_stay_asked_for_and_those_not_yet_stable_do_not() {
        assert_eq!(edges(&range(Some(Bound::Offset(5)), Some(Bound::Offset(500)), None)), (5, 200));
        assert_eq!(edges(&range(Some(Bound::Offset(500)), None, None)), (200, 200));
        assert!(!range(None, Some(Bound::Offset(199)), None).ends_at_now);
        assert!(range(None, Some(Bound::Offset(200)), None).ends_at_now);
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused_whatever_its_bounds_are() {
        let is_refused = |from: Bound, to: Bound| {
            let bounds = Bounds { from: Some(from), to: Some(to), start: None };
            let tp = TopicPartition { topic: "t".to_owned(), partition: 1 };
            let range = bounds.range(tp, EDGES, &|ms| (1_000..2_000).contains(&ms).then_some(ms / 10));
            matches!(range, Err(TapError::RangeReversed { .. }))
        };
        let (of_partition, of_time) =
            (|offset| Bound::Offsets([(1, offset)].into()), |offset: i64| Bound::Time(offset * 10));
        for (from, to) in [
            (Bound::Offset(150), Bound::Offset(120)),
            (Bound::Offset(150), of_partition(120)),
            (of_partition(150), Bound::Offset(120)),
            (Bound::Offset(150), of_time(120)),
            (of_time(150), of_partition(120)),
            (Bound::Time(9_000), Bound::Offset(120)),
        ] {
            assert!(is_refused(from.clone(), to.clone()), "{from:?} {to:?}");
            assert!(!is_refused(to.clone(), from.clone()), "{to:?} {from:?}");
        }
        assert!(!is_refused(Bound::Offset(900), Bound::Now), "as where no end is given");
        assert!(!is_refused(Bound::Offset(900), Bound::Time(9_000)), "a time to come is now");
        assert!(!is_refused(Bound::Offset(150), Bound::Offsets([(0, 1)].into())), "of another partition");
    }

    #[test]
    fn times_are_the_first_offset_at_or_after_them_or_the_end() {
        assert_eq!(edges(&range(Some(Bound::Time(990)), None, None)), (100, 200), "gone already");
        assert_eq!(edges(&range(Some(Bound::Time(5_000)), None, None)), (200, 200), "not there yet");
        assert_eq!(Bounds { from: Some(Bound::Time(3)), to: Some(Bound::Time(3)), start: None }.times(), [3]);
    }

    #[test]
    fn partitions_that_bounds_leave_out_are_not_read_and_unknown_ones_are_refused() {
        let map = |p, o| Some(Bound::Offsets([(p, o)].into()));
        assert_eq!(edges(&range(map(1, 120), map(1, 130), None)), (120, 130));
        let unlisted = range(map(0, 120), None, None);
        assert_eq!((edges(&unlisted), unlisted.listed, unlisted.ends_at_now), ((100, 100), false, false));
        let bounds = Bounds { from: map(7, 0), ..Bounds::default() };
        assert!(matches!(bounds.check_partitions("t", &[0, 1]), Err(TapError::PartitionMissing { partition: 7, .. })));
    }
}

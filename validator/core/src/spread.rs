//! Where and when the findings of a run lie: over the time of their messages, and over the offsets of each partition.
//!
//! Contract: exact counts in bounded memory. A range is cut into [`SPREAD_SLICES_MAX`] slices that are as equal as whole
//! offsets allow; a shorter range has a slice for each offset. Findings about rows alone, files or the table have no
//! offset and are in none.

use std::ops::Range;

use crate::limits::SPREAD_SLICES_MAX;
use crate::position::MessageAt;
use crate::timeline::Timeline;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spread {
    /// Over the time of the messages.
    pub times: Timeline,
    /// By partition index.
    pub partitions: Vec<Slices>,
}

impl Spread {
    /// Nothing yet, of partitions with these ranges of offsets.
    pub fn new(ranges: impl IntoIterator<Item = Range<i64>>) -> Self {
        Self { times: Timeline::default(), partitions: ranges.into_iter().map(Slices::new).collect() }
    }

    /// Notes a finding about a message.
    pub fn note(&mut self, at: MessageAt, timestamp_ms: Option<i64>) {
        self.times.note(timestamp_ms);
        if let Some(slices) = self.partitions.get_mut(at.partition.0 as usize) {
            slices.note(at.offset);
        }
    }
}

/// Findings of one partition by slice of its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slices {
    range: Range<i64>,
    counts: Vec<u64>,
}

impl Slices {
    /// Nothing yet, of that range.
    pub fn new(range: Range<i64>) -> Self {
        let offsets = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        Self { range, counts: vec![0; offsets.min(SPREAD_SLICES_MAX)] }
    }

    /// Findings by slice, in the order of offsets.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The offsets of a slice.
    pub fn offsets(&self, nth: usize) -> Range<i64> {
        self.edge(nth)..self.edge(nth + 1)
    }

    /// Findings in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Notes a finding at that offset; one outside of the range is in no slice.
    pub fn note(&mut self, offset: i64) {
        if !self.range.contains(&offset) {
            return;
        }
        let slices = self.counts.len();
        // The slice by division is right up to rounding; the edges decide.
        let (offset_128, from, length) = (i128::from(offset), i128::from(self.range.start), self.length());
        let guess = usize::try_from((offset_128 - from) * slices as i128 / length).expect("it is below the slices");
        let nth = if self.edge(guess + 1) <= offset { guess + 1 } else { guess };
        self.counts[nth] += 1;
    }

    fn length(&self) -> i128 {
        i128::from(self.range.end) - i128::from(self.range.start)
    }

    /// The first offset of a slice.
    fn edge(&self, nth: usize) -> i64 {
        let slices = self.counts.len().max(1) as i128;
        let past = self.length() * nth as i128 / slices;
        i64::try_from(i128::from(self.range.start) + past).expect("edges lie in the range")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::position::PartitionIndex;

    #[test]
    fn a_short_range_has_a_slice_for_each_offset() {
        let mut slices = Slices::new(10..13);
        [10, 12, 12, 13, 9].into_iter().for_each(|offset| slices.note(offset));
        assert_eq!((slices.counts(), slices.offsets(1)), ([1, 0, 2].as_slice(), 11..12));
        assert_eq!(Slices::new(5..5).counts(), [0; 0]);
    }

    #[test]
    fn a_finding_is_counted_in_its_partition_and_its_time() {
        let mut spread = Spread::new([0..100, 50..150]);
        spread.note(MessageAt { partition: PartitionIndex(1), offset: 149 }, Some(1_000));
        spread.note(MessageAt { partition: PartitionIndex(7), offset: 0 }, None);
        assert_eq!((spread.partitions[0].total(), spread.partitions[1].total()), (0, 1));
        assert_eq!(spread.partitions[1].counts().last(), Some(&1));
        assert_eq!((spread.times.at(1_000), spread.times.timeless()), (1, 1));
    }

    proptest! {
        #[test]
        fn every_offset_of_a_range_is_in_the_slice_that_says_so(
            from in prop_oneof![Just(0), any::<i64>()], length in 1..100_000i64, into in 0..100_000i64,
        ) {
            let end = from.saturating_add(length);
            prop_assume!(from < end);
            let offset = (from + into % (end - from)).min(end - 1);
            let mut slices = Slices::new(from..end);
            slices.note(offset);
            let nth = slices.counts().iter().position(|count| *count == 1).expect("it lies in the range");
            prop_assert!(slices.offsets(nth).contains(&offset));
            prop_assert_eq!((slices.offsets(0).start, slices.offsets(slices.counts().len() - 1).end), (from, end));
        }
    }
}

//! Counts over time in few equal steps, whatever the span: the steps grow as the span does.
//!
//! Contract: exact counts; at most [`TIMELINE_STEPS_MAX`] steps; each width divides the next one, so that steps are joined
//! and never cut. Two timelines can be brought to one width. Milliseconds since the epoch.

use crate::limits::TIMELINE_STEPS_MAX;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Widths of a step, each a multiple of the one before; the last one holds all of time in a few steps.
const WIDTHS_MS: [i64; 37] = [
    1,
    5,
    10,
    50,
    100,
    500,
    SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    5 * DAY,
    10 * DAY,
    50 * DAY,
    100 * DAY,
    500 * DAY,
    1_000 * DAY,
    5_000 * DAY,
    10_000 * DAY,
    50_000 * DAY,
    100_000 * DAY,
    500_000 * DAY,
    1_000_000 * DAY,
    5_000_000 * DAY,
    10_000_000 * DAY,
    50_000_000 * DAY,
    100_000_000 * DAY,
    500_000_000 * DAY,
    1_000_000_000 * DAY,
    5_000_000_000 * DAY,
];

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// Index of the width.
    width: usize,
    /// The number of the first step: its start divided by the width.
    first: i64,
    counts: Vec<u64>,
    /// What has no time.
    timeless: u64,
}

impl Timeline {
    /// Counts one more; `None` has no time.
    pub fn note(&mut self, at_ms: Option<i64>) {
        match at_ms {
            Some(at_ms) => self.add_at(at_ms, 1),
            None => self.timeless += 1,
        }
    }

    /// Adds all that another one counts.
    pub fn add(&mut self, other: &Self) {
        self.timeless += other.timeless;
        self.widen(other.width);
        other.steps().filter(|(_, count)| *count > 0).for_each(|(at_ms, count)| self.add_at(at_ms, count));
    }

    /// Brings two timelines to one width.
    pub fn align(&mut self, other: &mut Self) {
        self.widen(other.width);
        other.widen(self.width);
    }

    /// Milliseconds of a step.
    pub fn width_ms(&self) -> i64 {
        WIDTHS_MS[self.width]
    }

    /// Start and count of each step from the first that counts anything to the last.
    pub fn steps(&self) -> impl Iterator<Item = (i64, u64)> {
        let width = self.width_ms();
        (self.first..).zip(&self.counts).map(move |(number, count)| (number.saturating_mul(width), *count))
    }

    /// How many have no time.
    pub fn timeless(&self) -> u64 {
        self.timeless
    }

    /// How many there are of a step that begins then.
    pub fn at(&self, start_ms: i64) -> u64 {
        let nth = i128::from(start_ms.div_euclid(self.width_ms())) - i128::from(self.first);
        usize::try_from(nth).ok().and_then(|nth| self.counts.get(nth)).copied().unwrap_or(0)
    }

    fn add_at(&mut self, at_ms: i64, more: u64) {
        loop {
            let number = at_ms.div_euclid(self.width_ms());
            if self.counts.is_empty() {
                (self.first, self.counts) = (number, vec![more]);
                return;
            }
            let nth = i128::from(number) - i128::from(self.first);
            if let Ok(nth) = usize::try_from(nth)
                && nth < TIMELINE_STEPS_MAX
            {
                if nth >= self.counts.len() {
                    self.counts.resize(nth + 1, 0);
                }
                self.counts[nth] += more;
                return;
            }
            let before = usize::try_from(-nth).unwrap_or(usize::MAX);
            if nth < 0 && before.saturating_add(self.counts.len()) <= TIMELINE_STEPS_MAX {
                self.counts.splice(0..0, std::iter::repeat_n(0, before));
                self.first = number;
                self.counts[0] += more;
                return;
            }
            self.widen(self.width + 1);
        }
    }

    /// Joins steps until they are that wide.
    fn widen(&mut self, width: usize) {
        if width <= self.width {
            return;
        }
        let factor = WIDTHS_MS[width] / WIDTHS_MS[self.width];
        let first = self.first.div_euclid(factor);
        let mut joined: Vec<u64> = Vec::new();
        for (number, count) in (self.first..).zip(&self.counts) {
            let nth = usize::try_from(number.div_euclid(factor) - first).expect("numbers ascend from the first");
            if nth >= joined.len() {
                joined.resize(nth + 1, 0);
            }
            joined[nth] += count;
        }
        (self.width, self.first, self.counts) = (width, first, joined);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timeline(times: &[i64]) -> Timeline {
        let mut timeline = Timeline::default();
        times.iter().for_each(|at| timeline.note(Some(*at)));
        timeline
    }

    #[test]
    fn each_width_is_a_multiple_of_the_one_before_and_the_last_holds_all_of_time() {
        assert!(WIDTHS_MS.windows(2).all(|pair| pair[1] > pair[0] && pair[1] % pair[0] == 0));
        let all = timeline(&[i64::MIN, 0, i64::MAX]);
        assert_eq!(all.steps().map(|(_, count)| count).sum::<u64>(), 3);
    }

    #[test]
    fn steps_are_as_wide_as_the_span_asks_for() {
        assert_eq!(timeline(&[7, 7]).steps().collect::<Vec<_>>(), [(7, 2)]);
        let minute = timeline(&[0, 59_999, 30_000, 30_001]);
        assert_eq!((minute.width_ms(), minute.at(30_000), minute.at(30_200)), (500, 2, 2));
        assert_eq!((minute.at(60_000), minute.at(-1)), (0, 0));
        assert_eq!(timeline(&[0, 24 * HOUR]).width_ms(), 30 * MINUTE);
    }

    #[test]
    fn what_has_no_time_is_counted_apart() {
        let mut one = timeline(&[5]);
        one.note(None);
        let mut two = Timeline::default();
        two.add(&one);
        assert_eq!((two.timeless(), two.steps().count()), (1, 1));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_any_order_and_steps_are_few(
            times in prop::collection::vec(prop_oneof![any::<i64>(), 0..100_000i64, Just(1_723_000_000_000)], 1..200),
            cut in 0..200usize,
        ) {
            let all = timeline(&times);
            prop_assert!(all.counts.len() <= TIMELINE_STEPS_MAX);
            prop_assert_eq!(all.counts.iter().sum::<u64>(), times.len() as u64);
            for at in &times {
                let start = at.div_euclid(all.width_ms()).saturating_mul(all.width_ms());
                let here = |other: &&i64| other.div_euclid(all.width_ms()) == at.div_euclid(all.width_ms());
                let expected = times.iter().filter(here).count() as u64;
                prop_assert_eq!(all.steps().find(|(step, _)| *step == start).map(|(_, count)| count), Some(expected));
            }
            let (one, two) = times.split_at(cut.min(times.len()));
            let mut merged = timeline(one);
            merged.add(&timeline(two));
            let mut whole = all;
            whole.align(&mut merged);
            prop_assert_eq!(whole, merged);
        }
    }
}

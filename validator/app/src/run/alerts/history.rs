//! What counts were in the past, as far as the windows of the rules look back.
//!
//! Contract: its clock is `judged_at`, so that an outage, in which no count can move, uses up no window; samples are thinned
//! with age (limits), so a window is longer than asked by at most one step. Bounded by the longest window.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::figure::Series;
use super::limits::SAMPLE_STEPS_MS;
use super::view::count;
use crate::run::status::Status;

/// The samples of one pipeline.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    series: Vec<Series>,
    window_ms: i64,
    /// In the order of their time.
    samples: Vec<Sample>,
    /// Places of series that were not saved and not counted yet.
    new: BTreeSet<usize>,
}

/// Counts at one moment, in the order of the series.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sample {
    at_ms: i64,
    counts: Vec<u64>,
}

/// As the ledger keeps it: each column by its differences, which are short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    at_ms: Vec<i64>,
    counts: BTreeMap<String, Vec<i64>>,
}

impl History {
    /// Of these series, as far back as that.
    pub fn new(series: BTreeSet<Series>, window_ms: i64) -> Self {
        Self { series: series.into_iter().collect(), window_ms, samples: Vec::new(), new: BTreeSet::new() }
    }

    /// Whether any rule looks back.
    pub fn is_asked(&self) -> bool {
        !self.series.is_empty()
    }

    /// Of a pipeline that has counted nothing yet: what it finds first is new.
    pub fn begin(&mut self, now_ms: i64) {
        self.samples = vec![Sample { at_ms: now_ms, counts: vec![0; self.series.len()] }];
    }

    /// Takes over what was saved. Of a series that was not, what is counted first stands for what was before; not whole, it is of no use.
    pub fn restore(&mut self, saved: &Saved) {
        let times = summed(&saved.at_ms);
        let column = |series: &Series| saved.counts.get(&series.name()).map(|column| summed(column));
        let known: Vec<Option<Vec<i64>>> = self.series.iter().map(column).collect();
        if known.iter().all(Option::is_none) {
            return;
        }
        let new = known.iter().enumerate().filter(|(_, column)| column.is_none()).map(|(place, _)| place);
        self.new = new.collect();
        let columns: Vec<_> = known.into_iter().map(|column| column.unwrap_or_else(|| vec![0; times.len()])).collect();
        if columns.iter().any(|column| column.len() != times.len()) || !times.is_sorted() {
            return;
        }
        let counts = |at: usize| columns.iter().map(|column| column[at].max(0).unsigned_abs()).collect();
        self.samples =
            times.iter().enumerate().map(|(at, at_ms)| Sample { at_ms: *at_ms, counts: counts(at) }).collect();
    }

    /// What the ledger keeps.
    pub fn saved(&self) -> Saved {
        let column = |at: usize| differences(self.samples.iter().map(|sample| sample.counts[at].cast_signed()));
        let counts = self.series.iter().enumerate().map(|(at, series)| (series.name(), column(at))).collect();
        Saved { at_ms: differences(self.samples.iter().map(|sample| sample.at_ms)), counts }
    }

    /// Takes a sample.
    pub fn observe(&mut self, status: &Status) {
        let Some(at_ms) = status.judged_at_ms.filter(|_| !self.series.is_empty()) else { return };
        // A clock that stepped back takes its verdicts back, and their counts.
        self.samples.retain(|sample| sample.at_ms <= at_ms);
        for place in std::mem::take(&mut self.new) {
            let first = count(status, self.series[place]);
            self.samples.iter_mut().for_each(|sample| sample.counts[place] = first);
        }
        let counts = self.series.iter().map(|series| count(status, *series)).collect();
        let sample = Sample { at_ms, counts };
        let step = |at_ms: i64| at_ms.div_euclid(SAMPLE_STEPS_MS[0].1);
        // The last of its step stands for it; the first of all is what was before everything.
        let is_first = self.samples.len() < 2;
        match self.samples.last_mut() {
            Some(last) if !is_first && step(last.at_ms) == step(at_ms) => *last = sample,
            _ => {
                self.samples.push(sample);
                self.thin(at_ms);
            }
        }
    }

    /// How much more it is than before the window; less is negative. The first sample stands for what was before it.
    pub fn change(&self, status: &Status, series: Series, window_ms: i64) -> Option<i64> {
        let at_ms = status.judged_at_ms?;
        let place = self.series.iter().position(|known| *known == series).filter(|place| !self.new.contains(place))?;
        let behind = self.samples.partition_point(|sample| sample.at_ms <= at_ms.saturating_sub(window_ms));
        let before = self.samples.get(behind.saturating_sub(1))?;
        Some(count(status, series).cast_signed() - before.counts[place].cast_signed())
    }

    /// Keeps of each step the last sample, and one sample behind the window.
    fn thin(&mut self, now_ms: i64) {
        let step = |at_ms: i64| {
            let age = now_ms - at_ms;
            SAMPLE_STEPS_MS.iter().rev().find(|(from, _)| age >= *from).map_or(SAMPLE_STEPS_MS[0].1, |(_, step)| *step)
        };
        let mut kept: Vec<Sample> = Vec::with_capacity(self.samples.len());
        for sample in self.samples.drain(..) {
            let step = step(sample.at_ms);
            let is_first = kept.len() < 2;
            match kept.last_mut() {
                Some(last) if !is_first && last.at_ms.div_euclid(step) == sample.at_ms.div_euclid(step) => {
                    *last = sample
                }
                _ => kept.push(sample),
            }
        }
        let inside = kept.partition_point(|sample| sample.at_ms <= now_ms.saturating_sub(self.window_ms));
        kept.drain(..inside.saturating_sub(1));
        self.samples = kept;
    }
}

fn differences(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut before = 0;
    values.map(|value| value.wrapping_sub(std::mem::replace(&mut before, value))).collect()
}

fn summed(differences: &[i64]) -> Vec<i64> {
    let mut sum = 0_i64;
    let add = |difference: &i64| {
        sum = sum.wrapping_add(*difference);
        sum
    };
    differences.iter().map(add).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(ms: i64, consumed: u64) -> Status {
        let mut status = Status::starting("t", 0.9999, 0);
        status.judged_at_ms = Some(ms);
        status.messages.pending = consumed;
        status
    }

    fn of_consumed(window_ms: i64) -> History {
        History::new(BTreeSet::from([Series::Consumed]), window_ms)
    }

    #[test]
    fn a_week_of_looks_every_two_seconds_is_some_thousand_samples_and_windows_stay_true() {
        let mut history = of_consumed(7 * 24 * HOUR);
        let mut ms = 1_700_000_000_000;
        let start = ms;
        while ms < start + 8 * 24 * HOUR {
            history.observe(&at(ms, ((ms - start) / 1_000).unsigned_abs()));
            ms += 2_000;
        }
        assert!(history.samples.len() < 2_000, "{}", history.samples.len());
        let now = at(ms, ((ms - start) / 1_000).unsigned_abs());
        for (window, step) in [(60_000, 10), (300_000, 10), (6 * HOUR, 60), (72 * HOUR, 600), (7 * 24 * HOUR, 600)] {
            let change = history.change(&now, Series::Consumed, window).expect("it is known");
            let wanted = window / 1_000;
            assert!((wanted..=wanted + 2 * step).contains(&change), "{change} in {wanted} s");
        }
    }

    #[test]
    fn a_window_that_begins_before_the_first_sample_begins_there() {
        let mut history = of_consumed(HOUR);
        assert_eq!(history.change(&at(5, 7), Series::Consumed, HOUR), None);
        history.observe(&at(0, 100));
        assert_eq!(history.change(&at(5_000, 107), Series::Consumed, HOUR), Some(7));
    }

    #[test]
    fn a_clock_that_steps_back_takes_its_samples_back() {
        let mut history = of_consumed(HOUR);
        history.observe(&at(0, 100));
        history.observe(&at(HOUR, 500));
        history.observe(&at(10_000, 120));
        assert_eq!(history.change(&at(60_000, 130), Series::Consumed, 60_000), Some(30));
    }

    #[test]
    fn what_was_saved_goes_on_and_what_does_not_fit_is_left() {
        let mut history = History::new(BTreeSet::from([Series::Consumed, Series::Whole]), HOUR);
        history.observe(&at(0, 100));
        let mut fewer = of_consumed(HOUR);
        fewer.restore(&history.saved());
        assert_eq!(fewer.change(&at(9_000, 109), Series::Consumed, HOUR), Some(9));
        // A rule that came since asks for a series that nobody took: the others go on, and what it is first stands for what it was.
        let mut more = History::new(BTreeSet::from([Series::Consumed, Series::Whole, Series::Unfaithful]), HOUR);
        more.restore(&history.saved());
        let changes = |more: &History, status: &Status| {
            [Series::Consumed, Series::Unfaithful].map(|series| more.change(status, series, HOUR))
        };
        assert_eq!(changes(&more, &at(9_000, 109)), [Some(9), None]);
        more.observe(&at(9_000, 109));
        assert_eq!(changes(&more, &at(10_000, 111)), [Some(11), Some(0)]);
        let mut none = History::new(BTreeSet::from([Series::Unfaithful]), HOUR);
        none.restore(&history.saved());
        assert_eq!(none.samples, []);
        let mut torn = of_consumed(HOUR);
        torn.restore(&Saved { at_ms: vec![1, 2], counts: BTreeMap::from([("consumed".into(), vec![5])]) });
        assert_eq!(torn.samples, []);
    }

    #[test]
    fn a_pipeline_that_begins_counts_what_it_finds_first() {
        let mut history = of_consumed(HOUR);
        history.begin(0);
        assert_eq!(history.change(&at(1, 7), Series::Consumed, HOUR), Some(7));
    }
}

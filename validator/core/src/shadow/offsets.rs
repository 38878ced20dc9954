//! Offsets of one page, as runs: some that lie apart take 16 bytes each, many in a row no more than one.

use std::ops::Range;

use super::pack::{Reader, Writer};

/// See the module. Half-open runs, ascending, none of which touches the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offsets(Vec<(i64, i64)>);

impl Offsets {
    /// Adds one; false: it was there. `offset` is below the greatest number.
    pub fn insert(&mut self, offset: i64) -> bool {
        let (after, next) = (self.after(offset), offset + 1);
        if after > 0 && offset < self.0[after - 1].1 {
            return false;
        }
        let touches_last = after > 0 && self.0[after - 1].1 == offset;
        let touches_next = self.0.get(after).is_some_and(|(from, _)| *from == next);
        match (touches_last, touches_next) {
            (true, true) => {
                self.0[after - 1].1 = self.0[after].1;
                self.0.remove(after);
            }
            (true, false) => self.0[after - 1].1 = next,
            (false, true) => self.0[after].0 = offset,
            (false, false) => self.0.insert(after, (offset, next)),
        }
        true
    }

    /// Runs that begin at it or before.
    fn after(&self, offset: i64) -> usize {
        self.0.partition_point(|(from, _)| *from <= offset)
    }

    /// Whether it is there.
    pub fn contains(&self, offset: i64) -> bool {
        self.meets(&(offset..offset.saturating_add(1)))
    }

    /// Whether one of a range is there.
    pub fn meets(&self, range: &Range<i64>) -> bool {
        let begun = self.after(range.end.saturating_sub(1));
        range.start < range.end && begun > 0 && range.start < self.0[begun - 1].1
    }

    /// Those of a range, as runs.
    pub fn within(&self, range: Range<i64>) -> impl Iterator<Item = Range<i64>> {
        let begun = self.after(range.start).saturating_sub(1);
        let runs = self.0[begun..].iter().take_while(move |(from, _)| *from < range.end);
        runs.map(move |(from, end)| range.start.max(*from)..range.end.min(*end)).filter(|run| run.start < run.end)
    }

    /// How many of a range are there.
    pub fn count(&self, range: Range<i64>) -> u64 {
        self.within(range).map(|run| (run.end - run.start).unsigned_abs()).sum()
    }

    /// Whether none is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.number(self.0.len() as u64);
        let mut last = 0_i64;
        for (from, end) in &self.0 {
            to.signed(from.wrapping_sub(last));
            to.signed(end.wrapping_sub(*from));
            last = *end;
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut last = 0_i64;
        let runs = from.list(|from| {
            let start = last.wrapping_add(from.signed()?);
            last = start.wrapping_add(from.signed()?);
            Some((start, last))
        })?;
        let ascends = runs.iter().all(|(start, end)| start < end) && runs.windows(2).all(|two| two[0].1 < two[1].0);
        ascends.then_some(Self(runs))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::pack::whole;
    use super::*;

    proptest! {
        #[test]
        fn runs_are_the_set_that_was_put_in(offsets in prop::collection::vec(-3_i64..40, 0..60), from in -5_i64..45, len in 0_i64..9) {
            let (mut runs, mut set) = (Offsets::default(), BTreeSet::new());
            for offset in offsets {
                prop_assert_eq!(runs.insert(offset), set.insert(offset));
            }
            prop_assert!((-5..45).all(|offset| runs.contains(offset) == set.contains(&offset)));
            prop_assert_eq!(runs.meets(&(from..from + len)), set.range(from..from + len).next().is_some());
            prop_assert!(runs.0.windows(2).all(|two| two[0].1 < two[1].0), "{:?}", runs);
            prop_assert_eq!(runs.count(from..from + len), set.range(from..from + len).count() as u64);
            let mut to = Writer::new();
            runs.write(&mut to);
            prop_assert_eq!(whole(&to.seal(), "offsets", Offsets::read), Ok(runs));
        }
    }
}

//! Sets of offsets as runs: what lies together takes two numbers, however much it is.
//!
//! Contract: runs are half-open, ascending and apart from each other; no partition has an empty set.

use std::collections::BTreeMap;
use std::ops::Range;

use super::pack::{Reader, Writer};
use crate::position::PartitionIndex;
use crate::segment::{OffsetWidth, SegmentKey};

/// Offsets of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Runs(Vec<(i64, i64)>);

impl FromIterator<(i64, i64)> for Runs {
    /// Half-open runs in any order, which may touch.
    fn from_iter<T: IntoIterator<Item = (i64, i64)>>(runs: T) -> Self {
        Self(joined(runs.into_iter().filter(|(from, to)| from < to).collect()))
    }
}

impl Runs {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many offsets.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(from, to)| to.abs_diff(*from)).sum()
    }

    /// The runs, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.0.iter().copied()
    }

    /// Whether an offset is among them.
    pub fn has(&self, offset: i64) -> bool {
        has(&self.0, offset)
    }

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

    /// Adds others: in time of these alone where they lie behind, of both elsewhere.
    pub fn extend(&mut self, others: &Self) {
        let is_behind = match (self.0.last(), others.0.first()) {
            (Some((last, _)), Some((first, _))) => last <= first,
            _ => true,
        };
        let begun = if is_behind { Vec::new() } else { std::mem::take(&mut self.0) };
        let (mut own, mut theirs) = (begun.into_iter().peekable(), others.iter().peekable());
        while let Some((next, _)) = theirs.peek().copied() {
            match own.next_if(|(from, _)| *from <= next) {
                Some(run) => self.put_last(run),
                None => self.put_last(theirs.next().expect("it was seen")),
            }
        }
        own.for_each(|run| self.put_last(run));
    }

    /// A run that begins at the last one or behind.
    fn put_last(&mut self, (from, to): (i64, i64)) {
        match self.0.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => self.0.push((from, to)),
        }
    }

    /// Those that are in both. Of two that differ in size the smaller one says how long it takes.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let (few, many) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        let (mut both, mut next) = (Vec::new(), 0);
        for (from, to) in few.iter() {
            next += ended(&many.0[next..], from);
            let touching = many.0[next..].iter().take_while(|(start, _)| *start < to);
            both.extend(touching.map(|(start, end)| (from.max(*start), to.min(*end))));
        }
        Self(both)
    }

    /// Those that are not in another one.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let both = self.and(other);
        let (mut left, mut taken) = (Vec::new(), both.iter().peekable());
        for (mut from, to) in self.iter() {
            while let Some((start, end)) = taken.next_if(|(start, _)| *start < to) {
                if from < start {
                    left.push((from, start));
                }
                from = end;
            }
            if from < to {
                left.push((from, to));
            }
        }
        Self(left)
    }

    /// Those below an offset, and the others.
    pub fn split(&self, at: i64) -> (Self, Self) {
        let below = self.iter().map(|(from, to)| (from, to.min(at))).collect();
        (below, self.iter().map(|(from, to)| (from.max(at), to)).collect())
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.number(self.0.len() as u64);
        let mut last = 0_i64;
        for (from, end) in &self.0 {
            to.signed(from.wrapping_sub(last));
            to.number(end.abs_diff(*from));
            last = *end;
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut last = 0_i64;
        let runs = from.list(|from| {
            let start = last.wrapping_add(from.signed()?);
            last = start.checked_add_unsigned(from.number()?)?;
            Some((start, last))
        })?;
        let is_apart = runs.iter().all(|(start, end)| start < end) && runs.is_sorted_by(|one, next| one.1 < next.0);
        is_apart.then_some(Self(runs))
    }
}

/// Offsets by partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offsets(BTreeMap<PartitionIndex, Runs>);

impl FromIterator<(PartitionIndex, Runs)> for Offsets {
    /// Each partition once.
    fn from_iter<T: IntoIterator<Item = (PartitionIndex, Runs)>>(offsets: T) -> Self {
        Self(offsets.into_iter().filter(|(_, runs)| !runs.is_empty()).collect())
    }
}

impl Offsets {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.0.values().map(Runs::len).sum()
    }

    /// By partition.
    pub fn iter(&self) -> impl Iterator<Item = (PartitionIndex, &Runs)> {
        self.0.iter().map(|(partition, runs)| (*partition, runs))
    }

    /// Adds offsets of one partition.
    pub fn add(&mut self, partition: PartitionIndex, runs: &Runs) {
        if !runs.is_empty() {
            self.0.entry(partition).or_default().extend(runs);
        }
    }

    /// Adds others.
    pub fn extend(&mut self, others: &Self) {
        others.iter().for_each(|(partition, runs)| self.add(partition, runs));
    }

    /// Those that are in one of these.
    pub fn union<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        gathered(all).into_iter().map(|(partition, runs)| (partition, Runs(joined(runs)))).collect()
    }

    /// Those that are in several of these.
    pub fn in_several<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        gathered(all).into_iter().map(|(partition, runs)| (partition, overlaps(runs))).collect()
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.iter().filter_map(|(partition, runs)| Some((partition, runs.and(other.0.get(&partition)?)))).collect()
    }

    /// Those that are not in another one.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let left = |(partition, runs): (PartitionIndex, &Runs)| match other.0.get(&partition) {
            Some(others) => (partition, runs.without(others)),
            None => (partition, runs.clone()),
        };
        self.iter().map(left).collect()
    }

    /// Cut at the borders of segments.
    pub fn by_segment(&self, width: OffsetWidth) -> BTreeMap<SegmentKey, Runs> {
        let mut cut: BTreeMap<SegmentKey, Runs> = BTreeMap::new();
        for (partition, (mut from, to)) in self.iter().flat_map(|(of, runs)| runs.iter().map(move |run| (of, run))) {
            while from < to {
                let end = width.offsets(width.index_of(from)).end.min(to);
                cut.entry(width.segment_of(partition, from)).or_default().0.push((from, end));
                from = end;
            }
        }
        cut
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.number(self.0.len() as u64);
        for (partition, runs) in &self.0 {
            to.number(u64::from(partition.0));
            runs.write(to);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let all = from.list(|from| Some((PartitionIndex(from.small()?), Runs::read(from)?)))?;
        Some(all.into_iter().collect())
    }
}

/// All runs of each partition, in any order.
fn gathered<'a>(all: impl Iterator<Item = &'a Offsets>) -> BTreeMap<PartitionIndex, Vec<(i64, i64)>> {
    let mut gathered: BTreeMap<PartitionIndex, Vec<(i64, i64)>> = BTreeMap::new();
    for (partition, runs) in all.flat_map(Offsets::iter) {
        gathered.entry(partition).or_default().extend_from_slice(&runs.0);
    }
    gathered
}

/// Where these runs lie over each other.
fn overlaps(mut runs: Vec<(i64, i64)>) -> Runs {
    runs.sort_unstable();
    let mut reached = i64::MIN;
    let over = |(from, to): (i64, i64)| {
        let until = to.min(reached);
        reached = to.max(reached);
        (from, until)
    };
    runs.into_iter().map(over).collect()
}

/// How many of these ascending runs end at an offset or before: most often few.
fn ended(runs: &[(i64, i64)], at: i64) -> usize {
    const NEAR: usize = 8;
    match runs.iter().take(NEAR).take_while(|(_, end)| *end <= at).count() {
        NEAR => NEAR + runs[NEAR..].partition_point(|(_, end)| *end <= at),
        near => near,
    }
}

/// Whether an offset is in one of these ascending runs.
pub(super) fn has(runs: &[(i64, i64)], offset: i64) -> bool {
    let after = runs.partition_point(|(from, _)| *from <= offset);
    after > 0 && offset < runs[after - 1].1
}

/// These runs in order, those that touch as one.
pub(super) fn joined(mut runs: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    runs.sort_unstable();
    runs.dedup_by(|next, last| {
        let touches = next.0 <= last.1;
        last.1 = if touches { last.1.max(next.1) } else { last.1 };
        touches
    });
    runs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::shadow::pack::whole;

    fn of(offsets: &BTreeSet<i64>) -> Runs {
        offsets.iter().map(|offset| (*offset, offset + 1)).collect()
    }

    #[test]
    fn runs_that_touch_are_one() {
        assert_eq!(joined(vec![(5, 7), (1, 3), (3, 4), (6, 9)]), [(1, 4), (5, 9)]);
        assert_eq!(joined(Vec::new()), []);
    }

    #[test]
    fn offsets_are_cut_at_the_borders_of_segments() {
        let width = OffsetWidth::new(4).expect("a power of two");
        let partition = PartitionIndex(2);
        let offsets: Offsets = [(partition, Runs::from_iter([(2, 9)]))].into_iter().collect();
        let key = |index| SegmentKey::Offsets { partition, index };
        let run = |from, to| Runs::from_iter([(from, to)]);
        let cut = BTreeMap::from([(key(0), run(2, 4)), (key(1), run(4, 8)), (key(2), run(8, 9))]);
        assert_eq!(offsets.by_segment(width), cut);
    }

    proptest! {
        #[test]
        fn offsets_of_many_are_those_of_each(
            many in proptest::collection::vec((0_u32..2, proptest::collection::btree_set(-20_i64..20, 0..20)), 0..6),
        ) {
            let all: Vec<Offsets> =
                many.iter().map(|(partition, set)| [(PartitionIndex(*partition), of(set))].into_iter().collect()).collect();
            let (mut union, mut several) = (Offsets::default(), Offsets::default());
            for partition in [0, 1] {
                let count = |offset: &i64| {
                    many.iter().filter(|(other, set)| *other == partition && set.contains(offset)).count()
                };
                union.add(PartitionIndex(partition), &of(&(-20..20).filter(|offset| count(offset) > 0).collect()));
                several.add(PartitionIndex(partition), &of(&(-20..20).filter(|offset| count(offset) > 1).collect()));
            }
            prop_assert_eq!(Offsets::union(all.iter()), union);
            prop_assert_eq!(Offsets::in_several(all.iter()), several);
        }

        #[test]
        fn few_runs_are_found_among_many(at in proptest::collection::btree_set(0_i64..400, 0..4)) {
            let many: BTreeSet<i64> = (0..400).step_by(3).collect();
            prop_assert_eq!(of(&at).and(&of(&many)), of(&at.intersection(&many).copied().collect()));
            prop_assert_eq!(of(&many).and(&of(&at)), of(&at.intersection(&many).copied().collect()));
        }

        #[test]
        fn runs_are_the_set_that_was_put_in(offsets in prop::collection::vec(-3_i64..40, 0..60), from in -5_i64..45, len in 0_i64..9) {
            let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
            for offset in offsets {
                prop_assert_eq!(runs.insert(offset), set.insert(offset));
            }
            prop_assert!((-5..45).all(|offset| runs.has(offset) == set.contains(&offset)));
            prop_assert_eq!(runs.meets(&(from..from + len)), set.range(from..from + len).next().is_some());
            prop_assert!(runs.0.windows(2).all(|two| two[0].1 < two[1].0), "{:?}", runs);
            prop_assert_eq!(runs.count(from..from + len), set.range(from..from + len).count() as u64);
        }

        #[test]
        fn runs_are_sets(
            one in proptest::collection::btree_set(-20_i64..20, 0..20),
            other in proptest::collection::btree_set(-20_i64..20, 0..20),
            at in -25_i64..25,
        ) {
            let (runs, others) = (of(&one), of(&other));
            prop_assert_eq!(runs.len(), one.len() as u64);
            prop_assert_eq!(runs.has(at), one.contains(&at));
            prop_assert_eq!(runs.and(&others), of(&one.intersection(&other).copied().collect()));
            prop_assert_eq!(runs.without(&others), of(&one.difference(&other).copied().collect()));
            let mut all = runs.clone();
            all.extend(&others);
            prop_assert_eq!(all, of(&one.union(&other).copied().collect()));
            let (below, rest) = runs.split(at);
            prop_assert_eq!(below, of(&one.range(..at).copied().collect()));
            prop_assert_eq!(rest, of(&one.range(at..).copied().collect()));
            let mut to = Writer::new();
            runs.write(&mut to);
            prop_assert_eq!(whole(&to.seal(), "runs", Runs::read), Ok(runs));
        }
    }
}

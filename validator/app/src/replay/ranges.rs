//! Sets of offsets as ranges: exactly those that were given, merged where nothing but holes lies between.
//!
//! Contract: a range begins and ends at an offset that was given; what else it spans is in a hole, so that who reads the range
//! reads no other message.

use serde::Serialize;

/// Offsets that hold no message, half-open, ascending, apart from each other.
pub type Holes = [(i64, i64)];

/// Offsets of one partition, in any order.
#[derive(Debug, Clone, Default)]
pub struct Offsets {
    pieces: Vec<(i64, i64)>,
}

/// Offsets from one on to before another, and how many messages they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The first offset.
    pub from: i64,
    /// One past the last.
    pub to: i64,
    /// Messages; the other offsets hold none.
    pub messages: u64,
}

impl Offsets {
    /// Adds offsets, half-open; some may be there already.
    pub fn add(&mut self, from: i64, to: i64) {
        if from < to {
            match self.pieces.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => self.pieces.push((from, to)),
            }
        }
    }

    /// As few ranges as there can be, ascending.
    pub fn ranges(mut self, holes: &Holes) -> Vec<Range> {
        self.pieces.sort_unstable();
        let mut ranges: Vec<Range> = Vec::new();
        for (from, to) in self.pieces {
            match ranges.last_mut() {
                Some(last) if to <= last.to => {}
                Some(last) if from <= last.to || is_hole(holes, last.to, from) => {
                    last.messages += to.abs_diff(from.max(last.to));
                    last.to = to;
                }
                _ => ranges.push(Range { from, to, messages: to.abs_diff(from) }),
            }
        }
        ranges
    }
}

/// Whether no offset of the range holds a message.
fn is_hole(holes: &Holes, from: i64, to: i64) -> bool {
    let mut next = from;
    for (first, end) in &holes[holes.partition_point(|(_, end)| *end <= from)..] {
        if *first > next || next >= to {
            break;
        }
        next = *end;
    }
    next >= to
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ranges(offsets: &[i64], holes: &Holes) -> Vec<(i64, i64, u64)> {
        let mut set = Offsets::default();
        offsets.iter().for_each(|offset| set.add(*offset, offset + 1));
        set.ranges(holes).into_iter().map(|range| (range.from, range.to, range.messages)).collect()
    }

    #[test]
    fn neighbours_are_one_range_and_only_holes_are_spanned() {
        assert_eq!(ranges(&[5, 3, 4, 4], &[]), [(3, 6, 3)]);
        assert_eq!(ranges(&[3, 5], &[]), [(3, 4, 1), (5, 6, 1)]);
        assert_eq!(ranges(&[3, 5], &[(4, 5)]), [(3, 6, 2)]);
        assert_eq!(ranges(&[3, 7], &[(4, 5), (5, 7)]), [(3, 8, 2)]);
        assert_eq!(ranges(&[3, 7], &[(4, 5), (6, 7)]), [(3, 4, 1), (7, 8, 1)]);
        assert_eq!(ranges(&[3], &[(0, 3), (4, 9)]), [(3, 4, 1)]);
    }

    proptest! {
        #[test]
        fn ranges_cover_exactly_the_set(
            kinds in prop::collection::vec(0..3_u8, 0..60),
            pieces in prop::collection::vec((0..60_i64, 0..4_i64), 0..30),
            start in -5..5_i64,
        ) {
            // 0: a message that is meant, 1: one that is not, 2: a hole.
            let at = |offset: i64| usize::try_from(offset - start).ok().and_then(|at| kinds.get(at)).copied();
            let end = start + kinds.len() as i64;
            let meant: BTreeSet<i64> = (start..end).filter(|offset| at(*offset) == Some(0)).collect();
            let holes: Vec<(i64, i64)> = (start..end).filter(|o| at(*o) == Some(2)).map(|o| (o, o + 1)).collect();
            let mut set = Offsets::default();
            // Pieces of it in any order, some several times, then each once.
            for (from, length) in pieces {
                let from = start + from;
                if (from..from + length).all(|offset| meant.contains(&offset)) {
                    set.add(from, from + length);
                }
            }
            meant.iter().rev().for_each(|offset| set.add(*offset, offset + 1));
            let ranges = set.ranges(&holes);
            let covered: Vec<i64> = ranges.iter().flat_map(|range| range.from..range.to).collect();
            let messages: BTreeSet<i64> = covered.iter().copied().filter(|offset| at(*offset) != Some(2)).collect();
            prop_assert_eq!(&messages, &meant);
            prop_assert!(covered.is_sorted_by(|a, b| a < b));
            for range in &ranges {
                prop_assert!(meant.contains(&range.from) && meant.contains(&(range.to - 1)));
                prop_assert_eq!(range.messages, meant.range(range.from..range.to).count() as u64);
            }
            for pair in ranges.windows(2) {
                prop_assert!((pair[0].to..pair[1].from).any(|offset| at(offset) != Some(2)), "{:?} could be one", pair);
            }
        }
    }
}

//! Which rows of a data file are read, and the mask that takes the others out of a decoded batch.
//!
//! A mask, and no selection inside the Parquet reader: with one row in ten deleted at random a selection breaks every
//! page into runs of nine rows, and reading them costs more than filtering what was decoded at once.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_buffer::BooleanBufferBuilder;
use roaring::RoaringTreemap;

/// Rows of one data file.
#[derive(Debug, Clone, Default)]
pub(crate) enum Shown {
    #[default]
    All,
    AllBut(Arc<RoaringTreemap>),
    Only(Arc<RoaringTreemap>),
}

/// What is read of some rows in a run.
#[derive(Debug)]
pub(crate) enum Mask {
    All,
    Nothing,
    /// Which of them, and the positions of those in the file.
    Some(BooleanArray, Vec<u64>),
}

impl Shown {
    /// How many rows of the range are read.
    pub(crate) fn count(&self, range: Range<u64>) -> u64 {
        let rows = range.end.saturating_sub(range.start);
        match self {
            Shown::All => rows,
            Shown::AllBut(deleted) => rows - deleted.range_cardinality(range).min(rows),
            Shown::Only(wanted) => wanted.range_cardinality(range).min(rows),
        }
    }

    /// Of these rows, which are among the `others` and which are not.
    pub(crate) fn split(&self, others: &Shown) -> (Shown, Shown) {
        match (self, others) {
            (_, Shown::All) => (self.clone(), Shown::Only(Arc::default())),
            (Shown::All, Shown::AllBut(deleted)) => (others.clone(), Shown::Only(Arc::clone(deleted))),
            (Shown::All, Shown::Only(wanted)) => (others.clone(), Shown::AllBut(Arc::clone(wanted))),
            (Shown::Only(these), Shown::AllBut(deleted)) => only(&**these - &**deleted, &**these & &**deleted),
            (Shown::Only(these), Shown::Only(wanted)) => only(&**these & &**wanted, &**these - &**wanted),
            (Shown::AllBut(gone), Shown::AllBut(deleted)) => {
                (Shown::AllBut(Arc::new(&**gone | &**deleted)), Shown::Only(Arc::new(&**deleted - &**gone)))
            }
            (Shown::AllBut(gone), Shown::Only(wanted)) => {
                (Shown::Only(Arc::new(&**wanted - &**gone)), Shown::AllBut(Arc::new(&**gone | &**wanted)))
            }
        }
    }

    pub(crate) fn contains(&self, position: u64) -> bool {
        match self {
            Shown::All => true,
            Shown::AllBut(deleted) => !deleted.contains(position),
            Shown::Only(wanted) => wanted.contains(position),
        }
    }

    /// The mask of `rows` rows from position `first`.
    pub(crate) fn mask(&self, first: u64, rows: usize) -> Mask {
        let range = first..first.saturating_add(rows as u64);
        let shown = self.count(range.clone());
        let (set, listed) = match self {
            _ if shown == rows as u64 => return Mask::All,
            _ if shown == 0 => return Mask::Nothing,
            Shown::All => return Mask::All,
            Shown::AllBut(deleted) => (deleted, false),
            Shown::Only(wanted) => (wanted, true),
        };
        let mut keep = BooleanBufferBuilder::new(rows);
        keep.append_n(rows, !listed);
        let mut positions = set.iter();
        positions.advance_to(first);
        for position in positions.take_while(|position| *position < range.end) {
            keep.set_bit((position - first) as usize, listed);
        }
        let keep = BooleanArray::new(keep.finish(), None);
        let positions = keep.values().set_indices().map(|row| first + row as u64).collect();
        Mask::Some(keep, positions)
    }
}

fn only(these: RoaringTreemap, rest: RoaringTreemap) -> (Shown, Shown) {
    (Shown::Only(Arc::new(these)), Shown::Only(Arc::new(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(mask: &Mask, first: u64, rows: usize) -> Vec<u64> {
        match mask {
            Mask::All => (first..first + rows as u64).collect(),
            Mask::Nothing => Vec::new(),
            Mask::Some(keep, positions) => {
                assert_eq!(keep.true_count(), positions.len());
                positions.clone()
            }
        }
    }

    #[test]
    fn rows_are_split_into_those_among_others_and_those_that_are_not() {
        let set = |positions: &[u64]| Arc::new(positions.iter().copied().collect::<RoaringTreemap>());
        let (a, b) = (set(&[1, 2, 5]), set(&[2, 3]));
        let of = |set: &Arc<RoaringTreemap>| [Shown::All, Shown::AllBut(Arc::clone(set)), Shown::Only(Arc::clone(set))];
        for these in of(&a) {
            for others in of(&b) {
                let (among, not) = these.split(&others);
                for position in 0..8 {
                    let (inside, other) = (these.contains(position), others.contains(position));
                    let told = (among.contains(position), not.contains(position));
                    assert_eq!(told, (inside && other, inside && !other), "{these:?}, {others:?}: {position}");
                }
            }
        }
    }

    #[test]
    fn a_mask_shows_exactly_the_rows_that_are_not_deleted() {
        // Positions on both sides of a container (2^16) and of a bitmap (2^32), and an empty stretch between.
        let marks = [0, 1, 7, 65_535, 65_536, 65_600, (1 << 32) - 1, 1 << 32, (1 << 32) + 5];
        let set: Arc<RoaringTreemap> = Arc::new(marks.into_iter().collect());
        for (but, only) in [(Shown::AllBut(Arc::clone(&set)), Shown::Only(Arc::clone(&set)))] {
            for first in [0, 1, 60, 65_530, 65_536, 100_000, (1 << 32) - 10, 1 << 32, (1 << 32) + 6] {
                for rows in [1, 2, 8, 100] {
                    let range = first..first + rows as u64;
                    let live: Vec<u64> = range.clone().filter(|position| !marks.contains(position)).collect();
                    let gone: Vec<u64> = range.clone().filter(|position| marks.contains(position)).collect();
                    assert_eq!(shown(&but.mask(first, rows), first, rows), live, "all but, {range:?}");
                    assert_eq!(shown(&only.mask(first, rows), first, rows), gone, "only, {range:?}");
                    assert_eq!((but.count(range.clone()), only.count(range)), (live.len() as u64, gone.len() as u64));
                }
            }
        }
        assert!(matches!(Shown::All.mask(0, 9), Mask::All));
    }
}

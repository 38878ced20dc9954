//! Stretches of a file: between which positions the rows of some segments lie.
//!
//! Contract: a stretch holds every row that was added to it, and others too.

use std::ops::Range;
use std::sync::Arc;

/// Where the rows of some segments lie in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretches {
    /// Anywhere.
    All,
    /// Between these positions, in any order; they may overlap.
    Between(Vec<Range<u64>>),
}

impl Default for Stretches {
    fn default() -> Self {
        Self::Between(Vec::new())
    }
}

impl Stretches {
    /// Adds a stretch.
    pub fn add(&mut self, rows: Range<u64>) {
        if let Self::Between(stretches) = self {
            stretches.push(rows);
        }
    }

    /// An upper bound of the rows in them, in a file of `rows` rows.
    pub fn rows(&self, rows: u64) -> u64 {
        match self {
            Self::All => rows,
            Self::Between(stretches) => {
                stretches.iter().map(|stretch| stretch.end - stretch.start).fold(0, u64::saturating_add)
            }
        }
    }

    /// The positions in them, ascending; none where they may be anywhere.
    pub fn positions(&self) -> Option<Arc<[u64]>> {
        let Self::Between(stretches) = self else { return None };
        let mut stretches = stretches.clone();
        stretches.sort_unstable_by_key(|stretch| stretch.start);
        let mut end = 0;
        let mut positions = Vec::new();
        for stretch in stretches {
            positions.extend(stretch.start.max(end)..stretch.end);
            end = end.max(stretch.end);
        }
        Some(positions.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(stretches: &[Range<u64>]) -> Stretches {
        let mut all = Stretches::default();
        stretches.iter().for_each(|stretch| all.add(stretch.clone()));
        all
    }

    #[test]
    fn positions_ascend_and_are_there_once() {
        let overlapping = between(&[7..9, 2..4, 3..5, 2..3, 20..21]);
        assert_eq!(overlapping.positions().as_deref(), Some([2, 3, 4, 7, 8, 20].as_slice()));
        assert_eq!(between(&[]).positions().as_deref(), Some([].as_slice()));
        assert_eq!(Stretches::All.positions(), None);
    }

    #[test]
    fn rows_are_bounded_from_above() {
        assert_eq!(between(&[2..4, 3..5]).rows(100), 4);
        assert_eq!(Stretches::All.rows(100), 100);
        let mut all = Stretches::All;
        all.add(0..1);
        assert_eq!(all, Stretches::All);
    }
}

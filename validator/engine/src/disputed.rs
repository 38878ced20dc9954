//! What is drilled, what of it is passed by, and what the drill has found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use validator_core::books::Books;
use validator_core::position::FileIndex;
use validator_core::segment::SegmentKey;

use crate::captured::Captured;
use crate::slips::Names;
use crate::stretches::Stretches;

/// The disputed segments, and where their messages and rows are.
#[derive(Debug, Clone)]
pub struct Disputed {
    /// The segments.
    pub segments: Arc<BTreeSet<SegmentKey>>,
    /// Files that have rows in them, and where.
    pub files: BTreeMap<FileIndex, Stretches>,
    /// The books of the run.
    pub books: Arc<Books>,
}

/// Lets pass only what both sides differ on, and captures its values.
#[derive(Debug, Clone)]
pub struct Sieve {
    /// The names.
    pub names: Arc<Names>,
    /// Where values go.
    pub captured: Arc<Captured>,
}

/// What a drill has found in disputed segments.
#[derive(Debug, Default)]
pub struct Found {
    /// The bags of judged messages and of rows.
    pub books: Books,
    /// Late rows by segment.
    pub late: BTreeMap<SegmentKey, u64>,
}

impl Found {
    /// All of these.
    pub fn sum(parts: Vec<Self>) -> Self {
        parts.into_iter().fold(Self::default(), |mut all, part| {
            all.merge(part);
            all
        })
    }

    /// Adds what another part has found.
    pub fn merge(&mut self, other: Self) {
        self.books.merge(&other.books);
        for (segment, late) in other.late {
            *self.late.entry(segment).or_default() += late;
        }
    }
}

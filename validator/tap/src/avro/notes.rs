//! What is noted beside the columns while payloads are read.

use std::collections::{BTreeMap, HashMap};

/// Notes of a batch; those of the payload at hand are taken back if it fails.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The row being read.
    pub(super) row: usize,
    /// The column being read.
    pub(super) column: Option<usize>,
    /// (row, column, text) of values that their type cannot hold.
    pub(super) inexact: Vec<(usize, usize, String)>,
    /// Columns of values with more digits than their float keeps, in the payload at hand.
    rounded: Vec<usize>,
    /// Unknown fields that are not null, in the payload at hand.
    met: Vec<usize>,
    /// A map of the payload at hand names a key twice.
    pub(super) key_twice: bool,
    /// From which inexact value on they are the payload's.
    inexact_before: usize,
    /// Keys of the maps being read, the innermost last: where they begin and end.
    pub(super) keys: Vec<(usize, usize)>,
    pub(super) duplicate_keys: u64,
    rounded_by_column: BTreeMap<usize, u64>,
    unknowns: Unknowns,
}

/// How far the notes of a payload have come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    inexact: usize,
    rounded: usize,
    met: usize,
}

impl Notes {
    pub(super) fn begin(&mut self) {
        self.inexact_before = self.inexact.len();
        self.rounded.clear();
        self.met.clear();
        self.keys.clear();
        self.key_twice = false;
        self.column = None;
    }

    /// Keeps what was noted of the payload.
    pub(super) fn keep(&mut self) {
        self.duplicate_keys += u64::from(self.key_twice);
        for column in &self.rounded {
            *self.rounded_by_column.entry(*column).or_default() += 1;
        }
        for unknown in &self.met {
            self.unknowns.note(*unknown, self.row);
        }
    }

    /// Forgets what was noted of the payload.
    pub(super) fn forget(&mut self) {
        self.inexact.truncate(self.inexact_before);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { inexact: self.inexact.len(), rounded: self.rounded.len(), met: self.met.len() }
    }

    /// Forgets what was noted since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.inexact.truncate(mark.inexact);
        self.rounded.truncate(mark.rounded);
        self.met.truncate(mark.met);
    }

    #[cold]
    pub(super) fn inexact(&mut self, text: String) {
        let column = self.column.expect("values are read for a column");
        self.inexact.push((self.row, column, text));
    }

    pub(super) fn rounded(&mut self) {
        self.rounded.push(self.column.expect("values are read for a column"));
    }

    #[inline]
    pub(super) fn met(&mut self, unknown: usize) {
        self.met.push(unknown);
    }

    /// The number of an unknown field.
    pub(super) fn unknown(&mut self, path: String) -> usize {
        self.unknowns.intern(path)
    }

    /// Takes of the batch the rows of unknown fields by path, and the counts of rounded values by column.
    pub(super) fn take_counts(&mut self) -> (BTreeMap<String, Vec<usize>>, BTreeMap<usize, u64>) {
        (self.unknowns.take(), std::mem::take(&mut self.rounded_by_column))
    }
}

/// Rows of messages that have fields nobody asked for.
#[derive(Debug, Default)]
struct Unknowns {
    by_path: HashMap<String, usize>,
    paths: Vec<String>,
    rows: Vec<Vec<usize>>,
}

impl Unknowns {
    fn intern(&mut self, path: String) -> usize {
        let next = self.paths.len();
        *self.by_path.entry(path).or_insert_with_key(|path| {
            self.paths.push(path.clone());
            self.rows.push(Vec::new());
            next
        })
    }

    /// Notes a row once; rows ascend.
    fn note(&mut self, unknown: usize, row: usize) {
        let rows = &mut self.rows[unknown];
        if rows.last() != Some(&row) {
            rows.push(row);
        }
    }

    fn take(&mut self) -> BTreeMap<String, Vec<usize>> {
        let rows = self.rows.iter_mut().map(std::mem::take);
        self.paths.iter().cloned().zip(rows).filter(|(_, rows)| !rows.is_empty()).collect()
    }
}

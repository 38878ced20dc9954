//! The arena: canonical bytes of many rows in one piece of memory that is used again for every batch.
//!
//! Contract: a row is followed by zeros to the end of its last 64-byte block, never by bytes of an earlier batch.
//! Each row first gets room for the longest bytes its values can have, so that one pass writes values of any length
//! and a store may be wider than the value (the next column overwrites the rest).

use super::Domain;
use super::VERSION;
use super::column::{Column, Values, tag};
use super::fill::{SLACK_BYTES, Sink, cells, put};
use crate::limits::{ARENA_KEPT_BYTES_MAX, TILE_ROWS};

/// The length of a BLAKE3 block, to which rows are padded.
pub const BLOCK_BYTES: usize = 64;

/// Canonical bytes of rows, each padded with zeros to whole blocks.
#[derive(Debug, Default)]
pub struct Arena {
    rows: Rows,
}

impl Arena {
    /// An arena without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.starts.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The canonical bytes of a row, without padding.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[u8] {
        self.rows.row(row)
    }

    /// The canonical bytes of a row with the padding: what is hashed.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn padded(&self, row: usize) -> &[u8] {
        let start = self.rows.starts[row];
        let blocks = (self.rows.ends[row] - start).div_ceil(BLOCK_BYTES);
        &self.rows.bytes[start..start + blocks * BLOCK_BYTES]
    }

    /// Forgets the rows; keeps at most [`ARENA_KEPT_BYTES_MAX`] of the memory.
    pub fn clear(&mut self) {
        self.rows.starts.clear();
        self.rows.ends.clear();
        self.rows.used = 0;
        self.rows.bytes.truncate(ARENA_KEPT_BYTES_MAX);
        self.rows.bytes.shrink_to(ARENA_KEPT_BYTES_MAX);
    }

    /// Appends rows of these columns, which are by ascending field id.
    pub(super) fn append(&mut self, domain: Domain, rows: usize, columns: &[Column<'_>]) {
        // The end mark is the first byte of a block of zeros that is stored as a whole.
        const HEADER_AND_END: usize = 2 + BLOCK_BYTES;
        let mut sink = self.rows.open(rows, HEADER_AND_END + SLACK_BYTES, BLOCK_BYTES, columns);
        let mut start = 0;
        while start < rows {
            let tile = start..rows.min(start + TILE_ROWS);
            cells(None, tile.clone(), &mut sink, |_, bytes, at| put(bytes, at, [VERSION, domain.byte()]));
            columns.iter().for_each(|column| column.fill(tile.clone(), &mut sink));
            cells(None, tile.clone(), &mut sink, |_, bytes, at| {
                put(bytes, at, [tag::END; BLOCK_BYTES]);
                at + 1
            });
            start = tile.end;
        }
    }
}

/// Byte strings in one piece of memory, with slack behind each.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// As long as it ever was, so that memory is zeroed once only; rows lie in `..used`.
    bytes: Vec<u8>,
    used: usize,
    starts: Vec<usize>,
    ends: Vec<usize>,
}

impl Rows {
    /// The values of one column as a row each: elements of a list, keys or values of a map.
    pub fn of_values(column: &Column<'_>, count: usize) -> Self {
        let mut rows = Self::default();
        // One column after the other in ascending rows: what is stored too wide is written over, but for that of a struct,
        // whose columns come one after the other.
        let slack = if matches!(column.values, Values::Struct(_)) { SLACK_BYTES } else { 0 };
        let mut sink = rows.open(count, 1 + slack, 1, std::slice::from_ref(column));
        column.fill(0..count, &mut sink);
        if column.nulls.is_some() {
            cells(
                None,
                0..count,
                &mut sink,
                |row, bytes, at| {
                    if column.is_null(row) { put(bytes, at, [tag::NULL]) } else { at }
                },
            );
        }
        rows
    }

    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.starts[row]..self.ends[row]]
    }

    /// Makes room for rows of these columns and `extra` bytes each, in multiples of `unit`.
    fn open(&mut self, rows: usize, extra: usize, unit: usize, columns: &[Column<'_>]) -> Sink<'_> {
        let first = self.starts.len();
        // The ends hold the room of each row until its start is known.
        self.ends.resize(first + rows, 0);
        let ends = &mut self.ends[first..];
        let every = columns.iter().map(|column| column.room(ends)).sum::<usize>() + extra;
        self.starts.reserve(rows);
        for end in ends.iter_mut() {
            let room = (*end + every).next_multiple_of(unit);
            self.starts.push(self.used);
            *end = self.used;
            self.used += room;
        }
        if self.bytes.len() < self.used + SLACK_BYTES {
            self.bytes.resize(self.used + SLACK_BYTES, 0);
        }
        Sink { bytes: &mut self.bytes, ends }
    }
}

#[cfg(test)]
impl Arena {
    /// An arena of any bytes, for tests of hashing alone.
    pub(crate) fn of_rows<'a>(rows: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut arena = Self::new();
        for row in rows {
            let start = arena.rows.bytes.len();
            arena.rows.bytes.extend_from_slice(row);
            arena.rows.bytes.resize((start + row.len()).next_multiple_of(BLOCK_BYTES), 0);
            arena.rows.starts.push(start);
            arena.rows.ends.push(start + row.len());
        }
        arena
    }
}

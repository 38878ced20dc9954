//! The hot loops: the values of a column, row after row, behind what is already in each row.
//!
//! Contract: the type of a column is matched once per tile, never per value, and no value allocates. Stores have fixed
//! widths where they can, and may write beyond their value into the room that the row has for it.

use std::ops::Range;

use arrow_buffer::NullBuffer;

use super::arena::BLOCK_BYTES;
use super::column::{Column, Entries, Prefix, Values, tag};
use super::number;

/// Where the rows of a batch are written: the memory, and the end of each row so far.
pub(super) struct Sink<'a> {
    pub bytes: &'a mut [u8],
    pub ends: &'a mut [usize],
}

/// Room behind the longest bytes of a row: a store may be this much wider than its value.
pub(super) const SLACK_BYTES: usize = BLOCK_BYTES;
/// Room for a prefix (at most 6 bytes, stored as 8).
const PREFIX_ROOM: usize = 8;
/// Room for the length before bytes.
const LENGTH_ROOM: usize = 4;

impl Column<'_> {
    /// The most bytes that a value of this column takes: returns those of every row, adds those of each row to `room`.
    pub fn room(&self, room: &mut [usize]) -> usize {
        match &self.values {
            Values::Boolean(_) => PREFIX_ROOM,
            Values::Int(_) | Values::Long(_) => number::ROOM_64,
            Values::Decimal { .. } => number::ROOM_128,
            Values::Date(_) => PREFIX_ROOM + 4,
            Values::Float(_) | Values::Double(_) | Values::Time(_) => PREFIX_ROOM + 8,
            Values::Micros(_) | Values::Nanos(_) => PREFIX_ROOM + 12,
            Values::Fixed { width, .. } => PREFIX_ROOM + LENGTH_ROOM + width,
            Values::Uuid(_) => PREFIX_ROOM + 16,
            Values::Bytes { offsets, .. } => {
                for (room, ends) in room.iter_mut().zip(offsets.windows(2)) {
                    *room += (ends[1] - ends[0]) as usize;
                }
                PREFIX_ROOM + LENGTH_ROOM
            }
            Values::Struct(fields) => PREFIX_ROOM + 1 + fields.iter().map(|field| field.room(room)).sum::<usize>(),
            Values::Entries(entries) => {
                for (row, room) in room.iter_mut().enumerate().filter(|(row, _)| !self.is_null(*row)) {
                    let bytes = |entry| entries.parts.iter().map(|part| part.row(entry).len()).sum::<usize>();
                    *room += entries.range(row).map(bytes).sum::<usize>();
                }
                PREFIX_ROOM + LENGTH_ROOM
            }
        }
    }

    /// Appends the values of these rows, each with the column's prefix; nothing for NULL.
    pub fn fill(&self, rows: Range<usize>, sink: &mut Sink<'_>) {
        let prefix = self.prefix;
        let nulls = self.nulls.as_ref();
        match &self.values {
            Values::Boolean(values) => cells(nulls, rows, sink, |row, bytes, at| {
                put_prefix(bytes, at, prefix.then(if values.value(row) { tag::TRUE } else { tag::FALSE }))
            }),
            Values::Int(values) => {
                cells(nulls, rows, sink, |row, bytes, at| number::put_i64(bytes, at, prefix, i64::from(values[row]), 0))
            }
            Values::Long(values) => {
                cells(nulls, rows, sink, |row, bytes, at| number::put_i64(bytes, at, prefix, values[row], 0));
            }
            Values::Decimal { unscaled, scale } => {
                cells(nulls, rows, sink, |row, bytes, at| number::put_decimal(bytes, at, prefix, unscaled[row], *scale))
            }
            Values::Float(values) => fill_fixed(nulls, rows, sink, prefix, |row| float_bytes(f64::from(values[row]))),
            Values::Double(values) => fill_fixed(nulls, rows, sink, prefix, |row| float_bytes(values[row])),
            Values::Date(values) => fill_fixed(nulls, rows, sink, prefix, |row| values[row].to_le_bytes()),
            Values::Time(values) => fill_fixed(nulls, rows, sink, prefix, |row| values[row].to_le_bytes()),
            Values::Uuid(data) => {
                let values = data.as_chunks::<16>().0;
                fill_fixed(nulls, rows, sink, prefix, |row| values[row]);
            }
            Values::Micros(values) => fill_instants::<1_000_000>(nulls, rows, sink, prefix, values),
            Values::Nanos(values) => fill_instants::<1_000_000_000>(nulls, rows, sink, prefix, values),
            Values::Bytes { offsets, data } => cells(nulls, rows, sink, |row, bytes, at| {
                let value = offsets[row] as usize..offsets[row + 1] as usize;
                let at = put_prefix_and_length(bytes, at, prefix, value.len());
                put_bytes(bytes, at, data, value)
            }),
            Values::Fixed { width, data } => cells(nulls, rows, sink, |row, bytes, at| {
                let at = put_prefix_and_length(bytes, at, prefix, *width);
                bytes[at..at + width].copy_from_slice(&data[row * width..][..*width]);
                at + width
            }),
            Values::Struct(fields) => {
                cells(nulls, rows.clone(), sink, |_, bytes, at| put_prefix(bytes, at, prefix));
                fields.iter().for_each(|field| field.fill(rows.clone(), sink));
                cells(nulls, rows, sink, |_, bytes, at| put(bytes, at, [tag::END]));
            }
            Values::Entries(entries) => cells(nulls, rows, sink, |row, bytes, at| {
                let at = put_prefix(bytes, at, prefix);
                put_entries(bytes, at, entries, row)
            }),
        }
    }
}

/// Calls `cell` for each row that is not NULL, with the memory and the row's end; it returns the row's new end.
#[inline]
pub(super) fn cells(
    nulls: Option<&NullBuffer>,
    rows: Range<usize>,
    sink: &mut Sink<'_>,
    cell: impl Fn(usize, &mut [u8], usize) -> usize,
) {
    let bytes = &mut *sink.bytes;
    let ends = &mut sink.ends[rows.clone()];
    match nulls {
        None => rows.zip(ends).for_each(|(row, end)| *end = cell(row, bytes, *end)),
        Some(nulls) => {
            rows.zip(ends).filter(|(row, _)| nulls.is_valid(*row)).for_each(|(row, end)| *end = cell(row, bytes, *end))
        }
    }
}

/// Stores bytes and returns the place behind them.
#[inline(always)]
pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> usize {
    bytes[at..at + N].copy_from_slice(&value);
    at + N
}

#[inline(always)]
fn put_prefix(bytes: &mut [u8], at: usize, prefix: Prefix) -> usize {
    put(bytes, at, prefix.word.to_le_bytes());
    at + prefix.len
}

/// One store where the prefix leaves room for the length: that of a field id below 2^21.
#[inline(always)]
fn put_prefix_and_length(bytes: &mut [u8], at: usize, prefix: Prefix, len: usize) -> usize {
    if prefix.len <= 4 {
        put(bytes, at, (prefix.word | (len as u64) << (8 * prefix.len)).to_le_bytes());
        return at + prefix.len + LENGTH_ROOM;
    }
    let at = put_prefix(bytes, at, prefix);
    put(bytes, at, length(len))
}

/// Bytes that are copied at once when there are as many in the source: a code or a name costs one load and store, an
/// identifier three.
const SHORT_BYTES: usize = 16;
const LONG_BYTES: usize = 48;
const _: () = assert!(LONG_BYTES <= SLACK_BYTES, "what is copied too much stays in the row's room");

#[inline(always)]
fn put_bytes(bytes: &mut [u8], at: usize, data: &[u8], value: Range<usize>) -> usize {
    let (end, source) = (at + value.len(), &data[value.start..]);
    match (source.first_chunk::<SHORT_BYTES>(), source.first_chunk::<LONG_BYTES>()) {
        (Some(chunk), _) if value.len() <= SHORT_BYTES => {
            put(bytes, at, *chunk);
        }
        (_, Some(chunk)) if value.len() <= LONG_BYTES => {
            put(bytes, at, *chunk);
        }
        _ => bytes[at..end].copy_from_slice(&data[value]),
    }
    end
}

fn put_entries(bytes: &mut [u8], at: usize, entries: &Entries<'_>, row: usize) -> usize {
    let places = entries.range(row);
    let mut at = put(bytes, at, length(places.len()));
    for place in places {
        for part in &entries.parts {
            let value = part.row(entries.at(place));
            bytes[at..at + value.len()].copy_from_slice(value);
            at += value.len();
        }
    }
    at
}

/// The prefix and bytes of one width.
#[inline(always)]
fn fill_fixed<const N: usize>(
    nulls: Option<&NullBuffer>,
    rows: Range<usize>,
    sink: &mut Sink<'_>,
    prefix: Prefix,
    value: impl Fn(usize) -> [u8; N],
) {
    cells(nulls, rows, sink, |row, bytes, at| {
        let at = put_prefix(bytes, at, prefix);
        put(bytes, at, value(row))
    });
}

/// Seconds since the epoch, rounded down, and the nanoseconds after them.
fn fill_instants<const PER_SECOND: i64>(
    nulls: Option<&NullBuffer>,
    rows: Range<usize>,
    sink: &mut Sink<'_>,
    prefix: Prefix,
    values: &[i64],
) {
    cells(nulls, rows, sink, |row, bytes, at| {
        let seconds = values[row].div_euclid(PER_SECOND);
        let nanos = values[row].rem_euclid(PER_SECOND) * (1_000_000_000 / PER_SECOND);
        let at = put_prefix(bytes, at, prefix);
        let at = put(bytes, at, seconds.to_le_bytes());
        put(bytes, at, (nanos as u32).to_le_bytes())
    });
}

#[inline(always)]
fn length(length: usize) -> [u8; 4] {
    // Arrow's offsets are i32, so no value and no list is longer.
    (length as u32).to_le_bytes()
}

/// One NaN; -0.0 stays itself.
#[inline(always)]
fn float_bytes(value: f64) -> [u8; 8] {
    let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
    bits.to_le_bytes()
}

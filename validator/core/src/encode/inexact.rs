//! Inexact values: what a message holds and its column's type cannot, as bytes that no table row has.

use arrow_array::{Array, BinaryArray};

use super::column::{Column, Prefix, Values};

/// Stands where a field id would, above all of them: ids are at most 2^31 - 1.
const INEXACT_MARK: u32 = u32::MAX;

/// The bytes for one row of the `_inexact` column: for each inexact value, by ascending field id of its top-level
/// column, the id (4 bytes, little-endian), the length of its source text (4 bytes), the source text.
///
/// Values may come in any order; those of one column stay in theirs.
pub fn inexact_bytes<'a>(values: impl IntoIterator<Item = (i32, &'a str)>) -> Vec<u8> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by_key(|(id, _)| *id);
    let mut bytes = Vec::new();
    for (id, text) in values {
        bytes.extend(id.to_le_bytes());
        bytes.extend(u32::try_from(text.len()).expect("a text is shorter than 4 GiB").to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// The last "column" of a row.
pub(super) fn column(marks: &BinaryArray) -> Column<'_> {
    Column {
        prefix: Prefix::varint(INEXACT_MARK),
        nulls: marks.nulls().cloned(),
        values: Values::Bytes { offsets: marks.value_offsets(), data: marks.value_data() },
    }
}

//! What values weigh: the bytes that they hold, of a part of an array those of that part.
//!
//! Contract: exact for a slice too, whatever the array that it was cut from holds beside it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

/// Bytes of a value of which nothing else is known.
const UNKNOWN: i128 = 16;
/// Bytes of the place of a text in a list.
const OFFSET: i128 = 4;

/// As a weight.
pub fn count(many: usize) -> i128 {
    i128::try_from(many).unwrap_or(i128::MAX)
}

/// Bytes of `rows` values from a row on.
pub fn weight(array: &ArrayRef, from: usize, rows: usize) -> i128 {
    let views = |length: &dyn Fn(usize) -> usize| (from..from + rows).map(|row| count(length(row))).sum();
    match array.data_type() {
        DataType::Null => 0,
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets(), from, rows),
        DataType::LargeUtf8 => span(array.as_string::<i64>().value_offsets(), from, rows),
        DataType::Binary => span(array.as_binary::<i32>().value_offsets(), from, rows),
        DataType::LargeBinary => span(array.as_binary::<i64>().value_offsets(), from, rows),
        DataType::Utf8View => views(&|row| array.as_string_view().value(row).len()),
        DataType::BinaryView => views(&|row| array.as_binary_view().value(row).len()),
        DataType::FixedSizeBinary(size) => i128::from(*size) * count(rows),
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| weight(column, from, rows)).sum()
        }
        _ => match (values(array, from, rows), inside(array)) {
            (Some((first, last)), Some(inside)) => {
                let offsets = if is_wide(inside.data_type()) { OFFSET * count(last - first) } else { 0 };
                weight(&inside, first, last - first) + offsets
            }
            _ => array.data_type().primitive_width().map_or(UNKNOWN, count) * count(rows),
        },
    }
}

/// Whether each value has a length of its own.
fn is_wide(ty: &DataType) -> bool {
    use DataType::{Binary, LargeBinary, LargeList, LargeUtf8, List, Map, Utf8};
    matches!(ty, Utf8 | LargeUtf8 | Binary | LargeBinary | List(_) | LargeList(_) | Map(..))
}

fn span<O: OffsetSizeTrait>(offsets: &[O], from: usize, rows: usize) -> i128 {
    let at = |row: usize| offsets.get(row).map_or(0, |offset| count(offset.as_usize()));
    at(from + rows) - at(from)
}

/// The first value of these rows of lists, and the one after the last.
pub fn values(array: &ArrayRef, from: usize, rows: usize) -> Option<(usize, usize)> {
    let to = from + rows;
    Some(match array.data_type() {
        DataType::List(_) => {
            let offsets = array.as_list::<i32>().value_offsets();
            (offsets[from].as_usize(), offsets[to].as_usize())
        }
        DataType::LargeList(_) => {
            let offsets = array.as_list::<i64>().value_offsets();
            (offsets[from].as_usize(), offsets[to].as_usize())
        }
        DataType::Map(..) => {
            let offsets = array.as_map().value_offsets();
            (offsets[from].as_usize(), offsets[to].as_usize())
        }
        DataType::FixedSizeList(_, size) => {
            let size = size.unsigned_abs() as usize;
            (from * size, to * size)
        }
        _ => return None,
    })
}

fn inside(array: &ArrayRef) -> Option<ArrayRef> {
    Some(match array.data_type() {
        DataType::List(_) => Arc::clone(array.as_list::<i32>().values()),
        DataType::LargeList(_) => Arc::clone(array.as_list::<i64>().values()),
        DataType::Map(..) => Arc::new(array.as_map().entries().clone()),
        DataType::FixedSizeList(..) => Arc::clone(array.as_fixed_size_list().values()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::{Int64Array, StringArray, StringViewArray, StructArray};
    use arrow_schema::Field;

    use super::*;

    #[test]
    fn values_weigh_what_they_hold_also_in_a_part_of_an_array() {
        let texts = ["a", "bcd", "", "efghij"];
        let text: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let view: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("abc"), None]);
        lists.append_null();
        lists.append_value([Some("abcdefgh")]);
        let lists: ArrayRef = Arc::new(lists.finish());
        for array in [&text, &view] {
            assert_eq!((weight(array, 0, 4), weight(array, 1, 1), weight(&array.slice(3, 1), 0, 1)), (10, 3, 6));
        }
        assert_eq!((weight(&lists, 0, 1), weight(&lists, 1, 1), weight(&lists, 2, 1)), (3 + 8, 0, 8 + 4));
        assert_eq!(weight(&lists.slice(2, 1), 0, 1), weight(&lists, 2, 1));
        let long: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
        let both: ArrayRef =
            Arc::new(StructArray::from(vec![(field("a", &text), Arc::clone(&text)), (field("b", &long), long)]));
        assert_eq!((weight(&both, 3, 1), weight(&both.slice(3, 1), 0, 1)), (6 + 8, 6 + 8));
    }
}

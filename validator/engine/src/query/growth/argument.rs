//! What a value weighs, row by row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, IntervalMonthDayNanoType};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_cast::cast;
use arrow_buffer::ArrowNativeType;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

/// Bytes of a value of a fixed width, its share of a list included.
pub(super) const FIXED: i128 = 16;
const NANOSECONDS_A_DAY: i128 = 86_400_000_000_000;

/// An argument, in each row.
pub(super) struct Argument {
    array: ArrayRef,
    /// The number, or the time in nanoseconds.
    number: Option<ArrayRef>,
    /// Months, days and nanoseconds.
    interval: Option<ArrayRef>,
    /// Whether it is the same in all rows.
    pub(super) is_one: bool,
}

impl Argument {
    pub(super) fn of(value: &ColumnarValue) -> Result<Self> {
        let (array, is_one) = match value {
            ColumnarValue::Array(array) => (Arc::clone(array), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let (mut number, mut interval) = (None, None);
        match array.data_type() {
            ty if ty.is_integer() => number = cast(&array, &DataType::Int64).ok(),
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
                number = cast(&array, &nanoseconds).and_then(|times| cast(&times, &DataType::Int64)).ok();
            }
            DataType::Interval(_) => interval = cast(&array, &DataType::Interval(IntervalUnit::MonthDayNano)).ok(),
            _ => {}
        }
        Ok(Self { array, number, interval, is_one })
    }

    fn at(&self, row: usize) -> usize {
        if self.is_one { 0 } else { row }
    }

    /// Bytes of the value.
    pub(super) fn weight(&self, row: usize) -> i128 {
        weight(&self.array, self.at(row), 1)
    }

    /// Values of a list.
    pub(super) fn values(&self, row: usize) -> i128 {
        let (from, to) = values(&self.array, self.at(row), 1).unwrap_or_default();
        count(to - from)
    }

    /// The number; none where it is NULL or no number.
    pub(super) fn number(&self, row: usize) -> Option<i128> {
        let (array, row) = (self.number.as_ref()?, self.at(row));
        (!array.is_null(row)).then(|| i128::from(array.as_primitive::<Int64Type>().value(row)))
    }

    /// How far it goes with each step: a number, or nanoseconds.
    pub(super) fn step(&self, row: usize) -> i128 {
        let of_interval = || {
            let (array, row) = (self.interval.as_ref()?, self.at(row));
            let value = (!array.is_null(row)).then(|| array.as_primitive::<IntervalMonthDayNanoType>().value(row))?;
            let days = i128::from(value.months) * 28 + i128::from(value.days);
            Some(days * NANOSECONDS_A_DAY + i128::from(value.nanoseconds))
        };
        self.number(row).or_else(of_interval).unwrap_or(1)
    }
}

pub(super) fn count(many: usize) -> i128 {
    i128::try_from(many).unwrap_or(i128::MAX)
}

/// Bytes of `rows` values from a row on.
pub(super) fn weight(array: &ArrayRef, from: usize, rows: usize) -> i128 {
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
            columns.map(|column| weight(column, from, rows)).sum::<i128>() + FIXED * count(rows)
        }
        _ => match (values(array, from, rows), inside(array)) {
            (Some((first, last)), Some(inside)) => {
                // Each text of a list has an offset beside it.
                weight(&inside, first, last - first) + FIXED / 2 * count(last - first) + FIXED * count(rows)
            }
            _ => FIXED * count(rows),
        },
    }
}

fn span<O: OffsetSizeTrait>(offsets: &[O], from: usize, rows: usize) -> i128 {
    let at = |row: usize| offsets.get(row).map_or(0, |offset| count(offset.as_usize()));
    at(from + rows) - at(from)
}

/// The first value of these rows of lists, and the one after the last.
fn values(array: &ArrayRef, from: usize, rows: usize) -> Option<(usize, usize)> {
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
        assert_eq!((weight(&lists, 0, 1), weight(&lists, 1, 1), weight(&lists, 2, 1)), (3 + 16 + 16, 16, 8 + 8 + 16));
        assert_eq!(weight(&lists.slice(2, 1), 0, 1), weight(&lists, 2, 1));
        let long: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
        let both: ArrayRef =
            Arc::new(StructArray::from(vec![(field("a", &text), Arc::clone(&text)), (field("b", &long), long)]));
        assert_eq!((weight(&both, 3, 1), weight(&both.slice(3, 1), 0, 1)), (6 + 16 + 16, 6 + 16 + 16));
    }
}

//! What an argument of a function weighs, row by row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, IntervalMonthDayNanoType};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

use crate::weight::{count, values, weight};

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

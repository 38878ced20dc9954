//! Functions whose value may be far larger than what they are given: each is weighed before it is called.
//!
//! Contract: the weight is never less than the bytes of what would be made, and a call beyond the bound is refused by a
//! sentence. What is constant is worked out once, and then stands in each row of a batch, so that it counts for all of them.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, IntervalMonthDayNanoType};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::{DataType, FieldRef, IntervalUnit, TimeUnit};
use datafusion::arrow::compute::kernels::length::length;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use super::error::QueryError;
use crate::limits::{QUERY_BATCH_ROWS, QUERY_CALL_BYTES_LEAST, QUERY_CALL_BYTES_MOST};

/// Bytes of a value of a fixed width, its share of a list included.
const FIXED: i128 = 16;
/// Bytes of a character at most.
const CHARACTER: i128 = 4;
const NANOSECONDS_A_DAY: i128 = 86_400_000_000_000;

/// How the value grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument as often as the second says.
    Times,
    /// As many characters as the second argument says.
    Padded,
    /// As many values as the second argument says.
    Resized,
    /// A list from one to another.
    Series,
    /// Each second argument in the first becomes the third.
    Replaced,
    /// As that, and what was found may stand in the third.
    Matched,
    /// All arguments.
    Joined,
    /// A list's values with the second argument between them.
    Delimited,
}

/// By their names; other names of one function are its aliases.
const GROWING: [(&str, Growth); 12] = [
    ("repeat", Growth::Times),
    ("array_repeat", Growth::Times),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("array_resize", Growth::Resized),
    ("generate_series", Growth::Series),
    ("range", Growth::Series),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::Matched),
    ("concat", Growth::Joined),
    ("concat_ws", Growth::Joined),
    ("array_to_string", Growth::Delimited),
];

/// Has each of them weighed in this session.
pub(super) fn weigh(context: &SessionContext, memory: usize) -> Result<()> {
    let most = (memory / 2).clamp(QUERY_CALL_BYTES_LEAST, QUERY_CALL_BYTES_MOST);
    let state = context.state_ref();
    let mut state = state.write();
    for (name, growth) in GROWING {
        let inner = state.udf(name)?;
        state.register_udf(Arc::new(ScalarUDF::from(Weighed { inner, growth, most })))?;
    }
    Ok(())
}

/// A function that is weighed before it is called.
#[derive(Debug)]
struct Weighed {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    most: usize,
}

impl PartialEq for Weighed {
    fn eq(&self, other: &Self) -> bool {
        (&self.inner, self.growth, self.most) == (&other.inner, other.growth, other.most)
    }
}

impl Eq for Weighed {}

impl Hash for Weighed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.inner, self.growth, self.most).hash(state);
    }
}

impl ScalarUDFImpl for Weighed {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(arg_types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = args.args.iter().map(Argument::of).collect::<Result<Vec<_>>>()?;
        let (rows, times) = match arguments.iter().all(|argument| argument.is_one) {
            true => (1, args.number_rows.max(QUERY_BATCH_ROWS)),
            false => (args.number_rows, 1),
        };
        let made = (0..rows).fold(0_i128, |sum, row| sum.saturating_add(self.growth.weight(&arguments, row)));
        let made = made.saturating_mul(i128::try_from(times).unwrap_or(i128::MAX));
        if made > i128::try_from(self.most).unwrap_or(i128::MAX) {
            return Err(QueryError::Grown { function: self.name().to_owned(), made, most: self.most }.into());
        }
        self.inner.invoke_with_args(args)
    }
}

/// What an argument weighs in each row.
struct Argument {
    /// Bytes of the value; of a list, those of all of its values.
    bytes: Option<ArrayRef>,
    /// Values of a list.
    values: Option<ArrayRef>,
    /// Bytes of each value of a list.
    of_value: i128,
    /// The number, or the time in nanoseconds.
    number: Option<ArrayRef>,
    /// Months, days and nanoseconds.
    interval: Option<ArrayRef>,
    /// Whether it is the same in all rows.
    is_one: bool,
}

impl Argument {
    fn of(value: &ColumnarValue) -> Result<Self> {
        let (array, is_one) = match value {
            ColumnarValue::Array(array) => (Arc::clone(array), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        let mut argument = Self { bytes: None, values: None, of_value: FIXED, number: None, interval: None, is_one };
        let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
        match array.data_type() {
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView => argument.bytes = Some(cast(&length(&array)?, &DataType::Int64)?),
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
                argument.values = Some(cast(&length(&array)?, &DataType::Int64)?);
                let all = array.to_data().get_slice_memory_size().unwrap_or(usize::MAX);
                let values: i64 =
                    argument.values.iter().flat_map(|v| v.as_primitive::<Int64Type>().iter()).flatten().sum();
                // Values of a list may differ: each counts as all of them where there are few.
                argument.of_value = weight_of(all) / i128::from(values.max(1)) + FIXED;
            }
            ty if ty.is_integer() => argument.number = cast(&array, &DataType::Int64).ok(),
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
                let times = cast(&array, &nanoseconds).and_then(|times| cast(&times, &DataType::Int64));
                argument.number = times.ok();
            }
            DataType::Interval(_) => {
                argument.interval = cast(&array, &DataType::Interval(IntervalUnit::MonthDayNano)).ok();
            }
            _ => {}
        }
        Ok(argument)
    }

    fn at(&self, array: Option<&ArrayRef>, row: usize) -> Option<i128> {
        let (array, row) = (array?, if self.is_one { 0 } else { row });
        (!array.is_null(row)).then(|| i128::from(array.as_primitive::<Int64Type>().value(row)))
    }

    /// Bytes of the value.
    fn weight(&self, row: usize) -> i128 {
        let of_list = self.at(self.values.as_ref(), row).map(|values| values.saturating_mul(self.of_value));
        self.at(self.bytes.as_ref(), row).or(of_list).unwrap_or(if self.bytes.is_some() { 0 } else { FIXED })
    }

    /// The number, at least 0.
    fn number(&self, row: usize) -> i128 {
        self.at(self.number.as_ref(), row).unwrap_or(0).max(0)
    }

    /// How far it goes with each step: a number, or nanoseconds.
    fn step(&self, row: usize) -> i128 {
        let of_interval = || {
            let (array, row) = (self.interval.as_ref()?, if self.is_one { 0 } else { row });
            let value = (!array.is_null(row)).then(|| array.as_primitive::<IntervalMonthDayNanoType>().value(row))?;
            let days = i128::from(value.months) * 28 + i128::from(value.days);
            Some(days * NANOSECONDS_A_DAY + i128::from(value.nanoseconds))
        };
        self.at(self.number.as_ref(), row).or_else(of_interval).unwrap_or(1)
    }
}

fn weight_of(bytes: usize) -> i128 {
    i128::try_from(bytes).unwrap_or(i128::MAX)
}

impl Growth {
    /// Bytes of the value of a row, at most.
    fn weight(self, arguments: &[Argument], row: usize) -> i128 {
        let weight = |at: usize| arguments.get(at).map_or(0, |argument| argument.weight(row));
        let number = |at: usize| arguments.get(at).map_or(0, |argument| argument.number(row));
        match self {
            Self::Times => weight(0).saturating_mul(number(1)),
            Self::Padded => {
                let character = if arguments.len() > 2 { CHARACTER } else { 1 };
                weight(0).saturating_add(number(1).saturating_mul(character))
            }
            Self::Resized => weight(0).saturating_add(number(1).saturating_mul(weight(2).max(FIXED))),
            Self::Series => {
                let number = |at: usize| arguments.get(at).and_then(|one| one.at(one.number.as_ref(), row));
                let (first, last) = match arguments.len() {
                    1 => (Some(0), number(0)),
                    _ => (number(0), number(1)),
                };
                let step = arguments.get(2).map_or(1, |argument| argument.step(row)).abs().max(1);
                let ends = first.zip(last);
                ends.map_or(0, |(first, last)| ((last - first).abs() / step + 1).saturating_mul(FIXED / 2))
            }
            // Between the characters of a text an empty one is found.
            Self::Replaced => {
                let found = weight(0) / weight(1).max(1) + 1;
                weight(0).saturating_add(found.saturating_mul(weight(2)))
            }
            // What is found at one place is found at no other, however often it is asked for.
            Self::Matched => {
                let asked = weight(2).saturating_add(1) / 2 + 1;
                let written = (weight(0) + 1).saturating_mul(weight(2));
                weight(0).saturating_mul(asked).saturating_add(written)
            }
            Self::Joined => {
                let delimited = weight(0).saturating_mul(weight_of(arguments.len()));
                (1..arguments.len()).fold(delimited, |sum, at| sum.saturating_add(weight(at)))
            }
            Self::Delimited => {
                let values = arguments.first().and_then(|one| one.at(one.values.as_ref(), row)).unwrap_or(0);
                weight(0).saturating_add(values.saturating_mul(weight(1)))
            }
        }
    }
}

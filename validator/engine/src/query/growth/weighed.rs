//! Functions whose value may be far larger than what they are given: each is weighed before it is called.
//!
//! Contract: the weight is never less than the bytes of what would be made, and a call beyond the bound is refused by a
//! sentence. What is constant is worked out once, and then stands in each row of a batch, so that it counts for all of them.
//! A function that is not among those named here makes a bounded number of bytes for each that it is given.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::Array;
use arrow_schema::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::argument::Argument;
use super::scope::{Place, Scope};
use crate::limits::QUERY_BATCH_ROWS;
use crate::query::error::QueryError;
use crate::weight::{count, weight};

/// Bytes of a value of a list at most, where it is no text.
const FIXED: i128 = 16;
/// Bytes of a character at most.
const CHARACTER: i128 = 4;

/// How the value grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// Not beyond what it is given: it is weighed when it is made.
    Once,
    /// The first argument as often as the second says.
    Times,
    /// A list of the first argument as often as the second says.
    Listed,
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
    Summed,
    /// All arguments, the first between the others.
    Joined,
    /// Two characters for each byte.
    Encoded,
    /// The first argument once for each group of the second.
    Captured,
    /// Each character of the first a value of a list.
    Parted,
    /// Each value of a list becomes the third argument.
    Exchanged,
    /// A list's values with the second argument between them.
    Delimited,
}

/// By their names; other names of one function are its aliases.
pub(super) const GROWING: [(&str, Growth); 24] = [
    ("repeat", Growth::Times),
    ("array_repeat", Growth::Listed),
    ("lpad", Growth::Padded),
    ("rpad", Growth::Padded),
    ("array_resize", Growth::Resized),
    ("generate_series", Growth::Series),
    ("range", Growth::Series),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::Matched),
    ("regexp_match", Growth::Captured),
    ("string_to_array", Growth::Parted),
    ("encode", Growth::Encoded),
    ("overlay", Growth::Summed),
    ("make_array", Growth::Summed),
    ("array_concat", Growth::Summed),
    ("array_append", Growth::Summed),
    ("array_prepend", Growth::Summed),
    ("array_replace", Growth::Exchanged),
    ("array_replace_n", Growth::Exchanged),
    ("array_replace_all", Growth::Exchanged),
    ("concat", Growth::Summed),
    ("concat_ws", Growth::Joined),
    ("array_to_string", Growth::Delimited),
    ("map", Growth::Summed),
];

/// A function that is weighed before it is called.
#[derive(Debug)]
pub(super) struct Weighed {
    pub(super) inner: Arc<ScalarUDF>,
    pub(super) growth: Growth,
    pub(super) most: usize,
    /// What is made beside it of a batch, and its place in it; none where it is constant.
    pub(super) scope: Option<(Arc<Scope>, Place)>,
}

/// Where it is called makes no other function of it.
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

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.inner().schema_name(args)
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

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.inner.inner().evaluate_bounds(input)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.inner().output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.inner().preserves_lex_ordering(inputs)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let beside = self.scope.as_ref().map_or(0, |(scope, place)| scope.beside(*place));
        let arguments = args.args.iter().map(Argument::of).collect::<Result<Vec<_>>>()?;
        let is_one = arguments.iter().all(|argument| argument.is_one);
        // What is worked out before any row is read may stand in each row of a batch.
        let batch = if self.scope.is_some() { args.number_rows } else { args.number_rows.max(QUERY_BATCH_ROWS) };
        let (rows, times) = if is_one { (1, count(batch)) } else { (args.number_rows, 1) };
        let made = (0..rows).fold(0_i128, |sum, row| sum.saturating_add(self.growth.weight(&arguments, row)));
        self.take(made.saturating_mul(times), beside)?;
        let value = self.inner.invoke_with_args(args)?;
        let made = match &value {
            ColumnarValue::Array(array) => weight(array, 0, array.len()),
            ColumnarValue::Scalar(scalar) => weight(&scalar.to_array()?, 0, 1).saturating_mul(count(batch)),
        };
        self.take(made, beside)?;
        if let Some((scope, place)) = &self.scope {
            scope.add(*place, made);
        }
        Ok(value)
    }
}

impl Weighed {
    fn take(&self, made: i128, beside: i128) -> Result<()> {
        if made.saturating_add(beside) <= count(self.most) {
            return Ok(());
        }
        let name = self.name();
        let function = if name.contains(' ') { name.to_owned() } else { format!("`{name}`") };
        Err(QueryError::Grown { function, made, beside, most: self.most }.into())
    }
}

impl Growth {
    /// Bytes of the value of a row, at most; what does not grow is weighed by the value itself.
    fn weight(self, arguments: &[Argument], row: usize) -> i128 {
        let weight = |at: usize| arguments.get(at).map_or(0, |argument| argument.weight(row));
        let number = |at: usize| arguments.get(at).and_then(|argument| argument.number(row)).unwrap_or(0).max(0);
        let values = || arguments.first().map_or(0, |argument| argument.values(row));
        let all = || (0..arguments.len()).fold(0_i128, |sum, at| sum.saturating_add(weight(at)));
        match self {
            Self::Once => 0,
            Self::Times => weight(0).saturating_mul(number(1)),
            // A list of empty texts has the place of each.
            Self::Listed => weight(0).saturating_add(FIXED).saturating_mul(number(1)),
            Self::Padded => {
                let character = if arguments.len() > 2 { CHARACTER } else { 1 };
                weight(0).saturating_add(number(1).saturating_mul(character))
            }
            Self::Resized => weight(0).saturating_add(number(1).saturating_mul(weight(2).max(FIXED))),
            Self::Series => series(arguments, row),
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
            Self::Summed => all(),
            Self::Joined => weight(0).saturating_mul(count(arguments.len())).saturating_add(all()),
            Self::Encoded => weight(0).saturating_mul(2),
            // A group takes two characters of the pattern.
            Self::Captured => weight(0).saturating_mul(weight(1) / 2 + 1),
            Self::Parted => weight(0).saturating_mul(FIXED / 2),
            Self::Exchanged => weight(0).saturating_add(values().saturating_mul(weight(2))),
            Self::Delimited => weight(0).saturating_add(values().saturating_mul(weight(1))),
        }
    }
}

fn series(arguments: &[Argument], row: usize) -> i128 {
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.number(row));
    let (first, last) = match arguments.len() {
        1 => (Some(0), number(0)),
        _ => (number(0), number(1)),
    };
    let step = arguments.get(2).map_or(1, |argument| argument.step(row)).abs().max(1);
    let ends = first.zip(last);
    ends.map_or(0, |(first, last)| ((last - first).abs() / step + 1).saturating_mul(FIXED / 2))
}

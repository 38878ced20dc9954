//! Exact conversion of columns between the types of a table, and the scalar parsers that decoders share with it.
//!
//! Contract (interface.md §2, `[map]`): a value that the target cannot hold exactly becomes NULL in the array and a mark
//! with its source text; a value of another kind, or text that does not parse, becomes NULL and a failure. Nothing is
//! rounded, but for floats and doubles, which promise no more than the nearest IEEE value. The same type is free.

pub mod civil;
pub mod decimal;
pub mod float;
pub mod instant;
pub mod uuid;

mod allowed;
mod from_instant;
mod from_number;
mod from_scalar;
mod from_text;
mod nested;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use crate::schema::{Type, UTC};
use crate::value::Value;

pub use allowed::{NotConvertible, Reason, castable, convertible};

/// What a text or a number becomes in another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<T> {
    /// The value itself.
    Exact(T),
    /// Of the right kind, but the type cannot hold it.
    Inexact,
    /// Of another kind, or text that is no such value.
    Failed,
}

/// A converted column.
#[derive(Debug, Clone)]
pub struct Converted {
    /// As long as the source; its Arrow type is [`Type::to_arrow`] of the target. NULL where the source is NULL, inexact
    /// or failed. (A required field *inside* a struct, list or map holds a filler there, which Arrow asks for.)
    pub array: ArrayRef,
    /// Rows whose value the target cannot hold, in row order, each row once, with the source's text. Inside a nested value
    /// the text is `path: text`, the path relative to the column (`p.q`, `[3].p`, `key`), several joined by `, `.
    pub inexact: Vec<(usize, String)>,
    /// Rows whose value is of another kind or does not parse, in row order, each row once, and why.
    pub failed: Vec<(usize, String)>,
    /// Values brought to float or double whose text has more digits than survive.
    pub rounded_to_double: u64,
}

/// Converts a column of type `from` (its Arrow type is [`Type::to_arrow`]) to `to`.
///
/// Every pair is accepted: where [`castable`] refuses it, each value that is not NULL fails.
///
/// # Panics
/// When the array's Arrow type is not that of `from`: the caller made both.
pub fn convert(array: &ArrayRef, from: &Type, to: &Type) -> Converted {
    let mut marks = Marks::default();
    let array = convert_marked(array, from, to, &mut marks);
    marks.into_converted(array)
}

/// Rows marked while one column, or one child of it, is converted.
#[derive(Debug, Default)]
struct Marks {
    inexact: Vec<(usize, String)>,
    failed: Vec<(usize, String)>,
    rounded_to_double: u64,
}

fn convert_marked(array: &ArrayRef, from: &Type, to: &Type, marks: &mut Marks) -> ArrayRef {
    if from.to_arrow() == to.to_arrow() {
        return relabelled(array, to);
    }
    match (from, to) {
        (Type::String, _) if to.is_scalar() => from_text::convert(array, to, marks),
        (_, Type::String) => from_scalar::to_text(array, from, marks),
        (Type::Int | Type::Long | Type::Decimal { .. } | Type::Float | Type::Double, _) if to.is_number() => {
            from_number::convert(array, from, to, marks)
        }
        (_, _) if from.is_temporal() && to.is_temporal() => from_instant::convert(array, from, to, marks),
        (Type::Struct(_) | Type::List(_) | Type::Map { .. }, _) => nested::convert(array, from, to, marks),
        _ => from_scalar::convert(array, from, to, marks),
    }
}

/// The same bytes. An instant that an expression labelled with another zone (`UTC`) is labelled as every other here.
fn relabelled(array: &ArrayRef, to: &Type) -> ArrayRef {
    match to {
        Type::Timestamptz => Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone(UTC)),
        Type::TimestamptzNs => Arc::new(array.as_primitive::<TimestampNanosecondType>().clone().with_timezone(UTC)),
        _ => array.clone(),
    }
}

/// Every value that is not NULL fails: the pair is not castable.
fn refuse(array: &ArrayRef, from: &Type, to: &Type, marks: &mut Marks) -> ArrayRef {
    let why =
        castable(from, to).err().map_or_else(|| format!("{from} does not become {to}"), |refusal| refusal.to_string());
    let rows = (0..array.len()).filter(|&row| array.is_valid(row));
    marks.failed.extend(rows.map(|row| (row, why.clone())));
    new_null_array(&to.to_arrow(), array.len())
}

/// Converts value by value; `value` is asked only for rows that are not NULL.
fn each<T: ArrowPrimitiveType>(
    array: &dyn Array,
    from: &Type,
    to: &Type,
    marks: &mut Marks,
    mut value: impl FnMut(usize) -> Parsed<T::Native>,
) -> ArrayRef {
    let mut values = vec![T::default_value(); array.len()];
    let mut lost = Vec::new();
    for (row, slot) in values.iter_mut().enumerate() {
        if array.is_null(row) {
            continue;
        }
        match value(row) {
            Parsed::Exact(exact) => *slot = exact,
            Parsed::Inexact => lost.push((row, true)),
            Parsed::Failed => lost.push((row, false)),
        }
    }
    let nulls = marks.record(array, from, to, &lost);
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(to.to_arrow()))
}

impl Marks {
    /// Records lost rows (`true`: inexact, `false`: failed) and returns the source's NULLs with them added.
    fn record(&mut self, array: &dyn Array, from: &Type, to: &Type, lost: &[(usize, bool)]) -> Option<NullBuffer> {
        if lost.is_empty() {
            return array.nulls().cloned();
        }
        for &(row, inexact) in lost {
            let text = Value::from_arrow(array, row, from).to_string();
            match inexact {
                true => self.inexact.push((row, text)),
                false => self.failed.push((row, format!("{} is not {}", quoted(&text), with_article(to)))),
            }
        }
        let mut valid: Vec<bool> = (0..array.len()).map(|row| array.is_valid(row)).collect();
        lost.iter().for_each(|&(row, _)| valid[row] = false);
        Some(NullBuffer::new(BooleanBuffer::from(valid)))
    }

    /// One entry per row: a row with a failure has no inexact mark, since its message cannot be judged.
    fn into_converted(mut self, array: ArrayRef) -> Converted {
        let failed = one_per_row(std::mem::take(&mut self.failed));
        let mut inexact = one_per_row(std::mem::take(&mut self.inexact));
        if !failed.is_empty() {
            inexact.retain(|(row, _)| failed.binary_search_by_key(row, |(failed, _)| *failed).is_err());
        }
        Converted { array, inexact, failed, rounded_to_double: self.rounded_to_double }
    }
}

fn one_per_row(mut marks: Vec<(usize, String)>) -> Vec<(usize, String)> {
    marks.sort_by_key(|(row, _)| *row);
    let mut joined: Vec<(usize, String)> = Vec::with_capacity(marks.len());
    for (row, text) in marks {
        match joined.last_mut() {
            Some((last, texts)) if *last == row => {
                texts.push_str(", ");
                texts.push_str(&text);
            }
            _ => joined.push((row, text)),
        }
    }
    joined
}

/// Text in quotes, cut where a report would drown in it.
fn quoted(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 200;
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn with_article(ty: &Type) -> String {
    let article = if matches!(ty, Type::Int) { "an" } else { "a" };
    format!("{article} {ty}")
}

impl Type {
    /// Whether it is `int`, `long`, `decimal`, `float` or `double`.
    pub fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Long | Type::Decimal { .. } | Type::Float | Type::Double)
    }

    /// Whether it is a date, a time or a timestamp of any kind.
    pub fn is_temporal(&self) -> bool {
        matches!(self, Type::Date | Type::Time) || self.is_timestamp()
    }

    /// Whether it is one of the four timestamp types.
    pub fn is_timestamp(&self) -> bool {
        matches!(self, Type::Timestamp | Type::Timestamptz | Type::TimestampNs | Type::TimestamptzNs)
    }

    /// Whether it is neither struct, list nor map.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Type::Struct(_) | Type::List(_) | Type::Map { .. })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{
        BinaryArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, ListArray, StringArray,
        TimestampMicrosecondArray,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::schema::Field;
    use crate::type_syntax::parse_plain_type;

    /// A type from its text.
    pub(crate) fn ty(text: &str) -> Type {
        parse_plain_type(text).expect("a type")
    }

    /// A column of a scalar type from the text of its values.
    pub(crate) fn column(ty_text: &str, values: &[&str]) -> ArrayRef {
        let text: ArrayRef = Arc::new(StringArray::from_iter(values.iter().map(|v| (*v != "null").then_some(*v))));
        let converted = convert(&text, &Type::String, &ty(ty_text));
        assert!(converted.inexact.is_empty() && converted.failed.is_empty(), "{converted:?}");
        converted.array
    }

    /// Each value's text.
    pub(crate) fn texts(array: &ArrayRef, ty: &Type) -> Vec<String> {
        assert_eq!(*array.data_type(), ty.to_arrow(), "the array has the one Arrow type of its type");
        (0..array.len()).map(|row| Value::from_arrow(array, row, ty).to_string()).collect()
    }

    /// Converts, and shows each row: its value, `~` and the text where inexact, `!` where failed.
    pub(crate) fn shown(array: &ArrayRef, from: &str, to: &str) -> Vec<String> {
        let converted = convert(array, &ty(from), &ty(to));
        let mut shown = texts(&converted.array, &ty(to));
        for (row, text) in converted.inexact {
            shown[row] = format!("~{text}");
        }
        for (row, why) in converted.failed {
            shown[row] = format!("!{why}");
        }
        shown
    }

    #[test]
    fn every_scalar_pair_converts_exactly_or_says_why_not() {
        let cases: [(&str, &str, &[&str], &[&str]); 20] = [
            ("int", "long", &["-2147483648", "null", "7"], &["-2147483648", "null", "7"]),
            (
                "long",
                "int",
                &["2147483647", "null", "2147483648", "-2147483649"],
                &["2147483647", "null", "~2147483648", "~-2147483649"],
            ),
            (
                "long",
                "decimal(18, 8)",
                &["9999999999", "10000000000", "-9999999999"],
                &["9999999999", "~10000000000", "-9999999999"],
            ),
            ("int", "decimal(4, 2)", &["99", "100", "-99", "null"], &["99", "~100", "-99", "null"]),
            (
                "decimal(18, 8)",
                "decimal(20, 10)",
                &["0.00000001", "-9999999999.99999999"],
                &["0.00000001", "-9999999999.99999999"],
            ),
            (
                "decimal(18, 8)",
                "decimal(18, 6)",
                &["0.123456", "0.00000001", "null"],
                &["0.123456", "~0.00000001", "null"],
            ),
            ("decimal(18, 8)", "decimal(10, 8)", &["99.5", "100", "-100"], &["99.5", "~100", "~-100"]),
            ("decimal(38, 0)", "decimal(38, 38)", &["0", "1"], &["0", "~1"]),
            ("decimal(18, 8)", "long", &["12.00000000", "1.9"], &["12", "~1.9"]),
            (
                "decimal(38, 0)",
                "long",
                &["9223372036854775807", "9223372036854775808", "-9223372036854775808"],
                &["9223372036854775807", "~9223372036854775808", "-9223372036854775808"],
            ),
            ("float", "double", &["0.1", "null", "inf"], &["0.10000000149011612", "null", "Infinity"]),
            ("double", "float", &["0.5", "0.1", "NaN", "1e300", "-0.0"], &["0.5", "~0.1", "NaN", "~1e300", "-0.0"]),
            ("timestamptz", "timestamp", &["2024-08-08T02:00:00+02:00", "null"], &["2024-08-08T00:00:00", "null"]),
            (
                "timestamptz",
                "timestamptz_ns",
                &["2024-08-08T00:00:00.5Z", "2400-01-01T00:00:00Z"],
                &["2024-08-08T00:00:00.500Z", "~2400-01-01T00:00:00Z"],
            ),
            (
                "timestamptz_ns",
                "timestamptz",
                &["2024-08-08T00:00:00.123456000Z", "1969-12-31T23:59:59.999999999Z"],
                &["2024-08-08T00:00:00.123456Z", "~1969-12-31T23:59:59.999999999Z"],
            ),
            ("timestamptz_ns", "timestamp", &["1969-12-31T23:59:59.999999Z"], &["1969-12-31T23:59:59.999999"]),
            (
                "timestamp",
                "date",
                &["1969-12-31T00:00:00", "2024-08-08T00:00:01"],
                &["1969-12-31", "~2024-08-08T00:00:01"],
            ),
            ("date", "timestamp_ns", &["2024-08-08", "9999-01-01"], &["2024-08-08T00:00:00", "~9999-01-01"]),
            ("uuid", "fixed(16)", &["00000000-0000-0000-0000-000000000001"], &["AAAAAAAAAAAAAAAAAAAAAQ=="]),
            ("decimal(18, 8)", "string", &["0.12345678", "null", "100"], &["0.12345678", "null", "100"]),
        ];
        for (from, to, values, wanted) in cases {
            let array = column(from, values);
            assert_eq!(shown(&array, from, to), wanted, "{from} into {to}");
        }
    }

    #[test]
    fn text_converts_exactly_or_says_why_not() {
        let cases: [(&str, &[&str], &[&str]); 11] = [
            (
                "decimal(18, 8)",
                &["1e-8", "0.123456785", "1E3", "abc", ""],
                &[
                    "0.00000001",
                    "~0.123456785",
                    "1000",
                    "!\"abc\" is not a decimal(18, 8)",
                    "!\"\" is not a decimal(18, 8)",
                ],
            ),
            ("int", &["12", "1.9", "3000000000", "x"], &["12", "~1.9", "~3000000000", "!\"x\" is not an int"]),
            ("long", &["9223372036854775808", "-1"], &["~9223372036854775808", "-1"]),
            ("double", &["0.1", "1e400", "one"], &["0.1", "~1e400", "!\"one\" is not a double"]),
            ("boolean", &["true", "False", "1"], &["true", "false", "!\"1\" is not a boolean"]),
            ("date", &["2024-02-29", "2023-02-29"], &["2024-02-29", "!\"2023-02-29\" is not a date"]),
            ("time", &["12:30:00.000001", "12:30:00.0000001"], &["12:30:00.000001", "~12:30:00.0000001"]),
            (
                "timestamp",
                &["2024-08-08 00:00:00", "2024-08-08T02:00:00+02:00"],
                &["2024-08-08T00:00:00", "2024-08-08T00:00:00"],
            ),
            (
                "timestamptz",
                &["2024-08-08T00:00:00.260514+00:00", "2024-08-08T00:00:00"],
                &["2024-08-08T00:00:00.260514Z", "!\"2024-08-08T00:00:00\" is not a timestamptz"],
            ),
            (
                "uuid",
                &["00000000-0000-0000-0000-00000000000A", "0"],
                &["00000000-0000-0000-0000-00000000000a", "!\"0\" is not a uuid"],
            ),
            ("binary", &["ab", "é"], &["YWI=", "w6k="]),
        ];
        for (to, values, wanted) in cases {
            let array: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
            assert_eq!(shown(&array, "string", to), wanted, "text into {to}");
        }
    }

    #[test]
    fn numbers_into_floats_are_rounded_once_and_counted() {
        let decimals = column("decimal(38, 20)", &["0.1", "0.12345678901234567", "123456789012345.5", "null", "-0.3"]);
        let converted = convert(&decimals, &ty("decimal(38, 20)"), &Type::Double);
        assert_eq!(
            texts(&converted.array, &Type::Double),
            ["0.1", "0.12345678901234566", "123456789012345.5", "null", "-0.3"]
        );
        assert_eq!(converted.rounded_to_double, 2);
        let longs: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), Some(i64::MAX), None, Some(1 << 60)]));
        let converted = convert(&longs, &Type::Long, &Type::Double);
        assert_eq!(
            texts(&converted.array, &Type::Double),
            ["9007199254740992.0", "9.223372036854776e18", "null", "1.152921504606847e18"]
        );
        assert_eq!(converted.rounded_to_double, 3);
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![16_777_217, 1_000_000, 1_234_567]));
        let converted = convert(&ints, &Type::Int, &Type::Float);
        assert_eq!(texts(&converted.array, &Type::Float), ["16777216.0", "1000000.0", "1234567.0"]);
        assert_eq!(converted.rounded_to_double, 2);
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("0.30000000000000004"), None, Some("0.3")]));
        assert_eq!(convert(&text, &Type::String, &Type::Double).rounded_to_double, 1);
    }

    #[test]
    fn garbage_under_null_is_never_looked_at() {
        let nulls = Some(NullBuffer::from(vec![false, true]));
        let longs: ArrayRef = Arc::new(Int64Array::new(vec![i64::MAX, 1].into(), nulls));
        for to in ["int", "decimal(5, 2)", "double", "float"] {
            let converted = convert(&longs, &Type::Long, &ty(to));
            assert!(converted.inexact.is_empty() && converted.rounded_to_double == 0, "{to}: {converted:?}");
            assert_eq!(converted.array.null_count(), 1);
        }
    }

    #[test]
    fn rows_of_a_sliced_column_are_counted_from_its_start() {
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![1, 1 << 40, 2, 1 << 41]));
        let converted = convert(&longs.slice(1, 3), &Type::Long, &Type::Int);
        assert_eq!(converted.inexact, [(0, (1_i64 << 40).to_string()), (2, (1_i64 << 41).to_string())]);
        assert_eq!(texts(&converted.array, &Type::Int), ["null", "2", "null"]);
    }

    #[test]
    fn the_same_type_is_free() {
        let array = column("decimal(18, 8)", &["1.5"]);
        let converted = convert(&array, &ty("decimal(18, 8)"), &ty("decimal(18, 8)"));
        assert!(Arc::ptr_eq(&array, &converted.array));
        let labelled: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC"));
        let converted = convert(&labelled, &Type::Timestamptz, &Type::Timestamptz);
        assert_eq!(*converted.array.data_type(), Type::Timestamptz.to_arrow());
    }

    #[test]
    fn binary_floats_into_exact_numbers_by_cast_keep_every_binary_digit() {
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 0.1, 3e9, f64::NAN, -2.0, 1e-320]));
        assert_eq!(shown(&doubles, "double", "decimal(18, 8)"), ["0.5", "~0.1", "3000000000", "~NaN", "-2", "~1e-320"]);
        assert_eq!(shown(&doubles, "double", "int"), ["~0.5", "~0.1", "~3000000000.0", "~NaN", "-2", "~1e-320"]);
    }

    #[test]
    fn bytes_fit_a_fixed_length_or_not() {
        let bytes: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(b"ab".as_slice()), Some(b"abc"), None]));
        assert_eq!(shown(&bytes, "binary", "fixed(2)"), ["YWI=", "~YWJj", "null"]);
        assert_eq!(shown(&bytes, "binary", "string"), ["ab", "abc", "null"]);
        let broken: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"\xff"]));
        assert_eq!(shown(&broken, "binary", "string"), ["!\"/w==\" is not a string"]);
    }

    /// A column of lists of long.
    pub(crate) fn longs(rows: &[Option<&[i64]>]) -> ListArray {
        let mut built =
            ListBuilder::new(Int64Builder::new()).with_field(Field::new(0, "element", false, Type::Long).to_arrow());
        for row in rows {
            built.append_option(row.map(|items| items.iter().copied().map(Some)));
        }
        built.finish()
    }

    #[test]
    fn permission_and_conversion_agree_on_every_pair() {
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("binary", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"abcd".as_slice()), None]))),
            (
                "fixed(4)",
                Arc::new(
                    FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some(b"abcd"), None].into_iter(), 4)
                        .expect("4 bytes"),
                ),
            ),
            ("list<long>", Arc::new(longs(&[Some(&[1]), None]))),
        ];
        for (name, value) in [
            ("int", "1"),
            ("long", "1"),
            ("float", "1"),
            ("double", "1"),
            ("decimal(9, 2)", "1"),
            ("date", "2024-08-08"),
            ("time", "12:00"),
            ("timestamp", "2024-08-08T00:00:00"),
            ("timestamptz", "2024-08-08T00:00:00Z"),
            ("timestamp_ns", "2024-08-08T00:00:00"),
            ("timestamptz_ns", "2024-08-08T00:00:00Z"),
            ("string", "1"),
            ("uuid", "00000000-0000-0000-0000-000000000001"),
        ] {
            columns.push((name, column(name, &[value, "null"])));
        }
        let targets: Vec<&str> =
            columns.iter().map(|(name, _)| *name).chain(["struct<a: int>", "map<string, string>"]).collect();
        for (from, array) in &columns {
            for to in &targets {
                let converted = convert(array, &ty(from), &ty(to));
                assert_eq!(*converted.array.data_type(), ty(to).to_arrow(), "{from} into {to}");
                assert!(converted.array.is_null(1) && converted.array.len() == 2, "{from} into {to}");
                let refused = converted.failed.iter().any(|(_, why)| why.contains(" does not become "));
                assert_eq!(castable(&ty(from), &ty(to)).is_err(), refused, "{from} into {to}: {:?}", converted.failed);
                assert_eq!(
                    converted.array.is_null(0),
                    !converted.failed.is_empty() || !converted.inexact.is_empty(),
                    "{from} into {to}"
                );
                assert!(convertible(&ty(from), &ty(to)).is_err() || !refused, "what maps by itself can be cast");
            }
        }
    }

    proptest! {
        /// Text, number and number again: the way through any decimal that is wide enough changes nothing.
        #[test]
        fn widening_and_narrowing_return(values in prop::collection::vec(prop::option::of(any::<i64>()), 1..50), scale in 0_u8..=19) {
            let longs: ArrayRef = Arc::new(Int64Array::from(values.clone()));
            let wide = Type::Decimal { precision: 38, scale };
            let there = convert(&longs, &Type::Long, &wide);
            prop_assert!(there.inexact.is_empty());
            let back = convert(&there.array, &wide, &Type::Long);
            prop_assert!(back.inexact.is_empty());
            prop_assert_eq!(back.array.as_primitive::<arrow_array::types::Int64Type>(), &Int64Array::from(values));
        }

        /// Exact or marked, never altered: what is not marked equals its source.
        #[test]
        fn what_is_not_marked_is_unaltered(values in prop::collection::vec(any::<i64>(), 1..50), shrink in 0_u32..50, precision in 1_u8..=18, scale in 0_u8..=18) {
            prop_assume!(scale <= precision);
            let from = Type::Decimal { precision: 19, scale: 9 };
            let values: Vec<i64> = values.into_iter().map(|v| v >> shrink).collect();
            let source: ArrayRef = Arc::new(arrow_array::Decimal128Array::from_iter_values(values.iter().map(|&v| i128::from(v))).with_data_type(from.to_arrow()));
            for to in [Type::Int, Type::Long, Type::Decimal { precision, scale }] {
                let converted = convert(&source, &from, &to);
                for row in 0..source.len() {
                    let marked = converted.inexact.iter().any(|(at, _)| *at == row);
                    prop_assert_eq!(converted.array.is_null(row), marked);
                    let (before, after) = (Value::from_arrow(&source, row, &from), Value::from_arrow(&converted.array, row, &to));
                    prop_assert!(marked || before == after, "{} became {}", before, after);
                    let by_text = convert(&(Arc::new(StringArray::from(vec![before.to_string()])) as ArrayRef), &Type::String, &to);
                    prop_assert_eq!(by_text.inexact.len(), usize::from(marked), "{} into {}", before, &to);
                }
            }
        }
    }
}

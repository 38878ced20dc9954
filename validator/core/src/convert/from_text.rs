//! Text into everything else.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, FixedSizeBinaryBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray};

use super::decimal::{parse_decimal, parse_integer};
use super::float::{Rounded, parse_double, parse_float};
use super::instant::{InstantUnit, parse_date, parse_time, parse_timestamp};
use super::uuid::parse_uuid;
use super::{Marks, Parsed, each, refuse};
use crate::schema::Type;

/// Text → any scalar type.
pub(super) fn convert(array: &ArrayRef, to: &Type, marks: &mut Marks) -> ArrayRef {
    let from = &Type::String;
    let text = array.as_string::<i32>();
    let mut rounded = 0;
    let mut count = |was: bool| rounded += u64::from(was);
    let converted = match to {
        Type::Decimal { precision, scale } => {
            each::<Decimal128Type>(text, from, to, marks, |row| parse_decimal(text.value(row), *precision, *scale))
        }
        Type::Double => {
            each::<Float64Type>(text, from, to, marks, |row| take(parse_double(text.value(row)), &mut count))
        }
        Type::Float => each::<Float32Type>(text, from, to, marks, |row| take(parse_float(text.value(row)), &mut count)),
        Type::Date => each::<Date32Type>(text, from, to, marks, |row| parse_date(text.value(row))),
        Type::Time => each::<Time64MicrosecondType>(text, from, to, marks, |row| parse_time(text.value(row))),
        Type::Timestamp | Type::Timestamptz => {
            let zoned = *to == Type::Timestamptz;
            let parse = |row| parse_timestamp(text.value(row), zoned, InstantUnit::Micros);
            each::<TimestampMicrosecondType>(text, from, to, marks, parse)
        }
        Type::TimestampNs | Type::TimestamptzNs => {
            let zoned = *to == Type::TimestamptzNs;
            let parse = |row| parse_timestamp(text.value(row), zoned, InstantUnit::Nanos);
            each::<TimestampNanosecondType>(text, from, to, marks, parse)
        }
        Type::Int => each::<Int32Type>(text, from, to, marks, |row| {
            match parse_integer(text.value(row), i64::from(i32::MIN), i64::from(i32::MAX)) {
                Parsed::Exact(whole) => Parsed::Exact(whole as i32),
                Parsed::Inexact => Parsed::Inexact,
                Parsed::Failed => Parsed::Failed,
            }
        }),
        Type::Long => {
            each::<Int64Type>(text, from, to, marks, |row| parse_integer(text.value(row), i64::MIN, i64::MAX))
        }
        Type::Uuid => to_uuid(text, marks),
        Type::Boolean => to_boolean(text, marks),
        Type::Binary => Arc::new(BinaryArray::from(text.clone())),
        Type::String | Type::Fixed(_) | Type::Struct(_) | Type::List(_) | Type::Map { .. } => {
            refuse(array, from, to, marks)
        }
    };
    marks.rounded_to_double += rounded;
    converted
}

fn take<T>(parsed: Parsed<Rounded<T>>, count: &mut impl FnMut(bool)) -> Parsed<T> {
    match parsed {
        Parsed::Exact(Rounded { value, rounded }) => {
            count(rounded);
            Parsed::Exact(value)
        }
        Parsed::Inexact => Parsed::Inexact,
        Parsed::Failed => Parsed::Failed,
    }
}

fn to_uuid(text: &StringArray, marks: &mut Marks) -> ArrayRef {
    let mut built = FixedSizeBinaryBuilder::with_capacity(text.len(), 16);
    let mut failed = Vec::new();
    for row in 0..text.len() {
        let parsed = if text.is_valid(row) { Some(parse_uuid(text.value(row))) } else { None };
        match parsed {
            Some(Parsed::Exact(bytes)) => built.append_value(bytes).expect("16 bytes fit a width of 16"),
            other => {
                failed.extend(other.map(|_| (row, false)));
                built.append_null();
            }
        }
    }
    marks.record(text, &Type::String, &Type::Uuid, &failed);
    Arc::new(built.finish())
}

fn to_boolean(text: &StringArray, marks: &mut Marks) -> ArrayRef {
    let mut built = BooleanBuilder::with_capacity(text.len());
    let mut failed = Vec::new();
    for (row, value) in text.iter().enumerate() {
        let parsed = match value {
            Some(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        if parsed.is_none() && value.is_some() {
            failed.push((row, false));
        }
        built.append_option(parsed);
    }
    marks.record(text, &Type::String, &Type::Boolean, &failed);
    Arc::new(built.finish())
}

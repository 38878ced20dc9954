//! What an expression gives, as its column or the filter takes it.
//!
//! Contract: a type that no column of the target's type can come from is refused before any message is read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_cast::cast;
use arrow_schema::{DataType, Schema as ArrowSchema, TimeUnit};
use validator_core::convert::{self, Converted};
use validator_core::schema::{Field, Type};

use crate::expr::{ExprError, MessageExpr, Purpose, compile, referenced_names};
use crate::wide_decimal::narrow;

/// A filter and the fields that it refers to. It is a condition: what it gives is true, false or NULL, and never taken
/// for one of them.
pub fn compile_filter(sql: &str, input: &ArrowSchema) -> Result<(MessageExpr, BTreeSet<String>), ExprError> {
    let of_nanos = |ty: &DataType| matches!(ty, DataType::Timestamp(TimeUnit::Nanosecond, _));
    let nanoseconds = input.fields().iter().any(|field| of_nanos(field.data_type()));
    let filter = compile(sql, input, &Purpose { nanoseconds, rounded: Arc::default() })?;
    match filter.data_type() {
        DataType::Boolean | DataType::Null => Ok((filter, referenced_names(sql)?)),
        other => {
            let gives = Type::from_arrow(&normal_type(other)).map_or_else(|| other.to_string(), |ty| ty.to_string());
            Err(ExprError::Plan(format!("it gives {gives}, a filter gives true or false")))
        }
    }
}

/// The expression of a column, and the fields that it refers to.
pub fn compile_column(
    sql: &str,
    input: &ArrowSchema,
    rounded: &Arc<AtomicU64>,
    field: &Field,
) -> Result<(MessageExpr, BTreeSet<String>), ExprError> {
    let nanoseconds = matches!(field.ty, Type::TimestampNs | Type::TimestamptzNs);
    let expression = compile(sql, input, &Purpose { nanoseconds, rounded: Arc::clone(rounded) })?;
    target_check(expression.data_type(), field)?;
    Ok((expression, referenced_names(sql)?))
}

fn target_check(gives: &DataType, field: &Field) -> Result<(), ExprError> {
    let from = match gives {
        // NULL is of every type.
        DataType::Null => return Ok(()),
        DataType::Decimal256(_, scale) => Type::Decimal { precision: 38, scale: scale.clamp(&0, &38).unsigned_abs() },
        other => Type::from_arrow(&normal_type(other))
            .ok_or_else(|| ExprError::Plan(format!("it gives {other}, which no column of a table has")))?,
    };
    convert::convertible(&from, &field.ty)
        .map_err(|why| ExprError::Plan(format!("it gives {from}, the column {} is {}: {why}", field.name, field.ty)))?;
    match nameless(&from, &field.ty) {
        None => Ok(()),
        Some(name) => Err(ExprError::Plan(format!(
            "it gives {from}, the column {} is {}, which has no {name}; write named_struct with the column's own names",
            field.name, field.ty
        ))),
    }
}

/// A field that `from` has and `to` has not: what is in it would be lost without a word.
fn nameless<'a>(from: &'a Type, to: &Type) -> Option<&'a str> {
    match (from, to) {
        (Type::Struct(from), Type::Struct(to)) => {
            from.iter().find_map(|field| match to.iter().find(|target| target.name == field.name) {
                None => Some(field.name.as_str()),
                Some(target) => nameless(&field.ty, &target.ty),
            })
        }
        (Type::List(from), Type::List(to)) => nameless(&from.ty, &to.ty),
        (Type::Map { key: from_key, value: from }, Type::Map { key, value }) => {
            nameless(&from_key.ty, &key.ty).or_else(|| nameless(&from.ty, &value.ty))
        }
        _ => None,
    }
}

/// What an expression gave, brought to its column's type.
pub fn as_column(array: &ArrayRef, to: &Type) -> Converted {
    match array.data_type() {
        DataType::Null => {
            let array = new_null_array(&to.to_arrow(), array.len());
            Converted { array, inexact: Vec::new(), failed: Vec::new(), rounded_to_double: 0 }
        }
        DataType::Decimal256(..) => narrow(array, to),
        data_type => {
            let normal = normal_type(data_type);
            let array = match &normal == data_type {
                true => Arc::clone(array),
                false => cast(array, &normal).expect("widening and unpacking never fail"),
            };
            let from = Type::from_arrow(&normal).expect("checked when the expression was compiled");
            convert::convert(&array, &from, to)
        }
    }
}

/// The table's Arrow type that holds every value of `data_type`; the type itself where there is none.
fn normal_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => normal_type(value),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        other => other.clone(),
    }
}

//! The few remaining pairs: bytes of fixed and free length, booleans as 0 and 1, and the text of any value.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};

use super::{Marks, Parsed, each, refuse};
use crate::schema::Type;
use crate::value::Value;

/// Boolean → integer, bytes → bytes.
pub(super) fn convert(array: &ArrayRef, from: &Type, to: &Type, marks: &mut Marks) -> ArrayRef {
    match (from, to) {
        (Type::Boolean, Type::Int) => {
            let truth = array.as_boolean();
            each::<Int32Type>(truth, from, to, marks, |row| Parsed::Exact(i32::from(truth.value(row))))
        }
        (Type::Boolean, Type::Long) => {
            let truth = array.as_boolean();
            each::<Int64Type>(truth, from, to, marks, |row| Parsed::Exact(i64::from(truth.value(row))))
        }
        (Type::Fixed(_) | Type::Uuid, Type::Binary) => {
            let mut built = BinaryBuilder::with_capacity(array.len(), 0);
            array.as_fixed_size_binary().iter().for_each(|bytes| built.append_option(bytes));
            Arc::new(built.finish())
        }
        (Type::Binary | Type::Fixed(_), Type::Fixed(_)) => to_fixed(array, from, to, marks),
        _ => refuse(array, from, to, marks),
    }
}

fn to_fixed(array: &ArrayRef, from: &Type, to: &Type, marks: &mut Marks) -> ArrayRef {
    let Type::Fixed(width) = to else { return refuse(array, from, to, marks) };
    let bytes = |row: usize| match from {
        Type::Binary => array.as_binary::<i32>().value(row),
        _ => array.as_fixed_size_binary().value(row),
    };
    let mut built = FixedSizeBinaryBuilder::with_capacity(array.len(), *width as i32);
    let mut lost = Vec::new();
    for row in 0..array.len() {
        // Another length is refused by the builder, which is the test that is wanted.
        if array.is_null(row) || built.append_value(bytes(row)).is_err() {
            lost.extend(array.is_valid(row).then_some((row, true)));
            built.append_null();
        }
    }
    marks.record(array, from, to, &lost);
    Arc::new(built.finish())
}

/// Any value → its text as findings show it; bytes only where they are UTF-8.
pub(super) fn to_text(array: &ArrayRef, from: &Type, marks: &mut Marks) -> ArrayRef {
    let mut built = StringBuilder::with_capacity(array.len(), 0);
    let mut failed = Vec::new();
    for row in 0..array.len() {
        match Value::from_arrow(array, row, from) {
            Value::Null => built.append_null(),
            Value::Bytes(bytes) => match String::from_utf8(bytes) {
                Ok(text) => built.append_value(text),
                Err(_) => {
                    failed.push((row, false));
                    built.append_null();
                }
            },
            value => built.append_value(value.to_string()),
        }
    }
    marks.record(array, from, &Type::String, &failed);
    Arc::new(built.finish())
}

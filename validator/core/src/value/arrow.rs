//! Reads one value out of an Arrow array.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef};

use super::Value;
use crate::schema::{Field, Type};

impl Value {
    /// The value at `row` of an array of type `ty`, whose Arrow type is [`Type::to_arrow`].
    ///
    /// # Panics
    /// When the array has another Arrow type, or no such row: the caller made both.
    pub fn from_arrow(array: &dyn Array, row: usize, ty: &Type) -> Value {
        if array.is_null(row) {
            return Value::Null;
        }
        match ty {
            Type::Boolean => Value::Boolean(array.as_boolean().value(row)),
            Type::Int => Value::integer(i64::from(array.as_primitive::<Int32Type>().value(row))),
            Type::Long => Value::integer(array.as_primitive::<Int64Type>().value(row)),
            Type::Float => Value::Float(array.as_primitive::<Float32Type>().value(row)),
            Type::Double => Value::Double(array.as_primitive::<Float64Type>().value(row)),
            Type::Decimal { scale, .. } => Value::decimal(array.as_primitive::<Decimal128Type>().value(row), *scale),
            Type::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
            Type::Time => Value::Time(array.as_primitive::<Time64MicrosecondType>().value(row)),
            Type::Timestamp | Type::Timestamptz => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                Value::timestamp_micros(micros, *ty == Type::Timestamptz)
            }
            Type::TimestampNs | Type::TimestamptzNs => {
                let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
                Value::timestamp_nanos(nanos, *ty == Type::TimestamptzNs)
            }
            Type::String => Value::String(array.as_string::<i32>().value(row).to_owned()),
            Type::Uuid => {
                let bytes = array.as_fixed_size_binary().value(row);
                Value::Uuid(bytes.try_into().expect("a uuid column is 16 bytes wide"))
            }
            Type::Fixed(_) => Value::Bytes(array.as_fixed_size_binary().value(row).to_vec()),
            Type::Binary => Value::Bytes(array.as_binary::<i32>().value(row).to_vec()),
            Type::Struct(fields) => Value::Struct(struct_fields(array.as_struct().columns(), row, fields)),
            Type::List(element) => {
                let items = array.as_list::<i32>().value(row);
                Value::List((0..items.len()).map(|i| Value::from_arrow(&items, i, &element.ty)).collect())
            }
            Type::Map { key, value } => {
                let entries = array.as_map().value(row);
                let (keys, values) = (entries.column(0), entries.column(1));
                let entry = |i| (Value::from_arrow(keys, i, &key.ty), Value::from_arrow(values, i, &value.ty));
                Value::Map((0..entries.len()).map(entry).collect())
            }
        }
    }
}

fn struct_fields(columns: &[ArrayRef], row: usize, fields: &[Field]) -> Vec<(String, Value)> {
    let named = columns.iter().zip(fields);
    named.map(|(column, field)| (field.name.clone(), Value::from_arrow(column, row, &field.ty))).collect()
}

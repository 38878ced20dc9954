//! Decoding payloads one by one, and looking at the columns as text.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use validator_core::contract::FieldType;
use validator_core::position::PartitionIndex;
use validator_core::schema::{Field, Type};
use validator_tap::{Decoded, Decoder, JsonDecoder, Message, Undecodable, WantedField};

pub fn payload(bytes: &[u8]) -> Message<'_> {
    Message::of_payload(PartitionIndex(0), 0, Some(bytes))
}

/// The ranges of a partition of which one is wanted.
pub fn one(range: Range<i64>) -> Vec<Range<i64>> {
    std::iter::once(range).collect()
}

pub fn json(fields: &[(&str, Type)]) -> JsonDecoder {
    json_dropping(fields, &[])
}

pub fn json_dropping(fields: &[(&str, Type)], dropped: &[&str]) -> JsonDecoder {
    let wanted: Vec<_> =
        fields.iter().map(|(name, ty)| WantedField::typed(*name, FieldType::Plain(ty.clone()))).collect();
    let dropped: BTreeSet<String> = dropped.iter().map(|d| (*d).to_owned()).collect();
    JsonDecoder::new(&wanted, &dropped).expect("fields that JSON can carry")
}

/// Appends all payloads; the outcome of each and the batch.
pub fn decode(decoder: &mut dyn Decoder, payloads: &[&[u8]]) -> (Vec<Option<Undecodable>>, Decoded) {
    let outcomes = payloads.iter().map(|p| decoder.append(&payload(p)).expect("the source is fine")).collect();
    let batch = decoder.finish();
    assert_eq!(batch.rows, payloads.len());
    for (column, field) in batch.columns.iter().zip(decoder.fields()) {
        assert_eq!(column.len(), batch.rows);
        assert_eq!(column.data_type(), &field.ty.to_arrow());
        column.to_data().validate_full().expect("a sound array");
    }
    (outcomes, batch)
}

pub fn field(name: &str, ty: Type) -> Field {
    Field::new(0, name, false, ty)
}

pub fn list(element: Type) -> Type {
    Type::List(Box::new(field("element", element)))
}

pub fn map(key: Type, value: Type) -> Type {
    Type::Map { key: Box::new(Field::new(0, "key", true, key)), value: Box::new(field("value", value)) }
}

pub fn structure(fields: &[(&str, Type)]) -> Type {
    Type::Struct(fields.iter().map(|(name, ty)| field(name, ty.clone())).collect())
}

/// All values of a column, NULL as `~`.
pub fn show(array: &ArrayRef) -> Vec<String> {
    (0..array.len()).map(|row| value(array, row)).collect()
}

/// One value: numbers as they lie in memory, text quoted, bytes in hex, NULL as `~`.
pub fn value(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "~".to_owned();
    }
    let each = |array: ArrayRef| (0..array.len()).map(|i| value(&array, i)).collect::<Vec<_>>().join(",");
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => format!("{:?}", array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row).to_string(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).to_string(),
        DataType::Time64(_) => array.as_primitive::<Time64MicrosecondType>().value(row).to_string(),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array.as_primitive::<TimestampNanosecondType>().value(row).to_string()
        }
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        DataType::Utf8 => format!("{:?}", array.as_string::<i32>().value(row)),
        DataType::Binary => hex(array.as_binary::<i32>().value(row)),
        DataType::FixedSizeBinary(_) => hex(array.as_fixed_size_binary().value(row)),
        DataType::Struct(fields) => {
            let array = array.as_struct();
            let values = fields.iter().zip(array.columns()).map(|(f, c)| format!("{}:{}", f.name(), value(c, row)));
            format!("{{{}}}", values.collect::<Vec<_>>().join(","))
        }
        DataType::List(_) => format!("[{}]", each(array.as_list::<i32>().value(row))),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let pairs = (0..entries.len()).map(|i| format!("{}={}", value(keys, i), value(values, i)));
            format!("<{}>", pairs.collect::<Vec<_>>().join(","))
        }
        other => panic!("no decoder makes {other}"),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    format!("0x{}", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
}

//! Test only: types and values as JSON, as the golden vectors write them, and arrays of such values.
//!
//! Types: `"decimal(18, 8)"`, `{"struct": [[id, name, type]…]}`, `{"list": type}`, `{"map": [type, type]}`. Values:
//! int, long, date, time and timestamps are JSON integers of their unit; decimals text; floats text or `0x` bits; uuid,
//! fixed and binary hexadecimal; structs objects; maps arrays of pairs.

use std::sync::Arc;

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, ListArray, MapArray, PrimitiveArray, StringArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType;
use serde_json::Value as Json;

use crate::schema::{Field, Type};

pub(super) fn parse_type(json: &Json) -> Type {
    if let Some(text) = json.as_str() {
        return parse_primitive(text);
    }
    let part = |name, ty| Box::new(Field::new(0, name, false, parse_type(ty)));
    if let Some(fields) = json["struct"].as_array() {
        let field = |f: &Json| Field::new(id(&f[0]), f[1].as_str().expect("a name"), false, parse_type(&f[2]));
        return Type::Struct(fields.iter().map(field).collect());
    }
    match json["list"] {
        Json::Null => Type::Map {
            key: Box::new(Field::new(0, "key", true, parse_type(&json["map"][0]))),
            value: part("value", &json["map"][1]),
        },
        ref element => Type::List(part("element", element)),
    }
}

pub(super) fn id(json: &Json) -> i32 {
    json.as_i64().and_then(|id| i32::try_from(id).ok()).expect("a field id")
}

fn parse_primitive(text: &str) -> Type {
    let numbers: Vec<u32> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|t| !t.is_empty()).map(|t| t.parse().expect("u32")).collect();
    match (text.split('(').next().expect("a part"), &numbers[..]) {
        ("boolean", _) => Type::Boolean,
        ("int", _) => Type::Int,
        ("long", _) => Type::Long,
        ("float", _) => Type::Float,
        ("double", _) => Type::Double,
        ("decimal", [precision, scale]) => Type::Decimal { precision: *precision as u8, scale: *scale as u8 },
        ("date", _) => Type::Date,
        ("time", _) => Type::Time,
        ("timestamp", _) => Type::Timestamp,
        ("timestamptz", _) => Type::Timestamptz,
        ("timestamp_ns", _) => Type::TimestampNs,
        ("timestamptz_ns", _) => Type::TimestamptzNs,
        ("string", _) => Type::String,
        ("uuid", _) => Type::Uuid,
        ("binary", _) => Type::Binary,
        ("fixed", [width]) => Type::Fixed(*width),
        other => panic!("unknown type {other:?}"),
    }
}

/// The array of these values, `null` for NULL.
pub(super) fn array(ty: &Type, values: &[&Json]) -> ArrayRef {
    match ty {
        Type::Boolean => Arc::new(values.iter().map(|v| v.as_bool()).collect::<BooleanArray>()),
        Type::Int => primitive::<Int32Type>(ty, values, |v| integer(v) as i32),
        Type::Long => primitive::<Int64Type>(ty, values, integer),
        Type::Decimal { scale, .. } => primitive::<Decimal128Type>(ty, values, |v| unscaled(text(v), *scale)),
        Type::Float => primitive::<Float32Type>(ty, values, |v| float(text(v))),
        Type::Double => primitive::<Float64Type>(ty, values, |v| double(text(v))),
        Type::Date => primitive::<Date32Type>(ty, values, |v| integer(v) as i32),
        Type::Time => primitive::<Time64MicrosecondType>(ty, values, integer),
        Type::Timestamp | Type::Timestamptz => primitive::<TimestampMicrosecondType>(ty, values, integer),
        Type::TimestampNs | Type::TimestamptzNs => primitive::<TimestampNanosecondType>(ty, values, integer),
        Type::String => Arc::new(values.iter().map(|v| v.as_str()).collect::<StringArray>()),
        Type::Binary => {
            let bytes: Vec<_> = values.iter().map(|v| v.as_str().map(hex)).collect();
            Arc::new(bytes.iter().map(|v| v.as_deref()).collect::<BinaryArray>())
        }
        Type::Uuid | Type::Fixed(_) => fixed(ty, values),
        Type::Struct(fields) => structs(ty, fields, values),
        Type::List(element) => lists(ty, element, values),
        Type::Map { key, value } => maps(ty, key, value, values),
    }
}

fn primitive<T: ArrowPrimitiveType>(ty: &Type, values: &[&Json], parse: impl Fn(&Json) -> T::Native) -> ArrayRef {
    let parsed = values.iter().map(|v| (!v.is_null()).then(|| parse(v)));
    Arc::new(PrimitiveArray::<T>::from_iter(parsed).with_data_type(ty.to_arrow()))
}

fn fixed(ty: &Type, values: &[&Json]) -> ArrayRef {
    let DataType::FixedSizeBinary(width) = ty.to_arrow() else { panic!("{ty} has no width") };
    let mut builder = FixedSizeBinaryBuilder::new(width);
    for value in values {
        match value.as_str() {
            Some(text) => builder.append_value(hex(&text.replace('-', ""))).expect("bytes of the width"),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

fn structs(ty: &Type, fields: &[Field], values: &[&Json]) -> ArrayRef {
    let DataType::Struct(arrow) = ty.to_arrow() else { panic!("{ty} is no struct") };
    // Under a NULL struct the children hold values all the same, as files may.
    let filler = |field: &Field| if field.ty == Type::Long { Json::from(99) } else { Json::Null };
    let child = |field: &Field| {
        let filler = filler(field);
        let values: Vec<_> = values.iter().map(|v| if v.is_null() { &filler } else { &v[&field.name] }).collect();
        array(&field.ty, &values)
    };
    let children = fields.iter().map(child).collect();
    let array = StructArray::try_new_with_length(arrow, children, nulls(values), values.len());
    Arc::new(array.expect("children of the same length"))
}

fn lists(ty: &Type, element: &Field, values: &[&Json]) -> ArrayRef {
    let DataType::List(arrow) = ty.to_arrow() else { panic!("{ty} is no list") };
    let elements: Vec<&Json> = values.iter().filter_map(|v| v.as_array()).flatten().collect();
    Arc::new(ListArray::new(arrow, offsets(values), array(&element.ty, &elements), nulls(values)))
}

fn maps(ty: &Type, key: &Field, value: &Field, values: &[&Json]) -> ArrayRef {
    let DataType::Map(arrow, _) = ty.to_arrow() else { panic!("{ty} is no map") };
    let DataType::Struct(pair) = arrow.data_type().clone() else { panic!("{ty} has no entries") };
    let entries: Vec<&Json> = values.iter().filter_map(|v| v.as_array()).flatten().collect();
    let part = |field: &Field, i: usize| array(&field.ty, &entries.iter().map(|e| &e[i]).collect::<Vec<_>>());
    let entries = StructArray::new(pair, vec![part(key, 0), part(value, 1)], None);
    Arc::new(MapArray::new(arrow, offsets(values), entries, nulls(values), false))
}

fn offsets(values: &[&Json]) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(values.iter().map(|v| v.as_array().map_or(0, Vec::len)))
}

fn nulls(values: &[&Json]) -> Option<NullBuffer> {
    values.iter().any(|v| v.is_null()).then(|| values.iter().map(|v| !v.is_null()).collect())
}

pub(super) fn text(json: &Json) -> &str {
    json.as_str().expect("a text")
}

pub(super) fn integer(json: &Json) -> i64 {
    json.as_i64().expect("an integer of 64 bits")
}

/// The unscaled value of a decimal's text with at most `scale` decimals.
pub(super) fn unscaled(text: &str, scale: u8) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<width$}", width = usize::from(scale)).parse().expect("an i128")
}

fn float(text: &str) -> f32 {
    match text.strip_prefix("0x") {
        Some(bits) => f32::from_bits(u32::from_str_radix(bits, 16).expect("32 bits")),
        None => text.parse().expect("a float"),
    }
}

pub(super) fn double(text: &str) -> f64 {
    match text.strip_prefix("0x") {
        Some(bits) => f64::from_bits(u64::from_str_radix(bits, 16).expect("64 bits")),
        None => text.parse().expect("a double"),
    }
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

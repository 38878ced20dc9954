//! One value of an answer as text: exact, and harmless wherever it is read.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveTime, Timelike};

use crate::render::is_hostile;

/// Integers up to here are the same in every reader of JSON.
const JSON_INTEGER_MAX: u64 = 1 << 53;

/// A value that is no collection, or one.
pub enum Cell {
    /// NULL.
    Null,
    /// A number that JSON holds exactly, or `true` or `false`.
    Plain(String),
    /// A number that JSON does not hold exactly.
    Number(String),
    /// Text, dates, times.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// JSON of a list, struct or map.
    Json(String),
}

/// The value of a row.
pub fn cell(array: &dyn Array, row: usize) -> Cell {
    if array.data_type() == &DataType::Null || array.is_null(row) {
        return Cell::Null;
    }
    macro_rules! integer {
        ($ty:ty) => {{
            let value = array.as_primitive::<$ty>().value(row);
            let text = value.to_string();
            match u64::try_from(i128::from(value).unsigned_abs()) {
                Ok(size) if size <= JSON_INTEGER_MAX => Cell::Plain(text),
                _ => Cell::Number(text),
            }
        }};
    }
    macro_rules! decimal {
        ($ty:ty) => {
            Cell::Number(array.as_primitive::<$ty>().value_as_string(row))
        };
    }
    match array.data_type() {
        DataType::Boolean => Cell::Plain(array.as_boolean().value(row).to_string()),
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::UInt8 => integer!(UInt8Type),
        DataType::UInt16 => integer!(UInt16Type),
        DataType::UInt32 => integer!(UInt32Type),
        DataType::UInt64 => integer!(UInt64Type),
        DataType::Float16 => float(f64::from(array.as_primitive::<Float16Type>().value(row)), None),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            float(f64::from(value), Some(value))
        }
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row), None),
        DataType::Decimal32(..) => decimal!(Decimal32Type),
        DataType::Decimal64(..) => decimal!(Decimal64Type),
        DataType::Decimal128(..) => decimal!(Decimal128Type),
        DataType::Decimal256(..) => decimal!(Decimal256Type),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(row).to_owned()),
        DataType::Utf8View => Cell::Text(array.as_string_view().value(row).to_owned()),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(row).to_vec()),
        DataType::LargeBinary => Cell::Bytes(array.as_binary::<i64>().value(row).to_vec()),
        DataType::BinaryView => Cell::Bytes(array.as_binary_view().value(row).to_vec()),
        DataType::FixedSizeBinary(_) => Cell::Bytes(array.as_fixed_size_binary().value(row).to_vec()),
        DataType::Dictionary(key, _) => dictionary(array, key, row),
        ty if ty.is_nested() => nested(array, row),
        _ => time(array, row),
    }
}

fn dictionary(array: &dyn Array, key: &DataType, row: usize) -> Cell {
    fn of<K: ArrowDictionaryKeyType>(array: &dyn Array, row: usize) -> Cell {
        let dictionary = array.as_dictionary::<K>();
        match dictionary.key(row) {
            Some(key) => cell(dictionary.values().as_ref(), key),
            None => Cell::Null,
        }
    }
    match key {
        DataType::Int8 => of::<Int8Type>(array, row),
        DataType::Int16 => of::<Int16Type>(array, row),
        DataType::Int32 => of::<Int32Type>(array, row),
        DataType::Int64 => of::<Int64Type>(array, row),
        DataType::UInt8 => of::<UInt8Type>(array, row),
        DataType::UInt16 => of::<UInt16Type>(array, row),
        DataType::UInt32 => of::<UInt32Type>(array, row),
        _ => of::<UInt64Type>(array, row),
    }
}

/// JSON has no word for what is no number.
fn float(value: f64, single: Option<f32>) -> Cell {
    if value.is_nan() {
        return Cell::Number("NaN".to_owned());
    }
    if value.is_infinite() {
        return Cell::Number(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned());
    }
    Cell::Plain(match single {
        Some(value) => serde_json::to_string(&value).unwrap_or_else(|_| value.to_string()),
        None => serde_json::to_string(&value).unwrap_or_else(|_| value.to_string()),
    })
}

fn time(array: &dyn Array, row: usize) -> Cell {
    let whole = |value: i64, unit: i64| (value.div_euclid(unit), value.rem_euclid(unit));
    let instant = |(seconds, part): (i64, i64), nanos: i64, digits: usize, zone: bool| {
        let time = DateTime::from_timestamp(seconds, u32::try_from(part * nanos).unwrap_or(0));
        time.map(|time| format!("{}{}", stamp(&time, digits), if zone { "Z" } else { "" }))
    };
    let text = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            instant((array.as_primitive::<TimestampSecondType>().value(row), 0), 1, 0, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            let value = array.as_primitive::<TimestampMillisecondType>().value(row);
            instant(whole(value, 1_000), 1_000_000, 3, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let value = array.as_primitive::<TimestampMicrosecondType>().value(row);
            instant(whole(value, 1_000_000), 1_000, 6, zone.is_some())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let value = array.as_primitive::<TimestampNanosecondType>().value(row);
            instant(whole(value, 1_000_000_000), 1, 9, zone.is_some())
        }
        DataType::Date32 => {
            let days = i64::from(array.as_primitive::<Date32Type>().value(row));
            DateTime::from_timestamp(days * 86_400, 0).map(|time| time.date_naive().to_string())
        }
        DataType::Date64 => {
            let value = array.as_primitive::<Date64Type>().value(row);
            DateTime::from_timestamp_millis(value).map(|time| time.date_naive().to_string())
        }
        DataType::Time32(TimeUnit::Second) => {
            clock(i64::from(array.as_primitive::<Time32SecondType>().value(row)), 1, 0)
        }
        DataType::Time32(_) => clock(i64::from(array.as_primitive::<Time32MillisecondType>().value(row)), 1_000, 3),
        DataType::Time64(TimeUnit::Microsecond) => {
            clock(array.as_primitive::<Time64MicrosecondType>().value(row), 1_000_000, 6)
        }
        DataType::Time64(_) => clock(array.as_primitive::<Time64NanosecondType>().value(row), 1_000_000_000, 9),
        DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime | IntervalUnit::MonthDayNano) => None,
        _ => None,
    };
    Cell::Text(text.unwrap_or_else(|| displayed(array, row)))
}

/// `2024-08-08T12:00:00` with so many digits of a second; years have at least four.
fn stamp(time: &DateTime<chrono::Utc>, digits: usize) -> String {
    let text = time.format("%Y-%m-%dT%H:%M:%S").to_string();
    if digits == 0 { text } else { format!("{text}.{}", fraction(time.nanosecond(), digits)) }
}

fn clock(value: i64, unit: i64, digits: usize) -> Option<String> {
    let seconds = u32::try_from(value.div_euclid(unit)).ok()?;
    let nanos = u32::try_from(value.rem_euclid(unit) * (1_000_000_000 / unit)).ok()?;
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos)?;
    let text = time.format("%H:%M:%S").to_string();
    Some(if digits == 0 { text } else { format!("{text}.{}", fraction(nanos, digits)) })
}

fn fraction(nanos: u32, digits: usize) -> String {
    format!("{:09}", nanos % 1_000_000_000)[..digits].to_owned()
}

/// Arrow's own words, for types that have no others; a time that no calendar has is the number that it is.
fn displayed(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::new().with_display_error(false);
    let formatted = ArrayFormatter::try_new(array, &options).and_then(|format| format.value(row).try_to_string());
    formatted.unwrap_or_else(|error| counted(array, row).unwrap_or_else(|| error.to_string()))
}

/// `9223372036854775807 µs`: since the epoch, or midnight.
fn counted(array: &dyn Array, row: usize) -> Option<String> {
    let unit = match array.data_type() {
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => unit.to_string(),
        DataType::Date32 => "days".to_owned(),
        DataType::Date64 => TimeUnit::Millisecond.to_string(),
        _ => return None,
    };
    let as_it_is = match array.data_type() {
        DataType::Time32(_) | DataType::Date32 => DataType::Int32,
        _ => DataType::Int64,
    };
    let number = arrow_cast::cast(array.slice(row, 1).as_ref(), &as_it_is).ok()?;
    let number = arrow_cast::cast(&number, &DataType::Int64).ok()?;
    Some(format!("{} {unit}", number.as_primitive::<Int64Type>().value(0)))
}

fn nested(array: &dyn Array, row: usize) -> Cell {
    let mut out = String::new();
    match array.data_type() {
        DataType::List(_) => list(&mut out, &array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&mut out, &array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&mut out, &array.as_fixed_size_list().value(row)),
        DataType::ListView(_) => list(&mut out, &array.as_list_view::<i32>().value(row)),
        DataType::LargeListView(_) => list(&mut out, &array.as_list_view::<i64>().value(row)),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let members = fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), column, row));
            object(&mut out, members);
        }
        DataType::Map(..) => map(&mut out, array, row),
        _ => return Cell::Text(displayed(array, row)),
    }
    Cell::Json(out)
}

fn list(out: &mut String, values: &ArrayRef) {
    out.push('[');
    for row in 0..values.len() {
        if row > 0 {
            out.push(',');
        }
        json(out, values.as_ref(), row);
    }
    out.push(']');
}

fn object<'a>(out: &mut String, members: impl Iterator<Item = (String, &'a ArrayRef, usize)>) {
    out.push('{');
    for (index, (name, values, row)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        json_text(out, &name);
        out.push(':');
        json(out, values.as_ref(), row);
    }
    out.push('}');
}

/// An object; a list of pairs where a key comes twice, for readers keep the last of them only.
fn map(out: &mut String, array: &dyn Array, row: usize) {
    let map = array.as_map();
    let (from, to) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
    let (keys, values) = (map.keys(), map.values());
    let names: Vec<String> = (from..to).map(|at| text(keys.as_ref(), at).unwrap_or_default()).collect();
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort();
    if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
        return object(out, (from..to).zip(names).map(|(at, name)| (name, values, at)));
    }
    out.push('[');
    for at in from..to {
        if at > from {
            out.push(',');
        }
        object(out, [("key".to_owned(), keys, at), ("value".to_owned(), values, at)].into_iter());
    }
    out.push(']');
}

/// A value as JSON.
pub fn json(out: &mut String, array: &dyn Array, row: usize) {
    match cell(array, row) {
        Cell::Null => out.push_str("null"),
        Cell::Plain(text) | Cell::Json(text) => out.push_str(&text),
        Cell::Number(text) | Cell::Text(text) => json_text(out, &text),
        Cell::Bytes(bytes) => json_text(out, &STANDARD.encode(bytes)),
    }
}

/// A value as text; none for NULL. Bytes are base64, collections JSON.
pub fn text(array: &dyn Array, row: usize) -> Option<String> {
    match cell(array, row) {
        Cell::Null => None,
        Cell::Plain(text) | Cell::Json(text) | Cell::Number(text) | Cell::Text(text) => Some(text),
        Cell::Bytes(bytes) => Some(STANDARD.encode(bytes)),
    }
}

/// A JSON text; what must not reach a terminal is escaped, which JSON can do without losing anything.
pub fn json_text(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hostile(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

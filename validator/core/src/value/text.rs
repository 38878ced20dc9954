//! How people and JSON see a value (interface.md §5, §7).
//!
//! Contract: no digit is lost. Numbers in plain notation without trailing zeros, timestamps in RFC 3339 with all their
//! digits (`Z` for an instant, nothing for a wall time), bytes in base64, UUIDs hyphenated, nested values as compact JSON.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number as JsonNumber, Value as Json};

use super::{Value, normalised};
use crate::convert::civil::{CivilDate, civil_of_days};
use crate::schema::Type;

impl Value {
    /// The JSON of the value: null, true and false, doubles and floats as numbers, nested values as objects and arrays;
    /// everything else, and what JSON has no number for (NaN), as the text of `Display`.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Boolean(value) => Json::Bool(*value),
            // A float's shortest digits, not those of the double it widens to.
            Value::Float(value) => json_double(format!("{value:?}").parse().unwrap_or(f64::from(*value)), self),
            Value::Double(value) => json_double(*value, self),
            Value::Struct(fields) => fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
            Value::List(items) => items.iter().map(Value::to_json).collect(),
            Value::Map(entries) => entries.iter().map(|(key, value)| (key.to_string(), value.to_json())).collect(),
            other => Json::String(other.to_string()),
        }
    }

    /// As [`Value::to_json`], and `int` as a JSON number, which holds it exactly.
    pub fn to_json_of(&self, ty: &Type) -> Json {
        match (self, ty) {
            (Value::Number { .. }, Type::Int) => match self.as_integer().and_then(|n| i64::try_from(n).ok()) {
                Some(number) => Json::Number(JsonNumber::from(number)),
                None => self.to_json(),
            },
            (Value::Struct(values), Type::Struct(fields)) => {
                let typed = |name: &String, value: &Value| match fields.iter().find(|field| field.name == *name) {
                    Some(field) => value.to_json_of(&field.ty),
                    None => value.to_json(),
                };
                values.iter().map(|(name, value)| (name.clone(), typed(name, value))).collect()
            }
            (Value::List(items), Type::List(element)) => items.iter().map(|v| v.to_json_of(&element.ty)).collect(),
            (Value::Map(entries), Type::Map { value, .. }) => {
                entries.iter().map(|(k, v)| (k.to_string(), v.to_json_of(&value.ty))).collect()
            }
            _ => self.to_json(),
        }
    }
}

fn json_double(number: f64, value: &Value) -> Json {
    JsonNumber::from_f64(number).map_or_else(|| Json::String(value.to_string()), Json::Number)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Number { unscaled, scale } => {
                let (unscaled, scale) = normalised(*unscaled, *scale);
                write_number(f, unscaled, scale)
            }
            Value::Float(value) if value.is_infinite() => f.write_str(infinity(*value < 0.0)),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Double(value) if value.is_infinite() => f.write_str(infinity(*value < 0.0)),
            Value::Double(value) => write!(f, "{value:?}"),
            Value::Date(days) => write_date(f, i64::from(*days)),
            Value::Time(micros) => {
                write_time(f, micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000) as u32 * 1_000)
            }
            Value::Timestamp { seconds, nanos, zoned } => {
                write_date(f, seconds.div_euclid(86_400))?;
                f.write_str("T")?;
                write_time(f, seconds.rem_euclid(86_400), *nanos)?;
                f.write_str(if *zoned { "Z" } else { "" })
            }
            Value::String(text) | Value::Inexact(text) => f.write_str(text),
            Value::Uuid(bytes) => write_uuid(f, bytes),
            Value::Bytes(bytes) => f.write_str(&STANDARD.encode(bytes)),
            Value::Struct(_) | Value::List(_) | Value::Map(_) => write!(f, "{}", self.to_json()),
        }
    }
}

fn infinity(negative: bool) -> &'static str {
    if negative { "-Infinity" } else { "Infinity" }
}

/// `unscaled` / 10^`scale` in plain notation with exactly `scale` digits behind the point.
pub(crate) fn write_number(f: &mut impl fmt::Write, unscaled: i128, scale: u8) -> fmt::Result {
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        return write!(f, "{unscaled}");
    }
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    write!(f, "{sign}{whole}.{fraction}")
}

/// `YYYY-MM-DD`; years outside 0000 to 9999 with a sign and at least six digits (ISO 8601 expanded).
fn write_date(f: &mut fmt::Formatter<'_>, days: i64) -> fmt::Result {
    let CivilDate { year, month, day } = civil_of_days(days);
    if (0..=9999).contains(&year) {
        write!(f, "{year:04}-{month:02}-{day:02}")
    } else {
        write!(f, "{year:+07}-{month:02}-{day:02}")
    }
}

/// `HH:MM:SS` with 0, 3, 6 or 9 digits of fraction, as many as there are.
fn write_time(f: &mut fmt::Formatter<'_>, second_of_day: i64, nanos: u32) -> fmt::Result {
    write!(f, "{:02}:{:02}:{:02}", second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60)?;
    match nanos {
        0 => Ok(()),
        n if n % 1_000_000 == 0 => write!(f, ".{:03}", n / 1_000_000),
        n if n % 1_000 == 0 => write!(f, ".{:06}", n / 1_000),
        n => write!(f, ".{n:09}"),
    }
}

fn write_uuid(f: &mut fmt::Formatter<'_>, bytes: &[u8; 16]) -> fmt::Result {
    for (i, byte) in bytes.iter().enumerate() {
        let hyphen = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
        write!(f, "{hyphen}{byte:02x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Field;

    #[test]
    fn values_read_as_people_write_them() {
        let instant = |nanos, zoned| Value::timestamp_nanos(nanos, zoned);
        let cases = [
            (Value::Null, "null"),
            (Value::decimal(12_345_679, 8), "0.12345679"),
            (Value::decimal(-50, 2), "-0.5"),
            (Value::decimal(5, 38), "0.00000000000000000000000000000000000005"),
            (Value::decimal(i128::MIN, 0), "-170141183460469231731687303715884105728"),
            (Value::integer(1_000), "1000"),
            (Value::Float(0.1), "0.1"),
            (Value::Double(1.0), "1.0"),
            (Value::Double(1e300), "1e300"),
            (Value::Double(-0.0), "-0.0"),
            (Value::Double(f64::NEG_INFINITY), "-Infinity"),
            (Value::Float(f32::NAN), "NaN"),
            (Value::Date(19_943), "2024-08-08"),
            (Value::Date(-719_529), "-000001-12-31"),
            (Value::Time(45_000_000_001), "12:30:00.000001"),
            (instant(1_723_075_200_000_000_000, true), "2024-08-08T00:00:00Z"),
            (instant(1_723_075_200_120_000_000, false), "2024-08-08T00:00:00.120"),
            (instant(1_723_075_200_120_001_000, true), "2024-08-08T00:00:00.120001Z"),
            (instant(-1, true), "1969-12-31T23:59:59.999999999Z"),
            (Value::timestamp_micros(i64::MAX, true), "+294247-01-10T04:00:54.775807Z"),
            (Value::Uuid([0xab; 16]), "abababab-abab-abab-abab-abababababab"),
            (Value::Bytes(vec![0xff, 0]), "/wA="),
            (Value::Inexact("1.9".into()), "1.9"),
        ];
        for (value, text) in cases {
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn nested_values_are_compact_json_without_loss() {
        let entry = (Value::string("k"), Value::integer(i64::MAX));
        let value = Value::Struct(vec![
            (
                "p".into(),
                Value::List(vec![Value::Double(0.1), Value::Float(0.1), Value::Null, Value::Double(f64::NAN)]),
            ),
            ("m".into(), Value::Map(vec![entry])),
        ]);
        assert_eq!(value.to_string(), r#"{"m":{"k":"9223372036854775807"},"p":[0.1,0.1,null,"NaN"]}"#);
    }

    #[test]
    fn only_int_is_a_json_number_among_exact_numbers() {
        let ty = Type::Struct(vec![Field::new(1, "i", false, Type::Int), Field::new(2, "l", false, Type::Long)]);
        let value = Value::Struct(vec![("i".into(), Value::integer(5)), ("l".into(), Value::integer(5))]);
        assert_eq!(value.to_json_of(&ty).to_string(), r#"{"i":5,"l":"5"}"#);
        assert_eq!(Value::Inexact("1.9".into()).to_json_of(&Type::Int).to_string(), r#""1.9""#);
        assert_eq!(Value::decimal(15, 1).to_json_of(&Type::Decimal { precision: 9, scale: 1 }).to_string(), r#""1.5""#);
    }
}

//! A reading: one way in which the value of a message field can become the value of a column.
//!
//! Contract: [`Reading::apply`] gives the value that the engine gives for what [`Reading::sql`] and [`Reading::declared`]
//! write, or nothing; it never rounds unless the reading says so. That they agree is proven by the run that follows.

use validator_core::contract::EpochUnit;
use validator_core::convert::Parsed;
use validator_core::convert::decimal::{parse_decimal, parse_integer};
use validator_core::convert::float::{parse_double, parse_float};
use validator_core::convert::instant::{InstantUnit, parse_date, parse_epoch, parse_time, parse_timestamp};
use validator_core::convert::uuid::parse_uuid;
use validator_core::schema::{Field, Type};
use validator_core::value::Value;

mod sql;

pub use sql::{literal, of_epoch};

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// What a column of the same name does by itself.
    Same,
    /// A number of these units since the epoch into an instant.
    Epoch(EpochUnit),
    /// Seconds since the epoch with a fraction, in text or a number; into a whole number they are microseconds.
    EpochText,
    /// An instant into the number of its microseconds (true) or milliseconds.
    EpochNumber(bool),
    /// The digits of a text into a whole number.
    Whole,
    /// A whole number, or the bytes of a text, into text.
    Digits,
    /// A whole number times this.
    Times(i64),
    /// Rounded to the column's digits.
    Rounded,
    /// An instant cut to whole milliseconds (true) or seconds, read as the inner reading says.
    Cut(bool, Box<Reading>),
    /// Text in upper case.
    Upper,
    /// Text in lower case.
    Lower,
    /// A constant text before the value's own.
    Prefix(String),
    /// A word for each of few values.
    Cases(Vec<(Value, String)>),
}

impl Reading {
    /// The readings that need no ties to be found, the plainest first.
    pub fn plain() -> Vec<Self> {
        use EpochUnit::{Microsecond, Millisecond, Nanosecond, Second};
        let units = [Millisecond, Microsecond, Second, Nanosecond];
        let mut all = vec![Self::Same];
        all.extend(units.map(Self::Epoch));
        all.extend([Self::EpochText, Self::EpochNumber(true), Self::EpochNumber(false), Self::Whole, Self::Digits]);
        all.extend([Self::Times(1_000), Self::Times(1_000_000), Self::Rounded, Self::Upper, Self::Lower]);
        for to_ms in [true, false] {
            let inner = [Self::Same, Self::EpochText].into_iter().chain(units.map(Self::Epoch));
            all.extend(inner.map(|inner| Self::Cut(to_ms, Box::new(inner))));
        }
        all
    }

    /// The value of a column of type `ty`; none where the reading gives none.
    pub fn apply(&self, value: &Value, ty: &Type) -> Option<Value> {
        if value.is_null() {
            return Some(Value::Null);
        }
        match self {
            Self::Same => same(value, ty),
            Self::Epoch(unit) => epoch(&value.as_integer()?.to_string(), *unit, ty),
            Self::EpochText => {
                let text = seconds(value)?;
                match ty {
                    Type::Long if text.contains('.') => {
                        same(&Value::decimal(exact(parse_decimal(&text, 38, 6))?, 0), ty)
                    }
                    _ => epoch(&text, EpochUnit::Second, ty),
                }
            }
            Self::EpochNumber(micros) => {
                let unit = if *micros { 1_000 } else { 1_000_000 };
                let nanos = value.epoch_nanos().filter(|nanos| nanos % unit == 0)?;
                same(&Value::decimal(nanos / unit, 0), only(ty, matches!(ty, Type::Long))?)
            }
            Self::Whole => match (value, ty) {
                (Value::String(text), Type::Int | Type::Long) => {
                    same(&Value::integer(exact(parse_integer(text, i64::MIN, i64::MAX))?), ty)
                }
                _ => None,
            },
            Self::Digits => match (value, ty) {
                (Value::Bytes(bytes), Type::String) => String::from_utf8(bytes.clone()).ok().map(Value::String),
                (_, Type::String) => value.as_integer().map(|n| Value::string(n.to_string())),
                _ => None,
            },
            Self::Times(factor) => {
                let whole = value.as_integer()?.checked_mul(i128::from(*factor))?;
                same(&Value::decimal(whole, 0), only(ty, *ty == Type::Long)?)
            }
            Self::Rounded => rounded(value, ty),
            Self::Cut(to_ms, inner) => {
                cut(&inner.apply(value, finer(ty)?)?, if *to_ms { 1_000_000 } else { 1_000_000_000 }, ty)
            }
            Self::Upper => text(value, ty).map(|text| Value::string(text.to_uppercase())),
            Self::Lower => text(value, ty).map(|text| Value::string(text.to_lowercase())),
            Self::Prefix(prefix) => {
                let plain = text(value, ty).map(str::to_owned).or_else(|| Some(value.as_integer()?.to_string()))?;
                only(ty, *ty == Type::String).map(|_| Value::string(format!("{prefix}{plain}")))
            }
            Self::Cases(cases) => cases.iter().find(|(from, _)| from == value).map(|(_, to)| Value::string(to)),
        }
    }

    /// How much simpler another explanation has to be: 0 is the plainest.
    pub fn rank(&self) -> usize {
        match self {
            Self::Same => 0,
            Self::Epoch(_) | Self::EpochText | Self::EpochNumber(_) | Self::Whole | Self::Digits | Self::Times(_) => 1,
            Self::Upper | Self::Lower | Self::Rounded => 2,
            Self::Cut(_, inner) => 3 + inner.rank(),
            Self::Prefix(_) | Self::Cases(_) => 5,
        }
    }
}

/// Seconds of which text says a fraction, and a number may.
fn seconds(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('.').then(|| text.clone()),
        Value::Number { .. } => Some(value.to_string()),
        _ => None,
    }
}

fn exact<T>(parsed: Parsed<T>) -> Option<T> {
    match parsed {
        Parsed::Exact(value) => Some(value),
        _ => None,
    }
}

fn only(ty: &Type, holds: bool) -> Option<&Type> {
    holds.then_some(ty)
}

fn text<'a>(value: &'a Value, ty: &Type) -> Option<&'a str> {
    match value {
        Value::String(text) if *ty == Type::String => Some(text),
        _ => None,
    }
}

fn is_zoned(ty: &Type) -> bool {
    matches!(ty, Type::Timestamptz | Type::TimestamptzNs)
}

/// Whether the type is an instant or a wall time, and its unit.
fn instant_unit(ty: &Type) -> Option<InstantUnit> {
    match ty {
        Type::Timestamp | Type::Timestamptz => Some(InstantUnit::Micros),
        Type::TimestampNs | Type::TimestamptzNs => Some(InstantUnit::Nanos),
        _ => None,
    }
}

fn instant(steps: i64, unit: InstantUnit, ty: &Type) -> Value {
    match unit {
        InstantUnit::Micros => Value::timestamp_micros(steps, is_zoned(ty)),
        InstantUnit::Nanos => Value::timestamp_nanos(steps, is_zoned(ty)),
    }
}

fn epoch(digits: &str, of: EpochUnit, ty: &Type) -> Option<Value> {
    let unit = instant_unit(ty)?;
    Some(instant(exact(parse_epoch(digits, of, unit))?, unit, ty))
}

/// The same type with all the digits that a text can have.
fn finer(ty: &Type) -> Option<&'static Type> {
    instant_unit(ty).map(|_| if is_zoned(ty) { &Type::TimestamptzNs } else { &Type::TimestampNs })
}

/// Cut to whole multiples of these nanoseconds; none where nothing is cut off.
fn cut(value: &Value, step: i128, ty: &Type) -> Option<Value> {
    let nanos = value.epoch_nanos()?;
    let whole = nanos.div_euclid(step) * step;
    Some(Value::Timestamp {
        seconds: i64::try_from(whole.div_euclid(1_000_000_000)).ok()?,
        nanos: whole.rem_euclid(1_000_000_000) as u32,
        zoned: is_zoned(ty),
    })
}

fn rounded(value: &Value, ty: &Type) -> Option<Value> {
    let Type::Decimal { scale, .. } = ty else { return None };
    let parsed = match value {
        Value::String(text) => exact(parse_decimal(text, 38, 18)).map(|unscaled| (unscaled, 18)),
        Value::Number { unscaled, scale } => Some((*unscaled, *scale)),
        _ => None,
    };
    let (unscaled, of) = parsed?;
    let Some(more) = of.checked_sub(*scale).filter(|more| *more > 0) else { return Some(Value::decimal(unscaled, of)) };
    let unit = 10_i128.checked_pow(u32::from(more))?;
    let half = if unscaled < 0 { -(unit / 2) } else { unit / 2 };
    Some(Value::decimal(unscaled.checked_add(half)? / unit, *scale))
}

/// The conversions of a column of the same name (docs/interface.md section 2, Columns of the same name).
fn same(value: &Value, ty: &Type) -> Option<Value> {
    match (value, ty) {
        (Value::Null, _) => Some(Value::Null),
        (Value::Boolean(_), Type::Boolean)
        | (Value::Date(_), Type::Date)
        | (Value::Time(_), Type::Time)
        | (Value::String(_), Type::String)
        | (Value::Uuid(_), Type::Uuid)
        | (Value::Bytes(_), Type::Binary | Type::Fixed(_))
        | (Value::Float(_) | Value::Double(_), Type::Float | Type::Double) => Some(value.clone()),
        (Value::Number { .. }, _) => number(value, ty),
        (Value::String(text), _) => of_text(text, ty),
        (Value::Timestamp { seconds, nanos, zoned }, _) => {
            let unit = instant_unit(ty)?;
            let fits = matches!(unit, InstantUnit::Nanos) || nanos % 1_000 == 0;
            let to = is_zoned(ty);
            (fits && (*zoned || !to)).then_some(Value::Timestamp { seconds: *seconds, nanos: *nanos, zoned: to })
        }
        (Value::Struct(fields), Type::Struct(children)) => {
            let of =
                |child: &Field| fields.iter().find(|(name, _)| *name == child.name).map_or(&Value::Null, |(_, v)| v);
            let child = |child: &Field| Some((child.name.clone(), same(of(child), &child.ty)?));
            children.iter().map(child).collect::<Option<_>>().map(Value::Struct)
        }
        (Value::List(items), Type::List(element)) => {
            items.iter().map(|item| same(item, &element.ty)).collect::<Option<_>>().map(Value::List)
        }
        (Value::Struct(fields), Type::Map { key, value }) => {
            let entry = |(name, of): &(String, Value)| Some((of_text(name, &key.ty)?, same(of, &value.ty)?));
            fields.iter().map(entry).collect::<Option<_>>().map(Value::Map)
        }
        (Value::Map(entries), Type::Map { key, value }) => {
            let entry = |(of, to): &(Value, Value)| Some((same(of, &key.ty)?, same(to, &value.ty)?));
            entries.iter().map(entry).collect::<Option<_>>().map(Value::Map)
        }
        _ => None,
    }
}

fn number(value: &Value, ty: &Type) -> Option<Value> {
    match ty {
        Type::Int => value.as_integer().filter(|n| i32::try_from(*n).is_ok()).map(|n| Value::decimal(n, 0)),
        Type::Long => value.as_integer().filter(|n| i64::try_from(*n).is_ok()).map(|n| Value::decimal(n, 0)),
        Type::Decimal { .. } | Type::Double | Type::Float => of_text(&value.to_string(), ty),
        _ => None,
    }
}

fn of_text(text: &str, ty: &Type) -> Option<Value> {
    match ty {
        Type::String => Some(Value::string(text)),
        Type::Decimal { precision, scale } => {
            exact(parse_decimal(text, *precision, *scale)).map(|unscaled| Value::decimal(unscaled, *scale))
        }
        Type::Double => exact(parse_double(text)).map(|read| Value::Double(read.value)),
        Type::Float => exact(parse_float(text)).map(|read| Value::Float(read.value)),
        Type::Date => exact(parse_date(text)).map(Value::Date),
        Type::Time => exact(parse_time(text)).map(Value::Time),
        Type::Uuid => exact(parse_uuid(text)).map(Value::Uuid),
        _ => {
            let unit = instant_unit(ty)?;
            Some(instant(exact(parse_timestamp(text, is_zoned(ty), unit))?, unit, ty))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(reading: &Reading, value: &Value, ty: &Type) -> Option<String> {
        reading.apply(value, ty).map(|value| value.to_string())
    }

    #[test]
    fn a_reading_gives_the_columns_value_or_nothing() {
        let price = Type::Decimal { precision: 18, scale: 6 };
        let text = Value::string("1.23456789");
        assert_eq!(apply(&Reading::Same, &text, &price), None, "eight digits do not fit six");
        assert_eq!(apply(&Reading::Rounded, &text, &price).as_deref(), Some("1.234568"));
        let ms = Value::integer(1_700_000_000_123);
        let at = apply(&Reading::Epoch(EpochUnit::Millisecond), &ms, &Type::Timestamptz);
        assert_eq!(at.as_deref(), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(apply(&Reading::Same, &ms, &Type::Timestamptz), None, "a bare number is no instant");
        let kraken = Value::string("1700000000.123456");
        let ms_of = Reading::Cut(true, Box::new(Reading::EpochText));
        assert_eq!(apply(&ms_of, &kraken, &Type::Timestamptz).as_deref(), Some("2023-11-14T22:13:20.123Z"));
        let number = Value::decimal(17_000_000_005, 1);
        let half = apply(&Reading::EpochText, &number, &Type::Timestamptz);
        assert_eq!(half.as_deref(), Some("2023-11-14T22:13:20.500Z"));
        assert_eq!(apply(&Reading::EpochText, &ms, &Type::Long), None, "whole seconds are times a million");
        let iso = Value::string("2023-11-14T22:13:20.123456789Z");
        let seconds = Reading::Cut(false, Box::new(Reading::Same));
        assert_eq!(apply(&seconds, &iso, &Type::Timestamptz).as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(apply(&Reading::Times(1000), &ms, &Type::Long).as_deref(), Some("1700000000123000"));
        assert_eq!(apply(&Reading::Whole, &Value::string("17"), &Type::Long).as_deref(), Some("17"));
        let prefix = Reading::Prefix("BINANCE-".to_owned());
        assert_eq!(apply(&prefix, &Value::integer(7), &Type::String).as_deref(), Some("BINANCE-7"));
    }
}

//! Numbers, and texts that stand for something else, into columns.

use validator_core::contract::EpochUnit;
use validator_core::convert::Parsed;
use validator_core::convert::decimal::{parse_decimal, parse_integer};
use validator_core::convert::float::{parse_double, parse_float};
use validator_core::convert::instant::{
    InstantUnit, epoch_instant, parse_date, parse_epoch, parse_time, parse_timestamp,
};
use validator_core::convert::uuid::parse_uuid;

use super::shape::Want;
use crate::column::Column;

/// What became of a scalar.
pub(super) enum Outcome {
    Pushed,
    /// Pushed; a float that has not all digits of the text.
    Rounded,
    /// Not pushed: the type cannot hold it.
    Inexact,
    /// Not pushed: of another kind than the type, or no text of it.
    Refused,
}

/// Reads a JSON number.
pub(super) fn number(want: &Want, text: &str, column: &mut Column) -> Outcome {
    match want {
        Want::Int => match integer(text).map(i32::try_from) {
            Some(Ok(value)) => column.push_i32(value),
            _ => return Outcome::Inexact,
        },
        Want::Long => match integer(text) {
            Some(value) => column.push_i64(value),
            None => return Outcome::Inexact,
        },
        Want::Epoch(unit) => match instant(*unit, text) {
            Some(value) => column.push_i64(value),
            None => return Outcome::Inexact,
        },
        Want::Decimal { .. } | Want::Double | Want::Float => return self::text(want, text, column),
        _ => return Outcome::Refused,
    }
    Outcome::Pushed
}

/// Reads the text of a JSON number, a string or a map's key as a scalar.
pub(super) fn text(want: &Want, text: &str, column: &mut Column) -> Outcome {
    fn settle<T>(read: Parsed<T>, push: impl FnOnce(T)) -> Outcome {
        match read {
            Parsed::Exact(value) => {
                push(value);
                Outcome::Pushed
            }
            Parsed::Inexact => Outcome::Inexact,
            Parsed::Failed => Outcome::Refused,
        }
    }
    match want {
        Want::Decimal { precision, scale } => {
            settle(parse_decimal(text, *precision, *scale), |value| column.push_i128(value))
        }
        Want::Double | Want::Float => float(want, text, column),
        Want::Date => settle(parse_date(text), |value| column.push_i32(value)),
        Want::Time => settle(parse_time(text), |value| column.push_i64(value)),
        Want::Timestamp { zoned, nanos } => {
            settle(parse_timestamp(text, *zoned, unit_of(*nanos)), |value| column.push_i64(value))
        }
        Want::Uuid => settle(parse_uuid(text), |value| column.push_bytes(&value)),
        _ => Outcome::Refused,
    }
}

fn float(want: &Want, text: &str, column: &mut Column) -> Outcome {
    let (push_rounded, outcome) = match want {
        Want::Float => match parse_float(text) {
            Parsed::Exact(read) => {
                column.push_f32(read.value);
                (read.rounded, Outcome::Pushed)
            }
            Parsed::Inexact => (false, Outcome::Inexact),
            Parsed::Failed => (false, Outcome::Refused),
        },
        _ => match parse_double(text) {
            Parsed::Exact(read) => {
                column.push_f64(read.value);
                (read.rounded, Outcome::Pushed)
            }
            Parsed::Inexact => (false, Outcome::Inexact),
            Parsed::Failed => (false, Outcome::Refused),
        },
    };
    if push_rounded { Outcome::Rounded } else { outcome }
}

fn unit_of(nanos: bool) -> InstantUnit {
    if nanos { InstantUnit::Nanos } else { InstantUnit::Micros }
}

/// Whether a map's key is the decimal text of a whole number.
pub(super) fn integer_text(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The whole number that a JSON number is, however it is written (`1e3`, `5.0`); `None` where it is none, or beyond 64 bits.
#[inline]
pub(super) fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    if digits.len() <= 18 {
        let mut value: i64 = 0;
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return written_otherwise(text);
            }
            value = value * 10 + i64::from(digit);
        }
        return Some(if digits.len() < text.len() { -value } else { value });
    }
    written_otherwise(text)
}

#[cold]
fn written_otherwise(text: &str) -> Option<i64> {
    match parse_integer(text, i64::MIN, i64::MAX) {
        Parsed::Exact(value) => Some(value),
        _ => None,
    }
}

/// The steps since the epoch that a number of `unit`s says: nanoseconds for `epoch_ns`, else microseconds.
fn instant(unit: EpochUnit, text: &str) -> Option<i64> {
    let steps = unit_of(unit == EpochUnit::Nanosecond);
    let read = match integer(text) {
        Some(whole) => epoch_instant(whole, unit, steps),
        None => parse_epoch(text, unit, steps),
    };
    match read {
        Parsed::Exact(value) => Some(value),
        _ => None,
    }
}

/// What to say of a value that cannot be read as `want`.
pub(super) fn refusal(want: &Want) -> &'static str {
    match want {
        Want::Boolean => "`true` or `false` is wanted here",
        Want::Int | Want::Long => "a number is wanted here",
        Want::Epoch(_) => "a number that is an instant is wanted here",
        Want::Float | Want::Double | Want::Decimal { .. } => "a number, or a text of one, is wanted here",
        Want::Date => "the text of a date is wanted here",
        Want::Time => "the text of a time of day is wanted here",
        Want::Timestamp { zoned: true, .. } => "the text of a timestamp with its zone is wanted here",
        Want::Timestamp { zoned: false, .. } => "the text of a timestamp is wanted here",
        Want::Uuid => "the text of a uuid is wanted here",
        Want::Text | Want::AnyText => "a text is wanted here",
        Want::Struct(_) | Want::Map(_) => "an object is wanted here",
        Want::List(_) => "an array is wanted here",
    }
}

//! Scalars of the writer into columns of the wanted type.
//!
//! Contract (interface.md §2): exactly, or not at all. What the type cannot hold is inexact; text that does not parse as it
//! is refused. Which pairs there are is decided by [`Convert::new`], by the rules that columns of one name follow.

use std::fmt;

use validator_core::contract::EpochUnit;
use validator_core::convert::decimal::{POWERS_OF_TEN, parse_decimal};
use validator_core::convert::float::{Rounded, parse_double, parse_float};
use validator_core::convert::instant::{
    InstantUnit, epoch_instant, parse_date, parse_epoch, parse_time, parse_timestamp,
};
use validator_core::convert::uuid::parse_uuid;
use validator_core::convert::{Parsed, convertible};
use validator_core::schema::Type;

use super::schema::{Kind, Logical, Node, TimestampUnit};
use super::text::{decimal_text, text};
use super::wire::{Read, Wire};
use crate::column::Column;

/// A scalar as it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Boolean(bool),
    Whole(i64),
    /// Two's complement, big-endian, at least one byte.
    Decimal {
        bytes: &'a [u8],
        scale: u32,
    },
    Float(f32),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Uuid(&'a [u8]),
    Date(i32),
    /// Microseconds
    Time(i64),
    Timestamp {
        steps: i64,
        unit: TimestampUnit,
        zoned: bool,
    },
}

/// What became of a scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Pushed,
    /// Pushed; a float that has not all digits of the value.
    Rounded,
    /// Not pushed: the type cannot hold it. Its text.
    Inexact(String),
    /// Not pushed: no text of that type.
    Refused,
}

/// What a scalar becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Plain(Type),
    Epoch(EpochUnit),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Plain(ty) => ty.fmt(f),
            Target::Epoch(_) => f.write_str("a number of units since the epoch"),
        }
    }
}

/// A way from one type to another.
#[derive(Debug)]
pub(super) struct Convert {
    pub(super) from: Node,
    pub(super) to: Target,
}

impl Convert {
    /// The way, or why there is none.
    pub(super) fn new(from: &Node, to: &Target) -> Result<Self, String> {
        let Some(ty) = from.scalar_type() else { return Err(format!("a {} is no single value", from.name())) };
        let plain = from.plain();
        let base = plain.scalar_type();
        let found = |from: &Node| Ok(Self { from: from.clone(), to: to.clone() });
        match to {
            Target::Epoch(_) if matches!(ty, Type::Int | Type::Long | Type::Decimal { .. }) => found(from),
            Target::Epoch(_) if matches!(ty, Type::Timestamptz | Type::TimestamptzNs) => found(from),
            Target::Epoch(_) => Err(format!("{ty} counts no units since the epoch")),
            // Declared as what lies beneath its logical type: the number or the bytes themselves.
            Target::Plain(to) if *to == ty || (from.logical.is_some() && base.as_ref() == Some(to)) => {
                found(if *to == ty { from } else { &plain })
            }
            Target::Plain(Type::Long) if base == Some(Type::Int) && from.logical.is_some() => found(&plain),
            Target::Plain(to) => convertible(&ty, to).map_err(|refusal| refusal.to_string()).and_then(|()| found(from)),
        }
    }

    /// Reads a value and appends it, unless the outcome says otherwise.
    pub(super) fn run(&self, wire: &mut Wire<'_>, column: &mut Column) -> Read<Outcome> {
        let scalar = read(&self.from, wire)?;
        if let (Kind::Enum(_), Scalar::Text(name)) = (&self.from.kind, scalar) {
            wire.expand(name.len())?;
        }
        Ok(match &self.to {
            Target::Plain(ty) => put(scalar, ty, column),
            Target::Epoch(unit) => put_epoch(scalar, *unit, column),
        })
    }
}

/// Reads a value of a type that is neither null nor nested.
#[inline]
pub(super) fn read<'a, 'w: 'a, 'n: 'a>(node: &'n Node, wire: &mut Wire<'w>) -> Read<Scalar<'a>> {
    Ok(match (node.logical, &node.kind) {
        (Some(Logical::Decimal { scale, .. }), kind) => Scalar::Decimal { bytes: wire.decimal(kind)?, scale },
        (Some(Logical::Uuid), _) => Scalar::Uuid(wire.take(16)?),
        (Some(Logical::Date), _) => Scalar::Date(wire.int()?),
        (Some(Logical::TimeMillis), _) => Scalar::Time(i64::from(wire.int()?) * 1_000),
        (Some(Logical::TimeMicros), _) => Scalar::Time(wire.long()?),
        (Some(Logical::Timestamp { unit, zoned }), _) => Scalar::Timestamp { steps: wire.long()?, unit, zoned },
        (None, Kind::Boolean) => Scalar::Boolean(wire.boolean()?),
        (None, Kind::Int) => Scalar::Whole(i64::from(wire.int()?)),
        (None, Kind::Long) => Scalar::Whole(wire.long()?),
        (None, Kind::Float) => Scalar::Float(wire.float()?),
        (None, Kind::Double) => Scalar::Double(wire.double()?),
        (None, Kind::Bytes) => Scalar::Bytes(wire.bytes()?),
        (None, Kind::String) => Scalar::Text(wire.text()?),
        (None, Kind::Fixed(width)) => Scalar::Bytes(wire.take(*width)?),
        (None, Kind::Enum(symbols)) => Scalar::Text(wire.symbol(symbols)?),
        (None, _) => unreachable!("only scalars are read here"),
    })
}

/// Two's complement, big-endian; `None` where it is over 128 bits.
#[inline]
pub(super) fn unscaled(bytes: &[u8]) -> Option<i128> {
    if let [first, ..] = bytes
        && bytes.len() <= 8
    {
        let sign = i64::from((*first as i8) >> 7);
        return Some(i128::from(bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte))));
    }
    let sign = (*bytes.first()? as i8 >> 7) as u8;
    let (head, tail) = bytes.split_at(bytes.len().saturating_sub(16));
    if !head.iter().all(|byte| *byte == sign) || (!head.is_empty() && (tail[0] ^ sign) & 0x80 != 0) {
        return None;
    }
    let mut whole = [sign; 16];
    whole[16 - tail.len()..].copy_from_slice(tail);
    Some(i128::from_be_bytes(whole))
}

/// A number at another scale; `None` where it is not exact or over 128 bits.
#[inline]
pub(super) fn rescaled(unscaled: i128, from: u32, to: u32) -> Option<i128> {
    if from == to || unscaled == 0 {
        return Some(unscaled);
    }
    let power = *POWERS_OF_TEN.get(from.abs_diff(to) as usize)?;
    if to > from { unscaled.checked_mul(power) } else { (unscaled % power == 0).then(|| unscaled / power) }
}

fn put(scalar: Scalar<'_>, ty: &Type, column: &mut Column) -> Outcome {
    match scalar {
        Scalar::Text(text) => return put_text(text, ty, column),
        Scalar::Boolean(value) => column.push_bool(value),
        Scalar::Uuid(bytes) => column.push_bytes(bytes),
        Scalar::Date(days) => column.push_i32(days),
        Scalar::Time(micros) => column.push_i64(micros),
        Scalar::Bytes(bytes) => match ty {
            Type::Fixed(width) if *width as usize != bytes.len() => return Outcome::Inexact(text(scalar)),
            _ => column.push_bytes(bytes),
        },
        Scalar::Timestamp { steps, unit, .. } => {
            let nanos = matches!(ty, Type::TimestampNs | Type::TimestamptzNs);
            match timestamp(steps, unit, nanos) {
                Some(steps) => column.push_i64(steps),
                None => return Outcome::Inexact(text(scalar)),
            }
        }
        Scalar::Whole(_) | Scalar::Decimal { .. } | Scalar::Float(_) | Scalar::Double(_) => {
            return put_number(scalar, ty, column);
        }
    }
    Outcome::Pushed
}

/// Steps of micro- or nanoseconds.
#[inline]
fn timestamp(steps: i64, unit: TimestampUnit, nanos: bool) -> Option<i64> {
    match (unit, nanos) {
        (TimestampUnit::Micros, false) | (TimestampUnit::Nanos, true) => Some(steps),
        (TimestampUnit::Millis, false) | (TimestampUnit::Micros, true) => steps.checked_mul(1_000),
        (TimestampUnit::Millis, true) => steps.checked_mul(1_000_000),
        (TimestampUnit::Nanos, false) => (steps % 1_000 == 0).then_some(steps / 1_000),
    }
}

fn put_number(scalar: Scalar<'_>, ty: &Type, column: &mut Column) -> Outcome {
    let exact = |scale: u32| match scalar {
        Scalar::Whole(value) => rescaled(i128::from(value), 0, scale),
        Scalar::Decimal { bytes, scale: from } => rescaled(unscaled(bytes)?, from, scale),
        _ => None,
    };
    match ty {
        Type::Int => match exact(0).map(i32::try_from) {
            Some(Ok(value)) => column.push_i32(value),
            _ => return Outcome::Inexact(text(scalar)),
        },
        Type::Long => match exact(0).map(i64::try_from) {
            Some(Ok(value)) => column.push_i64(value),
            _ => return Outcome::Inexact(text(scalar)),
        },
        Type::Decimal { precision, scale } => {
            let limit = POWERS_OF_TEN[usize::from(*precision)];
            match exact(u32::from(*scale)) {
                Some(value) if -limit < value && value < limit => column.push_i128(value),
                _ => return Outcome::Inexact(text(scalar)),
            }
        }
        Type::Double => return put_double(scalar, column),
        Type::Float => return put_float(scalar, column),
        _ => return Outcome::Refused,
    }
    Outcome::Pushed
}

fn put_double(scalar: Scalar<'_>, column: &mut Column) -> Outcome {
    match scalar {
        Scalar::Double(value) => column.push_f64(value),
        Scalar::Float(value) => column.push_f64(f64::from(value)),
        _ => {
            let digits = text(scalar);
            return nearest(parse_double(&digits), digits, |value| column.push_f64(value));
        }
    }
    Outcome::Pushed
}

fn put_float(scalar: Scalar<'_>, column: &mut Column) -> Outcome {
    match scalar {
        Scalar::Float(value) => column.push_f32(value),
        Scalar::Double(value) => {
            let narrow = value as f32;
            if f64::from(narrow).to_bits() != value.to_bits() && !value.is_nan() {
                return Outcome::Inexact(text(scalar));
            }
            column.push_f32(narrow);
        }
        _ => {
            let digits = text(scalar);
            return nearest(parse_float(&digits), digits, |value| column.push_f32(value));
        }
    }
    Outcome::Pushed
}

fn nearest<T>(parsed: Parsed<Rounded<T>>, text: String, push: impl FnOnce(T)) -> Outcome {
    match parsed {
        Parsed::Exact(Rounded { value, rounded }) => {
            push(value);
            if rounded { Outcome::Rounded } else { Outcome::Pushed }
        }
        Parsed::Inexact => Outcome::Inexact(text),
        Parsed::Failed => Outcome::Refused,
    }
}

/// Appends what a text says as a value of `ty`.
pub(super) fn put_text(text: &str, ty: &Type, column: &mut Column) -> Outcome {
    fn settle<T>(parsed: Parsed<T>, text: &str, push: impl FnOnce(T)) -> Outcome {
        match parsed {
            Parsed::Exact(value) => {
                push(value);
                Outcome::Pushed
            }
            Parsed::Inexact => Outcome::Inexact(text.to_owned()),
            Parsed::Failed => Outcome::Refused,
        }
    }
    let micros = InstantUnit::Micros;
    let nanos = InstantUnit::Nanos;
    match ty {
        Type::String => {
            column.push_bytes(text.as_bytes());
            Outcome::Pushed
        }
        Type::Decimal { precision, scale } => {
            settle(parse_decimal(text, *precision, *scale), text, |value| column.push_i128(value))
        }
        Type::Double => nearest(parse_double(text), text.to_owned(), |value| column.push_f64(value)),
        Type::Float => nearest(parse_float(text), text.to_owned(), |value| column.push_f32(value)),
        Type::Date => settle(parse_date(text), text, |value| column.push_i32(value)),
        Type::Time => settle(parse_time(text), text, |value| column.push_i64(value)),
        Type::Timestamp => settle(parse_timestamp(text, false, micros), text, |value| column.push_i64(value)),
        Type::Timestamptz => settle(parse_timestamp(text, true, micros), text, |value| column.push_i64(value)),
        Type::TimestampNs => settle(parse_timestamp(text, false, nanos), text, |value| column.push_i64(value)),
        Type::TimestamptzNs => settle(parse_timestamp(text, true, nanos), text, |value| column.push_i64(value)),
        Type::Uuid => settle(parse_uuid(text), text, |value| column.push_bytes(&value)),
        _ => Outcome::Refused,
    }
}

/// Appends the instant that a number of `unit`s since the epoch is; an instant stays the one it is.
fn put_epoch(scalar: Scalar<'_>, unit: EpochUnit, column: &mut Column) -> Outcome {
    let nanos = unit == EpochUnit::Nanosecond;
    let steps = if nanos { InstantUnit::Nanos } else { InstantUnit::Micros };
    let parsed = match scalar {
        Scalar::Whole(whole) => epoch_instant(whole, unit, steps),
        Scalar::Decimal { bytes, scale } => parse_epoch(&decimal_text(bytes, scale), unit, steps),
        Scalar::Timestamp { steps, unit, .. } => timestamp(steps, unit, nanos).map_or(Parsed::Inexact, Parsed::Exact),
        _ => Parsed::Failed,
    };
    match parsed {
        Parsed::Exact(steps) => {
            column.push_i64(steps);
            Outcome::Pushed
        }
        Parsed::Inexact => Outcome::Inexact(text(scalar)),
        Parsed::Failed => Outcome::Refused,
    }
}

//! Dates and timestamps into each other.
//!
//! Contract: an instant into a wall time is its UTC wall time, and only a written CAST goes the other way (as UTC). A change
//! of zone alone moves no byte.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};

use super::instant::InstantUnit;
use super::{Marks, Parsed, each, refuse};
use crate::schema::Type;

const SECONDS_PER_DAY: i64 = 86_400;

/// Timestamp ↔ timestamp of another zone or unit; date ↔ timestamp where the time of day is midnight.
pub(super) fn convert(array: &ArrayRef, from: &Type, to: &Type, marks: &mut Marks) -> ArrayRef {
    use InstantUnit::{Micros, Nanos};
    match (unit(from), unit(to)) {
        (Some(Micros), Some(Micros)) => relabelled(array.as_primitive::<TimestampMicrosecondType>(), to),
        (Some(Nanos), Some(Nanos)) => relabelled(array.as_primitive::<TimestampNanosecondType>(), to),
        (Some(Micros), Some(Nanos)) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>();
            each::<TimestampNanosecondType>(micros, from, to, marks, |row| times(micros.value(row), 1_000))
        }
        (Some(Nanos), Some(Micros)) => {
            let nanos = array.as_primitive::<TimestampNanosecondType>();
            each::<TimestampMicrosecondType>(nanos, from, to, marks, |row| divided(nanos.value(row), 1_000))
        }
        (None, Some(unit)) if *from == Type::Date => {
            let days = array.as_primitive::<Date32Type>();
            let steps = |row| times(i64::from(days.value(row)), SECONDS_PER_DAY * unit.per_second());
            match unit {
                Micros => each::<TimestampMicrosecondType>(days, from, to, marks, steps),
                Nanos => each::<TimestampNanosecondType>(days, from, to, marks, steps),
            }
        }
        (Some(unit), None) if *to == Type::Date => {
            let steps = |row| match unit {
                Micros => array.as_primitive::<TimestampMicrosecondType>().value(row),
                Nanos => array.as_primitive::<TimestampNanosecondType>().value(row),
            };
            each::<Date32Type>(array, from, to, marks, |row| {
                match divided(steps(row), SECONDS_PER_DAY * unit.per_second()) {
                    Parsed::Exact(days) => i32::try_from(days).map_or(Parsed::Inexact, Parsed::Exact),
                    _ => Parsed::Inexact,
                }
            })
        }
        _ => refuse(array, from, to, marks),
    }
}

fn unit(ty: &Type) -> Option<InstantUnit> {
    match ty {
        Type::Timestamp | Type::Timestamptz => Some(InstantUnit::Micros),
        Type::TimestampNs | Type::TimestamptzNs => Some(InstantUnit::Nanos),
        _ => None,
    }
}

fn relabelled<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, to: &Type) -> ArrayRef {
    Arc::new(array.clone().with_data_type(to.to_arrow()))
}

fn times(steps: i64, factor: i64) -> Parsed<i64> {
    steps.checked_mul(factor).map_or(Parsed::Inexact, Parsed::Exact)
}

fn divided(steps: i64, divisor: i64) -> Parsed<i64> {
    if steps % divisor == 0 { Parsed::Exact(steps / divisor) } else { Parsed::Inexact }
}

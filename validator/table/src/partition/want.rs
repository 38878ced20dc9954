//! What a source value must be for its row to belong to a partition value: the transform turned around where it can be.
//!
//! Turned around, a check costs a comparison a row: `day = 2024-01-01` is a range of microseconds.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};
use chrono::{Datelike, NaiveDate};
use iceberg::spec::{Literal, PrimitiveLiteral, Transform};
use validator_core::schema::Type;

use super::murmur::{bucket, hash_bytes, hash_decimal, hash_long};

const MICROS_PER_DAY: i128 = 86_400_000_000;
const MICROS_PER_HOUR: i128 = 3_600_000_000;

/// What source values belong.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Want {
    /// All: `void`, whose tuple is NULL.
    Any,
    /// None at all: the tuple holds what the transform cannot give.
    Nothing,
    /// NULL.
    Null,
    /// From the first to before the second: whole numbers, unscaled decimals, days, microseconds, nanoseconds.
    Between(i128, i128),
    Boolean(bool),
    /// This value, NaN included.
    Float(f64),
    /// This text, or text that is this one when cut to so many code points.
    Text(String, Option<usize>),
    /// These bytes, or bytes that are these when cut to so many.
    Bytes(Vec<u8>, Option<usize>),
    /// Values of this bucket: (buckets, bucket).
    Bucket(u32, i64),
    /// We do not know the transform.
    Unknown,
}

/// What the tuple's value asks of source values of this type.
pub(super) fn want(transform: &Transform, expected: Option<&Literal>, source: &Type) -> Want {
    let literal = match (transform, expected) {
        (Transform::Unknown, _) => return Want::Unknown,
        (Transform::Void, None) => return Want::Any,
        (Transform::Void, Some(_)) => return Want::Nothing,
        (_, None) => return Want::Null,
        (_, Some(Literal::Primitive(literal))) => literal,
        (_, Some(_)) => return Want::Nothing,
    };
    match (transform, number(literal)) {
        (Transform::Identity, _) => equal_to(literal, None),
        (Transform::Truncate(width), Some(from)) => truncated(i128::from(*width), from, source),
        (Transform::Truncate(width), None) => equal_to(literal, usize::try_from(*width).ok()),
        (Transform::Bucket(buckets @ 1..), Some(wanted)) => {
            i64::try_from(wanted).map_or(Want::Nothing, |wanted| Want::Bucket(*buckets, wanted))
        }
        (transform, Some(wanted)) => between(transform, wanted, source).unwrap_or(Want::Nothing),
        (_, None) => Want::Nothing,
    }
}

/// What is cut to `from`. Java's `v - (((v % W) + W) % W)` overflows for the least integers, and its result is what stands there.
fn truncated(width: i128, from: i128, source: &Type) -> Want {
    if width > 0 && from.rem_euclid(width) == 0 {
        return Want::Between(from, from + width);
    }
    let (least, bits) = match source {
        Type::Int => (i128::from(i32::MIN), 32),
        Type::Long => (i128::from(i64::MIN), 64),
        _ => return Want::Nothing,
    };
    let over = if width > 0 { least.rem_euclid(width) } else { 0 };
    if over > 0 && from == least - over + (1 << bits) {
        Want::Between(least, least - over + width)
    } else {
        Want::Nothing
    }
}

/// The range of a year, month, day or hour in the units of the source.
fn between(transform: &Transform, wanted: i128, source: &Type) -> Option<Want> {
    let wanted_i32 = i32::try_from(wanted).ok()?;
    let days = match transform {
        Transform::Year => {
            Some((first_of(wanted_i32.checked_mul(12)?)?, first_of(wanted_i32.checked_add(1)?.checked_mul(12)?)?))
        }
        Transform::Month => Some((first_of(wanted_i32)?, first_of(wanted_i32.checked_add(1)?)?)),
        Transform::Day => Some((wanted, wanted + 1)),
        _ => None,
    };
    let micros = match (transform, days) {
        (_, Some((from, to))) => (from * MICROS_PER_DAY, to * MICROS_PER_DAY),
        (Transform::Hour, None) => (wanted * MICROS_PER_HOUR, (wanted + 1) * MICROS_PER_HOUR),
        _ => return None,
    };
    match source {
        Type::Date => days.map(|(from, to)| Want::Between(from, to)),
        Type::Timestamp | Type::Timestamptz => Some(Want::Between(micros.0, micros.1)),
        Type::TimestampNs | Type::TimestamptzNs => Some(Want::Between(micros.0 * 1_000, micros.1 * 1_000)),
        _ => None,
    }
}

/// The first day of a month, the months counted from January 1970, as days from the epoch.
fn first_of(month: i32) -> Option<i128> {
    let year = 1970_i32.checked_add(month.div_euclid(12))?;
    let first = NaiveDate::from_ymd_opt(year, month.rem_euclid(12) as u32 + 1, 1)?;
    let epoch_from_common_era = 719_163;
    Some(i128::from(first.num_days_from_ce()) - epoch_from_common_era)
}

fn number(literal: &PrimitiveLiteral) -> Option<i128> {
    match literal {
        PrimitiveLiteral::Int(value) => Some(i128::from(*value)),
        PrimitiveLiteral::Long(value) => Some(i128::from(*value)),
        PrimitiveLiteral::Int128(value) => Some(*value),
        _ => None,
    }
}

fn equal_to(literal: &PrimitiveLiteral, cut: Option<usize>) -> Want {
    match literal {
        PrimitiveLiteral::Boolean(value) => Want::Boolean(*value),
        PrimitiveLiteral::Float(value) => Want::Float(f64::from(value.0)),
        PrimitiveLiteral::Double(value) => Want::Float(value.0),
        PrimitiveLiteral::String(value) => Want::Text(value.clone(), cut),
        PrimitiveLiteral::Binary(value) => Want::Bytes(value.clone(), cut),
        PrimitiveLiteral::UInt128(value) => Want::Bytes(value.to_be_bytes().to_vec(), cut),
        PrimitiveLiteral::Int(_) | PrimitiveLiteral::Long(_) | PrimitiveLiteral::Int128(_) => {
            number(literal).map_or(Want::Nothing, |value| Want::Between(value, value + 1))
        }
        PrimitiveLiteral::AboveMax | PrimitiveLiteral::BelowMin => Want::Nothing,
    }
}

impl Want {
    /// Which rows belong. `nulls` are the source's NULLs, those of structs around it included.
    pub(super) fn matches(&self, array: &ArrayRef, nulls: Option<&NullBuffer>) -> BooleanBuffer {
        let rows = array.len();
        match self {
            Want::Any | Want::Unknown => BooleanBuffer::new_set(rows),
            Want::Nothing => BooleanBuffer::new_unset(rows),
            Want::Null => match nulls {
                Some(nulls) => !nulls.inner(),
                None => BooleanBuffer::new_unset(rows),
            },
            _ => match nulls {
                Some(nulls) => &self.values(array) & nulls.inner(),
                None => self.values(array),
            },
        }
    }

    /// Which values belong; what stands in NULL slots does not matter.
    fn values(&self, array: &ArrayRef) -> BooleanBuffer {
        use DataType as D;
        match array.data_type() {
            D::Boolean => {
                let values = array.as_boolean().values();
                match self {
                    Want::Boolean(true) => values.clone(),
                    Want::Boolean(false) => !values,
                    _ => BooleanBuffer::new_unset(array.len()),
                }
            }
            D::Int32 => self.longs::<Int32Type>(array),
            D::Int64 => self.longs::<Int64Type>(array),
            D::Date32 => self.longs::<Date32Type>(array),
            D::Time64(_) => self.longs::<Time64MicrosecondType>(array),
            D::Timestamp(TimeUnit::Microsecond, _) => self.longs::<TimestampMicrosecondType>(array),
            D::Timestamp(_, _) => self.nanos(array),
            D::Decimal128(..) => {
                let values = array.as_primitive::<Decimal128Type>().values();
                BooleanBuffer::collect_bool(values.len(), |row| {
                    self.fits_number(values[row], || hash_decimal(values[row]))
                })
            }
            D::Float32 => {
                let values = array.as_primitive::<Float32Type>().values();
                BooleanBuffer::collect_bool(values.len(), |row| self.fits_float(f64::from(values[row])))
            }
            D::Float64 => {
                let values = array.as_primitive::<Float64Type>().values();
                BooleanBuffer::collect_bool(values.len(), |row| self.fits_float(values[row]))
            }
            D::Utf8 => self.each(array.as_string::<i32>(), |want, text: &str| want.fits_text(text)),
            D::Binary => self.each(array.as_binary::<i32>(), |want, bytes: &[u8]| want.fits_bytes(bytes)),
            D::FixedSizeBinary(_) => {
                self.each(array.as_fixed_size_binary(), |want, bytes: &[u8]| want.fits_bytes(bytes))
            }
            _ => BooleanBuffer::new_unset(array.len()),
        }
    }

    fn longs<T: ArrowPrimitiveType<Native: Into<i64>>>(&self, array: &ArrayRef) -> BooleanBuffer {
        let values = array.as_primitive::<T>().values();
        if let Want::Between(from, to) = self {
            // Both ends as 64 bits, so that the loop is one the compiler can make wide.
            let clamp = |edge: i128| edge.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
            let (first, last) = (clamp(*from), clamp(*to - 1));
            return BooleanBuffer::collect_bool(values.len(), |row| (first..=last).contains(&values[row].into()));
        }
        BooleanBuffer::collect_bool(values.len(), |row| {
            let value: i64 = values[row].into();
            self.fits_number(i128::from(value), || hash_long(value))
        })
    }

    /// Nanoseconds are bucketed as the microseconds they fall in.
    fn nanos(&self, array: &ArrayRef) -> BooleanBuffer {
        let values = array.as_primitive::<TimestampNanosecondType>().values();
        BooleanBuffer::collect_bool(values.len(), |row| {
            self.fits_number(i128::from(values[row]), || hash_long(values[row].div_euclid(1_000)))
        })
    }

    fn each<A: ArrayAccessor>(&self, array: A, fits: impl Fn(&Self, A::Item) -> bool) -> BooleanBuffer {
        BooleanBuffer::collect_bool(array.len(), |row| fits(self, array.value(row)))
    }

    fn fits_number(&self, value: i128, hash: impl FnOnce() -> u32) -> bool {
        match self {
            Want::Between(from, to) => (*from..*to).contains(&value),
            Want::Bucket(buckets, wanted) => bucket(hash(), *buckets) == *wanted,
            _ => false,
        }
    }

    fn fits_float(&self, value: f64) -> bool {
        matches!(self, Want::Float(wanted) if *wanted == value || (wanted.is_nan() && value.is_nan()))
    }

    fn fits_text(&self, text: &str) -> bool {
        match self {
            Want::Text(wanted, None) => text == wanted,
            Want::Text(wanted, Some(width)) => {
                let end = text.char_indices().nth(*width).map_or(text.len(), |(at, _)| at);
                text[..end] == **wanted
            }
            Want::Bucket(buckets, wanted) => bucket(hash_bytes(text.as_bytes()), *buckets) == *wanted,
            _ => false,
        }
    }

    fn fits_bytes(&self, bytes: &[u8]) -> bool {
        match self {
            Want::Bytes(wanted, None) => bytes == wanted,
            Want::Bytes(wanted, Some(width)) => bytes[..bytes.len().min(*width)] == **wanted,
            Want::Bucket(buckets, wanted) => bucket(hash_bytes(bytes), *buckets) == *wanted,
            _ => false,
        }
    }
}

//! Exact conversion of one primitive column from the file's type to the table's.
//!
//! Allowed are the spec's promotions and what other writers store for the same values (milliseconds, small integers,
//! text without its annotation). Everything else is refused for the whole file, never guessed.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, Time64MicrosecondArray, TimestampMicrosecondArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};
use validator_core::schema::Type;

/// What to do with a column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// The types are the same.
    AsIs,
    /// The same buffers under another type: a zone's name, a decimal's precision.
    Retag,
    /// A cast that cannot lose anything; one that fails says that the bytes are not what the file says.
    Cast,
    /// Milliseconds to microseconds.
    Times1000,
    /// Nanoseconds to microseconds, where that is exact.
    Over1000,
    /// A column of the Parquet type UNKNOWN: all NULL.
    Null,
}

/// Why a column's values did not convert.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ConvertError {
    /// They are not what the file says they are.
    Corrupt(String),
    /// The table's type cannot hold them.
    Unreadable(String),
}

/// How to bring a file's type to a table's; `None` when there is no exact way.
pub(crate) fn conversion(from: &DataType, to: &Type) -> Option<Conversion> {
    use DataType as D;
    use TimeUnit::{Microsecond, Millisecond, Nanosecond};
    if *from == to.to_arrow() {
        return Some(Conversion::AsIs);
    }
    Some(match (from, to) {
        (D::Null, _) => Conversion::Null,
        (D::Int8 | D::Int16 | D::UInt8 | D::UInt16, Type::Int | Type::Long) => Conversion::Cast,
        (D::Int32 | D::UInt32, Type::Long) => Conversion::Cast,
        (D::Float32, Type::Double) => Conversion::Cast,
        (D::Decimal128(_, from), Type::Decimal { scale: to, .. }) if i16::from(*from) == i16::from(*to) => {
            Conversion::Retag
        }
        (D::Timestamp(Microsecond, _), Type::Timestamp | Type::Timestamptz) => Conversion::Retag,
        (D::Timestamp(Nanosecond, _), Type::TimestampNs | Type::TimestamptzNs) => Conversion::Retag,
        (D::Timestamp(Millisecond, _), Type::Timestamp | Type::Timestamptz) => Conversion::Times1000,
        (D::Timestamp(Nanosecond, _), Type::Timestamp | Type::Timestamptz) => Conversion::Over1000,
        (D::Time32(Millisecond), Type::Time) => Conversion::Cast,
        (D::Time64(Nanosecond), Type::Time) => Conversion::Over1000,
        (D::Binary, Type::String) | (D::Utf8, Type::Binary) => Conversion::Cast,
        _ => return None,
    })
}

impl Conversion {
    pub(crate) fn apply(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ConvertError> {
        match self {
            Conversion::AsIs => Ok(Arc::clone(array)),
            Conversion::Null => Ok(arrow_array::new_null_array(to, array.len())),
            Conversion::Retag => retag(array.as_ref(), to),
            Conversion::Cast => {
                let strict = CastOptions { safe: false, ..CastOptions::default() };
                cast_with_options(array, to, &strict).map_err(|e| ConvertError::Corrupt(e.to_string()))
            }
            Conversion::Times1000 => {
                let micros: TimestampMicrosecondArray = array
                    .as_primitive::<TimestampMillisecondType>()
                    .try_unary(|ms| ms.checked_mul(1_000).ok_or_else(|| out_of_range(ms, "milliseconds")))?;
                retag(&micros, to)
            }
            Conversion::Over1000 => match to {
                DataType::Time64(_) => {
                    let micros: Time64MicrosecondArray =
                        array.as_primitive::<Time64NanosecondType>().try_unary(whole_micros)?;
                    Ok(Arc::new(micros))
                }
                _ => {
                    let micros: TimestampMicrosecondArray =
                        array.as_primitive::<TimestampNanosecondType>().try_unary(whole_micros)?;
                    retag(&micros, to)
                }
            },
        }
    }
}

fn whole_micros(nanos: i64) -> Result<i64, ConvertError> {
    match nanos.rem_euclid(1_000) {
        0 => Ok(nanos.div_euclid(1_000)),
        _ => Err(out_of_range(nanos, "nanoseconds")),
    }
}

fn out_of_range(value: i64, unit: &str) -> ConvertError {
    ConvertError::Unreadable(format!("{value} {unit} are no whole microseconds of 64 bits"))
}

/// The same buffers under another type of the same layout.
fn retag(array: &dyn Array, to: &DataType) -> Result<ArrayRef, ConvertError> {
    Ok(match to {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(zone.clone()))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            Arc::new(array.as_primitive::<TimestampNanosecondType>().clone().with_timezone_opt(zone.clone()))
        }
        DataType::Decimal128(precision, scale) => {
            let retagged = array.as_primitive::<Decimal128Type>().clone().with_precision_and_scale(*precision, *scale);
            Arc::new(retagged.map_err(|e| ConvertError::Corrupt(e.to_string()))?)
        }
        other => return Err(ConvertError::Corrupt(format!("{} under the type {other}", array.data_type()))),
    })
}

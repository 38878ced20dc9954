//! Bit flips: values whose fixed-width representation, or text whose bytes, differ in next to nothing.
//!
//! One flipped bit, or one replaced byte of text or bytes, is enough. Two to eight bits are not: any two prices of one day
//! differ in no more than their lowest bits. They count where so few of the bits that could differ do, or where one byte
//! differs and the bytes below it do not.

use super::digits::Digits;
use crate::schema::Type;
use crate::value::Value;

/// Bits that may differ.
const FLIPPED_BITS_MAX: u32 = 8;
/// Of so many bits that could differ, one may. By chance, 3 of 20 are as few in 1 of 2,700 pairs, 5 of 30 in 1 of 17,000.
const BITS_PER_FLIP: u32 = 6;
/// A differing byte in the middle is told by so many equal bits below it, not all zero.
const EQUAL_BITS_BELOW: u32 = 16;
/// One differing byte is told from two short words where the text has so many bytes.
const TELLING_BYTES: usize = 4;

/// Whether the row is the message with 1 to 8 bits flipped, or with one byte replaced.
pub(super) fn flipped(ty: &Type, message: &Value, row: &Value) -> bool {
    match (message, row) {
        (Value::String(message), Value::String(row)) => bytes(message.as_bytes(), row.as_bytes()),
        (Value::Bytes(message), Value::Bytes(row)) => bytes(message, row),
        (Value::Uuid(message), Value::Uuid(row)) => bytes(message, row),
        _ => match (pattern(ty, message), pattern(ty, row)) {
            (Some(message), Some(row)) => few_flips(message, row),
            _ => false,
        },
    }
}

fn bytes(message: &[u8], row: &[u8]) -> bool {
    if message.len() != row.len() {
        return false;
    }
    let flips = || message.iter().zip(row).map(|(a, b)| (a ^ b).count_ones()).filter(|flips| *flips > 0);
    flips().sum::<u32>() == 1 || (flips().count() == 1 && message.len() >= TELLING_BYTES)
}

fn few_flips(message: u128, row: u128) -> bool {
    let flipped = message ^ row;
    let count = flipped.count_ones();
    if count <= 1 {
        return count == 1;
    }
    let (lowest, highest) = (flipped.trailing_zeros(), 127 - flipped.leading_zeros());
    // Zeros at the end that both have come of a coarse unit, or of a round float: those bits could not differ.
    let could_differ = highest + 1 - (message | row).trailing_zeros();
    let one_byte = lowest / 8 == highest / 8 && lowest >= EQUAL_BITS_BELOW && message << (128 - lowest) != 0;
    (count <= FLIPPED_BITS_MAX && count * BITS_PER_FLIP <= could_differ) || one_byte
}

/// The bits that Parquet stores. None for booleans, whose one bit says nothing, and for nested values.
fn pattern(ty: &Type, value: &Value) -> Option<u128> {
    let (bits, width) = match (ty, value) {
        (Type::Int, Value::Number { .. }) => (value.as_integer()? as u128, 32),
        (Type::Long, Value::Number { .. }) => (value.as_integer()? as u128, 64),
        (Type::Decimal { precision, scale: wanted }, Value::Number { unscaled, scale }) => {
            (Digits::of_number(*unscaled, *scale).unscaled(*wanted)? as u128, decimal_bits(*precision))
        }
        (Type::Float, Value::Float(value)) => (u128::from(value.to_bits()), 32),
        (Type::Double, Value::Double(value)) => (u128::from(value.to_bits()), 64),
        (Type::Date, Value::Date(days)) => (*days as u128, 32),
        (Type::Time, Value::Time(micros)) => (*micros as u128, 64),
        (_, Value::Timestamp { .. }) => {
            let step = if matches!(ty, Type::TimestampNs | Type::TimestamptzNs) { 1 } else { 1_000 };
            (value.epoch_nanos()?.div_euclid(step) as u128, 64)
        }
        _ => return None,
    };
    Some(bits & (u128::MAX >> (128 - width)))
}

/// 32 bits for up to 9 digits, 64 for up to 18, else the fewest bytes that hold the precision (Parquet, "Logical Types").
fn decimal_bits(precision: u8) -> u32 {
    match precision {
        0..=9 => 32,
        10..=18 => 64,
        _ => {
            let bits = 10_u128.pow(u32::from(precision)).ilog2() + 2;
            bits.div_ceil(8) * 8
        }
    }
}

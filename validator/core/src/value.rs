//! One value of a message or a row, outside of any array: what findings show and what the damage classes compare.
//!
//! Contract: two values are equal exactly when their canonical bytes are (docs/digest.md): `1.50` = `1.5`, a float
//! equals the double it widens to, one NaN, `-0.0` is not `0.0`, a NULL field of a struct is as if it were not there,
//! the order of map entries means nothing. Hot paths work on arrays and never make a `Value`.

mod arrow;
mod fingerprint;
mod text;

pub use fingerprint::Fingerprint;
pub(crate) use text::write_number;

use std::cmp::Ordering;

use crate::convert::decimal::POWERS_OF_TEN;

/// A value of any type of a table.
#[derive(Debug, Clone)]
pub enum Value {
    /// NULL.
    Null,
    /// `boolean`.
    Boolean(bool),
    /// `int`, `long` and `decimal`: `unscaled` / 10^`scale`.
    Number {
        /// The digits as an integer.
        unscaled: i128,
        /// Digits behind the point, 0 to 38.
        scale: u8,
    },
    /// `float`; apart from [`Value::Double`] only so that people see `0.1` and not `0.10000000149011612`.
    Float(f32),
    /// `double`.
    Double(f64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// All four timestamp types.
    Timestamp {
        /// Whole seconds since the epoch, rounded down.
        seconds: i64,
        /// Nanoseconds since that second, 0 to 999,999,999.
        nanos: u32,
        /// Whether it is an instant (`timestamptz`) or a wall time (`timestamp`).
        zoned: bool,
    },
    /// `string`.
    String(String),
    /// `uuid`, big-endian.
    Uuid([u8; 16]),
    /// `binary` and `fixed`.
    Bytes(Vec<u8>),
    /// Fields in the order of the schema.
    Struct(Vec<(String, Value)>),
    /// Elements in order.
    List(Vec<Value>),
    /// Entries in any order.
    Map(Vec<(Value, Value)>),
    /// A message's value that the column's type cannot hold exactly: its source text. No row has such a value.
    Inexact(String),
}

impl Value {
    /// A whole number.
    pub fn integer(value: i64) -> Self {
        Value::Number { unscaled: i128::from(value), scale: 0 }
    }

    /// A decimal, `unscaled` / 10^`scale`; `scale` is 0 to 38.
    pub fn decimal(unscaled: i128, scale: u8) -> Self {
        Value::Number { unscaled, scale }
    }

    /// A timestamp of microseconds since the epoch.
    pub fn timestamp_micros(micros: i64, zoned: bool) -> Self {
        let nanos = micros.rem_euclid(1_000_000) as u32 * 1_000;
        Value::Timestamp { seconds: micros.div_euclid(1_000_000), nanos, zoned }
    }

    /// A timestamp of nanoseconds since the epoch.
    pub fn timestamp_nanos(nanos: i64, zoned: bool) -> Self {
        let rest = nanos.rem_euclid(1_000_000_000) as u32;
        Value::Timestamp { seconds: nanos.div_euclid(1_000_000_000), nanos: rest, zoned }
    }

    /// Text.
    pub fn string(text: impl Into<String>) -> Self {
        Value::String(text.into())
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The whole number that it is, if it is one: `5`, `5.00`; not text, not a double.
    pub fn as_integer(&self) -> Option<i128> {
        match *self {
            Value::Number { unscaled, scale } => match normalised(unscaled, scale) {
                (whole, 0) => Some(whole),
                _ => None,
            },
            _ => None,
        }
    }

    /// Nanoseconds since the epoch of a timestamp of any kind.
    pub fn epoch_nanos(&self) -> Option<i128> {
        match *self {
            Value::Timestamp { seconds, nanos, .. } => Some(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)),
            _ => None,
        }
    }

    /// The order of two values of one type, as Iceberg orders bounds: numbers and times by value, text and bytes by
    /// unsigned bytes, `false` before `true`, `-0.0` before `0.0`. `None`: NULL, NaN, nested or different kinds.
    pub fn order(&self, other: &Value) -> Option<Ordering> {
        use Value::*;
        match (self, other) {
            (Boolean(a), Boolean(b)) => Some(a.cmp(b)),
            (Number { unscaled: a, scale: s }, Number { unscaled: b, scale: t }) => Some(order_numbers(*a, *s, *b, *t)),
            (Float(_) | Double(_), Float(_) | Double(_)) => {
                let (a, b) = (self.as_double()?, other.as_double()?);
                (!a.is_nan() && !b.is_nan()).then(|| a.total_cmp(&b))
            }
            (Date(a), Date(b)) => Some(a.cmp(b)),
            (Time(a), Time(b)) => Some(a.cmp(b)),
            (Timestamp { seconds: a, nanos: x, zoned: z }, Timestamp { seconds: b, nanos: y, zoned: w }) => {
                (z == w).then(|| (a, x).cmp(&(b, y)))
            }
            (String(a), String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Uuid(a), Uuid(b)) => Some(a.cmp(b)),
            (Bytes(a), Bytes(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// The IEEE value of a float or double.
    pub fn as_double(&self) -> Option<f64> {
        match *self {
            Value::Float(value) => Some(f64::from(value)),
            Value::Double(value) => Some(value),
            _ => None,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        use Value::*;
        match (self, other) {
            (Null, Null) => true,
            (Boolean(a), Boolean(b)) => a == b,
            (Number { unscaled: a, scale: s }, Number { unscaled: b, scale: t }) => {
                normalised(*a, *s) == normalised(*b, *t)
            }
            (Float(_) | Double(_), Float(_) | Double(_)) => match (self.as_double(), other.as_double()) {
                (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
                _ => false,
            },
            (Date(a), Date(b)) => a == b,
            (Time(a), Time(b)) => a == b,
            (Timestamp { seconds: a, nanos: x, zoned: z }, Timestamp { seconds: b, nanos: y, zoned: w }) => {
                (a, x, z) == (b, y, w)
            }
            (String(a), String(b)) => a == b,
            (Uuid(a), Uuid(b)) => a == b,
            (Bytes(a), Bytes(b)) => a == b,
            (Struct(a), Struct(b)) => same_fields(a, b),
            (List(a), List(b)) => a == b,
            (Map(a), Map(b)) => same_entries(a, b),
            (Inexact(a), Inexact(b)) => a == b,
            _ => false,
        }
    }
}

/// The same number without trailing zeros behind the point.
pub(crate) fn normalised(mut unscaled: i128, mut scale: u8) -> (i128, u8) {
    if unscaled == 0 {
        return (0, 0);
    }
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    (unscaled, scale)
}

/// Compares without bringing both to one scale, which would overflow: whole parts first, then fractions of 38 digits.
fn order_numbers(a: i128, a_scale: u8, b: i128, b_scale: u8) -> Ordering {
    let parts = |unscaled: i128, scale: u8| {
        let power = POWERS_OF_TEN[usize::from(scale)];
        let fraction = unscaled.rem_euclid(power) * POWERS_OF_TEN[38 - usize::from(scale)];
        (unscaled.div_euclid(power), fraction)
    };
    parts(a, a_scale).cmp(&parts(b, b_scale))
}

fn same_fields(a: &[(String, Value)], b: &[(String, Value)]) -> bool {
    let present = |fields: &[(String, Value)]| fields.iter().filter(|(_, value)| !value.is_null()).count();
    present(a) == present(b)
        && a.iter().filter(|(_, value)| !value.is_null()).all(|field| b.iter().any(|other| field == other))
}

/// Entries are matched one to one, so that a repeated entry counts as often as it stands there.
fn same_entries(a: &[(Value, Value)], b: &[(Value, Value)]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut taken = vec![false; b.len()];
    a.iter().enumerate().all(|(at, entry)| {
        let free = |&i: &usize| !taken[i] && b[i] == *entry;
        match Some(at).filter(free).or_else(|| (0..b.len()).find(free)) {
            Some(i) => {
                taken[i] = true;
                true
            }
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_of_different_scale_are_equal() {
        assert_eq!(Value::decimal(150, 2), Value::decimal(15, 1));
        assert_eq!(Value::integer(5), Value::decimal(500_000_000, 8));
        assert_ne!(Value::integer(5), Value::decimal(500_000_001, 8));
        assert_eq!(Value::decimal(0, 8), Value::integer(0));
    }

    #[test]
    fn floats_compare_by_their_bits_with_one_nan() {
        assert_eq!(Value::Float(0.5), Value::Double(0.5));
        assert_ne!(Value::Float(0.1), Value::Double(0.1));
        assert_ne!(Value::Double(0.0), Value::Double(-0.0));
        assert_eq!(Value::Double(f64::NAN), Value::Double(f64::from_bits(0x7ff8_0000_0000_0123)));
        assert_ne!(Value::Double(5.0), Value::integer(5));
    }

    #[test]
    fn null_fields_are_as_if_absent_but_an_empty_struct_is_not_null() {
        let full = Value::Struct(vec![("a".into(), Value::integer(1)), ("b".into(), Value::Null)]);
        let short = Value::Struct(vec![("a".into(), Value::integer(1))]);
        assert_eq!(full, short);
        assert_ne!(Value::Struct(vec![("a".into(), Value::Null)]), Value::Null);
    }

    #[test]
    fn map_entries_compare_in_any_order_and_as_often_as_they_stand() {
        let entry = |key: &str, value| (Value::string(key), Value::integer(value));
        assert_eq!(Value::Map(vec![entry("a", 1), entry("b", 2)]), Value::Map(vec![entry("b", 2), entry("a", 1)]));
        assert_ne!(Value::Map(vec![entry("a", 1), entry("a", 1)]), Value::Map(vec![entry("a", 1), entry("b", 2)]));
        assert_ne!(Value::Map(vec![(Value::string("a"), Value::Null)]), Value::Map(vec![]));
    }

    #[test]
    fn numbers_are_ordered_without_overflow() {
        let huge = Value::decimal(10_i128.pow(38) - 1, 0);
        let tiny = Value::decimal(10_i128.pow(38) - 1, 38);
        assert_eq!(huge.order(&tiny), Some(Ordering::Greater));
        assert_eq!(Value::decimal(-15, 1).order(&Value::integer(-1)), Some(Ordering::Less));
        assert_eq!(Value::decimal(-15, 1).order(&Value::decimal(-150, 2)), Some(Ordering::Equal));
        assert_eq!(Value::Double(f64::NAN).order(&Value::Double(1.0)), None);
    }

    #[test]
    fn pre_epoch_timestamps_round_down() {
        assert_eq!(
            Value::timestamp_micros(-1, true),
            Value::Timestamp { seconds: -1, nanos: 999_999_000, zoned: true }
        );
        assert_eq!(Value::timestamp_nanos(-1, false).epoch_nanos(), Some(-1));
    }
}

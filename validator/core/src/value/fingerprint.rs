//! A short name of a value, for finding equal values among many without keeping them.
//!
//! Contract: equal values (as [`Value`] is compared) have equal fingerprints, others do not, but for a collision in 128
//! bits. Of no use beyond one process: the digests of docs/digest.md are what is kept.

use super::{Value, normalised};

/// A fingerprint; sums wrap.
pub type Fingerprint = u128;

impl Value {
    /// The fingerprint of this value in that column.
    pub fn fingerprint(&self, column: usize) -> Fingerprint {
        let mut bytes = (column as u64).to_le_bytes().to_vec();
        write(self, &mut bytes);
        let digest = blake3::hash(&bytes);
        let (first, _) = digest.as_bytes().split_first_chunk().expect("32 bytes hold 16");
        u128::from_le_bytes(*first)
    }
}

/// Bytes that tell every value from every other one: a kind, then what has a length of its own with its length.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Boolean(value) => out.extend([1, u8::from(*value)]),
        Value::Number { unscaled, scale } => {
            let (unscaled, scale) = normalised(*unscaled, *scale);
            out.extend([2, scale]);
            out.extend(unscaled.to_le_bytes());
        }
        Value::Float(_) | Value::Double(_) => {
            let double = value.as_double().unwrap_or_default();
            let one_nan = if double.is_nan() { f64::NAN } else { double };
            out.push(3);
            out.extend(one_nan.to_bits().to_le_bytes());
        }
        Value::Date(days) => {
            out.push(4);
            out.extend(days.to_le_bytes());
        }
        Value::Time(micros) => {
            out.push(5);
            out.extend(micros.to_le_bytes());
        }
        Value::Timestamp { seconds, nanos, zoned } => {
            out.extend([6, u8::from(*zoned)]);
            out.extend(seconds.to_le_bytes());
            out.extend(nanos.to_le_bytes());
        }
        Value::String(text) => put(7, text.as_bytes(), out),
        Value::Uuid(bytes) => put(8, bytes, out),
        Value::Bytes(bytes) => put(9, bytes, out),
        Value::Inexact(text) => put(10, text.as_bytes(), out),
        Value::List(elements) => parts(11, elements.iter().map(|element| bytes_of(&[element])).collect(), out),
        Value::Struct(fields) => {
            let present = fields.iter().filter(|(_, value)| !value.is_null());
            let mut fields: Vec<Vec<u8>> =
                present.map(|(name, value)| bytes_of(&[&Value::String(name.clone()), value])).collect();
            fields.sort_unstable();
            parts(12, fields, out);
        }
        Value::Map(entries) => {
            let mut entries: Vec<Vec<u8>> = entries.iter().map(|(key, value)| bytes_of(&[key, value])).collect();
            entries.sort_unstable();
            parts(13, entries, out);
        }
    }
}

fn bytes_of(values: &[&Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| write(value, &mut bytes));
    bytes
}

fn put(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

fn parts(kind: u8, parts: Vec<Vec<u8>>, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend((parts.len() as u64).to_le_bytes());
    parts.iter().for_each(|part| put(kind, part, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::string(text)
    }

    /// Of each group all are equal, and no two groups have an equal one.
    fn groups() -> Vec<Vec<Value>> {
        let field = |name: &str, value: Value| (name.to_owned(), value);
        let one = Value::integer(1);
        vec![
            vec![Value::Null],
            vec![Value::Boolean(false)],
            vec![Value::integer(0), Value::decimal(0, 8)],
            vec![Value::decimal(150, 2), Value::decimal(15, 1)],
            vec![Value::Float(0.5), Value::Double(0.5)],
            vec![Value::Double(f64::NAN), Value::Double(f64::from_bits(0x7ff8_0000_0000_0123)), Value::Float(f32::NAN)],
            vec![Value::Double(0.0)],
            vec![Value::Double(-0.0)],
            vec![Value::Date(1)],
            vec![Value::Time(1)],
            vec![Value::timestamp_micros(1, true), Value::timestamp_nanos(1_000, true)],
            vec![Value::timestamp_micros(1, false)],
            vec![text("")],
            vec![text("a")],
            vec![Value::Bytes(b"a".to_vec())],
            vec![Value::Inexact("a".to_owned())],
            vec![Value::List(vec![])],
            vec![Value::List(vec![text("a"), text("b")])],
            vec![Value::List(vec![text("ab")])],
            vec![Value::List(vec![Value::List(vec![text("a")]), text("b")])],
            vec![Value::Struct(vec![]), Value::Struct(vec![field("a", Value::Null)])],
            vec![
                Value::Struct(vec![field("a", one.clone()), field("b", Value::Null)]),
                Value::Struct(vec![field("a", one.clone())]),
            ],
            vec![
                Value::Map(vec![(text("a"), one.clone()), (text("b"), Value::Null)]),
                Value::Map(vec![(text("b"), Value::Null), (text("a"), one.clone())]),
            ],
            vec![Value::Map(vec![(text("a"), one.clone())])],
            vec![Value::Map(vec![(text("a"), one.clone()), (text("a"), one)])],
        ]
    }

    #[test]
    fn equal_values_have_equal_fingerprints_and_others_do_not() {
        let all: Vec<(usize, Value)> =
            groups().into_iter().enumerate().flat_map(|(n, group)| group.into_iter().map(move |v| (n, v))).collect();
        for (of, one) in &all {
            for (other_of, other) in &all {
                assert_eq!(one == other, of == other_of, "{one:?} and {other:?}");
                assert_eq!(one.fingerprint(3) == other.fingerprint(3), of == other_of, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn the_same_value_in_another_column_has_another_fingerprint() {
        assert_ne!(text("a").fingerprint(0), text("a").fingerprint(1));
    }
}

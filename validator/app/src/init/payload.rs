//! What a payload is by its looks, and a JSON object as plain values.
//!
//! Contract: no digit of a number is lost; what is nested deeper than a table's columns usually are is its JSON text.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use validator_core::convert::Parsed;
use validator_core::convert::decimal::parse_decimal;
use validator_core::value::Value;
use validator_tap::schema_id;

/// Levels of nested objects and arrays that are looked into.
const DEPTH: usize = 12;

/// Looks of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Looks {
    /// A JSON object.
    Json,
    /// Confluent's frame: a zero byte and the id of a schema.
    Framed,
    /// Anything else.
    Bytes,
}

impl Looks {
    /// For a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON objects",
            Self::Framed => "framed with a schema id (Avro)",
            Self::Bytes => "neither JSON objects nor framed Avro",
        }
    }
}

/// The looks of a payload.
pub fn looks(payload: &[u8]) -> Looks {
    if schema_id(payload).is_some() {
        return Looks::Framed;
    }
    match serde_json::from_slice::<BTreeMap<String, serde::de::IgnoredAny>>(payload) {
        Ok(_) => Looks::Json,
        Err(_) => Looks::Bytes,
    }
}

/// The fields of a JSON object; none where it is no object.
pub fn json_fields(payload: &[u8]) -> Option<BTreeMap<String, Value>> {
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(payload).ok()?;
    Some(fields.into_iter().map(|(name, raw)| (name, value(raw.get(), DEPTH))).collect())
}

fn value(text: &str, depth: usize) -> Value {
    let as_text = || Value::string(text);
    match text.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't' | b'f') => Value::Boolean(text == "true"),
        Some(b'"') => serde_json::from_str(text).map_or_else(|_| as_text(), Value::String),
        Some(b'{') if depth > 0 => match serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text) {
            Ok(fields) => {
                Value::Struct(fields.into_iter().map(|(name, raw)| (name, value(raw.get(), depth - 1))).collect())
            }
            Err(_) => as_text(),
        },
        Some(b'[') if depth > 0 => match serde_json::from_str::<Vec<Box<RawValue>>>(text) {
            Ok(items) => Value::List(items.iter().map(|raw| value(raw.get(), depth - 1)).collect()),
            Err(_) => as_text(),
        },
        _ => number(text),
    }
}

fn number(text: &str) -> Value {
    let scale = text.split_once('.').map_or(0, |(_, places)| places.bytes().take_while(u8::is_ascii_digit).count());
    let scale = u8::try_from(scale).unwrap_or(u8::MAX);
    match (scale <= 38).then(|| parse_decimal(text, 38, scale)) {
        Some(Parsed::Exact(unscaled)) => Value::decimal(unscaled, scale),
        _ => text.parse().map_or_else(|_| Value::string(text), Value::Double),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_told_apart_by_their_looks() {
        assert_eq!(looks(br#"{"a": 1}"#), Looks::Json);
        assert_eq!(looks(&[0, 0, 0, 0, 7, 2]), Looks::Framed);
        for other in [&b"<trade/>"[..], b"[1]", b"17", b"", b"{\"a\": 1} x"] {
            assert_eq!(looks(other), Looks::Bytes, "{other:?}");
        }
    }

    #[test]
    fn no_digit_of_a_number_is_lost() {
        let fields =
            json_fields(br#"{"p": 123456789012345678.123456789, "e": 1e3, "q": "0.50", "s": {"x": [1, null]}}"#);
        let fields = fields.expect("an object");
        assert_eq!(fields["p"].to_string(), "123456789012345678.123456789");
        assert_eq!(fields["e"], Value::integer(1000));
        assert_eq!(fields["q"], Value::string("0.50"));
        let inner = Value::List(vec![Value::integer(1), Value::Null]);
        assert_eq!(fields["s"], Value::Struct(vec![("x".to_owned(), inner)]));
    }
}

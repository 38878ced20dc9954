//! One instant out of a payload, without decoding the rest.

use validator_core::contract::{EpochUnit, FieldType};
use validator_core::convert::Parsed;
use validator_core::convert::instant::{InstantUnit, parse_epoch, parse_timestamp};
use validator_core::schema::Type;

use super::cursor::{self, Cursor, Kind};
use crate::limits;

/// Milliseconds since the epoch in a top-level field (rounded down); `None` where the payload is no JSON object, lacks the
/// field, or has no instant there. The last of two equal keys counts.
pub(crate) fn instant_ms(payload: &[u8], field: &str, ty: &FieldType) -> Option<i64> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut cursor = Cursor::new(text, limits::JSON_DEPTH_MAX);
    last_value(&mut cursor, field).ok().flatten().and_then(|(kind, value)| read(kind, &value, ty))
}

fn last_value(cursor: &mut Cursor<'_>, field: &str) -> cursor::Parsed<Option<(Kind, String)>> {
    if cursor.kind()? != Kind::Object {
        return cursor.fault("the document is no object");
    }
    cursor.open()?;
    let (mut found, mut first) = (None, true);
    while let Some(key) = cursor.next_key(first)? {
        first = false;
        let kind = cursor.kind()?;
        let value = if kind == Kind::String { cursor.string()?.plain() } else { cursor.span()?.into() };
        if key.plain() == field {
            found = Some((kind, value.into_owned()));
        }
    }
    cursor.end()?;
    Ok(found)
}

fn read(kind: Kind, value: &str, ty: &FieldType) -> Option<i64> {
    let millis = |steps: i64, per_milli: i64| Some(steps.div_euclid(per_milli));
    match (kind, ty) {
        (Kind::Number, FieldType::Epoch(EpochUnit::Nanosecond)) => {
            millis(exact(parse_epoch(value, EpochUnit::Nanosecond, InstantUnit::Nanos))?, 1_000_000)
        }
        (Kind::Number, FieldType::Epoch(unit)) => millis(exact(parse_epoch(value, *unit, InstantUnit::Micros))?, 1_000),
        (Kind::String, FieldType::Plain(Type::Timestamp | Type::Timestamptz)) => {
            millis(exact(parse_timestamp(value, false, InstantUnit::Micros))?, 1_000)
        }
        (Kind::String, FieldType::Plain(Type::TimestampNs | Type::TimestamptzNs)) => {
            millis(exact(parse_timestamp(value, false, InstantUnit::Nanos))?, 1_000_000)
        }
        _ => None,
    }
}

fn exact(parsed: Parsed<i64>) -> Option<i64> {
    if let Parsed::Exact(steps) = parsed { Some(steps) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_found_whatever_stands_around_it() {
        let ms = FieldType::Epoch(EpochUnit::Millisecond);
        assert_eq!(instant_ms(br#"{"a":[{"T":1}],"T":5,"t":6}"#, "T", &ms), Some(5));
        assert_eq!(instant_ms(br#"{"T":5,"\u0054":7}"#, "T", &ms), Some(7));
        assert_eq!(instant_ms(br#"{"T":-1}"#, "T", &FieldType::Epoch(EpochUnit::Microsecond)), Some(-1));
        let text = FieldType::Plain(Type::TimestamptzNs);
        assert_eq!(instant_ms(br#"{"T":"1970-01-01T00:00:01.5Z"}"#, "T", &text), Some(1_500));
        for payload in [&b"{\"T\":\"5\"}"[..], b"{\"T\":null}", b"{}", b"[]", b"{\"T\":5", b"\xff"] {
            assert_eq!(instant_ms(payload, "T", &ms), None);
        }
    }
}

//! Test only: what canonical bytes say, and what a literal means, in one form without types.

use serde_json::Value as Json;

use super::literal::{double, hex, integer, text, unscaled};
use crate::schema::{Field, Type};

/// What canonical bytes say, read back by a parser that refuses any second way to say it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Canon {
    Boolean(bool),
    Number(u8, i128),
    Float(u64),
    Date(i32),
    Time(i64),
    Instant { zoned: bool, seconds: i64, nanos: u32 },
    Text(String),
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
    Struct(Vec<(u32, Canon)>),
    List(Vec<Option<Canon>>),
    Map(Vec<(Option<Canon>, Option<Canon>)>),
}

pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk().expect("bytes end in the middle of a value");
        self.0 = rest;
        *head
    }

    fn slice(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        head
    }

    pub fn sized(&mut self) -> &'a [u8] {
        let len = u32::from_le_bytes(self.take()) as usize;
        self.slice(len)
    }

    /// A field id; `None` at an end mark.
    pub fn id(&mut self) -> Option<u32> {
        let (mut number, mut shift) = (0u64, 0);
        loop {
            let [byte] = self.take();
            number |= u64::from(byte & 0x7f) << shift;
            assert!(byte != 0 || shift == 0, "a varint has a byte too many");
            if byte < 0x80 {
                return u32::try_from(number).expect("an id").checked_sub(1);
            }
            shift += 7;
        }
    }

    fn entries(&mut self) -> Vec<(u32, Canon)> {
        let mut entries: Vec<(u32, Canon)> = Vec::new();
        while let Some(id) = self.id() {
            assert!(entries.last().is_none_or(|(last, _)| *last < id), "ids ascend");
            let value = self.value().expect("an entry is not NULL");
            entries.push((id, value));
        }
        entries
    }

    fn value(&mut self) -> Option<Canon> {
        let [tag] = self.take();
        Some(match tag {
            0 => return None,
            1 => Canon::Boolean(false),
            2 => Canon::Boolean(true),
            3 => self.number(),
            4 => Canon::Float(u64::from_le_bytes(self.take())),
            5 => Canon::Date(i32::from_le_bytes(self.take())),
            6 => Canon::Time(i64::from_le_bytes(self.take())),
            7 | 8 => {
                let (seconds, nanos) = (i64::from_le_bytes(self.take()), u32::from_le_bytes(self.take()));
                assert!(nanos < 1_000_000_000);
                Canon::Instant { zoned: tag == 8, seconds, nanos }
            }
            9 => Canon::Text(String::from_utf8(self.sized().to_vec()).expect("UTF-8")),
            10 => Canon::Bytes(self.sized().to_vec()),
            11 => Canon::Uuid(self.take()),
            12 => Canon::Struct(self.entries()),
            13 => {
                let len = u32::from_le_bytes(self.take());
                Canon::List((0..len).map(|_| self.value()).collect())
            }
            14 => self.map(),
            other => panic!("no tag {other}"),
        })
    }

    fn number(&mut self) -> Canon {
        let [scale, len] = self.take();
        let bytes = self.slice(len.into());
        let mut wide = [if bytes[bytes.len() - 1] & 0x80 == 0 { 0 } else { 0xff }; 16];
        wide[..bytes.len()].copy_from_slice(bytes);
        let unscaled = i128::from_le_bytes(wide);
        assert!(scale == 0 || unscaled % 10 != 0, "zeros are stripped");
        let fits = |len: u32| len > 0 && (unscaled << (128 - 8 * len)) >> (128 - 8 * len) == unscaled;
        assert!(!fits(u32::from(len) - 1), "the fewest bytes");
        Canon::Number(scale, unscaled)
    }

    fn map(&mut self) -> Canon {
        let len = u32::from_le_bytes(self.take());
        let mut last: &[u8] = &[];
        let entry = |_| {
            let start = self.0;
            let pair = (self.value(), self.value());
            let bytes = &start[..start.len() - self.0.len()];
            assert!(last <= bytes, "entries are sorted");
            last = bytes;
            pair
        };
        let mut entries: Vec<_> = (0..len).map(entry).collect();
        entries.sort();
        Canon::Map(entries)
    }
}

/// The entries of a row of all compared columns.
pub(super) fn read(row: &[u8]) -> Vec<(u32, Canon)> {
    assert_eq!(row[..2], [1, 1]);
    let mut reader = Reader(&row[2..]);
    let entries = reader.entries();
    assert!(reader.0.is_empty(), "nothing follows the end");
    entries
}

/// What a value means, straight from its literal.
fn canon(ty: &Type, value: &Json) -> Option<Canon> {
    if value.is_null() {
        return None;
    }
    let instant = |per_second: i64, zoned| {
        let (seconds, rest) = (integer(value).div_euclid(per_second), integer(value).rem_euclid(per_second));
        Canon::Instant { zoned, seconds, nanos: (rest * (1_000_000_000 / per_second)) as u32 }
    };
    Some(match ty {
        Type::Boolean => Canon::Boolean(value.as_bool().expect("a boolean")),
        Type::Int | Type::Long => Canon::Number(0, integer(value).into()),
        Type::Decimal { scale, .. } => {
            let (mut number, mut scale) = (unscaled(text(value), *scale), *scale);
            while scale > 0 && number % 10 == 0 {
                (number, scale) = (number / 10, scale - 1);
            }
            Canon::Number(scale, number)
        }
        Type::Float | Type::Double => match double(text(value)) {
            nan if nan.is_nan() => Canon::Float(0x7ff8 << 48),
            number => Canon::Float(number.to_bits()),
        },
        Type::Date => Canon::Date(integer(value) as i32),
        Type::Time => Canon::Time(integer(value)),
        Type::Timestamp => instant(1_000_000, false),
        Type::Timestamptz => instant(1_000_000, true),
        Type::TimestampNs => instant(1_000_000_000, false),
        Type::TimestamptzNs => instant(1_000_000_000, true),
        Type::String => Canon::Text(text(value).to_owned()),
        Type::Uuid => Canon::Uuid(hex(text(value)).try_into().expect("16 bytes")),
        Type::Fixed(_) | Type::Binary => Canon::Bytes(hex(text(value))),
        Type::Struct(fields) => Canon::Struct(canon_entries(fields, |field| &value[&field.name])),
        Type::List(element) => {
            Canon::List(value.as_array().expect("a list").iter().map(|v| canon(&element.ty, v)).collect())
        }
        Type::Map { key, value: to } => {
            let pairs = value.as_array().expect("pairs").iter();
            let mut entries: Vec<_> = pairs.map(|pair| (canon(&key.ty, &pair[0]), canon(&to.ty, &pair[1]))).collect();
            entries.sort();
            Canon::Map(entries)
        }
    })
}

/// What the fields of a row or struct mean, by ascending id.
pub(super) fn canon_entries<'a>(fields: &[Field], value: impl Fn(&Field) -> &'a Json) -> Vec<(u32, Canon)> {
    let entry = |field: &Field| Some((field.id as u32, canon(&field.ty, value(field))?));
    let mut entries: Vec<_> = fields.iter().filter_map(entry).collect();
    entries.sort_by_key(|(id, _)| *id);
    entries
}

//! Avro values and Confluent's frame around them: a zero byte, the id of the schema, and the record.

use fixtures_kit::avro::{put_blocks, put_decimal, put_long, put_text};

/// A value of a field, as it lies on the wire.
#[derive(Debug, Clone)]
pub enum Avro {
    Text(String),
    /// A long, or the index of an enum's symbol.
    Long(i64),
    Boolean(bool),
    /// The unscaled digits of a bytes decimal.
    Decimal(i128),
    /// Of strings.
    List(Vec<String>),
    /// Of strings to strings.
    Map(Vec<(String, String)>),
    /// The first branch of `["null", …]`.
    Null,
    /// The second one.
    There(Box<Avro>),
    Record(Vec<Avro>),
}

impl Avro {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A value of `["null", …]`.
    pub fn optional(value: Option<Avro>) -> Self {
        value.map_or(Self::Null, |value| Self::There(Box::new(value)))
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => put_text(out, text),
            Self::Long(number) => put_long(out, *number),
            Self::Boolean(value) => out.push(u8::from(*value)),
            Self::Decimal(unscaled) => put_decimal(out, *unscaled),
            Self::List(items) => put_blocks(out, items, |out, item| put_text(out, item)),
            Self::Map(entries) => put_blocks(out, entries, |out, (key, value)| {
                put_text(out, key);
                put_text(out, value);
            }),
            Self::Null => put_long(out, 0),
            Self::There(value) => {
                put_long(out, 1);
                value.put(out);
            }
            Self::Record(fields) => fields.iter().for_each(|field| field.put(out)),
        }
    }
}

/// A record of the registry's schema of that id.
pub fn framed(schema: u32, fields: Vec<Avro>) -> Vec<u8> {
    let mut out = vec![0];
    out.extend_from_slice(&schema.to_be_bytes());
    Avro::Record(fields).put(&mut out);
    out
}

//! The bytes of one payload: Avro's binary encoding (Avro 1.12, Binary Encoding), and skipping what nobody wants.
//!
//! Contract: nothing is read beyond the end, no count and no length is believed before its bytes are there, and what a
//! payload makes beyond its own length is bounded.

use std::borrow::Cow;

use super::schema::{AvroSchema, Kind, Logical, NodeId};
use crate::limits;

/// Why a payload is no record of its schema, and at which of its bytes. Boxed: the hot path returns it by the million,
/// empty.
#[derive(Debug)]
pub(super) struct Fault(Box<(usize, Cow<'static, str>)>);

/// What reading gives.
pub(super) type Read<T> = Result<T, Fault>;

impl Fault {
    pub(super) fn at(&self) -> usize {
        self.0.0
    }

    pub(super) fn what(&self) -> &str {
        &self.0.1
    }
}

/// A payload being read, with the schema it was written with.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(super) schema: &'a AvroSchema,
    /// Items that its arrays and maps say they have.
    items: usize,
    expansion: usize,
}

impl<'a> Wire<'a> {
    /// Reads `bytes` from `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize, schema: &'a AvroSchema) -> Self {
        Self { bytes, at, schema, items: 0, expansion: 0 }
    }

    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to where it has been.
    pub(super) fn jump(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn between(&self, from: usize, to: usize) -> &'a [u8] {
        &self.bytes[from..to]
    }

    /// Bytes and items made beyond the payload's length.
    #[inline]
    pub(super) fn expansion(&self) -> usize {
        self.expansion.saturating_add(self.items.saturating_sub(self.bytes.len()))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn fault<T>(&self, what: impl Into<Cow<'static, str>>) -> Read<T> {
        self.fault_at(self.at, what)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn fault_at<T>(&self, at: usize, what: impl Into<Cow<'static, str>>) -> Read<T> {
        Err(Fault(Box::new((at, what.into()))))
    }

    /// Accounts for what is made beyond the payload's length.
    #[inline]
    pub(super) fn expand(&mut self, by: usize) -> Read<()> {
        self.expansion = self.expansion.saturating_add(by);
        if self.expansion() > limits::AVRO_EXPANSION_MAX {
            return self.fault("it unfolds to far more than its own length");
        }
        Ok(())
    }

    /// The record is over and nothing follows.
    pub(super) fn end(&self) -> Read<()> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            rest => self.fault(format!("{rest} bytes follow the record")),
        }
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        if len > rest.len() {
            return self.fault("the bytes end within a value");
        }
        self.at += len;
        Ok(&rest[..len])
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("as many bytes were taken"))
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Read<bool> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => self.fault_at(self.at - 1, "a boolean is neither 0 nor 1"),
        }
    }

    #[inline]
    pub(super) fn long(&mut self) -> Read<i64> {
        let raw = match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                u64::from(*byte)
            }
            _ => self.long_varint()?,
        };
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    fn long_varint(&mut self) -> Read<u64> {
        let mut raw = 0_u64;
        let rest = &self.bytes[self.at..];
        for (i, byte) in rest.iter().enumerate().take(10) {
            // The tenth byte has room for one bit.
            if i == 9 && *byte > 1 {
                break;
            }
            raw |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.at += i + 1;
                return Ok(raw);
            }
        }
        if rest.len() < 10 {
            self.fault("the bytes end within a number")
        } else {
            self.fault("a number is over 64 bits")
        }
    }

    #[inline]
    pub(super) fn int(&mut self) -> Read<i32> {
        let from = self.at;
        let wide = self.long()?;
        match i32::try_from(wide) {
            Ok(int) => Ok(int),
            Err(_) => self.fault_at(from, "an int is over 32 bits"),
        }
    }

    #[inline]
    pub(super) fn float(&mut self) -> Read<f32> {
        self.array().map(f32::from_le_bytes)
    }

    #[inline]
    pub(super) fn double(&mut self) -> Read<f64> {
        self.array().map(f64::from_le_bytes)
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Read<&'a [u8]> {
        let from = self.at;
        let len = self.long()?;
        match usize::try_from(len) {
            Ok(len) => self.take(len),
            Err(_) => self.fault_at(from, "a length is below zero"),
        }
    }

    #[inline]
    pub(super) fn text(&mut self) -> Read<&'a str> {
        let bytes = self.bytes()?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) => {
                self.fault_at(self.at - bytes.len() + error.valid_up_to(), "a string has bytes that are not UTF-8")
            }
        }
    }

    /// An index below `count`: of a symbol or a branch.
    #[inline]
    pub(super) fn index(&mut self, count: usize, of: &'static str) -> Read<usize> {
        let from = self.at;
        let index = self.long()?;
        match usize::try_from(index) {
            Ok(index) if index < count => Ok(index),
            _ => self.fault_at(from, of),
        }
    }

    /// The number of items in the next block of an array or a map; 0 ends it.
    #[inline]
    pub(super) fn block(&mut self) -> Read<u64> {
        let count = self.long()?;
        if count < 0 {
            // The size of the block, which only serves to skip it.
            self.long()?;
        }
        let count = count.unsigned_abs();
        self.items = self.items.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        // More items than bytes: items of no bytes, or a lie that the end of the bytes will find.
        let empty = self.items.saturating_sub(self.bytes.len());
        if empty > limits::AVRO_EMPTY_ITEMS_MAX {
            return self.fault("it unfolds to far more than its own length");
        }
        if empty > 0 {
            self.expand(0)?;
        }
        Ok(count)
    }

    /// Skips a value; whether it is one, and not null.
    pub(super) fn skip(&mut self, node: NodeId, depth: usize) -> Read<bool> {
        let schema = self.schema;
        match schema.kind(node) {
            Kind::Null => return Ok(false),
            Kind::Boolean => drop(self.boolean()?),
            Kind::Int => drop(self.int()?),
            Kind::Long => drop(self.long()?),
            Kind::Float => drop(self.take(4)?),
            Kind::Double => drop(self.take(8)?),
            Kind::Bytes | Kind::Fixed(_) if matches!(schema.node(node).logical, Some(Logical::Decimal { .. })) => {
                self.decimal(schema.kind(node))?;
            }
            Kind::Bytes => drop(self.bytes()?),
            Kind::String => drop(self.text()?),
            Kind::Fixed(width) => drop(self.take(*width)?),
            Kind::Enum(symbols) => drop(self.symbol(symbols)?),
            nested => {
                if depth >= limits::AVRO_DEPTH_MAX {
                    return self.fault("values are nested too deep");
                }
                return self.skip_nested(nested, depth + 1);
            }
        }
        Ok(true)
    }

    fn skip_nested(&mut self, kind: &Kind, depth: usize) -> Read<bool> {
        match kind {
            Kind::Array(items) => {
                while let count @ 1.. = self.block()? {
                    for _ in 0..count {
                        self.skip(*items, depth)?;
                    }
                }
            }
            Kind::Map(values) => {
                while let count @ 1.. = self.block()? {
                    for _ in 0..count {
                        self.text()?;
                        self.skip(*values, depth)?;
                    }
                }
            }
            Kind::Union(branches) => {
                let branch = self.branch(branches.len())?;
                return self.skip(branches[branch], depth);
            }
            Kind::Record(fields) => {
                for (_, field) in fields {
                    self.skip(*field, depth)?;
                }
            }
            _ => unreachable!("only nested kinds come here"),
        }
        Ok(true)
    }

    /// A decimal's two's complement: bytes, or all of a fixed. Without any it is no number, for who wants it and for who
    /// does not.
    #[inline]
    pub(super) fn decimal(&mut self, kind: &Kind) -> Read<&'a [u8]> {
        let from = self.at();
        let bytes = match kind {
            Kind::Fixed(width) => self.take(*width)?,
            _ => self.bytes()?,
        };
        if bytes.is_empty() { self.fault_at(from, "a decimal has no bytes") } else { Ok(bytes) }
    }

    #[inline]
    pub(super) fn branch(&mut self, count: usize) -> Read<usize> {
        self.index(count, "a union has no such branch")
    }

    #[inline]
    pub(super) fn symbol<'s>(&mut self, symbols: &'s [Box<str>]) -> Read<&'s str> {
        let index = self.index(symbols.len(), "an enum has no such symbol")?;
        Ok(&symbols[index])
    }
}

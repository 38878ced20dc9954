//! Values as text: what findings show of an inexact one, and what a field that takes anything holds.

use validator_core::value::Value;

use super::scalar::{self, Scalar, unscaled};
use super::schema::{Kind, NodeId, TimestampUnit};
use super::wire::{Read, Wire};
use crate::limits;

/// The value's text, as `validator_core::value::Value` writes it; a text itself.
pub(super) fn text(scalar: Scalar<'_>) -> String {
    match scalar {
        Scalar::Decimal { bytes, scale } => decimal_text(bytes, scale),
        other => value(other).to_string(),
    }
}

fn value(scalar: Scalar<'_>) -> Value {
    match scalar {
        Scalar::Boolean(value) => Value::Boolean(value),
        Scalar::Whole(value) => Value::integer(value),
        Scalar::Decimal { bytes, scale } => match (unscaled(bytes), u8::try_from(scale)) {
            (Some(unscaled), Ok(scale @ ..=38)) => Value::decimal(unscaled, scale),
            _ => Value::string(decimal_text(bytes, scale)),
        },
        Scalar::Float(value) => Value::Float(value),
        Scalar::Double(value) => Value::Double(value),
        Scalar::Text(text) => Value::string(text),
        Scalar::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Scalar::Uuid(bytes) => match bytes.try_into() {
            Ok(bytes) => Value::Uuid(bytes),
            Err(_) => Value::Bytes(bytes.to_vec()),
        },
        Scalar::Date(days) => Value::Date(days),
        Scalar::Time(micros) => Value::Time(micros),
        Scalar::Timestamp { steps, unit, zoned } => {
            let per_second = match unit {
                TimestampUnit::Millis => 1_000,
                TimestampUnit::Micros => 1_000_000,
                TimestampUnit::Nanos => 1_000_000_000,
            };
            let rest = steps.rem_euclid(per_second) * (1_000_000_000 / per_second);
            Value::Timestamp { seconds: steps.div_euclid(per_second), nanos: rest as u32, zoned }
        }
    }
}

/// A decimal in plain notation, without zeros at its end; one beyond all use only by its size.
pub(super) fn decimal_text(bytes: &[u8], scale: u32) -> String {
    if bytes.len().max(scale as usize) > limits::AVRO_DECIMAL_SHOWN_MAX {
        return format!("(a decimal of {} bytes and scale {scale})", bytes.len());
    }
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let mut digits = magnitude_digits(bytes, negative);
    let scale = scale as usize;
    if digits.len() <= scale {
        digits.insert_str(0, &"0".repeat(scale + 1 - digits.len()));
    }
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    let sign = if negative { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The decimal digits of a two's complement number without its sign: divided by 10^9 until nothing is left.
fn magnitude_digits(bytes: &[u8], negative: bool) -> String {
    const GROUP: u64 = 1_000_000_000;
    let mut magnitude: Vec<u8> = bytes.iter().map(|byte| if negative { !byte } else { *byte }).collect();
    if negative {
        // All bits turned, plus one; it fits, since the sign had a bit.
        for byte in magnitude.iter_mut().rev() {
            let (sum, carry) = byte.overflowing_add(1);
            *byte = sum;
            if !carry {
                break;
            }
        }
    }
    let mut groups = Vec::new();
    while magnitude.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u64;
        for byte in &mut magnitude {
            let part = rest << 8 | u64::from(*byte);
            *byte = (part / GROUP) as u8;
            rest = part % GROUP;
        }
        groups.push(rest);
    }
    let mut digits = groups.pop().unwrap_or(0).to_string();
    groups.iter().rev().for_each(|group| digits.push_str(&format!("{group:09}")));
    digits
}

/// Reads any value, also of unions of several types; its text, or none for null.
pub(super) fn any(node: NodeId, wire: &mut Wire<'_>) -> Read<Option<String>> {
    let from = wire.at();
    let read = read(node, wire, 0)?;
    if read.is_null() {
        return Ok(None);
    }
    let text = read.to_string();
    wire.expand(text.len().saturating_sub(wire.at() - from))?;
    Ok(Some(text))
}

fn read(id: NodeId, wire: &mut Wire<'_>, depth: usize) -> Read<Value> {
    if depth > limits::AVRO_DEPTH_MAX {
        return wire.fault("values are nested too deep");
    }
    let node = wire.schema.node(id);
    match &node.kind {
        Kind::Null => Ok(Value::Null),
        Kind::Union(branches) => {
            let branch = wire.branch(branches.len())?;
            read(branches[branch], wire, depth + 1)
        }
        Kind::Array(items) => {
            let mut read_items = Vec::new();
            while let count @ 1.. = wire.block()? {
                for _ in 0..count {
                    read_items.push(read(*items, wire, depth + 1)?);
                }
            }
            Ok(Value::List(read_items))
        }
        Kind::Map(values) => {
            let mut entries = Vec::new();
            while let count @ 1.. = wire.block()? {
                for _ in 0..count {
                    let key = Value::string(wire.text()?);
                    entries.push((key, read(*values, wire, depth + 1)?));
                }
            }
            Ok(Value::Map(entries))
        }
        Kind::Record(fields) => {
            let fields = fields.iter().map(|(name, field)| {
                wire.expand(name.len())?;
                Ok((name.to_string(), read(*field, wire, depth + 1)?))
            });
            Ok(Value::Struct(fields.collect::<Read<_>>()?))
        }
        _ => {
            let scalar = scalar::read(node, wire)?;
            if let (Kind::Enum(_), Scalar::Text(name)) = (&node.kind, scalar) {
                wire.expand(name.len())?;
            }
            Ok(value(scalar))
        }
    }
}

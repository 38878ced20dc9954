//! The chain of classes for one differing leaf.
//!
//! Contract: the order is that of `Damage` (interface.md §6). The classes up to `encoding` look at the two values and the
//! type, `column_swap` at the other leaves of the row, `row_mix` at the neighbours.

use super::nested::{self, Leaf};
use super::{DamageContext, bits, encoding, instant, number, text};
use crate::schema::Type;
use crate::value::Value;
use crate::verdict::Damage;

/// The first class that fits `leaves[at]`.
pub(super) fn classify(leaves: &[Leaf], at: usize, context: &DamageContext) -> Damage {
    let leaf = &leaves[at];
    if let Some(damage) = null_class(leaf, context) {
        return damage;
    }
    match value_class(leaf) {
        // Any two upper-case words look like names of one set; that both columns hold each other's value says more.
        Some(Damage::EnumRemap) if swapped(leaves, at) => return Damage::ColumnSwap,
        Some(damage) => return damage,
        None => {}
    }
    match leaf {
        _ if swapped(leaves, at) => Damage::ColumnSwap,
        _ if mixed(leaf, context) => Damage::RowMix,
        _ if nested::lost(&leaf.message, &leaf.row) || unknown_field(leaf) => Damage::NestedFieldLost,
        _ if context.stale => Damage::StaleValue,
        _ if bits::flipped(&leaf.ty, &leaf.message, &leaf.row) => Damage::BitFlip,
        _ if matches!(leaf.message, Value::Inexact(_)) => Damage::Inexact,
        _ => Damage::Other,
    }
}

/// `null_for_value`: the row has NULL, the message has not; inside a nested column that is a lost field.
/// `default_for_null`: the message has NULL, the row a declared default of the column or the type's empty value.
/// `value_for_null`: the message has NULL, the row any other value.
fn null_class(leaf: &Leaf, context: &DamageContext) -> Option<Damage> {
    match (&leaf.message, &leaf.row) {
        // In a map an entry with NULL is not an absent one.
        (Value::Null, Value::Null) => Some(Damage::NestedFieldLost),
        (_, Value::Null) if leaf.inside => Some(Damage::NestedFieldLost),
        (_, Value::Null) => Some(Damage::NullForValue),
        (Value::Null, row) => {
            let declared = context.defaults.get(&leaf.path).is_some_and(|defaults| defaults.contains(row));
            Some(if declared || is_empty(row) { Damage::DefaultForNull } else { Damage::ValueForNull })
        }
        _ => None,
    }
}

/// What writers put where they know nothing: zero, false, the epoch, no text, no bytes, no entries, or bytes of zero.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Boolean(value) => !value,
        Value::Number { unscaled, .. } => *unscaled == 0,
        Value::Float(value) => *value == 0.0,
        Value::Double(value) => *value == 0.0,
        Value::Date(days) => *days == 0,
        Value::Time(micros) => *micros == 0,
        Value::Timestamp { seconds, nanos, .. } => *seconds == 0 && *nanos == 0,
        Value::String(text) | Value::Inexact(text) => text.is_empty(),
        Value::Uuid(bytes) => bytes.iter().all(|&byte| byte == 0),
        Value::Bytes(bytes) => bytes.iter().all(|&byte| byte == 0),
        Value::Struct(fields) => fields.iter().all(|(_, value)| is_empty(value)),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
    }
}

/// The classes from `sign_flip` to `encoding`.
pub(super) fn value_class(leaf: &Leaf) -> Option<Damage> {
    let Leaf { ty, message, row, .. } = leaf;
    if ty.is_number() {
        return number::class(ty, message, row);
    }
    if ty.is_temporal() {
        return instant::class(ty, message, row);
    }
    match (message, row) {
        (Value::String(message), Value::String(row)) => text::class(message, row),
        (Value::Bytes(message), Value::Bytes(row)) if message.starts_with(row) => Some(Damage::Truncated),
        (Value::Bytes(message), Value::Bytes(row)) => encoding::of_bytes(message, row).then_some(Damage::Encoding),
        (Value::Uuid(message), Value::Uuid(row)) => encoding::of_uuid(message, row).then_some(Damage::Encoding),
        (Value::List(message), Value::List(row)) if message.starts_with(row) => Some(Damage::Truncated),
        _ => None,
    }
}

/// The row's value is the message's of another column, whose row value is the message's of a third, and so on back to this
/// one; mostly two columns that hold each other's.
fn swapped(leaves: &[Leaf], at: usize) -> bool {
    let holds = |here: &Leaf, there: &Leaf| !here.row.is_null() && here.row == there.message;
    let follow = |from: usize| {
        let others = || (0..leaves.len()).filter(|&to| to != from && holds(&leaves[from], &leaves[to]));
        others().find(|&to| holds(&leaves[to], &leaves[from])).or_else(|| others().next())
    };
    let mut here = Some(at);
    (0..leaves.len()).any(|_| {
        here = here.and_then(follow);
        here == Some(at)
    })
}

/// The row's value is a neighbouring message's. Not so for booleans and empty values, which every neighbour has.
fn mixed(leaf: &Leaf, context: &DamageContext) -> bool {
    let telling = leaf.ty != Type::Boolean && !is_empty(&leaf.row);
    leaf.mixed || (telling && (context.other_rows)(&leaf.path, &leaf.row))
}

fn unknown_field(leaf: &Leaf) -> bool {
    matches!(&leaf.message, Value::Inexact(text) if nested::names_unknown_field(&leaf.ty, text))
}

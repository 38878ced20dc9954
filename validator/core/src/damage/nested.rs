//! Structs, lists and maps: their differing leaves, and what a nested value has lost.

use super::class;
use crate::schema::{Field, Type};
use crate::value::Value;

/// One place where the two sides differ, inside a nested column or the column itself.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// The index of the column.
    pub(super) column: usize,
    /// The column's name, or the path of the leaf: `book.bids[3].price`.
    pub(super) path: String,
    /// Whether it is inside the column, so that NULL is a lost field.
    pub(super) inside: bool,
    /// Whether the whole column's value is a neighbouring message's.
    pub(super) mixed: bool,
    pub(super) ty: Type,
    pub(super) message: Value,
    pub(super) row: Value,
}

/// Adds the leaves in which `leaf` differs: struct fields by name, map entries by key, elements of lists of one length.
pub(super) fn add_leaves(leaf: Leaf, leaves: &mut Vec<Leaf>) {
    let before = leaves.len();
    match (&leaf.ty, &leaf.message, &leaf.row) {
        (Type::Struct(fields), Value::Struct(message), Value::Struct(row)) => {
            for field in fields {
                let value = |side: &[(String, Value)]| {
                    side.iter().find(|(name, _)| *name == field.name).map_or(Value::Null, |(_, value)| value.clone())
                };
                let path = format!("{}.{}", leaf.path, field.name);
                add_inner(&leaf, path, &field.ty, value(message), value(row), leaves);
            }
        }
        (Type::List(element), Value::List(message), Value::List(row)) if message.len() == row.len() => {
            for (i, (message, row)) in message.iter().zip(row).enumerate() {
                let path = format!("{}[{i}]", leaf.path);
                add_inner(&leaf, path, &element.ty, message.clone(), row.clone(), leaves);
            }
        }
        (Type::Map { value, .. }, Value::Map(message), Value::Map(row)) => {
            add_entries(&leaf, &value.ty, message, row, leaves)
        }
        (_, Value::Inexact(text), _) if !leaf.ty.is_scalar() => {
            leaves.extend(resolve(&leaf, text).or_else(|| only_leaf_that_fits(&leaf)));
        }
        _ => {}
    }
    // Nothing inside: a scalar, another length, or an entry that is NULL on one side and absent on the other.
    if leaves.len() == before {
        leaves.push(leaf);
    }
}

fn add_inner(parent: &Leaf, path: String, ty: &Type, message: Value, row: Value, leaves: &mut Vec<Leaf>) {
    if message != row {
        let leaf = Leaf { path, inside: true, ty: ty.clone(), message, row, ..*parent };
        add_leaves(leaf, leaves);
    }
}

fn add_entries(leaf: &Leaf, ty: &Type, message: &[(Value, Value)], row: &[(Value, Value)], leaves: &mut Vec<Leaf>) {
    let value = |side: &[(Value, Value)], key: &Value| {
        side.iter().find(|(other, _)| other == key).map_or(Value::Null, |(_, value)| value.clone())
    };
    let added = row.iter().filter(|(key, _)| !message.iter().any(|(other, _)| other == key));
    for key in message.iter().chain(added).map(|(key, _)| key) {
        add_inner(leaf, format!("{}.{key}", leaf.path), ty, value(message, key), value(row, key), leaves);
    }
}

/// The leaf that an inexact nested value names by its path (`p.q: 1.9`, see `convert::Converted`).
fn resolve(leaf: &Leaf, text: &str) -> Option<Leaf> {
    if let Some(source) = text.strip_prefix(": ") {
        // Several marks of a row are joined by commas; no number and no timestamp has one followed by a space.
        let source = source.split(", ").next().unwrap_or(source);
        let message = Value::Inexact(source.to_owned());
        return Some(Leaf { message, inside: true, ..leaf.clone() });
    }
    let step = |name: &str, path: String, ty: &Type, row: Value| {
        let rest = text.strip_prefix('.').unwrap_or(text).strip_prefix(name)?;
        resolve(&Leaf { path, ty: ty.clone(), row, ..leaf.clone() }, rest)
    };
    match (&leaf.ty, &leaf.row) {
        (Type::Struct(fields), Value::Struct(row)) => fields.iter().zip(row).find_map(|(field, (_, value))| {
            step(&field.name, format!("{}.{}", leaf.path, field.name), &field.ty, value.clone())
        }),
        (Type::List(element), Value::List(row)) => row
            .iter()
            .enumerate()
            .find_map(|(i, value)| step(&format!("[{i}]"), format!("{}[{i}]", leaf.path), &element.ty, value.clone())),
        (Type::Map { value: ty, .. }, Value::Map(row)) => row
            .iter()
            .find_map(|(key, value)| step(&key.to_string(), format!("{}.{key}", leaf.path), &ty.ty, value.clone())),
        _ => None,
    }
}

/// Where a mark has no path: the one scalar inside the row that shows what became of the text, if there is only one.
fn only_leaf_that_fits(leaf: &Leaf) -> Option<Leaf> {
    let mut inner = Vec::new();
    add_scalars(leaf, &mut inner);
    inner.retain(|leaf| class::value_class(leaf).is_some());
    if inner.len() == 1 { inner.pop() } else { None }
}

/// Adds the scalars inside the row, each against the whole message.
fn add_scalars(leaf: &Leaf, scalars: &mut Vec<Leaf>) {
    let inner = |path: String, ty: &Type, row: &Value| Leaf {
        path,
        inside: true,
        ty: ty.clone(),
        row: row.clone(),
        ..leaf.clone()
    };
    match (&leaf.ty, &leaf.row) {
        (Type::Struct(fields), Value::Struct(row)) => fields.iter().zip(row).for_each(|(field, (name, value))| {
            add_scalars(&inner(format!("{}.{name}", leaf.path), &field.ty, value), scalars);
        }),
        (Type::List(element), Value::List(row)) => row.iter().enumerate().for_each(|(i, value)| {
            add_scalars(&inner(format!("{}[{i}]", leaf.path), &element.ty, value), scalars);
        }),
        (Type::Map { value: ty, .. }, Value::Map(row)) => row.iter().for_each(|(key, value)| {
            add_scalars(&inner(format!("{}.{key}", leaf.path), &ty.ty, value), scalars);
        }),
        _ => scalars.push(leaf.clone()),
    }
}

/// Whether an inexact nested value names a field that the table's struct has not.
pub(super) fn names_unknown_field(ty: &Type, text: &str) -> bool {
    let Type::Struct(fields) = ty else { return false };
    let name = text.split([':', '.', '[']).next().unwrap_or(text);
    text.contains(": ") && !fields.iter().any(|field: &Field| field.name == name)
}

/// Whether the row is the message with something taken away: fields or values set to NULL, entries or elements gone.
pub(super) fn lost(message: &Value, row: &Value) -> bool {
    message != row && within(message, row)
}

fn within(message: &Value, row: &Value) -> bool {
    match (message, row) {
        _ if message == row => true,
        (Value::Struct(message), Value::Struct(row)) => row.iter().all(|(name, value)| {
            value.is_null() || message.iter().any(|(other, wanted)| other == name && (within(wanted, value)))
        }),
        (Value::Map(message), Value::Map(row)) => row.iter().all(|(key, value)| {
            message.iter().any(|(other, wanted)| other == key && (value.is_null() || within(wanted, value)))
        }),
        (Value::List(message), Value::List(row)) => {
            let mut rest = message.iter();
            row.iter().all(|value| rest.any(|wanted| value.is_null() || within(wanted, value)))
        }
        (Value::String(message), Value::String(row)) => json_within(message, row),
        _ => false,
    }
}

/// The same of JSON in text: an object or array that has lost fields.
fn json_within(message: &str, row: &str) -> bool {
    let nested = |text: &str| {
        let open = text.trim_start().starts_with(['{', '[']);
        if open { serde_json::from_str::<serde_json::Value>(text).ok() } else { None }
    };
    match (nested(message), nested(row)) {
        (Some(message), Some(row)) => message != row && json_value_within(&message, &row),
        _ => false,
    }
}

fn json_value_within(message: &serde_json::Value, row: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (message, row) {
        _ if message == row || row.is_null() => true,
        (Object(message), Object(row)) => {
            row.iter().all(|(name, value)| message.get(name).is_some_and(|wanted| json_value_within(wanted, value)))
        }
        (Array(message), Array(row)) => {
            let mut rest = message.iter();
            row.iter().all(|value| rest.any(|wanted| json_value_within(wanted, value)))
        }
        _ => false,
    }
}

//! Columns that keep a message's position: which part each is, and what else their struct holds.

use validator_core::contract::Identity;
use validator_core::schema::{Field, Schema, Type};

use super::PositionPart;

/// The part of the position that the column or child at this path is, by the contract's own words.
pub(super) fn part_at(identity: &Identity, path: &str) -> Option<PositionPart> {
    let Identity::Offset { topic, partition, offset, timestamp, .. } = identity else { return None };
    let is = |named: &Option<String>| named.as_deref() == Some(path);
    match path {
        _ if path == offset => Some(PositionPart::Offset),
        _ if is(topic) => Some(PositionPart::Topic),
        _ if is(partition) => Some(PositionPart::Partition),
        _ if is(timestamp) => Some(PositionPart::Timestamp),
        _ => None,
    }
}

/// The part that a child of a struct column is: sinks keep the message's key beside its position, as bytes.
pub(super) fn part_of_child(identity: &Identity, parent: &str, child: &Field) -> Option<PositionPart> {
    let is_key = child.name == "key" && child.ty == Type::Binary;
    part_at(identity, &format!("{parent}.{}", child.name)).or(is_key.then_some(PositionPart::Key))
}

/// The children of the struct that keeps the offset, by their paths, each with its part; none where no struct does.
pub fn parts_of_struct(identity: &Identity, schema: &Schema) -> Vec<(String, Option<PositionPart>)> {
    let Identity::Offset { offset, .. } = identity else { return Vec::new() };
    let Some((parent, _)) = offset.rsplit_once('.') else { return Vec::new() };
    let Some(Type::Struct(children)) = schema.field_at(parent).map(|field| &field.ty) else { return Vec::new() };
    let part = |child: &Field| (format!("{parent}.{}", child.name), part_of_child(identity, parent, child));
    children.iter().map(part).collect()
}

/// Whether this is a part of the struct that keeps the messages' positions and none that tells a position: a sink may keep
/// more there (Redpanda: headers), and the contract may ignore it.
pub(super) fn may_be_ignored(identity: &Identity, schema: &Schema, path: &str) -> bool {
    let mut parts = parts_of_struct(identity, schema).into_iter();
    parts.any(|(of, part)| of == path && part.is_none_or(|part| part == PositionPart::Key))
}

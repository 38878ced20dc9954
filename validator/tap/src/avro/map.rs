//! Maps: a key that comes twice counts once, with its last value.

use std::collections::HashMap;

use validator_core::schema::Type;

use super::notes::Notes;
use super::program::Value;
use super::read;
use super::scalar::{Outcome, put_text};
use super::schema::NodeId;
use super::wire::{Read, Wire};
use crate::column::Column;

/// Reads a map's blocks into its entries.
pub(super) fn map(
    wire: &mut Wire<'_>,
    (key, value, node): (&Type, &Value, NodeId),
    entries: &mut [Column; 2],
    notes: &mut Notes,
) -> Read<()> {
    let (from, mark, length) = (wire.at(), notes.mark(), entries[0].len());
    let base = notes.keys.len();
    let [keys, values] = entries;
    while let count @ 1.. = wire.block()? {
        for _ in 0..count {
            push_key(wire, key, keys, notes)?;
            read::value(wire, value, values, notes)?;
        }
    }
    let replaced = replaced(wire, &notes.keys[base..]);
    notes.keys.truncate(base);
    if replaced.is_empty() {
        return Ok(());
    }
    // Written by no Avro library. Once more, without the entries that a later one replaces.
    notes.back_to(mark);
    notes.key_twice = true;
    keys.truncate(length);
    values.truncate(length);
    wire.jump(from);
    let mut index = 0;
    while let count @ 1.. = wire.block()? {
        for _ in 0..count {
            if replaced.binary_search(&index).is_ok() {
                wire.text()?;
                wire.skip(node, 0)?;
            } else {
                push_key(wire, key, keys, notes)?;
                read::value(wire, value, values, notes)?;
            }
            index += 1;
        }
    }
    notes.keys.truncate(base);
    Ok(())
}

fn push_key(wire: &mut Wire<'_>, ty: &Type, keys: &mut Column, notes: &mut Notes) -> Read<()> {
    let from = wire.at();
    let text = wire.text()?;
    notes.keys.push((wire.at() - text.len(), wire.at()));
    match put_text(text, ty, keys) {
        Outcome::Pushed => {}
        Outcome::Rounded => notes.rounded(),
        Outcome::Inexact(text) => {
            notes.inexact(text);
            // A key cannot be NULL.
            keys.push_empty();
        }
        Outcome::Refused => return wire.fault_at(from, format!("a key does not read as {ty}")),
    }
    Ok(())
}

/// The entries, ascending, whose key a later one has too.
fn replaced(wire: &Wire<'_>, keys: &[(usize, usize)]) -> Vec<usize> {
    /// Up to here comparing every pair is cheaper than a table.
    const FEW: usize = 16;
    let key = |index: usize| wire.between(keys[index].0, keys[index].1);
    if keys.len() <= FEW {
        return (0..keys.len()).filter(|&at| (at + 1..keys.len()).any(|later| key(later) == key(at))).collect();
    }
    let mut last = HashMap::with_capacity(keys.len());
    let mut replaced: Vec<usize> = (0..keys.len()).filter_map(|index| last.insert(key(index), index)).collect();
    replaced.sort_unstable();
    replaced
}

//! Objects that are maps: their keys are data.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cursor::{Cursor, Parsed, Text};
use super::decode::{self, Notes};
use super::scalar::{self, Outcome};
use super::shape::{Shape, Want};
use crate::column::{Column, Data};

/// An entry of a map: where its key and its value stand in the payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    key_from: usize,
    key_to: usize,
    escaped: bool,
    value_at: usize,
    /// A later entry has the same key.
    replaced: bool,
}

/// Reads an object as a map. A key that comes twice counts once, with its last value.
///
/// The object is walked twice: an entry that a later one replaces must not leave its value in the column.
pub(super) fn map(
    cursor: &mut Cursor<'_>,
    pair: &mut [Shape; 2],
    column: &mut Column,
    notes: &mut Notes,
) -> Parsed<()> {
    let Data::Map { entries, .. } = &mut column.data else { unreachable!("made from the same type") };
    let [keys, values] = &mut **entries;
    let [key_shape, value_shape] = pair;
    cursor.open()?;
    last_entries(cursor, notes, |cursor, key, notes| {
        push_key(cursor, key, key_shape, keys, notes)?;
        decode::value(cursor, value_shape, values, notes)
    })?;
    column.close();
    Ok(())
}

/// Walks the entries of an opened object and gives the last of each key to `each`, the cursor at its value.
pub(super) fn last_entries<'a>(
    cursor: &mut Cursor<'a>,
    notes: &mut Notes,
    mut each: impl FnMut(&mut Cursor<'a>, Text<'a>, &mut Notes) -> Parsed<()>,
) -> Parsed<()> {
    let base = notes.entries.len();
    while let Some(key) = cursor.next_key(notes.entries.len() == base)? {
        let key_to = key.from + key.raw.len();
        let value_at = cursor.at();
        cursor.skip()?;
        notes.entries.push(Entry { key_from: key.from, key_to, escaped: key.escaped, value_at, replaced: false });
    }
    let end = cursor.at();
    notes.key_twice |= mark_replaced(cursor, &mut notes.entries[base..]);
    for index in base..notes.entries.len() {
        let entry = notes.entries[index];
        if !entry.replaced {
            cursor.jump(entry.value_at);
            each(cursor, entry.key(cursor), notes)?;
        }
    }
    notes.entries.truncate(base);
    cursor.jump(end);
    Ok(())
}

fn push_key(cursor: &mut Cursor<'_>, key: Text<'_>, shape: &Shape, keys: &mut Column, notes: &mut Notes) -> Parsed<()> {
    if let Want::Text = shape.want {
        decode::push_text(keys, key);
        return Ok(());
    }
    let plain = key.plain();
    // JSON has no other form for a number that is a key.
    let outcome = match shape.want {
        Want::Int | Want::Long if scalar::integer_text(&plain) => scalar::number(&shape.want, &plain, keys),
        _ => scalar::text(&shape.want, &plain, keys),
    };
    match outcome {
        Outcome::Pushed => {}
        Outcome::Rounded => notes.rounded.push(shape.node),
        Outcome::Inexact => {
            notes.inexact(shape.node, &plain);
            keys.push_empty();
        }
        Outcome::Refused => {
            cursor.jump(key.from - 1);
            return cursor.fault(scalar::refusal(&shape.want));
        }
    }
    Ok(())
}

impl Entry {
    fn key<'a>(&self, cursor: &Cursor<'a>) -> Text<'a> {
        Text { raw: cursor.between(self.key_from, self.key_to), escaped: self.escaped, from: self.key_from }
    }
}

/// Marks all but the last of the entries with one key; whether there were any.
fn mark_replaced(cursor: &Cursor<'_>, entries: &mut [Entry]) -> bool {
    /// Up to here comparing every pair is cheaper than a table.
    const FEW: usize = 16;
    if entries.len() <= FEW && entries.iter().all(|e| !e.escaped) {
        let mut any = false;
        for later in 1..entries.len() {
            let key = entries[later].key(cursor).raw;
            for earlier in &mut entries[..later] {
                let same = earlier.key(cursor).raw == key;
                earlier.replaced |= same;
                any |= same;
            }
        }
        return any;
    }
    let mut last: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(entries.len());
    let mut any = false;
    for index in 0..entries.len() {
        if let Some(earlier) = last.insert(entries[index].key(cursor).plain(), index) {
            entries[earlier].replaced = true;
            any = true;
        }
    }
    any
}

//! One payload into one row of columns.

use super::cursor::{Cursor, Kind, Parsed, Text};
use super::escape::unescape;
use super::map::{self, Entry};
use super::scalar::{self, Outcome};
use super::shape::{Found, Node, Object, Shape, Target, Unknowns, Want};
use crate::column::{Column, Data};

/// What is noted beside the columns while a payload is read. Notes of the payload at hand are taken back if it fails.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) unknowns: Unknowns,
    /// (node, row, text) of values that their type cannot hold.
    pub(super) inexact: Vec<(Node, usize, String)>,
    /// Nodes whose text had more digits than its float keeps, in the payload at hand.
    pub(super) rounded: Vec<Node>,
    /// Unknown fields in the payload at hand.
    pub(super) met: Vec<u32>,
    /// The payload at hand names a key twice.
    pub(super) key_twice: bool,
    /// The slot of the payload's field whose value is being read, for the message of a failure.
    pub(super) field: Option<usize>,
    /// The row being read.
    pub(super) row: usize,
    /// Objects read so far: the id of the next.
    objects: u64,
    /// Read only the last of equal keys: the second try, where an earlier one was of a wrong kind.
    pub(super) last_only: bool,
    /// Entries of the maps being read, the innermost last.
    pub(super) entries: Vec<Entry>,
}

impl Notes {
    /// Forgets what was noted of a payload, to read one.
    pub(super) fn begin(&mut self, inexact_before: usize, last_only: bool) {
        self.inexact.truncate(inexact_before);
        self.rounded.clear();
        self.met.clear();
        self.entries.clear();
        (self.key_twice, self.field, self.last_only) = (false, None, last_only);
    }

    /// Notes a value that its type cannot hold; the caller has pushed what stands for it.
    pub(super) fn inexact(&mut self, node: Node, text: &str) {
        self.inexact.push((node, self.row, text.to_owned()));
    }

    /// Takes back what was noted about a value that a later one of the same key replaces.
    fn forget(&mut self, shape: &Shape, inexact_before: usize, rounded_before: usize) {
        let below = shape.node..shape.node_end;
        let mut index = 0;
        self.inexact.retain(|(node, ..)| {
            index += 1;
            index <= inexact_before || !below.contains(node)
        });
        let mut index = 0;
        self.rounded.retain(|node| {
            index += 1;
            index <= rounded_before || !below.contains(node)
        });
    }
}

/// Reads the whole payload. On failure the columns hold rests of the row that the caller cuts off.
pub(super) fn payload(
    cursor: &mut Cursor<'_>,
    root: &mut Object,
    columns: &mut [Column],
    notes: &mut Notes,
) -> Parsed<()> {
    if cursor.kind()? != Kind::Object {
        return cursor.fault("the document is no object");
    }
    let row = notes.row;
    object(cursor, root, columns, row, true, notes)?;
    cursor.end()
}

/// An object being read.
struct Reading {
    /// The id of this object, to tell a key that comes twice.
    id: u64,
    /// The row of its columns.
    index: usize,
    /// Whether it is the payload itself.
    top: bool,
    /// Notes taken before it.
    inexact_before: usize,
    rounded_before: usize,
    /// The slot of the field before.
    before: Option<usize>,
    /// Columns that have their value.
    filled: usize,
}

/// Reads an object; every column gets its value at `index`, a NULL where the object lacks the field.
fn object(
    cursor: &mut Cursor<'_>,
    shape: &mut Object,
    columns: &mut [Column],
    index: usize,
    top: bool,
    notes: &mut Notes,
) -> Parsed<()> {
    let mut reading = Reading {
        id: notes.objects,
        index,
        top,
        inexact_before: notes.inexact.len(),
        rounded_before: notes.rounded.len(),
        before: None,
        filled: 0,
    };
    notes.objects += 1;
    cursor.open()?;
    if notes.last_only {
        map::last_entries(cursor, notes, |cursor, key, notes| {
            let found = shape.find(&key.plain(), reading.before, reading.id, &mut notes.unknowns);
            member(cursor, found, shape, columns, &mut reading, notes)
        })?;
    } else {
        while cursor.next_member(reading.before.is_none())? {
            let found = match shape.take_expected(cursor, reading.before, reading.id) {
                Some(found) => found,
                None => shape.find(&cursor.key()?.plain(), reading.before, reading.id, &mut notes.unknowns),
            };
            member(cursor, found, shape, columns, &mut reading, notes)?;
        }
    }
    if reading.filled < columns.len() {
        columns.iter_mut().filter(|c| c.len() == index).for_each(Column::push_null);
    }
    Ok(())
}

/// Reads the value of a key that was found.
#[inline]
fn member(
    cursor: &mut Cursor<'_>,
    found: Found,
    shape: &mut Object,
    columns: &mut [Column],
    reading: &mut Reading,
    notes: &mut Notes,
) -> Parsed<()> {
    reading.before = Some(found.slot);
    notes.key_twice |= found.again;
    if reading.top {
        notes.field = Some(found.slot);
    }
    match found.target {
        Target::Column(column) => {
            let wanted = &mut shape.shapes[column];
            if found.again {
                columns[column].truncate(reading.index);
                notes.forget(wanted, reading.inexact_before, reading.rounded_before);
                reading.filled -= 1;
            }
            value(cursor, wanted, &mut columns[column], notes)?;
            reading.filled += 1;
        }
        Target::Dropped => cursor.skip()?,
        Target::Unknown(_) if cursor.kind()? == Kind::Null => cursor.literal(Kind::Null)?,
        Target::Unknown(unknown) => {
            notes.met.push(unknown);
            cursor.skip()?;
        }
    }
    if reading.top {
        notes.field = None;
    }
    Ok(())
}

/// Reads a value into its column.
pub(super) fn value(cursor: &mut Cursor<'_>, shape: &mut Shape, column: &mut Column, notes: &mut Notes) -> Parsed<()> {
    let kind = cursor.kind()?;
    match (&mut shape.want, kind) {
        (_, Kind::Null) => {
            cursor.literal(kind)?;
            column.push_null();
            Ok(())
        }
        (Want::Text | Want::AnyText, Kind::String) => {
            push_text(column, cursor.string()?);
            Ok(())
        }
        (Want::AnyText, _) => {
            column.push_bytes(cursor.span()?.as_bytes());
            Ok(())
        }
        (Want::Boolean, Kind::True | Kind::False) => {
            cursor.literal(kind)?;
            column.push_bool(kind == Kind::True);
            Ok(())
        }
        (want, Kind::Number) => {
            let at = cursor.at();
            let text = cursor.number()?;
            let outcome = scalar::number(want, text, column);
            settle(cursor, at, shape, text, outcome, column, notes)
        }
        (want, Kind::String) => {
            let at = cursor.at();
            let text = cursor.string()?.plain();
            let outcome = scalar::text(want, &text, column);
            settle(cursor, at, shape, &text, outcome, column, notes)
        }
        (Want::Struct(object_shape), Kind::Object) => {
            let index = column.len();
            let Data::Struct(children) = &mut column.data else { unreachable!("made from the same type") };
            object(cursor, object_shape, children, index, false, notes)?;
            column.close();
            Ok(())
        }
        (Want::List(element), Kind::Array) => list(cursor, element, column, notes),
        (Want::Map(pair), Kind::Object) => map::map(cursor, pair, column, notes),
        (want, _) => cursor.fault(scalar::refusal(want)),
    }
}

fn list(cursor: &mut Cursor<'_>, shape: &mut Shape, column: &mut Column, notes: &mut Notes) -> Parsed<()> {
    let Data::List { element, .. } = &mut column.data else { unreachable!("made from the same type") };
    cursor.open()?;
    let mut first = true;
    while cursor.next_element(first)? {
        first = false;
        value(cursor, shape, element, notes)?;
    }
    column.close();
    Ok(())
}

/// Notes what became of a scalar; a refused one is a fault at the byte where it starts.
#[inline]
fn settle(
    cursor: &mut Cursor<'_>,
    at: usize,
    shape: &Shape,
    text: &str,
    outcome: Outcome,
    column: &mut Column,
    notes: &mut Notes,
) -> Parsed<()> {
    match outcome {
        Outcome::Pushed => {}
        Outcome::Rounded => notes.rounded.push(shape.node),
        Outcome::Inexact => {
            notes.inexact(shape.node, text);
            column.push_null();
        }
        Outcome::Refused => {
            cursor.jump(at);
            return cursor.fault(scalar::refusal(&shape.want));
        }
    }
    Ok(())
}

/// Appends what a string stands for.
#[inline]
pub(super) fn push_text(column: &mut Column, text: Text<'_>) {
    if text.escaped {
        column.push_text_with(|bytes| unescape(text.raw, bytes));
    } else {
        column.push_bytes(text.raw.as_bytes());
    }
}

//! One payload into one row of columns.

use super::cursor::{Cursor, Kind, Parsed, Text};
use super::escape::unescape;
use super::map::{self, Entry};
use super::scalar::{self, Outcome};
use super::shape::{Node, Object, Shape, Target, Unknowns, Want};
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
    /// The column whose value is being read, for the message of a failure.
    pub(super) column: Option<usize>,
    /// The row being read.
    pub(super) row: usize,
    /// Objects read so far: the id of the next.
    objects: u64,
    scratch: Vec<u8>,
    /// Entries of the maps being read, the innermost last.
    pub(super) entries: Vec<Entry>,
}

impl Notes {
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

/// Reads an object; every column gets its value at `index`, a NULL where the object lacks the field.
fn object(
    cursor: &mut Cursor<'_>,
    shape: &mut Object,
    columns: &mut [Column],
    index: usize,
    top: bool,
    notes: &mut Notes,
) -> Parsed<()> {
    let id = notes.objects;
    notes.objects += 1;
    let (inexact_before, rounded_before) = (notes.inexact.len(), notes.rounded.len());
    cursor.open()?;
    let mut before = None;
    let mut filled = 0;
    while let Some(key) = cursor.next_key(before.is_none())? {
        let found = if key.escaped {
            let mut name = std::mem::take(&mut notes.scratch);
            name.clear();
            unescape(key.raw, &mut name);
            let text = std::str::from_utf8(&name).expect("a checked string is UTF-8");
            let found = shape.find(text, before, id, &mut notes.unknowns);
            notes.scratch = name;
            found
        } else {
            shape.find(key.raw, before, id, &mut notes.unknowns)
        };
        before = Some(found.slot);
        notes.key_twice |= found.again;
        match found.target {
            Target::Column(column) => {
                let wanted = &mut shape.shapes[column];
                if found.again {
                    columns[column].truncate(index);
                    notes.forget(wanted, inexact_before, rounded_before);
                    filled -= 1;
                }
                if top {
                    notes.column = Some(column);
                }
                value(cursor, wanted, &mut columns[column], notes)?;
                filled += 1;
                if top {
                    notes.column = None;
                }
            }
            Target::Dropped => cursor.skip()?,
            Target::Unknown(unknown) => {
                if cursor.kind()? == Kind::Null {
                    cursor.literal(Kind::Null)?;
                } else {
                    notes.met.push(unknown);
                    cursor.skip()?;
                }
            }
        }
    }
    if filled < columns.len() {
        columns.iter_mut().filter(|c| c.len() == index).for_each(Column::push_null);
    }
    Ok(())
}

pub(super) fn value(cursor: &mut Cursor<'_>, shape: &mut Shape, column: &mut Column, notes: &mut Notes) -> Parsed<()> {
    let kind = cursor.kind()?;
    match (&mut shape.want, kind) {
        (_, Kind::Null) => {
            cursor.literal(kind)?;
            column.push_null();
            Ok(())
        }
        (Want::Text | Want::AnyText, Kind::String) => {
            let text = cursor.string()?;
            push_text(column, text);
            Ok(())
        }
        (Want::AnyText, _) => {
            let from = cursor.at();
            cursor.skip()?;
            column.push_bytes(cursor.between(from, cursor.at()).as_bytes());
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
            match scalar::number(want, text, column) {
                Outcome::Pushed => {}
                Outcome::Rounded => notes.rounded.push(shape.node),
                Outcome::Inexact => {
                    notes.inexact(shape.node, text);
                    column.push_null();
                }
                Outcome::Refused => {
                    cursor.jump(at);
                    return cursor.fault(scalar::refusal(want));
                }
            }
            Ok(())
        }
        (want, Kind::String) => {
            let text = cursor.string()?;
            let plain = text.plain();
            match scalar::text(want, &plain, column) {
                Outcome::Pushed => {}
                Outcome::Rounded => notes.rounded.push(shape.node),
                Outcome::Inexact => {
                    notes.inexact(shape.node, &plain);
                    column.push_null();
                }
                Outcome::Refused => {
                    cursor.jump(text.from - 1);
                    return cursor.fault(scalar::refusal(want));
                }
            }
            Ok(())
        }
        (Want::Struct(object_shape), Kind::Object) => {
            let index = column.len();
            let Data::Struct(children) = &mut column.data else { unreachable!("made from the same type") };
            object(cursor, object_shape, children, index, false, notes)?;
            column.close();
            Ok(())
        }
        (Want::List(element), Kind::Array) => {
            let Data::List { element: elements, .. } = &mut column.data else {
                unreachable!("made from the same type")
            };
            cursor.open()?;
            let mut first = true;
            while cursor.next_element(first)? {
                first = false;
                value(cursor, element, elements, notes)?;
            }
            column.close();
            Ok(())
        }
        (Want::Map(pair), Kind::Object) => map::map(cursor, pair, column, notes),
        (want, _) => cursor.fault(scalar::refusal(want)),
    }
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

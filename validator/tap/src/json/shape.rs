//! What the decoder expects of each JSON value, made once from the wanted fields.

use std::collections::{BTreeSet, HashMap};

use validator_core::contract::{EpochUnit, FieldType};
use validator_core::schema::{Field, Type};

use super::cursor::Cursor;
use crate::limits::FIELD_NAME_SHOWN_BYTES_MAX;
use crate::{DecoderError, FieldText, WantedField};

/// A value's place in the tree of wanted values, numbered before its children; top-level columns are found by it.
pub(super) type Node = u32;

/// One expected value.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) node: Node,
    /// One past the last node below this one.
    pub(super) node_end: Node,
    pub(super) want: Want,
}

/// What a value is read as.
#[derive(Debug)]
pub(super) enum Want {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Date,
    Time,
    Timestamp {
        zoned: bool,
        nanos: bool,
    },
    Epoch(EpochUnit),
    Uuid,
    Text,
    /// Any kind; its JSON text where it is no text.
    AnyText,
    Struct(Object),
    List(Box<Shape>),
    Map(Box<[Shape; 2]>),
}

/// An object with named fields: the payload itself, or a struct in it.
#[derive(Debug)]
pub(super) struct Object {
    /// One shape per column.
    pub(super) shapes: Vec<Shape>,
    slots: Vec<Slot>,
    by_name: HashMap<Box<str>, usize>,
    /// The slot that came first in the last object.
    first: usize,
    /// Prefix of its fields' dotted paths.
    path: String,
    /// Names met that nobody asked for.
    met: usize,
}

/// A name that was met or is wanted.
#[derive(Debug)]
struct Slot {
    name: Box<str>,
    /// `"name":` as it stands in a payload; empty where the name cannot stand there without escapes.
    quoted: Box<[u8]>,
    target: Target,
    /// The slot that followed this one in the last object: fields mostly come in one order.
    next: usize,
    /// The last object that had it.
    seen_in: u64,
    /// It stands for all names beyond the bound, so that meeting it twice means nothing.
    shared: bool,
}

/// What becomes of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// It goes into that column.
    Column(usize),
    /// The contract drops it.
    Dropped,
    /// Nobody asked for it; the index in [`Unknowns`].
    Unknown(u32),
}

/// Rows of messages that have fields nobody asked for.
#[derive(Debug, Default)]
pub(super) struct Unknowns {
    paths: Vec<String>,
    rows: Vec<Vec<usize>>,
}

impl Unknowns {
    fn intern(&mut self, path: String) -> u32 {
        let room = crate::limits::UNKNOWN_FIELDS_MAX;
        let path = if self.paths.len() < room { path } else { crate::limits::OTHER_FIELDS.to_owned() };
        let known = if self.paths.len() > room { Some(room) } else { None };
        let index = known.unwrap_or_else(|| {
            self.paths.push(path);
            self.rows.push(Vec::new());
            self.paths.len() - 1
        });
        u32::try_from(index).expect("bounded by limits")
    }

    /// Notes a row once; rows ascend.
    pub(super) fn note(&mut self, unknown: u32, row: usize) {
        let rows = &mut self.rows[unknown as usize];
        if rows.last() != Some(&row) {
            rows.push(row);
        }
    }

    /// Takes the rows of the fields that were met.
    pub(super) fn take(&mut self) -> std::collections::BTreeMap<String, Vec<usize>> {
        let rows = self.rows.iter_mut().map(std::mem::take);
        self.paths.iter().cloned().zip(rows).filter(|(_, rows)| !rows.is_empty()).collect()
    }
}

/// A name as it was found: the slot to go on from, its target, and whether this object had it before.
pub(super) struct Found {
    pub(super) slot: usize,
    pub(super) target: Target,
    pub(super) again: bool,
}

impl Object {
    pub(super) fn new(fields: Vec<(String, Shape)>, path: String, dropped: &BTreeSet<String>) -> Self {
        let mut object =
            Object { shapes: Vec::new(), slots: Vec::new(), by_name: HashMap::new(), first: 0, path, met: 0 };
        for (column, (name, shape)) in fields.into_iter().enumerate() {
            object.add(&name, Target::Column(column));
            object.shapes.push(shape);
        }
        let prefix = object.path.clone();
        for name in dropped.iter().filter_map(|path| path.strip_prefix(&prefix)) {
            if !object.by_name.contains_key(name) {
                object.add(name, Target::Dropped);
            }
        }
        object
    }

    /// The name of a slot to tell a person; none of the slot that stands for all names beyond the bound.
    pub(super) fn name(&self, slot: usize) -> Option<&str> {
        let known = self.slots.get(slot).filter(|slot| !slot.shared && slot.name.len() <= FIELD_NAME_SHOWN_BYTES_MAX);
        known.map(|slot| &*slot.name)
    }

    fn add(&mut self, name: &str, target: Target) -> usize {
        let slot = self.slots.len();
        if let Some(before) = self.slots.last_mut() {
            before.next = slot;
        }
        let plain = !name.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'));
        let quoted = if plain { format!("\"{name}\":").into_bytes() } else { Vec::new() };
        self.slots.push(Slot {
            name: name.into(),
            quoted: quoted.into(),
            target,
            next: 0,
            seen_in: u64::MAX,
            shared: false,
        });
        self.by_name.insert(name.into(), slot);
        slot
    }

    /// Takes the key if it is the one that followed `before` (the slot of the field before) in the last object.
    ///
    /// Nearly every message has its fields in the order of the one before it: comparing the bytes of the key that is
    /// expected is cheaper than finding where the key ends.
    #[inline]
    pub(super) fn take_expected(
        &mut self,
        cursor: &mut Cursor<'_>,
        before: Option<usize>,
        object: u64,
    ) -> Option<Found> {
        let guess = self.guess(before);
        if !cursor.take_exactly(&self.slots.get(guess)?.quoted) {
            return None;
        }
        Some(self.found(guess, object))
    }

    /// Finds the field of that name; `before` is the slot of the field before it in this object.
    pub(super) fn find(&mut self, name: &str, before: Option<usize>, object: u64, unknowns: &mut Unknowns) -> Found {
        let guess = self.guess(before);
        let slot = match self.slots.get(guess) {
            Some(slot) if *slot.name == *name => guess,
            _ => self.look_up(name, before, unknowns),
        };
        self.found(slot, object)
    }

    #[inline]
    fn guess(&self, before: Option<usize>) -> usize {
        before.map_or(self.first, |slot| self.slots[slot].next)
    }

    #[inline]
    fn found(&mut self, slot: usize, object: u64) -> Found {
        let found = &mut self.slots[slot];
        let again = found.seen_in == object && !found.shared;
        found.seen_in = object;
        Found { slot, target: found.target, again }
    }

    #[cold]
    fn look_up(&mut self, name: &str, before: Option<usize>, unknowns: &mut Unknowns) -> usize {
        let slot = match self.by_name.get(name) {
            Some(slot) => *slot,
            None => self.meet(name, unknowns),
        };
        match before {
            Some(before) => self.slots[before].next = slot,
            None => self.first = slot,
        }
        slot
    }

    /// Makes a slot for a name that nobody asked for. Beyond the bound all such names share the last slot.
    fn meet(&mut self, name: &str, unknowns: &mut Unknowns) -> usize {
        if let Some(last) = self.slots.len().checked_sub(1).filter(|last| self.slots[*last].shared) {
            return last;
        }
        let unknown = unknowns.intern(format!("{}{name}", self.path));
        let slot = self.add(name, Target::Unknown(unknown));
        self.met += 1;
        self.slots[slot].shared = self.met > crate::limits::UNKNOWN_FIELDS_MAX;
        slot
    }
}

/// Builds the shapes of the wanted fields, and the output columns.
pub(super) fn compile(
    wanted: &[WantedField],
    dropped: &BTreeSet<String>,
) -> Result<(Object, Vec<Field>), DecoderError> {
    let mut compiler = Compiler { next: 0, dropped };
    let mut shapes = Vec::with_capacity(wanted.len());
    let mut columns = Vec::with_capacity(wanted.len());
    for field in wanted {
        if shapes.iter().any(|(name, _)| *name == field.name) {
            return Err(DecoderError::FieldTwice { field: field.name.clone() });
        }
        shapes.push((field.name.clone(), compiler.field(field)?));
        columns.push(Field::new(0, field.name.clone(), false, crate::decoder::column_type(&field.ty)));
    }
    Ok((Object::new(shapes, String::new(), dropped), columns))
}

struct Compiler<'a> {
    next: Node,
    dropped: &'a BTreeSet<String>,
}

impl Compiler<'_> {
    fn field(&mut self, field: &WantedField) -> Result<Shape, DecoderError> {
        match (&field.ty, field.text) {
            (FieldType::Epoch(unit), _) => self.flat(Want::Epoch(*unit)),
            (FieldType::Plain(Type::String), FieldText::Any) => self.flat(Want::AnyText),
            (FieldType::Plain(ty), _) => self.shape(ty, &field.name),
        }
    }

    fn flat(&mut self, want: Want) -> Result<Shape, DecoderError> {
        let node = self.next;
        self.next += 1;
        Ok(Shape { node, node_end: self.next, want })
    }

    fn shape(&mut self, ty: &Type, path: &str) -> Result<Shape, DecoderError> {
        let flat = match ty {
            Type::Boolean => Want::Boolean,
            Type::Int => Want::Int,
            Type::Long => Want::Long,
            Type::Float => Want::Float,
            Type::Double => Want::Double,
            Type::Decimal { precision, scale } => Want::Decimal { precision: *precision, scale: *scale },
            Type::Date => Want::Date,
            Type::Time => Want::Time,
            Type::Timestamp => Want::Timestamp { zoned: false, nanos: false },
            Type::Timestamptz => Want::Timestamp { zoned: true, nanos: false },
            Type::TimestampNs => Want::Timestamp { zoned: false, nanos: true },
            Type::TimestamptzNs => Want::Timestamp { zoned: true, nanos: true },
            Type::String => Want::Text,
            Type::Uuid => Want::Uuid,
            Type::Fixed(_) | Type::Binary => {
                return Err(DecoderError::NoJsonForm { field: path.to_owned(), ty: ty.clone() });
            }
            Type::Struct(_) | Type::List(_) | Type::Map { .. } => return self.nested(ty, path),
        };
        self.flat(flat)
    }

    fn nested(&mut self, ty: &Type, path: &str) -> Result<Shape, DecoderError> {
        let node = self.next;
        self.next += 1;
        let want = match ty {
            Type::Struct(fields) => {
                let mut shapes = Vec::with_capacity(fields.len());
                for field in fields {
                    shapes.push((field.name.clone(), self.shape(&field.ty, &format!("{path}.{}", field.name))?));
                }
                Want::Struct(Object::new(shapes, format!("{path}."), self.dropped))
            }
            Type::List(element) => Want::List(Box::new(self.shape(&element.ty, &format!("{path}.element"))?)),
            Type::Map { key, value } => {
                if matches!(key.ty, Type::Boolean | Type::Struct(_) | Type::List(_) | Type::Map { .. }) {
                    return Err(DecoderError::NoJsonForm { field: path.to_owned(), ty: ty.clone() });
                }
                let key = self.shape(&key.ty, &format!("{path}.key"))?;
                let value = self.shape(&value.ty, &format!("{path}.value"))?;
                Want::Map(Box::new([key, value]))
            }
            _ => unreachable!("only nested types come here"),
        };
        Ok(Shape { node, node_end: self.next, want })
    }
}

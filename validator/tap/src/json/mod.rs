//! JSON payloads: one object each, decoded straight into columns.
//!
//! Contract: strict RFC 8259 and UTF-8; numbers are read from their text, never through a float; the last of two equal
//! keys counts; a payload that fails leaves nothing behind but a row of NULLs.

mod cursor;
mod decode;
mod escape;
mod map;
mod pick;
mod scalar;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use validator_core::schema::Field;
use validator_core::verdict::UndecodableCause;

pub(crate) use self::cursor::{Cursor, Fault, Kind, Parsed, Text};
use self::decode::Notes;
pub(crate) use self::escape::unescape;
pub(crate) use self::pick::instant_ms;
use self::shape::{Node, Object, Shape};
use crate::column::Column;
use crate::decoder::{Decoded, Decoder, DecoderError, Undecodable, WantedField, check_room};
use crate::{Message, TapError, limits};

/// Decodes JSON objects.
#[derive(Debug)]
pub struct JsonDecoder {
    fields: Vec<Field>,
    root: Object,
    columns: Vec<Column>,
    notes: Notes,
    /// By node; whole batch.
    rounded: Vec<u64>,
    duplicate_keys: u64,
    payload_bytes: usize,
}

impl JsonDecoder {
    /// A decoder of these fields; `known_dropped` are fields (nested ones by dotted path) that are no news when met.
    ///
    /// # Errors
    /// When a field is wanted twice, or its type has no form in JSON (`binary`, `fixed`, maps with nested keys).
    pub fn new(fields: &[WantedField], known_dropped: &BTreeSet<String>) -> Result<Self, DecoderError> {
        let (root, fields) = shape::compile(fields, known_dropped)?;
        let nodes = root.shapes.last().map_or(0, |shape| shape.node_end as usize);
        Ok(Self {
            columns: fields.iter().map(|f| Column::new(&f.ty)).collect(),
            fields,
            root,
            notes: Notes::default(),
            rounded: vec![0; nodes],
            duplicate_keys: 0,
            payload_bytes: 0,
        })
    }

    fn read(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let text = std::str::from_utf8(payload)
            .map_err(|error| Fault { at: error.valid_up_to(), what: "bytes that are not UTF-8" })?;
        let inexact_before = self.notes.inexact.len();
        self.notes.begin(inexact_before, false);
        let Err(first) = self.read_text(text) else { return Ok(()) };
        let field = self.notes.field;
        // A value of a wrong kind decides nothing where its key comes once more.
        self.columns.iter_mut().for_each(|column| column.truncate(self.notes.row));
        self.notes.begin(inexact_before, true);
        let second = self.read_text(text);
        if let Err(fault) = &second {
            self.notes.inexact.truncate(inexact_before);
            // The second try passes over values before it knows whose they are.
            if fault.at == first.at && self.notes.field.is_none() {
                self.notes.field = field;
            }
        }
        second
    }

    fn read_text(&mut self, text: &str) -> Result<(), Fault> {
        let mut cursor = Cursor::new(text, limits::JSON_DEPTH_MAX);
        decode::payload(&mut cursor, &mut self.root, &mut self.columns, &mut self.notes)
    }

    /// Makes the row one of NULLs, whatever was read of it.
    fn blank_row(&mut self) {
        for column in &mut self.columns {
            column.truncate(self.notes.row);
            column.push_null();
        }
    }

    #[cold]
    fn undecodable(&mut self, fault: Fault) -> Undecodable {
        self.blank_row();
        let Fault { at, what } = fault;
        let detail = match self.notes.field.take().and_then(|slot| self.root.name(slot)) {
            Some(name) => format!("field {name}: {what} (byte {at})"),
            None => format!("{what} (byte {at})"),
        };
        Undecodable { cause: UndecodableCause::BadPayload, detail }
    }

    fn column_of(&self, node: Node) -> usize {
        self.root.shapes.partition_point(|shape: &Shape| shape.node_end <= node)
    }
}

impl Decoder for JsonDecoder {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn append(&mut self, message: &Message<'_>) -> Result<Option<Undecodable>, TapError> {
        let Some(payload) = message.payload else {
            self.blank_row();
            self.notes.row += 1;
            return Ok(None);
        };
        check_room(self.payload_bytes, payload)?;
        let outcome = match self.read(payload) {
            Ok(()) => {
                self.notes.rounded.iter().for_each(|node| self.rounded[*node as usize] += 1);
                self.notes.met.iter().for_each(|unknown| self.notes.unknowns.note(*unknown, self.notes.row));
                self.duplicate_keys += u64::from(self.notes.key_twice);
                None
            }
            Err(fault) => Some(self.undecodable(fault)),
        };
        self.notes.row += 1;
        self.payload_bytes += payload.len();
        Ok(outcome)
    }

    fn rows(&self) -> usize {
        self.notes.row
    }

    fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    fn finish(&mut self) -> Decoded {
        let mut rounded_to_double = BTreeMap::new();
        for node in 0..self.rounded.len() {
            let count = std::mem::take(&mut self.rounded[node]);
            if count > 0 {
                let column = self.column_of(u32::try_from(node).expect("nodes are numbered in 32 bits"));
                *rounded_to_double.entry(self.fields[column].name.clone()).or_default() += count;
            }
        }
        let inexact = std::mem::take(&mut self.notes.inexact);
        self.payload_bytes = 0;
        Decoded {
            rows: std::mem::take(&mut self.notes.row),
            columns: self.columns.iter_mut().map(Column::finish).collect(),
            inexact: inexact.into_iter().map(|(node, row, text)| (row, self.column_of(node), text)).collect(),
            unknown_fields: self.notes.unknowns.take(),
            duplicate_keys: std::mem::take(&mut self.duplicate_keys),
            rounded_to_double,
        }
    }
}

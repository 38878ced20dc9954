//! Avro payloads: one record each, decoded straight into columns by the schema of its writer.

mod discover;
mod program;
pub(crate) mod schema;

use std::collections::BTreeSet;
use std::sync::Arc;

use validator_core::schema::Field;
use validator_core::verdict::UndecodableCause;

pub use self::discover::{AvroFields, avro_fields};
use crate::column::Column;
use crate::decoder::{Decoded, Decoder, DecoderError, Undecodable, WantedField};
use crate::registry::Schemas;
use crate::{Message, TapError};

/// The byte that begins a framed payload.
const MAGIC: u8 = 0;

/// The schema id in the frame of a payload: a zero byte and four bytes, big-endian (Confluent wire format).
pub fn schema_id(payload: &[u8]) -> Option<u32> {
    match payload {
        [MAGIC, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

/// Decodes Avro records.
#[derive(Debug)]
pub struct AvroDecoder {
    fields: Vec<Field>,
    columns: Vec<Column>,
    rows: usize,
}

impl AvroDecoder {
    /// A decoder of these fields; `dropped` are fields (nested ones by dotted path) that are no news when met.
    ///
    /// # Errors
    /// When a field is wanted twice.
    pub fn new(
        wanted: Vec<WantedField>,
        dropped: BTreeSet<String>,
        schemas: Arc<Schemas>,
    ) -> Result<Self, DecoderError> {
        let _ = (dropped, schemas);
        let mut fields: Vec<Field> = Vec::with_capacity(wanted.len());
        for field in wanted {
            if fields.iter().any(|f| f.name == field.name) {
                return Err(DecoderError::FieldTwice { field: field.name });
            }
            fields.push(Field::new(0, field.name, false, crate::decoder::column_type(&field.ty)));
        }
        Ok(Self { columns: fields.iter().map(|f| Column::new(&f.ty)).collect(), fields, rows: 0 })
    }
}

impl Decoder for AvroDecoder {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn append(&mut self, _message: &Message<'_>) -> Result<Option<Undecodable>, TapError> {
        self.columns.iter_mut().for_each(Column::push_null);
        self.rows += 1;
        Ok(Some(Undecodable { cause: UndecodableCause::BadPayload, detail: "Avro is being written".to_owned() }))
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn payload_bytes(&self) -> usize {
        0
    }

    fn finish(&mut self) -> Decoded {
        Decoded {
            rows: std::mem::take(&mut self.rows),
            columns: self.columns.iter_mut().map(Column::finish).collect(),
            ..Decoded::default()
        }
    }
}

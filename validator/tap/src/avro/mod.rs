//! Avro payloads: one record each, decoded straight into columns by the schema of its writer.

//!
//! Contract: a payload that fails leaves nothing behind but a row of NULLs. The encoding is read to the last byte, also of
//! fields that nobody wants: whether a message is undecodable does not depend on what is asked of it.

pub(crate) mod container;
mod discover;
mod extent;
mod map;
mod notes;
mod program;
mod read;
mod scalar;
pub(crate) mod schema;
mod text;
mod wire;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use validator_core::position::PartitionIndex;
use validator_core::schema::Field;
use validator_core::verdict::UndecodableCause;

pub use self::discover::{AvroFields, avro_fields};
use self::notes::Notes;
use self::program::{Compiler, Program};
use self::wire::Wire;
use crate::column::Column;
use crate::decoder::{Decoded, Decoder, DecoderError, Undecodable, WantedField};
use crate::registry::{Lookup, Schemas};
use crate::{Message, TapError, limits};

/// The byte that begins a framed payload.
const MAGIC: u8 = 0;

/// Bytes before the record in a framed payload.
const FRAME_BYTES: usize = 5;

/// The schema id in the frame of a payload: a zero byte and four bytes, big-endian (Confluent wire format).
pub fn schema_id(payload: &[u8]) -> Option<u32> {
    match payload {
        [MAGIC, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

/// Decodes Avro records: framed ones by the schema that each names, bare ones by the schema of a file.
///
/// Every writer's schema gets a program of its own, kept for the life of the decoder; schemas may change from message to
/// message within a batch.
#[derive(Debug)]
pub struct AvroDecoder {
    wanted: Vec<WantedField>,
    dropped: BTreeSet<String>,
    schemas: Arc<Schemas>,
    fields: Vec<Field>,
    columns: Vec<Column>,
    programs: Vec<Compiled>,
    by_id: HashMap<u32, usize>,
    /// The schema of the message before: most topics have one.
    last: Option<(u32, usize)>,
    notes: Notes,
    payload_bytes: usize,
}

/// What an id stands for.
#[derive(Debug)]
enum Compiled {
    Program(Program),
    Unknown(Arc<str>),
}

/// Why a payload has no row.
enum Failure {
    Undecodable(Undecodable),
    Tap(TapError),
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
        let mut fields: Vec<Field> = Vec::with_capacity(wanted.len());
        for field in &wanted {
            if fields.iter().any(|f| f.name == field.name) {
                return Err(DecoderError::FieldTwice { field: field.name.clone() });
            }
            fields.push(schema::optional_field(&field.name, crate::decoder::column_type(&field.ty)));
        }
        let columns = fields.iter().map(|f| Column::new(&f.ty)).collect();
        Ok(Self {
            wanted,
            dropped,
            schemas,
            fields,
            columns,
            programs: Vec::new(),
            by_id: HashMap::new(),
            last: None,
            notes: Notes::default(),
            payload_bytes: 0,
        })
    }

    /// The program for a payload, and where its record begins.
    fn find(&mut self, partition: PartitionIndex, payload: &[u8]) -> Result<(usize, usize), Failure> {
        if let Some(id) = self.schemas.of_partition(partition) {
            return Ok((self.program_of(id)?, 0));
        }
        if self.schemas.bare().is_some() {
            return Ok((self.program_of(0)?, 0));
        }
        match (schema_id(payload), payload.first()) {
            (Some(id), _) => Ok((self.program_of(id)?, FRAME_BYTES)),
            (None, Some(&first)) if first != MAGIC => Err(bad_payload(format!(
                "the payload begins with {first:#04x}, not with 0x00 and a schema id (byte 0)"
            ))),
            _ => {
                let bytes = payload.len();
                Err(bad_payload(format!("{bytes} bytes are too few for 0x00 and a schema id (byte {bytes})")))
            }
        }
    }

    /// The program of an id; all bare records have the one of id 0.
    #[inline]
    fn program_of(&mut self, id: u32) -> Result<usize, Failure> {
        match self.last {
            Some((last, program)) if last == id => Ok(program),
            _ => {
                let program = match self.by_id.get(&id) {
                    Some(program) => *program,
                    None => self.compile(id).map_err(Failure::Tap)?,
                };
                self.last = Some((id, program));
                Ok(program)
            }
        }
    }

    #[cold]
    fn compile(&mut self, id: u32) -> Result<usize, TapError> {
        let lookup = match self.schemas.bare() {
            Some(schema) => Lookup::Known(schema.clone()),
            None => self.schemas.by_id(id)?,
        };
        let compiled = match lookup {
            Lookup::Known(schema) => {
                let (wanted, columns) = (&self.wanted, &self.fields);
                let mut compiler = Compiler { wanted, columns, dropped: &self.dropped, notes: &mut self.notes };
                Compiled::Program(compiler.program(schema))
            }
            Lookup::Unknown(why) => Compiled::Unknown(why),
        };
        if self.programs.len() >= limits::AVRO_PROGRAMS_MAX {
            self.programs.clear();
            self.by_id.clear();
        }
        self.programs.push(compiled);
        self.by_id.insert(id, self.programs.len() - 1);
        Ok(self.programs.len() - 1)
    }

    /// Reads a payload into the columns; gives the bytes and items that it made beyond its own length.
    fn read(&mut self, partition: PartitionIndex, payload: &[u8]) -> Result<usize, Failure> {
        let (program, from) = self.find(partition, payload)?;
        match &self.programs[program] {
            Compiled::Program(program) => {
                let mut wire = Wire::new(payload, from, &program.schema);
                match read::payload(&mut wire, &program.root, &mut self.columns, &mut self.notes) {
                    Ok(()) => Ok(wire.expansion()),
                    Err(fault) => Err(bad_payload(self.described(&fault))),
                }
            }
            Compiled::Unknown(why) => {
                let id = schema_id(payload).unwrap_or_default();
                let detail = format!("schema {id}: {why}");
                Err(Failure::Undecodable(Undecodable { cause: UndecodableCause::SchemaUnknown, detail }))
            }
        }
    }

    #[cold]
    fn described(&self, fault: &wire::Fault) -> String {
        let (what, at) = (fault.what(), fault.at());
        match self.notes.column {
            Some(column) => format!("field {}: {what} (byte {at})", self.fields[column].name),
            None => format!("{what} (byte {at})"),
        }
    }

    /// Makes the row one of NULLs, whatever was read of it.
    fn blank_row(&mut self) {
        for column in &mut self.columns {
            column.truncate(self.notes.row);
            column.push_null();
        }
    }
}

#[cold]
fn bad_payload(detail: String) -> Failure {
    Failure::Undecodable(Undecodable { cause: UndecodableCause::BadPayload, detail })
}

impl Decoder for AvroDecoder {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn append(&mut self, message: &Message<'_>) -> Result<Option<Undecodable>, TapError> {
        let Some(payload) = message.payload else {
            self.blank_row();
            self.notes.row += 1;
            return Ok(None);
        };
        if self.payload_bytes + payload.len() > limits::BATCH_PAYLOAD_BYTES_MAX - limits::AVRO_EXPANSION_MAX {
            return Err(TapError::BatchFull { limit: limits::BATCH_PAYLOAD_BYTES_MAX });
        }
        self.notes.begin();
        let outcome = match self.read(message.partition, payload) {
            Ok(expansion) => {
                self.notes.keep();
                self.payload_bytes += expansion;
                None
            }
            Err(Failure::Undecodable(undecodable)) => {
                self.blank_row();
                self.notes.forget();
                Some(undecodable)
            }
            // Nothing was read: only the registry fails so.
            Err(Failure::Tap(error)) => return Err(error),
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
        let (unknown_fields, rounded) = self.notes.take_counts();
        let rounded = rounded.into_iter().map(|(column, count)| (self.fields[column].name.clone(), count));
        self.payload_bytes = 0;
        Decoded {
            rows: std::mem::take(&mut self.notes.row),
            columns: self.columns.iter_mut().map(Column::finish).collect(),
            inexact: std::mem::take(&mut self.notes.inexact),
            unknown_fields,
            duplicate_keys: std::mem::take(&mut self.notes.duplicate_keys),
            rounded_to_double: rounded.collect(),
        }
    }
}

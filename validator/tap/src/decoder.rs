//! What every payload format offers: rows appended message by message, columns taken out batch by batch.

use std::collections::BTreeMap;

use arrow_array::ArrayRef;
use validator_core::contract::{EpochUnit, FieldType};
use validator_core::schema::{Field, Type};
use validator_core::verdict::UndecodableCause;

use crate::{Message, TapError, column, limits};

/// A message field that a column is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedField {
    /// The field's name in the message; case-sensitive.
    pub name: String,
    /// The type its values are read as.
    pub ty: FieldType,
    /// How a `string` takes values that are no text; of no meaning for other types.
    pub text: FieldText,
}

/// What may become a `string`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldText {
    /// Text only: the type was declared or is the column's. Any other kind is `bad_payload`.
    #[default]
    Strict,
    /// Anything: the content of a text, the JSON text of any other value. For fields that nothing gives a type.
    Any,
}

impl WantedField {
    /// A field of a declared type, or of the type of the column of its name.
    pub fn typed(name: impl Into<String>, ty: FieldType) -> Self {
        Self { name: name.into(), ty, text: FieldText::Strict }
    }

    /// A field that nothing gives a type: a string, its JSON text where it is none.
    pub fn any(name: impl Into<String>) -> Self {
        Self { name: name.into(), ty: FieldType::Plain(Type::String), text: FieldText::Any }
    }
}

/// A message that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// The cause, as findings name it.
    pub cause: UndecodableCause,
    /// One sentence for a person, with the byte or the field where it failed; holds no field values.
    pub detail: String,
}

/// A batch of decoded rows.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// Rows; every column has that length.
    pub rows: usize,
    /// One array per [`Decoder::fields`], of exactly its Arrow type.
    pub columns: Vec<ArrayRef>,
    /// Values that their type cannot hold exactly: (row, index of the column, the message's text). The array has NULL
    /// there (a map key: a placeholder). Ascending by row; several entries may name one row and column.
    pub inexact: Vec<(usize, usize, String)>,
    /// Non-null fields that are neither wanted nor dropped (nested ones by dotted path) → the rows of the messages that
    /// have them, each once, ascending.
    pub unknown_fields: BTreeMap<String, Vec<usize>>,
    /// Messages that name a key of an object twice; the last one counts.
    pub duplicate_keys: u64,
    /// Column → values with more digits than a float (6) or double (15) keeps.
    pub rounded_to_double: BTreeMap<String, u64>,
}

/// Why a decoder cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecoderError {
    /// Two columns of one name.
    #[error("field {field} is wanted twice")]
    FieldTwice {
        /// The field.
        field: String,
    },
    /// Rows of Parquet come as columns.
    #[error("rows of Parquet have no payloads to decode")]
    NoPayload,
    /// JSON cannot carry that type.
    #[error("field {field}: JSON has no form of {ty}; type the field as string and write the conversion in [map]")]
    NoJsonForm {
        /// The field, nested ones by dotted path.
        field: String,
        /// Its type.
        ty: Type,
    },
}

/// Turns payloads into columns.
pub trait Decoder: Send {
    /// The output columns: a field's id is 0, every type is optional on every level (map keys aside).
    fn fields(&self) -> &[Field];

    /// Appends exactly one row, also when the message is undecodable (`Some`) or its payload null: a row of NULLs.
    ///
    /// # Errors
    /// When nothing can be said about the message: the registry does not answer, or the batch is over 2 GiB. No row is
    /// appended then.
    fn append(&mut self, message: &Message<'_>) -> Result<Option<Undecodable>, TapError>;

    /// Rows appended since the last [`Decoder::finish`].
    fn rows(&self) -> usize;

    /// Bytes of payloads appended since the last [`Decoder::finish`].
    fn payload_bytes(&self) -> usize;

    /// Takes the rows out and starts the next batch.
    fn finish(&mut self) -> Decoded;
}

/// The type of the column that values of a field type are decoded into.
pub(crate) fn column_type(ty: &FieldType) -> Type {
    match ty {
        FieldType::Plain(ty) => column::optional(ty),
        // Microseconds cannot hold what the number says.
        FieldType::Epoch(EpochUnit::Nanosecond) => Type::TimestamptzNs,
        FieldType::Epoch(_) => Type::Timestamptz,
    }
}

/// Refuses a payload that may not fit into 32-bit offsets any more.
pub(crate) fn check_room(batch_bytes: usize, payload: &[u8]) -> Result<(), TapError> {
    if payload.len() > limits::BATCH_PAYLOAD_BYTES_MAX - batch_bytes {
        return Err(TapError::BatchFull { limit: limits::BATCH_PAYLOAD_BYTES_MAX });
    }
    Ok(())
}

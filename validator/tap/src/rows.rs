//! Messages that are rows in columns: what a source of them offers beside [`crate::Tap`].
//!
//! Contract: rows come as Arrow columns and go on as such; no payload is made of them. One row is one message, and what is
//! wrong with one value is a mark of that row.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use validator_core::position::PartitionIndex;
use validator_core::schema::{Field, Type};

use crate::avro::schema::optional_field;
use crate::{Decoded, DecoderError, ReadEnd, TapError, Wanted, WantedField, decoder};

/// What is asked of each row.
#[derive(Debug, Clone)]
pub struct RowFields {
    /// The fields to deliver, as [`crate::Decoder::fields`] has them.
    fields: Vec<Field>,
    /// Fields that nobody wants and that are no news when met.
    dropped: BTreeSet<String>,
}

impl RowFields {
    /// Wanted fields, and those that are no news.
    ///
    /// # Errors
    /// When a field is wanted twice.
    pub fn new(wanted: &[WantedField], dropped: BTreeSet<String>) -> Result<Self, DecoderError> {
        let mut fields: Vec<Field> = Vec::with_capacity(wanted.len());
        for field in wanted {
            if fields.iter().any(|f| f.name == field.name) {
                return Err(DecoderError::FieldTwice { field: field.name.clone() });
            }
            fields.push(optional_field(&field.name, decoder::column_type(&field.ty)));
        }
        Ok(Self { fields, dropped })
    }

    /// The columns of every batch.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Whether a column of that name is read at all.
    pub(crate) fn is_dropped(&self, name: &str) -> bool {
        self.dropped.contains(name)
    }
}

/// Rows of one partition that were read together.
#[derive(Debug)]
pub struct RowBatch {
    /// The partition.
    pub partition: PartitionIndex,
    /// Offsets, ascending.
    pub offsets: Vec<i64>,
    /// Milliseconds since the epoch, where the row has a timestamp.
    pub timestamps_ms: Vec<Option<i64>>,
    /// The fields that were asked for.
    pub decoded: Decoded,
}

/// A source whose messages are rows.
pub trait RowSource: fmt::Debug {
    /// The fields of all its rows: names and types; ids are 0, everything is optional.
    fn columns(&self) -> &[(String, Type)];

    /// Reads as [`crate::Tap::read`] does, batches in place of messages.
    ///
    /// # Errors
    /// As [`crate::Tap::read`].
    fn read_rows(
        &self,
        wanted: &[Wanted],
        fields: &RowFields,
        each: &mut dyn FnMut(RowBatch) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError>;
}

//! Canonical bytes: one encoding of a logical row, the same from a message and from a table.
//!
//! Contract: canonical/1 of docs/digest.md, byte for byte. Values are compared, not types: equal numbers, instants and
//! texts of different types have equal bytes. A change of any byte is a new version, since ledgers keep digests.
//! Encoding goes column by column, so that the loop over the rows of a column knows its type.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_schema::DataType;

use crate::schema::Field;

mod arena;
mod column;
mod fill;
mod inexact;
mod number;
mod plan;

pub use arena::{Arena, BLOCK_BYTES};
pub use inexact::inexact_bytes;

use column::Column;
use plan::Plan;

/// The version of the encoding, the first byte of every row.
pub const VERSION: u8 = 1;

/// What the columns of an encoding are; the same columns in another domain give other bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// All compared columns, identity included.
    Row,
    /// The identity columns.
    Identity,
    /// The compared columns without the identity.
    Rest,
}

impl Domain {
    /// The second byte of every row.
    pub const fn byte(self) -> u8 {
        match self {
            Domain::Row => 1,
            Domain::Identity => 2,
            Domain::Rest => 3,
        }
    }
}

/// Why columns cannot be encoded. Never the fault of a value: all values of the types have canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A field of the row, or of a struct in it, has no id that can be encoded.
    #[error("field {path} has the negative id {id}")]
    FieldId {
        /// Dotted path of the field.
        path: String,
        /// Its id.
        id: i32,
    },
    /// Two fields of the row, or of one struct in it, have the same id.
    #[error("field {path} has the id {id} of another field beside it")]
    SharedFieldId {
        /// Dotted path of the second field.
        path: String,
        /// Their id.
        id: i32,
    },
    /// There are more or fewer columns than fields.
    #[error("encoder of {fields} fields was given {columns} columns")]
    ColumnCount {
        /// Fields of the encoder.
        fields: usize,
        /// Columns it was given.
        columns: usize,
    },
    /// A column has more or fewer rows than the batch.
    #[error("column {path} has {actual} rows in a batch of {expected}")]
    RowCount {
        /// The column, `_inexact` for the marks.
        path: String,
        /// Rows of the batch.
        expected: usize,
        /// Rows of the column.
        actual: usize,
    },
    /// A column's Arrow type is not the one of its field.
    #[error("column {path} has the Arrow type {actual}, not {expected}")]
    ColumnType {
        /// The column.
        path: String,
        /// The type of [`crate::schema::Type::to_arrow`].
        expected: Box<DataType>,
        /// The type of the array.
        actual: Box<DataType>,
    },
}

/// Encodes batches of rows of certain fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowEncoder {
    domain: Domain,
    /// By ascending field id, each with its place among the fields as they were given.
    plans: Arc<[(usize, Plan)]>,
}

impl RowEncoder {
    /// An encoder of these fields, which may come in any order.
    ///
    /// # Errors
    /// [`EncodeError::FieldId`] and [`EncodeError::SharedFieldId`].
    pub fn new(domain: Domain, fields: &[Field]) -> Result<Self, EncodeError> {
        Ok(Self { domain, plans: Plan::of_fields("", fields)?.into() })
    }

    /// What the columns are.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// Appends the canonical bytes of `rows` rows to the arena.
    ///
    /// `columns` are in the order of the encoder's fields. `inexact` holds the rows' inexact values
    /// ([`inexact_bytes`]), NULL where there are none; its bytes go under a mark that no table row has.
    ///
    /// # Errors
    /// [`EncodeError::ColumnCount`], [`EncodeError::RowCount`], [`EncodeError::ColumnType`]; the arena is then
    /// unchanged.
    pub fn encode(
        &self,
        rows: usize,
        columns: &[ArrayRef],
        inexact: Option<&BinaryArray>,
        arena: &mut Arena,
    ) -> Result<(), EncodeError> {
        if columns.len() != self.plans.len() {
            return Err(EncodeError::ColumnCount { fields: self.plans.len(), columns: columns.len() });
        }
        for (index, plan) in self.plans.iter() {
            plan.check(&columns[*index], rows)?;
        }
        if let Some(marks) = inexact.filter(|marks| marks.len() != rows) {
            return Err(EncodeError::RowCount { path: "_inexact".into(), expected: rows, actual: marks.len() });
        }
        let mut sources: Vec<Column> =
            self.plans.iter().map(|(index, plan)| Column::new(plan, columns[*index].as_ref(), None)).collect();
        sources.extend(inexact.map(inexact::column));
        arena.append(self.domain, rows, &sources);
        Ok(())
    }
}

#[cfg(test)]
mod canon;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod literal;
#[cfg(test)]
mod tests;

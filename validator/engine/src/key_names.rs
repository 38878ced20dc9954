//! Upsert tables: which key a message names whose payload says nothing, by its Kafka key.
//!
//! Contract: a Kafka key that cannot be read, that lacks an identity column, or that holds what its column cannot hold
//! exactly names no key; nothing is guessed.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_select::interleave::interleave;
use validator_core::convert;
use validator_core::schema::Type;
use validator_tap::{Decoder, Message, TapError};

use crate::binding::{Binding, BoundUpsert};
use crate::leaves::leaf_array;
use crate::mapping::Mapped;
use crate::mask::MASKED;

/// Reads the Kafka keys of the messages of a batch whose payload says nothing.
pub struct KeyNames {
    /// None: `[map]` makes every identity column out of the key, or nothing does.
    decoder: Option<Box<dyn Decoder>>,
    /// Rows whose key was appended, and why it names nothing.
    rows: Vec<(usize, Option<String>)>,
}

/// What the batch's messages without a readable payload name.
#[derive(Debug, Default)]
pub struct Named {
    /// By row: whether its identity is known although its payload says nothing.
    pub known: Vec<bool>,
    /// Row → why its key names nothing.
    pub unknown: Vec<(usize, String)>,
}

impl KeyNames {
    /// With a decoder of Kafka keys where the contract gives their format.
    pub fn new(decoder: Option<Box<dyn Decoder>>) -> Self {
        Self { decoder, rows: Vec::new() }
    }

    /// Takes the key of the batch's message `row`.
    ///
    /// # Errors
    /// The registry does not answer.
    pub fn take(&mut self, row: usize, message: &Message<'_>) -> Result<(), TapError> {
        let why = match &mut self.decoder {
            None => None,
            Some(decoder) => {
                let undecodable = decoder.append(&Message { payload: message.key, ..*message })?;
                let unread = undecodable.map(|why| format!("the Kafka key cannot be read: {}", why.detail));
                unread.or_else(|| message.key.is_none().then(|| "the Kafka key is null".to_owned()))
            }
        };
        self.rows.push((row, why));
        Ok(())
    }

    /// Ends the batch: writes the identity columns of the rows taken into `mapped`.
    pub fn finish(&mut self, binding: &Binding, upsert: &BoundUpsert, rows: usize, mapped: &mut Mapped) -> Named {
        let mut named = Named { known: vec![false; rows], unknown: Vec::new() };
        let taken = std::mem::take(&mut self.rows);
        if taken.is_empty() {
            return named;
        }
        let mut unread = vec![None; rows];
        if self.decoder.is_some() {
            self.read(binding, &taken, mapped, &mut unread);
        }
        let leaves = binding.identity.leaves();
        let in_identity = |column: usize| leaves.iter().any(|leaf| leaf[0] == column);
        let arrays: Vec<ArrayRef> = leaves.iter().map(|leaf| leaf_array(&mapped.columns, leaf)).collect();
        for (row, why) in taken {
            let failed = mapped.failed_cells.iter().any(|(r, column)| *r == row && in_identity(*column));
            let inexact = mapped.marks.iter().any(|mark| mark.row == row && in_identity(mark.column));
            let why = match (why.or_else(|| unread[row].take()), &self.decoder) {
                (Some(why), _) => Some(why),
                (None, None) if !upsert.names_keys => {
                    Some("[identity] does not say how the Kafka key names it".to_owned())
                }
                (None, _) if failed || inexact => Some("an identity column cannot hold what the key says".to_owned()),
                (None, _) if arrays.iter().any(|array| array.is_null(row)) => {
                    Some("the Kafka key leaves an identity column null".to_owned())
                }
                (None, _) => None,
            };
            match why {
                Some(why) => named.unknown.push((row, why)),
                None => named.known[row] = true,
            }
        }
        named
    }

    /// Brings the keys to the types of the identity columns.
    fn read(
        &mut self,
        binding: &Binding,
        taken: &[(usize, Option<String>)],
        mapped: &mut Mapped,
        unread: &mut [Option<String>],
    ) {
        let Some(decoder) = &mut self.decoder else { return };
        let decoded = decoder.finish();
        let appended: Vec<usize> = taken.iter().map(|(row, _)| *row).collect();
        let fields = decoder.fields().to_vec();
        for (row, field, text) in &decoded.inexact {
            let column = &binding.columns[binding.identity.leaves()[*field][0]].field.name;
            let shown = if binding.mask.hides(column) { MASKED } else { text.as_str() };
            unread[appended[*row]] = Some(format!("field {} of the key cannot hold {shown}", fields[*field].name));
        }
        for (index, leaf) in binding.identity.leaves().iter().enumerate() {
            let column = leaf[0];
            let (from, to): (&Type, &Type) = (&fields[index].ty, &binding.columns[column].field.ty);
            let converted = convert::convert(&decoded.columns[index], from, to);
            let wrong = converted.failed.iter().chain(&converted.inexact);
            for (row, _) in wrong {
                unread[appended[*row]] = Some(format!("field {} of the key is no {to}", fields[index].name));
            }
            let mut places: Vec<(usize, usize)> = (0..mapped.columns[column].len()).map(|row| (0, row)).collect();
            for (nth, row) in appended.iter().enumerate() {
                places[*row] = (1, nth);
            }
            let sides: [&dyn Array; 2] = [&mapped.columns[column], &converted.array];
            mapped.columns[column] = Arc::clone(&interleave(&sides, &places).expect("both have the column's type"));
        }
    }
}

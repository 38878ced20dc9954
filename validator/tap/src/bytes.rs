//! Payloads as they are: one column `_value`.

use validator_core::schema::{Field, Type};

use crate::column::Column;
use crate::decoder::check_room;
use crate::{Decoded, Decoder, Message, TapError, Undecodable};

/// The name of the one column.
pub const VALUE_FIELD: &str = "_value";

/// Decodes nothing; every payload is a row, a null one a NULL.
#[derive(Debug)]
pub struct BytesDecoder {
    fields: [Field; 1],
    column: Column,
    payload_bytes: usize,
}

impl BytesDecoder {
    /// A decoder with the one column [`VALUE_FIELD`].
    pub fn new() -> Self {
        let fields = [Field::new(0, VALUE_FIELD, false, Type::Binary)];
        Self { column: Column::new(&fields[0].ty), fields, payload_bytes: 0 }
    }
}

impl Default for BytesDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder for BytesDecoder {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn append(&mut self, message: &Message<'_>) -> Result<Option<Undecodable>, TapError> {
        match message.payload {
            None => self.column.push_null(),
            Some(payload) => {
                check_room(self.payload_bytes, payload)?;
                self.payload_bytes += payload.len();
                self.column.push_bytes(payload);
            }
        }
        Ok(None)
    }

    fn rows(&self) -> usize {
        self.column.len()
    }

    fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    fn finish(&mut self) -> Decoded {
        self.payload_bytes = 0;
        Decoded { rows: self.column.len(), columns: vec![self.column.finish()], ..Decoded::default() }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use validator_core::position::PartitionIndex;

    use super::*;

    #[test]
    fn payloads_are_values_empty_is_not_null() {
        let mut decoder = BytesDecoder::new();
        for payload in [Some(&b"\xff\0"[..]), None, Some(b"")] {
            let message = Message::of_payload(PartitionIndex(0), 0, payload);
            assert_eq!(decoder.append(&message).expect("fits"), None);
        }
        assert_eq!((decoder.rows(), decoder.payload_bytes()), (3, 2));
        let batch = decoder.finish();
        let values: Vec<_> = batch.columns[0].as_binary::<i32>().iter().collect();
        assert_eq!((batch.rows, values), (3, vec![Some(&b"\xff\0"[..]), None, Some(b"")]));
        assert_eq!((decoder.rows(), decoder.payload_bytes()), (0, 0));
    }
}

//! Values that two rows exchanged: damage that only shows when pairs are looked at together.

use std::collections::HashMap;

use validator_core::judge::Draft;
use validator_core::position::MessageAt;
use validator_core::schema::Field;
use validator_core::value::Value;

use crate::findings::Sides;
use crate::values::Values;

/// Values that two rows of a chunk exchanged: (column, expected, actual) → messages.
#[derive(Debug)]
pub struct Swaps {
    pairs: HashMap<(usize, String, String), Vec<MessageAt>>,
}

impl Swaps {
    /// Of the pairs of these drafts.
    pub fn of(drafts: &[Draft], sides: &Sides) -> Self {
        let mut pairs: HashMap<(usize, String, String), Vec<MessageAt>> = HashMap::new();
        for (message, row) in drafts.iter().flat_map(|draft| &draft.compare) {
            let (Some(expected), Some(actual)) = (sides.messages.get(message), sides.rows.get(row)) else { continue };
            for (column, (expected, actual)) in expected.iter().zip(actual.iter()).enumerate() {
                if expected != actual {
                    pairs.entry((column, expected.to_string(), actual.to_string())).or_default().push(*message);
                }
            }
        }
        Self { pairs }
    }

    /// Whether another message's row holds what this one should, and this one what that should.
    pub fn exchanged(
        &self,
        fields: &[Field],
        column: &str,
        message: MessageAt,
        actual: &Value,
        expected: &Values,
    ) -> bool {
        let Some(index) = fields.iter().position(|field| field.name == column) else { return false };
        let mirror = (index, actual.to_string(), expected[index].to_string());
        self.pairs.get(&mirror).is_some_and(|others| others.iter().any(|other| *other != message))
    }
}

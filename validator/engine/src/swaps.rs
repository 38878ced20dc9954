//! Values that two rows exchanged: damage that only shows when pairs are looked at together.

use std::collections::HashMap;

use validator_core::judge::Draft;
use validator_core::position::MessageAt;
use validator_core::value::Value;

use crate::findings::Sides;

/// Values that two rows of a chunk exchanged: (column, expected, actual) → messages.
#[derive(Debug)]
pub struct Swaps {
    pairs: HashMap<(usize, String, String), Vec<MessageAt>>,
}

impl Swaps {
    /// Of the pairs of these drafts.
    pub fn of(drafts: &[Draft], sides: &Sides) -> Self {
        let mut swaps = Self { pairs: HashMap::new() };
        for (draft, cells) in drafts.iter().zip(&sides.pairs) {
            for (message, row) in &draft.compare {
                if let Some(cells) = cells {
                    cells.iter().for_each(|cell| swaps.add(*message, cell.column, &cell.message, &cell.row));
                } else if let (Some(expected), Some(actual)) = (sides.messages.get(message), sides.rows.get(row)) {
                    for (column, (expected, actual)) in expected.iter().zip(actual.iter()).enumerate() {
                        swaps.add(*message, column, expected, actual);
                    }
                }
            }
        }
        swaps
    }

    fn add(&mut self, message: MessageAt, column: usize, expected: &Value, actual: &Value) {
        if expected != actual {
            let exchange = (column, expected.to_string(), actual.to_string());
            self.pairs.entry(exchange).or_default().push(message);
        }
    }

    /// Whether another message's row holds in this column what this one should, and this one what that should.
    pub fn exchanged(&self, column: usize, message: MessageAt, actual: &Value, expected: &Value) -> bool {
        let mirror = (column, actual.to_string(), expected.to_string());
        self.pairs.get(&mirror).is_some_and(|others| others.iter().any(|other| *other != message))
    }
}

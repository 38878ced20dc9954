//! Values that two rows exchanged: damage that only shows when pairs are looked at together.

use std::cell::OnceCell;
use std::collections::HashMap;

use validator_core::judge::Draft;
use validator_core::position::MessageAt;
use validator_core::value::Value;

use crate::findings::Sides;

/// (column, expected, actual) → messages.
type Pairs = HashMap<(usize, String, String), Vec<MessageAt>>;

/// Values that two rows of a chunk exchanged. Looked for when first asked: most damage is told by one pair alone.
pub struct Swaps<'a> {
    drafts: &'a [Draft],
    sides: &'a Sides,
    pairs: OnceCell<Pairs>,
}

impl<'a> Swaps<'a> {
    /// Of the pairs of these drafts.
    pub fn of(drafts: &'a [Draft], sides: &'a Sides) -> Self {
        Self { drafts, sides, pairs: OnceCell::new() }
    }

    fn pairs(&self) -> Pairs {
        let mut pairs = Pairs::new();
        for (draft, cells) in self.drafts.iter().zip(&self.sides.pairs) {
            for (message, row) in &draft.compare {
                let sides = (self.sides.messages.get(message), self.sides.rows.get(row));
                if let Some(cells) = cells {
                    cells.iter().for_each(|cell| add(&mut pairs, *message, cell.column, (&cell.message, &cell.row)));
                } else if let (Some(expected), Some(actual)) = sides {
                    let columns = expected.iter().zip(actual.iter()).enumerate();
                    columns.for_each(|(column, values)| add(&mut pairs, *message, column, values));
                }
            }
        }
        pairs
    }

    /// Whether another message's row holds in this column what this one should, and this one what that should.
    pub fn exchanged(&self, column: usize, message: MessageAt, actual: &Value, expected: &Value) -> bool {
        let mirror = (column, actual.to_string(), expected.to_string());
        let others = self.pairs.get_or_init(|| self.pairs()).get(&mirror);
        others.is_some_and(|others| others.iter().any(|other| *other != message))
    }
}

fn add(pairs: &mut Pairs, message: MessageAt, column: usize, (expected, actual): (&Value, &Value)) {
    if expected != actual {
        pairs.entry((column, expected.to_string(), actual.to_string())).or_default().push(message);
    }
}

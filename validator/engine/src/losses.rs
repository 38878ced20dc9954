//! Parts of the table that could not be read, and which messages they may have held.
//!
//! Contract: a message lies inside a lost part when its identity and its window lie inside the manifest's
//! bounds of the file, as far as the manifest has any; a file without bounds may have held every message.

use std::cmp::Ordering;

use arrow_array::ArrayRef;
use validator_core::judge::LossKind;
use validator_core::schema::Type;
use validator_core::value::Value;

use crate::binding::{BoundColumn, LeafPath, leaf_field};
use crate::leaves::leaf_array;

/// One lost part.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Corrupt bytes or unreadable, with the part's number.
    pub kind: LossKind,
    /// Bounds by field id: lower and upper, inclusive.
    pub bounds: Vec<(i32, Option<Value>, Option<Value>)>,
}

/// All lost parts of a run; unreadable ones first, as their verdict goes before.
#[derive(Debug, Default)]
pub struct Losses {
    parts: Vec<Part>,
    leaves: Vec<(LeafPath, Type)>,
}

#[derive(Debug)]
struct Part {
    kind: LossKind,
    /// Per leaf of `Losses::leaves`.
    bounds: Vec<(Option<Value>, Option<Value>)>,
}

impl Losses {
    /// The lost parts, seen through the leaves of identity and window.
    pub fn new(mut losses: Vec<Loss>, columns: &[BoundColumn], leaves: Vec<LeafPath>) -> Self {
        losses.sort_by_key(|loss| (matches!(loss.kind, LossKind::Corrupt { .. }), loss.kind.number()));
        let fields: Vec<_> = leaves.iter().map(|leaf| leaf_field(columns, leaf).clone()).collect();
        let bounds = |loss: &Loss, id: i32| {
            let found = loss.bounds.iter().find(|(field, _, _)| *field == id);
            found.map_or((None, None), |(_, lower, upper)| (lower.clone(), upper.clone()))
        };
        let part =
            |loss: &Loss| Part { kind: loss.kind, bounds: fields.iter().map(|field| bounds(loss, field.id)).collect() };
        let parts = losses.iter().map(part).collect();
        let leaves = leaves.into_iter().zip(fields.into_iter().map(|field| field.ty)).collect();
        Self { parts, leaves }
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The first lost part that may have held the row that this message should be.
    pub fn of(&self, columns: &[ArrayRef], row: usize) -> Option<LossKind> {
        if self.parts.is_empty() {
            return None;
        }
        let values: Vec<Value> =
            self.leaves.iter().map(|(leaf, ty)| Value::from_arrow(&leaf_array(columns, leaf), row, ty)).collect();
        let holds = |part: &&Part| {
            part.bounds.iter().zip(&values).all(|((lower, upper), value)| within(value, lower.as_ref(), upper.as_ref()))
        };
        self.parts.iter().find(holds).map(|part| part.kind)
    }
}

/// NULLs are never excluded: bounds say nothing of them.
fn within(value: &Value, lower: Option<&Value>, upper: Option<&Value>) -> bool {
    lower.is_none_or(|lower| lower.order(value) != Some(Ordering::Greater))
        && upper.is_none_or(|upper| value.order(upper) != Some(Ordering::Greater))
}

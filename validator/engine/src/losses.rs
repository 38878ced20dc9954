//! Parts of the table that could not be read, and which messages they may have held.
//!
//! Contract: a message lies inside a lost part when its identity or its window lies inside the manifest's bounds of the
//! file, as far as the manifest has any; a file without bounds may have held every message (interface.md §4). In mode
//! `content` there is no identity, so only the window tells: without one every message may have been in the file.

use std::cmp::Ordering;

use arrow_array::ArrayRef;
use validator_core::judge::LossKind;
use validator_core::schema::Type;
use validator_core::value::Value;

use crate::binding::{BoundColumn, BoundIdentity, LeafPath, leaf_field};
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
    /// Those of the identity, then the window unless it is one of them.
    leaves: Vec<(LeafPath, Type)>,
    identity_leaves: usize,
    /// Index into `leaves`.
    window: Option<usize>,
}

#[derive(Debug)]
struct Part {
    kind: LossKind,
    /// Per leaf of `Losses::leaves`.
    bounds: Vec<(Option<Value>, Option<Value>)>,
}

impl Losses {
    /// The lost parts, seen through the leaves of identity and window (see [`Losses::leaves`]).
    pub fn new(mut losses: Vec<Loss>, columns: &[BoundColumn], identity: &BoundIdentity) -> Self {
        losses.sort_by_key(|loss| (matches!(loss.kind, LossKind::Corrupt { .. }), loss.kind.number()));
        let leaves = Self::leaves(identity);
        let window = identity.window().and_then(|window| leaves.iter().position(|leaf| leaf == window));
        let fields: Vec<_> = leaves.iter().map(|leaf| leaf_field(columns, leaf).clone()).collect();
        let bounds = |loss: &Loss, id: i32| {
            let found = loss.bounds.iter().find(|(field, _, _)| *field == id);
            found.map_or((None, None), |(_, lower, upper)| (lower.clone(), upper.clone()))
        };
        let part =
            |loss: &Loss| Part { kind: loss.kind, bounds: fields.iter().map(|field| bounds(loss, field.id)).collect() };
        let parts = losses.iter().map(part).collect();
        let leaves = leaves.into_iter().zip(fields.into_iter().map(|field| field.ty)).collect();
        Self { parts, leaves, identity_leaves: identity.leaves().len(), window }
    }

    /// The leaves whose bounds count: those of the identity, then the window unless it is one of them.
    pub fn leaves(identity: &BoundIdentity) -> Vec<LeafPath> {
        let mut leaves = identity.leaves();
        if let Some(window) = identity.window()
            && !leaves.contains(window)
        {
            leaves.push(window.clone());
        }
        leaves
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
        self.parts.iter().find(|part| self.may_have_held(part, &values)).map(|part| part.kind)
    }

    fn may_have_held(&self, part: &Part, values: &[Value]) -> bool {
        let inside = |leaf: usize| within(&values[leaf], &part.bounds[leaf]);
        let by_leaf: Vec<bool> = (0..self.identity_leaves).filter_map(inside).collect();
        let by_identity = (!by_leaf.is_empty()).then(|| by_leaf.iter().all(|inside| *inside));
        let by_window = self.window.and_then(inside);
        (by_identity, by_window) == (None, None) || by_identity == Some(true) || by_window == Some(true)
    }
}

/// Whether a value lies inside the bounds; `None` where there are none, or where they say nothing of it: bounds leave NULL and
/// NaN out (Iceberg spec, `lower_bounds`), and what a value is that no column can hold only its row tells.
pub(crate) fn within(value: &Value, bounds: &(Option<Value>, Option<Value>)) -> Option<bool> {
    let (lower, upper) = bounds;
    let above = lower.as_ref().map(|lower| lower.order(value).map(Ordering::is_le));
    let below = upper.as_ref().map(|upper| value.order(upper).map(Ordering::is_le));
    match (above, below) {
        (None, None) | (Some(None), _) | (_, Some(None)) => None,
        (above, below) => Some(above.flatten().unwrap_or(true) && below.flatten().unwrap_or(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_say_nothing_of_null_nan_and_what_no_column_holds() {
        let bounds = (Some(Value::integer(3)), Some(Value::integer(7)));
        for (value, inside) in [(3, true), (5, true), (7, true), (2, false), (8, false)] {
            assert_eq!(within(&Value::integer(value), &bounds), Some(inside), "{value}");
        }
        for value in [Value::Null, Value::Inexact("10.5".into()), Value::Double(f64::NAN)] {
            assert_eq!(within(&value, &bounds), None, "{value}");
            assert_eq!(within(&value, &(bounds.0.clone(), None)), None, "{value}");
        }
        assert_eq!(within(&Value::integer(5), &(None, Some(Value::integer(4)))), Some(false));
        assert_eq!(within(&Value::integer(5), &(None, None)), None);
    }
}

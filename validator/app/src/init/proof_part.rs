//! The part of a table that the proof of a place reads: files by the bounds of their manifest entries, row groups by what
//! footers claim.
//!
//! Contract: bounds that are missing leave nothing out. A claim that is wrong changes what the proof of a sample sees, and
//! nothing else: a whole run believes none.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use validator_core::contract::{Bound, Identity};
use validator_core::position::FileIndex;
use validator_core::schema::Field;
use validator_core::value::Value;
use validator_table::RowGroups;

use super::limits::PROOF_FOOTERS_MAX;
use super::sides::Looked;
use crate::open::Sides;
use crate::reconcile::Request;

/// What is read.
#[derive(Debug)]
pub struct Part {
    /// Row groups of files of which not all are.
    pub within: BTreeMap<FileIndex, RowGroups>,
    /// Rows in all.
    pub rows: u64,
}

/// The part that may hold rows of the messages asked for; files without any leave the sides.
pub async fn part(sides: &mut Sides, looked: &Looked, request: &Request) -> Part {
    let mut part = Part { within: BTreeMap::new(), rows: sides.estimate().rows };
    let Some((field, between)) = between(sides, looked, request) else { return part };
    let mut pinned = (*sides.pinned).clone();
    pinned.files.retain(|file| between.may_hold(file.bounds(field.id)));
    sides.pinned = Arc::new(pinned);
    part.rows = sides.estimate().rows;
    if sides.pinned.files.len() > PROOF_FOOTERS_MAX {
        return part;
    }
    part.rows = 0;
    for (file, index) in sides.pinned.files.iter().zip(0_u32..) {
        let Some(claims) = sides.pinned.claims(file).await else {
            // The run says what is wrong with it.
            part.rows += file.record_count * u64::from(file.entries);
            continue;
        };
        let may_hold = |group: u32| match claims.bounds(group, &field) {
            Some((lower, upper)) => between.may_hold((Some(lower), Some(upper))),
            None => true,
        };
        let kept: BTreeMap<u32, u64> = claims.row_groups().filter(|(group, _)| may_hold(*group)).collect();
        part.rows += kept.values().sum::<u64>() * u64::from(file.entries);
        if kept.len() < claims.row_groups().count() {
            part.within.insert(FileIndex(index), RowGroups::Only(kept.into_keys().collect()));
        }
    }
    part
}

/// The least and the greatest value of some messages.
struct Between {
    least: Value,
    most: Value,
}

impl Between {
    /// Whether bounds leave room for one of them.
    fn may_hold(&self, (lower, upper): (Option<Value>, Option<Value>)) -> bool {
        let is_below = upper.is_some_and(|upper| upper.order(&self.least) == Some(Ordering::Less));
        let is_above = lower.is_some_and(|lower| lower.order(&self.most) == Some(Ordering::Greater));
        !is_below && !is_above
    }
}

/// The column of the window or the offset, and what the messages asked for have in it.
fn between(sides: &Sides, looked: &Looked, request: &Request) -> Option<(Field, Between)> {
    let (Some(Bound::Offsets(from)), Some(Bound::Offsets(to))) = (&request.from, &request.to) else { return None };
    let column = match &sides.contract.identity {
        Identity::Offset { offset, .. } => offset,
        Identity::Key { window: Some(window), .. } | Identity::Content { window: Some(window), .. } => window,
        _ => return None,
    };
    let field = sides.pinned.schema.field_at(column)?.clone();
    let values = looked.values_of(column, from, to);
    let order = |a: &&Value, b: &&Value| a.order(b).unwrap_or(Ordering::Equal);
    let (least, most) = (values.iter().min_by(order)?.clone(), values.iter().max_by(order)?.clone());
    Some((field, Between { least, most }))
}

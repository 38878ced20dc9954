//! A table that several topics write to: which of its rows are this topic's.
//!
//! Contract: one column tells them apart. All tied rows have one value of it and many other rows have others, none of which is
//! tied. Where all is seen, hardly a row of that value is without its message; where a part is, the table has to be partitioned
//! by the column, or the column named after where rows come from.

use std::collections::{BTreeSet, HashSet};

use validator_core::value::Value;

use super::columns::short;
use super::derived::constant::{is_changing, literal_of};
use super::evidence::{Evidence, Rows};
use super::limits::{CONSTANT_ROWS_LEAST, SHARED_ROWS_LEAST, SHARED_VALUES_MAX, TIES_MAX};
use super::proposal::Line;
use super::ties::Ties;
use crate::identifier::identifier;

/// Words of names of columns that say where a row comes from.
const ORIGINS: [&str; 11] =
    ["exchange", "venue", "source", "market", "topic", "feed", "tenant", "region", "system", "origin", "platform"];

/// Of rows of the value, how many must be tied where all is seen.
const TIED: (usize, usize) = (95, 100);

/// What tells the rows apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    leaf: usize,
    value: Value,
    /// `row_filter`, with what was seen.
    pub line: Line,
}

/// What tells this topic's rows from those of others; none where all rows seem to be this topic's.
pub fn share(evidence: &Evidence, ties: &Ties) -> Option<Share> {
    let tied: HashSet<usize> = ties.ties.iter().map(|tie| tie.row).collect();
    if tied.len() < CONSTANT_ROWS_LEAST {
        return None;
    }
    let leaves = evidence.rows.leaves.iter().enumerate().filter(|(_, leaf)| !leaf.is_child);
    let shares = leaves.filter_map(|(leaf, _)| of_leaf(evidence, &tied, leaf));
    let best = shares.max_by_key(|(share, others)| {
        let name = &evidence.rows.leaves[share.leaf].path;
        (*others, evidence.partitioned_by.contains(name), std::cmp::Reverse(share.leaf))
    });
    best.map(|(share, _)| share)
}

/// With how many rows have another value.
fn of_leaf(evidence: &Evidence, tied: &HashSet<usize>, leaf: usize) -> Option<(Share, usize)> {
    let described = &evidence.rows.leaves[leaf];
    if is_changing(&described.path) {
        return None;
    }
    let values: Vec<&Value> = evidence.rows.of(leaf).collect();
    let value = values[*tied.iter().min()?];
    let literal = literal_of(value, &described.field.ty)?;
    let has_value = |row: &usize| values[*row] == value;
    let says_otherwise = |field: usize| evidence.messages.values.iter().any(|message| message[field] != *value);
    if !tied.iter().all(has_value) || evidence.messages.field(&described.path).is_some_and(says_otherwise) {
        return None;
    }
    let other: Vec<&Value> = values.iter().copied().filter(|other| *other != value).collect();
    let different: BTreeSet<String> = other.iter().map(|value| value.to_string()).collect();
    let (own, others) = (values.len() - other.len(), other.len());
    let is_told = match evidence.is_whole {
        true => tied.len() >= TIES_MAX || tied.len() * TIED.1 >= own * TIED.0,
        false => is_origin(evidence, &described.path),
    };
    if !is_told || others < SHARED_ROWS_LEAST || different.len() > SHARED_VALUES_MAX {
        return None;
    }
    let line = Line {
        key: "row_filter".to_owned(),
        value: format!("{} = {literal}", identifier(&described.path)),
        seen: format!(
            "{others} of {} rows sampled have another {} and none of them has a message here: other topics write to this table too",
            values.len(),
            short(&described.path)
        ),
    };
    Some((Share { leaf, value: value.clone(), line }, others))
}

fn is_origin(evidence: &Evidence, name: &str) -> bool {
    let name_of = name.to_lowercase();
    evidence.partitioned_by.contains(name) || name_of.split(['_', '.', '-']).any(|word| ORIGINS.contains(&word))
}

impl Share {
    /// The evidence with this topic's rows alone.
    pub fn of(&self, evidence: &Evidence) -> Evidence {
        let rows = evidence.rows.values.iter().filter(|row| row[self.leaf] == self.value).cloned().collect();
        Evidence { rows: Rows { leaves: evidence.rows.leaves.clone(), values: rows }, ..evidence.clone() }
    }
}

//! Masked columns: what nobody is shown of them, in findings, details and messages.
//!
//! Contract: a value of a masked column, or of a field that one is made of, leaves the engine only as [`MASKED`]; NULL stays
//! NULL, as the damage says so anyway. No digest stands for a value: one that can be guessed would be told by it.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use validator_core::finding::Finding;

use crate::binding::{BoundColumn, ColumnSource};
use crate::expr::referenced_names;
use crate::leaves::is_in;

/// What stands in place of a value.
pub const MASKED: &str = "(masked)";

/// The columns whose values nobody is shown.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    /// Columns, nested ones by dotted path.
    columns: Vec<String>,
    /// Message fields that their values come from.
    fields: BTreeSet<String>,
}

impl Mask {
    /// The mask of these columns of a binding; `wanted` are the names of the fields that columns refer to.
    pub fn new(columns: &[String], bound: &[BoundColumn], wanted: &[String]) -> Self {
        let mut mask = Self { columns: columns.to_vec(), fields: BTreeSet::new() };
        for column in bound.iter().filter(|column| mask.hides(&column.field.name)).collect::<Vec<_>>() {
            match &column.source {
                ColumnSource::Field { index, .. } => drop(mask.fields.insert(wanted[*index].clone())),
                ColumnSource::Sql(sql) => mask.fields.extend(referenced_names(sql).unwrap_or_default()),
                ColumnSource::Position(_) | ColumnSource::PositionStruct(_) => {}
            }
        }
        mask
    }

    /// The mask of these columns where no contract is bound: of findings that were told before they were masked.
    pub fn of_columns(columns: &[String]) -> Self {
        Self { columns: columns.to_vec(), fields: BTreeSet::new() }
    }

    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether a column or a leaf of one (`a.b`, `a[3].b`) holds, or lies in, something that is hidden.
    pub fn hides(&self, name: &str) -> bool {
        let plain = without_indexes(name);
        self.columns.iter().any(|column| is_in(&plain, column) || is_in(column, &plain))
    }

    /// Whether an expression reads a field whose values are hidden.
    pub fn reads_hidden(&self, sql: &str) -> bool {
        // Key and payload as a whole hold every field.
        let is_hidden = |name: &String| self.fields.contains(name) || ["_key", "_value"].contains(&name.as_str());
        !self.is_empty() && referenced_names(sql).is_ok_and(|names| names.iter().any(is_hidden))
    }

    /// Takes the hidden values out of a finding.
    pub fn apply(&self, finding: &mut Finding) {
        let hide = |value: &mut Json| {
            if !value.is_null() {
                *value = Json::from(MASKED);
            }
        };
        self.hide_keys(finding);
        for column in finding.columns.iter_mut().filter(|column| self.hides(&column.name)) {
            hide(&mut column.message);
            hide(&mut column.row);
        }
        let identity = finding.identity.iter_mut().flat_map(|named| &mut named.0);
        identity.filter(|(name, _)| self.hides(name)).for_each(|(_, value)| hide(value));
    }

    /// Takes the keys of hidden maps out of the paths of its columns: before anything is said of them.
    pub fn hide_keys(&self, finding: &mut Finding) {
        for column in &mut finding.columns {
            if let Some(masked) = self.columns.iter().find(|masked| is_in(&without_indexes(&column.name), masked)) {
                column.name.clone_from(masked);
            }
        }
    }

    /// The sentence on what a Kafka key does not name, without a value of it where one of `identity` is hidden.
    pub fn naming(&self, why: &str, mut identity: impl Iterator<Item = String>) -> String {
        match why.split_once(": ").filter(|_| identity.any(|column| self.hides(&column))) {
            Some((what, _)) => format!("{what}: {MASKED}"),
            None => why.to_owned(),
        }
    }

    /// The sentence on a payload that cannot be decoded, without what a hidden field may have put into it.
    pub fn decoding(&self, detail: &str) -> String {
        let hidden = self.fields.iter().find(|field| {
            let rest = detail.strip_prefix("field ").and_then(|rest| rest.strip_prefix(field.as_str()));
            rest.is_some_and(|rest| rest.starts_with(['.', '[', ':', ' ']))
        });
        match hidden {
            Some(field) => format!("field {field}: {MASKED}"),
            None => detail.to_owned(),
        }
    }
}

/// `a[3].b` as `a.b`.
fn without_indexes(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut inside = false;
    for c in name.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}

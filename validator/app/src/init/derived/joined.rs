//! Two texts of the message with a constant between them: `exchange || '-' || trade_id`.

use validator_core::schema::Type;
use validator_core::value::Value;

use super::{Derived, Part, Sought, plain_text};
use crate::init::columns::short;
use crate::init::limits::{AFFIX_CHARS_MAX, DERIVED_FIELDS_MAX};
use crate::init::reading::literal;

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    if *sought.ty() != Type::String {
        return None;
    }
    let fields: Vec<usize> = sought.fields().take(DERIVED_FIELDS_MAX).collect();
    fields.iter().find_map(|first| {
        let others = fields.iter().filter(|second| *second != first);
        others.into_iter().find_map(|second| of_fields(sought, *first, *second))
    })
}

fn of_fields(sought: &Sought<'_>, first: usize, second: usize) -> Option<Derived> {
    let lesson = sought.lesson(&[first, second])?;
    let text = |field: usize| plain_text(sought.message(lesson, field)).filter(|text| !text.is_empty());
    let (begin, end) = (text(first)?, text(second)?);
    let Value::String(row) = sought.row(lesson) else { return None };
    let between = row.strip_prefix(begin.as_str())?.strip_suffix(end.as_str())?;
    if between.chars().count() > AFFIX_CHARS_MAX {
        return None;
    }
    let joined = |a: &Value, b: &Value| match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Some(Value::Null),
        (a, b) => Some(Value::string(format!("{}{between}{}", plain_text(a)?, plain_text(b)?))),
    };
    let name = |field: usize| short(&sought.evidence.messages.fields[field].name);
    let says = format!("{} joined with {}", name(first), name(second));
    let seen = sought.borne_out(&says, |tie| joined(sought.message(tie, first), sought.message(tie, second)))?;
    let between = if between.is_empty() { " || ".to_owned() } else { format!(" || {} || ", literal(between)) };
    Some(Derived { parts: vec![Part::Text(first), Part::Sql(between), Part::Text(second)], seen, tolerance: None })
}

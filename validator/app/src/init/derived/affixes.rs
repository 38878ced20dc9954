//! A text of the message between two constants: `symbol || '-PERP'`, `'t/' || id || '/v2'`.

use validator_core::schema::Type;
use validator_core::value::Value;

use super::{Derived, Part, Sought, plain_text};
use crate::init::columns::short;
use crate::init::limits::AFFIX_CHARS_MAX;
use crate::init::reading::literal;

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    (*sought.ty() == Type::String).then(|| sought.fields().find_map(|field| of_field(sought, field)))?
}

fn of_field(sought: &Sought<'_>, field: usize) -> Option<Derived> {
    let lesson = sought.lesson(&[field])?;
    let (Value::String(row), message) = (sought.row(lesson), plain_text(sought.message(lesson, field))?) else {
        return None;
    };
    if message.is_empty() {
        return None;
    }
    let (before, after) = row.split_once(message.as_str())?;
    if after.is_empty() || before.chars().count() + after.chars().count() > AFFIX_CHARS_MAX {
        return None;
    }
    let given = |value: &Value| match value {
        Value::Null => Some(Value::Null),
        other => Some(Value::string(format!("{before}{}{after}", plain_text(other)?))),
    };
    let name = short(&sought.evidence.messages.fields[field].name);
    let seen = sought.borne_out(&format!("{name} between constants"), |tie| given(sought.message(tie, field)))?;
    let mut parts = vec![Part::Text(field), Part::Sql(format!(" || {}", literal(after)))];
    if !before.is_empty() {
        parts.insert(0, Part::Sql(format!("{} || ", literal(before))));
    }
    Some(Derived { parts, seen, tolerance: None })
}

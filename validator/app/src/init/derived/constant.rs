//! A constant of the sink: `'BINANCE'`.
//!
//! Contract: the value stands in every row sampled, the rows are of several commits, and nothing in the messages is named
//! like the column. What changes by its nature is no constant, however often it was met: times, days, ids of a batch or a
//! schema, and columns that are named like a message's position, where a constant is a placeholder.

use validator_core::convert::Parsed;
use validator_core::convert::instant::{InstantUnit, parse_date, parse_timestamp};
use validator_core::convert::uuid::parse_uuid;
use validator_core::schema::Type;
use validator_core::value::Value;

use super::{Derived, Part, Sought};
use crate::init::limits::{CONSTANT_COMMITS_LEAST, CONSTANT_NUMBER_MAX, CONSTANT_ROWS_LEAST};
use crate::init::offsets::is_named_like_a_position;
use crate::init::reading::literal;

/// Words of names whose values change with every batch, job, release or schema.
const CHANGING: [&str; 12] =
    ["batch", "run", "job", "load", "file", "commit", "snapshot", "schema", "time", "date", "timestamp", "day"];

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    let (rows, commits) = (sought.evidence.rows.values.len(), sought.evidence.commits_ms.len());
    let has_namesake = sought.evidence.messages.field(sought.name()).is_some();
    if rows < CONSTANT_ROWS_LEAST || commits < CONSTANT_COMMITS_LEAST || has_namesake || is_changing(sought.name()) {
        return None;
    }
    let mut values = sought.evidence.rows.of(sought.leaf);
    let first = values.next()?;
    let sql = literal_of(first, sought.ty())?;
    values.all(|value| value == first).then(|| Derived {
        parts: vec![Part::Sql(sql)],
        seen: format!("a constant of the sink: in all {rows} rows sampled, of {commits} commits"),
        tolerance: None,
    })
}

/// Whether a column of this name changes by its nature, or names a position.
pub fn is_changing(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.split(['_', '.', '-']).any(|word| CHANGING.contains(&word)) || is_named_like_a_position(name)
}

/// The value in SQL; none of values that change by their nature.
pub fn literal_of(value: &Value, ty: &Type) -> Option<String> {
    match (value, ty) {
        (Value::String(text), Type::String) => (!is_changing_text(text)).then(|| literal(text)),
        (Value::Boolean(value), Type::Boolean) => Some(value.to_string()),
        (Value::Number { .. }, Type::Int | Type::Long) => {
            // Larger ones are times and ids.
            value.as_integer().filter(|whole| whole.abs() <= CONSTANT_NUMBER_MAX).map(|whole| whole.to_string())
        }
        (Value::Number { .. }, Type::Decimal { .. }) => Some(value.to_string()),
        _ => None,
    }
}

fn is_changing_text(text: &str) -> bool {
    let is = |failed: bool| !failed;
    is(matches!(parse_date(text), Parsed::Failed))
        || is(matches!(parse_timestamp(text, true, InstantUnit::Nanos), Parsed::Failed))
        || is(matches!(parse_timestamp(text, false, InstantUnit::Nanos), Parsed::Failed))
        || is(matches!(parse_uuid(text), Parsed::Failed))
        || text.parse::<f64>().is_ok_and(|number| number.abs() > CONSTANT_NUMBER_MAX as f64)
        || super::super::evidence::is_digest(text)
}

//! The day or the hour of a time of the message: `CAST(date_trunc('day', T) AS DATE)`.
//!
//! Contract: where a processing time of the sink has the same day or hour in every row, the sample does not tell which of
//! the two the column is of, and nothing is proposed. Nor is it where several fields fit and not just one of them makes
//! another column. The day of a processing time is that of a field which is named like one.

use validator_core::contract::EpochUnit;
use validator_core::schema::Type;
use validator_core::value::Value;

use super::{Derived, Part, Sought};
use crate::init::columns::{Explanation, short};
use crate::init::reading::Reading;
use crate::init::window::is_named_like_a_processing_time;

const DAY_NANOS: i128 = 86_400_000_000_000;
const HOUR_NANOS: i128 = 3_600_000_000_000;

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    if !matches!(sought.ty(), Type::Date | Type::Int | Type::Long) {
        return None;
    }
    // The day of a processing time that the message has is named like one too.
    let is_sinks = is_named_like_a_processing_time(sought.name());
    let is_of_kind = |name: &str| !is_sinks || is_named_like_a_processing_time(name);
    let times = |of_message: bool| {
        let leaves = sought.evidence.rows.leaves.iter().zip(sought.explained).enumerate();
        let of_side = leaves.filter(move |(_, (leaf, explained))| {
            let is_of_message = matches!(explained, Explanation::Field { .. });
            is_of_message == of_message
                && !leaf.is_child
                && is_time(&leaf.field.ty)
                && (!of_message || is_of_kind(&leaf.path))
        });
        of_side.map(|(leaf, _)| leaf)
    };
    if times(false).any(|leaf| of_column(sought, leaf).is_some()) {
        return None;
    }
    let (part, seen) = times(true)
        .find_map(|leaf| Some((Part::Column(leaf), of_column(sought, leaf)?)))
        .or_else(|| of_fields(sought, is_sinks))?;
    let (before, after) = match sought.ty() {
        Type::Date => ("CAST(date_trunc('day', ", ") AS DATE)"),
        _ => ("CAST(date_part('hour', ", ") AS INT)"),
    };
    Some(Derived {
        parts: vec![Part::Sql(before.to_owned()), part, Part::Sql(after.to_owned())],
        seen,
        tolerance: None,
    })
}

fn is_time(ty: &Type) -> bool {
    matches!(ty, Type::Timestamp | Type::Timestamptz | Type::TimestampNs | Type::TimestamptzNs)
}

fn unit(sought: &Sought<'_>) -> &'static str {
    if *sought.ty() == Type::Date { "day" } else { "hour" }
}

/// The day or hour of an instant, as the column has it; NULL of none.
fn part_of(nanos: Option<i128>, ty: &Type) -> Option<Value> {
    let Some(nanos) = nanos else { return Some(Value::Null) };
    match ty {
        Type::Date => i32::try_from(nanos.div_euclid(DAY_NANOS)).ok().map(Value::Date),
        _ => i64::try_from(nanos.rem_euclid(DAY_NANOS) / HOUR_NANOS).ok().map(Value::integer),
    }
}

/// Whether the column is that of the time in another one, row by row.
fn of_column(sought: &Sought<'_>, leaf: usize) -> Option<String> {
    let says = format!("the {} of {}", unit(sought), short(&sought.evidence.rows.leaves[leaf].path));
    let nanos = |row: usize| sought.evidence.rows.values[row][leaf].epoch_nanos();
    sought.borne_out(&says, |tie| part_of(nanos(tie.row), sought.ty()))
}

/// Whether it is that of a field: of several that fit, which a moment keeps apart, the only one that another column is made of.
fn of_fields(sought: &Sought<'_>, is_sinks: bool) -> Option<(Part, String)> {
    let name = |field: usize| &sought.evidence.messages.fields[field].name;
    let named = sought.fields().filter(|field| is_named_like_a_processing_time(name(*field)) == is_sinks);
    let mut fitting: Vec<(usize, (Part, String))> =
        named.filter_map(|field| Some((field, of_field(sought, field)?))).collect();
    if fitting.len() > 1 {
        let is_kept = |field: usize| {
            let is_made =
                |explained: &Explanation| matches!(explained, Explanation::Field { field: of, .. } if *of == field);
            sought.explained.iter().any(is_made)
        };
        fitting.retain(|(field, _)| is_kept(*field));
    }
    if fitting.len() == 1 { fitting.pop().map(|(_, found)| found) } else { None }
}

/// Whether it is that of a field which is an instant or counts since the epoch, and is no instant in the table.
fn of_field(sought: &Sought<'_>, field: usize) -> Option<(Part, String)> {
    use EpochUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let says = format!("the {} of {}", unit(sought), short(&sought.evidence.messages.fields[field].name));
    let lesson = sought.message(sought.lesson(&[field])?, field);
    if matches!(lesson, Value::Timestamp { .. }) {
        let given = |value: &Value| part_of(value.epoch_nanos(), sought.ty());
        return Some((Part::Time(field), sought.borne_out(&says, |tie| given(sought.message(tie, field)))?));
    }
    lesson.as_integer()?;
    [Millisecond, Microsecond, Second, Nanosecond].into_iter().find_map(|unit| {
        let given = |value: &Value| {
            let instant = Reading::Epoch(unit).apply(value, &Type::TimestamptzNs)?;
            part_of(instant.epoch_nanos(), sought.ty())
        };
        let seen = sought.borne_out(&says, |tie| given(sought.message(tie, field)))?;
        Some((Part::Instant(field, unit), seen))
    })
}

//! Rows that sum several messages up: candles, counts by the minute.
//!
//! Contract: no pipeline can be written for them, since one proves a row for each message; what shows it is said.

use std::collections::BTreeMap;

use validator_core::schema::Type;
use validator_core::value::Value;

use super::columns::{Explanation, short};
use super::evidence::Evidence;
use super::limits::{AGGREGATE_COLUMNS_LEAST, AGGREGATE_DISTINCT_LEAST};
use super::ties::Ties;

/// What shows that rows stand for several messages each; none where nothing does.
pub fn aggregated(evidence: &Evidence, ties: &Ties, explained: &[Explanation]) -> Option<Vec<String>> {
    let seen: Vec<String> = counts(evidence).into_iter().chain(extremes(evidence, ties, explained)).collect();
    (!seen.is_empty()).then_some(seen)
}

/// A column of counts that adds up to the messages there are.
fn counts(evidence: &Evidence) -> Option<String> {
    let (messages, rows) = (evidence.messages.values.len(), evidence.rows.values.len());
    if !evidence.is_whole || rows < 2 || rows >= messages {
        return None;
    }
    let leaves = evidence.rows.leaves.iter().enumerate();
    let mut whole = leaves.filter(|(_, leaf)| matches!(leaf.field.ty, Type::Int | Type::Long));
    let (_, column) = whole.find(|(at, _)| {
        let counts: Option<Vec<i128>> = evidence.rows.of(*at).map(Value::as_integer).collect();
        counts.is_some_and(|counts| {
            counts.iter().all(|count| *count >= 1)
                && counts.iter().any(|count| *count > 1)
                && counts.iter().try_fold(0_i128, |sum, count| sum.checked_add(*count)) == i128::try_from(messages).ok()
        })
    })?;
    Some(format!(
        "column {} adds up to {messages} in {rows} rows, and there are {messages} messages",
        short(&column.path)
    ))
}

/// Columns of numbers that no field explains row by row, and that all hold values of one field: its first, greatest, least
/// and last.
fn extremes(evidence: &Evidence, ties: &Ties, explained: &[Explanation]) -> Option<String> {
    let mut of_field: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for tried in &ties.tried {
        let leaf = &evidence.rows.leaves[tried.leaf];
        let is_number =
            matches!(leaf.field.ty, Type::Int | Type::Long | Type::Decimal { .. } | Type::Float | Type::Double);
        let is_open = matches!(explained[tried.leaf], Explanation::Ignored { .. }) && !leaf.is_child;
        let all = evidence.rows.of(tried.leaf).filter(|value| !value.is_null()).count();
        let holds = tried.met * 2 >= all && tried.distinct >= AGGREGATE_DISTINCT_LEAST;
        let columns = of_field.entry(tried.field).or_default();
        if is_number && is_open && holds && !columns.contains(&tried.leaf) {
            columns.push(tried.leaf);
        }
    }
    let (field, mut columns) = of_field.into_iter().max_by_key(|(_, columns)| columns.len())?;
    columns.sort_unstable();
    (columns.len() >= AGGREGATE_COLUMNS_LEAST).then(|| {
        let names: Vec<String> = columns.iter().map(|leaf| short(&evidence.rows.leaves[*leaf].path)).collect();
        let field = short(&evidence.messages.fields[field].name);
        format!("columns {} hold values of field {field}, and of no one message", names.join(", "))
    })
}

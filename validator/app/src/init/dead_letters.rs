//! Rows of messages that a sink could not write: their payload, and what was wrong with it.
//!
//! Contract: no pipeline can be written for them, since most messages have no row there and are meant to have none; what shows
//! it is said. A table of a topic of dead letters has a row for each message, and is one as any other.

use std::collections::HashSet;

use validator_core::schema::Type;
use validator_core::value::Value;

use super::columns::{Explanation, short};
use super::evidence::Evidence;
use super::limits::NAMES_SAID;
use super::ties::Ties;

/// What columns that say why are named after.
const WHY: [&str; 7] = ["error", "dlq", "dead_letter", "exception", "failure", "reject", "invalid"];

/// What shows that the rows are dead letters; none where nothing does.
pub fn dead_letters(evidence: &Evidence, ties: &Ties, explained: &[Explanation]) -> Option<Vec<String>> {
    let leaves = || evidence.rows.leaves.iter().enumerate().filter(|(_, leaf)| !leaf.is_child);
    let of_field = |at: usize| match explained[at] {
        Explanation::Field { field, .. } => Some(&evidence.messages.fields[field]),
        _ => None,
    };
    let (_, payload) = leaves().find(|(at, _)| of_field(*at).is_some_and(|field| field.name == "_value"))?;
    let says_why = |(at, name): (usize, &str)| {
        let name = name.to_lowercase();
        let is_there = |value: &Value| matches!(value, Value::String(why) if !why.is_empty());
        WHY.iter().any(|word| name.contains(word)) && of_field(at).is_none() && evidence.rows.of(at).all(is_there)
    };
    let texts = leaves().filter(|(_, leaf)| leaf.field.ty == Type::String);
    let why: Vec<String> = texts
        .filter(|(at, leaf)| says_why((*at, &leaf.path)))
        .map(|(_, leaf)| short(&leaf.path))
        .take(NAMES_SAID)
        .collect();
    let messages = evidence.messages.values.len();
    let with_a_row = ties.ties.iter().map(|tie| tie.message).collect::<HashSet<_>>().len();
    (!why.is_empty() && with_a_row * 2 < messages).then(|| {
        vec![
            format!(
                "column {} keeps the payload, and {} says in every row what is wrong",
                short(&payload.path),
                why.join(", ")
            ),
            format!("{} of {messages} messages sampled have no row", messages - with_a_row),
        ]
    })
}

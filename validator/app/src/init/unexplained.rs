//! Columns that are ignored although a field of their name has values: what the field says may be lost in them.
//!
//! Contract: such a column is told, and the file that ignores it is not proved, unless a rule may stand behind it that is not known
//! here: a time of the sink, an id that it makes, or a word for each of few values.

use std::collections::{BTreeSet, HashMap};

use validator_core::value::Value;

use super::columns::{Explanation, is_after, is_uuid, short};
use super::evidence::{Evidence, Leaf, MessageField};
use super::ties::{Tie, Ties};

/// What Kafka says of a message, and not the message.
const PLACES: [&str; 4] = ["_topic", "_partition", "_offset", "_timestamp"];

/// A sentence for each, and one where nothing but the place of a message is compared.
pub fn unexplained(
    evidence: &Evidence,
    ties: &Ties,
    explained: &[Explanation],
    ignored: &BTreeSet<String>,
) -> Vec<String> {
    let leaves = || evidence.rows.leaves.iter().enumerate().filter(|(_, leaf)| !leaf.is_child);
    let says = |(leaf, described): (usize, &Leaf)| match &explained[leaf] {
        _ if ignored.contains(&described.path) => false,
        Explanation::Field { field, .. } => !PLACES.contains(&evidence.messages.fields[*field].name.as_str()),
        Explanation::Derived(_) => true,
        Explanation::Ignored { .. } => false,
    };
    let alone = (!leaves().any(says)).then(|| {
        "no column has anything of a message but its place and time: what messages say is not compared".to_owned()
    });
    let ignored = leaves().filter(|(_, leaf)| ignored.contains(&leaf.path));
    ignored.filter_map(|(leaf, _)| of_leaf(evidence, ties, leaf)).chain(alone).collect()
}

fn of_leaf(evidence: &Evidence, ties: &Ties, leaf: usize) -> Option<String> {
    let field = namesake(evidence, leaf)?;
    let pair = |tie: &Tie| (&evidence.messages.values[tie.message][field], &evidence.rows.values[tie.row][leaf]);
    let pairs: Vec<(&Value, &Value)> = ties.ties.iter().map(pair).filter(|(message, _)| !message.is_null()).collect();
    let (column, name) = (short(&evidence.rows.leaves[leaf].path), short(&evidence.messages.fields[field].name));
    let (of, tied) = (pairs.len(), ties.ties.len());
    if of == 0 {
        return None;
    }
    let there: Vec<&Value> = evidence.rows.of(leaf).filter(|value| !value.is_null()).collect();
    if there.is_empty() {
        return Some(format!(
            "column {column} is NULL in every row sampled, and field {name} has a value in {of} of {tied} tied messages: lost, or kept by a rule that is not known here"
        ));
    }
    let is_made = there.iter().all(|value| is_uuid(value)) || is_after(evidence, ties, leaf);
    (!is_made && !are_words(&pairs)).then(|| {
        format!(
            "column {column} is not what field {name} says in nearly all of {of} tied rows: damage, or a rule that the sample does not show"
        )
    })
}

/// The field of the payload that has the column's name, in whatever case.
fn namesake(evidence: &Evidence, leaf: usize) -> Option<usize> {
    let name = &evidence.rows.leaves[leaf].path;
    let is_of = |field: &MessageField| !field.is_meta && field.name.eq_ignore_ascii_case(name);
    evidence.messages.fields.iter().position(is_of)
}

/// Whether each value of the field went with one value of the column, each more than by chance.
fn are_words(pairs: &[(&Value, &Value)]) -> bool {
    let mut given: HashMap<String, (&Value, usize)> = HashMap::new();
    let agree = pairs.iter().all(|(message, row)| {
        let known = given.entry(message.to_string()).or_insert((row, 0));
        known.1 += 1;
        known.0 == *row
    });
    agree && given.values().all(|(_, seen)| *seen > 2)
}

//! Values that the proposed columns do not cover: what no type holds, and words that were not sampled.
//!
//! Contract: says how many messages of the sample, and nothing of what the sink makes of them: no row shows it.

use std::collections::BTreeSet;

use validator_core::value::Value;

use super::columns::{Explanation, short};
use super::evidence::{Evidence, Leaf};
use super::reading::Reading;

/// The columns that take a field under some reading.
fn kept<'a>(
    evidence: &'a Evidence,
    explained: &'a [Explanation],
    ignored: &'a BTreeSet<String>,
) -> impl Iterator<Item = (&'a Leaf, usize, &'a Reading)> {
    let leaves = evidence.rows.leaves.iter().zip(explained);
    let kept = leaves.filter(|(leaf, _)| !leaf.is_child && !ignored.contains(&leaf.path));
    kept.filter_map(|(leaf, explained)| match explained {
        Explanation::Field { field, reading, .. } => Some((leaf, *field, reading)),
        Explanation::Derived(_) | Explanation::Ignored { .. } => None,
    })
}

/// Columns that cannot hold what messages have, whatever the sink does with it.
pub fn lost(evidence: &Evidence, explained: &[Explanation], ignored: &BTreeSet<String>) -> Vec<String> {
    let of_column = |(leaf, field, reading): (&Leaf, usize, &Reading)| {
        let messages = &evidence.messages;
        let there: Vec<&Value> =
            messages.values.iter().map(|values| &values[field]).filter(|value| !value.is_null()).collect();
        let lost = there.iter().filter(|value| reading.apply(value, &leaf.field.ty).is_none()).count();
        let (name, of) = (short(&leaf.path), short(&messages.fields[field].name));
        let (ty, all) = (&leaf.field.ty, there.len());
        (*reading == Reading::Same && lost > 0).then(|| {
            format!("column {name}, {ty}, cannot hold what field {of} has in {lost} of {all} messages sampled: no row of these can be whole")
        })
    };
    kept(evidence, explained, ignored).filter_map(of_column).collect()
}

/// Columns with a word for each text that was sampled.
pub fn words(evidence: &Evidence, explained: &[Explanation], ignored: &BTreeSet<String>) -> Vec<String> {
    let of_column = |(leaf, field, reading): (&Leaf, usize, &Reading)| {
        let Reading::Cases(cases) = reading else { return None };
        let (name, of) = (short(&leaf.path), short(&evidence.messages.fields[field].name));
        let count = cases.len();
        cases.iter().any(|(from, _)| matches!(from, Value::String(_))).then(|| {
            format!("column {name} has a word for each of the {count} values of {of} that were sampled; add to its CASE what others become")
        })
    };
    kept(evidence, explained, ignored).filter_map(of_column).collect()
}

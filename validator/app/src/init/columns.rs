//! What explains each column, and what becomes of each field, by the ties of a sample.

use std::collections::{BTreeSet, HashMap, HashSet};

use validator_core::contract::Format;
use validator_core::schema::Type;
use validator_core::value::Value;

use super::derived::{self, Derived};
use super::evidence::Evidence;
use super::limits::{CASES_MAX, TIES_GLANCED, TIES_PROBED};
use super::reading::Reading;
use super::ties::{Correspondence, Tie, Ties, equal, given, is_for, met, values_of};

/// What is proposed for one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Explanation {
    /// A field explains it.
    Field {
        /// The field.
        field: usize,
        /// How.
        reading: Reading,
        /// Ties that are equal.
        equal: usize,
        /// Ties in which either side has a value.
        of: usize,
    },
    /// A rule over several fields, or over none, gives it in every tie.
    Derived(Derived),
    /// Nothing in the messages explains it.
    Ignored {
        /// What was seen.
        reason: String,
    },
}

/// Shares of ties: what is equal in nearly all is a rule (and the rest is damage); what is equal in hardly any is none.
const RULE: (usize, usize) = (95, 100);
const NO_RULE: (usize, usize) = (5, 100);

/// What explains each leaf.
pub fn explain(evidence: &Evidence, ties: &Ties) -> Vec<Explanation> {
    let leaves = 0..evidence.rows.leaves.len();
    let mut fitting: HashMap<&Type, Vec<Vec<Reading>>> = HashMap::new();
    let read: Vec<Explanation> = leaves
        .map(|leaf| {
            let ty = &evidence.rows.leaves[leaf].field.ty;
            let readings = fitting.entry(ty).or_insert_with(|| readings_for(evidence, ty));
            of_leaf(evidence, ties, leaf, readings)
        })
        .collect();
    let derive = |(leaf, explained): (usize, &Explanation)| match explained {
        Explanation::Ignored { .. } if !evidence.rows.leaves[leaf].is_child => {
            derived::find(evidence, ties, &read, leaf).map_or_else(|| explained.clone(), Explanation::Derived)
        }
        Explanation::Field { reading: Reading::Cases(_), .. } if !evidence.rows.leaves[leaf].is_child => {
            derived::find_piece(evidence, ties, &read, leaf).map_or_else(|| explained.clone(), Explanation::Derived)
        }
        other => other.clone(),
    };
    read.iter().enumerate().map(derive).collect()
}

/// The readings by which each field may become a column of this type.
fn readings_for(evidence: &Evidence, ty: &Type) -> Vec<Vec<Reading>> {
    let plain = Reading::plain();
    let of_field = |field: usize| {
        let fitting = plain.iter().filter(|reading| is_for(evidence, field, reading, ty)).cloned();
        // These are learned of each column.
        fitting.chain([Reading::Prefix(String::new()), Reading::Cases(Vec::new())]).collect()
    };
    (0..evidence.messages.fields.len()).map(of_field).collect()
}

fn of_leaf(evidence: &Evidence, ties: &Ties, leaf: usize, readings: &[Vec<Reading>]) -> Explanation {
    let mut found: Vec<(Correspondence, usize, usize)> = Vec::new();
    let values = values_of(evidence, leaf);
    let name = &evidence.rows.leaves[leaf].field.name;
    let is_namesake = |field: usize| evidence.messages.fields[field].name == *name;
    let (probed, glanced) = (spread(&ties.ties, TIES_PROBED), spread(&ties.ties, TIES_GLANCED));
    for (field, readings) in readings.iter().enumerate() {
        for reading in readings {
            let Some(reading) = learned(evidence, &ties.ties, leaf, field, reading) else { continue };
            let mut correspondence = Correspondence { leaf, field, reading, met: 0, met_messages: 0, distinct: 0 };
            // Most readings are of another kind, and most fields of another column; a few ties tell.
            let probed = if is_namesake(field) { &probed } else { &glanced };
            if matches!(self::equal(evidence, probed, &correspondence), (0, 1..)) {
                continue;
            }
            let (equal, of) = equal(evidence, &ties.ties, &correspondence);
            if equal * RULE.1 >= of * RULE.0 {
                let ty = &evidence.rows.leaves[leaf].field.ty;
                let given = given(evidence, field, &correspondence.reading, ty).unwrap_or_default();
                let met = met(&given, &values);
                (correspondence.met, correspondence.met_messages) = (met.rows, met.messages);
            }
            if of > 0 && equal > 0 {
                found.push((correspondence, equal, of));
            }
        }
    }
    let rules = found.iter().filter(|(_, equal, of)| equal * RULE.1 >= of * RULE.0);
    let mut rules: Vec<&(Correspondence, usize, usize)> =
        rules.filter(|(found, ..)| is_namesake(found.field) || tells(evidence, ties, found)).collect();
    // Ties were found by some reading and may be those alone that it fits: what has no tie has a say too.
    let met = |found: &Correspondence| found.met + found.met_messages;
    let most = rules.iter().map(|(found, ..)| met(found)).max().unwrap_or(0);
    rules.retain(|(found, ..)| met(found) * RULE.1 >= most * RULE.0);
    let is_of_kafka = name.to_lowercase().contains("kafka");
    let best = rules.into_iter().min_by_key(|(found, equal, of)| {
        let field = &evidence.messages.fields[found.field];
        let near = 1_000 - (strsim::jaro_winkler(&field.name.to_lowercase(), &name.to_lowercase()) * 1_000.0) as usize;
        let is_far = field.is_meta != is_of_kafka;
        (!is_namesake(found.field), 1_000 - equal * 1_000 / of, is_far, found.reading.rank(), near, found.field)
    });
    // Of its own name, and of the same values often enough to say that it is damage and no other rule.
    let damaged = || {
        let often = |(found, equal, of): &&(Correspondence, usize, usize)| {
            found.reading.rank() < 2 && is_namesake(found.field) && equal * NO_RULE.1 > of * NO_RULE.0
        };
        found.iter().filter(often).max_by_key(|(_, equal, _)| *equal)
    };
    match best.or_else(damaged) {
        Some((found, equal, of)) => {
            Explanation::Field { field: found.field, reading: found.reading.clone(), equal: *equal, of: *of }
        }
        None => namesake_without_values(evidence, leaf)
            .unwrap_or_else(|| Explanation::Ignored { reason: reason(evidence, ties, leaf) }),
    }
}

/// About so many of the ties, from all of them: damage lies side by side.
fn spread(ties: &[Tie], most: usize) -> Vec<Tie> {
    ties.iter().step_by(ties.len().div_ceil(most).max(1)).copied().collect()
}

/// Whether equal values mean anything: a constant on both sides is equal by chance.
fn tells(evidence: &Evidence, ties: &Ties, found: &Correspondence) -> bool {
    let values = || ties.ties.iter().map(|tie| &evidence.rows.values[tie.row][found.leaf]);
    let distinct: HashSet<String> = values().map(ToString::to_string).collect();
    // Of two truths one is met by chance.
    let is_word = |value: &Value| match value {
        Value::String(text) => text.chars().filter(|c| c.is_alphabetic()).count() > 2,
        _ => false,
    };
    distinct.len() > 1 || values().any(is_word)
}

/// A reading with what the ties teach it; none where they teach nothing.
fn learned(evidence: &Evidence, ties: &[Tie], leaf: usize, field: usize, reading: &Reading) -> Option<Reading> {
    let pairs = || {
        let pair = |tie: &Tie| (&evidence.messages.values[tie.message][field], &evidence.rows.values[tie.row][leaf]);
        ties.iter().map(pair).filter(|(message, row)| !message.is_null() && !row.is_null())
    };
    match reading {
        Reading::Prefix(_) => {
            let (message, row) = pairs().next()?;
            let (Value::String(row), true) = (row, matches!(message, Value::String(_) | Value::Number { .. })) else {
                return None;
            };
            let prefix = row.strip_suffix(&message.to_string())?;
            (!prefix.is_empty() && !message.to_string().is_empty()).then(|| Reading::Prefix(prefix.to_owned()))
        }
        Reading::Cases(_) => {
            if evidence.rows.leaves[leaf].field.ty != Type::String {
                return None;
            }
            let mut words: Vec<(Value, String, usize)> = Vec::new();
            for (message, row) in pairs() {
                let Value::String(row) = row else { return None };
                if !matches!(message, Value::Boolean(_) | Value::String(_)) {
                    return None;
                }
                match words.iter().position(|(known, ..)| known == message) {
                    Some(at) => words[at].2 += 1,
                    None if words.len() < CASES_MAX => words.push((message.clone(), row.clone(), 1)),
                    None => return None,
                }
            }
            // Two words at least, each of its own, each seen more than by chance.
            let different: HashSet<&String> = words.iter().map(|(_, word, _)| word).collect();
            let is_rule = words.len() > 1 && different.len() == words.len() && words.iter().all(|(.., seen)| *seen > 2);
            words.sort_by_key(|(value, ..)| value.to_string());
            is_rule.then(|| Reading::Cases(words.into_iter().map(|(value, word, _)| (value, word)).collect()))
        }
        other => Some(other.clone()),
    }
}

/// The field of the column's name where both are NULL throughout: nothing speaks against what the names say.
fn namesake_without_values(evidence: &Evidence, leaf: usize) -> Option<Explanation> {
    let described = &evidence.rows.leaves[leaf].field;
    let field = evidence.messages.field(&described.name)?;
    let is_null = evidence.messages.values.iter().all(|values| values[field].is_null())
        && evidence.rows.of(leaf).all(Value::is_null);
    let ty = evidence.messages.fields[field].ty.as_ref();
    let fits = ty.is_none_or(|ty| validator_core::convert::convertible(ty, &described.ty).is_ok());
    (is_null && fits).then_some(Explanation::Field { field, reading: Reading::Same, equal: 0, of: 0 })
}

/// Why a column is ignored: what was seen in it.
fn reason(evidence: &Evidence, ties: &Ties, leaf: usize) -> String {
    let described = &evidence.rows.leaves[leaf];
    let values: Vec<&Value> = evidence.rows.of(leaf).collect();
    let there: Vec<&Value> = values.iter().copied().filter(|value| !value.is_null()).collect();
    let distinct: HashSet<String> = there.iter().map(|value| value.to_string()).collect();
    let rows = values.len();
    let namesake = evidence.messages.field(&described.field.name);
    let differs = |why: &str| match namesake {
        Some(_) => format!("{why}; the field of its name holds something else"),
        None => format!("{why}, and in no message"),
    };
    if there.is_empty() {
        let has_values = |field: usize| evidence.messages.values.iter().any(|values| !values[field].is_null());
        return match namesake.filter(|field| has_values(*field)) {
            Some(_) => format!("NULL in all {rows} rows sampled; the field of its name has values"),
            None => format!("NULL in all {rows} rows sampled"),
        };
    }
    if let (1, Some(only)) = (distinct.len(), there.first()) {
        let shown = short(&only.to_string());
        return differs(&format!("{shown} in all {} rows sampled: a constant of the sink", there.len()));
    }
    if distinct.len() == there.len() && there.iter().all(|value| is_uuid(value)) {
        return differs(&format!("different in every row of {rows}: a uuid made by the sink"));
    }
    if is_after(evidence, ties, leaf) {
        return "after the message's timestamp in every row: a processing time of the sink".to_owned();
    }
    if let Some(field) = decided_by(evidence, ties, leaf) {
        let name = short(&evidence.messages.fields[field].name);
        return format!(
            "made of {name} by the sink: each of its values gave one; write it in [map] if you know the rule"
        );
    }
    match namesake {
        Some(_) => {
            "equals the field of its name in hardly any tied row: written by a rule that the sample does not show"
                .to_owned()
        }
        None => "no field of the messages has its values".to_owned(),
    }
}

pub(super) fn is_uuid(value: &Value) -> bool {
    match value {
        Value::Uuid(_) => true,
        Value::String(text) => {
            text.len() == 36
                && validator_core::convert::uuid::parse_uuid(text) != validator_core::convert::Parsed::Failed
        }
        _ => false,
    }
}

/// Whether a time is never before its message's, in ties.
pub(super) fn is_after(evidence: &Evidence, ties: &Ties, leaf: usize) -> bool {
    let Some(timestamp) = evidence.messages.field("_timestamp") else { return false };
    let day = |days: i32| i128::from(days) * 86_400_000_000_000;
    let after = |tie: &Tie| {
        let sent = evidence.messages.values[tie.message][timestamp].epoch_nanos()?;
        match &evidence.rows.values[tie.row][leaf] {
            Value::Date(days) => Some(day(*days) + day(1) > sent),
            other => Some(other.epoch_nanos()? >= sent),
        }
    };
    !ties.ties.is_empty() && ties.ties.iter().all(|tie| after(tie) == Some(true))
}

/// A field of few values each of which went with one value of the column.
fn decided_by(evidence: &Evidence, ties: &Ties, leaf: usize) -> Option<usize> {
    let decides = |field: &usize| {
        let mut given: HashMap<String, (String, usize)> = HashMap::new();
        let agrees = ties.ties.iter().all(|tie| {
            let from = evidence.messages.values[tie.message][*field].to_string();
            let to = evidence.rows.values[tie.row][leaf].to_string();
            let known = given.entry(from).or_insert_with(|| (to.clone(), 0));
            known.1 += 1;
            known.0 == to
        });
        agrees && given.len() > 1 && given.values().all(|(_, seen)| *seen > 2)
    };
    (0..evidence.messages.fields.len()).filter(|field| !evidence.messages.fields[*field].is_meta).find(decides)
}

/// The fields of the payload that no column keeps, each with the reason.
pub fn dropped(evidence: &Evidence, used: &BTreeSet<usize>, ignored: &BTreeSet<String>) -> Vec<(String, String)> {
    if evidence.format == Format::Bytes {
        return Vec::new();
    }
    let fields = evidence.messages.fields.iter().enumerate();
    // An ignored column covers the field of its name.
    let left = fields.filter(|(at, field)| !field.is_meta && !used.contains(at) && !ignored.contains(&field.name));
    left.map(|(at, field)| {
        let there = evidence.messages.values.iter().filter(|values| !values[at].is_null()).count();
        let reason = match there {
            0 => "null in every message sampled, and kept by no column".to_owned(),
            _ => "kept by no column".to_owned(),
        };
        (field.name.clone(), reason)
    })
    .collect()
}

/// A foreign text, short enough for a sentence.
pub fn short(text: &str) -> String {
    const MOST: usize = 40;
    let cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

//! Ties: which message of a sample a row was made of, found by values alone.
//!
//! Contract: a tie is a message and a row whose values of one combination of columns are equal, and which are the only ones
//! of the sample with these values. The combination is the one whose ties explain most of the columns; nothing is believed
//! for its name, which only decides between equals.

use std::collections::HashMap;

use validator_core::value::Value;

use super::evidence::Evidence;
use super::limits::{ANCHORS_MAX, TIES_LEAST, TIES_MAX};
use super::reading::Reading;

/// A column (or a child of one) that a field may have become.
#[derive(Debug, Clone, PartialEq)]
pub struct Correspondence {
    /// The leaf of the rows.
    pub leaf: usize,
    /// The field of the messages.
    pub field: usize,
    /// How.
    pub reading: Reading,
    /// Rows whose value some message has.
    pub met: usize,
    /// Different values among those.
    pub distinct: usize,
}

/// A message and a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tie {
    /// Index of the message.
    pub message: usize,
    /// Index of the row.
    pub row: usize,
}

/// What ties the sample.
#[derive(Debug, Clone, Default)]
pub struct Ties {
    /// The combination of columns.
    pub by: Vec<Correspondence>,
    /// The ties, by row.
    pub ties: Vec<Tie>,
    /// The correspondences that were tried, the most telling first: what is said where nothing ties.
    pub tried: Vec<Correspondence>,
}

/// Ties the sample.
pub fn tie(evidence: &Evidence) -> Ties {
    let tried = correspondences(evidence);
    let least = if evidence.is_whole { 1 } else { TIES_LEAST };
    let columns = Columns::new(evidence, &tried);
    let mut best: Option<(usize, Ties)> = None;
    for first in 0..tried.len().min(ANCHORS_MAX) {
        let (by, ties) = columns.grown(first);
        if ties.len() < least {
            continue;
        }
        let ties = Ties { by: by.iter().map(|at| tried[*at].clone()).collect(), ties, tried: Vec::new() };
        let score = explained(evidence, &tried, &ties);
        if best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, ties));
        }
    }
    let (_, mut ties) = best.unwrap_or_default();
    ties.ties.truncate(TIES_MAX);
    ties.tried = tried;
    ties
}

/// The columns that the ties explain, each weighed by how many different values were met.
fn explained(evidence: &Evidence, tried: &[Correspondence], ties: &Ties) -> usize {
    let mut by_leaf: HashMap<usize, usize> = HashMap::new();
    for correspondence in tried.iter().filter(|tried| tried.distinct > 1) {
        let (equal, of) = equal(evidence, &ties.ties, correspondence);
        // Half of the pairs equal is no rule, and chance ties agree in little.
        if equal * 2 > of {
            let weight = (usize::BITS - correspondence.distinct.leading_zeros()) as usize;
            let known = by_leaf.entry(correspondence.leaf).or_default();
            *known = (*known).max(weight * 1_000 * equal / of.max(1));
        }
    }
    by_leaf.values().sum::<usize>() * ties.ties.len()
}

/// How many ties are equal under a correspondence, and of how many: those in which either side has a value.
pub fn equal(evidence: &Evidence, ties: &[Tie], correspondence: &Correspondence) -> (usize, usize) {
    let (leaf, field) = (correspondence.leaf, correspondence.field);
    let ty = &evidence.rows.leaves[leaf].field.ty;
    let (mut equal, mut of) = (0, 0);
    for tie in ties {
        let (message, row) = (&evidence.messages.values[tie.message][field], &evidence.rows.values[tie.row][leaf]);
        if message.is_null() && row.is_null() {
            continue;
        }
        of += 1;
        equal += usize::from(correspondence.reading.apply(message, ty).as_ref() == Some(row));
    }
    (equal, of)
}

/// All pairs of a column and a field of which at least half of the rows' values were met, the most telling first.
fn correspondences(evidence: &Evidence) -> Vec<Correspondence> {
    let readings = Reading::plain();
    let mut found = Vec::new();
    for (leaf, described) in evidence.rows.leaves.iter().enumerate() {
        let rows = values_of(evidence, leaf);
        let all: usize = rows.values().sum();
        if all == 0 {
            continue;
        }
        for field in 0..evidence.messages.fields.len() {
            for reading in &readings {
                let met = met(evidence, field, reading, &described.field.ty, &rows);
                if let Some((met, distinct)) = met.filter(|(met, _)| met * 5 >= all || *met >= TIES_LEAST) {
                    found.push(Correspondence { leaf, field, reading: reading.clone(), met, distinct });
                }
            }
        }
    }
    found.sort_by_key(|found| {
        let (field, leaf) = (&evidence.messages.fields[found.field], &evidence.rows.leaves[found.leaf]);
        let is_namesake = field.name == leaf.field.name;
        (std::cmp::Reverse(found.distinct), !is_namesake, found.reading.rank(), field.is_meta, found.leaf, found.field)
    });
    found
}

/// The values of a leaf that are there, and in how many rows.
pub fn values_of(evidence: &Evidence, leaf: usize) -> HashMap<String, usize> {
    let mut values: HashMap<String, usize> = HashMap::new();
    evidence.rows.of(leaf).filter(|value| !value.is_null()).for_each(|value| {
        *values.entry(value.to_string()).or_default() += 1;
    });
    values
}

/// Rows whose value a message has under the reading, and how many different ones; none where the reading does not apply.
pub fn met(
    evidence: &Evidence,
    field: usize,
    reading: &Reading,
    ty: &validator_core::schema::Type,
    rows: &HashMap<String, usize>,
) -> Option<(usize, usize)> {
    let values = || evidence.messages.values.iter().map(|values| &values[field]).filter(|value| !value.is_null());
    // Ten values tell whether the reading is of their kind.
    let mut probed = values().take(10).peekable();
    probed.peek()?;
    probed.any(|value| reading.apply(value, ty).is_some()).then_some(())?;
    let mut seen: HashMap<String, ()> = HashMap::new();
    let mut met = 0;
    for value in values().filter_map(|value| reading.apply(value, ty)) {
        let key = value.to_string();
        if let Some(count) = rows.get(&key)
            && seen.insert(key, ()).is_none()
        {
            met += count;
        }
    }
    (met > 0).then_some((met, seen.len()))
}

/// The values of each correspondence on both sides, as numbers that are equal where the values are.
struct Columns {
    messages: Vec<Vec<Option<u32>>>,
    rows: Vec<Vec<Option<u32>>>,
    leaves: Vec<usize>,
    fields: Vec<usize>,
}

impl Columns {
    fn new(evidence: &Evidence, tried: &[Correspondence]) -> Self {
        // One for each leaf and field, the most telling first: further readings tell the same.
        let mut columns = Self { messages: Vec::new(), rows: Vec::new(), leaves: Vec::new(), fields: Vec::new() };
        for correspondence in tried {
            let ty = &evidence.rows.leaves[correspondence.leaf].field.ty;
            let mut numbers: HashMap<String, u32> = HashMap::new();
            let mut number = |value: &Value| {
                let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                *numbers.entry(value.to_string()).or_insert(next)
            };
            let of_row = |row: &Vec<Value>| Some(number(&row[correspondence.leaf]));
            columns.rows.push(evidence.rows.values.iter().map(of_row).collect());
            let of_message = |message: &Vec<Value>| {
                correspondence.reading.apply(&message[correspondence.field], ty).map(|value| number(&value))
            };
            columns.messages.push(evidence.messages.values.iter().map(of_message).collect());
            columns.leaves.push(correspondence.leaf);
            columns.fields.push(correspondence.field);
        }
        columns
    }

    /// The combination that begins with `first` and takes in whatever makes more ties.
    fn grown(&self, first: usize) -> (Vec<usize>, Vec<Tie>) {
        let mut by = vec![first];
        let mut ties = self.ties(&by);
        for next in 0..self.leaves.len().min(ANCHORS_MAX * 8) {
            let is_new =
                by.iter().all(|at| self.leaves[*at] != self.leaves[next] && self.fields[*at] != self.fields[next]);
            if !is_new {
                continue;
            }
            by.push(next);
            let more = self.ties(&by);
            if more.len() > ties.len() { ties = more } else { by.truncate(by.len() - 1) }
        }
        (by, ties)
    }

    fn ties(&self, by: &[usize]) -> Vec<Tie> {
        let key = |side: &[Vec<Option<u32>>], at: usize| by.iter().map(|c| side[*c][at]).collect::<Option<Vec<u32>>>();
        // None: several have it.
        let mut messages: HashMap<Vec<u32>, Option<usize>> = HashMap::new();
        for at in 0..self.messages[by[0]].len() {
            if let Some(key) = key(&self.messages, at) {
                messages.entry(key).and_modify(|known| *known = None).or_insert(Some(at));
            }
        }
        let mut rows: HashMap<Vec<u32>, Option<usize>> = HashMap::new();
        for at in 0..self.rows[by[0]].len() {
            if let Some(key) = key(&self.rows, at) {
                rows.entry(key).and_modify(|known| *known = None).or_insert(Some(at));
            }
        }
        let tie = |(key, row): (&Vec<u32>, &Option<usize>)| Some(Tie { message: (*messages.get(key)?)?, row: (*row)? });
        let mut ties: Vec<Tie> = rows.iter().filter_map(tie).collect();
        ties.sort_by_key(|tie| tie.row);
        ties
    }
}

//! Ties: which message of a sample a row was made of, found by values alone.
//!
//! Contract: a tie is a message and a row whose values of one combination of columns are equal, and which are the only ones
//! of the sample with these values. The combination is the one whose ties explain most of the columns; nothing is believed
//! for its name, which only decides between equals.

use std::cmp::Reverse;
use std::collections::HashMap;

use validator_core::schema::Type;
use validator_core::value::{Fingerprint, Value};

use super::evidence::Evidence;
use super::limits::{ANCHORS_MAX, ANCHORS_OF_COLUMN_MAX, TIES_LEAST, TIES_MAX, VALUES_GLANCED};
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
    /// Messages whose value some row has.
    pub met_messages: usize,
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
    let grown = telling(&tried);
    let columns = Columns::new(evidence, &grown);
    let mut best: Option<(usize, Ties)> = None;
    for first in 0..grown.len().min(ANCHORS_MAX) {
        let (by, ties) = columns.grown(first);
        if ties.len() < least {
            continue;
        }
        let ties = Ties { by: by.iter().map(|at| grown[*at].clone()).collect(), ties, tried: Vec::new() };
        let score = explained(evidence, &grown, &ties);
        if best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, ties));
        }
    }
    let (_, mut ties) = best.unwrap_or_default();
    ties.ties.truncate(TIES_MAX);
    ties.tried = tried;
    ties
}

/// The most telling correspondences of each column: what ties are made of.
fn telling(tried: &[Correspondence]) -> Vec<Correspondence> {
    let mut of_leaf: HashMap<usize, usize> = HashMap::new();
    let mut is_telling = |tried: &&Correspondence| {
        let known = of_leaf.entry(tried.leaf).or_default();
        *known += 1;
        *known <= ANCHORS_OF_COLUMN_MAX
    };
    tried.iter().filter(|tried| is_telling(tried)).take(ANCHORS_MAX * 4).cloned().collect()
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

/// All pairs of a column and a field of which some of the rows' values were met, the most telling first.
fn correspondences(evidence: &Evidence) -> Vec<Correspondence> {
    let readings = Reading::plain();
    let mut by_type: HashMap<&Type, Vec<(usize, Counts)>> = HashMap::new();
    for (leaf, described) in evidence.rows.leaves.iter().enumerate() {
        let counts = values_of(evidence, leaf);
        if !counts.is_empty() {
            by_type.entry(&described.field.ty).or_default().push((leaf, counts));
        }
    }
    let mut found = Vec::new();
    for (ty, leaves) in by_type {
        let holders = Holders::new(leaves);
        for field in 0..evidence.messages.fields.len() {
            for reading in &readings {
                let Some(given) = given(evidence, field, reading, ty) else { continue };
                for (leaf, all, met) in holders.meet(&given) {
                    let Met { rows: met, messages: met_messages, distinct } = met;
                    if met > 0 && (met * 5 >= all || met >= TIES_LEAST) {
                        let reading = reading.clone();
                        found.push(Correspondence { leaf, field, reading, met, met_messages, distinct });
                    }
                }
            }
        }
    }
    found.sort_by_key(|found| {
        let (field, leaf) = (&evidence.messages.fields[found.field], &evidence.rows.leaves[found.leaf]);
        let is_namesake = field.name == leaf.field.name;
        // A reading that leaves messages without a row fits less.
        let met = (Reverse(found.distinct), Reverse(found.met_messages));
        (met, !is_namesake, found.reading.rank(), field.is_meta, found.leaf, found.field)
    });
    found
}

/// Which leaves of one type hold a value: asked once for each value, and not once for each leaf.
struct Holders {
    /// Each leaf, and its rows that have a value.
    leaves: Vec<(usize, usize)>,
    /// By value: indices into `leaves`, and in how many of the leaf's rows it is.
    of_value: HashMap<Fingerprint, Vec<(usize, usize)>>,
}

impl Holders {
    fn new(counted: Vec<(usize, Counts)>) -> Self {
        let leaves = counted.iter().map(|(leaf, counts)| (*leaf, counts.values().sum())).collect();
        let mut of_value: HashMap<Fingerprint, Vec<(usize, usize)>> = HashMap::new();
        for (at, (_, counts)) in counted.into_iter().enumerate() {
            counts.into_iter().for_each(|(value, rows)| of_value.entry(value).or_default().push((at, rows)));
        }
        Self { leaves, of_value }
    }

    /// Each leaf, its rows that have a value, and what it has in common with the messages.
    fn meet(&self, given: &Counts) -> Vec<(usize, usize, Met)> {
        let mut met = vec![Met::default(); self.leaves.len()];
        for (value, messages) in given {
            for (at, rows) in self.of_value.get(value).into_iter().flatten() {
                met[*at].add(*rows, *messages);
            }
        }
        self.leaves.iter().zip(met).map(|((leaf, all), met)| (*leaf, *all, met)).collect()
    }
}

/// Values, and in how many rows or messages each is.
pub type Counts = HashMap<Fingerprint, usize>;

/// The values of a leaf that are there.
pub fn values_of(evidence: &Evidence, leaf: usize) -> Counts {
    let mut values = Counts::new();
    evidence.rows.of(leaf).filter(|value| !value.is_null()).for_each(|value| {
        *values.entry(value.fingerprint(0)).or_default() += 1;
    });
    values
}

/// Whether a reading is for values of a field's kind at all: some of them tell.
pub fn is_for(evidence: &Evidence, field: usize, reading: &Reading, ty: &Type) -> bool {
    let messages = &evidence.messages.values;
    let there = messages.iter().map(|values| &values[field]).filter(|value| !value.is_null());
    there.take(VALUES_GLANCED).any(|value| reading.apply(value, ty).is_some())
}

/// The values that a field gives to columns of a type; none where the reading is not for their kind.
pub fn given(evidence: &Evidence, field: usize, reading: &Reading, ty: &Type) -> Option<Counts> {
    let values = || evidence.messages.values.iter().map(|values| &values[field]).filter(|value| !value.is_null());
    is_for(evidence, field, reading, ty).then_some(())?;
    let mut given = Counts::new();
    for value in values().filter_map(|value| reading.apply(value, ty)) {
        *given.entry(value.fingerprint(0)).or_default() += 1;
    }
    Some(given)
}

/// What two sides have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Met {
    /// Rows whose value was given.
    pub rows: usize,
    /// Messages that gave one of those.
    pub messages: usize,
    /// Different values.
    pub distinct: usize,
}

impl Met {
    /// One more value that both have.
    fn add(&mut self, rows: usize, messages: usize) {
        self.rows += rows;
        self.messages += messages;
        self.distinct += 1;
    }
}

/// What the messages' values and the rows' have in common.
pub fn met(given: &Counts, rows: &Counts) -> Met {
    let both = given.iter().filter_map(|(value, messages)| Some((messages, rows.get(value)?)));
    both.fold(Met::default(), |mut met, (messages, rows)| {
        met.add(*rows, *messages);
        met
    })
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
            let mut numbers: HashMap<Fingerprint, u32> = HashMap::new();
            let mut number = |value: &Value| {
                let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                *numbers.entry(value.fingerprint(0)).or_insert(next)
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
        for next in 0..self.leaves.len() {
            if ties.len() == self.rows[first].len() {
                break;
            }
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

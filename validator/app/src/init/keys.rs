//! Columns that are unique to a message.
//!
//! Contract: a key is unique on both sides of the sample, and of two messages with one key only the very same count as
//! copies; times and measures are none, and something named like an id is in every key. Several columns are a key only where
//! each tells more messages apart than it would by chance.

use std::collections::{HashMap, HashSet};

use validator_core::schema::Type;
use validator_core::value::Value;

use super::columns::{Explanation, short};
use super::deletions::is_kafka_key;
use super::evidence::Evidence;
use super::limits::{KEY_CANDIDATES_MAX, KEY_CHANCE_MAX, KEY_COLUMNS_MAX};
use super::reading::Reading;
use super::ties::Ties;

/// Columns that may be part of a key.
pub struct Keys<'a> {
    evidence: &'a Evidence,
    explained: &'a [Explanation],
    candidates: Vec<usize>,
}

impl<'a> Keys<'a> {
    /// The candidates.
    pub fn new(evidence: &'a Evidence, explained: &'a [Explanation]) -> Self {
        let mut candidates: Vec<usize> = (0..evidence.rows.leaves.len())
            .filter(|leaf| !evidence.rows.leaves[*leaf].is_child && is_name(evidence, explained, *leaf))
            .collect();
        candidates.sort_by_key(|leaf| (likeness(evidence, *leaf), *leaf));
        candidates.truncate(KEY_CANDIDATES_MAX);
        Self { evidence, explained, candidates }
    }

    /// The fewest columns that are unique, those named like ids first.
    pub fn unique(&self) -> Option<(Vec<String>, Vec<String>)> {
        (1..=KEY_COLUMNS_MAX).find_map(|size| {
            let sets = combinations(&self.candidates, size);
            // Something of an id is in every key: prices and words are unique by chance.
            let mut of_ids: Vec<Vec<usize>> =
                sets.into_iter().filter(|set| set.iter().any(|leaf| likeness(self.evidence, *leaf) < 2)).collect();
            of_ids.sort_by_key(|set| set.iter().map(|leaf| likeness(self.evidence, *leaf)).sum::<usize>());
            let mut unique = of_ids.into_iter().filter_map(|set| self.seen(&set).filter(|_| !self.is_by_chance(&set)));
            let (columns, mut seen) = unique.next()?;
            // Of one column others are worth a word: which of two ids names the message, a person may know better.
            let others: Vec<String> = unique.filter(|(of, _)| of.len() == 1).map(|(of, _)| short(&of[0])).collect();
            match others.len() {
                0 => {}
                1 => seen.push(format!("{} is unique too", others[0])),
                _ => seen.push(format!("{} are unique too", others.join(", "))),
            }
            Some((columns, seen))
        })
    }

    /// Whether a column of the set, dealt at random, would tell its few messages apart that the others do not: a side does so
    /// for each second pair of trades of one id.
    fn is_by_chance(&self, leaves: &[usize]) -> bool {
        let chance = |told_by: &usize| {
            let others: Vec<usize> = leaves.iter().copied().filter(|leaf| leaf != told_by).collect();
            let (values, keyed) = (self.of_messages(&[*told_by])?, self.of_messages(&others)?);
            let mut of_value: HashMap<&Vec<String>, usize> = HashMap::new();
            values.iter().for_each(|(value, _)| *of_value.entry(value).or_default() += 1);
            let share = |count: &usize| (*count as f64 / values.len() as f64).powi(2);
            let same: f64 = of_value.values().map(share).sum();
            let mut of_key: HashMap<&Vec<String>, HashSet<&String>> = HashMap::new();
            for (key, content) in &keyed {
                of_key.entry(key).or_default().insert(content);
            }
            let pairs: usize = of_key.values().map(|contents| contents.len() * (contents.len() - 1) / 2).sum();
            (pairs > 0).then(|| (1.0 - same).powf(pairs as f64))
        };
        leaves.len() > 1 && leaves.iter().filter_map(chance).any(|chance| chance > KEY_CHANCE_MAX)
    }

    /// Columns that are unique among the rows and not among the messages, of which every tied row is the last version.
    pub fn last_versions(&self, ties: &Ties) -> Option<(Vec<String>, Vec<String>)> {
        let ids = self.candidates.iter().filter(|leaf| likeness(self.evidence, **leaf) < 2);
        ids.copied().find_map(|leaf| {
            let (messages, rows) = (self.messages(&[leaf])?, self.rows(&[leaf]));
            let (last, tied, older) = self.versions(leaf, ties)?;
            let is_upsert = messages.clashing > 0 && rows.distinct == rows.all && older > 0 && last * 20 >= tied * 19;
            let name = &self.evidence.rows.leaves[leaf].path;
            is_upsert.then(|| {
                let shown = short(name);
                let seen = vec![
                    format!("{shown}: {} different among {} messages, and in {} rows once each", messages.distinct, messages.all, rows.all),
                    format!("{last} of {tied} tied rows are of the last message of their {shown}, where {older} older ones have none: the table keeps the last version"),
                ];
                (vec![name.clone()], seen)
            })
        })
    }

    /// The column that is the Kafka key of a compacted topic: older versions are gone, and no row of them is left.
    pub fn of_compacted(&self) -> Option<(Vec<String>, Vec<String>)> {
        let gone = self.evidence.compacted_away.filter(|gone| *gone > 0 && self.evidence.is_whole)?;
        let mut ids = self.candidates.iter().filter(|leaf| likeness(self.evidence, **leaf) < 2);
        let is_key = |leaf: &&usize| {
            let rows = self.rows(&[**leaf]);
            let is_of_left = self.messages(&[**leaf]).is_some_and(|messages| rows.all <= messages.distinct);
            is_of_left && rows.distinct == rows.all && is_kafka_key(self.evidence, self.explained, **leaf)
        };
        let name = &self.evidence.rows.leaves[*ids.find(is_key)?].path;
        let shown = short(name);
        let rows = self.evidence.rows.values.len();
        let seen = format!(
            "{shown} is the Kafka key of every message of a compacted topic; of the {gone} messages that are gone from it none \
             has a row, and {shown} is in {rows} rows once each: the table keeps the last version"
        );
        Some((vec![name.clone()], vec![seen]))
    }

    /// Ties of last versions, all ties, and messages that a later one of their key follows.
    fn versions(&self, leaf: usize, ties: &Ties) -> Option<(usize, usize, usize)> {
        let Explanation::Field { field, .. } = &self.explained[leaf] else { return None };
        let meta = |name: &str| self.evidence.messages.field(name);
        let (partition, offset) = (meta("_partition")?, meta("_offset")?);
        let order = |values: &[Value]| (values[partition].as_integer(), values[offset].as_integer());
        let messages = &self.evidence.messages.values;
        // One without a key is no version of another without one.
        if messages.iter().any(|values| values[*field].is_null()) {
            return None;
        }
        let mut last: HashMap<String, usize> = HashMap::new();
        for (at, values) in messages.iter().enumerate() {
            let known = last.entry(values[*field].to_string()).or_insert(at);
            if order(&messages[*known]) < order(values) {
                *known = at;
            }
        }
        let of_last =
            ties.ties.iter().filter(|tie| last.get(&messages[tie.message][*field].to_string()) == Some(&tie.message));
        Some((of_last.count(), ties.ties.len(), messages.len() - last.len()))
    }

    /// What speaks for these columns; none where they are not unique.
    fn seen(&self, leaves: &[usize]) -> Option<(Vec<String>, Vec<String>)> {
        let messages = self.messages(leaves)?;
        let rows = self.rows(leaves);
        // A copy on the table's side is damage that a run finds; a hundredth of it is no rule.
        if messages.clashing > 0 || rows.clashing * 100 > rows.all || messages.distinct < 2 || rows.distinct < 2 {
            return None;
        }
        // In table order.
        let mut leaves = leaves.to_vec();
        leaves.sort_unstable();
        let columns: Vec<String> = leaves.iter().map(|leaf| self.evidence.rows.leaves[*leaf].path.clone()).collect();
        let names = columns.iter().map(|name| short(name)).collect::<Vec<_>>().join(", ");
        let mut seen = vec![format!(
            "{names}: {} different among {} messages, {} among {} rows",
            messages.distinct, messages.all, rows.distinct, rows.all
        )];
        let single: Vec<String> =
            if leaves.len() > 1 { leaves.iter().filter_map(|leaf| self.repeats(*leaf)).collect() } else { Vec::new() };
        seen.extend(single);
        Some((columns, seen))
    }

    /// How often a column alone repeats.
    fn repeats(&self, leaf: usize) -> Option<String> {
        let messages = self.messages(&[leaf])?;
        let name = short(&self.evidence.rows.leaves[leaf].path);
        Some(format!("{name} alone: {} different among {} messages", messages.distinct, messages.all))
    }

    /// What was looked at and is not unique.
    pub fn repeated(&self) -> Vec<String> {
        let of_ids = self.candidates.iter().filter(|leaf| likeness(self.evidence, **leaf) < 2);
        of_ids.filter_map(|leaf| self.repeats(*leaf)).collect()
    }

    fn messages(&self, leaves: &[usize]) -> Option<Counted> {
        self.of_messages(leaves).map(|keyed| counted(keyed.into_iter()))
    }

    /// What each message should have in these columns, and its whole content.
    fn of_messages(&self, leaves: &[usize]) -> Option<Vec<(Vec<String>, String)>> {
        let sources: Option<Vec<(usize, &Reading, &Type)>> = leaves
            .iter()
            .map(|leaf| match &self.explained[*leaf] {
                Explanation::Field { field, reading, .. } => {
                    Some((*field, reading, &self.evidence.rows.leaves[*leaf].field.ty))
                }
                Explanation::Derived(_) | Explanation::Ignored { .. } => None,
            })
            .collect();
        let (sources, payload) = (sources?, self.evidence.messages.field("_value"));
        let of_message = |values: &Vec<Value>| {
            let key = sources.iter().map(|(field, reading, ty)| text(reading.apply(&values[*field], ty).as_ref()));
            (key.collect(), payload.map_or(String::new(), |at| values[at].to_string()))
        };
        Some(self.evidence.messages.values.iter().map(of_message).collect())
    }

    fn rows(&self, leaves: &[usize]) -> Counted {
        let compared: Vec<usize> = (0..self.explained.len())
            .filter(|leaf| matches!(self.explained[*leaf], Explanation::Field { .. }))
            .collect();
        counted(self.evidence.rows.values.iter().map(|row| {
            let of = |leaves: &[usize]| leaves.iter().map(|leaf| row[*leaf].to_string()).collect::<Vec<_>>();
            (of(leaves), of(&compared).join("\u{1f}"))
        }))
    }
}

struct Counted {
    all: usize,
    distinct: usize,
    /// Those whose key another one has with other content.
    clashing: usize,
}

fn counted(of: impl Iterator<Item = (Vec<String>, String)>) -> Counted {
    let mut first: HashMap<Vec<String>, String> = HashMap::new();
    let mut counted = Counted { all: 0, distinct: 0, clashing: 0 };
    for (key, content) in of {
        counted.all += 1;
        match first.get(&key) {
            Some(known) => counted.clashing += usize::from(*known != content),
            None => drop(first.insert(key, content)),
        }
    }
    counted.distinct = first.len();
    counted
}

fn text(value: Option<&Value>) -> String {
    value.map_or_else(String::new, ToString::to_string)
}

/// Whether a column can name messages: explained, never NULL, of a type whose values are names and no measures.
fn is_name(evidence: &Evidence, explained: &[Explanation], leaf: usize) -> bool {
    let is_rule = match &explained[leaf] {
        Explanation::Field { equal, of, .. } => equal * 20 >= of * 19,
        Explanation::Derived(_) | Explanation::Ignored { .. } => false,
    };
    let measures = |value: &Value| match value {
        Value::String(text) => text.contains('.') && text.parse::<f64>().is_ok(),
        other => other.is_null(),
    };
    let ty = &evidence.rows.leaves[leaf].field.ty;
    // A number that is not named like an id is an amount.
    let is_kind = match ty {
        Type::String | Type::Uuid => true,
        Type::Int | Type::Long => likeness(evidence, leaf) < 2,
        _ => false,
    };
    is_rule && is_kind && !is_time(evidence, leaf) && !evidence.rows.of(leaf).any(measures)
}

/// Whether whole numbers are times: so named, or within a year of the topic's own times in some unit. Two messages of one
/// moment are always to come.
fn is_time(evidence: &Evidence, leaf: usize) -> bool {
    const YEAR_MS: i128 = 366 * 86_400_000;
    let name = evidence.rows.leaves[leaf].path.to_lowercase();
    let words: Vec<&str> = name.split(['_', '.', '-']).collect();
    let is_named = ["time", "date", "timestamp", "ts", "millis", "micros", "ms", "us", "ns", "at"]
        .iter()
        .any(|word| words.contains(word));
    let of_messages = evidence.messages.field("_timestamp").map(|field| {
        let times = evidence.messages.values.iter().filter_map(move |values| values[field].epoch_nanos());
        times.map(|nanos| nanos / 1_000_000).max().unwrap_or(0)
    });
    let near = of_messages.filter(|ms| *ms > YEAR_MS).is_some_and(|ms| {
        let is_near = |per_ms: i128| {
            let numbers = || evidence.rows.of(leaf).filter_map(Value::as_integer);
            numbers().count() > 0 && numbers().all(|number| (number / per_ms - ms).abs() < YEAR_MS)
        };
        [1, 1_000, 1_000_000].into_iter().any(is_near)
    });
    is_named || near
}

/// 0: named like an id; 1: like a number in a sequence; 2: like nothing.
fn likeness(evidence: &Evidence, leaf: usize) -> usize {
    let name = evidence.rows.leaves[leaf].path.to_lowercase();
    let words: Vec<&str> = name.split(['_', '.', '-']).collect();
    let is = |word: &str| words.contains(&word);
    if is("message") && is("id") || is("uuid") || is("guid") || is("event") && is("id") {
        return 0;
    }
    let ends = ["id", "key", "seq", "sequence", "number", "num", "no", "nr", "nonce", "hash", "ref", "code", "pk"];
    if name.ends_with("id") || ends.iter().any(|word| is(word)) || evidence.rows.leaves[leaf].field.ty == Type::Uuid {
        return 1;
    }
    2
}

/// All sets of `size` of the items, in their order.
fn combinations(items: &[usize], size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut sets = Vec::new();
    for (at, item) in items.iter().enumerate() {
        for mut rest in combinations(&items[at + 1..], size - 1) {
            rest.insert(0, *item);
            sets.push(rest);
        }
    }
    sets
}

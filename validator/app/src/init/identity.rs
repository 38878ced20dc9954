//! Which identity the sample speaks for: offset columns that hold offsets, columns that are unique, or the whole content.
//!
//! Contract: columns are verified and not believed. An offset column must agree with the tied messages; a key must be
//! unique on both sides, and of two messages with one key only the very same count as copies.

use std::collections::{HashMap, HashSet};

use validator_core::contract::Identity;
use validator_core::schema::Type;
use validator_core::value::Value;

use super::columns::{Explanation, short};
use super::evidence::Evidence;
use super::limits::{KEY_CANDIDATES_MAX, KEY_COLUMNS_MAX};
use super::reading::Reading;
use super::ties::Ties;
use super::window::window;
use crate::config::Profile;

/// How rows find their messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// By offset columns.
    Offset {
        /// The sink that keeps them so, where it is known.
        profile: Option<Profile>,
        /// Topic, partition and offset, as far as there are.
        columns: Vec<String>,
        /// Columns that the message's position explains.
        explained: Vec<String>,
    },
    /// By unique columns.
    Key {
        /// The columns.
        columns: Vec<String>,
        /// The time column.
        window: Option<String>,
    },
    /// By everything.
    Content {
        /// The time column.
        window: Option<String>,
    },
}

/// The choice and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// See [`Mode`].
    pub mode: Mode,
    /// What was seen, sentence by sentence.
    pub evidence: Vec<String>,
    /// What was not chosen, and why; what could not be decided.
    pub refused: Vec<String>,
}

/// Chooses.
pub fn choose(evidence: &Evidence, ties: &Ties, explained: &[Explanation]) -> Choice {
    let mut refused = Vec::new();
    for layout in layouts(evidence) {
        match verified(evidence, ties, &layout) {
            Ok(seen) => {
                let Layout { profile, topic, partition, offset, explained, .. } = layout;
                let columns = [topic, partition, Some(offset)].into_iter().flatten().collect();
                return Choice { mode: Mode::Offset { profile, columns, explained }, evidence: seen, refused };
            }
            Err(why) => refused.push(why),
        }
    }
    refused.dedup();
    let (window, of_window) = window(evidence, explained);
    let keys = Keys::new(evidence, explained);
    match keys.unique() {
        Some((columns, mut seen)) => {
            seen.extend(of_window);
            Choice { mode: Mode::Key { columns, window }, evidence: seen, refused }
        }
        None => {
            let mut seen = vec![
                "nothing is unique to a message: neither offset columns nor columns of ids; whole rows are counted, and of \
                 equal messages it cannot be told which one a row is of"
                    .to_owned(),
            ];
            seen.extend(keys.repeated());
            seen.extend(of_window);
            Choice { mode: Mode::Content { window }, evidence: seen, refused }
        }
    }
}

/// Columns that may hold a message's position.
struct Layout {
    profile: Option<Profile>,
    topic: Option<String>,
    partition: Option<String>,
    offset: String,
    timestamp: Option<String>,
    explained: Vec<String>,
}

/// The layouts of known sinks that the table has, and of usual names.
fn layouts(evidence: &Evidence) -> Vec<Layout> {
    use Profile::{AutoMq, K2Bronze, KafkaConnect, Redpanda, Spark};
    let mut layouts = Vec::new();
    let mut seen = HashSet::new();
    for profile in [Redpanda, KafkaConnect, AutoMq, K2Bronze, Spark] {
        let Ok(Identity::Offset { topic, partition, offset, timestamp, .. }) = profile.resolve(&evidence.schema, 1)
        else {
            continue;
        };
        // The layout with a time goes before the same one without.
        let is_timed = timestamp.is_some();
        if profile == K2Bronze && !is_timed || !seen.insert((offset.clone(), topic.clone(), timestamp.clone())) {
            continue;
        }
        // A struct that has a topic is Kafka Connect's.
        if profile == AutoMq && evidence.schema.field_at("_kafka_metadata.topic").is_some() {
            continue;
        }
        let parts = [topic.clone(), partition.clone(), Some(offset.clone()), timestamp.clone()];
        let mut explained: Vec<String> =
            parts.into_iter().flatten().map(|path| path.split('.').next().unwrap_or_default().to_owned()).collect();
        explained.dedup();
        layouts.push(Layout { profile: Some(profile), topic, partition, offset, timestamp, explained });
    }
    for prefix in ["", "kafka_", "_kafka_", "_", "__", "source_", "message_"] {
        let there = |name: &str| {
            let name = format!("{prefix}{name}");
            evidence.schema.field(&name).is_some().then_some(name)
        };
        let (topic, partition) = (there("topic"), there("partition"));
        let Some(offset) = there("offset") else { continue };
        let explained = [topic.clone(), partition.clone(), Some(offset.clone())].into_iter().flatten().collect();
        layouts.push(Layout { profile: None, topic, partition, offset, timestamp: None, explained });
    }
    layouts
}

/// What speaks for a layout.
///
/// # Errors
/// What speaks against it.
fn verified(evidence: &Evidence, ties: &Ties, layout: &Layout) -> Result<Vec<String>, String> {
    let leaf = |path: &Option<String>| path.as_ref().and_then(|path| evidence.rows.leaf(path));
    let offset = evidence.rows.leaf(&layout.offset).ok_or_else(|| format!("{} is not read", layout.offset))?;
    let (topic, partition) = (leaf(&layout.topic), leaf(&layout.partition));
    refuse_struct(evidence, layout)?;
    let own = |row: &&Vec<Value>| topic.is_none_or(|topic| row[topic] == Value::string(&evidence.topic));
    let rows: Vec<&Vec<Value>> = evidence.rows.values.iter().filter(own).collect();
    if rows.is_empty() {
        return Err(format!(
            "no row sampled has topic {} in column {}",
            evidence.topic,
            layout.topic.as_deref().unwrap_or("")
        ));
    }
    let number = |row: &Vec<Value>, at: Option<usize>| at.map_or(Some(0), |at| row[at].as_integer());
    let mut by_partition: HashMap<Option<i128>, HashSet<Option<i128>>> = HashMap::new();
    rows.iter().for_each(|row| {
        by_partition.entry(number(row, partition)).or_default().insert(row[offset].as_integer());
    });
    let name = &layout.offset;
    if rows.len() > by_partition.len() && by_partition.values().all(|offsets| offsets.len() == 1) {
        let held: HashSet<&Option<i128>> = by_partition.values().flatten().collect();
        let one = held.iter().next().and_then(|value| **value).map_or("NULL".to_owned(), |value| value.to_string());
        let (what, many) = if held.len() == 1 {
            (one, rows.len())
        } else {
            ("one single offset per partition".to_owned(), rows.len())
        };
        return Err(format!("{name} holds {what} in all {many} rows sampled: a constant, not Kafka's offset"));
    }
    let is_possible = |row: &&&Vec<Value>| {
        let known = |at: i128| evidence.partitions.iter().find(|(number, _)| i128::from(*number) == at);
        let range = number(row, partition).and_then(known);
        let offset = row[offset].as_integer();
        range.zip(offset).is_some_and(|((_, high), offset)| 0 <= offset && offset < i128::from(*high))
    };
    let possible = rows.iter().filter(is_possible).count();
    if possible * 20 < rows.len() * 19 {
        let (impossible, all) = (rows.len() - possible, rows.len());
        return Err(format!("{name} is no offset that the topic has in {impossible} of {all} rows sampled"));
    }
    agreement(evidence, ties, layout, (partition, offset))
}

/// The binder explains all children of a struct by the position, or none.
fn refuse_struct(evidence: &Evidence, layout: &Layout) -> Result<(), String> {
    let Some((name, _)) = layout.offset.split_once('.') else { return Ok(()) };
    let Some(Type::Struct(children)) = evidence.schema.field(name).map(|field| &field.ty) else { return Ok(()) };
    let parts = [&layout.topic, &layout.partition, &layout.timestamp];
    let is_part = |path: &str| path == layout.offset || parts.iter().any(|part| part.as_deref() == Some(path));
    let other = children.iter().find(|child| {
        !is_part(&format!("{name}.{}", child.name)) && !(child.name == "key" && child.ty == Type::Binary)
    });
    match other {
        Some(child) => Err(format!(
            "{name} cannot be the identity: nothing that this version knows explains its part {}",
            short(&child.name)
        )),
        None => Ok(()),
    }
}

/// Whether the tied messages stand where the rows say.
fn agreement(
    evidence: &Evidence,
    ties: &Ties,
    layout: &Layout,
    (partition, offset): (Option<usize>, usize),
) -> Result<Vec<String>, String> {
    let meta = |name: &str| evidence.messages.field(name);
    let (Some(of_partition), Some(of_offset), Some(of_time)) =
        (meta("_partition"), meta("_offset"), meta("_timestamp"))
    else {
        return Err("the messages have no position".to_owned());
    };
    let pairs = || ties.ties.iter().map(|tie| (&evidence.messages.values[tie.message], &evidence.rows.values[tie.row]));
    let agrees = |(message, row): &(&Vec<Value>, &Vec<Value>)| {
        partition.is_none_or(|at| row[at] == message[of_partition]) && row[offset] == message[of_offset]
    };
    let (all, equal) = (pairs().count(), pairs().filter(agrees).count());
    let name = &layout.offset;
    if all == 0 || equal * 20 < all * 19 {
        return Err(format!(
            "{name} is the offset of the tied message in {equal} of {all} rows: it is another topic's, or none"
        ));
    }
    let mut seen =
        vec![format!("{name} is the offset of the message that holds the row's values in {equal} of {all} tied rows")];
    if let Some(leaf) = layout.timestamp.as_ref().and_then(|path| evidence.rows.leaf(path)) {
        let is_time = |(message, row): &(&Vec<Value>, &Vec<Value>)| {
            let ty = &evidence.rows.leaves[leaf].field.ty;
            let ms = Reading::EpochNumber(false).apply(&message[of_time], ty);
            Reading::Same.apply(&message[of_time], ty).or(ms).as_ref() == Some(&row[leaf])
        };
        let times = pairs().filter(is_time).count();
        let path = layout.timestamp.as_deref().unwrap_or_default();
        if times * 20 < all * 19 {
            return Err(format!("{path} is not the Kafka timestamp: so it is in {times} of {all} tied rows"));
        }
        seen.push(format!("{path} is its Kafka timestamp in {times} of {all}"));
    }
    Ok(seen)
}

/// Columns that may be part of a key.
struct Keys<'a> {
    evidence: &'a Evidence,
    explained: &'a [Explanation],
    candidates: Vec<usize>,
}

impl<'a> Keys<'a> {
    fn new(evidence: &'a Evidence, explained: &'a [Explanation]) -> Self {
        let mut candidates: Vec<usize> = (0..evidence.rows.leaves.len())
            .filter(|leaf| !evidence.rows.leaves[*leaf].is_child && is_name(evidence, explained, *leaf))
            .collect();
        candidates.sort_by_key(|leaf| (likeness(evidence, *leaf), *leaf));
        candidates.truncate(KEY_CANDIDATES_MAX);
        Self { evidence, explained, candidates }
    }

    /// The fewest columns that are unique, those named like ids first.
    fn unique(&self) -> Option<(Vec<String>, Vec<String>)> {
        (1..=KEY_COLUMNS_MAX).find_map(|size| {
            let sets = combinations(&self.candidates, size);
            // Something of an id is in every key: prices and words are unique by chance.
            let mut of_ids: Vec<Vec<usize>> =
                sets.into_iter().filter(|set| set.iter().any(|leaf| likeness(self.evidence, *leaf) < 2)).collect();
            of_ids.sort_by_key(|set| set.iter().map(|leaf| likeness(self.evidence, *leaf)).sum::<usize>());
            of_ids.into_iter().find_map(|set| self.seen(&set))
        })
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
    fn repeated(&self) -> Vec<String> {
        let of_ids = self.candidates.iter().filter(|leaf| likeness(self.evidence, **leaf) < 2);
        of_ids.filter_map(|leaf| self.repeats(*leaf)).collect()
    }

    fn messages(&self, leaves: &[usize]) -> Option<Counted> {
        let sources: Option<Vec<(usize, &Reading, &Type)>> = leaves
            .iter()
            .map(|leaf| match &self.explained[*leaf] {
                Explanation::Field { field, reading, .. } => {
                    Some((*field, reading, &self.evidence.rows.leaves[*leaf].field.ty))
                }
                Explanation::Ignored { .. } => None,
            })
            .collect();
        let sources = sources?;
        let payload = self.evidence.messages.field("_value");
        Some(counted(self.evidence.messages.values.iter().map(|values| {
            let key = sources.iter().map(|(field, reading, ty)| text(reading.apply(&values[*field], ty).as_ref()));
            (key.collect(), payload.map_or(String::new(), |at| values[at].to_string()))
        })))
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
        Explanation::Ignored { .. } => false,
    };
    let measures = |value: &Value| match value {
        Value::String(text) => text.contains('.') && text.parse::<f64>().is_ok(),
        other => other.is_null(),
    };
    let ty = &evidence.rows.leaves[leaf].field.ty;
    !is_time(evidence, leaf)
        && is_rule
        && matches!(ty, Type::String | Type::Int | Type::Long | Type::Uuid)
        && !evidence.rows.of(leaf).any(measures)
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
    let ends = ["id", "key", "seq", "sequence", "number", "nonce", "hash"];
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

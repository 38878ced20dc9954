//! Columns that keep a message's position, verified.
//!
//! Contract: a name proposes and the sample decides: a constant, an offset that the topic does not have, and one that is not
//! the tied message's are refused, each with what was seen.

use std::collections::{HashMap, HashSet};

use validator_core::contract::Identity;
use validator_core::schema::Schema;
use validator_core::value::Value;
use validator_engine::binding::parts_of_struct;

use super::claims::Writer;
use super::evidence::{Evidence, Rows};
use super::reading::Reading;
use super::ties::Ties;
use crate::config::Profile;

/// Columns that may hold a message's position.
pub struct Layout {
    /// The sink that keeps them so, where it is known.
    pub profile: Option<Profile>,
    /// The topic's column.
    pub topic: Option<String>,
    /// The partition's.
    pub partition: Option<String>,
    /// The offset's.
    pub offset: String,
    /// The Kafka timestamp's.
    pub timestamp: Option<String>,
    /// Columns that the position explains.
    pub explained: Vec<String>,
    /// What else their struct holds.
    pub beside: Vec<String>,
}

/// What stands before `topic`, `partition` and `offset` where no known sink wrote them.
const PREFIXES: [&str; 7] = ["", "kafka_", "_kafka_", "_", "__", "source_", "message_"];

/// Whether a column is named as sinks name those of a message's position.
pub fn is_named_like_a_position(name: &str) -> bool {
    let structs = ["_kafka_metadata_"];
    structs.into_iter().chain(PREFIXES).any(|prefix| {
        name.strip_prefix(prefix).is_some_and(|rest| matches!(rest, "topic" | "partition" | "offset" | "timestamp"))
    })
}

/// The partition and offset among the leaves, by their names alone.
pub fn offset_columns(rows: &Rows) -> Option<(Option<usize>, usize)> {
    let structs = ["_kafka_metadata.", "_kafka_metadata_", "redpanda."];
    structs.into_iter().chain(PREFIXES).find_map(|prefix| {
        let offset = rows.leaf(&format!("{prefix}offset"))?;
        Some((rows.leaf(&format!("{prefix}partition")), offset))
    })
}

/// The layouts of known sinks that the table has, and of usual names.
pub fn layouts(evidence: &Evidence) -> Vec<Layout> {
    use Profile::{AutoMq, Flink, K2Bronze, KafkaConnect, Redpanda, Spark};
    let mut layouts = Vec::new();
    let mut seen = HashSet::new();
    // The same columns: only who wrote them tells the two apart.
    let plain = if evidence.claims.writer() == Some(Writer::Flink) { Flink } else { Spark };
    for profile in [Redpanda, KafkaConnect, AutoMq, K2Bronze, plain] {
        let Ok(identity) = profile.resolve(&evidence.schema, 1) else { continue };
        let beside = beside(&identity, &evidence.schema);
        let Identity::Offset { topic, partition, offset, timestamp, .. } = identity else { continue };
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
        layouts.push(Layout { profile: Some(profile), topic, partition, offset, timestamp, explained, beside });
    }
    for prefix in PREFIXES {
        let there = |name: &str| {
            let name = format!("{prefix}{name}");
            evidence.schema.field(&name).is_some().then_some(name)
        };
        let (topic, partition) = (there("topic"), there("partition"));
        let Some(offset) = there("offset") else { continue };
        let explained = [topic.clone(), partition.clone(), Some(offset.clone())].into_iter().flatten().collect();
        layouts.push(Layout {
            profile: None,
            topic,
            partition,
            offset,
            timestamp: None,
            explained,
            beside: Vec::new(),
        });
    }
    layouts
}

/// What speaks for a layout.
///
/// # Errors
/// What speaks against it.
pub fn verified(evidence: &Evidence, ties: &Ties, layout: &Layout) -> Result<Vec<String>, String> {
    let leaf = |path: &Option<String>| path.as_ref().and_then(|path| evidence.rows.leaf(path));
    let offset = evidence.rows.leaf(&layout.offset).ok_or_else(|| format!("{} is not read", layout.offset))?;
    let (topic, partition) = (leaf(&layout.topic), leaf(&layout.partition));
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
    if layout.partition.is_none() && evidence.partitions.len() > 1 {
        let many = evidence.partitions.len();
        return Err(format!(
            "{name} alone names no message: the topic has {many} partitions, and no column says of which"
        ));
    }
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

/// The parts of the struct that keeps the position which no position explains.
fn beside(identity: &Identity, schema: &Schema) -> Vec<String> {
    let parts = parts_of_struct(identity, schema).into_iter();
    parts.filter(|(_, part)| part.is_none()).map(|(path, _)| path).collect()
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

//! Dead letters of a continuous run, which come while it goes on: read part by part, from where the last part ended.
//!
//! Contract: a part is of bounded size and says where it ended. What cannot be read is an error, and the whole part is read again:
//! a message whose dead letter was passed over would be called missing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use validator_core::position::{PartitionIndex, TopicPartition};
use validator_table::{DataFile, Pinned};
use validator_tap::Wanted;
use validator_tap::dead_letter::Origin;

use super::table::rows_of;
use super::topic::{CONNECTORS_NAMED, LetterTopic};
use super::{DeadLetterError, LetterColumns, in_words};

/// See the module.
#[derive(Debug, Default)]
pub struct LettersPart {
    /// The messages that letters name, whether there are such or not, and why they were put aside.
    pub named: Vec<(TopicPartition, i64, Option<String>)>,
    /// Letters of messages of other topics.
    pub elsewhere: u64,
    /// Letters that name no message.
    pub nameless: u64,
    /// Who put them aside, as far as they say.
    pub connectors: BTreeSet<String>,
    /// Of a topic: by its partitions, the next offset.
    pub positions: BTreeMap<i32, i64>,
    /// Of a table: the files that were read.
    pub files: Vec<String>,
    /// Of a table: a file of which the rows before this one were read.
    pub partly: Option<(String, u64)>,
    /// Whether there is no more.
    pub is_all: bool,
}

impl LettersPart {
    /// Letters in it.
    pub fn letters(&self) -> usize {
        self.named.len() + (self.elsewhere + self.nameless) as usize
    }
}

/// Reads about `most` dead letters of a topic in these ranges of its partitions. Blocking.
///
/// # Errors
/// A partition cannot be read to the end of its range.
pub fn part_of_topic(
    letters: LetterTopic<'_>,
    ranges: &[(PartitionIndex, Range<i64>)],
    most: usize,
) -> Result<LettersPart, DeadLetterError> {
    let mut part = LettersPart { is_all: true, ..LettersPart::default() };
    let partitions = letters.tap.partitions();
    let number = |partition: PartitionIndex| partitions[partition.0 as usize].tp.partition;
    let is_there = |(_, range): &&(PartitionIndex, Range<i64>)| range.start < range.end;
    let wanted: Vec<Wanted> =
        ranges.iter().filter(is_there).map(|(at, range)| (*at, std::iter::once(range.clone()).collect())).collect();
    if wanted.is_empty() {
        return Ok(part);
    }
    let mut seen: BTreeMap<i32, i64> = BTreeMap::new();
    let end = letters.tap.read(&wanted, &mut |message| {
        match letters.told(message, &mut part.connectors) {
            (Origin::At(tp, offset), cause) => part.named.push((tp, offset, in_words(cause))),
            (Origin::Elsewhere, _) => part.elsewhere += 1,
            (Origin::Unknown, _) => part.nameless += 1,
        }
        seen.insert(number(message.partition), message.offset + 1);
        part.is_all = part.letters() < most;
        if part.is_all { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let end = end.map_err(|source| DeadLetterError::Topic { topic: letters.topic.to_owned(), source })?;
    for end in end.partitions {
        if let Some(source) = end.failure {
            let tp = partitions[end.partition.0 as usize].tp.clone();
            return Err(DeadLetterError::Partition { tp, position: end.position, source });
        }
    }
    if part.is_all {
        // What a range holds beside messages is passed too.
        seen.extend(ranges.iter().map(|(partition, range)| (number(*partition), range.end)));
    }
    part.positions = seen;
    Ok(part)
}

/// Reads the dead letters of a pinned table in the files that are not `known`, `most` of them; of a file that was read `partly` those of
/// its other rows, before all others. `topic` is that of messages where no column names one, `source` the table's name.
///
/// # Errors
/// A file cannot be read to its end, or the metadata is not whole.
pub async fn part_of_table(
    pinned: &Pinned,
    columns: &LetterColumns,
    (source, topic, most): (&str, &str, usize),
    (known, partly): (&BTreeSet<String>, Option<&(String, u64)>),
) -> Result<LettersPart, DeadLetterError> {
    let mut part = LettersPart::default();
    if let Some(fault) = pinned.findings.first() {
        return Err(DeadLetterError::Table { source_of: source.to_owned(), detail: fault.detail.clone() });
    }
    let begun = |file: &DataFile| partly.filter(|(path, _)| *path == file.path).map_or(0, |(_, row)| *row);
    let unread = || pinned.files.iter().filter(|file| !known.contains(&file.path));
    let in_order = unread().filter(|file| begun(file) > 0).chain(unread().filter(|file| begun(file) == 0));
    for file in in_order {
        if part.letters() >= most {
            return Ok(part);
        }
        let mut each = |at: Option<(&str, i32, i64)>| {
            match at {
                Some((topic, partition, offset)) => {
                    part.named.push((TopicPartition { topic: topic.to_owned(), partition }, offset, None));
                }
                None => part.nameless += 1,
            }
            part.letters() < most
        };
        match rows_of(pinned, (file, begun(file)), columns, topic, &mut each).await? {
            ControlFlow::Break(row) => {
                part.partly = Some((file.path.clone(), row));
                return Ok(part);
            }
            ControlFlow::Continue(()) => part.files.push(file.path.clone()),
        }
    }
    part.is_all = true;
    Ok(part)
}

/// Refuses letters of several sinks: what one puts aside says nothing of the table of another.
///
/// # Errors
/// They are of more than one.
pub fn refuse_several(topic: &str, connectors: &BTreeSet<String>) -> Result<(), DeadLetterError> {
    if connectors.len() < 2 {
        return Ok(());
    }
    let connectors = connectors.iter().take(CONNECTORS_NAMED).cloned().collect();
    Err(DeadLetterError::SeveralConnectors { topic: topic.to_owned(), connectors })
}

//! Dead letters of a topic.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use validator_core::contract::PositionNames;
use validator_core::position::PartitionIndex;
use validator_tap::dead_letter::{Cause, Origin, cause, connector, origin};
use validator_tap::{Message, PartitionRange, Tap, Wanted};

use super::part::refuse_several;
use super::{DeadLetterError, DeadLetters};

/// Connectors that an error names.
pub(super) const CONNECTORS_NAMED: usize = 3;

/// A topic of dead letters.
#[derive(Debug, Clone, Copy)]
pub struct LetterTopic<'a> {
    /// Its messages, opened after the end of the run's range was known.
    pub tap: &'a dyn Tap,
    /// Its name.
    pub topic: &'a str,
    /// The headers that name a message.
    pub position: &'a PositionNames,
    /// The topics whose messages are asked for.
    pub topics: &'a [String],
    /// Whether messages of errors may be told: they may hold values that nobody is to see.
    pub tell_messages: bool,
    /// Offsets that are read of the end of each partition; none: all.
    pub last: Option<i64>,
}

impl LetterTopic<'_> {
    /// Which message a letter names, and why it was put aside, as far as that may be told; of one that names a message, who says so is
    /// noted.
    pub(super) fn told(&self, letter: &Message<'_>, connectors: &mut BTreeSet<String>) -> (Origin, Cause) {
        let headers = letter.headers();
        let origin = origin(&headers, self.position, self.topics);
        if matches!(origin, Origin::At(..)) {
            connectors.extend(connector(&headers));
        }
        let mut cause = cause(&headers);
        cause.message = cause.message.filter(|_| self.tell_messages);
        (origin, cause)
    }
}

/// Reads the dead letters of a topic. Blocking.
///
/// # Errors
/// [`DeadLetterError`].
pub fn of_topic(letters: LetterTopic<'_>, partitions: &[PartitionRange]) -> Result<DeadLetters, DeadLetterError> {
    let mut found = DeadLetters::new(letters.topic, partitions);
    let wanted = |(index, range): (u32, &PartitionRange)| {
        let from = letters.last.map_or(range.from, |last| range.from.max(range.to - last));
        (from < range.to).then(|| (PartitionIndex(index), std::iter::once(from..range.to).collect()))
    };
    // A sink that put a message aside says nothing of the table of another one.
    let mut connectors: BTreeSet<String> = BTreeSet::new();
    let wanted: Vec<Wanted> = (0..).zip(letters.tap.partitions()).filter_map(wanted).collect();
    let end = letters.tap.read(&wanted, &mut |message| {
        match letters.told(message, &mut connectors) {
            (Origin::At(tp, offset), cause) => found.note(partitions, &tp, offset, Some(cause)),
            (Origin::Elsewhere, _) => found.note_other(true),
            (Origin::Unknown, _) => found.note_other(false),
        }
        ControlFlow::Continue(())
    });
    let end = end.map_err(|source| DeadLetterError::Topic { topic: letters.topic.to_owned(), source })?;
    let failed = end.partitions.into_iter().find_map(|end| Some((end.partition, end.position, end.failure?)));
    if let Some((partition, position, source)) = failed {
        let tp = letters.tap.partitions()[partition.0 as usize].tp.clone();
        return Err(DeadLetterError::Partition { tp, position, source });
    }
    refuse_several(letters.topic, &connectors)?;
    found.read_whole()
}

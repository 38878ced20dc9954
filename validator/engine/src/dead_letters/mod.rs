//! The dead letters of a run: which messages they are of, read from their topic (`topic.rs`) or table (`table.rs`).
//!
//! Contract: evidence, no verdict: the judge is told which messages of its case have a dead letter, and decides. Positions
//! are packed, a bit for an offset of the range at most, so that millions of them need megabytes. All of them are read or
//! none: what cannot be read to its end is an error, for a message whose dead letter was not seen would be called missing.

mod error;
mod part;
mod table;
mod topic;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringTreemap;
use validator_core::judge::MessageEntry;
use validator_core::position::{MessageAt, PartitionIndex, TopicPartition};
use validator_tap::PartitionRange;
use validator_tap::dead_letter::Cause;

use crate::limits::{DEAD_LETTER_CAUSE_BYTES_MAX, DEAD_LETTERS_LEAST};
pub use error::DeadLetterError;
pub use part::{LettersPart, part_of_table, part_of_topic, refuse_several};
pub use table::{LetterColumns, of_table};
pub use topic::{LetterTopic, of_topic};

/// What the dead letters of a run name.
#[derive(Debug, Default)]
pub struct DeadLetters {
    /// Where they are, as the pipeline file says it.
    pub source: String,
    /// What was read.
    pub read: LettersRead,
    /// Offsets by partition of the run.
    offsets: Vec<RoaringTreemap>,
    /// Why, of the first that say it.
    causes: HashMap<MessageAt, Arc<str>>,
    /// Texts of `causes`, each once.
    texts: HashSet<Arc<str>>,
    /// Bytes of `causes` and `texts`.
    cause_bytes: usize,
}

/// Dead letters by what they name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LettersRead {
    /// All that were read.
    pub letters: u64,
    /// Of messages inside of the run's range.
    pub inside: u64,
    /// Of messages of its topics outside of the range.
    pub outside: u64,
    /// Of offsets that its topics never had: negative ones, and those at or above the high watermark.
    pub impossible: u64,
    /// Of messages of other topics.
    pub elsewhere: u64,
    /// They name no message.
    pub nameless: u64,
}

impl LettersRead {
    /// Refuses letters whose positions are not where they are looked for.
    ///
    /// # Errors
    /// None of them names a message, or most name one that cannot be.
    pub fn refuse(&self, source: &str) -> Result<(), DeadLetterError> {
        let Self { letters, inside, outside, impossible, nameless, .. } = *self;
        let source_of = || source.to_owned();
        if letters > 0 && nameless == letters {
            return Err(DeadLetterError::Nameless { source_of: source_of(), letters });
        }
        let named = inside + outside + impossible;
        if impossible * 2 > named && named >= DEAD_LETTERS_LEAST {
            return Err(DeadLetterError::NotPositions { source_of: source_of(), named, impossible });
        }
        Ok(())
    }

    /// The same of letters that come one by one: the first few may be of somebody else.
    ///
    /// # Errors
    /// As [`Self::refuse`], once there are ten.
    pub fn refuse_many(&self, source: &str) -> Result<(), DeadLetterError> {
        if self.letters < DEAD_LETTERS_LEAST { Ok(()) } else { self.refuse(source) }
    }
}

/// Messages that dead letters name, by what became of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LettersJudged {
    /// Offsets inside of the range that dead letters name.
    pub named: u64,
    /// Of them, those that hold no message.
    pub holes: u64,
    /// Of them, those that another verdict goes before: the message has a row, or none is asked for.
    pub other: u64,
}

impl DeadLetters {
    /// Of a run over these partitions; nothing read so far.
    pub fn new(source: impl Into<String>, partitions: &[PartitionRange]) -> Self {
        let offsets = vec![RoaringTreemap::new(); partitions.len()];
        Self { source: source.into(), offsets, ..Self::default() }
    }

    /// Takes note of the dead letter of that message.
    pub(crate) fn note(
        &mut self,
        partitions: &[PartitionRange],
        tp: &TopicPartition,
        offset: i64,
        cause: Option<Cause>,
    ) {
        self.read.letters += 1;
        let Ok(index) = partitions.binary_search_by(|range| range.tp.cmp(tp)) else {
            match partitions.iter().any(|range| range.tp.topic == tp.topic) {
                true => self.read.impossible += 1,
                false => self.read.elsewhere += 1,
            }
            return;
        };
        let range = &partitions[index];
        if offset < 0 || offset >= range.high_watermark {
            self.read.impossible += 1;
        } else if !range.listed || !(range.from..range.to).contains(&offset) {
            self.read.outside += 1;
        } else {
            self.read.inside += 1;
            self.offsets[index].insert(offset.cast_unsigned());
            let at = MessageAt { partition: PartitionIndex(index as u32), offset };
            if let Some(text) = cause.and_then(in_words) {
                self.keep(at, text);
            }
        }
    }

    /// Takes note of a dead letter of another topic, or of none that it names.
    pub(crate) fn note_other(&mut self, is_elsewhere: bool) {
        self.read.letters += 1;
        match is_elsewhere {
            true => self.read.elsewhere += 1,
            false => self.read.nameless += 1,
        }
    }

    fn keep(&mut self, at: MessageAt, text: String) {
        let entry = size_of::<(MessageAt, Arc<str>)>() * 2;
        if self.cause_bytes + entry + text.len() > DEAD_LETTER_CAUSE_BYTES_MAX {
            return;
        }
        let text: Arc<str> = match self.texts.get(text.as_str()) {
            Some(known) => Arc::clone(known),
            None => {
                self.cause_bytes += text.len();
                let text = Arc::from(text);
                self.texts.insert(Arc::clone(&text));
                text
            }
        };
        // A letter that comes later tells of a later attempt.
        if self.causes.insert(at, text).is_none() {
            self.cause_bytes += entry;
        }
    }

    /// Of these messages why they were put aside, and nothing else: for the sentences of a continuous run.
    pub fn of_causes(source: impl Into<String>, causes: impl IntoIterator<Item = (MessageAt, String)>) -> Self {
        let causes = causes.into_iter().map(|(at, text)| (at, Arc::from(text))).collect();
        Self { source: source.into(), causes, ..Self::default() }
    }

    /// All are read.
    ///
    /// # Errors
    /// As [`LettersRead::refuse`].
    pub(crate) fn read_whole(mut self) -> Result<Self, DeadLetterError> {
        self.read.refuse(&self.source)?;
        self.offsets.iter_mut().for_each(|offsets| {
            offsets.optimize();
        });
        Ok(self)
    }

    /// Whether there is a dead letter of the message.
    pub fn contains(&self, at: MessageAt) -> bool {
        let offsets = self.offsets.get(at.partition.0 as usize);
        offsets.is_some_and(|offsets| at.offset >= 0 && offsets.contains(at.offset.cast_unsigned()))
    }

    /// Those of the messages that have a dead letter.
    pub fn among(&self, messages: &[MessageEntry]) -> BTreeSet<MessageAt> {
        messages.iter().map(|message| message.at).filter(|at| self.contains(*at)).collect()
    }

    /// Why the message was put aside, as far as it is known.
    pub fn cause(&self, at: MessageAt) -> Option<&str> {
        self.causes.get(&at).map(|text| &**text)
    }

    /// Offsets of a partition in a range that dead letters name.
    fn within(&self, partition: usize, range: Range<i64>) -> u64 {
        let range = range.start.max(0)..range.end;
        if range.is_empty() {
            return 0;
        }
        let below = |end: i64| if end > 0 { self.offsets[partition].rank((end - 1).cast_unsigned()) } else { 0 };
        below(range.end) - below(range.start)
    }

    /// What became of the messages that they name, where `diverted` are by that verdict: of each partition what was read
    /// of it, and the offsets in it that hold no message.
    pub fn judged<'g>(
        &self,
        diverted: u64,
        read: impl Iterator<Item = (Range<i64>, &'g [Range<i64>])>,
    ) -> LettersJudged {
        let (mut named, mut holes) = (0, 0);
        for (partition, (range, gaps)) in read.enumerate() {
            named += self.within(partition, range.clone());
            let inside = |gap: &Range<i64>| gap.start.max(range.start)..gap.end.min(range.end);
            holes += gaps.iter().map(|gap| self.within(partition, inside(gap))).sum::<u64>();
        }
        LettersJudged { named, holes, other: (named - holes).saturating_sub(diverted) }
    }
}

fn in_words(cause: Cause) -> Option<String> {
    match (cause.class, cause.message) {
        (Some(class), Some(message)) => Some(format!("{class}: {message}")),
        (class, message) => class.or(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges() -> Vec<PartitionRange> {
        let range = |partition: i32| PartitionRange {
            tp: TopicPartition { topic: "t".into(), partition },
            log_start: 0,
            high_watermark: 1_000_000,
            last_stable: 1_000_000,
            from: 100,
            to: 900_000,
            start: None,
            starts_at_first: false,
            ends_at_now: false,
            listed: partition < 2,
        };
        (0..3).map(range).collect()
    }

    fn noted(of: &[(&str, i32, i64)]) -> DeadLetters {
        let (ranges, mut letters) = (ranges(), DeadLetters::new("dlq", &ranges()));
        for (topic, partition, offset) in of {
            letters.note(&ranges, &TopicPartition { topic: (*topic).into(), partition: *partition }, *offset, None);
        }
        letters
    }

    #[test]
    fn each_letter_is_counted_once_by_what_it_names() {
        let letters = noted(&[
            ("t", 0, 100),
            ("t", 0, 100),
            ("t", 1, 899_999),
            ("t", 0, 99),
            ("t", 0, 900_000),
            ("t", 2, 500),
            ("t", 0, -1),
            ("t", 1, 1_000_000),
            ("t", 9, 5),
            ("u", 0, 5),
        ]);
        let expected = LettersRead { letters: 10, inside: 3, outside: 3, impossible: 3, elsewhere: 1, nameless: 0 };
        assert_eq!(letters.read, expected);
        let at = |partition: u32, offset| MessageAt { partition: PartitionIndex(partition), offset };
        let named = [at(0, 100), at(1, 899_999), at(0, 99), at(2, 500), at(1, 100), at(0, -1), at(7, 0)];
        assert_eq!(named.map(|at| letters.contains(at)), [true, true, false, false, false, false, false]);
    }

    #[test]
    fn what_became_of_them_adds_up() {
        let letters = noted(&[("t", 0, 100), ("t", 0, 101), ("t", 0, 500), ("t", 1, 700), ("t", 1, 800)]);
        let gaps = [101..103, 800..801].map(|gap| std::iter::once(gap).collect::<Vec<_>>());
        // The second partition could be read up to 750 only.
        let read = [(100..900_000, &gaps[0][..]), (100..750, &gaps[1][..]), (0..0, &[][..])];
        let judged = letters.judged(2, read.into_iter());
        assert_eq!(judged, LettersJudged { named: 4, holes: 1, other: 1 });
    }

    #[test]
    fn letters_that_name_nothing_or_what_cannot_be_are_refused() {
        let mut letters = DeadLetters::new("dlq", &ranges());
        letters.note_other(false);
        assert!(matches!(letters.read_whole(), Err(DeadLetterError::Nameless { letters: 1, .. })));
        let beyond: Vec<(&str, i32, i64)> = (0..20).map(|offset| ("t", 0, 2_000_000 + offset)).collect();
        let refused = noted(&beyond).read_whole();
        assert!(matches!(refused, Err(DeadLetterError::NotPositions { named: 20, impossible: 20, .. })));
        assert!(noted(&[("t", 0, 500), ("t", 0, 2_000_000)]).read_whole().is_ok());
    }

    #[test]
    fn millions_of_letters_take_little_room_and_causes_are_bounded() {
        let (ranges, mut letters) = (ranges(), DeadLetters::new("dlq", &ranges()));
        let tp = TopicPartition { topic: "t".into(), partition: 0 };
        for offset in 100..600_000 {
            let message = Some(format!("at offset {offset} {}", "x".repeat(200)));
            let cause = Cause { class: Some("E".to_owned()), message };
            letters.note(&ranges, &tp, offset, Some(cause));
        }
        let letters = letters.read_whole().expect("they name messages");
        assert!(letters.offsets[0].serialized_size() < 100_000, "{}", letters.offsets[0].serialized_size());
        assert!(letters.cause_bytes <= DEAD_LETTER_CAUSE_BYTES_MAX);
        let at = |offset| MessageAt { partition: PartitionIndex(0), offset };
        assert!(letters.cause(at(100)).is_some_and(|cause| cause.starts_with("E: at offset 100 ")));
        assert_eq!((letters.cause(at(599_999)), letters.contains(at(599_999))), (None, true));
    }
}

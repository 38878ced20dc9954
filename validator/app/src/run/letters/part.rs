//! One part of the dead letters of a look, read beside the actor.
//!
//! Contract: a letter of an offset that the topic does not have, asked after the letter was read, is no message's; one of a topic or
//! partition that nobody follows yet is not passed over: both sides are opened anew, and it is read again. Nor is one that does not say
//! its partition noted for the only one while there are more.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use validator_core::contract::PositionNames;
use validator_core::error_chain::error_chain;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::shadow::event::{CannotLook, Letter};
use validator_engine::dead_letters::{
    DeadLetterError, LetterColumns, LetterTopic, LettersPart, LettersRead, part_of_table, part_of_topic,
};
use validator_table::{Reloaded, SnapshotSelector, Table, TableError};
use validator_tap::{Ends, Tap, TapError};

use super::LettersNotes;
use super::noted::names_of;
use super::reloaded::{Older, reloaded};
use super::stable::{Behind, Stable, first_open, stable};
use crate::dead_letters::Letters;
use crate::failure::Failure;
use crate::messages::topics_of;
use crate::open::TableSource;
use crate::run::limits::LETTERS_AT_ONCE;

/// What is to be read of the partitions of their topic.
pub type Ranges = Vec<(PartitionIndex, Range<i64>)>;

/// Where dead letters are, opened.
#[derive(Debug, Clone)]
pub struct LetterSource {
    name: String,
    /// What of a letter names a message.
    position: PositionNames,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Topic {
        tap: Arc<dyn Tap>,
        /// Whether messages of errors may be told.
        tell_messages: bool,
        /// A look that waits for transactions to end.
        behind: Option<Behind>,
    },
    Table {
        source: Box<TableSource>,
        table: Box<Table>,
        columns: LetterColumns,
        /// Files that this process has read; a file that is written is never another one.
        files: Arc<BTreeSet<String>>,
        /// A file of which the rows before this one were.
        partly: Option<(String, u64)>,
        /// Whether the files of `table` are all among them.
        is_read: bool,
        /// What the catalog answers, if it is older than `table`.
        older: Option<Older>,
    },
}

/// What a part is read by.
pub(super) struct Asked {
    pub source: LetterSource,
    pub notes: LettersNotes,
    /// The instant of the look.
    pub at_ms: i64,
    /// Of their topic, asked for in this look; none: not yet.
    pub ends: Option<Ranges>,
    /// Of the messages.
    pub tap: Arc<dyn Tap>,
    /// The partitions that are followed.
    pub lanes: Vec<TopicPartition>,
    /// One past the last offset of each, as far as the look knows.
    pub high_watermarks: Vec<i64>,
}

/// A part that was read.
pub struct LettersSeen {
    /// Of messages that are followed.
    pub letters: Vec<Letter>,
    /// With this part.
    pub notes: LettersNotes,
    /// With what it read.
    pub source: LetterSource,
    /// What is left of their topic, of this look.
    pub ends: Option<Ranges>,
    /// Whether nothing is.
    pub is_all: bool,
    /// The instant that the look is to be judged at: all letters of then are told.
    pub at_ms: i64,
}

/// What the job says.
pub enum LettersSight {
    /// Some.
    Seen(Box<LettersSeen>),
    /// Both sides are to be opened anew first.
    Reopen(&'static str),
    /// They cannot be read in this look.
    NotYet {
        /// With what is known of that.
        source: Box<LetterSource>,
        /// Why not.
        why: Box<Unread>,
    },
}

/// Why they say nothing.
pub enum Unread {
    /// They themselves.
    Letters(DeadLetterError),
    /// The catalog of their table.
    Table(TableError),
    /// The brokers.
    Brokers(TapError),
    /// A transaction that is open in their topic: where it begins.
    Open(TopicPartition, i64),
}

impl LetterSource {
    /// Of what was opened. `tell_messages`: whether messages of errors may be told.
    ///
    /// # Errors
    /// Their table cannot be loaded.
    pub async fn of(letters: Letters, tell_messages: bool) -> Result<Self, TableError> {
        Ok(match letters {
            Letters::Topic { tap, topic, position } => {
                Self { name: topic, position, place: Place::Topic { tap, tell_messages, behind: None } }
            }
            Letters::Table { source, name, columns, position, .. } => {
                let table = Box::new(source.load().await?);
                let files = Arc::default();
                let place = Place::Table { source, table, columns, files, partly: None, is_read: false, older: None };
                Self { name, position, place }
            }
        })
    }

    /// What of a letter names a message: names of headers or columns.
    pub fn position(&self) -> &PositionNames {
        &self.position
    }

    /// What was read so far, as far as it is of this source: a topic that was made again, and one that was read by other names, is read
    /// from its beginning, and of a table each process reads all files once.
    pub fn goes_on(&self, noted: Option<&LettersNotes>) -> LettersNotes {
        let has_diverted = noted.is_some_and(|noted| noted.has_diverted || noted.of_messages > 0);
        let names = names_of(&self.position);
        let new = LettersNotes { source: self.name.clone(), names, has_diverted, ..LettersNotes::default() };
        let Place::Topic { tap, .. } = &self.place else { return new };
        let id = tap.topic_ids().remove(&self.name);
        let is_same = |noted: &&LettersNotes| id.is_none() || noted.topic_id.is_none() || noted.topic_id == id;
        let is_by_these = |noted: &&LettersNotes| noted.is_by(&self.position);
        let noted = noted.filter(is_same).filter(is_by_these).cloned().unwrap_or_else(|| new.clone());
        LettersNotes { topic_id: id.or(noted.topic_id.clone()), names: new.names, has_diverted, ..noted }
    }
}

impl Asked {
    /// Reads it.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn read(self) -> Result<LettersSight, Unread> {
        match &self.source.place {
            Place::Table { .. } => self.of_table().await,
            Place::Topic { .. } => self.blocking(Self::of_topic).await,
        }
    }

    async fn of_table(mut self) -> Result<LettersSight, Unread> {
        let Place::Table { source, table, columns, files, partly, is_read, older } = &mut self.source.place else {
            unreachable!("asked of a table")
        };
        let reloaded = match reloaded(source, table, older, self.at_ms).await {
            Ok(reloaded) => reloaded,
            Err(error) => {
                let (source, why) = (Box::new(self.source), Box::new(Unread::Table(error)));
                return Ok(LettersSight::NotYet { source, why });
            }
        };
        if let Reloaded::Changed(now) = reloaded {
            if now.uuid() != table.uuid() {
                return Ok(LettersSight::Reopen("the table of dead letters was made anew"));
            }
            (*table, *is_read) = (now, false);
        }
        let mut part = LettersPart { is_all: true, ..LettersPart::default() };
        if !*is_read {
            let pinned = table.pin(&SnapshotSelector::Current).await.map_err(Unread::Table)?;
            let topics = topics_of(self.tap.partitions());
            let of = (self.source.name.as_str(), topics.first().map_or("", String::as_str), LETTERS_AT_ONCE);
            part = part_of_table(&pinned, columns, of, (&**files, partly.as_ref())).await.map_err(Unread::Letters)?;
            Arc::make_mut(files).extend(part.files.iter().cloned());
            (*partly, *is_read) = (part.partly.take(), part.is_all);
        }
        self.blocking(|asked| asked.classed(part)).await
    }

    fn of_topic(mut self) -> Result<LettersSight, Unread> {
        let Place::Topic { tap, tell_messages, behind } = &mut self.source.place else {
            unreachable!("asked of a topic")
        };
        let (tap, tell_messages) = (Arc::clone(tap), *tell_messages);
        if self.ends.is_none() {
            let asked = stable(tap.as_ref(), self.at_ms, behind).and_then(|found| Ok((found, tap.grown()?)));
            let (Stable { ends, at_ms }, grown) = match asked {
                Ok(asked) => asked,
                Err(TapError::TopicRecreated { .. }) => {
                    return Ok(LettersSight::Reopen("the topic of dead letters was made again"));
                }
                Err(error) => return Err(Unread::Brokers(error)),
            };
            if !grown.is_empty() {
                return Ok(LettersSight::Reopen("there are new partitions of dead letters"));
            }
            match (at_ms, first_open(tap.as_ref(), &ends)) {
                (None, Some((tp, from))) => {
                    let (source, why) = (Box::new(self.source), Box::new(Unread::Open(tp, from)));
                    return Ok(LettersSight::NotYet { source, why });
                }
                (at_ms, _) => self.at_ms = at_ms.unwrap_or(self.at_ms),
            }
            self.ends = Some(self.ranges(tap.as_ref(), ends));
        }
        let (topic, position) = (&self.source.name, &self.source.position);
        let topics = topics_of(self.tap.partitions());
        let (tap, topics) = (tap.as_ref(), topics.as_slice());
        let letters = LetterTopic { tap, topic, position, topics, tell_messages, last: None };
        let ranges = self.ends.clone().unwrap_or_default();
        let part = part_of_topic(letters, &ranges, LETTERS_AT_ONCE).map_err(Unread::Letters)?;
        self.classed(part)
    }

    async fn blocking(
        self,
        read: impl FnOnce(Self) -> Result<LettersSight, Unread> + Send + 'static,
    ) -> Result<LettersSight, Unread> {
        let read = tokio::task::spawn_blocking(move || read(self)).await;
        read.map_err(|error| Unread::Brokers(TapError::Client { what: error.to_string() }))?
    }

    /// What is to be read of each partition. One that ends before what was read of it is read from its beginning: a letter that is read
    /// twice changes nothing.
    fn ranges(&mut self, tap: &dyn Tap, ends: Vec<Ends>) -> Ranges {
        let mut ranges = Ranges::new();
        for end in ends {
            let range = &tap.partitions()[end.partition.0 as usize];
            let number = range.tp.partition;
            let position = self.notes.positions.get(&number).copied().filter(|at| *at <= end.high_watermark);
            // A recording begins where it was begun.
            let is_recorded = range.starts_at_first && range.log_start > 0;
            if position.unwrap_or(0) < end.log_start && !is_recorded {
                self.notes.gone.insert(number, end.log_start);
            }
            let from = position.unwrap_or(0).max(end.log_start);
            ranges.push((end.partition, from..end.last_stable.max(from)));
        }
        ranges
    }

    /// Says of each letter whether it is of a message that is followed. Blocking.
    fn classed(mut self, part: LettersPart) -> Result<LettersSight, Unread> {
        let (tap, topics) = (Arc::clone(&self.tap), topics_of(self.tap.partitions()));
        let is_known = |tp: &TopicPartition| tap.partitions().iter().any(|range| range.tp == *tp);
        let is_stranger = |tp: &TopicPartition| tp.partition >= 0 && topics.contains(&tp.topic) && !is_known(tp);
        // What says no topic or no partition is taken for the only one: there may be more by now.
        let position = &self.source.position;
        let is_placed = position.topic.is_some() && position.partition.is_some();
        // Of a topic or a partition that came after both sides were opened, perhaps.
        let is_new = |tp: &TopicPartition| !is_placed || is_stranger(tp) || !topics.contains(&tp.topic);
        let may_be_new = part.elsewhere > 0 || part.named.iter().any(|(tp, ..)| is_new(tp));
        if may_be_new && !tap.grown().map_err(Unread::Brokers)?.is_empty() {
            return Ok(LettersSight::Reopen("there are new partitions"));
        }
        self.ask_ends(&part)?;
        let mut read = LettersRead { letters: part.letters() as u64, ..LettersRead::default() };
        (read.elsewhere, read.nameless) = (part.elsewhere, part.nameless);
        let mut letters = Vec::new();
        for (tp, offset, cause) in part.named {
            let Some(lane) = self.lanes.iter().position(|lane| *lane == tp) else {
                let count = match (topics.contains(&tp.topic), is_known(&tp)) {
                    (false, _) => &mut read.elsewhere,
                    (true, true) => &mut read.outside,
                    (true, false) => &mut read.impossible,
                };
                *count += 1;
                continue;
            };
            if offset < 0 || offset >= self.high_watermarks[lane] {
                read.impossible += 1;
                continue;
            }
            read.inside += 1;
            letters.push(Letter { partition: PartitionIndex(lane as u32), offset, cause });
        }
        self.notes.add(&read);
        self.notes.connectors.extend(part.connectors);
        self.go_to(&part.positions);
        let Self { notes, source, ends, at_ms, .. } = self;
        Ok(LettersSight::Seen(Box::new(LettersSeen { letters, notes, source, ends, is_all: part.is_all, at_ms })))
    }

    /// A letter comes after its message: what it names beyond the ends of the look is asked for once more.
    fn ask_ends(&mut self, part: &LettersPart) -> Result<(), Unread> {
        let is_beyond = |(tp, offset, _): &(TopicPartition, i64, Option<String>)| {
            let lane = self.lanes.iter().position(|lane| lane == tp);
            lane.is_some_and(|lane| *offset >= self.high_watermarks[lane])
        };
        if !part.named.iter().any(is_beyond) {
            return Ok(());
        }
        // Those that the contract leaves out are behind those that are followed.
        let ends = self.tap.ends().map_err(Unread::Brokers)?;
        for (known, end) in self.high_watermarks.iter_mut().zip(ends) {
            *known = end.high_watermark.max(*known);
        }
        Ok(())
    }

    fn go_to(&mut self, positions: &BTreeMap<i32, i64>) {
        self.notes.positions.extend(positions);
        let Place::Topic { tap, .. } = &self.source.place else { return };
        let number = |partition: &PartitionIndex| tap.partitions()[partition.0 as usize].tp.partition;
        for (partition, range) in self.ends.iter_mut().flatten() {
            range.start = positions.get(&number(partition)).copied().unwrap_or(range.start);
        }
    }
}

impl Unread {
    /// What cannot be looked at; none: what was asked for is at fault.
    pub fn cannot_look(&self) -> Option<CannotLook> {
        match self {
            Self::Letters(error) if error.is_usage() => None,
            Self::Letters(DeadLetterError::File { .. } | DeadLetterError::Table { .. }) => Some(CannotLook::Store),
            Self::Letters(_) | Self::Brokers(_) | Self::Open(..) => Some(CannotLook::Broker),
            Self::Table(error) => Some(error.cannot_look()),
        }
    }

    /// For the log.
    pub fn in_words(&self) -> String {
        match self {
            Self::Letters(error) => error_chain(error),
            Self::Table(error) => error_chain(error),
            Self::Brokers(error) => error_chain(error),
            Self::Open(tp, from) => {
                format!(
                    "a transaction is open in {tp} since offset {from}: the letters behind it are told when it ends"
                )
            }
        }
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Letters(error) => error.into(),
            Unread::Table(error) => error.into(),
            Unread::Brokers(error) => error.into(),
            Unread::Open(..) => Self::Following(unread.in_words()),
        }
    }
}

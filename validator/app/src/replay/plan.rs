//! What is to be done about findings: messages to be read into the table once more, and rows that are to go.
//!
//! Contract: pure and sorted, the same of the same findings in any order. A message is in a range only where its rows are known
//! that must go first; what cannot be told exactly is `undecided` and in no list. A phantom is never a row to be deleted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use validator_core::clock::UtcMillis;
use validator_core::finding::RowPlace;
use validator_core::position::TopicPartition;
use validator_core::verdict::{Cause, MessageVerdict, RowVerdict, Verdict};

use super::ranges::{Offsets, Range};
use super::rows::{RowSet, Rows};
use super::told::{About, Told};

/// Name and number of the JSON that a plan is.
pub const PLAN_SCHEMA: &str = "validator.replay_plan/1";

/// A plan, as `--format json` writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// [`PLAN_SCHEMA`].
    pub schema: &'static str,
    /// The pipeline's name.
    pub pipeline: String,
    /// The table's.
    pub table: String,
    /// Where its findings are from.
    #[serde(flatten)]
    pub origin: Origin,
    /// How many messages are to be read into the table again, and why.
    pub messages: Messages,
    /// Which, by topic, partition and offset.
    pub ranges: Vec<TopicRange>,
    /// Rows that a message of `ranges` takes the place of: they go before it comes.
    pub replaced: Vec<Rows>,
    /// Copies beside the one that stays.
    pub surplus: Vec<Rows>,
    /// Rows that no message explains. Nothing says that they are wrong to be there.
    pub phantoms: Vec<Rows>,
    /// What cannot be told from the findings alone.
    pub undecided: Vec<Undecided>,
    /// Findings that people ignore; they are in no list.
    pub ignored: u64,
    /// Kafka timestamps of messages in `ranges`, where a finding says one: by them another message at the same offset is told.
    #[serde(skip)]
    pub timestamps: BTreeMap<TopicPartition, BTreeMap<i64, i64>>,
}

/// Where findings are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// `ledger` or `findings`.
    pub source: &'static str,
    /// The ledger's checkpoint.
    pub checkpoint: Option<u64>,
    /// The instant that it judges by.
    pub judged_at: Option<UtcMillis>,
    /// The snapshot whose rows it judged: positions in files are those of its files.
    pub snapshot_id: Option<i64>,
}

/// Messages to be read again, by what is true of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// All.
    pub total: u64,
    /// Without a row.
    pub missing: u64,
    /// Whose row differs.
    pub corrupted: u64,
    /// Whose row was there and is gone.
    pub withdrawn: u64,
    /// With several rows that differ from each other: none is known to be the right one, so all go and the message comes again.
    pub duplicated: u64,
}

/// A range of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicRange {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offsets.
    #[serde(flatten)]
    pub range: Range,
}

/// Something that is left to a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Undecided {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset; null where no offset is known.
    pub from: Option<i64>,
    /// One past the last.
    pub to: Option<i64>,
    /// What is true of them.
    pub verdict: String,
    /// Why the plan leaves them out.
    pub why: String,
}

/// Findings that cannot be true of one state of the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tp}@{offset} is said to be {one} and {other}")]
pub struct Contradiction {
    tp: TopicPartition,
    offset: i64,
    one: MessageVerdict,
    other: MessageVerdict,
}

/// Makes a plan of findings, one at a time.
#[derive(Debug, Default)]
pub struct Planner {
    offsets: BTreeMap<TopicPartition, Offsets>,
    holes: BTreeMap<TopicPartition, BTreeSet<(i64, i64)>>,
    messages: Messages,
    replaced: RowSet,
    surplus: RowSet,
    phantoms: RowSet,
    undecided: BTreeSet<Undecided>,
    /// Messages that came one by one: a file may hold a finding twice.
    seen: BTreeMap<TopicPartition, BTreeMap<i64, MessageVerdict>>,
    timestamps: BTreeMap<TopicPartition, BTreeMap<i64, i64>>,
    /// The table keeps the last version of each key.
    is_upsert: bool,
    contradiction: Option<Contradiction>,
}

/// Why messages of an upsert table are in no range.
const ORDERED: &str =
    "a version that is read again comes after all others of its key and takes the place of a newer one";
/// Why messages whose rows cannot be read are in none.
const UNREADABLE: &str = "its row may stand in a file that cannot be read, and would be there twice";

impl Planner {
    /// For a pipeline; `is_upsert`: its table keeps the last version of each key.
    pub fn new(is_upsert: bool) -> Self {
        Self { is_upsert, ..Self::default() }
    }

    /// Offsets that hold no message: ranges may span them.
    pub fn hole(&mut self, tp: &TopicPartition, from: i64, to: i64) {
        self.holes.entry(tp.clone()).or_default().insert((from, to));
    }

    /// Takes a finding; those that nothing is to be done about leave no trace.
    pub fn add(&mut self, told: &Told) {
        if let (Some(why), Verdict::Message(verdict)) = (self.kept_back(told), told.verdict) {
            return self.leave_all(&told.about, verdict, why);
        }
        match (&told.about, told.verdict) {
            (About::Message { tp, offset }, Verdict::Message(verdict))
                if wants(verdict) && self.is_new(tp, *offset, verdict) =>
            {
                self.message(tp, *offset, verdict, told);
            }
            (About::Run { tp, offsets }, Verdict::Message(verdict)) if wants(verdict) => {
                let of_lane = self.offsets.entry(tp.clone()).or_default();
                offsets.iter().for_each(|run| of_lane.add(run.start, run.end));
                self.count(verdict, offsets.iter().map(|run| run.end.abs_diff(run.start)).sum());
            }
            (About::Unknown { tp, range, why }, Verdict::Message(verdict)) if wants(verdict) => {
                self.leave(tp, *range, verdict, why);
            }
            (About::Row, Verdict::Row(RowVerdict::Phantom)) => {
                told.rows.iter().for_each(|row| self.phantoms.add(row, None));
            }
            _ => {}
        }
    }

    /// Why nothing of it may be read again, whatever its rows are.
    fn kept_back(&self, told: &Told) -> Option<&'static str> {
        match told.verdict {
            Verdict::Message(verdict) if !wants(verdict) => None,
            Verdict::Message(_) if self.is_upsert => Some(ORDERED),
            Verdict::Message(_) if told.cause == Some(Cause::StorageCorrupt) => Some(UNREADABLE),
            _ => None,
        }
    }

    fn leave_all(&mut self, about: &About, verdict: MessageVerdict, why: &str) {
        match about {
            About::Message { tp, offset } => self.leave(tp, Some((*offset, offset + 1)), verdict, why),
            About::Run { tp, offsets } => {
                offsets.iter().for_each(|run| self.leave(tp, Some((run.start, run.end)), verdict, why));
            }
            About::Unknown { tp, range, .. } => self.leave(tp, *range, verdict, why),
            About::Row | About::Table => {}
        }
    }

    fn is_new(&mut self, tp: &TopicPartition, offset: i64, verdict: MessageVerdict) -> bool {
        let before = self.seen.entry(tp.clone()).or_default().insert(offset, verdict);
        if let Some(one) = before.filter(|before| *before != verdict) {
            self.contradiction.get_or_insert(Contradiction { tp: tp.clone(), offset, one, other: verdict });
        }
        before.is_none()
    }

    fn message(&mut self, tp: &TopicPartition, offset: i64, verdict: MessageVerdict, told: &Told) {
        let one = Some((offset, offset + 1));
        let is_known = told.rows.iter().all(|row| row.position.is_some());
        let rows: BTreeSet<&RowPlace> = told.rows.iter().collect();
        match verdict {
            MessageVerdict::Corrupted if told.rows.is_empty() || !is_known => {
                return self.leave(tp, one, verdict, "its row is not known, and must go before it comes again");
            }
            MessageVerdict::Duplicated if rows.len() < told.rows.len() => {
                // A delete of the row would take all of them.
                return self.leave(tp, one, verdict, "one row counts several times: its file is entered several times");
            }
            MessageVerdict::Duplicated if rows.len() as u64 != told.copies.max(2) || !is_known => {
                return self.leave(tp, one, verdict, "not all of its rows are known");
            }
            MessageVerdict::Duplicated if told.cause == Some(Cause::Copied) => {
                rows.into_iter().skip(1).for_each(|row| self.surplus.add(row, Some(offset)));
                return;
            }
            MessageVerdict::Corrupted | MessageVerdict::Duplicated => {
                told.rows.iter().for_each(|row| self.replaced.add(row, None));
            }
            _ => {}
        }
        self.offsets.entry(tp.clone()).or_default().add(offset, offset + 1);
        if let Some(at_ms) = told.timestamp_ms {
            self.timestamps.entry(tp.clone()).or_default().insert(offset, at_ms);
        }
        self.count(verdict, 1);
    }

    fn count(&mut self, verdict: MessageVerdict, messages: u64) {
        let of = &mut self.messages;
        let one = match verdict {
            MessageVerdict::Missing => &mut of.missing,
            MessageVerdict::Corrupted => &mut of.corrupted,
            MessageVerdict::Withdrawn => &mut of.withdrawn,
            _ => &mut of.duplicated,
        };
        *one += messages;
        of.total += messages;
    }

    fn leave(&mut self, tp: &TopicPartition, range: Option<(i64, i64)>, verdict: MessageVerdict, why: &str) {
        self.undecided.insert(Undecided {
            topic: tp.topic.clone(),
            partition: tp.partition,
            from: range.map(|(from, _)| from),
            to: range.map(|(_, to)| to),
            verdict: verdict.as_str().to_owned(),
            why: why.to_owned(),
        });
    }

    /// The plan. `offset_column` is the table's column of offsets, where it has one.
    ///
    /// # Errors
    /// Two findings of one message cannot both be true.
    ///
    /// # Panics
    /// When the ranges do not hold the messages that were counted: then a message was told twice.
    pub fn plan(
        self,
        (pipeline, table): (&str, &str),
        origin: Origin,
        ignored: u64,
        offset_column: Option<&str>,
    ) -> Result<Plan, Contradiction> {
        if let Some(contradiction) = self.contradiction {
            return Err(contradiction);
        }
        let mut ranges = Vec::new();
        for (tp, offsets) in self.offsets {
            let holes = self.holes.get(&tp).map(merged).unwrap_or_default();
            let of_topic = |range| TopicRange { topic: tp.topic.clone(), partition: tp.partition, range };
            ranges.extend(offsets.ranges(&holes).into_iter().map(of_topic));
        }
        let in_ranges: u64 = ranges.iter().map(|range| range.range.messages).sum();
        assert_eq!(in_ranges, self.messages.total, "a message is in two findings that are both true");
        Ok(Plan {
            schema: PLAN_SCHEMA,
            pipeline: pipeline.to_owned(),
            table: table.to_owned(),
            origin,
            messages: self.messages,
            ranges,
            replaced: self.replaced.rows(None),
            surplus: self.surplus.rows(offset_column),
            phantoms: self.phantoms.rows(None),
            undecided: self.undecided.into_iter().collect(),
            ignored,
            timestamps: self.timestamps,
        })
    }
}

/// Verdicts after which a message, or a row, is to be dealt with. What is on its way, or was put aside, is not.
fn wants(verdict: MessageVerdict) -> bool {
    matches!(
        verdict,
        MessageVerdict::Missing | MessageVerdict::Corrupted | MessageVerdict::Withdrawn | MessageVerdict::Duplicated
    )
}

/// Holes as few as can be.
fn merged(holes: &BTreeSet<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (from, to) in holes {
        match merged.last_mut() {
            Some(last) if *from <= last.1 => last.1 = last.1.max(*to),
            _ => merged.push((*from, *to)),
        }
    }
    merged
}

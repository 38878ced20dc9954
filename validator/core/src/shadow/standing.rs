//! How a run stands: the one source of report, ledger totals, metrics and readiness (I8).
//!
//! Contract: made from the state alone, so that another process that reads the ledger says the same. Excluded and
//! undecodable messages are counted when they are consumed; the judge's own counts of them are left aside.

use std::collections::BTreeMap;

use super::event::{CannotLook, SnapshotFact};
use super::lot::cause_of;
use crate::accounting::{Accounts, PartitionAccount};
use crate::figures::Figures;
use crate::hole::HoleReason;
use crate::judge::{MessageTally, RowTally};
use crate::position::TopicPartition;
use crate::verdict::{Cause, ExcludedCause, MessageVerdict, Verdict};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The instant that all is judged by; none: nobody has looked yet.
    pub judged_at_ms: Option<i64>,
    /// The table's UUID.
    pub uuid: Option<String>,
    /// The snapshot that was last made the live set.
    pub snapshot: Option<SnapshotFact>,
    /// What could not be asked since the last applied look.
    pub cannot_look: Option<NoLook>,
    /// By partition, in the order of their numbers.
    pub lanes: Vec<LaneStanding>,
    /// Rows of live entries.
    pub rows_read: u64,
    /// By verdict.
    pub rows: RowTally,
    /// Phantom rows that stand at the same place as another, since their file is entered more than once, by cause: one finding is
    /// of all of them.
    pub phantoms_again: BTreeMap<Cause, u64>,
    /// Live files.
    pub files: FileCounts,
    /// By stage.
    pub segments: SegmentCounts,
    /// Entries of disputed segments that are held.
    pub entries: u64,
    /// What is asked for and not answered.
    pub wishes: Wishes,
    /// Whether something settles, and rows or their messages have a time that says whether they are late.
    pub timed: bool,
    /// Rows of live entries of which nobody knows whether they are late: what a rewrite moved before it was followed, rows of expired
    /// snapshots, and those that were read when settle was another one.
    pub untold: u64,
    /// Messages that count with such a verdict and of which no finding says so: of windows and keys that nobody can or could read.
    pub unlisted: BTreeMap<MessageVerdict, u64>,
}

/// A table that could not be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoLook {
    /// What is not there.
    pub what: CannotLook,
    /// Since when, milliseconds since the epoch.
    pub since_ms: i64,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStanding {
    /// Which.
    pub tp: TopicPartition,
    /// The first offset that is consumed.
    pub start: i64,
    /// Whether that was declared.
    pub declared: bool,
    /// The next offset to consume.
    pub position: i64,
    /// The last stable offset of the last applied look, which the tap had passed.
    pub barrier: i64,
    /// One past the last offset, as of the last applied look.
    pub high_watermark: i64,
    /// The first offset that the log still has, as far as is known.
    pub log_start: i64,
    /// Messages consumed.
    pub consumed: u64,
    /// By verdict; they add up to `consumed` (I1).
    pub messages: MessageTally,
    /// Of the excluded ones.
    pub excluded: BTreeMap<ExcludedCause, u64>,
    /// Offsets that hold no message.
    pub hole_offsets: u64,
    /// Of them, those whose reason is known.
    pub holes: BTreeMap<HoleReason, u64>,
    /// Offsets consumed: messages and holes add up to them (I6).
    pub offsets: u64,
    /// The least timestamp of a message that still waits for its row: pending or overdue.
    pub oldest_unsettled_ms: Option<i64>,
}

/// Live files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileCounts {
    /// How many.
    pub live: u64,
    /// Of them, those with a part whose bytes are bad.
    pub corrupt: u64,
    /// Of them, those with a part that cannot be read for another reason.
    pub unreadable: u64,
    /// Rows in a partition tuple that their values do not give.
    pub misrouted: u64,
}

/// Segments by stage; those without messages and rows are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SegmentCounts {
    /// Proven equal, with messages.
    pub balanced: u64,
    /// Drilled, and all that was asked is read.
    pub judged: u64,
    /// Drilled, and more is asked.
    pub drilling: u64,
    /// Without rows, and settled as a whole.
    pub bare: u64,
    /// To be drilled.
    pub to_drill: u64,
    /// Waiting for the clock.
    pub open: u64,
    /// Of those to be drilled: not before others are settled, since the bound of entries is reached.
    pub put_by: u64,
    /// Messages in them, which count as pending.
    pub put_by_messages: u64,
    /// Of those to be drilled: the same, but that it is known what all of their messages are. They are counted, and not listed.
    pub unnamed: u64,
}

/// Questions by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// Segments to be read.
    pub drills: u64,
    /// Files to be read again.
    pub rescans: u64,
    /// Runs of offsets without message whose reason is not known.
    pub holes: u64,
}

impl LaneStanding {
    /// More messages that later versions of their keys took the place of.
    pub(super) fn note_superseded(&mut self, messages: u64) {
        self.messages.excluded += messages;
        self.note_cause(ExcludedCause::Superseded, messages);
    }

    /// Why so many of the excluded ones are.
    pub(super) fn note_cause(&mut self, cause: ExcludedCause, messages: u64) {
        if messages > 0 {
            *self.excluded.entry(cause).or_default() += messages;
        }
    }
}

impl SegmentCounts {
    /// All.
    pub fn total(&self) -> u64 {
        self.balanced + self.disputed() + self.open
    }

    /// Those whose bags differ and that the clock does not excuse.
    pub fn disputed(&self) -> u64 {
        self.judged + self.drilling + self.bare + self.to_drill
    }

    /// Of the disputed, those whose every difference has a verdict.
    pub fn settled(&self) -> u64 {
        self.judged + self.bare
    }
}

impl Wishes {
    /// How many.
    pub fn total(&self) -> u64 {
        self.drills + self.rescans + self.holes
    }
}

impl Standing {
    /// See [`Standing::unlisted`], with the cause of each.
    pub fn unlisted(&self) -> impl Iterator<Item = (Verdict, Option<Cause>, u64)> {
        self.unlisted.iter().map(|(verdict, messages)| ((*verdict).into(), cause_of(*verdict), *messages))
    }

    /// The counts with those that they must add up to (I1).
    pub fn accounts(&self) -> Accounts {
        let partitions = self.lanes.iter().map(|lane| PartitionAccount {
            tp: lane.tp.clone(),
            consumed: lane.consumed,
            messages: lane.messages,
        });
        Accounts {
            partitions: partitions.collect(),
            messages: self.messages(),
            rows_read: self.rows_read,
            rows: self.rows,
        }
    }

    /// Messages of all partitions by verdict.
    pub fn messages(&self) -> MessageTally {
        let mut messages = MessageTally::default();
        self.lanes.iter().for_each(|lane| messages += lane.messages);
        messages
    }

    /// Late messages, as far as it is known; none where it was not looked at, or is known of no row.
    pub fn late(&self) -> Option<u64> {
        let messages = self.messages();
        let is_unknown = messages.intact > 0 && messages.late == 0 && self.untold == self.rows_read;
        (self.timed && !is_unknown).then_some(messages.late)
    }

    /// Messages consumed.
    pub fn consumed(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.consumed).sum()
    }

    /// Excluded messages of all partitions.
    pub fn excluded(&self) -> BTreeMap<ExcludedCause, u64> {
        let mut excluded = BTreeMap::new();
        for (cause, count) in self.lanes.iter().flat_map(|lane| &lane.excluded) {
            *excluded.entry(*cause).or_default() += count;
        }
        excluded
    }

    /// What the counts say.
    pub fn figures(&self) -> Figures {
        Figures::of(&self.messages(), &self.rows)
    }

    /// The least timestamp of a message that still waits for its row.
    pub fn oldest_unsettled_ms(&self) -> Option<i64> {
        self.lanes.iter().filter_map(|lane| lane.oldest_unsettled_ms).min()
    }

    /// Whether nothing is open, to be drilled, unjudged, pending or asked for. Segments that are put by, or not named, do not change
    /// this: they wait for people.
    pub fn is_idle(&self) -> bool {
        let segments = &self.segments;
        let waits = segments.open + segments.drilling + segments.to_drill - segments.put_by - segments.unnamed;
        let pending = self.messages().pending - segments.put_by_messages;
        waits == 0 && pending == 0 && self.wishes.total() == 0
    }

    /// Whether something could not be looked at: then nothing holds.
    pub fn has_failed_to_look(&self) -> bool {
        self.cannot_look.is_some() || self.files.unreadable > 0 || self.segments.put_by > 0
    }

    /// Whether a look was applied, and nothing stands against the next one.
    pub fn can_judge(&self) -> bool {
        self.judged_at_ms.is_some() && self.cannot_look.is_none()
    }
}

//! What a pass over the messages sees beside their rows: counts, gaps, windows, tolerances.
//!
//! Contract: every consumed offset is counted once, in its partition; observations of several threads merge.

use std::collections::BTreeMap;
use std::ops::Range;

use validator_core::judge::MessageState;
use validator_core::position::PartitionIndex;
use validator_core::timeline::Timeline;
use validator_core::verdict::{ExcludedCause, UndecodableCause};
use validator_tap::PartitionEnd;

use crate::mapping::PolicyCounts;

/// What was seen of all partitions of a run.
#[derive(Debug, Default)]
pub struct Observations {
    /// By partition index.
    pub partitions: Vec<PartitionSeen>,
    /// Non-null fields that are neither used nor dropped → messages.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Messages over their Kafka timestamps.
    pub times: Timeline,
    /// Messages that name a key of an object twice.
    pub duplicate_keys: u64,
    /// Fields that expressions refer to → whether any message has a value there.
    pub sql_fields: BTreeMap<String, bool>,
    /// Judged messages among the first of the run.
    pub first_judged: u64,
    /// Tolerances and roundings used.
    pub policy: PolicyCounts,
    /// Of them, what this thread's own tolerances changed; merged into `policy` at the end of its read.
    pub tolerated: PolicyCounts,
}

/// What was seen of one partition.
#[derive(Debug, Default, Clone)]
pub struct PartitionSeen {
    /// Messages read.
    pub consumed: u64,
    /// Excluded messages by cause.
    pub excluded: BTreeMap<ExcludedCause, u64>,
    /// Undecodable messages by cause.
    pub undecodable: BTreeMap<UndecodableCause, u64>,
    /// Offsets that hold no message, ascending.
    pub gaps: Vec<Range<i64>>,
    /// The offset expected next; what lies between it and the next message is a gap.
    next: Option<i64>,
    /// One past the last offset that the read covers; the range's end unless it failed.
    pub position: Option<i64>,
    /// Why the read ended early, in words.
    pub failure: Option<String>,
    /// Window values of the first and the last judged message that has one.
    pub windows: Option<(i64, i64)>,
}

impl PartitionSeen {
    /// The offset expected next.
    pub fn next(&self) -> Option<i64> {
        self.next
    }

    /// What was seen since this was last asked; the offset expected next stays.
    pub fn drain(&mut self) -> Self {
        let next = self.next;
        std::mem::replace(self, Self { next, ..Self::default() })
    }
}

impl Observations {
    /// Nothing seen yet of that many partitions.
    pub fn new(partitions: usize) -> Self {
        Self { partitions: vec![PartitionSeen::default(); partitions], ..Self::default() }
    }

    /// Starts the partition's range: the first offset that could come.
    pub fn expect_from(&mut self, partition: PartitionIndex, offset: i64) {
        self.partitions[partition.0 as usize].next = Some(offset);
    }

    /// One message was read. Offsets ascend within a partition.
    pub fn message(&mut self, partition: PartitionIndex, offset: i64) {
        let seen = &mut self.partitions[partition.0 as usize];
        seen.consumed += 1;
        match seen.next {
            Some(next) if offset > next => seen.gaps.push(next..offset),
            _ => {}
        }
        seen.next = Some(offset + 1);
    }

    /// What became of one message.
    pub fn state(&mut self, partition: u32, state: MessageState) {
        let seen = &mut self.partitions[partition as usize];
        match state {
            MessageState::Judged => {}
            MessageState::Excluded(cause) => *seen.excluded.entry(cause).or_default() += 1,
            MessageState::Undecodable(cause) => *seen.undecodable.entry(cause).or_default() += 1,
        }
    }

    /// These judged messages ask for a row that need not be there any more: they are excluded.
    pub fn release(&mut self, released: &BTreeMap<(PartitionIndex, ExcludedCause), u64>) {
        for ((partition, cause), messages) in released {
            *self.partitions[partition.0 as usize].excluded.entry(*cause).or_default() += messages;
        }
    }

    /// The window value of one judged message, in the order of reading.
    pub fn window(&mut self, partition: u32, number: i64) {
        let windows = &mut self.partitions[partition as usize].windows;
        *windows = Some((windows.map_or(number, |(first, _)| first), number));
    }

    /// No message lies below that offset any more, beside those that came.
    pub fn pass_to(&mut self, partition: PartitionIndex, offset: i64) {
        let seen = &mut self.partitions[partition.0 as usize];
        if let Some(next) = seen.next.filter(|next| *next < offset) {
            seen.gaps.push(next..offset);
        }
        seen.next = seen.next.max(Some(offset));
    }

    /// The read of a partition ended.
    pub fn end(&mut self, end: &PartitionEnd) {
        let seen = &mut self.partitions[end.partition.0 as usize];
        if let Some(next) = seen.next.filter(|next| *next < end.position) {
            seen.gaps.push(next..end.position);
        }
        seen.next = Some(end.position);
        seen.position = Some(end.position);
        seen.failure = end.failure.as_ref().map(ToString::to_string);
    }

    /// Adds what another thread saw; threads read different partitions.
    pub fn merge(&mut self, other: Observations) {
        for (mine, theirs) in self.partitions.iter_mut().zip(other.partitions) {
            if theirs.next.is_some() || theirs.consumed > 0 {
                *mine = theirs;
            }
        }
        for (name, count) in other.unknown_fields {
            *self.unknown_fields.entry(name).or_default() += count;
        }
        for (name, is_there) in other.sql_fields {
            *self.sql_fields.entry(name).or_default() |= is_there;
        }
        self.first_judged += other.first_judged;
        self.duplicate_keys += other.duplicate_keys;
        self.times.add(&other.times);
        self.policy.add(&other.policy);
    }
}

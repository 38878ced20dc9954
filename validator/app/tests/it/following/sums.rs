//! What was seen of messages, added up: by a follower batch by batch, by a single run at once.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;

use validator_core::bag::Bag;
use validator_core::position::MessageAt;
use validator_core::segment::SegmentKey;
use validator_core::shadow::event::Consumed;
use validator_core::shadow::segment::Times;
use validator_core::verdict::{ExcludedCause, UndecodableCause};
use validator_engine::follow::MessageNotes;
use validator_engine::passes::MessagePass;
use validator_tap::PartitionRange;

/// See the module.
#[derive(Debug, Default)]
pub struct Seen {
    /// By partition.
    pub positions: Vec<i64>,
    /// By segment: its bag and its largest offset.
    bags: BTreeMap<SegmentKey, (Bag, i64)>,
    excluded: Vec<BTreeMap<ExcludedCause, u64>>,
    pub undecodable: BTreeMap<MessageAt, (UndecodableCause, Option<i64>, String)>,
    /// By partition, neighbours joined.
    pub gaps: Vec<Vec<Range<i64>>>,
    pub notes: MessageNotes,
    /// What segments say of times and states, which must add up to what partitions say.
    times: BTreeMap<SegmentKey, Times>,
    beside: u64,
}

impl Seen {
    pub fn new(positions: Vec<i64>) -> Self {
        let partitions = positions.len();
        Self {
            positions,
            excluded: vec![BTreeMap::new(); partitions],
            gaps: vec![Vec::new(); partitions],
            ..Self::default()
        }
    }

    /// Whether everything of these partitions was consumed.
    pub fn is_at(&self, ranges: &[PartitionRange]) -> bool {
        self.positions.iter().zip(ranges).all(|(position, range)| *position >= range.last_stable)
    }

    pub fn judged(&self) -> u64 {
        self.bags.values().map(|(bag, _)| bag.count).sum()
    }

    pub fn excluded(&self) -> u64 {
        self.excluded.iter().flat_map(BTreeMap::values).sum()
    }

    /// Adds a batch, of which every offset is accounted for.
    pub fn take(&mut self, consumed: Consumed, notes: MessageNotes) {
        for lane in consumed.lanes {
            let index = lane.partition.0 as usize;
            assert_eq!(lane.from, self.positions[index], "a batch begins where the last one ended");
            assert!(lane.to > lane.from);
            self.positions[index] = lane.to;
            assert!(lane.parts.is_sorted_by(|a, b| a.segment < b.segment), "segments ascend");
            let mut offsets = 0;
            for part in lane.parts {
                offsets += part.bag.count + u64::from(part.excluded) + u64::from(part.undecodable);
                self.beside += u64::from(part.excluded) + u64::from(part.undecodable);
                let times = u64::from(part.times.untimed);
                assert!(times <= part.bag.count && (part.times.min_ms.is_some() == (times < part.bag.count)));
                self.times.entry(part.segment).or_default().merge(&part.times);
                if part.bag.count == 0 {
                    assert_eq!((part.bag, part.offset_max), (Bag::EMPTY, i64::MIN));
                    continue;
                }
                assert!((lane.from..lane.to).contains(&part.offset_max));
                let (bag, offset_max) = self.bags.entry(part.segment).or_insert((Bag::EMPTY, i64::MIN));
                bag.merge(&part.bag);
                *offset_max = part.offset_max.max(*offset_max);
            }
            for gap in lane.gaps {
                assert!(lane.from <= gap.start && gap.start < gap.end && gap.end <= lane.to, "a gap lies in its batch");
                offsets += (gap.end - gap.start) as u64;
                match self.gaps[index].last_mut() {
                    Some(last) if last.end == gap.start => last.end = gap.end,
                    _ => self.gaps[index].push(gap),
                }
            }
            assert_eq!(offsets, (lane.to - lane.from) as u64, "each offset of {index} is accounted for (I6)");
            for (cause, messages) in lane.excluded {
                *self.excluded[index].entry(cause).or_default() += messages;
            }
            for message in lane.undecodable {
                let before = self.undecodable.insert(message.at, (message.cause, message.timestamp_ms, message.detail));
                assert!(before.is_none(), "{:?} is told twice", message.at);
            }
        }
        self.note(notes);
    }

    fn note(&mut self, notes: MessageNotes) {
        for (name, messages) in notes.unknown_fields {
            *self.notes.unknown_fields.entry(name).or_default() += messages;
        }
        for (name, is_there) in notes.sql_fields {
            *self.notes.sql_fields.entry(name).or_default() |= is_there;
        }
        self.notes.duplicate_keys += notes.duplicate_keys;
        self.notes.times.add(&notes.times);
        self.notes.policy.add(&notes.policy);
    }

    /// In what it differs from another one.
    pub fn differences(&self, truth: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        differ(&mut differences, "bags", &self.bags, &truth.bags);
        differ(&mut differences, "excluded", &self.excluded, &truth.excluded);
        differ(&mut differences, "undecodable", &self.undecodable, &truth.undecodable);
        differ(&mut differences, "gaps", &self.gaps, &truth.gaps);
        differ(&mut differences, "unknown fields", &self.notes.unknown_fields, &truth.notes.unknown_fields);
        differ(&mut differences, "duplicate keys", &self.notes.duplicate_keys, &truth.notes.duplicate_keys);
        differ(&mut differences, "fields of SQL", &self.notes.sql_fields, &truth.notes.sql_fields);
        let used = |notes: &MessageNotes| {
            notes.policy.messages.iter().filter(|(_, n)| **n > 0).map(|(k, n)| (k.clone(), *n)).collect::<Vec<_>>()
        };
        differ(&mut differences, "policy", &used(&self.notes), &used(&truth.notes));
        differ(&mut differences, "times", &self.notes.times, &truth.notes.times);
        let beside = self.excluded() + self.undecodable.len() as u64;
        differ(&mut differences, "segments against partitions", &self.beside, &beside);
        differences
    }
}

fn differ<T: PartialEq + Debug>(differences: &mut Vec<String>, what: &str, seen: &T, truth: &T) {
    if seen != truth {
        differences.push(format!("{what}: {seen:?} and not {truth:?}"));
    }
}

/// What the first pass of a single run saw.
pub fn of_pass(pass: &MessagePass) -> Seen {
    let seen = pass.seen();
    let mut all = Seen::new(vec![0; seen.partitions.len()]);
    for (segment, bag, offset_max) in pass.bags().filter(|(_, bag, _)| bag.count > 0) {
        let before = all.bags.insert(segment, (bag, offset_max));
        assert!(before.is_none(), "{segment} has two bags");
    }
    for (index, partition) in seen.partitions.iter().enumerate() {
        all.excluded[index] = partition.excluded.clone();
        all.gaps[index] = partition.gaps.clone();
        all.positions[index] = partition.position.unwrap_or_default();
    }
    for (entry, why) in pass.undecodable() {
        let validator_core::judge::MessageState::Undecodable(cause) = entry.state else { panic!("{entry:?}") };
        all.undecodable.insert(entry.at, (cause, entry.timestamp_ms, why.to_owned()));
    }
    all.notes = MessageNotes {
        unknown_fields: seen.unknown_fields.clone(),
        duplicate_keys: seen.duplicate_keys,
        times: seen.times.clone(),
        sql_fields: seen.sql_fields.clone(),
        policy: seen.policy.clone(),
    };
    all
}

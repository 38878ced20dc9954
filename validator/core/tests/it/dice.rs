//! Small random cases: few identities, values and partitions, so that everything collides.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use validator_core::clock::Past;
use validator_core::hole::HoleReason;
use validator_core::judge::{
    BalancedPartner, Case, LossKind, MessageEntry, MessageState, ModeKind, RowEntry, RowStanding,
};
use validator_core::position::PartitionIndex;
use validator_core::verdict::{ExcludedCause, UndecodableCause};

use crate::entries::{
    CLOCK, digest, id_of, identity, key_case, message, message_at, offset_case, row, row_at, value_of,
};

/// SplitMix64 (Steele, Lea, Flood 2014): a whole case comes back from its seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1CE)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u64) as usize]
    }
}

/// The seeds of a test: the `count` from `VALIDATOR_SEED` on, or from 0. A failure prints the seed; `VALIDATOR_SEED=n`
/// makes it the first.
pub fn seeds(count: u64) -> Range<u64> {
    let given = std::env::var("VALIDATOR_SEED").ok();
    let first = given.map_or(0, |text| text.parse().expect("VALIDATOR_SEED is a number"));
    first..first + count
}

/// Why a message may be excluded before anything is judged.
const EXCLUDED: [ExcludedCause; 4] =
    [ExcludedCause::Filter, ExcludedCause::Tombstone, ExcludedCause::Superseded, ExcludedCause::BeforeStart];

const TIMESTAMPS_MS: [Option<i64>; 8] =
    [None, Some(100), Some(101), Some(200), Some(200), Some(500), Some(900), Some(901)];

/// Even offsets are the case's, odd ones the balanced segments'.
pub fn case(dice: &mut Dice) -> (Case, Vec<BalancedPartner>) {
    let mode = dice.pick(&[ModeKind::Offset, ModeKind::Key, ModeKind::Content]);
    let partitions = 1 + dice.below(3) as u32;
    let mut messages = messages(dice, mode, partitions);
    let mut rows = rows(dice, &messages);
    if mode == ModeKind::Content {
        make_content(&mut messages, &mut rows);
    }
    let case = match mode {
        ModeKind::Offset => {
            let mut case = offset_case(messages, rows);
            let mut paired_max = BTreeMap::new();
            for partition in 0..partitions {
                if dice.percent(30) {
                    paired_max.insert(PartitionIndex(partition), dice.below(14) as i64);
                }
            }
            case.past = Past::Offsets { paired_max };
            case.whole_topic = dice.percent(50);
            case
        }
        ModeKind::Key | ModeKind::Content | ModeKind::Upsert => {
            let mut case = key_case(messages, rows);
            case.mode = mode;
            let times_ms = (0..dice.below(3)).map(|_| dice.pick(&[0, 200, 300, 301, 600, 1_000])).collect();
            case.past = Past::Commits { times_ms };
            case
        }
    };
    let partners = if mode == ModeKind::Key { partners(dice, partitions) } else { Vec::new() };
    let mut case = case;
    may_expire(dice, &mut case);
    // Some worlds have dead letters: of some of the messages, and of a few that are not in the case.
    if dice.percent(40) {
        let of: Vec<_> = case.messages.iter().map(|message| message.at).collect();
        case.diverted.extend(of.into_iter().filter(|_| dice.percent(35)));
        case.diverted.insert(message_at(0, 77));
    }
    (case, partners)
}

/// Some messages had a row once, and some tables hold none for ever; a single run knows of no row that was.
fn may_expire(dice: &mut Dice, case: &mut Case) {
    for message in &mut case.messages {
        message.stood = dice.percent(25);
    }
    case.clock.retention_ms = dice.pick(&[None, Some(200), Some(500), Some(800)]);
    case.remembers = dice.percent(60);
}

/// Upsert: keys below 4 stand in the case with all their versions; the last ones of keys 4 and 5 in balanced segments.
pub fn upsert_case(dice: &mut Dice) -> (Case, Vec<BalancedPartner>) {
    let partitions = 1 + dice.below(2) as u32;
    let mut messages = messages(dice, ModeKind::Upsert, partitions);
    for message in &mut messages {
        if dice.percent(15) {
            let id = 4 + dice.below(2);
            let value = message.rest.map_or(0, value_of);
            (message.identity, message.digest) = (Some(identity(id)), Some(digest(id, value)));
            message.state = MessageState::Excluded(ExcludedCause::Superseded);
        } else if dice.percent(15) {
            message.state = MessageState::Excluded(ExcludedCause::Tombstone);
        } else if dice.percent(5) {
            message.identity = None;
            message.state = MessageState::Undecodable(UndecodableCause::KeyUnknown);
        }
        if message.state != MessageState::Judged
            && !matches!(message.state, MessageState::Excluded(ExcludedCause::Superseded))
        {
            (message.digest, message.rest) = (None, None);
        }
    }
    let rows = rows(dice, &messages);
    let mut case = key_case(messages, rows);
    case.mode = ModeKind::Upsert;
    let times_ms = (0..dice.below(3)).map(|_| dice.pick(&[0, 200, 300, 301, 600, 1_000])).collect();
    case.past = Past::Commits { times_ms };
    may_expire(dice, &mut case);
    let mut partners = Vec::new();
    for id in 4..6 {
        if dice.percent(70) {
            partners.push(BalancedPartner {
                identity: identity(id),
                digest: digest(id, dice.below(4)),
                message: message_at(dice.below(partitions.into()) as u32, 2 * id as i64 - 7 + 4 * dice.below(5) as i64),
                timestamp_ms: Some(CLOCK.judged_at_ms),
                row: row_at(1, 100 + id),
                late: dice.percent(50),
            });
        }
    }
    (case, partners)
}

fn messages(dice: &mut Dice, mode: ModeKind, partitions: u32) -> Vec<MessageEntry> {
    let mut taken = BTreeSet::new();
    let wanted = dice.below(8);
    let places = (0..wanted).map(|_| (dice.below(partitions.into()) as u32, 2 * dice.below(6) as i64));
    taken.extend(places);
    let mut messages: Vec<MessageEntry> = taken
        .into_iter()
        .map(|(partition, offset)| {
            let id = match mode {
                ModeKind::Offset => u64::from(partition) * 100 + offset as u64,
                ModeKind::Key | ModeKind::Content | ModeKind::Upsert => dice.below(4),
            };
            one_message(dice, message_at(partition, offset), id)
        })
        .collect();
    // The judge sorts for itself.
    if dice.percent(50) {
        messages.reverse();
    }
    messages
}

/// In mode `content` the identity is the whole: an entry of identity 3 and value 2 has the content 32, and an inexact
/// message one that no row has.
fn make_content(messages: &mut [MessageEntry], rows: &mut [RowEntry]) {
    for message in messages {
        let Some(id) = message.identity.map(id_of) else { continue };
        let of = id * 10 + message.rest.map_or(9, value_of);
        message.identity = Some(identity(of));
        message.digest = message.digest.map(|_| digest(of, of % 10));
    }
    for row in rows {
        let of = id_of(row.identity) * 10 + value_of(row.rest);
        (row.identity, row.digest) = (identity(of), digest(of, of % 10));
        if row.standing == RowStanding::Impossible {
            row.standing = RowStanding::InScope;
        }
        row.hole = None;
    }
}

fn one_message(dice: &mut Dice, at: validator_core::position::MessageAt, id: u64) -> MessageEntry {
    let mut entry = message(at.offset, id, dice.below(4));
    entry.at = at;
    entry.timestamp_ms = dice.pick(&TIMESTAMPS_MS);
    entry.loss = dice.pick(&[
        None,
        None,
        None,
        Some(LossKind::Corrupt { loss: 0 }),
        Some(LossKind::Corrupt { loss: 1 }),
        Some(LossKind::Unreadable { loss: 2 }),
    ]);
    match dice.below(20) {
        0 => entry.digest = None,
        1 => (entry.digest, entry.rest) = (None, None),
        2..=4 => entry.state = MessageState::Excluded(dice.pick(&EXCLUDED)),
        5 => entry.state = MessageState::Undecodable(dice.pick(UndecodableCause::ALL)),
        6 => {
            entry.state = MessageState::Undecodable(dice.pick(UndecodableCause::ALL));
            entry.identity = None;
        }
        _ => {}
    }
    entry
}

/// Mostly the row that a message asks for, then damaged.
fn rows(dice: &mut Dice, messages: &[MessageEntry]) -> Vec<RowEntry> {
    let ids: Vec<_> = messages.iter().filter_map(|message| message.identity).collect();
    (0..dice.below(10))
        .map(|_| {
            let (mut id, mut of) = (dice.below(4), dice.below(4));
            if !messages.is_empty() && dice.percent(80) {
                let message = dice.pick(messages);
                id = message.identity.map_or(id, id_of);
                of = message.rest.map_or(of, value_of);
            }
            if dice.percent(20) {
                of = dice.below(4);
            }
            if dice.percent(20) {
                id = dice.below(6);
            } else if dice.percent(10) && !ids.is_empty() {
                id = id_of(dice.pick(&ids));
            }
            let mut entry = row(0, id, of);
            entry.at = row_at(dice.below(2) as u32, dice.below(5));
            entry.standing = dice.pick(&[
                RowStanding::InScope,
                RowStanding::InScope,
                RowStanding::InScope,
                RowStanding::InScope,
                RowStanding::OutOfScope,
                RowStanding::Impossible,
                RowStanding::Unobservable,
            ]);
            entry.hole = dice.pick(&[None, None, Some(HoleReason::Aborted), Some(HoleReason::Control)]);
            entry.late = dice.percent(30);
            entry
        })
        .collect()
}

fn partners(dice: &mut Dice, partitions: u32) -> Vec<BalancedPartner> {
    let mut partners = Vec::new();
    for id in 0..4 {
        for nth in 0..dice.below(3) {
            let value = dice.below(4);
            partners.push(BalancedPartner {
                identity: identity(id),
                digest: digest(id, value),
                message: message_at(dice.below(partitions.into()) as u32, 1 + 2 * (id as i64 * 2 + nth as i64)),
                timestamp_ms: Some(CLOCK.judged_at_ms),
                row: row_at(1, 100 + id * 2 + nth),
                late: dice.percent(50),
            });
        }
    }
    partners
}

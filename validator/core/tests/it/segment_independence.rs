//! No verdict depends on `width`, `every` or `shards`: a case cut into segments, of which only the disputed ones are
//! judged and the rest is counted, gives what the judgement of the whole gives.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use validator_core::clock::Past;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{
    BalancedLookup, BalancedPartner, Case, Judgement, MessageEntry, MessageState, ModeKind, NoBalanced, RowEntry,
    RowStanding, judge,
};
use validator_core::position::PartitionIndex;

use crate::dice::{Dice, case, seeds};
use crate::entries::{id_of, judged, value_of};

/// How a case is cut: by offsets or by window × shard.
#[derive(Debug, Clone, Copy)]
struct Cut {
    width: u64,
    every: u64,
    shards: u64,
}

/// (partition or window, index or shard); `None` is where rows stand that no message can have.
type Segment = Option<(u64, u64)>;

impl Cut {
    fn of_message(self, mode: ModeKind, message: &MessageEntry) -> Segment {
        match mode {
            ModeKind::Offset => Some((message.at.partition.0.into(), message.at.offset as u64 / self.width)),
            ModeKind::Key | ModeKind::Content | ModeKind::Upsert => {
                let (value, id) = (message.rest.map_or(0, value_of), message.identity.map_or(0, id_of));
                Some((value / self.every, id % self.shards))
            }
        }
    }

    fn of_row(self, mode: ModeKind, row: &RowEntry) -> Segment {
        let id = id_of(row.identity);
        match mode {
            ModeKind::Offset if row.standing == RowStanding::Impossible => None,
            ModeKind::Offset => Some((id / 100, id % 100 / self.width)),
            ModeKind::Key | ModeKind::Content | ModeKind::Upsert => {
                Some((value_of(row.rest) / self.every, id % self.shards))
            }
        }
    }
}

/// What the balanced segments hold: pairs in order.
struct Balanced {
    pairs: Vec<(MessageEntry, RowEntry)>,
}

impl BalancedLookup for Balanced {
    type Error = Infallible;

    fn find(&mut self, identities: &[IdentityHash]) -> Result<Vec<BalancedPartner>, Infallible> {
        let mut last: BTreeMap<IdentityHash, BalancedPartner> = BTreeMap::new();
        for (message, row) in &self.pairs {
            if identities.contains(&row.identity)
                && last.get(&row.identity).is_none_or(|so_far| so_far.message < message.at)
            {
                let partner = BalancedPartner {
                    identity: row.identity,
                    digest: row.digest,
                    message: message.at,
                    timestamp_ms: message.timestamp_ms,
                    row: row.at,
                    late: row.late,
                };
                last.insert(row.identity, partner);
            }
        }
        Ok(last.into_values().collect())
    }
}

/// A row that no message can have has no message's identity.
fn make_sound(case: &mut Case) {
    let identities: BTreeSet<_> = case.messages.iter().filter_map(|message| message.identity).collect();
    for row in &mut case.rows {
        if row.standing == RowStanding::Impossible && identities.contains(&row.identity) {
            row.standing = RowStanding::InScope;
        }
    }
}

/// In offset mode rows out of scope are in no books.
fn is_booked(mode: ModeKind, row: &RowEntry) -> bool {
    mode != ModeKind::Offset || row.standing != RowStanding::OutOfScope
}

fn disputed(case: &Case, cut: Cut) -> BTreeSet<Segment> {
    type Sides = (Vec<Option<Digest>>, Vec<Option<Digest>>);
    let mut books: BTreeMap<Segment, Sides> = BTreeMap::new();
    for message in case.messages.iter().filter(|message| message.state == MessageState::Judged) {
        books.entry(cut.of_message(case.mode, message)).or_default().0.push(message.digest);
    }
    for row in case.rows.iter().filter(|row| is_booked(case.mode, row)) {
        books.entry(cut.of_row(case.mode, row)).or_default().1.push(Some(row.digest));
    }
    let mut disputed = BTreeSet::from([None]);
    for (segment, (mut debits, mut credits)) in books {
        debits.sort();
        credits.sort();
        if debits != credits {
            disputed.insert(segment);
        }
    }
    // As the contract of a case asks.
    let undecodable = |message: &&MessageEntry| matches!(message.state, MessageState::Undecodable(_));
    let undecodable: BTreeSet<_> =
        case.messages.iter().filter(undecodable).filter_map(|message| message.identity).collect();
    for row in case.rows.iter().filter(|row| undecodable.contains(&row.identity)) {
        disputed.insert(cut.of_row(case.mode, row));
    }
    disputed
}

/// The case of the disputed segments, and the pairs of the balanced ones.
fn split(mut case: Case, cut: Cut) -> (Case, Balanced) {
    let disputed = disputed(&case, cut);
    let mode = case.mode;
    let is_left_out = |message: &MessageEntry| {
        message.state == MessageState::Judged && !disputed.contains(&cut.of_message(mode, message))
    };
    let (mut messages, disputed_messages) = case.messages.into_iter().partition::<Vec<_>, _>(is_left_out);
    let (mut rows, disputed_rows) = case
        .rows
        .into_iter()
        .partition::<Vec<_>, _>(|row| is_booked(mode, row) && !disputed.contains(&cut.of_row(mode, row)));
    (case.messages, case.rows) = (disputed_messages, disputed_rows);
    messages.sort_by_key(|message| message.at);
    rows.sort_by_key(|row| row.at);
    let mut pairs = Vec::new();
    for message in messages {
        let row = rows.iter().position(|row| Some(row.digest) == message.digest).expect("the bags are equal");
        pairs.push((message, rows.remove(row)));
    }
    assert!(rows.is_empty(), "the bags are equal");
    if let Past::Offsets { paired_max } = &mut case.past {
        for (message, _) in &pairs {
            let largest = paired_max.entry(message.at.partition).or_insert(message.at.offset);
            *largest = message.at.offset.max(*largest);
        }
    }
    (case, Balanced { pairs })
}

/// The sums that a caller makes: balanced segments, less what moved, and the judgement.
fn summed(case: Case, cut: Cut, looks_up: bool) -> Judgement {
    let (case, mut balanced) = split(case, cut);
    let Ok(mut judgement) = if looks_up { judge(case, &mut balanced) } else { judge(case, &mut NoBalanced) };
    for (message, row) in &balanced.pairs {
        let tally = judgement.messages.entry(message.at.partition).or_default();
        tally.intact += 1;
        tally.late += u64::from(row.late);
        judgement.rows.intact += 1;
    }
    let moved: Vec<(PartitionIndex, _)> = std::mem::take(&mut judgement.moved_from_intact).into_iter().collect();
    for (partition, moved) in moved {
        let tally = judgement.messages.get_mut(&partition).expect("it has the messages that moved");
        tally.intact -= moved.messages;
        tally.late -= moved.late;
        judgement.rows.intact -= moved.messages;
    }
    judgement
}

#[test]
fn no_verdict_depends_on_width_every_or_shards() {
    let mut balanced = 0;
    let mut moved = 0;
    for seed in seeds(20_000) {
        let mut dice = Dice::new(seed);
        let (mut case, _) = case(&mut dice);
        make_sound(&mut case);
        let whole = judged(case.clone());
        for _ in 0..3 {
            let cut =
                Cut { width: dice.pick(&[1, 2, 4, 16]), every: dice.pick(&[1, 2, 4]), shards: dice.pick(&[1, 2, 3]) };
            assert_eq!(summed(case.clone(), cut, true), whole, "seed {seed}, {cut:?}: {case:#?}");
            let (part, mut rest) = split(case.clone(), cut);
            balanced += rest.pairs.len();
            let Ok(judgement) = judge(part, &mut rest);
            moved += judgement.total_moved_from_intact().messages;
        }
    }
    assert!(
        balanced > 10_000 && moved > 100,
        "{balanced} balanced messages, {moved} of them moved: too few to prove anything"
    );
}

/// The canary: without the look into balanced segments a verdict does depend on how a case is cut.
#[test]
fn a_judge_that_forgets_balanced_segments_is_told_apart() {
    let cut = Cut { width: 1, every: 1, shards: 3 };
    let told_apart = (0..2_000).any(|seed| {
        let (mut case, _) = case(&mut Dice::new(seed));
        make_sound(&mut case);
        summed(case.clone(), cut, false) != judged(case)
    });
    assert!(told_apart);
}

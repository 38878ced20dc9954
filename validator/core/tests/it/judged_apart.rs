//! Entries that may be judged apart give, part by part, what the judgement of the whole case gives.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::clock::Past;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{
    Apart, Case, Judgement, MessageEntry, MessageState, ModeKind, RowEntry, apart, may_be_left, note_pair, with_pairs,
};
use validator_core::position::RowAt;
use validator_core::verdict::UndecodableCause;

use crate::dice::{Dice, case, seeds};
use crate::entries::judged;

#[derive(Default)]
struct Group {
    messages: Vec<MessageEntry>,
    rows: Vec<RowEntry>,
}

/// A case, and what was taken out of it to be judged apart.
struct Cut {
    rest: Case,
    apart: Vec<Group>,
}

fn empty(of: &Case) -> Case {
    Case { messages: Vec::new(), rows: Vec::new(), ..of.clone() }
}

/// `forgets`: a broken cut that does not ask what else is left, which must be noticed.
fn cut(whole: &Case, forgets: bool) -> Cut {
    let mut rest = empty(whole);
    let mut groups: BTreeMap<IdentityHash, Group> = BTreeMap::new();
    for message in &whole.messages {
        match message.identity {
            Some(identity) => groups.entry(identity).or_default().messages.push(*message),
            None => rest.messages.push(*message),
        }
    }
    for row in &whole.rows {
        groups.entry(row.identity).or_default().rows.push(*row);
    }
    let nameless = rest.messages.iter().any(|message| matches!(message.state, MessageState::Undecodable(_)));
    let (mut left_messages, mut left_rows): (BTreeSet<Digest>, BTreeSet<Digest>) = Default::default();
    for group in groups.values() {
        let (messages, rows) = may_be_left(&group.messages, &group.rows);
        left_messages.extend(messages);
        left_rows.extend(rows);
    }
    left_messages.extend(rest.messages.iter().filter_map(|message| message.rest));
    let mut cut = Cut { rest, apart: Vec::new() };
    for group in groups.into_values() {
        let is_apart = match apart(whole.mode, &group.messages, &group.rows, nameless) {
            Apart::Never => false,
            Apart::Always => true,
            Apart::UnlessRowLeft => {
                forgets || !group.messages.iter().any(|m| m.rest.is_some_and(|rest| left_rows.contains(&rest)))
            }
            Apart::UnlessMessageLeft => forgets || !group.rows.iter().any(|row| left_messages.contains(&row.rest)),
        };
        if is_apart {
            cut.apart.push(group);
        } else {
            cut.rest.messages.extend(group.messages);
            cut.rest.rows.extend(group.rows);
        }
    }
    cut
}

fn summed(mut cut: Cut, parts: usize) -> Judgement {
    if let Past::Offsets { paired_max } = &mut cut.rest.past {
        for group in &cut.apart {
            group.messages.iter().for_each(|message| note_pair(paired_max, message, &group.rows));
        }
    }
    let past = with_pairs(&mut cut.rest);
    let like = Case { past, ..empty(&cut.rest) };
    let mut sum = judged(cut.rest);
    for part in 0..parts {
        let mut case = like.clone();
        for group in cut.apart.iter().skip(part).step_by(parts) {
            case.messages.extend(&group.messages);
            case.rows.extend(&group.rows);
        }
        sum.add(judged(case));
    }
    sum
}

/// Deletions of keys that nobody knows are there in upsert tables alone, and what stands twice at one place is one row.
fn make_sound(case: &mut Case) {
    let mut at_place: BTreeMap<RowAt, RowEntry> = BTreeMap::new();
    for row in &mut case.rows {
        *row = *at_place.entry(row.at).or_insert(*row);
    }
    for message in &mut case.messages {
        if message.state == MessageState::Undecodable(UndecodableCause::KeyUnknown) {
            message.state = MessageState::Undecodable(UndecodableCause::BadPayload);
        }
    }
}

/// A row of a file with several live entries is there more than once, in any order.
fn normal(mut judgement: Judgement) -> Judgement {
    judgement.drafts.sort_by_cached_key(|draft| (draft.place(), format!("{draft:?}")));
    judgement
}

#[test]
fn the_parts_add_up_to_the_whole() {
    let (mut messages, mut rows) = (0, 0);
    for seed in seeds(40_000) {
        let mut dice = Dice::new(seed);
        let mut case = case(&mut dice).0;
        make_sound(&mut case);
        let parts = dice.pick(&[1, 2, 5]);
        let found = cut(&case, false);
        messages += found.apart.iter().map(|group| group.messages.len()).sum::<usize>();
        rows += found.apart.iter().filter(|group| group.messages.is_empty()).count();
        assert_eq!(normal(summed(found, parts)), normal(judged(case.clone())), "seed {seed}, {parts} parts: {case:#?}");
    }
    assert!(messages > 10_000 && rows > 1_000, "{messages} messages and {rows} rows alone: too few to prove anything");
}

/// The canary: what step 3 ties together must not be taken apart.
#[test]
fn a_cut_that_does_not_ask_what_is_left_is_told_apart() {
    let told_apart = (0..4_000).any(|seed| {
        let mut case = case(&mut Dice::new(seed)).0;
        make_sound(&mut case);
        case.mode != ModeKind::Content && normal(summed(cut(&case, true), 1)) != normal(judged(case))
    });
    assert!(told_apart);
}

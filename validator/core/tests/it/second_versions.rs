//! The second judge on upsert tables: the versions of each key, read from the last one down, with loops and lists.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use validator_core::clock::Past;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{Case, MessageEntry, MessageState, RowEntry, RowStanding};
use validator_core::position::MessageAt;
use validator_core::verdict::{Cause, ExcludedCause};

use crate::dice::{Dice, seeds, upsert_case};
use crate::second_judge::{Wrong, first_judge, second_judge};

/// What the versions of the keys tell.
#[derive(Default)]
pub struct Versions {
    /// Messages, by index, that only an equal row can be of.
    pub waiting: BTreeSet<usize>,
    /// What each version gave its key.
    pub given: Vec<(MessageAt, IdentityHash, Digest)>,
    /// Why rows of a key are there that nothing takes.
    pub causes: HashMap<IdentityHash, Cause>,
}

/// Marks what is superseded among `messages`, and what is out of scope among `rows`.
pub fn versions(case: &Case, messages: &mut [MessageEntry], rows: &mut [RowEntry], wrong: Wrong) -> Versions {
    let mut versions = Versions::default();
    let mut keys: Vec<IdentityHash> = messages.iter().filter_map(|message| message.identity).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        of_key(case, key, messages, rows, wrong, &mut versions);
    }
    versions
}

fn of_key(
    case: &Case,
    key: IdentityHash,
    messages: &mut [MessageEntry],
    rows: &mut [RowEntry],
    wrong: Wrong,
    versions: &mut Versions,
) {
    let mut asked = Vec::new();
    let (mut before_start, mut any_past) = (false, false);
    for (index, message) in messages.iter().enumerate().filter(|(_, message)| message.identity == Some(key)) {
        match message.state {
            MessageState::Excluded(ExcludedCause::Filter) => continue,
            MessageState::Excluded(ExcludedCause::BeforeStart) => before_start = true,
            MessageState::Excluded(ExcludedCause::Superseded) => any_past = true,
            _ => asked.push(index),
        }
        if let Some(digest) = message.digest {
            versions.given.push((message.at, key, digest));
        }
    }
    let of_key: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].identity == key).collect();
    let leave_rows = |rows: &mut [RowEntry]| {
        for row in &of_key {
            rows[*row].standing = RowStanding::OutOfScope;
        }
    };
    let Some(last) = asked.last().copied() else {
        if before_start {
            leave_rows(rows);
        } else if !any_past {
            versions.causes.insert(key, Cause::Filtered);
        }
        return;
    };
    let tombstone = MessageState::Excluded(ExcludedCause::Tombstone);
    let mut shows = None;
    let mut by_row = false;
    for index in asked.iter().rev() {
        let message = &messages[*index];
        by_row = match message.state {
            MessageState::Judged => of_key.iter().any(|row| Some(rows[*row].digest) == message.digest),
            state if state == tombstone => of_key.is_empty() && wrong != Wrong::DeletionsNeverShow,
            _ => false,
        };
        let unreadable =
            matches!(message.state, MessageState::Undecodable(_)) && wrong != Wrong::UnreadableIsPassedOver;
        if by_row || unreadable || is_settled(case, message) || wrong == Wrong::OnlyTheLastIsAsked {
            // A later version may still be shown by a row, although this one is settled: none was, on the way down.
            shows = Some(*index);
            break;
        }
    }
    if let Some(index) = shows
        && messages[index].state == tombstone
        && (index == last || wrong != Wrong::ResurrectedOnlyWhenLast)
    {
        versions.causes.insert(key, Cause::Resurrected);
    }
    let mut stay = vec![last];
    match shows {
        Some(index) => {
            stay.push(index);
            if index != last {
                versions.waiting.insert(last);
                if by_row && wrong != Wrong::WaitingIsLostWithItsFile {
                    messages[last].loss = None;
                }
            }
        }
        None => {
            if before_start {
                leave_rows(rows);
            }
            let inside = of_key.iter().any(|row| rows[*row].standing == RowStanding::InScope);
            let setting = asked.iter().rev().find(|index| messages[**index].state == MessageState::Judged);
            match setting {
                Some(index) if inside || wrong == Wrong::UnknownRowsAreDamage => stay.push(*index),
                Some(_) => {
                    versions.waiting.insert(last);
                }
                None => {
                    versions.causes.insert(key, Cause::Resurrected);
                }
            }
        }
    }
    for index in asked {
        let unreadable = matches!(messages[index].state, MessageState::Undecodable(_));
        let spared = match wrong {
            Wrong::EveryVersionIsAsked => true,
            Wrong::UnreadableSupersedesNothing => unreadable,
            _ => false,
        };
        if !stay.contains(&index) && messages[index].state != tombstone && !spared {
            messages[index].state = MessageState::Excluded(ExcludedCause::Superseded);
        }
    }
}

fn is_settled(case: &Case, message: &MessageEntry) -> bool {
    let Some(sent) = message.timestamp_ms else { return true };
    let Past::Commits { times_ms } = &case.past else { panic!("upsert tables go by commits") };
    let due = sent + case.clock.settle_ms <= case.clock.judged_at_ms;
    let old = sent + case.clock.give_up_ms <= case.clock.judged_at_ms;
    due && (old || times_ms.iter().any(|time| *time >= sent + case.clock.settle_ms))
}

#[test]
fn two_judges_agree_on_small_random_upsert_cases() {
    for seed in seeds(40_000) {
        let (case, partners) = upsert_case(&mut Dice::new(seed));
        let (first, second) = (first_judge(&case, &partners), second_judge(&case, &partners, Wrong::Nothing));
        assert_eq!(first, second, "seed {seed}: {case:#?}\nbalanced: {partners:#?}");
    }
}

/// The canary of upsert tables.
#[test]
fn every_wrong_judge_of_versions_is_told_apart() {
    let wrong = [
        Wrong::EveryVersionIsAsked,
        Wrong::OnlyTheLastIsAsked,
        Wrong::DeletionsNeverShow,
        Wrong::WaitingTakesAnyRow,
        Wrong::UnreadableSupersedesNothing,
        Wrong::UnreadableIsPassedOver,
        Wrong::ResurrectedOnlyWhenLast,
        Wrong::StaleForgotten,
        Wrong::StaleIsAnyVersion,
        Wrong::UnknownDeletionsExplainNothing,
        Wrong::UnknownDeletionsExplainLaterOnes,
        Wrong::UnknownRowsAreDamage,
        Wrong::WaitingIsLostWithItsFile,
    ];
    for wrong in wrong {
        let told_apart = (0..20_000).any(|seed| {
            let (case, partners) = upsert_case(&mut Dice::new(seed));
            first_judge(&case, &partners) != second_judge(&case, &partners, wrong)
        });
        assert!(told_apart, "{wrong:?} judges all cases as the judge does");
    }
}

/// The cases are worth it: what only upsert tables have comes up, and often.
#[test]
fn random_upsert_cases_reach_every_verdict() {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..8_000 {
        let (case, partners) = upsert_case(&mut Dice::new(seed));
        let judgement = first_judge(&case, &partners);
        *seen.entry("superseded".to_owned()).or_default() += judgement.superseded.values().sum::<u64>();
        *seen.entry("stale".to_owned()).or_default() += judgement.stale;
        for draft in judgement.drafts {
            let cause = draft.cause.map(|cause| cause.to_string()).unwrap_or_default();
            *seen.entry(format!("{} {cause}", draft.verdict)).or_default() += 1;
        }
    }
    let wanted = [
        "superseded",
        "stale",
        "corrupted stale_value",
        "corrupted ",
        "duplicated copies_differ",
        "missing lost",
        "overdue ",
        "phantom filtered",
        "phantom resurrected",
        "phantom unexplained",
        "undecodable key_unknown",
        "unobservable ",
    ];
    for what in wanted {
        assert!(seen.get(what).is_some_and(|times| *times >= 40), "{what:?} came up too rarely: {seen:#?}");
    }
}

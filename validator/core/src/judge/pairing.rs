//! Pairing steps 1 to 3: which message and which row belong together.
//!
//! Contract: entries are sorted, so that an index is a place in order; a message has at most one row and a row at most
//! one message. Mode `content` has step 1 only: what differs has another identity, and nothing beside it. Source: interface.md §4, Pairing.

use std::collections::HashSet;

use super::case::{Case, MessageEntry, MessageState, ModeKind, RowEntry, RowStanding};
use super::versions::Versions;
use crate::digest::Digest;
use crate::verdict::ExcludedCause;

/// The step that made a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// (1) equal digests.
    Equal,
    /// (2) the same identity.
    Identity,
    /// (3) the same digest of the columns beside the identity, unique on both sides, of a row that equals no message.
    Rest,
}

/// The row of a message, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub row: usize,
    pub step: Step,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// Nothing so far.
    Left,
    /// It has the identity of this undecodable message.
    SetAside(usize),
    /// It is the row of a message.
    Paired,
    /// It is one more row of a paired message.
    Copy,
}

/// Pairs of messages and rows, by index into the case.
#[derive(Debug)]
pub(super) struct Pairing {
    pub of_message: Vec<Option<Pair>>,
    pub of_row: Vec<Tie>,
}

impl Pairing {
    /// Runs the steps. Rows of messages before the declared start become out of scope in `case`.
    pub(super) fn of(case: &mut Case, versions: &Versions) -> Self {
        if case.mode != ModeKind::Upsert {
            leave_rows_before_start(case);
        }
        let mut pairing =
            Self { of_message: vec![None; case.messages.len()], of_row: vec![Tie::Left; case.rows.len()] };
        let by_identity = |message: &MessageEntry| message.identity.filter(|_| !versions.waits(message.at));
        if case.mode == ModeKind::Content {
            // A content is not of one message: equal ones that can be told have their rows first.
            pairing.pair_in_order(case, Step::Equal, |message| message.digest, |row| row.digest);
            pairing.set_aside_undecodable(case);
        } else {
            pairing.set_aside_undecodable(case);
            pairing.pair_in_order(case, Step::Equal, |message| message.digest, |row| row.digest);
            pairing.pair_in_order(case, Step::Identity, by_identity, |row| row.identity);
            pairing.pair_unique_rest(case);
        }
        pairing
    }

    /// The rows that nothing ties to a message and that `wanted` holds of, keyed.
    pub(super) fn left_rows<K>(
        &self,
        case: &Case,
        wanted: impl Fn(&RowEntry) -> bool,
        key: impl Fn(&RowEntry) -> K,
    ) -> Vec<(K, usize)> {
        let left = case.rows.iter().zip(&self.of_row).enumerate();
        left.filter(|(_, (row, tie))| **tie == Tie::Left && wanted(row))
            .map(|(index, (row, _))| (key(row), index))
            .collect()
    }

    fn left_messages<K>(&self, case: &Case, key: impl Fn(&MessageEntry) -> Option<K>) -> Vec<(K, usize)> {
        let left = case.messages.iter().zip(&self.of_message).enumerate();
        left.filter(|(_, (message, pair))| message.state == MessageState::Judged && pair.is_none())
            .filter_map(|(index, (message, _))| Some((key(message)?, index)))
            .collect()
    }

    /// Before (1), in mode `content` after it: rows in scope of an undecodable message's identity belong to it; the surplus
    /// to the last such message.
    fn set_aside_undecodable(&mut self, case: &Case) {
        let undecodable = identities(case, |state| matches!(state, MessageState::Undecodable(_)));
        if undecodable.is_empty() {
            return;
        }
        let rows = self.left_rows(case, |row| row.standing != RowStanding::OutOfScope, |row| row.identity);
        join(undecodable, rows, |messages, rows| {
            let last = messages.len() - 1;
            for (nth, (_, row)) in rows.iter().enumerate() {
                self.of_row[*row] = Tie::SetAside(messages[nth.min(last)].1);
            }
        });
    }

    /// (1) and (2): the first message of a key with its first row, the second with the second. Where rows are
    /// fewer, messages that dead letters name are left before others: a row that is there is never missed by one that was
    /// not put aside.
    fn pair_in_order<K: Ord>(
        &mut self,
        case: &Case,
        step: Step,
        of_message: impl Fn(&MessageEntry) -> Option<K>,
        of_row: impl Fn(&RowEntry) -> K,
    ) {
        let messages = self.left_messages(case, of_message);
        let pairs = |row: &RowEntry| case.mode != ModeKind::Offset || row.standing != RowStanding::OutOfScope;
        let rows = self.left_rows(case, pairs, of_row);
        join(messages, rows, |messages, rows| {
            let is_diverted = |(_, message): &&(K, usize)| case.diverted.contains(&case.messages[*message].at);
            let first = messages.iter().filter(|message| !is_diverted(message));
            let last = messages.iter().filter(is_diverted);
            let mut with_row: Vec<usize> = first.chain(last).map(|(_, message)| *message).take(rows.len()).collect();
            with_row.sort_unstable();
            for (message, (_, row)) in with_row.into_iter().zip(rows) {
                self.pair(message, *row, step);
            }
        });
    }

    /// (3): only where one such message and one such row are left. A row that equals a judged message is one more of that
    /// one, which has its row: it hides no loss of another. Of a message that need not have a row nobody looks for one at another
    /// place.
    fn pair_unique_rest(&mut self, case: &Case) {
        let messages = self.left_messages(case, |message| message.rest.filter(|_| case.release(message).is_none()));
        let rests: HashSet<Digest> = messages.iter().map(|(rest, _)| *rest).collect();
        let fits = |row: &RowEntry| row.standing != RowStanding::OutOfScope && rests.contains(&row.rest);
        let mut rows = self.left_rows(case, fits, |row| row.rest);
        let in_question: HashSet<Digest> = rows.iter().map(|(_, row)| case.rows[*row].digest).collect();
        let judged = case.messages.iter().filter(|message| message.state == MessageState::Judged);
        let asked: HashSet<Digest> =
            judged.filter_map(|message| message.digest).filter(|digest| in_question.contains(digest)).collect();
        rows.retain(|(_, row)| !asked.contains(&case.rows[*row].digest));
        join(messages, rows, |messages, rows| {
            if let ([(_, message)], [(_, row)]) = (messages, rows) {
                self.pair(*message, *row, Step::Rest);
            }
        });
    }

    fn pair(&mut self, message: usize, row: usize, step: Step) {
        self.of_message[message] = Some(Pair { row, step });
        self.of_row[row] = Tie::Paired;
    }
}

/// The messages in such a state whose identity is known, keyed by it.
pub(super) fn identities(
    case: &Case,
    wanted: impl Fn(MessageState) -> bool,
) -> Vec<(crate::digest::IdentityHash, usize)> {
    let messages = case.messages.iter().enumerate().filter(|(_, message)| wanted(message.state));
    messages.filter_map(|(index, message)| Some((message.identity?, index))).collect()
}

/// The rows of messages below the declared start are out of scope, whatever the range says of them.
fn leave_rows_before_start(case: &mut Case) {
    let before = identities(case, |state| state == MessageState::Excluded(ExcludedCause::BeforeStart));
    if before.is_empty() {
        return;
    }
    let rows = case.rows.iter().enumerate().map(|(index, row)| (row.identity, index)).collect();
    let mut standing_out = Vec::new();
    join(before, rows, |_, rows| standing_out.extend(rows.iter().map(|(_, row)| *row)));
    for row in standing_out {
        case.rows[row].standing = RowStanding::OutOfScope;
    }
}

/// Calls `each` once for every key that both sides have, with all of its messages and all of its rows in order.
///
/// Sorted lists rather than hash maps: the order that the rules ask for comes by itself, and the time does not depend
/// on how often a key repeats.
pub(super) fn join<K: Ord>(
    mut messages: Vec<(K, usize)>,
    mut rows: Vec<(K, usize)>,
    mut each: impl FnMut(&[(K, usize)], &[(K, usize)]),
) {
    messages.sort_unstable();
    rows.sort_unstable();
    let (mut messages, mut rows) = (messages.as_slice(), rows.as_slice());
    while let (Some((key, _)), Some((other, _))) = (messages.first(), rows.first()) {
        match key.cmp(other) {
            std::cmp::Ordering::Less => messages = &messages[1..],
            std::cmp::Ordering::Greater => rows = &rows[1..],
            std::cmp::Ordering::Equal => {
                let of_key = messages.iter().take_while(|(next, _)| next == key).count();
                let of_other = rows.iter().take_while(|(next, _)| next == other).count();
                each(&messages[..of_key], &rows[..of_other]);
                (messages, rows) = (&messages[of_key..], &rows[of_other..]);
            }
        }
    }
}

/// [`join`] that also calls `each` for keys of messages that no row has.
pub(super) fn join_left<K: Ord + Copy>(
    mut messages: Vec<(K, usize)>,
    mut rows: Vec<(K, usize)>,
    mut each: impl FnMut(&[(K, usize)], &[(K, usize)]),
) {
    messages.sort_unstable();
    rows.sort_unstable();
    let mut rows = rows.as_slice();
    for of_key in messages.chunk_by(|(key, _), (other, _)| key == other) {
        rows = &rows[rows.partition_point(|(key, _)| *key < of_key[0].0)..];
        let count = rows.iter().take_while(|(key, _)| *key == of_key[0].0).count();
        each(of_key, &rows[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_meets_each_common_key_once_with_all_of_it_in_order() {
        let messages = vec![(2, 5), (1, 4), (2, 3), (4, 0)];
        let rows = vec![(4, 9), (2, 8), (3, 7), (4, 6)];
        let mut met = Vec::new();
        join(messages, rows, |messages, rows| met.push((messages.to_vec(), rows.to_vec())));
        assert_eq!(met, [(vec![(2, 3), (2, 5)], vec![(2, 8)]), (vec![(4, 0)], vec![(4, 6), (4, 9)])]);
    }

    #[test]
    fn join_of_an_empty_side_meets_nothing() {
        join(vec![(1, 0)], Vec::new(), |_, _| panic!("nothing is common"));
        join(Vec::new(), vec![(1, 0)], |_, _| panic!("nothing is common"));
    }
}

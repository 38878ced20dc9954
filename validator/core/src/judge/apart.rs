//! Entries of one identity that can be judged apart from the rest of their case: what lets a case of any size be judged
//! in parts that fit.
//!
//! Contract: the judgements of the parts and of the rest add up to that of the whole, when the rest goes first and
//! [`with_pairs`] tells the parts what it has paired. Only the modes `offset` and `key` have such entries. No step but (3)
//! ties entries of two identities, by the digest of the columns beside them.

use std::collections::BTreeMap;

use super::case::{Case, MessageEntry, MessageState, ModeKind, RowEntry, RowStanding};
use super::pairing::{Pairing, Step};
use super::versions::Versions;
use crate::clock::{Past, note_paired};
use crate::digest::Digest;
use crate::position::PartitionIndex;

/// Whether all entries of an identity can be judged apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// They cannot.
    Never,
    /// They can, whatever else there is.
    Always,
    /// They can unless a row that may be left over has the message's digest beside the identity.
    UnlessRowLeft,
    /// They can unless a message that may be left over has one of the rows' digests beside the identity.
    UnlessMessageLeft,
}

/// Whether these entries, all of one identity, can be judged apart. `nameless`: the run has undecodable messages of
/// unknown identity: they take rows that are left, in order, and may be deletions of messages that are.
pub fn apart(mode: ModeKind, messages: &[MessageEntry], rows: &[RowEntry], nameless: bool) -> Apart {
    let is_offset = mode == ModeKind::Offset;
    if !(is_offset || mode == ModeKind::Key) || rows.iter().any(|row| row.standing != RowStanding::InScope) {
        return Apart::Never;
    }
    match (messages, rows.len()) {
        ([message], _) if message.state != MessageState::Judged => Apart::Never,
        ([_], 0) if nameless => Apart::Never,
        ([message], 0) => message.rest.map_or(Apart::Always, |_| Apart::UnlessRowLeft),
        ([_], 1) => Apart::Always,
        // In mode `key` the last message of the identity may stand in a balanced segment.
        ([_], _) if is_offset => Apart::UnlessMessageLeft,
        ([], 1) if is_offset && !nameless => Apart::UnlessMessageLeft,
        _ => Apart::Never,
    }
}

/// Digests beside the identity with which these entries, all of one identity, may be left over for step (3): those of
/// messages, and those of rows. A row that equals its message takes no part in it.
pub fn may_be_left<'a>(
    messages: &'a [MessageEntry],
    rows: &'a [RowEntry],
) -> (impl Iterator<Item = Digest> + 'a, impl Iterator<Item = Digest> + 'a) {
    let one = matches!(messages, [message] if message.state == MessageState::Judged)
        && rows.iter().all(|row| row.standing == RowStanding::InScope);
    let whole = messages.first().and_then(|message| message.digest);
    let messages = if one && !rows.is_empty() { &[] } else { messages };
    let rows = if one && rows.len() == 1 { &[] } else { rows };
    let is_copy = move |row: &&RowEntry| one && whole == Some(row.digest);
    (
        messages.iter().filter_map(|message| message.rest),
        rows.iter().filter(move |row| !is_copy(row)).map(|row| row.rest),
    )
}

/// What shows that the table has moved past a message, the case's own pairs among it.
pub fn with_pairs(case: &mut Case) -> Past {
    let Past::Offsets { mut paired_max } = case.past.clone() else { return case.past.clone() };
    case.messages.sort_by_key(|message| message.at);
    case.rows.sort_by_key(|row| row.at);
    let versions = Versions::settle(case);
    let pairing = Pairing::of(case, &versions);
    let paired = case.messages.iter().zip(&pairing.of_message);
    for (message, _) in paired.filter(|(_, pair)| pair.is_some_and(|pair| pair.step == Step::Equal)) {
        note_paired(&mut paired_max, message.at);
    }
    Past::Offsets { paired_max }
}

/// The same of entries that are judged apart.
pub fn note_pair(paired_max: &mut BTreeMap<PartitionIndex, i64>, message: &MessageEntry, rows: &[RowEntry]) {
    if rows.iter().any(|row| message.digest == Some(row.digest)) {
        note_paired(paired_max, message.at);
    }
}

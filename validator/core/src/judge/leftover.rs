//! Pairing step 5: what a message without a row is, and what a row without a message is.
//!
//! Contract: asked after step 4 only. Source: interface.md §4, Clock, Scope, Holes and Unreadable bytes.

use super::case::{Case, LossKind, MessageEntry, MessageState, ModeKind, RowEntry, RowStanding};
use super::pairing::{Pairing, identities, join};
use super::versions::Versions;
use crate::clock::MovedPast;
use crate::hole::HoleReason;
use crate::verdict::{Cause, ExcludedCause, MessageVerdict, UndecodableCause};

/// The verdict on a message that no row is paired with.
pub(super) fn of_message(
    case: &Case,
    message: &MessageEntry,
    moved_past: &MovedPast,
) -> (MessageVerdict, Option<Cause>) {
    // Whatever took its row, the table need not have it.
    if let Some(cause) = case.release(message) {
        return (MessageVerdict::Excluded, Some(Cause::Excluded(cause)));
    }
    let clock = &case.clock;
    // A row may be where nobody can look; of what is lost nothing says that somebody took it away.
    if message.stood && message.loss.is_none() {
        return (MessageVerdict::Withdrawn, None);
    }
    if !clock.is_due(message.timestamp_ms) {
        return (MessageVerdict::Pending, None);
    }
    match message.loss {
        Some(LossKind::Unreadable { .. }) => (MessageVerdict::Unobservable, None),
        // Whether or not the table has moved past it.
        Some(LossKind::Corrupt { .. }) => (MessageVerdict::Missing, Some(Cause::StorageCorrupt)),
        None if moved_past.has_passed(message.at, message.timestamp_ms) || clock.has_given_up(message.timestamp_ms) => {
            (MessageVerdict::Missing, Some(Cause::Lost))
        }
        None => (MessageVerdict::Overdue, None),
    }
}

/// The verdict on a row that is no message's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowEnd {
    OutOfScope,
    Unobservable,
    Unjudged,
    Phantom(Cause),
}

/// The verdicts on all rows that are left, by index, ascending.
pub(super) fn of_rows(case: &Case, pairing: &Pairing, versions: &Versions) -> Vec<(usize, RowEnd)> {
    let left = pairing.left_rows(case, |_| true, |_| ());
    let mut ends: Vec<(usize, RowEnd)> =
        left.iter().map(|((), row)| (*row, of_row(&case.rows[*row], case.whole_topic))).collect();
    name_excluded(case, versions, &mut ends);
    // A deletion writes no row, whatever its key.
    let unidentified = |message: &&MessageEntry| {
        let undecodable =
            matches!(message.state, MessageState::Undecodable(cause) if cause != UndecodableCause::KeyUnknown);
        undecodable && message.identity.is_none()
    };
    let unidentified = case.messages.iter().filter(unidentified).count();
    let phantoms = ends.iter_mut().filter(|(_, end)| matches!(end, RowEnd::Phantom(_)));
    for (_, end) in phantoms.take(unidentified) {
        *end = RowEnd::Unjudged;
    }
    ends
}

fn of_row(row: &RowEntry, whole_topic: bool) -> RowEnd {
    match row.standing {
        RowStanding::OutOfScope => RowEnd::OutOfScope,
        RowStanding::Impossible if !whole_topic => RowEnd::OutOfScope,
        RowStanding::Unobservable => RowEnd::Unobservable,
        RowStanding::InScope | RowStanding::Impossible => match row.hole {
            Some(HoleReason::Aborted) => RowEnd::Phantom(Cause::Aborted),
            _ => RowEnd::Phantom(Cause::Unexplained),
        },
    }
}

/// Rows of a filtered message or a tombstone are phantom and say so, also where the topic is compacted: an identity is
/// of one message, and that one is there. Where several excluded ones share it, the first names the cause.
fn name_excluded(case: &Case, versions: &Versions, ends: &mut [(usize, RowEnd)]) {
    if case.mode == ModeKind::Upsert {
        for (row, end) in ends.iter_mut().filter(|(_, end)| *end != RowEnd::OutOfScope) {
            if let Some(cause) = versions.row_cause(&case.rows[*row].identity) {
                *end = RowEnd::Phantom(cause);
            }
        }
        return;
    }
    let excluded = identities(case, |state| excluded_row_cause(state).is_some());
    if excluded.is_empty() {
        return;
    }
    let inside = ends.iter().enumerate().filter(|(_, (_, end))| *end != RowEnd::OutOfScope);
    let inside = inside.map(|(place, (row, _))| (case.rows[*row].identity, place)).collect();
    let mut named = Vec::new();
    join(excluded, inside, |messages, rows| {
        if let Some(cause) = excluded_row_cause(case.messages[messages[0].1].state) {
            named.extend(rows.iter().map(|(_, place)| (*place, cause)));
        }
    });
    for (place, cause) in named {
        ends[place].1 = RowEnd::Phantom(cause);
    }
}

fn excluded_row_cause(state: MessageState) -> Option<Cause> {
    match state {
        MessageState::Excluded(ExcludedCause::Filter) => Some(Cause::Filtered),
        MessageState::Excluded(ExcludedCause::Tombstone) => Some(Cause::Tombstone),
        _ => None,
    }
}

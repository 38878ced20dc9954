//! Upsert tables: of each key, which version the table has to show, and which ones others have taken the place of.
//!
//! Contract: before pairing; from then on a superseded message is excluded, and at most two of a key ask for anything:
//! the one that the table has to show, and the last one where that is still on its way. The order of versions is that of
//! messages. Source: interface.md §4, Upsert; docs/decisions/0017-versions-on-their-way.md.

use std::collections::{HashMap, HashSet};

use super::case::{Case, MessageEntry, MessageState, ModeKind, RowEntry, RowStanding};
use super::judgement::Judgement;
use super::pairing::join_left;
use crate::clock::{Clock, MovedPast};
use crate::digest::{Digest, IdentityHash};
use crate::position::MessageAt;
use crate::verdict::{Cause, ExcludedCause, MessageVerdict, UndecodableCause, Verdict};

/// What a message does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It sets the key's values.
    Sets,
    /// It takes the key out.
    Deletes,
    /// It does one or the other, and cannot be told.
    Unreadable,
    /// It did, and does not any more: superseded elsewhere, or below the declared start.
    Past,
}

fn role(state: MessageState) -> Option<Role> {
    match state {
        MessageState::Judged => Some(Role::Sets),
        MessageState::Undecodable(_) => Some(Role::Unreadable),
        MessageState::Excluded(ExcludedCause::Tombstone) => Some(Role::Deletes),
        MessageState::Excluded(ExcludedCause::Superseded | ExcludedCause::BeforeStart) => Some(Role::Past),
        // The sink never sees it.
        MessageState::Excluded(ExcludedCause::Filter) => None,
        // It asks for a row, and need not have it any more.
        MessageState::Excluded(ExcludedCause::Expired) => Some(Role::Sets),
    }
}

/// Whether a message takes the place of earlier ones of its key, and later ones that of its own.
pub fn is_version(state: MessageState) -> bool {
    role(state).is_some_and(|role| role != Role::Past)
}

/// Whether it is excluded once a later version has taken its place; a deletion is excluded in any case.
pub fn can_be_superseded(state: MessageState) -> bool {
    matches!(role(state), Some(Role::Sets | Role::Unreadable))
}

/// What pairing and verdicts ask about the versions of keys; empty in other modes.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// Last versions on their way, where the table has another one to show: no row is theirs by identity alone.
    waiting: HashSet<MessageAt>,
    /// The digests that versions gave their keys, sorted.
    given: Vec<(IdentityHash, Digest, MessageAt)>,
    /// Why a row of that key that nothing takes is there.
    causes: HashMap<IdentityHash, Cause>,
}

impl Versions {
    /// Finds the versions of each key of `case`, whose entries are sorted, and excludes the superseded ones.
    pub(super) fn settle(case: &mut Case) -> Self {
        let mut versions = Self::default();
        if case.mode != ModeKind::Upsert {
            return versions;
        }
        let moved_past = MovedPast::new(case.past.clone(), case.clock.settle_ms, std::iter::empty());
        let named = case.messages.iter().enumerate();
        let named = named.filter_map(|(index, message)| Some((message.identity?, index))).collect();
        let rows = case.rows.iter().enumerate().map(|(index, row)| (row.identity, index)).collect();
        let mut keys: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
        join_left(named, rows, |messages, rows| {
            let index = |(_, index): &(IdentityHash, usize)| *index;
            keys.push((messages.iter().map(index).collect(), rows.iter().map(index).collect()));
        });
        for (messages, rows) in keys {
            let Case { messages: all, rows: all_rows, clock, .. } = case;
            Key { all, all_rows, messages: &messages, rows: &rows }.settle(clock, &moved_past, &mut versions);
        }
        versions.given.sort_unstable();
        versions
    }

    /// Whether only an equal row may be this message's.
    pub(super) fn waits(&self, at: MessageAt) -> bool {
        self.waiting.contains(&at)
    }

    /// Whether the row shows a version of its key that came before the message `of`.
    pub(super) fn is_older(&self, row: &RowEntry, of: MessageAt) -> bool {
        let first =
            self.given.partition_point(|(identity, digest, _)| (*identity, *digest) < (row.identity, row.digest));
        self.given
            .get(first)
            .is_some_and(|(identity, digest, at)| (*identity, *digest) == (row.identity, row.digest) && *at < of)
    }

    /// Why a row of this key that nothing takes is a phantom, where the key's messages tell.
    pub(super) fn row_cause(&self, identity: &IdentityHash) -> Option<Cause> {
        self.causes.get(identity).copied()
    }
}

/// One key: its messages and rows by index, each in order.
struct Key<'a> {
    all: &'a mut Vec<MessageEntry>,
    all_rows: &'a mut Vec<RowEntry>,
    messages: &'a [usize],
    rows: &'a [usize],
}

impl Key<'_> {
    fn settle(mut self, clock: &Clock, moved_past: &MovedPast, versions: &mut Versions) {
        let all: Vec<(usize, Option<Role>)> =
            self.messages.iter().map(|index| (*index, role(self.all[*index].state))).collect();
        let asked: Vec<(usize, Role)> =
            all.iter().filter_map(|(index, role)| Some((*index, (*role)?))).filter(|(_, r)| *r != Role::Past).collect();
        let sets = all.iter().map(|(index, _)| &self.all[*index]).filter(|message| role(message.state).is_some());
        versions.given.extend(sets.filter_map(|message| Some((message.identity?, message.digest?, message.at))));
        let Some(last) = asked.len().checked_sub(1) else { return self.without_versions(&all, versions) };
        let is_settled = |(index, _): &(usize, Role)| {
            let message = &self.all[*index];
            let passed = moved_past.has_passed(message.at, message.timestamp_ms);
            clock.is_due(message.timestamp_ms) && (passed || clock.has_given_up(message.timestamp_ms))
        };
        let settled = asked.iter().rposition(is_settled);
        let unreadable =
            asked.iter().rposition(|(_, role)| *role == Role::Unreadable).filter(|at| Some(*at) >= settled);
        let first = unreadable.map_or(settled.unwrap_or(0), |at| at + 1);
        let shown = (first..=last).rev().find(|at| self.is_shown(asked[*at]));
        let kept = match shown.or(unreadable).or(settled) {
            Some(floor) => {
                if asked[floor].1 == Role::Deletes {
                    self.name_rows(Cause::Resurrected, versions);
                }
                if floor != last && asked[last].1 == Role::Sets {
                    self.wait(asked[last].0, shown.is_some(), versions);
                }
                [floor, last]
            }
            None => [self.of_all_on_their_way(&asked, &all, versions), last],
        };
        for (at, (index, role)) in asked.iter().enumerate() {
            if !kept.contains(&at) && *role != Role::Deletes {
                self.all[*index].state = MessageState::Excluded(ExcludedCause::Superseded);
            }
        }
    }

    /// A row is there for one that sets, none for one that deletes.
    fn is_shown(&self, (index, role): (usize, Role)) -> bool {
        match role {
            Role::Sets => self.rows.iter().any(|row| self.all[index].digest == Some(self.all_rows[*row].digest)),
            Role::Deletes => self.rows.is_empty(),
            Role::Unreadable | Role::Past => false,
        }
    }

    /// No version is settled and none is shown: what there is may be of a version that the run does not know, unless it
    /// lies in a window that the run has read whole. The version that asks for it, beside the last one.
    fn of_all_on_their_way(
        &mut self,
        asked: &[(usize, Role)],
        all: &[(usize, Option<Role>)],
        versions: &mut Versions,
    ) -> usize {
        let last = asked.len() - 1;
        if all.iter().any(|(index, _)| is_before_start(&self.all[*index])) {
            self.leave_rows();
        }
        let inside = self.rows.iter().any(|row| self.all_rows[*row].standing == RowStanding::InScope);
        let sets = asked.iter().rposition(|(_, role)| *role == Role::Sets);
        match sets {
            Some(at) if inside => at,
            Some(at) => {
                if at == last {
                    self.wait(asked[last].0, false, versions);
                }
                last
            }
            None => {
                self.name_rows(Cause::Resurrected, versions);
                last
            }
        }
    }

    /// The last version waits. A row that shows another one tells that no lost part of the table holds this one.
    fn wait(&mut self, index: usize, row_is_elsewhere: bool, versions: &mut Versions) {
        versions.waiting.insert(self.all[index].at);
        if row_is_elsewhere {
            self.all[index].loss = None;
        }
    }

    fn without_versions(&mut self, all: &[(usize, Option<Role>)], versions: &mut Versions) {
        if all.iter().any(|(index, _)| is_before_start(&self.all[*index])) {
            self.leave_rows();
        } else if all.iter().all(|(_, role)| role.is_none()) {
            self.name_rows(Cause::Filtered, versions);
        }
    }

    fn leave_rows(&mut self) {
        for row in self.rows {
            self.all_rows[*row].standing = RowStanding::OutOfScope;
        }
    }

    fn name_rows(&self, cause: Cause, versions: &mut Versions) {
        if let Some(row) = self.rows.first() {
            versions.causes.insert(self.all_rows[*row].identity, cause);
        }
    }
}

fn is_before_start(message: &MessageEntry) -> bool {
    message.state == MessageState::Excluded(ExcludedCause::BeforeStart)
}

/// A deletion of an unknown key may have taken the row of any earlier version: as many versions without a row as there
/// are such deletions behind them cannot be told. `drafts` are those of messages, sorted.
pub(super) fn explain_by_unknown_deletions(judgement: &mut Judgement) {
    let unknown = Some(Cause::Undecodable(UndecodableCause::KeyUnknown));
    let mut deletions = 0;
    for draft in judgement.drafts.iter_mut().rev() {
        deletions += usize::from(draft.cause == unknown);
        let was_lost = draft.cause == Some(Cause::Lost);
        let was_overdue = draft.verdict == Verdict::Message(MessageVerdict::Overdue);
        let was_withdrawn = draft.verdict == Verdict::Message(MessageVerdict::Withdrawn);
        let had_none = was_lost || was_overdue || was_withdrawn;
        let Some(at) = draft.message.filter(|_| deletions > 0 && had_none) else { continue };
        deletions -= 1;
        let tally = judgement.messages.get_mut(&at.partition).expect("each draft's message is counted");
        let from = match (was_lost, was_overdue) {
            (true, _) => &mut tally.missing,
            (_, true) => &mut tally.overdue,
            _ => &mut tally.withdrawn,
        };
        *from -= 1;
        tally.unobservable += 1;
        (draft.verdict, draft.cause) = (MessageVerdict::Unobservable.into(), None);
    }
}

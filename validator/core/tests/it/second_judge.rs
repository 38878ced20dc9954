//! A second judge, written from the text of interface.md §4 with loops and lists, against the first one.
//!
//! It shares the vocabulary (entries, tallies, drafts) and no rule. Wrong variants of it must be told apart.

use std::collections::BTreeMap;
use std::convert::Infallible;

use validator_core::clock::Past;
use validator_core::digest::IdentityHash;
use validator_core::hole::HoleReason;
use validator_core::judge::{
    BalancedLookup, BalancedPartner, Case, Draft, Equals, Judgement, LossKind, MessageEntry, MessageState,
    MessageTally, ModeKind, RowEntry, RowStanding, judge,
};
use validator_core::position::MessageAt;
use validator_core::verdict::{Cause, Damage, ExcludedCause, MessageVerdict, RowVerdict, UndecodableCause, Verdict};

use crate::dice::{Dice, case, seeds};
use crate::second_versions::{Versions, versions};

/// A rule that a wrong variant breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// What stood in an earlier look is missing like any other.
    StoodIsForgotten,
    Nothing,
    IdentityBeforeDigests,
    RestNeedNotBeUnique,
    OutOfScopeTakesPartInStep3,
    CopiesTakePartInStep3,
    OutOfScopeNeverPairsInKeyMode,
    OutOfScopeRowsAreCopies,
    ImpossibleTakesNoPartInStep3,
    ImpossibleIsAlwaysPhantom,
    CopiesOfTheFirst,
    BalancedSegmentsForgotten,
    CopiesBeforeStep3,
    UndecodableRowsStay,
    UnidentifiedExplainEveryPhantom,
    UnidentifiedExplainFromTheEnd,
    DueIsStrict,
    NeverGivenUp,
    AnyPairMovesPast,
    SameOffsetMovesPast,
    CorruptNeedsMovedPast,
    UnreadableBeforeItIsDue,
    LateCountsCopies,
    ExcludedPairs,
    BeforeStartIsInScope,
    TimelessIsNeverPassed,
    ContentIsDamaged,
    ContentIdentityIsDamaged,
    CandidatesOfEveryMode,
    CandidatesWithoutItself,
    CandidatesThatAreExcluded,
    CandidatesOfOne,
    CompactedContentIsCopied,
    ContentIsSetAsideFirst,
    EveryVersionIsAsked,
    OnlyTheLastIsAsked,
    DeletionsNeverShow,
    WaitingTakesAnyRow,
    UnreadableSupersedesNothing,
    UnreadableIsPassedOver,
    ResurrectedOnlyWhenLast,
    StaleForgotten,
    StaleIsAnyVersion,
    UnknownDeletionsExplainNothing,
    UnknownDeletionsExplainLaterOnes,
    UnknownDeletionsWithdrawNothing,
    UnknownRowsAreDamage,
    WaitingIsLostWithItsFile,
    DivertedIsForgotten,
    DivertedHasNoRow,
    DivertedHasItsRowInOrder,
    DivertedMustBeDue,
    DivertedIsUndecodable,
    DivertedIsExcludedToo,
    DivertedStood,
    DivertedIsACandidate,
    ExpiredIsWithdrawn,
    WithdrawnIsExpired,
    ExpiredNeedNotHaveStood,
    ExpiredAfterASingleRun,
    ExpiredTakesPartInStep3,
    ExpiredIsStrict,
    ExpiredWithoutTime,
    ExpiredBehindLosses,
    ExpiredIsDiverted,
}

const WRONG: [Wrong; 51] = [
    Wrong::ExpiredIsWithdrawn,
    Wrong::WithdrawnIsExpired,
    Wrong::ExpiredNeedNotHaveStood,
    Wrong::ExpiredAfterASingleRun,
    Wrong::ExpiredTakesPartInStep3,
    Wrong::ExpiredIsStrict,
    Wrong::ExpiredWithoutTime,
    Wrong::ExpiredBehindLosses,
    Wrong::ExpiredIsDiverted,
    Wrong::UnknownDeletionsWithdrawNothing,
    Wrong::DivertedIsForgotten,
    Wrong::DivertedHasNoRow,
    Wrong::DivertedHasItsRowInOrder,
    Wrong::DivertedMustBeDue,
    Wrong::DivertedIsUndecodable,
    Wrong::DivertedIsExcludedToo,
    Wrong::DivertedStood,
    Wrong::DivertedIsACandidate,
    Wrong::StoodIsForgotten,
    Wrong::IdentityBeforeDigests,
    Wrong::RestNeedNotBeUnique,
    Wrong::OutOfScopeTakesPartInStep3,
    Wrong::CopiesTakePartInStep3,
    Wrong::OutOfScopeNeverPairsInKeyMode,
    Wrong::OutOfScopeRowsAreCopies,
    Wrong::ImpossibleTakesNoPartInStep3,
    Wrong::ImpossibleIsAlwaysPhantom,
    Wrong::CopiesOfTheFirst,
    Wrong::BalancedSegmentsForgotten,
    Wrong::CopiesBeforeStep3,
    Wrong::UndecodableRowsStay,
    Wrong::UnidentifiedExplainEveryPhantom,
    Wrong::UnidentifiedExplainFromTheEnd,
    Wrong::DueIsStrict,
    Wrong::NeverGivenUp,
    Wrong::AnyPairMovesPast,
    Wrong::SameOffsetMovesPast,
    Wrong::CorruptNeedsMovedPast,
    Wrong::UnreadableBeforeItIsDue,
    Wrong::LateCountsCopies,
    Wrong::ExcludedPairs,
    Wrong::BeforeStartIsInScope,
    Wrong::TimelessIsNeverPassed,
    Wrong::ContentIsDamaged,
    Wrong::ContentIdentityIsDamaged,
    Wrong::CandidatesOfEveryMode,
    Wrong::CandidatesWithoutItself,
    Wrong::CandidatesThatAreExcluded,
    Wrong::CandidatesOfOne,
    Wrong::CompactedContentIsCopied,
    Wrong::ContentIsSetAsideFirst,
];

#[derive(Clone, Copy, PartialEq)]
enum RowState {
    Free,
    SetAside(usize),
    Paired,
    CopyOf(usize),
    CopyOfPartner(usize),
}

struct Second<'a> {
    /// Upsert: what the versions of the keys tell.
    versions: Versions,
    wrong: Wrong,
    case: &'a Case,
    partners: &'a [BalancedPartner],
    messages: Vec<MessageEntry>,
    rows: Vec<RowEntry>,
    /// The row of a message and the step that paired it.
    row_of: Vec<Option<(usize, u8)>>,
    state: Vec<RowState>,
}

pub fn second_judge(case: &Case, partners: &[BalancedPartner], wrong: Wrong) -> Judgement {
    let mut messages = case.messages.clone();
    messages.sort_by_key(|message| message.at);
    let mut rows = case.rows.clone();
    rows.sort_by_key(|row| row.at);
    let (row_of, state) = (vec![None; messages.len()], vec![RowState::Free; rows.len()]);
    let upsert = case.mode == ModeKind::Upsert;
    let versions = if upsert { versions(case, &mut messages, &mut rows, wrong) } else { Versions::default() };
    let mut second = Second { versions, wrong, case, partners, messages, rows, row_of, state };
    if !upsert {
        second.before_start();
    }
    if case.mode == ModeKind::Content && wrong != Wrong::ContentIsSetAsideFirst {
        second.step_1();
    }
    second.set_aside();
    if wrong == Wrong::IdentityBeforeDigests {
        second.step_2();
        second.step_1();
    } else {
        second.step_1();
        second.step_2();
    }
    if wrong == Wrong::CopiesBeforeStep3 {
        second.step_4();
    }
    second.step_3();
    second.step_4();
    second.verdicts()
}

impl Second<'_> {
    fn before_start(&mut self) {
        for row in &mut self.rows {
            for message in &self.messages {
                let before = message.state == MessageState::Excluded(ExcludedCause::BeforeStart);
                if before && message.identity == Some(row.identity) && self.wrong != Wrong::BeforeStartIsInScope {
                    row.standing = RowStanding::OutOfScope;
                }
            }
        }
    }

    fn set_aside(&mut self) {
        if self.wrong == Wrong::UndecodableRowsStay {
            return;
        }
        for row in 0..self.rows.len() {
            if self.state[row] == RowState::Paired {
                continue;
            }
            let mut owners = Vec::new();
            for (index, message) in self.messages.iter().enumerate() {
                let undecodable = matches!(message.state, MessageState::Undecodable(_));
                let inside = self.rows[row].standing != RowStanding::OutOfScope;
                if inside && undecodable && message.identity == Some(self.rows[row].identity) {
                    owners.push(index);
                }
            }
            let mut earlier = 0;
            for other in 0..row {
                let inside = self.rows[other].standing != RowStanding::OutOfScope;
                let is_paired = self.state[other] == RowState::Paired;
                if inside && !is_paired && self.rows[other].identity == self.rows[row].identity {
                    earlier += 1;
                }
            }
            if let Some(owner) = owners.get(earlier).or(owners.last()) {
                self.state[row] = RowState::SetAside(*owner);
            }
        }
    }

    fn may_pair(&self, message: usize) -> bool {
        let judged = match self.messages[message].state {
            MessageState::Judged => true,
            MessageState::Excluded(_) => self.wrong == Wrong::ExcludedPairs,
            MessageState::Undecodable(_) => false,
        };
        let elsewhere = self.wrong == Wrong::DivertedHasNoRow && self.is_in_dead_letters(message);
        judged && !elsewhere && self.row_of[message].is_none()
    }

    fn may_be_paired_by_identity(&self, row: usize) -> bool {
        let key_mode = self.case.mode != ModeKind::Offset && self.wrong != Wrong::OutOfScopeNeverPairsInKeyMode;
        self.state[row] == RowState::Free && (key_mode || self.rows[row].standing != RowStanding::OutOfScope)
    }

    fn is_in_dead_letters(&self, message: usize) -> bool {
        self.case.diverted.contains(&self.messages[message].at) && self.wrong != Wrong::DivertedIsForgotten
    }

    /// In order; but of messages that are alike those in the dead letters have their rows last.
    fn turns(&self) -> Vec<usize> {
        if self.wrong == Wrong::DivertedHasItsRowInOrder {
            return (0..self.messages.len()).collect();
        }
        let (mut turns, mut last) = (Vec::new(), Vec::new());
        for message in 0..self.messages.len() {
            if self.is_in_dead_letters(message) { last.push(message) } else { turns.push(message) }
        }
        turns.extend(last);
        turns
    }

    fn pair(&mut self, message: usize, row: usize, step: u8) {
        self.row_of[message] = Some((row, step));
        self.state[row] = RowState::Paired;
    }

    /// Of messages that are alike as many have rows as there are: each that has its turn among the first.
    fn have_turns(
        &self,
        alike: impl Fn(usize, usize) -> bool,
        may: impl Fn(usize) -> bool,
        fits: impl Fn(usize, usize) -> bool,
    ) -> Vec<bool> {
        let turns = self.turns();
        let has_turn = |message: usize| {
            let rows = (0..self.rows.len()).filter(|row| fits(message, *row) && self.may_be_paired_by_identity(*row));
            let before = turns.iter().take_while(|other| **other != message);
            let before =
                before.filter(|other| may(**other) && self.may_pair(**other) && alike(**other, message)).count();
            before < rows.count()
        };
        (0..self.messages.len()).map(has_turn).collect()
    }

    fn step_1(&mut self) {
        let digest = |message: usize| self.messages[message].digest;
        let fits = |message: usize, row: usize| digest(message) == Some(self.rows[row].digest);
        let has_turn = self.have_turns(|one, other| digest(one) == digest(other), |_| true, fits);
        for (message, has_turn) in has_turn.into_iter().enumerate() {
            for row in 0..self.rows.len() {
                let equal = self.messages[message].digest == Some(self.rows[row].digest);
                if equal && has_turn && self.may_pair(message) && self.may_be_paired_by_identity(row) {
                    self.pair(message, row, 1);
                }
            }
        }
    }

    fn step_2(&mut self) {
        if self.case.mode == ModeKind::Content && self.wrong != Wrong::ContentIsDamaged {
            return;
        }
        let waits = |second: &Self, message| {
            second.versions.waiting.contains(&message) && second.wrong != Wrong::WaitingTakesAnyRow
        };
        let identity = |message: usize| self.messages[message].identity;
        let fits = |message: usize, row: usize| identity(message) == Some(self.rows[row].identity);
        let alike = |one: usize, other: usize| identity(one) == identity(other);
        let has_turn = self.have_turns(alike, |message| !waits(self, message), fits);
        for (message, has_turn) in has_turn.into_iter().enumerate() {
            for row in 0..self.rows.len() {
                let same = self.messages[message].identity == Some(self.rows[row].identity);
                let may = has_turn && !waits(self, message) && self.may_pair(message);
                if same && may && self.may_be_paired_by_identity(row) {
                    self.pair(message, row, 2);
                }
            }
        }
    }

    /// Some message asks for just that row.
    fn is_copy(&self, row: usize) -> bool {
        let asked = |message: &MessageEntry| {
            message.state == MessageState::Judged && message.digest == Some(self.rows[row].digest)
        };
        self.messages.iter().any(asked) && self.wrong != Wrong::CopiesTakePartInStep3
    }

    fn step_3(&mut self) {
        if self.case.mode == ModeKind::Content && self.wrong != Wrong::ContentIdentityIsDamaged {
            return;
        }
        let takes_part = |second: &Self, row: usize| match second.rows[row].standing {
            RowStanding::InScope | RowStanding::Unobservable => true,
            RowStanding::Impossible => second.wrong != Wrong::ImpossibleTakesNoPartInStep3,
            RowStanding::OutOfScope => second.wrong == Wrong::OutOfScopeTakesPartInStep3,
        };
        let mut pairs = Vec::new();
        for message in 0..self.messages.len() {
            let rest = self.messages[message].rest;
            let need_none = |message: usize| {
                self.need_not_have_a_row(&self.messages[message]) && self.wrong != Wrong::ExpiredTakesPartInStep3
            };
            if !self.may_pair(message) || rest.is_none() || need_none(message) {
                continue;
            }
            let like_it: Vec<usize> = (0..self.messages.len())
                .filter(|other| self.may_pair(*other) && !need_none(*other) && self.messages[*other].rest == rest)
                .collect();
            let rows: Vec<usize> = (0..self.rows.len())
                .filter(|row| self.state[*row] == RowState::Free && takes_part(self, *row) && !self.is_copy(*row))
                .filter(|row| Some(self.rows[*row].rest) == rest)
                .collect();
            let unique = like_it.len() == 1 && rows.len() == 1;
            let first_of_several =
                like_it[0] == message && !rows.is_empty() && self.wrong == Wrong::RestNeedNotBeUnique;
            if unique || first_of_several {
                pairs.push((message, rows[0]));
            }
        }
        for (message, row) in pairs {
            self.pair(message, row, 3);
        }
    }

    fn step_4(&mut self) {
        for row in 0..self.rows.len() {
            let outside =
                self.rows[row].standing == RowStanding::OutOfScope && self.wrong != Wrong::OutOfScopeRowsAreCopies;
            let gone = self.case.mode == ModeKind::Content && self.rows[row].standing == RowStanding::Unobservable;
            let gone = gone && self.wrong != Wrong::CompactedContentIsCopied;
            if self.state[row] != RowState::Free || outside || gone {
                continue;
            }
            let identity = self.rows[row].identity;
            let mut owners: Vec<(MessageAt, RowState)> = Vec::new();
            for (index, message) in self.messages.iter().enumerate() {
                if message.identity == Some(identity) && self.row_of[index].is_some() {
                    owners.push((message.at, RowState::CopyOf(index)));
                }
            }
            for (index, partner) in self.partners.iter().enumerate() {
                if partner.identity == identity && self.wrong != Wrong::BalancedSegmentsForgotten {
                    owners.push((partner.message, RowState::CopyOfPartner(index)));
                }
            }
            owners.sort_by_key(|(at, _)| *at);
            let owner = if self.wrong == Wrong::CopiesOfTheFirst { owners.first() } else { owners.last() };
            if let Some((_, state)) = owner {
                self.state[row] = *state;
            }
        }
    }

    fn verdicts(&self) -> Judgement {
        let mut judgement = Judgement::default();
        let mut drafts: BTreeMap<MessageAt, Draft> = BTreeMap::new();
        for index in 0..self.messages.len() {
            self.message_verdict(index, &mut judgement, &mut drafts);
        }
        for (index, partner) in self.partners.iter().enumerate() {
            let surplus: Vec<usize> = self.rows_in(RowState::CopyOfPartner(index));
            if surplus.is_empty() {
                continue;
            }
            let moved = judgement.moved_from_intact.entry(partner.message.partition).or_default();
            moved.messages += 1;
            moved.late += u64::from(partner.late);
            let differing = surplus.iter().filter(|row| self.rows[**row].digest != partner.digest).copied().collect();
            let mut draft = self.duplicated(partner.message, partner.identity, &surplus, differing, &mut judgement);
            draft.timestamp_ms = partner.timestamp_ms;
            draft.rows.push(partner.row);
            draft.rows.sort();
            draft.copies += 1;
            judgement.rows.copies += 1;
            let tally = judgement.messages.entry(partner.message.partition).or_default();
            tally.duplicated_faithful += u64::from(draft.compare.len() == surplus.len());
            drafts.insert(partner.message, draft);
        }
        judgement.drafts = drafts.into_values().collect();
        self.list_candidates(&mut judgement.drafts);
        self.unknown_deletions(&mut judgement);
        self.left_rows(&mut judgement);
        judgement
    }

    /// Among equal messages counts are exact and the finding lists candidates: every judged message of the content.
    fn list_candidates(&self, drafts: &mut [Draft]) {
        if self.case.mode != ModeKind::Content && self.wrong != Wrong::CandidatesOfEveryMode {
            return;
        }
        let is_diverted = |draft: &&Draft| draft.verdict == MessageVerdict::Diverted.into();
        let diverted: Vec<MessageAt> = drafts.iter().filter(is_diverted).filter_map(|draft| draft.message).collect();
        for draft in drafts {
            let Some(at) = draft.message else { continue };
            let Some(message) = self.messages.iter().find(|message| message.at == at) else { continue };
            if message.state != MessageState::Judged || message.identity.is_none() {
                continue;
            }
            let known = |at: MessageAt| diverted.contains(&at) && self.wrong != Wrong::DivertedIsACandidate;
            if known(at) {
                continue;
            }
            let mut candidates = Vec::new();
            for other in &self.messages {
                let judged = match other.state {
                    MessageState::Judged => true,
                    MessageState::Excluded(_) => self.wrong == Wrong::CandidatesThatAreExcluded,
                    MessageState::Undecodable(_) => false,
                };
                let itself = other.at == at && self.wrong == Wrong::CandidatesWithoutItself;
                if judged && other.identity == message.identity && !itself && !known(other.at) {
                    candidates.push(other.at);
                }
            }
            if candidates.len() > 1 || self.wrong == Wrong::CandidatesOfOne {
                let messages = candidates.len() as u64;
                draft.equals = Some(Equals { messages, candidates: candidates.into() });
            }
        }
    }

    fn rows_in(&self, state: RowState) -> Vec<usize> {
        (0..self.rows.len()).filter(|row| self.state[*row] == state).collect()
    }

    fn message_verdict(&self, index: usize, judgement: &mut Judgement, drafts: &mut BTreeMap<MessageAt, Draft>) {
        let message = &self.messages[index];
        let tally = judgement.messages.entry(message.at.partition).or_default();
        let mut draft = draft(message.at, MessageVerdict::Missing);
        draft.timestamp_ms = message.timestamp_ms;
        let elsewhere = self.is_in_dead_letters(index);
        if let MessageState::Excluded(cause) = message.state
            && !(elsewhere && self.wrong == Wrong::DivertedIsExcludedToo)
        {
            tally.excluded += 1;
            *judgement.excluded.entry(cause).or_default() += 1;
            if cause == ExcludedCause::Superseded {
                *judgement.superseded.entry(message.at.partition).or_default() += 1;
            }
            return;
        }
        if let MessageState::Undecodable(cause) = message.state {
            let rows = self.rows_in(RowState::SetAside(index));
            judgement.rows.unjudged += rows.len() as u64;
            if elsewhere && self.wrong != Wrong::DivertedIsUndecodable {
                tally.diverted += 1;
                *judgement.diverted_undecodable.entry(message.at.partition).or_default() += 1;
                draft.verdict = MessageVerdict::Diverted.into();
            } else {
                tally.undecodable += 1;
                draft.verdict = MessageVerdict::Undecodable.into();
                draft.cause = Some(Cause::Undecodable(cause));
            }
            draft.rows = rows.iter().map(|row| self.rows[*row].at).collect();
            drafts.insert(message.at, draft);
            return;
        }
        let Some((row, step)) = self.row_of[index] else {
            let due = message
                .timestamp_ms
                .is_none_or(|sent| sent + self.case.clock.settle_ms <= self.case.clock.judged_at_ms);
            let waits = !due && self.wrong == Wrong::DivertedMustBeDue;
            let stood = message.stood && self.wrong == Wrong::DivertedStood;
            let expired = self.wrong == Wrong::ExpiredIsDiverted && self.need_not_have_a_row(message);
            if elsewhere && !waits && !stood && !expired {
                tally.diverted += 1;
                draft.verdict = MessageVerdict::Diverted.into();
                drafts.insert(message.at, draft);
                return;
            }
            if self.is_expired(message) {
                tally.excluded += 1;
                *judgement.excluded.entry(ExcludedCause::Expired).or_default() += 1;
                *judgement.released.entry((message.at.partition, ExcludedCause::Expired)).or_default() += 1;
                return;
            }
            let (verdict, cause) = self.unpaired(message);
            draft.verdict = verdict.into();
            draft.cause = cause;
            draft.loss = message.loss;
            tally_one(tally, verdict);
            if verdict != MessageVerdict::Pending {
                if let Some(loss) = message.loss {
                    *judgement.losses.entry(loss).or_default() += 1;
                }
                drafts.insert(message.at, draft);
            }
            return;
        };
        let mut all = self.rows_in(RowState::CopyOf(index));
        if all.is_empty() {
            if step == 1 {
                tally.intact += 1;
                tally.late += u64::from(self.rows[row].late);
                judgement.rows.intact += 1;
                return;
            }
            tally.corrupted += 1;
            judgement.rows.corrupted += 1;
            draft.verdict = MessageVerdict::Corrupted.into();
            draft.rows = vec![self.rows[row].at];
            draft.compare = vec![(message.at, self.rows[row].at)];
            draft.identity_moved = step == 3;
            if step != 3 && self.shows_older(row, message.at) {
                draft.cause = Some(Cause::Damage(Damage::StaleValue));
                draft.stale = vec![self.rows[row].at];
                judgement.stale += 1;
            }
            drafts.insert(message.at, draft);
            return;
        }
        all.push(row);
        all.sort();
        if self.wrong == Wrong::LateCountsCopies {
            tally.late += u64::from(self.rows[row].late);
        }
        let differing = all.iter().filter(|row| Some(self.rows[**row].digest) != message.digest).copied().collect();
        let identity = message.identity.expect("a paired message has an identity");
        let mut duplicated = self.duplicated(message.at, identity, &all, differing, judgement);
        duplicated.timestamp_ms = message.timestamp_ms;
        duplicated.identity_moved = step == 3;
        drafts.insert(message.at, duplicated);
    }

    /// Whether an earlier message gave the row's key the values that the row has.
    fn shows_older(&self, row: usize, at: MessageAt) -> bool {
        let row = &self.rows[row];
        self.wrong != Wrong::StaleForgotten
            && self.versions.given.iter().any(|(given, identity, digest)| {
                let earlier = *given < at || self.wrong == Wrong::StaleIsAnyVersion;
                earlier && *identity == row.identity && *digest == row.digest
            })
    }

    /// Each deletion of an unknown key explains one earlier loss, the nearest one.
    fn unknown_deletions(&self, judgement: &mut Judgement) {
        if self.wrong == Wrong::UnknownDeletionsExplainNothing {
            return;
        }
        let unknown = Some(Cause::Undecodable(UndecodableCause::KeyUnknown));
        for deletion in 0..judgement.drafts.len() {
            if judgement.drafts[deletion].cause != unknown {
                continue;
            }
            let all =
                if self.wrong == Wrong::UnknownDeletionsExplainLaterOnes { judgement.drafts.len() } else { deletion };
            let nearest = (0..all).rev().find(|index| {
                let draft = &judgement.drafts[*index];
                let had = draft.verdict == MessageVerdict::Withdrawn.into();
                let had = had && self.wrong != Wrong::UnknownDeletionsWithdrawNothing;
                had || draft.cause == Some(Cause::Lost) || draft.verdict == MessageVerdict::Overdue.into()
            });
            let Some(nearest) = nearest else { continue };
            let draft = &mut judgement.drafts[nearest];
            let at = draft.message.expect("drafts of rows come later");
            let tally = judgement.messages.get_mut(&at.partition).expect("it was counted");
            if draft.cause == Some(Cause::Lost) {
                tally.missing -= 1;
            } else if draft.verdict == MessageVerdict::Overdue.into() {
                tally.overdue -= 1;
            } else {
                tally.withdrawn -= 1;
            }
            tally.unobservable += 1;
            draft.verdict = MessageVerdict::Unobservable.into();
            draft.cause = None;
        }
    }

    fn duplicated(
        &self,
        at: MessageAt,
        identity: IdentityHash,
        rows: &[usize],
        differing: Vec<usize>,
        judgement: &mut Judgement,
    ) -> Draft {
        let tally = judgement.messages.entry(at.partition).or_default();
        tally.duplicated += 1;
        if !differing.is_empty() {
            tally.duplicated_differing += 1;
        }
        if differing.len() < rows.len() {
            tally.duplicated_faithful += 1;
        }
        judgement.rows.copies += rows.len() as u64;
        let mut draft = draft(at, MessageVerdict::Duplicated);
        draft.cause = Some(if differing.is_empty() { Cause::Copied } else { Cause::CopiesDiffer });
        draft.rows = rows.iter().map(|row| self.rows[*row].at).collect();
        draft.compare = differing.iter().map(|row| (at, self.rows[*row].at)).collect();
        draft.copies = rows.len() as u64;
        let of_key = |row: &&usize| self.rows[**row].identity == identity && self.shows_older(**row, at);
        draft.stale = differing.iter().filter(of_key).map(|row| self.rows[*row].at).collect();
        judgement.stale += draft.stale.len() as u64;
        draft
    }

    /// The retention of its message is over, and the row was there, or nobody can know.
    fn need_not_have_a_row(&self, message: &MessageEntry) -> bool {
        let Some(retention_ms) = self.case.clock.retention_ms else { return false };
        let over = match message.timestamp_ms {
            None => self.wrong == Wrong::ExpiredWithoutTime,
            Some(sent) if self.wrong == Wrong::ExpiredIsStrict => sent + retention_ms < self.case.clock.judged_at_ms,
            Some(sent) => sent + retention_ms <= self.case.clock.judged_at_ms,
        };
        let over = over || self.wrong == Wrong::WithdrawnIsExpired;
        let unknown = !self.case.remembers && self.wrong != Wrong::ExpiredAfterASingleRun;
        over && (message.stood || unknown || self.wrong == Wrong::ExpiredNeedNotHaveStood)
    }

    fn is_expired(&self, message: &MessageEntry) -> bool {
        let behind = self.wrong == Wrong::ExpiredBehindLosses && message.loss.is_some();
        self.need_not_have_a_row(message) && self.wrong != Wrong::ExpiredIsWithdrawn && !behind
    }

    fn unpaired(&self, message: &MessageEntry) -> (MessageVerdict, Option<Cause>) {
        if message.stood && message.loss.is_none() && self.wrong != Wrong::StoodIsForgotten {
            return (MessageVerdict::Withdrawn, None);
        }
        let clock = self.case.clock;
        let due = match message.timestamp_ms {
            None => true,
            Some(sent) if self.wrong == Wrong::DueIsStrict => sent + clock.settle_ms < clock.judged_at_ms,
            Some(sent) => sent + clock.settle_ms <= clock.judged_at_ms,
        };
        let unreadable = matches!(message.loss, Some(LossKind::Unreadable { .. }));
        if unreadable && (due || self.wrong == Wrong::UnreadableBeforeItIsDue) {
            return (MessageVerdict::Unobservable, None);
        }
        if !due {
            return (MessageVerdict::Pending, None);
        }
        let past = self.has_moved_past(message);
        let corrupt = matches!(message.loss, Some(LossKind::Corrupt { .. }));
        if corrupt && (past || self.wrong != Wrong::CorruptNeedsMovedPast) {
            return (MessageVerdict::Missing, Some(Cause::StorageCorrupt));
        }
        let old = message.timestamp_ms.is_some_and(|sent| sent + clock.give_up_ms <= clock.judged_at_ms);
        if past || (old && self.wrong != Wrong::NeverGivenUp) {
            return (MessageVerdict::Missing, Some(Cause::Lost));
        }
        (MessageVerdict::Overdue, None)
    }

    fn has_moved_past(&self, message: &MessageEntry) -> bool {
        let Some(sent) = message.timestamp_ms else { return self.wrong != Wrong::TimelessIsNeverPassed };
        match &self.case.past {
            Past::Commits { times_ms } => times_ms.iter().any(|time| *time >= sent + self.case.clock.settle_ms),
            Past::Offsets { paired_max } => {
                let same_offset = self.wrong == Wrong::SameOffsetMovesPast;
                let larger = |offset: i64| offset > message.at.offset || (same_offset && offset == message.at.offset);
                let balanced = paired_max.get(&message.at.partition).is_some_and(|offset| larger(*offset));
                let in_case = (0..self.messages.len()).any(|other| {
                    let at = self.messages[other].at;
                    let by_step_1 =
                        self.row_of[other].is_some_and(|(_, step)| step == 1 || self.wrong == Wrong::AnyPairMovesPast);
                    at.partition == message.at.partition && larger(at.offset) && by_step_1
                });
                balanced || in_case
            }
        }
    }

    fn left_rows(&self, judgement: &mut Judgement) {
        let mut unidentified = 0;
        for message in &self.messages {
            let deletes = message.state == MessageState::Undecodable(UndecodableCause::KeyUnknown);
            if matches!(message.state, MessageState::Undecodable(_)) && message.identity.is_none() && !deletes {
                unidentified += 1;
            }
        }
        let mut phantoms: Vec<(usize, Cause)> = Vec::new();
        for row in self.rows_in(RowState::Free) {
            let entry = &self.rows[row];
            let whole = self.case.whole_topic || self.wrong == Wrong::ImpossibleIsAlwaysPhantom;
            let impossible = entry.standing == RowStanding::Impossible;
            let cause = self.phantom_cause(entry);
            if entry.standing == RowStanding::OutOfScope || (impossible && !whole) {
                judgement.rows.out_of_scope += 1;
                judgement.rows_out_of_scope.push(entry.at);
            } else if matches!(cause, Cause::Filtered | Cause::Tombstone | Cause::Resurrected)
                || entry.standing != RowStanding::Unobservable
            {
                phantoms.push((row, cause));
            } else {
                judgement.rows.unobservable += 1;
            }
        }
        let unjudged = if self.wrong == Wrong::UnidentifiedExplainEveryPhantom && unidentified > 0 {
            phantoms.len()
        } else {
            unidentified.min(phantoms.len())
        };
        judgement.rows.unjudged += unjudged as u64;
        if self.wrong == Wrong::UnidentifiedExplainFromTheEnd {
            phantoms.truncate(phantoms.len() - unjudged);
        } else {
            phantoms.drain(..unjudged);
        }
        for (row, cause) in phantoms {
            judgement.rows.phantom += 1;
            let mut draft = draft(
                MessageAt { partition: validator_core::position::PartitionIndex(0), offset: 0 },
                MessageVerdict::Missing,
            );
            draft.verdict = Verdict::Row(RowVerdict::Phantom);
            draft.message = None;
            draft.cause = Some(cause);
            draft.rows = vec![self.rows[row].at];
            draft.hole = self.rows[row].hole;
            judgement.drafts.push(draft);
        }
    }

    fn phantom_cause(&self, row: &RowEntry) -> Cause {
        if self.case.mode == ModeKind::Upsert {
            let hole = if row.hole == Some(HoleReason::Aborted) { Cause::Aborted } else { Cause::Unexplained };
            return self.versions.causes.get(&row.identity).copied().unwrap_or(hole);
        }
        for message in &self.messages {
            if message.identity == Some(row.identity) {
                match message.state {
                    MessageState::Excluded(ExcludedCause::Filter) => return Cause::Filtered,
                    MessageState::Excluded(ExcludedCause::Tombstone) => return Cause::Tombstone,
                    _ => {}
                }
            }
        }
        if row.hole == Some(HoleReason::Aborted) { Cause::Aborted } else { Cause::Unexplained }
    }
}

fn tally_one(tally: &mut MessageTally, verdict: MessageVerdict) {
    match verdict {
        MessageVerdict::Pending => tally.pending += 1,
        MessageVerdict::Missing => tally.missing += 1,
        MessageVerdict::Overdue => tally.overdue += 1,
        MessageVerdict::Unobservable => tally.unobservable += 1,
        MessageVerdict::Withdrawn => tally.withdrawn += 1,
        _ => panic!("{verdict} is no verdict on an unpaired message"),
    }
}

fn draft(at: MessageAt, verdict: MessageVerdict) -> Draft {
    Draft {
        verdict: verdict.into(),
        cause: None,
        message: Some(at),
        timestamp_ms: None,
        rows: Vec::new(),
        compare: Vec::new(),
        stale: Vec::new(),
        identity_moved: false,
        copies: 0,
        loss: None,
        hole: None,
        equals: None,
    }
}

struct Partners<'a>(&'a [BalancedPartner]);

impl BalancedLookup for Partners<'_> {
    type Error = Infallible;

    fn find(&mut self, identities: &[IdentityHash]) -> Result<Vec<BalancedPartner>, Infallible> {
        assert!(identities.is_sorted() && identities.windows(2).all(|pair| pair[0] != pair[1]));
        Ok(self.0.iter().filter(|partner| identities.contains(&partner.identity)).copied().collect())
    }
}

pub fn first_judge(case: &Case, partners: &[BalancedPartner]) -> Judgement {
    let Ok(judgement) = judge(case.clone(), &mut Partners(partners));
    judgement
}

#[test]
fn two_judges_agree_on_small_random_cases() {
    for seed in seeds(40_000) {
        let (case, partners) = case(&mut Dice::new(seed));
        let (first, second) = (first_judge(&case, &partners), second_judge(&case, &partners, Wrong::Nothing));
        assert_eq!(first, second, "seed {seed}: {case:#?}\nbalanced: {partners:#?}");
    }
}

/// The canary: a property that no wrong judge violates proves nothing.
#[test]
fn every_wrong_judge_is_told_apart() {
    for wrong in WRONG {
        let told_apart = (0..20_000).any(|seed| {
            let (case, partners) = case(&mut Dice::new(seed));
            first_judge(&case, &partners) != second_judge(&case, &partners, wrong)
        });
        assert!(told_apart, "{wrong:?} judges all cases as the judge does");
    }
}

/// The cases are worth it: every verdict and every cause comes up, and often.
#[test]
fn random_cases_reach_every_verdict() {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..2_000 {
        let (case, partners) = case(&mut Dice::new(seed));
        for draft in first_judge(&case, &partners).drafts {
            let cause = draft.cause.map(|cause| cause.to_string()).unwrap_or_default();
            let moved = if draft.identity_moved { "moved" } else { "" };
            *seen.entry(format!("{} {cause}{moved}", draft.verdict)).or_default() += 1;
        }
    }
    let wanted = [
        "corrupted ",
        "corrupted moved",
        "duplicated copied",
        "duplicated copies_differ",
        "missing lost",
        "missing storage_corrupt",
        "overdue ",
        "phantom aborted",
        "phantom filtered",
        "phantom tombstone",
        "phantom unexplained",
        "undecodable bad_payload",
        "undecodable map_failed",
        "undecodable schema_unknown",
        "unobservable ",
        "withdrawn ",
        "diverted ",
    ];
    for what in wanted {
        assert!(seen.get(what).is_some_and(|times| *times >= 40), "{what:?} came up too rarely: {seen:#?}");
    }
}

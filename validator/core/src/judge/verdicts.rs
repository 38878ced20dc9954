//! From pairs, copies and leftovers to counts and drafts.
//!
//! Contract: every message and every row of the case is counted exactly once.

use super::candidates;
use super::case::{BalancedPartner, Case, MessageEntry, MessageState, RowEntry};
use super::copies::Copies;
use super::judgement::{Draft, Judgement};
use super::leftover::{self, RowEnd};
use super::pairing::{Pair, Pairing, Step, Tie};
use super::versions::{self, Versions};
use crate::clock::MovedPast;
use crate::digest::IdentityHash;
use crate::position::{MessageAt, RowAt};
use crate::verdict::{Cause, Damage, ExcludedCause, MessageVerdict, RowVerdict, Verdict};

/// The judgement of a paired case.
pub(super) fn of(mut case: Case, pairing: &Pairing, copies: &Copies, versions: &Versions) -> Judgement {
    let past = std::mem::replace(&mut case.past, crate::clock::Past::Commits { times_ms: Vec::new() });
    let paired = case.messages.iter().zip(&pairing.of_message);
    let equal =
        paired.filter(|(_, pair)| pair.is_some_and(|pair| pair.step == Step::Equal)).map(|(message, _)| message.at);
    let moved_past = MovedPast::new(past, case.clock.settle_ms, equal);
    let mut bench = Bench { case: &case, versions, judgement: Judgement::default() };
    let set_aside = rows_set_aside(pairing);
    for (index, message) in case.messages.iter().enumerate() {
        match (message.state, pairing.of_message[index]) {
            (MessageState::Excluded(cause), _) => {
                *bench.judgement.excluded.entry(cause).or_default() += 1;
                if cause == ExcludedCause::Superseded {
                    *bench.judgement.superseded.entry(message.at.partition).or_default() += 1;
                }
                bench.count(message.at, MessageVerdict::Excluded);
            }
            (MessageState::Undecodable(cause), _) => {
                let first = set_aside.partition_point(|(of, _)| *of < index);
                let rows = set_aside[first..].iter().take_while(|(of, _)| *of == index).map(|(_, row)| *row);
                let rows: Vec<usize> = rows.collect();
                // What is in the dead letters is known to be there, whether or not it can be read.
                if case.diverted.contains(&message.at) {
                    *bench.judgement.diverted_undecodable.entry(message.at.partition).or_default() += 1;
                    bench.rowless(message, MessageVerdict::Diverted, None, rows);
                } else {
                    bench.rowless(message, MessageVerdict::Undecodable, Some(Cause::Undecodable(cause)), rows);
                }
            }
            (MessageState::Judged, Some(pair)) => match copies.of_message.get(&index) {
                Some(surplus) => bench.duplicated(message, pair, surplus),
                None => bench.paired(message, pair),
            },
            (MessageState::Judged, None) if case.diverted.contains(&message.at) => {
                bench.rowless(message, MessageVerdict::Diverted, None, Vec::new());
            }
            (MessageState::Judged, None) => {
                let (verdict, cause) = leftover::of_message(&case, message, &moved_past);
                bench.unpaired(message, verdict, cause);
            }
        }
    }
    for (partner, surplus) in copies.of_partner.values() {
        bench.duplicated_partner(partner, surplus);
    }
    bench.judgement.drafts.sort_by_key(|draft| draft.message);
    candidates::name(&case, &mut bench.judgement.drafts);
    versions::explain_by_unknown_deletions(&mut bench.judgement);
    for (row, end) in leftover::of_rows(&case, pairing, versions) {
        bench.left_row(row, end);
    }
    bench.judgement
}

/// (message, row) by index, ascending.
fn rows_set_aside(pairing: &Pairing) -> Vec<(usize, usize)> {
    let ties = pairing.of_row.iter().enumerate();
    let mut rows: Vec<(usize, usize)> = ties
        .filter_map(|(row, tie)| match tie {
            Tie::SetAside(message) => Some((*message, row)),
            _ => None,
        })
        .collect();
    rows.sort_unstable();
    rows
}

/// The judgement as it grows.
struct Bench<'a> {
    case: &'a Case,
    versions: &'a Versions,
    judgement: Judgement,
}

impl Bench<'_> {
    fn count(&mut self, at: MessageAt, verdict: MessageVerdict) {
        self.judgement.messages.entry(at.partition).or_default().add(verdict, 1);
    }

    fn paired(&mut self, message: &MessageEntry, pair: Pair) {
        let row = &self.case.rows[pair.row];
        if pair.step == Step::Equal {
            self.count(message.at, MessageVerdict::Intact);
            self.judgement.rows.add(RowVerdict::Intact, 1);
            self.judgement.messages.entry(message.at.partition).or_default().late += u64::from(row.late);
            return;
        }
        self.count(message.at, MessageVerdict::Corrupted);
        self.judgement.rows.add(RowVerdict::Corrupted, 1);
        let key = message.identity.filter(|_| pair.step == Step::Identity);
        let stale = self.stale(message.at, key, std::iter::once(row));
        let cause = (!stale.is_empty()).then_some(Cause::Damage(Damage::StaleValue));
        self.judgement.drafts.push(Draft {
            rows: vec![row.at],
            compare: vec![(message.at, row.at)],
            stale,
            identity_moved: pair.step == Step::Rest,
            ..draft_of(message, MessageVerdict::Corrupted, cause)
        });
    }

    fn duplicated(&mut self, message: &MessageEntry, pair: Pair, surplus: &[usize]) {
        let mut rows = surplus.to_vec();
        rows.push(pair.row);
        rows.sort_unstable();
        let compare: Vec<_> =
            rows.iter().map(|row| &self.case.rows[*row]).filter(|row| message.digest != Some(row.digest)).collect();
        let stale = self.stale(message.at, message.identity, compare.iter().copied());
        let compare: Vec<_> = compare.into_iter().map(|row| (message.at, row.at)).collect();
        let draft = Draft {
            rows: rows.iter().map(|row| self.case.rows[*row].at).collect(),
            stale,
            identity_moved: pair.step == Step::Rest,
            compare,
            ..draft_of(message, MessageVerdict::Duplicated, None)
        };
        self.push_duplicated(message.at, draft);
    }

    /// The partner's own row is equal; the balanced segments counted both as intact.
    fn duplicated_partner(&mut self, partner: &BalancedPartner, surplus: &[usize]) {
        let moved = self.judgement.moved_from_intact.entry(partner.message.partition).or_default();
        moved.messages += 1;
        moved.late += u64::from(partner.late);
        let mut rows: Vec<_> = surplus.iter().map(|row| self.case.rows[*row].at).collect();
        rows.push(partner.row);
        rows.sort();
        let mut compare: Vec<_> = surplus.iter().map(|row| &self.case.rows[*row]).collect();
        compare.retain(|row| row.digest != partner.digest);
        let stale = self.stale(partner.message, Some(partner.identity), compare.iter().copied());
        let draft = Draft {
            stale,
            verdict: MessageVerdict::Duplicated.into(),
            cause: None,
            message: Some(partner.message),
            timestamp_ms: partner.timestamp_ms,
            rows,
            compare: compare.into_iter().map(|row| (partner.message, row.at)).collect(),
            identity_moved: false,
            copies: 0,
            loss: None,
            hole: None,
            equals: None,
        };
        self.push_duplicated(partner.message, draft);
    }

    /// Those of the rows of one message that show an older version of its key; counted.
    fn stale<'r>(
        &mut self,
        of: MessageAt,
        key: Option<IdentityHash>,
        rows: impl Iterator<Item = &'r RowEntry>,
    ) -> Vec<RowAt> {
        let is_stale = |row: &&RowEntry| Some(row.identity) == key && self.versions.is_older(row, of);
        let stale: Vec<RowAt> = rows.filter(is_stale).map(|row| row.at).collect();
        self.judgement.stale += stale.len() as u64;
        stale
    }

    fn push_duplicated(&mut self, at: MessageAt, mut draft: Draft) {
        let differs = !draft.compare.is_empty();
        draft.copies = draft.rows.len() as u64;
        draft.cause = Some(if differs { Cause::CopiesDiffer } else { Cause::Copied });
        self.count(at, MessageVerdict::Duplicated);
        self.judgement.rows.add(RowVerdict::Copies, draft.copies);
        let tally = self.judgement.messages.entry(at.partition).or_default();
        tally.duplicated_differing += u64::from(differs);
        tally.duplicated_faithful += u64::from(draft.compare.len() < draft.rows.len());
        self.judgement.drafts.push(draft);
    }

    /// A message that pairs with no row whatever the clock says, and the rows that were set aside for it.
    fn rowless(&mut self, message: &MessageEntry, verdict: MessageVerdict, cause: Option<Cause>, rows: Vec<usize>) {
        self.count(message.at, verdict);
        self.judgement.rows.add(RowVerdict::Unjudged, rows.len() as u64);
        self.judgement.drafts.push(Draft {
            rows: rows.iter().map(|row| self.case.rows[*row].at).collect(),
            ..draft_of(message, verdict, cause)
        });
    }

    fn unpaired(&mut self, message: &MessageEntry, verdict: MessageVerdict, cause: Option<Cause>) {
        self.count(message.at, verdict);
        if let Some(Cause::Excluded(cause)) = cause {
            *self.judgement.excluded.entry(cause).or_default() += 1;
            *self.judgement.released.entry((message.at.partition, cause)).or_default() += 1;
        }
        if matches!(verdict, MessageVerdict::Pending | MessageVerdict::Excluded) {
            return;
        }
        if let Some(loss) = message.loss {
            *self.judgement.losses.entry(loss).or_default() += 1;
        }
        self.judgement.drafts.push(Draft { loss: message.loss, ..draft_of(message, verdict, cause) });
    }

    fn left_row(&mut self, row: usize, end: RowEnd) {
        let (verdict, cause) = match end {
            RowEnd::OutOfScope => (RowVerdict::OutOfScope, None),
            RowEnd::Unobservable => (RowVerdict::Unobservable, None),
            RowEnd::Unjudged => (RowVerdict::Unjudged, None),
            RowEnd::Phantom(cause) => (RowVerdict::Phantom, Some(cause)),
        };
        self.judgement.rows.add(verdict, 1);
        if end == RowEnd::OutOfScope {
            self.judgement.rows_out_of_scope.push(self.case.rows[row].at);
        }
        if cause.is_some() {
            let row = &self.case.rows[row];
            self.judgement.drafts.push(Draft {
                verdict: Verdict::Row(RowVerdict::Phantom),
                cause,
                message: None,
                timestamp_ms: None,
                rows: vec![row.at],
                compare: Vec::new(),
                stale: Vec::new(),
                identity_moved: false,
                copies: 0,
                loss: None,
                hole: row.hole,
                equals: None,
            });
        }
    }
}

fn draft_of(message: &MessageEntry, verdict: MessageVerdict, cause: Option<Cause>) -> Draft {
    Draft {
        verdict: verdict.into(),
        cause,
        message: Some(message.at),
        timestamp_ms: message.timestamp_ms,
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

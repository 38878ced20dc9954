//! The verdicts of a run, and its findings in order: the case first, then, part by part, what is judged apart from it.
//!
//! ```text
//! case ────▶ judge ▶ drafts ───────────────┐
//! groups ▶ part ▶ judge ▶ drafts ▶ (merged in order) ▶ values ▶ findings
//! ```
//! Contract: one part is told while the next one is judged, and no more are held, so that memory does not grow with what
//! differs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use validator_core::judge::{Case, Draft, Judgement, with_pairs};
use validator_core::position::MessageAt;

use crate::dead_letters::DeadLetters;
use crate::findings::{Evidence, Told};
use crate::found::Findings;
use crate::groups::{Group, Groups, Sorted};
use crate::limits::PART_ENTRIES_MAX;
use crate::lookup::Lookup;
use crate::reconcile::{Run, RunError};
use crate::removed::{Removal, removed};
use crate::suspect::Suspects;
use crate::upsert;

/// Commits that took rows of messages away.
pub type Removals = HashMap<MessageAt, Removal>;

/// Makes findings of drafts.
pub struct Telling {
    /// What their evidence comes from.
    pub evidence: Arc<Evidence>,
    /// Chunks at a time.
    pub threads: usize,
    /// What has been told.
    pub findings: Findings,
    /// What they say of the contract.
    pub suspects: Suspects,
    /// Missing messages and phantom rows that were too many to be linked.
    pub unlinked: u64,
}

/// A part that is judged, and those behind it.
type Judged = (Parts, Judgement, Removals);

/// What is judged apart from a case.
pub struct Parts {
    groups: Sorted,
    /// A case without entries.
    like: Case,
}

impl Parts {
    /// The parts of the groups that were taken out of `case`. Blocking.
    ///
    /// # Errors
    /// What was spilled cannot be read back.
    fn new(groups: Groups, case: &mut Case) -> Result<Self, RunError> {
        let past = with_pairs(case);
        let (mode, clock, whole_topic, remembers) = (case.mode, case.clock, case.whole_topic, case.remembers);
        let (messages, rows, diverted) = (Vec::new(), Vec::new(), BTreeSet::new());
        let like = Case { mode, messages, rows, clock, past, whole_topic, diverted, remembers };
        Ok(Self { groups: groups.sorted()?, like })
    }

    /// The next part, and what is left of them; none at the end. Blocking.
    fn next(mut self, letters: Option<&DeadLetters>) -> Result<Option<(Self, Case)>, RunError> {
        let mut part = Group::default();
        if !self.groups.next_part(&mut part, PART_ENTRIES_MAX)? {
            return Ok(None);
        }
        let diverted = letters.map_or_else(BTreeSet::new, |letters| letters.among(&part.messages));
        let case = Case { messages: part.messages, rows: part.rows, diverted, ..self.like.clone() };
        Ok(Some((self, case)))
    }
}

impl Telling {
    /// Tells of these drafts, which stand behind all before.
    async fn tell(&mut self, drafts: Vec<Draft>, removed: Removals) -> Result<(), RunError> {
        let (evidence, findings, suspects) = (&self.evidence, &mut self.findings, &mut self.suspects);
        let mask = &evidence.messages.binding.mask;
        let amount = (self.threads, findings.room());
        for draft in &drafts {
            if let Some(at) = draft.message {
                findings.spread.note(at, draft.timestamp_ms);
            }
        }
        let each = |told| {
            match told {
                Told::Whole(mut finding) => {
                    mask.apply(&mut finding);
                    suspects.look(&finding);
                    findings.push(*finding).map_err(RunError::Findings)?;
                }
                Told::Counted { verdict, cause, column } => findings.count(verdict, cause, column),
            }
            Ok(())
        };
        self.unlinked += evidence.findings(drafts, removed, amount, each).await?;
        Ok(())
    }
}

impl Run {
    /// Judges a case, on a thread of its own: the look-up in balanced segments reads both sides.
    pub(crate) async fn judged(&self, case: Case, mut lookup: Lookup) -> Result<(Judgement, Removals), RunError> {
        let (judge, names) = (self.judge, upsert::names(&case, self.is_upsert()));
        let mut judgement = tokio::task::spawn_blocking(move || judge(case, &mut lookup)).await??;
        let removed = removed(self, &judgement.drafts, &names).await?;
        judgement.mark_removed(&removed.keys().copied().collect());
        Ok((judgement, removed))
    }

    /// The parts of what is judged apart from a case, and the case.
    pub(crate) async fn parts(
        &self,
        groups: Option<Groups>,
        mut case: Case,
    ) -> Result<(Option<Parts>, Case), RunError> {
        let Some(groups) = groups else { return Ok((None, case)) };
        let made = move || Ok((Some(Parts::new(groups, &mut case)?), case));
        tokio::task::spawn_blocking(made).await?
    }

    /// Judges the parts and adds them to the judgement of the case; tells of everything in order.
    pub(crate) async fn tell(
        &self,
        telling: &mut Telling,
        (judgement, mut removed): (&mut Judgement, Removals),
        parts: Option<Parts>,
        lookup: impl Fn() -> Lookup,
    ) -> Result<(), RunError> {
        let mut rest = std::mem::take(&mut judgement.drafts).into_iter().peekable();
        let mut next = match parts {
            Some(parts) => self.next_part(parts, lookup()).await?,
            None => None,
        };
        while let Some((parts, mut judged, mut removed_there)) = next {
            let mut drafts = std::mem::take(&mut judged.drafts);
            judgement.add(judged);
            if let Some(last) = drafts.last().map(Draft::place) {
                while let Some(draft) = rest.next_if(|draft| draft.place() <= last) {
                    removed_there.extend(draft.message.and_then(|at| removed.remove_entry(&at)));
                    drafts.push(draft);
                }
                drafts.sort_by_key(Draft::place);
            }
            let told = telling.tell(drafts, removed_there);
            ((), next) = tokio::try_join!(told, self.next_part(parts, lookup()))?;
        }
        telling.tell(rest.collect(), removed).await
    }

    /// Judges the next of the parts; none at the end.
    async fn next_part(&self, parts: Parts, lookup: Lookup) -> Result<Option<Judged>, RunError> {
        let letters = self.dead_letters.clone();
        let next = tokio::task::spawn_blocking(move || parts.next(letters.as_deref()));
        let Some((left, part)) = next.await?? else { return Ok(None) };
        let (judged, removed) = self.judged(part, lookup).await?;
        Ok(Some((left, judged, removed)))
    }
}

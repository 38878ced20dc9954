//! What the ledger is to write now, and the beginning from what it wrote.
//!
//! Contract: a delta holds everything since the last one that the ledger has; between [`Shadow::delta`] and [`Shadow::saved`]
//! nothing is applied. A shadow that was restored is the one that was saved (I4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Shadow;
use super::delta::{
    Change, Damaged, Delta, FileChange, FileRow, FileStanding, FindingChange, FindingPlace, LaneRow, PageRow,
    ResidueRow, RunChange, Saved,
};
use super::file::FileId;
use super::files::KnownFile;
use super::held::Pages;
use super::invariants::{Contradiction, check};
use super::lane::Lane;
use super::lot::Run;
use super::pack::is_of_now;
use super::page::Page;
use super::residue::Residue;
use super::standing::Standing;
use super::state_codec::{State, draft_bytes};
use super::terms::Terms;
use super::told::{FactsHash, OpenFinding, is_told_once};
use super::verdicts::FindingKey;
use crate::finding::FindingId;
use crate::judge::Draft;
use crate::limits::PAGES_HELD_MAX;
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::{Cause, MessageVerdict, Verdict};

/// What the ledger does not have yet, and what it was told of findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Unsaved {
    pub residues: BTreeSet<SegmentKey>,
    /// Files scanned, with their bodies.
    pub scanned: BTreeMap<FileId, Vec<u8>>,
    /// Files that became live.
    pub came: BTreeSet<FileId>,
    /// Files that are of no use any more.
    pub went: BTreeMap<FileId, FileChange>,
    pub told: Arc<BTreeMap<FindingKey, Told>>,
    /// Whether `told` is what the state says.
    pub is_told: bool,
    /// The runs that the ledger has, of segments whose run is another one now.
    pub runs: BTreeMap<SegmentKey, Option<Run>>,
}

/// A finding as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// Of a row alone: its file may be live no longer when the finding is resolved.
    pub id: Option<FindingId>,
    pub cause: Option<Cause>,
    pub facts: FactsHash,
    /// Whether an event told it, so that only its rows are the state's.
    pub of_event: bool,
}

impl Told {
    /// Whether it says another thing. A cause that only the values of both sides tell is the ledger's: the state has none. So is one
    /// that only older snapshots tell: a message that is lost to the state was removed.
    fn differs(&self, now: &Self) -> bool {
        let is_told_more = now.cause == Some(Cause::Lost) && self.cause == Some(Cause::Removed);
        let is_other = now.cause.is_some() && self.cause != now.cause && !is_told_more;
        self.facts != now.facts || self.id != now.id || is_other
    }
}

/// Why a shadow cannot go on from what was saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Bytes that nobody wrote.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// A law does not hold.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

impl Shadow {
    /// Everything since the last checkpoint.
    pub fn delta(&self) -> Delta {
        let pages = self.pages.dirty();
        let residues = self
            .unsaved
            .residues
            .iter()
            .map(|segment| ResidueRow { segment: *segment, body: self.residues.get(segment).map(Residue::to_bytes) });
        let lanes = (0..).map(PartitionIndex).zip(&self.lanes);
        let (line, last_file, judged_at_ms) = (self.line.clone(), self.files.last, self.judged_at_ms);
        let state = State {
            line,
            last_file,
            judged_at_ms,
            cannot_look: self.cannot_look,
            notes: self.notes.clone(),
            judged_by: self.terms.judged_by(),
            partings: self.partings.clone(),
            late_after: self.files.late_after(),
            floor: self.floor,
            moved_ms: self.moved_ms,
        };
        Delta {
            checkpoint: self.checkpoint + 1,
            judged_at_ms: self.judged_at_ms,
            snapshot: self.line.cursor.as_ref().filter(|cursor| cursor.is_there()).map(|cursor| cursor.id),
            state: state.to_bytes(),
            lanes: lanes.map(|(lane, body)| LaneRow { lane, tp: body.tp.clone(), body: body.to_bytes() }).collect(),
            pages: pages
                .map(|(key, page)| PageRow { key: *key, unsettled: self.pages.is_needed(page), body: page.to_bytes() })
                .collect(),
            files_new: self.files_new(),
            files_changed: self.files_changed(),
            residues: residues.collect(),
            findings: self.finding_changes(),
            runs: self.run_changes(),
            totals: self.standing().to_bytes(),
        }
    }

    /// The ledger has the delta of this checkpoint.
    pub fn saved(&mut self, checkpoint: u64) {
        let told = if self.unsaved.is_told { self.unsaved.told.clone() } else { self.told_now() };
        self.unsaved = Unsaved { told, is_told: true, ..Unsaved::default() };
        self.news.clear();
        self.checkpoint = checkpoint;
        self.pages.saved();
        self.pages.let_go(PAGES_HELD_MAX);
    }

    /// Lets all pages go that are settled and saved: what a restart does not read either.
    pub fn let_go(&mut self) {
        self.pages.let_go(0);
    }

    fn file_change(file: &KnownFile, standing: FileStanding) -> FileChange {
        let (path, path_hash) = (file.facts.path.clone(), file.hash());
        FileChange { id: file.id, path, path_hash, standing, facts: file.to_bytes() }
    }

    fn files_new(&self) -> Vec<FileRow> {
        let waiting: BTreeMap<FileId, &KnownFile> = self.files.waiting.values().map(|file| (file.id, file)).collect();
        let row = |(id, body): (&FileId, &Vec<u8>)| {
            let live = self.files.named(*id).map(|file| Self::file_change(file, FileStanding::Live));
            let waits = || Some(Self::file_change(waiting.get(id)?, FileStanding::Waiting));
            let file = live.or_else(waits).or_else(|| self.unsaved.went.get(id).cloned())?;
            Some(FileRow { file, body: body.clone() })
        };
        self.unsaved.scanned.iter().filter_map(row).collect()
    }

    fn files_changed(&self) -> Vec<FileChange> {
        let is_new = |id: &&FileId| self.unsaved.scanned.contains_key(*id);
        let came = self.unsaved.came.iter().filter(|id| !is_new(id)).filter_map(|id| self.files.named(*id));
        let came = came.map(|file| Self::file_change(file, FileStanding::Live));
        let went = self.unsaved.went.iter().filter(|(id, _)| !is_new(id)).map(|(_, file)| file.clone());
        came.chain(went).collect()
    }

    /// A file is live no longer, or will not be.
    pub(super) fn note_gone(&mut self, file: &KnownFile, since_ms: i64) {
        let file = &KnownFile { slips: None, ..file.clone() };
        let change = Self::file_change(file, FileStanding::Gone { since_ms });
        self.unsaved.went.insert(file.id, change);
    }

    /// Findings of the state. Undecodable messages are told when they come; the state says which rows are theirs. Of a file that is live no longer a row keeps the
    /// finding that it has, until its segment is read again.
    fn findings_now(&self) -> &Arc<BTreeMap<FindingKey, Told>> {
        self.judged().now.get_or_init(|| {
            let findings = self.findings().into_iter();
            let findings = findings.filter(|(key, draft)| !self.is_of_event(key) || !draft.rows.is_empty());
            let told = |(key, draft): (FindingKey, &Draft)| {
                let before = || self.unsaved.told.get(&key).and_then(|told| told.id.clone());
                let id = match &key.0 {
                    FindingPlace::Row { .. } => Some(self.id_of(&key).or_else(before)?),
                    _ => None,
                };
                let facts = FactsHash::of(&self.facts_of(draft));
                let of_event = self.is_of_event(&key);
                Some((key, Told { id, cause: draft.cause, facts, of_event }))
            };
            Arc::new(findings.filter_map(told).collect())
        })
    }

    /// What the ledger has once it is told of all: a cause that the state no longer knows stays as it was told.
    fn told_now(&self) -> Arc<BTreeMap<FindingKey, Told>> {
        let (before, mut told) = (&self.unsaved.told, self.findings_now().clone());
        let stays = |key: &FindingKey, now: &Told| {
            let old = before.get(key).filter(|old| now.cause.is_none() && old.cause.is_some() && !old.differs(now))?;
            Some((key.clone(), old.cause))
        };
        let causes: Vec<_> = told.iter().filter_map(|(key, now)| stays(key, now)).collect();
        for (key, cause) in causes {
            if let Some(told) = Arc::make_mut(&mut told).get_mut(&key) {
                told.cause = cause;
            }
        }
        told
    }

    /// What a finding says beside its place, verdict and cause, packed.
    fn facts_of(&self, draft: &Draft) -> Vec<u8> {
        let is_rowless =
            [MessageVerdict::Missing, MessageVerdict::Overdue].map(Verdict::Message).contains(&draft.verdict);
        draft_bytes(draft, is_rowless && draft.message.is_some_and(|at| self.may_have_stood(at)))
    }

    pub(super) fn id_of(&self, (place, verdict): &FindingKey) -> Option<FindingId> {
        let pipeline = &self.terms.pipeline;
        match place {
            FindingPlace::Message { lane, offset } => {
                Some(FindingId::of_message(pipeline, *verdict, &self.lane(*lane)?.tp, *offset))
            }
            FindingPlace::Row { file, position } => {
                let path = &self.files.named(*file)?.facts.path;
                Some(FindingId::of_row(pipeline, *verdict, path, *position))
            }
            FindingPlace::Table { path } => Some(FindingId::of_table(pipeline, *verdict, None, path)),
        }
    }

    fn finding_changes(&self) -> Vec<FindingChange> {
        let at_ms = self.judged_at_ms;
        let mut changes = if self.unsaved.is_told { Vec::new() } else { self.findings_changed() };
        changes.extend(self.news.iter().filter_map(|news| {
            let (verdict, cause, place) = (news.verdict, news.cause, news.place.clone());
            let id = self.id_of(&(place.clone(), verdict))?;
            let facts = if news.change == Change::Resolved { Vec::new() } else { news.detail.clone().into_bytes() };
            Some(FindingChange { id, verdict, cause, place, change: news.change, at_ms, facts })
        }));
        changes
    }

    fn findings_changed(&self) -> Vec<FindingChange> {
        let (before, now, at_ms) = (&self.unsaved.told, self.findings_now(), self.judged_at_ms);
        let drafts = self.findings();
        let is_new = |key: &FindingKey| self.news.iter().any(|news| news.place == key.0 && news.verdict == key.1);
        let changed = |key: &FindingKey, told: &Told, change: Change| {
            // What an event told stays true: its rows come and go.
            let is_of_event = told.of_event;
            if is_of_event && is_new(key) {
                return None;
            }
            let change = if is_of_event { Change::Changed } else { change };
            let draft = drafts.get(key).filter(|_| change != Change::Resolved && !is_of_event);
            Some(FindingChange {
                id: told.id.clone().or_else(|| self.id_of(key))?,
                verdict: key.1,
                cause: told.cause,
                place: key.0.clone(),
                change,
                at_ms,
                facts: draft.map(|draft| self.facts_of(draft)).unwrap_or_default(),
            })
        };
        let resolved = before.iter().filter(|(key, _)| !now.contains_key(*key));
        let resolved = resolved.filter_map(|(key, told)| changed(key, told, Change::Resolved));
        let opened = now.iter().filter_map(|(key, told)| match before.get(key) {
            None => changed(key, told, Change::Opened),
            Some(old) if old.differs(told) => changed(key, told, Change::Changed),
            Some(_) => None,
        });
        resolved.chain(opened).collect()
    }

    fn run_changes(&self) -> Vec<RunChange> {
        let at_ms = self.judged_at_ms;
        let changed = |segment: SegmentKey, (verdict, cause, messages): Run, change: Change| RunChange {
            segment,
            verdict: Verdict::Message(verdict),
            cause,
            messages,
            change,
            at_ms,
        };
        let (mut resolved, mut opened) = (Vec::new(), Vec::new());
        for (segment, old) in &self.unsaved.runs {
            match (old, self.runs().get(segment)) {
                (Some(old), Some(new)) if old == new => {}
                (Some(old), Some(new)) if old.0 == new.0 => opened.push(changed(*segment, *new, Change::Changed)),
                (old, new) => {
                    resolved.extend(old.map(|old| changed(*segment, old, Change::Resolved)));
                    opened.extend(new.map(|new| changed(*segment, *new, Change::Opened)));
                }
            }
        }
        resolved.into_iter().chain(opened).collect()
    }

    /// What belongs to no row, before the rows are taken in.
    fn go_on_from(&mut self, state: State) {
        self.terms.judge_by(state.judged_by);
        self.pages = Pages::new(self.terms.windows().is_some());
        (self.line, self.notes, self.partings) = (state.line, state.notes, state.partings);
        self.files.last = state.last_file;
        self.files.know_late_after(state.late_after);
        (self.judged_at_ms, self.cannot_look) = (state.judged_at_ms, state.cannot_look);
        (self.floor, self.moved_ms) = (state.floor, state.moved_ms);
    }

    /// Goes on from a checkpoint. Settle and give-up are those that it was judged by, until [`Shadow::set_terms`] says others.
    ///
    /// # Errors
    /// What was saved is damaged, or contradicts itself.
    pub fn restore(terms: Terms, saved: Saved) -> Result<Self, RestoreError> {
        let mut shadow = Self::new(terms);
        if saved.checkpoint == 0 {
            return Ok(shadow);
        }
        shadow.go_on_from(State::from_bytes(&saved.state)?);
        shadow.checkpoint = saved.checkpoint;
        for row in saved.lanes {
            shadow.lanes.push(Lane::from_bytes(row.tp, &row.body)?);
        }
        for row in saved.pages {
            shadow.pages.admit(row.key, Some(Page::from_bytes(&row.body)?));
        }
        for row in saved.files {
            let file = KnownFile::from_bytes(row.id, row.path, &row.facts)?;
            match row.standing {
                FileStanding::Live => shadow.files.enter(row.path_hash, file),
                FileStanding::Waiting => drop(shadow.files.waiting.insert(row.path_hash, file)),
                FileStanding::Gone { .. } => {}
            }
        }
        for row in saved.residues {
            if let Some(body) = row.body {
                shadow.residues.put(row.segment, Some(Residue::from_bytes(&body)?));
            }
        }
        shadow.recount_all();
        let open = saved.findings.into_iter().filter(|finding| !is_told_once(finding.verdict));
        let told = open.map(|OpenFinding { id, verdict, cause, place, facts }| {
            let id = matches!(place, FindingPlace::Row { .. }).then_some(id);
            ((place, verdict), Told { id, cause, facts, of_event: false })
        });
        shadow.unsaved = Unsaved { told: Arc::new(told.collect()), ..Unsaved::default() };
        // What the ledger was told of their rows is not read again: it is what the state said then, which is what it says now.
        let now = Arc::clone(shadow.findings_now());
        let of_events = now.iter().filter(|(_, told)| told.of_event);
        Arc::make_mut(&mut shadow.unsaved.told).extend(of_events.map(|(key, told)| (key.clone(), told.clone())));
        shadow.unsaved.is_told = is_same(&shadow.unsaved.told, shadow.findings_now());
        check(&shadow)?;
        let totals = Standing::from_bytes(&saved.totals)?;
        // Another build may count the same state otherwise: what differs is in the next checkpoint.
        if is_of_now(&saved.totals) && shadow.standing().to_bytes() != totals.to_bytes() {
            return Err(Contradiction::Totals.into());
        }
        Ok(shadow)
    }
}

/// Whether nothing of these findings is to be told.
fn is_same(told: &BTreeMap<FindingKey, Told>, now: &BTreeMap<FindingKey, Told>) -> bool {
    told.len() == now.len()
        && told
            .iter()
            .zip(now)
            .all(|((one, old), (other, new))| one == other && old.of_event == new.of_event && !old.differs(new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Damage;

    #[test]
    fn a_cause_that_only_the_ledger_knows_is_no_change_of_the_finding() {
        let told = |cause| Told { id: None, cause, facts: FactsHash::of(b"facts"), of_event: false };
        let (lost, removed, damage) = (Some(Cause::Lost), Some(Cause::Removed), Some(Cause::Damage(Damage::Truncated)));
        assert!(!told(removed).differs(&told(lost)) && !told(damage).differs(&told(None)));
        assert!(told(lost).differs(&told(removed)) && told(None).differs(&told(lost)));
        assert!(Told { facts: FactsHash::of(b"others"), ..told(removed) }.differs(&told(lost)));
    }
}

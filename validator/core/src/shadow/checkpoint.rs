//! What the ledger is to write now, and the beginning from what it wrote.
//!
//! Contract: a delta holds everything since the last one that the ledger has; between [`Shadow::delta`] and [`Shadow::saved`]
//! nothing is applied. A shadow that was restored is the one that was saved (I4).

use std::collections::{BTreeMap, BTreeSet};

use super::delta::{
    Change, Damaged, Delta, FileChange, FileRow, FileStanding, FindingChange, FindingPlace, LaneRow, PageRow,
    ResidueRow, RunChange, Saved,
};
use super::file::{FileId, PathHash};
use super::invariants::{Contradiction, check};
use super::lane::Lane;
use super::page::Page;
use super::residue::Residue;
use super::state_codec::{State, draft_bytes};
use super::terms::Terms;
use super::told::{FactsHash, OpenFinding, is_told_once};
use super::verdicts::FindingKey;
use super::{KnownFile, Shadow};
use crate::finding::FindingId;
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
    pub told: BTreeMap<FindingKey, Told>,
    pub runs: BTreeMap<SegmentKey, Run>,
}

/// A whole segment of one verdict.
type Run = (MessageVerdict, Option<Cause>, u64);

/// A finding as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub id: FindingId,
    pub cause: Option<Cause>,
    pub facts: FactsHash,
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
        let (line, last_file, judged_at_ms) = (self.line.clone(), self.last_file, self.judged_at_ms);
        let state = State {
            line,
            last_file,
            judged_at_ms,
            cannot_look: self.cannot_look,
            notes: self.notes.clone(),
            judged_by_ms: (self.terms.settle_ms, self.terms.give_up_ms),
        };
        Delta {
            checkpoint: self.checkpoint + 1,
            judged_at_ms: self.judged_at_ms,
            snapshot: self.line.cursor.as_ref().map(|cursor| cursor.id),
            state: state.to_bytes(),
            lanes: lanes.map(|(lane, body)| LaneRow { lane, tp: body.tp.clone(), body: body.to_bytes() }).collect(),
            pages: pages
                .map(|(key, page)| PageRow { key: *key, unsettled: page.is_unsettled(), body: page.to_bytes() })
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
        let (told, runs) = (self.findings_now(), self.runs());
        self.unsaved = Unsaved { told, runs, ..Unsaved::default() };
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
        let (path, path_hash) = (file.facts.path.clone(), PathHash::of(&file.facts.path));
        FileChange { id: file.id, path, path_hash, standing, facts: file.to_bytes() }
    }

    fn files_new(&self) -> Vec<FileRow> {
        let live = self.live.values().map(|file| (file, FileStanding::Live));
        let waiting = self.waiting.values().map(|file| (file, FileStanding::Waiting));
        let known = live.chain(waiting).map(|(file, standing)| Self::file_change(file, standing));
        let all: BTreeMap<FileId, FileChange> =
            known.chain(self.unsaved.went.values().cloned()).map(|file| (file.id, file)).collect();
        let scanned = self.unsaved.scanned.iter();
        scanned.filter_map(|(id, body)| Some(FileRow { file: all.get(id)?.clone(), body: body.clone() })).collect()
    }

    fn files_changed(&self) -> Vec<FileChange> {
        let is_new = |id: &FileId| self.unsaved.scanned.contains_key(id);
        let came = self.live.values().filter(|file| self.unsaved.came.contains(&file.id) && !is_new(&file.id));
        let came = came.map(|file| Self::file_change(file, FileStanding::Live));
        let went = self.unsaved.went.values().filter(|file| !is_new(&file.id)).cloned();
        came.chain(went).collect()
    }

    /// A file is live no longer, or will not be.
    pub(super) fn note_gone(&mut self, file: &KnownFile, since_ms: i64) {
        let change = Self::file_change(file, FileStanding::Gone { since_ms });
        self.unsaved.went.insert(file.id, change);
    }

    /// Findings of the state. Undecodable messages are told when they come. Of a file that is live no longer a row keeps the
    /// finding that it has, until its segment is read again.
    fn findings_now(&self) -> BTreeMap<FindingKey, Told> {
        let mut now = BTreeMap::new();
        for (key, draft) in self.findings() {
            if draft.verdict == Verdict::Message(MessageVerdict::Undecodable) {
                continue;
            }
            let before = self.unsaved.told.get(&key);
            let Some(id) = self.id_of(&key).or_else(|| before.map(|told| told.id.clone())) else { continue };
            now.insert(key, Told { id, cause: draft.cause, facts: FactsHash::of(&draft_bytes(draft)) });
        }
        now
    }

    fn id_of(&self, (place, verdict): &FindingKey) -> Option<FindingId> {
        let pipeline = &self.terms.pipeline;
        match place {
            FindingPlace::Message { lane, offset } => {
                Some(FindingId::of_message(pipeline, *verdict, &self.lane(*lane)?.tp, *offset))
            }
            FindingPlace::Row { file, position } => {
                let path = &self.live.get(self.names.get(file)?)?.facts.path;
                Some(FindingId::of_row(pipeline, *verdict, path, *position))
            }
            FindingPlace::Table { path } => Some(FindingId::of_table(pipeline, *verdict, None, path)),
        }
    }

    fn finding_changes(&self) -> Vec<FindingChange> {
        let (before, now, at_ms) = (&self.unsaved.told, self.findings_now(), self.judged_at_ms);
        let drafts = self.findings();
        let changed = |key: &FindingKey, told: &Told, change: Change| FindingChange {
            id: told.id.clone(),
            verdict: key.1,
            cause: told.cause,
            place: key.0.clone(),
            change,
            at_ms,
            facts: drafts.get(key).filter(|_| change != Change::Resolved).map(|draft| draft_bytes(draft)).unwrap_or_default(),
        };
        let mut changes = Vec::new();
        for (key, told) in before.iter().filter(|(key, _)| !now.contains_key(*key)) {
            changes.push(changed(key, told, Change::Resolved));
        }
        for (key, told) in &now {
            match before.get(key) {
                None => changes.push(changed(key, told, Change::Opened)),
                Some(old) if old != told => changes.push(changed(key, told, Change::Changed)),
                Some(_) => {}
            }
        }
        changes.extend(self.news.iter().filter_map(|news| {
            let (verdict, cause, place) = (news.verdict, news.cause, news.place.clone());
            let id = self.id_of(&(place.clone(), verdict))?;
            let facts = news.detail.clone().into_bytes();
            Some(FindingChange { id, verdict, cause, place, change: Change::Opened, at_ms, facts })
        }));
        changes
    }

    fn run_changes(&self) -> Vec<RunChange> {
        let (before, now, at_ms) = (&self.unsaved.runs, self.runs(), self.judged_at_ms);
        let changed = |segment: SegmentKey, (verdict, cause, messages): Run, change: Change| RunChange {
            segment,
            verdict: Verdict::Message(verdict),
            cause,
            messages,
            change,
            at_ms,
        };
        let mut changes = Vec::new();
        for (segment, old) in before {
            if now.get(segment).is_none_or(|new| new.0 != old.0) {
                changes.push(changed(*segment, *old, Change::Resolved));
            }
        }
        for (segment, new) in &now {
            match before.get(segment) {
                Some(old) if old == new => {}
                Some(old) if old.0 == new.0 => changes.push(changed(*segment, *new, Change::Changed)),
                _ => changes.push(changed(*segment, *new, Change::Opened)),
            }
        }
        changes
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
        let State { line, last_file, judged_at_ms, cannot_look, notes, judged_by_ms } = State::from_bytes(&saved.state)?;
        (shadow.terms.settle_ms, shadow.terms.give_up_ms) = judged_by_ms;
        shadow.cannot_look = cannot_look;
        (shadow.line, shadow.last_file, shadow.judged_at_ms, shadow.notes) = (line, last_file, judged_at_ms, notes);
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
                FileStanding::Live => {
                    shadow.names.insert(file.id, row.path_hash);
                    shadow.live.insert(row.path_hash, file);
                }
                FileStanding::Waiting => drop(shadow.waiting.insert(row.path_hash, file)),
                FileStanding::Gone { .. } => {}
            }
        }
        for row in saved.residues {
            if let Some(body) = row.body {
                shadow.residues.insert(row.segment, Residue::from_bytes(&body)?);
            }
        }
        shadow.judge();
        let open = saved.findings.into_iter().filter(|finding| !is_told_once(finding.verdict));
        let told = |one: OpenFinding| ((one.place, one.verdict), Told { id: one.id, cause: one.cause, facts: one.facts });
        shadow.unsaved.told = open.map(told).collect();
        shadow.unsaved.runs = shadow.runs();
        check(&shadow)?;
        if shadow.standing().to_bytes() != saved.totals {
            return Err(Contradiction::Totals.into());
        }
        Ok(shadow)
    }
}

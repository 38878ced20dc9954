//! What the shadow asks for: segments to be read again, files to be read again, reasons of holes.
//!
//! Contract: one round at a time. An answer that no longer fits is refused by the shadow and asked for again; nothing that is
//! asked for is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use validator_core::error_chain::error_chain;
use validator_core::hole::Hole;
use validator_core::position::{FileIndex, PartitionIndex};
use validator_core::shadow::action::{Action, DrillAsk};
use validator_core::shadow::event::{CannotLook, Event};
use validator_core::shadow::file::{FileFacts, FileId};
use validator_core::shadow::runs::{Offsets, Runs};
use validator_core::shadow::terms::TimedBy;
use validator_engine::live::error::LookError;
use validator_engine::live::lanes::Lanes;
use validator_engine::live::redrill::Redrilled;
use validator_engine::live::scan::FileScan;
use validator_ledger::Evidence;
use validator_table::{FaultKind, FileFault};
use validator_tap::TapError;

use super::actor::Actor;
use super::doubts::Doubts;
use super::jobs::{Done, blocking};
use super::keeping::damaged;
use super::limits::{DRILL_MESSAGES, DRILL_SEGMENTS};
use super::telling::Told;
use crate::failure::Failure;

/// The rounds of questions.
#[derive(Default)]
pub struct Asking {
    /// One is under way.
    is_busy: bool,
    /// The state changed in a way that may ask for something.
    is_due: bool,
    /// Values of findings that no checkpoint has yet.
    evidence: Vec<Evidence>,
    /// Files that are not what they were.
    pub(super) doubts: Doubts,
}

/// What a round answers.
pub enum Answer {
    /// Segments.
    Drilled(Result<Redrilled, LookError>),
    /// Files.
    Scanned(Result<Vec<FileScan>, LookError>),
    /// Values of findings.
    Told(Told),
    /// Holes.
    Explained(Result<Vec<(PartitionIndex, Hole)>, TapError>),
}

impl Asking {
    /// The state changed.
    pub fn due(&mut self) {
        self.is_due = true;
    }

    /// A round begins.
    pub(super) fn begin(&mut self) {
        self.is_busy = true;
    }

    /// Values for the next checkpoint.
    pub(super) fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// The ledger has them.
    pub(super) fn saved(&mut self) {
        self.evidence.clear();
    }

    /// Whether nothing is under way or about to be asked.
    pub fn is_resting(&self) -> bool {
        !self.is_busy && !self.is_due
    }
}

impl Actor {
    /// Where rows are held against the positions, with what says when they should have come.
    pub(super) fn lanes_to_scan(&self) -> Lanes {
        let lanes = Lanes::of(&self.shadow);
        let by_messages = self.shadow.terms().timed == TimedBy::Messages;
        if by_messages { lanes.with_times(&self.shadow) } else { lanes }
    }

    /// Begins the next round of what is asked for.
    pub(super) async fn ask(&mut self) -> Result<(), Failure> {
        if !self.asking.is_due || self.asking.is_busy || !self.live.is_at_line {
            return Ok(());
        }
        self.asking.is_due = false;
        self.asking.doubts.settle(&self.shadow);
        let pinned = &self.live.run.pinned;
        let mut again: Vec<FileIndex> = self.asking.doubts.due().filter_map(|path| pinned.index_of(path)).collect();
        let mut drills: Vec<DrillAsk> = Vec::new();
        for action in self.shadow.actions() {
            match action {
                Action::Explain(runs) if again.is_empty() => return self.explain(runs),
                Action::Rescan { path, .. } if !self.asking.doubts.awaits_look(&path) => {
                    again.extend(self.live.run.pinned.index_of(&path));
                }
                Action::Drill(ask) if !self.asking.doubts.holds(&ask.files) => drills.push(ask),
                Action::Explain(_) | Action::Rescan { .. } | Action::Drill(_) => {}
            }
        }
        if !again.is_empty() {
            self.rescan(&again);
            return Ok(());
        }
        let asks = first_round(drills);
        if !asks.is_empty() {
            return self.drill(asks).await;
        }
        // Values are read of what the ledger has: what changed since is in the next checkpoint.
        if self.unsaved_since.is_some() {
            self.is_urgent = true;
            self.asking.is_due = true;
        } else {
            self.tell().await?;
        }
        Ok(())
    }

    fn explain(&mut self, runs: Vec<(PartitionIndex, i64, i64)>) -> Result<(), Failure> {
        let tap = Arc::clone(&self.live.run.messages.tap);
        let gaps: Vec<_> = runs.into_iter().map(|(lane, from, to)| (lane, from..to)).collect();
        self.asking.is_busy = true;
        self.jobs.begin(async move { Done::Asked(Answer::Explained(blocking(move || tap.explain(&gaps)).await)) });
        Ok(())
    }

    /// As many of these files as one pass reads.
    fn rescan(&mut self, files: &[FileIndex]) {
        let (run, lanes) = (self.live.run.clone(), self.lanes_to_scan());
        let portion = run.scan_portions(files).into_iter().next().unwrap_or_default();
        self.asking.is_busy = true;
        self.jobs.begin(async move { Done::Asked(Answer::Scanned(run.scan_files(&lanes, &portion).await)) });
    }

    async fn drill(&mut self, asks: Vec<DrillAsk>) -> Result<(), Failure> {
        let wanted: BTreeSet<FileId> = asks.iter().flat_map(|ask| ask.files.iter().chain(&ask.gone)).copied().collect();
        let Some(files) = self.facts(&wanted).await? else {
            // They went before a checkpoint told of them: the next one does.
            self.is_urgent = true;
            self.asking.is_due = true;
            return Ok(());
        };
        tracing::info!(pipeline = self.name, segments = asks.len(), files = files.len(), "drilling");
        let (run, lanes, cache) = (self.live.run.clone(), Lanes::of(&self.shadow), Arc::clone(&self.live.cache));
        self.asking.is_busy = true;
        self.jobs.begin(async move { Done::Asked(Answer::Drilled(run.redrill(&lanes, &files, &cache, &asks).await)) });
        Ok(())
    }

    /// What the manifests said of files, live or gone; none: the book does not have one of them yet.
    async fn facts(&mut self, files: &BTreeSet<FileId>) -> Result<Option<BTreeMap<FileId, FileFacts>>, Failure> {
        let mut facts = BTreeMap::new();
        let mut gone = Vec::new();
        for file in files {
            match self.shadow.file(*file) {
                Some(live) => drop(facts.insert(*file, live.clone())),
                None => gone.push(*file),
            }
        }
        for (file, row) in self.book.files(&gone).await? {
            let Some(row) = row else { return Ok(None) };
            facts.insert(file, row.file_facts().map_err(damaged)?);
        }
        Ok(Some(facts))
    }

    /// A round has ended.
    pub(super) async fn answered(&mut self, answer: Answer) -> Result<(), Failure> {
        self.asking.is_busy = false;
        match answer {
            Answer::Drilled(Ok(found)) => self.drilled(found).await,
            Answer::Scanned(Ok(scans)) => self.scanned_again(scans).await,
            Answer::Explained(Ok(holes)) => {
                self.asking.due();
                self.must(Event::Explained(holes)).await
            }
            Answer::Told(Ok(evidence)) => {
                self.asking.evidence.extend(evidence);
                self.asking.due();
                self.unsaved_since.get_or_insert_with(Instant::now);
                self.is_urgent = true;
                Ok(())
            }
            Answer::Told(Err(error)) | Answer::Drilled(Err(error)) | Answer::Scanned(Err(error)) => {
                self.cannot_read("what is asked for", error).await
            }
            Answer::Explained(Err(error)) => {
                self.warn(&format!("holes cannot be explained: {}", error_chain(&error)));
                self.cannot_look(CannotLook::Broker).await
            }
        }
    }

    /// Messages or rows could not be read: either they cannot be asked for now, or it is a fault of our own.
    pub(super) async fn cannot_read(&mut self, what: &str, error: LookError) -> Result<(), Failure> {
        let Some(missing) = error.cannot_look() else { return Err(Failure::Following(error_chain(&error))) };
        self.warn(&format!("{what} cannot be read: {}", error_chain(&error)));
        self.cannot_look(missing).await
    }

    /// Live files were read again. That an object is missing is believed once a look has shown that its file is still live.
    async fn scanned_again(&mut self, scans: Vec<FileScan>) -> Result<(), Failure> {
        for scan in scans {
            let path = scan.scanned.facts.path.clone();
            if scan.is_gone && !self.asking.doubts.is_lost(&path) {
                tracing::info!(pipeline = self.name, path, "a file is not there, and the table is looked at again");
                self.asking.doubts.miss(&path);
                continue;
            }
            self.asking.doubts.read_again(&path);
            self.take_scan(scan).await?;
        }
        self.idle.moved();
        self.look_now();
        Ok(())
    }

    /// Live files have become worse since they were scanned: they are read again, where they are still live.
    fn doubt(&mut self, faults: &[(FileId, FileFault)]) {
        for (file, fault) in faults {
            let Some(facts) = self.shadow.file(*file) else { continue };
            if !self.asking.doubts.doubt(*file, &facts.path, fault) {
                continue;
            }
            tracing::warn!(pipeline = self.name, path = facts.path, "a file is not what it was: {}", fault.detail);
            if fault.kind == FaultKind::Missing && !self.asking.doubts.is_lost(&facts.path) {
                self.asking.doubts.miss(&facts.path);
                self.next_look = Instant::now();
            }
            self.idle.moved();
            self.asking.due();
        }
    }

    async fn drilled(&mut self, found: Redrilled) -> Result<(), Failure> {
        self.doubt(&found.faults);
        for drilled in found.answers {
            let segment = drilled.segment;
            if self.asking.doubts.holds(drilled.files.keys()) {
                // It lacks rows, and is asked again once the file was read again.
                self.asking.due();
                continue;
            }
            match self.apply(Event::Drilled(drilled)).await? {
                Ok(()) => self.asking.due(),
                Err(refused) => {
                    tracing::debug!(pipeline = self.name, %segment, "an answer came too late: {refused}");
                }
            }
        }
        self.is_urgent |= self.unsaved_since.is_some();
        Ok(())
    }
}

/// As many of them as one round may read, at least one.
fn first_round(mut drills: Vec<DrillAsk>) -> Vec<DrillAsk> {
    let (mut offsets, mut entries) = (Offsets::default(), 0);
    let mut fits = |ask: &DrillAsk| {
        // Shards of one window lie between the same offsets, which are read once; what is held is of each.
        let before = offsets.len();
        ask.messages.iter().for_each(|(of, range)| offsets.add(*of, &Runs::from_iter([(range.start, range.end)])));
        entries += ask.entries;
        entries <= DRILL_MESSAGES && (offsets.len() <= DRILL_MESSAGES || before == 0 || offsets.len() == before)
    };
    let many = drills.iter().take_while(|ask| fits(ask)).count();
    drills.truncate(many.clamp(1, DRILL_SEGMENTS));
    drills
}

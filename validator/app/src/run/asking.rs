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
use validator_engine::live::error::LookError;
use validator_engine::live::lanes::Lanes;
use validator_engine::live::redrill::Redrilled;
use validator_engine::live::scan::FileScan;
use validator_ledger::Evidence;
use validator_tap::TapError;

use super::actor::Actor;
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
    /// Begins the next round of what is asked for.
    pub(super) async fn ask(&mut self) -> Result<(), Failure> {
        if !self.asking.is_due || self.asking.is_busy || !self.live.is_at_line {
            return Ok(());
        }
        self.asking.is_due = false;
        let mut drills: Vec<DrillAsk> = Vec::new();
        for action in self.shadow.actions() {
            match action {
                Action::Explain(runs) => return self.explain(runs),
                Action::Rescan { path, .. } => {
                    if let Some(file) = self.live.run.pinned.index_of(&path) {
                        return self.rescan(file);
                    }
                }
                Action::Drill(ask) => drills.push(ask),
                Action::Time { .. } => {}
            }
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

    fn rescan(&mut self, file: FileIndex) -> Result<(), Failure> {
        let (run, lanes) = (self.live.run.clone(), Lanes::of(&self.shadow));
        self.asking.is_busy = true;
        self.jobs.begin(async move { Done::Asked(Answer::Scanned(run.scan_files(&lanes, &[file]).await)) });
        Ok(())
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
            Answer::Scanned(Ok(scans)) => {
                for scan in scans {
                    self.take_scan(scan).await?;
                }
                self.look_now();
                Ok(())
            }
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
                tracing::warn!(pipeline = self.name, "holes cannot be explained: {}", error_chain(&error));
                self.cannot_look(CannotLook::Broker).await
            }
        }
    }

    /// Messages or rows could not be read: either they cannot be asked for now, or it is a fault of our own.
    pub(super) async fn cannot_read(&mut self, what: &str, error: LookError) -> Result<(), Failure> {
        let Some(missing) = error.cannot_look() else { return Err(Failure::Following(error_chain(&error))) };
        tracing::warn!(pipeline = self.name, "{what} cannot be read: {}", error_chain(&error));
        self.cannot_look(missing).await
    }

    async fn drilled(&mut self, found: Redrilled) -> Result<(), Failure> {
        for drilled in found.answers {
            let segment = drilled.segment;
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
    let mut messages = 0;
    let mut fits = |ask: &DrillAsk| {
        messages += ask.messages.end - ask.messages.start;
        messages <= DRILL_MESSAGES
    };
    let many = drills.iter().take_while(|ask| fits(ask)).count();
    drills.truncate(many.clamp(1, DRILL_SEGMENTS));
    drills
}

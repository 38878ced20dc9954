//! Pages from the book, and checkpoints into it.

use std::time::{Duration, Instant};

use validator_core::position::PartitionIndex;
use validator_core::shadow::delta::Delta;
use validator_core::shadow::event::Event;
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::page::Page;
use validator_core::shadow::standing::Standing;
use validator_ledger::{Evidence, LedgerError, OpenCounts, Posting};

use super::actor::Actor;
use super::alerting::findings;
use super::limits::{
    CHECKPOINT_EVERY_MAX, CHECKPOINT_EVERY_MIN, CHECKPOINT_REST, CHECKPOINT_REST_MAX, DECISIONS_EVERY, PRUNE_EVERY,
    RETRY_FIRST, RETRY_MOST,
};
use super::status::{CheckpointStatus, Status};
use crate::failure::Failure;

impl Actor {
    /// Gives the shadow the pages that an event needs.
    pub(super) async fn admit(&mut self, event: &Event) -> Result<(), Failure> {
        loop {
            let keys = self.shadow.pages_of(event);
            if keys.is_empty() {
                return Ok(());
            }
            let mut pages = Vec::with_capacity(keys.len());
            for (key, row) in self.book.pages(&keys).await? {
                let page = row.map(|row| Page::from_bytes(&row.body)).transpose().map_err(damaged)?;
                pages.push((key, page));
            }
            self.shadow.admit(pages);
        }
    }

    /// The bags of files that were scanned once.
    pub(super) async fn bodies(&mut self, files: &[FileId]) -> Result<Vec<FileBags>, Failure> {
        let kept: Vec<FileId> = files.iter().copied().filter(|file| !self.fresh.contains_key(file)).collect();
        let mut kept = self.book.file_bags(&kept).await?.into_iter();
        let mut bodies = Vec::with_capacity(files.len());
        for file in files {
            bodies.push(match self.fresh.get(file) {
                Some(bags) => bags.clone(),
                None => {
                    let body = kept.next().and_then(|(_, body)| body);
                    let body = body.ok_or_else(|| damaged(format!("the bags of file {} are not there", file.0)))?;
                    FileBags::from_bytes(&body).map_err(damaged)?
                }
            });
        }
        Ok(bodies)
    }

    pub(super) fn wants_checkpoint(&self) -> bool {
        self.checkpoint_at().is_some_and(|at| at <= Instant::now())
    }

    /// When the next checkpoint is due; none: there is nothing to write.
    pub(super) fn checkpoint_at(&self) -> Option<Instant> {
        self.unsaved_since.map(|since| match self.is_urgent {
            true => self.saved_at + CHECKPOINT_EVERY_MIN,
            false => since + self.rests(),
        })
    }

    /// How long what nobody waits for may stay unwritten: a checkpoint that takes long takes its share of the time.
    fn rests(&self) -> Duration {
        (self.took * CHECKPOINT_REST).clamp(CHECKPOINT_EVERY_MAX, CHECKPOINT_REST_MAX)
    }

    /// Writes everything since the last checkpoint. Where the ledger cannot for a while it waits: the queue fills, the tap
    /// stops, and nothing is lost.
    pub(super) async fn checkpoint(&mut self) -> Result<(), Failure> {
        if self.unsaved_since.is_none() {
            return Ok(());
        }
        let began = Instant::now();
        let table = self.notes.table.changes(&self.name, &self.live.run.pinned, &self.shadow);
        self.notes.table = self.notes.table.with(&table);
        self.shadow.set_notes(self.notes.to_text());
        let mut delta = self.shadow.delta();
        delta.findings.extend(table.changes);
        let mut evidence = self.asking.evidence().to_vec();
        evidence.extend(table.evidence);
        let standing = self.shadow.standing();
        let mut status = self.status(&standing)?;
        let below = self.fleet.as_ref().map(|judging| judging.below(&self.shadow)).unwrap_or_default();
        let mut pause = RETRY_FIRST;
        let at_ms = loop {
            match self.write((&delta, &evidence, &below), &standing, &mut status).await {
                Ok(at_ms) => break at_ms,
                Err(error) if error.may_pass() && !self.stop.is_cancelled() => {
                    tracing::error!(
                        pipeline = self.name,
                        "the ledger takes no checkpoint, and nothing is judged: {error}"
                    );
                    self.publisher.cannot_keep(&error.to_string());
                    let stop = self.stop.clone();
                    let _ = tokio::time::timeout(pause, stop.cancelled()).await;
                    pause = (pause * 2).min(RETRY_MOST);
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.shadow.saved(delta.checkpoint);
        self.asking.saved();
        if let Some(judging) = &mut self.fleet {
            judging.saved(&below);
        }
        self.alerting.saved(at_ms);
        self.fresh.clear();
        (self.saved_at, self.unsaved_since, self.is_urgent) = (Instant::now(), None, false);
        self.took = began.elapsed();
        let took_ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        status.checkpoint = Some(CheckpointStatus { number: delta.checkpoint, at_ms: self.outside.now_ms(), took_ms });
        self.say(status);
        tracing::info!(
            pipeline = self.name,
            checkpoint = delta.checkpoint,
            pages = delta.pages.len(),
            files = delta.files_new.len(),
            findings = delta.findings.len(),
            ms = took_ms,
            "checkpoint"
        );
        self.post().await
    }
}

impl Actor {
    /// One try of a checkpoint, with what people decided since; when it was.
    async fn write(
        &mut self,
        (delta, evidence, parcels): (&Delta, &[Evidence], &[(PartitionIndex, i64)]),
        standing: &Standing,
        status: &mut Status,
    ) -> Result<i64, LedgerError> {
        let (taken, marks) = self.book.inbox().await?;
        let at_ms = self.outside.now_ms();
        // All of the unsettled is gone through for it.
        let keep = (at_ms >= self.next_prune_ms).then_some(self.keep);
        let posting = Posting { evidence, marks: &marks, taken: &taken, parcels, keep, ..Posting::of(delta, at_ms) };
        let alerting = &mut self.alerting;
        let mut tell = |open: &OpenCounts| {
            status.findings = findings(&open.all, standing);
            status.ignored.clone_from(&open.ignored);
            alerting.told(status, at_ms)
        };
        self.book.checkpoint_telling(&posting, &mut tell).await?;
        if keep.is_some() {
            self.next_prune_ms = at_ms.saturating_add(PRUNE_EVERY.as_millis() as i64);
        }
        Ok(at_ms)
    }

    /// Looks whether people have decided something: then there is something to write.
    pub(super) async fn look_for_decisions(&mut self) {
        if self.unsaved_since.is_some() || Instant::now() < self.next_decisions {
            return;
        }
        self.next_decisions = Instant::now() + DECISIONS_EVERY;
        // What cannot be asked now waits.
        if self.book.inbox().await.is_ok_and(|(taken, _)| !taken.is_empty()) {
            self.unsaved_since = Some(Instant::now());
            self.is_urgent = true;
        }
    }
}

/// The ledger holds what nobody wrote.
pub(super) fn damaged(what: impl ToString) -> Failure {
    LedgerError::Damaged { what: what.to_string() }.into()
}

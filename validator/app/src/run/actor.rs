//! One pipeline of a continuous run: it owns the shadow and the book, and everything that happens to them happens here.
//!
//! ```text
//! tap thread ─▶ batches ─┐                        ┌─▶ look: ask, wait for the barrier, pin, scan (looking.rs)
//!                        ├─▶ actor ─▶ checkpoint ─┤
//! jobs ───────▶ done ────┘                        └─▶ drills, holes, evidence (asking.rs)
//! ```
//!
//! Contract: one task, so events have one order; long work is done by jobs, one of each kind at a time, whose answers are
//! events. A restart loses nothing but time: all that is asked for follows from the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use validator_core::error_chain::error_chain;
use validator_core::shadow::Shadow;
use validator_core::shadow::event::{CannotLook, Consumed, Event, Refused};
use validator_core::shadow::file::{FileBags, FileId};
use validator_engine::follow::Following;
use validator_ledger::{Book, Keep, LedgerError};
use validator_tap::TapError;

use super::alerting::Alerting;
use super::alerts::Outcome;
use super::asking::Asking;
use super::fleet::Judging;
use super::idle::Idle;
use super::jobs::{Done, Jobs};
use super::limits::{CHECKPOINT_EVERY_MAX, FLUSH_MOST, KEPT};
use super::logs;
use super::looking::Looking;
use super::notes::Notes;
use super::opening::{Live, Opened};
use super::outages::Outages;
use super::outside::Outside;
use super::publishing::{Publisher, Watching, word};
use super::reading::{Read, Reader};
use super::stalls::Stalls;
use crate::config::Pipeline;
use crate::failure::Failure;

/// See the module.
pub struct Actor {
    pub(super) pipeline: Pipeline,
    /// The pipeline's.
    pub(super) name: String,
    pub(super) poll: Duration,
    pub(super) live: Live,
    pub(super) book: Book,
    pub(super) shadow: Shadow,
    /// Bodies of files that were scanned since the last checkpoint.
    pub(super) fresh: BTreeMap<FileId, FileBags>,
    pub(super) notes: Notes,
    pub(super) looking: Looking,
    pub(super) next_look: Instant,
    pub(super) asking: Asking,
    pub(super) jobs: Jobs,
    pub(super) saved_at: Instant,
    /// What the last checkpoint took.
    pub(super) took: Duration,
    /// Since when there is something to write.
    pub(super) unsaved_since: Option<Instant>,
    /// A checkpoint is wanted as soon as one may be written.
    pub(super) is_urgent: bool,
    pub(super) idle: Idle,
    pub(super) outside: Outside,
    pub(super) publisher: Publisher,
    pub(super) alerting: Alerting,
    pub(super) watching: Watching,
    outages: Outages,
    pub(super) stalls: Stalls,
    /// It reads ahead as far as it can.
    pub(super) is_hasty: bool,
    pub(super) stop: CancellationToken,
    /// Why it is to be opened anew.
    pub(super) reopen: Option<&'static str>,
    pub(super) next_decisions: Instant,
    /// What of its history the ledger keeps.
    pub(super) keep: Keep,
    /// When what is over is to leave the ledger next, milliseconds since the epoch.
    pub(super) next_prune_ms: i64,
    /// The seat, where this is one of several processes: what it consumes others read.
    pub(super) fleet: Option<Judging>,
}

/// Why an actor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was told to.
    Stopped,
    /// Nothing was left to do for as long as was asked.
    Idle,
    /// It is to be opened anew, for this reason.
    Reopen(&'static str),
}

enum Heard {
    Stop,
    Done(Box<Done>),
    Read(Option<Read>),
    Posted(Outcome),
    AskedToLook,
    Time,
}

impl Actor {
    /// Of an opened pipeline.
    pub fn new(
        pipeline: &Pipeline,
        poll: Duration,
        opened: Opened,
        idle: Idle,
        (outside, stop): (Outside, CancellationToken),
        publisher: Publisher,
    ) -> Self {
        let Opened { live, book, shadow, notes, alerting } = opened;
        let now = Instant::now();
        Self {
            name: pipeline.contract.name.clone(),
            pipeline: pipeline.clone(),
            poll,
            live,
            book,
            shadow,
            fresh: BTreeMap::new(),
            notes,
            looking: Looking::default(),
            next_look: now,
            asking: Asking::default(),
            jobs: Jobs::default(),
            saved_at: now,
            took: Duration::ZERO,
            unsaved_since: None,
            is_urgent: true,
            idle,
            outside,
            publisher,
            alerting,
            watching: Watching::default(),
            outages: Outages::default(),
            stalls: Stalls::default(),
            is_hasty: false,
            stop,
            reopen: None,
            next_decisions: now,
            keep: KEPT,
            next_prune_ms: i64::MIN,
            fleet: None,
        }
    }

    /// Runs until it is told to stop, or nothing is left to do where that was asked for.
    ///
    /// # Errors
    /// The ledger does not take a checkpoint, or is not what it was.
    pub async fn run(mut self) -> Result<End, Failure> {
        self.publish()?;
        let mut reader = self.reader().await?;
        loop {
            let at = self.wakes_at();
            let stop = self.stop.clone();
            let heard = tokio::select! {
                biased;
                () = stop.cancelled() => Heard::Stop,
                done = self.jobs.next() => Heard::Done(Box::new(done?)),
                outcome = self.alerting.outcome() => Heard::Posted(outcome),
                () = self.publisher.asked_to_look() => Heard::AskedToLook,
                read = reader.read.recv() => Heard::Read(read),
                () = sleep_until(at.into()) => Heard::Time,
            };
            self.watching.batches_queued = reader.read.len();
            if matches!(heard, Heard::Stop) {
                drop(reader);
                return self.end(End::Stopped).await;
            }
            let (publisher, name) = (self.publisher.clone(), self.name.clone());
            let has_hung = publisher.patiently(&name, self.step(heard)).await?;
            // What may pass is swallowed by who asked: whether the ledger is there again it says itself.
            if has_hung && self.book.inbox().await.is_ok() {
                self.publish()?;
            }
            reader = self.hastened(reader).await?;
            if let Some(why) = self.reopen {
                return self.end(End::Reopen(why)).await;
            }
            if self.is_idle() {
                return self.end(End::Idle).await;
            }
        }
    }

    /// What is to be done once something was heard. What it waits for is the ledger; it computes besides.
    async fn step(&mut self, heard: Heard) -> Result<(), Failure> {
        match heard {
            Heard::Done(done) => self.done(*done).await?,
            Heard::Read(Some(read)) => self.read(read).await?,
            Heard::Read(None) => return Err(ended(None)),
            Heard::Posted(outcome) => self.posted(outcome).await?,
            Heard::AskedToLook => self.look_now(),
            Heard::Stop | Heard::Time => {}
        }
        self.alert().await?;
        self.look().await?;
        self.watch_readers().await?;
        self.look_for_decisions().await;
        if self.wants_checkpoint() {
            self.checkpoint().await?;
        }
        self.ask().await
    }

    /// The messages, from where the shadow is.
    pub(super) async fn reader(&mut self) -> Result<Reader, Failure> {
        if let Some(judging) = &self.fleet {
            // Members read the partitions that the ledger has.
            self.unsaved_since.get_or_insert_with(Instant::now);
            return judging.reader(&self.shadow).await;
        }
        let from = (0..).map(validator_core::position::PartitionIndex).zip(self.shadow.lanes());
        let from = from.map(|(lane, state)| (lane, state.position)).collect();
        Reader::start(&self.name, &self.live.run, from).map_err(Failure::Runtime)
    }

    fn wakes_at(&self) -> Instant {
        let look = self.looking.is_resting().then_some(self.next_look);
        let idle = self.idle.ends_at();
        let alerts = self.alerting.wakes_at();
        [self.checkpoint_at(), look, idle, alerts, self.watches_at()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + CHECKPOINT_EVERY_MAX)
    }

    /// With a checkpoint, and with what is to be told of it on its way.
    async fn end(mut self, end: End) -> Result<End, Failure> {
        self.checkpoint().await?;
        let outside = self.outside.clone();
        let flushed = self.alerting.flush(&mut self.book, FLUSH_MOST, || outside.now_ms()).await;
        self.unless_it_may_pass(flushed)?;
        Ok(end)
    }

    /// Evaluates alerts where the clock wants it, and sends what is due.
    async fn alert(&mut self) -> Result<(), Failure> {
        if !self.alerting.is_due() {
            return Ok(());
        }
        let status = self.publisher.status();
        if self.alerting.tick(&status, self.outside.now_ms()) {
            self.unsaved_since.get_or_insert_with(Instant::now);
            self.is_urgent = true;
        }
        self.post().await
    }

    /// Hands messages of the outbox to their channels.
    pub(super) async fn post(&mut self) -> Result<(), Failure> {
        let posted = self.alerting.post(&mut self.book, self.outside.now_ms()).await;
        self.unless_it_may_pass(posted)
    }

    async fn posted(&mut self, outcome: Outcome) -> Result<(), Failure> {
        let kept = self.alerting.keep(outcome, &mut self.book, self.outside.now_ms()).await;
        self.unless_it_may_pass(kept)
    }

    /// What the ledger cannot for a while is tried again by the next tick; a message may be sent twice then.
    fn unless_it_may_pass(&self, done: Result<(), LedgerError>) -> Result<(), Failure> {
        match done {
            Err(error) if error.may_pass() => {
                tracing::warn!(pipeline = self.name, "the outbox cannot be asked: {}", error_chain(&error));
                Ok(())
            }
            done => Ok(done?),
        }
    }

    async fn done(&mut self, done: Done) -> Result<(), Failure> {
        match done {
            Done::Look(answer) => self.looked_up(answer).await,
            Done::Asked(answer) => self.answered(answer).await,
        }
    }

    async fn read(&mut self, read: Read) -> Result<(), Failure> {
        match read {
            Read::Ended(why) => {
                self.cannot_look(CannotLook::Broker).await?;
                self.checkpoint().await?;
                Err(ended(why))
            }
            Read::Following(following) => self.followed(following).await,
            Read::Posted(posted) => {
                self.notes.merge(&posted.beside.notes);
                self.consumed(Consumed { lanes: vec![posted.part] }, posted.beside.bytes).await
            }
        }
    }

    async fn followed(&mut self, following: Following) -> Result<(), Failure> {
        match following {
            Following::Batch(batch) => {
                self.notes.add(&batch.notes);
                self.consumed(batch.consumed, batch.bytes).await
            }
            Following::Quiet => Ok(()),
            Following::Trimmed { partition, log_start } => {
                self.watching.log_start(self.outside.now_ms(), partition, log_start);
                self.must(Event::Trimmed { partition, log_start }).await
            }
            Following::OutOfRange { partition, asked, log_start, high_watermark, refused } => {
                self.watching.log_start(self.outside.now_ms(), partition, log_start);
                let tp = self.shadow.lanes()[partition.0 as usize].tp.clone();
                if asked < log_start {
                    logs::say_overtaken(&self.name, &tp, asked..log_start);
                    return Ok(());
                }
                if refused {
                    self.notes.cuts.insert(tp.to_string(), asked);
                }
                self.end_away(Arc::new(logs::not_that_log(tp, asked, high_watermark))).await
            }
            Following::Lost { text, .. } => {
                self.warn(&format!("no broker answers: {text}"));
                self.cannot_look(CannotLook::Broker).await
            }
            Following::Stopped { partition, why } => {
                tracing::error!(pipeline = self.name, lane = partition.0, "a partition is followed no further: {why}");
                self.end_away(why).await
            }
        }
    }

    async fn consumed(&mut self, consumed: Consumed, bytes: u64) -> Result<(), Failure> {
        if !consumed.lanes.is_empty() {
            self.idle.moved();
        }
        self.watching.consumed(&self.publisher, &consumed.lanes, bytes);
        self.must(Event::Consumed(consumed)).await
    }

    /// Nothing more can be judged until what it follows is there again: it is opened anew, in a while.
    async fn end_away(&mut self, why: Arc<TapError>) -> Result<(), Failure> {
        self.cannot_look(CannotLook::Broker).await?;
        self.checkpoint().await?;
        Err(Failure::Away(why))
    }

    /// Applies an event with the pages that it needs.
    pub(super) async fn apply(&mut self, event: Event) -> Result<Result<(), Refused>, Failure> {
        self.admit(&event).await?;
        let applied = self.shadow.apply(event);
        if applied.is_ok() {
            self.unsaved_since.get_or_insert_with(Instant::now);
        }
        Ok(applied)
    }

    /// Applies an event that nothing can stand against.
    pub(super) async fn must(&mut self, event: Event) -> Result<(), Failure> {
        self.apply(event).await?.map_err(|refused| contradiction(&refused))
    }

    /// Says what cannot be asked.
    pub(super) fn warn(&mut self, text: &str) {
        self.outages.say(&self.name, text);
    }

    /// The catalog, the store or a broker could not be asked.
    pub(super) async fn cannot_look(&mut self, what: CannotLook) -> Result<(), Failure> {
        self.must(Event::NotLooked { at_ms: self.outside.now_ms(), what }).await?;
        self.publisher.change(|status| *status.looks_failed.entry(word(what)).or_default() += 1);
        self.publish()
    }
}

/// What the shadow refuses of what it cannot refuse: a fault of our own, after which the book is opened anew.
pub(super) fn contradiction(refused: &Refused) -> Failure {
    contradiction_of(refused)
}

/// A law of the state that does not hold.
pub(super) fn contradiction_of(law: &impl std::fmt::Display) -> Failure {
    Failure::Following(law.to_string())
}

fn ended(why: Option<validator_engine::message_reader::ReadError>) -> Failure {
    match why {
        Some(error) => Failure::Run(error.into()),
        None => Failure::Following("the topics are followed no further".to_owned()),
    }
}

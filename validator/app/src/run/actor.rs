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
use validator_core::shadow::Shadow;
use validator_core::shadow::event::{CannotLook, Event, Refused};
use validator_core::shadow::file::{FileBags, FileId};
use validator_engine::follow::Following;
use validator_ledger::Book;

use super::asking::Asking;
use super::idle::Idle;
use super::jobs::{Done, Jobs, blocking};
use super::limits::{CHECKPOINT_EVERY_MAX, CHECKPOINT_EVERY_MIN, GROWN_EVERY};
use super::looking::Looking;
use super::notes::Notes;
use super::opening::{Live, Opened};
use super::outside::Outside;
use super::publishing::Publisher;
use super::reading::{Read, Reader};
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
    /// Since when there is something to write.
    pub(super) unsaved_since: Option<Instant>,
    /// A checkpoint is wanted as soon as one may be written.
    pub(super) is_urgent: bool,
    pub(super) idle: Idle,
    pub(super) outside: Outside,
    pub(super) publisher: Publisher,
    pub(super) stop: CancellationToken,
    /// Why it is to be opened anew.
    pub(super) reopen: Option<&'static str>,
    next_grown: Instant,
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
        let Opened { live, book, shadow, notes } = opened;
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
            unsaved_since: None,
            is_urgent: true,
            idle,
            outside,
            publisher,
            stop,
            reopen: None,
            next_grown: now + GROWN_EVERY,
        }
    }

    /// Runs until it is told to stop, or nothing is left to do where that was asked for.
    ///
    /// # Errors
    /// The ledger does not take a checkpoint, or is not what it was.
    pub async fn run(mut self) -> Result<End, Failure> {
        let from = (0..).map(validator_core::position::PartitionIndex).zip(self.shadow.lanes());
        let from = from.map(|(lane, state)| (lane, state.position)).collect();
        let mut reader = Reader::start(&self.name, &self.live.run, from).map_err(Failure::Runtime)?;
        loop {
            let at = self.wakes_at();
            let stop = self.stop.clone();
            let heard = tokio::select! {
                biased;
                () = stop.cancelled() => Heard::Stop,
                done = self.jobs.next() => Heard::Done(Box::new(done?)),
                read = reader.read.recv() => Heard::Read(read),
                () = sleep_until(at.into()) => Heard::Time,
            };
            match heard {
                Heard::Stop => {
                    drop(reader);
                    self.checkpoint().await?;
                    return Ok(End::Stopped);
                }
                Heard::Done(done) => self.done(*done).await?,
                Heard::Read(Some(read)) => self.read(read).await?,
                Heard::Read(None) => return Err(ended(None)),
                Heard::Time => {}
            }
            self.look().await?;
            if self.wants_checkpoint() {
                self.checkpoint().await?;
            }
            self.ask().await?;
            self.look_for_partitions();
            if let Some(why) = self.reopen {
                self.checkpoint().await?;
                return Ok(End::Reopen(why));
            }
            if self.is_idle() {
                self.checkpoint().await?;
                return Ok(End::Idle);
            }
        }
    }

    fn wakes_at(&self) -> Instant {
        let checkpoint = self.unsaved_since.map(|since| match self.is_urgent {
            true => self.saved_at + CHECKPOINT_EVERY_MIN,
            false => since + CHECKPOINT_EVERY_MAX,
        });
        let look = self.looking.is_resting().then_some(self.next_look);
        let idle = self.idle.ends_at();
        [checkpoint, look, idle].into_iter().flatten().min().unwrap_or_else(|| Instant::now() + CHECKPOINT_EVERY_MAX)
    }

    async fn done(&mut self, done: Done) -> Result<(), Failure> {
        match done {
            Done::Look(answer) => self.looked_up(answer).await,
            Done::Asked(answer) => self.answered(answer).await,
            Done::Grown(Ok(new)) => {
                if !new.is_empty() {
                    self.reopen = Some("there are new partitions");
                }
                Ok(())
            }
            Done::Grown(Err(error)) => {
                tracing::debug!(pipeline = self.name, "partitions cannot be asked for: {error}");
                Ok(())
            }
        }
    }

    async fn read(&mut self, read: Read) -> Result<(), Failure> {
        match read {
            Read::Ended(why) => Err(ended(why)),
            Read::Following(following) => self.followed(following).await,
        }
    }

    async fn followed(&mut self, following: Following) -> Result<(), Failure> {
        match following {
            Following::Batch(batch) => {
                self.notes.add(&batch.notes);
                if !batch.consumed.lanes.is_empty() {
                    self.idle.moved();
                }
                let applied = self.apply(Event::Consumed(batch.consumed)).await?;
                applied.map_err(|refused| contradiction(&refused))
            }
            Following::Quiet => Ok(()),
            Following::Trimmed { partition, log_start } => self.must(Event::Trimmed { partition, log_start }).await,
            Following::OutOfRange { partition, asked, log_start, high_watermark } => {
                tracing::warn!(
                    pipeline = self.name,
                    lane = partition.0,
                    asked,
                    log_start,
                    high_watermark,
                    "offsets are not in the log"
                );
                if asked > high_watermark { self.cannot_look(CannotLook::Broker).await } else { Ok(()) }
            }
            Following::Lost { text, since } => {
                tracing::warn!(pipeline = self.name, seconds = since.as_secs(), "no broker answers: {text}");
                self.cannot_look(CannotLook::Broker).await
            }
            Following::Stopped { partition, why } => {
                tracing::error!(pipeline = self.name, lane = partition.0, "a partition is followed no further: {why}");
                self.cannot_look(CannotLook::Broker).await
            }
        }
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

    /// The catalog, the store or a broker could not be asked.
    pub(super) async fn cannot_look(&mut self, what: CannotLook) -> Result<(), Failure> {
        self.must(Event::NotLooked { at_ms: self.outside.now_ms(), what }).await?;
        self.publish(None);
        Ok(())
    }

    fn look_for_partitions(&mut self) {
        if Instant::now() < self.next_grown {
            return;
        }
        self.next_grown = Instant::now() + GROWN_EVERY;
        let tap = Arc::clone(&self.live.run.messages.tap);
        self.jobs.begin(async move { Done::Grown(blocking(move || tap.grown()).await) });
    }

    fn wants_checkpoint(&self) -> bool {
        self.unsaved_since.is_some_and(|since| match self.is_urgent {
            true => self.saved_at.elapsed() >= CHECKPOINT_EVERY_MIN,
            false => since.elapsed() >= CHECKPOINT_EVERY_MAX,
        })
    }
}

/// What the shadow refuses of what it cannot refuse: a fault of our own, after which the book is opened anew.
pub(super) fn contradiction(refused: &Refused) -> Failure {
    Failure::Following(refused.to_string())
}

fn ended(why: Option<validator_engine::message_reader::ReadError>) -> Failure {
    match why {
        Some(error) => Failure::Run(error.into()),
        None => Failure::Following("the topics are followed no further".to_owned()),
    }
}

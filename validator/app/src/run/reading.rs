//! The thread that follows the topics of one pipeline, and hands batches to its actor.
//!
//! Contract: a full queue stops it, and with it the client; nothing is dropped. It ends within the quiet time of the tap
//! once it is told to, or nobody listens.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::sync::mpsc;
use validator_core::position::PartitionIndex;
use validator_engine::follow::{Following, follow, follow_apart};
use validator_engine::message_reader::ReadError;
use validator_engine::reconcile::Run;

use super::actor::Actor;
use super::fleet::Posted;
use super::limits::BATCHES_QUEUED;
use crate::failure::Failure;

/// What the thread says.
#[derive(Debug)]
pub enum Read {
    /// Something of the topics.
    Following(Following),
    /// What a member of a fleet has read.
    Posted(Box<Posted>),
    /// It has ended by itself: nothing more comes.
    Ended(Option<ReadError>),
}

/// The thread.
pub struct Reader {
    stop: Arc<AtomicBool>,
    /// What it read.
    pub read: mpsc::Receiver<Read>,
}

impl Reader {
    /// Follows the partitions of a run from the offsets given.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(name: &str, run: &Run, from: Vec<(PartitionIndex, i64)>) -> Result<Self, std::io::Error> {
        Self::started(name, run, from, false)
    }

    /// The same, where each batch has messages of one partition at most.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start_apart(name: &str, run: &Run, from: Vec<(PartitionIndex, i64)>) -> Result<Self, std::io::Error> {
        Self::started(name, run, from, true)
    }

    /// What others read comes over this queue.
    pub fn of_others(read: mpsc::Receiver<Read>) -> Self {
        Self { stop: Arc::default(), read }
    }

    fn started(
        name: &str,
        run: &Run,
        from: Vec<(PartitionIndex, i64)>,
        is_apart: bool,
    ) -> Result<Self, std::io::Error> {
        let (sender, read) = mpsc::channel(BATCHES_QUEUED);
        let stop = Arc::new(AtomicBool::new(false));
        let (side, key, told) = (run.messages.clone(), run.key, Arc::clone(&stop));
        thread::Builder::new().name(format!("tap {name}")).spawn(move || {
            let hand_on = |following: Following| {
                let is_over = told.load(Ordering::Relaxed) || sender.blocking_send(Read::Following(following)).is_err();
                if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let ended = match is_apart {
                false => follow(&side, &key, &from, &mut { hand_on }),
                true => follow_apart(&side, &key, &from, &mut { hand_on }),
            };
            if !told.load(Ordering::Relaxed) {
                let _ = sender.blocking_send(Read::Ended(ended.err()));
            }
        })?;
        Ok(Self { stop, read })
    }
}

impl Actor {
    /// A reading that goes as fast as the brokers and the network allow where they are about to delete what is not consumed, at the cost of
    /// memory, until they no longer are. It goes on from where the shadow is.
    pub(super) async fn hastened(&mut self, reader: Reader) -> Result<Reader, Failure> {
        if self.fleet.is_some() || self.watching.is_short == self.is_hasty {
            return Ok(reader);
        }
        self.is_hasty = self.watching.is_short;
        if self.is_hasty {
            tracing::warn!(
                pipeline = self.name,
                "reads ahead as far as it can: what is not consumed is about to be deleted"
            );
        } else {
            tracing::info!(pipeline = self.name, "reads ahead as it did: what is not consumed is kept for long enough");
        }
        drop(reader);
        self.live.run.messages.tap.read_ahead_far(self.is_hasty);
        self.reader().await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

//! From the outbox to the channels: one task a channel, so that none waits for another, and nobody waits for any.
//!
//! Contract: messages of a channel go out in the order of their numbers; after one that failed the rest of its round is not
//! tried. What becomes of a message is told once, as an [`Outcome`]; keeping that is the ledger's. Bounds: limits.rs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::deliver::{Delivery, Undelivered};
use super::evaluate::Outgoing;
use super::limits::{OUTCOMES_QUEUED, REMINDERS_QUEUED, ROUNDS_QUEUED};
use super::rule::Channel;

/// One message of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its number.
    pub message: i64,
    /// A notice as JSON.
    pub body: Vec<u8>,
}

/// What became of a message, or of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Sent {
        /// The channel.
        channel: String,
        /// The message's number.
        message: i64,
    },
    /// It was not taken, and may be later.
    Failed {
        /// The channel.
        channel: String,
        /// The message's number.
        message: i64,
        /// One line.
        why: String,
    },
    /// It was refused, and would be again.
    Refused {
        /// The channel.
        channel: String,
        /// The message's number.
        message: i64,
        /// One line.
        why: String,
    },
    /// The round is over: the channel takes another.
    Idle {
        /// The channel.
        channel: String,
    },
}

/// The tasks of all channels. Dropped, they end at once; what was not told of is sent again.
#[derive(Debug)]
pub struct Sender {
    channels: BTreeMap<String, Post>,
    outcomes: mpsc::Receiver<Outcome>,
    // Aborts the tasks when it is dropped.
    _tasks: JoinSet<()>,
}

/// The way to one channel's task.
#[derive(Debug)]
struct Post {
    rounds: mpsc::Sender<Vec<Letter>>,
    reminders: mpsc::Sender<Vec<u8>>,
    is_idle: bool,
    /// By our own clock: that of the day may be set back.
    held_until: Option<Instant>,
}

impl Sender {
    /// Starts a task for each channel, on the runtime of the caller.
    ///
    /// # Errors
    /// A channel's URL is none, or the client cannot be made.
    pub fn start(channels: &BTreeMap<String, Channel>, now_ms: fn() -> i64) -> Result<Self, Undelivered> {
        let (tell, outcomes) = mpsc::channel(OUTCOMES_QUEUED);
        let (mut tasks, mut posts) = (JoinSet::new(), BTreeMap::new());
        for (name, channel) in channels {
            let delivery = Delivery::new(name, channel, now_ms)?;
            let (rounds, rounds_in) = mpsc::channel(ROUNDS_QUEUED);
            let (reminders, reminders_in) = mpsc::channel(REMINDERS_QUEUED);
            tasks.spawn(serve(name.clone(), delivery, rounds_in, reminders_in, tell.clone()));
            posts.insert(name.clone(), Post { rounds, reminders, is_idle: true, held_until: None });
        }
        Ok(Self { channels: posts, outcomes, _tasks: tasks })
    }

    /// Whether the channel takes a round now; of a channel that is not configured: never.
    pub fn is_free(&self, channel: &str) -> bool {
        let is_held = |post: &Post| post.held_until.is_some_and(|until| Instant::now() < until);
        self.channels.get(channel).is_some_and(|post| post.is_idle && !is_held(post))
    }

    /// Whether the channel has a round that is not over.
    pub fn is_at_work(&self, channel: &str) -> bool {
        self.channels.get(channel).is_some_and(|post| !post.is_idle)
    }

    /// Hands a channel its due messages; false: it takes none now.
    pub fn offer(&mut self, channel: &str, mut letters: Vec<Letter>) -> bool {
        let Some(post) = self.channels.get_mut(channel).filter(|post| post.is_idle) else { return false };
        if letters.is_empty() {
            return true;
        }
        letters.sort_by_key(|letter| letter.message);
        let is_taken = post.rounds.try_send(letters).is_ok();
        post.is_idle = !is_taken;
        is_taken
    }

    /// Keeps a channel from being tried for so long: its first message failed and is tried then.
    pub fn hold(&mut self, channel: &str, wait: Duration) {
        if let Some(post) = self.channels.get_mut(channel) {
            post.held_until = Some(Instant::now() + wait);
        }
    }

    /// Says again what was said. One that finds no room is dropped: the next comes soon.
    pub fn remind(&self, reminder: &Outgoing) {
        if let Some(post) = self.channels.get(&reminder.channel) {
            let _ = post.reminders.try_send(reminder.body.clone());
        }
    }

    /// The next outcome. Nothing is lost where the wait is given up.
    pub async fn outcome(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.recv().await?;
        if let Outcome::Idle { channel } = &outcome
            && let Some(post) = self.channels.get_mut(channel)
        {
            post.is_idle = true;
        }
        Some(outcome)
    }
}

/// The task of one channel; it ends when the sender is dropped.
async fn serve(
    channel: String,
    delivery: Delivery,
    mut rounds: mpsc::Receiver<Vec<Letter>>,
    mut reminders: mpsc::Receiver<Vec<u8>>,
    tell: mpsc::Sender<Outcome>,
) {
    loop {
        tokio::select! {
            biased;
            round = rounds.recv() => {
                let Some(letters) = round else { return };
                for letter in letters {
                    let outcome = sent(&channel, &delivery, letter).await;
                    let goes_on = !matches!(outcome, Outcome::Failed { .. });
                    if tell.send(outcome).await.is_err() {
                        return;
                    }
                    if !goes_on {
                        break;
                    }
                }
                if tell.send(Outcome::Idle { channel: channel.clone() }).await.is_err() {
                    return;
                }
            }
            reminder = reminders.recv() => {
                let Some(body) = reminder else { return };
                if let Err(undelivered) = delivery.deliver(&body).await {
                    tracing::warn!(channel, why = %undelivered.why(), "a reminder of an alert was not delivered");
                }
            }
        }
    }
}

async fn sent(channel: &str, delivery: &Delivery, letter: Letter) -> Outcome {
    let (channel, message) = (channel.to_owned(), letter.message);
    match delivery.deliver(&letter.body).await {
        Ok(()) => Outcome::Sent { channel, message },
        Err(undelivered) => {
            let why = undelivered.why();
            tracing::warn!(channel, message, why, "an alert was not delivered");
            if undelivered.is_final() {
                Outcome::Refused { channel, message, why }
            } else {
                Outcome::Failed { channel, message, why }
            }
        }
    }
}

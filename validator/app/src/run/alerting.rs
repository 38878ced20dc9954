//! The alerts of one pipeline beside its actor: evaluated in each checkpoint and once a second, sent from the outbox.
//!
//! Contract: what is told is written by the checkpoint that makes it true; only what the ledger has is sent. Channels are served
//! by tasks of their own, and nothing here waits for one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use validator_core::shadow::standing::Standing;
use validator_core::verdict::{Cause, Verdict};
use validator_ledger::{Alert, AlertChange, Book, Fate, LedgerError, Mail, OpenFindings, Retry, Told};

use super::alerts::limits::{RETRY_MS, TRIES_MAX};
use super::alerts::{Alerts, Begin, Change, Kept, Letter, Outcome, Outgoing, Sender};
use super::limits::ALERTS_EVERY;
use super::status::Status;
use crate::config::{Pipeline, Service};
use crate::failure::Failure;

/// See the module.
pub struct Alerting {
    pipeline: String,
    alerts: Alerts,
    has_rules: bool,
    sender: Sender,
    /// Told, and in no checkpoint yet.
    mail: Vec<Outgoing>,
    /// By channel, messages of the ledger that wait, due or not.
    waiting: BTreeMap<String, u64>,
    /// Channels of which some messages are due, as far as is known.
    due: BTreeSet<String>,
    next: Instant,
}

impl Alerting {
    /// Goes on from what the book has.
    ///
    /// # Errors
    /// The ledger cannot be asked, or a channel's client cannot be made.
    pub async fn open(
        pipeline: &Pipeline,
        service: &Service,
        book: &mut Book,
        wall_ms: fn() -> i64,
        now_ms: i64,
    ) -> Result<Self, Failure> {
        let name = pipeline.contract.name.clone();
        let rules: Vec<_> = service.alerts.iter().chain(&pipeline.alerts).cloned().collect();
        let kept: Vec<Kept> = book.alerts().await?.into_iter().map(kept).collect();
        let begin = if book.checkpoint_number() == 0 { Begin::New } else { Begin::Saved(&kept) };
        let waiting = book.channels().await?;
        for (channel, many) in waiting.iter().filter(|(channel, _)| !service.channels.contains_key(*channel)) {
            tracing::warn!(pipeline = name, channel, many, "alerts wait for a channel that is no longer configured");
        }
        let sender = Sender::start(&service.channels, wall_ms);
        let sender = sender.map_err(|why| Failure::Runtime(std::io::Error::other(why.why())))?;
        Ok(Self {
            has_rules: !rules.is_empty() || !kept.is_empty(),
            alerts: Alerts::new(name.clone(), rules, service.channels.clone(), begin, now_ms),
            pipeline: name,
            sender,
            mail: Vec::new(),
            due: waiting.keys().cloned().collect(),
            waiting,
            next: Instant::now(),
        })
    }

    /// When the clock wants it next; none: there is nothing to watch or to send.
    pub fn wakes_at(&self) -> Option<Instant> {
        (self.has_rules || !self.due.is_empty()).then_some(self.next)
    }

    /// Whether the clock wants it now.
    pub fn is_due(&self) -> bool {
        self.wakes_at().is_some_and(|at| Instant::now() >= at)
    }

    /// Evaluates by the clock. True: a checkpoint is to keep what came of it.
    pub fn tick(&mut self, status: &Status, now_ms: i64) -> bool {
        self.next = Instant::now() + ALERTS_EVERY;
        self.evaluate(status, now_ms);
        self.alerts.has_changed() || !self.mail.is_empty()
    }

    fn evaluate(&mut self, status: &Status, now_ms: i64) {
        for out in self.alerts.evaluate(status, now_ms) {
            match out.dedupe {
                Some(_) => self.mail.push(out),
                // What the ledger does not have yet is not said again.
                None => self.sender.remind(&out),
            }
        }
    }

    /// What the checkpoint that makes this status true has to keep. Given again it says what was said and what came since.
    pub fn told(&mut self, status: &Status, now_ms: i64) -> Told {
        if !self.has_rules {
            return Told::default();
        }
        self.evaluate(status, now_ms);
        let mail = self.mail.iter().map(|out| Mail {
            channel: out.channel.clone(),
            dedupe: out.dedupe.clone(),
            body: out.body.clone(),
        });
        Told { alerts: self.alerts.unsaved(now_ms).into_iter().map(changed).collect(), mail: mail.collect() }
    }

    /// The checkpoint is committed.
    pub fn saved(&mut self, now_ms: i64) {
        self.alerts.saved(now_ms);
        for out in self.mail.drain(..) {
            *self.waiting.entry(out.channel.clone()).or_default() += 1;
            self.due.insert(out.channel);
        }
    }

    /// Hands what is due to channels that are free.
    ///
    /// # Errors
    /// The ledger cannot be asked.
    pub async fn post(&mut self, book: &mut Book, now_ms: i64) -> Result<(), LedgerError> {
        let free: Vec<String> = self.due.iter().filter(|name| self.sender.is_free(name)).cloned().collect();
        for channel in free {
            let found = book.outbox(&channel, now_ms).await?;
            if found.is_empty() {
                self.waiting = book.channels().await?;
                if !self.waiting.contains_key(&channel) {
                    self.due.remove(&channel);
                }
                continue;
            }
            let letters = found.into_iter().map(|one| Letter { message: one.message, body: one.mail.body });
            self.sender.offer(&channel, letters.collect());
        }
        Ok(())
    }

    /// What became of a message. Nothing is lost where the wait is given up.
    pub async fn outcome(&mut self) -> Outcome {
        match self.sender.outcome().await {
            Some(outcome) => outcome,
            None => pending().await,
        }
    }

    /// Keeps what became of a message.
    ///
    /// # Errors
    /// The ledger does not take it: the message is sent again.
    pub async fn keep(&mut self, outcome: Outcome, book: &mut Book, now_ms: i64) -> Result<(), LedgerError> {
        match outcome {
            Outcome::Sent { channel, message } => {
                book.sent(message, now_ms).await?;
                self.less(&channel);
            }
            Outcome::Refused { channel, message, why } => {
                book.give_up(message, now_ms).await?;
                self.less(&channel);
                tracing::error!(
                    pipeline = self.pipeline,
                    channel,
                    message,
                    "an alert was refused and is given up: {why}"
                );
            }
            Outcome::Failed { channel, message, why } => {
                let (first_ms, most_ms) = RETRY_MS;
                let retry = Retry { first_ms, most_ms, tries: TRIES_MAX };
                match book.failed(message, &why, now_ms, &retry).await? {
                    // Those behind it wait for it: a channel is told in order.
                    Fate::Again { at_ms } => {
                        let wait = at_ms.saturating_sub(now_ms).unsigned_abs();
                        self.sender.hold(&channel, Duration::from_millis(wait));
                    }
                    Fate::Dead => {
                        self.less(&channel);
                        tracing::error!(
                            pipeline = self.pipeline,
                            channel,
                            message,
                            "an alert could not be delivered in a day and is given up: {why}"
                        );
                    }
                }
            }
            Outcome::Idle { .. } => {}
        }
        Ok(())
    }

    fn less(&mut self, channel: &str) {
        if let Some(many) = self.waiting.get_mut(channel) {
            *many = many.saturating_sub(1);
        }
    }

    /// Delivers what waits, as far as channels take it within the time.
    ///
    /// # Errors
    /// The ledger cannot be asked.
    pub async fn flush(
        &mut self,
        book: &mut Book,
        most: Duration,
        now_ms: impl Fn() -> i64,
    ) -> Result<(), LedgerError> {
        let until = Instant::now() + most;
        loop {
            self.post(book, now_ms()).await?;
            let is_open = |channel: &String| !self.sender.is_free(channel) && self.sender.is_at_work(channel);
            if !self.due.iter().any(is_open) {
                return Ok(());
            }
            match timeout(until.saturating_duration_since(Instant::now()), self.outcome()).await {
                Ok(outcome) => self.keep(outcome, book, now_ms()).await?,
                Err(_) => return Ok(()),
            }
        }
    }

    /// Puts what is known of alerts into a status.
    pub fn show(&self, status: &mut Status) {
        status.alerts = self.alerts.counts();
        status.outbox = Some(self.waiting.values().sum());
    }
}

/// Findings as a status has them: those of the ledger, messages that it does not list, and rows that stand at one place with another.
pub fn findings(open: &OpenFindings, standing: &Standing) -> BTreeMap<(Verdict, Option<Cause>), u64> {
    let mut findings = open.clone();
    for (verdict, cause, messages) in standing.unlisted() {
        *findings.entry((verdict, cause)).or_default() += messages;
    }
    for (cause, rows) in standing.phantoms_again.iter().filter(|(_, rows)| **rows > 0) {
        let phantom = Verdict::Row(validator_core::verdict::RowVerdict::Phantom);
        *findings.entry((phantom, Some(*cause))).or_default() += rows;
    }
    findings
}

fn kept(alert: Alert) -> Kept {
    let Alert { name, group, state, since_ms, body } = alert;
    Kept { name, group, state, since_ms, body }
}

fn changed(change: Change) -> AlertChange {
    match change {
        Change::Set(Kept { name, group, state, since_ms, body }) => {
            AlertChange::Set(Alert { name, group, state, since_ms, body })
        }
        Change::Cleared { name, group } => AlertChange::Cleared { name, group },
    }
}

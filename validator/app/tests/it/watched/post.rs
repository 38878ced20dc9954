//! Alerts with an outbox and channels, as the service runs them: what is committed is sent, and kept until it was.

use std::collections::BTreeMap;
use std::time::Duration;

use validator_app::run::alerts::{Alerts, Begin, Change, Channel, Kept, Letter, Outcome, Outgoing, Rule, Sender};
use validator_app::run::status::Status;

/// One message of the outbox.
struct Mail {
    channel: String,
    body: Vec<u8>,
    due_ms: i64,
    tries: u32,
    is_waiting: bool,
}

/// The alerts of one pipeline over a ledger in memory.
pub struct Post {
    rules: Vec<Rule>,
    channels: BTreeMap<String, Channel>,
    rows: BTreeMap<(String, String), Kept>,
    outbox: Vec<Mail>,
    sent: BTreeMap<String, u32>,
    alerts: Alerts,
    sender: Sender,
    /// How often reminders were handed over.
    pub reminders: u32,
    /// Messages that were refused, each with why.
    pub refused: Vec<String>,
    runtime: tokio::runtime::Runtime,
}

/// The wall clock.
pub fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970");
    i64::try_from(since.as_millis()).expect("it is before the year 292,000,000")
}

impl Post {
    /// A new pipeline's.
    pub fn start(rules: Vec<Rule>, channels: BTreeMap<String, Channel>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let sender = runtime.block_on(async { Sender::start(&channels, now_ms) }).expect("sound channels");
        let alerts = Alerts::new("trades", rules.clone(), channels.clone(), Begin::New, now_ms());
        let (rows, sent) = (BTreeMap::new(), BTreeMap::new());
        Self {
            rules,
            channels,
            rows,
            outbox: Vec::new(),
            sent,
            alerts,
            sender,
            reminders: 0,
            refused: Vec::new(),
            runtime,
        }
    }

    /// The process ends and starts again: what is not in the ledger is gone.
    pub fn restart(&mut self) {
        let rows: Vec<Kept> = self.rows.values().cloned().collect();
        self.alerts = Alerts::new("trades", self.rules.clone(), self.channels.clone(), Begin::Saved(&rows), now_ms());
        self.sender = self.runtime.block_on(async { Sender::start(&self.channels, now_ms) }).expect("sound channels");
    }

    /// One turn of the service: evaluates, commits, hands over what is due, and takes what became of it.
    pub fn turn(&mut self, status: &Status) {
        let now_ms = now_ms();
        let out = self.alerts.evaluate(status, now_ms);
        let (mail, reminders): (Vec<Outgoing>, Vec<Outgoing>) = out.into_iter().partition(|one| one.dedupe.is_some());
        for change in self.alerts.unsaved(now_ms) {
            match change {
                Change::Set(kept) => drop(self.rows.insert((kept.name.clone(), kept.group.clone()), kept)),
                Change::Cleared { name, group } => drop(self.rows.remove(&(name, group))),
            }
        }
        self.alerts.saved(now_ms);
        for Outgoing { channel, body, .. } in mail {
            self.outbox.push(Mail { channel, body, due_ms: now_ms, tries: 0, is_waiting: true });
        }
        for reminder in &reminders {
            self.reminders += 1;
            self.sender.remind(reminder);
        }
        let channels: Vec<String> = self.channels.keys().cloned().collect();
        for channel in channels.iter().filter(|channel| self.sender.is_free(channel)).collect::<Vec<_>>() {
            let is_due = |mail: &Mail| mail.is_waiting && mail.channel == *channel && mail.due_ms <= now_ms;
            let due = self.outbox.iter().enumerate().filter(|(_, mail)| is_due(mail));
            let letters =
                due.map(|(at, mail)| Letter { message: i64::try_from(at).expect("few"), body: mail.body.clone() });
            let letters = letters.collect();
            assert!(self.sender.offer(channel, letters));
        }
        while let Some(outcome) = self.next_outcome() {
            self.take(outcome, now_ms);
        }
    }

    fn next_outcome(&mut self) -> Option<Outcome> {
        let wait = Duration::from_millis(50);
        self.runtime.block_on(async { tokio::time::timeout(wait, self.sender.outcome()).await }).ok().flatten()
    }

    fn take(&mut self, outcome: Outcome, now_ms: i64) {
        match outcome {
            Outcome::Sent { channel, message } => {
                self.mail(message).is_waiting = false;
                *self.sent.entry(channel).or_default() += 1;
            }
            Outcome::Failed { channel, message, .. } => {
                let mail = self.mail(message);
                mail.tries += 1;
                mail.due_ms = now_ms + 200;
                self.sender.hold(&channel, Duration::from_millis(200));
            }
            Outcome::Refused { message, why, .. } => {
                self.mail(message).is_waiting = false;
                self.refused.push(why);
            }
            Outcome::Idle { .. } => {}
        }
    }

    fn mail(&mut self, message: i64) -> &mut Mail {
        &mut self.outbox[usize::try_from(message).expect("a place")]
    }

    /// Messages that a channel took.
    pub fn sent(&self, channel: &str) -> u32 {
        self.sent.get(channel).copied().unwrap_or(0)
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.outbox.iter().filter(|mail| mail.is_waiting).count()
    }
}

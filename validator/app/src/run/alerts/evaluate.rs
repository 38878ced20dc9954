//! From a status and the clock to the messages of alerts. Pure.
//!
//! Contract: an alert is told once when it begins and once when it is over, by whatever way it came to that, also across
//! restarts; what is not known changes nothing, but a wait for `for` begins anew.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use validator_core::clock::UtcMillis;

use super::history::History;
use super::limits::{HISTORY_SAVED_EVERY_MS, INSTANCES_MAX};
use super::notice::{NOTICE_SCHEMA, Notice, NoticeState};
use super::rule::{Channel, Rule};
use super::state::{Change, Firing, HISTORY_ROW, Instance, Kept, Key};
use super::view::{Group, View, group_of, words};
use crate::run::status::Status;

/// The alerts of one pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    pipeline: String,
    rules: Vec<Rule>,
    channels: BTreeMap<String, Channel>,
    history: History,
    instances: BTreeMap<Key, Instance>,
    /// Those that changed since they were last saved.
    changed: BTreeSet<Key>,
    history_saved_ms: i64,
}

/// Where the alerts of a pipeline begin.
#[derive(Debug, Clone, Copy)]
pub enum Begin<'a> {
    /// The pipeline has no checkpoint yet: whatever it finds is new.
    New,
    /// The rows of the ledger; none where its last checkpoint knew of no alerts.
    Saved(&'a [Kept]),
}

/// A message for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The channel's name.
    pub channel: String,
    /// A [`Notice`] as JSON.
    pub body: Vec<u8>,
    /// Of one (channel, dedupe) there is one message in the outbox. None: it says again what was said, goes to
    /// [`super::Sender::remind`] and is not worth keeping, for it comes again.
    pub dedupe: Option<String>,
}

impl Alerts {
    /// The alerts of a pipeline with the service's channels; a row that cannot be read is as one that is not there.
    pub fn new(
        pipeline: impl Into<String>,
        rules: Vec<Rule>,
        channels: BTreeMap<String, Channel>,
        begin: Begin<'_>,
        now_ms: i64,
    ) -> Self {
        let series: BTreeSet<_> = rules.iter().flat_map(Rule::series).collect();
        let window_ms = rules.iter().map(Rule::window_ms).max().unwrap_or(0);
        let mut alerts = Self {
            pipeline: pipeline.into(),
            rules,
            channels,
            history: History::new(series, window_ms),
            instances: BTreeMap::new(),
            changed: BTreeSet::new(),
            // What was before everything is kept by the first checkpoint.
            history_saved_ms: now_ms - HISTORY_SAVED_EVERY_MS,
        };
        match begin {
            Begin::New => alerts.history.begin(now_ms),
            Begin::Saved(rows) => rows.iter().for_each(|row| alerts.restore(row)),
        }
        alerts
    }

    fn restore(&mut self, row: &Kept) {
        if row.name == HISTORY_ROW {
            if let Ok(saved) = serde_json::from_slice(&row.body) {
                self.history.restore(&saved);
            }
        } else if let Ok(instance) = serde_json::from_slice(&row.body) {
            self.instances.insert(Key { rule: row.name.clone(), group: row.group.clone() }, instance);
        }
    }

    /// The same alerts after the configuration was read again: what fires goes on, what no rule asks for any more is over at
    /// the next evaluation.
    pub fn reloaded(&self, rules: Vec<Rule>, channels: BTreeMap<String, Channel>, now_ms: i64) -> Self {
        let mut alerts = Self::new(self.pipeline.clone(), rules, channels, Begin::Saved(&[]), now_ms);
        alerts.history.restore(&self.history.saved());
        alerts.instances.clone_from(&self.instances);
        alerts.changed.clone_from(&self.changed);
        alerts
    }

    /// What is to be told now. Durable messages belong into the checkpoint that also gets [`Alerts::unsaved`].
    pub fn evaluate(&mut self, status: &Status, now_ms: i64) -> Vec<Outgoing> {
        self.history.observe(status);
        let mut out = Vec::new();
        for rule in std::mem::take(&mut self.rules) {
            for group in self.groups(&rule, status) {
                self.step(&rule, group, status, now_ms, &mut out);
            }
            self.rules.push(rule);
        }
        self.end_orphans(now_ms, &mut out);
        out
    }

    /// Whether an alert is another one than the ledger has.
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What the next checkpoint has to keep of what changed since [`Alerts::saved`].
    pub fn unsaved(&self, now_ms: i64) -> Vec<Change> {
        let mut changes: Vec<Change> = self.changed.iter().map(|key| change(key, self.instances.get(key))).collect();
        if self.keeps_history(now_ms) {
            changes.push(Change::Set(Kept {
                name: HISTORY_ROW.to_owned(),
                group: String::new(),
                state: "history".to_owned(),
                since_ms: now_ms,
                body: json(&self.history.saved()),
            }));
        }
        changes
    }

    /// The checkpoint that was given [`Alerts::unsaved`] is committed, and nothing was evaluated since.
    pub fn saved(&mut self, now_ms: i64) {
        if self.keeps_history(now_ms) {
            self.history_saved_ms = now_ms;
        }
        self.changed.clear();
    }

    /// An alert that fires by a window goes on after a restart by what was before the window, so both are kept together.
    fn keeps_history(&self, now_ms: i64) -> bool {
        let is_old = now_ms - self.history_saved_ms >= HISTORY_SAVED_EVERY_MS;
        self.history.is_asked() && (is_old || !self.changed.is_empty())
    }

    /// How many alerts of each rule are pending, and how many fire.
    pub fn counts(&self) -> BTreeMap<String, (u64, u64)> {
        let mut counts: BTreeMap<String, (u64, u64)> =
            self.rules.iter().map(|rule| (rule.name.clone(), (0, 0))).collect();
        for (key, instance) in &self.instances {
            let count = counts.entry(key.rule.clone()).or_default();
            match instance {
                Instance::Pending { .. } => count.0 += 1,
                Instance::Firing { .. } => count.1 += 1,
            }
        }
        counts
    }

    /// What the rule has an alert of each for: the causes that are there, and those that were.
    fn groups(&self, rule: &Rule, status: &Status) -> Vec<Group> {
        if !rule.by_cause {
            return vec![None];
        }
        let mut groups: Vec<Group> = status.findings.keys().copied().map(Some).collect();
        let known: BTreeSet<String> = groups.iter().map(|group| words(*group)).collect();
        let gone = self.instances.keys().filter(|key| key.rule == rule.name && !known.contains(&key.group));
        groups.extend(gone.filter_map(|key| group_of(&key.group)));
        groups
    }

    fn step(&mut self, rule: &Rule, group: Group, status: &Status, now_ms: i64, out: &mut Vec<Outgoing>) {
        let view = View { status, history: &self.history, group, now_ms };
        let holds = rule.when.holds(&|figure| view.value(figure));
        let key = Key { rule: rule.name.clone(), group: words(group) };
        let is_room = self.instances.len() < INSTANCES_MAX;
        let before = self.instances.remove(&key);
        let next = match (&before, holds) {
            (None, Some(true)) if is_room && rule.for_ms > 0 => Some(Instance::Pending { since_ms: now_ms }),
            (None, Some(true)) if is_room => Some(fired(rule, &view, &self.pipeline, out)),
            (None, _) => None,
            (Some(Instance::Pending { since_ms }), Some(true)) => {
                // A clock that steps back makes the wait longer, never negative.
                let since_ms = now_ms.min(*since_ms);
                if now_ms - since_ms < rule.for_ms {
                    Some(Instance::Pending { since_ms })
                } else {
                    Some(fired(rule, &view, &self.pipeline, out))
                }
            }
            (Some(Instance::Pending { .. }), _) => None,
            (Some(Instance::Firing(firing)), holds) => {
                still(firing, holds, rule, &view, &self.channels, out).map(Instance::Firing)
            }
        };
        if before != next {
            self.changed.insert(key.clone());
        }
        self.instances.extend(next.map(|next| (key, next)));
    }

    /// Alerts whose rule is no longer there are over: nobody would ever say so.
    fn end_orphans(&mut self, now_ms: i64, out: &mut Vec<Outgoing>) {
        let is_asked = |key: &Key| {
            let is_known = key.group.is_empty() || group_of(&key.group).is_some();
            self.rules.iter().any(|rule| rule.name == key.rule && rule.by_cause != key.group.is_empty()) && is_known
        };
        let orphans: Vec<Key> = self.instances.keys().filter(|key| !is_asked(key)).cloned().collect();
        for key in orphans {
            if let Some(Instance::Firing(Firing { notice, notify, .. })) = self.instances.remove(&key) {
                let why = "no rule asks for it any more";
                let ended = ended(&notice, notice.figures.clone(), why, now_ms);
                tell(&ended, &notify, out);
            }
            self.changed.insert(key);
        }
    }
}

fn change(key: &Key, instance: Option<&Instance>) -> Change {
    let (name, group) = (key.rule.clone(), key.group.clone());
    let Some(instance) = instance else { return Change::Cleared { name, group } };
    let (state, since_ms) = match instance {
        Instance::Pending { since_ms } => ("pending", *since_ms),
        Instance::Firing(firing) => ("firing", firing.started_ms),
    };
    Change::Set(Kept { name, group, state: state.to_owned(), since_ms, body: json(instance) })
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("every key of it is a string")
}

/// An alert begins to fire.
fn fired(rule: &Rule, view: &View<'_>, pipeline: &str, out: &mut Vec<Outgoing>) -> Instance {
    let notice = notice(rule, view, pipeline);
    tell(&notice, &rule.notify, out);
    let reminded_ms = rule.notify.iter().map(|channel| (channel.clone(), view.now_ms)).collect();
    let notify = rule.notify.clone();
    Instance::Firing(Firing { notice, notify, started_ms: view.now_ms, clear_ms: None, reminded_ms })
}

/// An alert that fires goes on, or is over.
fn still(
    firing: &Firing,
    holds: Option<bool>,
    rule: &Rule,
    view: &View<'_>,
    channels: &BTreeMap<String, Channel>,
    out: &mut Vec<Outgoing>,
) -> Option<Firing> {
    let now_ms = view.now_ms;
    let mut firing = firing.clone();
    firing.clear_ms = match holds {
        Some(false) => Some(firing.clear_ms.map_or(now_ms, |clear_ms| clear_ms.min(now_ms))),
        Some(true) | None => None,
    };
    if firing.clear_ms.is_some_and(|clear_ms| now_ms - clear_ms >= rule.resolve_after_ms) {
        let why = sentence(&figures(rule, view));
        tell(&ended(&firing.notice, figures(rule, view), &why, now_ms), &firing.notify, out);
        return None;
    }
    for channel in &firing.notify {
        let Some(resend_ms) = channels.get(channel).and_then(Channel::resend_ms) else { continue };
        let last_ms = firing.reminded_ms.get(channel).copied();
        if last_ms.is_none_or(|last_ms| now_ms - last_ms >= resend_ms || now_ms < last_ms) {
            firing.reminded_ms.insert(channel.clone(), now_ms);
            out.push(Outgoing { channel: channel.clone(), body: json(&firing.notice), dedupe: None });
        }
    }
    Some(firing)
}

fn tell(notice: &Notice, channels: &[String], out: &mut Vec<Outgoing>) {
    let state = match notice.state {
        NoticeState::Firing => "firing",
        NoticeState::Resolved => "resolved",
    };
    let dedupe = Some(format!("{} {state}", notice.id));
    let message = |channel: &String| Outgoing { channel: channel.clone(), body: json(notice), dedupe: dedupe.clone() };
    out.extend(channels.iter().map(message));
}

fn notice(rule: &Rule, view: &View<'_>, pipeline: &str) -> Notice {
    let words = words(view.group);
    let names = ["verdict", "cause"].into_iter().map(str::to_owned);
    let group: BTreeMap<String, String> =
        names.zip(words.split('/').filter(|word| !word.is_empty()).map(str::to_owned)).collect();
    let mut hasher = blake3::Hasher::new();
    let started = view.now_ms.to_string();
    for part in [pipeline, &rule.name, &started, &words] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let figures = figures(rule, view);
    let of = if words.is_empty() { String::new() } else { format!(" ({words})") };
    Notice {
        schema: NOTICE_SCHEMA.to_owned(),
        id: hasher.finalize().to_hex()[..32].to_owned(),
        state: NoticeState::Firing,
        alert: rule.name.clone(),
        pipeline: pipeline.to_owned(),
        severity: rule.severity.clone(),
        group,
        started_at: UtcMillis(view.now_ms).to_string(),
        ended_at: None,
        summary: format!("{} of {pipeline}{of}: {}", rule.name, sentence(&figures)),
        says: rule.says.clone(),
        runbook: rule.runbook.clone(),
        when: rule.when.to_string(),
        figures,
        status: view.status.phase.as_str().to_owned(),
        why: view.status.why.clone(),
        judged_at: view.status.judged_at_ms.map(|at_ms| UtcMillis(at_ms).to_string()),
    }
}

/// The same alert, over.
fn ended(notice: &Notice, figures: BTreeMap<String, Option<f64>>, why: &str, now_ms: i64) -> Notice {
    Notice {
        state: NoticeState::Resolved,
        ended_at: Some(UtcMillis(now_ms).to_string()),
        summary: format!("{} of {} is over: {why}", notice.alert, notice.pipeline),
        figures,
        ..notice.clone()
    }
}

/// The rule's figures. JSON has no infinity: what is beyond all bounds is the largest number there is.
fn figures(rule: &Rule, view: &View<'_>) -> BTreeMap<String, Option<f64>> {
    let value = |figure| view.value(figure).map(|value: f64| value.min(f64::MAX));
    rule.when.figures().into_iter().map(|(figure, written)| (written.to_owned(), value(figure))).collect()
}

/// `age = 312, lag = 4`
fn sentence(figures: &BTreeMap<String, Option<f64>>) -> String {
    let shown = |(name, value): (&String, &Option<f64>)| match value {
        Some(value) if *value == f64::MAX => format!("{name} is beyond all bounds"),
        Some(value) => format!("{name} = {value}"),
        None => format!("{name} is not known"),
    };
    figures.iter().map(shown).collect::<Vec<_>>().join(", ")
}

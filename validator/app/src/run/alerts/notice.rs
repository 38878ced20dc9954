//! What is said of an alert: one JSON object, the same on every channel that takes it whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The value of `schema`.
pub const NOTICE_SCHEMA: &str = "validator.alert/1";

/// An alert that fires, or is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// [`NOTICE_SCHEMA`].
    pub schema: String,
    /// The same from its firing to its end, and no other's: with `state` the key to recognise a repetition.
    pub id: String,
    /// Whether it fires or is over.
    pub state: NoticeState,
    /// The rule's name.
    pub alert: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The rule's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Verdict and cause, where the rule has an alert for each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub group: BTreeMap<String, String>,
    /// When it began to fire, RFC 3339.
    pub started_at: String,
    /// When it was over; null while it fires.
    pub ended_at: Option<String>,
    /// One sentence for a person.
    pub summary: String,
    /// The rule's own words on what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// The rule's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// The condition.
    pub when: String,
    /// Its figures at that moment, as they are written in it; null where one was not known.
    pub figures: BTreeMap<String, Option<f64>>,
    /// How the pipeline was: the word of its phase.
    pub status: String,
    /// Why it was not healthy; empty where it was.
    pub why: String,
    /// The judged clock of that moment, RFC 3339.
    pub judged_at: Option<String>,
}

/// Whether an alert fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

//! What a report says beside counts and findings, added up over the whole run and kept in the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use validator_engine::follow::MessageNotes;

use super::letters::LettersNotes;
use super::table::TableNotes;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Non-null fields that are neither used nor dropped → messages.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Messages that name a key of an object twice.
    pub duplicate_keys: u64,
    /// Fields that expressions refer to → whether any message has a value there.
    pub sql_fields: BTreeMap<String, bool>,
    /// Column → tolerance → messages in which it was used.
    pub policy: BTreeMap<String, BTreeMap<String, u64>>,
    /// Findings about files and the table.
    pub table: TableNotes,
    /// Snapshots that were applied.
    pub steps: u64,
    /// The topics that are followed, by their ids: one that is made again is another one.
    #[serde(default)]
    pub topic_ids: BTreeMap<String, String>,
    /// Partitions whose logs were cut below what was read of them, by name, and up to where: what has their offsets since are other
    /// messages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cuts: BTreeMap<String, i64>,
    /// What was read of dead letters; none: the pipeline never had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<LettersNotes>,
    /// Where the metadata of the last applied snapshot was read.
    pub metadata_location: String,
}

impl Notes {
    /// Adds those of a batch.
    pub fn add(&mut self, notes: &MessageNotes) {
        for (field, messages) in &notes.unknown_fields {
            *self.unknown_fields.entry(field.clone()).or_default() += messages;
        }
        self.duplicate_keys += notes.duplicate_keys;
        for (field, is_there) in &notes.sql_fields {
            *self.sql_fields.entry(field.clone()).or_default() |= is_there;
        }
        for ((column, tolerance), messages) in &notes.policy.messages {
            let used = self.policy.entry(column.clone()).or_default();
            *used.entry((*tolerance).to_owned()).or_default() += messages;
        }
    }

    /// Adds those of messages that another process read.
    pub fn merge(&mut self, other: &Self) {
        for (field, messages) in &other.unknown_fields {
            *self.unknown_fields.entry(field.clone()).or_default() += messages;
        }
        self.duplicate_keys += other.duplicate_keys;
        for (field, is_there) in &other.sql_fields {
            *self.sql_fields.entry(field.clone()).or_default() |= is_there;
        }
        for (column, tolerances) in &other.policy {
            let used = self.policy.entry(column.clone()).or_default();
            for (tolerance, messages) in tolerances {
                *used.entry(tolerance.clone()).or_default() += messages;
            }
        }
    }

    /// For the ledger.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("maps of text and numbers")
    }

    /// From the ledger; nothing where it has none yet.
    ///
    /// # Errors
    /// Nobody wrote that.
    pub fn from_text(text: &str) -> Result<Self, serde_json::Error> {
        if text.is_empty() { Ok(Self::default()) } else { serde_json::from_str(text) }
    }
}

//! What is known of each alert from one evaluation to the next, and its form in the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::notice::Notice;

/// Rule and group of an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The rule's name.
    pub rule: String,
    /// The verdict and the cause that it is of, `missing/lost`; empty: of all.
    pub group: String,
}

/// One alert that is not at rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "few at a time, and those that fire are the ones that stay")]
pub enum Instance {
    /// True, not yet for long enough.
    Pending {
        /// Since when, wall clock.
        since_ms: i64,
    },
    /// Told.
    Firing(Firing),
}

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    /// What was said.
    pub notice: Notice,
    /// To whom.
    pub notify: Vec<String>,
    /// Since when, wall clock.
    pub started_ms: i64,
    /// Since when it is false; none: it is true.
    pub clear_ms: Option<i64>,
    /// When each channel was last told that it still fires; a restart tells it again, which changes nothing there.
    #[serde(skip)]
    pub reminded_ms: BTreeMap<String, i64>,
}

/// One row of the ledger, by (name, group).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The rule's name, or [`HISTORY_ROW`].
    pub name: String,
    /// `Key::group`.
    pub group: String,
    /// `pending`, `firing`, `history`.
    pub state: String,
    /// Since when, wall clock.
    pub since_ms: i64,
    /// What only this module reads.
    pub body: Vec<u8>,
}

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is this one.
    Set(Kept),
    /// It goes.
    Cleared {
        /// The rule's name.
        name: String,
        /// `Key::group`.
        group: String,
    },
}

/// The name of the row of what windows look back to: no rule is called so.
pub const HISTORY_ROW: &str = "";

//! Which identity the sample speaks for: offset columns that hold offsets, columns that are unique, or the whole content.
//!
//! Contract: columns are verified and not believed. An offset column must agree with the tied messages; a key must be
//! unique on both sides, and of two messages with one key only the very same count as copies.

use super::columns::Explanation;
use super::evidence::Evidence;
use super::keys::Keys;
use super::offsets::{Layout, layouts, verified};
use super::ties::Ties;
use super::window::window;
use crate::config::Profile;

/// How rows find their messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// By offset columns.
    Offset {
        /// The sink that keeps them so, where it is known.
        profile: Option<Profile>,
        /// Topic, partition and offset, as far as there are.
        columns: Vec<String>,
        /// Columns that the message's position explains.
        explained: Vec<String>,
        /// Parts of their struct that it does not.
        beside: Vec<String>,
    },
    /// By unique columns.
    Key {
        /// The columns.
        columns: Vec<String>,
        /// The time column.
        window: Option<String>,
    },
    /// By columns of which the table keeps the last version.
    Upsert {
        /// The columns.
        columns: Vec<String>,
    },
    /// By everything.
    Content {
        /// The time column.
        window: Option<String>,
    },
}

/// The choice and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// See [`Mode`].
    pub mode: Mode,
    /// What was seen, sentence by sentence.
    pub evidence: Vec<String>,
    /// What was not chosen, and why; what could not be decided.
    pub refused: Vec<String>,
}

/// Chooses.
pub fn choose(evidence: &Evidence, ties: &Ties, explained: &[Explanation]) -> Choice {
    let mut refused = Vec::new();
    for layout in layouts(evidence) {
        match verified(evidence, ties, &layout) {
            Ok(seen) => {
                let Layout { profile, topic, partition, offset, explained, beside, .. } = layout;
                let columns = [topic, partition, Some(offset)].into_iter().flatten().collect();
                let mode = Mode::Offset { profile, columns, explained, beside };
                return Choice { mode, evidence: seen, refused };
            }
            Err(why) => refused.push(why),
        }
    }
    refused.dedup();
    let (window, of_window) = window(evidence, explained);
    let keys = Keys::new(evidence, explained);
    // Where all is seen, rows of last versions only are no chance; in a part of it they may be, unless the table says so too.
    if let Some((columns, seen)) = keys.last_versions(ties).filter(|_| evidence.is_whole || evidence.claims.is_upsert())
    {
        return Choice { mode: Mode::Upsert { columns }, evidence: seen, refused };
    }
    if let Some((columns, seen)) = keys.of_compacted() {
        return Choice { mode: Mode::Upsert { columns }, evidence: seen, refused };
    }
    match keys.unique() {
        Some((columns, mut seen)) => {
            seen.extend(of_window);
            Choice { mode: Mode::Key { columns, window }, evidence: seen, refused }
        }
        None => {
            let mut seen = vec![
                "nothing is unique to a message: neither offset columns nor columns of ids; whole rows are counted, and of \
                 equal messages it cannot be told which one a row is of"
                    .to_owned(),
            ];
            seen.extend(keys.repeated());
            seen.extend(of_window);
            Choice { mode: Mode::Content { window }, evidence: seen, refused }
        }
    }
}

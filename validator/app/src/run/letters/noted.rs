//! What was read of dead letters: how far, and what they name.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use validator_core::contract::PositionNames;
use validator_engine::dead_letters::LettersRead;

/// What was read of them, kept beside the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LettersNotes {
    /// Where they are, as the pipeline file names it.
    pub source: String,
    /// What of a letter names a message: topic, partition and offset, by the names of their columns or headers; empty: noted by a build
    /// that did not keep them.
    #[serde(default)]
    pub(super) names: BTreeMap<String, String>,
    /// Whether any letter was taken for one of a message that is followed, ever: what was read may be counted anew.
    #[serde(default)]
    pub(super) has_diverted: bool,
    /// Of a topic: its id, as far as brokers tell one.
    pub(super) topic_id: Option<String>,
    /// Of a topic: by its partitions, the next offset.
    pub(super) positions: BTreeMap<i32, i64>,
    /// Of a topic: by its partitions, the first offset that there was where letters had gone unread.
    pub(super) gone: BTreeMap<i32, i64>,
    pub(super) letters: u64,
    pub(super) of_messages: u64,
    pub(super) outside: u64,
    pub(super) impossible: u64,
    pub(super) elsewhere: u64,
    pub(super) nameless: u64,
    /// Who put them aside.
    pub(super) connectors: BTreeSet<String>,
}

/// The names of a position by what they name.
pub(super) fn names_of(position: &PositionNames) -> BTreeMap<String, String> {
    let names = [
        ("topic", position.topic.as_ref()),
        ("partition", position.partition.as_ref()),
        ("offset", Some(&position.offset)),
    ];
    names.into_iter().filter_map(|(what, name)| Some((what.to_owned(), name?.clone()))).collect()
}

impl LettersNotes {
    /// Those that were kept, where they are others and what the ledger says is by them; for a person.
    pub fn other_names(&self, position: &PositionNames) -> Option<String> {
        let is_other = !self.names.is_empty() && self.names != names_of(position);
        (is_other && self.has_diverted).then(|| {
            let names: Vec<String> = self.names.iter().map(|(what, name)| format!("{what} in `{name}`")).collect();
            names.join(", ")
        })
    }

    /// Whether another part may go on from them: what was passed over by other names is read again.
    pub(super) fn is_by(&self, position: &PositionNames) -> bool {
        self.names.is_empty() || self.names == names_of(position)
    }

    /// Letters by what they name.
    pub fn read(&self) -> LettersRead {
        LettersRead {
            letters: self.letters,
            inside: self.of_messages,
            outside: self.outside,
            impossible: self.impossible,
            elsewhere: self.elsewhere,
            nameless: self.nameless,
        }
    }

    /// What should be known of those that are gone: they say nothing of their messages any more.
    pub fn warnings(&self) -> Vec<String> {
        let gone = self.gone.iter().map(|(partition, start)| {
            let source = &self.source;
            format!(
                "dead letters of {source}[{partition}] before offset {start} were gone before they were read: messages that \
                 only they name are not diverted here"
            )
        });
        gone.collect()
    }

    /// Adds those of a part.
    pub(super) fn add(&mut self, read: &LettersRead) {
        self.letters += read.letters;
        self.of_messages += read.inside;
        self.has_diverted |= self.of_messages > 0;
        self.outside += read.outside;
        self.impossible += read.impossible;
        self.elsewhere += read.elsewhere;
        self.nameless += read.nameless;
    }
}

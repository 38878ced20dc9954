//! What a service asks a shadow, or what was saved of one, to serve it.

use std::collections::{BTreeMap, BTreeSet};

use super::Shadow;
use super::delta::{Damaged, FileChange, Saved};
use super::event::CannotLook;
use super::file::{FileFacts, FileId};
use super::files::KnownFile;
use super::lane::Lane;
use super::residue::Residue;
use super::standing::NoLook;
use super::state_codec::State;
use super::terms::Terms;
use crate::finding::FindingId;
use crate::judge::Draft;
use crate::segment::SegmentKey;

impl Shadow {
    /// What is known of a live file.
    pub fn file(&self, file: FileId) -> Option<&FileFacts> {
        self.files.named(file).map(|file| &file.facts)
    }

    /// What the judge says of these findings, where it says something.
    pub fn drafts_of<'a>(&'a self, ids: &BTreeSet<FindingId>) -> BTreeMap<FindingId, &'a Draft> {
        let ids_of = self.findings().into_iter().filter_map(|(key, draft)| Some((self.id_of(&key)?, draft)));
        ids_of.filter(|(id, _)| ids.contains(id)).collect()
    }

    /// What it takes from the contract.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What the service keeps beside the state.
    pub fn notes(&self) -> &str {
        &self.notes
    }

    /// Keeps words of the service beside the state: they are in the next checkpoint.
    pub fn set_notes(&mut self, notes: String) {
        self.notes = notes;
    }

    /// Goes on by other terms: settle, give-up, or whether every partition is followed from its first message. By another settle,
    /// or where something else says when rows should have come, nothing is known of the rows that are there but that nobody knows
    /// whether they are late.
    pub fn set_terms(&mut self, terms: Terms) {
        if (terms.settle_ms, terms.timed) != (self.terms.settle_ms, self.terms.timed) {
            self.forget_late();
        }
        self.terms = terms;
        self.recount_all();
        self.recount_keys();
        self.forget_judged();
    }

    /// What is not there says nothing of messages: the instant that the shadow judges by stands still.
    pub(super) fn not_looked(&mut self, at_ms: i64, what: CannotLook) {
        let since_ms = self.cannot_look.filter(|before| before.what == what).map_or(at_ms, |before| before.since_ms);
        self.cannot_look = Some(NoLook { what, since_ms });
    }

    /// Asks once more for what could not be read: the process begins anew, or the table has another schema. What is said of it
    /// stands until then.
    pub fn ask_anew(&mut self) {
        let unreadable = self.residues.iter().filter(|(_, residue)| residue.unreadable && !residue.whole);
        let again: Vec<(SegmentKey, Residue)> =
            unreadable.map(|(key, residue)| (*key, Residue { whole: true, ..residue.clone() })).collect();
        for (key, residue) in again {
            self.put_residue(key, Some(residue));
        }
        self.recount_touched();
    }

    /// The number of the last checkpoint that the ledger has.
    pub fn checkpoint(&self) -> u64 {
        self.checkpoint
    }
}

/// What the service kept beside a state that was saved.
///
/// # Errors
/// It is damaged.
pub fn notes_of(state: &[u8]) -> Result<String, Damaged> {
    State::from_bytes(state).map(|state| state.notes)
}

impl Saved {
    /// The partitions, before a shadow is restored: it needs them opened.
    ///
    /// # Errors
    /// They are damaged.
    pub fn opened_lanes(&self) -> Result<Vec<Lane>, Damaged> {
        self.lanes.iter().map(|row| Lane::from_bytes(row.tp.clone(), &row.body)).collect()
    }
}

impl FileChange {
    /// What the manifest said of the file.
    ///
    /// # Errors
    /// It is damaged.
    pub fn file_facts(&self) -> Result<FileFacts, Damaged> {
        KnownFile::from_bytes(self.id, self.path.clone(), &self.facts).map(|file| file.facts)
    }
}

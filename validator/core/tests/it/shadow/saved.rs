//! The ledger of the simulation: what a crash leaves.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::shadow::Shadow;
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::page::{Page, PageKey};

use super::machine::Machine;

/// The last checkpoint.
#[derive(Default)]
pub struct Ledger {
    last: Option<Checkpoint>,
}

struct Checkpoint {
    shadow: Shadow,
    bodies: BTreeMap<FileId, FileBags>,
    of_story: BTreeMap<FileId, usize>,
    seen: BTreeSet<usize>,
}

impl Ledger {
    /// A page that the shadow let go.
    pub fn page(&self, _: &PageKey) -> Option<Page> {
        None
    }
}

impl Machine<'_> {
    pub fn save(&mut self) {
        self.ledger.last = Some(Checkpoint {
            shadow: self.shadow.clone(),
            bodies: self.bodies.clone(),
            of_story: self.of_story.clone(),
            seen: self.seen.clone(),
        });
    }

    /// The process dies and begins again with what the ledger has.
    pub fn crash(&mut self) {
        let last = self.ledger.last.as_ref().expect("it was saved at the start");
        self.log.push("crash".to_owned());
        self.shadow = last.shadow.clone();
        self.bodies = last.bodies.clone();
        self.of_story = last.of_story.clone();
        self.seen = last.seen.clone();
        self.look = None;
        self.inflight.clear();
    }
}

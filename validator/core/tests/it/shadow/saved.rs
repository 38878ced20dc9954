//! The ledger of the simulation: rows by key, as bytes; what a crash leaves.

use std::collections::BTreeMap;

use validator_core::finding::FindingId;
use validator_core::position::PartitionIndex;
use validator_core::segment::SegmentKey;
use validator_core::shadow::Shadow;
use validator_core::shadow::delta::{
    Change, Delta, FileChange, FileStanding, FindingChange, LaneRow, PageRow, ResidueRow, RunChange, Saved,
};
use validator_core::shadow::event::Why;
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::told::{OpenFinding, is_of_event};
use validator_core::verdict::{MessageVerdict, Verdict};

use super::machine::{Bug, Machine, terms};

/// See the module.
#[derive(Default, Clone)]
pub struct Ledger {
    checkpoint: u64,
    state: Vec<u8>,
    totals: Vec<u8>,
    lanes: BTreeMap<PartitionIndex, LaneRow>,
    pages: BTreeMap<PageKey, PageRow>,
    files: BTreeMap<FileId, FileChange>,
    bodies: BTreeMap<FileId, Vec<u8>>,
    residues: BTreeMap<SegmentKey, Vec<u8>>,
    pub findings: BTreeMap<FindingId, FindingChange>,
    runs: BTreeMap<SegmentKey, RunChange>,
    steps: Vec<(usize, Why)>,
    lost_sight: bool,
    letters: usize,
}

impl Ledger {
    /// A page that the shadow let go.
    pub fn page(&self, key: &PageKey) -> Option<Page> {
        self.pages.get(key).map(|row| Page::from_bytes(&row.body).expect("as it was written"))
    }

    /// The open finding of each id is the last word on it.
    fn write(&mut self, delta: Delta) {
        assert_eq!(delta.checkpoint, self.checkpoint + 1, "checkpoints have numbers without gaps");
        self.checkpoint = delta.checkpoint;
        (self.state, self.totals) = (delta.state, delta.totals);
        self.lanes.extend(delta.lanes.into_iter().map(|row| (row.lane, row)));
        self.pages.extend(delta.pages.into_iter().map(|row| (row.key, row)));
        for row in delta.files_new {
            assert!(!self.files.contains_key(&row.file.id), "the number of a file is used once");
            self.bodies.insert(row.file.id, row.body);
            self.files.insert(row.file.id, row.file);
        }
        for change in delta.files_changed {
            assert!(self.files.insert(change.id, change).is_some(), "a file that changes is known");
        }
        for row in delta.residues {
            match row.body {
                Some(body) => drop(self.residues.insert(row.segment, body)),
                None => drop(self.residues.remove(&row.segment)),
            }
        }
        for change in delta.findings {
            match change.change {
                Change::Resolved => {
                    assert!(self.findings.remove(&change.id).is_some(), "what is resolved was open: {change:?}");
                }
                Change::Opened | Change::Changed => drop(self.findings.insert(change.id.clone(), change)),
            }
        }
        for change in delta.runs {
            match change.change {
                Change::Resolved => drop(self.runs.remove(&change.segment)),
                Change::Opened | Change::Changed => drop(self.runs.insert(change.segment, change)),
            }
        }
    }

    fn saved(&self) -> Saved {
        let live = self.files.values().filter(|file| !matches!(file.standing, FileStanding::Gone { .. }));
        let residues = self.residues.iter();
        let states = self.findings.values().filter(|finding| !is_of_event(finding.verdict, &finding.facts));
        Saved {
            checkpoint: self.checkpoint,
            state: self.state.clone(),
            lanes: self.lanes.values().cloned().collect(),
            pages: self.pages.values().filter(|row| row.unsettled).cloned().collect(),
            files: live.cloned().collect(),
            residues: residues
                .map(|(segment, body)| ResidueRow { segment: *segment, body: Some(body.clone()) })
                .collect(),
            findings: states.map(OpenFinding::from).collect(),
            runs: self.runs.values().cloned().collect(),
            totals: self.totals.clone(),
        }
    }
}

impl Machine<'_> {
    /// A checkpoint; what is restored from it must be what was saved (I4).
    pub fn save(&mut self) {
        self.ledger.write(self.shadow.delta());
        self.ledger.steps.clone_from(&self.steps);
        self.ledger.lost_sight = self.lost_sight;
        self.ledger.letters = self.letters;
        self.shadow.saved(self.ledger.checkpoint);
        let mut settled = self.shadow.clone();
        settled.let_go();
        assert!(settled == self.restored(), "I4: what was restored is not what was saved");
        self.check_listed();
        // Pages come and go in a service; here they go as often as they can.
        self.shadow = settled;
    }

    /// What a report asserts of any checkpoint: as many messages as count with a verdict are in findings, in runs or said to be unlisted.
    fn check_listed(&self) {
        let standing = self.shadow.standing();
        let counts_alone = [MessageVerdict::Pending, MessageVerdict::Intact, MessageVerdict::Excluded];
        for verdict in MessageVerdict::ALL.iter().filter(|verdict| !counts_alone.contains(verdict)) {
            let of = Verdict::Message(*verdict);
            let findings = self.ledger.findings.values().filter(|finding| finding.verdict == of).count() as u64;
            let runs: u64 = self.ledger.runs.values().filter(|run| run.verdict == of).map(|run| run.messages).sum();
            let unlisted = standing.unlisted.get(verdict).copied().unwrap_or(0);
            let counted = standing.messages().of(*verdict);
            assert_eq!(
                findings + runs + unlisted,
                counted,
                "I1: {findings} findings and {unlisted} others are {verdict}"
            );
        }
    }

    fn restored(&self) -> Shadow {
        match Shadow::restore(terms(self.world.story, self.world.mode), self.ledger.saved()) {
            Ok(shadow) => shadow,
            Err(broken) => panic!("{broken}"),
        }
    }

    /// The process dies and begins again with what the ledger has.
    pub fn crash(&mut self) {
        self.log.push("crash".to_owned());
        self.shadow = self.restored();
        let bodies = self.ledger.bodies.iter();
        self.bodies = bodies.map(|(id, body)| (*id, FileBags::from_bytes(body).expect("as it was written"))).collect();
        let number = |path: &str| self.world.story.files.iter().position(|file| file.path == path);
        let files = self.ledger.files.values();
        self.of_story = files.map(|file| (file.id, number(&file.path).expect("a file of the story"))).collect();
        self.steps.clone_from(&self.ledger.steps);
        self.lost_sight = self.ledger.lost_sight;
        if self.bug != Bug::LettersLost {
            self.letters = self.ledger.letters;
        }
        self.look = None;
        (self.readers, self.batches) = (self.positions(), Vec::new());
        self.inflight.clear();
    }

    /// A crash of a ledger that is not one transaction: positions are new, bags are old.
    pub fn crash_without_bags(&mut self) {
        let lanes = self.shadow.delta().lanes;
        self.ledger.lanes.extend(lanes.into_iter().map(|row| (row.lane, row)));
        self.crash();
    }
}

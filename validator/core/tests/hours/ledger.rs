//! The ledger of the simulated hours: rows by key, as bytes. It forgets files that are gone, as the real one does.

use std::collections::BTreeMap;

use validator_core::finding::FindingId;
use validator_core::position::PartitionIndex;
use validator_core::segment::SegmentKey;
use validator_core::shadow::delta::{
    Change, Delta, FileChange, FileStanding, FindingChange, LaneRow, PageRow, ResidueRow, RunChange, Saved,
};
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::told::OpenFinding;

/// See the module.
#[derive(Default)]
pub struct Ledger {
    pub checkpoint: u64,
    state: Vec<u8>,
    totals: Vec<u8>,
    lanes: BTreeMap<PartitionIndex, LaneRow>,
    pages: BTreeMap<PageKey, PageRow>,
    files: BTreeMap<FileId, FileChange>,
    bodies: BTreeMap<FileId, Vec<u8>>,
    residues: BTreeMap<SegmentKey, Vec<u8>>,
    pub findings: BTreeMap<FindingId, FindingChange>,
    pub runs: BTreeMap<SegmentKey, RunChange>,
}

impl Ledger {
    pub fn page(&self, key: &PageKey) -> Option<Page> {
        self.pages.get(key).map(|row| Page::from_bytes(&row.body).expect("as it was written"))
    }

    /// Bytes of its greatest page.
    pub fn page_bytes_max(&self) -> usize {
        self.pages.values().map(|row| row.body.len()).max().unwrap_or(0)
    }

    pub fn body(&self, file: FileId) -> FileBags {
        FileBags::from_bytes(&self.bodies[&file]).expect("as it was written")
    }

    pub fn write(&mut self, delta: Delta) {
        assert_eq!(delta.checkpoint, self.checkpoint + 1, "checkpoints have numbers without gaps");
        self.checkpoint = delta.checkpoint;
        (self.state, self.totals) = (delta.state, delta.totals);
        self.lanes.extend(delta.lanes.into_iter().map(|row| (row.lane, row)));
        self.pages.extend(delta.pages.into_iter().map(|row| (row.key, row)));
        for row in delta.files_new {
            self.bodies.insert(row.file.id, row.body);
            self.put(row.file);
        }
        delta.files_changed.into_iter().for_each(|change| self.put(change));
        for row in delta.residues {
            match row.body {
                Some(body) => drop(self.residues.insert(row.segment, body)),
                None => drop(self.residues.remove(&row.segment)),
            }
        }
        for change in delta.findings {
            match change.change {
                Change::Resolved => drop(self.findings.remove(&change.id).expect("what is resolved was open")),
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

    fn put(&mut self, file: FileChange) {
        if matches!(file.standing, FileStanding::Gone { .. }) {
            self.bodies.remove(&file.id);
            self.files.remove(&file.id);
        } else {
            self.files.insert(file.id, file);
        }
    }

    pub fn saved(&self) -> Saved {
        let residue =
            |(segment, body): (&SegmentKey, &Vec<u8>)| ResidueRow { segment: *segment, body: Some(body.clone()) };
        Saved {
            checkpoint: self.checkpoint,
            state: self.state.clone(),
            lanes: self.lanes.values().cloned().collect(),
            pages: self.pages.values().filter(|row| row.unsettled).cloned().collect(),
            files: self.files.values().cloned().collect(),
            residues: self.residues.iter().map(residue).collect(),
            findings: self.findings.values().map(OpenFinding::from).collect(),
            runs: self.runs.values().cloned().collect(),
            totals: self.totals.clone(),
        }
    }
}

/// Bytes that a process reads when it begins again.
pub fn bytes_of(saved: &Saved) -> usize {
    let lanes = saved.lanes.iter().map(|row| row.body.len());
    let pages = saved.pages.iter().map(|row| row.body.len());
    let files = saved.files.iter().map(|row| row.path.len() + row.facts.len());
    let residues = saved.residues.iter().filter_map(|row| row.body.as_ref()).map(Vec::len);
    saved.state.len() + saved.totals.len() + lanes.chain(pages).chain(files).chain(residues).sum::<usize>()
}

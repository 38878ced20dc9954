//! Findings about files and the table: what a scan and a pin say, told as long as it is true.
//!
//! Contract: what is known of a file counts while the file is live; what a pin says counts until the next one. The sentences are
//! those of a single run. What the ledger was told stands beside them in the notes, so that a restart tells nothing twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use validator_core::finding::{Finding, FindingId};
use validator_core::shadow::Shadow;
use validator_core::shadow::delta::{Change, FindingChange, FindingPlace};
use validator_core::verdict::{TableVerdict, Verdict};
use validator_engine::live::scan::FileScan;
use validator_ledger::Evidence;
use validator_table::Pinned;

use crate::table_findings::{sentences, together};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableNotes {
    /// By data file.
    of_files: BTreeMap<String, Vec<Said>>,
    /// Of the last pin.
    of_snapshot: Vec<Said>,
    /// By id of the finding: what the ledger was told.
    told: BTreeMap<String, Said>,
}

/// A sentence about a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    verdict: String,
    path: String,
    sentence: String,
}

/// What changes in the ledger.
#[derive(Debug, Default)]
pub struct TableChanges {
    /// Findings that open, change or are resolved.
    pub changes: Vec<FindingChange>,
    /// Their values.
    pub evidence: Vec<Evidence>,
    told: BTreeMap<String, Said>,
}

impl TableNotes {
    /// A file was read.
    pub fn scanned(&mut self, scan: &FileScan) {
        let found = sentences(scan.faults.iter().map(|fault| (fault, 0)), scan.findings.iter());
        let path = scan.scanned.facts.path.clone();
        match found.is_empty() {
            true => drop(self.of_files.remove(&path)),
            false => drop(self.of_files.insert(path, found.into_iter().map(said).collect())),
        }
    }

    /// A snapshot was applied.
    pub fn pinned(&mut self, pinned: &Pinned, shadow: &Shadow) {
        self.of_snapshot = sentences(std::iter::empty(), pinned.findings.iter()).into_iter().map(said).collect();
        self.of_files.retain(|path, _| shadow.is_live(path));
    }

    /// What the ledger is to be told now.
    pub fn changes(&self, pipeline: &str, pinned: &Pinned, shadow: &Shadow) -> TableChanges {
        let live = self.of_files.iter().filter(|(path, _)| shadow.is_live(path)).flat_map(|(_, said)| said);
        let all = live
            .chain(&self.of_snapshot)
            .filter_map(|said| Some((verdict_of(&said.verdict)?, said.path.clone(), said.sentence.clone())));
        let now = together(pipeline, pinned, all.collect());
        let at_ms = shadow.judged_at_ms();
        let mut changes = TableChanges::default();
        for finding in &now {
            let Verdict::Table(verdict) = finding.verdict else { continue };
            let path = finding.rows.first().map_or_else(String::new, |row| row.file.clone());
            let said = said((verdict, path, finding.detail.clone()));
            let change = match self.told.get(finding.id.as_str()) {
                None => Some(Change::Opened),
                Some(before) if *before != said => Some(Change::Changed),
                Some(_) => None,
            };
            if let Some(change) = change {
                changes.changes.push(changed(finding.id.clone(), &said, verdict, change, at_ms));
                changes.evidence.extend(values(finding));
            }
            changes.told.insert(finding.id.as_str().to_owned(), said);
        }
        for (id, said) in self.told.iter().filter(|(id, _)| !changes.told.contains_key(*id)) {
            if let (Some(id), Some(verdict)) = (FindingId::from_digits(id), verdict_of(&said.verdict)) {
                changes.changes.push(changed(id, said, verdict, Change::Resolved, at_ms));
            }
        }
        changes
    }

    /// The notes as they stand beside these changes in the ledger.
    pub fn with(&self, changes: &TableChanges) -> Self {
        Self { told: changes.told.clone(), ..self.clone() }
    }
}

fn said((verdict, path, sentence): (TableVerdict, String, String)) -> Said {
    Said { verdict: verdict.as_str().to_owned(), path, sentence }
}

fn verdict_of(word: &str) -> Option<TableVerdict> {
    TableVerdict::ALL.iter().copied().find(|verdict| verdict.as_str() == word)
}

fn changed(id: FindingId, said: &Said, verdict: TableVerdict, change: Change, at_ms: i64) -> FindingChange {
    let facts = if change == Change::Resolved { Vec::new() } else { said.sentence.clone().into_bytes() };
    let place = FindingPlace::Table { path: said.path.clone() };
    FindingChange { id, verdict: Verdict::Table(verdict), cause: None, place, change, at_ms, facts }
}

fn values(finding: &Finding) -> Option<Evidence> {
    let body = serde_json::to_vec(finding).ok()?;
    Some(Evidence { finding: finding.id.clone(), of: None, cause: finding.cause, about: None, body })
}

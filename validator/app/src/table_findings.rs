//! Findings about files and the table: parts that cannot be read, and files that contradict their manifests.
//!
//! Contract: one finding per verdict and path; several causes at one path are one finding with all of them in its
//! sentence. What cannot be looked at for its codec, format or store is no finding: it says nothing about the table.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::finding::Finding;
use validator_core::verdict::{TableVerdict, Verdict};
use validator_engine::reconcile::Reconciled;
use validator_table::{FaultKind, FileFault, Pinned, TableFinding};

use crate::render::{count, counted};

/// The findings of a run about the table.
pub fn table_findings(pipeline: &str, pinned: &Pinned, run: &Reconciled) -> Vec<Finding> {
    let explained = |place: usize| run.explained.get(place).copied().unwrap_or(0);
    let faults = run.faults.iter().enumerate().map(|(place, (_, fault))| (fault, explained(place)));
    findings_of(pipeline, pinned, faults, &run.table_findings)
}

/// The findings of these faults, each with the missing messages that it explains, and of what was found beside them.
pub fn findings_of<'a>(
    pipeline: &str,
    pinned: &'a Pinned,
    faults: impl Iterator<Item = (&'a FileFault, u64)>,
    found: &'a [TableFinding],
) -> Vec<Finding> {
    let mut details: BTreeMap<(TableVerdict, &str), Vec<String>> = BTreeMap::new();
    for (path, lost) in lost_by_path(faults) {
        details.entry((TableVerdict::StorageCorrupt, path)).or_default().push(lost.sentence());
    }
    for finding in pinned.findings.iter().chain(found) {
        details.entry((finding.verdict, &finding.path)).or_default().push(finding.detail.clone());
    }
    let finding = |((verdict, path), mut sentences): ((TableVerdict, &str), Vec<String>)| {
        sentences.sort();
        sentences.dedup();
        let mut finding = Finding::of_table(pipeline, Verdict::Table(verdict), None, path);
        if let Some(file) = pinned.files.iter().find(|file| file.path == path) {
            finding.snapshot_id = Some(file.snapshot_id);
            finding.operation = file.added_by.as_ref().map(|by| by.operation.clone());
        }
        finding.detail = sentences.join("; ");
        finding
    };
    details.into_iter().map(finding).collect()
}

/// What is lost of one file.
#[derive(Default)]
struct Lost<'a> {
    /// Parts by their row groups (none: the whole file): why, and how many rows.
    parts: BTreeMap<Option<&'a [u32]>, &'a FileFault>,
    /// Missing messages that the losses explain.
    explained: u64,
}

/// The manifest's bounds are those of the file, so that its lost row groups explain messages together.
fn lost_by_path<'a>(faults: impl Iterator<Item = (&'a FileFault, u64)>) -> BTreeMap<&'a str, Lost<'a>> {
    let mut lost: BTreeMap<&str, Lost<'_>> = BTreeMap::new();
    for (fault, explained) in faults {
        if fault.kind != FaultKind::Unreadable {
            let of_file = lost.entry(&fault.path).or_default();
            of_file.parts.insert(fault.row_groups.as_deref(), fault);
            of_file.explained += explained;
        }
    }
    lost
}

impl Lost<'_> {
    fn sentence(&self) -> String {
        let reasons: BTreeSet<&str> = self.parts.values().map(|fault| fault.detail.as_str()).collect();
        let mut sentence = reasons.into_iter().collect::<Vec<_>>().join("; ");
        let rows: Option<u64> = self.parts.values().map(|fault| fault.rows).sum();
        if let Some(rows) = rows {
            let are = if rows == 1 { "is" } else { "are" };
            sentence += &format!("; {} {are} lost", counted(rows, "row", "rows"));
            if self.explained > rows {
                let explained = count(self.explained);
                sentence += &format!(", {explained} missing messages lie in its bounds: more than it held");
            }
        }
        sentence
    }
}

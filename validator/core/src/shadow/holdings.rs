//! How much a shadow holds in memory, by kind.
//!
//! Contract: counts, not bytes; none of them follows from what a topic carried before, but from what is open, live or unsaved now. What a
//! partition says of its settled pages ([`super::lane::Lane::proven`]) is the one thing that grows with the log: an entry a page.

use super::Shadow;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// Pages of segments: all that are not settled, and settled ones up to [`crate::limits::PAGES_HELD_MAX`].
    pub pages: usize,
    /// Slips of rows of segments that are not balanced, and of files that wait.
    pub slips: usize,
    /// Live files.
    pub files_live: u64,
    /// Files that were scanned and are not live.
    pub files_waiting: usize,
    /// Bodies of files, and files that went, that no checkpoint has.
    pub files_unsaved: usize,
    /// Disputed segments that were read.
    pub residues: usize,
    /// What is kept of them: messages and rows.
    pub entries: usize,
    /// Findings that the ledger was told of and that are open.
    pub findings_told: usize,
    /// Findings of events that no checkpoint has.
    pub news: usize,
    /// Whole segments with one verdict.
    pub runs: usize,
    /// Versions of keys, of pages that are held.
    pub versions: usize,
}

impl Shadow {
    /// What is held now.
    pub fn holdings(&self) -> Holdings {
        let segments = self.pages.iter().flat_map(|(_, page)| page.iter());
        Holdings {
            pages: self.pages.iter().count(),
            slips: self.pages.slips() + self.files.waiting.values().map(super::files::KnownFile::held).sum::<usize>(),
            files_live: self.files.counts().live,
            files_waiting: self.files.waiting.len(),
            files_unsaved: self.unsaved.scanned.len() + self.unsaved.came.len() + self.unsaved.went.len(),
            residues: self.residues.iter().count(),
            entries: self.residues.entries(),
            findings_told: self.unsaved.told.len(),
            news: self.news.len(),
            runs: self.runs().len(),
            versions: segments.flat_map(|(_, segment)| segment.keys.iter()).map(|(_, versions)| versions.len()).sum(),
        }
    }
}

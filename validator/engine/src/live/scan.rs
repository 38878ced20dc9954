//! Reading chosen files into bags of their own.

use validator_core::position::FileIndex;
use validator_core::shadow::event::Scanned;
use validator_table::{FileFault, TableFinding};

use super::lanes::Lanes;
use crate::reconcile::{Run, RunError};

/// One file, read.
#[derive(Debug, Clone)]
pub struct FileScan {
    /// Its place in the pinned snapshot.
    pub file: FileIndex,
    /// The event.
    pub scanned: Scanned,
    /// Its parts that cannot be read, as a single run tells them.
    pub faults: Vec<FileFault>,
    /// Where it contradicts its manifest entry, and what is wrong with its delete files.
    pub findings: Vec<TableFinding>,
    /// Its object is not there. Of a snapshot that is not the head: it may have been expired meanwhile.
    pub is_gone: bool,
}

/// Why files, segments or evidence could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The object store fails: nothing is known, and it is to be tried again.
    #[error("read {path}: {detail}")]
    Store {
        /// The file.
        path: String,
        /// What the store says.
        detail: String,
    },
    /// The reading failed.
    #[error("read both sides")]
    Run(#[from] RunError),
}

impl Run {
    /// These files in portions of one pass each, in their order.
    pub fn scan_portions(&self, files: &[FileIndex]) -> Vec<Vec<FileIndex>> {
        let _ = files;
        todo!()
    }

    /// Reads these files of the pinned snapshot in one pass.
    ///
    /// # Errors
    /// [`LookError`]; what is wrong with a file is in its scan.
    pub async fn scan_files(&self, lanes: &Lanes, files: &[FileIndex]) -> Result<Vec<FileScan>, LookError> {
        let _ = (lanes, files);
        todo!()
    }
}

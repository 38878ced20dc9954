//! Deletes of rows: position delete files and deletion vectors, planned per data file and read when the file is opened.
//!
//! Contract: what a delete file says is never left out. Where one that may touch a data file cannot be read, that data
//! file cannot be looked at; its rows are never read as if they were all live. Source: Iceberg specification, "Scan
//! Planning", "Position Delete Files" and "Deletion Vectors"; decision 0011.

mod load;
mod plan;
mod position;
mod puffin;
mod shown;
mod vector;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringTreemap;

use crate::manifest::inconsistent;
use crate::reader::footer::whole;
use crate::{DataFile, FaultKind, FileFault, TableFinding};

pub(crate) use load::Loader;
pub(crate) use plan::Plan;
pub(crate) use shown::{Mask, Shown};

/// The deletes of a pinned snapshot.
#[derive(Debug)]
pub(crate) struct Deletes {
    pub plan: Plan,
    pub loader: Loader,
    found: Mutex<BTreeSet<TableFinding>>,
}

/// What deletes say of one data file.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileDeletes {
    pub shown: Shown,
    /// The largest position of each delete file, to be held against the data file's rows.
    pub largest: Vec<(String, u64)>,
}

/// Positions that one delete file takes away, by the canonical location of their data file.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub by_path: HashMap<String, Arc<RoaringTreemap>>,
    /// Where it contradicts its manifest entry or the specification though its positions are certain.
    pub findings: Vec<TableFinding>,
}

/// Why it is not known which rows of a data file are deleted.
#[derive(Debug, Clone)]
pub(crate) struct Unknown {
    /// The delete file.
    pub path: String,
    pub detail: String,
    /// What it says about the table; none where we are who cannot look.
    pub finding: Option<Box<TableFinding>>,
    /// Whether a later look may read it.
    pub may_pass: bool,
}

impl Deletes {
    pub(crate) fn new(plan: Plan, loader: Loader) -> Self {
        Self { plan, loader, found: Mutex::default() }
    }

    /// The deletes of a live data file.
    ///
    /// # Errors
    /// The fault of the whole data file: a delete file that may touch it cannot be read.
    pub(crate) async fn of(&self, file: &DataFile) -> Result<FileDeletes, FileFault> {
        let deletes = self.loader.of(&self.plan, file).await;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match deletes {
            Ok((deletes, findings)) => {
                found.extend(findings);
                Ok(deletes)
            }
            Err(unknown) => {
                found.extend(unknown.finding.map(|finding| *finding));
                let (path, why) = (&unknown.path, &unknown.detail);
                let detail = format!("which of its rows are deleted is not known: {path}: {why}");
                let fault = whole(file, FaultKind::Unreadable, detail);
                Err(FileFault { may_pass: unknown.may_pass, ..fault })
            }
        }
    }

    /// What is wrong with the delete files that were read so far.
    pub(crate) fn findings(&self) -> Vec<TableFinding> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl FileDeletes {
    /// Positions at or behind the data file's last row: they delete nothing, and whoever wrote them saw another file.
    pub(crate) fn out_of_range(&self, file: &DataFile, rows: u64) -> Vec<TableFinding> {
        let beyond = self.largest.iter().filter(|(_, largest)| *largest >= rows);
        let finding = |(path, largest): &(String, u64)| {
            let detail = format!("it deletes row {largest} of {}, which has {rows} rows", file.path);
            inconsistent("delete_out_of_range", path, detail)
        };
        beyond.map(finding).collect()
    }
}

impl Unknown {
    /// A delete file that a fault keeps from being read.
    pub(crate) fn of_fault(fault: FileFault) -> Self {
        let mut finding = fault.finding().map(Box::new);
        if let Some(finding) = &mut finding {
            // Rows of a delete file are no rows of the table.
            (finding.rows, finding.row_groups) = (None, Vec::new());
            finding.detail = format!("{}; which rows it deletes is not known", fault.detail);
        }
        Self { path: fault.path, detail: fault.detail, finding, may_pass: fault.may_pass }
    }

    /// A delete file that contradicts what names it.
    pub(crate) fn inconsistent(cause: &'static str, path: &str, detail: String) -> Self {
        let finding = inconsistent(cause, path, format!("{detail}; which rows it deletes is not known"));
        Self { path: path.to_owned(), detail, finding: Some(finding.into()), may_pass: false }
    }
}

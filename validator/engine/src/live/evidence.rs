//! Findings of a shadow with all that a single run tells of them.

use std::collections::BTreeMap;
use std::ops::Range;

use validator_core::finding::Finding;
use validator_core::judge::Draft;
use validator_core::position::{MessageAt, PartitionIndex};
use validator_core::shadow::file::FileId;
use validator_core::verdict::{Cause, MessageVerdict};

use super::scan::LookError;
use crate::reconcile::Run;

/// Messages of a whole segment that have one verdict: a run of findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Of which partition.
    pub partition: PartitionIndex,
    /// The consumed part of the segment.
    pub offsets: Range<i64>,
    /// What is true of them.
    pub verdict: MessageVerdict,
    /// Why.
    pub cause: Option<Cause>,
}

impl Run {
    /// The findings of these drafts, whose rows name files by [`FileId`]; none where a file is no longer live. `paths` are
    /// those of the files; `details` say why messages are undecodable.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn evidence(
        &self,
        paths: &BTreeMap<FileId, String>,
        drafts: &[Draft],
        details: BTreeMap<MessageAt, String>,
    ) -> Result<Vec<Option<Finding>>, LookError> {
        let _ = (paths, drafts, details);
        todo!()
    }

    /// The drafts of a whole segment's judged messages, which are read for it.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn drafts_of(&self, whole: &Whole) -> Result<Vec<Draft>, LookError> {
        let _ = whole;
        todo!()
    }
}

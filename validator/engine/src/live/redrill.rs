//! Answers to drills: messages and rows of disputed segments, read again for all that is asked at once.

use std::collections::BTreeMap;

use validator_core::segment::SegmentKey;
use validator_core::shadow::action::DrillAsk;
use validator_core::shadow::event::Drilled;
use validator_core::shadow::file::{FileFacts, FileId};
use validator_table::{FileFault, ManifestCache};

use super::lanes::Lanes;
use super::scan::LookError;
use crate::reconcile::Run;

/// What a round of drills found.
#[derive(Debug, Default)]
pub struct Redrilled {
    /// The answers, in the order of the asks.
    pub answers: Vec<Drilled>,
    /// Segments that ask for a file which is not live in the pinned snapshot: not answered.
    pub stale: Vec<SegmentKey>,
    /// Parts of live files that cannot be read; answers are without them. Those that were not known at the scan make it due
    /// again.
    pub faults: Vec<(FileId, FileFault)>,
}

impl Run {
    /// Answers these asks in one pass over the messages and one over the rows. `files` are the facts of all files that are
    /// asked for, live and gone.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn redrill(
        &self,
        lanes: &Lanes,
        files: &BTreeMap<FileId, FileFacts>,
        cache: &ManifestCache,
        asks: &[DrillAsk],
    ) -> Result<Redrilled, LookError> {
        let _ = (lanes, files, cache, asks);
        todo!()
    }
}

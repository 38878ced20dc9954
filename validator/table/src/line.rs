//! From where a continuous run is in the table's history to its head: the snapshots to step over, oldest first.

use validator_core::shadow::Line;
use validator_core::shadow::event::{SnapshotFact, Why};

use crate::snapshot::SnapshotSelector;
use crate::table::{Table, TableError};

/// A snapshot to make the live set of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepPlan {
    /// The snapshot.
    pub snapshot: SnapshotFact,
    /// How it follows the one before.
    pub why: Why,
}

impl Table {
    /// The snapshots between a run's last step and the head that `head` names, oldest first; none where it is there.
    ///
    /// # Errors
    /// There is no such head.
    pub fn steps(&self, line: &Line, head: &SnapshotSelector) -> Result<Vec<StepPlan>, TableError> {
        let _ = (line, head);
        todo!()
    }
}

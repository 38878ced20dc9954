//! What a checkpoint writes.

use validator_core::finding::FindingId;
use validator_core::position::PartitionIndex;
use validator_core::shadow::delta::Delta;
use validator_core::shadow::told::FactsHash;
use validator_core::verdict::Cause;

use crate::alerts::AlertChange;
use crate::group::About;
use crate::marks::Mark;
use crate::outbox::Mail;
use crate::prune::Keep;

/// Everything of one checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Posting<'a> {
    /// What the state machine says.
    pub delta: &'a Delta,
    /// Values of findings that were read since. Of a finding that the ledger does not know they are left out: it opened and
    /// was resolved between two checkpoints.
    pub evidence: &'a [Evidence],
    /// Alerts whose state changed.
    pub alerts: &'a [AlertChange],
    /// Messages for people, to be sent after this is committed.
    pub mail: &'a [Mail],
    /// What people decided since.
    pub marks: &'a [Mark],
    /// Numbers of decisions that waited and are among `marks`: they wait no longer.
    pub taken: &'a [i64],
    /// Of a fleet: lanes and the positions below which their parcels are part of this checkpoint.
    pub parcels: &'a [(PartitionIndex, i64)],
    /// What of its own history the ledger keeps; none: all.
    pub keep: Option<Keep>,
    /// The wall clock, milliseconds since the epoch.
    pub at_ms: i64,
}

impl<'a> Posting<'a> {
    /// A delta and nothing else.
    pub fn of(delta: &'a Delta, at_ms: i64) -> Self {
        Self { delta, evidence: &[], alerts: &[], mail: &[], marks: &[], taken: &[], parcels: &[], keep: None, at_ms }
    }
}

/// The values of a finding, as people may see them: what is masked is masked before it comes here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Of which.
    pub finding: FindingId,
    /// As [`Untold::of`](crate::Untold::of) said when they were asked for: where the finding says another thing by now they are left
    /// out, and are asked for again. None: of what the same posting says.
    pub of: Option<FactsHash>,
    /// Why, where only the values say it: the first column's damage. None: as the state machine has it.
    pub cause: Option<Cause>,
    /// What it groups by, beside verdict and cause; none: by its place.
    pub about: Option<About>,
    /// The finding as one line of JSON; given back as it is.
    pub body: Vec<u8>,
}

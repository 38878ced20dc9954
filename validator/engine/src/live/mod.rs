//! Both sides of a pipeline as a continuous run uses them: files read one by one, segments read again, findings told.
//!
//! Contract: the functions are those of a single run, over the messages and files that a shadow asks for; they decide
//! nothing. A store that fails is an error and no fault of the table.

pub mod evidence;
pub mod lanes;
pub mod redrill;
pub mod scan;

use std::sync::Arc;

use validator_table::Pinned;

use crate::reconcile::Run;

impl Run {
    /// The same run over another snapshot; none where the table's schema or defaults are others, so that the contract is to
    /// be bound anew.
    pub fn repinned(&self, pinned: Arc<Pinned>) -> Option<Self> {
        let is_same = self.pinned.schema == pinned.schema && self.pinned.defaults == pinned.defaults;
        is_same.then(|| Self { pinned, ..self.clone() })
    }
}

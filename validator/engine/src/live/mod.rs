//! Both sides of a pipeline as a continuous run uses them: files read one by one, segments read again, findings told.
//!
//! Contract: the functions are those of a single run, over the messages and files that a shadow asks for; they decide
//! nothing. A store or broker that fails is an error and no fault of the table.

pub mod error;
pub mod evidence;
pub mod lanes;
pub mod redrill;
pub mod scan;

use std::sync::Arc;

use validator_core::schema::Field;
use validator_table::Pinned;

use self::lanes::Lanes;
use crate::late::LateRule;
use crate::misrouted::Routing;
use crate::reconcile::Run;
use crate::row_reader::RowSide;
use crate::scoping::late_rule;

impl Run {
    /// The same run over another snapshot; none where the table's schema or defaults are others, so that the contract is to
    /// be bound anew.
    pub fn repinned(&self, pinned: Arc<Pinned>) -> Option<Self> {
        let is_same = self.pinned.schema == pinned.schema && self.pinned.defaults == pinned.defaults;
        is_same.then(|| Self { pinned, ..self.clone() })
    }

    /// Whether something settles, and rows have a time that says whether they are late.
    pub fn tells_late(&self) -> bool {
        late_rule(self).is_some()
    }

    /// The rows as they stand to the present positions. With `late`, those that are late are noted.
    pub(crate) fn live_rows(&self, lanes: &Lanes, late: Option<LateRule>) -> RowSide {
        let fields: Arc<[Field]> = self.messages.binding.read_fields().into();
        let routing = Routing::new(&self.pinned, Arc::clone(&fields));
        self.row_side(lanes.row_segments(self), late, &fields, &routing)
    }
}

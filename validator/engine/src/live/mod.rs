//! Both sides of a pipeline as a continuous run uses them: files read one by one, segments read again, findings told.
//!
//! Contract: the functions are those of a single run, over the messages and files that a shadow asks for; they decide
//! nothing. A store or broker that fails is an error and no fault of the table.

pub mod error;
pub mod evidence;
pub mod lanes;
pub mod redrill;
pub mod scan;
mod times;

use std::sync::Arc;

use validator_core::schema::Field;
use validator_table::Pinned;

use self::lanes::Lanes;
use crate::binding::BoundIdentity;
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

    /// Whether rows have a time that says whether they are late, once something settles.
    pub fn rows_tell_late(&self) -> bool {
        match &self.messages.binding.identity {
            BoundIdentity::Offset { timestamp, .. } => timestamp.is_some(),
            identity => !self.is_upsert() && identity.window().is_some(),
        }
    }

    /// Which rows are late, by their own time or that of their messages.
    pub(crate) fn late_rule(&self, lanes: &Lanes) -> Option<LateRule> {
        let settle_ms = self.clock.settle_ms;
        let by_messages = || LateRule::new(None, settle_ms, &self.pinned.files);
        let is_asked = settle_ms > 0 && self.messages.binding.identity.is_offset() && lanes.times.is_some();
        let rule = late_rule(self).or_else(|| is_asked.then(by_messages));
        rule.map(LateRule::noting_rows)
    }

    /// The rows as they stand to the present positions. With `late`, those that are late are noted.
    pub(crate) fn live_rows(&self, lanes: &Lanes, late: Option<LateRule>) -> RowSide {
        let fields: Arc<[Field]> = self.messages.binding.read_fields().into();
        let routing = Routing::new(&self.pinned, Arc::clone(&fields));
        self.row_side(lanes.row_segments(self), late, &fields, &routing)
    }
}

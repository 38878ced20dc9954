//! The plans of a run, for people: what DataFusion executes on either side, without executing it.

use std::sync::{Arc, Mutex};

use datafusion::physical_plan::displayable;
use validator_core::hole::Holes;

use crate::bag_plan::{message_plan, row_plan};
use crate::drill::share;
use crate::identity::row_spec;
use crate::message_exec::MessageExec;
use crate::misrouted::Routing;
use crate::observations::Observations;
use crate::passes::{all_files, ranges};
use crate::reconcile::{Run, RunError};
use crate::scan_exec::{IcebergScanExec, ScanLog};
use crate::scoping::{self, Scoping};
use crate::segment_exec::SegmentExec;
use crate::slips::Slips;

/// The plans of the first passes, one line a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plans {
    /// Of the messages; none where the last version of each key is looked for first, which is no plan.
    pub messages: Option<String>,
    /// Of the rows.
    pub rows: String,
}

impl Run {
    /// The plans of the first passes, as if nothing had been seen yet.
    ///
    /// # Errors
    /// The columns cannot be digested.
    pub fn plans(&self) -> Result<Plans, RunError> {
        let partitions = self.messages.tap.partitions().len();
        let slips = Arc::new(Slips::none(self.context.runtime_env()));
        let spec = || row_spec(&self.messages.binding.columns);
        let messages = if self.is_upsert() {
            None
        } else {
            let seen = Arc::new(Mutex::new(Observations::new(partitions)));
            let shares = share(ranges(&self.messages), self.threads);
            let exec = MessageExec::new(self.messages.clone(), shares, seen, Arc::new(|_| {}), Arc::clone(&slips));
            let plan = message_plan(exec, spec(), &self.key, &slips)?;
            Some(displayable(plan.as_ref()).indent(false).to_string())
        };
        let scoping = Scoping::new(self, &Observations::new(partitions), &vec![Holes::new(Vec::new()); partitions]);
        let fields: Arc<[_]> = self.messages.binding.read_fields().into();
        let routing = Routing::new(&self.pinned, Arc::clone(&fields));
        let rows = self.row_side(scoping.row_segments(self), scoping::late_rule(self), &fields, &routing);
        let tasks = rows.tasks(&all_files(&self.pinned), &Default::default());
        let log = Arc::new(ScanLog::default());
        let scan = IcebergScanExec::new(Arc::clone(&self.pinned), &fields, rows.row_filter(), tasks, self.threads, log);
        let segments = SegmentExec::new(Arc::new(scan), Arc::clone(&rows.cut));
        let plan = row_plan(segments, spec(), &self.key, &slips, self.is_by_file())?;
        Ok(Plans { messages, rows: displayable(plan.as_ref()).indent(false).to_string() })
    }
}

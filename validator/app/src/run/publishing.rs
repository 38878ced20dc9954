//! What a pipeline publishes of itself, for metrics, health and the API.
//!
//! Contract: made from the standing that the ledger's totals are made from, so that they say the same.

use std::sync::Arc;

use tokio::sync::watch;
use validator_core::shadow::event::CannotLook;
use validator_core::shadow::standing::{LaneStanding, Standing};

use super::actor::Actor;
use super::status::{CheckpointStatus, PartitionStatus, Phase, SegmentStatus, Status};

/// Where the statuses of a pipeline go.
#[derive(Debug, Clone)]
pub struct Publisher(watch::Sender<Arc<Status>>);

impl Publisher {
    /// Of a pipeline that starts.
    pub fn starting(pipeline: &str, target: f64, now_ms: i64) -> (Self, watch::Receiver<Arc<Status>>) {
        let (sender, receiver) = watch::channel(Arc::new(Status::starting(pipeline, target, now_ms)));
        (Self(sender), receiver)
    }

    /// Changes what was last said.
    pub fn change(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(|status| change(Arc::make_mut(status)));
    }

    /// It has ended and is not started again.
    pub fn failed(&self, why: &str) {
        self.change(|status| (status.phase, status.why) = (Phase::Failed, why.to_owned()));
    }

    /// It is started again.
    pub fn again(&self, why: &str) {
        self.change(|status| {
            (status.phase, status.why) = (Phase::Starting, format!("opened again: {why}"));
            status.restarts += 1;
        });
    }
}

impl Status {
    /// Takes over what a standing says.
    pub fn take(&mut self, standing: &Standing) {
        (self.messages, self.rows) = (standing.messages(), standing.rows);
        self.partitions = standing.lanes.iter().map(partition).collect();
        let segments = &standing.segments;
        self.segments =
            SegmentStatus { balanced: segments.balanced, open: segments.open, disputed: segments.disputed() };
        self.judged_at_ms = standing.judged_at_ms;
        self.snapshot = standing.snapshot.as_ref().map(|snapshot| snapshot.id);
        (self.phase, self.why) = phase(standing);
    }
}

fn phase(standing: &Standing) -> (Phase, String) {
    if let Some(no_look) = standing.cannot_look {
        let what = match no_look.what {
            CannotLook::Catalog => "the catalog",
            CannotLook::Store => "the object store",
            CannotLook::Broker => "the brokers",
            CannotLook::TableGone => "the table, which is not there",
        };
        return (Phase::CannotJudge, format!("it cannot look at {what}: its verdicts stand still"));
    }
    match standing.judged_at_ms {
        None => (Phase::Starting, "it has judged nothing yet".to_owned()),
        Some(_) if standing.has_failed_to_look() => {
            (Phase::Degraded, "a part of the table cannot be read, or too much differs to be judged".to_owned())
        }
        Some(_) => (Phase::Healthy, String::new()),
    }
}

fn partition(lane: &LaneStanding) -> PartitionStatus {
    PartitionStatus {
        topic: lane.tp.topic.clone(),
        partition: lane.tp.partition,
        consumed: lane.consumed,
        position: lane.position,
        last_stable: Some(lane.barrier),
        head_room_s: None,
    }
}

impl Actor {
    /// Says how it is: after each checkpoint, and when something cannot be asked.
    pub(super) fn publish(&self, checkpoint: Option<CheckpointStatus>) {
        let standing = self.shadow.standing();
        self.publisher.change(|status| {
            if standing.judged_at_ms > status.judged_at_ms {
                status.looks += 1;
            }
            status.take(&standing);
            if checkpoint.is_some() {
                status.checkpoint = checkpoint;
            }
        });
    }
}

//! Where a continuous run is in each partition: what rows are held against.
//!
//! Contract: a row that is not below the position is nowhere yet, also below the high watermark, so that what a file adds to
//! segments depends on positions by that alone; only rows below a declared start are out of scope.

use std::collections::BTreeMap;
use std::sync::Arc;

use validator_core::hole::Holes;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::scope::{ListedPartition, OffsetScope, WindowScope};
use validator_core::segment::SegmentKey;
use validator_core::shadow::Shadow;
use validator_core::shadow::lane::Lane;
use validator_core::shadow::segment::Times;
use validator_core::shadow::windows::Floor;

use crate::binding::BoundIdentity;
use crate::reconcile::Run;
use crate::segments::{MessageSegments, RowSegments};

/// One partition; its place among them is its [`PartitionIndex`], which is also that of the tap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneAt {
    /// Which.
    pub tp: TopicPartition,
    /// The first offset that is consumed.
    pub start: i64,
    /// Whether that was declared, so that rows below it are out of scope.
    pub declared: bool,
    /// The next offset to consume.
    pub position: i64,
}

/// All partitions, in the order of the shadow's numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lanes {
    /// Where each is.
    pub at: Vec<LaneAt>,
    /// Timestamps of judged messages, of segments of which they are at hand; none: no message is asked when it came.
    pub times: Option<Arc<BTreeMap<SegmentKey, Times>>>,
    /// The modes `key` and `content`: where the books begin.
    pub floor: Floor,
}

impl From<Vec<LaneAt>> for Lanes {
    fn from(at: Vec<LaneAt>) -> Self {
        Self { at, times: None, floor: Floor::Undecided }
    }
}

impl Lanes {
    /// Those of a shadow.
    pub fn of(shadow: &Shadow) -> Self {
        let lane = |lane: &Lane| LaneAt {
            tp: lane.tp.clone(),
            start: lane.start,
            declared: lane.declared,
            position: lane.position,
        };
        let at = shadow.lanes().iter().map(lane).collect();
        Self { at, times: None, floor: shadow.floor() }
    }

    /// With the timestamps that the shadow holds: where rows have no time of their own.
    #[must_use]
    pub fn with_times(self, shadow: &Shadow) -> Self {
        Self { times: Some(Arc::new(shadow.times_held())), ..self }
    }

    /// All partitions by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PartitionIndex, &LaneAt)> {
        (0..).map(PartitionIndex).zip(&self.at)
    }

    /// How rows are cut into segments.
    pub(crate) fn row_segments(&self, run: &Run) -> RowSegments {
        match (&*run.messages.segments, &run.messages.binding.identity) {
            (MessageSegments::Offset(width), BoundIdentity::Offset { topic, partition, offset, .. }) => {
                RowSegments::Offset {
                    scope: self.scope(),
                    width: *width,
                    topic: topic.clone(),
                    partition: partition.clone(),
                    offset: offset.clone(),
                }
            }
            (MessageSegments::Key(cut), _) if run.messages.binding.upsert.is_some() => {
                RowSegments::Keys(Arc::clone(&cut.digests))
            }
            // Which windows of the books are whole is asked when they are judged.
            (MessageSegments::Key(cut), _) => {
                let scope = WindowScope::new(cut.length.span_us(0).end, &[], false);
                RowSegments::Key { scope, cut: Arc::clone(cut), floor: self.floor }
            }
            _ => unreachable!("segments and identity are made from one identity mode"),
        }
    }

    fn scope(&self) -> OffsetScope {
        let listed = self.at.iter().map(|lane| ListedPartition {
            tp: lane.tp.clone(),
            log_start: lane.start,
            high_watermark: lane.position,
            from: lane.start,
            to: lane.position,
            start: lane.declared.then_some(lane.start),
            starts_at_first: false,
            ends_at_now: false,
            holes: Holes::default(),
        });
        OffsetScope::new(listed.collect(), &[])
    }
}

//! Where a continuous run is in each partition: what rows are held against.

use validator_core::position::TopicPartition;
use validator_core::shadow::Shadow;

/// One partition; its place among them is its `PartitionIndex`.
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
pub struct Lanes(pub Vec<LaneAt>);

impl Lanes {
    /// Those of a shadow.
    pub fn of(shadow: &Shadow) -> Self {
        let lane = |lane: &validator_core::shadow::lane::Lane| LaneAt {
            tp: lane.tp.clone(),
            start: lane.start,
            declared: lane.declared,
            position: lane.position,
        };
        Self(shadow.lanes().iter().map(lane).collect())
    }
}

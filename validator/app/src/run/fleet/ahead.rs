//! Where a member reads on: by what the ledger has of the partitions that fall to it.
//!
//! Contract: only what the judge can take counts as being ahead of it, so that parcels which nothing leads to stop no partition.

use std::collections::{BTreeMap, BTreeSet};

use validator_core::position::{PartitionIndex, TopicPartition};
use validator_ledger::LaneHead;

use crate::failure::Failure;

/// What one member is to read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// By partition that is read here: where its next parcel begins.
    pub next: BTreeMap<PartitionIndex, i64>,
    /// Parcels of them that the judge can take.
    pub parcels: usize,
    /// Partitions, and the ends behind which they have parcels that nothing leads to.
    pub strays: Vec<(PartitionIndex, i64)>,
}

impl Ahead {
    /// Of the partitions that are open here; none: the ledger has other ones. `position` is that of a row.
    ///
    /// # Errors
    /// As `position`.
    pub fn of<'a>(
        heads: &[LaneHead],
        open: impl Iterator<Item = &'a TopicPartition>,
        ours: &BTreeSet<TopicPartition>,
        position: impl Fn(&LaneHead) -> Result<i64, Failure>,
    ) -> Result<Option<Self>, Failure> {
        if !heads.iter().map(|head| &head.row.tp).eq(open) {
            return Ok(None);
        }
        let mut ahead = Self::default();
        for (lane, head) in (0..).map(PartitionIndex).zip(heads).filter(|(_, head)| ours.contains(&head.row.tp)) {
            let (end, parcels) = head.chained(position(head)?);
            ahead.parcels += parcels;
            ahead.next.insert(lane, end);
            if head.has_behind(end) {
                ahead.strays.push((lane, end));
            }
        }
        Ok(Some(ahead))
    }
}

#[cfg(test)]
mod tests {
    use validator_core::shadow::delta::LaneRow;

    use super::*;
    use crate::run::limits::PARCELS_AHEAD;

    fn tp(partition: i32) -> TopicPartition {
        TopicPartition { topic: "trades".to_owned(), partition }
    }

    fn head(partition: i32, parcels: impl IntoIterator<Item = (i64, i64)>) -> LaneHead {
        let lane = PartitionIndex(u32::try_from(partition).expect("few"));
        let row = LaneRow { lane, tp: tp(partition), body: Vec::new() };
        LaneHead { row, parcels: parcels.into_iter().collect() }
    }

    fn of(heads: &[LaneHead], open: &[TopicPartition], ours: &[i32]) -> Option<Ahead> {
        let ours = ours.iter().map(|partition| tp(*partition)).collect();
        Ahead::of(heads, open.iter(), &ours, |_| Ok(0)).expect("positions are known")
    }

    #[test]
    fn parcels_that_nothing_leads_to_do_not_count_and_are_told() {
        let many = i64::try_from(PARCELS_AHEAD).expect("few") + 9;
        let strays = (0..many).map(|at| (5 + at * 10, 15 + at * 10));
        let heads = [head(0, [(0, 3), (3, 4)].into_iter().chain(strays)), head(1, [(0, 7)]), head(2, [(0, 9)])];
        let ahead = of(&heads, &[tp(0), tp(1), tp(2)], &[0, 1]).expect("these are open");
        let next = BTreeMap::from([(PartitionIndex(0), 4), (PartitionIndex(1), 7)]);
        assert_eq!(ahead, Ahead { next, parcels: 3, strays: vec![(PartitionIndex(0), 4)] });
    }

    #[test]
    fn as_many_partitions_are_not_the_same_ones() {
        let heads = [head(0, []), head(2, [])];
        assert_eq!(of(&heads, &[tp(0), tp(1)], &[0]), None);
        assert_eq!(of(&heads, &[tp(0)], &[0]), None);
        assert!(of(&heads, &[tp(0), tp(2)], &[0]).is_some());
    }
}

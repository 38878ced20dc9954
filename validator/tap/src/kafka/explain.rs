//! Why offsets of a range hold no message (interface.md §4, Holes).

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use validator_core::hole::{Hole, HoleReason, Holes};
use validator_core::position::PartitionIndex;

use super::KafkaTap;
use super::client::{Ahead, Deadline, Isolation};
use super::open::Asker;
use crate::{TapError, Wanted};

impl KafkaTap {
    /// Names each gap's reason: below the log's start now; seen by a read_uncommitted look; else by the topic's policy.
    pub(super) fn explain_gaps(
        &self,
        gaps: &[(PartitionIndex, Range<i64>)],
    ) -> Result<Vec<(PartitionIndex, Hole)>, TapError> {
        let mut by_partition: BTreeMap<PartitionIndex, Vec<Range<i64>>> = BTreeMap::new();
        for (partition, range) in gaps.iter().filter(|(_, range)| !range.is_empty()) {
            by_partition.entry(*partition).or_default().push(range.clone());
        }
        let mut runs: BTreeMap<PartitionIndex, Vec<Hole>> = BTreeMap::new();
        let wanted = self.cut_retention(by_partition, &mut runs)?;
        let mut seen: BTreeMap<PartitionIndex, Vec<i64>> = BTreeMap::new();
        let end = self.read_as(Isolation::Uncommitted, &wanted, &mut |message| {
            seen.entry(message.partition).or_default().push(message.offset);
            ControlFlow::Continue(())
        })?;
        if let Some(failure) = end.partitions.into_iter().find_map(|partition| partition.failure) {
            return Err(TapError::Unexplained { source: failure });
        }
        for (partition, ranges) in &wanted {
            let rest = self.rest_of(*partition)?;
            let aborted = seen.get(partition).map_or(&[][..], Vec::as_slice);
            let holes = runs.entry(*partition).or_default();
            ranges.iter().for_each(|range| split(range, aborted, rest, holes));
        }
        let merged = runs.into_iter().flat_map(|(partition, runs)| {
            Holes::new(runs).runs().iter().map(|hole| (partition, *hole)).collect::<Vec<_>>()
        });
        Ok(merged.collect())
    }

    /// Takes out of the gaps what lies below the logs' starts.
    fn cut_retention(
        &self,
        gaps: BTreeMap<PartitionIndex, Vec<Range<i64>>>,
        runs: &mut BTreeMap<PartitionIndex, Vec<Hole>>,
    ) -> Result<Vec<Wanted>, TapError> {
        if gaps.is_empty() {
            return Ok(Vec::new());
        }
        let consumer = self.clients.consumer(Isolation::Uncommitted, Ahead::Little)?;
        let asker = Asker {
            consumer: &consumer,
            deadline: Deadline::after(self.open_timeout),
            clients: &self.clients,
            silence: None,
        };
        let mut wanted = Vec::with_capacity(gaps.len());
        for (partition, mut ranges) in gaps {
            ranges.sort_unstable_by_key(|range| range.start);
            let (log_start, _) = asker.watermarks(&self.partitions[partition.0 as usize].tp)?;
            let gone = ranges.iter().filter(|range| range.start < log_start);
            let gone: Vec<Hole> = gone
                .map(|range| Hole { from: range.start, to: range.end.min(log_start), reason: HoleReason::Retention })
                .collect();
            runs.entry(partition).or_default().extend(gone);
            let left = ranges.into_iter().map(|range| range.start.max(log_start)..range.end);
            wanted.push((partition, left.filter(|range| !range.is_empty()).collect()));
        }
        Ok(wanted)
    }

    /// The reason of offsets that no look sees; unknown where the brokers do not say. Where none answers they are to be asked again.
    fn rest_of(&self, partition: PartitionIndex) -> Result<HoleReason, TapError> {
        let topic = &self.partitions[partition.0 as usize].tp.topic;
        let unanswered = || TapError::Client { what: format!("no broker says the cleanup policy of topic {topic}") };
        let policy = self.policy(topic, self.open_timeout).ok_or_else(unanswered)?;
        Ok(match policy.is_compacted {
            Some(true) => HoleReason::Compacted,
            Some(false) => HoleReason::Control,
            None => HoleReason::Unknown,
        })
    }
}

/// Splits a gap at the offsets that a read_uncommitted look saw (ascending).
fn split(gap: &Range<i64>, aborted: &[i64], rest: HoleReason, holes: &mut Vec<Hole>) {
    let from = aborted.partition_point(|offset| *offset < gap.start);
    let mut at = gap.start;
    for offset in aborted[from..].iter().copied().take_while(|offset| *offset < gap.end) {
        holes.push(Hole { from: at, to: offset, reason: rest });
        holes.push(Hole { from: offset, to: offset + 1, reason: HoleReason::Aborted });
        at = offset + 1;
    }
    holes.push(Hole { from: at, to: gap.end, reason: rest });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_split_where_aborted_records_lie_and_loses_no_offset() {
        let mut holes = Vec::new();
        split(&(10..20), &[3, 10, 11, 15, 19, 20], HoleReason::Control, &mut holes);
        let holes = Holes::new(holes);
        let shown: Vec<_> = holes.runs().iter().map(|h| (h.from, h.to, h.reason.as_str())).collect();
        assert_eq!(
            shown,
            [(10, 12, "aborted"), (12, 15, "control"), (15, 16, "aborted"), (16, 19, "control"), (19, 20, "aborted")]
        );
    }
}

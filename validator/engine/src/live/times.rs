//! Which rows are late where rows have no time of their own: the timestamps of their messages say it.
//!
//! Contract: the least and the greatest timestamp of a segment decide for most of them; messages are read again only of segments
//! that have older and younger ones than were late when the file was committed. A message without timestamp is never late, as
//! little as an offset without message.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use validator_core::position::{FileIndex, PartitionIndex};
use validator_core::segment::OffsetWidth;
use validator_core::shadow::late::Lateness;
use validator_core::shadow::runs::{Offsets, Runs};
use validator_core::shadow::segment::Times;
use validator_tap::Wanted;

use super::error::LookError;
use super::lanes::Lanes;
use crate::limits::TIMES_ASKED_MAX;
use crate::message_batch::MessageBatch;
use crate::observations::Observations;
use crate::reconcile::{Run, RunError};
use crate::rereading::reread;
use crate::segments::MessageSegments;

/// A file with a commit of its own, the instant of that, and its rows.
pub type Landed = (FileIndex, i64, Offsets);

/// What is found of one file.
#[derive(Debug, Default)]
struct Weighed {
    /// Messages that were older are late.
    due_ms: i64,
    late: Offsets,
    /// Rows that only their messages tell.
    straddling: Offsets,
    /// Rows of messages that are not consumed yet, or that the log no longer has.
    untold: u64,
}

/// Messages by partition and offset, with their timestamps; offsets of messages that the log no longer has.
#[derive(Debug, Default)]
struct Asked {
    times: BTreeMap<(PartitionIndex, i64), Option<i64>>,
    lost: Offsets,
}

impl Run {
    /// Which rows of these files are late.
    ///
    /// # Errors
    /// [`LookError`].
    pub(super) async fn told_by_messages(
        &self,
        lanes: &Lanes,
        landed: Vec<Landed>,
    ) -> Result<Vec<(FileIndex, Lateness)>, LookError> {
        let MessageSegments::Offset(width) = *self.messages.segments else { return Ok(Vec::new()) };
        let weigh = |(file, commit_ms, rows): Landed| {
            (file, Weighed::of(lanes, width, commit_ms.saturating_sub(self.clock.settle_ms), &rows))
        };
        let mut weighed: Vec<(FileIndex, Weighed)> = landed.into_iter().map(weigh).collect();
        for portion in portions(weighed.iter().map(|(_, one)| &one.straddling), TIMES_ASKED_MAX) {
            let asked = self.ask(&Offsets::union(portion.iter().map(|(_, offsets)| offsets))).await?;
            portion.iter().for_each(|(place, offsets)| weighed[*place].1.learn(offsets, &asked));
        }
        let told = |one: Weighed| Lateness::Told { late: one.late, untold: one.untold };
        Ok(weighed.into_iter().map(|(file, one)| (file, told(one))).collect())
    }

    /// Reads the timestamps of messages again.
    async fn ask(&self, offsets: &Offsets) -> Result<Asked, LookError> {
        let ranges = |runs: &Runs| runs.iter().map(|(from, to)| from..to).collect();
        let wanted: Vec<Wanted> = offsets.iter().map(|(partition, runs)| (partition, ranges(runs))).collect();
        let each = |batch: MessageBatch| {
            let at = batch.partition.iter().map(|partition| PartitionIndex(*partition)).zip(batch.offset);
            Ok(at.zip(batch.timestamp_ms).collect::<Vec<_>>())
        };
        let (found, seen) = reread(&self.messages, wanted, self.threads, |_| true, each).await?;
        let lost = self.lost_messages(offsets, &seen).await?;
        Ok(Asked { times: found.into_iter().flatten().collect(), lost })
    }

    /// Of these offsets those whose messages are gone.
    async fn lost_messages(&self, offsets: &Offsets, seen: &Observations) -> Result<Offsets, LookError> {
        let inside = |(partition, runs): (PartitionIndex, &Runs)| {
            let gaps = seen.partitions[partition.0 as usize].gaps.iter().map(|gap| (gap.start, gap.end));
            runs.and(&gaps.collect()).iter().map(|(from, to)| (partition, from..to)).collect::<Vec<_>>()
        };
        let gaps: Vec<(PartitionIndex, Range<i64>)> = offsets.iter().flat_map(inside).collect();
        let mut lost = Offsets::default();
        if gaps.is_empty() {
            return Ok(lost);
        }
        let tap = Arc::clone(&self.messages.tap);
        let explained = tokio::task::spawn_blocking(move || tap.explain(&gaps)).await.map_err(RunError::Task)?;
        for (partition, hole) in
            explained.map_err(RunError::Holes)?.iter().filter(|(_, hole)| hole.reason.hides_messages())
        {
            lost.add(*partition, &Runs::from_iter([(hole.from, hole.to)]));
        }
        Ok(lost)
    }
}

impl Weighed {
    /// By the times of whole segments.
    fn of(lanes: &Lanes, width: OffsetWidth, due_ms: i64, rows: &Offsets) -> Self {
        let mut weighed = Self { due_ms, ..Self::default() };
        for (partition, runs) in rows.iter() {
            let Some(lane) = lanes.at.get(partition.0 as usize) else { continue };
            // Rows from before the first message are nobody's.
            let (below, ahead) = runs.split(lane.start).1.split(lane.position);
            weighed.untold += ahead.len();
            let below: Offsets = [(partition, below)].into_iter().collect();
            for (segment, runs) in below.by_segment(width) {
                match lanes.times.as_ref().and_then(|times| times.get(&segment)) {
                    Some(times) if is_in_time(times, due_ms) => {}
                    Some(times) if is_late(times, due_ms) => weighed.late.add(partition, &runs),
                    _ => weighed.straddling.add(partition, &runs),
                }
            }
        }
        weighed
    }

    /// What the messages at these offsets say.
    fn learn(&mut self, offsets: &Offsets, asked: &Asked) {
        let due_ms = self.due_ms;
        for (partition, runs) in offsets.iter() {
            let of_run = |(from, to): (i64, i64)| asked.times.range((partition, from)..(partition, to));
            let old = runs.iter().flat_map(of_run).filter(|(_, at)| at.is_some_and(|at| at < due_ms));
            self.late.add(partition, &old.map(|((_, offset), _)| (*offset, offset.saturating_add(1))).collect());
        }
        self.untold += offsets.and(&asked.lost).len();
    }
}

/// Offsets with the place of whose they are, in portions of at most so many each.
fn portions<'a>(all: impl Iterator<Item = &'a Offsets>, most: u64) -> Vec<Vec<(usize, Offsets)>> {
    let (mut portions, mut room): (Vec<Vec<(usize, Offsets)>>, u64) = (Vec::new(), 0);
    for (place, offsets) in all.enumerate() {
        for (partition, (mut from, to)) in offsets.iter().flat_map(|(of, runs)| runs.iter().map(move |run| (of, run))) {
            while from < to {
                if room == 0 {
                    portions.push(Vec::new());
                    room = most;
                }
                let end = to.min(from.saturating_add_unsigned(room));
                room -= end.abs_diff(from);
                let portion = portions.last_mut().expect("one was begun");
                if portion.last().is_none_or(|(last, _)| *last != place) {
                    portion.push((place, Offsets::default()));
                }
                let (_, offsets) = portion.last_mut().expect("it is there");
                offsets.add(partition, &Runs::from_iter([(from, end)]));
                from = end;
            }
        }
    }
    portions
}

/// Whether no message of a segment was late by then.
fn is_in_time(times: &Times, due_ms: i64) -> bool {
    times.min_ms.is_none_or(|min| min >= due_ms)
}

/// Whether all of them were.
fn is_late(times: &Times, due_ms: i64) -> bool {
    times.untimed == 0 && times.max_ms.is_some_and(|max| max < due_ms)
}

#[cfg(test)]
mod tests {
    use validator_core::position::TopicPartition;
    use validator_core::segment::SegmentKey;

    use super::*;
    use crate::live::lanes::LaneAt;

    const LANE: PartitionIndex = PartitionIndex(0);

    fn offsets(runs: &[(i64, i64)]) -> Offsets {
        [(LANE, runs.iter().copied().collect())].into_iter().collect()
    }

    #[test]
    fn the_times_of_segments_decide_and_only_those_that_straddle_are_asked() {
        let tp = TopicPartition { topic: "t".into(), partition: 0 };
        let lane = LaneAt { tp, start: 1, declared: true, position: 18 };
        let times = |index: i64, min, max, untimed| {
            let segment = SegmentKey::Offsets { partition: LANE, index };
            (segment, Times { min_ms: Some(min), max_ms: Some(max), untimed })
        };
        // All late; of the instant itself on; both; all late but for one without time; of the fifth nothing is at hand.
        let times = [times(0, 10, 99, 0), times(1, 100, 200, 0), times(2, 90, 110, 0), times(3, 10, 20, 1)];
        let lanes = Lanes { times: Some(Arc::new(times.into_iter().collect())), ..Lanes::from(vec![lane]) };
        let width = OffsetWidth::new(4).expect("a power of two");
        let mut weighed = Weighed::of(&lanes, width, 100, &offsets(&[(0, 6), (7, 20)]));
        assert_eq!(weighed.late, offsets(&[(1, 4)]));
        assert_eq!(weighed.straddling, offsets(&[(8, 18)]));
        assert_eq!(weighed.untold, 2, "18 and 19 are not consumed yet");
        let at = [(8, Some(99)), (9, Some(100)), (12, None), (13, Some(11)), (17, Some(0))];
        let times = at.map(|(offset, at_ms)| ((LANE, offset), at_ms)).into_iter().collect();
        let asked = Asked { times, lost: offsets(&[(14, 16)]) };
        weighed.learn(&weighed.straddling.clone(), &asked);
        assert_eq!(weighed.late, offsets(&[(1, 4), (8, 9), (13, 14), (17, 18)]));
        assert_eq!(weighed.untold, 4);
    }

    #[test]
    fn messages_are_asked_in_portions() {
        let (one, none, other) = (offsets(&[(0, 3), (5, 6)]), Offsets::default(), offsets(&[(2, 9)]));
        let portions = portions([&one, &none, &other].into_iter(), 5);
        let second = vec![(2, offsets(&[(3, 8)]))];
        let first = vec![(0, offsets(&[(0, 3), (5, 6)])), (2, offsets(&[(2, 3)]))];
        assert_eq!(portions, [first, second, vec![(2, offsets(&[(8, 9)]))]]);
    }
}

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
    /// Rows of messages that are not consumed yet.
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
            (file, self.weigh(lanes, width, commit_ms.saturating_sub(self.clock.settle_ms), &rows))
        };
        let weighed: Vec<(FileIndex, Weighed)> = landed.into_iter().map(weigh).collect();
        let mut all = Offsets::default();
        weighed.iter().for_each(|(_, one)| all.extend(&one.straddling));
        let asked = self.ask(&all).await?;
        Ok(weighed.into_iter().map(|(file, one)| (file, one.told(&asked))).collect())
    }

    fn weigh(&self, lanes: &Lanes, width: OffsetWidth, due_ms: i64, rows: &Offsets) -> Weighed {
        let mut weighed = Weighed { due_ms, ..Weighed::default() };
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
    fn told(mut self, asked: &Asked) -> Lateness {
        for (partition, runs) in self.straddling.iter() {
            let due_ms = self.due_ms;
            let of_run = |(from, to): (i64, i64)| asked.times.range((partition, from)..(partition, to));
            let old = runs.iter().flat_map(of_run).filter(|(_, at)| at.is_some_and(|at| at < due_ms));
            self.late.add(partition, &old.map(|((_, offset), _)| (*offset, offset.saturating_add(1))).collect());
        }
        let untold = self.untold + self.straddling.and(&asked.lost).len();
        Lateness::Told { late: self.late, untold }
    }
}

/// Whether no message of a segment was late by then.
fn is_in_time(times: &Times, due_ms: i64) -> bool {
    times.min_ms.is_none_or(|min| min >= due_ms)
}

/// Whether all of them were.
fn is_late(times: &Times, due_ms: i64) -> bool {
    times.untimed == 0 && times.max_ms.is_some_and(|max| max < due_ms)
}

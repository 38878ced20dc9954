//! Messages recorded in files, read as if from a topic.
//!
//! Contract: the files are read once when the tap is opened (positions, times, order), again by every read, and never
//! held in memory. Partitions deliver ascending offsets whatever the order of files and lines: files are ordered by their
//! offsets; lines out of order are sorted by their places (plain files only, at most
//! [`crate::limits::RECORDED_DISORDER_MAX`] messages). A message recorded twice counts once; two different messages at
//! one offset are refused, as is a line that does not say where it belongs: nothing could be judged by it.

mod avro;
mod disorder;
mod file;
mod index;
mod kcat;
mod lines;
mod open;
mod table;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use validator_core::contract::{FieldType, Format, RecordedSource};
use validator_core::hole::{Hole, HoleReason, Holes};
use validator_core::position::PartitionIndex;

use self::disorder::Places;
use self::file::{Record, RecordedFile};
use self::index::{Block, Found, Names};
pub(crate) use self::open::find_paths;
pub(crate) use self::table::whole;
use crate::bounds::Bounds;
use crate::registry::Schemas;
use crate::{Message, PartitionEnd, PartitionRange, ReadEnd, Tap, TapError, Wanted};

/// What is recorded, and what of it is asked for.
#[derive(Debug, Clone)]
pub struct RecordedConfig {
    /// The files and their envelope.
    pub source: RecordedSource,
    /// The topics to keep; for [`validator_core::contract::Envelope::None`] the first is the name of the one there is.
    pub topics: Vec<String>,
    /// The range.
    pub bounds: Bounds,
    /// How payloads are encoded: what lies in files of envelope `none`.
    pub format: Format,
    /// The type of the field that `source.timestamp` names: an epoch, or a timestamp in text.
    pub timestamp_type: FieldType,
}

/// A recorded source.
#[derive(Debug)]
pub struct RecordedTap {
    partitions: Vec<PartitionRange>,
    /// Messages recorded, by partition.
    counts: Vec<u64>,
    files: Vec<RecordedFile>,
    /// The order in which they are read.
    order: Vec<usize>,
    blocks: Vec<Vec<Block>>,
    names: Names,
    /// From the number of discovery to the partition of the run, for the topics that are kept.
    kept: Vec<Option<PartitionIndex>>,
    /// By number of discovery; only disordered partitions have any.
    places: Vec<Places>,
    disordered: Vec<bool>,
    /// Of Avro container files.
    schemas: Option<Arc<Schemas>>,
    warnings: Vec<String>,
}

/// The ranges asked of one partition, and how far they are delivered.
struct Asked<'a> {
    ranges: &'a [Range<i64>],
    /// The range that the next message is compared with.
    at: usize,
    position: i64,
}

impl Asked<'_> {
    /// Whether a message of that offset is wanted; offsets must ascend.
    fn wants(&mut self, offset: i64) -> bool {
        while self.ranges.get(self.at).is_some_and(|range| range.end <= offset) {
            self.at += 1;
        }
        self.ranges.get(self.at).is_some_and(|range| range.start <= offset)
    }

    fn overlaps(&self, least: i64, greatest: i64) -> bool {
        let first = self.ranges.partition_point(|range| range.end <= least);
        self.ranges.get(first).is_some_and(|range| range.start <= greatest)
    }
}

impl RecordedTap {
    fn read_ordered(
        &self,
        asked: &mut [Option<Asked<'_>>],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TapError> {
        let mut names = self.names.clone();
        for file in &self.order {
            let wanted = |(found, least, greatest): &(Found, i64, i64)| {
                !self.disordered[*found]
                    && asked[*found].as_ref().is_some_and(|asked| asked.overlaps(*least, *greatest))
            };
            let blocks: Vec<Block> =
                self.blocks[*file].iter().filter(|block| block.spans.iter().any(wanted)).cloned().collect();
            if blocks.is_empty() {
                continue;
            }
            let flow = self.files[*file].scan(Some(&blocks), &mut |record: &Record<'_>| {
                let Some(found) = names.find(record.topic, record.partition).filter(|f| !self.disordered[*f]) else {
                    return Ok(ControlFlow::Continue(()));
                };
                Ok(self.deliver(found, &mut asked[found], record, each))
            })?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn read_disordered(
        &self,
        asked: &mut [Option<Asked<'_>>],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TapError> {
        for (found, asked) in asked.iter_mut().enumerate().filter(|(found, _)| self.disordered[*found]) {
            for range in asked.as_ref().map_or(&[][..], |asked| asked.ranges) {
                let flow = self.places[found].read(&self.files, range.clone(), &mut |record: &Record<'_>| {
                    Ok(self.deliver(found, asked, record, each))
                })?;
                if flow.is_break() {
                    return Ok(flow);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn deliver(
        &self,
        found: Found,
        asked: &mut Option<Asked<'_>>,
        record: &Record<'_>,
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (Some(asked), Some(partition)) = (asked, self.kept[found]) else { return ControlFlow::Continue(()) };
        if !asked.wants(record.offset) {
            return ControlFlow::Continue(());
        }
        let flow = each(&Message {
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            payload: record.payload,
            lazy_headers: record.headers,
        });
        asked.position = record.offset + 1;
        flow
    }
}

impl Tap for RecordedTap {
    fn partitions(&self) -> &[PartitionRange] {
        &self.partitions
    }

    fn read(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Message<'_>) -> ControlFlow<()>,
    ) -> Result<ReadEnd, TapError> {
        let mut asked: Vec<Option<Asked<'_>>> = self
            .kept
            .iter()
            .map(|kept| {
                let (_, ranges) = wanted.iter().find(|(partition, _)| Some(*partition) == *kept)?;
                Some(Asked { ranges, at: 0, position: ranges.first()?.start })
            })
            .collect();
        let outcome = match self.read_ordered(&mut asked, each) {
            Ok(ControlFlow::Continue(())) => self.read_disordered(&mut asked, each),
            other => other,
        };
        let stopped = matches!(outcome, Ok(ControlFlow::Break(())));
        let failure = outcome.err().map(Arc::new);
        let end = |(partition, ranges): &Wanted| {
            let last = ranges.last().map_or(0, |range| range.end);
            let found = self.kept.iter().position(|kept| *kept == Some(*partition));
            let reached = found.and_then(|found| asked[found].as_ref()).map_or(last, |asked| asked.position);
            let whole = (!stopped && failure.is_none()) || reached >= last;
            PartitionEnd {
                partition: *partition,
                position: if whole { last } else { reached },
                failure: if whole { None } else { failure.clone() },
            }
        };
        Ok(ReadEnd { partitions: wanted.iter().map(end).collect(), stopped })
    }

    fn explain(&self, gaps: &[(PartitionIndex, Range<i64>)]) -> Result<Vec<(PartitionIndex, Hole)>, TapError> {
        let mut runs: BTreeMap<PartitionIndex, Vec<Hole>> = BTreeMap::new();
        for (partition, range) in gaps {
            let hole = Hole { from: range.start, to: range.end, reason: HoleReason::Unknown };
            runs.entry(*partition).or_default().push(hole);
        }
        let merged = runs.into_iter().flat_map(|(partition, runs)| {
            Holes::new(runs).runs().iter().map(|hole| (partition, *hole)).collect::<Vec<_>>()
        });
        Ok(merged.collect())
    }

    fn compacted(&self, _topic: &str) -> Option<bool> {
        None
    }

    fn estimate(&self) -> u64 {
        let of =
            |(range, count): (&PartitionRange, &u64)| u64::try_from(range.to - range.from).unwrap_or(0).min(*count);
        self.partitions.iter().zip(&self.counts).map(of).sum()
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn schemas(&self) -> Option<Arc<Schemas>> {
        self.schemas.clone()
    }
}

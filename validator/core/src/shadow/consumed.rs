//! Messages that came, and holes between them.
//!
//! Contract: a part begins at the position of its lane, so that no offset is counted twice, whatever is delivered again;
//! each offset is judged, excluded, undecodable, or of a hole (I6).

use std::ops::Range;

use super::Shadow;
use super::delta::Change;
use super::event::{Consumed, LanePart, Refused, SegmentPart, Undecodable};
use super::page::PageKey;
use super::segment::{Segment, least};
use super::upsert::segment_of_key;
use super::{FindingPlace, News};
use crate::hole::{Hole, Holes};
use crate::limits::PAGE_SLOTS;
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::{Cause, MessageVerdict};

impl Shadow {
    /// Pages of the segments and gaps of a batch.
    pub(super) fn pages_consumed(&self, consumed: &Consumed) -> Vec<PageKey> {
        let mut keys = Vec::new();
        for lane in &consumed.lanes {
            let booked = lane.parts.iter().filter(|part| part.segment != SegmentKey::Nowhere);
            keys.extend(booked.map(|part| PageKey::of(part.segment).0));
            if self.terms.is_upsert() {
                keys.extend(lane.keyed().map(|(key, _)| PageKey::of(segment_of_key(&key)).0));
            }
            keys.extend(lane.undecodable.iter().map(|message| self.page_of(message.at)));
            for gap in &lane.gaps {
                keys.extend(self.clip(lane.partition, gap).into_iter().map(|(key, _)| key));
            }
        }
        keys
    }

    pub(super) fn pages_explained(&self, holes: &[(PartitionIndex, Hole)]) -> Vec<PageKey> {
        let clipped = holes.iter().flat_map(|(partition, hole)| self.clip(*partition, &(hole.from..hole.to)));
        clipped.map(|(key, _)| key).collect()
    }

    /// A run of offsets, cut at the borders of pages.
    fn clip(&self, partition: PartitionIndex, run: &Range<i64>) -> Vec<(PageKey, Range<i64>)> {
        let mut clipped = Vec::new();
        let mut from = run.start;
        while from < run.end {
            let (key, slot) = PageKey::of(self.terms.width.segment_of(partition, from));
            let last = self.terms.width.index_of(from) + (PAGE_SLOTS - 1 - slot) as i64;
            let to = self.terms.width.offsets(last).end.min(run.end);
            clipped.push((key, from..to));
            from = to;
        }
        clipped
    }

    pub(super) fn consume(&mut self, consumed: Consumed) -> Result<(), Refused> {
        for part in &consumed.lanes {
            let lane = self.lane(part.partition).ok_or(Refused::UnknownLane(part.partition))?;
            if part.from != lane.position || part.to < part.from {
                let (partition, from, position) = (part.partition, part.from, lane.position);
                return Err(Refused::Position { partition, from, position });
            }
        }
        for part in consumed.lanes {
            self.consume_lane(part);
        }
        Ok(())
    }

    fn consume_lane(&mut self, mut part: LanePart) {
        let (partition, from, to) = (part.partition, part.from, part.to);
        // First, since what their segments count as is taken with the parts.
        let undecodable = part.undecodable.clone();
        undecodable.into_iter().for_each(|message| self.note_undecodable(partition, message));
        let (gaps, excluded) = (std::mem::take(&mut part.gaps), std::mem::take(&mut part.excluded));
        match self.terms.windows() {
            Some(_) if self.terms.is_upsert() => self.consume_keys(part, &gaps),
            Some(_) => self.consume_windows(part, &gaps),
            None => self.consume_offsets(part),
        }
        for gap in gaps {
            self.note_gap(partition, gap, from..to);
        }
        let lane = self.lane_mut(partition).expect("checked before the first part");
        for (cause, messages) in excluded {
            *lane.excluded.entry(cause).or_default() += messages;
        }
        lane.position = to;
        lane.high_watermark = lane.high_watermark.max(to);
        self.meet_partings(partition, from, to);
    }

    /// Messages of a batch, by ranges of offsets.
    fn consume_offsets(&mut self, part: LanePart) {
        let width = self.terms.width;
        let LanePart { partition, from, to, parts, .. } = part;
        let unseen_below = self.lane(partition).map_or(i64::MIN, |lane| lane.unseen_below);
        if from < unseen_below {
            self.forget_judged();
        }
        for part in parts {
            let SegmentKey::Offsets { index, .. } = part.segment else { continue };
            let range = width.offsets(index);
            self.change(part.segment, |segment| {
                segment.consume(&part);
                segment.excluded += part.excluded;
                segment.undecodable += part.undecodable;
                segment.unseen |= from.max(range.start) < unseen_below;
                extend(segment, from.max(range.start), to.min(range.end));
            });
            let lane = self.lane_mut(partition).expect("checked before the first part");
            lane.judged += part.bag.count;
            lane.undecodable += u64::from(part.undecodable);
        }
    }

    /// What its letter says goes before that it cannot be told.
    fn note_undecodable(&mut self, partition: PartitionIndex, message: Undecodable) {
        let offset = message.at.offset;
        let page = self.pages.page_mut(self.page_of(message.at));
        page.undecodable.entry(message.cause).or_default().insert(offset);
        let is_named = page.letters.name(offset);
        let (verdict, cause) = match is_named {
            true => (MessageVerdict::Diverted, None),
            false => (MessageVerdict::Undecodable, Some(Cause::Undecodable(message.cause))),
        };
        let lane = self.lane_mut(partition).expect("checked before the first part");
        lane.diverted_undecodable += u64::from(is_named);
        self.news.push(News {
            verdict: verdict.into(),
            cause,
            place: FindingPlace::Message { lane: partition, offset },
            timestamp_ms: message.timestamp_ms,
            detail: message.detail,
            change: Change::Opened,
        });
    }

    fn note_gap(&mut self, partition: PartitionIndex, gap: Range<i64>, part: Range<i64>) {
        let width = self.terms.width;
        for (key, run) in self.clip(partition, &gap) {
            let page = self.pages.page_mut(key);
            match page.unexplained.last_mut() {
                Some((_, end)) if *end == run.start => *end = run.end,
                _ => page.unexplained.push((run.start, run.end)),
            }
            self.pages.note_explained(key);
            self.forget_holes(key);
        }
        // Of windows no segment has holes.
        let mut from = if self.terms.windows().is_some() { gap.end } else { gap.start };
        while from < gap.end {
            let key = width.segment_of(partition, from);
            let range = width.offsets(width.index_of(from));
            let to = range.end.min(gap.end);
            let is_whole = from == range.start && to == range.end;
            // A segment of nothing but holes has no account: a log that lost a billion offsets has many.
            if !is_whole || self.pages.segment(key).is_some() {
                self.change(key, |segment| {
                    segment.hole_offsets += u32::try_from(to - from).unwrap_or(u32::MAX);
                    extend(segment, part.start.max(range.start), part.end.min(range.end));
                });
            }
            from = to;
        }
        let lane = self.lane_mut(partition).expect("checked before the first part");
        lane.hole_offsets += (gap.end - gap.start).unsigned_abs();
    }

    /// Holes of a page changed: rows of disputed segments may lie in them.
    fn forget_holes(&mut self, page: PageKey) {
        if let (Some(first), Some(last)) = (page.segment(0), page.last_segment())
            && self.residues.has_between(first, last)
        {
            self.forget_judged();
        }
    }

    pub(super) fn explain(&mut self, holes: Vec<(PartitionIndex, Hole)>) {
        let hidden = |shadow: &Self| shadow.lanes.iter().map(|lane| lane.hidden.upto()).collect::<Vec<i64>>();
        let before = hidden(self);
        self.explain_holes(holes);
        if hidden(self) != before {
            self.recount_hidden();
        }
    }

    fn explain_holes(&mut self, holes: Vec<(PartitionIndex, Hole)>) {
        for (partition, hole) in holes {
            if self.terms.windows().is_some()
                && let Some(lane) = self.lane_mut(partition)
            {
                lane.hidden.explain(&hole);
                self.forget_judged();
            }
            let mut explained = 0;
            for (key, run) in self.clip(partition, &(hole.from..hole.to)) {
                let page = self.pages.page_mut(key);
                let mut runs: Vec<Hole> = page.holes.runs().to_vec();
                let mut left = Vec::new();
                for (from, to) in std::mem::take(&mut page.unexplained) {
                    let (start, end) = (from.max(run.start), to.min(run.end));
                    if start >= end {
                        left.push((from, to));
                        continue;
                    }
                    runs.push(Hole { from: start, to: end, reason: hole.reason });
                    explained += (end - start).unsigned_abs();
                    left.extend([(from, start), (end, to)].into_iter().filter(|(from, to)| from < to));
                }
                page.holes = Holes::new(runs);
                page.unexplained = left;
                self.pages.note_explained(key);
                self.forget_holes(key);
            }
            if let Some(lane) = self.lane_mut(partition).filter(|_| explained > 0) {
                *lane.holes.entry(hole.reason).or_default() += explained;
            }
        }
    }
}

/// Extends the consumed part of a segment.
fn extend(segment: &mut Segment, from: i64, to: i64) {
    if segment.from == segment.upto {
        segment.from = from;
        segment.upto = to;
    } else {
        segment.upto = segment.upto.max(to);
    }
}

impl Segment {
    /// Judged messages of it came.
    pub(super) fn consume(&mut self, part: &SegmentPart) {
        let unproven = if self.is_balanced() { None } else { self.unproven_min_ms };
        self.debit.merge(&part.bag);
        self.unproven_min_ms = least(unproven, part.times.min_ms);
        self.times.merge(&part.times);
        self.offset_max = self.offset_max.max(part.offset_max);
    }
}

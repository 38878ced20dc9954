//! A standing as bytes: the totals of a checkpoint. Contract: see [`super::pack`].

use std::collections::BTreeMap;

use super::delta::Damaged;
use super::pack::{Reader, Writer, whole};
use super::standing::{FileCounts, LaneStanding, SegmentCounts, Standing, Wishes};
use super::state_codec::{read_counts, read_no_look, read_snapshot, write_no_look, write_snapshot};
use crate::hole::HoleReason;
use crate::judge::{MessageTally, RowTally};
use crate::position::TopicPartition;
use crate::verdict::{Cause, ExcludedCause, MessageVerdict, RowVerdict, Verdict};

impl Standing {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.maybe(self.judged_at_ms);
        to.byte(u8::from(self.uuid.is_some()));
        to.text(self.uuid.as_deref().unwrap_or_default());
        to.byte(u8::from(self.snapshot.is_some()));
        if let Some(snapshot) = &self.snapshot {
            write_snapshot(&mut to, snapshot);
        }
        write_no_look(&mut to, self.cannot_look);
        to.number(self.lanes.len() as u64);
        self.lanes.iter().for_each(|lane| write_lane(&mut to, lane));
        to.number(self.rows_read);
        self.rows_in_order().iter().for_each(|count| to.number(*count));
        phantom_causes().iter().for_each(|cause| to.number(self.phantoms_again.get(cause).copied().unwrap_or(0)));
        self.files.in_order().iter().for_each(|count| to.number(*count));
        self.segments.in_order().iter().for_each(|count| to.number(*count));
        to.number(self.entries);
        self.wishes.in_order().iter().for_each(|count| to.number(*count));
        to.byte(u8::from(self.timed));
        to.number(self.untold);
        MessageVerdict::ALL.iter().for_each(|one| to.number(self.unlisted.get(one).copied().unwrap_or(0)));
        to.seal()
    }

    fn rows_in_order(&self) -> [u64; 7] {
        let rows = &self.rows;
        let in_scope = [rows.intact, rows.corrupted, rows.copies, rows.phantom, rows.unjudged, rows.unobservable];
        let [intact, corrupted, copies, phantom, unjudged, unobservable] = in_scope;
        [intact, corrupted, copies, phantom, unjudged, unobservable, rows.out_of_scope]
    }

    /// The standing of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "the totals", |from| {
            let judged_at_ms = from.maybe()?;
            let (has_uuid, uuid) = (from.flag()?, from.text()?);
            let snapshot = if from.flag()? { Some(read_snapshot(from)?) } else { None };
            let (cannot_look, lanes) = (read_no_look(from)?, from.list(read_lane)?);
            let rows_read = from.number()?;
            Some(Self {
                judged_at_ms,
                uuid: has_uuid.then_some(uuid),
                snapshot,
                cannot_look,
                lanes,
                rows_read,
                rows: read_rows(from)?,
                phantoms_again: read_again(from)?,
                files: FileCounts::read(from)?,
                segments: SegmentCounts::read(from)?,
                entries: from.number()?,
                wishes: Wishes::read(from)?,
                timed: from.has_late() && from.flag()?,
                untold: if from.has_late() { from.number()? } else { rows_read },
                unlisted: if from.has_late_of_windows() { read_unlisted(from)? } else { BTreeMap::new() },
            })
        })
    }
}

fn phantom_causes() -> Vec<Cause> {
    Cause::of(Verdict::Row(RowVerdict::Phantom))
}

fn read_again(from: &mut Reader<'_>) -> Option<BTreeMap<Cause, u64>> {
    let mut again = BTreeMap::new();
    for cause in phantom_causes() {
        let count = from.number()?;
        if count > 0 {
            again.insert(cause, count);
        }
    }
    Some(again)
}

fn read_unlisted(from: &mut Reader<'_>) -> Option<BTreeMap<MessageVerdict, u64>> {
    let mut unlisted = read_counts(from, MessageVerdict::ALL)?;
    unlisted.retain(|_, messages| *messages > 0);
    Some(unlisted)
}

fn write_lane(to: &mut Writer, lane: &LaneStanding) {
    to.text(&lane.tp.topic);
    to.signed(i64::from(lane.tp.partition));
    to.byte(u8::from(lane.declared));
    let offsets = [lane.start, lane.position, lane.barrier, lane.high_watermark, lane.log_start];
    offsets.iter().for_each(|offset| to.signed(*offset));
    to.number(lane.consumed);
    MessageVerdict::ALL.iter().for_each(|verdict| to.number(lane.messages.of(*verdict)));
    let tally = &lane.messages;
    [tally.late, tally.duplicated_differing, tally.duplicated_faithful].iter().for_each(|one| to.number(*one));
    ExcludedCause::ALL.iter().for_each(|cause| to.number(lane.excluded.get(cause).copied().unwrap_or(0)));
    to.number(lane.hole_offsets);
    HoleReason::ALL.iter().for_each(|reason| to.number(lane.holes.get(reason).copied().unwrap_or(0)));
    to.number(lane.offsets);
    to.maybe(lane.oldest_unsettled_ms);
}

fn read_lane(from: &mut Reader<'_>) -> Option<LaneStanding> {
    let tp = TopicPartition { topic: from.text()?, partition: i32::try_from(from.signed()?).ok()? };
    let declared = from.flag()?;
    let [start, position, barrier] = [from.signed()?, from.signed()?, from.signed()?];
    let [high_watermark, log_start] = [from.signed()?, from.signed()?];
    let consumed = from.number()?;
    let mut messages = MessageTally::default();
    for verdict in MessageVerdict::ALL {
        messages.add(*verdict, from.number()?);
    }
    messages.late = from.number()?;
    messages.duplicated_differing = from.number()?;
    messages.duplicated_faithful = from.number()?;
    Some(LaneStanding {
        tp,
        start,
        declared,
        position,
        barrier,
        high_watermark,
        log_start,
        consumed,
        messages,
        excluded: from.excluded()?,
        hole_offsets: from.number()?,
        holes: read_counts(from, HoleReason::ALL)?,
        offsets: from.number()?,
        oldest_unsettled_ms: from.maybe()?,
    })
}

fn read_rows(from: &mut Reader<'_>) -> Option<RowTally> {
    Some(RowTally {
        intact: from.number()?,
        corrupted: from.number()?,
        copies: from.number()?,
        phantom: from.number()?,
        unjudged: from.number()?,
        unobservable: from.number()?,
        out_of_scope: from.number()?,
    })
}

impl FileCounts {
    fn in_order(&self) -> [u64; 4] {
        [self.live, self.corrupt, self.unreadable, self.misrouted]
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let [live, corrupt, unreadable, misrouted] = from.numbers()?;
        Some(Self { live, corrupt, unreadable, misrouted })
    }
}

impl SegmentCounts {
    fn in_order(&self) -> [u64; 9] {
        let [balanced, judged, drilling, bare] = [self.balanced, self.judged, self.drilling, self.bare];
        let [to_drill, open, put_by, put_by_messages] = [self.to_drill, self.open, self.put_by, self.put_by_messages];
        [balanced, judged, drilling, bare, to_drill, open, put_by, put_by_messages, self.unnamed]
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let [balanced, judged, drilling, bare, to_drill, open, put_by, put_by_messages] = from.numbers()?;
        let unnamed = if from.has_late_of_windows() { from.number()? } else { 0 };
        Some(Self { balanced, judged, drilling, bare, to_drill, open, put_by, put_by_messages, unnamed })
    }
}

impl Wishes {
    fn in_order(&self) -> [u64; 3] {
        [self.drills, self.rescans, self.holes]
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let [drills, rescans, holes] = from.numbers()?;
        if !from.has_late() {
            from.number()?;
        }
        Some(Self { drills, rescans, holes })
    }
}

//! From the state to its [`Standing`].

use std::collections::{BTreeMap, BTreeSet};

use super::Shadow;
use super::event::{SeenRow, SnapshotFact};
use super::file::FileId;
use super::lane::Lane;
use super::residue::Residue;
use super::segment::{Segment, least};
use super::standing::{LaneStanding, SegmentCounts, Standing, Wishes};
use super::terms::TimedBy;
use crate::judge::MessageTally;
use crate::position::PartitionIndex;
use crate::verdict::{Cause, ExcludedCause, MessageVerdict, RowVerdict, Verdict};

impl Shadow {
    /// How all stands.
    pub fn standing(&self) -> Standing {
        let mut standing = Standing {
            judged_at_ms: (self.judged_at_ms > i64::MIN).then_some(self.judged_at_ms),
            uuid: self.line.uuid.clone(),
            snapshot: self.line.cursor.clone().filter(SnapshotFact::is_there),
            cannot_look: self.cannot_look,
            lanes: self.lanes.iter().map(of_lane).collect(),
            rows_read: self.files.rows,
            files: self.files.counts(),
            entries: self.residues.entries() as u64,
            wishes: self.wishes(),
            phantoms_again: self.phantoms_again(),
            timed: self.terms.timed != TimedBy::Nobody,
            untold: self.files.rows.min(self.files.untold + self.board.late_unknown),
            unlisted: self.board.unlisted.clone(),
            ..Standing::default()
        };
        for lane in &self.lanes {
            standing.rows.intact += lane.balanced_messages;
            standing.segments.balanced += lane.balanced_segments;
            // What has no window is in no segment.
            if lane.windowless > 0 {
                *standing.unlisted.entry(MessageVerdict::Unobservable).or_default() += lane.windowless;
            }
        }
        standing.rows.out_of_scope = self.files.out_of_scope;
        self.add_unbalanced(&mut standing);
        self.add_judged(&mut standing);
        standing
    }

    fn phantoms_again(&self) -> BTreeMap<Cause, u64> {
        let mut again = BTreeMap::new();
        if self.files.all_live().all(|(_, file)| file.facts.entries == 1) {
            return again;
        }
        let mut seen = BTreeSet::new();
        for draft in self.drafts().iter().filter(|draft| draft.verdict == Verdict::Row(RowVerdict::Phantom)) {
            if let (Some(row), Some(cause)) = (draft.rows.first(), draft.cause)
                && !seen.insert(*row)
            {
                *again.entry(cause).or_default() += 1;
            }
        }
        again
    }

    fn add_unbalanced(&self, standing: &mut Standing) {
        for (partition, tally) in &self.board.messages {
            standing.lanes[partition.0 as usize].messages += *tally;
        }
        for (partition, lane) in (0..).map(PartitionIndex).zip(&mut standing.lanes) {
            lane.oldest_unsettled_ms = self.board.oldest_ms(partition);
            lane.note_superseded(self.board.superseded.get(&partition).copied().unwrap_or(0));
            // Those are among the messages of the board.
            lane.note_cause(ExcludedCause::Expired, self.board.expired.get(&partition).copied().unwrap_or(0));
        }
        standing.rows += self.board.rows;
        let balanced = standing.segments.balanced;
        standing.segments = SegmentCounts { balanced, ..self.board.segments };
        if !self.has_room() {
            standing.segments.put_by = self.board.segments.to_drill - self.board.to_name;
            standing.segments.put_by_messages = self.board.to_drill_messages;
            standing.segments.unnamed = self.board.to_name;
        }
    }

    fn add_judged(&self, standing: &mut Standing) {
        let judged = self.judged();
        for (partition, tally) in &judged.judgement.messages {
            // Those that cannot be told are counted when they are consumed, and when they are named.
            let told = judged.judgement.diverted_undecodable.get(partition).copied().unwrap_or(0);
            let tally = MessageTally { excluded: 0, undecodable: 0, diverted: tally.diverted - told, ..*tally };
            let lane = &mut standing.lanes[partition.0 as usize];
            lane.messages += tally;
            let of_lane = judged.judgement.released.iter().filter(|((of, _), _)| of == partition);
            let released: u64 = of_lane.map(|(_, messages)| messages).sum();
            // Of versions that asked for a row those that have another verdict did so in vain.
            let asked = judged.asked.get(partition).copied().unwrap_or(0);
            lane.note_superseded(asked.saturating_sub(tally.total() + released));
        }
        for ((partition, cause), messages) in &judged.judgement.released {
            let lane = &mut standing.lanes[partition.0 as usize];
            lane.messages.excluded += messages;
            lane.note_cause(*cause, *messages);
        }
        standing.rows += judged.judgement.rows;
        for (partition, at_ms) in &judged.oldest_ms {
            let oldest = &mut standing.lanes[partition.0 as usize].oldest_unsettled_ms;
            *oldest = least(*oldest, Some(*at_ms));
        }
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            drills: self.drills_asked(),
            rescans: self.rescans().len() as u64,
            holes: self.pages.unexplained().map(|(_, page)| page.unexplained.len() as u64).sum(),
        }
    }
}

fn of_lane(lane: &Lane) -> LaneStanding {
    let mut excluded = lane.excluded.clone();
    if lane.balanced_superseded > 0 {
        *excluded.entry(ExcludedCause::Superseded).or_default() += lane.balanced_superseded;
    }
    LaneStanding {
        tp: lane.tp.clone(),
        start: lane.start,
        declared: lane.declared,
        position: lane.position,
        barrier: lane.barrier,
        high_watermark: lane.high_watermark,
        log_start: lane.log_start,
        consumed: lane.consumed(),
        messages: MessageTally {
            intact: lane.balanced_messages,
            late: lane.balanced_late,
            excluded: lane.excluded.values().sum::<u64>() + lane.balanced_superseded,
            undecodable: lane.undecodable - lane.diverted_undecodable,
            diverted: lane.diverted_undecodable,
            unobservable: lane.windowless,
            ..MessageTally::default()
        },
        excluded,
        hole_offsets: lane.hole_offsets,
        holes: lane.holes.clone(),
        offsets: lane.position.abs_diff(lane.start),
        oldest_unsettled_ms: None,
    }
}

/// Whether nothing more is asked of a residue of keys: its rows are where they were read.
pub(super) fn is_read_by_keys(residue: &Residue, segment: &Segment) -> bool {
    let is_live = |row: &SeenRow| segment.files.binary_search(&FileId(row.entry.at.file.0)).is_ok();
    !residue.whole && (residue.unreadable || residue.rows.iter().all(is_live))
}

/// Whether nothing more is asked of a residue.
pub(super) fn is_read(residue: &Residue, segment: &Segment) -> bool {
    let files = || segment.files.iter().all(|file| residue.read_files.contains_key(file));
    let gone = || segment.gone.iter().all(|file| residue.read_gone.contains(file));
    let messages = residue.read_upto == segment.upto && residue.is_of(&segment.shares);
    !residue.whole && (residue.unreadable || messages && files() && gone())
}

//! From the state to its [`Standing`].

use super::Shadow;
use super::action::Action;
use super::lane::Lane;
use super::residue::Residue;
use super::segment::{Segment, least};
use super::stage::Stage;
use super::standing::{LaneStanding, Standing, Wishes};
use crate::judge::{MessageTally, RowTally};
use crate::segment::SegmentKey;
use crate::verdict::MessageVerdict;

impl Shadow {
    /// How all stands.
    pub fn standing(&self) -> Standing {
        let mut standing = Standing {
            judged_at_ms: (self.judged_at_ms > i64::MIN).then_some(self.judged_at_ms),
            uuid: self.line.uuid.clone(),
            snapshot: self.line.cursor.clone(),
            cannot_look: self.cannot_look,
            lanes: self.lanes.iter().map(of_lane).collect(),
            entries: self.entries() as u64,
            wishes: self.wishes(),
            ..Standing::default()
        };
        for lane in &self.lanes {
            standing.rows.intact += lane.balanced_messages;
            standing.segments.balanced += lane.balanced_segments;
        }
        self.add_unbalanced(&mut standing);
        self.add_judged(&mut standing);
        for file in self.live.values() {
            let entries = u64::from(file.facts.entries);
            standing.rows_read += file.rows * entries;
            standing.rows.out_of_scope += file.out_of_scope * entries;
            standing.files.live += 1;
            standing.files.corrupt += u64::from(file.faults.iter().any(|fault| fault.corrupt));
            standing.files.unreadable += u64::from(file.faults.iter().any(|fault| !fault.corrupt));
        }
        standing
    }

    fn add_unbalanced(&self, standing: &mut Standing) {
        let has_room = self.has_room();
        for (key, segment) in self.pages.unbalanced() {
            let mut nowhere = MessageTally::default();
            let (tally, oldest) = match key {
                SegmentKey::Offsets { partition, .. } => {
                    let lane = &mut standing.lanes[partition.0 as usize];
                    (&mut lane.messages, &mut lane.oldest_unsettled_ms)
                }
                _ => (&mut nowhere, &mut None),
            };
            let (messages, rows) = (segment.debit.count, segment.credit.count);
            let counts = &mut standing.segments;
            match self.stage(key, segment) {
                Stage::Balanced => {}
                Stage::Bare(verdict) => {
                    tally.add(verdict, messages);
                    counts.bare += 1;
                    if matches!(verdict, MessageVerdict::Pending | MessageVerdict::Overdue) {
                        *oldest = least(*oldest, segment.times.min_ms);
                    }
                }
                stage @ (Stage::ToDrill | Stage::Open) => {
                    tally.add(MessageVerdict::Pending, messages);
                    standing.rows.unjudged += rows;
                    *oldest = least(*oldest, segment.unproven_min_ms.or(segment.times.min_ms));
                    if stage == Stage::Open {
                        counts.open += 1;
                        continue;
                    }
                    counts.to_drill += 1;
                    if !has_room {
                        counts.put_by += 1;
                        counts.put_by_messages += messages;
                    }
                }
                Stage::Disputed => {
                    let residue = &self.residues[&key];
                    add_residue(residue, segment, tally, &mut standing.rows);
                    match is_read(residue, segment) {
                        true => counts.judged += 1,
                        false => counts.drilling += 1,
                    }
                }
            }
        }
    }

    fn add_judged(&self, standing: &mut Standing) {
        let judgement = &self.judged.judgement;
        for (partition, tally) in &judgement.messages {
            standing.lanes[partition.0 as usize].messages += MessageTally { excluded: 0, undecodable: 0, ..*tally };
        }
        standing.rows += judgement.rows;
        for draft in &judgement.drafts {
            let Some(at) = draft.message.filter(|_| draft.verdict == MessageVerdict::Overdue.into()) else { continue };
            let oldest = &mut standing.lanes[at.partition.0 as usize].oldest_unsettled_ms;
            *oldest = least(*oldest, draft.timestamp_ms);
        }
    }

    fn wishes(&self) -> Wishes {
        let mut wishes = Wishes::default();
        for action in self.actions() {
            match action {
                Action::Drill(_) => wishes.drills += 1,
                Action::Rescan { .. } => wishes.rescans += 1,
                Action::Explain(runs) => wishes.holes += runs.len() as u64,
                Action::Time { .. } => wishes.times += 1,
            }
        }
        wishes
    }
}

fn of_lane(lane: &Lane) -> LaneStanding {
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
            excluded: lane.excluded.values().sum(),
            undecodable: lane.undecodable,
            ..MessageTally::default()
        },
        excluded: lane.excluded.clone(),
        hole_offsets: lane.hole_offsets,
        holes: lane.holes.clone(),
        offsets: lane.position.abs_diff(lane.start),
        oldest_unsettled_ms: None,
    }
}

/// Whether nothing more is asked of a residue.
pub(super) fn is_read(residue: &Residue, segment: &Segment) -> bool {
    let files = || segment.files.iter().all(|file| residue.read_files.contains_key(file));
    let gone = || segment.gone.iter().all(|file| residue.read_gone.contains(file));
    !residue.whole && (residue.unreadable || residue.read_upto == segment.upto && files() && gone())
}

/// What agreed, and what is not read yet; the judge counts the rest.
fn add_residue(residue: &Residue, segment: &Segment, tally: &mut MessageTally, rows: &mut RowTally) {
    if residue.unreadable {
        tally.unobservable += segment.debit.count;
        rows.unobservable += segment.credit.count;
        return;
    }
    tally.intact += residue.agreed.count;
    tally.late += u64::from(residue.agreed_late);
    tally.pending += segment.debit.count - residue.read_debit.count;
    rows.intact += residue.agreed.count;
    rows.unjudged += segment.credit.count - residue.read_credit().count;
}

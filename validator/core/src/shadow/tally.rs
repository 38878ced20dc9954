//! All counts of a shadow: what report, metrics and the ledger's checkpoint say (I8).
//!
//! Contract: made from the state alone. Excluded and undecodable messages are counted when they are consumed; the judge's
//! own counts of them are of disputed segments only and left aside.

use std::collections::BTreeMap;

use super::Shadow;
use super::residue::Residue;
use super::segment::Segment;
use super::stage::Stage;
use crate::accounting::{Accounts, PartitionAccount};
use crate::judge::{MessageTally, RowTally};
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::MessageVerdict;

/// Segments by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SegmentCounts {
    /// Proven equal, with messages.
    pub balanced: u64,
    /// Drilled, and all that was asked is read.
    pub judged: u64,
    /// Drilled, and more is asked.
    pub drilling: u64,
    /// Without rows, and settled as a whole.
    pub bare: u64,
    /// To be drilled.
    pub to_drill: u64,
    /// Waiting for the clock.
    pub open: u64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// By partition: consumed, and by verdict.
    pub lanes: Vec<(u64, MessageTally)>,
    /// Rows of live entries.
    pub rows_read: u64,
    /// By verdict.
    pub rows: RowTally,
    /// By stage.
    pub segments: SegmentCounts,
}

impl Shadow {
    /// All counts.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let mut by_lane: BTreeMap<PartitionIndex, MessageTally> = BTreeMap::new();
        for (partition, lane) in (0..).map(PartitionIndex).zip(&self.lanes) {
            let tally = by_lane.entry(partition).or_default();
            tally.intact = lane.balanced_messages;
            tally.late = lane.balanced_late;
            tally.excluded = lane.excluded.values().sum();
            tally.undecodable = lane.undecodable;
            totals.rows.intact += lane.balanced_messages;
            totals.segments.balanced += lane.balanced_segments;
        }
        self.add_unbalanced(&mut totals, &mut by_lane);
        self.add_judged(&mut totals, &mut by_lane);
        for file in self.live.values() {
            totals.rows_read += file.rows * u64::from(file.facts.entries);
            totals.rows.out_of_scope += file.out_of_scope * u64::from(file.facts.entries);
        }
        totals.lanes =
            self.lanes.iter().zip(by_lane.into_values()).map(|(lane, tally)| (lane.consumed(), tally)).collect();
        totals
    }

    fn add_unbalanced(&self, totals: &mut Totals, by_lane: &mut BTreeMap<PartitionIndex, MessageTally>) {
        for (key, segment) in self.pages.unbalanced() {
            let mut nowhere = MessageTally::default();
            let tally = match key {
                SegmentKey::Offsets { partition, .. } => by_lane.entry(partition).or_default(),
                _ => &mut nowhere,
            };
            let (messages, rows) = (segment.debit.count, segment.credit.count);
            let counts = &mut totals.segments;
            match self.stage(key, segment) {
                Stage::Balanced => {}
                Stage::Bare(verdict) => {
                    tally.add(verdict, messages);
                    counts.bare += 1;
                }
                Stage::ToDrill => {
                    tally.add(MessageVerdict::Pending, messages);
                    totals.rows.unjudged += rows;
                    counts.to_drill += 1;
                }
                Stage::Open => {
                    tally.add(MessageVerdict::Pending, messages);
                    totals.rows.unjudged += rows;
                    counts.open += 1;
                }
                Stage::Disputed => {
                    let residue = &self.residues[&key];
                    add_residue(residue, segment, tally, &mut totals.rows);
                    match is_read(residue, segment) {
                        true => counts.judged += 1,
                        false => counts.drilling += 1,
                    }
                }
            }
        }
    }

    fn add_judged(&self, totals: &mut Totals, by_lane: &mut BTreeMap<PartitionIndex, MessageTally>) {
        let judgement = &self.judged.judgement;
        for (partition, tally) in &judgement.messages {
            *by_lane.entry(*partition).or_default() += MessageTally { excluded: 0, undecodable: 0, ..*tally };
        }
        totals.rows += judgement.rows;
    }

    /// The counts with those that they must add up to (I1).
    pub fn accounts(&self) -> Accounts {
        let totals = self.totals();
        let mut messages = MessageTally::default();
        let mut partitions = Vec::new();
        for (lane, (consumed, tally)) in self.lanes.iter().zip(totals.lanes) {
            messages += tally;
            partitions.push(PartitionAccount { tp: lane.tp.clone(), consumed, messages: tally });
        }
        Accounts { partitions, messages, rows_read: totals.rows_read, rows: totals.rows }
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

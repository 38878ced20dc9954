//! The verdicts on disputed segments: all residues are one case of the judge.
//!
//! Contract: the judge is that of a single run. How a row stands to the scope is taken at the moment of judging, so that it
//! never ages; what stood is asked of messages without a row only.

use std::collections::BTreeMap;

use super::Shadow;
use super::delta::FindingPlace;
use super::file::FileId;
use super::page::PageKey;
use super::residue::{Residue, digest16};
use super::stage::Stage;
use crate::clock::Past;
use crate::hole::{Hole, HoleReason, Holes};
use crate::judge::{Case, Draft, Judgement, LossKind, ModeKind, NoBalanced, judge};
use crate::position::{FileIndex, PartitionIndex, RowAt};
use crate::scope::{Known, ListedPartition, OffsetScope};
use crate::segment::SegmentKey;
use crate::verdict::{Cause, MessageVerdict, Verdict};

/// The judgement of the residues, and what it tells of other segments.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Judged {
    pub judgement: Judgement,
    paired_max: BTreeMap<PartitionIndex, i64>,
    loose: bool,
}

impl Judged {
    /// The greatest offset of a message that has an equal row.
    pub fn paired_max(&self, partition: PartitionIndex) -> Option<i64> {
        self.paired_max.get(&partition).copied()
    }

    /// Whether a row may be that of a message of any segment.
    pub fn is_loose(&self) -> bool {
        self.loose
    }
}

/// What a finding is about, and what it says: a state has at most one of each.
pub type FindingKey = (FindingPlace, Verdict);

impl Shadow {
    pub(super) fn judge(&mut self) {
        let mut paired_max = BTreeMap::new();
        let mut note = |partition, offset: Option<i64>| {
            if let Some(offset) = offset {
                let largest = paired_max.entry(partition).or_insert(offset);
                *largest = offset.max(*largest);
            }
        };
        for (partition, lane) in (0..).map(PartitionIndex).zip(&self.lanes) {
            note(partition, lane.proven_max());
        }
        for (key, residue) in &self.residues {
            if let SegmentKey::Offsets { partition, .. } = key {
                note(*partition, residue.paired_max());
            }
        }
        let case = self.case(paired_max.clone());
        let loose = self.residues.values().any(Residue::is_loose);
        let ranks = self.ranks();
        let Ok(judgement) = judge(in_order_of_paths(case, &ranks), &mut NoBalanced);
        self.judged = Judged { judgement: with_numbers(judgement, &ranks), paired_max, loose };
    }

    /// Files with rows in residues, in the order of their paths: that of a single run. Numbers depend on the order of scans.
    fn ranks(&self) -> Vec<u32> {
        let rows = self.residues.values().flat_map(|residue| &residue.rows);
        let mut files: Vec<u32> = rows.map(|row| row.entry.at.file.0).collect();
        files.sort_unstable();
        files.dedup();
        files.sort_by_key(|file| {
            let live = self.names.get(&FileId(*file)).and_then(|hash| self.live.get(hash));
            (live.map(|file| file.facts.path.as_str()), *file)
        });
        files
    }

    /// The drafts of the judge, in its order.
    pub fn drafts(&self) -> &[Draft] {
        &self.judged.judgement.drafts
    }

    fn case(&self, paired_max: BTreeMap<PartitionIndex, i64>) -> Case {
        let scope = self.scope();
        let (mut messages, mut rows) = (Vec::new(), Vec::new());
        for (key, residue) in self.residues.iter().filter(|(_, residue)| !residue.unreadable) {
            let stood_below = self.pages.segment(*key).map_or(i64::MIN, |segment| segment.stood_below);
            messages.extend(residue.messages.iter().map(|message| {
                let mut message = *message;
                let stood = |digest| residue.stood.contains(&digest16(&digest));
                message.stood = message.at.offset < stood_below || message.digest.is_some_and(stood);
                message.loss = self.loss(*key, message.at.offset);
                message
            }));
            rows.extend(residue.rows.iter().map(|row| {
                let known = row.partition.map_or(Known::Absent, Known::Listed);
                let place = scope.place_in(known, row.offset);
                crate::judge::RowEntry { standing: place.standing, hole: place.hole, ..row.entry }
            }));
        }
        let (clock, past) = (self.terms.clock(self.judged_at_ms), Past::Offsets { paired_max });
        Case { mode: ModeKind::Offset, messages, rows, clock, past, whole_topic: self.terms.whole_topic }
    }

    fn scope(&self) -> OffsetScope {
        let mut holes: BTreeMap<PartitionIndex, Vec<Hole>> = BTreeMap::new();
        let mut pages: Vec<PageKey> = self.residues.keys().map(|key| PageKey::of(*key).0).collect();
        pages.dedup();
        for key in pages {
            let Some(page) = self.pages.page(&key) else { continue };
            let Ok(lane) = u32::try_from(key.a) else { continue };
            let all = holes.entry(PartitionIndex(lane)).or_default();
            all.extend(page.holes.runs());
            let unknown = |(from, to): &(i64, i64)| Hole { from: *from, to: *to, reason: HoleReason::Unknown };
            all.extend(page.unexplained.iter().map(unknown));
        }
        let listed = (0..).map(PartitionIndex).zip(&self.lanes).map(|(partition, lane)| ListedPartition {
            tp: lane.tp.clone(),
            log_start: lane.log_start,
            high_watermark: lane.high_watermark,
            from: lane.start,
            to: lane.position,
            start: lane.declared.then_some(lane.start),
            starts_at_first: !lane.declared,
            ends_at_now: true,
            holes: Holes::new(holes.remove(&partition).unwrap_or_default()),
        });
        OffsetScope::new(listed.collect(), &[])
    }

    fn loss(&self, key: SegmentKey, offset: i64) -> Option<LossKind> {
        let SegmentKey::Offsets { partition, .. } = key else { return None };
        let may_hold = |bounds: &Option<Vec<(PartitionIndex, i64, i64)>>| {
            bounds.as_ref().is_none_or(|bounds| {
                bounds.iter().any(|(of, first, last)| *of == partition && (*first..=*last).contains(&offset))
            })
        };
        let of_file = |id: FileId, corrupt: bool| match corrupt {
            true => LossKind::Corrupt { loss: id.0 },
            false => LossKind::Unreadable { loss: id.0 },
        };
        let losses = self.live.values().flat_map(|file| file.faults.iter().map(|fault| (file.id, fault)));
        let holding = losses.filter(|(_, fault)| may_hold(&fault.bounds));
        holding.map(|(id, fault)| of_file(id, fault.corrupt)).max()
    }

    /// The findings of the state: drafts of the judge. Those of events, of whole segments and of undecodable messages
    /// without rows are beside them.
    pub fn findings(&self) -> BTreeMap<FindingKey, &Draft> {
        let drafts = self.judged.judgement.drafts.iter();
        drafts.map(|draft| ((place_of(draft), draft.verdict), draft)).collect()
    }

    /// Whole segments whose messages have one verdict that is a finding: segment, verdict, cause, messages.
    pub fn runs(&self) -> BTreeMap<SegmentKey, (MessageVerdict, Option<Cause>, u64)> {
        let mut runs = BTreeMap::new();
        for (key, segment) in self.pages.unbalanced() {
            let verdict = match self.stage(key, segment) {
                Stage::Bare(verdict) => verdict,
                Stage::Disputed if self.residues.get(&key).is_some_and(|residue| residue.unreadable) => {
                    MessageVerdict::Unobservable
                }
                _ => continue,
            };
            if verdict != MessageVerdict::Pending && segment.debit.count > 0 {
                let cause = (verdict == MessageVerdict::Missing).then_some(Cause::Lost);
                runs.insert(key, (verdict, cause, segment.debit.count));
            }
        }
        runs
    }
}

/// The case with ranks in place of numbers of files.
fn in_order_of_paths(mut case: Case, ranks: &[u32]) -> Case {
    let places: BTreeMap<u32, u32> = ranks.iter().zip(0..).map(|(file, rank)| (*file, rank)).collect();
    for row in &mut case.rows {
        row.at.file = FileIndex(places[&row.at.file.0]);
    }
    case
}

/// The judgement with numbers of files in place of ranks.
fn with_numbers(mut judgement: Judgement, ranks: &[u32]) -> Judgement {
    let back = |at: &mut RowAt| at.file = FileIndex(ranks[at.file.0 as usize]);
    for draft in &mut judgement.drafts {
        draft.rows.iter_mut().for_each(back);
        draft.stale.iter_mut().for_each(back);
        draft.compare.iter_mut().for_each(|(_, row)| back(row));
    }
    judgement.rows_out_of_scope.iter_mut().for_each(back);
    judgement
}

fn place_of(draft: &Draft) -> FindingPlace {
    match (draft.message, draft.rows.first()) {
        (Some(at), _) => FindingPlace::Message { lane: at.partition, offset: at.offset },
        (None, Some(row)) => FindingPlace::Row { file: FileId(row.file.0), position: row.position },
        (None, None) => FindingPlace::Table { path: String::new() },
    }
}

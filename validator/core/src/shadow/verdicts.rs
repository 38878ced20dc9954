//! The verdicts on disputed segments: all residues are one case of the judge.
//!
//! Contract: the judge is that of a single run. How a row stands to the scope is taken at the moment of judging, so that it
//! never ages; what stood is asked of messages without a row only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::Shadow;
use super::checkpoint::Told;
use super::delta::FindingPlace;
use super::file::FileId;
use super::lot::Run;
use super::page::PageKey;
use super::residue::{Residue, digest16};
use super::segment::Segment;
use super::slips::OF_WINDOW;
use super::upsert::InQuestion;
use crate::clock::Past;
use crate::digest::{Digest, IdentityHash};
use crate::hole::{Hole, HoleReason, Holes};
use crate::judge::{Case, Draft, Judgement, LossKind, MessageEntry, MessageState, ModeKind, NoBalanced, judge};
use crate::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use crate::scope::{Known, ListedPartition, OffsetScope};
use crate::segment::SegmentKey;
use crate::verdict::{Cause, MessageVerdict, Verdict};

/// The judgement of the residues, and what it was made of beside them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Judged {
    pub judgement: Judgement,
    /// By partition, the least timestamp of a message that waits for its row.
    pub oldest_ms: BTreeMap<PartitionIndex, i64>,
    /// Findings as the ledger is told of them, once they are asked for.
    pub now: OnceLock<Arc<BTreeMap<FindingKey, Told>>>,
    /// Segments of windows or keys that hold the messages, ascending.
    pub places: Vec<(MessageAt, SegmentKey)>,
    /// Of keys: by partition, the messages that ask for a row.
    pub asked: BTreeMap<PartitionIndex, u64>,
    at_ms: i64,
    /// When a message becomes due, or is given up.
    turn_ms: Option<i64>,
    /// By partition, the least offset of a row that is not below the position, or not below the high watermark.
    beyond: BTreeMap<PartitionIndex, (i64, i64)>,
    /// By partition, the least offset of an overdue message, and the greatest of a lost one.
    passed: BTreeMap<PartitionIndex, (i64, i64)>,
}

/// What a finding is about, and what it says: a state has at most one of each.
pub type FindingKey = (FindingPlace, Verdict);

impl Shadow {
    /// The judgement of the moment.
    pub(super) fn judged(&self) -> &Judged {
        self.judged.get(|| self.judge())
    }

    /// What it was made of changed.
    pub(super) fn forget_judged(&mut self) {
        self.judged.forget();
        self.unsaved.is_told = false;
    }

    /// After an event: the judgement goes if the clock, a position or a high watermark passed what it stands on.
    pub(super) fn forget_overtaken(&mut self) {
        let Some(judged) = self.judged.kept() else { return };
        let turned = self.judged_at_ms < judged.at_ms || judged.turn_ms.is_some_and(|turn| turn <= self.judged_at_ms);
        let reached = |(partition, (row, high)): (&PartitionIndex, &(i64, i64))| {
            self.lane(*partition).is_none_or(|lane| lane.position > *row || lane.high_watermark > *high)
        };
        if turned || judged.beyond.iter().any(reached) {
            self.forget_judged();
        }
    }

    /// The greatest offset with an equal row is another one: the judgement goes if a message lies between.
    pub(super) fn forget_passed(&mut self, partition: PartitionIndex, before: Option<i64>, now: Option<i64>) {
        let Some((overdue, lost)) = self.judged.kept().and_then(|judged| judged.passed.get(&partition)) else { return };
        let passes =
            if now > before { now.is_some_and(|now| *overdue < now) } else { now.is_none_or(|now| *lost >= now) };
        if passes {
            self.forget_judged();
        }
    }

    pub(super) fn judge(&self) -> Judged {
        let keys = self.keys_in_question();
        let places = self.places(&keys);
        let case = self.case(self.board.paired_max.clone(), keys);
        let mut judged = Judged { at_ms: self.judged_at_ms, places, ..Judged::default() };
        judged.turn_ms = self.next_due(&case);
        judged.note_rows(self);
        judged.note_waiting(&case);
        if self.terms.is_upsert() {
            judged.note_asked(&case);
        }
        let ranks = self.ranks();
        let Ok(judgement) = judge(in_order_of_paths(case, &ranks), &mut NoBalanced);
        judged.judgement = with_numbers(judgement, &ranks);
        judged.note_drafts();
        judged
    }

    fn next_due(&self, case: &Case) -> Option<i64> {
        let times = case.messages.iter().filter_map(|message| message.timestamp_ms);
        let turns = times.flat_map(|at| case.clock.waits().map(move |wait| at.saturating_add(wait)));
        turns.filter(|turn| *turn > self.judged_at_ms).min()
    }

    /// Files with rows in residues, in the order of their paths: that of a single run. Numbers depend on the order of scans.
    fn ranks(&self) -> Vec<u32> {
        let rows = self.residues.values().flat_map(|residue| &residue.rows);
        let mut files: Vec<u32> = rows.map(|row| row.entry.at.file.0).collect();
        files.sort_unstable();
        files.dedup();
        files.sort_by_key(|file| {
            let live = self.files.named(FileId(*file));
            (live.map(|file| file.facts.path.as_str()), *file)
        });
        files
    }

    /// The drafts of the judge, in its order.
    pub fn drafts(&self) -> &[Draft] {
        &self.judged().judgement.drafts
    }

    fn case(&self, paired_max: BTreeMap<PartitionIndex, i64>, keys: InQuestion) -> Case {
        let windows = self.terms.windows();
        let scope = windows.is_none().then(|| self.scope());
        let mut messages: Vec<MessageEntry> = keys.messages.into_iter().map(|(_, message)| message).collect();
        let mut rows = keys.rows;
        let clock = self.terms.clock(self.judged_at_ms);
        let is_asked =
            |(key, residue): &(&SegmentKey, &Residue)| !residue.unreadable && !matches!(key, SegmentKey::Keys { .. });
        for (key, residue) in self.residues.iter().filter(is_asked) {
            let segment = self.pages.segment(*key);
            // Whose row it was that stood nobody can say of several.
            let several = if windows.is_some() { residue.several() } else { BTreeSet::new() };
            let here = windows.filter(|_| clock.retention_ms.is_some()).map(|_| named_here(residue));
            messages.extend(residue.messages.iter().map(|message| {
                let stood = segment.is_some_and(|segment| self.has_stood((segment, residue), &several, message));
                let loss = self.loss(*key, message.at.offset);
                // One of a window that need not have a row is sought in its own alone: nobody reads it for rows of others.
                let is_here = || here.as_ref().zip(message.identity).is_none_or(|(here, own)| here.contains(&own));
                let is_sought = !stood || !clock.is_expired(message.timestamp_ms) || is_here();
                let (identity, rest) = if is_sought { (message.identity, message.rest) } else { (None, None) };
                MessageEntry { stood, loss, identity, rest, ..*message }
            }));
            rows.extend(residue.rows.iter().map(|row| {
                let known = row.partition.map_or(Known::Absent, Known::Listed);
                let place = scope.as_ref().map(|scope| scope.place_in(known, row.offset));
                let (standing, hole) =
                    place.map_or((self.standing_in(*key), None), |place| (place.standing, place.hole));
                crate::judge::RowEntry { standing, hole, ..row.entry }
            }));
        }
        let (mode, past) = match windows {
            None => (ModeKind::Offset, Past::Offsets { paired_max }),
            Some(windows) => (windows.mode, Past::Commits { times_ms: self.moved_ms.into_iter().collect() }),
        };
        let whole_topic = self.terms.whole_topic;
        let mut diverted = self.named();
        if self.terms.is_upsert() {
            diverted.extend(messages.iter().map(|message| message.at).filter(|at| self.is_put_aside(*at)));
        }
        Case { mode, messages, rows, clock, past, whole_topic, diverted, remembers: true }
    }

    /// Whether it is known that a message had an equal row in a step.
    fn has_stood(
        &self,
        (segment, residue): (&Segment, &Residue),
        several: &BTreeSet<Digest>,
        message: &MessageEntry,
    ) -> bool {
        let offset = if self.terms.windows().is_some() { OF_WINDOW } else { message.at.offset };
        let by_digest = |digest| residue.stood.contains(&digest16(&digest)) || segment.has_stood(offset, &digest);
        segment.stood_in_balance(message.at)
            || residue.has_stood(self.terms.place(message.at))
            || message.digest.is_some_and(|digest| by_digest(digest) && !several.contains(&digest))
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

    pub(super) fn loss(&self, key: SegmentKey, offset: i64) -> Option<LossKind> {
        let may_hold = |bounds: &Option<Vec<(PartitionIndex, i64, i64)>>| {
            let Some(bounds) = bounds else { return true };
            bounds.iter().any(|(of, first, last)| match key {
                SegmentKey::Offsets { partition, .. } => *of == partition && (*first..=*last).contains(&offset),
                SegmentKey::Window { start: Some(start), .. } => (*first..=*last).contains(&start),
                SegmentKey::Window { start: None, .. } | SegmentKey::Keys { .. } => true,
                SegmentKey::Nowhere => false,
            })
        };
        let of_file = |id: FileId, corrupt: bool| match corrupt {
            true => LossKind::Corrupt { loss: id.0 },
            false => LossKind::Unreadable { loss: id.0 },
        };
        let losses = self.files.faulty().flat_map(|file| file.faults.iter().map(|fault| (file.id, fault)));
        let holding = losses.filter(|(_, fault)| may_hold(&fault.bounds));
        holding.map(|(id, fault)| of_file(id, fault.corrupt)).max()
    }

    /// The findings of the state: drafts of the judge. Those of events, of whole segments and of undecodable messages
    /// without rows are beside them.
    pub fn findings(&self) -> BTreeMap<FindingKey, &Draft> {
        let drafts = self.judged().judgement.drafts.iter();
        drafts.map(|draft| ((place_of(draft), draft.verdict), draft)).collect()
    }

    /// Whether a message may have had a row that nobody can know of any more: files of its segment went before they were
    /// asked. That a message there without a row is `missing` or `overdue` does not say that it never had one.
    pub fn may_have_stood(&self, at: MessageAt) -> bool {
        let Some(key) = self.segment_at(at) else { return false };
        let is_open = |segment: &&Segment| !segment.is_balanced();
        let unseen = self.pages.segment(key).filter(is_open).is_some_and(|segment| segment.unseen);
        unseen || self.residues.get(&key).is_some_and(|residue| residue.unseen)
    }

    /// Whole segments whose messages have one verdict that is a finding: segment, verdict, cause, messages.
    pub fn runs(&self) -> &BTreeMap<SegmentKey, Run> {
        &self.board.runs
    }
}

impl Judged {
    fn note_rows(&mut self, shadow: &Shadow) {
        for row in shadow.residues.values().flat_map(|residue| &residue.rows) {
            let (Some(partition), Some(offset)) = (row.partition, row.offset) else { continue };
            let Some(lane) = shadow.lane(partition) else { continue };
            let (position, high) = self.beyond.entry(partition).or_insert((i64::MAX, i64::MAX));
            if offset >= lane.position {
                *position = offset.min(*position);
            }
            if offset >= lane.high_watermark {
                *high = offset.min(*high);
            }
        }
    }

    fn note_asked(&mut self, case: &Case) {
        for message in case.messages.iter().filter(|message| message.state == MessageState::Judged) {
            *self.asked.entry(message.at.partition).or_default() += 1;
        }
    }

    fn note_waiting(&mut self, case: &Case) {
        let waits =
            |message: &&MessageEntry| message.state == MessageState::Judged && !case.diverted.contains(&message.at);
        let waiting = case.messages.iter().filter(waits);
        for message in waiting.filter(|message| !case.clock.is_due(message.timestamp_ms)) {
            self.note_oldest(message.at.partition, message.timestamp_ms);
        }
    }

    fn note_oldest(&mut self, partition: PartitionIndex, at_ms: Option<i64>) {
        if let Some(at) = at_ms {
            let oldest = self.oldest_ms.entry(partition).or_insert(at);
            *oldest = at.min(*oldest);
        }
    }

    fn note_drafts(&mut self) {
        let drafts = std::mem::take(&mut self.judgement.drafts);
        for draft in &drafts {
            let Some(at) = draft.message else { continue };
            let passed = self.passed.entry(at.partition).or_insert((i64::MAX, i64::MIN));
            if draft.verdict == MessageVerdict::Overdue.into() {
                passed.0 = at.offset.min(passed.0);
                self.note_oldest(at.partition, draft.timestamp_ms);
            } else if draft.cause == Some(Cause::Lost) {
                passed.1 = at.offset.max(passed.1);
            }
        }
        self.judgement.drafts = drafts;
    }
}

/// Identities that rows of a segment have.
fn named_here(residue: &Residue) -> BTreeSet<IdentityHash> {
    residue.rows.iter().map(|row| row.entry.identity).collect()
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

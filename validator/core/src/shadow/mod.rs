//! The shadow: the state machine of a continuous run. Events in, actions and deltas out.
//!
//! Contract: no I/O, no clock, no threads. What it says is a function of the messages consumed, the steps applied and the
//! instant of the last applied look; neither the order of answers nor a restart changes a count. When nothing is open it
//! says what a single run over the same messages and snapshot says.

pub mod action;
mod asks;
pub mod blame;
mod board;
pub mod checkpoint;
mod consumed;
pub mod delta;
mod docket;
mod drilled;
pub mod event;
mod expiry;
pub mod explain;
pub mod file;
mod files;
pub mod held;
pub mod hidden;
pub mod holdings;
pub mod invariants;
pub mod keys;
mod keys_codec;
pub mod lane;
pub mod late;
pub mod late_windows;
pub mod letters;
mod lot;
mod memo;
mod misreadings;
pub mod nets;
pub mod outside;
mod pack;
pub mod page;
mod page_codec;
mod parcel_codec;
pub mod residue;
mod residue_codec;
pub mod runs;
pub mod segment;
pub mod slips;
pub mod stage;
pub mod standing;
mod standing_codec;
mod state_codec;
mod step;
mod tally;
pub mod terms;
pub mod told;
mod upsert;
mod verdicts;
pub mod versions;
pub mod windows;

use std::collections::BTreeSet;

use board::Board;
use checkpoint::Unsaved;
use delta::{Change, FindingPlace};
use docket::Docket;
use event::{Event, Refused, SnapshotFact};
use file::{FileFacts, FileId, PathHash};
use files::Files;
use held::Pages;
use lane::Lane;
use late_windows::shared_out;
use memo::Memo;
use misreadings::Misreadings;
use nets::{Difference, Nets};
use page::{Page, PageKey};
use residue::Residue;
use segment::Segment;
use slips::{Partings, Slips};
use standing::NoLook;
use terms::Terms;
use verdicts::Judged;
use windows::Floor;

use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::{Cause, Verdict};

/// The state of one pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadow {
    terms: Terms,
    lanes: Vec<Lane>,
    pages: Pages,
    residues: Docket,
    misread: Misreadings,
    line: Line,
    floor: Floor,
    /// The modes `key` and `content`: when rows were last added, as far as steps said.
    moved_ms: Option<i64>,
    files: Files,
    /// Rows that went before their messages came.
    partings: Partings,
    board: Board,
    judged: Memo<Judged>,
    /// Partitions in which an event changed what is known to have an equal row; empty between events.
    touched: BTreeSet<PartitionIndex>,
    judged_at_ms: i64,
    cannot_look: Option<NoLook>,
    checkpoint: u64,
    /// Findings that follow from one event and not from the state, until the ledger has them.
    news: Vec<News>,
    unsaved: Unsaved,
    /// What the service keeps beside the state.
    notes: String,
}

/// Where the shadow is in the table's history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// The table's.
    pub uuid: Option<String>,
    /// The last step.
    pub cursor: Option<SnapshotFact>,
}

/// A finding that is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// What is true.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// Of what.
    pub place: FindingPlace,
    /// The message's Kafka timestamp.
    pub timestamp_ms: Option<i64>,
    /// One sentence for a person.
    pub detail: String,
    /// Whether it is true from now on, or no longer.
    pub change: Change,
}

impl Shadow {
    /// A new one, of no partitions.
    pub fn new(terms: Terms) -> Self {
        let pages = Pages::new(terms.windows().is_some());
        Self {
            terms,
            lanes: Vec::new(),
            pages,
            residues: Docket::default(),
            misread: Misreadings::default(),
            line: Line::default(),
            floor: Floor::default(),
            moved_ms: None,
            files: Files::default(),
            partings: Partings::default(),
            board: Board::default(),
            judged: Memo::default(),
            touched: BTreeSet::new(),
            judged_at_ms: i64::MIN,
            cannot_look: None,
            checkpoint: 0,
            news: Vec::new(),
            unsaved: Unsaved::default(),
            notes: String::new(),
        }
    }

    /// Its partitions, by number.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Where it is in the table's history.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// The instant of the last applied look; `i64::MIN`: there was none.
    pub fn judged_at_ms(&self) -> i64 {
        self.judged_at_ms
    }

    /// Whether a file of this path is live.
    pub fn is_live(&self, path: &str) -> bool {
        self.facts(path).is_some()
    }

    /// What is known of the live file of this path.
    pub fn facts(&self, path: &str) -> Option<&FileFacts> {
        self.files.live(&PathHash::of(path)).map(|file| &file.facts)
    }

    /// The live entries of a live file.
    pub fn entries_of(&self, file: FileId) -> Option<u32> {
        self.files.named(file).map(|file| file.facts.entries)
    }

    /// Findings that events told since the last checkpoint.
    pub fn news(&self) -> &[News] {
        &self.news
    }

    /// Sums for a step, to be filled from the bodies of its [`Shadow::difference`].
    pub fn nets(&self, difference: &Difference) -> Nets {
        let keeps_rows = self.files.have_late(difference.removed.iter().map(|(file, _)| *file));
        Nets { keeps_rows, again: self.files.read_again(), ..Nets::default() }
    }

    /// Pages that [`Shadow::apply`] needs and that are not held. To be asked again until it says none.
    pub fn pages_of(&self, event: &Event) -> Vec<PageKey> {
        let mut keys: Vec<PageKey> = match event {
            Event::Consumed(consumed) => self.pages_consumed(consumed),
            Event::Looked(_, nets) => nets.segments().map(|segment| PageKey::of(*segment).0).collect(),
            Event::Drilled(drilled) => vec![PageKey::of(drilled.segment).0],
            Event::Explained(holes) => self.pages_explained(holes),
            Event::Letters(letters) => self.pages_named(letters),
            _ => Vec::new(),
        };
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| !self.pages.holds(key));
        keys
    }

    /// Takes pages in that the ledger gave; none: it never had one.
    pub fn admit(&mut self, pages: Vec<(PageKey, Option<Page>)>) {
        for (key, page) in pages {
            self.pages.admit(key, page);
        }
    }

    /// Applies an event.
    ///
    /// # Errors
    /// It does not fit; nothing has changed then.
    pub fn apply(&mut self, event: Event) -> Result<(), Refused> {
        if let Some(page) = self.pages_of(&event).first() {
            return Err(Refused::NotHeld { page: *page });
        }
        match event {
            Event::Consumed(consumed) => self.consume(consumed)?,
            Event::Scanned(scanned) => self.scanned(scanned),
            Event::Begin => self.begin(),
            Event::Looked(look, nets) => self.looked(look, nets)?,
            Event::Drilled(drilled) => self.drilled(drilled)?,
            Event::Partitions(lanes) => self.follow(lanes),
            Event::Explained(holes) => self.explain(holes),
            Event::Letters(letters) => self.note_letters(letters)?,
            Event::NotLooked { at_ms, what } => self.not_looked(at_ms, what),
            Event::Trimmed { .. } => {}
        }
        self.recount_touched();
        self.forget_overtaken();
        Ok(())
    }

    fn recount_touched(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        self.recount_dependent(&touched);
    }

    fn follow(&mut self, lanes: Vec<event::NewLane>) {
        let first = self.lanes.len() as u32;
        // Their rows of before are in books that have begun.
        let is_late = self.terms.windows().is_some() && self.has_begun();
        self.lanes.extend(lanes.into_iter().map(|new| {
            let mut lane = Lane::new(new);
            if is_late && lane.start > 0 {
                lane.hidden.cut();
            }
            lane
        }));
        let new: Vec<PartitionIndex> = (first..self.lanes.len() as u32).map(PartitionIndex).collect();
        let (met, useless) = self.files.meet(&new);
        self.unsaved.came.extend(met);
        useless.iter().for_each(|file| self.note_gone(file, self.judged_at_ms));
        self.forget_judged();
    }

    fn lane(&self, partition: PartitionIndex) -> Option<&Lane> {
        self.lanes.get(partition.0 as usize)
    }

    fn lane_mut(&mut self, partition: PartitionIndex) -> Option<&mut Lane> {
        self.lanes.get_mut(partition.0 as usize)
    }

    /// Changes one segment, and with it all that is counted of it: the only way in which a segment changes.
    fn change(&mut self, key: SegmentKey, change: impl FnOnce(&mut Segment)) {
        let mut segment = self.pages.take(key).unwrap_or_default();
        self.count_balanced(key, &segment, false);
        let (debit, credit) = (segment.debit, segment.credit);
        change(&mut segment);
        let left = if self.terms.is_upsert() { self.settle_keys(key, &mut segment) } else { None };
        segment.revision = segment.revision.wrapping_add(1);
        // Rows of windows do not say whether their messages are still to come: of those that went it is known on.
        let is_same = (debit, credit) == (segment.debit, segment.credit);
        let is_by_window = self.terms.windows().is_some() && !self.terms.is_upsert();
        let have_gone = is_by_window && (is_same || segment.credit.count < credit.count);
        if segment.is_balanced() && have_gone {
            segment.let_stand(self.residues.get(&key).map(Residue::slips).unwrap_or_default());
        }
        if segment.is_balanced() {
            if !have_gone {
                segment.gone.clear();
                segment.unseen = false;
                segment.takers.clear();
                segment.takes = 0;
                segment.stood = Slips::default();
            }
            segment.fresh.clear();
            segment.slips.clear();
            segment.unproven_min_ms = None;
            segment.proven_max = segment.offset_max;
            // Each message that is consumed has its row now: it stood, whatever happens to its file.
            if segment.offset_max > i64::MIN {
                segment.stood_below = segment.upto;
            }
            segment.shares.values_mut().for_each(|share| share.stood_below = share.upto);
        }
        self.count_balanced(key, &segment, true);
        let is_settled = segment.is_balanced();
        self.pages.put(key, segment);
        if is_settled && (self.residues.has(&key) || self.misread.has(&key)) {
            self.put_residue(key, None);
        } else if let Some(residue) = left {
            self.put_residue(key, residue);
        } else {
            self.recount(key);
        }
        self.note_proven(key);
    }

    /// Changes the residue of one segment, and with it all that is counted of it: the only way in which one changes.
    fn put_residue(&mut self, key: SegmentKey, residue: Option<Residue>) -> Option<Residue> {
        if residue.is_none() {
            self.misread.forget(&key);
        }
        let before = self.residues.put(key, residue);
        self.unsaved.residues.insert(key);
        self.forget_judged();
        if let SegmentKey::Offsets { partition, .. } = key {
            self.touched.insert(partition);
        }
        self.recount(key);
        before
    }

    fn count_balanced(&mut self, key: SegmentKey, segment: &Segment, enters: bool) {
        if !segment.is_balanced() || segment.debit.is_empty() && segment.keys.is_empty() {
            return;
        }
        let late = segment.late_rows(self.files.late_after());
        match key {
            SegmentKey::Offsets { partition, .. } => {
                self.count_of(partition, [1, segment.debit.count, late, 0], enters)
            }
            SegmentKey::Keys { .. } => {
                let mut segments = u64::from(!segment.debit.is_empty());
                for (partition, counts) in segment.keys.proven() {
                    self.count_of(partition, [segments, counts.intact, 0, counts.superseded], enters);
                    segments = 0;
                }
            }
            _ => {
                // It is one segment, whoever's messages it has, and its late rows are somebody's.
                let mut segments = 1;
                let shares = || segment.shares.iter().filter(|(_, share)| share.judged > 0);
                let late = shared_out(late, shares().map(|(_, share)| share.judged));
                for ((partition, share), late) in shares().zip(late) {
                    self.count_of(*partition, [segments, share.judged, late, 0], enters);
                    segments = 0;
                }
            }
        }
    }

    /// See [`Lane::count_balanced`].
    fn count_of(&mut self, partition: PartitionIndex, counts: [u64; 4], enters: bool) {
        if let Some(lane) = self.lane_mut(partition) {
            lane.count_balanced(counts, enters);
        }
    }

    fn note_proven(&mut self, key: SegmentKey) {
        let SegmentKey::Offsets { partition, .. } = key else { return };
        let (page_key, _) = PageKey::of(key);
        let proven = self.pages.page(&page_key).and_then(|page| page.iter().map(|(_, one)| one.proven_max).max());
        self.touched.insert(partition);
        let Some(lane) = self.lane_mut(partition) else { return };
        match proven.filter(|offset| *offset > i64::MIN) {
            Some(offset) => lane.proven.insert(page_key.b, offset),
            None => lane.proven.remove(&page_key.b),
        };
    }
}

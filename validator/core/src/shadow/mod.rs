//! The shadow: the state machine of a continuous run. Events in, actions and deltas out.
//!
//! Contract: no I/O, no clock, no threads. What it says is a function of the messages consumed, the steps applied and the
//! instant of the last applied look; neither the order of answers nor a restart changes a count. When nothing is open it
//! says what a single run over the same messages and snapshot says.

pub mod action;
mod asks;
pub mod checkpoint;
mod consumed;
pub mod delta;
mod drilled;
pub mod event;
pub mod file;
pub mod held;
pub mod invariants;
pub mod lane;
pub mod nets;
pub mod outside;
mod pack;
pub mod page;
mod page_codec;
pub mod residue;
mod residue_codec;
pub mod segment;
pub mod stage;
pub mod standing;
mod standing_codec;
mod state_codec;
mod step;
mod tally;
pub mod terms;
pub mod told;
mod verdicts;

use std::collections::BTreeMap;

use checkpoint::Unsaved;
use delta::FindingPlace;
use event::{CannotLook, Event, Refused, SnapshotFact};
use file::{FaultFact, FileFacts, FileId, PathHash};
use held::Pages;
use lane::Lane;
use nets::Nets;
use page::{Page, PageKey};
use residue::Residue;
use segment::Segment;
use standing::NoLook;
use terms::Terms;
use verdicts::Judged;

use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::{Cause, Verdict};

/// The state of one pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadow {
    terms: Terms,
    lanes: Vec<Lane>,
    pages: Pages,
    residues: BTreeMap<SegmentKey, Residue>,
    line: Line,
    live: BTreeMap<PathHash, KnownFile>,
    /// The paths of live files.
    names: BTreeMap<FileId, PathHash>,
    /// Scanned and not live, or to take the place of a live one.
    waiting: BTreeMap<PathHash, KnownFile>,
    /// The last number given to a file.
    last_file: u32,
    judged: Judged,
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

/// A file that was scanned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KnownFile {
    pub id: FileId,
    pub facts: FileFacts,
    pub fingerprint: [u8; 16],
    /// Of one live entry.
    pub rows: u64,
    pub out_of_scope: u64,
    pub ahead: BTreeMap<PartitionIndex, i64>,
    pub strangers: bool,
    pub faults: Vec<FaultFact>,
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
}

impl Shadow {
    /// A new one, of no partitions.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            lanes: Vec::new(),
            pages: Pages::default(),
            residues: BTreeMap::new(),
            line: Line::default(),
            live: BTreeMap::new(),
            names: BTreeMap::new(),
            waiting: BTreeMap::new(),
            last_file: 0,
            judged: Judged::default(),
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
        self.live.contains_key(&PathHash::of(path))
    }

    /// What is known of the live file of this path.
    pub fn facts(&self, path: &str) -> Option<&FileFacts> {
        self.live.get(&PathHash::of(path)).map(|file| &file.facts)
    }

    /// The live entries of a live file.
    pub fn entries_of(&self, file: FileId) -> Option<u32> {
        let hash = self.names.get(&file)?;
        self.live.get(hash).map(|file| file.facts.entries)
    }

    /// Findings that events told since the last checkpoint.
    pub fn news(&self) -> &[News] {
        &self.news
    }

    /// Sums for a step, to be filled from the bodies of [`Shadow::difference`].
    pub fn nets(&self) -> Nets {
        Nets::new()
    }

    /// Pages that [`Shadow::apply`] needs and that are not held. To be asked again until it says none.
    pub fn pages_of(&self, event: &Event) -> Vec<PageKey> {
        let mut keys: Vec<PageKey> = match event {
            Event::Consumed(consumed) => self.pages_consumed(consumed),
            Event::Looked(_, nets) => nets.segments().map(|segment| PageKey::of(*segment).0).collect(),
            Event::Drilled(drilled) => vec![PageKey::of(drilled.segment).0],
            Event::Explained(holes) => self.pages_explained(holes),
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
            Event::Looked(look, nets) => self.looked(look, nets)?,
            Event::Drilled(drilled) => self.drilled(drilled)?,
            Event::Partitions(lanes) => self.follow(lanes),
            Event::Explained(holes) => self.explain(holes),
            Event::NotLooked { at_ms, what } => self.not_looked(at_ms, what),
            Event::Timed { .. } | Event::Trimmed { .. } => {}
        }
        self.judge();
        Ok(())
    }

    /// What is not there says nothing of messages: the instant that the shadow judges by stands still.
    fn not_looked(&mut self, at_ms: i64, what: CannotLook) {
        let since_ms = self.cannot_look.filter(|before| before.what == what).map_or(at_ms, |before| before.since_ms);
        self.cannot_look = Some(NoLook { what, since_ms });
    }

    fn follow(&mut self, lanes: Vec<event::NewLane>) {
        self.lanes.extend(lanes.into_iter().map(Lane::new));
    }

    fn lane(&self, partition: PartitionIndex) -> Option<&Lane> {
        self.lanes.get(partition.0 as usize)
    }

    fn lane_mut(&mut self, partition: PartitionIndex) -> Option<&mut Lane> {
        self.lanes.get_mut(partition.0 as usize)
    }

    /// Changes one segment, and with it the sums over balanced ones: the only way in which a segment changes.
    fn change(&mut self, key: SegmentKey, change: impl FnOnce(&mut Segment)) {
        let mut segment = self.pages.segment(key).cloned().unwrap_or_default();
        self.count_balanced(key, &segment, false);
        change(&mut segment);
        segment.revision = segment.revision.wrapping_add(1);
        if segment.is_balanced() {
            segment.gone.clear();
            segment.unproven_min_ms = None;
            segment.proven_max = segment.offset_max;
            if self.residues.remove(&key).is_some() {
                self.unsaved.residues.insert(key);
            }
        }
        self.count_balanced(key, &segment, true);
        self.pages.put(key, segment);
        self.note_proven(key);
    }

    fn count_balanced(&mut self, key: SegmentKey, segment: &Segment, enters: bool) {
        let SegmentKey::Offsets { partition, .. } = key else { return };
        if !segment.is_balanced() || segment.debit.is_empty() {
            return;
        }
        let Some(lane) = self.lane_mut(partition) else { return };
        let sums = [
            (&mut lane.balanced_segments, 1),
            (&mut lane.balanced_messages, segment.debit.count),
            (&mut lane.balanced_late, u64::from(segment.late)),
        ];
        for (sum, part) in sums {
            *sum = if enters { *sum + part } else { *sum - part };
        }
    }

    fn note_proven(&mut self, key: SegmentKey) {
        let SegmentKey::Offsets { partition, .. } = key else { return };
        let (page_key, _) = PageKey::of(key);
        let proven = self.pages.page(&page_key).and_then(|page| page.iter().map(|(_, one)| one.proven_max).max());
        let Some(lane) = self.lane_mut(partition) else { return };
        match proven.filter(|offset| *offset > i64::MIN) {
            Some(offset) => lane.proven.insert(page_key.b, offset),
            None => lane.proven.remove(&page_key.b),
        };
    }
}

//! The proof that nothing was passed by: from the start of each partition to its position every offset is in exactly one
//! segment, or in a hole that is named.
//!
//! Contract: all pages are read, one at a time. The first thing that does not fit is told; the counts are of all.

use std::collections::BTreeMap;

use validator_core::hole::HoleReason;
use validator_core::position::TopicPartition;
use validator_core::shadow::lane::Lane;
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::segment::Segment;

use super::pages::each_page;
use super::report::lanes;
use super::{ReadLedger, row_of};
use crate::error::LedgerError;
use crate::limits::HOLES_SHOWN_MAX;
use crate::store::Store;

/// What the page keys of ranges of offsets begin with.
const KIND_OFFSETS: u8 = 1;
const PAGE_SLOTS: i64 = validator_core::limits::PAGE_SLOTS as i64;

/// What was found, partition by partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuity {
    /// The checkpoint that was read.
    pub checkpoint: u64,
    /// Each partition, in the ledger's order.
    pub lanes: Vec<LaneContinuity>,
    /// The first thing that does not fit; none: all is continuous.
    pub broken: Option<Broken>,
}

/// A partition from its start to its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneContinuity {
    /// Which.
    pub tp: TopicPartition,
    /// The first offset.
    pub start: i64,
    /// One past the last.
    pub position: i64,
    /// Segments in between with an account.
    pub segments: u64,
    /// Judged messages in them.
    pub messages: u64,
    /// Messages that ask for no row.
    pub excluded: u64,
    /// Messages that cannot be told.
    pub undecodable: u64,
    /// Offsets that hold no message, by reason; none: nobody has said why yet.
    pub holes: BTreeMap<Option<HoleReason>, u64>,
    /// The first holes one by one, half-open.
    pub first_holes: Vec<(i64, i64, Option<HoleReason>)>,
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where.
    pub tp: TopicPartition,
    /// The first offset that it is about.
    pub offset: i64,
    /// What.
    pub what: String,
}

impl ReadLedger {
    /// Proves that no offset was passed by: each is in one range of offsets, or, where segments are of windows, their numbers add up.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged. What does not fit is no error: it is told.
    pub async fn continuity(&mut self, name: &str) -> Result<Continuity, LedgerError> {
        self.store.begin().await?;
        let found = continuity(&mut self.store, name).await;
        self.store.rollback().await;
        found
    }
}

impl ReadLedger {
    /// The offsets of each partition that hold no message and whose reason is known, half-open, ascending.
    ///
    /// # Errors
    /// When there is no such pipeline, or it is damaged.
    pub async fn named_holes(&mut self, name: &str) -> Result<BTreeMap<TopicPartition, Vec<(i64, i64)>>, LedgerError> {
        self.store.begin().await?;
        let found = named_holes(&mut self.store, name).await;
        self.store.rollback().await;
        found
    }
}

async fn named_holes(store: &mut Store, name: &str) -> Result<BTreeMap<TopicPartition, Vec<(i64, i64)>>, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let lanes = lanes(store, row.pipeline).await?;
    let mut holes: BTreeMap<TopicPartition, Vec<(i64, i64)>> = BTreeMap::new();
    each_page(store, row.pipeline, |key, page| {
        let lane = usize::try_from(key.a).ok().and_then(|lane| lanes.get(lane));
        if let (KIND_OFFSETS, Some(lane)) = (key.kind, lane) {
            let of_page = page.holes.runs().iter().map(|hole| (hole.from, hole.to));
            holes.entry(lane.tp.clone()).or_default().extend(of_page);
        }
        Ok(())
    })
    .await?;
    Ok(holes)
}

pub(super) async fn continuity(store: &mut Store, name: &str) -> Result<Continuity, LedgerError> {
    let (row, _) = row_of(store, name).await?;
    let lanes = lanes(store, row.pipeline).await?;
    let mut walk = Walk::new(&lanes, row.width()?.max(1));
    walk.is_by_window = row.is_by_window()?;
    each_page(store, row.pipeline, |key, page| {
        match key.kind {
            KIND_OFFSETS => walk.page(key, &page),
            _ if walk.is_by_window => walk.windows(key, &page),
            _ => {}
        }
        Ok(())
    })
    .await?;
    let (found, broken) = walk.end();
    Ok(Continuity { checkpoint: row.checkpoint.unsigned_abs(), lanes: found, broken })
}

/// Runs of offsets without message in one page, ascending.
type Runs = Vec<(i64, i64, Option<HoleReason>)>;

struct Walk<'a> {
    lanes: &'a [Lane],
    width: i64,
    found: Vec<LaneContinuity>,
    /// By lane, the offset that comes next.
    next: Vec<i64>,
    /// Whether segments are of windows, and pages of offsets have holes alone.
    is_by_window: bool,
    broken: Option<Broken>,
}

impl<'a> Walk<'a> {
    fn new(lanes: &'a [Lane], width: i64) -> Self {
        let found = lanes.iter().map(|lane| LaneContinuity {
            tp: lane.tp.clone(),
            start: lane.start,
            position: lane.position,
            segments: 0,
            messages: 0,
            excluded: 0,
            undecodable: 0,
            holes: BTreeMap::new(),
            first_holes: Vec::new(),
        });
        let next = lanes.iter().map(|lane| lane.start).collect();
        Self { lanes, width, found: found.collect(), next, is_by_window: false, broken: None }
    }

    fn refuse(&mut self, lane: usize, offset: i64, what: impl Into<String>) {
        let tp = self.lanes.get(lane).map(|lane| lane.tp.clone());
        let tp = tp.unwrap_or_else(|| TopicPartition { topic: String::new(), partition: -1 });
        self.broken.get_or_insert(Broken { tp, offset, what: what.into() });
    }

    fn page(&mut self, key: PageKey, page: &Page) {
        let offset = key.b.saturating_mul(PAGE_SLOTS).saturating_mul(self.width);
        let Some(lane) = usize::try_from(key.a).ok().filter(|lane| *lane < self.lanes.len()) else {
            self.refuse(usize::MAX, offset, format!("{key} is of no partition"));
            return;
        };
        let runs = runs_of(page);
        self.note_holes(lane, &runs);
        let end = offset.saturating_add(PAGE_SLOTS.saturating_mul(self.width));
        if let Some(at) = overlap(&runs, offset, end) {
            self.refuse(lane, at, format!("holes of {key} overlap, or lie in another page"));
        }
        if self.is_by_window {
            return;
        }
        for (slot, segment) in page.iter() {
            let first = offset + slot as i64 * self.width;
            self.segment(lane, first, segment, &runs);
        }
        if let Some((_, end, _)) = runs.last()
            && *end > self.next[lane]
        {
            self.up_to(lane, *end, &runs);
        }
    }

    /// Segments that have messages of several partitions: their numbers must add up, since no offset says which segment it is of.
    fn windows(&mut self, key: PageKey, page: &Page) {
        for (_, segment) in page.iter() {
            if !segment.keys.is_empty() {
                self.keys(key, segment);
                continue;
            }
            let judged: u64 = segment.shares.values().map(|share| share.judged).sum();
            if judged != segment.debit.count {
                let what = format!(
                    "{judged} messages of a segment of {key} are of partitions, {} are counted",
                    segment.debit.count
                );
                self.refuse(usize::MAX, 0, what);
            }
            for (partition, share) in &segment.shares {
                let lane = partition.0 as usize;
                let Some(of) = self.lanes.get(lane) else {
                    self.refuse(usize::MAX, share.from, format!("a segment of {key} is of no partition"));
                    continue;
                };
                if share.from < of.start || share.upto > of.position {
                    self.refuse(lane, share.from, format!("a segment of {key} has offsets that were not consumed"));
                }
                let found = &mut self.found[lane];
                found.segments += 1;
                found.messages += share.judged;
            }
        }
    }

    /// A segment of keys: its debit must be the last versions of them.
    fn keys(&mut self, key: PageKey, segment: &Segment) {
        if segment.keys.debit() != segment.debit {
            self.refuse(
                usize::MAX,
                0,
                format!("a segment of {key} counts other messages than the last versions of its keys"),
            );
        }
        for (partition, messages) in segment.keys.judged() {
            let lane = partition.0 as usize;
            let Some(found) = self.found.get_mut(lane) else {
                self.refuse(usize::MAX, 0, format!("a segment of {key} is of no partition"));
                continue;
            };
            found.segments += 1;
            found.messages += messages;
        }
    }

    /// What is of no segment is counted with its partition, up to the position.
    fn end_windows(&mut self) {
        for (at, lane) in self.lanes.iter().enumerate() {
            let found = &mut self.found[at];
            (found.excluded, found.undecodable) = (lane.excluded.values().sum(), lane.undecodable);
            let holes: u64 = found.holes.values().sum();
            let counted = found.messages + lane.windowless + found.excluded + found.undecodable + holes;
            let offsets = lane.position.abs_diff(lane.start);
            self.next[at] = lane.position;
            if counted != offsets {
                let what = format!("{offsets} offsets are consumed, and segments and holes have {counted}");
                self.refuse(at, lane.start, what);
            }
        }
    }

    /// A segment whose range begins at `first`.
    fn segment(&mut self, lane: usize, first: i64, segment: &Segment, runs: &Runs) {
        let Segment { from, upto, .. } = *segment;
        let (offsets, counted) = (upto.saturating_sub(from), segment.offsets());
        if u64::try_from(offsets) != Ok(counted) {
            self.refuse(lane, from, format!("{offsets} offsets of a segment are consumed, {counted} are counted"));
        }
        if offsets <= 0 {
            return;
        }
        if from < first || upto > first + self.width {
            self.refuse(lane, from, "a segment has offsets of another one");
        }
        if from < self.next[lane] {
            self.refuse(lane, from, "offsets are in two segments");
        }
        self.up_to(lane, from, runs);
        let holes = covered(runs, from, upto);
        if holes != u64::from(segment.hole_offsets) {
            let said = segment.hole_offsets;
            self.refuse(lane, from, format!("{said} offsets of a segment hold no message, and {holes} are in holes"));
        }
        self.next[lane] = upto;
        let found = &mut self.found[lane];
        found.segments += 1;
        found.messages += segment.debit.count;
        found.excluded += u64::from(segment.excluded);
        found.undecodable += u64::from(segment.undecodable);
    }

    /// What lies before an offset and in no segment must be holes.
    fn up_to(&mut self, lane: usize, offset: i64, runs: &Runs) {
        let next = self.next[lane];
        if next < offset {
            if u64::try_from(offset - next) != Ok(covered(runs, next, offset)) {
                self.refuse(lane, next, format!("offsets up to {offset} are in no segment and in no hole"));
            }
            self.next[lane] = offset;
        }
    }

    fn note_holes(&mut self, lane: usize, runs: &Runs) {
        let found = &mut self.found[lane];
        for (from, to, reason) in runs {
            *found.holes.entry(*reason).or_default() += (to - from).unsigned_abs();
        }
        let room = HOLES_SHOWN_MAX - found.first_holes.len();
        found.first_holes.extend(runs.iter().take(room));
    }

    fn end(mut self) -> (Vec<LaneContinuity>, Option<Broken>) {
        if self.is_by_window {
            self.end_windows();
        }
        for (at, lane) in self.lanes.iter().enumerate() {
            let next = self.next[at];
            if next != lane.position {
                self.refuse(at, next, format!("segments end here, and the position is {}", lane.position));
            }
            let found = &self.found[at];
            let pairs = [
                ("judged messages", lane.judged, found.messages),
                ("excluded messages", lane.excluded.values().sum(), found.excluded),
                ("undecodable messages", lane.undecodable, found.undecodable),
                ("offsets in holes", lane.hole_offsets, found.holes.values().sum()),
            ];
            if let Some((what, said, sum)) = pairs.into_iter().find(|(_, said, sum)| said != sum) {
                self.refuse(at, lane.start, format!("{said} {what} are counted, and the segments have {sum}"));
            }
        }
        (self.found, self.broken)
    }
}

/// Holes with and without reason, ascending.
fn runs_of(page: &Page) -> Runs {
    let named = page.holes.runs().iter().map(|hole| (hole.from, hole.to, Some(hole.reason)));
    let mut runs: Runs = named.chain(page.unexplained.iter().map(|(from, to)| (*from, *to, None))).collect();
    runs.sort_unstable();
    runs
}

/// The first offset where runs overlap, or leave their page.
fn overlap(runs: &Runs, from: i64, to: i64) -> Option<i64> {
    let mut last = from;
    for (first, end, _) in runs {
        if *first < last || end <= first || *end > to {
            return Some(*first);
        }
        last = *end;
    }
    None
}

/// How many offsets of a range are in runs.
fn covered(runs: &Runs, from: i64, to: i64) -> u64 {
    let inside = runs.iter().map(|(first, end, _)| (*end).min(to).saturating_sub((*first).max(from)).max(0));
    inside.map(i64::unsigned_abs).sum()
}

//! Books of windows: the modes `key` and `content`, where a segment is a shard of a window and has messages of any partition.
//!
//! Contract: the books begin at a window, once and for good: where a partition is not followed from its first message, behind the
//! first message of each, as a single run judges no row before. What lies below is in no segment, on both sides. A segment is
//! always read whole. See `docs/decisions/0056-windows-that-are-followed.md`.

use std::ops::Range;

use super::Shadow;
use super::event::{LanePart, SegmentPart, Undecodable};
use super::lane::Lane;
use super::residue::Residue;
use super::segment::{Segment, Share};
use super::upsert::InQuestion;
use super::upsert::entry_of;
use crate::judge::RowStanding;
use crate::limits::{STRAYS_MAX, WINDOW_STRADDLE_MS};
use crate::position::{MessageAt, PartitionIndex};
use crate::segment::SegmentKey;
use crate::verdict::{ExcludedCause, MessageVerdict};

/// Where the books begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Floor {
    /// It is not known yet.
    #[default]
    Undecided,
    /// With the first message that there ever was.
    Open,
    /// With this window. What has none is in no book: rows of before cannot be told from those of now.
    At(i64),
}

impl Floor {
    /// Whether a segment lies before the books, or in none.
    pub fn is_above(self, key: SegmentKey) -> bool {
        match (self, key) {
            (Self::At(first), SegmentKey::Window { start, .. }) => start.is_none_or(|start| start < first),
            _ => false,
        }
    }

    /// The first window that is in the books; none: they all are.
    pub fn first(self) -> Option<i64> {
        match self {
            Self::At(first) => Some(first),
            Self::Undecided | Self::Open => None,
        }
    }
}

impl Shadow {
    /// Where the books begin.
    pub fn floor(&self) -> Floor {
        self.floor
    }

    /// Whether the table may be looked at: ranges of offsets begin where their partitions do.
    pub fn has_begun(&self) -> bool {
        self.terms.windows().is_none() || self.floor != Floor::Undecided
    }

    /// Decides where the books begin, if enough messages came to tell.
    pub(super) fn begin(&mut self) {
        if self.has_begun() {
            return;
        }
        // Nothing stood against the look that it begins for.
        self.cannot_look = None;
        if self.terms.is_upsert() {
            self.floor = Floor::Open;
            return;
        }
        let is_whole = self.terms.whole_topic;
        let is_cut = |lane: &&Lane| lane.start > 0 && !is_whole;
        let cut: Vec<&Lane> = self.lanes.iter().filter(is_cut).collect();
        let first = cut.iter().filter_map(|lane| lane.windows).map(|(first, _)| first).max();
        let greatest = self.lanes.iter().filter_map(|lane| lane.windows).map(|(_, greatest)| greatest).max();
        self.floor = match (cut.len(), first.or(greatest)) {
            (0, _) => Floor::Open,
            // The window of the first message is cut, and the next one is left out as a single run does.
            (_, Some(window)) => Floor::At(window.saturating_add(2)),
            (_, None) => return,
        };
        // Of one that has messages and tells no window rows of before may be in any; one that is empty bounds nothing.
        let is_silent = |lane: &&mut Lane| {
            let is_empty = lane.log_start >= lane.high_watermark.max(lane.position);
            lane.start > 0 && !is_whole && lane.windows.is_none() && !is_empty
        };
        self.lanes.iter_mut().filter(is_silent).for_each(|lane| lane.hidden.cut());
        let below: Vec<SegmentKey> =
            self.pages.unbalanced().map(|(key, _)| key).filter(|key| self.floor.is_above(*key)).collect();
        for key in below {
            self.leave_out(key);
        }
    }

    /// The messages of a segment lie before the books.
    fn leave_out(&mut self, key: SegmentKey) {
        let shares = self.pages.segment(key).map(|segment| segment.shares.clone()).unwrap_or_default();
        let is_windowless = matches!(key, SegmentKey::Window { start: None, .. });
        self.change(key, |segment| *segment = Segment { revision: segment.revision, ..Segment::default() });
        for (partition, share) in shares {
            let Some(lane) = self.lane_mut(partition) else { continue };
            lane.judged -= share.judged;
            lane.leave_out(share.judged, is_windowless);
        }
    }

    /// Messages of a batch, by window and shard.
    pub(super) fn consume_windows(&mut self, part: LanePart, gaps: &[Range<i64>]) {
        let LanePart { partition, parts, undecodable, windows, .. } = part;
        let lane = self.lane_mut(partition).expect("checked before the first part");
        if let Some((first, greatest)) = windows {
            let (of_first, so_far) = lane.windows.unwrap_or((first, greatest));
            lane.windows = Some((of_first, so_far.max(greatest)));
        }
        lane.hidden.read(windows.map(|(first, _)| first), gaps.iter().map(|gap| (gap.start, gap.end)));
        if !self.residues.is_empty() {
            self.forget_judged();
        }
        self.keep_strays(&undecodable);
        for part in parts {
            self.consume_window(partition, part);
        }
    }

    fn consume_window(&mut self, partition: PartitionIndex, part: SegmentPart) {
        let is_before = self.floor.is_above(part.segment);
        let lane = self.lane_mut(partition).expect("checked before the first part");
        lane.undecodable += u64::from(part.undecodable);
        if is_before {
            lane.leave_out(part.bag.count, matches!(part.segment, SegmentKey::Window { start: None, .. }));
            return;
        }
        lane.judged += part.bag.count;
        if part.segment == SegmentKey::Nowhere {
            return;
        }
        self.change(part.segment, |segment| {
            segment.consume(&part);
            let (from, upto) = part.span;
            let none = Share { from, upto, judged: 0, stood_below: i64::MIN };
            let share = segment.shares.entry(partition).or_insert(none);
            share.upto = share.upto.max(upto);
            share.judged += part.bag.count;
        });
    }

    /// Messages that cannot be told take rows of their identity from others, or one of any: they are in each case.
    pub(super) fn keep_strays(&mut self, undecodable: &[Undecodable]) {
        if undecodable.is_empty() {
            return;
        }
        let mut strays = self.put_residue(SegmentKey::Nowhere, None).unwrap_or_default();
        let room = STRAYS_MAX.saturating_sub(strays.messages.len());
        strays.messages.extend(undecodable.iter().take(room).map(entry_of));
        strays.messages.sort_by_key(|message| message.at);
        self.put_residue(SegmentKey::Nowhere, Some(strays));
    }

    /// When rows were last added, as far as is known.
    pub(super) fn moved_to(&mut self, moved_ms: Option<i64>) {
        let before = std::mem::replace(&mut self.moved_ms, moved_ms);
        if before == moved_ms {
            return;
        }
        self.forget_judged();
        match moved_ms.filter(|moved| before.is_none_or(|before| before < *moved)) {
            Some(moved) => self.recount_passed(moved),
            None => self.recount_moved_back(),
        }
    }

    /// Whether messages of a segment that were not read may still be on their way, all of them.
    pub(super) fn bare_window(&self, segment: &Segment) -> Option<MessageVerdict> {
        let waits = !self.terms.clock(self.judged_at_ms).is_due(segment.times.min_ms);
        (waits && is_without_rows(segment)).then_some(MessageVerdict::Pending)
    }

    /// What the messages of a segment of a window would count as, were it not read; none too where readings say what stood in it.
    pub fn unread(&self, key: SegmentKey) -> Option<MessageVerdict> {
        let knows = |residue: &Residue| {
            let has_stood = !residue.stood.is_empty() || !residue.stood_at.is_empty();
            has_stood || !residue.read_gone.is_empty() || residue.unseen || residue.unreadable
        };
        let is_read = self.residues.get(&key).is_some_and(knows);
        let segment = self.pages.segment(key)?;
        let verdict = self.unread_window(segment).filter(|_| !is_read)?;
        let is_given_up = |at: Option<i64>| self.terms.clock(self.judged_at_ms).has_given_up(at);
        let straddles = is_given_up(segment.times.min_ms) && !is_given_up(segment.times.max_ms);
        (verdict != MessageVerdict::Pending && !(straddles && verdict == MessageVerdict::Overdue)).then_some(verdict)
    }

    /// What all messages of a segment are that is to be read and has no row, where nothing else says something of one of them: it is
    /// counted so, whether or not there is room to read it and to name them. While the clock passes from the first to the last of
    /// them, for two minutes at most, they are what the last one is.
    pub(super) fn unread_window(&self, segment: &Segment) -> Option<MessageVerdict> {
        let (first, last) = (segment.times.min_ms?, segment.times.max_ms?);
        let clock = self.terms.clock(self.judged_at_ms);
        if self.board.may_be_explained || !is_without_rows(segment) || !segment.stood.is_empty() {
            return None;
        }
        if segment.shares.iter().any(|(partition, share)| self.names_any(*partition, share.from..share.upto)) {
            return None;
        }
        let has_passed = |at: i64| {
            let passed = at.saturating_add(clock.settle_ms);
            self.moved_ms.is_some_and(|moved| moved >= passed) || clock.has_given_up(Some(at))
        };
        let straddles = |wait: i64| self.judged_at_ms.saturating_sub(first.saturating_add(wait)) <= WINDOW_STRADDLE_MS;
        if !clock.is_due(Some(last)) {
            return straddles(clock.settle_ms).then_some(MessageVerdict::Pending);
        }
        match (has_passed(first), has_passed(last)) {
            (true, true) => Some(MessageVerdict::Missing),
            (false, false) => Some(MessageVerdict::Overdue),
            _ if clock.has_given_up(Some(first)) && straddles(clock.give_up_ms) => Some(MessageVerdict::Overdue),
            _ => None,
        }
    }

    /// When rows of a window have to be added at the earliest for its unread messages to be something else.
    pub(super) fn next_pass(&self, segment: &Segment) -> Option<i64> {
        let times = [segment.times.min_ms, segment.times.max_ms].into_iter().flatten();
        let passes = times.map(|at| at.saturating_add(self.terms.settle_ms));
        passes.filter(|pass| self.moved_ms.is_none_or(|moved| moved < *pass)).min()
    }

    /// Whether a message of a window, or of none, may be gone that nobody has read.
    pub fn is_hidden(&self, window: Option<i64>) -> bool {
        self.lanes.iter().any(|lane| lane.hidden.has(window))
    }

    /// How an unpaired row of a segment stands to what was read of the topic.
    pub(super) fn standing_in(&self, key: SegmentKey) -> RowStanding {
        let SegmentKey::Window { start, .. } = key else { return RowStanding::InScope };
        if self.hides_rows(start) { RowStanding::Unobservable } else { RowStanding::InScope }
    }

    /// Whether a row of a window that no message explains may be that of one that nobody has read, or holds.
    pub(super) fn hides_rows(&self, window: Option<i64>) -> bool {
        let is_compacted = self.terms.windows().is_some_and(|windows| windows.compacted);
        let strays = self.residues.get(&SegmentKey::Nowhere).map_or(0, |strays| strays.messages.len());
        is_compacted || strays >= STRAYS_MAX || self.is_hidden(window)
    }

    /// The segment of a message that is before the judge.
    pub(super) fn segment_at(&self, at: MessageAt) -> Option<SegmentKey> {
        if self.terms.windows().is_none() {
            return Some(self.terms.width.segment_of(at.partition, at.offset));
        }
        let places = &self.judged().places;
        places.binary_search_by_key(&at, |(at, _)| *at).ok().map(|place| places[place].1)
    }

    /// By message, the segment whose residue holds it, where offsets do not say it.
    pub(super) fn places(&self, keys: &InQuestion) -> Vec<(MessageAt, SegmentKey)> {
        if self.terms.windows().is_none() {
            return Vec::new();
        }
        let of = |(key, residue): (&SegmentKey, &Residue)| {
            let key = *key;
            residue.messages.iter().map(move |message| (message.at, key)).collect::<Vec<_>>()
        };
        let mut places: Vec<(MessageAt, SegmentKey)> = self.residues.iter().flat_map(of).collect();
        places.extend(keys.messages.iter().map(|(key, message)| (message.at, *key)));
        places.sort_unstable();
        places
    }
}

/// Whether a segment has messages and no row, and none of these is known to have had one.
fn is_without_rows(segment: &Segment) -> bool {
    let may_have_stood = !segment.gone.is_empty() || segment.unseen || segment.stood_below > i64::MIN;
    let is_bare = segment.credit.is_empty() && !segment.debit.is_empty() && segment.times.untimed == 0;
    is_bare && !may_have_stood
}

impl Segment {
    /// The offsets between which its messages lie, by partition.
    pub(super) fn stretches(&self) -> Vec<(PartitionIndex, Range<i64>)> {
        self.shares.iter().map(|(partition, share)| (*partition, share.from..share.upto)).collect()
    }
}

impl Lane {
    /// Judged messages that are in no book.
    fn leave_out(&mut self, messages: u64, is_windowless: bool) {
        if is_windowless {
            self.windowless += messages;
        } else if messages > 0 {
            *self.excluded.entry(ExcludedCause::BeforeStart).or_default() += messages;
        }
    }
}

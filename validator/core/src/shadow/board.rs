//! What each segment that is not balanced counts as now, and the sums of it.
//!
//! Contract: a function of the rest of the state, kept up as that changes: a segment is looked at again when it changes,
//! when the clock passes an instant at which it may count otherwise, or when what it depends on elsewhere changes. A
//! board that is made anew is equal (checked at each restart).

use std::collections::{BTreeMap, BTreeSet};

use super::Shadow;
use super::explain::Shown;
use super::files::put_in;
use super::late_windows::shared_out;
use super::lot::{Lot, Part, Run, cause_of, is_asked_alike, is_finding};
use super::residue::Residue;
use super::segment::{Segment, Share, least};
use super::stage::Stage;
use super::standing::SegmentCounts;
use super::tally::{is_read, is_read_by_keys};
use crate::judge::{MessageTally, ModeKind, RowTally};
use crate::position::{MessageAt, PartitionIndex};
use crate::segment::SegmentKey;
use crate::verdict::MessageVerdict;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Board {
    lots: BTreeMap<SegmentKey, Lot>,
    /// When a segment may count otherwise.
    turns: BTreeSet<(i64, SegmentKey)>,
    /// Of keys: once rows are added at that instant a segment may count otherwise.
    passes: BTreeSet<(i64, SegmentKey)>,
    /// Segments of which something is to be read, those whose rows went first: their files do not stay.
    pub asked: BTreeSet<(bool, SegmentKey)>,
    /// The same of those that were never drilled: not while the bound of entries is reached.
    pub undrilled: BTreeSet<(bool, SegmentKey)>,
    oldest: BTreeSet<(PartitionIndex, i64, SegmentKey)>,
    pub messages: BTreeMap<PartitionIndex, MessageTally>,
    /// Of keys: messages that later ones took the place of.
    pub superseded: BTreeMap<PartitionIndex, u64>,
    /// Messages that need not have a row any more, and have none; and whole segments of them.
    pub expired: BTreeMap<PartitionIndex, u64>,
    whole_expired: BTreeSet<SegmentKey>,
    /// Segments of keys with messages or rows that are before the judge.
    in_question: BTreeSet<SegmentKey>,
    pub rows: RowTally,
    pub segments: SegmentCounts,
    /// Messages of segments to be drilled of which it is not known what they are.
    pub to_drill_messages: u64,
    /// Segments to be drilled whose messages are known to be what they count as.
    pub to_name: u64,
    /// Messages that count as what they are and of which no finding says so.
    pub unlisted: BTreeMap<MessageVerdict, u64>,
    /// Of disputed windows: late rows of which nobody knows which they are.
    pub late_unknown: u64,
    pub runs: BTreeMap<SegmentKey, Run>,
    /// By partition, the greatest offset of a message that has an equal row: what segments without rows are judged by.
    pub paired_max: BTreeMap<PartitionIndex, i64>,
    /// Whether something may explain messages without a row: a loss, or a row of no message.
    pub may_be_explained: bool,
}

impl Board {
    /// Puts a segment in the place of what it was; none: it is balanced.
    fn put(&mut self, key: SegmentKey, lot: Option<Lot>) {
        if self.lots.get(&key) == lot.as_ref() {
            return;
        }
        if let Some(old) = self.lots.remove(&key) {
            self.count(key, &old, false);
        }
        if let Some(lot) = lot {
            self.count(key, &lot, true);
            self.lots.insert(key, lot);
        }
    }

    fn count(&mut self, key: SegmentKey, lot: &Lot, enters: bool) {
        let moved = |sum: &mut u64, part: u64| *sum = if enters { *sum + part } else { *sum - part };
        for part in &lot.parts {
            let tally = self.messages.entry(part.partition).or_default();
            tally.count(lot.verdict, part.messages, enters);
            moved(&mut tally.intact, part.intact);
            moved(&mut tally.late, part.late);
            moved(&mut tally.unobservable, part.unobservable);
            moved(&mut tally.excluded, part.expired);
            let (superseded, expired) = (part.superseded, lot.expired(part));
            for (sums, messages) in [(&mut self.superseded, superseded), (&mut self.expired, expired)] {
                moved(sums.entry(part.partition).or_default(), messages);
                if sums[&part.partition] == 0 {
                    sums.remove(&part.partition);
                }
            }
            if *tally == MessageTally::default() {
                self.messages.remove(&part.partition);
            }
        }
        let (rows, counts) = (&mut self.rows, &mut self.segments);
        moved(&mut rows.intact, lot.parts.iter().map(|part| part.intact).sum());
        moved(&mut rows.unjudged, lot.unjudged);
        moved(&mut rows.unobservable, lot.unobservable);
        moved(&mut self.late_unknown, lot.late_unknown);
        let (count, one) = match (lot.stage, lot.is_read) {
            (Stage::Balanced, _) => (&mut counts.balanced, 0),
            // Messages that nobody has committed yet are no dispute.
            (Stage::Bare(MessageVerdict::Pending) | Stage::Open, _) => (&mut counts.open, 1),
            (Stage::Underway, _) if lot.messages() > 0 => (&mut counts.open, 1),
            (Stage::Underway, _) => (&mut counts.judged, 1),
            (Stage::Bare(_), _) => (&mut counts.bare, 1),
            (Stage::ToDrill, _) => (&mut counts.to_drill, 1),
            (Stage::Disputed, true) => (&mut counts.judged, 1),
            (Stage::Disputed, false) => (&mut counts.drilling, 1),
        };
        moved(count, one);
        if lot.is_told {
            moved(&mut self.to_name, 1);
        } else if lot.stage == Stage::ToDrill {
            moved(&mut self.to_drill_messages, lot.messages());
        }
        for (verdict, messages) in lot.unlisted().into_iter().filter(|(_, messages)| *messages > 0) {
            let so_far = self.unlisted.entry(verdict).or_default();
            moved(so_far, messages);
            if *so_far == 0 {
                self.unlisted.remove(&verdict);
            }
        }
        self.list(key, lot, enters);
    }

    fn list(&mut self, key: SegmentKey, lot: &Lot, enters: bool) {
        if let Some(turn) = lot.turn_ms {
            put_in(&mut self.turns, (turn, key), enters);
        }
        if let Some(pass) = lot.pass_ms {
            put_in(&mut self.passes, (pass, key), enters);
        }
        if let Some(oldest) = lot.oldest_ms {
            lot.parts.iter().for_each(|part| put_in(&mut self.oldest, (part.partition, oldest, key), enters));
        }
        match lot.stage {
            Stage::ToDrill => put_in(&mut self.undrilled, (lot.stays, key), enters),
            Stage::Disputed if !lot.is_read => put_in(&mut self.asked, (lot.stays, key), enters),
            Stage::Bare(MessageVerdict::Excluded) => put_in(&mut self.whole_expired, key, enters),
            _ => {}
        }
        if lot.is_in_question() {
            put_in(&mut self.in_question, key, enters);
        }
        match lot.run.filter(|_| enters) {
            Some(run) => drop(self.runs.insert(key, run)),
            None => drop(self.runs.remove(&key)),
        }
    }

    /// Segments of keys of which something is before the judge.
    pub fn in_question(&self) -> impl Iterator<Item = (SegmentKey, &Lot)> {
        self.in_question.iter().filter_map(|key| Some((*key, self.lots.get(key)?)))
    }

    /// The least timestamp of a message of a partition, outside of residues, that waits for its row.
    pub fn oldest_ms(&self, partition: PartitionIndex) -> Option<i64> {
        let first = SegmentKey::Offsets { partition: PartitionIndex(0), index: i64::MIN };
        let mut all = self.oldest.range((partition, i64::MIN, first)..=(partition, i64::MAX, SegmentKey::Nowhere));
        all.next().map(|(_, oldest, _)| *oldest)
    }
}

impl Shadow {
    /// Looks at one segment again.
    pub(super) fn recount(&mut self, key: SegmentKey) {
        if self.let_expire(key) {
            return;
        }
        let segment = self.pages.segment(key);
        let shown = segment.and_then(|segment| self.shown_of_keys(key, segment));
        if let (Some(segment), Some(shown)) = (segment, &shown)
            && !segment.is_balanced()
            && !segment.keys.have_stood(&shown.of_keys)
        {
            // By the clock alone it is known which versions had a row: it is noted, and counted then.
            return self.change(key, |_| {});
        }
        let lot = segment.and_then(|segment| self.lot(key, segment, shown));
        let run = self.board.runs.get(&key).copied();
        if !is_asked_alike(self.board.lots.get(&key), lot.as_ref()) {
            self.forget_judged();
        }
        if run != lot.as_ref().and_then(|lot| lot.run) {
            self.unsaved.runs.entry(key).or_insert(run);
        }
        self.board.put(key, lot);
    }

    /// Looks at all segments again.
    pub(super) fn recount_all(&mut self) {
        let runs = std::mem::take(&mut self.board).runs;
        if self.terms.is_upsert() {
            self.forget_judged();
        }
        self.board.may_be_explained = self.may_be_explained();
        for partition in (0..self.lanes.len() as u32).map(PartitionIndex) {
            if let Some(offset) = self.paired_max(partition) {
                self.board.paired_max.insert(partition, offset);
            }
        }
        let keys: Vec<SegmentKey> = self.pages.unbalanced().map(|(key, _)| key).collect();
        for key in keys {
            let lot = self.pages.segment(key).and_then(|segment| {
                let shown = self.shown_of_keys(key, segment);
                self.lot(key, segment, shown)
            });
            self.board.put(key, lot);
        }
        self.note_runs(runs);
    }

    /// Rows were added at a later instant than before: the table has moved past other versions of keys.
    pub(super) fn recount_passed(&mut self, moved_ms: i64) {
        while let Some((pass, key)) = self.board.passes.first().copied().filter(|(pass, _)| *pass <= moved_ms) {
            self.recount(key);
            assert!(!self.board.passes.contains(&(pass, key)), "it looked at when rows were added");
        }
    }

    /// Later versions of keys may be gone that nobody has read, or are not: what is judged of keys, and what nothing is said of, is looked at again.
    pub(super) fn recount_hidden(&mut self) {
        let lots = self.board.lots.iter().filter(|(_, lot)| lot.asks_for_holes());
        let keys: Vec<SegmentKey> = lots.map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.recount(key));
    }

    /// Letters name these messages: what unread segments that have them count as is looked at again.
    pub(super) fn recount_named(&mut self, named: &BTreeSet<MessageAt>) {
        let is_of = |(partition, share): (&PartitionIndex, &Share)| {
            let at = |offset| MessageAt { partition: *partition, offset };
            named.range(at(share.from)..at(share.upto)).next().is_some()
        };
        let unread = self.board.undrilled.iter().map(|(_, key)| key).chain(&self.board.whole_expired).copied();
        let meets = |key: &SegmentKey| self.pages.segment(*key).is_some_and(|one| one.shares.iter().any(is_of));
        let keys: Vec<SegmentKey> = unread.filter(meets).collect();
        keys.into_iter().for_each(|key| self.recount(key));
    }

    /// Rows were last added earlier than was known: the table has moved past less.
    pub(super) fn recount_moved_back(&mut self) {
        self.recount_keys();
        let unread: Vec<SegmentKey> = self.board.undrilled.iter().map(|(_, key)| *key).collect();
        unread.into_iter().for_each(|key| self.recount(key));
    }

    /// Whichever versions of keys the table has to show may be others now.
    pub(super) fn recount_keys(&mut self) {
        if self.terms.is_upsert() {
            let keys: Vec<SegmentKey> = self.pages.unbalanced().map(|(key, _)| key).collect();
            keys.into_iter().for_each(|key| self.recount(key));
        }
    }

    /// What was a run before all segments were looked at.
    fn note_runs(&mut self, before: BTreeMap<SegmentKey, Run>) {
        for key in before.keys().chain(self.board.runs.keys()) {
            let was = before.get(key).copied();
            if was != self.board.runs.get(key).copied() {
                self.unsaved.runs.entry(*key).or_insert(was);
            }
        }
    }

    /// The clock went on, or back.
    pub(super) fn recount_due(&mut self, before_ms: i64) {
        if self.judged_at_ms < before_ms {
            self.recount_all();
            return self.recount_keys();
        }
        while let Some((turn, key)) = self.board.turns.first().copied().filter(|(turn, _)| *turn <= self.judged_at_ms) {
            self.recount(key);
            // It looked at the clock, so that its next turn is later.
            assert!(!self.board.turns.contains(&(turn, key)), "the turn of a segment passes");
        }
    }

    /// What segments depend on elsewhere: to be called once an event has changed everything else.
    pub(super) fn recount_dependent(&mut self, touched: &BTreeSet<PartitionIndex>) {
        let may_be_explained = self.may_be_explained();
        if may_be_explained != self.board.may_be_explained {
            return self.recount_all();
        }
        for partition in touched {
            let (before, now) = (self.board.paired_max.get(partition).copied(), self.paired_max(*partition));
            if before == now {
                continue;
            }
            match now {
                Some(offset) => drop(self.board.paired_max.insert(*partition, offset)),
                None => drop(self.board.paired_max.remove(partition)),
            }
            self.forget_passed(*partition, before, now);
            let bounds = (before.min(now).unwrap_or(i64::MIN), before.max(now).unwrap_or(i64::MAX));
            let of = |offset: i64| self.terms.width.segment_of(*partition, offset);
            let between = self.board.lots.range(of(bounds.0)..=of(bounds.1));
            let undrilled = between.filter(|(_, lot)| lot.stage != Stage::Disputed).map(|(key, _)| *key);
            undrilled.collect::<Vec<_>>().into_iter().for_each(|key| self.recount(key));
        }
    }

    fn shown_of_keys(&self, key: SegmentKey, segment: &Segment) -> Option<Shown> {
        matches!(key, SegmentKey::Keys { .. }).then(|| self.shown(key, segment)).flatten()
    }

    /// Of keys it does not depend on others whether they are; a row of mode `content` is that of an equal message, or nobody's.
    fn may_be_explained(&self) -> bool {
        let is_lost = || self.files.faulty().next().is_some();
        match self.terms.windows().map(|windows| windows.mode) {
            Some(ModeKind::Upsert) => false,
            Some(ModeKind::Content) => is_lost(),
            _ => is_lost() || self.residues.is_loose(),
        }
    }

    fn paired_max(&self, partition: PartitionIndex) -> Option<i64> {
        self.lane(partition)?.proven_max().max(self.residues.paired_max(partition))
    }

    fn lot(&self, key: SegmentKey, segment: &Segment, shown: Option<Shown>) -> Option<Lot> {
        let stage = self.stage_of(key, segment, shown.as_ref());
        let (messages, rows) = (segment.debit.count, segment.credit.count);
        let part = |partition, messages| Part { messages, ..Part::of(partition) };
        let parts = match key {
            SegmentKey::Offsets { partition, .. } => vec![part(partition, messages)],
            SegmentKey::Keys { .. } => Vec::new(),
            _ => {
                let shares = segment.shares.iter().filter(|(_, share)| share.judged > 0);
                shares.map(|(partition, share)| part(*partition, share.judged)).collect()
            }
        };
        let mut lot = Lot { turn_ms: self.next_turn(key, stage, segment), ..Lot::new(stage, parts) };
        lot.stays = segment.gone.is_empty();
        if matches!(key, SegmentKey::Keys { .. }) && stage != Stage::Balanced {
            let residue = self.residues.get(&key).filter(|_| stage == Stage::Disputed);
            // What is known, and is asked where it is now, has time.
            lot.stays = shown.is_some();
            let is_known = |residue: &Residue| shown.is_some() || residue.unreadable;
            lot.is_read = residue.is_none_or(|residue| is_known(residue) && is_read_by_keys(residue, segment));
            self.count_keys(&mut lot, key, segment, shown);
            return Some(lot);
        }
        match stage {
            Stage::Balanced => return None,
            Stage::Underway => {}
            Stage::Bare(verdict) => {
                let waits = matches!(verdict, MessageVerdict::Pending | MessageVerdict::Overdue);
                lot.oldest_ms = segment.times.min_ms.filter(|_| waits);
                lot.verdict = verdict;
            }
            Stage::ToDrill | Stage::Open => {
                lot.unjudged = rows;
                if stage == Stage::ToDrill && self.terms.windows().is_some() {
                    let told = self.unread_window(segment);
                    (lot.is_told, lot.verdict) = (told.is_some(), told.unwrap_or(MessageVerdict::Pending));
                    lot.pass_ms = self.next_pass(segment);
                }
                let oldest = least(segment.unproven_min_ms, None).or(segment.times.min_ms);
                lot.oldest_ms = oldest.filter(|_| messages > 0 && lot.verdict != MessageVerdict::Missing);
            }
            Stage::Disputed => self.count_disputed(&mut lot, segment, self.residues.get(&key)?),
        }
        // Of windows no range of offsets says which messages they are.
        let is_range = matches!(key, SegmentKey::Offsets { .. });
        if is_finding(lot.verdict) && messages > 0 && is_range {
            lot.run = Some((lot.verdict, cause_of(lot.verdict), messages));
        }
        Some(lot)
    }

    /// What agreed, and what is not read yet; the judge counts the rest.
    fn count_disputed(&self, lot: &mut Lot, segment: &Segment, residue: &Residue) {
        lot.is_read = is_read(residue, segment);
        if residue.unreadable {
            lot.verdict = MessageVerdict::Unobservable;
            lot.unobservable = segment.credit.count;
            return;
        }
        let (intact, late) = (residue.agreed.count, u64::from(residue.agreed_late));
        let agreed = lot.parts.iter().map(|part| residue.read.get(&part.partition).map_or(0, |read| read.agreed));
        let late_by_share: Vec<u64> = shared_out(late, agreed).collect();
        lot.late_unknown = self.late_unknown(segment, residue);
        for (part, of_share) in lot.parts.iter_mut().zip(late_by_share) {
            let share =
                segment.shares.get(&part.partition).map(|share| (share.judged, residue.read.get(&part.partition)));
            (part.messages, part.intact, part.late) = match share {
                None => (segment.debit.count - residue.read_debit.count, intact, late),
                Some((judged, None)) => (judged, 0, 0),
                Some((judged, Some(read))) => (judged - read.judged, read.agreed, of_share),
            };
        }
        lot.unjudged = segment.credit.count - residue.read_credit().count;
        lot.oldest_ms = segment.times.max_ms.filter(|_| lot.messages() > 0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::bag::Bag;
    use crate::digest::Digest;
    use crate::position::{PartitionIndex, TopicPartition};
    use crate::segment::{OffsetWidth, SegmentKey};
    use crate::shadow::Shadow;
    use crate::shadow::event::{Consumed, Event, LanePart, Look, NewLane, SegmentPart};
    use crate::shadow::segment::Times;
    use crate::shadow::terms::{Cut, Terms, TimedBy};

    #[test]
    fn messages_whose_rows_are_on_their_way_are_open_and_no_dispute_until_they_are_due() {
        let width = OffsetWidth::new(16).expect("a power of two");
        let terms = Terms {
            pipeline: "p".into(),
            settle_ms: 1_000,
            give_up_ms: 9_000,
            retention_ms: None,
            width,
            whole_topic: true,
            timed: TimedBy::Rows,
            cut: Cut::Offsets,
        };
        let mut shadow = Shadow::new(terms);
        let tp = TopicPartition { topic: "t".into(), partition: 0 };
        let lane = NewLane { tp, start: 0, declared: false, log_start: 0, high_watermark: 0 };
        shadow.apply(Event::Partitions(vec![lane])).expect("a new lane");
        let partition = PartitionIndex(0);
        let bag: Bag = [Digest([7; 32])].iter().collect();
        let part = SegmentPart {
            segment: SegmentKey::Offsets { partition, index: 0 },
            bag,
            times: Times { min_ms: Some(500), max_ms: Some(500), untimed: 0 },
            offset_max: 0,
            span: (0, 1),
            excluded: 0,
            undecodable: 0,
        };
        let (gaps, undecodable, excluded) = (Vec::new(), Vec::new(), BTreeMap::new());
        let lanes = vec![LanePart {
            partition,
            from: 0,
            to: 1,
            parts: vec![part],
            gaps,
            undecodable,
            excluded,
            windows: None,
            versions: Vec::new(),
        }];
        let consumed = Event::Consumed(Consumed { lanes });
        shadow.admit(shadow.pages_of(&consumed).into_iter().map(|key| (key, None)).collect());
        shadow.apply(consumed).expect("it follows the position");
        for (at_ms, open, disputed) in [(900, 1, 0), (5_000, 0, 1)] {
            let look = Look { at_ms, barrier: vec![(partition, 1, 1)], step: None };
            let nets = shadow.nets(&shadow.difference(&look));
            shadow.apply(Event::Looked(look, nets)).expect("the barrier is passed");
            let segments = shadow.standing().segments;
            assert_eq!((segments.open, segments.disputed()), (open, disputed), "{segments:?} at {at_ms}");
        }
    }
}

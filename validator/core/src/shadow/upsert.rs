//! Books of an upsert table, where a segment is a shard of the keys: the last version of each is its debit.
//!
//! Contract: messages are never read again, since what the judge asks of them is kept; rows are read where the sum of a segment does
//! not say which versions they show. A last version that waits for its row stands before the judge once it is due, is named by a letter,
//! or has lost a row that it had. See `docs/decisions/0057-keys-that-are-followed.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Shadow;
use super::event::{Drilled, LanePart, Refused, SeenRow, Undecodable};
use super::explain::{ReadRows, Shown, Shows, explain};
use super::keys::{Counts, Keys};
use super::lot::{Lot, Part};
use super::residue::Residue;
use super::segment::Segment;
use super::versions::Hands;
use crate::bag::Bag;
use crate::digest::IdentityHash;
use crate::judge::{MessageEntry, MessageState, RowEntry, RowStanding};
use crate::limits::KEY_SHARDS;
use crate::position::{MessageAt, PartitionIndex};
use crate::segment::{SegmentKey, shard_of};
use crate::verdict::{ExcludedCause, MessageVerdict};

/// A message that waits for its row, and whether the row of its key is another one.
pub(super) type Waiting = (MessageEntry, bool);

/// What the judge is asked of keys.
#[derive(Debug, Default)]
pub(super) struct InQuestion {
    /// With their segments.
    pub messages: Vec<(SegmentKey, MessageEntry)>,
    pub rows: Vec<RowEntry>,
}

/// The segment of a key.
pub(super) fn segment_of_key(key: &IdentityHash) -> SegmentKey {
    SegmentKey::Keys { shard: shard_of(key, KEY_SHARDS) }
}

impl LanePart {
    /// Messages of known keys: what the keys are asked to take in.
    pub(super) fn keyed(&self) -> impl Iterator<Item = (IdentityHash, MessageEntry)> {
        let unreadable = self.undecodable.iter().filter_map(|message| Some((message.identity?, entry_of(message))));
        let versions = self.versions.iter().filter_map(|message| Some((message.identity?, *message)));
        versions.chain(unreadable)
    }
}

/// As the judge sees it.
pub(super) fn entry_of(message: &Undecodable) -> MessageEntry {
    MessageEntry {
        at: message.at,
        timestamp_ms: message.timestamp_ms,
        identity: message.identity,
        digest: None,
        rest: None,
        state: MessageState::Undecodable(message.cause),
        loss: None,
        stood: false,
    }
}

impl Shadow {
    /// Which versions the table has to show.
    fn hands(&self) -> Hands {
        Hands::new(self.terms.clock(self.judged_at_ms), self.moved_ms)
    }

    /// Messages of a batch, by key.
    pub(super) fn consume_keys(&mut self, part: LanePart, gaps: &[Range<i64>]) {
        let partition = part.partition;
        let lane = self.lane_mut(partition).expect("checked before the first part");
        let hidden = lane.hidden.upto();
        lane.hidden.read(None, gaps.iter().map(|gap| (gap.start, gap.end)));
        let is_more_hidden = lane.hidden.upto() != hidden;
        lane.undecodable += part.undecodable.len() as u64;
        let mut messages: BTreeMap<SegmentKey, Vec<(IdentityHash, MessageEntry)>> = BTreeMap::new();
        for (key, message) in part.keyed() {
            messages.entry(segment_of_key(&key)).or_default().push((key, message));
        }
        let (strays, _): (Vec<Undecodable>, Vec<Undecodable>) =
            part.undecodable.into_iter().partition(|message| message.identity.is_none());
        self.keep_strays(&strays);
        // What holes hide is another thing now.
        if !self.residues.is_empty() {
            self.forget_judged();
        }
        if is_more_hidden {
            self.recount_hidden();
        }
        for (segment, messages) in messages {
            let is_judged = |message: &MessageEntry| message.state == MessageState::Judged;
            let lane = self.lane_mut(partition).expect("checked before the first part");
            lane.judged += messages.iter().filter(|(_, message)| is_judged(message)).count() as u64;
            let mut left = 0;
            self.change(segment, |segment| {
                for (key, message) in messages {
                    let is_taken = segment.keys.put(key, MessageEntry { identity: None, ..message });
                    left += u64::from(!is_taken && is_judged(&message));
                }
            });
            let lane = self.lane_mut(partition).expect("checked before the first part");
            lane.judged -= left;
            lane.windowless += left;
        }
    }

    /// A segment of keys changed: what is superseded goes, and which versions are shown is noted. What becomes of its residue, where it
    /// is another one then: rows that are no longer as they were read are of no use.
    pub(super) fn settle_keys(&mut self, key: SegmentKey, segment: &mut Segment) -> Option<Option<Residue>> {
        let hands = self.hands();
        self.note_superseded(segment.keys.prune(&hands));
        segment.debit = segment.keys.debit();
        let shown = self.shown(key, segment)?;
        segment.keys.note_shown(&shown.of_keys);
        let shown_after = self.forget_expired(segment, shown.of_keys);
        self.note_superseded(segment.keys.forget_deleted(&shown_after, &hands));
        let residue = self.residues.get(&key)?;
        let apart = residue.rows.iter().filter(|row| shown.apart.contains(&row.entry.identity));
        segment.keys.note_rows(apart.map(|row| (&row.entry.identity, &row.entry.digest)));
        if residue.keys == shown.as_read {
            return None;
        }
        let is_as_read = |row: &&SeenRow| shown.as_read.contains(&row.entry.identity);
        let rows = residue.rows.iter().filter(is_as_read).copied().collect();
        Some((!shown.as_read.is_empty()).then(|| Residue { rows, keys: shown.as_read, ..Residue::default() }))
    }

    /// Keys that have expired go, but for a few: what those that are left show.
    fn forget_expired(&mut self, segment: &mut Segment, shown: Vec<Shows>) -> Vec<Shows> {
        if !shown.iter().any(|shows| matches!(shows, Shows::Expired(_))) {
            return shown;
        }
        let clock = self.terms.clock(self.judged_at_ms);
        let before: Vec<IdentityHash> = segment.keys.iter().map(|(key, _)| *key).collect();
        let (expired, superseded) = segment.keys.forget_expired(&clock, &shown, |at| self.is_put_aside(at));
        if expired.is_empty() {
            return shown;
        }
        segment.debit = segment.keys.debit();
        self.note_superseded(superseded);
        expired.into_iter().for_each(|at| self.note_expired(at.partition, 1));
        let left = before.iter().zip(shown).filter(|(key, _)| segment.keys.has(key));
        left.map(|(_, shown)| shown).collect()
    }

    /// Messages that no key has any more.
    fn note_superseded(&mut self, gone: BTreeMap<PartitionIndex, u64>) {
        for (partition, messages) in gone {
            let Some(lane) = self.lane_mut(partition) else { continue };
            lane.judged -= messages;
            *lane.excluded.entry(ExcludedCause::Superseded).or_default() += messages;
        }
    }

    /// What the rows of a segment of keys are, as far as their sum and what was read tell.
    pub(super) fn shown(&self, key: SegmentKey, segment: &Segment) -> Option<Shown> {
        if segment.is_balanced() {
            return Some(Shown { of_keys: segment.keys.last(), ..Shown::default() });
        }
        let residue = self.residues.get(&key).filter(|residue| !residue.unreadable);
        explain(&segment.keys, &segment.credit, &self.hands(), &residue.map(read_rows).unwrap_or_default())
    }

    /// The rows of a segment were read. Where others came and went since they were, those of most keys are the same.
    pub(super) fn drilled_keys(&mut self, drilled: Drilled) -> Result<(), Refused> {
        let key = drilled.segment;
        self.misread.answered(key);
        let segment = self.pages.segment(key).ok_or(Refused::Stale { segment: key })?;
        let mut files = segment.files.clone();
        files.dedup();
        let is_of_now = drilled.files.keys().copied().eq(files);
        let mut residue = Residue { rows: drilled.files.into_values().flatten().collect(), ..Residue::default() };
        // A commit of an upsert table writes rows again: its time says nothing of when a version landed.
        residue.rows.iter_mut().for_each(|row| row.entry.late = false);
        let read: Bag = residue.rows.iter().map(|row| &row.entry.digest).collect();
        if is_of_now && read != segment.credit {
            self.note_misreading(key, &residue);
            return Ok(());
        }
        residue.rows.sort_by_key(|row| row.entry.at);
        residue.keys = residue.rows.iter().map(|row| row.entry.identity).collect();
        residue.keys.extend(segment.keys.iter().map(|(key, _)| *key));
        let all = read_rows(&residue);
        residue.keys.retain(|key| !segment.keys.agree(key, &all[key]));
        residue.rows.retain(|row| residue.keys.contains(&row.entry.identity));
        // What is known of now is not given up for what was true once.
        if !is_of_now && self.shown(key, segment).is_some() {
            return Err(Refused::Stale { segment: key });
        }
        if explain(&segment.keys, &segment.credit, &self.hands(), &read_rows(&residue)).is_none() {
            return Err(Refused::Stale { segment: key });
        }
        self.misread.forget(&key);
        self.put_residue(key, Some(residue));
        self.change(key, |_| {});
        Ok(())
    }

    /// What a segment of keys counts as.
    pub(super) fn count_keys(&self, lot: &mut Lot, key: SegmentKey, segment: &Segment, shown: Option<Shown>) {
        lot.turn_ms = segment.keys.next_turn(&self.terms.clock(self.judged_at_ms));
        lot.pass_ms = segment.keys.next_pass(self.terms.settle_ms, self.moved_ms);
        let Some(shown) = shown else {
            lot.parts = parts(segment.keys.unread(&self.hands()));
            match self.residues.get(&key).is_some_and(|residue| residue.unreadable) {
                true => (lot.verdict, lot.unobservable) = (MessageVerdict::Unobservable, segment.credit.count),
                false => lot.unjudged = segment.credit.count,
            }
            return;
        };
        let clock = self.terms.clock(self.judged_at_ms);
        let (mut counts, waiting) = segment.keys.counts(&shown.of_keys, &clock, |at| self.is_put_aside(at));
        lot.oldest_ms = waiting.iter().filter_map(|(message, _)| message.timestamp_ms).min();
        let waiting = waiting.into_iter().filter(|(message, _)| self.is_for_the_judge(message));
        let (hidden, waiting): (Vec<_>, Vec<_>) = waiting.partition(|(message, _)| self.is_hidden_behind(message.at));
        for (message, _) in hidden.iter().filter(|(message, _)| !self.is_put_aside(message.at)) {
            let of = counts.entry(message.at.partition).or_default();
            (of.others, of.unobservable) = (of.others - 1, of.unobservable + 1);
        }
        let named = hidden.into_iter().filter(|(message, _)| self.is_put_aside(message.at));
        lot.waiting = waiting.into_iter().chain(named).collect();
        let is_hidden =
            |key: &IdentityHash| segment.keys.last_of(key).is_some_and(|last| self.is_hidden_behind(last.at));
        let (hidden, apart): (BTreeSet<_>, BTreeSet<_>) = shown.apart.into_iter().partition(is_hidden);
        for key in &hidden {
            let last = segment.keys.last_of(key).filter(|last| last.state == MessageState::Judged);
            let named = last.filter(|last| self.is_put_aside(last.at));
            segment.keys.count_hidden(key, named.is_some(), &mut counts);
            lot.waiting.extend(named.map(|last| (last, true)));
        }
        let rows = self.residues.get(&key).map(|residue| residue.rows.as_slice()).unwrap_or_default();
        lot.unobservable = rows.iter().filter(|row| hidden.contains(&row.entry.identity)).count() as u64;
        (lot.parts, lot.apart) = (parts(counts), apart);
        lot.put_aside();
    }

    /// Whether a later version of the key of a message may be gone that nobody has read: of its rows nothing is said then.
    fn is_hidden_behind(&self, at: MessageAt) -> bool {
        self.lane(at.partition).is_some_and(|lane| lane.hidden.upto() > at.offset)
    }

    fn is_for_the_judge(&self, message: &MessageEntry) -> bool {
        let is_due = self.terms.clock(self.judged_at_ms).is_due(message.timestamp_ms);
        is_due || message.stood || self.is_put_aside(message.at)
    }

    /// Messages and rows of keys that are before the judge, with their segments.
    pub(super) fn keys_in_question(&self) -> InQuestion {
        let mut asked = InQuestion::default();
        if !self.terms.is_upsert() {
            return asked;
        }
        let hands = self.hands();
        for (key, lot) in self.board.in_question() {
            let Some(segment) = self.pages.segment(key) else { continue };
            let with_loss = |message: MessageEntry| MessageEntry { loss: self.loss(key, message.at.offset), ..message };
            let waiting = lot.waiting.iter().map(|(message, is_elsewhere)| match is_elsewhere {
                true => *message,
                false => with_loss(*message),
            });
            asked.messages.extend(waiting.map(|message| (key, message)));
            let Some(residue) = self.residues.get(&key).filter(|_| !lot.apart.is_empty()) else { continue };
            let read = read_rows(residue);
            let apart = lot.apart.iter().flat_map(|identity| segment.keys.asked_of(*identity, &read[identity], &hands));
            asked.messages.extend(apart.map(|message| (key, with_loss(message))));
            let rows = residue.rows.iter().map(|row| row.entry).filter(|row| lot.apart.contains(&row.identity));
            asked.rows.extend(rows.map(|row| {
                let is_known = segment.keys.tell_of(&row.identity, &read[&row.identity], &hands);
                RowEntry { standing: self.standing_of_key(&segment.keys, is_known), hole: None, ..row }
            }));
        }
        asked
    }

    /// How a row stands that no message explains. `is_known`: whether versions of its key tell what it should be.
    fn standing_of_key(&self, keys: &Keys, is_known: bool) -> RowStanding {
        let is_cut = !self.terms.whole_topic && self.lanes.iter().any(|lane| lane.start > 0);
        match is_cut && !is_known {
            true => RowStanding::OutOfScope,
            false if keys.has_refused() || self.hides_rows(None) => RowStanding::Unobservable,
            false => RowStanding::InScope,
        }
    }

    /// Which of these messages dead letters name.
    pub(super) fn is_put_aside(&self, at: MessageAt) -> bool {
        self.pages.page(&self.page_of(at)).is_some_and(|page| page.letters.name(at.offset))
    }
}

/// Rows that were read, by key.
fn read_rows(residue: &Residue) -> ReadRows {
    let mut rows: ReadRows = residue.keys.iter().map(|key| (*key, Vec::new())).collect();
    for row in &residue.rows {
        rows.entry(row.entry.identity).or_default().push(row.entry.digest);
    }
    rows.values_mut().for_each(|digests| digests.sort_unstable());
    rows
}

fn parts(counts: BTreeMap<PartitionIndex, Counts>) -> Vec<Part> {
    let part = |(partition, counts): (PartitionIndex, Counts)| Part {
        partition,
        messages: counts.others,
        intact: counts.intact,
        late: 0,
        superseded: counts.superseded,
        expired: counts.expired,
        unobservable: counts.unobservable,
    };
    counts.into_iter().map(part).collect()
}

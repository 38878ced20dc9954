//! Books of an upsert table, where a segment is a shard of the keys: the last version of each is its debit.
//!
//! Contract: messages are never read again, since what the judge asks of them is kept; rows are read where the sum of a segment does
//! not say which versions they show. A last version that waits for its row stands before the judge once it is due, is named by a letter,
//! or has lost a row that it had. See `docs/decisions/0057-keys-that-are-followed.md`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Shadow;
use super::board::{Lot, Part};
use super::event::{Drilled, LanePart, Refused, Undecodable};
use super::keys::{Counts, Hands, Keys, Shown};
use super::residue::Residue;
use super::segment::Segment;
use super::stage::Stage;
use crate::digest::{Digest, IdentityHash};
use crate::judge::{MessageEntry, MessageState, RowEntry, RowStanding};
use crate::limits::KEY_SHARDS;
use crate::position::{MessageAt, PartitionIndex};
use crate::segment::{SegmentKey, shard_of};
use crate::verdict::{ExcludedCause, MessageVerdict};

/// A message that waits for its row, and whether the row of its key is another one.
pub(super) type Waiting = (MessageEntry, bool);

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
        lane.hidden.read(None, gaps.iter().map(|gap| (gap.start, gap.end)));
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

    /// A segment of keys changed: what is superseded goes, and which versions are shown is noted.
    pub(super) fn settle_keys(&mut self, key: SegmentKey, segment: &mut Segment) {
        let hands = self.hands();
        for (partition, messages) in segment.keys.prune(&hands) {
            let Some(lane) = self.lane_mut(partition) else { continue };
            lane.judged -= messages;
            *lane.excluded.entry(ExcludedCause::Superseded).or_default() += messages;
        }
        segment.debit = segment.keys.debit();
        if let Some(shown) = self.shown(segment) {
            segment.keys.note_shown(&shown);
        } else if let Some(residue) = self.residues.get(&key).filter(|residue| is_whole(residue, segment)) {
            let rows = residue.rows.iter().map(|row| (&row.entry.identity, &row.entry.digest));
            segment.keys.note_rows(rows);
        }
    }

    /// Which versions the rows of a segment show, as far as their sum tells.
    pub(super) fn shown(&self, segment: &Segment) -> Option<Shown> {
        match segment.is_balanced() {
            true => Some(segment.keys.last()),
            false => segment.keys.shown(&segment.credit, &self.hands()),
        }
    }

    /// Whether the clock alone made known which versions of a segment are shown.
    pub(super) fn is_newly_shown(&self, key: SegmentKey) -> bool {
        let SegmentKey::Keys { .. } = key else { return false };
        let Some(segment) = self.pages.segment(key).filter(|segment| !segment.is_balanced()) else { return false };
        self.shown(segment).is_some_and(|shown| !segment.keys.have_stood(&shown))
    }

    /// The rows of a segment were read.
    pub(super) fn drilled_keys(&mut self, drilled: Drilled) -> Result<(), Refused> {
        let key = drilled.segment;
        let segment = self.pages.segment(key).ok_or(Refused::Stale { segment: key })?;
        let mut files = segment.files.clone();
        files.dedup();
        if !drilled.files.keys().copied().eq(files) {
            return Err(Refused::Stale { segment: key });
        }
        let mut residue = Residue::default();
        for (file, rows) in drilled.files {
            residue.read_files.insert(file, rows.iter().map(|row| &row.entry.digest).collect());
            residue.rows.extend(rows);
        }
        residue.rows.sort_by_key(|row| row.entry.at);
        if residue.read_credit() != segment.credit {
            self.note_misreading(key, &residue);
            return Ok(());
        }
        self.misread.forget(&key);
        self.put_residue(key, Some(residue));
        self.change(key, |_| {});
        Ok(())
    }

    /// What a segment of keys counts as.
    pub(super) fn count_keys(&self, lot: &mut Lot, key: SegmentKey, segment: &Segment) {
        let clock = self.terms.clock(self.judged_at_ms);
        lot.turn_ms = segment.keys.next_turn(&clock);
        let residue = self.residues.get(&key);
        match (lot.stage, residue) {
            (Stage::Underway, _) => {
                let Some(shown) = self.shown(segment) else { return };
                let (counts, waiting) = segment.keys.counts(&shown);
                lot.parts = parts(counts);
                lot.oldest_ms = waiting.iter().filter_map(|(message, _)| message.timestamp_ms).min();
                lot.waiting = waiting.into_iter().filter(|(message, _)| self.is_for_the_judge(message)).collect();
                lot.put_aside();
            }
            (Stage::Disputed, Some(residue)) if residue.unreadable => {
                lot.parts = parts(segment.keys.unread(&self.hands()));
                (lot.verdict, lot.unobservable) = (MessageVerdict::Unobservable, segment.credit.count);
            }
            (Stage::Disputed, Some(residue)) if is_whole(residue, segment) => {
                let (_, counts) = segment.keys.disagreeing(&rows_of(residue));
                lot.parts = parts(counts);
            }
            _ => {
                lot.parts = parts(segment.keys.unread(&self.hands()));
                lot.unjudged = segment.credit.count;
            }
        }
    }

    fn is_for_the_judge(&self, message: &MessageEntry) -> bool {
        let is_due = self.terms.clock(self.judged_at_ms).is_due(message.timestamp_ms);
        is_due || message.stood || self.is_put_aside(message.at)
    }

    /// Messages and rows of keys that are before the judge, with their segments.
    pub(super) fn keys_in_question(&self) -> (Vec<(SegmentKey, MessageEntry)>, Vec<RowEntry>) {
        let (mut messages, mut rows) = (Vec::new(), Vec::new());
        if !self.terms.is_upsert() {
            return (messages, rows);
        }
        for (key, waiting) in self.board.waiting() {
            messages.extend(waiting.iter().map(|(message, is_elsewhere)| {
                let loss = if *is_elsewhere { None } else { self.loss(key, message.at.offset) };
                (key, MessageEntry { loss, ..*message })
            }));
        }
        for (key, residue) in self.residues.iter().filter(|(_, residue)| !residue.unreadable) {
            let Some(segment) = self.pages.segment(*key).filter(|segment| is_whole(residue, segment)) else { continue };
            if !matches!(key, SegmentKey::Keys { .. }) || self.stage(*key, segment) != Stage::Disputed {
                continue;
            }
            let of_keys = rows_of(residue);
            let entries = segment.keys.disagreeing(&of_keys).0;
            messages.extend(
                entries
                    .into_iter()
                    .map(|message| (*key, MessageEntry { loss: self.loss(*key, message.at.offset), ..message })),
            );
            let disagree = residue.rows.iter().filter(|row| {
                let identity = &row.entry.identity;
                !segment.keys.agree(identity, &of_keys[identity])
            });
            let (keys, hands) = (&segment.keys, self.hands());
            let standing = |identity: &IdentityHash| {
                self.standing_of_key(keys, keys.tell_of(identity, &of_keys[identity], &hands))
            };
            rows.extend(disagree.map(|row| {
                let standing = standing(&row.entry.identity);
                RowEntry { standing, hole: None, ..row.entry }
            }));
        }
        (messages, rows)
    }

    /// How a row stands that no message explains. `is_known`: whether versions of its key tell what it should be.
    fn standing_of_key(&self, keys: &Keys, is_known: bool) -> RowStanding {
        let is_cut = !self.terms.whole_topic && self.lanes.iter().any(|lane| lane.start > 0);
        match is_cut && !is_known {
            true => RowStanding::OutOfScope,
            false if keys.is_full() || self.hides_rows(None) => RowStanding::Unobservable,
            false => RowStanding::InScope,
        }
    }

    /// Which of these messages dead letters name.
    pub(super) fn is_put_aside(&self, at: MessageAt) -> bool {
        self.pages.page(&self.page_of(at)).is_some_and(|page| page.letters.name(at.offset))
    }
}

/// Whether all rows of a segment are known, wherever they stand now.
fn is_whole(residue: &Residue, segment: &Segment) -> bool {
    residue.read_credit() == segment.credit
}

fn rows_of(residue: &Residue) -> BTreeMap<IdentityHash, Vec<Digest>> {
    let mut rows: BTreeMap<IdentityHash, Vec<Digest>> = BTreeMap::new();
    for row in &residue.rows {
        rows.entry(row.entry.identity).or_default().push(row.entry.digest);
    }
    rows
}

fn parts(counts: BTreeMap<PartitionIndex, Counts>) -> Vec<Part> {
    let part = |(partition, counts): (PartitionIndex, Counts)| Part {
        partition,
        messages: counts.others,
        intact: counts.intact,
        late: 0,
        superseded: counts.superseded,
    };
    counts.into_iter().map(part).collect()
}

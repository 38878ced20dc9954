//! What is left of a disputed segment once the entries that agree are taken out.
//!
//! Contract: what was read is accounted for by bags, so that the books decide whether a reading was whole: messages read
//! are agreed or kept, rows read are agreed or kept (I3). An identity agrees when it has exactly one judged message and
//! one row, of equal digest; a later row of it makes the segment be read again.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::Blames;
use super::event::SeenRow;
use super::file::FileId;
use super::runs::{has, joined};
use super::segment::{Segment, Share};
use super::slips::{OF_WINDOW, Slips};
use crate::bag::Bag;
use crate::digest::{Digest, IdentityHash};
use crate::judge::{MessageEntry, MessageState};
use crate::position::{MessageAt, PartitionIndex};

/// The beginning of a digest.
pub type Digest16 = [u8; 16];

/// The first 16 bytes of a digest.
pub fn digest16(digest: &Digest) -> Digest16 {
    let mut first = [0; 16];
    first.copy_from_slice(&digest.0[..16]);
    first
}

/// Messages of one partition that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadShare {
    /// The first offset.
    pub from: i64,
    /// One past the last one.
    pub upto: i64,
    /// Judged ones.
    pub judged: u64,
    /// Of them, those that agreed.
    pub agreed: u64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Residue {
    /// Messages below it are agreed or in `messages`.
    pub read_upto: i64,
    /// The modes `key` and `content`: what was read of each partition.
    pub read: BTreeMap<PartitionIndex, ReadShare>,
    /// Judged messages read, by their digests in debits.
    pub read_debit: Bag,
    /// Files read, with their rows here.
    pub read_files: BTreeMap<FileId, Bag>,
    /// Removed files read.
    pub read_gone: BTreeSet<FileId>,
    /// Of an upsert table: keys that did not show their last version when their rows were read. Of others nothing is kept.
    pub keys: BTreeSet<IdentityHash>,
    /// It is asked whole again: places moved, or a copy of an agreed message came. What it says so far stands.
    pub whole: bool,
    /// The log no longer has the messages, or what is read is not what was consumed: nothing can be said of them.
    pub unreadable: bool,
    /// Messages that do not agree, in order; excluded and undecodable ones too.
    pub messages: Vec<MessageEntry>,
    /// Rows that do not agree, in order.
    pub rows: Vec<SeenRow>,
    /// Digests of what agreed.
    pub agreed: Bag,
    /// Late rows among them.
    pub agreed_late: u32,
    /// The largest agreed offset; `i64::MIN`: none.
    pub agreed_max: i64,
    /// Rows that stood in removed files.
    pub stood: BTreeSet<Digest16>,
    /// Places, half-open and ascending: each judged message there had an equal row in a step.
    pub stood_at: Vec<(i64, i64)>,
    /// Whether a removed file could not be asked for what stood in it.
    pub unseen: bool,
    /// Who took rows away of messages that had one and have none, as of the last reading of all.
    pub taken: Blames,
    /// Takers of the segment until then.
    pub takes: u32,
}

impl Residue {
    /// Nothing read.
    pub fn new(from: i64) -> Self {
        Self { read_upto: from, agreed_max: i64::MIN, ..Self::default() }
    }

    /// Nothing read again but the files that are live no longer: they do not change, and what stood in them is known.
    pub fn again(&self, from: i64) -> Self {
        let (stood, stood_at) = (self.stood.clone(), self.stood_at.clone());
        let (read_gone, taken) = (self.read_gone.clone(), self.taken.clone());
        let (unseen, takes) = (self.unseen, self.takes);
        Self { read_gone, stood, stood_at, unseen, taken, takes, ..Self::new(from) }
    }

    /// All is read: messages that stood and have no equal row lost it now, unless they had lost it before.
    pub(super) fn blame(&mut self, segment: &Segment) {
        let digests: BTreeSet<&Digest> = self.rows.iter().map(|row| &row.entry.digest).collect();
        let now = segment.blame_since(self.takes);
        let gone = self.messages.iter().filter_map(|message| {
            let (place, digest) = (self.place(message.at), message.digest.as_ref()?);
            let stood = segment.stood_in_balance(message.at)
                || self.has_stood(place)
                || self.stood.contains(&digest16(digest))
                || segment.has_stood(if self.read.is_empty() { message.at.offset } else { OF_WINDOW }, digest);
            let is_gone = message.state == MessageState::Judged && stood && !digests.contains(digest);
            Some((place, self.taken.get(&place).copied().or(now)?)).filter(|_| is_gone)
        });
        self.taken = gone.collect();
        self.takes = segment.takes;
    }

    /// With what was read as known to have stood: messages that agree or have an equal row, and rows of messages that were not
    /// read. `from`: the first offset that was.
    #[must_use]
    pub fn learned(mut self, from: i64) -> Self {
        // Of equal messages as many had one as there are rows, the first ones.
        let mut digests: BTreeMap<&Digest, usize> = BTreeMap::new();
        self.rows.iter().for_each(|row| *digests.entry(&row.entry.digest).or_default() += 1);
        let judged = self.messages.iter().filter(|message| message.state == MessageState::Judged);
        let mut rowless: Vec<i64> = Vec::new();
        for message in judged {
            match message.digest.as_ref().and_then(|own| digests.get_mut(own)).filter(|left| **left > 0) {
                Some(left) => *left -= usize::from(!self.read.is_empty()),
                None => rowless.push(self.place(message.at)),
            }
        }
        let mut runs: Vec<(i64, i64)> = std::mem::take(&mut self.stood_at);
        for (mut next, end) in self.stretches(from) {
            let inside = rowless.iter().copied().filter(|place| (next..end).contains(place)).collect::<Vec<_>>();
            for place in inside.into_iter().chain([end]) {
                if next < place {
                    runs.push((next, place));
                }
                next = place.saturating_add(1);
            }
        }
        self.stood_at = joined(runs);
        let messages: BTreeSet<Digest> = self.messages.iter().filter_map(|message| message.digest).collect();
        let unread = self.rows.iter().filter(|row| match row.offset {
            Some(offset) => offset >= self.read_upto,
            // What is no message's may be one's that comes.
            None => !messages.contains(&row.entry.digest),
        });
        let unread: Vec<Digest16> = unread.map(|row| digest16(&row.entry.digest)).collect();
        self.stood.extend(unread);
        self
    }

    /// The places that were read. `from`: the first offset that was, of a range of offsets.
    fn stretches(&self, from: i64) -> Vec<(i64, i64)> {
        if self.read.is_empty() {
            return vec![(from, self.read_upto)];
        }
        let place = |partition: PartitionIndex, offset: i64| MessageAt { partition, offset }.place();
        self.read.iter().map(|(of, share)| (place(*of, share.from), place(*of, share.upto))).collect()
    }

    /// Whether these messages were read, and no others.
    pub fn is_of(&self, shares: &BTreeMap<PartitionIndex, Share>) -> bool {
        let read = self.read.iter().map(|(of, share)| (*of, share.from, share.upto));
        read.eq(shares.iter().map(|(of, share)| (*of, share.from, share.upto)))
    }

    /// The place of one of its messages.
    fn place(&self, at: MessageAt) -> i64 {
        if self.read.is_empty() { at.offset } else { at.place() }
    }

    /// Whether it is known that a judged message of this place had an equal row.
    pub fn has_stood(&self, place: i64) -> bool {
        has(&self.stood_at, place)
    }

    /// Digests that several of its messages have.
    pub(super) fn several(&self) -> BTreeSet<Digest> {
        let mut digests: Vec<Digest> = self.messages.iter().filter_map(|message| message.digest).collect();
        digests.sort_unstable();
        digests.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect()
    }

    /// What is known of rows that stood, as slips of a window.
    pub(super) fn slips(&self) -> Slips {
        self.stood.iter().map(|[a, b, c, d, e, f, g, h, ..]| (OF_WINDOW, [*a, *b, *c, *d, *e, *f, *g, *h])).collect()
    }

    /// Rows read, agreed ones too.
    pub fn read_credit(&self) -> Bag {
        self.read_files.values().collect()
    }

    /// How much memory it takes, in entries.
    pub fn entries(&self) -> usize {
        let own = self.messages.len() + self.rows.len() + self.keys.len();
        own + (self.stood.len() + self.stood_at.len() + self.taken.len()) / 8
    }

    /// Judged messages that do not agree.
    pub fn judged(&self) -> u64 {
        self.messages.iter().filter(|message| message.state == MessageState::Judged).count() as u64
    }

    /// Whether a message at this offset is among the kept ones.
    pub fn holds(&self, offset: i64) -> bool {
        self.messages.binary_search_by_key(&offset, |message| message.at.offset).is_ok()
    }

    /// Takes out what agrees.
    pub fn settle(&mut self) {
        let mut rows: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            if let Some(offset) = row.offset {
                rows.entry(offset).or_default().push(index);
            }
        }
        let mut messages = std::mem::take(&mut self.messages);
        let mut taken = BTreeSet::new();
        messages.retain(|message| {
            let Some([row]) = rows.get(&message.at.offset).map(Vec::as_slice) else { return true };
            let seen = &self.rows[*row];
            if message.state != MessageState::Judged || message.digest != Some(seen.entry.digest) {
                return true;
            }
            self.agreed.add(&seen.entry.digest);
            self.agreed_late += u32::from(seen.entry.late);
            self.agreed_max = self.agreed_max.max(message.at.offset);
            taken.insert(*row);
            false
        });
        self.messages = messages;
        keep_others(&mut self.rows, &taken);
    }

    /// Takes out what agrees, by identity: as many judged messages as rows, all of one digest.
    pub fn settle_identities(&mut self) {
        let mut groups: BTreeMap<IdentityHash, Group> = BTreeMap::new();
        for (index, message) in self.messages.iter().enumerate() {
            let Some(identity) = message.identity else { continue };
            let group = groups.entry(identity).or_default();
            match message.digest.filter(|_| message.state == MessageState::Judged) {
                Some(digest) => group.messages.push((index, digest)),
                None => group.is_apart = true,
            }
        }
        for (index, row) in self.rows.iter().enumerate() {
            if let Some(group) = groups.get_mut(&row.entry.identity) {
                group.rows.push((index, row.entry.digest));
            }
        }
        let (mut messages, mut rows) = (BTreeSet::new(), BTreeSet::new());
        for group in groups.into_values().filter(Group::agrees) {
            messages.extend(group.messages.iter().map(|(index, _)| *index));
            rows.extend(group.rows.iter().map(|(index, _)| *index));
        }
        for index in &messages {
            if let Some(share) = self.read.get_mut(&self.messages[*index].at.partition) {
                share.agreed += 1;
            }
        }
        // What asks for no row says nothing but why a row of it is there.
        let named: BTreeSet<IdentityHash> = self.rows.iter().map(|row| row.entry.identity).collect();
        let is_idle = |message: &MessageEntry| {
            let asks = !matches!(message.state, MessageState::Excluded(_));
            !asks && message.identity.is_none_or(|identity| !named.contains(&identity))
        };
        messages.extend((0..self.messages.len()).filter(|index| is_idle(&self.messages[*index])));
        for index in &rows {
            let entry = &self.rows[*index].entry;
            self.agreed.add(&entry.digest);
            self.agreed_late += u32::from(entry.late);
        }
        keep_others(&mut self.messages, &messages);
        keep_others(&mut self.rows, &rows);
    }

    /// The greatest offset of a message with an equal row: agreed, or among what is kept.
    pub fn paired_max(&self) -> Option<i64> {
        let digests: BTreeSet<&Digest> = self.rows.iter().map(|row| &row.entry.digest).collect();
        let equal = |message: &&MessageEntry| {
            message.state == MessageState::Judged && message.digest.as_ref().is_some_and(|own| digests.contains(own))
        };
        let kept = self.messages.iter().filter(equal).map(|message| message.at.offset).max();
        kept.max((self.agreed_max > i64::MIN).then_some(self.agreed_max))
    }

    /// Whether a row of it may be paired with a message of another segment: more rows than judged messages of an identity.
    pub fn is_loose(&self) -> bool {
        if !self.read.is_empty() {
            return self.has_rows_left();
        }
        let mut rows: BTreeMap<Option<i64>, usize> = BTreeMap::new();
        for row in &self.rows {
            *rows.entry(row.offset).or_default() += 1;
        }
        rows.into_iter().any(|(offset, count)| {
            let Some(offset) = offset else { return true };
            let own = self.messages.binary_search_by_key(&offset, |message| message.at.offset);
            match own.ok().map(|at| self.messages[at].state) {
                Some(MessageState::Judged) => count > 1,
                Some(MessageState::Undecodable(_)) => false,
                Some(MessageState::Excluded(_)) | None => true,
            }
        })
    }

    /// Of a window: whether there are more rows than judged messages of an identity.
    fn has_rows_left(&self) -> bool {
        let mut left: BTreeMap<IdentityHash, i64> = BTreeMap::new();
        self.rows.iter().for_each(|row| *left.entry(row.entry.identity).or_default() += 1);
        let judged = self.messages.iter().filter(|message| message.state == MessageState::Judged);
        for identity in judged.filter_map(|message| message.identity) {
            if let Some(rows) = left.get_mut(&identity) {
                *rows -= 1;
            }
        }
        left.values().any(|rows| *rows > 0)
    }
}

/// Messages and rows of one identity, by index.
#[derive(Default)]
struct Group {
    messages: Vec<(usize, Digest)>,
    rows: Vec<(usize, Digest)>,
    /// Whether there are messages that ask for no row, or equal none.
    is_apart: bool,
}

impl Group {
    fn agrees(&self) -> bool {
        let Some((_, digest)) = self.messages.first() else { return false };
        let all = self.messages.iter().chain(&self.rows);
        !self.is_apart
            && self.messages.len() == self.rows.len()
            && all.fold(true, |same, (_, one)| same && one == digest)
    }
}

fn keep_others<T>(of: &mut Vec<T>, taken: &BTreeSet<usize>) {
    let mut index = 0;
    of.retain(|_| {
        index += 1;
        !taken.contains(&(index - 1))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{RowEntry, RowStanding};
    use crate::position::{FileIndex, RowAt};

    fn message(offset: i64) -> MessageEntry {
        MessageEntry {
            at: MessageAt { partition: PartitionIndex(0), offset },
            timestamp_ms: None,
            identity: None,
            digest: Some(Digest([offset as u8; 32])),
            rest: None,
            state: MessageState::Judged,
            loss: None,
            stood: false,
        }
    }

    fn row(offset: i64) -> SeenRow {
        let digest = Digest([offset as u8; 32]);
        let at = RowAt { file: FileIndex(1), position: offset as u64 };
        let (standing, identity) = (RowStanding::InScope, IdentityHash([0; 16]));
        let entry = RowEntry { at, identity, digest, rest: digest, standing, hole: None, late: false };
        SeenRow { entry, partition: Some(PartitionIndex(0)), offset: Some(offset) }
    }

    #[test]
    fn what_was_read_is_known_to_have_stood_and_what_had_no_row_is_not() {
        // 10 to 19 are read: 12 and 15 have no row, 17 has two; a row of 21 came, whose message is not read.
        let mut residue = Residue { read_upto: 20, ..Residue::new(10) };
        residue.messages = [12, 15, 17].map(message).to_vec();
        residue.rows = [17, 17, 21].map(row).to_vec();
        let learned = residue.learned(10);
        assert_eq!(learned.stood_at, [(10, 12), (13, 15), (16, 20)]);
        assert!(learned.has_stood(10) && !learned.has_stood(12) && learned.has_stood(17) && !learned.has_stood(20));
        assert!(learned.stood.contains(&digest16(&Digest([21; 32]))));
        // It is kept when all is read again, and grows.
        let again = Residue { read_upto: 14, messages: vec![message(13)], ..learned.again(10) }.learned(10);
        assert_eq!(again.stood_at, [(10, 15), (16, 20)]);
    }
}

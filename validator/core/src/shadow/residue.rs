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
use super::segment::Segment;
use crate::bag::Bag;
use crate::digest::Digest;
use crate::judge::{MessageEntry, MessageState};

/// The beginning of a digest.
pub type Digest16 = [u8; 16];

/// The first 16 bytes of a digest.
pub fn digest16(digest: &Digest) -> Digest16 {
    let mut first = [0; 16];
    first.copy_from_slice(&digest.0[..16]);
    first
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Residue {
    /// Messages below it are agreed or in `messages`.
    pub read_upto: i64,
    /// Judged messages read, by their digests in debits.
    pub read_debit: Bag,
    /// Files read, with their rows here.
    pub read_files: BTreeMap<FileId, Bag>,
    /// Removed files read.
    pub read_gone: BTreeSet<FileId>,
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
    /// Offsets, half-open and ascending: each judged message there had an equal row in a step.
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
            let (offset, digest) = (message.at.offset, message.digest.as_ref()?);
            let stood = offset < segment.stood_below
                || self.has_stood(offset)
                || self.stood.contains(&digest16(digest))
                || segment.has_stood(offset, digest);
            let is_gone = message.state == MessageState::Judged && stood && !digests.contains(digest);
            Some((offset, self.taken.get(&offset).copied().or(now)?)).filter(|_| is_gone)
        });
        self.taken = gone.collect();
        self.takes = segment.takes;
    }

    /// With what was read as known to have stood: messages that agree or have an equal row, and rows of messages that were not
    /// read. `from`: the first offset that was.
    #[must_use]
    pub fn learned(mut self, from: i64) -> Self {
        let digests: BTreeSet<&Digest> = self.rows.iter().map(|row| &row.entry.digest).collect();
        let is_rowless = |message: &&MessageEntry| {
            message.state == MessageState::Judged && message.digest.as_ref().is_none_or(|own| !digests.contains(own))
        };
        let rowless = self.messages.iter().filter(is_rowless).map(|message| message.at.offset);
        let mut next = from;
        let mut runs: Vec<(i64, i64)> = std::mem::take(&mut self.stood_at);
        for offset in rowless.chain([self.read_upto]) {
            if next < offset {
                runs.push((next, offset));
            }
            next = offset.saturating_add(1);
        }
        self.stood_at = joined(runs);
        let unread = self.rows.iter().filter(|row| row.offset.is_some_and(|offset| offset >= self.read_upto));
        self.stood.extend(unread.map(|row| digest16(&row.entry.digest)));
        self
    }

    /// Whether it is known that a judged message of this offset had an equal row.
    pub fn has_stood(&self, offset: i64) -> bool {
        has(&self.stood_at, offset)
    }

    /// Rows read, agreed ones too.
    pub fn read_credit(&self) -> Bag {
        self.read_files.values().collect()
    }

    /// How much memory it takes, in entries.
    pub fn entries(&self) -> usize {
        self.messages.len() + self.rows.len() + (self.stood.len() + self.stood_at.len() + self.taken.len()) / 8
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
        let mut index = 0;
        self.rows.retain(|_| {
            index += 1;
            !taken.contains(&(index - 1))
        });
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::IdentityHash;
    use crate::judge::{RowEntry, RowStanding};
    use crate::position::{FileIndex, MessageAt, PartitionIndex, RowAt};

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

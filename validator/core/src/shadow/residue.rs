//! What is left of a disputed segment once the entries that agree are taken out.
//!
//! Contract: what was read is accounted for by bags, so that the books decide whether a reading was whole: messages read
//! are agreed or kept, rows read are agreed or kept (I3). An identity agrees when it has exactly one judged message and
//! one row, of equal digest; a later row of it makes the segment be read again.

use std::collections::{BTreeMap, BTreeSet};

use super::event::SeenRow;
use super::file::FileId;
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
    /// The log no longer has the messages: nothing can be said of them.
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
}

impl Residue {
    /// Nothing read; what stood is kept.
    pub fn new(from: i64, stood: BTreeSet<Digest16>) -> Self {
        Self { read_upto: from, agreed_max: i64::MIN, stood, ..Self::default() }
    }

    /// Nothing read again but the files that are live no longer: they do not change, and what stood in them is known.
    pub fn again(&self, from: i64) -> Self {
        Self { read_gone: self.read_gone.clone(), ..Self::new(from, self.stood.clone()) }
    }

    /// Rows read, agreed ones too.
    pub fn read_credit(&self) -> Bag {
        self.read_files.values().collect()
    }

    /// How much memory it takes, in entries.
    pub fn entries(&self) -> usize {
        self.messages.len() + self.rows.len() + self.stood.len() / 8
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

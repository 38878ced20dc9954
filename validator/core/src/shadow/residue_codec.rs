//! Residues as bytes.
//!
//! Contract: see [`super::pack`]. How a row stands, and what stood or was lost, is taken anew at each judging and not kept.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::{Blame, Taker};
use super::delta::Damaged;
use super::event::SeenRow;
use super::file::FileId;
use super::pack::{Reader, Writer, whole};
use super::residue::{ReadShare, Residue};
use crate::digest::{Digest, IdentityHash};
use crate::judge::{MessageEntry, MessageState, RowEntry, RowStanding};
use crate::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use crate::verdict::{ExcludedCause, UndecodableCause};

impl Residue {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.signed(self.read_upto);
        to.bag(&self.read_debit);
        to.number(self.read_files.len() as u64);
        for (file, bag) in &self.read_files {
            to.number(u64::from(file.0));
            to.bag(bag);
        }
        to.number(self.read_gone.len() as u64);
        self.read_gone.iter().for_each(|file| to.number(u64::from(file.0)));
        to.byte(u8::from(self.whole));
        to.byte(u8::from(self.unreadable));
        to.number(self.messages.len() as u64);
        self.messages.iter().for_each(|message| write_message(&mut to, message));
        to.number(self.rows.len() as u64);
        self.rows.iter().for_each(|row| write_row(&mut to, row));
        to.bag(&self.agreed);
        to.number(u64::from(self.agreed_late));
        to.maybe((self.agreed_max > i64::MIN).then_some(self.agreed_max));
        to.number(self.stood.len() as u64);
        self.stood.iter().for_each(|digest| to.raw(digest));
        to.number(self.stood_at.len() as u64);
        for (from, end) in &self.stood_at {
            to.signed(*from);
            to.signed(*end);
        }
        to.byte(u8::from(self.unseen));
        to.number(self.taken.len() as u64);
        for (offset, blame) in &self.taken {
            to.signed(*offset);
            blame.taker.write(&mut to);
            to.byte(u8::from(blame.alone));
        }
        to.number(u64::from(self.takes));
        to.number(self.read.len() as u64);
        for (partition, share) in &self.read {
            to.number(u64::from(partition.0));
            to.signed(share.from);
            to.signed(share.upto);
            to.number(share.judged);
            to.number(share.agreed);
        }
        to.number(self.keys.len() as u64);
        self.keys.iter().for_each(|key| to.raw(&key.0));
        to.seal()
    }

    /// The residue of these bytes.
    ///
    /// # Errors
    /// They are damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, "a residue", |from| {
            Some(Self {
                read_upto: from.signed()?,
                read_debit: from.bag()?,
                read_files: from.list(|from| Some((FileId(from.small()?), from.bag()?)))?.into_iter().collect(),
                read_gone: from.list(|from| from.small().map(FileId))?.into_iter().collect(),
                whole: from.flag()?,
                unreadable: from.flag()?,
                messages: from.list(read_message)?,
                rows: from.list(read_row)?,
                agreed: from.bag()?,
                agreed_late: from.small()?,
                agreed_max: from.maybe()?.unwrap_or(i64::MIN),
                stood: from.list(Reader::raw)?.into_iter().collect(),
                stood_at: from.list(|from| Some((from.signed()?, from.signed()?)))?,
                unseen: from.flag()?,
                taken: from.list(read_blame)?.into_iter().collect(),
                takes: from.small()?,
                read: if from.has_windows() { from.list(read_share)?.into_iter().collect() } else { BTreeMap::new() },
                keys: match from.has_keys() {
                    true => from.list(|from| from.raw().map(IdentityHash))?.into_iter().collect(),
                    false => BTreeSet::new(),
                },
            })
        })
    }
}

fn read_share(from: &mut Reader<'_>) -> Option<(PartitionIndex, ReadShare)> {
    let (partition, start, upto) = (PartitionIndex(from.small()?), from.signed()?, from.signed()?);
    Some((partition, ReadShare { from: start, upto, judged: from.number()?, agreed: from.number()? }))
}

fn read_blame(from: &mut Reader<'_>) -> Option<(i64, Blame)> {
    Some((from.signed()?, Blame { taker: Taker::read(from)?, alone: from.flag()? }))
}

pub(super) fn write_message(to: &mut Writer, message: &MessageEntry) {
    to.number(u64::from(message.at.partition.0));
    to.signed(message.at.offset);
    to.maybe(message.timestamp_ms);
    write_some(to, message.identity.map(|identity| identity.0));
    write_some(to, message.digest.map(|digest| digest.0));
    write_some(to, message.rest.map(|rest| rest.0));
    let (kind, cause) = match message.state {
        MessageState::Judged => (0, 0),
        MessageState::Undecodable(cause) => (1, place(UndecodableCause::ALL, cause)),
        MessageState::Excluded(cause) => (2, place(ExcludedCause::ALL, cause)),
    };
    to.byte(kind);
    to.byte(cause);
}

fn place<T: PartialEq>(all: &[T], one: T) -> u8 {
    all.iter().position(|other| *other == one).unwrap_or(0) as u8
}

pub(super) fn write_some<const N: usize>(to: &mut Writer, bytes: Option<[u8; N]>) {
    to.byte(u8::from(bytes.is_some()));
    if let Some(bytes) = bytes {
        to.raw(&bytes);
    }
}

pub(super) fn read_some<const N: usize>(from: &mut Reader<'_>) -> Option<Option<[u8; N]>> {
    Some(if from.flag()? { Some(from.raw()?) } else { None })
}

pub(super) fn read_message(from: &mut Reader<'_>) -> Option<MessageEntry> {
    let at = MessageAt { partition: PartitionIndex(from.small()?), offset: from.signed()? };
    let timestamp_ms = from.maybe()?;
    let identity = read_some(from)?.map(IdentityHash);
    let (digest, rest) = (read_some(from)?.map(Digest), read_some(from)?.map(Digest));
    let state = match (from.byte()?, usize::from(from.byte()?)) {
        (0, 0) => MessageState::Judged,
        (1, cause) => MessageState::Undecodable(*UndecodableCause::ALL.get(cause)?),
        (2, cause) => MessageState::Excluded(*ExcludedCause::ALL.get(cause)?),
        _ => return None,
    };
    Some(MessageEntry { at, timestamp_ms, identity, digest, rest, state, loss: None, stood: false })
}

fn write_row(to: &mut Writer, row: &SeenRow) {
    to.number(u64::from(row.entry.at.file.0));
    to.number(row.entry.at.position);
    to.raw(&row.entry.identity.0);
    to.raw(&row.entry.digest.0);
    to.raw(&row.entry.rest.0);
    to.byte(u8::from(row.entry.late));
    to.maybe(row.partition.map(|partition| i64::from(partition.0)));
    to.maybe(row.offset);
}

fn read_row(from: &mut Reader<'_>) -> Option<SeenRow> {
    let at = RowAt { file: FileIndex(from.small()?), position: from.number()? };
    let entry = RowEntry {
        at,
        identity: IdentityHash(from.raw()?),
        digest: Digest(from.raw()?),
        rest: Digest(from.raw()?),
        standing: RowStanding::InScope,
        hole: None,
        late: from.flag()?,
    };
    let partition = match from.maybe()? {
        Some(number) => Some(PartitionIndex(u32::try_from(number).ok()?)),
        None => None,
    };
    Some(SeenRow { entry, partition, offset: from.maybe()? })
}

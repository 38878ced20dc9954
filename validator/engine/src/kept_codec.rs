//! Kept entries as bytes of a temporary file: of one fixed length each, read by the process that wrote them.

use std::io::{self, Read};

use validator_core::digest::{Digest, IdentityHash};
use validator_core::hole::HoleReason;
use validator_core::judge::{LossKind, MessageEntry, MessageState, RowEntry, RowStanding};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt};
use validator_core::verdict::{ExcludedCause, UndecodableCause};

use crate::kept::KeptRow;
use crate::spill::damaged;

/// Bytes of a message: position 12, timestamp 9, identity 17, two digests of 33, state 2, loss 5.
pub const MESSAGE_BYTES: usize = 111;
/// Bytes of a row: position 12, identity 16, two digests of 32, standing, hole, late and beside.
pub const ROW_BYTES: usize = 96;

const STANDINGS: [RowStanding; 4] =
    [RowStanding::InScope, RowStanding::OutOfScope, RowStanding::Impossible, RowStanding::Unobservable];

/// The bytes of a message.
pub fn write_message(entry: &MessageEntry) -> [u8; MESSAGE_BYTES] {
    let mut out = Out::<MESSAGE_BYTES>::new();
    out.put(&entry.at.partition.0.to_le_bytes());
    out.put(&entry.at.offset.to_le_bytes());
    out.option(entry.timestamp_ms.map(i64::to_le_bytes));
    out.option(entry.identity.map(|identity| identity.0));
    out.option(entry.digest.map(|digest| digest.0));
    out.option(entry.rest.map(|digest| digest.0));
    out.put(&match entry.state {
        MessageState::Judged => [0, 0],
        MessageState::Undecodable(cause) => [1, place(UndecodableCause::ALL, &cause)],
        MessageState::Excluded(cause) => [2, place(ExcludedCause::ALL, &cause)],
    });
    let (kind, loss) = match entry.loss {
        None => (0, 0),
        Some(LossKind::Corrupt { loss }) => (1, loss),
        Some(LossKind::Unreadable { loss }) => (2, loss),
    };
    out.put(&[kind]);
    out.put(&loss.to_le_bytes());
    out.bytes
}

/// The message of these bytes; `None` where none was written so.
fn read_message(bytes: &[u8; MESSAGE_BYTES]) -> Option<MessageEntry> {
    let mut input = In(bytes);
    let at = MessageAt {
        partition: PartitionIndex(u32::from_le_bytes(input.take()?)),
        offset: i64::from_le_bytes(input.take()?),
    };
    let timestamp_ms = input.option()?.map(i64::from_le_bytes);
    let identity = input.option()?.map(IdentityHash);
    let digest = input.option()?.map(Digest);
    let rest = input.option()?.map(Digest);
    let state = match input.take()? {
        [0, _] => MessageState::Judged,
        [1, cause] => MessageState::Undecodable(*UndecodableCause::ALL.get(usize::from(cause))?),
        [2, cause] => MessageState::Excluded(*ExcludedCause::ALL.get(usize::from(cause))?),
        _ => return None,
    };
    let [kind] = input.take()?;
    let loss = u32::from_le_bytes(input.take()?);
    let loss = match kind {
        0 => None,
        1 => Some(LossKind::Corrupt { loss }),
        2 => Some(LossKind::Unreadable { loss }),
        _ => return None,
    };
    Some(MessageEntry { at, timestamp_ms, identity, digest, rest, state, loss, stood: false })
}

/// The bytes of a row.
pub fn write_row(row: &KeptRow) -> [u8; ROW_BYTES] {
    let entry = &row.entry;
    let mut out = Out::<ROW_BYTES>::new();
    out.put(&entry.at.file.0.to_le_bytes());
    out.put(&entry.at.position.to_le_bytes());
    out.put(&entry.identity.0);
    out.put(&entry.digest.0);
    out.put(&entry.rest.0);
    let hole = entry.hole.map_or(0, |reason| place(HoleReason::ALL, &reason) + 1);
    out.put(&[place(&STANDINGS, &entry.standing), hole, u8::from(entry.late), u8::from(row.beside)]);
    out.bytes
}

/// The row of these bytes; `None` where none was written so.
fn read_row(bytes: &[u8; ROW_BYTES]) -> Option<KeptRow> {
    let mut input = In(bytes);
    let at = RowAt { file: FileIndex(u32::from_le_bytes(input.take()?)), position: u64::from_le_bytes(input.take()?) };
    let identity = IdentityHash(input.take()?);
    let digest = Digest(input.take()?);
    let rest = Digest(input.take()?);
    let [standing, hole, late, beside] = input.take()?;
    let standing = *STANDINGS.get(usize::from(standing))?;
    let hole = match hole {
        0 => None,
        hole => Some(*HoleReason::ALL.get(usize::from(hole) - 1)?),
    };
    Some(KeptRow {
        entry: RowEntry { at, identity, digest, rest, standing, hole, late: late == 1 },
        beside: beside == 1,
    })
}

/// The next message of a temporary file.
///
/// # Errors
/// It ends too early, or is not as it was written.
pub fn next_message(input: &mut impl Read) -> io::Result<MessageEntry> {
    let mut bytes = [0; MESSAGE_BYTES];
    input.read_exact(&mut bytes)?;
    read_message(&bytes).ok_or_else(damaged)
}

/// The next row of a temporary file.
///
/// # Errors
/// It ends too early, or is not as it was written.
pub fn next_row(input: &mut impl Read) -> io::Result<KeptRow> {
    let mut bytes = [0; ROW_BYTES];
    input.read_exact(&mut bytes)?;
    read_row(&bytes).ok_or_else(damaged)
}

/// The place of one of few values.
fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let place = all.iter().position(|other| other == one).expect("all values are listed");
    u8::try_from(place).expect("there are few values")
}

struct Out<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Out<N> {
    fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// One byte more than the value, which is zeros where there is none.
    fn option<const M: usize>(&mut self, value: Option<[u8; M]>) {
        self.put(&[u8::from(value.is_some())]);
        self.put(&value.unwrap_or([0; M]));
    }
}

struct In<'a>(&'a [u8]);

impl In<'_> {
    fn take<const M: usize>(&mut self) -> Option<[u8; M]> {
        let (taken, rest) = self.0.split_first_chunk::<M>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn option<const M: usize>(&mut self) -> Option<Option<[u8; M]>> {
        let [some] = self.take()?;
        let value = self.take()?;
        Some((some == 1).then_some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(state: MessageState, loss: Option<LossKind>, some: bool) -> MessageEntry {
        MessageEntry {
            at: MessageAt { partition: PartitionIndex(7), offset: -3 },
            timestamp_ms: some.then_some(i64::MIN),
            identity: some.then_some(IdentityHash([1; 16])),
            digest: some.then_some(Digest([2; 32])),
            rest: some.then_some(Digest([3; 32])),
            state,
            loss,
            stood: false,
        }
    }

    #[test]
    fn every_message_comes_back_as_it_was() {
        let undecodable = UndecodableCause::ALL.iter().map(|cause| MessageState::Undecodable(*cause));
        let excluded = ExcludedCause::ALL.iter().map(|cause| MessageState::Excluded(*cause));
        for state in undecodable.chain(excluded).chain([MessageState::Judged]) {
            for loss in [None, Some(LossKind::Corrupt { loss: u32::MAX }), Some(LossKind::Unreadable { loss: 0 })] {
                for some in [true, false] {
                    let entry = message(state, loss, some);
                    assert_eq!(read_message(&write_message(&entry)), Some(entry));
                }
            }
        }
    }

    #[test]
    fn every_row_comes_back_as_it_was() {
        for standing in STANDINGS {
            for hole in HoleReason::ALL.iter().copied().map(Some).chain([None]) {
                for flag in [true, false] {
                    let entry = RowEntry {
                        at: RowAt { file: FileIndex(u32::MAX), position: u64::MAX },
                        identity: IdentityHash([4; 16]),
                        digest: Digest([5; 32]),
                        rest: Digest([6; 32]),
                        standing,
                        hole,
                        late: flag,
                    };
                    let row = read_row(&write_row(&KeptRow { entry, beside: !flag })).expect("it was written so");
                    assert_eq!((row.entry, row.beside), (entry, !flag));
                }
            }
        }
    }
}

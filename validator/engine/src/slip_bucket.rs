//! The slips of some names, of both sides: in memory, else on disk, and compared name by name.

use std::collections::BTreeMap;

use datafusion::error::Result;
use validator_core::clock::note_paired;
use validator_core::position::PartitionIndex;

use crate::slips::{Differing, Name, SLIP_BYTES, Side, Slip};
use crate::spill::Spill;

/// The slips of the names of one bucket.
#[derive(Debug, Default)]
pub struct Bucket {
    messages: Pile,
    rows: Pile,
    /// As [`Differing::settled_max`], of pairs that were taken out.
    settled_max: BTreeMap<PartitionIndex, i64>,
}

/// The slips of one side.
#[derive(Debug, Default)]
struct Pile {
    slips: Vec<Slip>,
    /// Where parts of them lie in the file: first byte, slips.
    spilled: Vec<(u64, usize)>,
}

impl Bucket {
    fn pile(&mut self, side: Side) -> &mut Pile {
        match side {
            Side::Message => &mut self.messages,
            Side::Row => &mut self.rows,
        }
    }

    /// Adds slips of one side.
    pub fn add(&mut self, side: Side, slips: &[Slip]) {
        self.pile(side).slips.extend_from_slice(slips);
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.messages.bytes() + self.rows.bytes()
    }

    /// Bytes in memory of one side.
    pub fn bytes_of(&mut self, side: Side) -> usize {
        self.pile(side).bytes()
    }

    /// Forgets the rows; messages that were settled by them are gone.
    pub fn forget_rows(&mut self) {
        self.rows = Pile::default();
        self.settled_max.clear();
    }

    /// Takes out each message that has its name for itself and one equal row so far. All messages are there when the rows
    /// come; a second row of the name finds no message then, so that the name differs. Nothing is taken out where messages
    /// are on disk.
    pub fn settle(&mut self, by_offset: bool) {
        if !self.messages.spilled.is_empty() {
            return;
        }
        self.messages.slips.sort();
        self.rows.slips.sort();
        let (mut messages, mut rows) = (Vec::new(), Vec::new());
        for (name, of_messages, of_rows) in by_name(&self.messages.slips, &self.rows.slips) {
            if of_messages.len() == 1 && is_settled(of_messages, of_rows) {
                note_settled(&mut self.settled_max, name, by_offset);
            } else {
                messages.extend_from_slice(of_messages);
                rows.extend_from_slice(of_rows);
            }
        }
        (self.messages.slips, self.rows.slips) = (messages, rows);
    }

    /// Writes what is in memory of one side to the file.
    ///
    /// # Errors
    /// There is no room.
    pub fn spill(&mut self, side: Side, file: &Spill) -> Result<()> {
        self.pile(side).spill(file)
    }

    /// The names on which the sides differ, of all that `asked` holds of.
    ///
    /// # Errors
    /// What was spilled cannot be read back.
    pub fn compare(
        self,
        into: &mut Differing,
        by_offset: bool,
        file: &Spill,
        asked: &mut impl FnMut(Name) -> bool,
    ) -> Result<()> {
        into.note_settled_max(self.settled_max);
        let (messages, rows) = (self.messages.sorted(file, asked)?, self.rows.sorted(file, asked)?);
        for (name, of_messages, of_rows) in by_name(&messages, &rows) {
            if is_settled(of_messages, of_rows) {
                note_settled(&mut into.settled_max, name, by_offset);
            } else if !of_rows.is_empty() || of_messages.iter().any(|slip| slip.settles()) {
                into.names.insert(name);
            }
        }
        Ok(())
    }
}

/// The slips of each name, of sorted messages and rows.
fn by_name<'a>(mut messages: &'a [Slip], mut rows: &'a [Slip]) -> impl Iterator<Item = (Name, &'a [Slip], &'a [Slip])> {
    std::iter::from_fn(move || {
        let name = match (messages.first(), rows.first()) {
            (None, None) => return None,
            (Some(slip), None) | (None, Some(slip)) => slip.name(),
            (Some(one), Some(other)) => one.name().min(other.name()),
        };
        let of_name = |slips: &mut &'a [Slip]| {
            let count = slips.iter().take_while(|slip| slip.name() == name).count();
            slips.split_off(..count).unwrap_or_default()
        };
        Some((name, of_name(&mut messages), of_name(&mut rows)))
    })
}

fn note_settled(settled_max: &mut BTreeMap<PartitionIndex, i64>, name: Name, by_offset: bool) {
    if by_offset {
        note_paired(settled_max, name.offset());
    }
}

/// Whether each message has its one equal row, and each row its message.
fn is_settled(messages: &[Slip], rows: &[Slip]) -> bool {
    let equal = |(message, row): (&Slip, &Slip)| message.settles() && message.mark() == row.mark();
    messages.len() == rows.len() && messages.iter().zip(rows).all(equal)
}

impl Pile {
    fn bytes(&self) -> usize {
        self.slips.len() * SLIP_BYTES
    }

    fn spill(&mut self, file: &Spill) -> Result<()> {
        let at = file.append(&self.slips.iter().flat_map(|slip| slip.to_bytes()).collect::<Vec<u8>>())?;
        self.spilled.push((at, self.slips.len()));
        self.slips = Vec::new();
        Ok(())
    }

    /// Those that are asked for, by name and beginning; what was spilled too.
    fn sorted(mut self, file: &Spill, asked: &mut impl FnMut(Name) -> bool) -> Result<Vec<Slip>> {
        self.slips.retain(|slip| asked(slip.name()));
        for (at, count) in self.spilled {
            let bytes = file.read(at, count * SLIP_BYTES)?;
            let slips = bytes.as_chunks().0.iter().map(|bytes| Slip::from_bytes(*bytes));
            self.slips.extend(slips.filter(|slip| asked(slip.name())));
        }
        // Slips come in runs of ascending offsets, which this sort takes as they are.
        self.slips.sort();
        Ok(self.slips)
    }
}

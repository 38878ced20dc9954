//! Entries by identity, put by for a later look: in memory, beyond its bounds in temporary files, read back in order.
//!
//! ```text
//! groups ▶ bytes in memory ▶ (full: sorted by place, to a file) ▶ merged by place ▶ groups in order
//! ```
//! Contract: what is put by comes back, once, in the order of the places of its first message, else of its first row.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::disk_manager::RefCountedTempFile;
use datafusion::execution::runtime_env::RuntimeEnv;
use validator_core::judge::{MessageEntry, Place, RowEntry};

use crate::kept::KeptRow;
use crate::kept_codec::{next_message, next_row, write_message, write_row};
use crate::limits::GROUPS_READ_BYTES;

/// All entries of one identity, or of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Messages.
    pub messages: Vec<MessageEntry>,
    /// Rows.
    pub rows: Vec<RowEntry>,
}

/// Groups that were put by.
#[derive(Debug)]
pub struct Groups {
    held: Held,
    spilled: Vec<RefCountedTempFile>,
    held_max: usize,
    count: u64,
    runtime: Arc<RuntimeEnv>,
}

/// Encoded groups, and where each begins.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    places: Vec<(Place, usize)>,
}

/// Groups in their order.
pub struct Sorted {
    runs: Vec<Run>,
    /// The first group of each run.
    heads: BinaryHeap<Reverse<(Place, usize)>>,
}

/// One sorted part.
struct Run {
    input: Box<dyn Read + Send>,
    next: Group,
    /// Keeps the file.
    _file: Option<RefCountedTempFile>,
}

impl Group {
    /// Of its first message, else of its first row.
    pub fn place(&self) -> Place {
        let message = self.messages.iter().map(|message| message.at).min();
        Place::of(message, self.rows.iter().map(|row| row.at).min())
    }

    /// Messages and rows.
    pub fn len(&self) -> usize {
        self.messages.len() + self.rows.len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend((self.messages.len() as u32).to_le_bytes());
        out.extend((self.rows.len() as u32).to_le_bytes());
        self.messages.iter().for_each(|message| out.extend(write_message(message)));
        self.rows.iter().for_each(|row| out.extend(write_row(&KeptRow { entry: *row, beside: false })));
    }

    /// The next one; none at the end.
    fn read(&mut self, input: &mut impl Read) -> Result<bool> {
        let mut counts = [0; 8];
        if let Err(error) = input.read_exact(&mut counts) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(false) } else { Err(error.into()) };
        }
        let ([messages @ .., _, _, _, _], [_, _, _, _, rows @ ..]) = (counts, counts);
        self.messages.clear();
        for _ in 0..u32::from_le_bytes(messages) {
            self.messages.push(next_message(input)?);
        }
        self.rows.clear();
        for _ in 0..u32::from_le_bytes(rows) {
            self.rows.push(next_row(input)?.entry);
        }
        Ok(true)
    }
}

impl Groups {
    /// Holds up to `held_max` bytes in memory, the rest in temporary files of `runtime`.
    pub fn new(held_max: usize, runtime: Arc<RuntimeEnv>) -> Self {
        Self { held: Held::default(), spilled: Vec::new(), held_max, count: 0, runtime }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Puts one by.
    ///
    /// # Errors
    /// No room to spill.
    pub fn add(&mut self, group: &Group) -> Result<()> {
        self.count += 1;
        self.held.places.push((group.place(), self.held.bytes.len()));
        group.write(&mut self.held.bytes);
        if self.held.bytes.len() > self.held_max { self.spill() } else { Ok(()) }
    }

    /// Takes what another holds; afterwards at most `held_max` bytes of both are in memory.
    ///
    /// # Errors
    /// No room to spill.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        self.count += other.count;
        self.spilled.extend(other.spilled);
        let start = self.held.bytes.len();
        self.held.bytes.extend(other.held.bytes);
        self.held.places.extend(other.held.places.into_iter().map(|(place, at)| (place, at + start)));
        if self.held.bytes.len() > self.held_max { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let file = self.runtime.disk_manager.create_tmp_file("entries judged apart")?;
        let mut out = BufWriter::new(File::create(file.path())?);
        std::mem::take(&mut self.held).sorted(|group| out.write_all(group))?;
        out.flush()?;
        self.spilled.push(file);
        Ok(())
    }

    /// Calls `each` for all of them, in any order.
    ///
    /// # Errors
    /// Those of `each`; a temporary file cannot be read back.
    pub fn each(&self, mut each: impl FnMut(&Group) -> Result<()>) -> Result<()> {
        let mut group = Group::default();
        let mut held = self.held.bytes.as_slice();
        while group.read(&mut held)? {
            each(&group)?;
        }
        for file in &self.spilled {
            let mut input = BufReader::with_capacity(GROUPS_READ_BYTES, File::open(file.path())?);
            while group.read(&mut input)? {
                each(&group)?;
            }
        }
        Ok(())
    }

    /// All of them in order.
    ///
    /// # Errors
    /// A temporary file cannot be read back.
    pub fn sorted(self) -> Result<Sorted> {
        let mut bytes = Vec::with_capacity(self.held.bytes.len());
        self.held.sorted(|group| {
            bytes.extend(group);
            Ok(())
        })?;
        let mut sorted = Sorted { runs: Vec::new(), heads: BinaryHeap::new() };
        sorted.add(Box::new(io::Cursor::new(bytes)), None)?;
        for file in self.spilled {
            let input = BufReader::with_capacity(GROUPS_READ_BYTES, File::open(file.path())?);
            sorted.add(Box::new(input), Some(file))?;
        }
        Ok(sorted)
    }
}

impl Held {
    /// Gives the bytes of each, in order.
    fn sorted(mut self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> Result<()> {
        let ends: Vec<usize> = self.places.iter().skip(1).map(|(_, at)| *at).chain([self.bytes.len()]).collect();
        let mut places: Vec<((Place, usize), usize)> = std::mem::take(&mut self.places).into_iter().zip(ends).collect();
        places.sort_unstable();
        for ((_, from), to) in places {
            each(&self.bytes[from..to])?;
        }
        Ok(())
    }
}

impl Sorted {
    fn add(&mut self, mut input: Box<dyn Read + Send>, file: Option<RefCountedTempFile>) -> Result<()> {
        let mut next = Group::default();
        if next.read(&mut input)? {
            self.heads.push(Reverse((next.place(), self.runs.len())));
            self.runs.push(Run { input, next, _file: file });
        }
        Ok(())
    }

    /// Adds the entries of the next groups, as many as have `entries_max`, but of one group at least; whether there was one.
    ///
    /// # Errors
    /// A temporary file cannot be read back.
    pub fn next_part(&mut self, part: &mut Group, entries_max: usize) -> Result<bool> {
        let before = part.len();
        while part.len() - before < entries_max
            && let Some(Reverse((_, run))) = self.heads.pop()
        {
            let of = &mut self.runs[run];
            part.messages.extend(&of.next.messages);
            part.rows.extend(&of.next.rows);
            if of.next.read(&mut of.input)? {
                self.heads.push(Reverse((of.next.place(), run)));
            }
        }
        Ok(part.len() > before)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use validator_core::digest::{Digest, IdentityHash};
    use validator_core::judge::{MessageState, RowStanding};
    use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt};

    use super::*;

    fn message(partition: u32, offset: i64) -> MessageEntry {
        MessageEntry {
            at: MessageAt { partition: PartitionIndex(partition), offset },
            timestamp_ms: Some(offset),
            identity: Some(IdentityHash([1; 16])),
            digest: None,
            rest: Some(Digest([partition as u8; 32])),
            state: MessageState::Judged,
            loss: None,
            stood: false,
        }
    }

    fn row(file: u32, position: u64) -> RowEntry {
        RowEntry {
            at: RowAt { file: FileIndex(file), position },
            identity: IdentityHash([1; 16]),
            digest: Digest([2; 32]),
            rest: Digest([3; 32]),
            standing: RowStanding::InScope,
            hole: None,
            late: false,
        }
    }

    /// Groups of many sizes in a mixed order; two sides are spilled apart and merged.
    fn filled(held_max: usize) -> (Groups, Vec<Group>) {
        let runtime = RuntimeEnvBuilder::new().build_arc().expect("a runtime");
        let mut sides = [(); 2].map(|()| Groups::new(held_max, Arc::clone(&runtime)));
        let mut all = Vec::new();
        for n in 0..2_000_u64 {
            let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let messages = if n % 3 == 0 { Vec::new() } else { vec![message((n % 4) as u32, mixed as i64)] };
            let rows = (0..n % 3 + u64::from(messages.is_empty())).map(|more| row((n % 5) as u32, mixed + more));
            let group = Group { messages, rows: rows.collect() };
            sides[n as usize % 2].add(&group).expect("there is room");
            all.push(group);
        }
        let [mut one, other] = sides;
        one.merge(other).expect("there is room");
        all.sort_by_key(Group::place);
        (one, all)
    }

    #[test]
    fn groups_come_back_whole_and_in_order_from_memory_and_from_disk() {
        for (held_max, is_spilled) in [(usize::MAX, false), (10_000, true), (0, true)] {
            let (groups, expected) = filled(held_max);
            assert_eq!((groups.count(), groups.spilled.is_empty()), (2_000, !is_spilled));
            let mut seen = Vec::new();
            groups
                .each(|group| {
                    seen.push(group.clone());
                    Ok(())
                })
                .expect("it can be read");
            seen.sort_by_key(Group::place);
            assert!(seen == expected, "{held_max} bytes in memory");
            let (mut sorted, mut came) = (groups.sorted().expect("it can be read"), Group::default());
            let mut before = 0;
            while sorted.next_part(&mut came, 7).expect("it can be read") {
                assert!(came.len() - before < 7 + 4, "a part of {} entries", came.len() - before);
                before = came.len();
            }
            let messages: Vec<MessageEntry> = expected.iter().flat_map(|group| group.messages.clone()).collect();
            let rows: Vec<RowEntry> = expected.iter().flat_map(|group| group.rows.clone()).collect();
            assert!(came.messages == messages && came.rows == rows, "{held_max} bytes in memory");
        }
    }

    #[test]
    fn without_groups_there_is_no_part() {
        let runtime = RuntimeEnvBuilder::new().build_arc().expect("a runtime");
        let mut sorted = Groups::new(0, runtime).sorted().expect("nothing to read");
        assert!(!sorted.next_part(&mut Group::default(), 10).expect("nothing to read"));
    }
}

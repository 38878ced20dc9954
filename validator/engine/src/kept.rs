//! Entries kept for the judge: put by, bucket by bucket, and reduced to the identities on which the two sides disagree.
//!
//! ```text
//! entries ▶ bucket of their identity ▶ (memory, else disk) ▶ one bucket at a time: agreed │ judged apart │ the rest
//! ```
//! Contract: entries of one identity are judged together or not at all. An identity is *agreed* when every message of
//! it is judged, every row of it in scope, and both have the same digests, each as often: pairing step 1 then pairs all
//! of them and no other step meets any. What is agreed is counted, not kept. Nothing is dropped without a count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use validator_core::digest::IdentityHash;
use validator_core::judge::{MessageEntry, MessageState, ModeKind, RowEntry, RowStanding};
use validator_core::position::PartitionIndex;

use crate::apart::Sorting;
use crate::groups::{Group, Groups};
use crate::kept_codec::{MESSAGE_BYTES, ROW_BYTES, next_message, next_row, write_message, write_row};
use crate::limits::{APART_BYTES_MAX, KEPT_BUCKETS};
use crate::spill::Spill;
use crate::workers::share;

/// Entries of both sides, by bucket.
#[derive(Debug)]
pub struct Kept {
    buckets: Vec<Mutex<Bucket>>,
    /// Messages of which no identity is known: they have no row by identity.
    nameless: Mutex<Vec<MessageEntry>>,
    /// Bytes of all buckets in memory.
    in_memory: AtomicUsize,
    in_memory_max: usize,
    spill: Spill,
    runtime: Arc<RuntimeEnv>,
}

#[derive(Debug, Default)]
struct Bucket {
    messages: Vec<MessageEntry>,
    rows: Vec<KeptRow>,
    spilled: Vec<Spilled>,
}

/// A row, and whether only a message of its own identity can bring it before the judge.
#[derive(Debug, Clone, Copy)]
pub struct KeptRow {
    /// The row.
    pub entry: RowEntry,
    /// It lies beside the run, in a segment that has no message.
    pub beside: bool,
}

/// A part of the file: messages, then rows.
#[derive(Debug)]
struct Spilled {
    at: u64,
    messages: usize,
    rows: usize,
}

/// What agreed of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// Messages, each with its one equal row.
    pub messages: u64,
    /// Of them, late ones.
    pub late: u64,
    /// The largest offset among them.
    pub offset_max: i64,
}

/// What is left for the judge, and the counts of the rest.
#[derive(Debug, Default)]
pub struct Reduced {
    /// Messages of identities that disagree.
    pub messages: Vec<MessageEntry>,
    /// Rows of identities that disagree.
    pub rows: Vec<RowEntry>,
    /// What agreed, by partition.
    pub agreed: BTreeMap<PartitionIndex, Agreed>,
    /// Rows beside the run that no message here explains.
    pub rows_beside: u64,
    /// What is judged apart from these.
    pub apart: Option<Groups>,
    /// The largest offset, by partition, that is paired by equal digests in `apart`.
    pub paired_max: BTreeMap<PartitionIndex, i64>,
}

impl Kept {
    /// Keeps up to `in_memory_max` bytes in memory, the rest in temporary files of `runtime`.
    pub fn new(in_memory_max: usize, runtime: Arc<RuntimeEnv>) -> Self {
        let buckets = (0..KEPT_BUCKETS).map(|_| Mutex::default()).collect();
        let spill = Spill::new("entries for the judge", Arc::clone(&runtime));
        Self { buckets, nameless: Mutex::default(), in_memory: AtomicUsize::new(0), in_memory_max, spill, runtime }
    }

    /// Keeps messages.
    ///
    /// # Errors
    /// No room to spill.
    pub fn add_messages(&self, entries: &[MessageEntry]) -> Result<()> {
        let nameless = entries.iter().filter(|entry| entry.identity.is_none());
        self.nameless.lock().unwrap_or_else(PoisonError::into_inner).extend(nameless);
        let keyed = entries.iter().filter_map(|entry| Some((bucket_of(&entry.identity?), entry)));
        self.add(keyed, |bucket, entry| bucket.messages.push(*entry))
    }

    /// Keeps rows.
    ///
    /// # Errors
    /// No room to spill.
    pub fn add_rows(&self, rows: &[KeptRow]) -> Result<()> {
        let keyed = rows.iter().map(|row| (bucket_of(&row.entry.identity), row));
        self.add(keyed, |bucket, row| bucket.rows.push(*row))
    }

    fn add<'e, E: 'e>(
        &self,
        entries: impl Iterator<Item = (usize, &'e E)>,
        push: impl Fn(&mut Bucket, &E),
    ) -> Result<()> {
        let mut by_bucket: Vec<Vec<&E>> = (0..KEPT_BUCKETS).map(|_| Vec::new()).collect();
        let mut count = 0;
        for (bucket, entry) in entries {
            by_bucket[bucket].push(entry);
            count += 1;
        }
        let bytes = count * size_of::<E>();
        let held = self.in_memory.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fair = self.in_memory_max / KEPT_BUCKETS;
        for (bucket, entries) in self.buckets.iter().zip(by_bucket) {
            if entries.is_empty() {
                continue;
            }
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            entries.into_iter().for_each(|entry| push(&mut bucket, entry));
            if held > self.in_memory_max && bucket.bytes() > fair / 2 {
                let freed = bucket.spill(&self.spill)?;
                self.in_memory.fetch_sub(freed, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Reduces all buckets, which are empty afterwards, on `threads` threads of this process. Blocking.
    ///
    /// # Errors
    /// A spilled bucket cannot be read back.
    pub fn reduce(&self, threads: usize, mode: ModeKind) -> Result<Reduced> {
        let next = AtomicUsize::new(0);
        let held_max = APART_BYTES_MAX / threads.max(1);
        let work = || {
            let mut sorting = Sorting::new(mode, held_max, &self.runtime);
            while let Some(bucket) = self.buckets.get(next.fetch_add(1, Ordering::Relaxed)) {
                let bucket = std::mem::take(&mut *bucket.lock().unwrap_or_else(PoisonError::into_inner));
                bucket.reduce(&self.spill, &mut sorting)?;
            }
            Ok(sorting)
        };
        let parts: Vec<Result<Sorting>> = share(threads, work);
        let mut all = Sorting::new(mode, APART_BYTES_MAX, &self.runtime);
        all.reduced.messages = std::mem::take(&mut *self.nameless.lock().unwrap_or_else(PoisonError::into_inner));
        for part in parts {
            all.merge(part?)?;
        }
        all.settle()
    }
}

fn bucket_of(identity: &IdentityHash) -> usize {
    usize::from(identity.0[0]) % KEPT_BUCKETS
}

impl Bucket {
    fn bytes(&self) -> usize {
        self.messages.len() * size_of::<MessageEntry>() + self.rows.len() * size_of::<KeptRow>()
    }

    /// Writes what is in memory to the file; the bytes freed.
    fn spill(&mut self, file: &Spill) -> Result<usize> {
        let freed = self.bytes();
        let mut bytes = Vec::with_capacity(self.messages.len() * MESSAGE_BYTES + self.rows.len() * ROW_BYTES);
        self.messages.iter().for_each(|entry| bytes.extend(write_message(entry)));
        self.rows.iter().for_each(|row| bytes.extend(write_row(row)));
        let at = file.append(&bytes)?;
        self.spilled.push(Spilled { at, messages: self.messages.len(), rows: self.rows.len() });
        (self.messages, self.rows) = (Vec::new(), Vec::new());
        Ok(freed)
    }

    fn read_back(&mut self, file: &Spill) -> Result<()> {
        for Spilled { at, messages, rows } in std::mem::take(&mut self.spilled) {
            let bytes = file.read(at, messages * MESSAGE_BYTES + rows * ROW_BYTES)?;
            let mut bytes = bytes.as_slice();
            for _ in 0..messages {
                self.messages.push(next_message(&mut bytes)?);
            }
            for _ in 0..rows {
                self.rows.push(next_row(&mut bytes)?);
            }
        }
        Ok(())
    }

    fn reduce(mut self, file: &Spill, into: &mut Sorting) -> Result<()> {
        self.read_back(file)?;
        let messages = sorted(self.messages.iter().map(|entry| entry.identity.unwrap_or(IdentityHash([0; 16]))));
        let rows = sorted(self.rows.iter().map(|row| row.entry.identity));
        let (mut messages, mut rows) = (messages.as_slice(), rows.as_slice());
        let mut group = Alike::default();
        loop {
            let next = match (messages.first(), rows.first()) {
                (None, None) => return Ok(()),
                (Some((prefix, _)), None) | (None, Some((prefix, _))) => *prefix,
                (Some((one, _)), Some((other, _))) => *one.min(other),
            };
            let of_messages = messages.iter().take_while(|(prefix, _)| *prefix == next).count();
            let of_rows = rows.iter().take_while(|(prefix, _)| *prefix == next).count();
            group.messages.clear();
            group.messages.extend(messages[..of_messages].iter().map(|(_, at)| self.messages[*at as usize]));
            group.rows.clear();
            group.rows.extend(rows[..of_rows].iter().map(|(_, at)| self.rows[*at as usize]));
            group.reduce(into)?;
            (messages, rows) = (&messages[of_messages..], &rows[of_rows..]);
        }
    }
}

/// Indices in the order of the first eight bytes of the identities: equal identities are neighbours.
fn sorted(identities: impl Iterator<Item = IdentityHash>) -> Vec<(u64, u32)> {
    let prefix = |identity: IdentityHash| {
        u64::from_be_bytes(*identity.0.split_first_chunk::<8>().expect("16 bytes hold eight").0)
    };
    let mut order: Vec<(u64, u32)> = identities.zip(0..).map(|(identity, at)| (prefix(identity), at)).collect();
    order.sort_unstable();
    order
}

/// Entries whose identities begin alike: nearly always of one identity.
#[derive(Default)]
struct Alike {
    messages: Vec<MessageEntry>,
    rows: Vec<KeptRow>,
}

impl Alike {
    fn reduce(&mut self, into: &mut Sorting) -> Result<()> {
        if self.is_agreed() {
            self.count_agreed(&mut into.reduced);
            return Ok(());
        }
        if self.messages.is_empty() {
            let all = self.rows.len();
            self.rows.retain(|row| !row.beside);
            into.reduced.rows_beside += (all - self.rows.len()) as u64;
            if self.rows.is_empty() {
                return Ok(());
            }
        }
        let rows = self.rows.iter().map(|row| row.entry).collect();
        into.add(Group { messages: self.messages.clone(), rows })
    }

    fn is_agreed(&mut self) -> bool {
        if self.messages.len() != self.rows.len() {
            return false;
        }
        if self.messages.len() > 1 {
            self.messages.sort_unstable_by_key(|message| (message.identity, message.digest, message.at));
            self.rows.sort_by_key(|row| (row.entry.identity, row.entry.digest, row.entry.at));
        }
        self.messages.iter().zip(&self.rows).all(|(message, row)| {
            message.state == MessageState::Judged
                && row.entry.standing == RowStanding::InScope
                && message.identity == Some(row.entry.identity)
                && message.digest == Some(row.entry.digest)
        })
    }

    /// Messages and rows stand in the order in which step 1 pairs them.
    fn count_agreed(&self, into: &mut Reduced) {
        for (message, row) in self.messages.iter().zip(&self.rows) {
            let none = Agreed { messages: 0, late: 0, offset_max: message.at.offset };
            let agreed = into.agreed.entry(message.at.partition).or_insert(none);
            agreed.messages += 1;
            agreed.late += u64::from(row.entry.late);
            agreed.offset_max = agreed.offset_max.max(message.at.offset);
        }
    }
}

impl Reduced {
    /// Adds what is judged with the rest.
    pub fn add(&mut self, group: Group) {
        self.messages.extend(group.messages);
        self.rows.extend(group.rows);
    }

    /// Adds what agreed elsewhere.
    pub fn add_agreed(&mut self, agreed: BTreeMap<PartitionIndex, Agreed>) {
        for (partition, more) in agreed {
            let agreed = self.agreed.entry(partition).or_insert(Agreed { messages: 0, late: 0, ..more });
            agreed.messages += more.messages;
            agreed.late += more.late;
            agreed.offset_max = agreed.offset_max.max(more.offset_max);
        }
    }
}

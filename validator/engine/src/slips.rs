//! Slips: of each message and row its name and the beginning of its digest, kept by the first passes, so that a drill
//! needs to read only what differs.
//!
//! ```text
//! first passes ▶ slips ▶ bucket of the name ▶ (memory, else disk) ▶ one bucket at a time: names on which both sides differ
//! ```
//! Contract: slips propose, the books decide. What they leave out of a drill is taken out of the bags of its segment,
//! and the rest must balance (`settled.rs`); where it does not, the segments are drilled whole. So
//! nothing rests on a part of a digest. Slips that find no room end the keeping, never the run.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::hash::BuildHasherDefault;
use std::io::{BufReader, BufWriter, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::Result;
use datafusion::execution::disk_manager::RefCountedTempFile;
use datafusion::execution::runtime_env::RuntimeEnv;
use validator_core::digest::IdentityHash;
use validator_core::position::{MessageAt, PartitionIndex};

use crate::limits::{DIFFERING_NAMES_MAX, SLIP_BUCKETS};
use crate::place_hasher::PlaceHasher;

/// What a message and its row have in common without a look at their values: 12 bytes of position or identity hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(4))]
pub struct Name {
    high: u32,
    low: u64,
}

/// One message or row, in 20 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C, packed(4))]
pub struct Slip {
    name: Name,
    /// The first 63 bits of the digest; the last bit says whether it settles.
    mark: u64,
}

impl Slip {
    /// Of a message or row of this name, the first eight bytes of its digest, and whether an equal one of the other side
    /// settles it: a judged message, a row in scope.
    pub fn new(name: Name, beginning: u64, settles: bool) -> Self {
        Self { name, mark: beginning & !1 | u64::from(settles) }
    }

    fn settles(self) -> bool {
        self.mark & 1 == 1
    }
}

/// Bytes of a slip in memory and in a file.
const SLIP_BYTES: usize = size_of::<Slip>();

/// Which side a slip is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A message.
    Message,
    /// A row.
    Row,
}

/// Slips of both sides, by bucket.
#[derive(Debug)]
pub struct Slips {
    buckets: Vec<Mutex<Bucket>>,
    in_memory: AtomicUsize,
    in_memory_max: usize,
    on_disk: AtomicU64,
    on_disk_max: u64,
    ended: AtomicBool,
    runtime: Arc<RuntimeEnv>,
}

/// A set of names.
pub type Names = HashSet<Name, BuildHasherDefault<PlaceHasher>>;

/// What the slips of a run say of its disputed segments.
#[derive(Debug, Default)]
pub struct Differing {
    /// Names on which the two sides differ.
    pub names: Names,
    /// Mode `offset`: the largest settled offset of each partition in disputed segments.
    pub settled_max: BTreeMap<PartitionIndex, i64>,
}

#[derive(Debug, Default)]
struct Bucket {
    messages: Pile,
    rows: Pile,
}

/// The slips of one side.
#[derive(Debug, Default)]
struct Pile {
    slips: Vec<Slip>,
    spilled: Vec<(RefCountedTempFile, usize)>,
}

impl Name {
    /// Of what has no name.
    pub const NONE: Self = Self { high: u32::MAX, low: u64::MAX };

    /// The name of an offset.
    pub fn of_offset(partition: PartitionIndex, offset: i64) -> Self {
        Self { high: partition.0, low: offset.cast_unsigned() }
    }

    /// The name of an identity.
    pub fn of_identity(identity: &IdentityHash) -> Self {
        let [a, b, c, d, low @ .., _, _, _, _] = identity.0;
        Self { high: u32::from_be_bytes([a, b, c, d]), low: u64::from_be_bytes(low) }
    }

    /// The offset that [`Name::of_offset`] named.
    pub fn offset(self) -> MessageAt {
        MessageAt { partition: PartitionIndex(self.high), offset: self.low.cast_signed() }
    }

    /// Twelve bytes.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&{ self.high }.to_le_bytes());
        bytes[4..].copy_from_slice(&{ self.low }.to_le_bytes());
        bytes
    }

    /// The name of such bytes.
    pub fn from_bytes([a, b, c, d, low @ ..]: [u8; 12]) -> Self {
        Self { high: u32::from_le_bytes([a, b, c, d]), low: u64::from_le_bytes(low) }
    }

    /// Neighbouring offsets share a bucket; identities are spread already.
    fn bucket(self) -> usize {
        let mixed = (self.low >> 12 ^ u64::from(self.high) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % SLIP_BUCKETS
    }
}

impl Slips {
    /// Keeps up to `in_memory_max` bytes in memory and `on_disk_max` in temporary files of `runtime`.
    pub fn new(in_memory_max: usize, on_disk_max: u64, runtime: Arc<RuntimeEnv>) -> Self {
        Self {
            buckets: (0..SLIP_BUCKETS).map(|_| Mutex::default()).collect(),
            in_memory: AtomicUsize::new(0),
            in_memory_max,
            on_disk: AtomicU64::new(0),
            on_disk_max,
            ended: AtomicBool::new(false),
            runtime,
        }
    }

    /// Keeps nothing.
    pub fn none(runtime: Arc<RuntimeEnv>) -> Self {
        Self { ended: AtomicBool::new(true), ..Self::new(0, 0, runtime) }
    }

    /// Whether slips are still kept.
    pub fn is_kept(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// Keeps slips of one side; without room it ends the keeping.
    pub fn add(&self, side: Side, slips: impl Iterator<Item = Slip>) {
        if !self.is_kept() {
            return;
        }
        let mut by_bucket: Vec<Vec<Slip>> = vec![Vec::new(); SLIP_BUCKETS];
        let mut count = 0;
        for slip in slips {
            by_bucket[slip.name.bucket()].push(slip);
            count += 1;
        }
        let bytes = count * SLIP_BYTES;
        let held = self.in_memory.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fair = self.in_memory_max / SLIP_BUCKETS / 2;
        for (bucket, slips) in self.buckets.iter().zip(by_bucket).filter(|(_, slips)| !slips.is_empty()) {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            let pile = bucket.pile(side);
            pile.slips.extend(slips);
            if held > self.in_memory_max && pile.bytes() > fair / 2 {
                let freed = pile.bytes();
                let written = self.on_disk.fetch_add((pile.slips.len() * SLIP_BYTES) as u64, Ordering::Relaxed);
                if written > self.on_disk_max || pile.spill(&self.runtime).is_err() {
                    self.ended.store(true, Ordering::Relaxed);
                    break;
                }
                self.in_memory.fetch_sub(freed, Ordering::Relaxed);
            }
        }
        if !self.is_kept() {
            self.buckets.iter().for_each(Self::clear);
        }
    }

    fn clear(bucket: &Mutex<Bucket>) {
        *bucket.lock().unwrap_or_else(PoisonError::into_inner) = Bucket::default();
    }

    /// Forgets the rows: their pass is made again.
    pub fn forget_rows(&self) {
        for bucket in &self.buckets {
            let rows = std::mem::take(&mut bucket.lock().unwrap_or_else(PoisonError::into_inner).rows);
            self.in_memory.fetch_sub(rows.bytes(), Ordering::Relaxed);
        }
    }

    /// The names on which the sides differ, of all that `asked` holds of; `None` where the keeping ended, or where
    /// so much differs that all may as well be read. Empties the slips. Blocking.
    ///
    /// # Errors
    /// A spilled bucket cannot be read back.
    pub fn differing(
        &self,
        threads: usize,
        by_offset: bool,
        asked: impl Fn(Name) -> bool + Sync,
    ) -> Result<Option<Differing>> {
        if !self.is_kept() {
            return Ok(None);
        }
        let (next, found) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            let mut differing = Differing::default();
            while let Some(bucket) = self.buckets.get(next.fetch_add(1, Ordering::Relaxed)) {
                let bucket = std::mem::take(&mut *bucket.lock().unwrap_or_else(PoisonError::into_inner));
                let before = differing.names.len();
                if found.load(Ordering::Relaxed) <= DIFFERING_NAMES_MAX {
                    bucket.compare(&mut differing, by_offset, &asked)?;
                    found.fetch_add(differing.names.len() - before, Ordering::Relaxed);
                }
            }
            Ok(differing)
        };
        let parts: Vec<Result<Differing>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().map(join).collect()
        });
        let mut all = Differing::default();
        for part in parts {
            all.merge(part?);
        }
        Ok((found.into_inner() <= DIFFERING_NAMES_MAX).then_some(all))
    }
}

impl Bucket {
    fn pile(&mut self, side: Side) -> &mut Pile {
        match side {
            Side::Message => &mut self.messages,
            Side::Row => &mut self.rows,
        }
    }

    fn compare(self, into: &mut Differing, by_offset: bool, asked: &impl Fn(Name) -> bool) -> Result<()> {
        let (messages, rows) = (self.messages.sorted(asked)?, self.rows.sorted(asked)?);
        let (mut messages, mut rows) = (messages.as_slice(), rows.as_slice());
        loop {
            let name = match (messages.first(), rows.first()) {
                (None, None) => return Ok(()),
                (Some(slip), None) | (None, Some(slip)) => slip.name,
                (Some(one), Some(other)) => one.name.min(other.name),
            };
            let of_messages = messages.iter().take_while(|slip| slip.name == name).count();
            let of_rows = rows.iter().take_while(|slip| slip.name == name).count();
            let pair = (&messages[..of_messages], &rows[..of_rows]);
            (messages, rows) = (&messages[of_messages..], &rows[of_rows..]);
            if is_settled(pair.0, pair.1) {
                if by_offset {
                    let at = name.offset();
                    let largest = into.settled_max.entry(at.partition).or_insert(at.offset);
                    *largest = at.offset.max(*largest);
                }
            } else if !pair.1.is_empty() || pair.0.iter().any(|slip| slip.settles()) {
                into.names.insert(name);
            }
        }
    }
}

/// Whether each message has its one equal row, and each row its message.
fn is_settled(messages: &[Slip], rows: &[Slip]) -> bool {
    let equal = |(message, row): (&Slip, &Slip)| message.settles() && message.mark == { row.mark };
    messages.len() == rows.len() && messages.iter().zip(rows).all(equal)
}

impl Pile {
    fn bytes(&self) -> usize {
        self.slips.len() * SLIP_BYTES
    }

    fn spill(&mut self, runtime: &RuntimeEnv) -> Result<()> {
        let file = runtime.disk_manager.create_tmp_file("slips of messages and rows")?;
        let mut out = BufWriter::new(File::create(file.path())?);
        for slip in &self.slips {
            out.write_all(&slip.name.to_bytes())?;
            out.write_all(&slip.mark.to_le_bytes())?;
        }
        out.flush()?;
        self.spilled.push((file, self.slips.len()));
        self.slips = Vec::new();
        Ok(())
    }

    /// Those that are asked for, by name and beginning; what was spilled too.
    fn sorted(mut self, asked: &impl Fn(Name) -> bool) -> Result<Vec<Slip>> {
        self.slips.retain(|slip| asked(slip.name));
        for (file, slips) in self.spilled {
            let mut input = BufReader::new(File::open(file.path())?);
            for _ in 0..slips {
                let mut bytes = [0; SLIP_BYTES];
                input.read_exact(&mut bytes)?;
                let (name, mark) = bytes.split_first_chunk().expect("20 bytes hold twelve");
                let (name, mark) =
                    (Name::from_bytes(*name), u64::from_le_bytes(mark.try_into().expect("eight are left")));
                if asked(name) {
                    self.slips.push(Slip { name, mark });
                }
            }
        }
        // Slips come in runs of ascending offsets, which this sort takes as they are.
        self.slips.sort();
        Ok(self.slips)
    }
}

impl Differing {
    fn merge(&mut self, other: Self) {
        if self.names.is_empty() {
            self.names = other.names;
        } else {
            self.names.extend(other.names);
        }
        for (partition, offset) in other.settled_max {
            let largest = self.settled_max.entry(partition).or_insert(offset);
            *largest = offset.max(*largest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use datafusion::execution::runtime_env::RuntimeEnvBuilder;

    use super::*;

    fn slips(in_memory_max: usize, on_disk_max: u64) -> Slips {
        Slips::new(in_memory_max, on_disk_max, RuntimeEnvBuilder::new().build_arc().expect("a runtime"))
    }

    fn slip(offset: i64, beginning: u64) -> Slip {
        Slip::new(Name::of_offset(PartitionIndex(3), offset), beginning << 1, true)
    }

    fn differing(slips: &Slips) -> Option<Vec<i64>> {
        let found = slips.differing(2, true, |_| true).expect("buckets can be read")?;
        let mut offsets: Vec<i64> = found.names.iter().map(|name| name.offset().offset).collect();
        offsets.sort_unstable();
        Some(offsets)
    }

    #[test]
    fn loss_copy_damage_and_phantom_differ_and_equal_ones_do_not() {
        let slips = slips(1 << 20, 0);
        slips.add(Side::Message, [(1, 1), (2, 2), (3, 3), (4, 4)].map(|(at, digest)| slip(at, digest)).into_iter());
        slips.add(Side::Row, [(1, 1), (2, 9), (3, 3), (3, 3), (7, 7)].map(|(at, digest)| slip(at, digest)).into_iter());
        assert_eq!(differing(&slips), Some(vec![2, 3, 4, 7]));
    }

    #[test]
    fn what_does_not_settle_differs_from_an_equal_one_and_alone_is_left() {
        let slips = slips(1 << 20, 0);
        let excluded = |offset| Slip::new(slip(offset, 5).name, 10, false);
        slips.add(Side::Message, [excluded(1), excluded(2)].into_iter());
        slips.add(Side::Row, [slip(1, 5)].into_iter());
        assert_eq!(differing(&slips), Some(vec![1]));
    }

    #[test]
    fn the_largest_settled_offset_is_told() {
        let slips = slips(1 << 20, 0);
        let both = [slip(8, 1), slip(5_000, 2), slip(70, 3)];
        slips.add(Side::Message, both.into_iter().chain([slip(9_000, 4)]));
        slips.add(Side::Row, both.into_iter());
        let found = slips.differing(1, true, |_| true).expect("in memory").expect("kept");
        assert_eq!(found.settled_max, BTreeMap::from([(PartitionIndex(3), 5_000)]));
    }

    #[test]
    fn spilled_slips_say_the_same() {
        let (small, large) = (slips(4_096, 1 << 30), slips(1 << 30, 0));
        let mut state = 7u64;
        let mut truth: HashMap<i64, i64> = HashMap::new();
        for _ in 0..200 {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state >> 33
            };
            let batch: Vec<Slip> = (0..50).map(|_| slip((next() % 40_000).cast_signed(), 0)).collect();
            let side = if next() % 2 == 0 { Side::Message } else { Side::Row };
            for one in &batch {
                *truth.entry(one.name.offset().offset).or_default() += if side == Side::Message { 1 } else { -1 };
            }
            small.add(side, batch.iter().copied());
            large.add(side, batch.into_iter());
        }
        assert!(small.on_disk.load(Ordering::Relaxed) > 0, "nothing was spilled");
        let mut expected: Vec<i64> = truth.into_iter().filter(|(_, more)| *more != 0).map(|(at, _)| at).collect();
        expected.sort_unstable();
        assert_eq!(differing(&small).as_ref(), Some(&expected));
        assert_eq!(differing(&large), Some(expected));
    }

    #[test]
    fn without_room_the_keeping_ends_and_says_nothing() {
        let slips = slips(1_024, 100);
        slips.add(Side::Message, (0..10_000).map(|offset| slip(offset, 1)));
        assert!(!slips.is_kept());
        assert_eq!(differing(&slips), None);
    }

    #[test]
    fn rows_of_a_pass_that_is_made_again_are_forgotten() {
        let slips = slips(1 << 20, 0);
        slips.add(Side::Message, [slip(1, 1)].into_iter());
        slips.add(Side::Row, [slip(1, 2), slip(4, 4)].into_iter());
        slips.forget_rows();
        slips.add(Side::Row, [slip(1, 1)].into_iter());
        assert_eq!(differing(&slips), Some(vec![]));
    }
}

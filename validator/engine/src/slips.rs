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
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use validator_core::clock::note_paired;
use validator_core::digest::IdentityHash;
use validator_core::position::{MessageAt, PartitionIndex};

use crate::file_slips::RowsOfFiles;
use crate::limits::{DIFFERING_NAMES_MAX, SLIP_BUCKETS};
use crate::place_hasher::PlaceHasher;
use crate::slip_bucket::Bucket;
use crate::spill::Spill;
use crate::workers::share;

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

    /// Its name.
    pub fn name(self) -> Name {
        self.name
    }

    /// The beginning of the digest and whether it settles.
    pub fn mark(self) -> u64 {
        self.mark
    }

    /// Whether an equal one of the other side settles it.
    pub fn settles(self) -> bool {
        self.mark & 1 == 1
    }

    /// Twenty bytes.
    pub fn to_bytes(self) -> [u8; SLIP_BYTES] {
        let mut bytes = [0; SLIP_BYTES];
        bytes[..12].copy_from_slice(&self.name.to_bytes());
        bytes[12..].copy_from_slice(&self.mark().to_le_bytes());
        bytes
    }

    /// The slip of such bytes.
    pub fn from_bytes(bytes: [u8; SLIP_BYTES]) -> Self {
        let (name, mark) = bytes.split_first_chunk().expect("20 bytes hold twelve");
        let mark = mark.try_into().expect("eight are left");
        Self { name: Name::from_bytes(*name), mark: u64::from_le_bytes(mark) }
    }
}

/// Bytes of a slip in memory and in a file.
pub const SLIP_BYTES: usize = size_of::<Slip>();

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
    /// Whether names are offsets.
    by_offset: bool,
    buckets: Vec<Mutex<Bucket>>,
    in_memory: AtomicUsize,
    in_memory_max: usize,
    on_disk: AtomicU64,
    on_disk_max: u64,
    ended: AtomicBool,
    spill: Spill,
    /// Rows by file, where they are asked for.
    of_files: Option<Mutex<RowsOfFiles>>,
}

/// A set of names.
pub type Names = HashSet<Name, BuildHasherDefault<PlaceHasher>>;

/// What the slips of a run say of its disputed segments.
#[derive(Debug, Default)]
pub struct Differing {
    /// Names on which the two sides differ.
    pub names: Names,
    /// Mode `offset`: the largest settled offset of each partition in disputed segments, and some of others.
    pub settled_max: BTreeMap<PartitionIndex, i64>,
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
    /// Keeps up to `in_memory_max` bytes in memory and `on_disk_max` in temporary files of `runtime`. `by_offset`: names
    /// are those of offsets.
    pub fn new(by_offset: bool, in_memory_max: usize, on_disk_max: u64, runtime: Arc<RuntimeEnv>) -> Self {
        Self {
            by_offset,
            buckets: (0..SLIP_BUCKETS).map(|_| Mutex::default()).collect(),
            in_memory: AtomicUsize::new(0),
            in_memory_max,
            on_disk: AtomicU64::new(0),
            on_disk_max,
            ended: AtomicBool::new(false),
            spill: Spill::new("slips of messages and rows", runtime),
            of_files: None,
        }
    }

    /// Keeps nothing.
    pub fn none(runtime: Arc<RuntimeEnv>) -> Self {
        Self { ended: AtomicBool::new(true), ..Self::new(false, 0, 0, runtime) }
    }

    /// Keeps rows by file alone, at most so many.
    pub fn of_files(most: usize, runtime: Arc<RuntimeEnv>) -> Self {
        Self { of_files: Some(Mutex::new(RowsOfFiles::new(most))), ..Self::none(runtime) }
    }

    /// The rows by file, where they are kept.
    pub fn rows_of_files(&self) -> Option<MutexGuard<'_, RowsOfFiles>> {
        self.of_files.as_ref().map(|rows| rows.lock().unwrap_or_else(PoisonError::into_inner))
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
        let mut slips: Vec<Slip> = slips.collect();
        if !self.by_offset {
            let mut by_bucket: Vec<Vec<Slip>> = vec![Vec::new(); SLIP_BUCKETS];
            slips.iter().for_each(|slip| by_bucket[slip.name.bucket()].push(*slip));
            slips = by_bucket.concat();
        }
        let bytes = size_of_val(slips.as_slice());
        let held = self.in_memory.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // Neighbouring offsets share a bucket.
        for slips in slips.chunk_by(|one, other| one.name.bucket() == other.name.bucket()) {
            let mut bucket = self.buckets[slips[0].name.bucket()].lock().unwrap_or_else(PoisonError::into_inner);
            bucket.add(side, slips);
            if held > self.in_memory_max && bucket.bytes_of(side) > self.fair() && !self.make_room(&mut bucket, side) {
                self.ended.store(true, Ordering::Relaxed);
                break;
            }
        }
        if !self.is_kept() {
            self.buckets.iter().for_each(Self::clear);
            self.spill.clear();
        }
    }

    /// Takes out what is settled already; what is left of the side goes to disk where it is too much still. False without
    /// room there.
    fn make_room(&self, bucket: &mut Bucket, side: Side) -> bool {
        let before = bucket.bytes();
        if side == Side::Row {
            bucket.settle(self.by_offset);
        }
        let left = bucket.bytes_of(side);
        if left > self.fair() {
            let on_disk = self.on_disk.fetch_add(left as u64, Ordering::Relaxed) + left as u64;
            if on_disk > self.on_disk_max || bucket.spill(side, &self.spill).is_err() {
                return false;
            }
        }
        self.in_memory.fetch_sub(before - bucket.bytes(), Ordering::Relaxed);
        true
    }

    /// Bytes that a side of a bucket may have whatever the others do.
    fn fair(&self) -> usize {
        self.in_memory_max / SLIP_BUCKETS / 4
    }

    fn clear(bucket: &Mutex<Bucket>) {
        *bucket.lock().unwrap_or_else(PoisonError::into_inner) = Bucket::default();
    }

    /// Forgets the rows: their pass is made again. Messages that were settled by them are gone: where their rows do not come
    /// again, the books do not balance, and all is drilled.
    pub fn forget_rows(&self) {
        if let Some(mut rows) = self.rows_of_files() {
            rows.clear();
        }
        for bucket in &self.buckets {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            self.in_memory.fetch_sub(bucket.bytes_of(Side::Row), Ordering::Relaxed);
            bucket.forget_rows();
        }
    }

    /// The names on which the sides differ, of all that `asked` holds of (made for each thread); `None` where the keeping ended, or where
    /// so much differs that all may as well be read. Empties the slips. Blocking.
    ///
    /// # Errors
    /// A spilled bucket cannot be read back.
    pub fn differing<A: FnMut(Name) -> bool>(
        &self,
        threads: usize,
        asked: impl Fn() -> A + Sync,
    ) -> Result<Option<Differing>> {
        if !self.is_kept() {
            return Ok(None);
        }
        let (next, found) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            let (mut differing, mut asked) = (Differing::default(), asked());
            while let Some(bucket) = self.buckets.get(next.fetch_add(1, Ordering::Relaxed)) {
                let bucket = std::mem::take(&mut *bucket.lock().unwrap_or_else(PoisonError::into_inner));
                let before = differing.names.len();
                if found.load(Ordering::Relaxed) <= DIFFERING_NAMES_MAX {
                    bucket.compare(&mut differing, self.by_offset, &self.spill, &mut asked)?;
                    found.fetch_add(differing.names.len() - before, Ordering::Relaxed);
                }
            }
            Ok(differing)
        };
        let parts: Vec<Result<Differing>> = share(threads, work);
        let mut all = Differing::default();
        for part in parts {
            all.merge(part?);
        }
        Ok((found.into_inner() <= DIFFERING_NAMES_MAX).then_some(all))
    }
}

impl Differing {
    fn merge(&mut self, other: Self) {
        if self.names.is_empty() {
            self.names = other.names;
        } else {
            self.names.extend(other.names);
        }
        self.note_settled_max(other.settled_max);
    }

    /// Raises the largest settled offsets.
    pub fn note_settled_max(&mut self, settled_max: BTreeMap<PartitionIndex, i64>) {
        for (partition, offset) in settled_max {
            note_paired(&mut self.settled_max, MessageAt { partition, offset });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use datafusion::execution::runtime_env::RuntimeEnvBuilder;

    use super::*;

    fn slips(in_memory_max: usize, on_disk_max: u64) -> Slips {
        Slips::new(true, in_memory_max, on_disk_max, RuntimeEnvBuilder::new().build_arc().expect("a runtime"))
    }

    fn slip(offset: i64, beginning: u64) -> Slip {
        Slip::new(Name::of_offset(PartitionIndex(3), offset), beginning << 1, true)
    }

    fn differing(slips: &Slips) -> Option<Vec<i64>> {
        let found = slips.differing(2, || |_| true).expect("buckets can be read")?;
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
        let found = slips.differing(1, || |_| true).expect("in memory").expect("kept");
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
    fn rows_that_come_in_the_order_of_their_messages_need_no_disk() {
        let slips = slips(1 << 20, 0);
        let messages: Vec<Slip> = (0..40_000).map(|offset| slip(offset, 1)).collect();
        slips.add(Side::Message, messages.iter().copied());
        for (batch, rows) in (0_usize..).zip(messages.chunks(500)) {
            // Of each batch one row is damaged, one is lost and one comes twice, its copy two batches later.
            let mut rows = rows.to_vec();
            let copy = batch.checked_sub(2).map(|batch| messages[batch * 500 + 20]);
            rows[3] = slip(rows[3].name.offset().offset, 2);
            rows.remove(7);
            rows.extend(copy);
            slips.add(Side::Row, rows.into_iter());
        }
        let found = slips.differing(2, || |_| true).expect("in memory").expect("kept without a disk");
        let mut offsets: Vec<i64> = found.names.iter().map(|name| name.offset().offset).collect();
        offsets.sort_unstable();
        let copied = |batch: i64| (batch < 78).then_some(batch * 500 + 20);
        let wrong = |batch: i64| [batch * 500 + 3, batch * 500 + 7].into_iter().chain(copied(batch));
        assert_eq!(offsets, (0..80).flat_map(wrong).collect::<Vec<i64>>());
        assert_eq!(found.settled_max, BTreeMap::from([(PartitionIndex(3), 39_999)]));
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

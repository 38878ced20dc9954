//! The last version of each key, over all messages of a run: put by bucket of the identity, on disk where they are many.
//!
//! ```text
//! messages ▶ version (80 bytes) ▶ bucket of its identity ▶ (memory: only the last of each key, else disk) ▶ last versions
//! ```
//! Contract: memory is bounded whatever the number of keys or versions; the order of versions is that of messages
//! ([`MessageAt`]). What a later version takes the place of is counted, never kept. Blocking.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::position::{MessageAt, PartitionIndex};
use validator_core::segment::SegmentKey;

use crate::limits::VERSION_BUCKETS;
use crate::spill::{Spill, damaged};
use crate::workers::share;

/// What a version does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// It sets the key's values.
    Sets,
    /// It takes the key out.
    Deletes,
    /// It cannot be told.
    Unreadable,
}

/// One version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The key.
    pub identity: IdentityHash,
    /// The message.
    pub at: MessageAt,
    /// The digest of the row that it sets.
    pub digest: Digest,
    /// The segment of that row.
    pub segment: (u64, i64),
    /// What it does.
    pub does: Does,
    /// Whether a version of the key stands in another partition.
    pub spans: bool,
}

/// What the last versions took the place of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Superseded versions by partition; deletions are none.
    pub superseded: BTreeMap<PartitionIndex, u64>,
    /// Of them, those that set something and are among the first messages of the run (`suspect.rs`).
    pub first_superseded: u64,
    /// Keys that have versions in several partitions.
    pub keys_spanning: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        for (partition, versions) in &other.superseded {
            *self.superseded.entry(*partition).or_default() += versions;
        }
        self.first_superseded += other.first_superseded;
        self.keys_spanning += other.keys_spanning;
    }
}

/// Versions by bucket.
pub struct Versions {
    buckets: Vec<Mutex<Bucket>>,
    /// Bytes of all buckets in memory.
    in_memory: AtomicUsize,
    in_memory_max: usize,
    /// One past the first offsets of each partition.
    heads: Vec<i64>,
    spill: Spill,
}

#[derive(Debug, Default)]
struct Bucket {
    versions: Vec<Version>,
    /// Where parts of it lie in the file: first byte, versions.
    spilled: Vec<(u64, usize)>,
    /// What was superseded while it stood in memory.
    tally: Tally,
}

impl std::fmt::Debug for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Versions").field("in_memory", &self.in_memory).finish_non_exhaustive()
    }
}

impl Versions {
    /// Keeps up to about `in_memory_max` bytes in memory, the rest in a temporary file of `runtime`. `heads`: one past the
    /// first offsets of each partition.
    pub fn new(in_memory_max: usize, heads: Vec<i64>, runtime: Arc<RuntimeEnv>) -> Self {
        let buckets = (0..VERSION_BUCKETS).map(|_| Mutex::default()).collect();
        Self {
            buckets,
            in_memory: AtomicUsize::new(0),
            in_memory_max,
            heads,
            spill: Spill::new("versions of keys", runtime),
        }
    }

    /// Adds versions, in any order.
    ///
    /// # Errors
    /// No room to spill.
    pub fn add(&self, versions: &[Version]) -> Result<()> {
        let mut order: Vec<(u8, u32)> = (0u32..).zip(versions).map(|(at, v)| (bucket_of(&v.identity), at)).collect();
        order.sort_unstable();
        let bytes = size_of_val(versions);
        let held = self.in_memory.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fair = self.in_memory_max / VERSION_BUCKETS;
        for of_bucket in order.chunk_by(|(one, _), (other, _)| one == other) {
            let mut bucket = self.lock(usize::from(of_bucket[0].0));
            bucket.versions.extend(of_bucket.iter().map(|(_, at)| versions[*at as usize]));
            if held > self.in_memory_max && size_of_val(bucket.versions.as_slice()) > fair / 2 {
                self.make_room(&mut bucket)?;
            }
        }
        Ok(())
    }

    fn lock(&self, bucket: usize) -> std::sync::MutexGuard<'_, Bucket> {
        self.buckets[bucket].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only the last version of each key stays; where that frees less than half, they go to the file.
    fn make_room(&self, bucket: &mut Bucket) -> Result<()> {
        let before = bucket.versions.len();
        let tally = keep_last(&mut bucket.versions, &self.heads);
        bucket.tally.add(&tally);
        // A key's partitions are counted once, when all of its versions are seen.
        bucket.tally.keys_spanning = 0;
        if bucket.versions.len() > before / 2 {
            let at = self.write(&bucket.versions)?;
            bucket.spilled.push((at, bucket.versions.len()));
            bucket.versions = Vec::new();
        }
        let freed = (before - bucket.versions.len()) * size_of::<Version>();
        self.in_memory.fetch_sub(freed, Ordering::Relaxed);
        Ok(())
    }

    /// Appends to the file; where.
    fn write(&self, versions: &[Version]) -> Result<u64> {
        self.spill.append(&versions.iter().flat_map(to_bytes).collect::<Vec<u8>>())
    }

    /// Bytes that lie in the file.
    pub fn spilled_bytes(&self) -> u64 {
        self.spill.bytes()
    }

    /// Gives the last version of each key, bucket by bucket, to `each`, on `threads` threads; the versions stay. `part` makes
    /// what a thread gathers in.
    ///
    /// # Errors
    /// Those of `each`; the file cannot be read back.
    pub fn last<P: Send>(
        &self,
        threads: usize,
        part: impl Fn() -> P + Sync,
        each: impl Fn(&mut P, &[Version]) -> Result<()> + Sync,
    ) -> Result<(Tally, Vec<P>)> {
        let next = AtomicUsize::new(0);
        let work = || {
            let (mut tally, mut gathered) = (Tally::default(), part());
            loop {
                let bucket = next.fetch_add(1, Ordering::Relaxed);
                if bucket >= self.buckets.len() {
                    return Ok((tally, gathered));
                }
                let versions = self.last_of(bucket, &mut tally)?;
                each(&mut gathered, &versions)?;
            }
        };
        let parts: Vec<Result<(Tally, P)>> = share(threads, work);
        let mut all = (Tally::default(), Vec::new());
        for part in parts {
            let (tally, gathered) = part?;
            all.0.add(&tally);
            all.1.push(gathered);
        }
        Ok(all)
    }

    fn last_of(&self, bucket: usize, tally: &mut Tally) -> Result<Vec<Version>> {
        let bucket = self.lock(bucket);
        let spilled: usize = bucket.spilled.iter().map(|(_, versions)| versions).sum();
        let mut versions = Vec::with_capacity(spilled + bucket.versions.len());
        for (at, count) in &bucket.spilled {
            let bytes = self.spill.read(*at, count * VERSION_BYTES)?;
            let (whole, _) = bytes.as_chunks::<VERSION_BYTES>();
            for version in whole {
                versions.push(from_bytes(version).ok_or_else(damaged)?);
            }
        }
        versions.extend_from_slice(&bucket.versions);
        tally.add(&bucket.tally);
        drop(bucket);
        tally.add(&keep_last(&mut versions, &self.heads));
        Ok(versions)
    }
}

fn bucket_of(identity: &IdentityHash) -> u8 {
    const { assert!(VERSION_BUCKETS == 256, "a byte of the identity is the bucket") };
    // Not the bytes that give the shard: of a window with few shards they would all be alike.
    identity.0[15]
}

/// Leaves only the last version of each key, in the order of the keys.
fn keep_last(versions: &mut Vec<Version>, heads: &[i64]) -> Tally {
    versions.sort_unstable_by_key(|version| (version.identity, version.at));
    let mut tally = Tally::default();
    let mut kept = 0;
    for index in 0..versions.len() {
        let mut version = versions[index];
        let first = kept == 0 || versions[kept - 1].identity != version.identity;
        if first {
            kept += 1;
        } else {
            let before = versions[kept - 1];
            version.spans |= before.spans || before.at.partition != version.at.partition;
            if before.does != Does::Deletes {
                *tally.superseded.entry(before.at.partition).or_default() += 1;
            }
            let is_first = heads.get(before.at.partition.0 as usize).is_some_and(|head| before.at.offset < *head);
            tally.first_superseded += u64::from(is_first && before.does == Does::Sets);
        }
        versions[kept - 1] = version;
    }
    versions.truncate(kept);
    tally.keys_spanning = versions.iter().filter(|version| version.spans).count() as u64;
    tally
}

/// Bytes of a version in the file: identity 16, position 12, digest 32, segment 16, what it does.
const VERSION_BYTES: usize = 77;

fn to_bytes(version: &Version) -> [u8; VERSION_BYTES] {
    let mut bytes = [0; VERSION_BYTES];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(&version.identity.0);
    put(&version.at.partition.0.to_le_bytes());
    put(&version.at.offset.to_le_bytes());
    put(&version.digest.0);
    put(&version.segment.0.to_le_bytes());
    put(&version.segment.1.to_le_bytes());
    let does = match version.does {
        Does::Sets => 0,
        Does::Deletes => 1,
        Does::Unreadable => 2,
    };
    put(&[does | u8::from(version.spans) << 7]);
    bytes
}

fn from_bytes(bytes: &[u8; VERSION_BYTES]) -> Option<Version> {
    let (identity, rest) = bytes.split_first_chunk()?;
    let (partition, rest) = rest.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (digest, rest) = rest.split_first_chunk()?;
    let (kind, rest) = rest.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let [flags] = rest else { return None };
    let does = match flags & 0x7F {
        0 => Does::Sets,
        1 => Does::Deletes,
        2 => Does::Unreadable,
        _ => return None,
    };
    Some(Version {
        identity: IdentityHash(*identity),
        at: MessageAt {
            partition: PartitionIndex(u32::from_le_bytes(*partition)),
            offset: i64::from_le_bytes(*offset),
        },
        digest: Digest(*digest),
        segment: (u64::from_le_bytes(*kind), i64::from_le_bytes(*number)),
        does,
        spans: flags & 0x80 != 0,
    })
}

/// Names of keys in few bits: `may_hold` is never false of a name that was put.
#[derive(Debug)]
pub struct NameFilter {
    bits: Vec<u64>,
}

impl NameFilter {
    /// A filter that says yes to about one in sixteen other names, up to its greatest size of 32 MiB.
    pub fn of(names: &[IdentityHash]) -> Self {
        let mut filter = Self::with_room(names.len());
        names.iter().for_each(|name| filter.put(name));
        filter
    }

    /// One for so many names, none of which is put yet.
    pub fn with_room(names: usize) -> Self {
        let bits = names.max(4).saturating_mul(16).min(1 << 28).next_power_of_two();
        Self { bits: vec![0; bits.div_ceil(64)] }
    }

    /// Puts a name.
    pub fn put(&mut self, name: &IdentityHash) {
        let (word, bit) = self.place(name);
        self.bits[word] |= bit;
    }

    /// Whether the name may have been put.
    pub fn may_hold(&self, name: &IdentityHash) -> bool {
        let (word, bit) = self.place(name);
        self.bits[word] & bit != 0
    }

    fn place(&self, name: &IdentityHash) -> (usize, u64) {
        let [.., a, b, c, d, e, f, g, h] = name.0;
        let bit = u64::from_le_bytes([a, b, c, d, e, f, g, h]) as usize % (self.bits.len() * 64);
        (bit / 64, 1 << (bit % 64))
    }
}

/// The segment of a version as the books have it.
pub fn segment_of(version: &Version) -> Option<SegmentKey> {
    SegmentKey::from_pair(version.segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(key: u64, partition: u32, offset: i64, does: Does) -> Version {
        let mut identity = [0; 16];
        identity[..8].copy_from_slice(&key.to_le_bytes());
        identity[15] = key as u8;
        let mut digest = [7; 32];
        digest[..8].copy_from_slice(&offset.to_le_bytes());
        let at = MessageAt { partition: PartitionIndex(partition), offset };
        let segment = (key, !offset);
        Version { identity: IdentityHash(identity), at, digest: Digest(digest), segment, does, spans: false }
    }

    fn last(versions: &Versions) -> (Tally, Vec<Version>) {
        let gather = |all: &mut Vec<Version>, some: &[Version]| {
            all.extend_from_slice(some);
            Ok(())
        };
        let (tally, parts) = versions.last(2, Vec::new, gather).expect("there is room");
        let mut all = parts.concat();
        all.sort_by_key(|version| version.identity);
        (tally, all)
    }

    #[test]
    fn a_version_comes_back_as_it_was() {
        for does in [Does::Sets, Does::Deletes, Does::Unreadable] {
            for spans in [true, false] {
                let version = Version { spans, ..version(u64::MAX, u32::MAX, i64::MIN, does) };
                assert_eq!(from_bytes(&to_bytes(&version)), Some(version));
            }
        }
        assert_eq!(from_bytes(&[3; VERSION_BYTES]), None);
    }

    #[test]
    fn the_last_of_each_key_stays_and_what_it_supersedes_is_counted() {
        let versions = Versions::new(1 << 20, vec![2], Arc::default());
        let (sets, deletes) = (Does::Sets, Does::Deletes);
        versions.add(&[version(1, 0, 5, sets), version(2, 0, 1, sets), version(1, 0, 9, deletes)]).expect("room");
        versions
            .add(&[version(1, 1, 0, sets), version(2, 0, 0, sets), version(1, 0, 7, Does::Unreadable)])
            .expect("room");
        let (tally, last) = last(&versions);
        let offsets: Vec<_> = last.iter().map(|v| (v.at.partition.0, v.at.offset, v.spans)).collect();
        assert_eq!(offsets, [(1, 0, true), (0, 1, false)]);
        assert_eq!(tally.superseded, BTreeMap::from([(PartitionIndex(0), 3)]));
        assert_eq!(tally.keys_spanning, 1);
        assert_eq!(tally.first_superseded, 1, "of key 2, below offset 2 of partition 0");
    }

    #[test]
    fn what_is_spilled_gives_the_same_as_what_fits_into_memory() {
        let (roomy, tight) =
            (Versions::new(1 << 30, Vec::new(), Arc::default()), Versions::new(40_000, Vec::new(), Arc::default()));
        for round in 0..40 {
            let does = if round % 7 == 3 { Does::Deletes } else { Does::Sets };
            let some: Vec<_> = (0..2_000)
                .map(|n| version((n * 7 + round) % 5_000, n as u32 % 3, (round * 2_000 + n) as i64, does))
                .collect();
            roomy.add(&some).expect("room");
            tight.add(&some).expect("room");
        }
        assert_eq!((roomy.spilled_bytes(), tight.spilled_bytes() > 100_000), (0, true));
        assert!(tight.in_memory.load(Ordering::Relaxed) < 400_000, "{tight:?}");
        assert_eq!(last(&roomy), last(&tight));
        assert_eq!(last(&tight), last(&tight), "they stay");
    }

    #[test]
    fn versions_of_one_busy_key_take_no_room() {
        let versions = Versions::new(50_000, Vec::new(), Arc::default());
        for offset in 0..20_000 {
            versions.add(&[version(3, 0, offset, Does::Sets)]).expect("room");
        }
        let (tally, last) = last(&versions);
        assert_eq!((versions.spilled_bytes(), last.len(), last[0].at.offset), (0, 1, 19_999));
        assert_eq!(tally.superseded, BTreeMap::from([(PartitionIndex(0), 19_999)]));
    }

    /// `VALIDATOR_KEYS=5000000` with `--nocapture` tells the figure of many keys.
    #[test]
    fn memory_stays_within_its_bound_however_many_keys_there_are() {
        let given = std::env::var("VALIDATOR_KEYS").ok();
        let keys: u64 = given.map_or(300_000, |text| text.parse().expect("VALIDATOR_KEYS is a number"));
        let bound = if keys > 1_000_000 { crate::limits::VERSIONS_BYTES_MAX } else { 4 << 20 };
        let versions = Versions::new(bound, Vec::new(), Arc::default());
        let started = std::time::Instant::now();
        // Keys as a digest spreads them; each comes twice.
        let spread = |key: u64| key.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
        let mut most = 0;
        for batch in 0..(2 * keys).div_ceil(8_192) {
            let some: Vec<_> = (batch * 8_192..((batch + 1) * 8_192).min(2 * keys))
                .map(|n| version(spread(n % keys), n as u32 % 4, n as i64, Does::Sets))
                .collect();
            versions.add(&some).expect("room");
            most = most.max(versions.in_memory.load(Ordering::Relaxed));
        }
        let added = started.elapsed();
        let count = |count: &mut u64, some: &[Version]| {
            *count += some.len() as u64;
            Ok(())
        };
        let (tally, parts) = versions.last(2, || 0, count).expect("there is room");
        let (on_disk, all) = (versions.spilled_bytes() >> 20, started.elapsed());
        println!(
            "{keys} keys twice: added in {added:?}, last ones after {all:?}, {} MiB held, {on_disk} MiB on disk",
            most >> 20
        );
        assert_eq!((parts.iter().sum::<u64>(), tally.superseded.values().sum::<u64>()), (keys, keys));
        assert!(most < bound + bound / 4, "{most} bytes of {bound}");
    }

    #[test]
    fn a_name_that_was_put_is_never_denied() {
        let names: Vec<IdentityHash> = (0..5_000).map(|key| version(key, 0, 0, Does::Sets).identity).collect();
        let filter = NameFilter::of(&names);
        assert!(names.iter().all(|name| filter.may_hold(name)));
        assert!(!NameFilter::of(&[]).may_hold(&names[1]));
    }
}

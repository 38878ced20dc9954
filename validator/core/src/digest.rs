//! Digests: keyed BLAKE3 over the canonical bytes of rows, as many rows at a time as the machine has lanes.
//!
//! Contract: a digest is exactly `blake3::Hasher::new_keyed(key)` over the row's canonical bytes with their zero
//! padding to whole 64-byte blocks (docs/digest.md). The fast path goes through `blake3::platform`, which the crate
//! hides from its documentation: the crate is pinned to one version, and a test holds the two against each other.

use std::fmt;

use blake3::IncrementCounter;
use blake3::platform::Platform;

use crate::encode::{Arena, BLOCK_BYTES};
use crate::limits::CHUNK_BYTES;

/// The digest of one logical row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// What pairs a message and a row: the first 16 bytes of the digest of the identity columns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityHash(pub [u8; 16]);

impl Digest {
    /// The identity hash that this digest (of [`crate::encode::Domain::Identity`]) stands for.
    #[inline]
    pub fn identity(&self) -> IdentityHash {
        let (first, _) = self.0.split_first_chunk().expect("32 bytes hold 16");
        IdentityHash(*first)
    }
}

/// The key of all digests of a run. Whoever has it can guess rows of low entropy from their digests.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DigestKey([u8; 32]);

/// The context of which [`DigestKey::public`] is the BLAKE3 derived key, with no key material.
pub const PUBLIC_KEY_CONTEXT: &str = "shadow validator canonical/1 public digest key";

impl DigestKey {
    /// The public constant of canonical/1, so that anyone can recompute a digest:
    /// `derive_key(`[`PUBLIC_KEY_CONTEXT`]`, "")`.
    pub fn public() -> Self {
        Self(blake3::derive_key(PUBLIC_KEY_CONTEXT, &[]))
    }

    /// A key of one's own.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::public() { "DigestKey(public)" } else { "DigestKey(secret)" })
    }
}

// The flags of a chunk that is a whole message (BLAKE3 paper, section 2.1, table 3).
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const KEYED_HASH: u8 = 1 << 4;

/// Rows that go to one call of the vector code: the lanes of AVX-512, a multiple of those of every other platform.
const LANES: usize = 16;

const CHUNK_BLOCKS: usize = CHUNK_BYTES / BLOCK_BYTES;

/// Digests the rows of arenas.
#[derive(Clone)]
pub struct RowHasher {
    key: DigestKey,
    key_words: [u32; 8],
    platform: Platform,
}

impl fmt::Debug for RowHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowHasher").field("key", &self.key).field("platform", &self.platform).finish_non_exhaustive()
    }
}

impl RowHasher {
    /// A hasher with this key, for the best instructions that this machine has.
    pub fn new(key: &DigestKey) -> Self {
        Self::on(Platform::detect(), key)
    }

    fn on(platform: Platform, key: &DigestKey) -> Self {
        let words = key.0.as_chunks::<4>().0;
        Self { key: *key, key_words: std::array::from_fn(|i| u32::from_le_bytes(words[i])), platform }
    }

    /// Replaces `out` by the digests of the arena's rows, in their order.
    pub fn digest(&self, arena: &Arena, out: &mut Vec<Digest>) {
        out.clear();
        out.resize(arena.len(), Digest([0; 32]));
        self.each(arena, |row, digest| out[row] = Digest(*digest));
    }

    /// Appends the digests of the arena's rows to `out`, 32 bytes each, in their order.
    pub fn digest_bytes(&self, arena: &Arena, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + arena.len() * 32, 0);
        let (digests, _) = out[start..].as_chunks_mut::<32>();
        self.each(arena, |row, digest| digests[row] = *digest);
    }

    /// Replaces `out` by the identity hashes of the rows of an arena of [`crate::encode::Domain::Identity`].
    pub fn identities(&self, arena: &Arena, out: &mut Vec<IdentityHash>) {
        out.clear();
        out.resize(arena.len(), IdentityHash([0; 16]));
        self.each(arena, |row, digest| out[row] = Digest(*digest).identity());
    }

    /// Hands every row's digest out, in no order. Rows of equal block count share the vector lanes, over the whole
    /// arena, so that hardly a lane is idle.
    fn each(&self, arena: &Arena, mut put: impl FnMut(usize, &[u8; 32])) {
        let (order, ends) = by_blocks(arena);
        let group = |blocks: usize| &order[ends[blocks - 1]..ends[blocks]];
        macro_rules! hash {
            ($($blocks:literal)*) => {
                $(self.many::<{ $blocks * BLOCK_BYTES }>(arena, group($blocks), &mut put);)*
            };
        }
        hash!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
        for &row in &order[ends[CHUNK_BLOCKS]..] {
            put(row as usize, blake3::keyed_hash(&self.key.0, arena.padded(row as usize)).as_bytes());
        }
    }

    fn many<const N: usize>(&self, arena: &Arena, rows: &[u32], put: &mut impl FnMut(usize, &[u8; 32])) {
        let mut digests = [[0; 32]; LANES];
        for rows in rows.chunks(LANES) {
            let input = |lane: usize| -> &[u8; N] {
                let row = rows[lane.min(rows.len() - 1)] as usize;
                arena.padded(row).try_into().expect("rows of a group have the same length")
            };
            let inputs: [&[u8; N]; LANES] = std::array::from_fn(input);
            self.platform.hash_many(
                &inputs[..rows.len()],
                &self.key_words,
                0,
                IncrementCounter::No,
                KEYED_HASH,
                CHUNK_START,
                CHUNK_END | ROOT,
                digests.as_flattened_mut(),
            );
            rows.iter().zip(&digests).for_each(|(row, digest)| put(*row as usize, digest));
        }
    }
}

/// The rows sorted by block count, and the end of each group: `ends[b]` for `b` blocks, longer than a chunk behind it.
fn by_blocks(arena: &Arena) -> (Vec<u32>, [usize; CHUNK_BLOCKS + 2]) {
    let group = |row: usize| (arena.padded(row).len() / BLOCK_BYTES).min(CHUNK_BLOCKS + 1);
    let mut ends = [0; CHUNK_BLOCKS + 2];
    (0..arena.len()).for_each(|row| ends[group(row)] += 1);
    let mut total = 0;
    for end in &mut ends {
        total += *end;
        *end = total - *end;
    }
    let mut order = vec![0; arena.len()];
    for row in 0..arena.len() {
        let end = &mut ends[group(row)];
        order[*end] = u32::try_from(row).expect("an arena has fewer than 2^32 rows");
        *end += 1;
    }
    (order, ends)
}

macro_rules! hex {
    ($type:ident) => {
        impl fmt::Display for $type {
            /// Lower-case hexadecimal.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }
    };
}
hex!(Digest);
hex!(IdentityHash);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CHUNK_BYTES;

    /// The platforms that this machine has.
    fn platforms() -> Vec<Platform> {
        let mut platforms = vec![Platform::portable(), Platform::detect()];
        #[cfg(target_arch = "x86_64")]
        platforms.extend([Platform::sse2(), Platform::sse41(), Platform::avx2()].into_iter().flatten());
        platforms
    }

    /// The slow way: the public API, a row at a time.
    fn one_by_one(key: &[u8; 32], rows: &[Vec<u8>]) -> Vec<Digest> {
        let digest = |row: &Vec<u8>| {
            let mut padded = row.clone();
            padded.resize(row.len().next_multiple_of(64), 0);
            Digest(*blake3::Hasher::new_keyed(key).update(&padded).finalize().as_bytes())
        };
        rows.iter().map(digest).collect()
    }

    /// Rows of these lengths, no two alike.
    fn rows(lengths: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
        let byte = |n: usize, i: usize| (n * 31 + i * 7 + (i >> 8) + 1) as u8;
        lengths.into_iter().enumerate().map(|(n, len)| (0..len).map(|i| byte(n, i)).collect()).collect()
    }

    fn check(rows: &[Vec<u8>]) {
        let key = *b"a key of thirty-two bytes, no le";
        let arena = Arena::of_rows(rows.iter().map(Vec::as_slice));
        let expected = one_by_one(&key, rows);
        for platform in platforms() {
            let mut digests = vec![Digest([9; 32])];
            RowHasher::on(platform, &DigestKey::from_bytes(key)).digest(&arena, &mut digests);
            let wrong = digests.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(wrong.map(|row| rows[row].len()), None, "a row of that length differs on {platform:?}");
            assert_eq!(digests.len(), expected.len());
        }
    }

    #[test]
    fn rows_of_every_length_hash_as_blake3_says() {
        // Every length once: the groups of equal block count have 64 rows, four calls of 16 lanes.
        check(&rows(1..=1200));
        // In an order that mixes the groups: 7 and 1200 have no common divisor.
        check(&rows((0..1200).map(|n| n * 7 % 1200 + 1)));
    }

    #[test]
    fn groups_that_do_not_fill_the_lanes_hash_as_blake3_says() {
        for blocks in [1, 2, 3, 15, 16, 17] {
            for count in 1..=35 {
                check(&rows(vec![blocks * 64 - 3; count]));
            }
        }
    }

    #[test]
    fn rows_longer_than_a_chunk_hash_as_blake3_says() {
        check(&rows([CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 5, 100_000, 2_000_001, 64]));
    }

    #[test]
    fn an_arena_without_rows_has_no_digests() {
        check(&[]);
    }

    #[test]
    fn digests_come_in_one_order_in_every_form() {
        let rows = rows([70, 5, 1100, 5, 200]);
        let arena = Arena::of_rows(rows.iter().map(Vec::as_slice));
        let hasher = RowHasher::new(&DigestKey::public());
        let (mut digests, mut bytes, mut identities) = (Vec::new(), vec![7], Vec::new());
        hasher.digest(&arena, &mut digests);
        hasher.digest_bytes(&arena, &mut bytes);
        hasher.identities(&arena, &mut identities);
        assert_eq!(bytes[0], 7);
        assert_eq!(bytes[1..], *digests.iter().flat_map(|d| d.0).collect::<Vec<_>>());
        assert_eq!(identities, digests.iter().map(Digest::identity).collect::<Vec<_>>());
        assert_eq!(identities[0].0, digests[0].0[..16]);
    }

    #[test]
    fn another_key_gives_another_digest() {
        let arena = Arena::of_rows([&[1u8, 2, 3][..]]);
        let digest = |key| {
            let mut digests = Vec::new();
            RowHasher::new(&key).digest(&arena, &mut digests);
            digests[0]
        };
        assert_ne!(digest(DigestKey::public()), digest(DigestKey::from_bytes([1; 32])));
    }

    #[test]
    fn keys_do_not_show() {
        assert_eq!(format!("{:?}", DigestKey::from_bytes([7; 32])), "DigestKey(secret)");
        assert!(!format!("{:?}", RowHasher::new(&DigestKey::from_bytes([0x5a; 32]))).contains("90, 90"));
        assert_eq!(Digest([0xab; 32]).to_string(), "ab".repeat(32));
        assert_eq!(format!("{:?}", IdentityHash([1; 16])), format!("IdentityHash({})", "01".repeat(16)));
    }
}

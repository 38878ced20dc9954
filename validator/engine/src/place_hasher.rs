//! A hash of places that costs little: of offsets, positions, segments, and of what is a hash already.
//!
//! Contract: no more than to spread them in a table of this process. Nobody chooses them to collide but who chooses his own
//! offsets.

use std::hash::Hasher;

/// See the module.
#[derive(Debug, Default)]
pub struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = u128::from(self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.0 = (mixed >> 64) as u64 ^ mixed as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use validator_core::position::{MessageAt, PartitionIndex};

    use super::*;

    #[test]
    fn neighbouring_offsets_of_several_partitions_are_spread() {
        let hashes = BuildHasherDefault::<PlaceHasher>::default();
        let at = |n: i64| MessageAt { partition: PartitionIndex((n % 8) as u32), offset: n / 8 };
        let all: Vec<u64> = (0..100_000).map(|n| hashes.hash_one(at(n))).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        // Both ends of a hash choose a place in a table: 4,096 of each, 24 hashes to one on average.
        for shift in [0, 52] {
            let mut places = vec![0_u32; 4_096];
            all.iter().for_each(|hash| places[(hash >> shift & 4_095) as usize] += 1);
            let (least, most) = (places.iter().min(), places.iter().max());
            assert!(least > Some(&2) && most < Some(&80), "{least:?} to {most:?} at one place");
        }
    }
}

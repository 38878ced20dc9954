//! Bags: how many digests there are and their sum modulo 2^256, all that a segment needs to be proven equal.
//!
//! Contract: bags form a commutative group. Order does not matter, partial bags merge, and removing undoes adding
//! exactly, also when the removal comes first: count and sum wrap (modulo 2^64 and 2^256). Never XOR: two copies would
//! cancel. A digest is read as a little-endian number. Durable form: 40 bytes, count then sum, little-endian.

use crate::digest::Digest;

/// The bytes of a bag's durable form.
pub const BAG_BYTES: usize = 40;

/// A multiset of digests: `count` and the sum of the digests modulo 2^256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bag {
    /// Digests added less digests removed, modulo 2^64.
    pub count: u64,
    sum: [u64; 4],
}

impl Bag {
    /// The bag without digests.
    pub const EMPTY: Self = Self { count: 0, sum: [0; 4] };

    /// Puts one digest in.
    #[inline]
    pub fn add(&mut self, digest: &Digest) {
        self.count = self.count.wrapping_add(1);
        self.sum = plus(&self.sum, &words(&digest.0));
    }

    /// Takes one digest out: the exact inverse of [`Bag::add`].
    #[inline]
    pub fn remove(&mut self, digest: &Digest) {
        self.count = self.count.wrapping_sub(1);
        self.sum = minus(&self.sum, &words(&digest.0));
    }

    /// Puts everything of another bag in.
    #[inline]
    pub fn merge(&mut self, other: &Bag) {
        self.count = self.count.wrapping_add(other.count);
        self.sum = plus(&self.sum, &other.sum);
    }

    /// Takes everything of another bag out: the exact inverse of [`Bag::merge`].
    #[inline]
    pub fn subtract(&mut self, other: &Bag) {
        self.count = self.count.wrapping_sub(other.count);
        self.sum = minus(&self.sum, &other.sum);
    }

    /// Whether count and sum are both zero.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// The sum of the digests modulo 2^256 as 32 little-endian bytes.
    pub fn sum_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.sum) {
            *chunk = word.to_le_bytes();
        }
        bytes
    }

    /// The durable form: count, then sum, little-endian.
    pub fn to_bytes(&self) -> [u8; BAG_BYTES] {
        let mut bytes = [0; BAG_BYTES];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sum_bytes());
        bytes
    }

    /// The bag of a durable form.
    pub fn from_bytes(bytes: &[u8; BAG_BYTES]) -> Self {
        let [count, sum @ ..] = bytes.as_chunks::<8>().0 else { unreachable!("40 bytes are five words") };
        let mut bag = Self { count: u64::from_le_bytes(*count), sum: [0; 4] };
        for (word, chunk) in bag.sum.iter_mut().zip(sum) {
            *word = u64::from_le_bytes(*chunk);
        }
        bag
    }

    /// The bag of a durable form of unknown length; `None` unless it has [`BAG_BYTES`] bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }
}

impl<'a> FromIterator<&'a Digest> for Bag {
    fn from_iter<I: IntoIterator<Item = &'a Digest>>(digests: I) -> Self {
        let mut bag = Self::EMPTY;
        digests.into_iter().for_each(|digest| bag.add(digest));
        bag
    }
}

impl<'a> FromIterator<&'a Bag> for Bag {
    fn from_iter<I: IntoIterator<Item = &'a Bag>>(bags: I) -> Self {
        let mut all = Self::EMPTY;
        bags.into_iter().for_each(|bag| all.merge(bag));
        all
    }
}

#[inline]
fn words(digest: &[u8; 32]) -> [u64; 4] {
    let chunks = digest.as_chunks::<8>().0;
    std::array::from_fn(|i| u64::from_le_bytes(chunks[i]))
}

#[inline]
fn plus(a: &[u64; 4], b: &[u64; 4]) -> [u64; 4] {
    let mut carry = false;
    std::array::from_fn(|i| {
        let (word, over) = a[i].carrying_add(b[i], carry);
        carry = over;
        word
    })
}

#[inline]
fn minus(a: &[u64; 4], b: &[u64; 4]) -> [u64; 4] {
    let mut borrow = false;
    std::array::from_fn(|i| {
        let (word, under) = a[i].borrowing_sub(b[i], borrow);
        borrow = under;
        word
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digests() -> impl Strategy<Value = Vec<Digest>> {
        // Words of ones are frequent so that carries run through all four.
        let word = prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
        let bytes = |words: [u64; 4]| Digest(std::array::from_fn(|i| words[i / 8].to_le_bytes()[i % 8]));
        let digest = prop::array::uniform4(word).prop_map(bytes);
        prop::collection::vec(digest, 0..20)
    }

    proptest! {
        #[test]
        fn order_does_not_matter(all in digests(), seed in any::<prop::sample::Index>()) {
            let mut other = all.clone();
            other.rotate_left(if all.is_empty() { 0 } else { seed.index(all.len()) });
            other.reverse();
            prop_assert_eq!(all.iter().collect::<Bag>(), other.iter().collect::<Bag>());
        }

        #[test]
        fn partial_bags_merge_to_the_bag_of_all(all in digests(), cut in any::<prop::sample::Index>()) {
            let (left, right) = all.split_at(cut.index(all.len() + 1));
            let parts = [left.iter().collect::<Bag>(), right.iter().collect::<Bag>()];
            prop_assert_eq!(all.iter().collect::<Bag>(), parts.iter().collect::<Bag>());
        }

        #[test]
        fn removing_undoes_adding_in_any_order(all in digests(), rest in digests()) {
            let mut bag = Bag::EMPTY;
            all.iter().for_each(|d| bag.remove(d));
            rest.iter().for_each(|d| bag.add(d));
            all.iter().rev().for_each(|d| bag.add(d));
            prop_assert_eq!(bag, rest.iter().collect::<Bag>());
            bag.subtract(&rest.iter().collect());
            prop_assert!(bag.is_empty());
        }

        #[test]
        fn durable_form_round_trips(all in digests()) {
            let bag = all.iter().collect::<Bag>();
            prop_assert_eq!(Bag::from_bytes(&bag.to_bytes()), bag);
            prop_assert_eq!(Bag::from_slice(&bag.to_bytes()), Some(bag));
        }

        #[test]
        fn sum_is_the_sum_modulo_two_to_the_256(all in digests()) {
            // Schoolbook addition byte by byte, sharing nothing with the word arithmetic.
            let mut expected = [0u8; 32];
            for digest in &all {
                let mut carry = 0u16;
                for (sum, byte) in expected.iter_mut().zip(digest.0) {
                    carry += u16::from(*sum) + u16::from(byte);
                    *sum = carry as u8;
                    carry >>= 8;
                }
            }
            prop_assert_eq!(all.iter().collect::<Bag>().sum_bytes(), expected);
        }
    }

    #[test]
    fn two_copies_do_not_cancel() {
        let digest = Digest([7; 32]);
        let twice: Bag = [&digest, &digest].into_iter().collect();
        assert_eq!((twice.count, twice.sum_bytes()), (2, [14; 32]));
        assert!(!twice.is_empty());
    }

    #[test]
    fn durable_form_is_count_then_sum_in_little_endian() {
        let mut digest = [0; 32];
        (digest[0], digest[31]) = (5, 9);
        let bytes = [&Digest(digest)].into_iter().collect::<Bag>().to_bytes();
        assert_eq!((bytes[0], bytes[8], bytes[39]), (1, 5, 9));
        assert_eq!(bytes.iter().filter(|b| **b != 0).count(), 3);
        assert_eq!(Bag::from_slice(&bytes[..39]), None);
    }
}

//! The books: per segment a bag of what should be in the table (debit) and a bag of what is (credit).
//!
//! Contract: books of parts of a run merge to the books of the run, in any order. A segment is balanced when its two
//! bags are equal: then every message in it is in the table exactly once and unaltered. Iteration is in the order of
//! [`SegmentKey`].

use std::collections::{BTreeMap, BTreeSet};

use crate::bag::Bag;
use crate::segment::SegmentKey;

/// The two bags of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Digests of the messages that should be in the table.
    pub debit: Bag,
    /// Digests of the rows that are in the table.
    pub credit: Bag,
}

impl Account {
    /// Whether the two bags are equal.
    pub fn is_balanced(&self) -> bool {
        self.debit == self.credit
    }
}

/// Two bags per segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    accounts: BTreeMap<SegmentKey, Account>,
}

impl Books {
    /// Books without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a bag of messages to a segment.
    pub fn debit(&mut self, key: SegmentKey, bag: &Bag) {
        self.accounts.entry(key).or_default().debit.merge(bag);
    }

    /// Adds a bag of rows to a segment.
    pub fn credit(&mut self, key: SegmentKey, bag: &Bag) {
        self.accounts.entry(key).or_default().credit.merge(bag);
    }

    /// Adds everything of other books.
    pub fn merge(&mut self, other: &Books) {
        for (key, account) in &other.accounts {
            self.debit(*key, &account.debit);
            self.credit(*key, &account.credit);
        }
    }

    /// The account of a segment, if anything was entered in it.
    pub fn account(&self, key: &SegmentKey) -> Option<&Account> {
        self.accounts.get(key)
    }

    /// All segments in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&SegmentKey, &Account)> {
        self.accounts.iter()
    }

    /// How many segments there are.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether nothing was entered.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The segments whose bags differ.
    pub fn disputed(&self) -> BTreeSet<SegmentKey> {
        self.iter().filter(|(_, account)| !account.is_balanced()).map(|(key, _)| *key).collect()
    }

    /// The sums over all segments. They may be equal although segments are disputed, never the other way round.
    pub fn totals(&self) -> Account {
        let mut totals = Account::default();
        for account in self.accounts.values() {
            totals.debit.merge(&account.debit);
            totals.credit.merge(&account.credit);
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::position::PartitionIndex;

    fn segment(index: i64) -> SegmentKey {
        SegmentKey::Offsets { partition: PartitionIndex(0), index }
    }

    fn bag(bytes: &[u8]) -> Bag {
        bytes.iter().map(|b| Digest([*b; 32])).collect::<Vec<_>>().iter().collect()
    }

    #[test]
    fn equal_bags_balance_whatever_the_order_of_entry() {
        let mut books = Books::new();
        books.debit(segment(0), &bag(&[1, 2, 3]));
        books.credit(segment(0), &bag(&[3]));
        books.credit(segment(0), &bag(&[2, 1]));
        assert!(books.disputed().is_empty());
        assert!(books.account(&segment(0)).is_some_and(Account::is_balanced));
    }

    #[test]
    fn loss_duplicate_damage_and_phantom_dispute_their_segment() {
        let cases: [(&[u8], &[u8]); 4] = [(&[1, 2], &[1]), (&[1], &[1, 1]), (&[1, 2], &[1, 3]), (&[], &[9])];
        for (debit, credit) in cases {
            let mut books = Books::new();
            books.debit(segment(4), &bag(&[8]));
            books.credit(segment(4), &bag(&[8]));
            books.debit(segment(7), &bag(debit));
            books.credit(segment(7), &bag(credit));
            assert_eq!(books.disputed(), BTreeSet::from([segment(7)]), "{debit:?} {credit:?}");
        }
    }

    #[test]
    fn a_row_in_the_wrong_segment_disputes_both_though_totals_agree() {
        let mut books = Books::new();
        books.debit(segment(0), &bag(&[1]));
        books.credit(SegmentKey::Nowhere, &bag(&[1]));
        assert_eq!(books.disputed(), BTreeSet::from([segment(0), SegmentKey::Nowhere]));
        assert!(books.totals().is_balanced());
    }

    #[test]
    fn books_of_parts_merge_to_the_books_of_all() {
        let (mut left, mut right, mut all) = (Books::new(), Books::new(), Books::new());
        for (i, part) in [(0, 1), (1, 2), (0, 3)] {
            let books = if i == 0 { &mut left } else { &mut right };
            books.debit(segment(i), &bag(&[part]));
            books.credit(segment(1), &bag(&[part]));
            all.debit(segment(i), &bag(&[part]));
            all.credit(segment(1), &bag(&[part]));
        }
        right.merge(&left);
        assert_eq!(right, all);
        assert_eq!((all.len(), all.totals().debit.count), (2, 3));
    }
}

//! The proof behind slips: what a drill has passed by balances, segment by segment.
//!
//! Contract: of each disputed segment, the bags of the first passes without what the drill has found are equal, or
//! nothing is settled at all.

use std::collections::BTreeMap;

use validator_core::bag::Bag;
use validator_core::position::PartitionIndex;
use validator_core::segment::SegmentKey;

use crate::bag_plan::RowBag;
use crate::disputed::{Disputed, Found};
use crate::kept::Agreed;
use crate::slips::Differing;

/// What the drill has passed by in disputed segments, by partition (mode `key`: all under the first); `None` where it
/// does not balance.
pub fn settled(
    disputed: &Disputed,
    found: &Found,
    row_bags: &[RowBag],
    differing: &Differing,
) -> Option<BTreeMap<PartitionIndex, Agreed>> {
    let mut late: BTreeMap<SegmentKey, u64> = BTreeMap::new();
    for bag in row_bags.iter().filter(|bag| disputed.segments.contains(&bag.segment)) {
        *late.entry(bag.segment).or_default() += bag.late;
    }
    let mut settled: BTreeMap<PartitionIndex, Agreed> = BTreeMap::new();
    for segment in disputed.segments.iter() {
        let account = disputed.books.account(segment).copied().unwrap_or_default();
        let found_there = found.books.account(segment).copied().unwrap_or_default();
        let debit = without(account.debit, &found_there.debit)?;
        let credit = without(account.credit, &found_there.credit)?;
        if debit != credit {
            return None;
        }
        if debit.count == 0 {
            continue;
        }
        let partition = match segment {
            SegmentKey::Offsets { partition, .. } => *partition,
            _ => PartitionIndex(0),
        };
        let found_late = found.late.get(segment).copied().unwrap_or(0);
        let late = late.get(segment).copied().unwrap_or(0).checked_sub(found_late)?;
        let offset_max = differing.settled_max.get(&partition).copied().unwrap_or(i64::MIN);
        let agreed = settled.entry(partition).or_insert(Agreed { messages: 0, late: 0, offset_max });
        agreed.messages += debit.count;
        agreed.late += late;
    }
    Some(settled)
}

fn without(mut all: Bag, part: &Bag) -> Option<Bag> {
    if part.count > all.count {
        return None;
    }
    all.subtract(part);
    Some(all)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use validator_core::books::Books;
    use validator_core::digest::Digest;
    use validator_core::position::FileIndex;

    use super::*;
    use crate::bag_plan::RowFiles;

    const SEGMENT: SegmentKey = SegmentKey::Offsets { partition: PartitionIndex(1), index: 0 };

    fn bag(digests: &[u8]) -> Bag {
        digests.iter().map(|byte| Digest([*byte; 32])).collect::<Vec<_>>().iter().collect()
    }

    fn settle(messages: &[u8], rows: &[u8], found: (&[u8], &[u8])) -> Option<BTreeMap<PartitionIndex, Agreed>> {
        let mut books = Books::new();
        books.debit(SEGMENT, &bag(messages));
        books.credit(SEGMENT, &bag(rows));
        let disputed = Disputed { segments: Arc::new([SEGMENT].into()), files: [].into(), books: Arc::new(books) };
        let mut books = Books::new();
        books.debit(SEGMENT, &bag(found.0));
        books.credit(SEGMENT, &bag(found.1));
        let found = Found { books, late: [(SEGMENT, 1)].into() };
        let rows = [RowBag { segment: SEGMENT, files: RowFiles::One(FileIndex(0), 0..3), bag: bag(rows), late: 2 }];
        let differing = Differing { settled_max: [(PartitionIndex(1), 17)].into(), ..Differing::default() };
        settled(&disputed, &found, &rows, &differing)
    }

    #[test]
    fn what_the_drill_passed_by_is_counted_when_it_balances() {
        let agreed = settle(&[1, 2, 3], &[1, 2, 9], (&[3], &[9])).expect("1 and 2 balance");
        assert_eq!(agreed[&PartitionIndex(1)], Agreed { messages: 2, late: 1, offset_max: 17 });
    }

    #[test]
    fn a_difference_that_was_passed_by_settles_nothing() {
        assert_eq!(settle(&[1, 2, 3], &[1, 8, 9], (&[3], &[9])), None);
    }

    #[test]
    fn a_drill_that_finds_more_than_there_was_settles_nothing() {
        assert_eq!(settle(&[1], &[1, 9], (&[1, 1], &[9])), None);
    }
}

//! How long messages took to land: from their timestamps to the commit that added their rows.
//!
//! Contract: rows are counted, not looked up. Rows of a segment are taken to be of its messages in the order of their offsets, each
//! as old as the oldest message that was consumed with it: a figure is too large by a second or the time that one batch spans,
//! and by as many messages of its segment as never land. Rows of rewritten files say nothing,
//! nor do rows of messages that an earlier process consumed. Bounded: see [`LANDING_PARTS_MAX`].

use std::collections::{BTreeMap, VecDeque};

use validator_core::segment::SegmentKey;
use validator_core::shadow::event::LanePart;
use validator_core::shadow::file::{FileBags, FileFacts};

use super::limits::{LANDING_PART_MS, LANDING_PARTS_MAX};
use super::status::Histogram;

/// Messages that wait for their rows, by segment, in the order of their offsets.
#[derive(Debug, Default)]
pub struct Landing {
    segments: BTreeMap<SegmentKey, VecDeque<Part>>,
    parts: usize,
}

/// How many rows a file has in each segment.
pub fn rows_of(bags: &FileBags) -> Vec<(SegmentKey, u64)> {
    bags.bags.iter().map(|(segment, bag)| (*segment, bag.count)).collect()
}

/// Messages of one segment that were consumed together.
#[derive(Debug)]
struct Part {
    many: u64,
    oldest_ms: i64,
}

impl Landing {
    /// Messages were consumed.
    pub fn consumed(&mut self, lanes: &[LanePart]) {
        for part in lanes.iter().flat_map(|lane| &lane.parts) {
            // Of messages without timestamp nobody knows how long they took.
            let (Some(oldest_ms), many) = (part.times.min_ms, part.bag.count) else { continue };
            let many = many.saturating_sub(u64::from(part.times.untimed));
            if many == 0 {
                continue;
            }
            let parts = self.segments.entry(part.segment).or_default();
            match parts.back_mut() {
                Some(last) if (last.oldest_ms..last.oldest_ms + LANDING_PART_MS).contains(&oldest_ms) => {
                    last.many += many
                }
                _ => {
                    parts.push_back(Part { many, oldest_ms });
                    self.parts += 1;
                }
            }
        }
        while self.parts > LANDING_PARTS_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = |parts: &VecDeque<Part>| parts.front().map(|part| part.oldest_ms);
        let segment = self.segments.iter().min_by_key(|(_, parts)| oldest(parts)).map(|(segment, _)| *segment);
        if let Some(gone) = segment.and_then(|segment| self.segments.remove(&segment)) {
            self.parts -= gone.len();
        }
    }

    /// A file became live that its commit added.
    pub fn landed(&mut self, facts: &FileFacts, rows: &[(SegmentKey, u64)], histogram: &mut Histogram) {
        let Some(commit_ms) = facts.commit_ms.filter(|_| !facts.is_replace) else { return };
        for (segment, rows) in rows {
            let Some(parts) = self.segments.get_mut(segment) else { continue };
            let mut rows = *rows;
            while rows > 0 {
                let Some(first) = parts.front_mut() else { break };
                let many = rows.min(first.many);
                histogram.add((commit_ms - first.oldest_ms) as f64 / 1_000.0, many);
                (first.many, rows) = (first.many - many, rows - many);
                if first.many == 0 {
                    parts.pop_front();
                    self.parts -= 1;
                }
            }
            if parts.is_empty() {
                self.segments.remove(segment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use validator_core::bag::Bag;
    use validator_core::digest::Digest;
    use validator_core::position::PartitionIndex;
    use validator_core::shadow::event::SegmentPart;
    use validator_core::shadow::segment::Times;

    use super::*;

    fn segment(index: i64) -> SegmentKey {
        SegmentKey::Offsets { partition: PartitionIndex(0), index }
    }

    fn bag(count: u64) -> Bag {
        let mut bag = Bag::EMPTY;
        (0..count).for_each(|_| bag.add(&Digest([7; 32])));
        bag
    }

    fn consumed(index: i64, many: u64, oldest_ms: i64) -> LanePart {
        let times = Times { min_ms: Some(oldest_ms), max_ms: Some(oldest_ms + 900), untimed: 0 };
        let part = SegmentPart {
            segment: segment(index),
            bag: bag(many),
            times,
            offset_max: 0,
            span: (0, 1),
            excluded: 0,
            undecodable: 0,
        };
        let (gaps, undecodable, excluded) = (Vec::new(), Vec::new(), BTreeMap::new());
        LanePart {
            partition: PartitionIndex(0),
            from: 0,
            to: 0,
            parts: vec![part],
            gaps,
            undecodable,
            excluded,
            windows: None,
            versions: Vec::new(),
        }
    }

    fn file(commit_ms: Option<i64>, is_replace: bool, rows: &[(i64, u64)]) -> (FileFacts, Vec<(SegmentKey, u64)>) {
        let facts = FileFacts {
            path: "f".to_owned(),
            size: 1,
            entries: 1,
            sequence: None,
            added_by: 1,
            commit_ms,
            is_replace,
            deletes: [0; 16],
            spec_id: 0,
        };
        let bags = rows.iter().map(|(index, count)| (segment(*index), bag(*count))).collect();
        (facts, rows_of(&FileBags { bags, ..FileBags::default() }))
    }

    fn counts(histogram: &Histogram) -> (u64, f64) {
        (histogram.cumulative()[14], histogram.sum_s())
    }

    #[test]
    fn rows_land_in_the_order_of_their_messages() {
        let (mut landing, mut histogram) = (Landing::default(), Histogram::default());
        landing.consumed(&[consumed(0, 6, 0), consumed(0, 4, 999), consumed(0, 5, 10_000), consumed(1, 3, 12_000)]);
        let (facts, bags) = file(Some(20_000), false, &[(0, 12), (1, 1)]);
        landing.landed(&facts, &bags, &mut histogram);
        // Ten of 20 s, two of 10 s, one of 8 s.
        assert_eq!(counts(&histogram), (13, 228.0));
        let (facts, bags) = file(Some(15_000), false, &[(0, 9), (1, 2), (2, 5)]);
        landing.landed(&facts, &bags, &mut histogram);
        // Three of 5 s, two of 3 s; rows that no message waits for are not counted.
        assert_eq!(counts(&histogram), (18, 249.0));
        assert_eq!((landing.parts, landing.segments.len()), (0, 0));
    }

    #[test]
    fn rewrites_and_expired_commits_say_nothing() {
        let (mut landing, mut histogram) = (Landing::default(), Histogram::default());
        landing.consumed(&[consumed(0, 10, 0)]);
        for (commit_ms, is_replace) in [(Some(9), true), (None, false)] {
            let (facts, bags) = file(commit_ms, is_replace, &[(0, 10)]);
            landing.landed(&facts, &bags, &mut histogram);
        }
        assert_eq!(counts(&histogram), (0, 0.0));
    }

    #[test]
    fn what_never_lands_is_forgotten_in_the_end() {
        let mut landing = Landing::default();
        let most = i64::try_from(LANDING_PARTS_MAX).expect("small");
        for index in 0..most + 10 {
            landing.consumed(&[consumed(-index, 1, index)]);
        }
        assert_eq!((landing.parts, landing.segments.len()), (LANDING_PARTS_MAX, LANDING_PARTS_MAX));
        assert!(landing.segments.contains_key(&segment(-10)) && !landing.segments.contains_key(&segment(-9)));
    }
}

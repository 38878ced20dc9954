//! Slips of rows by file: what a scan keeps of each row beside the bags, for as long as the shadow needs it.
//!
//! Contract: those of a file are all there, or none. Where they are too many those of the file with most are let go.

use std::collections::BTreeMap;

use validator_core::position::{FileIndex, PartitionIndex};
use validator_core::segment::OffsetWidth;
use validator_core::shadow::slips::{FileSlips, Mark, Slips};

use crate::live::lanes::Lanes;
use crate::slips::Name;

/// See the module.
#[derive(Debug, Default)]
pub struct RowsOfFiles {
    /// By file; none: they were too many.
    files: BTreeMap<u32, Option<Vec<(Name, Mark)>>>,
    held: usize,
    most: usize,
}

impl RowsOfFiles {
    /// Holds at most so many.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Rows of one batch: file, name, mark. What has no name is a row of no partition that is known.
    pub fn add(&mut self, rows: impl Iterator<Item = (u32, Name, Mark)>) {
        for (file, name, mark) in rows.filter(|(_, name, _)| *name != Name::NONE) {
            let of_file = self.files.entry(file).or_insert_with(|| Some(Vec::new()));
            if let Some(of_file) = of_file {
                of_file.push((name, mark));
                self.held += 1;
            }
        }
        while self.held > self.most {
            let most = self.files.values_mut().max_by_key(|rows| rows.as_ref().map_or(0, Vec::len));
            self.held -= most.and_then(Option::take).map_or(0, |rows| rows.len());
        }
    }

    /// The pass is made again.
    pub fn clear(&mut self) {
        (self.files, self.held) = (BTreeMap::new(), 0);
    }

    /// Those of a file, cut at the positions; a file without rows has none.
    pub fn of(&mut self, file: FileIndex, lanes: &Lanes, width: OffsetWidth) -> Option<FileSlips> {
        let Some(rows) = self.files.remove(&file.0) else { return Some(FileSlips::default()) };
        let mut cut = FileSlips::default();
        let (mut rows_of, mut ahead): (BTreeMap<_, Vec<_>>, BTreeMap<PartitionIndex, Vec<_>>) = Default::default();
        for (name, mark) in rows? {
            let at = name.offset();
            let Some(lane) = lanes.at.get(at.partition.0 as usize).filter(|_| at.offset >= 0) else { continue };
            let slip = (at.offset, mark);
            if at.offset >= lane.position {
                ahead.entry(at.partition).or_default().push(slip);
            } else {
                rows_of.entry(width.segment_of(at.partition, at.offset)).or_default().push(slip);
            }
        }
        cut.rows = rows_of.into_iter().map(|(segment, slips)| (segment, Slips::from_iter(slips))).collect();
        cut.ahead = ahead.into_iter().map(|(partition, slips)| (partition, Slips::from_iter(slips))).collect();
        Some(cut)
    }
}

#[cfg(test)]
mod tests {
    use validator_core::position::TopicPartition;
    use validator_core::segment::SegmentKey;

    use super::*;
    use crate::live::lanes::LaneAt;

    #[test]
    fn those_of_a_file_are_all_there_or_none() {
        let tp = TopicPartition { topic: "t".into(), partition: 0 };
        let lanes = Lanes::from(vec![LaneAt { tp, start: 0, declared: false, position: 20 }]);
        let width = OffsetWidth::new(16).expect("a power of two");
        let partition = PartitionIndex(0);
        let row = |file, offset: i64| (file, Name::of_offset(partition, offset), [offset as u8; 8]);
        let mut rows = RowsOfFiles::new(6);
        rows.add([row(1, 3), row(2, 15), row(1, 17), (1, Name::NONE, [0; 8]), row(1, 20)].into_iter());
        rows.add([row(2, 16), row(2, 1), row(2, 2)].into_iter());
        assert_eq!(rows.of(FileIndex(2), &lanes, width), None, "it had most");
        assert_eq!(rows.of(FileIndex(3), &lanes, width), Some(FileSlips::default()));
        let slips = rows.of(FileIndex(1), &lanes, width).expect("there was room");
        let segment = |index| SegmentKey::Offsets { partition, index };
        let of = |offset: i64| Slips::from_iter([(offset, [offset as u8; 8])]);
        assert_eq!(slips.rows, BTreeMap::from([(segment(0), of(3)), (segment(1), of(17))]));
        assert_eq!(slips.ahead, BTreeMap::from([(partition, of(20))]));
    }
}

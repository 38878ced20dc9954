//! What a recording holds and where: blocks of a file, each with the offsets of every partition in it.
//!
//! Blocks let a read of a few offsets pass over the rest of the files, in memory of a few bytes per megabyte.

use std::collections::BTreeMap;

use validator_core::position::TopicPartition;

/// The number of a partition in the order of discovery.
pub(super) type Found = usize;

/// Messages that lie together in a file.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The first byte, or the number of the row group.
    pub(super) at: u64,
    /// One past the last byte or row group.
    pub(super) end: u64,
    /// 1-based number of the first line or row.
    pub(super) line: u64,
    /// (partition, least offset, greatest offset)
    pub(super) spans: Vec<(Found, i64, i64)>,
}

/// What was found of one partition.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) tp: TopicPartition,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) count: u64,
    /// Least offset at or after each of the instants asked for.
    at_time: Vec<Option<i64>>,
    /// In the file at hand: (first, last) offset.
    in_file: Option<(i64, i64)>,
    /// A file has its offsets not in ascending order.
    pub(super) disordered: bool,
    /// Per file: (file, first, last).
    files: Vec<(usize, i64, i64)>,
}

/// Numbers of partitions by name; the one found last is found at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    numbered: Vec<TopicPartition>,
    by_name: BTreeMap<String, BTreeMap<i32, Found>>,
    last: Found,
}

impl Names {
    /// The partition of that name, if it was found.
    pub(super) fn find(&mut self, topic: &str, partition: i32) -> Option<Found> {
        if let Some(tp) = self.numbered.get(self.last)
            && tp.partition == partition
            && tp.topic == topic
        {
            return Some(self.last);
        }
        self.last = *self.by_name.get(topic)?.get(&partition)?;
        Some(self.last)
    }

    fn add(&mut self, tp: TopicPartition) -> Found {
        self.last = self.numbered.len();
        self.by_name.entry(tp.topic.clone()).or_default().insert(tp.partition, self.last);
        self.numbered.push(tp);
        self.last
    }
}

/// Everything that one pass over the files has found.
#[derive(Debug, Default)]
pub(super) struct Index {
    times_ms: Vec<i64>,
    pub(super) partitions: Vec<Seen>,
    pub(super) names: Names,
    /// Blocks of each file.
    pub(super) blocks: Vec<Vec<Block>>,
}

impl Index {
    /// An empty index that will know the first offset at or after each of these instants.
    pub(super) fn new(times_ms: Vec<i64>) -> Self {
        Self { times_ms, ..Self::default() }
    }

    pub(super) fn begin_file(&mut self) {
        self.blocks.push(Vec::new());
    }

    pub(super) fn end_file(&mut self) {
        let file = self.blocks.len() - 1;
        for seen in &mut self.partitions {
            if let Some((first, last)) = seen.in_file.take() {
                seen.files.push((file, first, last));
            }
        }
    }

    /// Makes a partition known that may have no message.
    pub(super) fn declare(&mut self, topic: &str, partition: i32) {
        self.find_or_make(topic, partition);
    }

    /// Starts a block of the file at hand.
    pub(super) fn begin_block(&mut self, at: u64, line: u64) {
        let file = self.blocks.last_mut().expect("a file was begun");
        if let Some(before) = file.last_mut() {
            before.end = at;
        }
        file.push(Block { at, end: u64::MAX, line, spans: Vec::new() });
    }

    /// Adds a message to the block at hand.
    pub(super) fn add(&mut self, topic: &str, partition: i32, offset: i64, timestamp_ms: Option<i64>) {
        let found = self.find_or_make(topic, partition);
        let seen = &mut self.partitions[found];
        (seen.first, seen.last) = (seen.first.min(offset), seen.last.max(offset));
        seen.count += 1;
        match &mut seen.in_file {
            None => seen.in_file = Some((offset, offset)),
            Some((first, last)) => {
                seen.disordered |= offset <= *last;
                (*first, *last) = ((*first).min(offset), (*last).max(offset));
            }
        }
        if let Some(ms) = timestamp_ms {
            for (time, at) in self.times_ms.iter().zip(&mut seen.at_time) {
                if ms >= *time && at.is_none_or(|at| offset < at) {
                    *at = Some(offset);
                }
            }
        }
        let block = self.blocks.last_mut().and_then(|file| file.last_mut()).expect("a block was begun");
        match block.spans.iter_mut().find(|(partition, ..)| *partition == found) {
            Some((_, least, greatest)) => (*least, *greatest) = ((*least).min(offset), (*greatest).max(offset)),
            None => block.spans.push((found, offset, offset)),
        }
    }

    fn find_or_make(&mut self, topic: &str, partition: i32) -> Found {
        if let Some(found) = self.names.find(topic, partition) {
            return found;
        }
        let tp = TopicPartition { topic: topic.to_owned(), partition };
        self.partitions.push(Seen {
            tp: tp.clone(),
            first: i64::MAX,
            last: i64::MIN,
            count: 0,
            at_time: vec![None; self.times_ms.len()],
            in_file: None,
            disordered: false,
            files: Vec::new(),
        });
        self.names.add(tp)
    }

    /// The least offset of a partition whose timestamp is at or after one of the instants asked for.
    pub(super) fn at_time(&self, found: Found, ms: i64) -> Option<i64> {
        let time = self.times_ms.binary_search(&ms).ok()?;
        self.partitions[found].at_time[time]
    }

    /// An order of the files in which every partition's offsets ascend; partitions for which there is none are marked
    /// as disordered.
    ///
    /// Files are often named `part-1, part-10, part-2`, so the order of names says nothing.
    pub(super) fn order_files(&mut self) -> Vec<usize> {
        let count = self.blocks.len();
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut waits = vec![0_usize; count];
        for seen in self.partitions.iter_mut().filter(|s| !s.disordered) {
            seen.files.sort_unstable_by_key(|(_, first, _)| *first);
            if seen.files.windows(2).any(|pair| pair[0].2 >= pair[1].1) {
                seen.disordered = true;
                continue;
            }
            for pair in seen.files.windows(2) {
                after[pair[0].0].push(pair[1].0);
                waits[pair[1].0] += 1;
            }
        }
        let mut order = Vec::with_capacity(count);
        let mut ready: std::collections::BTreeSet<usize> = (0..count).filter(|file| waits[*file] == 0).collect();
        while let Some(file) = ready.pop_first() {
            order.push(file);
            for next in &after[file] {
                waits[*next] -= 1;
                if waits[*next] == 0 {
                    ready.insert(*next);
                }
            }
        }
        let left: Vec<usize> = (0..count).filter(|file| waits[*file] > 0).collect();
        for seen in self.partitions.iter_mut().filter(|s| s.files.iter().any(|(file, ..)| left.contains(file))) {
            seen.disordered |= seen.files.len() > 1;
        }
        order.extend(left);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of (partition, offset); the order found, and which partitions are disordered.
    fn order(files: &[&[(i32, i64)]]) -> (Vec<usize>, Vec<i32>) {
        let mut index = Index::new(vec![]);
        for file in files {
            index.begin_file();
            index.begin_block(0, 1);
            for (partition, offset) in *file {
                index.add("t", *partition, *offset, None);
            }
            index.end_file();
        }
        let order = index.order_files();
        (order, index.partitions.iter().filter(|s| s.disordered).map(|s| s.tp.partition).collect())
    }

    #[test]
    fn files_come_in_the_order_of_their_offsets() {
        assert_eq!(order(&[&[(0, 20), (0, 21)], &[(0, 0), (1, 9)], &[(1, 5), (2, 0)]]), (vec![2, 1, 0], vec![]));
        assert_eq!(order(&[&[(0, 1)], &[(1, 1)], &[]]), (vec![0, 1, 2], vec![]));
    }

    #[test]
    fn what_no_order_of_files_can_sort_is_marked() {
        assert_eq!(order(&[&[(0, 1), (0, 0), (1, 5)]]).1, [0]);
        assert_eq!(order(&[&[(0, 1), (0, 1)]]).1, [0], "the same offset twice");
        assert_eq!(order(&[&[(0, 1), (0, 5)], &[(0, 5), (0, 9)]]).1, [0], "overlap");
        assert_eq!(order(&[&[(0, 1), (1, 9)], &[(0, 5), (1, 0)], &[(2, 0)]]), (vec![2, 0, 1], vec![0, 1]), "a circle");
    }

    #[test]
    fn the_first_offset_at_or_after_an_instant_is_known() {
        let mut index = Index::new(vec![100, 200]);
        index.begin_file();
        index.begin_block(0, 1);
        for (offset, ms) in [(1, Some(90)), (2, None), (3, Some(250)), (4, Some(150))] {
            index.add("t", 0, offset, ms);
        }
        assert_eq!((index.at_time(0, 100), index.at_time(0, 200), index.at_time(0, 300)), (Some(3), Some(3), None));
    }
}

//! Where a message and a row stand: topic partitions, offsets, files and positions.

use std::fmt;

/// The index of one (topic, partition) in the list of partitions that a run reads, sorted by (topic, partition).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionIndex(pub u32);

/// A topic and one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

/// One message: which partition of the run, which offset. Its order is (topic, partition, offset).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageAt {
    /// The partition of the run.
    pub partition: PartitionIndex,
    /// The offset in it.
    pub offset: i64,
}

/// Bits of an offset in [`MessageAt::place`].
const OFFSET_BITS: u32 = 48;

impl MessageAt {
    /// Partition and offset as one number, in their order: of 2^15 partitions and 2^48 offsets each has its own.
    pub fn place(self) -> i64 {
        i64::from(self.partition.0) << OFFSET_BITS | (self.offset & ((1 << OFFSET_BITS) - 1))
    }
}

/// The index of a data file in the run's list of live files, sorted by path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIndex(pub u32);

/// One row: which live file, which position (0-based, in the whole file). Its order is (file, position).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowAt {
    /// The file.
    pub file: FileIndex,
    /// 0-based row number in the file.
    pub position: u64,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

//! Which of the partitions at hand an event is of.

use std::collections::HashMap;

use validator_core::position::TopicPartition;

use super::native::{Batch, Source};

/// The index of each partition met. Of use as long as an assignment stands: then a topic's handle may be another one's.
#[derive(Default)]
pub(super) struct Sources {
    known: HashMap<Source, Option<usize>>,
    /// The partition of the last event: most come in runs.
    last: Option<(Source, Option<usize>)>,
}

impl Sources {
    /// The index of an event's partition; `find` is asked once for each.
    pub(super) fn index_of(
        &mut self,
        batch: &Batch<'_>,
        source: Source,
        find: impl FnOnce(&TopicPartition) -> Option<usize>,
    ) -> Option<usize> {
        if let Some((last, index)) = self.last
            && last == source
        {
            return index;
        }
        let index = *self
            .known
            .entry(source)
            .or_insert_with(|| find(&TopicPartition { topic: batch.topic_name(source), partition: source.partition }));
        self.last = Some((source, index));
        index
    }
}

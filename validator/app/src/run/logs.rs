//! Whether the logs that are followed are still those of the book.
//!
//! Contract: an offset means a message only in the log that it was read of. Where a topic was made again, or ends before what was
//! read of it, nothing is judged by it; a topic that is not there may come back, and is waited for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use validator_core::position::TopicPartition;
use validator_core::shadow::lane::Lane;
use validator_engine::dead_letters::DeadLetterError;
use validator_tap::{Ends, Tap, TapError};

use super::notes::Notes;
use crate::failure::Failure;

/// What a topic that a book knows and nobody finds means: it is waited for, and not a mistake of who wrote the file.
pub fn away(failure: Failure, known: &[Lane]) -> Failure {
    match failure {
        Failure::Tap(error @ (TapError::TopicMissing { .. } | TapError::PartitionMissing { .. }))
            if !known.is_empty() =>
        {
            Failure::Away(Arc::new(error))
        }
        Failure::DeadLetters(DeadLetterError::Topic { source: error @ TapError::TopicMissing { .. }, .. })
            if !known.is_empty() =>
        {
            Failure::Away(Arc::new(error))
        }
        failure => failure,
    }
}

/// Holds what was opened against the book, and notes the ids of topics that are new to it.
///
/// # Errors
/// [`Failure::Away`]: a log is not the one that was followed.
pub fn are_those_of(notes: &mut Notes, known: &[Lane], tap: &dyn Tap) -> Result<(), Failure> {
    for (topic, id) in tap.topic_ids() {
        if notes.topic_ids.get(&topic).is_some_and(|before| *before != id) {
            return Err(Failure::Away(Arc::new(TapError::TopicRecreated { topic })));
        }
        notes.topic_ids.insert(topic, id);
    }
    let ranges = tap.partitions().iter().map(|range| (&range.tp, range.high_watermark));
    let ends: BTreeMap<&TopicPartition, i64> = ranges.collect();
    let was_cut = |lane: &Lane| {
        let position = *notes.cuts.get(&lane.tp.to_string())?;
        Some(not_that_log(lane.tp.clone(), position, ends.get(&lane.tp).copied().unwrap_or(position)))
    };
    let cut =
        known.iter().find_map(|lane| was_cut(lane).or_else(|| cut(&lane.tp, lane.position, *ends.get(&lane.tp)?)));
    cut.map_or(Ok(()), |cut| Err(Failure::Away(Arc::new(cut))))
}

/// The first partition that ends before what was read of it. `positions` are of a moment before the ends were asked for.
pub fn cut_behind(tps: &[TopicPartition], positions: &[i64], ends: &[Ends]) -> Option<TapError> {
    ends.iter().find_map(|end| {
        let lane = end.partition.0 as usize;
        cut(tps.get(lane)?, *positions.get(lane)?, end.high_watermark)
    })
}

/// Why an offset that is not below the log's start is not the one that was to come.
pub fn not_that_log(tp: TopicPartition, position: i64, end: i64) -> TapError {
    if end < position { TapError::LogCut { tp, position, end } } else { TapError::LogRegrown { tp, position } }
}

/// Says that retention took messages before they were read.
pub fn say_overtaken(pipeline: &str, tp: &TopicPartition, offsets: Range<i64>) {
    tracing::error!(
        pipeline,
        partition = %tp,
        from = offsets.start,
        to = offsets.end,
        "the brokers deleted messages before they were read: they are a hole, and nobody can say whether they are in the table; \
         raise retention.ms of the topic"
    );
}

fn cut(tp: &TopicPartition, position: i64, end: i64) -> Option<TapError> {
    (end < position).then(|| TapError::LogCut { tp: tp.clone(), position, end })
}

#[cfg(test)]
mod tests {
    use validator_core::position::PartitionIndex;

    use super::*;

    #[test]
    fn a_log_that_ends_before_what_was_read_of_it_is_named_and_no_other() {
        let tp = |partition| TopicPartition { topic: "trades".to_owned(), partition };
        let end = |partition, high_watermark| Ends {
            partition: PartitionIndex(partition),
            log_start: 0,
            last_stable: high_watermark,
            high_watermark,
        };
        let tps = [tp(0), tp(7)];
        assert!(cut_behind(&tps, &[5, 9], &[end(0, 5), end(1, 20)]).is_none());
        let cut = cut_behind(&tps, &[5, 9], &[end(0, 5), end(1, 8)]).expect("it is cut");
        assert_eq!(
            cut.to_string(),
            "trades[7] ends at offset 8, and was read up to 9: its log was cut, or is another one"
        );
    }

    #[test]
    fn only_a_topic_that_was_followed_is_waited_for() {
        let missing = || Failure::Tap(TapError::TopicMissing { topic: "trades".to_owned() });
        assert!(matches!(away(missing(), &[]), Failure::Tap(_)));
        let lane = Lane::new(validator_core::shadow::event::NewLane {
            tp: TopicPartition { topic: "trades".to_owned(), partition: 0 },
            start: 0,
            declared: false,
            log_start: 0,
            high_watermark: 0,
        });
        assert!(matches!(away(missing(), &[lane]), Failure::Away(_)));
    }
}

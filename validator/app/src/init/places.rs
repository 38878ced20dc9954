//! Places of a topic where the rows that were read should come from: a large table is not met by chance.
//!
//! Contract: rows name places by their offsets where columns of that name have some, else by their earliest time; both are
//! hints that bring messages into the sample, and prove nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use validator_core::position::PartitionIndex;
use validator_core::schema::Type;
use validator_core::value::Value;
use validator_tap::PartitionRange;

use super::evidence::Rows;
use super::offsets::offset_columns;

/// One range of each partition, of one place in time.
pub type Place = Vec<(PartitionIndex, Range<i64>)>;

/// What a run of neighbouring rows says of where its messages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// There.
    Offsets(Place),
    /// At or after this time, milliseconds since the epoch; so many messages.
    Time(i64, usize),
}

/// The hint of each run of rows.
pub fn hints(rows: &Rows, runs: &[Range<usize>], partitions: &[PartitionRange], times: Range<i64>) -> Vec<Hint> {
    let hint = |run: &Range<usize>| {
        let of_run = &rows.values[run.clone()];
        by_offset(rows, of_run, partitions).map(Hint::Offsets).or_else(|| by_time(rows, of_run, &times))
    };
    runs.iter().filter_map(hint).collect()
}

fn by_offset(rows: &Rows, of_run: &[Vec<Value>], partitions: &[PartitionRange]) -> Option<Place> {
    let (partition, offset) = offset_columns(rows)?;
    let mut by_partition: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for row in of_run {
        let number = |at: usize| row[at].as_integer().and_then(|number| i64::try_from(number).ok());
        let of = partition.map_or(Some(0), number);
        if let (Some(of), Some(at)) = (of, number(offset)) {
            by_partition.entry(of).or_default().push(at);
        }
    }
    let place: Place = partitions
        .iter()
        .zip(0_u32..)
        .filter_map(|(range, index)| {
            let offsets = by_partition.get(&i64::from(range.tp.partition))?;
            let first = *offsets.iter().min()?;
            let end = first.checked_add_unsigned(offsets.len() as u64)?;
            let there = first.max(range.from).max(range.log_start)..end.min(range.to);
            (!there.is_empty()).then_some((PartitionIndex(index), there))
        })
        .collect();
    // One offset in many rows is none.
    let is_constant =
        by_partition.values().all(|offsets| offsets.len() > 1 && offsets.iter().all(|at| *at == offsets[0]));
    (!place.is_empty() && !is_constant).then_some(place)
}

/// By the column whose earliest value comes first: what happens to a message comes before what its sink does.
fn by_time(rows: &Rows, of_run: &[Vec<Value>], times: &Range<i64>) -> Option<Hint> {
    let is_time = |ty: &Type| {
        matches!(ty, Type::Timestamp | Type::Timestamptz | Type::TimestampNs | Type::TimestamptzNs | Type::Long)
    };
    let columns = rows.leaves.iter().enumerate().filter(|(_, leaf)| is_time(&leaf.field.ty));
    let earliest = columns.filter_map(|(at, _)| {
        let first = of_run.iter().filter_map(|row| millis(&row[at], times)).min()?;
        times.contains(&first).then_some(first)
    });
    earliest.min().map(|ms| Hint::Time(ms, of_run.len()))
}

/// Milliseconds since the epoch of an instant, or of a number that is one of the topic's times in some unit.
fn millis(value: &Value, times: &Range<i64>) -> Option<i64> {
    if let Some(nanos) = value.epoch_nanos() {
        return i64::try_from(nanos / 1_000_000).ok();
    }
    let number = value.as_integer().and_then(|number| i64::try_from(number).ok())?;
    [1, 1_000, 1_000_000].into_iter().map(|unit| number / unit).find(|ms| times.contains(ms))
}

/// The ranges of a place that begins at these offsets: `messages` in all, in equal shares.
pub fn from_offsets(starts: &[PartitionRange], messages: usize) -> Place {
    let there = starts.iter().filter(|range| range.from < range.to).count().max(1);
    // Partitions are not filled evenly, and messages come later than what they tell of.
    let each = i64::try_from(messages / there * 2 + 50).unwrap_or(i64::MAX);
    let range = |(range, index): (&PartitionRange, u32)| {
        let first = range.from.max(range.log_start);
        let there = first..first.saturating_add(each).min(range.to);
        (!there.is_empty()).then_some((PartitionIndex(index), there))
    };
    starts.iter().zip(0_u32..).filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use validator_core::position::TopicPartition;
    use validator_core::schema::Field;

    use super::*;
    use crate::init::evidence::Leaf;

    fn range(partition: i32, to: i64) -> PartitionRange {
        PartitionRange {
            tp: TopicPartition { topic: "trades".to_owned(), partition },
            log_start: 0,
            high_watermark: to,
            last_stable: to,
            from: 0,
            to,
            start: None,
            starts_at_first: true,
            ends_at_now: true,
            listed: true,
        }
    }

    fn one(run: Range<usize>) -> Vec<Range<usize>> {
        std::iter::once(run).collect()
    }

    fn rows(columns: &[(&str, Type)], values: Vec<Vec<Value>>) -> Rows {
        let leaf = |(column, (name, ty)): (usize, &(&str, Type))| Leaf {
            path: (*name).to_owned(),
            field: Field::new(column as i32 + 1, *name, false, ty.clone()),
            column,
            is_child: false,
        };
        Rows { leaves: columns.iter().enumerate().map(leaf).collect(), values }
    }

    #[test]
    fn offsets_name_the_place_and_constants_do_not() {
        let columns = [("partition", Type::Int), ("offset", Type::Long)];
        let row = |partition, offset| vec![Value::integer(partition), Value::integer(offset)];
        let sampled = rows(&columns, vec![row(1, 70), row(1, 71), row(0, 5), row(1, 72)]);
        let found = hints(&sampled, &one(0..4), &[range(0, 100), range(1, 100)], 0..1);
        let place = vec![(PartitionIndex(0), 5..6), (PartitionIndex(1), 70..73)];
        assert_eq!(found, [Hint::Offsets(place)]);
        let constant = rows(&columns, vec![row(0, 0), row(0, 0)]);
        assert_eq!(hints(&constant, &one(0..2), &[range(0, 100)], 5..6), []);
    }

    #[test]
    fn without_offsets_the_earliest_of_the_topics_times_names_the_place() {
        let columns = [("written", Type::Timestamptz), ("event", Type::Long), ("id", Type::Long)];
        let row = |ms: i64, id| {
            vec![Value::timestamp_micros((ms + 900) * 1_000, true), Value::integer(ms * 1_000), Value::integer(id)]
        };
        let sampled = rows(&columns, vec![row(5_300_000, 7), row(5_200_000, 8)]);
        let found = hints(&sampled, &one(0..2), &[range(0, 100)], 5_000_000..6_000_000);
        assert_eq!(found, [Hint::Time(5_200_000, 2)]);
    }
}

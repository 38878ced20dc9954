//! Recorded rows of which only some are asked for: the others are not even mapped.

use std::collections::HashMap;

use validator_core::position::MessageAt;
use validator_tap::{Decoded, RowBatch};

use crate::selection::Selection;

/// The rows of a batch that are asked for; none if there is none.
pub fn of_asked(batch: RowBatch, asked: &dyn Fn(MessageAt) -> bool) -> Option<RowBatch> {
    let is_asked = |row: &usize| asked(MessageAt { partition: batch.partition, offset: batch.offsets[*row] });
    if (0..batch.offsets.len()).all(|row| is_asked(&row)) {
        return Some(batch);
    }
    let rows: Vec<usize> = (0..batch.offsets.len()).filter(is_asked).collect();
    let place: HashMap<usize, usize> = rows.iter().copied().zip(0..).collect();
    let decoded = Decoded {
        rows: rows.len(),
        columns: Selection::new(batch.offsets.len(), &rows).columns(&batch.decoded.columns),
        inexact: batch
            .decoded
            .inexact
            .into_iter()
            .filter_map(|(row, column, text)| Some((*place.get(&row)?, column, text)))
            .collect(),
        unknown_fields: batch
            .decoded
            .unknown_fields
            .into_iter()
            .map(|(name, of)| (name, of.iter().filter_map(|row| place.get(row).copied()).collect()))
            .collect(),
        ..batch.decoded
    };
    let offsets = rows.iter().map(|row| batch.offsets[*row]).collect();
    let timestamps_ms = rows.iter().map(|row| batch.timestamps_ms[*row]).collect();
    (!rows.is_empty()).then_some(RowBatch { partition: batch.partition, offsets, timestamps_ms, decoded })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};
    use validator_core::position::PartitionIndex;

    use super::*;

    fn batch() -> RowBatch {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![10, 11, 12, 13]));
        let decoded = Decoded {
            rows: 4,
            columns: vec![values],
            inexact: vec![(0, 0, "a".into()), (2, 0, "b".into()), (3, 0, "c".into())],
            unknown_fields: [("more".to_owned(), vec![1, 2])].into(),
            ..Decoded::default()
        };
        let timestamps_ms = vec![Some(0), None, Some(2), Some(3)];
        RowBatch { partition: PartitionIndex(5), offsets: vec![100, 101, 102, 103], timestamps_ms, decoded }
    }

    #[test]
    fn what_is_known_of_a_row_goes_with_it() {
        let some = of_asked(batch(), &|at| at.partition.0 == 5 && [102, 103].contains(&at.offset)).expect("two are");
        assert_eq!((some.offsets, some.timestamps_ms), (vec![102, 103], vec![Some(2), Some(3)]));
        assert_eq!(
            (some.decoded.rows, &*some.decoded.columns[0]),
            (2, &Int64Array::from(vec![12, 13]) as &dyn arrow_array::Array)
        );
        assert_eq!(some.decoded.inexact, [(0, 0, "b".to_owned()), (1, 0, "c".to_owned())]);
        assert_eq!(some.decoded.unknown_fields, [("more".to_owned(), vec![0])].into());
    }

    #[test]
    fn all_are_as_they_were_and_none_is_no_batch() {
        assert_eq!(of_asked(batch(), &|_| true).expect("all are").offsets, batch().offsets);
        assert!(of_asked(batch(), &|_| false).is_none());
    }
}

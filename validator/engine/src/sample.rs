//! A look at the first and last messages of each partition: what fields they really have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use arrow_array::Array;
use validator_core::judge::MessageState;
use validator_core::position::PartitionIndex;
use validator_tap::Wanted;

use crate::binding::ColumnSource;
use crate::limits::SAMPLE_OFFSETS;
use crate::message_reader::{MessageSide, ReadError};

/// What a sample of messages shows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Messages looked at.
    pub messages: u64,
    /// Of them, those that are neither excluded nor undecodable.
    pub judged: u64,
    /// Non-null fields that are neither used nor dropped → messages.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Columns that map by their name and that no message of the sample has.
    pub absent_columns: Vec<String>,
    /// Why messages are undecodable → how many.
    pub undecodable: BTreeMap<String, u64>,
}

/// Looks at up to 500 offsets at either end of each partition. Blocking.
///
/// # Errors
/// The source failed.
pub fn sample(side: &MessageSide) -> Result<Sample, ReadError> {
    let mut sample = Sample::default();
    let named = |(index, column): (usize, &crate::binding::BoundColumn)| {
        matches!(column.source, ColumnSource::Field { .. }).then_some(index)
    };
    let mut absent: BTreeSet<usize> = side.binding.columns.iter().enumerate().filter_map(named).collect();
    let seen = side.read(&ends(side), &mut |batch| {
        sample.messages += batch.len() as u64;
        sample.judged += batch.states.iter().filter(|state| **state == MessageState::Judged).count() as u64;
        for (_, why) in &batch.details {
            *sample.undecodable.entry(why.clone()).or_default() += 1;
        }
        absent.retain(|index| {
            batch.columns[*index].null_count() == batch.len() && batch.marks.iter().all(|m| m.column != *index)
        });
        ControlFlow::Continue(())
    })?;
    sample.unknown_fields = seen.unknown_fields;
    if sample.judged > 0 {
        sample.absent_columns =
            absent.into_iter().map(|index| side.binding.columns[index].field.name.clone()).collect();
    }
    Ok(sample)
}

fn ends(side: &MessageSide) -> Vec<Wanted> {
    let range = |(index, range): (usize, &validator_tap::PartitionRange)| {
        let first = range.from.max(range.log_start);
        if first >= range.to {
            return None;
        }
        let middle = (first + SAMPLE_OFFSETS).min(range.to);
        let tail = (range.to - SAMPLE_OFFSETS).max(middle);
        let ranges: Vec<Range<i64>> = [first..middle, tail..range.to].into_iter().filter(|r| !r.is_empty()).collect();
        Some((PartitionIndex(index as u32), ranges))
    };
    side.tap.partitions().iter().enumerate().filter_map(range).collect()
}

//! A look at the first and last messages of each partition: what fields they really have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use validator_core::judge::MessageState;
use validator_core::position::PartitionIndex;
use validator_tap::Wanted;

use crate::binding::{Binding, BoundColumn, ColumnSource, META_NAMES};
use crate::expr::referenced_names;
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
    /// Top-level names of the payloads that are JSON objects, whatever their values.
    pub names: BTreeSet<String>,
    /// Why messages are undecodable → how many.
    pub undecodable: BTreeMap<String, u64>,
}

/// Looks at up to 500 offsets at either end of each partition. Blocking.
///
/// # Errors
/// The source failed.
pub fn sample(side: &MessageSide) -> Result<Sample, ReadError> {
    let mut sample = Sample::default();
    let ends = ends(side);
    let read = side.tap.read(&ends, &mut |message| {
        let names: Option<Names> = message.payload.and_then(|payload| serde_json::from_slice(payload).ok());
        sample.names.extend(names.unwrap_or_default().into_keys());
        ControlFlow::Continue(())
    })?;
    let of = |partition: PartitionIndex| side.tap.partitions()[partition.0 as usize].tp.clone();
    // Nothing that could not be looked at is sound.
    for ended in read.partitions {
        if let Some(source) = ended.failure {
            return Err(ReadError::Unsampled { tp: of(ended.partition), source });
        }
    }
    let seen = side.read(&ends, &mut |batch| {
        sample.messages += batch.len() as u64;
        sample.judged += batch.states.iter().filter(|state| **state == MessageState::Judged).count() as u64;
        for (_, why) in &batch.details {
            *sample.undecodable.entry(why.clone()).or_default() += 1;
        }
        ControlFlow::Continue(())
    })?;
    for (index, partition) in seen.partitions.iter().enumerate() {
        if let Some(failure) = &partition.failure {
            let tp = of(PartitionIndex(index as u32)).to_string();
            return Err(ReadError::Lost { tp, failure: failure.clone() });
        }
    }
    sample.unknown_fields = seen.unknown_fields;
    Ok(sample)
}

/// The names of an object, its values passed over.
type Names = BTreeMap<String, serde::de::IgnoredAny>;

/// A field that the contract refers to and that no message of a sample has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentField {
    /// The field.
    pub name: String,
    /// The key of the pipeline file whose expression refers to it; none: the column of its name.
    pub key: Option<String>,
}

impl Sample {
    /// The fields that `binding` refers to and that no message has. Only where payloads are JSON.
    pub fn absent(&self, binding: &Binding) -> Vec<AbsentField> {
        let is_absent = |name: &String| !self.names.contains(name) && !META_NAMES.contains(&name.as_str());
        let by_sql = |key: String, sql: &str| {
            let names = referenced_names(sql).unwrap_or_default().into_iter().filter(is_absent);
            names.map(|name| AbsentField { name, key: Some(key.clone()) }).collect::<Vec<_>>()
        };
        let of_column = |column: &BoundColumn| match &column.source {
            ColumnSource::Field { index, .. } => {
                let name = Some(binding.wanted[*index].name.clone()).filter(is_absent);
                name.map(|name| AbsentField { name, key: None }).into_iter().collect()
            }
            ColumnSource::Sql(sql) => by_sql(format!("map.{}", column.field.name), sql),
            ColumnSource::Position(_) | ColumnSource::PositionStruct(_) => Vec::new(),
        };
        let of_filter = binding.filter.iter().flat_map(|sql| by_sql("pipeline.filter".to_owned(), sql));
        binding.columns.iter().flat_map(of_column).chain(of_filter).collect()
    }
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

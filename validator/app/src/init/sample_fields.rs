//! Sampling messages that are rows of recorded Parquet files: they have fields and no payload.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use validator_core::contract::FieldType;
use validator_core::schema::Type;
use validator_core::value::Value;
use validator_engine::message_reader::ReadError;
use validator_tap::{ReadEnd, RowFields, RowSource, Wanted, WantedField};

use super::limits::NAMES_MAX;
use super::sample_messages::Raw;
use crate::failure::Failure;

/// The fields that are read.
pub fn known(source: &dyn RowSource) -> Vec<(String, Type)> {
    source.columns().iter().take(NAMES_MAX).cloned().collect()
}

/// Reads these ranges. Blocking.
///
/// # Errors
/// The source failed.
pub fn read(source: &dyn RowSource, wanted: &[Wanted], messages: &mut Vec<Raw>) -> Result<ReadEnd, Failure> {
    let fields: Vec<WantedField> =
        known(source).into_iter().map(|(name, ty)| WantedField::typed(name, FieldType::Plain(ty))).collect();
    let fields =
        RowFields::new(&fields, BTreeSet::new()).map_err(|error| Failure::Run(ReadError::from(error).into()))?;
    let end = source.read_rows(wanted, &fields, &mut |batch| {
        let stamps = batch.offsets.iter().zip(&batch.timestamps_ms).enumerate();
        messages.extend(stamps.map(|(row, (offset, timestamp_ms))| {
            let columns = batch.decoded.columns.iter().zip(fields.fields());
            let values = columns.map(|(column, field)| Value::from_arrow(column, row, &field.ty));
            Raw {
                partition: batch.partition,
                offset: *offset,
                timestamp_ms: *timestamp_ms,
                key: None,
                payload: None,
                fields: Some(values.collect()),
            }
        }));
        ControlFlow::Continue(())
    })?;
    Ok(end)
}

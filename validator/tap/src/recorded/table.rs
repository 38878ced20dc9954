//! Messages recorded as rows of Parquet: `topic, partition, offset, timestamp, key, value, headers`.
//!
//! `timestamp` is a timestamp or whole milliseconds; `key` and `value` are binary or strings; `headers` is a list of (name,
//! value) structs or a map. `timestamp`, `key` and `headers` may be missing. A block is a row group.

use std::fs::File;
use std::ops::ControlFlow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::file::{Each, Record, RecordedFile};
use super::index::Block;
use crate::{Header, Headers, TapError};

const NEEDED: [&str; 4] = ["topic", "partition", "offset", "value"];
const WANTED: [&str; 7] = ["topic", "partition", "offset", "timestamp", "key", "value", "headers"];

/// Gives every message of the row groups to `each`.
pub(super) fn scan(file: &RecordedFile, blocks: Option<&[Block]>, each: Each<'_>) -> Result<ControlFlow<()>, TapError> {
    let failed = |source| TapError::Parquet { path: file.path.clone(), source };
    let handle = File::open(&file.path).map_err(|source| file.io(source))?;
    // The types of the Parquet schema itself: no writer's hint makes dictionaries or views of them.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&handle, options).map_err(failed)?;
    if let Some(missing) = NEEDED.iter().find(|name| metadata.schema().column_with_name(name).is_none()) {
        return Err(TapError::Record {
            path: file.path.clone(),
            line: 0,
            what: format!("there is no column {missing}"),
        });
    }
    let roots = WANTED.iter().filter_map(|name| Some(metadata.schema().column_with_name(name)?.0));
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    let groups = metadata.metadata().row_groups();
    let mut first_row = 0;
    for (number, group) in groups.iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let wanted = blocks.is_none_or(|blocks| blocks.iter().any(|block| block.at == number as u64));
        if wanted {
            let handle = handle.try_clone().map_err(|source| file.io(source))?;
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata.clone())
                .with_row_groups(vec![number])
                .with_projection(mask.clone())
                .build()
                .map_err(failed)?;
            let mut line = first_row;
            for batch in reader {
                let batch = batch.map_err(|source| failed(source.into()))?;
                if rows_of(file, &batch, number as u64, line, each)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                line += batch.num_rows() as u64;
            }
        }
        first_row += rows;
    }
    Ok(ControlFlow::Continue(()))
}

fn rows_of(
    file: &RecordedFile,
    batch: &RecordBatch,
    group: u64,
    first_row: u64,
    each: Each<'_>,
) -> Result<ControlFlow<()>, TapError> {
    let column = |name| batch.column_by_name(name);
    for row in 0..batch.num_rows() {
        let line = first_row + row as u64 + 1;
        let refuse = |what: &str| TapError::Record {
            path: file.path.clone(),
            line,
            what: format!("{what} is missing or no such thing"),
        };
        let topic = bytes(column("topic"), row).and_then(|b| std::str::from_utf8(b).ok());
        let partition = whole(column("partition"), row).and_then(|n| i32::try_from(n).ok()).filter(|n| *n >= 0);
        let offset = whole(column("offset"), row).filter(|n| *n >= 0);
        let headers = RowHeaders { column: column("headers"), row };
        let record = Record {
            topic: topic.ok_or_else(|| refuse("topic"))?,
            partition: partition.ok_or_else(|| refuse("partition"))?,
            offset: offset.ok_or_else(|| refuse("offset"))?,
            timestamp_ms: whole(column("timestamp"), row).filter(|ms| *ms >= 0),
            key: bytes(column("key"), row),
            payload: bytes(column("value"), row),
            headers: &headers,
            at: group,
            line,
            length: 0,
        };
        if each(&record)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// A whole number; instants as milliseconds, rounded down.
pub(crate) fn whole(column: Option<&ArrayRef>, row: usize) -> Option<i64> {
    let column = column.filter(|c| c.is_valid(row))?;
    Some(match column.data_type() {
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row),
        DataType::Timestamp(TimeUnit::Millisecond, _) => column.as_primitive::<TimestampMillisecondType>().value(row),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().value(row).div_euclid(1_000)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            column.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000_000)
        }
        _ => return None,
    })
}

fn bytes(column: Option<&ArrayRef>, row: usize) -> Option<&[u8]> {
    let column = column.filter(|c| c.is_valid(row))?;
    match column.data_type() {
        DataType::Binary => Some(column.as_binary::<i32>().value(row)),
        DataType::Utf8 => Some(column.as_string::<i32>().value(row).as_bytes()),
        DataType::FixedSizeBinary(_) => Some(column.as_fixed_size_binary().value(row)),
        _ => None,
    }
}

/// The headers of one row.
struct RowHeaders<'a> {
    column: Option<&'a ArrayRef>,
    row: usize,
}

impl Headers for RowHeaders<'_> {
    fn to_vec(&self) -> Vec<Header> {
        let Some(column) = self.column.filter(|c| c.is_valid(self.row)) else { return Vec::new() };
        let pairs: Option<StructArray> = match column.data_type() {
            DataType::List(_) => column.as_list::<i32>().value(self.row).as_struct_opt().cloned(),
            DataType::Map(..) => Some(column.as_map().value(self.row)),
            _ => None,
        };
        let Some(pairs) = pairs.filter(|pairs| pairs.num_columns() == 2) else { return Vec::new() };
        let header = |row| {
            let name = bytes(Some(pairs.column(0)), row).unwrap_or_default();
            (String::from_utf8_lossy(name).into_owned(), bytes(Some(pairs.column(1)), row).map(<[u8]>::to_vec))
        };
        (0..pairs.len()).map(header).collect()
    }
}

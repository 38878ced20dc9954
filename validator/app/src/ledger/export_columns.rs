//! The columns of states.parquet and segments.parquet.
//!
//! Contract: a batch is held, bounded in rows. Sums of digests are 32 bytes; instants are milliseconds in UTC.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int32Builder, Int64Builder, StringBuilder, TimestampMillisecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;
use validator_ledger::{Listed, ResolvedBy, SegmentRow};

use crate::report::{ParquetError, RowsWriter};

/// Rows of a batch.
const BATCH_ROWS_MAX: usize = 8_192;

/// The zone of instants.
const UTC: &str = "UTC";

/// Columns that are being filled.
pub trait Columns {
    /// Their names and types.
    fn schema() -> SchemaRef;

    /// How many rows are in them.
    fn rows(&self) -> usize;

    /// What is in them; they begin anew.
    fn batch(&mut self) -> Result<RecordBatch, ArrowError>;

    /// Writes what is in them, if they are full or it is the end.
    fn flush<W: Write + Send>(&mut self, writer: &mut RowsWriter<W>, at_end: bool) -> Result<(), ParquetError> {
        if self.rows() >= BATCH_ROWS_MAX || at_end && self.rows() > 0 {
            writer.write(&self.batch()?)?;
        }
        Ok(())
    }
}

/// How findings stand, by the id that they have in findings.parquet.
#[derive(Default)]
pub struct States {
    rows: usize,
    id: StringBuilder,
    state: StringBuilder,
    group: StringBuilder,
    times: Int64Builder,
    opened_at: TimestampMillisecondBuilder,
    changed_at: TimestampMillisecondBuilder,
    resolved_by: StringBuilder,
}

/// Of a finding's line what the states name it by.
#[derive(Deserialize)]
struct Id {
    id: String,
}

impl States {
    /// Adds a finding, by its line.
    ///
    /// # Errors
    /// The line is no finding.
    pub fn push(&mut self, line: &str, listed: &Listed) -> Result<(), ParquetError> {
        let Id { id } = serde_json::from_str(line)?;
        let (state, group, times, opened_ms, changed_ms, by) = match listed {
            Listed::Finding(row) => {
                (row.state, &row.group, row.times, row.opened_ms, row.changed_ms, row.resolved_by.as_ref())
            }
            Listed::Run(run) => (run.state, &run.group, 1, run.opened_ms, run.changed_ms, run.resolved_by.as_ref()),
        };
        self.rows += 1;
        self.id.append_value(id);
        self.state.append_value(state.as_str());
        self.group.append_value(group.as_str());
        self.times.append_value(i64::try_from(times).unwrap_or(i64::MAX));
        self.opened_at.append_value(opened_ms);
        self.changed_at.append_value(changed_ms);
        self.resolved_by.append_option(by.map(|by| match by {
            ResolvedBy::Finding(id) => format!("finding {id}"),
            ResolvedBy::Findings => "findings on single messages".to_owned(),
            ResolvedBy::Snapshot(id) => format!("snapshot {id}"),
        }));
        Ok(())
    }
}

fn instant(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())), false)
}

impl Columns for States {
    fn schema() -> SchemaRef {
        let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
        Arc::new(Schema::new(vec![
            text("id", false),
            text("state", false),
            text("group", false),
            Field::new("times", DataType::Int64, false),
            instant("opened_at"),
            instant("changed_at"),
            text("resolved_by", true),
        ]))
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.state.finish()),
            Arc::new(self.group.finish()),
            Arc::new(self.times.finish()),
            Arc::new(self.opened_at.finish().with_timezone(UTC)),
            Arc::new(self.changed_at.finish().with_timezone(UTC)),
            Arc::new(self.resolved_by.finish()),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

/// Segments, as the books have them.
#[derive(Default)]
pub struct Segments {
    rows: usize,
    segment: StringBuilder,
    topic: StringBuilder,
    partition: Int32Builder,
    from: Int64Builder,
    to: Int64Builder,
    state: StringBuilder,
    counts: [Int64Builder; 5],
    debit: BinaryBuilder,
    credit: BinaryBuilder,
}

/// Counts of a segment.
const COUNTS: [&str; 5] = ["messages", "rows", "excluded", "undecodable", "hole_offsets"];

impl Segments {
    /// Adds a segment.
    pub fn push(&mut self, row: &SegmentRow) {
        self.rows += 1;
        self.segment.append_value(row.segment.to_string());
        self.topic.append_option(row.tp.as_ref().map(|tp| &tp.topic));
        self.partition.append_option(row.tp.as_ref().map(|tp| tp.partition));
        let is_range = row.tp.is_some();
        self.from.append_option(is_range.then_some(row.from));
        self.to.append_option(is_range.then_some(row.upto));
        self.state.append_value(row.state.as_str());
        let few = [row.excluded, row.undecodable, row.hole_offsets].map(u64::from);
        let counts = [row.messages, row.rows].into_iter().chain(few);
        for (builder, many) in self.counts.iter_mut().zip(counts) {
            builder.append_value(i64::try_from(many).unwrap_or(i64::MAX));
        }
        self.debit.append_value(row.debit);
        self.credit.append_value(row.credit);
    }
}

impl Columns for Segments {
    fn schema() -> SchemaRef {
        let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
        let long = |name: &str, nullable| Field::new(name, DataType::Int64, nullable);
        let mut fields = vec![
            text("segment", false),
            text("topic", true),
            Field::new("partition", DataType::Int32, true),
            long("from", true),
            long("to", true),
            text("state", false),
        ];
        fields.extend(COUNTS.map(|name| long(name, false)));
        fields.extend(["debit", "credit"].map(|name| Field::new(name, DataType::Binary, false)));
        Arc::new(Schema::new(fields))
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.segment.finish()),
            Arc::new(self.topic.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.from.finish()),
            Arc::new(self.to.finish()),
            Arc::new(self.state.finish()),
        ];
        columns.extend(self.counts.iter_mut().map(|counts| Arc::new(counts.finish()) as ArrayRef));
        columns.push(Arc::new(self.debit.finish()));
        columns.push(Arc::new(self.credit.finish()));
        RecordBatch::try_new(Self::schema(), columns)
    }
}

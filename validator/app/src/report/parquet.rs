//! Findings as Parquet: a row for each, the columns those of interface.md section 6.
//!
//! ```text
//! line of JSON ─▶ FindingLine ─▶ columns of a batch ─▶ row group
//! ```
//! Contract: one batch and one row group are held, both bounded in rows and bytes, however many findings there are. Values
//! are whole. `message` and `row` are text: NULL, the text itself, or the JSON text of anything else; `identity` is JSON.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::builder::{
    Int32Builder, Int64Builder, ListBuilder, StringBuilder, StructBuilder, TimestampMillisecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError as Broken;
use parquet::file::properties::WriterProperties;
use thiserror::Error;
use validator_engine::found::Findings;

use super::line::{FindingLine, plain};

/// Rows of a batch, and bytes of JSON from which on it is written: a value may have a megabyte.
const BATCH_ROWS_MAX: usize = 1_024;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Rows of a row group, and bytes of it in memory.
const GROUP_ROWS_MAX: usize = 131_072;
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The zone of `timestamp`.
const UTC: &str = "UTC";

/// Findings cannot be written as Parquet.
#[derive(Debug, Error)]
pub enum ParquetError {
    /// A finding cannot be read back.
    #[error("read a finding back")]
    Line(#[from] serde_json::Error),
    /// Columns do not fit together.
    #[error("make columns of findings")]
    Columns(#[from] ArrowError),
    /// The file.
    #[error("write Parquet")]
    Write(#[from] Broken),
}

/// The columns, in the order of the keys.
pub fn findings_schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let list = |name: &str, fields: Fields| {
        Field::new(name, DataType::List(Arc::new(Field::new("element", DataType::Struct(fields), false))), false)
    };
    Arc::new(Schema::new(vec![
        text("id", false),
        text("pipeline", false),
        text("verdict", false),
        text("cause", true),
        text("topic", true),
        Field::new("partition", DataType::Int32, true),
        Field::new("offset", DataType::Int64, true),
        Field::new("timestamp", DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())), true),
        text("identity", true),
        list("columns", column_fields()),
        list("rows", row_fields()),
        Field::new("copies", DataType::Int64, false),
        list("candidates", candidate_fields()),
        text("related", true),
        Field::new("snapshot_id", DataType::Int64, true),
        text("operation", true),
        text("detail", false),
    ]))
}

fn column_fields() -> Fields {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Fields::from(vec![text("name", false), text("message", true), text("row", true), text("damage", false)])
}

fn row_fields() -> Fields {
    Fields::from(vec![Field::new("file", DataType::Utf8, false), Field::new("position", DataType::Int64, true)])
}

fn candidate_fields() -> Fields {
    Fields::from(vec![
        Field::new("topic", DataType::Utf8, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
    ])
}

/// Writes all findings, if all were asked for.
///
/// # Errors
/// Those of `out`; the findings that were put by cannot be read back.
pub fn write_findings(findings: &mut Findings, out: &mut (impl Write + Send)) -> io::Result<()> {
    let mut writer = FindingsWriter::new(out).map_err(io::Error::other)?;
    findings.each_line(&mut |line| writer.push(line).map_err(io::Error::other))?;
    writer.finish().map_err(io::Error::other)
}

/// Rows of columns into a file of Parquet.
pub struct RowsWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
}

impl<W: Write + Send> RowsWriter<W> {
    /// Of these columns.
    ///
    /// # Errors
    /// Those of the file.
    pub fn new(out: W, schema: SchemaRef) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
            .set_created_by(format!("validator {}", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { writer: ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?, schema })
    }

    /// Writes a batch, its columns as the types of the file.
    ///
    /// # Errors
    /// Those of the file; a value that its type does not hold.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        if batch.schema_ref() == &self.schema {
            self.writer.write(batch)?;
        } else {
            self.writer.write(&in_types(batch, &self.schema)?)?;
        }
        if self.writer.memory_size() >= GROUP_BYTES_MAX {
            self.writer.flush()?;
        }
        Ok(())
    }

    /// Writes what is left, and the footer.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(self) -> Result<(), ParquetError> {
        self.writer.close()?;
        Ok(())
    }
}

fn in_types(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    let columns = batch.columns().iter().zip(schema.fields());
    let columns: Result<Vec<ArrayRef>, ArrowError> =
        columns.map(|(column, field)| cast_with_options(column, field.data_type(), &exact)).collect();
    RecordBatch::try_new(Arc::clone(schema), columns?)
}

/// Findings into a file of Parquet.
pub struct FindingsWriter<W: Write + Send> {
    writer: RowsWriter<W>,
    batch: Batch,
    bytes: usize,
}

impl<W: Write + Send> FindingsWriter<W> {
    /// Into a file.
    ///
    /// # Errors
    /// Those of the file.
    pub fn new(out: W) -> Result<Self, ParquetError> {
        Self::with_schema(out, findings_schema())
    }

    /// Into a file of other types for the same columns.
    ///
    /// # Errors
    /// Those of the file.
    pub fn with_schema(out: W, schema: SchemaRef) -> Result<Self, ParquetError> {
        Ok(Self { writer: RowsWriter::new(out, schema)?, batch: Batch::new(), bytes: 0 })
    }

    /// Adds a finding, by its line.
    ///
    /// # Errors
    /// The line is no finding, or the file cannot be written.
    pub fn push(&mut self, line: &[u8]) -> Result<(), ParquetError> {
        self.batch.push(serde_json::from_slice(line)?)?;
        self.bytes += line.len();
        if self.batch.rows >= BATCH_ROWS_MAX || self.bytes >= BATCH_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        self.writer.write(&self.batch.finish()?)?;
        self.bytes = 0;
        Ok(())
    }

    /// Writes what is left, and the footer.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(mut self) -> Result<(), ParquetError> {
        if self.batch.rows > 0 {
            self.flush()?;
        }
        self.writer.finish()
    }
}

/// The columns of a batch that is being filled.
struct Batch {
    rows: usize,
    id: StringBuilder,
    pipeline: StringBuilder,
    verdict: StringBuilder,
    cause: StringBuilder,
    topic: StringBuilder,
    partition: Int32Builder,
    offset: Int64Builder,
    timestamp: TimestampMillisecondBuilder,
    identity: StringBuilder,
    columns: ListBuilder<StructBuilder>,
    places: ListBuilder<StructBuilder>,
    copies: Int64Builder,
    candidates: ListBuilder<StructBuilder>,
    related: StringBuilder,
    snapshot_id: Int64Builder,
    operation: StringBuilder,
    detail: StringBuilder,
}

impl Batch {
    fn new() -> Self {
        let list = |fields: Fields| {
            let element = Field::new("element", DataType::Struct(fields.clone()), false);
            ListBuilder::new(StructBuilder::from_fields(fields, 0)).with_field(element)
        };
        Self {
            rows: 0,
            id: StringBuilder::new(),
            pipeline: StringBuilder::new(),
            verdict: StringBuilder::new(),
            cause: StringBuilder::new(),
            topic: StringBuilder::new(),
            partition: Int32Builder::new(),
            offset: Int64Builder::new(),
            timestamp: TimestampMillisecondBuilder::new().with_timezone(UTC),
            identity: StringBuilder::new(),
            columns: list(column_fields()),
            places: list(row_fields()),
            copies: Int64Builder::new(),
            candidates: list(candidate_fields()),
            related: StringBuilder::new(),
            snapshot_id: Int64Builder::new(),
            operation: StringBuilder::new(),
            detail: StringBuilder::new(),
        }
    }

    fn push(&mut self, finding: FindingLine) -> Result<(), ParquetError> {
        self.rows += 1;
        self.id.append_value(&finding.id);
        self.pipeline.append_value(&finding.pipeline);
        self.verdict.append_value(&finding.verdict);
        self.cause.append_option(finding.cause);
        self.topic.append_option(finding.topic);
        self.partition.append_option(finding.partition);
        self.offset.append_option(finding.offset);
        self.timestamp.append_option(finding.timestamp.as_deref().and_then(millis));
        self.identity.append_option(finding.identity.as_ref().map(|identity| identity.get()));
        for column in &finding.columns {
            let values = self.columns.values();
            text(values, 0).append_value(&column.name);
            text(values, 1).append_option(plain(&column.message)?);
            text(values, 2).append_option(plain(&column.row)?);
            text(values, 3).append_value(&column.damage);
            values.append(true);
        }
        self.columns.append(true);
        for row in &finding.rows {
            let values = self.places.values();
            text(values, 0).append_value(&row.file);
            long(values, 1).append_option(row.position);
            values.append(true);
        }
        self.places.append(true);
        self.copies.append_value(finding.copies);
        for candidate in &finding.candidates {
            let values = self.candidates.values();
            text(values, 0).append_value(&candidate.topic);
            values.field_builder::<Int32Builder>(1).expect("the schema has int here").append_value(candidate.partition);
            long(values, 2).append_value(candidate.offset);
            values.append(true);
        }
        self.candidates.append(true);
        self.related.append_option(finding.related);
        self.snapshot_id.append_option(finding.snapshot_id);
        self.operation.append_option(finding.operation);
        self.detail.append_value(&finding.detail);
        Ok(())
    }

    /// The batch; the next one begins.
    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.id.finish()),
            Arc::new(self.pipeline.finish()),
            Arc::new(self.verdict.finish()),
            Arc::new(self.cause.finish()),
            Arc::new(self.topic.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.timestamp.finish()),
            Arc::new(self.identity.finish()),
            Arc::new(self.columns.finish()),
            Arc::new(self.places.finish()),
            Arc::new(self.copies.finish()),
            Arc::new(self.candidates.finish()),
            Arc::new(self.related.finish()),
            Arc::new(self.snapshot_id.finish()),
            Arc::new(self.operation.finish()),
            Arc::new(self.detail.finish()),
        ];
        RecordBatch::try_new(findings_schema(), columns)
    }
}

fn text(values: &mut StructBuilder, nth: usize) -> &mut StringBuilder {
    values.field_builder(nth).expect("the schema has text here")
}

fn long(values: &mut StructBuilder, nth: usize) -> &mut Int64Builder {
    values.field_builder(nth).expect("the schema has long here")
}

/// Milliseconds since the epoch of a time as findings write it.
fn millis(time: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(time).ok().map(|at| at.timestamp_millis())
}

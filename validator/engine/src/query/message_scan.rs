//! The message node of a query: ranges of partitions, read on threads of their own.
//!
//! Contract: messages come in the order of their offsets within a partition; dropping the stream ends the reading, and so
//! does the limit. A range that cannot be read to its end ends the query.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use tokio::sync::mpsc::Sender;
use validator_core::position::TopicPartition;
use validator_core::schema::Field;
use validator_tap::{Decoded, Decoder, Message, ReadEnd, RowFields, Tap, Wanted, WantedField};

use super::error::QueryError;
use super::message_table::FieldDecoders;
use super::readable;
use crate::limits::{BATCH_PAYLOAD_BYTES_MAX, QUERY_BATCH_ROWS, QUEUE_BATCHES_MAX};
use crate::positions::Positions;

/// One column of a scan.
#[derive(Debug, Clone)]
pub enum Column {
    /// One of the names that every message has.
    Meta(&'static str),
    /// A field of the payload.
    Field(Field),
    /// Why the payload could not be decoded.
    Error,
}

/// What is decoded.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Fields.
    pub fields: Vec<WantedField>,
    /// Fields that are known and not needed.
    pub others: BTreeSet<String>,
    /// Decoders of payloads.
    pub decoders: Option<Arc<dyn FieldDecoders>>,
}

/// The node.
#[derive(Debug)]
pub struct MessageScan {
    tap: Arc<dyn Tap>,
    reading: Reading,
    columns: Arc<[Column]>,
    shares: Vec<Vec<Wanted>>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl MessageScan {
    /// Reads each share in one partition of the plan.
    pub fn new(
        tap: Arc<dyn Tap>,
        reading: Reading,
        columns: Vec<Column>,
        schema: SchemaRef,
        shares: Vec<Vec<Wanted>>,
        limit: Option<usize>,
    ) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(shares.len().max(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Self { tap, reading, columns: columns.into(), shares, limit, properties, metrics }
    }
}

/// One thread's reading.
struct Reader {
    tap: Arc<dyn Tap>,
    columns: Arc<[Column]>,
    schema: SchemaRef,
    queue: Sender<Result<RecordBatch>>,
    read: Count,
    /// Messages that are still wanted.
    left: usize,
    positions: Positions,
    bytes: usize,
    /// Row → why it has no fields.
    undecodable: BTreeMap<usize, String>,
}

impl Reader {
    fn read(mut self, reading: &Reading, wanted: &[Wanted]) -> Result<(), QueryError> {
        let tap = Arc::clone(&self.tap);
        let end = if let Some(source) = tap.rows() {
            let fields = RowFields::new(&reading.fields, reading.others.clone()).map_err(QueryError::Decoder)?;
            let names: Vec<Field> = fields.fields().to_vec();
            source.read_rows(wanted, &fields, &mut |batch| {
                self.positions.push_rows(batch.partition, batch.offsets, batch.timestamps_ms);
                self.flush(&names, &batch.decoded)
            })
        } else if let Some(decoders) = reading.decoders.as_ref().filter(|_| !reading.fields.is_empty()) {
            let decoder = decoders.decoder(reading.fields.clone(), reading.others.clone());
            self.read_decoded(decoder.map_err(QueryError::Decoder)?, wanted)?
        } else {
            let end = tap.read(wanted, &mut |message| {
                self.positions.push(message);
                self.after(message, &[], Decoded::default)
            });
            let _ = self.flush(&[], &Decoded::default());
            end
        };
        whole(&tap, &end.map_err(QueryError::Tap)?)
    }

    fn read_decoded(
        &mut self,
        mut decoder: Box<dyn Decoder>,
        wanted: &[Wanted],
    ) -> Result<Result<ReadEnd, validator_tap::TapError>, QueryError> {
        let fields: Vec<Field> = decoder.fields().to_vec();
        let tap = Arc::clone(&self.tap);
        let mut failed = None;
        let end = tap.read(wanted, &mut |message| {
            match decoder.append(message) {
                Ok(Some(why)) => {
                    self.undecodable.insert(self.positions.len(), why.detail);
                }
                Ok(None) => {}
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            self.positions.push(message);
            self.after(message, &fields, || decoder.finish())
        });
        if let Some(error) = failed {
            return Err(QueryError::Tap(error));
        }
        let _ = self.flush(&fields, &decoder.finish());
        Ok(end)
    }

    /// Hands a full batch over.
    fn after(&mut self, message: &Message<'_>, fields: &[Field], finish: impl FnOnce() -> Decoded) -> ControlFlow<()> {
        self.bytes += message.payload.map_or(0, <[u8]>::len) + message.key.map_or(0, <[u8]>::len);
        let rows = self.positions.len();
        if rows >= QUERY_BATCH_ROWS || rows >= self.left || self.bytes >= BATCH_PAYLOAD_BYTES_MAX {
            return self.flush(fields, &finish());
        }
        ControlFlow::Continue(())
    }

    fn flush(&mut self, fields: &[Field], decoded: &Decoded) -> ControlFlow<()> {
        let rows = self.positions.len();
        if rows == 0 {
            return ControlFlow::Continue(());
        }
        self.positions.seal();
        let batch = self.batch(fields, decoded);
        self.positions.clear();
        self.undecodable.clear();
        self.bytes = 0;
        self.read.add(rows);
        self.left = self.left.saturating_sub(rows);
        match self.queue.blocking_send(batch) {
            Ok(()) if self.left > 0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    fn batch(&self, fields: &[Field], decoded: &Decoded) -> Result<RecordBatch> {
        let rows = self.positions.len();
        let column = |column: &Column| -> Result<ArrayRef> {
            Ok(match column {
                Column::Meta(name) => self.positions.meta(name),
                Column::Field(field) => {
                    let found = fields.iter().position(|known| known.name == field.name);
                    let array = found.and_then(|index| decoded.columns.get(index));
                    let lacks = || DataFusionError::Internal(format!("the decoder gave no field {}", field.name));
                    readable::array(array.ok_or_else(lacks)?, &field.ty)
                }
                Column::Error => Arc::new(self.errors(fields, decoded, rows)),
            })
        };
        let columns = self.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    fn errors(&self, fields: &[Field], decoded: &Decoded, rows: usize) -> StringArray {
        let mut errors = self.undecodable.clone();
        for (row, index, text) in &decoded.inexact {
            let field = &fields[*index];
            let said = format!("{}: {text} is not exact as {}", field.name, field.ty);
            let known = errors.entry(*row).or_default();
            *known = if known.is_empty() { said } else { format!("{known}; {said}") };
        }
        (0..rows).map(|row| errors.get(&row)).collect()
    }
}

/// Refuses an answer that lacks what could not be read.
fn whole(tap: &Arc<dyn Tap>, end: &ReadEnd) -> Result<(), QueryError> {
    for partition in &end.partitions {
        if let Some(failure) = &partition.failure {
            let tp = tap.partitions()[partition.partition.0 as usize].tp.to_string();
            let (position, failure) = (partition.position, failure.to_string());
            return Err(QueryError::Partition { tp, position, failure });
        }
    }
    Ok(())
}

impl DisplayAs for MessageScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.shares.iter().flatten();
        let (mut partitions, mut offsets) = (0, 0);
        for (_, ranges) in wanted {
            partitions += 1;
            offsets += ranges.iter().map(|range| range.end - range.start).sum::<i64>();
        }
        // What is decoded of each payload: nothing where nothing is asked of it.
        let fields: Vec<&str> = self.reading.fields.iter().map(|field| field.name.as_str()).collect();
        write!(f, "MessageScan: partitions={partitions}, offsets={offsets}, fields=[{}]", fields.join(", "))?;
        self.limit.map_or(Ok(()), |limit| write!(f, ", limit={limit}"))
    }
}

impl ExecutionPlan for MessageScan {
    fn name(&self) -> &str {
        "MessageScan"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => Err(DataFusionError::Internal("messages have no children".to_owned())),
        }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStream::builder(self.schema(), QUEUE_BATCHES_MAX);
        let wanted = self.shares.get(partition).cloned().unwrap_or_default();
        let topics: Arc<[TopicPartition]> = self.tap.partitions().iter().map(|range| range.tp.clone()).collect();
        let meta = self.columns.iter().filter_map(|c| if let Column::Meta(name) = c { Some(*name) } else { None });
        let reader = Reader {
            tap: Arc::clone(&self.tap),
            columns: Arc::clone(&self.columns),
            schema: self.schema(),
            queue: builder.tx(),
            read: MetricBuilder::new(&self.metrics).counter("messages_read", partition),
            left: self.limit.unwrap_or(usize::MAX),
            positions: Positions::of_names(topics, &meta.collect()),
            bytes: 0,
            undecodable: BTreeMap::new(),
        };
        let reading = self.reading.clone();
        builder.spawn_blocking(move || reader.read(&reading, &wanted).map_err(DataFusionError::from));
        Ok(builder.build())
    }
}

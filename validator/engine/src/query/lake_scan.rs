//! The scan node of a query: rows of data files without the deleted ones.
//!
//! Contract: with a limit the files are read one after the other in the table's order, each opened when its turn comes, so
//! that who wants few rows opens few files; without one all partitions share them row group by row group (`scan_queue.rs`),
//! in no order. A file or row group that cannot be read ends the query. A file that several manifest entries name is read
//! for each of them.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use validator_core::position::FileIndex;
use validator_core::schema::Field;
use validator_table::{Pinned, RowGroupBatch, RowGroups, ScanItem, Unread};

use super::error::QueryError;
use super::readable;
use crate::scan_exec::ScanTask;
use crate::scan_queue::{Next, ScanQueue};

/// One column of a scan.
#[derive(Debug, Clone)]
pub enum Column {
    /// A column of the table.
    Field(Field),
    /// The path of the row's file.
    File,
    /// The row's position in its file.
    Position,
}

/// The node.
#[derive(Debug)]
pub struct LakeScan {
    what: Arc<What>,
    tasks: Vec<ScanTask>,
    limit: Option<usize>,
    begun: Mutex<Begun>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What is read of each file.
#[derive(Debug)]
struct What {
    pinned: Arc<Pinned>,
    columns: Vec<Column>,
    fields: Vec<Field>,
    schema: SchemaRef,
}

/// Executions of the node: each partition's first one shares the first queue, its second one the second. What one execution
/// has taken is there for the next.
#[derive(Debug)]
struct Begun {
    times: Vec<usize>,
    queues: Vec<Arc<ScanQueue>>,
}

/// What a partition counts.
#[derive(Debug, Clone)]
struct Counts {
    files: Count,
    row_groups: Count,
    rows: Count,
}

impl LakeScan {
    /// A scan of these columns, on so many threads; with a limit on one, which opens no file that is not needed.
    pub fn new(
        pinned: Arc<Pinned>,
        columns: Vec<Column>,
        schema: SchemaRef,
        limit: Option<usize>,
        threads: usize,
    ) -> Self {
        let field = |column: &Column| if let Column::Field(field) = column { Some(field.clone()) } else { None };
        let fields: Vec<Field> = columns.iter().filter_map(field).collect();
        let indexed = (0..).map(FileIndex).zip(&pinned.files);
        let task = |(index, file)| ScanTask { index, file, row_groups: RowGroups::All, positions: None };
        let tasks: Vec<ScanTask> = indexed
            .flat_map(|(index, file)| std::iter::repeat_n((index, file.clone()), file.entries.max(1) as usize))
            .map(task)
            .collect();
        // Of one file there may be as many row groups as there are threads.
        let partitions = if limit.is_some() || tasks.is_empty() { 1 } else { threads.max(1) };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let what = Arc::new(What { pinned, columns, fields, schema });
        Self::of(what, tasks, limit, properties)
    }

    fn of(what: Arc<What>, tasks: Vec<ScanTask>, limit: Option<usize>, properties: Arc<PlanProperties>) -> Self {
        let times = vec![0; properties.partitioning.partition_count()];
        let begun = Mutex::new(Begun { times, queues: Vec::new() });
        Self { what, tasks, limit, begun, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn counts(&self, partition: usize) -> Counts {
        let counter = |name: &'static str| MetricBuilder::new(&self.metrics).counter(name, partition);
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        Counts { files: counter("files_opened"), row_groups: counter("row_groups_read"), rows }
    }

    /// The queue of this execution of the partition.
    fn queue(&self, partition: usize) -> Arc<ScanQueue> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let time = begun.times[partition];
        begun.times[partition] += 1;
        if begun.queues.len() <= time {
            begun.queues.push(Arc::new(ScanQueue::new(self.tasks.clone())));
        }
        Arc::clone(&begun.queues[time])
    }

    /// File by file.
    fn in_order(&self, counts: Counts) -> impl Stream<Item = Result<RecordBatch>> + use<> {
        let what = Arc::clone(&self.what);
        let opened = counts.clone();
        stream::iter(self.tasks.clone())
            .then(move |task| {
                let (what, counts) = (Arc::clone(&what), opened.clone());
                async move { Ok::<_, DataFusionError>((task.index, open(&what, &task, &counts).await?)) }
            })
            .map_ok(rows(Arc::clone(&self.what), counts))
            .try_flatten()
    }

    /// What nobody else has taken.
    fn shared(&self, queue: Arc<ScanQueue>, counts: Counts) -> impl Stream<Item = Result<RecordBatch>> + use<> {
        let what = Arc::clone(&self.what);
        let opened = counts.clone();
        stream::unfold(queue, |queue| async move { Some((queue.next().await?, queue)) })
            .then(move |next| {
                let (what, counts) = (Arc::clone(&what), opened.clone());
                async move {
                    Ok::<_, DataFusionError>(match next {
                        Next::Help(index, unread) => (index, unread),
                        Next::Open(task, opening) => {
                            let unread = open(&what, &task, &counts).await?;
                            opening.opened(task.index, &unread);
                            (task.index, unread)
                        }
                    })
                }
            })
            .map_ok(rows(Arc::clone(&self.what), counts))
            .try_flatten()
    }
}

async fn open(what: &What, task: &ScanTask, counts: &Counts) -> Result<Unread> {
    counts.files.add(1);
    let reader = what.pinned.open(&task.file, &what.fields).await.map_err(|fault| QueryError::file(&fault))?;
    Ok(reader.unread(&task.row_groups))
}

/// The batches of what is left of a file.
fn rows(what: Arc<What>, counts: Counts) -> impl FnMut((FileIndex, Unread)) -> BoxStream<'static, Result<RecordBatch>> {
    move |(index, unread)| {
        let (what, counts) = (Arc::clone(&what), counts.clone());
        let read = unread.stream().filter_map(move |item| {
            let read = match item {
                ScanItem::Rows(rows) => {
                    counts.rows.add(rows.batch.num_rows());
                    Some(batch(&what, index, &rows))
                }
                ScanItem::End(end) => {
                    counts.row_groups.add(1);
                    end.fault.map(|fault| Err(DataFusionError::from(QueryError::file(&fault))))
                }
            };
            std::future::ready(read)
        });
        read.boxed()
    }
}

fn batch(what: &What, index: FileIndex, rows: &RowGroupBatch) -> Result<RecordBatch> {
    let count = rows.batch.num_rows();
    let mut read = rows.batch.columns().iter();
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(what.columns.len());
    for column in &what.columns {
        arrays.push(match column {
            Column::Field(field) => match read.next() {
                Some(array) => readable::array(array, &field.ty),
                None => return Err(DataFusionError::Internal("the reader gave fewer columns than asked".to_owned())),
            },
            Column::File => {
                let path = what.pinned.files[index.0 as usize].path.as_str();
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(path, count)))
            }
            Column::Position => {
                let positions = (0..count).map(|row| i64::try_from(rows.positions.get(row)).unwrap_or(i64::MAX));
                Arc::new(Int64Array::from_iter_values(positions))
            }
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    Ok(RecordBatch::try_new_with_options(Arc::clone(&what.schema), arrays, &options)?)
}

impl DisplayAs for LakeScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.what.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let (table, files) = (&self.what.pinned.name, self.tasks.len());
        write!(f, "LakeScan: table={table}, files={files}, columns=[{}]", names.join(", "))?;
        self.limit.map_or(Ok(()), |limit| write!(f, ", limit={limit}"))
    }
}

impl ExecutionPlan for LakeScan {
    fn name(&self) -> &str {
        "LakeScan"
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
            true => {
                let (what, properties) = (Arc::clone(&self.what), Arc::clone(&self.properties));
                Ok(Arc::new(Self::of(what, self.tasks.clone(), self.limit, properties)))
            }
            false => Err(DataFusionError::Internal("a scan has no children".to_owned())),
        }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (schema, counts) = (self.schema(), self.counts(partition));
        let Some(limit) = self.limit else {
            let rows = self.shared(self.queue(partition), counts);
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, Box::pin(rows))));
        };
        // The last batch that is needed ends the reading.
        let rows = Box::pin(self.in_order(counts));
        let limited = stream::unfold((rows, limit), |(mut rows, left)| async move {
            let batch = if left > 0 { rows.next().await? } else { return None };
            let left = left.saturating_sub(batch.as_ref().map_or(0, RecordBatch::num_rows));
            Some((batch, (rows, left)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, Box::pin(limited))))
    }
}

//! The scan node of a query: rows of data files without the deleted ones, file by file.
//!
//! Contract: a file is opened when its turn comes, so that who wants few rows opens few files; a file or row group that
//! cannot be read ends the query. A file that several manifest entries name is read for each of them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use validator_core::schema::Field;
use validator_table::{DataFile, Pinned, RowGroupBatch, RowGroups, ScanItem};

use super::error::QueryError;
use super::readable;

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
    pinned: Arc<Pinned>,
    columns: Arc<[Column]>,
    fields: Arc<[Field]>,
    partitions: Vec<Vec<DataFile>>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
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
        let partitions = spread(&pinned.files, if limit.is_some() { 1 } else { threads });
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Self { pinned, columns: columns.into(), fields: fields.into(), partitions, limit, properties, metrics }
    }

    fn rows(&self, partition: usize) -> impl Stream<Item = Result<RecordBatch>> + use<> {
        let (pinned, fields) = (Arc::clone(&self.pinned), Arc::clone(&self.fields));
        let (schema, columns) = (self.schema(), Arc::clone(&self.columns));
        let opened = MetricBuilder::new(&self.metrics).counter("files_opened", partition);
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        stream::iter(self.partitions[partition].clone())
            .then(move |file| open(Arc::clone(&pinned), Arc::clone(&fields), file, opened.clone()))
            .map(move |opened| {
                let (schema, columns, rows) = (Arc::clone(&schema), Arc::clone(&columns), rows.clone());
                opened.map(move |(path, items)| {
                    items.map_ok(move |item| (path.clone(), item)).and_then(move |(path, item)| {
                        let batch = batch(&schema, &columns, &path, &item);
                        rows.add(item.batch.num_rows());
                        std::future::ready(batch)
                    })
                })
            })
            .try_flatten()
    }
}

type Rows = stream::BoxStream<'static, Result<RowGroupBatch>>;

async fn open(pinned: Arc<Pinned>, fields: Arc<[Field]>, file: DataFile, opened: Count) -> Result<(Arc<str>, Rows)> {
    opened.add(1);
    let reader = pinned.open(&file, &fields).await.map_err(|fault| QueryError::file(&fault))?;
    let items = reader.scan(&RowGroups::All).filter_map(|item| {
        let rows = match item {
            ScanItem::Rows(rows) => Some(Ok(rows)),
            ScanItem::End(end) => end.fault.map(|fault| Err(DataFusionError::from(QueryError::file(&fault)))),
        };
        std::future::ready(rows)
    });
    Ok((Arc::from(file.path.as_str()), items.boxed()))
}

fn batch(schema: &SchemaRef, columns: &[Column], path: &str, rows: &RowGroupBatch) -> Result<RecordBatch> {
    let count = rows.batch.num_rows();
    let mut read = rows.batch.columns().iter();
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for column in columns {
        arrays.push(match column {
            Column::Field(field) => match read.next() {
                Some(array) => readable::array(array, &field.ty),
                None => return Err(DataFusionError::Internal("the reader gave fewer columns than asked".to_owned())),
            },
            Column::File => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(path, count))),
            Column::Position => {
                let positions = (0..count).map(|row| i64::try_from(rows.positions.get(row)).unwrap_or(i64::MAX));
                Arc::new(Int64Array::from_iter_values(positions))
            }
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
}

/// Largest first, each to the partition that has least so far; of one partition the table's own order.
fn spread(files: &[DataFile], partitions: usize) -> Vec<Vec<DataFile>> {
    let entries = files.iter().flat_map(|file| std::iter::repeat_n(file, file.entries.max(1) as usize));
    let mut entries: Vec<DataFile> = entries.cloned().collect();
    let count = partitions.clamp(1, entries.len().max(1));
    if count == 1 {
        return vec![entries];
    }
    entries.sort_by_key(|file| std::cmp::Reverse(file.size));
    let mut spread = vec![(0u64, Vec::new()); count];
    for file in entries {
        let least = spread.iter_mut().min_by_key(|(bytes, _)| *bytes).expect("at least one partition");
        least.0 += file.size.max(1);
        least.1.push(file);
    }
    spread.into_iter().map(|(_, files)| files).collect()
}

impl DisplayAs for LakeScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.partitions.iter().map(Vec::len).sum();
        let names = self.schema();
        let names: Vec<&str> = names.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "LakeScan: table={}, files={files}, columns=[{}]", self.pinned.name, names.join(", "))?;
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
            true => Ok(self),
            false => Err(DataFusionError::Internal("a scan has no children".to_owned())),
        }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let rows = self.rows(partition);
        let Some(limit) = self.limit else {
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, Box::pin(rows))));
        };
        // The last batch that is needed ends the reading.
        let mut left = limit;
        let limited = rows.take_while(move |batch| {
            let wanted = left > 0;
            left = left.saturating_sub(batch.as_ref().map_or(0, RecordBatch::num_rows));
            std::future::ready(wanted)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, Box::pin(limited))))
    }
}

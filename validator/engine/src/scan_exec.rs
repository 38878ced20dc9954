//! The scan node: live data files of a pinned snapshot as batches of the wanted columns, with `_file` and `_pos`.
//!
//! Contract: every live entry of every file is read once, in file order within a partition; a row group or
//! file that cannot be read is noted in the [`ScanLog`] and the rest goes on. Nothing is pruned and no
//! statistic is published, so no answer can come from metadata.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use validator_core::position::{FileIndex, RowAt};
use validator_core::schema::Field;
use validator_table::{DataFile, FileFault, Pinned, RowGroupBatch, RowGroups, ScanItem, TableFinding};

/// Name of the column that holds the index of a row's file.
pub const FILE_COLUMN: &str = "_file";
/// Name of the column that holds a row's position in its file.
pub const POSITION_COLUMN: &str = "_pos";

/// One file to read, and which of its row groups.
#[derive(Debug, Clone)]
pub struct ScanTask {
    /// The file's index, as `_file` shows it.
    pub index: FileIndex,
    /// The file.
    pub file: DataFile,
    /// Its row groups that are read.
    pub row_groups: RowGroups,
    /// Only these of its rows, ascending; none: all of the row groups.
    pub positions: Option<Arc<[u64]>>,
}

/// What went wrong while scanning; shared by all partitions of a scan.
#[derive(Debug, Default)]
pub struct ScanLog {
    state: Mutex<ScanState>,
}

/// See [`ScanLog`].
#[derive(Debug, Default, Clone)]
pub struct ScanState {
    /// Parts that cannot be read.
    pub faults: Vec<(FileIndex, FileFault)>,
    /// Row groups that failed after some of their rows had gone out: the pass must be made again without them.
    pub tainted: BTreeMap<FileIndex, BTreeSet<u32>>,
    /// Files that contradict their manifest entry.
    pub findings: Vec<TableFinding>,
}

impl ScanLog {
    /// What has been noted so far.
    pub fn state(&self) -> ScanState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut ScanState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The node.
#[derive(Debug)]
pub struct IcebergScanExec {
    pinned: Arc<Pinned>,
    wanted: Arc<[Field]>,
    partitions: Vec<Vec<ScanTask>>,
    log: Arc<ScanLog>,
    properties: Arc<PlanProperties>,
}

impl IcebergScanExec {
    /// A scan of `tasks`, spread over `partitions` by size.
    pub fn new(
        pinned: Arc<Pinned>,
        wanted: &[Field],
        tasks: Vec<ScanTask>,
        partitions: usize,
        log: Arc<ScanLog>,
    ) -> Self {
        let mut fields: Vec<ArrowField> = wanted.iter().map(|field| field.to_arrow().with_nullable(true)).collect();
        fields.push(ArrowField::new(FILE_COLUMN, DataType::UInt32, false));
        fields.push(ArrowField::new(POSITION_COLUMN, DataType::UInt64, false));
        let schema = Arc::new(ArrowSchema::new(fields));
        let partitions = spread(tasks, partitions);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { pinned, wanted: wanted.into(), partitions, log, properties }
    }

    fn rows(&self, partition: usize) -> impl Stream<Item = Result<RecordBatch>> + use<> {
        let (pinned, wanted, log) = (Arc::clone(&self.pinned), Arc::clone(&self.wanted), Arc::clone(&self.log));
        let schema = self.schema();
        let tasks = self.partitions[partition].clone();
        stream::iter(tasks)
            .then(move |task| open(Arc::clone(&pinned), Arc::clone(&wanted), Arc::clone(&log), task))
            .flatten_unordered(1)
            .map(move |(index, rows)| batch(&schema, index, rows))
    }
}

/// The rows of one task; what cannot be read is noted.
async fn open(
    pinned: Arc<Pinned>,
    wanted: Arc<[Field]>,
    log: Arc<ScanLog>,
    task: ScanTask,
) -> stream::BoxStream<'static, (FileIndex, RowGroupBatch)> {
    let index = task.index;
    let reader = match pinned.open(&task.file, &wanted).await {
        Ok(reader) => reader,
        Err(fault) => {
            log.note(|state| state.faults.push((index, fault)));
            return stream::empty().boxed();
        }
    };
    log.note(|state| state.findings.extend(reader.findings().iter().cloned()));
    let items = match &task.positions {
        // A file that is not what it was a moment ago is read whole.
        Some(positions) if positions.last().is_none_or(|last| *last < reader.rows()) => reader.rows_at(positions),
        _ => reader.scan(&task.row_groups),
    };
    let rows = items.filter_map(move |item| {
        let rows = match item {
            ScanItem::Rows(rows) => Some((index, rows)),
            ScanItem::End(end) => {
                if let Some(fault) = end.fault {
                    log.note(|state| {
                        state.faults.push((index, fault));
                        if end.yielded > 0 {
                            state.tainted.entry(index).or_default().insert(end.row_group);
                        }
                    });
                }
                None
            }
        };
        std::future::ready(rows)
    });
    rows.boxed()
}

fn batch(schema: &SchemaRef, index: FileIndex, rows: RowGroupBatch) -> Result<RecordBatch> {
    let count = rows.batch.num_rows();
    let mut columns: Vec<ArrayRef> = rows.batch.columns().to_vec();
    columns.push(Arc::new(UInt32Array::from_value(index.0, count)));
    columns.push(Arc::new(UInt64Array::from_iter_values((0..count).map(|row| rows.positions.get(row)))));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Where each row of a scanned batch stands.
pub fn rows_at(batch: &RecordBatch) -> Vec<RowAt> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{UInt32Type, UInt64Type};
    let last = batch.num_columns() - 1;
    let files = batch.column(last - 1).as_primitive::<UInt32Type>().values();
    let positions = batch.column(last).as_primitive::<UInt64Type>().values();
    files.iter().zip(positions).map(|(file, position)| RowAt { file: FileIndex(*file), position: *position }).collect()
}

/// Largest first, each to the partition that has least so far.
fn spread(mut tasks: Vec<ScanTask>, partitions: usize) -> Vec<Vec<ScanTask>> {
    tasks.sort_by_key(|task| std::cmp::Reverse(task.file.size));
    let mut spread = vec![(0u64, Vec::new()); partitions.max(1)];
    for task in tasks {
        let least = spread.iter_mut().min_by_key(|(bytes, _)| *bytes).expect("at least one partition");
        least.0 += task.file.size.max(1);
        least.1.push(task);
    }
    spread.into_iter().map(|(_, tasks)| tasks).collect()
}

impl DisplayAs for IcebergScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: usize = self.partitions.iter().map(Vec::len).sum();
        write!(f, "IcebergScanExec: table={}, files={files}", self.pinned.name)
    }
}

impl ExecutionPlan for IcebergScanExec {
    fn name(&self) -> &str {
        "IcebergScanExec"
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

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.rows(partition).into_stream();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), Box::pin(rows))))
    }
}

//! The scan node: live data files of a pinned snapshot as batches of the wanted columns, with `_file` and `_pos`.
//!
//! Contract: every live entry of every file is read once, each row group by one partition and in file order; partitions share
//! the files (`scan_queue.rs`). A row group or file that cannot be read is noted in the [`ScanLog`] and the rest goes on.
//! Nothing is pruned and no statistic is published, so no answer can come from metadata. Rows that a `row_filter` leaves out do
//! not go out, and are counted in the log.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use validator_core::position::{FileIndex, RowAt};
use validator_core::schema::Field;
use validator_table::{DataFile, FileFault, Pinned, RowGroupBatch, RowGroups, ScanItem, TableFinding, Unread};

use crate::row_filter::{FilteredRead, RowFilter};
use crate::scan_queue::{Next, Opening, ScanQueue};

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
    /// Only these rows of the row groups, ascending; none: all of them.
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
    /// Files that contradict their manifest entry, and how.
    pub findings: Vec<(FileIndex, TableFinding)>,
    /// Rows of other pipelines, by file: read and left out.
    pub beside: BTreeMap<FileIndex, u64>,
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
    read: Arc<FilteredRead>,
    tasks: Vec<ScanTask>,
    queue: Arc<ScanQueue>,
    log: Arc<ScanLog>,
    properties: Arc<PlanProperties>,
}

impl IcebergScanExec {
    /// A scan of `tasks` by `partitions` streams.
    pub fn new(
        pinned: Arc<Pinned>,
        wanted: &[Field],
        row_filter: Option<&Arc<RowFilter>>,
        tasks: Vec<ScanTask>,
        partitions: usize,
        log: Arc<ScanLog>,
    ) -> Self {
        let mut fields: Vec<ArrowField> = wanted.iter().map(|field| field.to_arrow().with_nullable(true)).collect();
        fields.push(ArrowField::new(FILE_COLUMN, DataType::UInt32, false));
        fields.push(ArrowField::new(POSITION_COLUMN, DataType::UInt64, false));
        let schema = Arc::new(ArrowSchema::new(fields));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.max(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let queue = Arc::new(ScanQueue::new(tasks.clone()));
        Self { pinned, read: Arc::new(FilteredRead::new(wanted, row_filter)), tasks, queue, log, properties }
    }

    /// The rows that one partition comes to read.
    fn rows(&self) -> impl Stream<Item = Result<RecordBatch>> + use<> {
        let (pinned, read, log) = (Arc::clone(&self.pinned), Arc::clone(&self.read), Arc::clone(&self.log));
        let (schema, noted, filter) = (self.schema(), Arc::clone(&log), Arc::clone(&read));
        stream::unfold(Arc::clone(&self.queue), |queue| async move { Some((queue.next().await?, queue)) })
            .then(move |next| taken(Arc::clone(&pinned), Arc::clone(&read), Arc::clone(&log), next))
            .flatten_unordered(1)
            .map(move |(index, rows)| batch(&schema, &filter, &noted, index, rows))
    }
}

/// The rows of what a partition took; what cannot be read is noted.
async fn taken(
    pinned: Arc<Pinned>,
    read: Arc<FilteredRead>,
    log: Arc<ScanLog>,
    next: Next,
) -> BoxStream<'static, (FileIndex, RowGroupBatch)> {
    match next {
        Next::Open(task, opening) => match open(&pinned, read.fields(), &log, &task, opening).await {
            Some(unread) => rows(log, task.index, &unread),
            None => stream::empty().boxed(),
        },
        Next::Help(index, unread) => rows(log, index, &unread),
    }
}

async fn open(pinned: &Pinned, wanted: &[Field], log: &ScanLog, task: &ScanTask, opening: Opening) -> Option<Unread> {
    let reader = match pinned.open(&task.file, wanted).await {
        Ok(reader) => reader,
        Err(fault) => {
            log.note(|state| state.faults.push((task.index, fault)));
            return None;
        }
    };
    log.note(|state| state.findings.extend(reader.findings().iter().map(|finding| (task.index, finding.clone()))));
    let unread = match &task.positions {
        // A file that is not what it was a moment ago is read whole.
        Some(positions) if positions.last().is_none_or(|last| *last < reader.rows()) => {
            reader.unread_at(positions, &task.row_groups)
        }
        _ => reader.unread(&task.row_groups),
    };
    opening.opened(task.index, &unread);
    Some(unread)
}

fn rows(log: Arc<ScanLog>, index: FileIndex, unread: &Unread) -> BoxStream<'static, (FileIndex, RowGroupBatch)> {
    let rows = unread.stream().filter_map(move |item| {
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

fn batch(
    schema: &SchemaRef,
    read: &FilteredRead,
    log: &ScanLog,
    index: FileIndex,
    rows: RowGroupBatch,
) -> Result<RecordBatch> {
    let count = rows.batch.num_rows();
    let (mut columns, kept) = read.kept(rows.batch.columns(), count)?;
    columns.push(Arc::new(UInt32Array::from_value(index.0, count)));
    columns.push(Arc::new(UInt64Array::from_iter_values((0..count).map(|row| rows.positions.get(row)))));
    let batch = RecordBatch::try_new(Arc::clone(schema), columns)?;
    let Some(kept) = kept else { return Ok(batch) };
    let beside = (count - kept.true_count()) as u64;
    log.note(|state| *state.beside.entry(index).or_default() += beside);
    Ok(filter_record_batch(&batch, &kept)?)
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

impl DisplayAs for IcebergScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IcebergScanExec: table={}, files={}", self.pinned.name, self.tasks.len())
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
            // What one execution has taken is there for the next one.
            true => Ok(Arc::new(Self {
                pinned: Arc::clone(&self.pinned),
                read: Arc::clone(&self.read),
                tasks: self.tasks.clone(),
                queue: Arc::new(ScanQueue::new(self.tasks.clone())),
                log: Arc::clone(&self.log),
                properties: Arc::clone(&self.properties),
            })),
            false => Err(DataFusionError::Internal("a scan has no children".to_owned())),
        }
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.rows().into_stream();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), Box::pin(rows))))
    }
}

//! Reading rows batch by batch outside a plan: for the drill and for look-ups by identity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, NullArray, RecordBatch};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use futures::future::try_join_all;
use validator_core::position::{FileIndex, RowAt};
use validator_core::schema::Field;
use validator_table::{Pinned, RowGroups};

use crate::drill::DrillError;
use crate::row_filter::RowFilter;
use crate::scan_exec::{IcebergScanExec, ScanLog, ScanTask, rows_at};
use crate::segment_exec::RowCut;
use crate::segments::RowPlace;
use crate::selection::Selection;

/// The table's side of a run.
#[derive(Debug, Clone)]
pub struct RowSide {
    /// The pinned snapshot.
    pub pinned: Arc<Pinned>,
    /// The columns that are read.
    pub fields: Arc<[Field]>,
    /// How many of them are compared; they come first.
    pub compared: usize,
    /// Segments, scope, lateness.
    pub cut: Arc<RowCut>,
    /// Streams that read at once.
    pub partitions: usize,
}

/// Rows of one file.
#[derive(Debug)]
pub struct RowBatch {
    /// The bound columns in canonical form.
    pub columns: Vec<ArrayRef>,
    /// Those of them that a tolerance changed, as they were: index and array.
    pub originals: Vec<(usize, ArrayRef)>,
    /// Where they stand.
    pub at: Vec<RowAt>,
    /// How they stand to segments and scope.
    pub places: Vec<RowPlace>,
    /// Whether they are late; `None` where that cannot be told or was not asked.
    pub late: Vec<Option<bool>>,
}

impl RowBatch {
    /// These rows of the batch, ascending.
    pub fn select(self, rows: &[usize]) -> Self {
        if rows.len() == self.at.len() {
            return self;
        }
        let selection = Selection::new(self.at.len(), rows);
        Self {
            columns: selection.columns(&self.columns),
            originals: selection.originals(&self.originals),
            at: rows.iter().map(|row| self.at[*row]).collect(),
            places: rows.iter().map(|row| self.places[*row]).collect(),
            late: rows.iter().map(|row| self.late[*row]).collect(),
        }
    }

    /// A bound column as the table has it, before any tolerance: what people are shown.
    pub fn shown(&self, column: usize) -> &ArrayRef {
        let original = self.originals.iter().find(|(index, _)| *index == column);
        original.map_or(&self.columns[column], |(_, array)| array)
    }
}

impl RowSide {
    /// Which rows are this pipeline's.
    pub fn row_filter(&self) -> Option<&Arc<RowFilter>> {
        self.cut.binding.row_filter.as_ref()
    }

    /// Tasks over these files, as often as they are live, without what is lost.
    pub fn tasks(&self, files: &BTreeSet<FileIndex>, lost: &BTreeMap<FileIndex, RowGroups>) -> Vec<ScanTask> {
        let mut tasks = Vec::new();
        for index in files {
            let file = &self.pinned.files[index.0 as usize];
            let row_groups = lost.get(index).cloned().unwrap_or_default();
            if matches!(&row_groups, RowGroups::Only(only) if only.is_empty()) {
                continue;
            }
            for _ in 0..file.entries.max(1) {
                let row_groups = row_groups.clone();
                tasks.push(ScanTask { index: *index, file: file.clone(), row_groups, positions: None });
            }
        }
        tasks
    }

    /// Reads `tasks` again and gives each batch to `each`; returns what it returned, in no order.
    ///
    /// # Errors
    /// What `each` fails with; a part that could be read before and cannot now.
    pub async fn read<R, F>(&self, tasks: Vec<ScanTask>, each: F) -> Result<Vec<R>, DrillError>
    where
        R: Send + 'static,
        F: Fn(RowBatch) -> Result<R> + Send + Sync + Clone + 'static,
    {
        let (cut, compared) = (Arc::clone(&self.cut), self.compared);
        let of_batch = move |batch: RecordBatch| {
            let mut columns = batch.columns()[..batch.num_columns() - 2].to_vec();
            let at = rows_at(&batch);
            let late = cut.late.as_ref().map_or_else(|| vec![None; at.len()], |rule| rule.late(&columns, &at));
            columns.truncate(compared);
            each(cut.row_batch(columns, at, late)?)
        };
        self.batches(&self.fields, tasks, of_batch).await
    }

    /// Where the rows lie whose place `asked` holds of: positions by file, ascending; none where there are more than `most`.
    /// Only the columns that name a row and its segment are read.
    ///
    /// # Errors
    /// As [`RowSide::read`].
    pub async fn locate<F>(
        &self,
        tasks: Vec<ScanTask>,
        asked: F,
        most: u64,
    ) -> Result<Option<BTreeMap<FileIndex, BTreeSet<u64>>>, DrillError>
    where
        F: Fn(&RowPlace) -> bool + Send + Sync + Clone + 'static,
    {
        let identity = &self.cut.binding.identity;
        let leaves = identity.leaves();
        let naming: BTreeSet<usize> = leaves.iter().chain(identity.window()).map(|leaf| leaf[0]).collect();
        let fields: Vec<Field> = naming.iter().map(|column| self.fields[*column].clone()).collect();
        let (cut, columns) = (Arc::clone(&self.cut), self.fields.len());
        let located = Arc::new(AtomicU64::new(0));
        let so_far = Arc::clone(&located);
        let of_batch = move |batch: RecordBatch| {
            let at = rows_at(&batch);
            // What does not name a row is not there.
            let nothing: ArrayRef = Arc::new(NullArray::new(at.len()));
            let mut all = vec![nothing; columns];
            naming.iter().zip(batch.columns()).for_each(|(column, array)| all[*column] = Arc::clone(array));
            let places = cut.segments.places(at.len(), &all).map_err(external)?;
            let found = at.into_iter().zip(places).filter(|(_, place)| asked(place)).map(|(at, _)| at);
            let found: Vec<RowAt> = found.collect();
            let count = found.len() as u64;
            let is_few = so_far.fetch_add(count, Ordering::Relaxed) + count <= most;
            Ok(if is_few { found } else { Vec::new() })
        };
        let found = self.batches(&fields, tasks, of_batch).await?;
        if located.load(Ordering::Relaxed) > most {
            return Ok(None);
        }
        let mut by_file: BTreeMap<FileIndex, BTreeSet<u64>> = BTreeMap::new();
        for at in found.into_iter().flatten() {
            by_file.entry(at.file).or_default().insert(at.position);
        }
        Ok(Some(by_file))
    }

    /// Reads these fields of `tasks` and gives each batch to `each`; returns what it returned, in no order. What is left
    /// out of the tasks as lost is known; what cannot be read of them is news, and nothing is judged without it.
    async fn batches<R, F>(&self, fields: &[Field], tasks: Vec<ScanTask>, each: F) -> Result<Vec<R>, DrillError>
    where
        R: Send + 'static,
        F: Fn(RecordBatch) -> Result<R> + Send + Sync + Clone + 'static,
    {
        let log = Arc::new(ScanLog::default());
        let (pinned, filter) = (Arc::clone(&self.pinned), self.row_filter());
        let scan = IcebergScanExec::new(pinned, fields, filter, tasks, self.partitions, Arc::clone(&log));
        let scan = Arc::new(scan);
        let streams = (0..scan.properties().output_partitioning().partition_count()).map(|partition| {
            let (scan, each) = (Arc::clone(&scan), each.clone());
            let task = tokio::spawn(async move {
                let mut results = Vec::new();
                let mut batches = scan.execute(partition, Arc::new(TaskContext::default()))?;
                while let Some(batch) = batches.next().await {
                    results.push(each(batch?)?);
                }
                Ok::<_, DataFusionError>(results)
            });
            async move { task.await.map_err(external)? }
        });
        let results = try_join_all(streams).await.map_err(DrillError::Rows)?.into_iter().flatten().collect();
        let faults = log.state().faults;
        if faults.is_empty() { Ok(results) } else { Err(DrillError::Unread(faults)) }
    }
}

impl RowCut {
    /// Rows of these bound columns in canonical form, with their places.
    ///
    /// # Errors
    /// Columns that are not of the bound types.
    pub(crate) fn row_batch(
        &self,
        mut columns: Vec<ArrayRef>,
        at: Vec<RowAt>,
        late: Vec<Option<bool>>,
    ) -> Result<RowBatch> {
        let originals = self.binding.tolerate(&mut columns, &mut Vec::new()).originals;
        let places = self.segments.places(at.len(), &columns).map_err(external)?;
        Ok(RowBatch { columns, originals, at, places, late })
    }
}

/// Any error as DataFusion carries it.
pub fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

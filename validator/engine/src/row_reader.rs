//! Reading rows batch by batch outside a plan: for the drill and for look-ups by identity.

use std::sync::Arc;

use arrow_array::ArrayRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use futures::future::try_join_all;
use validator_core::position::RowAt;
use validator_core::schema::Field;
use validator_table::Pinned;

use crate::scan_exec::{IcebergScanExec, ScanLog, ScanTask, rows_at};
use crate::segment_exec::RowCut;
use crate::segments::RowPlace;

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
    /// Where they stand.
    pub at: Vec<RowAt>,
    /// How they stand to segments and scope.
    pub places: Vec<RowPlace>,
    /// Whether they are late; `None` where that cannot be told or was not asked.
    pub late: Vec<Option<bool>>,
}

impl RowSide {
    /// Reads `tasks` and gives each batch to `each`; returns what it returned, in no order.
    ///
    /// # Errors
    /// What `each` fails with; files that cannot be read are in the log that is returned.
    pub async fn read<R, F>(&self, tasks: Vec<ScanTask>, each: F) -> Result<(Vec<R>, Arc<ScanLog>)>
    where
        R: Send + 'static,
        F: Fn(RowBatch) -> Result<R> + Send + Sync + Clone + 'static,
    {
        let log = Arc::new(ScanLog::default());
        let scan =
            IcebergScanExec::new(Arc::clone(&self.pinned), &self.fields, tasks, self.partitions, Arc::clone(&log));
        let scan = Arc::new(scan);
        let streams = (0..scan.properties().output_partitioning().partition_count()).map(|partition| {
            let (scan, cut, each, compared) = (Arc::clone(&scan), Arc::clone(&self.cut), each.clone(), self.compared);
            let task = tokio::spawn(async move {
                let mut results = Vec::new();
                let mut batches = scan.execute(partition, Arc::new(TaskContext::default()))?;
                while let Some(batch) = batches.next().await {
                    let batch = batch?;
                    let mut columns = batch.columns()[..batch.num_columns() - 2].to_vec();
                    let at = rows_at(&batch);
                    let places = cut.segments.places(at.len(), &columns).map_err(external)?;
                    let late = cut.late.as_ref().map_or_else(|| vec![None; at.len()], |rule| rule.late(&columns, &at));
                    columns.truncate(compared);
                    cut.tolerate(&mut columns);
                    results.push(each(RowBatch { columns, at, places, late })?);
                }
                Ok::<_, DataFusionError>(results)
            });
            async move { task.await.map_err(external)? }
        });
        let results = try_join_all(streams).await?.into_iter().flatten().collect();
        Ok((results, log))
    }
}

/// Any error as DataFusion carries it.
pub fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

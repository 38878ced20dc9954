//! The node between scan and digest on the row side: gives each row its segment and drops what no run asks for.
//!
//! Contract: rows out of scope are counted and dropped in mode `offset`, where none of them can pair; in the
//! modes `key` and `content` all rows go on. What a census of the rows tells is in [`RowCensus`].

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::StreamExt;
use validator_core::judge::RowStanding;
use validator_core::position::{FileIndex, PartitionIndex, RowAt};

use crate::bag_exec::{slip_column, slip_field};
use crate::binding::Binding;
use crate::late::{LateRule, NotedRows};
use crate::misrouted::{MisroutedRow, Routing};
use crate::scan_exec::rows_at;
use crate::segments::{RowPlace, RowSegments};
use crate::tolerate::Tolerated;

/// Counts over all rows of a pass.
#[derive(Debug, Default, Clone)]
pub struct RowCensus {
    /// Rows read.
    pub rows: u64,
    /// Rows dropped because the run does not ask for them.
    pub out_of_scope: u64,
    /// Mode `offset`: rows whose offset is negative, or at or above the high watermark of its partition.
    pub strange: u64,
    /// Mode `offset`: smallest and largest offset by partition; `None` gathers partitions that the run does not know.
    pub offsets: BTreeMap<Option<PartitionIndex>, (i64, i64)>,
    /// Rows whose lateness could not be told: their files were rewritten or their snapshot has expired.
    pub late_unknown: u64,
    /// Rows that go on and whose values give another partition than their file's, in no order.
    pub misrouted: Vec<MisroutedRow>,
    /// Per tolerance, by its place: rows in scope that it changed.
    pub tolerated: Vec<u64>,
    /// The same of each file by itself.
    pub files: BTreeMap<FileIndex, FileCensus>,
}

/// Counts over the rows of one file.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct FileCensus {
    /// Rows read.
    pub rows: u64,
    /// Rows dropped because nobody asks for them.
    pub out_of_scope: u64,
    /// Per tolerance, by its place: rows in scope that it changed.
    pub tolerated: Vec<u64>,
    /// Mode `offset`: by partition, the least offset that is impossible: not below the end.
    pub beyond: BTreeMap<PartitionIndex, i64>,
    /// Mode `offset`: whether there are rows of partitions that are not known.
    pub strangers: bool,
    /// Mode `offset`: where rows are late, for whoever follows the table.
    pub noted: NotedRows,
}

impl RowCensus {
    /// Rows of a file that are another pipeline's.
    pub fn note_beside(&mut self, file: FileIndex, rows: u64) {
        let of_file = self.files.entry(file).or_default();
        for (read, out_of_scope) in
            [(&mut self.rows, &mut self.out_of_scope), (&mut of_file.rows, &mut of_file.out_of_scope)]
        {
            *read += rows;
            *out_of_scope += rows;
        }
    }

    /// Whether every partition has one single offset in all its rows.
    pub fn is_constant(&self) -> bool {
        !self.offsets.is_empty() && self.offsets.values().all(|(smallest, largest)| smallest == largest)
    }
}

/// The node.
#[derive(Debug)]
pub struct SegmentExec {
    input: Arc<dyn ExecutionPlan>,
    cut: Arc<RowCut>,
    properties: Arc<PlanProperties>,
}

/// How rows are cut, and the census of what was cut.
pub struct RowCut {
    /// Segments and scope.
    pub segments: RowSegments,
    /// When a row is late; `None`: not asked for.
    pub late: Option<LateRule>,
    /// Which partition a row belongs to.
    pub routing: Routing,
    /// The bound columns and their tolerances: rows go on in canonical form.
    pub binding: Arc<Binding>,
    /// The census.
    pub census: Mutex<RowCensus>,
    /// Told how many more rows were read.
    pub progress: Arc<dyn Fn(u64) + Send + Sync>,
}

impl fmt::Debug for RowCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowCut").field("segments", &self.segments).field("late", &self.late).finish_non_exhaustive()
    }
}

impl SegmentExec {
    /// The node over a scan.
    pub fn new(input: Arc<dyn ExecutionPlan>, cut: Arc<RowCut>) -> Self {
        let mut fields = vec![
            ArrowField::new("segment_kind", DataType::UInt64, false),
            ArrowField::new("segment_number", DataType::Int64, false),
            ArrowField::new("late", DataType::Int64, false),
            slip_field(),
        ];
        // The canonical form of an empty text may be NULL, also in a required column.
        fields.extend(input.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::new(ArrowSchema::new(fields))),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { input, cut, properties }
    }
}

impl RowCut {
    /// The rows of one scanned batch that go on, with their segments.
    fn cut(&self, schema: &SchemaRef, batch: RecordBatch) -> Result<RecordBatch> {
        (self.progress)(batch.num_rows() as u64);
        let columns = &batch.columns()[..batch.num_columns() - 2];
        // The cut is that of the messages: by the form that is digested. Lateness and partition are of the values as they
        // were.
        let (canonical, changed) = self.canonical(batch.columns());
        let places = self
            .segments
            .places(batch.num_rows(), &canonical[..columns.len()])
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let at = rows_at(&batch);
        let late = match &self.late {
            Some(rule) => rule.late(columns, &at),
            None => vec![None; batch.num_rows()],
        };
        let drops = |place: &RowPlace| place.standing == RowStanding::OutOfScope && !self.segments.keeps_outside();
        self.count(&places, &late, drops);
        if let Some(at) = at.first() {
            self.count_file(at.file, &places, &changed, &late);
        }
        self.note_misrouted(columns, &at, &places, drops);
        self.count_tolerated(&changed, &places);
        let keep = places.iter().any(drops).then(|| places.iter().map(|p| Some(!drops(p))).collect::<BooleanArray>());
        let pairs: Vec<(u64, i64)> = places.iter().map(|place| place.segment.to_pair()).collect();
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(pairs.iter().map(|pair| pair.0))),
            Arc::new(Int64Array::from_iter_values(pairs.iter().map(|pair| pair.1))),
            Arc::new(Int64Array::from_iter_values(late.iter().map(|late| i64::from(*late == Some(true))))),
            slip_column(places.iter().map(|place| Some((place.name?, place.standing == RowStanding::InScope))))?,
        ];
        arrays.extend(canonical);
        let batch = RecordBatch::try_new(Arc::clone(schema), arrays)?;
        Ok(match keep {
            Some(keep) => filter_record_batch(&batch, &keep)?,
            None => batch,
        })
    }

    /// The columns in the form that is digested, and what that changed.
    fn canonical(&self, columns: &[ArrayRef]) -> (Vec<ArrayRef>, Tolerated) {
        let mut columns = columns.to_vec();
        let tolerated = match self.binding.tolerances.is_empty() {
            true => Tolerated::default(),
            false => self.binding.tolerate(&mut columns, &mut Vec::new()),
        };
        (columns, tolerated)
    }

    /// Counts the rows in scope that were changed.
    fn count_tolerated(&self, tolerated: &Tolerated, places: &[RowPlace]) {
        let in_scope = |row: &&usize| places[**row].standing != RowStanding::OutOfScope;
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        census.tolerated.resize(self.binding.tolerances.len(), 0);
        for (count, rows) in census.tolerated.iter_mut().zip(&tolerated.rows) {
            *count += rows.iter().filter(in_scope).count() as u64;
        }
    }

    /// The rows of one batch are of one file.
    fn count_file(&self, file: FileIndex, places: &[RowPlace], tolerated: &Tolerated, late: &[Option<bool>]) {
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        let census = census.files.entry(file).or_default();
        census.rows += places.len() as u64;
        let notes = |late: Option<bool>| self.late.as_ref().is_some_and(|rule| rule.notes(late));
        for (place, late) in places.iter().zip(late) {
            let is_outside = place.standing == RowStanding::OutOfScope;
            census.out_of_scope += u64::from(is_outside && !self.segments.keeps_outside());
            if let Some((Some(partition), offset)) = place.offset.filter(|_| !is_outside && notes(*late)) {
                census.noted.note(partition, offset);
            }
            match place.offset.filter(|_| place.standing == RowStanding::Impossible) {
                Some((Some(partition), offset)) => {
                    let least = census.beyond.entry(partition).or_insert(offset);
                    *least = offset.min(*least);
                }
                Some((None, offset)) => census.strangers |= offset >= 0,
                None => {}
            }
        }
        let in_scope = |row: &&usize| places[**row].standing != RowStanding::OutOfScope;
        census.tolerated.resize(self.binding.tolerances.len(), 0);
        for (count, rows) in census.tolerated.iter_mut().zip(&tolerated.rows) {
            *count += rows.iter().filter(in_scope).count() as u64;
        }
    }

    fn note_misrouted(
        &self,
        columns: &[ArrayRef],
        at: &[RowAt],
        places: &[RowPlace],
        drops: impl Fn(&RowPlace) -> bool,
    ) {
        let misrouted = self.routing.misrouted(columns, at);
        if misrouted.is_empty() {
            return;
        }
        let rows = misrouted.into_iter().filter(|row| !drops(&places[*row]));
        let rows = rows.map(|row| MisroutedRow {
            at: at[row],
            segment: places[row].segment,
            beside: places[row].standing == RowStanding::OutOfScope,
        });
        self.census.lock().unwrap_or_else(PoisonError::into_inner).misrouted.extend(rows);
    }

    fn count(&self, places: &[RowPlace], late: &[Option<bool>], drops: impl Fn(&RowPlace) -> bool) {
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        census.rows += places.len() as u64;
        for place in places {
            census.out_of_scope += u64::from(drops(place));
            if let Some((partition, offset)) = place.offset {
                let impossible = place.standing == RowStanding::Impossible;
                census.strange += u64::from(offset < 0 || (impossible && partition.is_some()));
                let (smallest, largest) = census.offsets.entry(partition).or_insert((offset, offset));
                (*smallest, *largest) = (offset.min(*smallest), offset.max(*largest));
            }
        }
        if self.late.is_some() {
            census.late_unknown += late.iter().filter(|late| late.is_none()).count() as u64;
        }
    }
}

impl DisplayAs for SegmentExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SegmentExec")
    }
}

impl ExecutionPlan for SegmentExec {
    fn name(&self) -> &str {
        "SegmentExec"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, Arc::clone(&self.cut)))),
            _ => Err(DataFusionError::Internal("segments are cut from one scan".to_owned())),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (cut, schema) = (Arc::clone(&self.cut), self.schema());
        let input = self.input.execute(partition, context)?;
        let rows = input.map(move |batch| cut.cut(&schema, batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

//! The message node: judged messages as batches of segment, position and the row that each should be.
//!
//! Contract: partition `i` reads the `i`-th share of the topic's partitions on a thread of its own and hands
//! batches over a bounded queue; dropping the stream ends the reading. Only judged messages come out, all
//! others are in the observations.

use std::any::Any;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatch, UInt64Array, new_null_array};
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use validator_core::judge::MessageState;
use validator_core::segment::SegmentKey;
use validator_tap::Wanted;

use crate::bag_exec::{slip_column, slip_field};
use crate::limits::QUEUE_BATCHES_MAX;
use crate::message_batch::MessageBatch;
use crate::message_reader::MessageSide;
use crate::observations::Observations;
use crate::slips::{Name, Side, Slip, Slips};

/// Looks at every batch before it is reduced to judged messages; called on the reading threads.
pub type Witness = Arc<dyn Fn(&MessageBatch) + Send + Sync>;

/// The node.
pub struct MessageExec {
    side: MessageSide,
    shares: Vec<Vec<Wanted>>,
    observations: Arc<Mutex<Observations>>,
    witness: Witness,
    slips: Arc<Slips>,
    properties: Arc<PlanProperties>,
}

impl MessageExec {
    /// Reads each share of `shares` in one partition of the plan; what is seen beside the rows goes to `observations`,
    /// the slips of messages that are not judged to `slips`.
    pub fn new(
        side: MessageSide,
        shares: Vec<Vec<Wanted>>,
        observations: Arc<Mutex<Observations>>,
        witness: Witness,
        slips: Arc<Slips>,
    ) -> Self {
        let mut fields = vec![
            ArrowField::new("segment_kind", DataType::UInt64, false),
            ArrowField::new("segment_number", DataType::Int64, false),
            ArrowField::new("_offset", DataType::Int64, false),
            slip_field(),
        ];
        let columns = side.binding.columns.iter();
        fields.extend(columns.map(|column| column.field.to_arrow().with_nullable(true)));
        fields.push(ArrowField::new("_inexact", DataType::Binary, true));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::new(ArrowSchema::new(fields))),
            Partitioning::UnknownPartitioning(shares.len().max(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { side, shares, observations, witness, slips, properties }
    }
}

/// One batch of judged messages.
fn judged(side: &MessageSide, schema: &SchemaRef, slips: &Slips, batch: MessageBatch) -> Result<RecordBatch> {
    let rows = batch.len();
    let places = side.segments.places(&batch).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let pairs: Vec<(u64, i64)> = places.iter().map(|(segment, _)| segment.to_pair()).collect();
    let keep = (!batch.all_judged())
        .then(|| batch.states.iter().map(|state| Some(*state == MessageState::Judged)).collect::<BooleanArray>());
    if keep.is_some() {
        let beside = places.iter().zip(&batch.states).filter(|(_, state)| **state != MessageState::Judged);
        let slip = |((_, name), _): (&(SegmentKey, Name), _)| Slip::new(*name, 0, false);
        slips.add(Side::Message, beside.map(slip));
    }
    let inexact: ArrayRef = match batch.inexact(|_| true) {
        Some(marks) => Arc::new(marks) as Arc<BinaryArray>,
        None => new_null_array(&DataType::Binary, rows),
    };
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(pairs.iter().map(|pair| pair.0))),
        Arc::new(Int64Array::from_iter_values(pairs.iter().map(|pair| pair.1))),
        Arc::new(Int64Array::from(batch.offset)),
        slip_column(places.iter().map(|(_, name)| Some((*name, true))))?,
    ];
    columns.extend(batch.columns);
    columns.push(inexact);
    let batch = RecordBatch::try_new(Arc::clone(schema), columns)?;
    Ok(match keep {
        Some(keep) => filter_record_batch(&batch, &keep)?,
        None => batch,
    })
}

impl fmt::Debug for MessageExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageExec").field("shares", &self.shares).finish_non_exhaustive()
    }
}

impl DisplayAs for MessageExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partitions: usize = self.shares.iter().map(Vec::len).sum();
        write!(f, "MessageExec: topic partitions={partitions}")
    }
}

impl ExecutionPlan for MessageExec {
    fn name(&self) -> &str {
        "MessageExec"
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
            false => Err(DataFusionError::Internal("a topic has no children".to_owned())),
        }
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStream::builder(self.schema(), QUEUE_BATCHES_MAX);
        let (side, schema, queue) = (self.side.clone(), self.schema(), builder.tx());
        let wanted = self.shares.get(partition).cloned().unwrap_or_default();
        let (observations, witness) = (Arc::clone(&self.observations), Arc::clone(&self.witness));
        let slips = Arc::clone(&self.slips);
        builder.spawn_blocking(move || {
            let seen = side.read(&wanted, &mut |batch| {
                witness(&batch);
                match queue.blocking_send(judged(&side, &schema, &slips, batch)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            });
            let seen = seen.map_err(|error| DataFusionError::External(Box::new(error)))?;
            observations.lock().unwrap_or_else(PoisonError::into_inner).merge(seen);
            Ok(())
        });
        Ok(builder.build())
    }
}

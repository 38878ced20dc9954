//! The node behind the digest that keeps the slip of each message or row that passes; batches go on as they are.
//!
//! Contract: the column [`SLIP_COLUMN`] holds the name and whether the message or row settles, 13 bytes; the last column
//! is the digest.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, RecordBatch};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field as ArrowField};
use datafusion::common::exec_datafusion_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use crate::slips::{Name, Side, Slip, Slips};

/// The column of names.
pub const SLIP_COLUMN: &str = "slip";

/// Bytes of that column: a name, and whether it settles.
const SLIP_COLUMN_BYTES: i32 = 13;

/// The node.
#[derive(Debug)]
pub struct SlipExec {
    input: Arc<dyn ExecutionPlan>,
    side: Side,
    slips: Arc<Slips>,
}

impl SlipExec {
    /// The node over digests.
    pub fn new(input: Arc<dyn ExecutionPlan>, side: Side, slips: Arc<Slips>) -> Self {
        Self { input, side, slips }
    }
}

/// The field of [`SLIP_COLUMN`].
pub fn slip_field() -> ArrowField {
    ArrowField::new(SLIP_COLUMN, DataType::FixedSizeBinary(SLIP_COLUMN_BYTES), false)
}

/// The column of these names. What has no name settles nothing and differs from everything.
pub fn slip_column(names: impl ExactSizeIterator<Item = Option<(Name, bool)>>) -> Result<ArrayRef> {
    let mut bytes = Vec::with_capacity(names.len() * SLIP_COLUMN_BYTES as usize);
    for name in names {
        let (name, settles) = name.unwrap_or((Name::NONE, false));
        bytes.extend(name.to_bytes());
        bytes.push(u8::from(settles));
    }
    Ok(Arc::new(FixedSizeBinaryArray::try_new(SLIP_COLUMN_BYTES, Buffer::from_vec(bytes), None)?))
}

fn keep(slips: &Slips, side: Side, batch: &RecordBatch) -> Result<()> {
    if !slips.is_kept() {
        return Ok(());
    }
    let names = batch.column_by_name(SLIP_COLUMN).and_then(|column| column.as_any().downcast_ref());
    let digests = batch.columns().last().and_then(|column| column.as_any().downcast_ref());
    let (Some(names), Some(digests)): (Option<&FixedSizeBinaryArray>, Option<&FixedSizeBinaryArray>) = (names, digests)
    else {
        return Err(exec_datafusion_err!("slips want names and digests"));
    };
    let slip = |row: usize| {
        let (name, settles) = names.value(row).split_first_chunk::<12>()?;
        let beginning = u64::from_le_bytes(*digests.value(row).first_chunk()?);
        Some(Slip::new(Name::from_bytes(*name), beginning, settles == [1]))
    };
    slips.add(side, (0..batch.num_rows()).filter_map(slip));
    Ok(())
}

impl DisplayAs for SlipExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlipExec")
    }
}

impl ExecutionPlan for SlipExec {
    fn name(&self) -> &str {
        "SlipExec"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.side, Arc::clone(&self.slips)))),
            _ => Err(DataFusionError::Internal("slips are kept of one input".to_owned())),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (slips, side) = (Arc::clone(&self.slips), self.side);
        let input = self.input.execute(partition, context)?;
        let batches = input.map(move |batch| {
            let batch = batch?;
            keep(&slips, side, &batch)?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

//! The node that turns messages and rows into bags: digests each, keeps its slip, and sums neighbours of one segment.
//!
//! Contract: a batch of the input gives a batch of bags, one for each run of neighbours that share a segment (and file),
//! so that what comes behind groups a few bags and not each digest. The columns before the digested ones are
//! [`SEGMENT_FIELDS`]; the column [`SLIP_COLUMN`] holds the name and whether the message or row settles, 13 bytes.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, Int64Array, RecordBatch, UInt64Array};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use datafusion::common::exec_datafusion_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::StreamExt;
use validator_core::bag::BAG_BYTES;
use validator_core::digest::{Digest, DigestKey};
use validator_core::encode::EncodeError;
use validator_core::shadow::slips::mark_of;

use crate::digester::{DigestSpec, Digester};
use crate::slips::{Name, Side, Slip, Slips};
use crate::summing::Runs;

/// The column of names.
const SLIP_COLUMN: &str = "slip";

/// Bytes of that column: a name, and whether it settles.
const SLIP_COLUMN_BYTES: i32 = 13;

/// Columns of the input before those that are digested: the two numbers of a segment key, the offset of a message or
/// whether a row is late, and the slip.
pub const SEGMENT_FIELDS: usize = 4;

/// What is digested, and what is kept beside the bags.
#[derive(Debug, Clone)]
pub struct BagSpec {
    /// The columns, which come behind [`SEGMENT_FIELDS`].
    pub digest: DigestSpec,
    /// The column of inexact values of messages.
    pub inexact: Option<usize>,
    /// Where bags are kept by file, or files by bag.
    pub files: Files,
}

/// What is known of the files that a segment's rows lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Nothing: messages lie in none.
    None,
    /// A bag for each segment and file, whose index is in this column; positions in it are in the next one.
    Each(usize),
    /// One bag for each segment: the classes of its files ([`file_class`]), whose index is in this column. For segments
    /// with rows in most files.
    Classes(usize),
}

/// One bit of 64 for a file; up to as many files have one of their own.
pub fn file_class(file: u32) -> u64 {
    1 << (file % 64)
}

/// The node.
#[derive(Debug)]
pub struct BagExec {
    input: Arc<dyn ExecutionPlan>,
    summing: Arc<Summing>,
    properties: Arc<PlanProperties>,
}

impl BagExec {
    /// The node over messages or rows.
    ///
    /// # Errors
    /// A column type that has no canonical bytes.
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        side: Side,
        spec: BagSpec,
        key: &DigestKey,
        slips: Arc<Slips>,
    ) -> Result<Self, EncodeError> {
        let fields = vec![
            ArrowField::new("segment_kind", DataType::UInt64, false),
            ArrowField::new("segment_number", DataType::Int64, false),
            ArrowField::new("files", DataType::UInt64, false),
            ArrowField::new("bag", DataType::FixedSizeBinary(BAG_BYTES as i32), false),
            ArrowField::new("note", DataType::Int64, false),
            ArrowField::new("first", DataType::UInt64, false),
            ArrowField::new("last", DataType::UInt64, false),
        ];
        let (digester, schema) = (Digester::new(&spec.digest, key)?, Arc::new(ArrowSchema::new(fields)));
        Ok(Self::of(input, Arc::new(Summing { side, spec, digester, slips, schema })))
    }

    fn of(input: Arc<dyn ExecutionPlan>, summing: Arc<Summing>) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&summing.schema)),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { input, summing, properties }
    }
}

/// The field of the column of slips.
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

/// What the node does with a batch, the same in all partitions of the plan.
#[derive(Debug)]
struct Summing {
    side: Side,
    spec: BagSpec,
    digester: Digester,
    slips: Arc<Slips>,
    schema: SchemaRef,
}

/// A segment, in two numbers, and a file.
type Group = (u64, i64, u64);

/// What is noted of a run beside its bag.
#[derive(Debug, Clone, Copy)]
struct Note {
    /// The largest offset, or late rows.
    number: i64,
    /// Smallest and largest position in the file; 0 where bags are not kept by file.
    first: u64,
    last: u64,
}

impl Summing {
    fn bags(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let digested = SEGMENT_FIELDS..SEGMENT_FIELDS + self.spec.digest.fields.len();
        let inexact = self.spec.inexact.map(|column| batch.column(column).as_binary::<i32>());
        let inexact = inexact.filter(|marks: &&BinaryArray| marks.null_count() < marks.len());
        let runs = self
            .digester
            .digest(batch.num_rows(), &batch.columns()[digested], inexact, |digests| {
                self.keep(batch, digests)?;
                Ok(self.runs(batch, digests))
            })
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        runs.and_then(|runs| batch_of(runs, &self.schema))
    }

    /// Keeps the slips.
    fn keep(&self, batch: &RecordBatch, digests: &[Digest]) -> Result<()> {
        let of_files = match self.spec.files {
            Files::Each(column) => self.slips.rows_of_files().map(|rows| (rows, column)),
            Files::None | Files::Classes(_) => None,
        };
        if !self.slips.is_kept() && of_files.is_none() {
            return Ok(());
        }
        let names = batch.column_by_name(SLIP_COLUMN).and_then(|column| column.as_any().downcast_ref());
        let names: &FixedSizeBinaryArray = names.ok_or_else(|| exec_datafusion_err!("slips want names"))?;
        let (names, _) = names.value_data().as_chunks::<{ SLIP_COLUMN_BYTES as usize }>();
        if let Some((mut rows, column)) = of_files {
            let files = batch.column(column).as_primitive::<UInt32Type>().values().iter();
            let named = files.zip(names).zip(digests);
            rows.add(named.map(|((file, [name @ .., _]), digest)| (*file, Name::from_bytes(*name), mark_of(digest))));
        }
        let slip = |(name, digest): (&[u8; SLIP_COLUMN_BYTES as usize], &Digest)| {
            let [name @ .., settles] = name;
            let (beginning, _) = digest.0.split_first_chunk().expect("32 bytes hold eight");
            Slip::new(Name::from_bytes(*name), u64::from_le_bytes(*beginning), *settles == 1)
        };
        self.slips.add(self.side, names.iter().zip(digests).map(slip));
        Ok(())
    }

    fn runs(&self, batch: &RecordBatch, digests: &[Digest]) -> Runs<Group, Note> {
        let kinds = batch.column(0).as_primitive::<UInt64Type>().values();
        let numbers = batch.column(1).as_primitive::<Int64Type>().values();
        let notes = batch.column(2).as_primitive::<Int64Type>().values();
        let files = |column: usize| batch.column(column).as_primitive::<UInt32Type>().values();
        let files: Option<Vec<u64>> = match self.spec.files {
            Files::None => None,
            Files::Each(column) => Some(files(column).iter().map(|file| u64::from(*file)).collect()),
            Files::Classes(column) => Some(files(column).iter().map(|file| file_class(*file)).collect()),
        };
        let positions = match self.spec.files {
            Files::Each(column) => Some(batch.column(column + 1).as_primitive::<UInt64Type>().values()),
            Files::None | Files::Classes(_) => None,
        };
        let mut runs = Runs::default();
        for (row, digest) in digests.iter().enumerate() {
            let file = files.as_ref().map_or(0, |files| files[row]);
            let position = positions.map_or(0, |positions| positions[row]);
            let note = Note { number: notes[row], first: position, last: position };
            runs.add((kinds[row], numbers[row], file), digest, note, |all, one| {
                match self.side {
                    Side::Message => all.number = one.number.max(all.number),
                    Side::Row => all.number += one.number,
                }
                all.first = all.first.min(one.first);
                all.last = all.last.max(one.last);
            });
        }
        runs
    }
}

/// One row a run.
fn batch_of(runs: Runs<Group, Note>, schema: &SchemaRef) -> Result<RecordBatch> {
    let runs = runs.into_vec();
    let bags: Vec<u8> = runs.iter().flat_map(|run| run.bag.to_bytes()).collect();
    let bags = FixedSizeBinaryArray::try_new(BAG_BYTES as i32, Buffer::from_vec(bags), None)?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(runs.iter().map(|run| run.key.0))),
        Arc::new(Int64Array::from_iter_values(runs.iter().map(|run| run.key.1))),
        Arc::new(UInt64Array::from_iter_values(runs.iter().map(|run| run.key.2))),
        Arc::new(bags),
        Arc::new(Int64Array::from_iter_values(runs.iter().map(|run| run.note.number))),
        Arc::new(UInt64Array::from_iter_values(runs.iter().map(|run| run.note.first))),
        Arc::new(UInt64Array::from_iter_values(runs.iter().map(|run| run.note.last))),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

impl DisplayAs for BagExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BagExec: side={:?}, files={:?}", self.summing.side, self.summing.spec.files)
    }
}

impl ExecutionPlan for BagExec {
    fn name(&self) -> &str {
        "BagExec"
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
            (Some(input), true) => Ok(Arc::new(Self::of(input, Arc::clone(&self.summing)))),
            _ => Err(DataFusionError::Internal("bags are made of one input".to_owned())),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let summing = Arc::clone(&self.summing);
        let input = self.input.execute(partition, context)?;
        let bags = input.map(move |batch| summing.bags(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), bags)))
    }
}

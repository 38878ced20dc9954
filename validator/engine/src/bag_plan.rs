//! The reconcile plan: bags per segment, from either side.
//!
//! ```text
//! MessageExec ───────────────────▶ BagExec (digest, slip, runs) ▶ bag by segment       ▶ merge
//! IcebergScanExec ▶ SegmentExec ▶ BagExec (digest, slip, runs) ▶ bag by segment, file ▶ merge
//! ```
//! Contract: partial bags merge exactly, so partitions of the plan may see any share of the input.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::functions_aggregate::bit_and_or_xor::bit_or_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use validator_core::bag::Bag;
use validator_core::books::Books;
use validator_core::digest::DigestKey;
use validator_core::position::FileIndex;
use validator_core::segment::SegmentKey;

use crate::bag_exec::{BagExec, BagSpec, Files, SEGMENT_FIELDS, file_class};
use crate::bag_sum::{BagSum, bag_at};
use crate::digester::DigestSpec;
use crate::message_exec::MessageExec;
use crate::scan_exec::FILE_COLUMN;
use crate::segment_exec::SegmentExec;
use crate::slips::{Side, Slips};
use crate::stretches::Stretches;

/// The bag of one segment's messages.
#[derive(Debug, Clone, Copy)]
pub struct MessageBag {
    /// The segment.
    pub segment: SegmentKey,
    /// Its judged messages.
    pub bag: Bag,
    /// The largest offset among them; only of meaning in mode `offset`.
    pub offset_max: i64,
}

/// The bag of one segment's rows in one file, or in all of them.
#[derive(Debug, Clone)]
pub struct RowBag {
    /// The segment.
    pub segment: SegmentKey,
    /// Where the rows lie.
    pub files: RowFiles,
    /// The rows.
    pub bag: Bag,
    /// How many of them are late.
    pub late: u64,
}

/// Which files the rows of a bag lie in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFiles {
    /// This one, between these positions.
    One(FileIndex, Range<u64>),
    /// Some of the files of these classes.
    Classes(u64),
}

/// Runs the message side.
///
/// # Errors
/// A source that cannot be read, or the plan's memory.
pub async fn message_bags(
    messages: MessageExec,
    digest: DigestSpec,
    key: &DigestKey,
    slips: &Arc<Slips>,
    context: Arc<TaskContext>,
) -> Result<Vec<MessageBag>> {
    let batches = collect(message_plan(messages, digest, key, slips)?, context).await?;
    let mut bags = Vec::new();
    for batch in &batches {
        let largest = batch.column(3).as_primitive::<Int64Type>();
        for (row, segment) in segments(batch)?.into_iter().enumerate() {
            bags.push(MessageBag { segment, bag: bag_at(batch.column(2), row)?, offset_max: largest.value(row) });
        }
    }
    Ok(bags)
}

/// The plan of the message side.
pub(crate) fn message_plan(
    messages: MessageExec,
    digest: DigestSpec,
    key: &DigestKey,
    slips: &Arc<Slips>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let inexact = Some(SEGMENT_FIELDS + digest.fields.len());
    let spec = BagSpec { digest, inexact, files: Files::None };
    let bags = bags_of(Arc::new(messages), Side::Message, spec, key, slips)?;
    grouped(bags, 2, &[("bag", bag_udaf(), 3), ("offset_max", max_udaf(), 4)])
}

/// Runs the row side; `by_file` keeps the bags of files apart.
///
/// # Errors
/// The plan's memory; what is wrong with files is in the scan's log.
pub async fn row_bags(
    rows: SegmentExec,
    digest: DigestSpec,
    key: &DigestKey,
    slips: &Arc<Slips>,
    by_file: bool,
    context: Arc<TaskContext>,
) -> Result<Vec<RowBag>> {
    let plan = row_plan(rows, digest, key, slips, by_file)?;
    let mut bags = Vec::new();
    for batch in &collect(plan, context).await? {
        let files = batch.column(2).as_primitive::<UInt64Type>();
        let late = batch.column(4).as_primitive::<Int64Type>();
        let position = |column: usize, row: usize| batch.column(column).as_primitive::<UInt64Type>().value(row);
        for (row, segment) in segments(batch)?.into_iter().enumerate() {
            let files = match (by_file, files.value(row)) {
                (true, file) => RowFiles::One(FileIndex(file as u32), position(5, row)..position(6, row) + 1),
                (false, classes) => RowFiles::Classes(classes),
            };
            let bag = bag_at(batch.column(3), row)?;
            bags.push(RowBag { segment, files, bag, late: u64::try_from(late.value(row)).unwrap_or(0) });
        }
    }
    Ok(bags)
}

/// The plan of the row side.
pub(crate) fn row_plan(
    rows: SegmentExec,
    digest: DigestSpec,
    key: &DigestKey,
    slips: &Arc<Slips>,
    by_file: bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    let file = rows.schema().index_of(FILE_COLUMN)?;
    let files = if by_file { Files::Each(file) } else { Files::Classes(file) };
    let bags = bags_of(Arc::new(rows), Side::Row, BagSpec { digest, inexact: None, files }, key, slips)?;
    let (bag, late) = (("bag", bag_udaf(), 3), ("late", sum_udaf(), 4));
    match by_file {
        true => grouped(bags, 3, &[bag, late, ("first", min_udaf(), 5), ("last", max_udaf(), 6)]),
        false => grouped(bags, 2, &[("files", bit_or_udaf(), 2), bag, late]),
    }
}

/// Where rows of these bags may lie in `files`.
pub(crate) fn stretches_of<'a>(
    bags: impl Iterator<Item = &'a RowBag>,
    files: impl Iterator<Item = FileIndex>,
) -> BTreeMap<FileIndex, Stretches> {
    let (mut found, mut classes): (BTreeMap<FileIndex, Stretches>, u64) = (BTreeMap::new(), 0);
    for bag in bags {
        match &bag.files {
            RowFiles::One(file, rows) => found.entry(*file).or_default().add(rows.clone()),
            RowFiles::Classes(some) => classes |= some,
        }
    }
    found.extend(files.filter(|file| file_class(file.0) & classes != 0).map(|file| (file, Stretches::All)));
    found
}

fn bag_udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(BagSum::default()))
}

fn bags_of(
    input: Arc<dyn ExecutionPlan>,
    side: Side,
    spec: BagSpec,
    key: &DigestKey,
    slips: &Arc<Slips>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let bags = BagExec::new(input, side, spec, key, Arc::clone(slips));
    Ok(Arc::new(bags.map_err(|error| DataFusionError::External(Box::new(error)))?))
}

/// Groups by the first `keys` columns: partial per partition, then merged.
fn grouped(
    input: Arc<dyn ExecutionPlan>,
    keys: usize,
    aggregates: &[(&str, Arc<AggregateUDF>, usize)],
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let column = |index: usize| Arc::new(Column::new(schema.field(index).name(), index)) as Arc<dyn PhysicalExpr>;
    let group_by = (0..keys).map(|index| (column(index), schema.field(index).name().clone())).collect();
    let group_by = PhysicalGroupBy::new_single(group_by);
    let expression = |(alias, function, argument): &(&str, Arc<AggregateUDF>, usize)| {
        let builder = AggregateExprBuilder::new(Arc::clone(function), vec![column(*argument)]);
        Ok(Arc::new(builder.schema(Arc::clone(&schema)).alias(*alias).build()?))
    };
    let expressions = aggregates.iter().map(expression).collect::<Result<Vec<Arc<AggregateFunctionExpr>>>>()?;
    let filters = vec![None; expressions.len()];
    let partial = AggregateExec::try_new(
        AggregateMode::Partial,
        group_by.clone(),
        expressions.clone(),
        filters.clone(),
        input,
        Arc::clone(&schema),
    )?;
    let merged = Arc::new(CoalescePartitionsExec::new(Arc::new(partial)));
    let last = AggregateExec::try_new(AggregateMode::Final, group_by.as_final(), expressions, filters, merged, schema)?;
    Ok(Arc::new(last))
}

fn segments(batch: &RecordBatch) -> Result<Vec<SegmentKey>> {
    let kinds = batch.column(0).as_primitive::<UInt64Type>().values();
    let numbers = batch.column(1).as_primitive::<Int64Type>().values();
    let key = |(kind, number): (&u64, &i64)| {
        SegmentKey::from_pair((*kind, *number))
            .ok_or_else(|| DataFusionError::Internal(format!("({kind}, {number}) is no segment")))
    };
    kinds.iter().zip(numbers).map(key).collect()
}

/// What the bags of both sides say together.
pub(crate) fn books(messages: &[MessageBag], rows: &[RowBag]) -> Books {
    let mut books = Books::new();
    for bag in messages {
        books.debit(bag.segment, &bag.bag);
    }
    for bag in rows {
        books.credit(bag.segment, &bag.bag);
    }
    books
}

//! The reconcile plan: bags per segment, from either side.
//!
//! ```text
//! MessageExec ────────────────▶ row_digest ▶ bag by segment        ▶ merge
//! IcebergScanExec ▶ SegmentExec ▶ row_digest ▶ bag by segment, file ▶ merge
//! ```
//! Contract: partial bags merge exactly, so partitions of the plan may see any share of the input.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::functions_aggregate::{min_max::max_udaf, sum::sum_udaf};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::scalar::ScalarValue;
use validator_core::bag::Bag;
use validator_core::books::Books;
use validator_core::digest::DigestKey;
use validator_core::position::FileIndex;
use validator_core::segment::SegmentKey;

use crate::bag_sum::{BagSum, bag_at};
use crate::message_exec::{MESSAGE_PREFIX, MessageExec};
use crate::row_digest::{DigestSpec, RowDigest};
use crate::scan_exec::FILE_COLUMN;
use crate::segment_exec::{ROW_PREFIX, SegmentExec};

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

/// The bag of one segment's rows in one file.
#[derive(Debug, Clone, Copy)]
pub struct RowBag {
    /// The segment.
    pub segment: SegmentKey,
    /// The file.
    pub file: FileIndex,
    /// Its rows.
    pub bag: Bag,
    /// How many of them are late.
    pub late: u64,
}

/// Runs the message side.
///
/// # Errors
/// A source that cannot be read, or the plan's memory.
pub async fn message_bags(
    messages: MessageExec,
    spec: &DigestSpec,
    key: &DigestKey,
    context: Arc<TaskContext>,
) -> Result<Vec<MessageBag>> {
    let columns = spec.fields.len();
    let input: Arc<dyn ExecutionPlan> = Arc::new(messages);
    let marks = Arc::new(Column::new("_inexact", MESSAGE_PREFIX + columns)) as Arc<dyn PhysicalExpr>;
    let digest = digest_expr(&input, spec, key, MESSAGE_PREFIX, marks)?;
    let input = project(input, &[0, 1, 2], digest)?;
    let aggregates = [("bag", bag_udaf(), 3), ("offset_max", max_udaf(), 2)];
    let batches = collect(grouped(input, 2, &aggregates)?, context).await?;
    let mut bags = Vec::new();
    for batch in &batches {
        let largest = batch.column(3).as_primitive::<Int64Type>();
        for (row, segment) in segments(batch)?.into_iter().enumerate() {
            bags.push(MessageBag { segment, bag: bag_at(batch.column(2), row)?, offset_max: largest.value(row) });
        }
    }
    Ok(bags)
}

/// Runs the row side.
///
/// # Errors
/// The plan's memory; what is wrong with files is in the scan's log.
pub async fn row_bags(
    rows: SegmentExec,
    spec: &DigestSpec,
    key: &DigestKey,
    context: Arc<TaskContext>,
) -> Result<Vec<RowBag>> {
    let input: Arc<dyn ExecutionPlan> = Arc::new(rows);
    let file = input.schema().index_of(FILE_COLUMN)?;
    let marks = Arc::new(Literal::new(ScalarValue::Binary(None))) as Arc<dyn PhysicalExpr>;
    let digest = digest_expr(&input, spec, key, ROW_PREFIX, marks)?;
    let input = project(input, &[0, 1, file, 2], digest)?;
    let aggregates = [("bag", bag_udaf(), 4), ("late", sum_udaf(), 3)];
    let batches = collect(grouped(input, 3, &aggregates)?, context).await?;
    let mut bags = Vec::new();
    for batch in &batches {
        let files = batch.column(2).as_primitive::<UInt32Type>();
        let late = batch.column(4).as_primitive::<Int64Type>();
        for (row, segment) in segments(batch)?.into_iter().enumerate() {
            let bag = bag_at(batch.column(3), row)?;
            let late = u64::try_from(late.value(row)).unwrap_or(0);
            bags.push(RowBag { segment, file: FileIndex(files.value(row)), bag, late });
        }
    }
    Ok(bags)
}

fn bag_udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(BagSum::default()))
}

/// `row_digest(column…, marks)` over the columns from `first`.
fn digest_expr(
    input: &Arc<dyn ExecutionPlan>,
    spec: &DigestSpec,
    key: &DigestKey,
    first: usize,
    marks: Arc<dyn PhysicalExpr>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let digest = RowDigest::new(spec.clone(), key).map_err(|error| DataFusionError::External(Box::new(error)))?;
    let schema = input.schema();
    let columns = (first..first + spec.fields.len())
        .map(|index| Arc::new(Column::new(schema.field(index).name(), index)) as Arc<dyn PhysicalExpr>);
    let arguments = columns.chain([marks]).collect();
    let function = Arc::new(ScalarUDF::new_from_impl(digest));
    Ok(Arc::new(ScalarFunctionExpr::try_new(function, arguments, &schema, Arc::default())?))
}

fn project(
    input: Arc<dyn ExecutionPlan>,
    kept: &[usize],
    digest: Arc<dyn PhysicalExpr>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let column = |index: &usize| {
        let name = schema.field(*index).name();
        ProjectionExpr { expr: Arc::new(Column::new(name, *index)), alias: name.clone() }
    };
    let digest = ProjectionExpr { expr: digest, alias: "digest".to_owned() };
    Ok(Arc::new(ProjectionExec::try_new(kept.iter().map(column).chain([digest]), input)?))
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

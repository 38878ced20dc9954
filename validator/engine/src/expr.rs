//! One SQL expression of a contract, compiled: checked at load, evaluated per batch.
//!
//! Contract: identifiers are case-sensitive, decimal literals are exact, every CAST is exact, integer
//! arithmetic fails instead of wrapping, and nothing volatile, aggregating or nested is accepted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, ScalarUDF, Volatility};
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::ExprWithAlias;
use datafusion::sql::sqlparser::parser::ParserError;
use validator_core::schema::UTC;
use validator_table::contained;

use crate::limits::VALUE_BYTES_MAX;
use crate::map_fault::MapFault;
use crate::round::CountedRound;
use crate::weight::{count, weight};

mod decimals;
mod exact;
#[cfg(test)]
mod tests;
mod text;

pub use text::referenced_names;
pub(crate) use text::{operators, with_digits};

/// Why an expression cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExprError {
    /// It is not an SQL expression.
    #[error("the expression does not parse: {0}")]
    Parse(String),
    /// A name or a type does not fit.
    #[error("the expression does not fit the message: {0}")]
    Plan(String),
    /// Something the contract cannot hold.
    #[error("{0} cannot stand in a contract: the same message must always give the same row")]
    Volatile(String),
    /// Aggregates, windows, sub-queries.
    #[error("{0} cannot stand in a contract: an expression sees one message only")]
    NotScalar(String),
    /// More than can be handled.
    #[error("the expression has {has} {of}, and at most {most} are taken")]
    TooLarge {
        /// Of what there is too much.
        of: &'static str,
        /// How much there is.
        has: usize,
        /// How much is taken.
        most: usize,
    },
}

impl ExprError {
    fn parse(error: &ParserError) -> Self {
        let (ParserError::TokenizerError(words) | ParserError::ParserError(words)) = error else {
            return Self::Parse("it nests too deep".to_owned());
        };
        Self::Parse(words.clone())
    }

    /// DataFusion's own words, without its name for the kind of error and on one line.
    fn plan(error: &DataFusionError) -> Self {
        let words = error.strip_backtrace();
        let kinds = ["Error during planning: ", "Internal error: ", "This feature is not implemented: "];
        let words = kinds.iter().find_map(|kind| words.strip_prefix(kind)).unwrap_or(&words);
        // What follows is a table of the engine's own types.
        let words = words.split(" No function matches").next().unwrap_or(words);
        Self::Plan(words.lines().map(|line| line.trim_end_matches('.')).collect::<Vec<_>>().join("; "))
    }
}

/// How contracts read SQL; made once, since it registers every function there is.
static SESSION: LazyLock<SessionState> = LazyLock::new(|| {
    let mut config = SessionConfig::new();
    let parser = &mut config.options_mut().sql_parser;
    parser.enable_ident_normalization = false;
    parser.parse_float_as_decimal = true;
    parser.map_string_types_to_utf8view = false;
    let mut state = SessionContext::new_with_config(config).state();
    // After the functions have been made: a CAST to TIMESTAMPTZ gives an instant, while to_timestamp, which reads text
    // without a zone too, gives none.
    state.config_mut().options_mut().execution.time_zone = Some(UTC.to_owned());
    state
});

/// A compiled expression and its type.
#[derive(Debug, Clone)]
pub struct MessageExpr {
    physical: Arc<dyn PhysicalExpr>,
    data_type: DataType,
    rounded: Arc<AtomicU64>,
}

/// What an expression is for.
#[derive(Debug, Clone)]
pub struct Purpose {
    /// Whether TIMESTAMP without digits means nanoseconds: the column holds them.
    pub nanoseconds: bool,
    /// Values that a written `round` changes are counted here.
    pub rounded: Arc<AtomicU64>,
}

/// Compiles `sql` over rows of `input`.
///
/// # Errors
/// [`ExprError`], with DataFusion's own words.
pub fn compile(sql: &str, input: &Schema, purpose: &Purpose) -> Result<MessageExpr, ExprError> {
    let plan_error = |error: DataFusionError| ExprError::plan(&error);
    let mut parsed = text::parsed(sql)?;
    text::with_digits(&mut parsed, if purpose.nanoseconds { 9 } else { 6 });
    let mut state = SESSION.clone();
    let round = Arc::new(ScalarUDF::new_from_impl(CountedRound::new(Arc::clone(&purpose.rounded))));
    state.register_udf(round).map_err(plan_error)?;
    let schema = DFSchema::try_from(input.clone()).map_err(plan_error)?;
    let parsed = ExprWithAlias { expr: parsed, alias: None };
    let expr = state.create_logical_expr_from_sql_expr(parsed, &schema).map_err(plan_error)?;
    refuse_unsteady(&expr)?;
    let expr = exact::exact(expr, &schema, &state).map_err(plan_error)?;
    let physical = create_physical_expr(&expr, &schema, state.execution_props()).map_err(plan_error)?;
    let physical = physical.transform_up(fail_on_overflow).map_err(plan_error)?.data;
    let data_type = physical.data_type(input).map_err(plan_error)?;
    let expression = MessageExpr { physical, data_type, rounded: Arc::clone(&purpose.rounded) };
    expression.tried(input)?;
    Ok(expression)
}

impl MessageExpr {
    /// The Arrow type of its values.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Its values for all rows of `batch`; the first fault of any row fails the whole.
    ///
    /// # Errors
    /// The fault of one of the rows.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef, MapFault> {
        let counted = self.rounded.load(Ordering::Relaxed);
        self.values(batch).map_err(|error| {
            // What was rounded before the fault is rounded, and counted, again without it.
            self.rounded.store(counted, Ordering::Relaxed);
            MapFault::of(&error)
        })
    }

    /// A function that gives up on its arguments, as one that makes more text than an array holds, has no value.
    fn values(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let evaluated = contained(|| self.physical.evaluate(batch)?.into_array(batch.num_rows()));
        let values = evaluated.map_err(|gave_up| MapFault::Failed(format!("no value: {}", gave_up.message())))??;
        // Of a slice, what it shows; a batch beyond the bound is asked in halves, down to the message whose value is too large.
        if weight(&values, 0, values.len()) > count(VALUE_BYTES_MAX) {
            return Err(MapFault::Failed(format!("a value of more than {VALUE_BYTES_MAX} bytes")).into());
        }
        Ok(values)
    }

    /// Tries the expression on a message of NULLs and on one of zeros. What a value may cause is no fault of the
    /// expression; what no value can help is.
    fn tried(&self, input: &Schema) -> Result<(), ExprError> {
        let nulls = |field: &FieldRef| new_null_array(field.data_type(), 1);
        let zeros = |field: &FieldRef| {
            if field.data_type().is_nested() {
                return nulls(field);
            }
            let zero = ScalarValue::new_default(field.data_type()).and_then(|value| value.to_array());
            zero.unwrap_or_else(|_| nulls(field))
        };
        let row = |columns: Vec<ArrayRef>| {
            let options = RecordBatchOptions::new().with_row_count(Some(1));
            let fields: Vec<_> = input.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
            RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        };
        for columns in [input.fields().iter().map(nulls).collect(), input.fields().iter().map(zeros).collect()] {
            let Ok(batch) = row(columns) else { continue };
            match self.values(&batch) {
                Ok(array) if *array.data_type() != self.data_type => {
                    let (gives, said) = (array.data_type(), &self.data_type);
                    return Err(ExprError::Plan(format!("it gives {gives} where its functions promise {said}")));
                }
                Err(error) if is_helpless(&error) => return Err(ExprError::plan(&error)),
                Ok(_) | Err(_) => {}
            }
        }
        self.rounded.store(0, Ordering::Relaxed);
        Ok(())
    }
}

/// Refuses what can stand in no contract, whatever the fields of its messages are.
///
/// # Errors
/// [`ExprError`]: it does not parse, or what it asks for is refused.
pub fn check_alone(sql: &str) -> Result<(), ExprError> {
    let names = referenced_names(sql)?;
    let fields: Vec<_> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let parsed = ExprWithAlias { expr: text::parsed(sql)?, alias: None };
    let Ok(schema) = DFSchema::try_from(Schema::new(fields)) else { return Ok(()) };
    // What does not fit texts may fit what the fields are.
    SESSION.create_logical_expr_from_sql_expr(parsed, &schema).map_or(Ok(()), |expr| refuse_unsteady(&expr))
}

/// Whether no other message would fare better.
fn is_helpless(error: &DataFusionError) -> bool {
    use DataFusionError::{Internal, NotImplemented, Plan, SchemaError};
    matches!(error.find_root(), Internal(_) | NotImplemented(_) | Plan(_) | SchemaError(..))
}

/// Functions whose answer is another with every release of the query engine.
const OF_A_RELEASE: [&str; 2] = ["version", "arrow_typeof"];

fn refuse_unsteady(expr: &Expr) -> Result<(), ExprError> {
    let mut refused = None;
    let walked = expr.apply(|node| {
        refused = match node {
            Expr::ScalarFunction(f)
                if f.func.signature().volatility != Volatility::Immutable || OF_A_RELEASE.contains(&f.func.name()) =>
            {
                Some(ExprError::Volatile(format!("{}()", f.func.name())))
            }
            Expr::AggregateFunction(f) => Some(ExprError::NotScalar(format!("{}()", f.func.name()))),
            Expr::WindowFunction(_) => Some(ExprError::NotScalar("a window function".to_owned())),
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) => {
                Some(ExprError::NotScalar("a sub-query".to_owned()))
            }
            _ => None,
        };
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.map_err(|e| ExprError::plan(&e))?;
    refused.map_or(Ok(()), Err)
}

fn fail_on_overflow(expr: Arc<dyn PhysicalExpr>) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    match expr.as_any().downcast_ref::<BinaryExpr>() {
        Some(binary) => {
            let strict = BinaryExpr::new(Arc::clone(binary.left()), *binary.op(), Arc::clone(binary.right()))
                .with_fail_on_overflow(true);
            Ok(Transformed::yes(Arc::new(strict)))
        }
        None => Ok(Transformed::no(expr)),
    }
}

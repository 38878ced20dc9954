//! One SQL expression of a contract, compiled: checked at load, evaluated per batch.
//!
//! Contract: identifiers are case-sensitive, decimal literals are exact, every CAST is exact, integer
//! arithmetic fails instead of wrapping, and nothing volatile, aggregating or nested is accepted.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::exact_cast::ExactCast;
use crate::map_fault::MapFault;
use crate::round::CountedRound;

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
}

/// A compiled expression and its type.
#[derive(Debug, Clone)]
pub struct MessageExpr {
    physical: Arc<dyn PhysicalExpr>,
    data_type: DataType,
}

/// The top-level names that an expression refers to, in the order of the alphabet.
///
/// # Errors
/// [`ExprError::Parse`].
pub fn referenced_names(sql: &str) -> Result<BTreeSet<String>, ExprError> {
    struct Names(BTreeSet<String>);
    impl Visitor for Names {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
            match expr {
                SqlExpr::Identifier(name) => {
                    self.0.insert(name.value.clone());
                }
                SqlExpr::CompoundIdentifier(path) => {
                    self.0.extend(path.first().map(|name| name.value.clone()));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut parser = Parser::new(&GenericDialect).try_with_sql(sql).map_err(|e| ExprError::Parse(e.to_string()))?;
    let expr = parser.parse_expr().map_err(|e| ExprError::Parse(e.to_string()))?;
    let mut names = Names(BTreeSet::new());
    let _ = expr.visit(&mut names);
    Ok(names.0)
}

/// Compiles `sql` over rows of `input`; values that a written `round` changes are counted in `rounded`.
///
/// # Errors
/// [`ExprError`], with DataFusion's own words.
pub fn compile(sql: &str, input: &Schema, rounded: &Arc<AtomicU64>) -> Result<MessageExpr, ExprError> {
    let mut config = SessionConfig::new();
    let parser = &mut config.options_mut().sql_parser;
    parser.enable_ident_normalization = false;
    parser.parse_float_as_decimal = true;
    parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    context.register_udf(ScalarUDF::new_from_impl(CountedRound::new(Arc::clone(rounded))));
    let plan_error = |error: DataFusionError| match error.find_root() {
        DataFusionError::SQL(inner, _) => ExprError::Parse(inner.to_string()),
        _ => ExprError::Plan(error.strip_backtrace()),
    };
    let schema = DFSchema::try_from(input.clone()).map_err(plan_error)?;
    let expr = context.parse_sql_expr(sql, &schema).map_err(plan_error)?;
    refuse_unsteady(&expr)?;
    let expr = expr.transform_up(exact_casts).map_err(plan_error)?.data;
    let physical = context.state().create_physical_expr(expr, &schema).map_err(plan_error)?;
    let physical = physical.transform_up(fail_on_overflow).map_err(plan_error)?.data;
    let data_type = physical.data_type(input).map_err(plan_error)?;
    Ok(MessageExpr { physical, data_type })
}

impl MessageExpr {
    /// The Arrow type of its values.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Its values for all rows of `batch`; the first fault of any row fails the whole.
    ///
    /// # Errors
    /// [`MapFault`] of one of the rows.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef, MapFault> {
        let value = self.physical.evaluate(batch).map_err(|e| MapFault::of(&e))?;
        value.into_array(batch.num_rows()).map_err(|e| MapFault::of(&e))
    }
}

fn refuse_unsteady(expr: &Expr) -> Result<(), ExprError> {
    let mut refused = None;
    let walked = expr.apply(|node| {
        refused = match node {
            Expr::ScalarFunction(f) if f.func.signature().volatility != Volatility::Immutable => {
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
    walked.map_err(|e| ExprError::Plan(e.strip_backtrace()))?;
    refused.map_or(Ok(()), Err)
}

fn exact_casts(expr: Expr) -> Result<Transformed<Expr>> {
    let (inner, to, attempt) = match expr {
        Expr::Cast(cast) => (cast.expr, cast.data_type, false),
        Expr::TryCast(cast) => (cast.expr, cast.data_type, true),
        other => return Ok(Transformed::no(other)),
    };
    let function = Arc::new(ScalarUDF::new_from_impl(ExactCast::new(to, attempt)));
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![*inner]))))
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

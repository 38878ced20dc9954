//! One SQL expression of a contract, compiled: checked at load, evaluated per batch.
//!
//! Contract: identifiers are case-sensitive, decimal literals are exact, every CAST is exact, integer
//! arithmetic fails instead of wrapping, and nothing volatile, aggregating or nested is accepted.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

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
        let words = words.strip_prefix("Error during planning: ").unwrap_or(&words);
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
    SessionContext::new_with_config(config).state()
});

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
    let mut parser = Parser::new(&GenericDialect).try_with_sql(sql).map_err(|e| ExprError::parse(&e))?;
    let expr = parser.parse_expr().map_err(|e| ExprError::parse(&e))?;
    // What follows an expression is neither part of it nor an error of the parser by itself.
    parser.expect_token(&Token::EOF).map_err(|e| ExprError::parse(&e))?;
    let mut names = Names(BTreeSet::new());
    let _ = expr.visit(&mut names);
    Ok(names.0)
}

/// Compiles `sql` over rows of `input`; values that a written `round` changes are counted in `rounded`.
///
/// # Errors
/// [`ExprError`], with DataFusion's own words.
pub fn compile(sql: &str, input: &Schema, rounded: &Arc<AtomicU64>) -> Result<MessageExpr, ExprError> {
    let mut state = SESSION.clone();
    let round = Arc::new(ScalarUDF::new_from_impl(CountedRound::new(Arc::clone(rounded))));
    state.register_udf(round).map_err(|error| ExprError::plan(&error))?;
    let plan_error = |error: DataFusionError| match error.find_root() {
        DataFusionError::SQL(inner, _) => ExprError::parse(inner),
        _ => ExprError::plan(&error),
    };
    let schema = DFSchema::try_from(input.clone()).map_err(plan_error)?;
    let expr = state.create_logical_expr(sql, &schema).map_err(plan_error)?;
    refuse_unsteady(&expr)?;
    let expr = expr.transform_up(exact_casts).map_err(plan_error)?.data;
    let physical = state.create_physical_expr(expr, &schema).map_err(plan_error)?;
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
    /// The fault of one of the rows.
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
    walked.map_err(|e| ExprError::plan(&e))?;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Int64Type};
    use arrow_array::{Decimal128Array, Int64Array, StringArray};
    use arrow_schema::Field;

    use super::*;

    fn batch() -> RecordBatch {
        let price = Decimal128Array::from(vec![123_456_785, 150_000_000]).with_precision_and_scale(18, 9);
        RecordBatch::try_from_iter([
            ("price", Arc::new(price.expect("18 digits hold it")) as ArrayRef),
            ("T", Arc::new(Int64Array::from(vec![i64::MAX, 7]))),
            ("t", Arc::new(Int64Array::from(vec![1, 2]))),
            ("side", Arc::new(StringArray::from(vec!["b", "s"]))),
        ])
        .expect("columns of one length")
    }

    fn compiled(sql: &str) -> Result<MessageExpr, ExprError> {
        compile(sql, &batch().schema(), &Arc::default())
    }

    fn fault(sql: &str) -> MapFault {
        compiled(sql).expect("it compiles").evaluate(&batch()).expect_err("one row has no value")
    }

    #[test]
    fn a_cast_that_loses_fails_with_the_source_text() {
        assert_eq!(fault("CAST(price AS DECIMAL(18, 8))"), MapFault::Inexact("0.123456785".to_owned()));
        assert_eq!(fault("CAST(T AS INT)"), MapFault::Inexact(i64::MAX.to_string()));
        assert!(matches!(fault("CAST(side AS BIGINT)"), MapFault::Failed(_)));
    }

    #[test]
    fn a_cast_that_keeps_everything_passes() {
        let whole = compiled("CAST(t AS INT)").expect("it compiles").evaluate(&batch()).expect("1 and 2 are ints");
        assert_eq!(whole.data_type(), &DataType::Int32);
    }

    #[test]
    fn integer_arithmetic_fails_instead_of_wrapping() {
        assert!(matches!(fault("T * 1000"), MapFault::Failed(_)));
        assert!(matches!(fault("T + 1"), MapFault::Failed(_)));
    }

    #[test]
    fn names_that_differ_in_case_are_different_names() {
        let names = referenced_names("T * 1000 + t").expect("it parses");
        assert_eq!(names, BTreeSet::from(["T".to_owned(), "t".to_owned()]));
        let small = compiled("t + 0").expect("it compiles").evaluate(&batch()).expect("no overflow");
        assert_eq!(small.as_primitive::<Int64Type>().values(), &[1, 2]);
    }

    #[test]
    fn decimal_literals_are_exact() {
        let tenth = compiled("price * 0.1").expect("it compiles").evaluate(&batch()).expect("no overflow");
        let tenth = tenth.as_primitive::<Decimal128Type>();
        assert_eq!(tenth.value(1) * 10, 150_000_000 * 10i128.pow(u32::from(tenth.scale() as u8) - 9));
    }

    #[test]
    fn written_rounding_is_counted_where_it_changes_a_value() {
        let rounded = Arc::new(AtomicU64::new(0));
        let expression = compile("round(price, 8)", &batch().schema(), &rounded).expect("it compiles");
        expression.evaluate(&batch()).expect("rounding never fails");
        assert_eq!(rounded.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_is_volatile_or_sees_more_than_one_message_is_refused() {
        assert!(matches!(compiled("random()"), Err(ExprError::Volatile(_))));
        assert!(matches!(compiled("now()"), Err(ExprError::Volatile(_))));
        assert!(matches!(compiled("sum(t)"), Err(ExprError::NotScalar(_))));
        assert!(matches!(compiled("(SELECT 1)"), Err(ExprError::NotScalar(_) | ExprError::Plan(_))));
    }

    #[test]
    fn what_does_not_parse_or_fit_says_so() {
        assert!(matches!(compiled("CASE WHEN"), Err(ExprError::Parse(_))));
        assert!(matches!(referenced_names("1 +"), Err(ExprError::Parse(_))));
        let unknown = compiled("prize * 2").expect_err("there is no such field");
        assert!(unknown.to_string().contains("prize"), "{unknown}");
    }

    #[test]
    fn columns_schema_is_untouched_by_compilation() {
        let schema = Schema::new(vec![Field::new("a", DataType::Utf8, true)]);
        let expression = compile("upper(a)", &schema, &Arc::default()).expect("it compiles");
        assert_eq!(expression.data_type(), &DataType::Utf8);
    }
}

//! A planned expression made exact: every cast, written or implied, loses nothing or fails.
//!
//! Contract: types are settled here and nowhere later, so that no cast of DataFusion's own is left. What would be compared,
//! cut or wrapped in silence is refused with what to write instead.

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator, ScalarUDF, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::decimals;
use crate::exact_cast::ExactCast;
use crate::limits::EXPRESSION_NODES_MAX;
use crate::map_fault::MapFault;

/// The expression with all its types settled and every cast exact.
pub(super) fn exact(expr: Expr, schema: &DFSchema, state: &SessionState) -> Result<Expr> {
    let mut expr = expr;
    for rewrite in state.analyzer().function_rewrites() {
        expr = expr.transform_up(|node| rewrite.rewrite(node, schema, state.config_options()))?.data;
    }
    let context = SimplifyContext::default()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(state.config_options()));
    let expr = expr.transform_up(|node| written(node, schema, &context))?.data;
    decimals::refuse_open_quotients(&expr)?;
    let expr = ExprSimplifier::new(context.clone()).coerce(expr, schema)?;
    let expr = expr.transform_down(joined)?.data;
    let expr = expr.transform_up(|node| implied(node, schema))?.data;
    let expr = expr.transform_up(|node| made_of_others(node, &context))?.data;
    bounded(&expr)?;
    Ok(expr)
}

/// What the contract itself writes: casts, comparisons, arithmetic.
fn written(expr: Expr, schema: &DFSchema, context: &SimplifyContext) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Cast(cast) => self::cast(*cast.expr, cast.data_type, false, schema).map(Transformed::yes),
        Expr::TryCast(cast) => self::cast(*cast.expr, cast.data_type, true, schema).map(Transformed::yes),
        Expr::ScalarFunction(function) if function.func.name() == "arrow_cast" => {
            match function.func.simplify(function.args, context)? {
                ExprSimplifyResult::Simplified(Expr::Cast(Cast { expr, data_type })) => {
                    self::cast(*expr, data_type, false, schema).map(Transformed::yes)
                }
                ExprSimplifyResult::Simplified(same) => Ok(Transformed::yes(same)),
                ExprSimplifyResult::Original(_) => plan_err!("arrow_cast takes a value and the name of a type"),
            }
        }
        Expr::ScalarFunction(function) if function.func.name() == "round" => decimals::round(function),
        // Its first value is only asked whether it is there: the three need have no type in common.
        Expr::ScalarFunction(function) if function.func.name() == "nvl2" => {
            made_of_others(Expr::ScalarFunction(function), context)
        }
        Expr::Negative(inner) => negative(*inner, schema),
        Expr::BinaryExpr(binary) => self::binary(binary, schema),
        Expr::Literal(value, metadata) => Ok(Transformed::yes(Expr::Literal(decimals::plain(value), metadata))),
        Expr::Between(mut between) => {
            between.low = Box::new(compared(&between.expr, *between.low, schema)?);
            between.high = Box::new(compared(&between.expr, *between.high, schema)?);
            Ok(Transformed::yes(Expr::Between(between)))
        }
        Expr::InList(mut list) => {
            let value = &list.expr;
            list.list = list.list.into_iter().map(|item| compared(value, item, schema)).collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::InList(list)))
        }
        Expr::Case(case) => self::case(case, schema),
        other => Ok(Transformed::no(other)),
    }
}

fn case(mut case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Some(value) = &case.expr else { return Ok(Transformed::no(Expr::Case(case))) };
    let when = |(when, then): (Box<Expr>, Box<Expr>)| Ok((Box::new(compared(value, *when, schema)?), then));
    case.when_then_expr = case.when_then_expr.into_iter().map(when).collect::<Result<_>>()?;
    Ok(Transformed::yes(Expr::Case(case)))
}

fn binary(mut binary: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    use Operator::*;
    match binary.op {
        BitwiseShiftLeft => plan_err!("<< drops the bits that do not fit; write a multiplication, which fails instead"),
        Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom => {
            let left_is_time = binary.left.get_type(schema)?.is_temporal();
            match left_is_time {
                true => binary.right = Box::new(compared(&binary.left, *binary.right, schema)?),
                false => binary.left = Box::new(compared(&binary.right, *binary.left, schema)?),
            }
            decimals::widened(binary, schema).map(Transformed::yes)
        }
        Plus | Minus | Multiply | Divide | Modulo => decimals::widened(binary, schema).map(Transformed::yes),
        _ => Ok(Transformed::no(Expr::BinaryExpr(binary))),
    }
}

/// `other` as it is compared with `value`: text beside a time is that time, text beside a number is refused.
fn compared(value: &Expr, other: Expr, schema: &DFSchema) -> Result<Expr> {
    let (of_value, of_other) = (value.get_type(schema)?, other.get_type(schema)?);
    if is_text(&of_value) && of_other.is_numeric() {
        return text_and_number(value, &other);
    }
    if of_value.is_numeric() && is_text(&of_other) {
        return text_and_number(&other, value);
    }
    match of_value.is_temporal() && is_text(&of_other) {
        true => self::cast(other, of_value, false, schema),
        false => Ok(other),
    }
}

fn text_and_number(text: &Expr, number: &Expr) -> Result<Expr> {
    let text = text.human_display();
    plan_err!(
        "{text} is text and {} is a number, and as text 9 comes after 10; \
         write CAST({text} AS BIGINT), or give the field its type: [fields] {text} = \"long\"",
        number.human_display()
    )
}

/// `-x`, which fails where a type's least integer has no positive.
fn negative(inner: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let data_type = inner.get_type(schema)?;
    match data_type.is_signed_integer() {
        true => {
            let zero = lit(ScalarValue::new_zero(&data_type)?);
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(zero), Operator::Minus, Box::new(inner)))))
        }
        false => Ok(Transformed::no(Expr::Negative(Box::new(inner)))),
    }
}

/// Text is joined out of anything: the one place where a value becomes text without being told to.
fn joined(expr: Expr) -> Result<Transformed<Expr>> {
    let to_text = |child: Expr| match child {
        Expr::Cast(Cast { expr, data_type }) if is_text(&data_type) => call(*expr, ExactCast::new(data_type, false)),
        other => Ok(other),
    };
    match expr {
        Expr::BinaryExpr(mut binary) if binary.op == Operator::StringConcat => {
            (binary.left, binary.right) = (Box::new(to_text(*binary.left)?), Box::new(to_text(*binary.right)?));
            Ok(Transformed::yes(Expr::BinaryExpr(binary)))
        }
        Expr::ScalarFunction(mut function) if matches!(function.func.name(), "concat" | "concat_ws") => {
            function.args = function.args.into_iter().map(to_text).collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::ScalarFunction(function)))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// A cast that the operator or the function around it asked for.
fn implied(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::Cast(Cast { expr, data_type }) = expr else { return Ok(Transformed::no(expr)) };
    let from = expr.get_type(schema)?;
    let said = expr.human_display().to_string();
    match (&from, &data_type) {
        (DataType::Null, _) => {}
        (_, to) if is_text(to) && !is_text(&from) => {
            return plan_err!("{said} is no text, and text is wanted beside it; write CAST({said} AS VARCHAR)");
        }
        (DataType::Timestamp(_, None), DataType::Timestamp(_, Some(_))) => {
            return plan_err!("{said} is a time without a zone beside an instant; write CAST({said} AS TIMESTAMPTZ)");
        }
        _ => {}
    }
    call(*expr, ExactCast::new(data_type, false)).map(Transformed::yes)
}

/// `coalesce` and its kin are only ways to write a CASE.
fn made_of_others(expr: Expr, context: &SimplifyContext) -> Result<Transformed<Expr>> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args })
            if matches!(func.name(), "coalesce" | "nvl" | "nvl2") && args.len() > 1 =>
        {
            args.iter().try_for_each(bounded)?;
            match func.simplify(args, context)? {
                ExprSimplifyResult::Simplified(expr) => Ok(Transformed::yes(expr)),
                ExprSimplifyResult::Original(args) => {
                    Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })))
                }
            }
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Functions that are made of others write their arguments twice.
fn bounded(expr: &Expr) -> Result<()> {
    let mut nodes = 0;
    expr.apply(|_| {
        nodes += 1;
        Ok(if nodes > EXPRESSION_NODES_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match nodes > EXPRESSION_NODES_MAX {
        true => plan_err!("it nests coalesce, nvl or nvl2 too deep"),
        false => Ok(()),
    }
}

/// A cast that is written. Zones other than UTC are read, never shown: an instant has no other wall time here.
fn cast(inner: Expr, to: DataType, attempt: bool, schema: &DFSchema) -> Result<Expr> {
    let from = inner.get_type(schema)?;
    let DataType::Timestamp(unit, Some(zone)) = &to else {
        let to = match to {
            DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
            other => other,
        };
        return if from == to { Ok(inner) } else { call(inner, ExactCast::new(to, attempt)) };
    };
    let coarser = |of: TimeUnit| if of < *unit { of } else { *unit };
    let in_utc = |unit| ExactCast::new(DataType::Timestamp(unit, Some(validator_core::schema::UTC.into())), attempt);
    let is_utc = ["+00:00", "+00", "utc", "z", "gmt", "etc/utc"].contains(&zone.to_lowercase().as_str());
    match &from {
        DataType::Timestamp(of, Some(_)) if is_utc => call(inner, in_utc(coarser(*of))),
        DataType::Timestamp(_, Some(_)) => {
            plan_err!("{} is an instant already; AT TIME ZONE takes it at 'UTC' only", inner.human_display())
        }
        DataType::Timestamp(of, None) if is_utc => call(inner, in_utc(coarser(*of))),
        DataType::Timestamp(of, None) => call(inner, in_utc(coarser(*of)).read_in(Arc::clone(zone))),
        _ if is_utc => call(inner, in_utc(*unit)),
        _ => plan_err!("{} has no time of a zone; cast it to TIMESTAMP first", inner.human_display()),
    }
}

/// The cast as a function; of a literal, what it gives.
pub(super) fn call(inner: Expr, cast: ExactCast) -> Result<Expr> {
    if let Expr::Literal(value, _) = &inner {
        let array = cast.cast(&value.to_array()?).or_else(|error| plan_err!("{}", MapFault::of(&error)))?;
        return Ok(Expr::Literal(ScalarValue::try_from_array(&array, 0)?, None));
    }
    let function = Arc::new(ScalarUDF::new_from_impl(cast));
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![inner])))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

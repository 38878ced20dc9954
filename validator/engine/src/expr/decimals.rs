//! Arithmetic of decimals without losing a digit: where 38 digits may not do, 76 are computed with.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, ScalarUDF};

use validator_core::convert::decimal::POWERS_OF_TEN;

use super::exact::call;
use crate::exact_cast::ExactCast;
use crate::quotient::Quotient;

/// Digits in all and behind the point.
#[derive(Debug, Clone, Copy)]
struct Digits {
    all: i16,
    behind: i16,
}

/// The operation with both sides as wide as it needs them; a division of decimals as [`Quotient`].
pub(super) fn widened(binary: BinaryExpr, schema: &DFSchema) -> Result<Expr> {
    let (left, right) = (binary.left.get_type(schema)?, binary.right.get_type(schema)?);
    if !left.is_decimal() && !right.is_decimal() {
        return Ok(Expr::BinaryExpr(binary));
    }
    let of = (digits(&binary.left, &left), digits(&binary.right, &right));
    let (Some(of_left), Some(of_right)) = of else { return Ok(Expr::BinaryExpr(binary)) };
    let is_division = binary.op == Operator::Divide;
    let is_wide = |ty: &DataType| matches!(ty, DataType::Decimal256(..));
    if !is_division && !is_wide(&left) && !is_wide(&right) && fits(binary.op, of_left, of_right) {
        return Ok(Expr::BinaryExpr(binary));
    }
    let ends = ends(&binary.right);
    let (left, right) = (wide(*binary.left, &left, of_left)?, wide(*binary.right, &right, of_right)?);
    Ok(match is_division {
        true => quotient(Quotient::exact(ends), vec![left, right]),
        false => Expr::BinaryExpr(BinaryExpr::new(Box::new(left), binary.op, Box::new(right))),
    })
}

/// A literal such as `2e12`, read as a decimal whose digits end before the point, as one that ends at it.
pub(super) fn plain(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Decimal128(Some(digits), all, behind) if behind < 0 => {
            let power = POWERS_OF_TEN.get(usize::from(behind.unsigned_abs()));
            let all_plain = all.saturating_add(behind.unsigned_abs());
            match power.and_then(|power| digits.checked_mul(*power)) {
                Some(plain) if all_plain <= 38 => ScalarValue::Decimal128(Some(plain), all_plain, 0),
                _ => value,
            }
        }
        other => other,
    }
}

/// `round` around a quotient says how many of its digits count.
pub(super) fn round(mut function: ScalarFunction) -> Result<Transformed<Expr>> {
    let kept = match function.args.get(1) {
        None => Some(0),
        Some(Expr::Literal(ScalarValue::Int64(Some(kept)), _)) => i16::try_from(*kept).ok(),
        Some(_) => None,
    };
    if let (Some(kept), Some(Expr::ScalarFunction(inner))) = (kept, function.args.first_mut())
        && inner.func.inner().as_any().is::<Quotient>()
    {
        let of = std::mem::take(&mut inner.args);
        function.args[0] = quotient(Quotient::rounded(kept.max(0)), of);
    }
    Ok(Transformed::yes(Expr::ScalarFunction(function)))
}

/// A quotient that may have no end must say how it is rounded.
pub(super) fn refuse_open_quotients(expr: &Expr) -> Result<()> {
    let mut is_open = false;
    expr.apply(|node| {
        let Expr::ScalarFunction(function) = node else { return Ok(TreeNodeRecursion::Continue) };
        let quotient = function.func.inner().as_any().downcast_ref::<Quotient>();
        is_open = quotient.is_some_and(Quotient::is_open);
        Ok(if is_open { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match is_open {
        true => plan_err!("a quotient of decimals may have no end; write how it is rounded: round(a / b, 8)"),
        false => Ok(()),
    }
}

fn quotient(of: Quotient, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(of)), args))
}

/// Whether 38 digits hold every result, and every step to it.
fn fits(op: Operator, left: Digits, right: Digits) -> bool {
    let behind = left.behind.max(right.behind);
    let before = (left.all - left.behind).max(right.all - right.behind);
    match op {
        Operator::Multiply => left.all + right.all <= 38 && left.behind + right.behind <= 38,
        Operator::Plus | Operator::Minus => behind + before < 38,
        _ => behind + before <= 38,
    }
}

fn wide(expr: Expr, of: &DataType, digits: Digits) -> Result<Expr> {
    match of {
        DataType::Decimal256(..) => Ok(expr),
        _ => call(expr, ExactCast::new(DataType::Decimal256(digits.all as u8, digits.behind as i8), false)),
    }
}

/// `None`: no exact number.
fn digits(expr: &Expr, data_type: &DataType) -> Option<Digits> {
    let of_literal = match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => Some(value.unsigned_abs().checked_ilog10().unwrap_or(0)),
        _ => None,
    };
    let (all, behind) = match data_type {
        DataType::Decimal128(all, behind) | DataType::Decimal256(all, behind) => (i16::from(*all), i16::from(*behind)),
        _ if of_literal.is_some() => (of_literal? as i16 + 1, 0),
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 | DataType::UInt64 => (20, 0),
        _ => return None,
    };
    Some(Digits { all, behind })
}

/// Whether a division by it always ends.
fn ends(divisor: &Expr) -> bool {
    let mut rest = match divisor {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => i128::from(*value),
        Expr::Literal(ScalarValue::Decimal128(Some(value), ..), _) => *value,
        _ => return false,
    };
    for factor in [2, 5] {
        while rest != 0 && rest % factor == 0 {
            rest /= factor;
        }
    }
    rest.abs() == 1
}

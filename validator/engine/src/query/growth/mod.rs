//! What a query makes that is larger than what it reads: weighed before it is made, and all that one operator makes of a batch
//! is weighed together.
//!
//! Contract: constants are weighed as they are worked out, which is before any row is read; all else by the values of each
//! batch, so that what doubles from sub-query to sub-query, or from round to round of a recursion, is seen as it grows. Of
//! one operator no more than the bound stands in memory beside its input, by each thread.

mod argument;
mod joined;
mod scope;
mod weighed;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRewriter};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::Operator::StringConcat;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, ScalarUDF};
use datafusion::prelude::SessionContext;

use crate::limits::{QUERY_CALL_BYTES_LEAST, QUERY_CALL_BYTES_MOST, QUERY_CONSTANT_BYTES};
use joined::{Itself, Joined};
use scope::{Place, Scope};
use weighed::{GROWING, Growth, Weighed};

/// Functions that show a part of what there is already.
const SHARING: [&str; 3] = ["get_field", "named_struct", "struct"];

/// Bytes that one operator may make of a batch.
pub(super) fn most(memory: usize) -> usize {
    (memory / 2).clamp(QUERY_CALL_BYTES_LEAST, QUERY_CALL_BYTES_MOST)
}

/// Has each growing function weighed in this session, for what is constant.
pub(super) fn weigh(context: &SessionContext, most: usize) -> Result<()> {
    let state = context.state_ref();
    let mut state = state.write();
    for (name, growth) in GROWING {
        let inner = state.udf(name)?;
        let weighed = Weighed { inner, growth, most, scope: None };
        state.register_udf(Arc::new(ScalarUDF::from(weighed)))?;
    }
    Ok(())
}

/// The plan, when all that can be worked out before has been, with all that its operators make weighed together.
pub(super) fn weighed(plan: LogicalPlan, most: usize) -> Result<LogicalPlan> {
    let weighed = plan.transform_up_with_subqueries(|node| {
        if matches!(node, LogicalPlan::TableScan(_) | LogicalPlan::Values(_)) {
            return Ok(Transformed::no(node));
        }
        let is_shown = matches!(node, LogicalPlan::Projection(_));
        let mut operator = Operator { scope: Arc::new(Scope::default()), calls: 0, before: Vec::new(), most };
        node.map_expressions(|expr| if is_shown { shown(expr) } else { expr }.rewrite(&mut operator))
    })?;
    Ok(weighed.data)
}

/// A constant that is shown becomes as many values as the batch has rows.
fn shown(expr: Expr) -> Expr {
    match expr {
        Expr::Alias(mut alias) => {
            alias.expr = Box::new(shown(*alias.expr));
            Expr::Alias(alias)
        }
        Expr::Literal(ref value, _) if value.size() > QUERY_CONSTANT_BYTES => {
            let func = Arc::new(ScalarUDF::from(Itself::named("a constant")));
            Expr::ScalarFunction(ScalarFunction { func, args: vec![expr] })
        }
        other => other,
    }
}

/// One operator, whose calls are numbered in the order in which they are made.
struct Operator {
    scope: Arc<Scope>,
    calls: usize,
    /// Of each expression that is being looked into, the calls that were made before it.
    before: Vec<usize>,
    most: usize,
}

impl Operator {
    fn weighed(&mut self, before: usize, inner: Arc<ScalarUDF>, growth: Growth, args: Vec<Expr>) -> Expr {
        self.calls += 1;
        let scope = Some((Arc::clone(&self.scope), Place { before, call: self.calls }));
        let weighed = Weighed { inner, growth, most: self.most, scope };
        Expr::ScalarFunction(ScalarFunction { func: Arc::new(ScalarUDF::from(weighed)), args })
    }
}

impl TreeNodeRewriter for Operator {
    type Node = Expr;

    fn f_down(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        self.before.push(self.calls);
        Ok(Transformed::no(expr))
    }

    fn f_up(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        let before = self.before.pop().unwrap_or(self.calls);
        let expr = match expr {
            Expr::ScalarFunction(ScalarFunction { func, args }) if !SHARING.contains(&func.name()) => {
                let (inner, growth) = match func.inner().as_any().downcast_ref::<Weighed>() {
                    Some(weighed) => (Arc::clone(&weighed.inner), weighed.growth),
                    None => {
                        let growing = GROWING.into_iter().find(|(name, _)| *name == func.name());
                        (func, growing.map_or(Growth::Once, |(_, growth)| growth))
                    }
                };
                self.weighed(before, inner, growth, args)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: StringConcat, right }) => {
                let inner = Arc::new(ScalarUDF::from(Joined::default()));
                self.weighed(before, inner, Growth::Summed, vec![*left, *right])
            }
            Expr::Case(_) => {
                let inner = Arc::new(ScalarUDF::from(Itself::named("CASE")));
                self.weighed(before, inner, Growth::Once, vec![expr])
            }
            other => return Ok(Transformed::no(other)),
        };
        Ok(Transformed::yes(expr))
    }
}

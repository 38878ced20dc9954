//! Names for queries without one that are read from a query without one.
//!
//! Contract: the meaning of a query is that of its text. DataFusion leaves one of two neighbouring projections out whose expressions
//! are written alike (`SELECT a + 1 AS a FROM (SELECT a + 1 AS a FROM …)`), mended upstream in apache/datafusion#24686; a name in
//! between makes their columns differ.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Ident, Query, SetExpr, TableAlias, TableFactor, VisitorMut};

/// Gives the names; it is shown the outer query before the inner one.
#[derive(Default)]
pub struct Named {
    given: usize,
}

impl VisitorMut for Named {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, alias: alias @ None, .. } = factor
            && reads_anonymous(subquery)
        {
            self.given += 1;
            let name = Ident::with_quote('"', format!("anonymous {}", self.given));
            *alias = Some(TableAlias { explicit: true, name, columns: Vec::new() });
        }
        ControlFlow::Continue(())
    }
}

/// Whether it reads from a query that has no name.
fn reads_anonymous(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let relations = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    relations.into_iter().any(|relation| matches!(relation, TableFactor::Derived { alias: None, .. }))
}

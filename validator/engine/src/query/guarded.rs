//! A relation of which some columns must not be read: a query that needs one of them is refused before it reads anything.
//!
//! Contract: what stands in no answer and in no condition is not asked for, so that `count(*)` and `SELECT * EXCEPT (…)` are
//! taken; a join, a filter or a sort by a hidden column is reading it.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::error::QueryError;

/// Columns that must not be read, each with the pipeline that masks what it holds.
pub type Hidden = BTreeMap<String, String>;

/// See the module.
#[derive(Debug)]
pub struct Guarded {
    inner: Arc<dyn TableProvider>,
    hidden: Hidden,
}

impl Guarded {
    /// The relation without its hidden columns; itself where it has none of them.
    pub fn over(inner: Arc<dyn TableProvider>, mut hidden: Hidden) -> Arc<dyn TableProvider> {
        let schema = inner.schema();
        hidden.retain(|column, _| schema.column_with_name(column).is_some());
        if hidden.is_empty() { inner } else { Arc::new(Self { inner, hidden }) }
    }

    fn refuse<'a>(&self, read: impl Iterator<Item = &'a str>) -> Result<()> {
        let mut columns: Vec<String> = read.filter(|name| self.hidden.contains_key(*name)).map(str::to_owned).collect();
        columns.sort_unstable();
        columns.dedup();
        let Some(pipeline) = columns.first().and_then(|first| self.hidden.get(first)).cloned() else { return Ok(()) };
        let all = self.hidden.keys().cloned().collect();
        Err(QueryError::Masked { columns, all, pipeline }.into())
    }
}

#[async_trait]
impl TableProvider for Guarded {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn table_type(&self) -> TableType {
        self.inner.table_type()
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.inner.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let read = projection.unwrap_or(&all).iter().map(|index| schema.field(*index).name().as_str());
        let filtered: Vec<_> = filters.iter().flat_map(Expr::column_refs).collect();
        self.refuse(read.chain(filtered.iter().map(|column| column.name.as_str())))?;
        self.inner.scan(state, projection, filters, limit).await
    }
}

//! A pinned snapshot of a table, as a query reads it.
//!
//! Contract: no filter is pushed into the scan and no statistic is published: every answer comes from rows that were read.
//! Only the columns that the query needs are read.

use std::any::Any;
use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use validator_core::schema::Field;
use validator_table::Pinned;

use super::lake_scan::{Column, LakeScan};
use super::readable;

/// The column that holds the path of a row's file.
pub const FILE: &str = "_file";
/// The column that holds a row's position in its file.
pub const POSITION: &str = "_pos";
/// Columns that a table has where a query names them.
pub(super) const VIRTUAL: [&str; 2] = [FILE, POSITION];

/// A table.
#[derive(Debug)]
pub struct LakeTable {
    pinned: Arc<Pinned>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl LakeTable {
    /// The rows of a pinned snapshot.
    pub fn new(pinned: Arc<Pinned>) -> Self {
        let columns: Vec<Column> = pinned.schema.fields.iter().cloned().map(Column::Field).collect();
        let schema = schema_of(&columns);
        Self { pinned, columns, schema }
    }

    /// The same with these virtual columns, where the table has no columns of their names.
    pub(super) fn showing(mut self, names: &[&'static str]) -> Self {
        let names = names.iter().filter(|name| self.pinned.schema.field(name).is_none());
        self.columns.extend(names.map(|name| if *name == FILE { Column::File } else { Column::Position }));
        self.schema = schema_of(&self.columns);
        self
    }
}

fn schema_of(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| match column {
        // A file may hold NULL where the table forbids it.
        Column::Field(field) => readable::field(&Field { required: false, ..field.clone() }),
        Column::File => ArrowField::new(FILE, DataType::Utf8, false),
        Column::Position => ArrowField::new(POSITION, DataType::Int64, false),
    };
    Arc::new(ArrowSchema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

#[async_trait]
impl TableProvider for LakeTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let indexes = projection.unwrap_or(&all);
        let columns: Vec<Column> = indexes.iter().map(|index| self.columns[*index].clone()).collect();
        let schema = Arc::new(self.schema.project(indexes)?);
        let threads = state.config().target_partitions();
        Ok(Arc::new(LakeScan::new(Arc::clone(&self.pinned), columns, schema, limit, threads)))
    }
}

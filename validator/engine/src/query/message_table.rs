//! Messages, as a query reads them: where each stands, its bytes, and the fields that its payload is known to have.
//!
//! Contract: the range is bounded when the source is opened; nothing that comes later is read. A message that cannot be
//! decoded has NULL fields and says why in `_error`.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use validator_core::position::PartitionIndex;
use validator_tap::{Decoder, DecoderError, RowFields, Tap, TapError, Wanted, WantedField};

use super::cut::Cut;
use super::error::QueryError;
use super::message_scan::{Column, MessageScan, Reading};
use super::readable;
use crate::binding::META_NAMES;
use crate::drill::share;
use crate::positions::Positions;

/// The column that says why a message, or a field of it, could not be decoded exactly.
pub const ERROR_COLUMN: &str = "_error";

/// Makes one decoder per reading thread.
pub trait FieldDecoders: Send + Sync + fmt::Debug {
    /// A decoder of these fields; the others are no news.
    ///
    /// # Errors
    /// A field that the format cannot deliver.
    fn decoder(&self, wanted: Vec<WantedField>, others: BTreeSet<String>) -> Result<Box<dyn Decoder>, DecoderError>;
}

/// Opens the same source from the first message at or after an instant, milliseconds since the epoch. Blocking.
pub type Since = Arc<dyn Fn(i64) -> Result<Arc<dyn Tap>, TapError> + Send + Sync>;

/// Messages of a source.
pub struct MessageTable {
    tap: Arc<dyn Tap>,
    since: Option<Since>,
    fields: Vec<WantedField>,
    decoders: Option<Arc<dyn FieldDecoders>>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl MessageTable {
    /// The messages of `tap` with these fields; without decoders, and of a source that has no rows, there are none.
    ///
    /// # Errors
    /// A field that the format cannot deliver.
    pub fn new(
        tap: Arc<dyn Tap>,
        fields: Vec<WantedField>,
        decoders: Option<Arc<dyn FieldDecoders>>,
    ) -> Result<Self, QueryError> {
        let mut columns: Vec<Column> = META_NAMES.into_iter().map(Column::Meta).collect();
        let own = |field: &WantedField| META_NAMES.contains(&field.name.as_str()) || field.name == ERROR_COLUMN;
        let fields: Vec<WantedField> = fields.into_iter().filter(|field| !own(field)).collect();
        let decoded = if tap.rows().is_some() {
            RowFields::new(&fields, BTreeSet::new()).map_err(QueryError::Decoder)?.fields().to_vec()
        } else {
            match &decoders {
                Some(made) => {
                    let decoder = made.decoder(fields.clone(), BTreeSet::new()).map_err(QueryError::Decoder)?;
                    decoder
                        .fields()
                        .iter()
                        .filter(|field| !META_NAMES.contains(&field.name.as_str()))
                        .cloned()
                        .collect()
                }
                None => Vec::new(),
            }
        };
        let is_decoded = !decoded.is_empty();
        columns.extend(decoded.into_iter().map(Column::Field));
        if is_decoded {
            columns.push(Column::Error);
        }
        let schema = Arc::new(ArrowSchema::new(columns.iter().map(field_of).collect::<Vec<_>>()));
        Ok(Self { tap, since: None, fields, decoders, columns, schema })
    }

    /// The same, which can be read from a point in time on.
    pub fn since(mut self, since: Since) -> Self {
        self.since = Some(since);
        self
    }

    /// What a scan of these columns reads.
    fn reading(&self, columns: &[Column]) -> Reading {
        let wanted =
            |name: &str| columns.iter().any(|column| matches!(column, Column::Field(field) if field.name == name));
        let asks_error = columns.iter().any(|column| matches!(column, Column::Error));
        // What is wrong with a message is known only when all of it is decoded.
        let (fields, others): (Vec<_>, Vec<_>) =
            self.fields.iter().cloned().partition(|field| asks_error || wanted(&field.name));
        let others = others.into_iter().map(|field| field.name).collect();
        Reading { fields, others, decoders: self.decoders.clone() }
    }
}

fn field_of(column: &Column) -> ArrowField {
    match column {
        Column::Meta(name) => {
            let nullable = !matches!(*name, "_topic" | "_partition" | "_offset");
            ArrowField::new(*name, Positions::meta_type(name), nullable)
        }
        Column::Field(field) => readable::field(field),
        Column::Error => ArrowField::new(ERROR_COLUMN, DataType::Utf8, true),
    }
}

impl fmt::Debug for MessageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageTable").field("tap", &self.tap).field("fields", &self.fields).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for MessageTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| Cut::support(filter)).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let indexes = projection.unwrap_or(&all);
        let columns: Vec<Column> = indexes.iter().map(|index| self.columns[*index].clone()).collect();
        let schema = Arc::new(self.schema.project(indexes)?);
        let cut = Cut::of(filters);
        let tap = match (&self.since, cut.since_ms) {
            (Some(since), Some(ms)) => {
                let since = Arc::clone(since);
                let opened = tokio::task::spawn_blocking(move || since(ms)).await;
                opened.map_err(|error| DataFusionError::External(error.into()))?.map_err(QueryError::Tap)?
            }
            _ => Arc::clone(&self.tap),
        };
        // The end is that of the first opening, so that one query sees one state of the topic.
        let ends = self.tap.partitions();
        let ranges = (0..).map(PartitionIndex).zip(tap.partitions()).filter_map(|(index, range)| {
            let mut left = cut.range(range)?;
            if let Some(first) = ends.iter().find(|first| first.tp == range.tp) {
                left.end = left.end.min(first.to);
            }
            (!left.is_empty()).then(|| (index, vec![left]))
        });
        let wanted: Vec<Wanted> = ranges.collect();
        let shares = share(wanted, if limit.is_some() { 1 } else { state.config().target_partitions() });
        let reading = self.reading(&columns);
        Ok(Arc::new(MessageScan::new(tap, reading, columns, schema, shares, limit)))
    }
}

//! `row_filter`: which rows of the table are this pipeline's, where several write to it.
//!
//! Contract: rows for which the condition is not true are as if they were not there, whoever reads them; they are counted as
//! out of scope. A row of which it cannot be told fails the read: to leave it out would hide it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{DataType, Schema as ArrowSchema, SchemaRef};
use arrow_select::filter::filter;
use datafusion::error::{DataFusionError, Result};
use validator_core::schema::{Field, Schema};

use crate::expr::{ExprError, MessageExpr, referenced_names};
use crate::map_type::compile_filter;

/// The condition, compiled over the columns that it refers to.
#[derive(Debug, Clone)]
pub struct RowFilter {
    condition: MessageExpr,
    fields: Vec<Field>,
    schema: SchemaRef,
}

impl RowFilter {
    /// The condition over a table's columns.
    ///
    /// # Errors
    /// [`ExprError`]: it is none, or does not fit the table.
    pub fn new(sql: &str, table: &Schema) -> Result<Self, ExprError> {
        let names = referenced_names(sql)?;
        let fields: Vec<Field> = table.fields.iter().filter(|field| names.contains(&field.name)).cloned().collect();
        let schema = nullable(fields.iter());
        let (condition, _) = compile_filter(sql, &schema)?;
        Ok(Self { condition, fields, schema: Arc::new(schema) })
    }

    /// The columns that it refers to.
    pub fn columns(&self) -> BTreeSet<&str> {
        self.fields.iter().map(|field| field.name.as_str()).collect()
    }

    /// Which rows are kept, of the columns that it refers to.
    fn keeps(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<BooleanArray> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let holds = self
            .condition
            .evaluate(&batch)
            .map_err(|fault| DataFusionError::Execution(format!("row_filter cannot be told of a row: {fault}")))?;
        // The condition's type was checked: NULL alone is none of its values' type.
        let holds = cast(&holds, &DataType::Boolean)?;
        let holds = holds.as_boolean();
        Ok((0..rows).map(|row| Some(holds.is_valid(row) && holds.value(row))).collect())
    }
}

fn nullable<'a>(fields: impl Iterator<Item = &'a Field>) -> ArrowSchema {
    ArrowSchema::new(fields.map(|field| field.to_arrow().with_nullable(true)).collect::<Vec<_>>())
}

/// Columns to be read where rows may be filtered: the wanted ones, then those that the condition needs beside them.
#[derive(Debug, Clone)]
pub struct FilteredRead {
    fields: Vec<Field>,
    wanted: usize,
    filter: Option<(Arc<RowFilter>, Vec<usize>)>,
}

impl FilteredRead {
    /// A read of `wanted`.
    pub fn new(wanted: &[Field], filter: Option<&Arc<RowFilter>>) -> Self {
        let mut fields = wanted.to_vec();
        let filter = filter.map(|filter| {
            let place = |field: &Field| {
                // A struct that is read in part is another column than the whole.
                let known = fields.iter().position(|one| one == field);
                known.unwrap_or_else(|| {
                    fields.push(field.clone());
                    fields.len() - 1
                })
            };
            let places = filter.fields.iter().map(place).collect();
            (Arc::clone(filter), places)
        });
        Self { fields, wanted: wanted.len(), filter }
    }

    /// What is read.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The wanted columns of what was read, and which of its rows are kept; none: all.
    ///
    /// # Errors
    /// A row of which the condition cannot be told.
    pub fn kept(&self, read: &[ArrayRef], rows: usize) -> Result<(Vec<ArrayRef>, Option<BooleanArray>)> {
        let kept = match &self.filter {
            None => None,
            Some((filter, places)) => {
                let columns = places.iter().map(|place| Arc::clone(&read[*place])).collect();
                Some(filter.keeps(columns, rows)?).filter(|kept| kept.true_count() < rows)
            }
        };
        Ok((read[..self.wanted].to_vec(), kept))
    }

    /// The wanted columns of the rows that are kept, and how many those are.
    ///
    /// # Errors
    /// As [`FilteredRead::kept`].
    pub fn of_pipeline(&self, read: &[ArrayRef], rows: usize) -> Result<(Vec<ArrayRef>, usize)> {
        let (columns, kept) = self.kept(read, rows)?;
        let Some(kept) = kept else { return Ok((columns, rows)) };
        let columns: Result<Vec<ArrayRef>, _> = columns.iter().map(|column| filter(column, &kept)).collect();
        Ok((columns?, kept.true_count()))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};
    use validator_core::schema::Type;

    use super::*;

    fn table() -> Schema {
        Schema::new(vec![Field::new(1, "exchange", false, Type::String), Field::new(2, "n", false, Type::Long)])
    }

    #[test]
    fn rows_are_kept_where_the_condition_is_true_and_not_where_it_is_null() {
        let table = table();
        let filter = Arc::new(RowFilter::new("exchange = 'BINANCE'", &table).expect("a condition"));
        let read = FilteredRead::new(&table.fields[1..], Some(&filter));
        assert_eq!(read.fields().iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["n", "exchange"]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let exchanges: ArrayRef = Arc::new(StringArray::from(vec![Some("BINANCE"), Some("KRAKEN"), None]));
        let (columns, kept) = read.kept(&[numbers, exchanges], 3).expect("told of each");
        assert_eq!(columns.len(), 1);
        assert_eq!(kept.expect("not all"), BooleanArray::from(vec![true, false, false]));
    }

    #[test]
    fn a_row_of_which_it_cannot_be_told_is_not_left_out() {
        let table = table();
        let filter = Arc::new(RowFilter::new("100 / n > 5", &table).expect("a condition"));
        let read = FilteredRead::new(&table.fields[1..], Some(&filter));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 0]));
        let error = read.kept(&[numbers], 2).expect_err("a division by zero").to_string();
        assert!(error.contains("row_filter cannot be told of a row"), "{error}");
    }
}

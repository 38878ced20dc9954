//! Columns of Arrow as Iceberg has them.
//!
//! Contract: names, order and nullability stay; instants are of microseconds, the only ones that format version 2 has (Iceberg
//! spec, "Primitive Types").

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use iceberg::Result;
use iceberg::arrow::arrow_schema_to_schema_auto_assign_ids;
use iceberg::spec::Schema;

/// A schema of these columns.
pub fn schema(columns: &ArrowSchema) -> Result<Schema> {
    let fields: Vec<Field> = columns.fields().iter().map(|field| in_micros(field)).collect();
    arrow_schema_to_schema_auto_assign_ids(&ArrowSchema::new(fields))
}

fn in_micros(field: &Field) -> Field {
    let kind = match field.data_type() {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::List(element) => DataType::List(Arc::new(in_micros(element))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| in_micros(field)).collect()),
        other => other.clone(),
    };
    Field::new(field.name(), kind, field.is_nullable())
}

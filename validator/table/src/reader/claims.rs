//! What a footer claims of the values in its row groups: a hint for who chooses where to look.
//!
//! Contract: nothing is proven by it, and nothing of the verdicts rests on it: the footers that scans read are decoded
//! without statistics. Where a claim is missing or of a kind that is not read here there is none.

use std::sync::Arc;

use parquet::basic::{LogicalType, TimeUnit};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use validator_core::schema::{Field, Type};
use validator_core::value::Value;

use super::ReadContext;
use super::footer;
use crate::DataFile;

/// A file's claims.
#[derive(Debug, Clone)]
pub struct Claims {
    metadata: Arc<ParquetMetaData>,
}

impl Claims {
    /// None where the footer does not read.
    pub(crate) async fn read(context: &ReadContext, file: &DataFile) -> Option<Self> {
        let object = context.storage.object(&file.path).ok()?;
        let footer = footer::read_with_statistics(&object, file).await.ok()?;
        Some(Self { metadata: footer.metadata })
    }

    /// Row groups and their rows, deleted ones too.
    pub fn row_groups(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let groups = (0_u32..).zip(self.metadata.row_groups());
        groups.map(|(index, group)| (index, u64::try_from(group.num_rows()).unwrap_or(0)))
    }

    /// The least and the greatest value that a row group is said to hold of a whole number, a date or a time, by its field
    /// id.
    pub fn bounds(&self, row_group: u32, field: &Field) -> Option<(Value, Value)> {
        let columns = self.metadata.file_metadata().schema_descr().columns();
        let is_field = |info: &parquet::schema::types::BasicTypeInfo| info.has_id() && info.id() == field.id;
        let leaf = columns.iter().position(|column| is_field(column.self_type().get_basic_info()))?;
        let group = self.metadata.row_groups().get(usize::try_from(row_group).ok()?)?;
        let (least, greatest) = match group.columns().get(leaf)?.statistics()? {
            Statistics::Int32(of) => (i64::from(*of.min_opt()?), i64::from(*of.max_opt()?)),
            Statistics::Int64(of) => (*of.min_opt()?, *of.max_opt()?),
            _ => return None,
        };
        let logical = columns[leaf].logical_type_ref();
        let is_micros = matches!(logical, Some(LogicalType::Timestamp { unit: TimeUnit::MICROS, .. }));
        let value = |number: i64| match field.ty {
            Type::Int | Type::Long => Some(Value::integer(number)),
            Type::Date => i32::try_from(number).ok().map(Value::Date),
            Type::Timestamp | Type::Timestamptz if is_micros => {
                Some(Value::timestamp_micros(number, field.ty == Type::Timestamptz))
            }
            _ => None,
        };
        value(least).zip(value(greatest))
    }
}

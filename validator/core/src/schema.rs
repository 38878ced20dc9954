//! The logical schema of a table: Iceberg types, field ids, and the one Arrow type each has in memory.
//!
//! Contract: every batch that reaches a digest, from either side, has exactly the Arrow types of
//! [`Type::to_arrow`]; a type has one Arrow type and no other. Source of the types: Iceberg table
//! spec, "Schemas and Data Types".

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Fields, Schema as ArrowSchema, TimeUnit};

/// The key of the Arrow field metadata that holds an Iceberg field id, as Parquet writers name it.
pub const FIELD_ID_KEY: &str = "PARQUET:field_id";

/// The zone of every timestamptz in memory.
pub const UTC: &str = "+00:00";

/// One Iceberg type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// `true` or `false`.
    Boolean,
    /// 32-bit signed integer.
    Int,
    /// 64-bit signed integer.
    Long,
    /// 32-bit IEEE 754.
    Float,
    /// 64-bit IEEE 754.
    Double,
    /// Fixed-point decimal; precision 1 to 38 digits, scale 0 to precision.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since midnight.
    Time,
    /// Microseconds since the epoch, without a zone.
    Timestamp,
    /// Microseconds since the epoch, an instant.
    Timestamptz,
    /// Nanoseconds since the epoch, without a zone (format v3).
    TimestampNs,
    /// Nanoseconds since the epoch, an instant (format v3).
    TimestamptzNs,
    /// UTF-8 text.
    String,
    /// RFC 4122 UUID, 16 bytes.
    Uuid,
    /// Exactly this many bytes.
    Fixed(u32),
    /// Any bytes.
    Binary,
    /// Named fields.
    Struct(Vec<Field>),
    /// Elements in order.
    List(Box<Field>),
    /// Keys and values; the order of entries means nothing.
    Map {
        /// Always required.
        key: Box<Field>,
        /// May be optional.
        value: Box<Field>,
    },
}

/// A field of a table, a struct, a list (`element`) or a map (`key`, `value`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// The field id, unique in its schema lineage.
    pub id: i32,
    /// The name; case-sensitive.
    pub name: String,
    /// Whether NULL is refused.
    pub required: bool,
    /// The type.
    pub ty: Type,
}

/// A table's columns in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// Top-level fields.
    pub fields: Vec<Field>,
}

impl Field {
    /// A field with its id, name, optionality and type.
    pub fn new(id: i32, name: impl Into<String>, required: bool, ty: Type) -> Self {
        Self { id, name: name.into(), required, ty }
    }

    /// The Arrow field: name, the type of [`Type::to_arrow`], nullable unless required, the id in its metadata.
    pub fn to_arrow(&self) -> ArrowField {
        ArrowField::new(&self.name, self.ty.to_arrow(), !self.required)
            .with_metadata(HashMap::from([(FIELD_ID_KEY.to_owned(), self.id.to_string())]))
    }
}

impl Schema {
    /// A schema of these columns.
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields }
    }

    /// The column of that name (case-sensitive).
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The field at a dotted path into structs: `_kafka_metadata.offset`. A column whose name holds the dots wins.
    pub fn field_at(&self, path: &str) -> Option<&Field> {
        fn descend<'a>(fields: &'a [Field], path: &str) -> Option<&'a Field> {
            if let Some(field) = fields.iter().find(|f| f.name == path) {
                return Some(field);
            }
            path.match_indices('.').find_map(|(dot, _)| {
                let parent = fields.iter().find(|f| f.name == path[..dot])?;
                match &parent.ty {
                    Type::Struct(children) => descend(children, &path[dot + 1..]),
                    _ => None,
                }
            })
        }
        descend(&self.fields, path)
    }

    /// The Arrow schema of the columns in their order.
    pub fn to_arrow(&self) -> ArrowSchema {
        ArrowSchema::new(self.fields.iter().map(Field::to_arrow).collect::<Vec<_>>())
    }
}

impl Type {
    /// The one Arrow type of this type in memory.
    pub fn to_arrow(&self) -> DataType {
        match self {
            Type::Boolean => DataType::Boolean,
            Type::Int => DataType::Int32,
            Type::Long => DataType::Int64,
            Type::Float => DataType::Float32,
            Type::Double => DataType::Float64,
            Type::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
            Type::Date => DataType::Date32,
            Type::Time => DataType::Time64(TimeUnit::Microsecond),
            Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Type::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            Type::TimestampNs => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Type::TimestamptzNs => DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into())),
            Type::String => DataType::Utf8,
            Type::Uuid => DataType::FixedSizeBinary(16),
            Type::Fixed(width) => DataType::FixedSizeBinary(*width as i32),
            Type::Binary => DataType::Binary,
            Type::Struct(fields) => DataType::Struct(fields.iter().map(Field::to_arrow).collect::<Fields>()),
            Type::List(element) => DataType::List(Arc::new(element.to_arrow())),
            Type::Map { key, value } => {
                let entries = Fields::from(vec![key.to_arrow(), value.to_arrow()]);
                DataType::Map(Arc::new(ArrowField::new("key_value", DataType::Struct(entries), false)), false)
            }
        }
    }
}

impl Type {
    /// The type whose one Arrow type this is; `None` for Arrow types that no table column has in memory.
    ///
    /// Field ids come from the Arrow metadata ([`FIELD_ID_KEY`]), 0 where there are none. Fixed-size
    /// binaries are `fixed`, also those of 16 bytes.
    pub fn from_arrow(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Type::Boolean,
            DataType::Int32 => Type::Int,
            DataType::Int64 => Type::Long,
            DataType::Float32 => Type::Float,
            DataType::Float64 => Type::Double,
            DataType::Decimal128(precision, scale) if *scale >= 0 => {
                Type::Decimal { precision: *precision, scale: *scale as u8 }
            }
            DataType::Date32 => Type::Date,
            DataType::Time64(TimeUnit::Microsecond) => Type::Time,
            DataType::Timestamp(TimeUnit::Microsecond, None) => Type::Timestamp,
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Type::Timestamptz,
            DataType::Timestamp(TimeUnit::Nanosecond, None) => Type::TimestampNs,
            DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => Type::TimestamptzNs,
            DataType::Utf8 => Type::String,
            DataType::FixedSizeBinary(width) => Type::Fixed(*width as u32),
            DataType::Binary => Type::Binary,
            DataType::Struct(fields) => {
                Type::Struct(fields.iter().map(|f| Field::from_arrow(f)).collect::<Option<Vec<_>>>()?)
            }
            DataType::List(element) => Type::List(Box::new(Field::from_arrow(element)?)),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(pair) if pair.len() == 2 => Type::Map {
                    key: Box::new(Field::from_arrow(&pair[0])?),
                    value: Box::new(Field::from_arrow(&pair[1])?),
                },
                _ => return None,
            },
            _ => return None,
        })
    }
}

impl Field {
    /// The field of an Arrow field, see [`Type::from_arrow`].
    pub fn from_arrow(field: &ArrowField) -> Option<Self> {
        let id = field.metadata().get(FIELD_ID_KEY).and_then(|id| id.parse().ok()).unwrap_or(0);
        Some(Field::new(id, field.name(), !field.is_nullable(), Type::from_arrow(field.data_type())?))
    }
}

impl fmt::Display for Type {
    /// Iceberg's own syntax: `decimal(18, 8)`, `struct<1: p: optional string>` without ids and optionality: `struct<p: string>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Boolean => f.write_str("boolean"),
            Type::Int => f.write_str("int"),
            Type::Long => f.write_str("long"),
            Type::Float => f.write_str("float"),
            Type::Double => f.write_str("double"),
            Type::Decimal { precision, scale } => write!(f, "decimal({precision}, {scale})"),
            Type::Date => f.write_str("date"),
            Type::Time => f.write_str("time"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Timestamptz => f.write_str("timestamptz"),
            Type::TimestampNs => f.write_str("timestamp_ns"),
            Type::TimestamptzNs => f.write_str("timestamptz_ns"),
            Type::String => f.write_str("string"),
            Type::Uuid => f.write_str("uuid"),
            Type::Fixed(width) => write!(f, "fixed({width})"),
            Type::Binary => f.write_str("binary"),
            Type::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {}", field.name, field.ty)?;
                }
                f.write_str(">")
            }
            Type::List(element) => write!(f, "list<{}>", element.ty),
            Type::Map { key, value } => write!(f, "map<{}, {}>", key.ty, value.ty),
        }
    }
}

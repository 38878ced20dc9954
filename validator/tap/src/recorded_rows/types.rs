//! The types of a Parquet file's columns as types of fields.
//!
//! Contract: the Parquet types are what was written; no hint that a writer embedded is followed. A column that no exact type
//! holds is refused by name, never read as something near it.

use arrow_schema::{DataType, Field as ArrowField, TimeUnit};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::schema::types::SchemaDescriptor;
use validator_core::schema::{Field, Type};

use crate::avro::schema::optional_field;

/// The fields of a file: name, type, index of the root column. Columns of nothing but null have none.
///
/// # Errors
/// The column that has no type here, and why.
pub(super) fn fields(
    arrow: &arrow_schema::Schema,
    schema: &SchemaDescriptor,
) -> Result<Vec<(String, Type, usize)>, String> {
    let mut leaves = Leaves { schema, next: 0 };
    let mut found: Vec<(String, Type, usize)> = Vec::with_capacity(arrow.fields().len());
    for (root, field) in arrow.fields().iter().enumerate() {
        let name = field.name();
        if found.iter().any(|(other, ..)| other == name) {
            return Err(format!("column {name} is there twice"));
        }
        if let Some(ty) = leaves.ty(field, name)? {
            found.push((name.clone(), ty, root));
        }
    }
    Ok(found)
}

/// Goes through the leaf columns of a file in their order.
struct Leaves<'a> {
    schema: &'a SchemaDescriptor,
    next: usize,
}

impl Leaves<'_> {
    /// The type of a column; none for one of nothing but null.
    fn ty(&mut self, field: &ArrowField, path: &str) -> Result<Option<Type>, String> {
        Ok(Some(match field.data_type() {
            DataType::Struct(children) => {
                let mut fields: Vec<Field> = Vec::with_capacity(children.len());
                for child in children {
                    let path = format!("{path}.{}", child.name());
                    if fields.iter().any(|field| field.name == *child.name()) {
                        return Err(format!("column {path} is there twice"));
                    }
                    if let Some(ty) = self.ty(child, &path)? {
                        fields.push(optional_field(child.name(), ty));
                    }
                }
                Type::Struct(fields)
            }
            DataType::List(element) => {
                let ty = self.inner(element, &format!("{path}.element"))?;
                Type::List(Box::new(optional_field("element", ty)))
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(pair) = entries.data_type() else {
                    return Err(format!("column {path} is a map without entries"));
                };
                let [key, value] = &pair[..] else { return Err(format!("column {path} is a map without values")) };
                let key = self.inner(key, &format!("{path}.key"))?;
                let value = self.inner(value, &format!("{path}.value"))?;
                Type::Map {
                    key: Box::new(Field::new(0, "key", true, key)),
                    value: Box::new(optional_field("value", value)),
                }
            }
            leaf => {
                let column = self.schema.column(self.next);
                self.next += 1;
                if column.physical_type() == PhysicalType::INT96 {
                    return Err(format!("column {path} is INT96: write its instants as TIMESTAMP of micros or nanos"));
                }
                let is_uuid = matches!(column.logical_type_ref(), Some(LogicalType::Uuid));
                match leaf {
                    DataType::Null => return Ok(None),
                    DataType::FixedSizeBinary(16) if is_uuid => Type::Uuid,
                    leaf => scalar(leaf).ok_or_else(|| format!("column {path} is {leaf}, which no field can be"))?,
                }
            }
        }))
    }

    fn inner(&mut self, field: &ArrowField, path: &str) -> Result<Type, String> {
        self.ty(field, path)?.ok_or_else(|| format!("column {path} holds nothing but null"))
    }
}

/// The type that holds every value of an Arrow type, or nearly: instants beyond it are marked.
fn scalar(ty: &DataType) -> Option<Type> {
    use DataType as D;
    use TimeUnit::{Microsecond, Millisecond, Nanosecond};
    Some(match ty {
        D::Int8 | D::Int16 | D::UInt8 | D::UInt16 => Type::Int,
        D::UInt32 => Type::Long,
        D::UInt64 => Type::Decimal { precision: 20, scale: 0 },
        D::Float16 => Type::Float,
        D::Time32(Millisecond) | D::Time64(Nanosecond) => Type::Time,
        D::Timestamp(Millisecond | Microsecond, None) => Type::Timestamp,
        D::Timestamp(Millisecond | Microsecond, Some(_)) => Type::Timestamptz,
        other => match Type::from_arrow(other)? {
            Type::Decimal { precision, scale } if precision == 0 || precision > 38 || scale > precision => return None,
            ty => ty,
        },
    })
}

/// The one type of a field that two files write differently, where one of the two holds all values of both.
pub(super) fn common(one: &Type, other: &Type) -> Option<Type> {
    use Type::{Decimal, Double, Float, Int, Long, Timestamp, TimestampNs, Timestamptz, TimestamptzNs};
    Some(match (one, other) {
        _ if one == other => one.clone(),
        (Int, Long) | (Long, Int) => Long,
        (Float, Double) | (Double, Float) => Double,
        (Timestamp, TimestampNs) | (TimestampNs, Timestamp) => TimestampNs,
        (Timestamptz, TimestamptzNs) | (TimestamptzNs, Timestamptz) => TimestamptzNs,
        (Decimal { precision: p, scale: s }, Decimal { precision: q, scale: t }) => {
            let (whole, scale) = ((p - s).max(q - t), *s.max(t));
            (whole + scale <= 38).then_some(Decimal { precision: whole + scale, scale })?
        }
        (Type::Struct(ours), Type::Struct(theirs)) => {
            let mut fields = Vec::with_capacity(ours.len());
            for field in ours {
                let ty = match theirs.iter().find(|other| other.name == field.name) {
                    Some(other) => common(&field.ty, &other.ty)?,
                    None => field.ty.clone(),
                };
                fields.push(optional_field(&field.name, ty));
            }
            let more = theirs.iter().filter(|other| ours.iter().all(|field| field.name != other.name));
            fields.extend(more.cloned());
            Type::Struct(fields)
        }
        (Type::List(ours), Type::List(theirs)) => {
            Type::List(Box::new(optional_field("element", common(&ours.ty, &theirs.ty)?)))
        }
        (Type::Map { key, value }, Type::Map { key: k, value: v }) => Type::Map {
            key: Box::new(Field::new(0, "key", true, common(&key.ty, &k.ty)?)),
            value: Box::new(optional_field("value", common(&value.ty, &v.ty)?)),
        },
        _ => return None,
    })
}

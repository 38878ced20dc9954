//! Iceberg schemas as the core's, and the defaults of fields that older files lack.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{Literal, NestedField, PrimitiveType, Schema as IcebergSchema, Type as IcebergType};
use validator_core::schema::{Field, Schema, Type};
use validator_core::value::Value;

use crate::literal::literal_value;

/// The schema with every nested field optional: files may hold NULL where the table forbids it (see `Pinned::schema`).
pub(crate) fn core_schema(schema: &IcebergSchema) -> Result<Schema, String> {
    let fields = schema.as_struct().fields();
    Ok(Schema::new(fields.iter().map(|field| core_field(field, field.required)).collect::<Result<_, _>>()?))
}

/// Initial defaults by field id, nested fields included.
pub(crate) fn initial_defaults(schema: &IcebergSchema) -> HashMap<i32, Literal> {
    fn collect(field: &NestedField, into: &mut HashMap<i32, Literal>) {
        if let Some(default) = &field.initial_default {
            into.insert(field.id, default.clone());
        }
        for child in children(&field.field_type) {
            collect(child, into);
        }
    }
    let mut defaults = HashMap::new();
    for field in schema.as_struct().fields() {
        collect(field, &mut defaults);
    }
    defaults
}

/// Initial and write defaults by the dotted path of their column or struct field; those inside lists and maps have no
/// such path.
pub(crate) fn declared_defaults(schema: &IcebergSchema) -> BTreeMap<String, Vec<Value>> {
    fn collect(field: &NestedField, path: &str, into: &mut BTreeMap<String, Vec<Value>>) {
        let value = |literal: &Literal| literal_value(literal, &core_type(&field.field_type, &field.name).ok()?);
        let declared = field.initial_default.iter().chain(&field.write_default);
        let mut values: Vec<Value> = declared.filter_map(value).collect();
        values.dedup();
        if !values.is_empty() {
            into.insert(path.to_owned(), values);
        }
        if let IcebergType::Struct(fields) = field.field_type.as_ref() {
            fields.fields().iter().for_each(|child| collect(child, &format!("{path}.{}", child.name), into));
        }
    }
    let mut defaults = BTreeMap::new();
    schema.as_struct().fields().iter().for_each(|field| collect(field, &field.name, &mut defaults));
    defaults
}

pub(crate) fn children(ty: &IcebergType) -> Vec<&NestedField> {
    match ty {
        IcebergType::Primitive(_) => Vec::new(),
        IcebergType::Struct(fields) => fields.fields().iter().map(AsRef::as_ref).collect(),
        IcebergType::List(list) => vec![list.element_field.as_ref()],
        IcebergType::Map(map) => vec![map.key_field.as_ref(), map.value_field.as_ref()],
    }
}

fn core_field(field: &NestedField, required: bool) -> Result<Field, String> {
    Ok(Field::new(field.id, &field.name, required, core_type(&field.field_type, &field.name)?))
}

fn core_type(ty: &IcebergType, name: &str) -> Result<Type, String> {
    Ok(match ty {
        IcebergType::Primitive(primitive) => primitive_type(primitive, name)?,
        IcebergType::Struct(fields) => {
            Type::Struct(fields.fields().iter().map(|field| core_field(field, false)).collect::<Result<_, _>>()?)
        }
        IcebergType::List(list) => Type::List(Box::new(core_field(&list.element_field, false)?)),
        IcebergType::Map(map) => Type::Map {
            key: Box::new(core_field(&map.key_field, true)?),
            value: Box::new(core_field(&map.value_field, false)?),
        },
    })
}

/// The core's type; `name` is the column in the error.
pub(crate) fn primitive_type(ty: &PrimitiveType, name: &str) -> Result<Type, String> {
    Ok(match ty {
        PrimitiveType::Boolean => Type::Boolean,
        PrimitiveType::Int => Type::Int,
        PrimitiveType::Long => Type::Long,
        PrimitiveType::Float => Type::Float,
        PrimitiveType::Double => Type::Double,
        PrimitiveType::Decimal { precision, scale } => match (u8::try_from(*precision), u8::try_from(*scale)) {
            (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => Type::Decimal { precision, scale },
            _ => return Err(format!("column {name} has type decimal({precision}, {scale})")),
        },
        PrimitiveType::Date => Type::Date,
        PrimitiveType::Time => Type::Time,
        PrimitiveType::Timestamp => Type::Timestamp,
        PrimitiveType::Timestamptz => Type::Timestamptz,
        PrimitiveType::TimestampNs => Type::TimestampNs,
        PrimitiveType::TimestamptzNs => Type::TimestamptzNs,
        PrimitiveType::String => Type::String,
        PrimitiveType::Uuid => Type::Uuid,
        PrimitiveType::Fixed(width) => match i32::try_from(*width) {
            Ok(width) => Type::Fixed(width as u32),
            Err(_) => return Err(format!("column {name} has type fixed({width})")),
        },
        PrimitiveType::Binary => Type::Binary,
    })
}

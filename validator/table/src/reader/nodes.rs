//! A Parquet file's columns as a tree of field ids.
//!
//! The natural Arrow schema of the file is used, never the one that a writer embedded: the Parquet types are what was
//! written. INT96 is read as microseconds, because 64-bit nanoseconds end in 2262.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, FieldRef, Fields, Schema as ArrowSchema, TimeUnit};
use iceberg::spec::{MappedField, NameMapping};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema_by_columns};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::schema::types::SchemaDescriptor;
use validator_core::schema::FIELD_ID_KEY;

/// One column or nested field of a file.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The Iceberg field id, from the file or from the table's name mapping.
    pub id: Option<i32>,
    pub name: String,
    pub ty: DataType,
    /// The leaf columns below (or of) it: from this one …
    pub first_leaf: usize,
    /// … so many.
    pub leaves: usize,
    /// Fields of a struct; the element of a list; key and value of a map.
    pub children: Vec<Node>,
}

/// The file's natural Arrow schema, with INT96 as microseconds.
pub(crate) fn arrow_schema(schema: &SchemaDescriptor) -> Result<Arc<ArrowSchema>, ParquetError> {
    let natural = parquet_to_arrow_schema_by_columns(schema, ProjectionMask::all(), None)?;
    let mut leaf = 0;
    let fields: Fields = natural.fields().iter().map(|field| without_int96(field, schema, &mut leaf)).collect();
    Ok(Arc::new(ArrowSchema::new(fields)))
}

fn without_int96(field: &FieldRef, schema: &SchemaDescriptor, leaf: &mut usize) -> FieldRef {
    let mut inside = |field: &FieldRef| without_int96(field, schema, leaf);
    let ty = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect()),
        DataType::List(element) => DataType::List(inside(element)),
        DataType::Map(entries, sorted) => DataType::Map(inside(entries), *sorted),
        ty => {
            let int96 = schema.column(*leaf).physical_type() == PhysicalType::INT96;
            *leaf += 1;
            if int96 { DataType::Timestamp(TimeUnit::Microsecond, None) } else { ty.clone() }
        }
    };
    Arc::new(field.as_ref().clone().with_data_type(ty))
}

/// The tree of the file's fields.
///
/// # Errors
/// A sentence, when the file's ids cannot be told: it has none and the table has no name mapping, or one twice.
pub(crate) fn nodes(schema: &ArrowSchema, mapping: Option<&NameMapping>) -> Result<Vec<Node>, String> {
    let mut leaf = 0;
    let mut nodes: Vec<Node> = schema.fields().iter().map(|field| node(field, &mut leaf)).collect();
    // Spec, "Column Projection": the mapping is for files without ids; a file with some ids goes by them alone.
    if !nodes.iter().any(has_id) && !nodes.is_empty() {
        let mapping = mapping.ok_or("the file has no field ids and the table has no name mapping")?;
        name_fields(&mut nodes, &mapping.fields().iter().collect::<Vec<_>>());
    }
    check_siblings(&nodes, "")?;
    Ok(nodes)
}

fn node(field: &ArrowField, leaf: &mut usize) -> Node {
    let first_leaf = *leaf;
    let children: Vec<Node> = match field.data_type() {
        DataType::Struct(fields) => fields.iter().map(|child| node(child, leaf)).collect(),
        DataType::List(element) => vec![node(element, leaf)],
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields.iter().map(|child| node(child, leaf)).collect(),
            _ => vec![node(entries, leaf)],
        },
        _ => {
            *leaf += 1;
            Vec::new()
        }
    };
    Node {
        id: field.metadata().get(FIELD_ID_KEY).and_then(|id| id.parse().ok()),
        name: field.name().clone(),
        ty: field.data_type().clone(),
        first_leaf,
        leaves: *leaf - first_leaf,
        children,
    }
}

fn has_id(node: &Node) -> bool {
    node.id.is_some() || node.children.iter().any(has_id)
}

/// Gives ids by name; inside lists and maps the mapping's names are `element`, `key` and `value`.
fn name_fields(nodes: &mut [Node], mapping: &[&MappedField]) {
    for node in nodes {
        let name = node.name.clone();
        let Some(mapped) = mapping.iter().find(|mapped| mapped.names().contains(&name)) else { continue };
        node.id = mapped.field_id();
        let inner: Vec<&MappedField> = mapped.fields().iter().map(AsRef::as_ref).collect();
        match node.ty {
            DataType::List(_) => rename(&mut node.children, &["element"]),
            DataType::Map(..) => rename(&mut node.children, &["key", "value"]),
            _ => {}
        }
        name_fields(&mut node.children, &inner);
    }
}

fn rename(nodes: &mut [Node], names: &[&str]) {
    for (node, name) in nodes.iter_mut().zip(names) {
        (*name).clone_into(&mut node.name);
    }
}

fn check_siblings(nodes: &[Node], inside: &str) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for node in nodes {
        if node.id.is_some_and(|id| !seen.insert(id)) {
            return Err(format!("the file has field id {} twice{inside}", node.id.unwrap_or_default()));
        }
        let inside = format!(" in {}", node.name);
        if matches!(node.ty, DataType::Struct(_)) && node.id.is_some() && !node.children.iter().any(|c| c.id.is_some())
        {
            return Err(format!("the file has no field ids{inside}"));
        }
        check_siblings(&node.children, &inside)?;
    }
    Ok(())
}

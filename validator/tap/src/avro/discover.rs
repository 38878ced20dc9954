//! Which fields the messages of a topic may have, from their schemas.

use std::collections::BTreeMap;

use validator_core::schema::{Field, Type};

use super::schema::{AvroSchema, Kind, NodeId, optional_field};
use crate::registry::{Lookup, Schemas};
use crate::{TapError, limits};

/// The fields of all schemas of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AvroFields {
    /// Name and type: the latest schema's fields in its order, then those that only older schemas have. Where a field has
    /// several types the latest counts, for nested fields too. Ids are 0, everything is optional.
    pub fields: Vec<(String, Type)>,
    /// Fields (nested ones by dotted path) that have no type here, in some schema, and why: unions of several types,
    /// recursive records.
    pub refused: BTreeMap<String, String>,
}

/// Asks the registry for the fields of these topics' messages: of all versions of each subject `TOPIC-value`, and of the
/// schemas with these ids, which messages were seen to have. A subject or an id that is not there adds nothing. The latest
/// schema is the last version of the last topic's subject; ids of no such subject are older. A schema file has its own fields; recorded
/// files have those of all their writers, the last file's being the latest.
///
/// # Errors
/// When the registry does not answer.
pub fn avro_fields(schemas: &Schemas, topics: &[String], ids: &[u32]) -> Result<AvroFields, TapError> {
    let mut found = AvroFields::default();
    if let Some(schema) = schemas.bare() {
        found.add(schema);
        return Ok(found);
    }
    if let Some(recorded) = schemas.recorded_schemas() {
        recorded.iter().for_each(|schema| found.add(schema));
        return Ok(found);
    }
    let mut versions = Vec::new();
    for topic in topics {
        versions.extend(schemas.versions(&format!("{topic}-value"))?);
    }
    // Those of a version are looked at twice, which changes nothing: the later look counts.
    let mut others = ids.to_vec();
    others.sort_unstable();
    others.dedup();
    let mut all = Vec::with_capacity(others.len() + versions.len());
    for id in others {
        all.push(schemas.by_id(id)?);
    }
    all.extend(versions.into_iter().map(|(_, lookup)| lookup));
    for lookup in all {
        if let Lookup::Known(schema) = lookup {
            found.add(&schema);
        }
    }
    Ok(found)
}

impl AvroFields {
    /// Adds a schema that is newer than all before it.
    fn add(&mut self, schema: &AvroSchema) {
        let mut types = Types { schema, open: Vec::new(), fields: 0, refused: BTreeMap::new() };
        let mut newer = Vec::new();
        types.root(schema.root(), &mut newer);
        self.refused.append(&mut types.refused);
        let older = std::mem::take(&mut self.fields).into_iter().map(|(name, ty)| optional_field(&name, ty));
        self.fields = merged(older.collect(), newer).into_iter().map(|field| (field.name, field.ty)).collect();
    }
}

struct Types<'a> {
    schema: &'a AvroSchema,
    /// Records being looked at, the outermost first.
    open: Vec<NodeId>,
    /// Looked at so far, each as often as it is reached.
    fields: usize,
    refused: BTreeMap<String, String>,
}

impl Types<'_> {
    /// The fields of the record that messages are, or of the records that they may be.
    fn root(&mut self, node: NodeId, fields: &mut Vec<Field>) {
        match self.schema.kind(node) {
            Kind::Record(_) => {
                let found = self.record(node, "");
                *fields = merged(std::mem::take(fields), found);
            }
            Kind::Union(branches) => branches.iter().for_each(|branch| self.root(*branch, fields)),
            _ => {}
        }
    }

    fn record(&mut self, node: NodeId, path: &str) -> Vec<Field> {
        let Kind::Record(fields) = self.schema.kind(node) else { return Vec::new() };
        self.open.push(node);
        let mut found = Vec::with_capacity(fields.len());
        for (name, ty) in fields {
            let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            match self.ty(*ty, &path) {
                Ok(Some(ty)) => found.push(optional_field(name, ty)),
                Ok(None) => {}
                Err(why) => {
                    self.refused.insert(path, why);
                }
            }
        }
        self.open.pop();
        found
    }

    /// The type of a node; none for null.
    fn ty(&mut self, id: NodeId, path: &str) -> Result<Option<Type>, String> {
        let node = self.schema.node(id);
        if let Some(scalar) = node.scalar_type() {
            return Ok(Some(scalar));
        }
        match &node.kind {
            Kind::Record(_) if self.open.contains(&id) => Err("the record contains itself".to_owned()),
            Kind::Record(_) if self.open.len() >= limits::AVRO_DEPTH_MAX => Err("it is nested too deep".to_owned()),
            Kind::Record(fields) => {
                self.fields += fields.len();
                if self.fields > limits::AVRO_FIELDS_MAX {
                    return Err(format!("the schema unfolds to over {} fields", limits::AVRO_FIELDS_MAX));
                }
                Ok(Some(Type::Struct(self.record(id, path))))
            }
            Kind::Array(items) => match self.ty(*items, &format!("{path}.element"))? {
                Some(element) => Ok(Some(Type::List(Box::new(optional_field("element", element))))),
                None => Err("an array of nothing but null".to_owned()),
            },
            Kind::Map(values) => match self.ty(*values, &format!("{path}.value"))? {
                Some(value) => Ok(Some(map_of_text(value))),
                None => Err("a map to nothing but null".to_owned()),
            },
            Kind::Union(branches) => match super::program::branches(self.schema, branches) {
                Ok(Some(branch)) => self.ty(branch, path),
                Ok(None) => Ok(None),
                Err(why) => Err(why),
            },
            _ => Ok(None),
        }
    }
}

/// A map as Avro has it.
fn map_of_text(value: Type) -> Type {
    Type::Map {
        key: Box::new(Field::new(0, "key", true, Type::String)),
        value: Box::new(optional_field("value", value)),
    }
}

/// The newer fields, and the older ones that are no more.
fn merged(mut older: Vec<Field>, newer: Vec<Field>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::with_capacity(newer.len().max(older.len()));
    for field in newer {
        match older.iter().position(|old| old.name == field.name) {
            Some(at) => fields.push(optional_field(&field.name, merged_types(older.remove(at).ty, field.ty))),
            None => fields.push(field),
        }
    }
    fields.extend(older);
    fields
}

fn merged_types(older: Type, newer: Type) -> Type {
    match (older, newer) {
        (Type::Struct(older), Type::Struct(newer)) => Type::Struct(merged(older, newer)),
        (Type::List(older), Type::List(newer)) => {
            Type::List(Box::new(optional_field("element", merged_types(older.ty, newer.ty))))
        }
        (Type::Map { value: older, .. }, Type::Map { value: newer, .. }) => {
            map_of_text(merged_types(older.ty, newer.ty))
        }
        (_, newer) => newer,
    }
}

//! Schema documents into nodes.

use std::collections::HashMap;

use serde_json::{Map, Value};
use validator_core::levels::{JSON_LEVELS_MAX, json_levels};

use super::{AvroSchema, Kind, Logical, Node, NodeId, TimestampUnit};

/// Why a document is no schema.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct SchemaError {
    what: String,
}

fn broken<T>(what: impl Into<String>) -> Result<T, SchemaError> {
    Err(SchemaError { what: what.into() })
}

/// Reads documents one after the other; each may refer to the names of those before it.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    nodes: Vec<Node>,
    /// Full name → its node and its definition.
    names: HashMap<String, (NodeId, Value)>,
}

impl Parser {
    /// Reads a document for its names alone.
    pub(crate) fn refer(&mut self, text: &str) -> Result<(), SchemaError> {
        self.document(text).map(|_| ())
    }

    /// Reads the document that is the schema.
    pub(crate) fn finish(mut self, text: &str) -> Result<AvroSchema, SchemaError> {
        let root = self.document(text)?;
        Ok(AvroSchema { nodes: self.nodes, root })
    }

    fn document(&mut self, text: &str) -> Result<NodeId, SchemaError> {
        match serde_json::from_str(text) {
            Ok(value) => self.schema(&value, ""),
            // A bare word is how some registries answer with a primitive.
            Err(_) if primitive(text.trim()).is_some() => self.named(text.trim(), ""),
            Err(_) if json_levels(text.as_bytes()) > JSON_LEVELS_MAX => {
                broken(format!("the schema has more than {JSON_LEVELS_MAX} levels of JSON"))
            }
            Err(error) => broken(format!("the schema is no JSON: {error}")),
        }
    }

    fn schema(&mut self, value: &Value, namespace: &str) -> Result<NodeId, SchemaError> {
        match value {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => self.object(object, value, namespace),
            other => broken(format!("{other} is no type")),
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Result<NodeId, SchemaError> {
        if let Some(kind) = primitive(name) {
            return Ok(self.push(kind, None));
        }
        let known = self.names.get(&qualified(name, namespace)).or_else(|| self.names.get(name));
        match known {
            Some((node, _)) => Ok(*node),
            None => broken(format!("the type {} is defined nowhere", qualified(name, namespace))),
        }
    }

    fn union(&mut self, branches: &[Value], namespace: &str) -> Result<NodeId, SchemaError> {
        let branches = branches.iter().map(|branch| self.schema(branch, namespace)).collect::<Result<Vec<_>, _>>()?;
        if branches.iter().any(|branch| matches!(self.nodes[*branch].kind, Kind::Union(_))) {
            return broken("a union stands directly in a union");
        }
        Ok(self.push(Kind::Union(branches), None))
    }

    fn object(&mut self, object: &Map<String, Value>, value: &Value, namespace: &str) -> Result<NodeId, SchemaError> {
        let Some(ty) = object.get("type") else { return broken("a type has no `type`") };
        let Value::String(word) = ty else { return self.schema(ty, namespace) };
        match word.as_str() {
            "record" | "error" => self.record(object, value, namespace),
            "enum" => {
                let symbols = symbols(object)?;
                self.define(object, value, namespace, Kind::Enum(symbols))
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64).and_then(|size| i32::try_from(size).ok());
                let Some(size) = size else { return broken("a fixed has no `size`") };
                self.define(object, value, namespace, Kind::Fixed(size as usize))
            }
            "array" => {
                let Some(items) = object.get("items") else { return broken("an array has no `items`") };
                let items = self.schema(items, namespace)?;
                Ok(self.push(Kind::Array(items), None))
            }
            "map" => {
                let Some(values) = object.get("values") else { return broken("a map has no `values`") };
                let values = self.schema(values, namespace)?;
                Ok(self.push(Kind::Map(values), None))
            }
            word => match primitive(word) {
                Some(kind) => {
                    let logical = logical(object, &kind);
                    Ok(self.push(kind, logical))
                }
                None => self.named(word, namespace),
            },
        }
    }

    fn record(&mut self, object: &Map<String, Value>, value: &Value, namespace: &str) -> Result<NodeId, SchemaError> {
        let Some(fields) = object.get("fields").and_then(Value::as_array) else {
            return broken("a record has no `fields`");
        };
        // Named before its fields are read: they may refer to it.
        let record = self.define(object, value, namespace, Kind::Record(Vec::new()))?;
        let name = full_name(object, namespace)?;
        let inside = name.rsplit_once('.').map_or("", |(inside, _)| inside).to_owned();
        let mut read: Vec<(Box<str>, NodeId)> = Vec::with_capacity(fields.len());
        for field in fields {
            let Some(field_name) = field.get("name").and_then(Value::as_str) else {
                return broken(format!("a field of {name} has no `name`"));
            };
            if read.iter().any(|(before, _)| **before == *field_name) {
                return broken(format!("{name} has two fields {field_name}"));
            }
            let Some(ty) = field.get("type") else {
                return broken(format!("the field {field_name} of {name} has no `type`"));
            };
            let node = self
                .schema(ty, &inside)
                .map_err(|error| SchemaError { what: format!("the field {field_name} of {name}: {}", error.what) })?;
            read.push((field_name.into(), node));
        }
        self.nodes[record].kind = Kind::Record(read);
        Ok(record)
    }

    /// Adds a named type.
    fn define(
        &mut self,
        object: &Map<String, Value>,
        value: &Value,
        namespace: &str,
        kind: Kind,
    ) -> Result<NodeId, SchemaError> {
        let name = full_name(object, namespace)?;
        // Two equal definitions are what generators write that inline every use of a type.
        if self.names.get(&name).is_some_and(|(_, before)| before != value) {
            return broken(format!("the type {name} is defined twice"));
        }
        let logical = logical(object, &kind);
        let node = self.push(kind, logical);
        self.names.insert(name, (node, value.clone()));
        Ok(node)
    }

    fn push(&mut self, kind: Kind, logical: Option<Logical>) -> NodeId {
        self.nodes.push(Node { kind, logical });
        self.nodes.len() - 1
    }
}

fn primitive(word: &str) -> Option<Kind> {
    Some(match word {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => return None,
    })
}

fn symbols(object: &Map<String, Value>) -> Result<Vec<Box<str>>, SchemaError> {
    let symbols = object.get("symbols").and_then(Value::as_array);
    let symbols = symbols.and_then(|all| all.iter().map(|s| s.as_str().map(Box::from)).collect::<Option<Vec<_>>>());
    symbols.map_or_else(|| broken("an enum has no `symbols`"), Ok)
}

fn full_name(object: &Map<String, Value>, enclosing: &str) -> Result<String, SchemaError> {
    let Some(name) = object.get("name").and_then(Value::as_str) else { return broken("a named type has no `name`") };
    let namespace = object.get("namespace").and_then(Value::as_str).unwrap_or(enclosing);
    Ok(qualified(name, namespace))
}

fn qualified(name: &str, namespace: &str) -> String {
    match name.strip_prefix('.') {
        Some(bare) => bare.to_owned(),
        None if namespace.is_empty() || name.contains('.') => name.to_owned(),
        None => format!("{namespace}.{name}"),
    }
}

/// The logical type, where it fits: "language implementations must ignore unknown logical types … and if a logical type is
/// invalid, ignore the logical type and use the underlying Avro type" (Avro 1.12, Logical Types).
fn logical(object: &Map<String, Value>, kind: &Kind) -> Option<Logical> {
    use TimestampUnit::{Micros, Millis, Nanos};
    let timestamp = |unit, zoned| Some(Logical::Timestamp { unit, zoned });
    match (object.get("logicalType")?.as_str()?, kind) {
        ("decimal", Kind::Bytes | Kind::Fixed(_)) => decimal(object, kind),
        ("uuid", Kind::Fixed(16)) => Some(Logical::Uuid),
        ("date", Kind::Int) => Some(Logical::Date),
        ("time-millis", Kind::Int) => Some(Logical::TimeMillis),
        ("time-micros", Kind::Long) => Some(Logical::TimeMicros),
        ("timestamp-millis", Kind::Long) => timestamp(Millis, true),
        ("timestamp-micros", Kind::Long) => timestamp(Micros, true),
        ("timestamp-nanos", Kind::Long) => timestamp(Nanos, true),
        ("local-timestamp-millis", Kind::Long) => timestamp(Millis, false),
        ("local-timestamp-micros", Kind::Long) => timestamp(Micros, false),
        ("local-timestamp-nanos", Kind::Long) => timestamp(Nanos, false),
        _ => None,
    }
}

fn decimal(object: &Map<String, Value>, kind: &Kind) -> Option<Logical> {
    let number = |key: &str| object.get(key).map(|value| value.as_u64().and_then(|n| u32::try_from(n).ok()));
    let precision = number("precision")??;
    let scale = number("scale").unwrap_or(Some(0))?;
    let fits = match kind {
        // The digits that always fit into n bytes: log10(2^(8n - 1) - 1), rounded down.
        Kind::Fixed(width) => f64::from(precision) <= ((8.0 * *width as f64 - 1.0) * 2_f64.log10()).floor(),
        _ => true,
    };
    (precision > 0 && scale <= precision && fits).then_some(Logical::Decimal { precision, scale })
}

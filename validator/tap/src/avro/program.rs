//! What to do with each value of a writer's schema, made once per schema.
//!
//! Contract: a field is found by its name. What the writer has not becomes NULL; what nobody wants is skipped, and noted
//! where it is not null and not dropped. A pair of types that has no exact way is refused for each value that is not null,
//! with the reason, and for no other: a schema alone makes no message undecodable.

use std::collections::BTreeSet;
use std::sync::Arc;

use validator_core::contract::FieldType;
use validator_core::schema::{Field, Type};

use super::notes::Notes;
use super::scalar::{Convert, Target};
use super::schema::{AvroSchema, Kind, Logical, NodeId, TimestampUnit};
use crate::decoder::{FieldText, WantedField};

/// A writer's schema, made for the wanted columns.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) schema: Arc<AvroSchema>,
    pub(super) root: Root,
}

/// What a payload is.
#[derive(Debug)]
pub(super) enum Root {
    Record(Record),
    /// One of several records, by the branch that begins it.
    Union(Vec<Root>),
    /// No record: what it is.
    Other(&'static str),
}

/// A record into columns, or into the children of a struct.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) steps: Vec<Step>,
    /// Columns that the writer has no field for.
    pub(super) absent: Vec<usize>,
}

/// One field of the writer.
#[derive(Debug)]
pub(super) enum Step {
    Column {
        column: usize,
        value: Value,
    },
    Skip(NodeId),
    /// Skipped, and noted under that number where it is not null.
    Unknown {
        node: NodeId,
        unknown: usize,
    },
}

/// One value into one column.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    /// Of `null` and one other type.
    Nullable {
        null: usize,
        value: Box<Value>,
    },
    /// By branch.
    Union(Vec<Value>),
    Boolean,
    /// int and date as they are
    Int,
    /// long, and times and timestamps of the column's own unit
    Long,
    Float,
    Double,
    String,
    /// bytes into binary
    Bytes,
    /// bytes of the column's scale; the limit that the unscaled value stays below
    Decimal {
        limit: i128,
        convert: Convert,
    },
    Enum(Vec<Box<str>>),
    /// Any other pair of single values.
    Scalar(Convert),
    Record(Record),
    Array(Box<Value>),
    Map {
        key: Type,
        value: Box<Value>,
        node: NodeId,
    },
    /// A record into a map: names and values of its fields.
    Entries(Vec<(Box<str>, Value)>),
    /// Any value as text.
    Text(NodeId),
    /// Nothing comes of it.
    Refused {
        node: NodeId,
        why: Box<str>,
    },
}

/// The one branch of a union that is not null; none where all are.
pub(super) fn branches(schema: &AvroSchema, branches: &[NodeId]) -> Result<Option<NodeId>, String> {
    let mut rest = branches.iter().copied().filter(|branch| !matches!(schema.kind(*branch), Kind::Null));
    let first = rest.next();
    if rest.next().is_none() {
        return Ok(first);
    }
    let names = branches.iter().map(|branch| schema.node(*branch).name()).collect::<Vec<_>>();
    Err(format!("a union of {}: a column has one type", names.join(", ")))
}

/// Makes programs for one set of wanted fields.
pub(super) struct Compiler<'a> {
    pub(super) wanted: &'a [WantedField],
    pub(super) columns: &'a [Field],
    pub(super) dropped: &'a BTreeSet<String>,
    pub(super) notes: &'a mut Notes,
}

impl Compiler<'_> {
    pub(super) fn program(&mut self, schema: Arc<AvroSchema>) -> Program {
        let root = self.root(&schema, schema.root());
        Program { schema, root }
    }

    fn root(&mut self, schema: &AvroSchema, id: NodeId) -> Root {
        match schema.kind(id) {
            Kind::Record(fields) => Root::Record(self.top(schema, fields)),
            Kind::Union(branches) => Root::Union(branches.iter().map(|branch| self.root(schema, *branch)).collect()),
            _ => Root::Other(schema.node(id).name()),
        }
    }

    fn top(&mut self, schema: &AvroSchema, fields: &[(Box<str>, NodeId)]) -> Record {
        let columns = self.columns;
        let wanted = self.wanted;
        let mut value = |compiler: &mut Self, column: usize, node: NodeId, path: &str| match (
            &wanted[column].ty,
            wanted[column].text,
        ) {
            (FieldType::Epoch(unit), _) => compiler.single(schema, node, &Target::Epoch(*unit)),
            (FieldType::Plain(Type::String), FieldText::Any) => Value::Text(node),
            _ => compiler.value(schema, node, &columns[column].ty, path),
        };
        self.record(schema, fields, columns, "", &mut value)
    }

    fn record(
        &mut self,
        schema: &AvroSchema,
        fields: &[(Box<str>, NodeId)],
        columns: &[Field],
        prefix: &str,
        value: &mut dyn FnMut(&mut Self, usize, NodeId, &str) -> Value,
    ) -> Record {
        let mut steps = Vec::with_capacity(fields.len());
        for (name, node) in fields {
            let path = format!("{prefix}{name}");
            steps.push(match columns.iter().position(|column| *column.name == **name) {
                Some(column) => Step::Column { column, value: value(self, column, *node, &path) },
                None if self.dropped.contains(&path) || matches!(schema.kind(*node), Kind::Null) => Step::Skip(*node),
                None => Step::Unknown { node: *node, unknown: self.notes.unknown(path) },
            });
        }
        let has = |column: &Field| fields.iter().any(|(name, _)| **name == *column.name);
        let absent = (0..columns.len()).filter(|column| !has(&columns[*column])).collect();
        Record { steps, absent }
    }

    /// A value of any type; `ty` bounds how deep this goes, however the schema refers to itself.
    fn value(&mut self, schema: &AvroSchema, id: NodeId, ty: &Type, path: &str) -> Value {
        let refused = |why: String| Value::Refused { node: id, why: why.into() };
        match (schema.kind(id), ty) {
            (Kind::Null, _) => Value::Null,
            (Kind::Union(branches), _) => {
                self.union(schema, branches, &mut |compiler, branch| compiler.value(schema, branch, ty, path))
            }
            (Kind::Record(fields), Type::Struct(columns)) => {
                let mut value = |compiler: &mut Self, column: usize, node: NodeId, path: &str| {
                    compiler.value(schema, node, &columns[column].ty, path)
                };
                Value::Record(self.record(schema, fields, columns, &format!("{path}."), &mut value))
            }
            (Kind::Record(fields), Type::Map { key, value }) if key.ty == Type::String => {
                let entry = |(name, node): &(Box<str>, NodeId)| {
                    (name.clone(), self.value(schema, *node, &value.ty, &format!("{path}.{name}")))
                };
                Value::Entries(fields.iter().map(entry).collect())
            }
            (Kind::Array(items), Type::List(element)) => {
                Value::Array(Box::new(self.value(schema, *items, &element.ty, &format!("{path}.element"))))
            }
            (Kind::Map(values), Type::Map { key, value }) => {
                match validator_core::convert::convertible(&Type::String, &key.ty) {
                    Ok(()) => Value::Map {
                        key: key.ty.clone(),
                        value: Box::new(self.value(schema, *values, &value.ty, &format!("{path}.value"))),
                        node: *values,
                    },
                    Err(refusal) => refused(format!("key: {refusal}")),
                }
            }
            (Kind::Array(_) | Kind::Map(_) | Kind::Record(_), _) => {
                refused(format!("the message has {} here, the column is {ty}", with_article(schema.node(id).name())))
            }
            (_, Type::Struct(_) | Type::List(_) | Type::Map { .. }) => {
                refused(format!("the message has {} here, the column is {ty}", with_article(schema.node(id).name())))
            }
            _ => self.single(schema, id, &Target::Plain(ty.clone())),
        }
    }

    fn union(
        &mut self,
        schema: &AvroSchema,
        all: &[NodeId],
        value: &mut dyn FnMut(&mut Self, NodeId) -> Value,
    ) -> Value {
        let is_null = |branch: &NodeId| matches!(schema.kind(*branch), Kind::Null);
        match (branches(schema, all), all) {
            (Ok(Some(branch)), [_, _]) => {
                let null = usize::from(is_null(&all[1]));
                Value::Nullable { null, value: Box::new(value(self, branch)) }
            }
            (Ok(_), _) => Value::Union(all.iter().map(|branch| value(self, *branch)).collect()),
            (Err(why), _) => {
                let refused = |branch: &NodeId| match is_null(branch) {
                    true => Value::Null,
                    false => Value::Refused { node: *branch, why: why.as_str().into() },
                };
                Value::Union(all.iter().map(refused).collect())
            }
        }
    }

    /// A value that is not nested, or may be null.
    fn single(&mut self, schema: &AvroSchema, id: NodeId, to: &Target) -> Value {
        let node = schema.node(id);
        if let Kind::Union(branches) = &node.kind {
            return self.union(schema, branches, &mut |compiler, branch| compiler.single(schema, branch, to));
        }
        if let Kind::Null = node.kind {
            return Value::Null;
        }
        match Convert::new(node, to) {
            Ok(convert) => direct(convert),
            Err(why) => Value::Refused { node: id, why: why.into() },
        }
    }
}

/// The common pairs go without a detour.
fn direct(convert: Convert) -> Value {
    use TimestampUnit::{Micros, Nanos};
    let Target::Plain(to) = &convert.to else { return Value::Scalar(convert) };
    match (&convert.from.kind, convert.from.logical, to) {
        (Kind::Boolean, None, Type::Boolean) => Value::Boolean,
        (Kind::Int, None, Type::Int) | (Kind::Int, Some(Logical::Date), Type::Date) => Value::Int,
        (Kind::Long, None, Type::Long) | (Kind::Long, Some(Logical::TimeMicros), Type::Time) => Value::Long,
        (Kind::Long, Some(Logical::Timestamp { unit: Micros, .. }), Type::Timestamp | Type::Timestamptz) => Value::Long,
        (Kind::Long, Some(Logical::Timestamp { unit: Nanos, .. }), Type::TimestampNs | Type::TimestamptzNs) => {
            Value::Long
        }
        (Kind::Float, None, Type::Float) => Value::Float,
        (Kind::Double, None, Type::Double) => Value::Double,
        (Kind::String, None, Type::String) => Value::String,
        (Kind::Bytes, None, Type::Binary) => Value::Bytes,
        (Kind::Enum(symbols), None, Type::String) => Value::Enum(symbols.clone()),
        (Kind::Bytes, Some(Logical::Decimal { scale, .. }), Type::Decimal { precision, scale: wanted })
            if scale == u32::from(*wanted) =>
        {
            let limit = validator_core::convert::decimal::POWERS_OF_TEN[usize::from(*precision)];
            Value::Decimal { limit, convert }
        }
        _ => Value::Scalar(convert),
    }
}

fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

//! Avro schemas as their writers meant them: a table of nodes that the decoder walks.
//!
//! Contract: every named type keeps its logical type wherever it is referred to, a `fixed` stays a `fixed`, and a
//! `logicalType` that does not stand inside the type it annotates, or does not fit it, is ignored, as the Avro
//! specification asks. (The apache-avro crate does none of the three, see the tests.) Names, defaults and aliases are not
//! checked: the registry has accepted the schema, and a writer's schema needs none of them.

mod parse;
#[cfg(test)]
mod tests;

use validator_core::convert::decimal::DIGITS_MAX;
use validator_core::schema::{Field, Type};

pub(crate) use self::parse::{Parser, SchemaError};

/// Index of a node in its schema.
pub(crate) type NodeId = usize;

/// A parsed schema.
#[derive(Debug, Clone)]
pub(crate) struct AvroSchema {
    nodes: Vec<Node>,
    root: NodeId,
}

/// One type.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) logical: Option<Logical>,
}

/// How values lie on the wire.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<Box<str>>),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Vec<(Box<str>, NodeId)>),
}

/// What values mean; only where it fits the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logical {
    /// Bytes or fixed, two's complement.
    Decimal { precision: u32, scale: u32 },
    /// A fixed of 16 bytes. On strings it changes nothing: they stay text.
    Uuid,
    /// An int.
    Date,
    /// An int.
    TimeMillis,
    /// A long.
    TimeMicros,
    /// A long.
    Timestamp { unit: TimestampUnit, zoned: bool },
}

/// What one step of a timestamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampUnit {
    Millis,
    Micros,
    Nanos,
}

impl AvroSchema {
    /// Parses one document that refers to no other.
    pub(crate) fn parse(text: &str) -> Result<Self, SchemaError> {
        Parser::default().finish(text)
    }

    /// Whether its values are records, or one of several records.
    pub(crate) fn is_of_records(&self) -> bool {
        match self.kind(self.root) {
            Kind::Record(_) => true,
            Kind::Union(branches) => branches.iter().any(|branch| matches!(self.kind(*branch), Kind::Record(_))),
            _ => false,
        }
    }

    pub(crate) fn root(&self) -> NodeId {
        self.root
    }

    #[inline]
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    #[inline]
    pub(crate) fn kind(&self, id: NodeId) -> &Kind {
        &self.nodes[id].kind
    }
}

impl Node {
    /// The type of a value that is neither null nor nested; `None` for the others.
    pub(crate) fn scalar_type(&self) -> Option<Type> {
        use TimestampUnit::Nanos;
        Some(match (self.logical, &self.kind) {
            (Some(Logical::Decimal { precision, scale }), _) => {
                let most = |digits: u32| digits.min(DIGITS_MAX) as u8;
                Type::Decimal { precision: most(precision), scale: most(scale) }
            }
            (Some(Logical::Uuid), _) => Type::Uuid,
            (Some(Logical::Date), _) => Type::Date,
            (Some(Logical::TimeMillis | Logical::TimeMicros), _) => Type::Time,
            (Some(Logical::Timestamp { unit: Nanos, zoned: true }), _) => Type::TimestamptzNs,
            (Some(Logical::Timestamp { unit: Nanos, zoned: false }), _) => Type::TimestampNs,
            (Some(Logical::Timestamp { zoned: true, .. }), _) => Type::Timestamptz,
            (Some(Logical::Timestamp { zoned: false, .. }), _) => Type::Timestamp,
            (None, Kind::Boolean) => Type::Boolean,
            (None, Kind::Int) => Type::Int,
            (None, Kind::Long) => Type::Long,
            (None, Kind::Float) => Type::Float,
            (None, Kind::Double) => Type::Double,
            (None, Kind::Bytes) => Type::Binary,
            (None, Kind::String | Kind::Enum(_)) => Type::String,
            (None, Kind::Fixed(width)) => Type::Fixed(u32::try_from(*width).ok()?),
            (None, Kind::Null | Kind::Array(_) | Kind::Map(_) | Kind::Union(_) | Kind::Record(_)) => return None,
        })
    }

    /// The same bytes without what they mean.
    pub(crate) fn plain(&self) -> Node {
        Node { kind: self.kind.clone(), logical: None }
    }

    /// The kind's name in Avro, for people.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Bytes => "bytes",
            Kind::String => "string",
            Kind::Fixed(_) => "fixed",
            Kind::Enum(_) => "enum",
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
            Kind::Record(_) => "record",
        }
    }
}

/// An optional field without an id.
pub(crate) fn optional_field(name: &str, ty: Type) -> Field {
    Field::new(0, name, false, ty)
}

//! What a sample of both sides shows, as plain values: the input of everything that `init` proposes.
//!
//! Contract: holds no handle to a broker, a catalog or a file, so that a proposal is a pure function of it. Long texts and
//! bytes stand for themselves by their digest ([`kept`]), equal where the originals are.

use std::collections::BTreeSet;

use validator_core::contract::Format;
use validator_core::schema::{Field, Schema, Type};
use validator_core::value::Value;

use super::claims::Claims;
use super::limits::VALUE_BYTES_KEPT;

/// A field of the messages, or what every message offers beside its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageField {
    /// Its name; `_offset` and the like for what stands beside the payload.
    pub name: String,
    /// Its type, where the format knows it.
    pub ty: Option<Type>,
    /// Whether it stands beside the payload.
    pub is_meta: bool,
}

/// A column, or a child of a struct column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its dotted path.
    pub path: String,
    /// The column or child itself.
    pub field: Field,
    /// The index of its column in [`Evidence::columns`]; of a column its own.
    pub column: usize,
    /// Whether it is a child.
    pub is_child: bool,
}

/// Messages of a sample.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    /// The fields; those beside the payload come first.
    pub fields: Vec<MessageField>,
    /// One value for each field.
    pub values: Vec<Vec<Value>>,
    /// Null payloads, which have no values here.
    pub tombstones: usize,
    /// Messages that could not be decoded, which have no values here.
    pub undecodable: usize,
}

/// Rows of a sample.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Columns and children of struct columns.
    pub leaves: Vec<Leaf>,
    /// One value for each leaf.
    pub values: Vec<Vec<Value>>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The topic.
    pub topic: String,
    /// Its partitions: number and high watermark.
    pub partitions: Vec<(i32, i64)>,
    /// The format of its messages.
    pub format: Format,
    /// The table's columns.
    pub schema: Schema,
    /// The messages.
    pub messages: Messages,
    /// The rows.
    pub rows: Rows,
    /// Whether the sample holds every message and every row there is.
    pub is_whole: bool,
    /// Columns that the table's files are partitioned by.
    pub partitioned_by: BTreeSet<String>,
    /// When rows were added, milliseconds since the epoch, oldest first.
    pub commits_ms: Vec<i64>,
    /// Of a topic whose policy is to compact: the messages that are gone from between those that are left.
    pub compacted_away: Option<u64>,
    /// What the table's metadata says of who wrote it.
    pub claims: Claims,
}

impl Messages {
    /// The index of a field.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

impl Rows {
    /// The index of a leaf.
    pub fn leaf(&self, path: &str) -> Option<usize> {
        self.leaves.iter().position(|leaf| leaf.path == path)
    }

    /// The values of a leaf.
    pub fn of(&self, leaf: usize) -> impl Iterator<Item = &Value> {
        self.values.iter().map(move |row| &row[leaf])
    }
}

/// What the digest of a long text begins with.
const DIGEST: &str = "blake3:";

/// Whether a text stands for a longer one.
pub fn is_digest(text: &str) -> bool {
    text.len() == DIGEST.len() + 64 && text.starts_with(DIGEST)
}

/// The value as a sample keeps it.
pub fn kept(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > VALUE_BYTES_KEPT => {
            Value::String(format!("{DIGEST}{}", blake3::hash(text.as_bytes()).to_hex()))
        }
        Value::Bytes(bytes) if bytes.len() > VALUE_BYTES_KEPT => Value::Bytes(blake3::hash(&bytes).as_bytes().to_vec()),
        other => other,
    }
}

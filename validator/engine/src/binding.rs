//! The contract held against both schemas: which message field, position or expression explains each column.
//!
//! Contract: binding either finds a source for every compared column or lists every problem there is;
//! nothing is guessed. Identity columns of mode `offset` are explained by the message's own position.

use std::collections::BTreeSet;
use std::sync::Arc;

use validator_core::schema::{Field, Type};
use validator_tap::WantedField;

use crate::mask::Mask;
use crate::row_filter::RowFilter;
use crate::tolerate::BoundTolerance;

mod binder;
mod position_struct;
mod tolerances;

pub use binder::bind;
pub use position_struct::parts_of_struct;

/// Names that every message offers to SQL.
pub const META_NAMES: [&str; 7] = ["_topic", "_partition", "_offset", "_timestamp", "_key", "_value", "_headers"];

/// A contract that fits its table.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The compared columns in the table's order, each with its source.
    pub columns: Vec<BoundColumn>,
    /// The fields that a decoder must deliver.
    pub wanted: Vec<WantedField>,
    /// Fields that no column needs and that the contract accounts for.
    pub dropped: BTreeSet<String>,
    /// How the identity lies in the columns.
    pub identity: BoundIdentity,
    /// A column that is not compared and still read: the sink's Kafka timestamp, which tells when a row is late. A leaf
    /// path that begins with `columns.len()` begins here.
    pub time_column: Option<Field>,
    /// The tolerances, by column and leaf.
    pub tolerances: Vec<BoundTolerance>,
    /// The columns whose values nobody is shown.
    pub mask: Mask,
    /// The filter, SQL.
    pub filter: Option<String>,
    /// Which rows are this pipeline's; none: all.
    pub row_filter: Option<Arc<RowFilter>>,
    /// The table keeps the last version of each key.
    pub upsert: Option<BoundUpsert>,
    /// Names of [`META_NAMES`] that expressions refer to.
    pub meta_names: BTreeSet<String>,
}

/// What takes a key out of an upsert table, and how it is named then.
#[derive(Debug, Clone, Default)]
pub struct BoundUpsert {
    /// SQL: where it is true the message deletes its key.
    pub delete_when: Option<String>,
    /// The fields of the Kafka key, one for each identity column in its order; none where it has no format.
    pub key_fields: Option<Vec<WantedField>>,
    /// Whether `[map]` makes every identity column of what every message has: its key, its headers, its position.
    pub names_keys: bool,
}

/// A compared column and where its expected value comes from.
#[derive(Debug, Clone)]
pub struct BoundColumn {
    /// The table's column.
    pub field: Field,
    /// Its source.
    pub source: ColumnSource,
}

/// Where an expected value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnSource {
    /// The message field of that index in [`Binding::wanted`], of this type.
    Field {
        /// Index into `wanted`.
        index: usize,
        /// The field's type before conversion to the column's.
        from: Type,
    },
    /// An expression.
    Sql(String),
    /// A part of the message's position.
    Position(PositionPart),
    /// A struct whose children are parts of the position, in the struct's order.
    PositionStruct(Vec<PositionPart>),
}

/// Parts of a message's position that sinks write into columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionPart {
    /// The topic's name.
    Topic,
    /// The partition's number.
    Partition,
    /// The offset.
    Offset,
    /// The Kafka timestamp: an instant, or milliseconds in a `long`.
    Timestamp,
    /// The key's bytes.
    Key,
}

/// A leaf of the columns: the column's index and the struct children below it.
pub type LeafPath = Vec<usize>;

/// The identity, as leaves of [`Binding::columns`].
#[derive(Debug, Clone)]
pub enum BoundIdentity {
    /// Mode `offset`.
    Offset {
        /// The topic column, if there is one.
        topic: Option<LeafPath>,
        /// The partition column, if there is one.
        partition: Option<LeafPath>,
        /// The offset column.
        offset: LeafPath,
        /// The Kafka timestamp column of the profile.
        timestamp: Option<LeafPath>,
        /// log2 of the offsets per segment.
        width_log2: u32,
    },
    /// Mode `key`.
    Key {
        /// The key columns.
        leaves: Vec<LeafPath>,
        /// The window column.
        window: Option<LeafPath>,
        /// Microseconds per window.
        every_us: i64,
        /// Shards per window.
        shards: u32,
    },
    /// Mode `content`: all compared columns.
    Content {
        /// The window column.
        window: Option<LeafPath>,
        /// Microseconds per window.
        every_us: i64,
        /// Shards per window.
        shards: u32,
    },
}

/// One thing that keeps a contract from fitting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindProblem {
    /// The key of the pipeline file it is about: `map.price`, `identity.columns`, `compare`.
    pub key: String,
    /// The name in the key's value that is meant, where it is one.
    pub word: Option<String>,
    /// What is wrong, one sentence.
    pub what: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// The fields that messages have, where the format knows them (Avro); `None` where any name may come (JSON).
pub type KnownFields = Option<Vec<(String, Type)>>;

impl Binding {
    /// What is read of the table: the compared columns, then the time column.
    pub fn read_fields(&self) -> Vec<Field> {
        self.columns.iter().map(|column| column.field.clone()).chain(self.time_column.clone()).collect()
    }
}

/// The leaf at a dotted path.
fn find_leaf(columns: &[BoundColumn], path: &str) -> Option<LeafPath> {
    columns.iter().enumerate().find_map(|(index, column)| {
        leaf_below(&column.field, path).map(|children| std::iter::once(index).chain(children).collect())
    })
}

/// The children to go down from `field` to the leaf at the dotted `path`, which starts with the field's own name.
fn leaf_below(field: &Field, path: &str) -> Option<Vec<usize>> {
    if field.name == path {
        return Some(Vec::new());
    }
    let rest = path.strip_prefix(field.name.as_str())?.strip_prefix('.')?;
    let Type::Struct(children) = &field.ty else { return None };
    children
        .iter()
        .enumerate()
        .find_map(|(index, child)| leaf_below(child, rest).map(|below| std::iter::once(index).chain(below).collect()))
}

/// The field at a leaf path.
pub fn leaf_field<'a>(columns: &'a [BoundColumn], leaf: &[usize]) -> &'a Field {
    let mut field = &columns[leaf[0]].field;
    for child in &leaf[1..] {
        match &field.ty {
            Type::Struct(children) => field = &children[*child],
            _ => unreachable!("leaf paths go down structs only"),
        }
    }
    field
}

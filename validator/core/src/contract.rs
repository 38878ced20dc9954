//! The contract of a pipeline: how a message becomes the row it should be, and what is asked of the two sides.
//!
//! This is the model; `validator.toml` and the pipeline file are read into it by the binary.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::schema::Type;
use crate::tolerance::Tolerance;

/// One pipeline: topics → one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// The pipeline's name.
    pub name: String,
    /// At least one topic (for recorded sources: the topics to keep, or a name for the one there is). What begins with `^` is a
    /// pattern over the names of all topics there are.
    pub topics: Vec<String>,
    /// `catalog.namespace.table`.
    pub table: String,
    /// How payloads are encoded.
    pub format: Format,
    /// An Avro schema file where there is no registry.
    pub schema: Option<PathBuf>,
    /// The declared start: what lies below is excluded (`before_start`).
    pub start: Option<Bound>,
    /// SQL over the decoded message; what it does not keep is excluded (`filter`).
    pub filter: Option<String>,
    /// SQL over the table's columns: the rows that are this pipeline's, where several write to the table. All others are out of
    /// scope.
    pub row_filter: Option<String>,
    /// What a null payload is.
    pub null_payload: NullPayload,
    /// Declared types of message fields, in the file's order.
    pub fields: Vec<(String, FieldType)>,
    /// Table column → SQL over the decoded message.
    pub map: BTreeMap<String, String>,
    /// How messages and rows are paired.
    pub identity: Identity,
    /// Exclusions from the comparison.
    pub compare: Compare,
    /// Targets and times.
    pub fidelity: Fidelity,
    /// A recorded source in place of the brokers.
    pub source: Option<RecordedSource>,
}

impl Contract {
    /// Whether all messages are of one topic, whatever topics there are.
    pub fn is_of_one_topic(&self) -> bool {
        matches!(&self.topics[..], [topic] if !topic.starts_with('^'))
    }

    /// Each SQL expression with the key of the pipeline file that holds it.
    pub fn expressions(&self) -> impl Iterator<Item = (String, &String)> {
        let delete_when = match &self.identity {
            Identity::Key { upsert: Some(upsert), .. } => upsert.delete_when.as_ref(),
            _ => None,
        };
        let map = self.map.iter().map(|(column, sql)| (format!("map.{column}"), sql));
        let filter = self.filter.iter().map(|sql| ("pipeline.filter".to_owned(), sql));
        map.chain(filter).chain(delete_when.map(|sql| ("identity.delete_when".to_owned(), sql)))
    }
}

/// The encoding of message payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// Avro: Confluent framing with a registry, or bare records of a schema file.
    Avro,
    /// The payload itself: one field `_value`, no decoding.
    Bytes,
    /// Rows of recorded Parquet files: their columns are the fields, there is no payload.
    Parquet,
}

/// Null payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullPayload {
    /// Excluded, cause `tombstone`.
    Exclude,
    /// A row with NULLs.
    Row,
}

/// The type of a message field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// An Iceberg type; ids inside nested types are 0.
    Plain(Type),
    /// A number of these units since the epoch that is an instant: its value is a timestamptz.
    Epoch(EpochUnit),
}

/// Units of `epoch_*` fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// `epoch_s`
    Second,
    /// `epoch_ms`
    Millisecond,
    /// `epoch_us`
    Microsecond,
    /// `epoch_ns`
    Nanosecond,
}

/// An edge of a range of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// The first offset there is.
    Earliest,
    /// Each partition's last stable offset when the run starts (after the snapshot is pinned).
    Now,
    /// The same offset in every partition.
    Offset(i64),
    /// Offsets by partition; partitions that are not listed are not read.
    Offsets(BTreeMap<i32, i64>),
    /// An instant, milliseconds since the epoch.
    Time(i64),
}

/// Identity modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Topic, partition and offset columns.
    Offset {
        /// Column paths of topic (absent: one topic, constant), partition and offset.
        topic: Option<String>,
        /// Path of the partition column (absent: every message is of partition 0).
        partition: Option<String>,
        /// Path of the offset column.
        offset: String,
        /// Path of the profile's timestamp column (Kafka timestamp), if there is one.
        timestamp: Option<String>,
        /// Offsets per segment; a power of two.
        width: u64,
    },
    /// Columns that are unique per message.
    Key {
        /// The identity columns (dotted paths).
        columns: Vec<String>,
        /// A time column that both sides have.
        window: Option<String>,
        /// The window's length in milliseconds.
        every_ms: u64,
        /// Shards of the key hash in a window.
        shards: u32,
        /// The table keeps the last version of each key; none: every message has a row of its own.
        upsert: Option<Upsert>,
    },
    /// Neither: the whole content, as a multiset.
    Content {
        /// A time column that both sides have.
        window: Option<String>,
        /// The window's length in milliseconds.
        every_ms: u64,
        /// Shards of the digest in a window.
        shards: u32,
    },
}

/// What takes a key out of a table that keeps the last version of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upsert {
    /// SQL over the decoded message: where it is true the message deletes its key, as a null payload does.
    pub delete_when: Option<String>,
    /// How the Kafka key of a message without a readable payload names the identity; none: only by `[map]`.
    pub key: Option<KeyFormat>,
}

/// How the Kafka key holds the identity columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// A JSON object with a field for each identity column.
    Json,
    /// An Avro record of the registry with a field for each identity column.
    Avro,
}

/// What is left out of the comparison, each with its reason.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Compare {
    /// Table columns that no message explains → reason.
    pub ignore: BTreeMap<String, String>,
    /// Message fields that no column keeps → reason.
    pub drop: BTreeMap<String, String>,
    /// Table columns, nested ones by dotted path → the differences that are none.
    pub tolerate: BTreeMap<String, Tolerance>,
    /// Table columns, nested ones by dotted path, whose values nobody is shown.
    pub mask: Vec<String>,
    /// Whether a non-null message field that is neither used nor dropped breaches.
    pub strict_fields: bool,
}

/// Targets and times.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    /// Least fidelity; 0.9999 unless given.
    pub target: f64,
    /// Least coverage; `target` unless given.
    pub coverage: f64,
    /// How long after its timestamp a message may be on its way, milliseconds; 0 in `reconcile`.
    pub settle_ms: i64,
    /// When an overdue message is missing in any case, milliseconds; 24 h.
    pub give_up_ms: i64,
    /// How long after its timestamp the table has to hold a message's row, milliseconds, longer than `settle_ms`; none: for ever.
    pub retention_ms: Option<i64>,
    /// Greatest share of consumed messages that may be diverted; 0.001.
    pub diverted_max: f64,
    /// Where the messages are that the sink put aside; none: nobody looks for any.
    pub dead_letter: Option<DeadLetter>,
}

/// Where dead letters are, and what in them names the message that each is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetter {
    /// A topic of the same brokers, or of the same recording.
    Topic {
        /// Its name.
        topic: String,
        /// Names of headers.
        position: PositionNames,
    },
    /// A table.
    Table {
        /// `catalog.namespace.table`.
        table: String,
        /// Paths of columns; none: those of the known sink whose columns the table has.
        position: Option<PositionNames>,
    },
}

/// What holds topic, partition and offset of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionNames {
    /// The topic; absent: the pipeline's only one.
    pub topic: Option<String>,
    /// The partition; absent: the topic has but one.
    pub partition: Option<String>,
    /// The offset.
    pub offset: String,
}

impl PositionNames {
    /// The headers of Kafka Connect's dead letters (KIP-298), where `errors.deadletterqueue.context.headers.enable` is true.
    pub fn of_kafka_connect() -> Self {
        let name = |what: &str| format!("__connect.errors.{what}");
        Self { topic: Some(name("topic")), partition: Some(name("partition")), offset: name("offset") }
    }
}

/// Recorded messages in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedSource {
    /// Globs.
    pub files: Vec<String>,
    /// How messages lie in the files.
    pub envelope: Envelope,
    /// The message field that is the timestamp (`envelope = "none"`).
    pub timestamp: Option<String>,
}

/// How messages lie in recorded files (interface.md §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// One message a line.
    None,
    /// What `kcat -J` prints.
    Kcat,
    /// Parquet with topic, partition, offset, timestamp, key, value, headers.
    Table,
}

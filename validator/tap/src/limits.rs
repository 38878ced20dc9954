//! Every bound of this crate, with its unit and its reason.

use std::time::Duration;

/// Payload bytes in one batch: Arrow's string offsets are 32 bits, and no decoded text is longer than its payload.
pub const BATCH_PAYLOAD_BYTES_MAX: usize = i32::MAX as usize;

/// Levels of objects and arrays in one JSON payload: deeper ones would exhaust the stack.
pub const JSON_DEPTH_MAX: usize = 128;

/// Names of unknown fields that are counted one by one; the rest are counted together under [`OTHER_FIELDS`].
pub const UNKNOWN_FIELDS_MAX: usize = 1_000;

/// The name under which unknown fields beyond [`UNKNOWN_FIELDS_MAX`] are counted.
pub const OTHER_FIELDS: &str = "(other fields)";

/// Bytes read from a recorded file at once.
pub const RECORDED_READ_BYTES: usize = 256 << 10;

/// Bytes of one recorded line: a message has at most 1 GiB, and text may double it.
pub const RECORDED_LINE_BYTES_MAX: usize = 2 << 30;

/// Uncompressed bytes of a recorded file that share one entry of the index.
pub const RECORDED_BLOCK_BYTES: u64 = 1 << 20;

/// Files of one recorded source.
pub const RECORDED_FILES_MAX: usize = 1_000_000;

/// Messages of recorded partitions that lie out of order: each costs 40 bytes of memory.
pub const RECORDED_DISORDER_MAX: usize = 16_000_000;

/// Time that a Kafka client gets to end before it is left behind.
pub const CLIENT_DROP: Duration = Duration::from_secs(5);

/// Time for brokers to answer while a source is opened, unless the configuration says otherwise.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Time for brokers to answer after which somebody is told that they do not: as long as a person waits before wondering.
pub const OPEN_SILENCE: Duration = Duration::from_secs(2);

/// Time without any progress after which a read gives up; broker restarts and elections take up to about 30 s.
pub const READ_STALL: Duration = Duration::from_secs(120);

/// Longest wait for one event: how soon a stalled read is noticed.
pub const POLL: Duration = Duration::from_millis(200);

/// Events taken from librdkafka at once: enough to make the call cheap, few enough to stay in the cache.
pub const KAFKA_BATCH: usize = 512;

/// Offsets that are read and thrown away rather than sought over: a seek costs a round trip and what was read ahead.
pub const SEEK_GAP_OFFSETS: i64 = 20_000;

/// Mean length in offsets below which ranges count as few: the consumer then reads little ahead.
pub const SHORT_RANGE_OFFSETS: i64 = 50_000;

/// Time between two tries of a request that failed for a passing reason.
pub const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Seconds that one question to the schema registry may take.
pub const REGISTRY_REQUEST_SECONDS: u64 = 10;

/// Times that a question to the schema registry is asked before the run fails.
pub const REGISTRY_ATTEMPTS_MAX: u32 = 5;

/// Milliseconds before a question to the schema registry is asked for the second time; doubles each time.
pub const REGISTRY_PAUSE_MILLIS: u64 = 200;

/// Ids that a registry does not know and is asked for again, a few seconds each, before it is believed.
pub const REGISTRY_IDS_DOUBTED: u32 = 4;

/// Bytes of one answer of the schema registry: a schema beyond this is no schema.
pub const REGISTRY_ANSWER_BYTES_MAX: usize = 64 << 20;

/// Schemas that one schema may refer to, directly and indirectly.
pub const REGISTRY_REFERENCES_MAX: usize = 1_000;

/// Ids whose schemas are kept, known or not; beyond it all are forgotten and asked for again. Payloads that are not Avro
/// name any number of them.
pub const REGISTRY_SCHEMAS_MAX: usize = 100_000;

/// Bytes of the name of a field that a detail names: payloads choose their names, and a longer one tells nothing.
pub const FIELD_NAME_SHOWN_BYTES_MAX: usize = 256;

/// Levels of nested values in one Avro payload: deeper ones would exhaust the stack.
pub const AVRO_DEPTH_MAX: usize = 128;

/// Bytes and items that one Avro payload may make beyond its own length: the names of enum symbols, the names of a record's
/// fields in a map, the elements of arrays that take no bytes.
pub const AVRO_EXPANSION_MAX: usize = 64 << 20;

/// Items that take no bytes in one Avro payload: nulls, or records without fields. Sixteen bytes could name any number of
/// them, and each costs time.
pub const AVRO_EMPTY_ITEMS_MAX: usize = 1 << 20;

/// Bytes, and digits behind the point, of a decimal whose digits are shown; the time for it grows with the square.
pub const AVRO_DECIMAL_SHOWN_MAX: usize = 1_024;

/// Writers' schemas that a decoder keeps programs for; beyond it all are made again.
pub const AVRO_PROGRAMS_MAX: usize = 10_000;

/// For how long what a broker said of a topic's policy is held.
pub const POLICY_KEPT: Duration = Duration::from_secs(600);

/// After how long it is asked for again where nobody answered.
pub const POLICY_ASKED_AGAIN: Duration = Duration::from_secs(30);

/// Time for the brokers to say a topic's retention: a look waits for it.
pub const RETENTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Brokers that are asked for a topic's policy before it counts as unknown.
pub const POLICY_BROKERS: usize = 3;

/// Nested fields of one Avro schema that are looked at: records that are used in many places unfold in each of them.
pub const AVRO_FIELDS_MAX: usize = 100_000;

/// Bytes of the header of an Avro container file: schemas beyond this are no schemas.
pub const AVRO_HEADER_BYTES_MAX: usize = 64 << 20;

/// Bytes of one block of an Avro container file, as it lies there and uncompressed: writers end blocks at kilobytes or
/// megabytes, and it is held in memory whole.
pub const AVRO_BLOCK_BYTES_MAX: usize = 1 << 30;

/// Records of one block of an Avro container file: records of no bytes could be any number.
pub const AVRO_BLOCK_RECORDS_MAX: u64 = 100_000_000;

/// Rows of recorded Parquet that are read at once: as many as the engine maps together.
pub const RECORDED_ROWS: usize = 8_192;

/// Broken blocks of recorded files that are named one by one in warnings; the rest are counted.
pub const BROKEN_BLOCKS_NAMED: usize = 10;

/// How often a followed source gives the word to its caller: to hand on what was gathered, and to stop.
pub const FOLLOW_QUIET: Duration = Duration::from_millis(200);

/// How often the first offsets of followed partitions are asked for.
pub const FOLLOW_LOOK: Duration = Duration::from_secs(10);

/// Time without a word from any broker after which they are called lost: longer than a restart or an election takes.
pub const FOLLOW_LOST: Duration = Duration::from_secs(30);

/// Time for brokers to say where partitions begin and end: asked again and again, so that an answer is either there or given up.
pub const ENDS_TIMEOUT: Duration = Duration::from_secs(5);

/// Time without a heartbeat after which the partitions of a member of a fleet go to others: longer than a restart, and with a
/// rebalance behind it well within a minute. Brokers allow 6 s to 30 min.
pub const GROUP_SESSION: Duration = Duration::from_secs(10);

/// How often a member of a fleet says that it is there: three times in a session, as Kafka's own clients do.
pub const GROUP_HEARTBEAT: Duration = Duration::from_secs(3);

/// How often all topics of the brokers are asked for, where a pattern may match new ones.
pub const TOPICS_EVERY: Duration = Duration::from_secs(10);

/// Time after a look that failed, or that missed a topic, until the next one.
pub const FOLLOW_LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Time that a topic must be unknown to the brokers before it counts as deleted: one that has just come back may not know all.
pub const FOLLOW_GONE: Duration = Duration::from_secs(6);

/// Looks that wait for a followed read: one, since a later one says more.
pub const FOLLOW_LOOKS: usize = 1;

/// Characters of the class of an error that a dead letter names: the longest of Java's are shorter.
pub const DEAD_LETTER_CLASS_CHARS: usize = 120;

/// Characters of its message: enough to tell what is wrong, for a line of a report.
pub const DEAD_LETTER_MESSAGE_CHARS: usize = 300;

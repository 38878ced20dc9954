//! Bounds of the engine, each with its unit and reason.

/// Rows of one batch: DataFusion's own batch size.
pub const BATCH_ROWS_MAX: usize = 8_192;

/// Payload bytes of one batch: large messages make short batches.
pub const BATCH_PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Batches between a reading thread and the plan: enough to bridge a pause, small enough to push back at once.
pub const QUEUE_BATCHES_MAX: usize = 4;

/// Differing pairs whose values are held at once while they are compared.
pub const PAIRS_AT_ONCE_MAX: usize = 20_000;

/// Rows with one single offset per partition before an offset column is called constant.
pub const CONSTANT_OFFSET_ROWS: u64 = 1_000;

/// Offsets at either end of a partition that a sample looks at.
pub const SAMPLE_OFFSETS: i64 = 500;

/// Buckets of entries kept for the judge: few enough files, small enough to be reduced one at a time. A power of two.
pub const KEPT_BUCKETS: usize = 64;

/// Bytes of such entries in memory, of both sides together; what goes beyond is spilled: two million messages and rows.
pub const KEPT_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Bytes of one expression of a contract: far more than anyone writes, and little enough to be read at once.
pub const EXPRESSION_BYTES_MAX: usize = 64 * 1024;

/// Operators of one expression. A chain of operators is a tree as deep as it is long, and each step down costs stack
/// and asks for the types of all that lies below.
pub const EXPRESSION_OPERATORS_MAX: usize = 300;

/// Nodes of one planned expression: functions that are made of others (`coalesce`) write their arguments twice, so that
/// nesting them doubles the tree with each level.
pub const EXPRESSION_NODES_MAX: usize = 10_000;

/// Values of missing messages and phantom rows that are held against each other in mode `content`, a fingerprint of 16
/// bytes each: 128 MiB at most. Beyond, so much is wrong that single links tell nobody anything.
pub const RELATED_VALUES_MAX: usize = 8 * 1024 * 1024;

/// Messages that are looked at to say that the contract is probably wrong: enough to tell a rule from an accident.
pub const FIRST_MESSAGES: u64 = 10_000;

/// Judged messages below which nothing is said of the contract: a handful may all be damaged.
pub const FIRST_MESSAGES_LEAST: u64 = 20;

/// Buckets of the versions of keys: so many that one of them, which is sorted as a whole, is small however many keys there
/// are: 20 million keys make 6 MB of each. A byte of the identity.
pub const VERSION_BUCKETS: usize = 256;

/// Bytes of versions in memory; what goes beyond is spilled: 1.6 million keys fit.
pub const VERSIONS_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Bytes of the entries of disputed segments of an upsert table in memory, beside the versions; what goes beyond is spilled.
pub const UPSERT_KEPT_BYTES_MAX: usize = 128 * 1024 * 1024;

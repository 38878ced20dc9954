//! Bounds of the engine, each with its unit and reason.

/// Rows of one batch: DataFusion's own batch size.
pub const BATCH_ROWS_MAX: usize = 8_192;

/// Payload bytes of one batch: large messages make short batches.
pub const BATCH_PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of one value that an expression makes, text of messages and then some: beyond it the message is `map_failed`.
pub const VALUE_BYTES_MAX: usize = 64 * 1024 * 1024;

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

/// Bytes of such entries in memory, of both sides together; what goes beyond is spilled: 600,000 messages and their rows.
pub const KEPT_BYTES_MAX: usize = 192 * 1024 * 1024;

/// Buckets of slips: compared one at a time on each thread. A power of two.
pub const SLIP_BUCKETS: usize = 128;

/// Bytes of slips in memory, of both sides together: three million messages and their rows.
pub const SLIP_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Bytes of slips on disk: a hundred million messages and their rows. A run beyond that drills as if there were none.
pub const SLIP_DISK_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Names on which both sides differ, held while they are read again: beyond it nearly all of a large run differs, or
/// so much that reading all of its disputed segments costs little more.
pub const DIFFERING_NAMES_MAX: usize = 4_000_000;

/// Rows that are located before they are read, about 60 bytes each. More are read with all others.
pub const LOCATED_ROWS_MAX: u64 = 1_000_000;

/// Times that a run is made again because parts of the table cannot be read again; beyond it the store is not one to
/// judge by.
pub const RUNS_MADE_AGAIN_MAX: usize = 16;

/// Rows of the files in question for each name that differs, from which on the drill first looks where those names are,
/// by the columns that name rows, and then reads the other columns of these rows alone.
pub const SPARSE_ROWS: u64 = 16;

/// Bytes of entries that are judged apart in memory, and as many of those of which it is not known yet.
pub const APART_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes read at a time of each spilled part of them, of which there may be hundreds.
pub const GROUPS_READ_BYTES: usize = 64 * 1024;

/// Entries that are judged apart at a time: their drafts and the identities of missing ones are held, of two parts at once.
pub const PART_ENTRIES_MAX: usize = 262_144;

/// Findings in memory, about a kilobyte each; the rest is spilled.
pub const FINDINGS_AT_HAND_MAX: usize = 100_000;

/// Findings in memory where only a report is made: more than it shows.
pub const FINDINGS_OF_A_REPORT_MAX: usize = 1_000;

/// Findings of one verdict, cause and column that say everything. Source: interface.md §5.
pub const FINDINGS_TOLD_MAX: u64 = 1_000_000;

/// Findings of one cause that are at hand however many there are of others: as many as a report shows.
pub const FINDINGS_OF_A_CAUSE_SHOWN: usize = 10;

/// Bytes of values that the drill keeps for the findings: those of half a million pairs.
pub const CAPTURED_BYTES_MAX: usize = 192 * 1024 * 1024;

/// Offsets that lie this near are read in one go.
pub const NEAR_OFFSETS: i64 = 512;

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

/// Bytes of versions in memory; what goes beyond is spilled: 1.2 million keys fit.
pub const VERSIONS_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Bytes of the entries of disputed segments of an upsert table in memory, beside the versions; what goes beyond is spilled.
pub const UPSERT_KEPT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Bytes of one query: those of a list of thousands of columns.
pub const QUERY_BYTES_MAX: usize = 256 * 1024;

/// Operators of one query, as of an expression; more of them, for a query has many expressions.
pub const QUERY_OPERATORS_MAX: usize = 500;

/// Rows of one batch of a query: a thousand values of a megabyte are what a batch may weigh.
pub const QUERY_BATCH_ROWS: usize = 1_024;

/// Bytes that one operator of a query may make of a batch, however little memory a query may take: 16 kB a row.
pub const QUERY_CALL_BYTES_LEAST: usize = 16 * 1024 * 1024;

/// Bytes of a constant of a query from which on its copies in each row are weighed: smaller ones weigh no more than numbers.
pub const QUERY_CONSTANT_BYTES: usize = 128;

/// Bytes that it may make however much memory there is: half of what one array of texts can hold at all.
pub const QUERY_CALL_BYTES_MOST: usize = 1024 * 1024 * 1024;

/// Bytes that a query may spill: what does not fit needs a narrower query and not a full disk.
pub const QUERY_SPILL_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Rows of the files in question for each row between the first and the last row of a disputed segment, from which on only
/// those stretches are read again: pages are read whole, so that many short stretches of a file save little.
pub const STRETCHED_ROWS: u64 = 4;

/// Files of one pass of a continuous run: what a pass has read is kept by the ledger file by file, so that it is lost to a
/// crash by this much at most.
pub const SCAN_FILES_MAX: usize = 32;

/// Bytes of such files; a larger one has a pass of its own.
pub const SCAN_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Messages that are asked at once when they came, of about 60 bytes each: the segments that straddle the commits of one pass
/// have fewer as a rule.
pub const TIMES_ASKED_MAX: u64 = 500_000;

/// Bytes of what dead letters say of their causes: those of fifty thousand that all say something else. Of the others it is
/// told that there is a dead letter.
pub const DEAD_LETTER_CAUSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Dead letters from which on most of them being impossible says that they hold no positions: fewer may be strays.
pub const DEAD_LETTERS_LEAST: u64 = 10;

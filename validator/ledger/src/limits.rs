//! Bounds of the ledger, each with its unit and its reason.

/// Rows of one statement that writes. A statement each would cost 1,563 pages 60 ms in hops to the database's thread.
pub const ROWS_PER_STATEMENT: usize = 50;

/// Decisions of people that one checkpoint takes up.
pub const INBOX_ROWS_MAX: usize = 1_000;

/// Keys of one statement that reads; with four parameters a key it stays below the 32,766 of SQLite.
pub const KEYS_PER_STATEMENT: usize = 500;

/// Milliseconds that SQLite waits for a lock. There is one writer, so this is for a reader that closes.
pub const BUSY_MILLIS: u64 = 5_000;

/// Pages of SQLite's WAL after which it is folded into the file: 32 MB at 8,192 bytes.
pub const WAL_PAGES: u32 = 4_000;

/// Bytes of a page of SQLite's file: a page of 64 open segments has about 6,400.
pub const FILE_PAGE_BYTES: u32 = 8_192;

/// Seconds for a connection to PostgreSQL to be made.
pub const CONNECT_SECONDS: u64 = 10;

/// Seconds after which PostgreSQL gives up a statement. A checkpoint of 100,000 segments takes 0.3 s.
pub const STATEMENT_SECONDS: u64 = 60;

/// Rows of its own history that one checkpoint removes. A checkpoint must not become long because a month is over.
pub const PRUNED_ROWS_MAX: usize = 1_000;

/// Messages of the outbox that are handed out at once.
pub const OUTBOX_ROWS_MAX: usize = 100;

/// Milliseconds of which one checkpoint keeps its counts in the chain: with a thousand partitions they are 15 KB, and there
/// are 86,400 checkpoints a day.
pub const TOTALS_EVERY_MS: i64 = 60_000;

/// Findings or runs of one statement that lists them: what is held of a million.
pub const LISTED_ROWS: usize = 500;

/// Groups that are listed, the largest first. A fault that makes more is one that no person reads by groups.
pub const GROUPS_MAX: usize = 1_000;

/// Ids of findings that a group shows.
pub const EXAMPLES_MAX: usize = 3;

/// Holes of a partition that a proof of its offsets shows one by one; all are counted. A log of transactions has one each.
pub const HOLES_SHOWN_MAX: usize = 100;

/// Segments that are shown one by one where they are not equal.
pub const UNEQUAL_SHOWN_MAX: usize = 20;

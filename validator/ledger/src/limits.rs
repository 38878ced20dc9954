//! Bounds of the ledger, each with its unit and its reason.

/// Rows of one statement that writes. A statement each would cost 1,563 pages 60 ms in hops to the database's thread.
pub const ROWS_PER_STATEMENT: usize = 50;

/// Decisions of people that one checkpoint takes up.
pub const INBOX_ROWS_MAX: usize = 1_000;

/// Keys of one statement that reads.
pub const KEYS_PER_STATEMENT: usize = 100;

/// Milliseconds that SQLite waits for a lock. There is one writer, so this is for a reader that closes.
pub const BUSY_MILLIS: u64 = 5_000;

/// Pages of SQLite's WAL after which it is folded into the file: 32 MB at 8,192 bytes.
pub const WAL_PAGES: u32 = 4_000;

/// Bytes of a page of SQLite's file: a page of 64 open segments has about 6,400.
pub const FILE_PAGE_BYTES: u32 = 8_192;

/// Milliseconds that a message of the outbox waits for its next try at most, twice what the service waits: a time further away was noted by a
/// clock that has gone back since.
pub const MAIL_WAITS_MAX_MS: i64 = 600_000;

/// Seconds for a connection to PostgreSQL to be made.
pub const CONNECT_SECONDS: u64 = 10;

/// Seconds after which PostgreSQL gives up a statement. A checkpoint of 100,000 segments takes 0.3 s.
pub const STATEMENT_SECONDS: u64 = 60;

/// The same of what is no part of the books: longer than a paused member holds anything.
pub const STATEMENT_BESIDE_SECONDS: u64 = 15;

/// Seconds in which PostgreSQL answers what is no part of the books; after them the connection is given up.
pub const ANSWER_SECONDS: u64 = 20;

/// Seconds after which PostgreSQL ends a session of a fleet that says nothing in the middle of a transaction: as long as a lease.
pub const IDLE_SECONDS: u64 = 10;

/// Seconds in which another member of a fleet makes a ledger or brings it up to date; after them somebody writes alone.
pub const MADE_SECONDS: u64 = 30;

/// Milliseconds until a member of a fleet looks again whether the ledger is made.
pub const MADE_AGAIN_MILLIS: u64 = 200;

/// Milliseconds for which a member holds a seat or an ask without a word: a pause of a second or two costs nobody its seat,
/// and a judge that hangs is followed within a quarter of a minute. One whose session is gone is followed at once.
pub const LEASE_MILLIS: i64 = 10_000;

/// Parcels whose places are read at once: what all readers of a pipeline may be ahead of its judge.
pub const PARCELS_LISTED_MAX: usize = 4_096;

/// Parcels whose bodies are read at once: some MiB.
pub const PARCELS_TAKEN_MAX: usize = 64;

/// An ask that was given back is nobody's for so long: what failed a moment ago fails again.
pub const ASKS_AGAIN_MILLIS: i64 = 1_000;

/// Milliseconds after which an ask that nobody waits for any more is forgotten.
pub const ASKS_KEPT_MILLIS: i64 = 600_000;

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

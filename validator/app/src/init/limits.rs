//! Bounds of `init`, each with its unit and reason.

/// Bytes of a text or of bytes that a sample keeps; a longer value is kept as its digest.
pub const VALUE_BYTES_KEPT: usize = 512;

/// Messages of a sample unless `--sample` says otherwise: enough for twenty rows of each of a hundred keys.
pub const SAMPLE_DEFAULT: usize = 2_000;

/// Most messages that `--sample` takes: about a kilobyte each in memory.
pub const SAMPLE_MAX: usize = 100_000;

/// Bytes of payloads in a sample: messages of a megabyte make a short one.
pub const SAMPLE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Places of each partition that a sample is taken from: the ends and some between them.
pub const SPOTS: i64 = 5;

/// Rows of a table that is read whole, for each message of the sample; of a larger one as many rows as messages are read.
pub const ROWS_PER_MESSAGE: usize = 2;

/// Files that rows are read of, where the table has more.
pub const FILES_MAX: usize = 12;

/// Rows of a table that the proof may read: about two seconds.
pub const PROOF_ROWS_MAX: u64 = 2_000_000;

/// Fields of messages, and columns of a table, that are held against each other: all pairs are tried.
pub const NAMES_MAX: usize = 400;

/// Tied pairs of a message and a row that a proposal rests on.
pub const TIES_MAX: usize = 2_000;

/// Fewest tied pairs that say anything; fewer only where the sample holds everything there is.
pub const TIES_LEAST: usize = 5;

/// Correspondences that ties are tried to begin with; four times as many may join them.
pub const ANCHORS_MAX: usize = 12;

/// Correspondences of one column among those.
pub const ANCHORS_OF_COLUMN_MAX: usize = 3;

/// Ties that tell whether a reading fits at all.
pub const TIES_PROBED: usize = 100;

/// Columns of an identity: more are no key but the content.
pub const KEY_COLUMNS_MAX: usize = 3;

/// Columns that pairs and triples of identity columns are made of.
pub const KEY_CANDIDATES_MAX: usize = 12;

/// Values of a field that are written out as a CASE: beyond it they are no words of a small set.
pub const CASES_MAX: usize = 4;

/// Commits whose distances give the rhythm: the newest ones.
pub const COMMITS_MAX: usize = 100;

/// Places of the topic that sampled rows bring into the sample.
pub const PLACES_MAX: usize = 8;

/// Those of them that are looked up by time: each asks the brokers anew, about a tenth of a second.
pub const PLACES_BY_TIME_MAX: usize = 5;

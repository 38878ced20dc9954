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

/// Files of a table that is read whole: partitions of an hour or a symbol have a file of few rows for each commit.
pub const FILES_WHOLE_MAX: usize = 400;

/// Files that rows are read of, where the table has more and they have rows enough.
pub const FILES_MAX: usize = 12;

/// Files that rows are read of where the table has more, and rows of so many are few.
pub const FILES_SMALL_MAX: usize = 96;

/// Files that are read at once: what is waited for on a far store is the first byte of each.
pub const FILES_AT_ONCE: usize = 8;

/// Rows of a table that the proof may read: about two seconds.
pub const PROOF_ROWS_MAX: u64 = 2_000_000;

/// Files whose footers are asked for row groups that may hold rows of the proof: a millisecond each, on a far store a
/// hundred.
pub const PROOF_FOOTERS_MAX: usize = 64;

/// Fields of messages, and columns of a table, that are held against each other: all pairs are tried, a million of them.
pub const NAMES_MAX: usize = 1_000;

/// Tied pairs of a message and a row that a proposal rests on.
pub const TIES_MAX: usize = 2_000;

/// Fewest tied pairs that say anything; fewer only where the sample holds everything there is.
pub const TIES_LEAST: usize = 5;

/// Correspondences that ties are tried to begin with; four times as many may join them.
pub const ANCHORS_MAX: usize = 12;

/// Correspondences of one column among those.
pub const ANCHORS_OF_COLUMN_MAX: usize = 3;

/// Ties that tell whether a reading of the field of a column's name fits at all.
pub const TIES_PROBED: usize = 100;

/// Those that tell it of any other field: a table of hundreds of columns has a hundred thousand pairs.
pub const TIES_GLANCED: usize = 10;

/// Values of a field that tell whether a reading is for their kind.
pub const VALUES_GLANCED: usize = 50;

/// Columns of an identity: more are no key but the content.
pub const KEY_COLUMNS_MAX: usize = 3;

/// Columns that pairs and triples of identity columns are made of.
pub const KEY_CANDIDATES_MAX: usize = 12;

/// The largest chance that a column of a key, dealt at random among the messages, tells all of them apart that its other
/// columns do not: once in ten thousand samples.
pub const KEY_CHANCE_MAX: f64 = 1e-4;

/// Values of a field that are written out as a CASE: beyond it they are no words of a small set.
pub const CASES_MAX: usize = 4;

/// Commits whose distances give the rhythm: the newest ones.
pub const COMMITS_MAX: usize = 100;

/// Newest commits whose summaries are looked at: who writes a table shows in few, and a table may have a hundred thousand.
pub const CLAIMS_MAX: usize = 20;

/// Engines that a sentence names: a table that many write is said to be so by the first.
pub const ENGINES_SAID: usize = 3;

/// Places of the topic that sampled rows bring into the sample.
pub const PLACES_MAX: usize = 8;

/// Those of them that are looked up by time: each asks the brokers anew, about a tenth of a second.
pub const PLACES_BY_TIME_MAX: usize = 5;

/// Fewest tied rows in which a derived column must have a value: fewer show no rule.
pub const DERIVED_TIES_LEAST: usize = 20;

/// Fewest different values among them: two may be equal by chance.
pub const DERIVED_DISTINCT_LEAST: usize = 3;

/// Fields that are tried in pairs for a derived column.
pub const DERIVED_FIELDS_MAX: usize = 40;

/// Characters of the constant text before, between or behind values.
pub const AFFIX_CHARS_MAX: usize = 32;

/// Characters of a piece of a text.
pub const PIECE_CHARS_MAX: usize = 16;

/// Different texts of a field that pieces are learned of: what is done to one in ten of them is met.
pub const PIECE_LESSONS_MAX: usize = 30;

/// Members of one JSON object that a column is made of: an expression of more is read by nobody.
pub const JSON_MEMBERS_MAX: usize = 24;

/// Fewest rows in which a constant of the sink must stand, all that were sampled.
pub const CONSTANT_ROWS_LEAST: usize = 100;

/// Fewest commits that those rows are of: within one, much is constant.
pub const CONSTANT_COMMITS_LEAST: usize = 2;

/// The largest whole number that is taken for a constant: larger ones are times (seconds since 1970) and ids.
pub const CONSTANT_NUMBER_MAX: i128 = 1_000_000;

/// Fewest columns of values of one field, none of one message, that make rows an aggregate: greatest, least and last.
pub const AGGREGATE_COLUMNS_LEAST: usize = 3;

/// Fewest different values that each of them has of the field: fewer are met by chance.
pub const AGGREGATE_DISTINCT_LEAST: usize = 10;

/// Names of columns of one kind that a sentence holds: more of them show no more.
pub const NAMES_SAID: usize = 3;

/// Fewest rows of other topics by which a table is known to be shared: fewer may be damage.
pub const SHARED_ROWS_LEAST: usize = 10;

/// Most topics that write to one table, by the values of the column that tells them apart.
pub const SHARED_VALUES_MAX: usize = 64;

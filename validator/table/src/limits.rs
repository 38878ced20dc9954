//! Bounds of the table side, each with its unit and reason.

/// Rows of one decoded batch: the digest's batch size, large enough to amortise per-batch work.
pub const BATCH_ROWS: usize = 8_192;

/// Decoded bytes of one column of a batch, as far as the footer lets us guess: keeps 32-bit string offsets (2 GiB)
/// out of reach when values are huge. Batches get shorter instead.
pub const BATCH_COLUMN_BYTES: u64 = 64 << 20;

/// Bytes read from the end of a file in the hope that they hold the whole footer: one request for most files.
pub const FOOTER_GUESS_BYTES: u64 = 64 << 10;

/// Bytes of a row group's wanted columns that are held at once; a larger row group is read through windows.
pub const ROW_GROUP_BYTES_HELD: u64 = 128 << 20;

/// Bytes of one window into a column chunk of such a larger row group.
pub const WINDOW_BYTES: u64 = 4 << 20;

/// Decoded batches of such a larger row group that wait for the reader of the stream.
pub const WINDOW_BATCHES_QUEUED: usize = 2;

/// Bytes that all scans of one table together may hold ahead of need (the next row group of each scan). What a scan
/// needs now is never held back by it, so that no scan can wait for another.
pub const READ_AHEAD_BYTES: usize = 256 << 20;

/// Manifests read and parsed at once: enough to hide the latency of a store, few enough to keep memory low.
pub const MANIFESTS_AT_ONCE: usize = 8;

/// Snapshots walked back from the pinned one: ends a cycle in broken metadata.
pub const ANCESTRY_MAX: usize = 1_000_000;

/// Names offered when a table or reference is not found.
pub const NAMES_OFFERED_MAX: usize = 3;

/// Older snapshots whose files are searched for the rows of missing messages: each costs at least one small read.
pub const OLDER_SNAPSHOTS_MAX: usize = 1_000;

/// Bytes of deleted positions that are kept so that a delete file is not read again for each of its data files: about 64
/// million deleted rows at two bytes each. Beyond it the oldest are dropped, and read again where they are needed.
pub const DELETES_BYTES_HELD: u64 = 128 << 20;

/// Bytes of one deletion vector, and of the positions of one delete file: 128 million random rows. A larger one is not
/// read, and its data files cannot be looked at.
pub const DELETES_OF_FILE_BYTES_MAX: u64 = 256 << 20;

/// Rows of a delete file between two looks at the bytes that its positions take.
pub const DELETE_ROWS_PER_LOOK: u64 = 1 << 20;

/// Puffin footers whose blobs are kept: one file has the deletion vectors of many data files.
pub const PUFFIN_FOOTERS_HELD: usize = 1_024;

/// Bytes of a Puffin footer: 300 bytes for each of some hundred thousand deletion vectors.
pub const PUFFIN_FOOTER_BYTES_MAX: u64 = 64 << 20;

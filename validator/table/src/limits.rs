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

/// Bytes of a metadata file as it is read, unzipped: it is held whole, and a gzip may promise anything.
pub const METADATA_BYTES_MAX: u64 = 1 << 30;

/// Bytes that the blocks of one manifest or manifest list unpack to: half a million entries with bounds have less, and the
/// parser makes about ten times as much of them.
pub const MANIFEST_UNPACKED_BYTES_MAX: u64 = 512 << 20;

/// Bytes of one value, and elements of one array, that the Avro parser makes room for on the word of a file; of elements it
/// takes tens of bytes each. Room that is not used costs nothing, room that there is not ends the process.
pub const AVRO_ALLOCATION_BYTES_MAX: usize = 64 << 20;

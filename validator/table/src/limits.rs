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

/// Steps of a continuous run behind the head: 10,000 commits of 2 s are five hours. Beyond it the oldest are jumped over.
pub const STEPS_MAX: usize = 10_000;

/// Bytes of parsed manifests that are kept for the next look. Entries are shared with the pinned snapshot, so that the cache
/// costs what that one no longer has; 100,000 live files with ten bounds each take 250 MiB.
pub const MANIFEST_CACHE_BYTES_MAX: u64 = 256 << 20;

/// Snapshots after which a manifest that none of them names is forgotten. A look steps over a few, and who goes back to an
/// older one reads it again.
pub const MANIFEST_CACHE_SNAPSHOTS: u64 = 64;

/// Older snapshots that are searched for a file that is no longer live, newest first: it mostly stood in the last one. Each
/// costs at least one small read.
pub const GONE_SNAPSHOTS_MAX: usize = 100;

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

/// Bytes of a metadata file (also as it is unzipped), manifest list or manifest: they are held whole, and a store or a
/// gzip may promise anything.
pub const METADATA_BYTES_MAX: u64 = 1 << 30;

/// Seconds until a connection to a store stands, where the configuration says nothing.
pub const STORE_CONNECT_SECONDS: u64 = 5;

/// Seconds without a byte until a store's answer is given up, where the configuration says nothing.
pub const STORE_SILENCE_SECONDS: u64 = 20;

/// Seconds that one answer of a store may take in all, however it drips: 128 MiB at less than 1 MiB/s.
pub const STORE_ANSWER_SECONDS_MAX: u64 = 300;

/// Times that a request to a store is repeated before it is a failure.
pub const STORE_RETRIES_MAX: usize = 4;

/// Seconds after which no request is repeated any more.
pub const STORE_RETRY_SECONDS_MAX: u64 = 60;

/// Milliseconds before the first repetition; they double, with some chance in them.
pub const STORE_PAUSE_MILLIS: u64 = 100;

/// Milliseconds between two repetitions at most.
pub const STORE_PAUSE_MILLIS_MAX: u64 = 2_000;

/// Times that a store is asked for an object that it says is not there, before it is believed: what a store says about
/// a file becomes a verdict.
pub const NOT_FOUND_ASKED: u32 = 3;

/// Pages of one folder that a store may list, a thousand names each: a metadata folder of a million files. A listing
/// that goes on has no end.
pub const LIST_PAGES_MAX: usize = 1_000;

/// Bytes of one such page: a thousand keys have 1 KiB each at most.
pub const LIST_PAGE_BYTES_MAX: usize = 16 << 20;

/// Bytes of a store's refusal that are looked at: its code stands at the front.
pub const REFUSAL_BYTES_MAX: usize = 16 << 10;

/// Characters of a server's refusal that are shown.
pub const REFUSAL_CHARS_SHOWN: usize = 300;

/// Seconds before its end at which a lent key is asked for anew: longer than a request with its repetitions.
pub const KEY_RENEWED_BEFORE_SECONDS: i64 = 120;

/// Versions of a filesystem catalog's table that are probed upwards from its hint: each costs up to three requests.
pub const VERSIONS_PROBED_MAX: u64 = 10_000;

/// Bytes of `version-hint.text` that are looked at: a number has at most 20.
pub const HINT_BYTES_READ: usize = 64;

/// Seconds until a connection to a REST catalog stands.
pub const REST_CONNECT_SECONDS: u64 = 5;

/// Seconds for one answer of a REST catalog, where the configuration says nothing.
pub const REST_SECONDS: u64 = 30;

/// Times that a REST catalog is asked the same before that is a failure.
pub const REST_ATTEMPTS_MAX: u32 = 4;

/// Seconds after which no question to a REST catalog is repeated any more.
pub const REST_REPEATED_SECONDS_MAX: u64 = 60;

/// Milliseconds before the first repetition; doubles each time.
pub const REST_PAUSE_MILLIS: u64 = 200;

/// Seconds that a REST catalog may make us wait before a repetition.
pub const REST_RETRY_AFTER_SECONDS_MAX: u64 = 10;

/// Redirects that are followed, on one host.
pub const REST_REDIRECTS_MAX: u32 = 3;

/// Bytes of one answer of a REST catalog: the metadata of a table with many snapshots takes some tens of MiB.
pub const REST_ANSWER_BYTES_MAX: u64 = 256 << 20;

/// Pages of a namespace's tables that are looked through for a near name.
pub const REST_PAGES_LISTED_MAX: u32 = 10;

/// Seconds before its end at which a token is fetched anew; a quarter of its life where that is less.
pub const TOKEN_RENEWED_BEFORE_SECONDS: u64 = 30;

/// Seconds for the whole look-up in a PostgreSQL catalog, where the configuration says nothing.
pub const POSTGRES_SECONDS: u64 = 30;

/// Times that a PostgreSQL server that cannot be reached is tried.
pub const POSTGRES_ATTEMPTS_MAX: u32 = 3;

/// Milliseconds before the second try; doubles.
pub const POSTGRES_PAUSE_MILLIS: u64 = 200;

/// Bytes that the blocks of one manifest or manifest list unpack to: half a million entries with bounds have less, and the
/// parser makes about ten times as much of them.
pub const MANIFEST_UNPACKED_BYTES_MAX: u64 = 512 << 20;

/// Bytes of one value, and elements of one array, that the Avro parser makes room for on the word of a file; of elements it
/// takes tens of bytes each. Room that is not used costs nothing, room that there is not ends the process.
pub const AVRO_ALLOCATION_BYTES_MAX: usize = 64 << 20;

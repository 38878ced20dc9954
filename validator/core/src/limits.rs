//! Bounds and sizes of the core, each with its unit and its reason.

/// Offsets per segment unless the pipeline says otherwise; a power of two. A disputed segment is re-read whole, so
/// this is the least that one damaged message costs; the two bags of a segment cost about 100 bytes.
pub const SEGMENT_WIDTH_OFFSETS: u64 = 4096;

/// Shards of a window unless the pipeline says otherwise.
pub const WINDOW_SHARDS: u32 = 64;

/// Shards of the pseudo-window `none`, which holds every row of a table without a window column: as many as keep one
/// shard of a billion rows near the size of a disputed window.
pub const NO_WINDOW_SHARDS: u32 = 65_536;

/// Bytes of one BLAKE3 chunk. Rows up to this length are hashed many at a time, longer ones each by itself.
pub const CHUNK_BYTES: usize = 1024;

/// Bytes that a cleared arena keeps for its next batch. A batch of 8,192 common rows takes 3 MiB; a batch of huge
/// messages must not stay in memory for the rest of the run.
pub const ARENA_KEPT_BYTES_MAX: usize = 64 << 20;

/// Rows that are encoded together, column by column. Their canonical bytes (about 400 bytes a row with slack) stay in
/// the second-level cache of one core while each column passes over them.
pub const TILE_ROWS: usize = 512;

/// Equal messages that a finding lists as candidates. A table without identity may hold one content a million times, and
/// each of its findings lists them; beyond this the detail says how many there are.
pub const CANDIDATES_MAX: usize = 100;

/// Steps of a timeline: as many bars as a chart of a page's width shows apart from each other.
pub const TIMELINE_STEPS_MAX: usize = 120;

/// Slices of a partition's range of offsets in which findings are counted: columns of a heat map that a page holds. It has
/// many divisors, so that slices can be joined evenly.
pub const SPREAD_SLICES_MAX: usize = 24;

/// Segments of a page of the ledger; a power of two. One row for 64 neighbours is written ten times as fast as 64 rows.
pub const PAGE_SLOTS: usize = 64;

/// Segments that the keys of an upsert table are cut into when it is followed: of a million keys one has four, so that a handful of
/// choices tells which versions its rows show.
pub const KEY_SHARDS: u32 = 1 << 18;

/// Segments of a page of keys; a power of two. Messages come to all keys, and what a page holds is written again with each.
pub const KEY_PAGE_SLOTS: usize = 1;

/// Keys of one segment, about 100 bytes each: 67 million of a table. Messages of further keys are unobservable.
pub const KEYS_OF_SEGMENT_MAX: usize = 256;

/// Of more keys of a segment those go that are deleted and have no row, those first that were deleted first: of a row that comes back
/// nobody knows then that its key was deleted.
pub const KEYS_DELETED_SPARED: usize = 128;

/// So long after its retention is over a segment whose rows are gone is held: a table that is set back has them again. From then on
/// it is only known how many messages it had, and a row of them is one of no message.
pub const EXPIRED_KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// Of the keys of a segment whose rows have expired so many stay, about 200 bytes each; of more those go that have expired first, once
/// ten minutes are over (`KEY_SPARED_MS`). A row of one that went is one of no message.
pub const KEYS_EXPIRED_SPARED: usize = 8;

/// Versions of one key that may be what its row shows, about 100 bytes each: those since the last one that the table has to show.
/// Of more the first ones go, and until a later one is due nothing is said of a row that shows none of the others.
pub const KEY_VERSIONS_MAX: usize = 256;

/// So long after commits of the table have passed a version those before it stay: a table that is set back shows them again.
pub const KEY_SPARED_MS: i64 = 600_000;

/// Versions of one key that stay for that.
pub const KEY_VERSIONS_SPARED: usize = 16;

/// Former versions of one key, by which a row is known to be an old one; eight bytes each.
pub const KEY_FORMER_MAX: usize = 32;

/// Choices of versions that are tried before the rows of a segment are read.
pub const KEY_CHOICES_MAX: usize = 4_096;

/// Removed files that a segment remembers, so that a drill asks them for rows that stood; the oldest go first.
pub const GONE_FILES_MAX: usize = 1_024;

/// Slips that a shadow holds, 16 bytes each in memory and ten in the ledger: those of what is not balanced yet of a topic of 64
/// partitions, twice. Beyond it removed files are asked themselves.
pub const SLIPS_MAX: usize = 500_000;

/// Slips of one segment: four times the rows of one that is whole. They are written with its page.
pub const SLIPS_OF_SEGMENT_MAX: usize = 16_384;

/// Rows that stood and went before their messages were consumed, 40 bytes each, which each checkpoint writes.
pub const PARTINGS_MAX: usize = 8_192;

/// Causes of dead letters that a page of 64 segments keeps, 24 bytes each. Of further ones it is only kept which messages they name.
pub const LETTER_CAUSES_MAX: usize = 1_024;

/// Bytes of their texts, each once; one has at most 420 characters.
pub const LETTER_TEXTS_BYTES_MAX: usize = 64 << 10;

/// Steps that took rows of a segment away, as it remembers them until it balances; the oldest go first.
pub const TAKERS_MAX: usize = 16;

/// Actions that a shadow asks for at once; more come when these are answered.
pub const ACTIONS_MAX: usize = 64;

/// Pages that a shadow keeps where it needs fewer: 512 of about 17 KiB. At 100,000 messages a second they fill in 22 minutes, and
/// from then on memory stands still; an older page is read again when a late row asks for it.
pub const PAGES_HELD_MAX: usize = 512;

/// Entries of all residues together, about 130 bytes each. Beyond it no further segment is drilled, and stays unjudged.
pub const RESIDUE_ENTRIES_MAX: usize = 250_000;

/// Milliseconds for which a segment without rows may count by its last message alone while the clock passes through it.
/// Drilling each such segment at once would read a topic twice whose sink stands still.
pub const BARE_STRADDLE_MS: i64 = 10_000;

/// The same of a segment of a window: a window of a minute, whose messages may come somewhat late.
pub const WINDOW_STRADDLE_MS: i64 = 120_000;

/// Messages that cannot be told that a continuous run of the modes `key` and `content` holds against rows without a message:
/// beyond them such rows are unobservable.
pub const STRAYS_MAX: usize = 100_000;

/// Spans of windows of one partition in which messages are lost; further ones make one of all.
pub const HIDDEN_SPANS_MAX: usize = 64;

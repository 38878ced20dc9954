//! Bounds of a continuous run.

use std::time::Duration;

use validator_ledger::Keep;

/// Batches of the tap that wait for their pipeline: with a batch of 8,192 messages a third of a second at 100,000 msg/s, which
/// is what a checkpoint may take.
pub const BATCHES_QUEUED: usize = 4;

/// How often a table is looked at unless given.
pub const POLL_DEFAULT: Duration = Duration::from_secs(2);

/// Least time between checkpoints: a commit waits for the disk.
pub const CHECKPOINT_EVERY_MIN: Duration = Duration::from_millis(200);

/// A checkpoint is written after this time with something to write, or after so many times what the last one took.
pub const CHECKPOINT_EVERY_MAX: Duration = Duration::from_secs(1);

/// See there: where all keys of a large table change all the time.
pub const CHECKPOINT_REST: u32 = 10;

/// At the latest a checkpoint is written after this time.
pub const CHECKPOINT_REST_MAX: Duration = Duration::from_secs(10);

/// How long to wait after a checkpoint that could not be written, and after which a pipeline that ended in an error is opened again; doubles.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);

/// How long a ledger may be silent before that is said: a checkpoint of 100,000 segments takes 0.3 s.
pub const HANGS_AFTER: Duration = Duration::from_secs(10);

/// Where that stops to double.
pub const RETRY_MOST: Duration = Duration::from_secs(30);

/// Segments of one round of drills.
pub const DRILL_SEGMENTS: usize = 16;

/// Messages of one round of drills: some tens of MiB of entries.
pub const DRILL_MESSAGES: u64 = 65_536;

/// Dead letters of one part: each has a cause of 420 characters at most, so some tens of MiB.
pub const LETTERS_AT_ONCE: usize = 50_000;

/// Dead letters of one event: each may ask for a page of its own.
pub const LETTERS_OF_EVENT: usize = 4_096;

/// For how long an older answer of the catalog is held for that of a cache, of the table of dead letters: caches in front of catalogs
/// live for seconds to a few minutes, and all that time nothing is told missing.
pub const OLDER_LETTERS_MOST: Duration = Duration::from_secs(600);

/// Drafts whose values are read in one round.
pub const EVIDENCE_DRAFTS: usize = 1_000;

/// How long a stop may take; what is not saved then is read again by the next run.
pub const STOP_MOST: Duration = Duration::from_secs(8);

/// After how long the ledger is opened anew by who tells the alerts of a pipeline that has failed.
pub const STANDS_BY: Duration = Duration::from_secs(600);

/// Pipelines that fail by an assertion of our own are opened again so often.
pub const PANICS_MAX: u32 = 3;

/// How often the files are looked at for changes.
pub const FILES_EVERY: Duration = Duration::from_secs(5);

const DAY_MS: i64 = 86_400_000;

/// For how long the ledger keeps what is over. A quarter of resolved findings; a week of the chain, which grows by 86,400 links a
/// day, of letters, and of what stood in files that no segment asks for.
pub const KEPT: Keep =
    Keep { resolved_ms: 90 * DAY_MS, chain_ms: 7 * DAY_MS, mail_ms: 7 * DAY_MS, bodies_ms: 7 * DAY_MS };

/// How often alerts are evaluated by the clock, beside each checkpoint.
pub const ALERTS_EVERY: Duration = Duration::from_secs(1);

/// How long the end of a pipeline waits for alerts that are on their way; what is not delivered then the next run delivers.
pub const FLUSH_MOST: Duration = Duration::from_secs(3);

/// Seconds until what is not consumed is deleted, below which a pipeline is degraded and says so: time to wake somebody.
pub const HEAD_ROOM_WARNS_S: f64 = 900.0;

/// For how long a reading goes as fast as it can at least, once it has to.
pub const HASTE_LEAST: Duration = Duration::from_secs(60);

/// Steps of deletion of a partition that are kept: their mean is the rate.
pub const STEPS_KEPT: usize = 16;

/// Parts of messages whose rows are waited for, to measure how long they take: an hour of 16 partitions, 24 bytes each.
pub const LANDING_PARTS_MAX: usize = 65_536;

/// Messages of a segment that are so near to each other in time, in milliseconds, are one part.
pub const LANDING_PART_MS: i64 = 1_000;

/// Bytes that one entry of a disputed segment takes: position, digests, and its place in two trees.
pub const BYTES_OF_ENTRY: u64 = 160;

/// Bytes that one row of the ledger takes in memory: its slot, its hash, and their place in a map.
pub const BYTES_OF_ROW: u64 = 80;

/// How often a run without anything to write looks for what people decided.
pub const DECISIONS_EVERY: Duration = Duration::from_secs(1);

/// How often a run removes from its ledger what is over for longer than it is kept: it reads all that is unsettled.
pub const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// How often a member looks at the ledger and its group: what it is to read, and what is asked. It is what a message waits for a
/// partition that moved, and an ask for somebody who has time.
pub const HAND_EVERY: Duration = Duration::from_millis(300);

/// How often a judge looks for what members have read, where there was nothing.
pub const PARCELS_EVERY: Duration = Duration::from_millis(100);

/// Parcels of its partitions that a member may be ahead of the judge: with 8,192 messages each two million, and where messages are
/// few some minutes of them.
pub const PARCELS_AHEAD: usize = 256;

/// Parcels that are posted in one transaction.
pub const PARCELS_AT_ONCE: usize = 32;

/// Files of one look that are divided at once.
pub const DIVIDED_FILES: usize = 256;

/// Asks of one round: some for each member of a large fleet.
pub const ASKS_MOST: usize = 64;

/// How often a judge that has nothing left to read itself looks for answers.
pub const ANSWERS_EVERY: Duration = Duration::from_millis(50);

/// How long a judge waits for answers of members while none comes, before it reads what they have claimed itself.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// How often a member that stands by asks for the seat.
pub const SEAT_EVERY: Duration = Duration::from_secs(1);

/// How often a judge keeps its seat: three times in a lease.
pub const SEAT_KEPT_EVERY: Duration = Duration::from_secs(3);

/// How long a seat that is given up may take; after it the lease ends it.
pub const SEAT_ASK_MOST: Duration = Duration::from_secs(2);

/// For how long a partition may have messages that nobody brings: longer than a session of a fleet's group and the rebalance behind it.
pub const UNREAD_MOST: Duration = Duration::from_secs(30);

/// How often it is said that something cannot be asked, while it lasts.
pub const OUTAGE_SAID_EVERY: Duration = Duration::from_secs(60);

/// How many such things are remembered.
pub const OUTAGES_SAID: usize = 64;

/// How often it is said that one is not read.
pub const UNREAD_SAID_EVERY: Duration = Duration::from_secs(10);

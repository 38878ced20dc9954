//! Following a source for ever: what it tells beside messages, and how a source that ends by itself is followed.
//!
//! Contract: of each partition every message from the given offset on, once, ascending; offsets that are passed over hold no
//! message that a committed reader may see. Nothing is reset: what cannot be read on is told, and its position stands.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};

use validator_core::position::PartitionIndex;

use crate::{Message, Tap, TapError, Wanted, limits};

/// What a followed source tells.
#[derive(Debug)]
pub enum Followed<'a> {
    /// The next message of its partition. Offsets between the one before and this one hold none.
    Message(&'a Message<'a>),
    /// All that is committed was told: the next message will have this offset or a later one.
    End {
        /// The partition.
        partition: PartitionIndex,
        /// Beyond the last message and what follows it without being one: control records, aborted records.
        position: i64,
    },
    /// Told at least every [`limits::FOLLOW_QUIET`], however much or little comes: to hand on what was gathered, or to stop.
    Quiet,
    /// The first offset that the log still has; told again and again. Where none comes for long, no broker answers.
    Trimmed {
        /// The partition.
        partition: PartitionIndex,
        /// Its first offset.
        log_start: i64,
    },
    /// No broker has answered for long; told again and again until one does. It goes on trying.
    Lost {
        /// What the client last said.
        text: String,
        /// How long nothing was heard.
        since: Duration,
    },
    /// The offset that was to come is not in the log.
    OutOfRange {
        /// The partition.
        partition: PartitionIndex,
        /// The offset.
        asked: i64,
        /// The first one that is there. Where it lies above `asked`, retention has overtaken: it goes on from there.
        log_start: i64,
        /// One past the last one. Where `asked` is not below `log_start`, the log is not the one that was followed, or was cut, also if it
        /// has grown again: the partition is followed no further.
        high_watermark: i64,
        /// Whether a broker refused the offset; else only the bounds of the log say so.
        refused: bool,
    },
    /// The partition is followed no further; the others are.
    Stopped {
        /// The partition.
        partition: PartitionIndex,
        /// Why: [`TapError::TopicMissing`] where the topic was deleted, [`TapError::TopicRecreated`] where another one has its name.
        why: Arc<TapError>,
    },
}

/// Where a partition begins and ends at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The partition.
    pub partition: PartitionIndex,
    /// The first offset there is.
    pub log_start: i64,
    /// One past the last offset that a committed reader can reach.
    pub last_stable: i64,
    /// One past the last offset; never below `last_stable`.
    pub high_watermark: i64,
}

/// Takes what a followed source tells; `Break` ends the following.
pub type Follow<'a> = &'a mut dyn FnMut(Followed<'_>) -> ControlFlow<()>;

/// What a source that does not grow is read for when it is followed: all of it.
pub fn wanted_of(tap: &(impl Tap + ?Sized), from: &[(PartitionIndex, i64)]) -> Vec<Wanted> {
    let of = |(partition, at): &(PartitionIndex, i64)| {
        let end = tap.partitions()[partition.0 as usize].last_stable;
        let range: Range<i64> = *at..end.max(*at);
        (*partition, std::iter::once(range).collect())
    };
    from.iter().map(of).collect()
}

/// Follows a source that does not grow: all of it, the ends, and then nothing until told to stop.
pub(crate) fn follow_whole(
    tap: &(impl Tap + ?Sized),
    from: &[(PartitionIndex, i64)],
    each: Follow<'_>,
) -> Result<(), TapError> {
    let mut told = Instant::now();
    let end = tap.read(&wanted_of(tap, from), &mut |message| {
        each(Followed::Message(message))?;
        if told.elapsed() < limits::FOLLOW_QUIET {
            return ControlFlow::Continue(());
        }
        told = Instant::now();
        each(Followed::Quiet)
    })?;
    if !end.stopped {
        // What stops it is told by nothing else than `each`.
        let _ = tell_ends(&end.partitions, each);
    }
    Ok(())
}

/// Tells where a read of everything came to, and then nothing until told to stop.
pub fn tell_ends(ends: &[crate::PartitionEnd], each: Follow<'_>) -> ControlFlow<()> {
    for end in ends {
        each(match &end.failure {
            None => Followed::End { partition: end.partition, position: end.position },
            Some(why) => Followed::Stopped { partition: end.partition, why: Arc::clone(why) },
        })?;
    }
    loop {
        each(Followed::Quiet)?;
        std::thread::sleep(limits::FOLLOW_QUIET);
    }
}

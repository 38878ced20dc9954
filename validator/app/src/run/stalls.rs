//! Partitions that a look waits for and whose messages do not come.
//!
//! Contract: one is told also where all others move. Time in which nobody could take messages is not counted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use validator_core::position::PartitionIndex;
use validator_core::shadow::event::CannotLook;

use super::actor::Actor;
use super::limits::{UNREAD_MOST, UNREAD_SAID_EVERY};
use crate::failure::Failure;

/// How often it is looked whether every partition is read, while a look waits for one.
const WATCHED_EVERY: Duration = Duration::from_secs(1);
/// A longer time between two looks was spent in something else: a ledger that did not answer.
const BUSY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Default)]
pub struct Stalls {
    /// Where each of them is, and since when.
    waited: BTreeMap<PartitionIndex, (i64, Instant)>,
    /// When it was last looked.
    looked: Option<Instant>,
    /// When it was last said.
    said: Option<Instant>,
}

impl Stalls {
    /// The partitions that were waited for without a message for too long; none: all move, or it was just said.
    fn unread(&mut self, waiting: &[(PartitionIndex, i64)], now: Instant) -> Vec<PartitionIndex> {
        self.waited.retain(|lane, _| waiting.iter().any(|(waiting, _)| waiting == lane));
        let was_busy = self.looked.replace(now).is_some_and(|looked| now.duration_since(looked) > BUSY);
        let mut unread = Vec::new();
        for (lane, position) in waiting {
            let (at, since) = self.waited.entry(*lane).or_insert((*position, now));
            if at != position || was_busy {
                (*at, *since) = (*position, now);
            } else if now.duration_since(*since) >= UNREAD_MOST {
                unread.push(*lane);
            }
        }
        if unread.is_empty() || self.said.is_some_and(|said| now.duration_since(said) < UNREAD_SAID_EVERY) {
            return Vec::new();
        }
        self.said = Some(now);
        unread
    }
}

impl Actor {
    /// When to look again whether every partition is read.
    pub(super) fn watches_at(&self) -> Option<Instant> {
        (self.fleet.is_some() || !self.waits_for().is_empty()).then(|| Instant::now() + WATCHED_EVERY)
    }

    /// Says so where a partition has messages that nobody brings.
    pub(super) async fn watch_readers(&mut self) -> Result<(), Failure> {
        let waiting = self.waits_for();
        let unread = self.stalls.unread(&waiting, Instant::now());
        if unread.is_empty() {
            return Ok(());
        }
        let why = match self.fleet {
            Some(_) => "no member of the fleet reads a partition",
            None => "no message of a partition comes, though its log has more",
        };
        for lane in &unread {
            let tp = self.shadow.lanes().get(lane.0 as usize).map(|lane| lane.tp.to_string());
            tracing::error!(pipeline = self.name, partition = tp, "{why}");
        }
        self.cannot_look(CannotLook::Broker).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: PartitionIndex = PartitionIndex(0);
    const MOVING: PartitionIndex = PartitionIndex(1);

    /// Looks each second until a second, while one partition stands and one moves.
    fn stood(stalls: &mut Stalls, begun: Instant, seconds: std::ops::Range<u64>) -> Vec<u64> {
        let mut is_told = |second: &u64| {
            let waiting = [(STILL, 5), (MOVING, *second as i64)];
            let unread = stalls.unread(&waiting, begun + Duration::from_secs(*second));
            assert!(unread.is_empty() || unread == [STILL]);
            !unread.is_empty()
        };
        seconds.filter(|second| is_told(second)).collect()
    }

    #[test]
    fn one_partition_that_nobody_reads_is_told_while_all_others_move() {
        let (mut stalls, begun) = (Stalls::default(), Instant::now());
        assert_eq!(stood(&mut stalls, begun, 0..60), [30, 40, 50]);
        assert!(
            stalls.unread(&[(MOVING, 60)], begun + Duration::from_secs(60)).is_empty(),
            "it is where the look needs it"
        );
        assert_eq!(stood(&mut stalls, begun, 61..100), [91], "it waits anew");
    }

    #[test]
    fn time_in_which_nobody_took_messages_is_not_counted() {
        let (mut stalls, begun) = (Stalls::default(), Instant::now());
        assert!(stood(&mut stalls, begun, 0..20).is_empty());
        assert_eq!(stood(&mut stalls, begun, 60..95), [90], "the ledger did not answer for forty seconds");
    }
}

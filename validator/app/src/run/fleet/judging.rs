//! The judge's side: what it goes by, where what it consumes comes from, and that every partition is read by somebody.
//!
//! Contract: no verdict is made here. A partition whose messages nobody brings for too long is said to be one that cannot be looked
//! at, also where all others move.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use validator_core::position::PartitionIndex;
use validator_core::shadow::Shadow;
use validator_core::shadow::event::CannotLook;
use validator_engine::reconcile::Run;
use validator_ledger::Link;

use super::dividing::Dividing;
use super::{Fleet, binding, taking, terms};
use crate::config::{Pipeline, Service};
use crate::failure::Failure;
use crate::run::actor::Actor;
use crate::run::limits::{UNREAD_MOST, UNREAD_SAID_EVERY};
use crate::run::reading::Reader;

/// The seat of a pipeline, as long as its actor runs.
pub struct Judging {
    fleet: Fleet,
    name: String,
    binding: [u8; 32],
    /// Work that others do.
    pub dividing: Dividing,
    /// By partition, the position below which the ledger has taken parcels away.
    saved: BTreeMap<PartitionIndex, i64>,
    /// Partitions that a look waits for: where they are, and since when.
    waited: BTreeMap<PartitionIndex, (i64, Instant)>,
    /// When it was last said that nobody reads one.
    said: Option<Instant>,
}

impl Judging {
    /// Says to the others by what this member judges, now that it has opened both sides. `link` has the seat.
    ///
    /// # Errors
    /// The seat is another's by now; the ledger cannot be asked.
    pub async fn begin(fleet: &Fleet, pipeline: &Pipeline, service: &Service, run: &Run) -> Result<Self, Failure> {
        let name = pipeline.contract.name.clone();
        let binding = binding(terms(pipeline, service)?, run);
        let mut link = Link::join(&fleet.address, &name, &fleet.member).await?;
        link.judge_by(binding).await?;
        let dividing = Dividing::new(&name, Arc::new(Mutex::new(link)), binding);
        let (saved, waited) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { fleet: fleet.clone(), name, binding, dividing, saved, waited, said: None })
    }

    /// What members read of these partitions.
    ///
    /// # Errors
    /// The ledger cannot be asked.
    pub async fn reader(&self, shadow: &Shadow) -> Result<Reader, Failure> {
        let link = Link::join(&self.fleet.address, &self.name, &self.fleet.member).await?;
        Ok(taking::taken(&self.name, link, self.binding, positions(shadow)))
    }

    /// The positions below which a checkpoint of this state takes parcels away.
    pub fn below(&self, shadow: &Shadow) -> Vec<(PartitionIndex, i64)> {
        let moved = |(lane, position): &(PartitionIndex, i64)| self.saved.get(lane) != Some(position);
        positions(shadow).into_iter().filter(moved).collect()
    }

    /// The ledger has that checkpoint.
    pub fn saved(&mut self, below: &[(PartitionIndex, i64)]) {
        self.saved.extend(below.iter().copied());
    }

    /// The partitions that a look has waited for without a message for too long; none: all move, or it was just said.
    fn unread(&mut self, waiting: &[(PartitionIndex, i64)]) -> Vec<PartitionIndex> {
        self.waited.retain(|lane, _| waiting.iter().any(|(waiting, _)| waiting == lane));
        let now = Instant::now();
        let mut unread = Vec::new();
        for (lane, position) in waiting {
            let (at, since) = self.waited.entry(*lane).or_insert((*position, now));
            if at != position {
                (*at, *since) = (*position, now);
            } else if since.elapsed() >= UNREAD_MOST {
                unread.push(*lane);
            }
        }
        if unread.is_empty() || self.said.is_some_and(|said| said.elapsed() < UNREAD_SAID_EVERY) {
            return Vec::new();
        }
        self.said = Some(now);
        unread
    }
}

fn positions(shadow: &Shadow) -> BTreeMap<PartitionIndex, i64> {
    (0..).map(PartitionIndex).zip(shadow.lanes()).map(|(lane, state)| (lane, state.position)).collect()
}

/// How often a judge looks whether every partition is read.
const WATCHED_EVERY: Duration = Duration::from_secs(1);

impl Actor {
    /// When to look again whether every partition is read.
    pub(in crate::run) fn watches_at(&self) -> Option<Instant> {
        self.fleet.as_ref().map(|_| Instant::now() + WATCHED_EVERY)
    }

    /// Says so where a partition has messages that nobody brings.
    pub(in crate::run) async fn watch_readers(&mut self) -> Result<(), Failure> {
        let waiting = self.waits_for();
        let Some(judging) = &mut self.fleet else { return Ok(()) };
        let unread = judging.unread(&waiting);
        if unread.is_empty() {
            return Ok(());
        }
        for lane in &unread {
            let tp = self.shadow.lanes().get(lane.0 as usize).map(|lane| lane.tp.to_string());
            tracing::error!(pipeline = self.name, partition = tp, "no member of the fleet reads a partition");
        }
        self.cannot_look(CannotLook::Broker).await
    }
}

#[cfg(test)]
mod tests {
    use validator_ledger::{Address, MemberIs};

    use super::*;

    #[test]
    fn one_partition_that_nobody_reads_is_told_while_all_others_move() {
        let member = MemberIs { name: "a".to_owned(), instance: "1".to_owned() };
        let mut judging = Judging {
            fleet: Fleet { address: Address::new("x"), member },
            name: "trades".to_owned(),
            binding: [0; 32],
            dividing: Dividing::alone("trades"),
            saved: BTreeMap::new(),
            waited: BTreeMap::new(),
            said: None,
        };
        let (still, moving) = (PartitionIndex(0), PartitionIndex(1));
        assert!(judging.unread(&[(still, 5), (moving, 5)]).is_empty());
        for (_, since) in judging.waited.values_mut() {
            *since -= UNREAD_MOST;
        }
        assert_eq!(judging.unread(&[(still, 5), (moving, 6)]), [still]);
        assert!(judging.unread(&[(still, 5), (moving, 7)]).is_empty(), "it was just said");
        judging.said = None;
        assert!(judging.unread(&[(moving, 8)]).is_empty(), "it is where the look needs it");
        assert!(judging.unread(&[(still, 5)]).is_empty(), "it waits anew");
    }
}

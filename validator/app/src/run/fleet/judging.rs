//! The judge's side: what it goes by, and where what it consumes comes from.
//!
//! Contract: no verdict is made here.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use validator_core::position::PartitionIndex;
use validator_core::shadow::Shadow;
use validator_engine::reconcile::Run;
use validator_ledger::Link;

use super::dividing::Dividing;
use super::{Fleet, binding, taking, terms};
use crate::config::{Pipeline, Service};
use crate::failure::Failure;
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
        Ok(Self { fleet: fleet.clone(), name, binding, dividing, saved: BTreeMap::new() })
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
}

fn positions(shadow: &Shadow) -> BTreeMap<PartitionIndex, i64> {
    (0..).map(PartitionIndex).zip(shadow.lanes()).map(|(lane, state)| (lane, state.position)).collect()
}

//! What members have read, taken in the order of each partition and handed to the actor.
//!
//! Contract: a parcel is taken where its partition is, so that each offset comes once, whoever read it and how often. What was
//! taken stays in the ledger until a checkpoint holds it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use validator_core::error_chain::error_chain;
use validator_core::position::PartitionIndex;
use validator_ledger::{LedgerError, Link};

use super::parcel::opened;
use crate::run::limits::{BATCHES_QUEUED, PARCELS_EVERY, RETRY_FIRST};
use crate::run::reading::{Read, Reader};

/// Takes parcels from these positions on, until nobody listens.
pub fn taken(name: &str, link: Link, binding: [u8; 32], positions: BTreeMap<PartitionIndex, i64>) -> Reader {
    let (sender, read) = mpsc::channel(BATCHES_QUEUED);
    let taking = Taking { name: name.to_owned(), link, binding, positions, sender };
    tokio::spawn(taking.run());
    Reader::of_others(read)
}

struct Taking {
    name: String,
    link: Link,
    binding: [u8; 32],
    positions: BTreeMap<PartitionIndex, i64>,
    sender: mpsc::Sender<Read>,
}

impl Taking {
    async fn run(mut self) {
        while !self.sender.is_closed() {
            let pause = match self.once().await {
                Ok(true) => Duration::ZERO,
                Ok(false) => PARCELS_EVERY,
                Err(error) => {
                    tracing::warn!(pipeline = self.name, "what was read cannot be taken: {}", error_chain(&error));
                    RETRY_FIRST
                }
            };
            tokio::select! {
                () = self.sender.closed() => return,
                () = sleep(pause) => {}
            }
        }
    }

    /// Whether there was anything.
    async fn once(&mut self) -> Result<bool, LedgerError> {
        let parcels = self.link.parcels_after(self.binding, &self.positions).await?;
        let is_any = !parcels.is_empty();
        for parcel in parcels {
            let Some(posted) = opened(&parcel) else {
                tracing::error!(pipeline = self.name, lane = parcel.lane.0, "a parcel is damaged, and is read again");
                self.link.drop_parcel(parcel.lane, parcel.offsets.start).await?;
                return Ok(true);
            };
            self.positions.insert(parcel.lane, parcel.offsets.end);
            if self.sender.send(Read::Posted(Box::new(posted))).await.is_err() {
                return Ok(false);
            }
        }
        Ok(is_any)
    }
}

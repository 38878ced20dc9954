//! Partners in balanced segments, for rows that the judge has left over.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{BalancedLookup, BalancedPartner, MessageState};
use validator_core::position::{MessageAt, RowAt};
use validator_core::segment::SegmentKey;

use crate::drill::{Drill, DrillError};
use crate::entries;
use crate::losses::Losses;
use crate::row_reader::external;
use crate::segments::MessageSegments;
use crate::upsert::Proven;

/// Finds partners in balanced segments for rows that the judge has left over. Blocks its thread.
pub struct Lookup {
    /// The drill.
    pub drill: Drill,
    /// The disputed segments: their messages and rows are in the case already.
    pub disputed: Arc<BTreeSet<SegmentKey>>,
    /// The runtime that reads rows.
    pub runtime: tokio::runtime::Handle,
    /// Upsert tables: the last versions that are proven, of the keys that have something before the judge.
    pub proven: Option<Proven>,
}

impl BalancedLookup for Lookup {
    type Error = DrillError;

    fn find(&mut self, identities: &[IdentityHash]) -> Result<Vec<BalancedPartner>, DrillError> {
        if identities.is_empty() || matches!(*self.drill.messages.segments, MessageSegments::Offset(_)) {
            return Ok(Vec::new());
        }
        let names: Arc<HashSet<IdentityHash>> = Arc::new(identities.iter().copied().collect());
        self.runtime.block_on(self.partners(names))
    }
}

impl Lookup {
    /// A look-up on the runtime that this is called on.
    pub fn new(drill: Drill, disputed: Arc<BTreeSet<SegmentKey>>, proven: Option<Proven>) -> Self {
        Self { drill, disputed, runtime: tokio::runtime::Handle::current(), proven }
    }

    async fn partners(&self, names: Arc<HashSet<IdentityHash>>) -> Result<Vec<BalancedPartner>, DrillError> {
        let last = match &self.proven {
            Some(proven) => proven.iter().filter(|(name, _)| names.contains(name)).map(|(n, p)| (*n, *p)).collect(),
            None => self.last_messages(Arc::clone(&names)).await?,
        };
        let pairs: Arc<HashSet<(IdentityHash, Digest)>> =
            Arc::new(last.iter().map(|(identity, (_, digest, _))| (*identity, *digest)).collect());
        let rows = self.last_rows(pairs).await?;
        let partner =
            |(identity, (message, digest, timestamp_ms)): (IdentityHash, (MessageAt, Digest, Option<i64>))| {
                let (row, late) = *rows.get(&identity)?;
                Some(BalancedPartner { identity, digest, message, timestamp_ms, row, late })
            };
        Ok(last.into_iter().filter_map(partner).collect())
    }

    /// The last message of each identity in balanced segments.
    async fn last_messages(
        &self,
        names: Arc<HashSet<IdentityHash>>,
    ) -> Result<HashMap<IdentityHash, (MessageAt, Digest, Option<i64>)>, DrillError> {
        let (digests, disputed) = (Arc::clone(&self.drill.digests), Arc::clone(&self.disputed));
        let segments = Arc::clone(&self.drill.messages.segments);
        let found = self
            .drill
            .read_messages(
                self.drill.covered.clone(),
                |_| true,
                move |batch| {
                    let keys = segments.keys(&batch).map_err(external)?;
                    let judged =
                        |row: usize| batch.states[row] == MessageState::Judged && !disputed.contains(&keys[row]);
                    let found =
                        entries::of_messages(&batch, &digests, false, &Losses::default(), judged).map_err(external)?;
                    Ok(found
                        .into_iter()
                        .filter(|m| m.identity.is_some_and(|name| names.contains(&name)))
                        .collect::<Vec<_>>())
                },
            )
            .await?;
        let mut last: HashMap<IdentityHash, (MessageAt, Digest, Option<i64>)> = HashMap::new();
        for message in found.into_iter().flatten() {
            let (Some(identity), Some(digest)) = (message.identity, message.digest) else { continue };
            let this = (message.at, digest, message.timestamp_ms);
            let so_far = last.entry(identity).or_insert(this);
            if so_far.0 < message.at {
                *so_far = this;
            }
        }
        Ok(last)
    }

    /// The last row of each (identity, digest) in balanced segments.
    async fn last_rows(
        &self,
        pairs: Arc<HashSet<(IdentityHash, Digest)>>,
    ) -> Result<HashMap<IdentityHash, (RowAt, bool)>, DrillError> {
        let (digests, disputed) = (Arc::clone(&self.drill.digests), Arc::clone(&self.disputed));
        let tasks = self.drill.tasks(&self.drill.all_files());
        let found = self
            .drill
            .rows
            .read(tasks, move |batch| {
                let balanced: Vec<usize> =
                    (0..batch.at.len()).filter(|row| !disputed.contains(&batch.places[*row].segment)).collect();
                let rows = entries::of_rows(&batch.select(&balanced), &digests).map_err(external)?;
                Ok(rows.into_iter().filter(|row| pairs.contains(&(row.identity, row.digest))).collect::<Vec<_>>())
            })
            .await?;
        let mut last: HashMap<IdentityHash, (RowAt, bool)> = HashMap::new();
        for row in found.into_iter().flatten() {
            let so_far = last.entry(row.identity).or_insert((row.at, row.late));
            if so_far.0 < row.at {
                *so_far = (row.at, row.late);
            }
        }
        Ok(last)
    }
}

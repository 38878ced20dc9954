//! Sums of neighbours: digests that follow each other and are of one group become one bag at once.
//!
//! Contract: the bags of all runs of a group merge into the bag of the group, so that what comes behind handles a few bags and
//! not each digest.

use validator_core::bag::Bag;
use validator_core::digest::Digest;

/// One run of neighbours.
#[derive(Debug, Clone)]
pub struct Run<K, N> {
    /// Their group.
    pub key: K,
    /// Their digests.
    pub bag: Bag,
    /// What is noted of them beside.
    pub note: N,
}

/// Runs in the order in which they came.
#[derive(Debug, Clone)]
pub struct Runs<K, N>(Vec<Run<K, N>>);

impl<K, N> Default for Runs<K, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, N> Runs<K, N> {
    /// Adds one digest; `join` adds its note to that of its run.
    #[inline]
    pub fn add(&mut self, key: K, digest: &Digest, note: N, join: impl FnOnce(&mut N, N)) {
        match self.0.last_mut().filter(|run| run.key == key) {
            Some(run) => {
                run.bag.add(digest);
                join(&mut run.note, note);
            }
            None => self.0.push(Run { key, bag: std::iter::once(digest).collect(), note }),
        }
    }

    /// The runs.
    pub fn into_vec(self) -> Vec<Run<K, N>> {
        self.0
    }
}

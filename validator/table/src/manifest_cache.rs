//! Manifests that were read before: they never change, so a look at the next snapshot reads only new ones.

use std::collections::VecDeque;

use crate::Pinned;
use crate::line::StepPlan;
use crate::table::{Table, TableError};

/// Parsed manifests, up to a bound of bytes.
#[derive(Debug, Default)]
pub struct ManifestCache {}

/// What a cache was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheCounts {
    /// Manifests that were read.
    pub read: u64,
    /// Manifests that were there.
    pub found: u64,
    /// Bytes that it holds, as near as entries tell.
    pub bytes: u64,
}

impl ManifestCache {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it was good for so far.
    pub fn counts(&self) -> CacheCounts {
        todo!()
    }
}

impl Table {
    /// Pins a retained snapshot by the table's current schema, reading only manifests that the cache has not.
    ///
    /// # Errors
    /// As [`Table::pin`].
    pub async fn pin_with(&self, cache: &ManifestCache, snapshot: i64) -> Result<Pinned, TableError> {
        let _ = (cache, snapshot);
        todo!()
    }

    /// Pins the first of `steps` whose metadata is still there, and takes it and those before it out; the one after a gap is
    /// a jump. None: there was no step.
    ///
    /// # Errors
    /// As [`Table::pin`]; the last step is never passed over.
    pub async fn pin_next(
        &self,
        cache: &ManifestCache,
        steps: &mut VecDeque<StepPlan>,
    ) -> Result<Option<(StepPlan, Pinned)>, TableError> {
        let _ = (cache, steps);
        todo!()
    }
}

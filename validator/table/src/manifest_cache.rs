//! Manifests that were read before: they never change, so a look at the next snapshot reads only new ones.
//!
//! Contract: a manifest is taken from the cache only for a list that says the same of it, for its entries inherit from the
//! list. What no snapshot has named for a while goes, else a table that is committed to for months would fill the memory: each
//! manifest has a schema of its own. What the newest snapshot names stays before what it does not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{FormatVersion, ManifestContentType, ManifestFile, Snapshot};

use crate::limits::{MANIFEST_CACHE_BYTES_MAX, MANIFEST_CACHE_SNAPSHOTS, MANIFESTS_AT_ONCE};
use crate::manifest::{Graph, LiveEntry, Part, read_list, read_manifest};
use crate::snapshot::Chosen;
use crate::table::{Table, TableError};
use crate::{Pinned, Storage, pin};
use validator_core::shadow::event::NO_SNAPSHOT;

/// Parsed manifests, up to a bound of bytes.
#[derive(Debug)]
pub struct ManifestCache {
    state: Mutex<State>,
    bytes_max: u64,
}

#[derive(Debug, Default)]
struct State {
    parts: HashMap<String, Held>,
    /// Snapshots that were asked for.
    asked: u64,
    /// Manifests that were put in.
    inserted: u64,
    counts: CacheCounts,
}

#[derive(Debug)]
struct Held {
    claims: ListClaims,
    part: Arc<Part>,
    bytes: u64,
    /// The last snapshot that had it, by the number of the question.
    used: u64,
    inserted: u64,
}

/// What a manifest list says of a manifest, as far as its entries depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ListClaims {
    content: ManifestContentType,
    length: i64,
    sequence: i64,
    added_by: i64,
    files: [Option<u32>; 3],
}

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

impl Default for ManifestCache {
    fn default() -> Self {
        Self::with_bytes_max(MANIFEST_CACHE_BYTES_MAX)
    }
}

impl ManifestCache {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that holds that many bytes.
    pub fn with_bytes_max(bytes_max: u64) -> Self {
        Self { state: Mutex::default(), bytes_max }
    }

    /// What it was good for so far.
    pub fn counts(&self) -> CacheCounts {
        self.lock().counts
    }

    /// The manifests of a snapshot, in the order of its list.
    ///
    /// # Errors
    /// As [`read_list`] and [`read_manifest`].
    pub(crate) async fn parts(
        &self,
        storage: &Arc<Storage>,
        snapshot: &Snapshot,
        version: FormatVersion,
    ) -> Result<Vec<Arc<Part>>, TableError> {
        let list = read_list(storage, snapshot, version).await?;
        self.lock().asked += 1;
        let parts = futures::stream::iter(list)
            .map(|file| async move {
                let (path, claims) = (file.manifest_path.clone(), ListClaims::of(&file));
                if let Some(part) = self.find(&path, &claims) {
                    return Ok(part);
                }
                let part = Arc::new(read_manifest(storage, file).await?);
                self.put(path, claims, &part);
                Ok(part)
            })
            .buffered(MANIFESTS_AT_ONCE)
            .try_collect()
            .await;
        let mut state = self.lock();
        state.forget(MANIFEST_CACHE_SNAPSHOTS);
        state.shrink(self.bytes_max);
        parts
    }

    fn find(&self, path: &str, claims: &ListClaims) -> Option<Arc<Part>> {
        let mut state = self.lock();
        let asked = state.asked;
        let held = state.parts.get_mut(path).filter(|held| held.claims == *claims)?;
        held.used = asked;
        let part = Arc::clone(&held.part);
        state.counts.found += 1;
        Some(part)
    }

    fn put(&self, path: String, claims: ListClaims, part: &Arc<Part>) {
        let mut state = self.lock();
        let bytes = path.len() as u64 + bytes_of(part);
        (state.counts.read, state.inserted) = (state.counts.read + 1, state.inserted + 1);
        let (used, inserted, part) = (state.asked, state.inserted, Arc::clone(part));
        state.counts.bytes += bytes;
        if let Some(old) = state.parts.insert(path, Held { claims, part, bytes, used, inserted }) {
            state.counts.bytes -= old.bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops what none of the last `snapshots` that were asked for has named.
    fn forget(&mut self, snapshots: u64) {
        let (asked, mut bytes) = (self.asked, 0);
        self.parts.retain(|_, held| {
            let stays = held.used.saturating_add(snapshots) > asked;
            bytes += if stays { held.bytes } else { 0 };
            stays
        });
        self.counts.bytes = bytes;
    }

    /// Drops what no snapshot has had for longest. Where the newest one alone is too large, its last manifests go, so that
    /// the others are there the next time.
    fn shrink(&mut self, bytes_max: u64) {
        if self.counts.bytes <= bytes_max {
            return;
        }
        let order = |held: &Held| (held.used, std::cmp::Reverse(held.inserted));
        let mut all: Vec<_> = self.parts.iter().map(|(path, held)| (order(held), path.clone())).collect();
        all.sort_unstable();
        for (_, path) in all {
            if self.counts.bytes <= bytes_max {
                break;
            }
            self.counts.bytes -= self.parts.remove(&path).map_or(0, |held| held.bytes);
        }
    }
}

impl ListClaims {
    fn of(file: &ManifestFile) -> Self {
        Self {
            content: file.content,
            length: file.manifest_length,
            sequence: file.sequence_number,
            added_by: file.added_snapshot_id,
            files: [file.added_files_count, file.existing_files_count, file.deleted_files_count],
        }
    }
}

/// Bytes in memory, as near as entries tell: what the parser makes of an entry and its maps.
fn bytes_of(part: &Part) -> u64 {
    const OF_ENTRY: usize = 600;
    const OF_COUNT: usize = 24;
    const OF_BOUND: usize = 120;
    let of = |live: &LiveEntry| {
        let file = live.entry.data_file();
        let counts = [file.column_sizes(), file.value_counts(), file.null_value_counts(), file.nan_value_counts()];
        let counts: usize = counts.iter().map(|counts| counts.len()).sum();
        let bounds = file.lower_bounds().len() + file.upper_bounds().len();
        (OF_ENTRY + file.file_path().len() + OF_COUNT * counts + OF_BOUND * bounds) as u64
    };
    part.data.iter().chain(&part.deletes).chain(&part.equality).map(of).sum()
}

impl Table {
    /// Pins a retained snapshot by the table's current schema, reading only manifests that the cache has not; of
    /// [`NO_SNAPSHOT`] no file is live.
    ///
    /// # Errors
    /// As [`Table::pin`].
    pub async fn pin_with(&self, cache: &ManifestCache, snapshot: i64) -> Result<Pinned, TableError> {
        if snapshot == NO_SNAPSHOT {
            return pin::pin(self, Chosen { snapshot: None, head: true }).await;
        }
        let current = self.metadata.current_snapshot_id();
        let found = self.metadata.snapshot_by_id(snapshot).cloned();
        let snapshot = found.ok_or(TableError::NoSnapshot { id: snapshot, current })?;
        let parts = cache.parts(&self.storage, &snapshot, self.metadata.format_version()).await?;
        let graph = Graph::of(&snapshot, parts.iter().map(Arc::as_ref));
        pin::pin_graph(self, Chosen { snapshot: Some(snapshot), head: true }, graph)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache that was asked for so many snapshots, each of which named one manifest of its own and one that all have.
    fn asked(snapshots: u64, keep: u64) -> ManifestCache {
        let cache = ManifestCache::new();
        let claims = ListClaims {
            content: ManifestContentType::Data,
            length: 1,
            sequence: 1,
            added_by: 1,
            files: [Some(1), None, None],
        };
        for number in 1..=snapshots {
            cache.lock().asked += 1;
            for path in ["all".to_owned(), format!("own of {number}")] {
                if cache.find(&path, &claims).is_none() {
                    cache.put(path, claims.clone(), &Arc::default());
                }
            }
            cache.lock().forget(keep);
        }
        cache
    }

    #[test]
    fn what_no_snapshot_names_any_more_goes_and_what_all_name_stays() {
        let cache = asked(1_000, 16);
        assert_eq!(cache.lock().parts.len(), 17, "the common one, and those of the last sixteen");
        assert_eq!((cache.counts().read, cache.counts().found), (1_001, 999));
        let held: u64 = cache.lock().parts.values().map(|held| held.bytes).sum();
        assert_eq!(cache.counts().bytes, held);
        assert!(cache.lock().parts.contains_key("all") && cache.lock().parts.contains_key("own of 985"));
    }
}

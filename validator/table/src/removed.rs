//! Files that older retained snapshots hold and the pinned one does not: where a missing message's row may have stood.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use iceberg::spec::SnapshotRef;

use crate::limits::OLDER_SNAPSHOTS_MAX;
use crate::manifest::{LiveEntry, read_list, read_manifest};
use crate::pin::commit;
use crate::snapshot::{SnapshotInfo, ancestry};
use crate::storage::canonical_location;
use crate::table::TableError;
use crate::{DataFile, Pinned};

/// A data file that is no longer live.
#[derive(Debug, Clone)]
pub struct RemovedFile {
    /// The file; [`Pinned::open`] reads it, with the pinned snapshot's columns.
    pub file: DataFile,
    /// The last snapshot in which it was live.
    pub stood_in: SnapshotInfo,
    /// The snapshot that removed it; `None` when the line of snapshots it stood in was rolled back.
    pub removed_by: Option<SnapshotInfo>,
}

/// Older snapshots' files.
#[derive(Debug, Clone, Default)]
pub struct Removed {
    /// Sorted by path.
    pub files: Vec<RemovedFile>,
    /// Snapshots that could not be looked at, newest first, and why.
    pub skipped: Vec<(i64, String)>,
}

impl Pinned {
    /// Files that were live in an older retained snapshot, an ancestor or one that was current once, and are not now.
    /// A snapshot whose metadata cannot be read any more is skipped: what is gone is no evidence.
    pub async fn removed_files(&self) -> Removed {
        let mut search = Search::new(self);
        let (line, rolled_back) = self.older();
        let mut child: Option<SnapshotRef> = None;
        for (looked_at, snapshot) in line.iter().enumerate() {
            // The first of the line is the pinned snapshot itself.
            if looked_at > 0 {
                search.look(snapshot, child.as_ref()).await;
            }
            child = Some(snapshot.clone());
        }
        for snapshot in &rolled_back {
            search.look(snapshot, None).await;
        }
        search.removed.skipped.extend(search.left_out);
        search.removed.files = search.found.into_values().collect();
        search.removed.files.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        search.removed
    }

    /// The pinned snapshot's line, and older snapshots beside it that were current once, newest first.
    fn older(&self) -> (Vec<SnapshotRef>, Vec<SnapshotRef>) {
        let pinned = self.snapshot_id.and_then(|id| self.metadata.snapshot_by_id(id));
        let Some(pinned) = pinned else { return (Vec::new(), Vec::new()) };
        let line = ancestry(&self.metadata, pinned);
        let in_line: BTreeSet<i64> = line.iter().map(|snapshot| snapshot.snapshot_id()).collect();
        let once_current: BTreeSet<i64> = self.metadata.history().iter().map(|entry| entry.snapshot_id).collect();
        let mut beside: Vec<SnapshotRef> = once_current
            .difference(&in_line)
            .filter_map(|id| self.metadata.snapshot_by_id(*id).cloned())
            .filter(|snapshot| snapshot.timestamp_ms() <= pinned.timestamp_ms())
            .collect();
        beside.sort_by_key(|snapshot| std::cmp::Reverse((snapshot.timestamp_ms(), snapshot.snapshot_id())));
        (line, beside)
    }
}

struct Search<'a> {
    pinned: &'a Pinned,
    live: BTreeSet<String>,
    /// Entries of manifests already read whose files are not live now, and the number of live deletes.
    manifests: HashMap<String, Arc<(Vec<LiveEntry>, u64)>>,
    found: BTreeMap<String, RemovedFile>,
    removed: Removed,
    looked_at: usize,
    left_out: Option<(i64, String)>,
}

impl<'a> Search<'a> {
    fn new(pinned: &'a Pinned) -> Self {
        let live = pinned.files.iter().map(|file| canonical_location(&file.path)).collect();
        let (manifests, found, removed) = Default::default();
        Self { pinned, live, manifests, found, removed, looked_at: 0, left_out: None }
    }

    async fn look(&mut self, snapshot: &SnapshotRef, child: Option<&SnapshotRef>) {
        if self.looked_at >= OLDER_SNAPSHOTS_MAX {
            let why = format!("only the newest {OLDER_SNAPSHOTS_MAX} older snapshots are looked at");
            self.left_out.get_or_insert((snapshot.snapshot_id(), why));
            return;
        }
        self.looked_at += 1;
        match self.entries(snapshot).await {
            Err(error) => self.removed.skipped.push((snapshot.snapshot_id(), error.to_string())),
            Ok(parts) if parts.iter().any(|part| part.1 > 0) => {
                self.removed.skipped.push((snapshot.snapshot_id(), "it has delete files".to_owned()));
            }
            Ok(parts) => {
                for live in parts.iter().flat_map(|part| &part.0) {
                    self.note(live, snapshot, child);
                }
            }
        }
    }

    fn note(&mut self, live: &LiveEntry, snapshot: &SnapshotRef, child: Option<&SnapshotRef>) {
        let pinned = self.pinned;
        self.found.entry(canonical_location(live.entry.file_path())).or_insert_with(|| {
            let added_by = commit(&pinned.metadata, live.snapshot_id);
            let info = |snapshot: &SnapshotRef| SnapshotInfo::new(snapshot, &BTreeSet::new());
            RemovedFile {
                file: DataFile::new(live.clone(), 1, added_by),
                stood_in: info(snapshot),
                removed_by: child.map(info),
            }
        });
    }

    async fn entries(&mut self, snapshot: &SnapshotRef) -> Result<Vec<Arc<(Vec<LiveEntry>, u64)>>, TableError> {
        let storage = &self.pinned.context.storage;
        let list = read_list(storage, snapshot, self.pinned.metadata.format_version()).await?;
        let mut parts = Vec::with_capacity(list.len());
        for file in list {
            let path = file.manifest_path.clone();
            if let Some(known) = self.manifests.get(&path) {
                parts.push(Arc::clone(known));
                continue;
            }
            let mut part = read_manifest(storage, file).await?;
            part.data.retain(|live| !self.live.contains(&canonical_location(live.entry.file_path())));
            let part = Arc::new((part.data, part.deletes));
            self.manifests.insert(path, Arc::clone(&part));
            parts.push(part);
        }
        Ok(parts)
    }
}

//! Rows that older retained snapshots hold and the pinned one does not: where a missing message's row may have stood.
//!
//! They went with their data file, or a delete file or deletion vector took them out of one that is still there.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use iceberg::spec::SnapshotRef;
use validator_core::schema::Field;

use crate::deletes::{FileDeletes, Plan, Shown};
use crate::limits::OLDER_SNAPSHOTS_MAX;
use crate::manifest::{LiveEntry, Part, read_list, read_manifest};
use crate::pin::commit;
use crate::snapshot::{SnapshotInfo, ancestry};
use crate::storage::canonical_location;
use crate::table::TableError;
use crate::{DataFile, FileFault, FileReader, Pinned};

/// Rows of one data file that are no longer live: all of them, or those that deletes took away.
#[derive(Debug, Clone)]
pub struct RemovedRows {
    /// The file; [`Pinned::open_removed`] reads these rows of it, with the pinned snapshot's columns.
    pub file: DataFile,
    /// The last snapshot in which they were live.
    pub stood_in: SnapshotInfo,
    /// The snapshot that removed them; `None` when the line of snapshots they stood in was rolled back.
    pub removed_by: Option<SnapshotInfo>,
    pub(crate) shown: Shown,
}

/// Older snapshots' rows.
#[derive(Debug, Clone, Default)]
pub struct Removed {
    /// Sorted by path, then the latest removal first. No row is in two of them.
    pub rows: Vec<RemovedRows>,
    /// Snapshots that could not be looked at, newest first, and why.
    pub skipped: Vec<(i64, String)>,
}

impl Pinned {
    /// Rows that were live in an older retained snapshot, an ancestor or one that was current once, and are not now.
    /// A snapshot whose metadata cannot be read any more is skipped, and so is a file of it whose deletes cannot: what is
    /// gone is no evidence.
    pub async fn removed_rows(&self) -> Removed {
        let mut search = Search::new(self).await;
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
        search.removed.rows.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        search.removed
    }

    /// Opens a data file to read the wanted columns of rows that were removed.
    ///
    /// # Errors
    /// As [`Pinned::open`].
    pub async fn open_removed(&self, removed: &RemovedRows, wanted: &[Field]) -> Result<FileReader, FileFault> {
        let shown = FileDeletes { shown: removed.shown.clone(), ..FileDeletes::default() };
        FileReader::open(&self.context, &removed.file, wanted, &shown).await
    }

    /// The pinned snapshot's line, and older snapshots beside it that were current once, newest first.
    pub(crate) fn older(&self) -> (Vec<SnapshotRef>, Vec<SnapshotRef>) {
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

/// Delete files of one data file, by their keys.
type Keys = Vec<String>;

struct Search<'a> {
    pinned: &'a Pinned,
    /// By location: rows that are not live now and were not found in a newer snapshot. A file that is live now and has no
    /// deleted rows is `Only` nothing; one that is not here is not live, and none of its rows were found.
    rest: HashMap<String, Shown>,
    /// Files with these deletes were looked at: they show the same rows in an older snapshot.
    looked: HashSet<(String, Keys)>,
    /// Manifests already read, without data files that have nothing to be found.
    manifests: HashMap<String, Arc<Part>>,
    removed: Removed,
    looked_at: usize,
    left_out: Option<(i64, String)>,
}

impl<'a> Search<'a> {
    async fn new(pinned: &'a Pinned) -> Self {
        let (mut rest, mut looked) = (HashMap::with_capacity(pinned.files.len()), HashSet::new());
        for file in &pinned.files {
            let location = canonical_location(&file.path);
            let deleted = match pinned.deletes.of(file).await.map(|deletes| deletes.shown) {
                Ok(Shown::AllBut(deleted)) => deleted,
                _ => Arc::default(),
            };
            if let Ok(keys) = keys(&pinned.deletes.plan, file, &location) {
                looked.insert((location.clone(), keys));
            }
            rest.insert(location, Shown::Only(deleted));
        }
        let (manifests, removed) = Default::default();
        Self { pinned, rest, looked, manifests, removed, looked_at: 0, left_out: None }
    }

    async fn look(&mut self, snapshot: &SnapshotRef, child: Option<&SnapshotRef>) {
        if self.looked_at >= OLDER_SNAPSHOTS_MAX {
            let why = format!("only the newest {OLDER_SNAPSHOTS_MAX} older snapshots are looked at");
            self.left_out.get_or_insert((snapshot.snapshot_id(), why));
            return;
        }
        self.looked_at += 1;
        match self.parts(snapshot).await {
            Err(error) => self.removed.skipped.push((snapshot.snapshot_id(), error.to_string())),
            Ok(parts) if parts.iter().any(|part| part.equality_deletes > 0) => {
                self.removed.skipped.push((snapshot.snapshot_id(), "it has equality delete files".to_owned()));
            }
            Ok(parts) => {
                let deletes = parts.iter().flat_map(|part| &part.deletes).cloned().collect();
                let (plan, _) = Plan::new(deletes);
                for live in parts.iter().flat_map(|part| &part.data) {
                    self.note(live, &plan, snapshot, child).await;
                }
            }
        }
    }

    /// Notes the rows of a file that were live in this snapshot and in no newer one.
    async fn note(&mut self, live: &LiveEntry, plan: &Plan, snapshot: &SnapshotRef, child: Option<&SnapshotRef>) {
        let location = canonical_location(live.entry.file_path());
        let rest = self.rest.get(&location).cloned().unwrap_or_default();
        if matches!(&rest, Shown::Only(rest) if rest.is_empty()) {
            return;
        }
        let added_by = commit(&self.pinned.metadata, live.snapshot_id);
        let file = DataFile::new(live.clone(), 1, added_by);
        let Ok(keys) = keys(plan, &file, &location) else { return };
        if !self.looked.insert((location.clone(), keys)) {
            return;
        }
        let Ok((deletes, _)) = self.pinned.deletes.loader.of(plan, &file).await else { return };
        let (found, rest) = rest.split(&deletes.shown);
        self.rest.insert(location, rest);
        if !matches!(&found, Shown::Only(found) if found.is_empty()) {
            let info = |snapshot: &SnapshotRef| SnapshotInfo::new(snapshot, &BTreeSet::new());
            let removed = RemovedRows { file, stood_in: info(snapshot), removed_by: child.map(info), shown: found };
            self.removed.rows.push(removed);
        }
    }

    async fn parts(&mut self, snapshot: &SnapshotRef) -> Result<Vec<Arc<Part>>, TableError> {
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
            part.data.retain(|live| {
                let rest = self.rest.get(&canonical_location(live.entry.file_path()));
                !matches!(rest, Some(Shown::Only(rest)) if rest.is_empty())
            });
            let part = Arc::new(part);
            self.manifests.insert(path, Arc::clone(&part));
            parts.push(part);
        }
        Ok(parts)
    }
}

fn keys(plan: &Plan, file: &DataFile, location: &str) -> Result<Keys, crate::deletes::Unknown> {
    let mut keys: Keys = plan.of(file, location)?.iter().map(|delete| delete.key()).collect();
    keys.sort_unstable();
    Ok(keys)
}

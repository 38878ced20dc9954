//! Files that were live in an older retained snapshot: found again by path and deletes, to read the rows that stood there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iceberg::spec::SnapshotRef;
use validator_core::error_chain::error_chain;
use validator_core::shadow::file::FileFacts;

use crate::deletes::Plan;
use crate::facts::facts;
use crate::limits::GONE_SNAPSHOTS_MAX;
use crate::manifest::{LiveEntry, Part};
use crate::pin::commit;
use crate::snapshot::SnapshotInfo;
use crate::{DataFile, ManifestCache, Pinned, RemovedRows};

impl Pinned {
    /// For each of these files the rows that it showed, if a retained snapshot still names it with the same deletes. Opened
    /// by [`Pinned::open_removed`].
    ///
    /// # Errors
    /// The path of what cannot be read now and may be later, and what the store says: nothing is known then.
    pub async fn gone_files(
        &self,
        cache: &ManifestCache,
        wanted: &[FileFacts],
    ) -> Result<Vec<Option<RemovedRows>>, (String, String)> {
        let mut found: Vec<Option<RemovedRows>> = vec![None; wanted.len()];
        for snapshot in self.snapshots_to_search(wanted) {
            let open: Vec<usize> = (0..wanted.len()).filter(|place| found[*place].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let (storage, version) = (&self.context.storage, self.metadata.format_version());
            let parts = match cache.parts(storage, &snapshot, version).await {
                Ok(parts) => parts,
                Err(error) if error.may_pass() => {
                    return Err((snapshot.manifest_list().to_owned(), error_chain(&error)));
                }
                Err(_) => continue,
            };
            let paths: BTreeSet<&str> = open.iter().map(|place| wanted[*place].path.as_str()).collect();
            let entries = entries_of(&parts, &paths);
            if entries.is_empty() {
                continue;
            }
            let (plan, _) = Plan::new(parts.iter().flat_map(|part| &part.deletes).cloned().collect());
            for place in open {
                let Some(entries) = entries.get(wanted[place].path.as_str()) else { continue };
                found[place] = self.stood(&plan, entries, &wanted[place], &snapshot).await?;
            }
        }
        Ok(found)
    }

    /// First those that added the files, where they stood for certain; then the newest ones.
    fn snapshots_to_search(&self, wanted: &[FileFacts]) -> Vec<SnapshotRef> {
        let (line, beside) = self.older();
        let adding: BTreeSet<i64> = wanted.iter().map(|facts| facts.added_by).collect();
        let mut seen = BTreeSet::new();
        let adding = adding.iter().filter_map(|id| self.metadata.snapshot_by_id(*id).cloned());
        let newest = line.into_iter().chain(beside).take(GONE_SNAPSHOTS_MAX);
        adding.chain(newest).filter(|snapshot| seen.insert(snapshot.snapshot_id())).collect()
    }

    /// The rows that a file showed in a snapshot, if it was there as it is wanted.
    async fn stood(
        &self,
        plan: &Plan,
        entries: &[LiveEntry],
        wanted: &FileFacts,
        snapshot: &SnapshotRef,
    ) -> Result<Option<RemovedRows>, (String, String)> {
        let Some(first) = entries.first().cloned() else { return Ok(None) };
        let added_by = commit(&self.metadata, first.snapshot_id);
        let Ok(count) = u32::try_from(entries.len()) else { return Ok(None) };
        let mut file = DataFile::new(first, count, added_by);
        file.other_sequences = entries[1..].iter().map(|other| other.sequence).collect();
        if !facts(plan, &file).has_rows_of(wanted) {
            return Ok(None);
        }
        let shown = match self.deletes.loader.of(plan, &file).await {
            Ok((deletes, _)) => deletes.shown,
            Err(unknown) if unknown.may_pass => return Err((unknown.path, unknown.detail)),
            Err(_) => return Ok(None),
        };
        let stood_in = SnapshotInfo::new(snapshot, &BTreeSet::new());
        Ok(Some(RemovedRows { file, stood_in, removed_by: None, shown }))
    }
}

fn entries_of<'a>(parts: &[Arc<Part>], paths: &BTreeSet<&'a str>) -> BTreeMap<&'a str, Vec<LiveEntry>> {
    let mut found: BTreeMap<&str, Vec<LiveEntry>> = BTreeMap::new();
    for live in parts.iter().flat_map(|part| &part.data) {
        if let Some(path) = paths.get(live.entry.file_path()) {
            found.entry(path).or_default().push(live.clone());
        }
    }
    found
}

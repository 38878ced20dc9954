//! Files that were live in an older retained snapshot: found again by path and deletes, to read the rows that stood there.

use validator_core::shadow::file::FileFacts;

use crate::{ManifestCache, Pinned, RemovedRows};

impl Pinned {
    /// For each of these files the rows that it showed, if a retained snapshot still names it with the same deletes. Opened
    /// by [`Pinned::open_removed`].
    pub async fn gone_files(&self, cache: &ManifestCache, wanted: &[FileFacts]) -> Vec<Option<RemovedRows>> {
        let _ = (cache, wanted);
        todo!()
    }
}

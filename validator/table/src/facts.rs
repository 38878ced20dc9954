//! The live files of a pinned snapshot as a continuous run knows files.

use validator_core::position::FileIndex;
use validator_core::shadow::file::FileFacts;

use crate::Pinned;

impl Pinned {
    /// All live files, sorted by the hash of their paths, each path once.
    pub fn facts(&self) -> Vec<FileFacts> {
        todo!()
    }

    /// One live file.
    pub fn facts_of(&self, file: FileIndex) -> FileFacts {
        let _ = file;
        todo!()
    }

    /// The live file of this path, as the table names it.
    pub fn index_of(&self, path: &str) -> Option<FileIndex> {
        let place = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        u32::try_from(place).ok().map(FileIndex)
    }
}

//! The live files of a pinned snapshot as a continuous run knows files.

use validator_core::position::FileIndex;
use validator_core::shadow::file::{FileFacts, PathHash};

use crate::deletes::Plan;
use crate::storage::canonical_location;
use crate::{DataFile, Pinned};

impl Pinned {
    /// All live files, sorted by the hash of their paths, each path once.
    pub fn facts(&self) -> Vec<FileFacts> {
        let mut facts: Vec<FileFacts> = self.files.iter().map(|file| facts(&self.deletes.plan, file)).collect();
        facts.sort_by_cached_key(|facts| PathHash::of(&facts.path));
        facts
    }

    /// One live file.
    pub fn facts_of(&self, file: FileIndex) -> FileFacts {
        facts(&self.deletes.plan, &self.files[file.0 as usize])
    }

    /// The live file of this path, as the table names it.
    pub fn index_of(&self, path: &str) -> Option<FileIndex> {
        let place = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        u32::try_from(place).ok().map(FileIndex)
    }
}

/// A file as its entries and the deletes of its snapshot have it.
pub(crate) fn facts(plan: &Plan, file: &DataFile) -> FileFacts {
    let added = file.added_by.as_ref();
    FileFacts {
        path: file.path.clone(),
        size: file.size,
        entries: file.entries,
        sequence: file.sequence,
        added_by: file.snapshot_id,
        commit_ms: added.map(|by| by.commit_ms),
        is_replace: added.is_some_and(|by| by.operation == "replace"),
        deletes: deletes(plan, file),
        spec_id: file.spec_id,
    }
}

/// The beginning of BLAKE3 over the deletes that reach a file, whatever order they are listed in; zero where none do. Where
/// it is not known which do, over the reason: the rows are then not read, and are once it changes.
fn deletes(plan: &Plan, file: &DataFile) -> [u8; 16] {
    let reaching = match plan.of(file, &canonical_location(&file.path)) {
        Ok(reaching) if reaching.is_empty() => return [0; 16],
        Ok(reaching) => reaching.iter().map(|delete| (delete.key(), delete.file.sequence)).collect(),
        Err(unknown) => vec![(unknown.path, None), (unknown.detail, None)],
    };
    let mut reaching: Vec<(String, Option<i64>)> = reaching;
    reaching.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for (key, sequence) in reaching {
        hasher.update(&(key.len() as u64).to_le_bytes()).update(key.as_bytes());
        hasher.update(&[u8::from(sequence.is_some())]).update(&sequence.unwrap_or(0).to_le_bytes());
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    first
}

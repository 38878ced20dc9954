//! The files that a shadow knows: live ones, and scanned ones that wait.
//!
//! Contract: what is asked of all live files (sums, faults, rows ahead) is kept up as files come and go: a table has a
//! hundred thousand of them.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{FaultFact, FileFacts, FileId, PathHash};
use super::runs::Offsets;
use super::slips::FileSlips;
use super::standing::FileCounts;
use crate::position::PartitionIndex;

/// See the module.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Files {
    live: BTreeMap<PathHash, KnownFile>,
    /// The paths of live files.
    names: BTreeMap<FileId, PathHash>,
    /// Scanned and not live, or to take the place of a live one.
    pub waiting: BTreeMap<PathHash, KnownFile>,
    /// The last number given to a file.
    pub last: u32,
    faulty: BTreeSet<FileId>,
    ahead: BTreeSet<(PartitionIndex, i64, PathHash)>,
    /// Live files with rows of partitions that were not known when they were scanned.
    strangers: BTreeSet<PathHash>,
    counts: FileCounts,
    /// Rows of live entries.
    pub rows: u64,
    /// Of them, those in no segment.
    pub out_of_scope: u64,
    /// Of rows of live entries, those of which nobody knows whether they are late.
    pub untold: u64,
    /// Of files up to this one nothing is known.
    late_after: FileId,
}

/// A file that was scanned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KnownFile {
    pub id: FileId,
    pub facts: FileFacts,
    /// Of one live entry.
    pub rows: u64,
    pub out_of_scope: u64,
    pub ahead: BTreeMap<PartitionIndex, i64>,
    pub strangers: bool,
    pub faults: Vec<FaultFact>,
    /// Slips of its rows: of those in segments until it is live, then their segments have them. None: they were too many.
    pub slips: Option<FileSlips>,
    /// Once it is live: rows of one live entry of which nobody knows whether they are late.
    pub untold: u64,
    /// Once it is live: whether rows of it are late.
    pub has_late: bool,
    /// Once it is live: late rows that were not below the position when it was read.
    pub late_ahead: Offsets,
}

impl KnownFile {
    pub fn hash(&self) -> PathHash {
        PathHash::of(&self.facts.path)
    }
}

impl Files {
    pub fn live(&self, hash: &PathHash) -> Option<&KnownFile> {
        self.live.get(hash)
    }

    pub fn all_live(&self) -> impl Iterator<Item = (&PathHash, &KnownFile)> {
        self.live.iter()
    }

    /// A live file by its number.
    pub fn named(&self, id: FileId) -> Option<&KnownFile> {
        self.live.get(self.names.get(&id)?)
    }

    /// Live files with a part that cannot be read.
    pub fn faulty(&self) -> impl Iterator<Item = &KnownFile> {
        self.faulty.iter().filter_map(|id| self.named(*id))
    }

    /// Live files with rows of messages that came since they were scanned, at these positions.
    pub fn overtaken<'a>(&'a self, positions: impl Iterator<Item = (PartitionIndex, i64)> + 'a) -> BTreeSet<PathHash> {
        if self.ahead.is_empty() {
            return BTreeSet::new();
        }
        let first = PathHash([0; 16]);
        let reached = positions.flat_map(|(partition, position)| {
            self.ahead.range((partition, i64::MIN, first)..(partition, position, first))
        });
        reached.map(|(_, _, hash)| *hash).collect()
    }

    /// Partitions came to which rows of strangers may belong: their files are to be read again before the next look is applied.
    /// Says which live ones, and gives those that wait, which are of no use any more.
    pub fn meet(&mut self, partitions: &[PartitionIndex]) -> (Vec<FileId>, Vec<KnownFile>) {
        let hashes: Vec<PathHash> = self.strangers.iter().copied().collect();
        let mut met = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let Some(mut file) = self.live.get(&hash).map(|file| file.id).and_then(|id| self.leave(id)) else {
                continue;
            };
            // Below every offset: as if messages of them had come to which its rows belong.
            file.ahead.extend(partitions.iter().map(|partition| (*partition, -1)));
            met.push(file.id);
            self.enter(hash, file);
        }
        let useless: Vec<PathHash> =
            self.waiting.iter().filter(|(_, file)| file.strangers).map(|(hash, _)| *hash).collect();
        (met, useless.iter().filter_map(|hash| self.waiting.remove(hash)).collect())
    }

    pub fn counts(&self) -> FileCounts {
        FileCounts { live: self.live.len() as u64, ..self.counts }
    }

    /// Makes a file live.
    pub fn enter(&mut self, hash: PathHash, file: KnownFile) {
        self.count(hash, &file, true);
        self.names.insert(file.id, hash);
        self.live.insert(hash, file);
    }

    /// Takes a live file out.
    pub fn leave(&mut self, id: FileId) -> Option<KnownFile> {
        let hash = self.names.remove(&id)?;
        let file = self.live.remove(&hash)?;
        self.count(hash, &file, false);
        Some(file)
    }

    /// Files up to this one were read when settle was another one.
    pub fn late_after(&self) -> FileId {
        self.late_after
    }

    /// See [`Files::late_after`]; before any file is live.
    pub fn know_late_after(&mut self, file: FileId) {
        self.late_after = file;
    }

    /// Of one live entry of a live file, the rows of which nobody knows whether they are late.
    pub fn untold_of(&self, file: &KnownFile) -> u64 {
        if file.id > self.late_after { file.untold } else { file.rows }
    }

    /// Whether rows of one of these live files are known to be late.
    pub fn have_late(&self, mut files: impl Iterator<Item = FileId>) -> bool {
        files.any(|id| id > self.late_after && self.named(id).is_some_and(|file| file.has_late))
    }

    /// Files of which one is to take the place of the other.
    pub fn read_again(&self) -> BTreeSet<FileId> {
        let both = |(hash, file): (_, &KnownFile)| Some([self.live.get(hash)?.id, file.id]);
        self.waiting.iter().filter_map(both).flatten().collect()
    }

    /// What is known of lateness counts no more.
    pub fn forget_late(&mut self) {
        self.late_after = FileId(self.last);
        self.untold = self.rows;
    }

    fn count(&mut self, hash: PathHash, file: &KnownFile, enters: bool) {
        let entries = u64::from(file.facts.entries);
        let untold = self.untold_of(file);
        let has = |corrupt: bool| u64::from(file.faults.iter().any(|fault| fault.corrupt == corrupt));
        let sums = [
            (&mut self.rows, file.rows * entries),
            (&mut self.out_of_scope, file.out_of_scope * entries),
            (&mut self.untold, untold * entries),
            (&mut self.counts.corrupt, has(true)),
            (&mut self.counts.unreadable, has(false)),
        ];
        for (sum, part) in sums {
            *sum = if enters { *sum + part } else { *sum - part };
        }
        if !file.faults.is_empty() {
            put_in(&mut self.faulty, file.id, enters);
        }
        if file.strangers {
            put_in(&mut self.strangers, hash, enters);
        }
        for (partition, offset) in &file.ahead {
            put_in(&mut self.ahead, (*partition, *offset, hash), enters);
        }
    }
}

/// Puts one into a set, or takes it out.
pub(super) fn put_in<T: Ord>(set: &mut BTreeSet<T>, one: T, enters: bool) {
    if enters {
        set.insert(one);
    } else {
        set.remove(&one);
    }
}

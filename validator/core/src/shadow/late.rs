//! Which rows are late, and what is known of it when a rewrite moves them.
//!
//! Contract: a row landed with the commit of the snapshot that its manifest entry names, and is late if its own time + settle
//! lies before. A rewrite (`replace`) lands nothing: rows that it moves stay as they were, as long as the sums say that they are the
//! same rows. Where nobody can know, rows are counted as such and never as late. See `docs/decisions/0055-late.md`.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Shadow;
use super::file::FileId;
use super::files::KnownFile;
use super::nets::Nets;
use super::pack::{Reader, Writer};
use super::runs::{Offsets, Runs};
use super::segment::Segment;
use crate::bag::Bag;
use crate::segment::{OffsetWidth, SegmentKey};

/// What a scan says of the rows of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Lateness {
    /// Rows of it have no time, or nothing settles.
    #[default]
    Untold,
    /// The late ones.
    Told(Offsets),
    /// Its manifest entry does not say when they landed: a rewrite moved them, or the snapshot is expired.
    Moved {
        /// All rows.
        rows: Offsets,
        /// Offsets with several.
        several: Offsets,
    },
}

impl Lateness {
    pub(super) fn write(&self, to: &mut Writer) {
        let (kind, parts): (u8, &[&Offsets]) = match self {
            Self::Untold => (0, &[]),
            Self::Told(late) => (1, &[late]),
            Self::Moved { rows, several } => (2, &[rows, several]),
        };
        to.byte(kind);
        parts.iter().for_each(|offsets| offsets.write(to));
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        match from.byte()? {
            0 => Some(Self::Untold),
            1 => Some(Self::Told(Offsets::read(from)?)),
            2 => Some(Self::Moved { rows: Offsets::read(from)?, several: Offsets::read(from)? }),
            _ => None,
        }
    }
}

/// What is known of the rows of a file that becomes live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Landing {
    late: Offsets,
    /// Rows of one live entry of which nobody knows it.
    untold: u64,
}

/// Files that go, and the late rows of each.
struct Former<'a> {
    files: Vec<&'a KnownFile>,
    late: BTreeMap<FileId, Offsets>,
}

impl Segment {
    /// How many of its rows are late; rows of files up to `after` are not told.
    pub(super) fn late_rows(&self, after: FileId) -> u64 {
        self.late.range((Bound::Excluded(after), Bound::Unbounded)).map(|(_, runs)| runs.len()).sum()
    }

    /// Whether the row of an offset is late in this file.
    pub(super) fn is_late(&self, file: FileId, offset: i64, after: FileId) -> bool {
        file > after && self.late.get(&file).is_some_and(|runs| runs.has(offset))
    }
}

impl KnownFile {
    /// What is known of it once it is live: its late rows by segment. Those that were not below the position when it was read
    /// stay with it.
    pub(super) fn land(&mut self, landing: Landing, width: OffsetWidth) -> BTreeMap<SegmentKey, Runs> {
        self.untold = landing.untold;
        let split = |(partition, runs): (_, &Runs)| {
            let (below, ahead) = runs.split(self.ahead.get(&partition).copied().unwrap_or(i64::MAX));
            ((partition, below), (partition, ahead))
        };
        let (below, ahead): (Vec<_>, Vec<_>) = landing.late.iter().map(split).unzip();
        self.late_ahead = ahead.into_iter().collect();
        Offsets::from_iter(below).by_segment(width)
    }

    /// Whether it has no other rows than another reading of its path.
    fn is_within(&self, rows: &Offsets, old: &Self, of_old: Option<&Lateness>) -> bool {
        match of_old {
            Some(Lateness::Moved { rows: old_rows, .. }) => rows.without(old_rows).is_empty(),
            _ => self.facts.has_rows_of(&old.facts) && self.rows == old.rows && !old.strangers,
        }
    }
}

impl Shadow {
    /// What is known of the rows of each file that a look adds.
    pub(super) fn landings(&self, nets: &Nets) -> BTreeMap<FileId, Landing> {
        let after = self.files.late_after();
        let former = self.former(nets);
        let (mut landings, mut moved) = (BTreeMap::new(), Vec::new());
        let mut left = former.files.clone();
        for (hash, file) in self.files.waiting.iter().filter(|(_, file)| nets.added.contains(&file.id)) {
            let old = left.iter().position(|old| old.hash() == *hash).map(|place| left.swap_remove(place));
            let lateness = nets.late.get(&file.id).filter(|_| file.id > after);
            let landing = match (lateness, old) {
                (None | Some(Lateness::Untold), _) => Landing { untold: file.rows, ..Landing::default() },
                (Some(Lateness::Told(late)), _) => Landing { late: late.clone(), untold: 0 },
                (Some(Lateness::Moved { rows, .. }), Some(old)) => {
                    let is_known = file.is_within(rows, old, nets.late.get(&old.id));
                    self.inherited(file, (rows, &Offsets::default()), &former.of(&[old]), is_known)
                }
                (Some(Lateness::Moved { rows, several }), None) => {
                    moved.push((file, rows, several));
                    continue;
                }
            };
            landings.insert(file.id, landing);
        }
        if moved.is_empty() {
            return landings;
        }
        // Others went for other reasons, or rows came with a rewrite: nobody knows which are which.
        let is_same = nets.sum(moved.iter().map(|(file, ..)| *file)) == nets.sum(left.iter().copied());
        let several = several(&moved);
        let former = former.of(if is_same { &left } else { &[] });
        let inherited =
            |(file, rows, _): (&KnownFile, _, _)| (file.id, self.inherited(file, (rows, &several), &former, is_same));
        landings.extend(moved.into_iter().map(inherited));
        landings
    }

    /// Late rows of the files that go.
    fn former(&self, nets: &Nets) -> Former<'_> {
        let files: Vec<&KnownFile> = nets.removed.iter().filter_map(|id| self.files.named(*id)).collect();
        let mut late: BTreeMap<FileId, Offsets> = BTreeMap::new();
        for (key, net) in nets.segments.iter().filter(|(_, net)| !net.removed.is_empty()) {
            let (SegmentKey::Offsets { partition, .. }, Some(segment)) = (*key, self.pages.segment(*key)) else {
                continue;
            };
            for (file, runs) in segment.late.iter().filter(|(file, _)| net.removed.contains(file)) {
                late.entry(*file).or_default().add(partition, runs);
            }
        }
        for file in files.iter().filter(|file| !file.late_ahead.is_empty()) {
            late.entry(file.id).or_default().extend(&file.late_ahead);
        }
        late.retain(|file, _| *file > self.files.late_after());
        Former { files, late }
    }

    /// A moved row stays as it was. Of an offset with several rows nobody knows which is which, unless none is late.
    fn inherited(
        &self,
        file: &KnownFile,
        (rows, several): (&Offsets, &Offsets),
        former: &Former<'_>,
        is_known: bool,
    ) -> Landing {
        let mut late = Offsets::default();
        former.late.values().for_each(|offsets| late.extend(&offsets.and(rows)));
        let clear = late.without(several);
        let is_known = is_known && former.files.iter().all(|old| self.files.untold_of(old) == 0);
        let untold = if is_known { late.len() - clear.len() } else { file.rows.saturating_sub(clear.len()) };
        Landing { late: clear, untold }
    }

    /// Settle is another one, or whether rows have a time: what is known of rows is by the former one, and counts no more.
    pub(super) fn forget_late(&mut self) {
        self.files.forget_late();
        self.lanes.iter_mut().for_each(|lane| lane.balanced_late = 0);
        let keys: Vec<SegmentKey> = self.residues.keys().copied().collect();
        for key in keys {
            let Some(mut residue) = self.residues.get(&key).cloned() else { continue };
            residue.agreed_late = 0;
            residue.rows.iter_mut().for_each(|row| row.entry.late = false);
            self.put_residue(key, Some(residue));
        }
    }
}

impl<'a> Former<'a> {
    /// These alone.
    fn of(&self, files: &[&'a KnownFile]) -> Self {
        let late = files.iter().filter_map(|file| Some((file.id, self.late.get(&file.id)?.clone())));
        Former { files: files.to_vec(), late: late.collect() }
    }
}

impl Nets {
    /// The rows of these files, each live entry's.
    fn sum<'a>(&self, files: impl Iterator<Item = &'a KnownFile>) -> Bag {
        let mut sum = Bag::EMPTY;
        for file in files {
            let booked = self.booked.get(&file.id).copied().unwrap_or_default();
            (0..file.facts.entries).for_each(|_| sum.merge(&booked));
        }
        sum
    }
}

/// Offsets of which these files have several rows, in one or in two.
fn several(moved: &[(&KnownFile, &Offsets, &Offsets)]) -> Offsets {
    let (mut seen, mut several) = (Offsets::default(), Offsets::default());
    for (file, rows, of_file) in moved {
        several.extend(&seen.and(rows));
        several.extend(of_file);
        if file.facts.entries > 1 {
            several.extend(rows);
        }
        seen.extend(rows);
    }
    several
}

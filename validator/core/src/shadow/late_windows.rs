//! Late rows of windows: how many there are in each segment, and in which files.
//!
//! Contract: nothing but its digest says which row of a window is which, so that of rows that a rewrite moved their number is known:
//! all late rows of a segment that go into several files are one entry of all of these. It is lost where one of the files goes
//! for another reason and another stays. See `docs/decisions/0055-late.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::Shadow;
use super::file::FileId;
use super::files::KnownFile;
use super::late::{Landings, Lateness, Moves};
use super::nets::{Net, Nets};
use super::residue::Residue;
use super::segment::Segment;
use crate::segment::SegmentKey;

/// Late rows of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateRows {
    /// The live files that they lie in, ascending, each once.
    pub files: Vec<FileId>,
    /// How many, in all live entries of these.
    pub rows: u64,
}

/// Which rows of one file in a disputed segment are late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LateThere {
    None,
    All,
    /// Those whose own time says so.
    AsRead,
    /// Some are, and nobody knows which.
    Some,
}

/// What becomes of late rows in a step.
#[derive(Debug, Default)]
struct Carried {
    kept: Vec<LateRows>,
    /// Late rows of which nobody knows any more in which file they are, by each that they may be in.
    lost: Vec<(FileId, u64)>,
}

impl LateRows {
    /// Whether they count: none of their files was read when settle was another one.
    pub(super) fn counts(&self, after: FileId) -> bool {
        self.files.first().is_some_and(|file| *file > after)
    }

    fn carry(&self, net: &Net, moves: &Moves, carried: &mut Carried) {
        let (goes, mut files): (Vec<FileId>, Vec<FileId>) =
            self.files.iter().partition(|file| net.removed.contains(file));
        let mut is_known = true;
        for old in goes {
            match moves.of(old) {
                Some((new, is_same)) => {
                    files.push(new);
                    // Where others come too a row that was deleted may have come again elsewhere.
                    let have_fewer = net.added.iter().all(|file| moves.readings.contains(file));
                    is_known &= is_same || have_fewer && net.bag.is_empty();
                }
                None if moves.is_same && !moves.apart.contains(&old) => {
                    files.extend(net.added.iter().filter(|file| moves.moved.contains(file)));
                }
                None => is_known = false,
            }
        }
        files.sort_unstable();
        files.dedup();
        match files.as_slice() {
            [] => {}
            // Any of them may have all.
            _ if !is_known => carried.lost.extend(files.iter().map(|file| (*file, self.rows))),
            _ => match carried.kept.iter_mut().find(|kept| kept.files == files) {
                Some(kept) => kept.rows += self.rows,
                None => carried.kept.push(Self { files, rows: self.rows }),
            },
        }
    }
}

impl Segment {
    /// How many rows of windows are late; rows of files up to `after` are not told.
    pub(super) fn late_in_windows(&self, after: FileId) -> u64 {
        self.late_in.iter().filter(|late| late.counts(after)).map(|late| late.rows).sum()
    }

    /// Which rows of one of its files are late. `rows`: how many it has of each that was read; `is_told`: whether the entry of a file
    /// says when its rows landed.
    fn late_there(
        &self,
        file: FileId,
        rows: impl Fn(FileId) -> Option<u64>,
        after: FileId,
        is_told: impl Fn(FileId) -> bool,
    ) -> LateThere {
        let own: Vec<&LateRows> =
            self.late_in.iter().filter(|late| late.counts(after) && late.files.contains(&file)).collect();
        match own.as_slice() {
            [] => LateThere::None,
            [one] if one.files == [file] && is_told(file) => LateThere::AsRead,
            all if all
                .iter()
                .any(|late| late.files.iter().map(|file| rows(*file)).sum::<Option<u64>>() == Some(late.rows)) =>
            {
                LateThere::All
            }
            _ => LateThere::Some,
        }
    }
}

impl Shadow {
    /// Where the late rows of the segments are after a step, and those of which it is not known any more.
    pub(super) fn carry_late(&self, nets: &Nets, moves: &Moves, landings: &mut Landings) {
        let after = self.files.late_after();
        for (key, net) in nets.segments.iter().filter(|(_, net)| !net.removed.is_empty()) {
            let Some(segment) = self.pages.segment(*key).filter(|segment| !segment.late_in.is_empty()) else {
                continue;
            };
            let mut carried = Carried::default();
            segment
                .late_in
                .iter()
                .filter(|late| late.counts(after))
                .for_each(|late| late.carry(net, moves, &mut carried));
            for (file, rows) in carried.lost {
                *landings.lost.entry(file).or_default() += rows;
            }
            landings.of_windows.insert(*key, carried.kept);
        }
        for file in &nets.added {
            let Some(Lateness::Windows(late)) = nets.late.get(file).filter(|_| *file > after) else { continue };
            for (key, rows) in late {
                let Some(net) = nets.segments.get(key) else { continue };
                let entries = net.added.iter().filter(|added| *added == file).count() as u64;
                let before = || self.pages.segment(*key).map(|segment| segment.late_in.clone()).unwrap_or_default();
                let of_segment = landings.of_windows.entry(*key).or_insert_with(before);
                of_segment.push(LateRows { files: vec![*file], rows: rows * entries });
            }
        }
    }

    /// Of rows that are live it is not known any more whether they are late: at most so many of each of these files.
    pub(super) fn lose_late(&mut self, lost: BTreeMap<FileId, u64>) {
        for (id, rows) in lost {
            let Some(mut file) = self.files.leave(id) else { continue };
            file.untold = file.rows.min(file.untold + rows);
            self.unsaved.came.insert(id);
            self.files.enter(file.hash(), file);
        }
    }

    /// Says of the rows of a window that were read which are late, those of moved files by what is known of all of them.
    pub(super) fn tell_late(&self, segment: &Segment, residue: &mut Residue) {
        let mut there: BTreeMap<FileId, LateThere> = BTreeMap::new();
        for file in residue.read_files.keys() {
            there.insert(*file, self.late_rows_in(segment, residue, *file));
        }
        for row in &mut residue.rows {
            match there.get(&FileId(row.entry.at.file.0)) {
                Some(LateThere::AsRead) => {}
                Some(LateThere::All) => row.entry.late = true,
                Some(LateThere::None | LateThere::Some) | None => row.entry.late = false,
            }
        }
    }

    /// Of the rows of a disputed segment: how many are late of which nobody knows which they are.
    pub(super) fn late_unknown(&self, segment: &Segment, residue: &Residue) -> u64 {
        let after = self.files.late_after();
        let is_some = |file: &FileId| self.late_rows_in(segment, residue, *file) == LateThere::Some;
        let late = segment.late_in.iter().filter(|late| late.counts(after));
        late.filter(|late| late.files.iter().any(is_some)).map(|late| late.rows).sum()
    }

    fn late_rows_in(&self, segment: &Segment, residue: &Residue, file: FileId) -> LateThere {
        let rows = |file: FileId| residue.read_files.get(&file).map(|bag| bag.count);
        let is_told = |file: FileId| self.files.named(file).is_some_and(KnownFile::says_when_it_landed);
        segment.late_there(file, rows, self.files.late_after(), is_told)
    }
}

impl KnownFile {
    /// Whether its manifest entry says when its rows landed.
    fn says_when_it_landed(&self) -> bool {
        self.facts.commit_ms.is_some() && !self.facts.is_replace
    }
}

/// Whether late rows of a segment of a window may be what they are.
pub(super) fn is_late_of_files(segment: &Segment) -> bool {
    let files: BTreeSet<&FileId> = segment.files.iter().collect();
    let is_of_files = segment.late_in.iter().all(|late| late.files.iter().all(|file| files.contains(file)));
    is_of_files && segment.late_in_windows(FileId::default()) <= segment.credit.count
}

/// Late rows shared out among those who may have them: as many as each has, in order.
pub(super) fn shared_out(mut late: u64, most: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
    most.map(move |most| {
        let own = late.min(most);
        late -= own;
        own
    })
}

/// The segments whose late rows a step says anew.
pub(super) type OfWindows = BTreeMap<SegmentKey, Vec<LateRows>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::Bag;
    use crate::digest::Digest;

    const A: FileId = FileId(1);
    const B: FileId = FileId(2);
    const C: FileId = FileId(3);
    const D: FileId = FileId(4);

    fn late(files: &[FileId], rows: u64) -> LateRows {
        LateRows { files: files.to_vec(), rows }
    }

    fn net(removed: &[FileId], added: &[FileId]) -> Net {
        Net { bag: Bag::EMPTY, added: added.to_vec(), removed: removed.to_vec() }
    }

    fn carried(all: &[LateRows], net: &Net, moves: &Moves) -> (Vec<LateRows>, Vec<(FileId, u64)>) {
        let mut carried = Carried::default();
        all.iter().for_each(|late| late.carry(net, moves, &mut carried));
        (carried.kept, carried.lost)
    }

    #[test]
    fn rows_that_are_moved_into_several_files_are_one_number_of_all_of_them() {
        let moves = Moves { moved: [C, D].into(), is_same: true, ..Moves::default() };
        let of_both = vec![late(&[C, D], 7)];
        assert_eq!(carried(&[late(&[A], 5), late(&[B], 2)], &net(&[A, B], &[C, D]), &moves), (of_both, vec![]));
        // Of this segment only one of the two has rows; what stays is left alone.
        let of_one = vec![late(&[B], 2), late(&[C], 5)];
        assert_eq!(carried(&[late(&[B], 2), late(&[A], 5)], &net(&[A], &[C]), &moves), (of_one, vec![]));
        // Part of them is moved on.
        let moves = Moves { moved: [D].into(), is_same: true, ..Moves::default() };
        let spread = vec![late(&[B, D], 7)];
        assert_eq!(carried(&[late(&[B, C], 7)], &net(&[C], &[D]), &moves), (spread, vec![]));
    }

    #[test]
    fn the_number_is_lost_where_one_of_its_files_goes_for_another_reason() {
        let gone = Moves::default();
        assert_eq!(carried(&[late(&[A, B], 7), late(&[B], 1)], &net(&[B], &[]), &gone), (vec![], vec![(A, 7)]));
        let lost = (vec![], vec![(A, 7), (C, 7)]);
        assert_eq!(carried(&[late(&[A, B, C], 7)], &net(&[B], &[]), &gone), lost, "any of them may have all");
        // The file that comes says itself what is late in it.
        let told = Moves { apart: [A].into(), moved: [D].into(), is_same: true, ..Moves::default() };
        assert_eq!(carried(&[late(&[A], 7)], &net(&[A], &[C, D]), &told), (vec![], vec![]));
        // A rewrite that changed rows.
        let changed = Moves { moved: [C].into(), ..Moves::default() };
        assert_eq!(carried(&[late(&[A], 7)], &net(&[A], &[C]), &changed), (vec![], vec![]));
    }

    #[test]
    fn a_file_that_deletes_reach_keeps_its_number_where_none_of_its_rows_went() {
        let again = |is_same| Moves { again: [(A, (C, is_same))].into(), readings: [C].into(), ..Moves::default() };
        let fewer = again(false);
        assert_eq!(carried(&[late(&[A], 7)], &net(&[A], &[C]), &fewer), (vec![late(&[C], 7)], vec![]));
        // A row went; or went and came again in another file.
        let mut bag = Bag::EMPTY;
        bag.remove(&Digest([3; 32]));
        let went = Net { bag, ..net(&[A], &[C]) };
        assert_eq!(carried(&[late(&[A], 7)], &went, &fewer), (vec![], vec![(C, 7)]));
        assert_eq!(carried(&[late(&[A], 7)], &net(&[A], &[C, D]), &fewer), (vec![], vec![(C, 7)]));
        let same = again(true);
        assert_eq!(carried(&[late(&[A], 7)], &net(&[A], &[C, D]), &same), (vec![late(&[C], 7)], vec![]));
    }

    #[test]
    fn which_rows_are_late_is_said_by_their_time_or_by_their_number() {
        let segment = Segment { late_in: vec![late(&[A], 2), late(&[B, C], 5)], ..Segment::default() };
        let told = |of: FileId| of == A;
        let there = |file, rows: u64, after| segment.late_there(file, |_| Some(rows), after, told);
        let none = FileId::default();
        assert_eq!(there(A, 3, none), LateThere::AsRead);
        assert_eq!(there(B, 3, none), LateThere::Some);
        assert_eq!(segment.late_there(C, |file| Some(if file == B { 4 } else { 1 }), none, told), LateThere::All);
        let unread = segment.late_there(C, |file| (file == C).then_some(5), none, told);
        assert_eq!(unread, LateThere::Some, "a rewrite moved the others");
        assert_eq!(there(D, 3, none), LateThere::None);
        // Files that were read when settle was another one.
        assert_eq!(
            (there(A, 3, A), segment.late_in_windows(none), segment.late_in_windows(A)),
            (LateThere::None, 7, 5)
        );
    }
}

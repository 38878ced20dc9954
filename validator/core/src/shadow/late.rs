//! Which rows are late, and what is known of it when a rewrite moves them.
//!
//! Contract: a row landed with the commit of the snapshot that its manifest entry names, and is late if its own time + settle
//! lies before. A rewrite (`replace`) lands nothing: rows that it moves stay as they were, as long as the sums say that they are the
//! same rows. Where nobody can know, rows are counted as such and never as late. See `docs/decisions/0055-late.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::Shadow;
use super::file::{FileId, PathHash};
use super::files::KnownFile;
use super::late_windows::OfWindows;
use super::nets::Nets;
use super::pack::{Reader, Writer};
use super::page_codec::{read_key, write_key};
use super::runs::{Offsets, Runs};
use super::segment::{Segment, Times};
use crate::bag::Bag;
use crate::segment::{OffsetWidth, SegmentKey};

/// What a scan says of the rows of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Lateness {
    /// Nothing settles, or nothing says when its rows should have come.
    #[default]
    Untold,
    /// The late ones.
    Told {
        /// Their offsets.
        late: Offsets,
        /// Rows of which it cannot be known.
        untold: u64,
    },
    /// Its manifest entry does not say when they landed: a rewrite moved them, or the snapshot is expired.
    Moved {
        /// All rows.
        rows: Offsets,
        /// Offsets with several.
        several: Offsets,
    },
    /// Of windows, whose rows name no offsets: by segment how many are late; segments with some only. Of a file whose entry does not
    /// say when they landed it is `Moved`, without offsets.
    Windows(Vec<(SegmentKey, u64)>),
}

impl Lateness {
    pub(super) fn write(&self, to: &mut Writer) {
        match self {
            Self::Untold => to.byte(0),
            Self::Told { late, untold } => {
                to.byte(1);
                late.write(to);
                to.number(*untold);
            }
            Self::Moved { rows, several } => {
                to.byte(2);
                rows.write(to);
                several.write(to);
            }
            Self::Windows(late) => {
                to.byte(3);
                to.number(late.len() as u64);
                for (key, rows) in late {
                    write_key(to, *key);
                    to.number(*rows);
                }
            }
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        match from.byte()? {
            0 => Some(Self::Untold),
            1 => Some(Self::Told { late: Offsets::read(from)?, untold: from.number()? }),
            2 => Some(Self::Moved { rows: Offsets::read(from)?, several: Offsets::read(from)? }),
            3 => Some(Self::Windows(from.list(|from| Some((read_key(from)?, from.number()?)))?)),
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
    /// Whether some are late.
    has_late: bool,
}

/// What is known of the rows of all files that a step makes live.
#[derive(Debug, Default)]
pub(super) struct Landings {
    pub files: BTreeMap<FileId, Landing>,
    /// Of windows: the late rows of segments that files with some come to, or leave.
    pub of_windows: OfWindows,
    /// Of windows: late rows of which it is not known any more in which files they are, by each that they may be in.
    pub lost: BTreeMap<FileId, u64>,
}

/// Where rows go in a step whose files' entries do not say when their rows landed.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Files that come in the place of another reading of their path, by that one; whether it has all rows of it.
    pub again: BTreeMap<FileId, (FileId, bool)>,
    /// The readings that come so.
    pub readings: BTreeSet<FileId>,
    /// Files in whose place a reading comes that says anew when its rows landed, or has other ones.
    pub apart: BTreeSet<FileId>,
    /// Files that come and take nobody's place.
    pub moved: BTreeSet<FileId>,
    /// Whether the rows of these are those of the files that go and whose place nobody takes.
    pub is_same: bool,
}

impl Moves {
    /// The other reading of a file that goes, and whether it has all of its rows.
    pub fn of(&self, old: FileId) -> Option<(FileId, bool)> {
        self.again.get(&old).copied()
    }
}

impl Segment {
    /// How many of its rows are late; rows of files up to `after` are not told.
    pub(super) fn late_rows(&self, after: FileId) -> u64 {
        let of_offsets = self.late.range((Bound::Excluded(after), Bound::Unbounded)).map(|(_, runs)| runs.len());
        of_offsets.sum::<u64>() + self.late_in_windows(after)
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
        self.has_late = landing.has_late;
        let split = |(partition, runs): (_, &Runs)| {
            let (below, ahead) = runs.split(self.ahead.get(&partition).copied().unwrap_or(i64::MAX));
            ((partition, below), (partition, ahead))
        };
        let (below, ahead): (Vec<_>, Vec<_>) = landing.late.iter().map(split).unzip();
        self.late_ahead = ahead.into_iter().collect();
        Offsets::from_iter(below).by_segment(width)
    }

    /// A moved row stays as it was: these are its late ones. Of an offset with several rows nobody knows which is which, unless
    /// none is late. `is_known`: of each row that it may be it is known.
    fn inherit(&self, late: Offsets, several: &Offsets, is_known: bool) -> Landing {
        let clear = late.without(several);
        let untold = if is_known { late.len() - clear.len() } else { self.rows.saturating_sub(clear.len()) };
        Landing { has_late: !clear.is_empty(), late: clear, untold }
    }

    /// The same of a file with rows of windows: it has all rows of the other one, or further deletes reach it.
    fn is_within_window(&self, old: &Self, is_same: bool, is_forward: bool) -> bool {
        let facts = |file: &Self| (file.facts.size, file.facts.entries, file.facts.sequence);
        let are_fewer = is_forward && self.facts.deletes != old.facts.deletes && self.rows < old.rows;
        facts(self) == facts(old) && (is_same || are_fewer) && self.faults.is_empty() && old.faults.is_empty()
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
    /// Of each segment that is held, the timestamps of its judged messages.
    pub fn times_held(&self) -> BTreeMap<SegmentKey, Times> {
        let segments =
            self.pages.iter().flat_map(|(page, segments)| segments.iter().map(move |(slot, one)| (page, slot, one)));
        segments.filter_map(|(page, slot, segment)| Some((page.segment(slot)?, segment.times))).collect()
    }

    /// What is known of the rows of each file that a look adds. `is_forward`: the table went on, and was not set back.
    pub(super) fn landings(&self, nets: &Nets, is_forward: bool) -> Landings {
        let (late, none) = (self.former(nets), Offsets::default());
        let (mut landings, mut moves, mut moved) = (Landings::default(), Moves::default(), Vec::new());
        let removed = nets.removed.iter().filter_map(|id| self.files.named(*id));
        let mut left: BTreeMap<PathHash, &KnownFile> = removed.map(|file| (file.hash(), file)).collect();
        for (hash, file) in self.files.waiting.iter().filter(|(_, file)| nets.added.contains(&file.id)) {
            let old = left.remove(hash);
            moves.apart.extend(old.map(|old| old.id));
            let lateness = nets.late.get(&file.id).filter(|_| file.id > self.files.late_after());
            let landing = match (lateness, old) {
                (None | Some(Lateness::Untold), _) => Landing { untold: file.rows, ..Landing::default() },
                (Some(Lateness::Told { late, untold }), _) => {
                    Landing { late: late.clone(), untold: *untold, has_late: !late.is_empty() }
                }
                (Some(Lateness::Windows(late)), _) => Landing { has_late: !late.is_empty(), ..Landing::default() },
                (Some(Lateness::Moved { rows, .. }), Some(old)) => {
                    let is_same = nets.booked.get(&file.id) == nets.booked.get(&old.id);
                    let is_within = match self.terms.windows() {
                        Some(_) => file.is_within_window(old, is_same, is_forward),
                        None => file.is_within(rows, old, nets.late.get(&old.id)),
                    };
                    if is_within {
                        moves.apart.remove(&old.id);
                        moves.again.insert(old.id, (file.id, is_same));
                        moves.readings.insert(file.id);
                    }
                    let late = late.get(&old.id).unwrap_or(&none).and(rows);
                    file.inherit(late, &none, is_within && self.files.untold_of(old) == 0)
                }
                (Some(Lateness::Moved { rows, several }), None) => {
                    moved.push((file, rows, several));
                    continue;
                }
            };
            landings.files.insert(file.id, landing);
        }
        if !moved.is_empty() {
            // Others went for other reasons, or rows came with a rewrite: nobody knows which are which.
            moves.is_same = nets.sum(moved.iter().map(|(file, ..)| *file)) == nets.sum(left.values().copied());
            let is_known = moves.is_same && left.values().all(|old| self.files.untold_of(old) == 0);
            let gone = left.values().filter(|_| moves.is_same).filter_map(|old| late.get(&old.id));
            let late = Offsets::union(gone);
            // Where no late row goes no row is looked at.
            let several = if late.is_empty() { none } else { several(&moved) };
            let landing = |(file, rows, _): &(&KnownFile, &Offsets, _)| {
                (file.id, file.inherit(late.and(rows), &several, is_known))
            };
            landings.files.extend(moved.iter().map(landing));
            moves.moved.extend(moved.iter().map(|(file, ..)| file.id));
        }
        if self.terms.windows().is_some() && !self.terms.is_upsert() {
            self.carry_late(nets, &moves, &mut landings);
        }
        landings
    }

    /// Late rows of each file that goes; none where none of its rows is known to be late.
    fn former(&self, nets: &Nets) -> BTreeMap<FileId, Offsets> {
        let mut late: BTreeMap<FileId, Offsets> = BTreeMap::new();
        for (key, net) in nets.segments.iter().filter(|(_, net)| !net.removed.is_empty()) {
            let (SegmentKey::Offsets { partition, .. }, Some(segment)) = (*key, self.pages.segment(*key)) else {
                continue;
            };
            for (file, runs) in net.removed.iter().filter_map(|file| segment.late.get_key_value(file)) {
                late.entry(*file).or_default().add(partition, runs);
            }
        }
        let files = nets.removed.iter().filter_map(|id| self.files.named(*id));
        for file in files.filter(|file| !file.late_ahead.is_empty()) {
            late.entry(file.id).or_default().extend(&file.late_ahead);
        }
        late.retain(|file, _| *file > self.files.late_after());
        late
    }

    /// Settle is another one, or what says when rows should have come: what is known of rows is by the former, and counts no more.
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
    // Those that a file has several rows of, or all where it is live several times, once more.
    let again = |file: &KnownFile, rows, several| if file.facts.entries > 1 { rows } else { several };
    Offsets::in_several(moved.iter().flat_map(|(file, rows, several)| [*rows, again(file, *rows, *several)]))
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::Range;

    use super::*;
    use crate::digest::Digest;
    use crate::position::{PartitionIndex, TopicPartition};
    use crate::shadow::delta::{Delta, Saved};
    use crate::shadow::event::{
        Consumed, Event, LanePart, Look, NewLane, Scanned, SegmentPart, SnapshotFact, Step, Why,
    };
    use crate::shadow::file::{FileBags, FileFacts};
    use crate::shadow::nets::Sign;
    use crate::shadow::terms::{Cut, Terms, TimedBy};

    const LANE: PartitionIndex = PartitionIndex(0);

    fn terms(settle_ms: i64) -> Terms {
        let width = OffsetWidth::new(4).expect("a power of two");
        Terms {
            pipeline: "p".into(),
            settle_ms,
            give_up_ms: 9_000,
            retention_ms: None,
            width,
            whole_topic: true,
            timed: TimedBy::Rows,
            cut: Cut::Offsets,
        }
    }

    fn bag(offsets: &[i64]) -> Bag {
        offsets
            .iter()
            .map(|offset| Digest([u8::try_from(*offset).expect("few") + 1; 32]))
            .collect::<Vec<_>>()
            .iter()
            .collect()
    }

    fn offsets(of: &[i64]) -> Offsets {
        [(LANE, of.iter().map(|offset| (*offset, offset + 1)).collect())].into_iter().collect()
    }

    fn told(late: &[i64]) -> Lateness {
        Lateness::Told { late: offsets(late), untold: 0 }
    }

    fn moved(rows: &[i64], several: &[i64]) -> Lateness {
        Lateness::Moved { rows: offsets(rows), several: offsets(several) }
    }

    /// A shadow with the bodies of its files, and the number of its last snapshot.
    pub(in crate::shadow) struct Play(pub Shadow, BTreeMap<FileId, FileBags>, pub i64);

    impl Play {
        /// Messages 0 to 7 of one partition.
        pub fn new() -> Self {
            Self::over(0, &[(0, 4), (4, 8)], &[])
        }

        /// Messages of one partition that is followed from the first that its log has, by segment, and what its log lost.
        fn over(start: i64, messages: &[(i64, i64)], gaps: &[Range<i64>]) -> Self {
            let mut shadow = Shadow::new(terms(1_000));
            let tp = TopicPartition { topic: "t".into(), partition: 0 };
            let lane = NewLane { tp, start, declared: false, log_start: start, high_watermark: start };
            shadow.apply(Event::Partitions(vec![lane])).expect("a new lane");
            let part = |(from, to): &(i64, i64)| SegmentPart {
                segment: SegmentKey::Offsets { partition: LANE, index: from / 4 },
                bag: bag(&(*from..*to).collect::<Vec<_>>()),
                times: Times { min_ms: Some(0), max_ms: Some(0), untimed: 0 },
                offset_max: to - 1,
                span: (*from, *to),
                excluded: 0,
                undecodable: 0,
            };
            let parts = messages.iter().map(part).collect();
            let (gaps, undecodable, excluded) = (gaps.to_vec(), Vec::new(), BTreeMap::new());
            let to = messages.last().expect("some").1;
            let lanes = vec![LanePart {
                partition: LANE,
                from: start,
                to,
                parts,
                gaps,
                undecodable,
                excluded,
                windows: None,
                versions: Vec::new(),
            }];
            let consumed = Event::Consumed(Consumed { lanes });
            shadow.admit(shadow.pages_of(&consumed).into_iter().map(|key| (key, None)).collect());
            shadow.apply(consumed).expect("it follows the position");
            Self(shadow, BTreeMap::new(), 0)
        }

        fn facts(path: &str) -> FileFacts {
            let (added_by, sequence, size) = (1, Some(1), path.len() as u64);
            let (commit_ms, is_replace, deletes, spec_id) = (None, false, [0; 16], 0);
            let path = path.to_owned();
            FileFacts { path, size, entries: 1, sequence, added_by, commit_ms, is_replace, deletes, spec_id }
        }

        pub fn scan(&mut self, path: &str, rows: &[i64], late: Lateness) {
            let in_segment = |index: i64| rows.iter().copied().filter(|offset| offset / 4 == index).collect::<Vec<_>>();
            let of_segment = |index: i64| (SegmentKey::Offsets { partition: LANE, index }, bag(&in_segment(index)));
            let bags: Vec<_> = [0, 1, 2, 3].map(of_segment).into_iter().filter(|(_, bag)| bag.count > 0).collect();
            let bags = FileBags { bags, rows: rows.len() as u64, late, ..FileBags::default() };
            let (facts, faults) = (Self::facts(path), Vec::new());
            self.0.apply(Event::Scanned(Scanned { facts, bags: bags.clone(), faults, slips: None })).expect("always");
            self.1.insert(self.0.last_file(), bags);
        }

        /// Makes these files the live ones. Late messages, and rows of which nobody knows it.
        pub fn live(&mut self, paths: &[&str]) -> (Option<u64>, u64) {
            let (look, nets) = self.look(paths);
            self.0.apply(Event::Looked(look, nets)).expect("all is scanned");
            self.said()
        }

        fn look(&mut self, paths: &[&str]) -> (Look, Nets) {
            self.2 += 1;
            let (id, operation) = (self.2, "append".to_owned());
            let snapshot = SnapshotFact { id, parent: None, sequence: id, commit_ms: 0, operation };
            let live = paths.iter().map(|path| Self::facts(path)).collect();
            let step = Some(Step { snapshot, uuid: "u".into(), why: Why::Next, live, moved_ms: None });
            let look = Look { at_ms: 100 * self.2, barrier: Vec::new(), step };
            let difference = self.0.difference(&look);
            let mut nets = self.0.nets(&difference);
            for (files, sign) in [(&difference.added, Sign::Added), (&difference.removed, Sign::Removed)] {
                files.iter().for_each(|(file, entries)| nets.add(*file, &self.1[file], *entries, sign));
            }
            (look, nets)
        }

        fn said(&self) -> (Option<u64>, u64) {
            let standing = self.0.standing();
            (standing.late(), standing.untold)
        }

        /// What a restart goes on from.
        pub fn restored(&mut self) -> Shadow {
            let Delta { checkpoint, state, lanes, pages, files_new, residues, totals, .. } = self.0.delta();
            let files = files_new.into_iter().map(|row| row.file).collect();
            let saved = Saved { checkpoint, state, lanes, pages, files, residues, totals, ..Saved::default() };
            Shadow::restore(terms(7), saved).expect("as it was written")
        }
    }

    #[test]
    fn a_rewrite_into_other_files_keeps_which_rows_are_late() {
        let mut play = Play::new();
        play.scan("a", &[0, 1, 2], told(&[1]));
        play.scan("b", &[3, 4, 5, 6, 7], told(&[5, 6]));
        assert_eq!(play.live(&["a", "b"]), (Some(3), 0));
        play.scan("c", &[0, 2, 4, 6], moved(&[0, 2, 4, 6], &[]));
        play.scan("d", &[1, 3, 5, 7], moved(&[1, 3, 5, 7], &[]));
        assert_eq!(play.live(&["c", "d"]), (Some(3), 0));
        // One of the two goes, and comes again with a commit of its own.
        assert_eq!(play.live(&["c"]).0, Some(0), "6 is of a segment that is not settled");
        play.scan("e", &[1, 3, 5, 7], told(&[1, 3, 5, 7]));
        assert_eq!(play.live(&["c", "e"]), (Some(5), 0));
        assert_eq!(play.restored().standing(), play.0.standing());
    }

    #[test]
    fn a_rewrite_that_changes_rows_leaves_nothing_known_of_them() {
        let mut play = Play::new();
        play.scan("a", &[0, 1, 2, 3], told(&[1]));
        play.scan("b", &[4, 5, 6], told(&[5]));
        assert_eq!(play.live(&["a", "b"]), (Some(1), 0), "the second segment waits");
        play.scan("c", &[4, 5, 6, 7], moved(&[4, 5, 6, 7], &[]));
        assert_eq!(play.live(&["a", "c"]), (Some(1), 4));
        play.scan("d", &[0, 1, 2, 3, 4, 5, 6, 7], moved(&[0, 1, 2, 3, 4, 5, 6, 7], &[]));
        assert_eq!(play.live(&["d"]), (Some(1), 7), "what is known to be late stays so");
    }

    #[test]
    fn of_an_offset_with_several_rows_nobody_knows_which_is_which() {
        let mut play = Play::new();
        play.scan("a", &[0, 1, 2, 3], told(&[]));
        play.scan("b", &[1, 2], told(&[1]));
        play.live(&["a", "b"]);
        play.scan("c", &[0, 1, 1, 2, 2, 3], moved(&[0, 1, 2, 3], &[1, 2]));
        play.live(&["c"]);
        assert_eq!(play.said().1, 1, "both rows of 2 came in time");
    }

    #[test]
    fn late_rows_without_a_message_are_kept_and_are_no_late_messages() {
        // The log begins at 5, within a segment, and has lost all of 8 to 11.
        let mut play = Play::over(5, &[(5, 8), (12, 16)], std::slice::from_ref(&(8..12)));
        play.scan("a", &[5, 6, 7, 12, 13, 14, 15], told(&[6, 7, 12, 13]));
        play.scan("b", &[1, 4, 9], told(&[1, 4, 9]));
        assert_eq!(play.live(&["a", "b"]), (Some(2), 0), "with 4 the segment of 6 and 7 is not balanced");
        assert_eq!(play.restored().standing(), play.0.standing());
        play.scan("c", &[1, 4, 5, 6, 7, 9, 12, 13, 14, 15], moved(&[1, 4, 5, 6, 7, 9, 12, 13, 14, 15], &[]));
        assert_eq!(play.live(&["c"]), (Some(2), 0));
        assert_eq!(play.restored().standing(), play.0.standing());
        play.scan("d", &[5, 6, 7, 12, 13, 14, 15], told(&[6, 7, 12, 13]));
        assert_eq!(play.live(&["d"]), (Some(4), 0));
        assert_eq!(play.restored().standing(), play.0.standing());
    }

    #[test]
    fn which_rows_were_moved_is_kept_only_where_late_ones_go_or_a_file_takes_its_place() {
        let mut play = Play::new();
        let kept = |nets: &Nets| nets.late.values().filter(|late| **late != moved(&[], &[])).count();
        play.scan("a", &[0, 1, 2, 3], told(&[]));
        play.scan("b", &[4, 5, 6, 7], told(&[6]));
        play.live(&["a", "b"]);
        play.scan("c", &[0, 1, 2, 3], moved(&[0, 1, 2, 3], &[]));
        assert_eq!(kept(&play.look(&["c", "b"]).1), 0);
        assert_eq!(play.live(&["c", "b"]), (Some(1), 0));
        play.scan("d", &[4, 5, 6, 7], moved(&[4, 5, 6, 7], &[]));
        assert_eq!(kept(&play.look(&["c", "d"]).1), 1);
        assert_eq!(play.live(&["c", "d"]), (Some(1), 0));
        play.scan("c", &[0, 1, 2, 3], moved(&[0, 1, 2, 3], &[]));
        let swap = Look { at_ms: 100 * play.2, barrier: Vec::new(), step: None };
        let difference = play.0.difference(&swap);
        let mut nets = play.0.nets(&difference);
        for (files, sign) in [(&difference.added, Sign::Added), (&difference.removed, Sign::Removed)] {
            files.iter().for_each(|(file, entries)| nets.add(*file, &play.1[file], *entries, sign));
        }
        assert_eq!(kept(&nets), 2);
        play.0.apply(Event::Looked(swap, nets)).expect("all is scanned");
        assert_eq!(play.said(), (Some(1), 0));
    }

    #[test]
    fn by_another_settle_nothing_is_known_of_the_rows_that_are_there() {
        let mut play = Play::new();
        play.scan("a", &[0, 1, 2, 3], told(&[1, 2]));
        assert_eq!(play.live(&["a"]), (Some(2), 0));
        play.0.set_terms(terms(1_000));
        assert_eq!(play.said(), (Some(2), 0), "it is the same");
        play.0.set_terms(terms(2_000));
        assert_eq!(play.said(), (None, 4));
        play.scan("b", &[4, 5, 6, 7], told(&[7]));
        assert_eq!(play.live(&["a", "b"]), (Some(1), 4));
        assert_eq!(play.restored().standing(), play.0.standing());
        play.scan("c", &[0, 1, 2, 3, 4, 5, 6, 7], moved(&[0, 1, 2, 3, 4, 5, 6, 7], &[]));
        assert_eq!(play.live(&["c"]), (Some(1), 7));
    }

    #[test]
    fn once_something_else_tells_nothing_is_known_of_the_rows_that_are_there() {
        let mut play = Play::new();
        let by = |timed| Terms { timed, ..terms(1_000) };
        play.0.set_terms(by(TimedBy::Messages));
        play.scan("a", &[0, 1, 2, 3], told(&[1, 2]));
        assert_eq!(play.live(&["a"]), (Some(2), 0));
        // A restart by the same terms knows it still; then the table gains timestamps.
        play.0 = play.restored();
        play.0.set_terms(by(TimedBy::Messages));
        assert_eq!(play.said(), (Some(2), 0));
        play.0.set_terms(by(TimedBy::Rows));
        assert_eq!(play.said(), (None, 4));
        play.0.set_terms(by(TimedBy::Nobody));
        assert_eq!(play.said(), (None, 4));
    }

    #[test]
    fn a_lateness_comes_back_from_its_bytes() {
        for late in [Lateness::Untold, Lateness::Told { late: offsets(&[3, 4, 9]), untold: 5 }, moved(&[1, 2, 7], &[2])]
        {
            let bags = FileBags { late, ..FileBags::default() };
            assert_eq!(FileBags::from_bytes(&bags.to_bytes()), Ok(bags));
        }
    }
}

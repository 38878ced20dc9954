//! A look at the table: the live set is made equal to that of a snapshot, whatever happened between.
//!
//! Contract: append, replace, delete, rollback and another table are one operation, the difference of two live sets;
//! only what is told of it differs. All changes of a step are summed by segment before any is applied.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::{Blame, Taker};
use super::delta::Change;
use super::event::{Look, Refused, Scanned, Step, Why};
use super::file::{FileId, PathHash};
use super::files::KnownFile;
use super::late::Landings;
use super::late_windows::LateRows;
use super::nets::{Difference, Net, Nets};
use super::residue::Residue;
use super::runs::{Offsets, Runs};
use super::segment::Segment;
use super::slips::{FileSlips, Slips};
use super::{FindingPlace, News, Shadow};
use crate::bag::Bag;
use crate::limits::{GONE_FILES_MAX, SLIPS_MAX, TAKERS_MAX};
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::TableVerdict;

impl Shadow {
    pub(super) fn scanned(&mut self, scanned: Scanned) {
        let Scanned { facts, bags, faults, slips } = scanned;
        let held = self.pages.slips() + self.files.waiting.values().map(KnownFile::held).sum::<usize>();
        let slips = slips.filter(|slips| held + slips.len() <= SLIPS_MAX);
        self.files.last += 1;
        let id = FileId(self.files.last);
        self.unsaved.scanned.insert(id, bags.to_bytes());
        let file = KnownFile {
            id,
            rows: bags.rows,
            out_of_scope: bags.out_of_scope,
            ahead: bags.ahead,
            strangers: bags.strangers,
            faults,
            facts,
            slips,
            untold: 0,
            has_late: false,
            late_ahead: Offsets::default(),
        };
        if let Some(old) = self.files.waiting.insert(file.hash(), file) {
            self.note_gone(&old, self.judged_at_ms);
        }
    }

    /// The number that the last scanned file got.
    pub fn last_file(&self) -> FileId {
        FileId(self.files.last)
    }

    /// The files that a look adds and removes. Without a step: those that were read again take the place of their former
    /// selves.
    pub fn difference(&self, look: &Look) -> Difference {
        let mut difference = Difference::default();
        // Rows that were not below the position when their file was read, and are below the barrier now: their messages are
        // consumed, and would seem to have none.
        let is_ahead = |file: &KnownFile| {
            let reached =
                |(partition, offset, _): &(_, i64, i64)| file.ahead.get(partition).is_some_and(|at| at < offset);
            look.barrier.iter().any(reached)
        };
        let Some(step) = &look.step else {
            for (hash, again) in &self.files.waiting {
                let Some(old) = self.files.live(hash).filter(|old| old.facts.has_rows_of(&again.facts)) else {
                    continue;
                };
                if !is_ahead(again) {
                    difference.removed.push((old.id, old.facts.entries));
                    difference.added.push((again.id, again.facts.entries));
                }
            }
            let barrier = look.barrier.iter().map(|(partition, offset, _)| (*partition, *offset));
            for hash in self.files.overtaken(barrier) {
                let again = self.files.waiting.get(&hash);
                let Some(old) = self.files.live(&hash) else { continue };
                let again = again.filter(|file| file.facts.has_rows_of(&old.facts));
                if is_ahead(again.unwrap_or(old)) {
                    difference.unscanned.push(old.facts.path.clone());
                }
            }
            return difference;
        };
        let mut stays = BTreeSet::new();
        for facts in &step.live {
            let hash = PathHash::of(&facts.path);
            if let Some(old) = self.files.live(&hash).filter(|old| old.facts.has_rows_of(facts)) {
                stays.insert(old.id);
                if is_ahead(old) {
                    difference.unscanned.push(facts.path.clone());
                }
                continue;
            }
            match self.files.waiting.get(&hash).filter(|file| file.facts.has_rows_of(facts) && !is_ahead(file)) {
                Some(file) => difference.added.push((file.id, file.facts.entries)),
                None => difference.unscanned.push(facts.path.clone()),
            }
        }
        let goes = self.files.all_live().filter(|(_, file)| !stays.contains(&file.id));
        difference.removed.extend(goes.map(|(_, file)| (file.id, file.facts.entries)));
        difference
    }

    pub(super) fn looked(&mut self, look: Look, nets: Nets) -> Result<(), Refused> {
        if !self.has_begun() {
            return Err(Refused::NotBegun);
        }
        for (partition, barrier, _) in &look.barrier {
            let lane = self.lane(*partition).ok_or(Refused::UnknownLane(*partition))?;
            if lane.position < *barrier {
                let (partition, position, barrier) = (*partition, lane.position, *barrier);
                return Err(Refused::Barrier { partition, position, barrier });
            }
        }
        let difference = self.difference(&look);
        if !difference.unscanned.is_empty() {
            return Err(Refused::NotScanned { paths: difference.unscanned });
        }
        let ids = |files: &[(FileId, u32)]| files.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>();
        if ids(&difference.added) != nets.added || ids(&difference.removed) != nets.removed {
            return Err(Refused::OtherFiles);
        }
        // Rows whose messages came since their file was read go into another segment, and are the same rows.
        let sum: Bag = nets.segments.values().map(|net| &net.bag).collect();
        let is_preserving = sum.is_empty();
        let is_forward = look.step.as_ref().is_none_or(|step| matches!(step.why, Why::Next | Why::Jumped));
        let Swapped { went, again, mut comes } = self.swap(&nets, look.at_ms, is_forward);
        self.cannot_look = None;
        for (partition, barrier, high_watermark) in &look.barrier {
            let lane = self.lane_mut(*partition).expect("checked above");
            lane.barrier = lane.barrier.max(*barrier);
            lane.high_watermark = lane.high_watermark.max(*high_watermark);
        }
        let before_ms = std::mem::replace(&mut self.judged_at_ms, look.at_ms);
        self.recount_due(before_ms);
        let gone: BTreeSet<FileId> = went.iter().map(|file| file.id).collect();
        let taker = look.step.as_ref().map(|step| Taker::of(step, self.line.cursor.as_ref()));
        for (segment, net) in nets.segments {
            let comes = comes.remove(&segment).unwrap_or_default();
            self.enter(segment, net, comes, &gone, taker);
        }
        for file in went {
            self.note_overtaken(&file, taker);
            self.part(file.ahead_without(None), taker);
        }
        again.into_iter().for_each(|ahead| self.part(ahead, None));
        if let Some(step) = look.step {
            self.move_on(step, is_preserving);
        }
        Ok(())
    }

    /// Files that come take their place, files that go leave it.
    fn swap(&mut self, nets: &Nets, at_ms: i64, is_forward: bool) -> Swapped {
        let Landings { files: mut landings, of_windows, lost } = self.landings(nets, is_forward);
        let mut left: BTreeMap<PathHash, KnownFile> = BTreeMap::new();
        for id in &nets.removed {
            let Some(file) = self.files.leave(*id) else { continue };
            if !file.faults.is_empty() {
                self.forget_judged();
            }
            self.note_gone(&file, at_ms);
            left.insert(file.hash(), file);
        }
        let mut again = Vec::new();
        let mut come: BTreeMap<SegmentKey, Comes> = BTreeMap::new();
        let comes: Vec<(PathHash, KnownFile)> =
            self.files.waiting.extract_if(.., |_, file| nets.added.contains(&file.id)).collect();
        for (hash, mut file) in comes {
            if !file.faults.is_empty() {
                self.forget_judged();
            }
            self.unsaved.came.insert(file.id);
            let of_segments = file.slips.as_mut().map(|slips| std::mem::take(&mut slips.rows)).unwrap_or_default();
            let is_same = left.get(&hash).is_some_and(|old| file.facts.has_rows_of(&old.facts));
            if is_same && let Some(old) = left.remove(&hash) {
                let ahead = file.slips.as_ref().map(|slips| slips.ahead.clone()).unwrap_or_default();
                again.push(old.ahead_without(Some(&FileSlips { rows: of_segments.clone(), ahead })));
            }
            for (segment, of_segment) in of_segments {
                come.entry(segment).or_default().slips.push((file.id, of_segment));
            }
            for (segment, late) in file.land(landings.remove(&file.id).unwrap_or_default(), self.terms.width) {
                come.entry(segment).or_default().late.push((file.id, late));
            }
            self.files.enter(hash, file);
        }
        for (segment, late) in of_windows {
            come.entry(segment).or_default().late_in = Some(late);
        }
        self.lose_late(lost);
        let mut went: Vec<KnownFile> = left.into_values().collect();
        went.sort_by_key(|file| file.id);
        Swapped { went, again, comes: come }
    }

    /// `gone`: of the removed files, those whose rows are live no longer; `comes`: of the added ones.
    fn enter(&mut self, key: SegmentKey, net: Net, comes: Comes, gone: &BTreeSet<FileId>, taker: Option<Taker>) {
        let was_balanced = self.pages.segment(key).is_none_or(super::segment::Segment::is_balanced);
        let is_same = net.bag.is_empty();
        let read = self.residues.get(&key).map(|residue| residue.read_files.keys().copied().collect());
        let read: BTreeSet<FileId> = read.unwrap_or_default();
        let goes = net.removed.iter().any(|file| gone.contains(file));
        if matches!(key, SegmentKey::Keys { .. }) {
            // Which rows are not as they were read their sum tells.
            if self.residues.get(&key).is_some_and(|residue| residue.unreadable) {
                self.put_residue(key, None);
            }
        } else if !net.removed.is_empty() {
            let is_known = !goes || net.removed.iter().all(|file| read.contains(file));
            self.unsettle(key, is_same, taker.filter(|_| !is_known));
        }
        let room = SLIPS_MAX.saturating_sub(self.pages.slips());
        self.change(key, |segment| {
            let has_fresh = net.removed.iter().any(|file| segment.fresh.contains(file));
            // Only of rows that came since it last balanced, and that nobody read, it is not known whose they were.
            let is_read = |file: &FileId| read.contains(file);
            let unknown = |file: &&FileId| gone.contains(file) && segment.fresh.contains(file) && !is_read(file);
            let mut unknown: Vec<FileId> = net.removed.iter().filter(unknown).copied().collect();
            let is_apart = matches!(key, SegmentKey::Nowhere | SegmentKey::Keys { .. });
            unknown.retain(|file| !segment.slips.contains_key(file) && !is_apart);
            let of_removed = |file: &FileId| segment.slips.remove(file).filter(|_| !is_read(file));
            let parted: Vec<Slips> = net.removed.iter().filter_map(of_removed).collect();
            if !is_same && !net.removed.is_empty() {
                segment.forget_fresh(&read);
            }
            take_out(&mut segment.files, &net.removed);
            segment.late.retain(|file, _| !net.removed.contains(file));
            segment.late.extend(comes.late);
            if let Some(late) = comes.late_in {
                segment.late_in = late;
            }
            segment.fresh.retain(|file| !net.removed.contains(file));
            segment.files.extend(&net.added);
            segment.files.sort_unstable();
            if !is_same || has_fresh {
                segment.fresh.extend(&net.added);
                segment.fresh.sort_unstable();
                segment.fresh.dedup();
            }
            segment.take_in(comes.slips, room);
            parted.into_iter().for_each(|slips| segment.let_stand(slips));
            if is_same {
                return;
            }
            segment.credit.merge(&net.bag);
            if was_balanced {
                segment.unproven_min_ms = segment.times.min_ms;
            }
            if goes {
                segment.proven_max = i64::MIN;
                note_unknown(segment, &unknown);
                note_taker(segment, taker);
            }
        });
    }

    /// A step took rows of a segment away that is not balanced.
    pub(super) fn note_taker(&mut self, key: SegmentKey, taker: Option<Taker>) {
        let may =
            |segment: &Segment| !segment.is_balanced() && taker.is_some() && segment.takers.last() != taker.as_ref();
        if self.pages.segment(key).is_some_and(may) {
            self.change(key, |segment| note_taker(segment, taker));
        }
    }

    /// Rows of a drilled segment moved or went. Where they only moved, what is said of it stands until it is read again.
    /// `taker`: what took rows that were not read, among which may be those of messages whose row was known to be gone.
    fn unsettle(&mut self, key: SegmentKey, is_same: bool, taker: Option<Taker>) {
        let from = self.pages.segment(key).map_or(0, |segment| segment.from);
        let Some(residue) = self.residues.get(&key).cloned() else { return };
        let mut now = if is_same { Residue { whole: true, ..residue } } else { residue.learned(from).again(from) };
        if let Some(taker) = taker.filter(|_| !is_same) {
            now.taken.values_mut().for_each(|blame| *blame = Blame { taker, alone: false });
        }
        self.put_residue(key, Some(now));
    }

    fn move_on(&mut self, step: Step, is_preserving: bool) {
        let Step { snapshot, uuid, why, live, moved_ms } = step;
        // What was seen to be added was, whatever is expired since.
        let moved_ms = match why {
            Why::Next | Why::Jumped => moved_ms.max(self.moved_ms),
            // What its own line added it had added by then.
            Why::RolledBack => moved_ms.or(self.moved_ms.filter(|moved| *moved <= snapshot.commit_ms)),
            Why::Recreated => moved_ms,
        };
        self.moved_to(moved_ms);
        if why == Why::Next && snapshot.operation == "replace" && !is_preserving {
            self.tell(TableVerdict::RewriteNotPreserving, snapshot.id, "a rewrite changed rows");
        }
        if why == Why::RolledBack {
            let last = self.line.cursor.as_ref().map_or(snapshot.id, |cursor| cursor.id);
            self.tell(TableVerdict::HistoryRewritten, last, "a snapshot is no longer of the history");
        }
        if why == Why::Recreated {
            // An empty one has no snapshot that could be named: the last of the old one is.
            let last = self.line.cursor.as_ref().map_or(snapshot.id, |cursor| cursor.id);
            let named = if snapshot.is_there() { snapshot.id } else { last };
            self.tell(TableVerdict::HistoryRewritten, named, "the table was dropped and made anew");
        }
        // What was read again of a file that is live no longer is of no use.
        let paths: BTreeSet<PathHash> = match self.files.waiting.is_empty() {
            true => BTreeSet::new(),
            false => live.iter().map(|facts| PathHash::of(&facts.path)).collect(),
        };
        let files = &self.files;
        let is_useful = |(hash, file): &(&PathHash, &KnownFile)| {
            let same = files.live(hash).is_some_and(|old| old.facts.has_rows_of(&file.facts));
            same && paths.contains(hash)
        };
        let useless: Vec<PathHash> =
            files.waiting.iter().filter(|one| !is_useful(one)).map(|(hash, _)| *hash).collect();
        let useless: Vec<KnownFile> = useless.into_iter().filter_map(|hash| self.files.waiting.remove(&hash)).collect();
        for file in useless {
            self.note_gone(&file, self.judged_at_ms);
        }
        self.line.uuid = Some(uuid);
        self.line.cursor = Some(snapshot);
    }

    fn tell(&mut self, verdict: TableVerdict, snapshot: i64, detail: &str) {
        self.news.push(News {
            verdict: verdict.into(),
            cause: None,
            place: FindingPlace::Table { path: format!("snapshot {snapshot}") },
            timestamp_ms: None,
            detail: detail.to_owned(),
            change: Change::Opened,
        });
    }
}

/// Files that may have had rows of messages of which it is not known that they had one.
pub(super) fn note_unknown(segment: &mut Segment, files: &[FileId]) {
    segment.gone.extend(files);
    segment.gone.sort_unstable();
    segment.gone.dedup();
    let surplus = segment.gone.len().saturating_sub(GONE_FILES_MAX);
    segment.unseen |= surplus > 0;
    segment.gone.drain(..surplus);
}

/// A step took rows away; that of several files is one.
fn note_taker(segment: &mut Segment, taker: Option<Taker>) {
    let Some(taker) = taker.filter(|taker| segment.takers.last() != Some(taker)) else { return };
    segment.takes += 1;
    segment.takers.push(taker);
    segment.trim_takers();
}

impl Segment {
    pub(super) fn trim_takers(&mut self) {
        let surplus = self.takers.len().saturating_sub(TAKERS_MAX);
        self.takers.drain(..surplus);
    }
}

/// What became of files in a look.
struct Swapped {
    /// Those whose rows are live no longer.
    went: Vec<KnownFile>,
    /// Of each that was read again, slips of rows ahead that the new reading lacks.
    again: Vec<BTreeMap<PartitionIndex, Slips>>,
    /// What is known of rows of those that came.
    comes: BTreeMap<SegmentKey, Comes>,
}

/// Of files that came, what is known of their rows in one segment.
#[derive(Default)]
struct Comes {
    slips: Vec<(FileId, Slips)>,
    late: Vec<(FileId, Runs)>,
    /// Of windows: where its late rows are from now on, if that is another one.
    late_in: Option<Vec<LateRows>>,
}

/// Takes each of these out once.
fn take_out(files: &mut Vec<FileId>, removed: &[FileId]) {
    for file in removed {
        if let Some(place) = files.iter().position(|one| one == file) {
            files.remove(place);
        }
    }
}

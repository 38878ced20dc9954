//! A look at the table: the live set is made equal to that of a snapshot, whatever happened between.
//!
//! Contract: append, replace, delete, rollback and another table are one operation, the difference of two live sets;
//! only what is told of it differs. All changes of a step are summed by segment before any is applied.

use std::collections::BTreeSet;

use super::event::{Look, Refused, Scanned, Step, Why};
use super::file::{FileId, PathHash};
use super::files::KnownFile;
use super::nets::{Difference, Net, Nets};
use super::residue::Residue;
use super::{FindingPlace, News, Shadow};
use crate::bag::Bag;
use crate::limits::GONE_FILES_MAX;
use crate::segment::SegmentKey;
use crate::verdict::TableVerdict;

impl Shadow {
    pub(super) fn scanned(&mut self, scanned: Scanned) {
        let Scanned { facts, bags, faults } = scanned;
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
        self.swap(&nets, look.at_ms);
        self.cannot_look = None;
        for (partition, barrier, high_watermark) in &look.barrier {
            let lane = self.lane_mut(*partition).expect("checked above");
            lane.barrier = lane.barrier.max(*barrier);
            lane.high_watermark = lane.high_watermark.max(*high_watermark);
        }
        let before_ms = std::mem::replace(&mut self.judged_at_ms, look.at_ms);
        self.recount_due(before_ms);
        for (segment, net) in nets.segments {
            self.enter(segment, net);
        }
        if let Some(step) = look.step {
            self.move_on(step, is_preserving);
        }
        Ok(())
    }

    /// Files that come take their place, files that go leave it.
    fn swap(&mut self, nets: &Nets, at_ms: i64) {
        for id in &nets.removed {
            let Some(file) = self.files.leave(*id) else { continue };
            if !file.faults.is_empty() {
                self.forget_judged();
            }
            self.note_gone(&file, at_ms);
        }
        let comes: Vec<(PathHash, KnownFile)> =
            self.files.waiting.extract_if(.., |_, file| nets.added.contains(&file.id)).collect();
        for (hash, file) in comes {
            if !file.faults.is_empty() {
                self.forget_judged();
            }
            self.unsaved.came.insert(file.id);
            self.files.enter(hash, file);
        }
    }

    fn enter(&mut self, key: SegmentKey, net: Net) {
        let was_balanced = self.pages.segment(key).is_none_or(super::segment::Segment::is_balanced);
        let goes = !net.removed.is_empty();
        let is_same = net.bag.is_empty();
        if goes {
            self.unsettle(key, is_same);
        }
        self.change(key, |segment| {
            take_out(&mut segment.files, &net.removed);
            segment.files.extend(&net.added);
            segment.files.sort_unstable();
            if is_same {
                return;
            }
            segment.credit.merge(&net.bag);
            if was_balanced {
                segment.unproven_min_ms = segment.times.min_ms;
            }
            if goes {
                if was_balanced {
                    segment.stood_below = segment.stood_below.max(segment.upto);
                }
                segment.proven_max = i64::MIN;
                segment.gone.extend(&net.removed);
                segment.gone.sort_unstable();
                segment.gone.dedup();
                let surplus = segment.gone.len().saturating_sub(GONE_FILES_MAX);
                segment.gone.drain(..surplus);
            }
        });
    }

    /// Rows of a drilled segment moved or went. Where they only moved, what is said of it stands until it is read again.
    fn unsettle(&mut self, key: SegmentKey, is_same: bool) {
        let from = self.pages.segment(key).map_or(0, |segment| segment.from);
        let Some(residue) = self.residues.get(&key).cloned() else { return };
        let now = if is_same { Residue { whole: true, ..residue } } else { residue.again(from) };
        self.put_residue(key, Some(now));
    }

    fn move_on(&mut self, step: Step, is_preserving: bool) {
        let Step { snapshot, uuid, why, live } = step;
        if why == Why::Next && snapshot.operation == "replace" && !is_preserving {
            self.tell(TableVerdict::RewriteNotPreserving, snapshot.id, "a rewrite changed rows");
        }
        if why == Why::RolledBack {
            let last = self.line.cursor.as_ref().map_or(snapshot.id, |cursor| cursor.id);
            self.tell(TableVerdict::HistoryRewritten, last, "a snapshot is no longer of the history");
        }
        if why == Why::Recreated {
            self.tell(TableVerdict::HistoryRewritten, snapshot.id, "the table was dropped and made anew");
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
        });
    }
}

/// Takes each of these out once.
fn take_out(files: &mut Vec<FileId>, removed: &[FileId]) {
    for file in removed {
        if let Some(place) = files.iter().position(|one| one == file) {
            files.remove(place);
        }
    }
}

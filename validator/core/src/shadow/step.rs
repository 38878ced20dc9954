//! A look at the table: the live set is made equal to that of a snapshot, whatever happened between.
//!
//! Contract: append, replace, delete, rollback and another table are one operation, the difference of two live sets;
//! only what is told of it differs. All changes of a step are summed by segment before any is applied.

use std::collections::BTreeSet;

use super::event::{Look, Refused, Scanned, Step, Why};
use super::file::{FileId, PathHash};
use super::nets::{Difference, Net, Nets};
use super::residue::Residue;
use super::{FindingPlace, KnownFile, News, Shadow};
use crate::limits::GONE_FILES_MAX;
use crate::segment::SegmentKey;
use crate::verdict::TableVerdict;

impl Shadow {
    pub(super) fn scanned(&mut self, scanned: Scanned) {
        let Scanned { facts, bags, faults } = scanned;
        self.last_file += 1;
        self.unsaved.scanned.insert(FileId(self.last_file), bags.to_bytes());
        let file = KnownFile {
            id: FileId(self.last_file),
            fingerprint: facts.fingerprint(),
            rows: bags.rows,
            out_of_scope: bags.out_of_scope,
            ahead: bags.ahead,
            strangers: bags.strangers,
            faults,
            facts,
        };
        if let Some(old) = self.waiting.insert(PathHash::of(&file.facts.path), file) {
            self.note_gone(&old, self.judged_at_ms);
        }
    }

    /// The number that the last scanned file got.
    pub fn last_file(&self) -> FileId {
        FileId(self.last_file)
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
            for (hash, old) in &self.live {
                let again = self.waiting.get(hash).filter(|file| file.fingerprint == old.fingerprint);
                if is_ahead(again.unwrap_or(old)) {
                    difference.unscanned.push(old.facts.path.clone());
                } else if let Some(file) = again {
                    difference.removed.push((old.id, old.facts.entries));
                    difference.added.push((file.id, file.facts.entries));
                }
            }
            return difference;
        };
        let mut stays = BTreeSet::new();
        for facts in &step.live {
            let (hash, wanted) = (PathHash::of(&facts.path), facts.fingerprint());
            if let Some(old) = self.live.get(&hash).filter(|old| old.fingerprint == wanted) {
                stays.insert(hash);
                if is_ahead(old) {
                    difference.unscanned.push(facts.path.clone());
                }
                continue;
            }
            match self.waiting.get(&hash).filter(|file| file.fingerprint == wanted && !is_ahead(file)) {
                Some(file) => difference.added.push((file.id, file.facts.entries)),
                None => difference.unscanned.push(facts.path.clone()),
            }
        }
        let goes = self.live.iter().filter(|(hash, _)| !stays.contains(hash));
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
        let is_preserving = nets.segments.values().all(|net| net.bag.is_empty());
        self.swap(&nets, look.at_ms);
        self.cannot_look = None;
        for (partition, barrier, high_watermark) in &look.barrier {
            let lane = self.lane_mut(*partition).expect("checked above");
            lane.barrier = lane.barrier.max(*barrier);
            lane.high_watermark = lane.high_watermark.max(*high_watermark);
        }
        self.judged_at_ms = look.at_ms;
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
        let goes: Vec<KnownFile> =
            self.live.extract_if(.., |_, file| nets.removed.contains(&file.id)).map(|(_, file)| file).collect();
        for file in goes {
            self.names.remove(&file.id);
            self.note_gone(&file, at_ms);
        }
        let comes: Vec<(PathHash, KnownFile)> =
            self.waiting.extract_if(.., |_, file| nets.added.contains(&file.id)).collect();
        for (hash, file) in comes {
            self.names.insert(file.id, hash);
            self.unsaved.came.insert(file.id);
            self.live.insert(hash, file);
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
        let Some(residue) = self.residues.get_mut(&key) else { return };
        self.unsaved.residues.insert(key);
        if is_same {
            residue.whole = true;
        } else {
            *residue = Residue::new(from, std::mem::take(&mut residue.stood));
        }
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
        let paths: BTreeSet<PathHash> = live.iter().map(|facts| PathHash::of(&facts.path)).collect();
        // What was read again of a file that is live no longer is of no use.
        let is_live = &self.live;
        let useless: Vec<KnownFile> = self
            .waiting
            .extract_if(.., |hash, file| {
                let same = is_live.get(hash).is_some_and(|old| old.fingerprint == file.fingerprint);
                !(same && paths.contains(hash))
            })
            .map(|(_, file)| file)
            .collect();
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

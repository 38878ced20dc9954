//! What is to be done now: drills, files to be read again, holes to be explained.
//!
//! Contract: a function of the state; bounded; segments whose rows went come first, since their files do not stay.

use super::Shadow;
use super::action::{Action, DrillAsk, RescanWhy};
use super::file::FileId;
use super::residue::Residue;
use super::segment::Segment;
use super::stage::Stage;
use crate::limits::{ACTIONS_MAX, RESIDUE_ENTRIES_MAX};
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;

impl Shadow {
    /// See the module.
    pub fn actions(&self) -> Vec<Action> {
        let mut drills: Vec<(bool, DrillAsk)> = Vec::new();
        let has_room = self.has_room();
        for (key, segment) in self.pages.unbalanced() {
            let ask = match self.stage(key, segment) {
                Stage::ToDrill if has_room => Some(whole(key, segment)),
                Stage::Disputed => self.residues.get(&key).and_then(|residue| more(key, segment, residue)),
                _ => None,
            };
            drills.extend(ask.map(|ask| (segment.gone.is_empty(), ask)));
        }
        drills.sort_by_key(|(stays, ask)| (*stays, ask.segment));
        let mut actions: Vec<Action> = self.rescans().chain(self.questions()).collect();
        actions.extend(drills.into_iter().map(|(_, ask)| Action::Drill(ask)));
        actions.truncate(ACTIONS_MAX);
        actions
    }

    /// Whether a further segment may be drilled.
    pub(super) fn has_room(&self) -> bool {
        self.entries() < RESIDUE_ENTRIES_MAX
    }

    /// Entries of all residues.
    pub fn entries(&self) -> usize {
        self.residues.values().map(Residue::entries).sum()
    }

    fn rescans(&self) -> impl Iterator<Item = Action> {
        let reached = |(partition, offset): (&PartitionIndex, &i64)| {
            self.lane(*partition).is_some_and(|lane| lane.position > *offset)
        };
        let read_again = |hash, id: FileId| self.waiting.get(hash).is_some_and(|file| file.id > id);
        let due =
            self.live.iter().filter(move |(hash, file)| file.ahead.iter().any(reached) && !read_again(hash, file.id));
        due.map(|(_, file)| Action::Rescan { file: file.id, path: file.facts.path.clone(), why: RescanWhy::Ahead })
    }

    /// Holes of pages where a row waits for their reason, or that are passed.
    fn questions(&self) -> impl Iterator<Item = Action> {
        let mut runs = Vec::new();
        for (key, page) in self.pages.unexplained() {
            let Ok(lane) = u32::try_from(key.a) else { continue };
            runs.extend(page.unexplained.iter().map(|(from, to)| (PartitionIndex(lane), *from, *to)));
        }
        (!runs.is_empty()).then_some(Action::Explain(runs)).into_iter()
    }
}

fn distinct(files: &[FileId]) -> Vec<FileId> {
    let mut files = files.to_vec();
    files.dedup();
    files
}

fn whole(segment: SegmentKey, state: &Segment) -> DrillAsk {
    DrillAsk { segment, messages: state.from..state.upto, files: distinct(&state.files), gone: state.gone.clone() }
}

/// What a residue does not have yet.
fn more(key: SegmentKey, segment: &Segment, residue: &Residue) -> Option<DrillAsk> {
    if residue.whole {
        return Some(whole(key, segment));
    }
    if residue.unreadable {
        return None;
    }
    let mut ask = whole(key, segment);
    ask.messages = residue.read_upto..segment.upto;
    ask.files.retain(|file| !residue.read_files.contains_key(file));
    ask.gone.retain(|file| !residue.read_gone.contains(file));
    let is_done = ask.messages.is_empty() && ask.files.is_empty() && ask.gone.is_empty();
    (!is_done).then_some(ask)
}

//! What is to be done now: drills, files to be read again, holes to be explained.
//!
//! Contract: a function of the state; bounded; segments whose rows went come first, since their files do not stay,
//! and those whose last answer did not add up come last, in turn: they hold up no other.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};

use super::Shadow;
use super::action::{Action, DrillAsk, RescanWhy};
use super::file::FileId;
use super::residue::Residue;
use super::segment::Segment;
use super::tally::is_read;
use crate::limits::{ACTIONS_MAX, RESIDUE_ENTRIES_MAX};
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;

impl Shadow {
    /// See the module.
    pub fn actions(&self) -> Vec<Action> {
        let mut actions: Vec<Action> = self.rescans().into_iter().chain(self.questions()).collect();
        actions.extend(self.drills().into_iter().map(Action::Drill));
        actions.truncate(ACTIONS_MAX);
        actions
    }

    /// The first drills: of segments whose rows went, then in order, then those that did not add up.
    fn drills(&self) -> Vec<DrillAsk> {
        let room = if self.has_room() { ACTIONS_MAX } else { 0 };
        let is_first = |(_, key): &&(bool, SegmentKey)| !self.misread.has(key);
        let turn = self.misread.turn();
        let asked = |all| in_turn(all, turn).filter(is_first).copied();
        let mut places: Vec<(bool, SegmentKey)> = asked(&self.board.undrilled).take(room).collect();
        places.extend(asked(&self.board.asked).take(ACTIONS_MAX));
        places.sort_unstable_by_key(|(stays, key)| (is_endless(key), *stays, is_passed(key, turn), *key));
        let ask = |key: SegmentKey| {
            let segment = self.pages.segment(key)?;
            match self.residues.get(&key) {
                Some(_) if self.terms.is_upsert() => Some(whole(key, segment)),
                Some(residue) if self.terms.windows().is_some() => whole_again(key, segment, residue),
                Some(residue) => more(key, segment, residue),
                None => Some(whole(key, segment)),
            }
        };
        let is_asked = |key: &SegmentKey| {
            let is_in =
                |all: &BTreeSet<(bool, SegmentKey)>| [true, false].iter().any(|stays| all.contains(&(*stays, *key)));
            is_in(&self.board.asked) || room > 0 && is_in(&self.board.undrilled)
        };
        let keys = places.into_iter().map(|(_, key)| key).chain(self.misread.in_turn().filter(is_asked));
        keys.filter_map(ask).take(ACTIONS_MAX).collect()
    }

    /// Segments to be read.
    pub(super) fn drills_asked(&self) -> u64 {
        let undrilled = if self.has_room() { self.board.undrilled.len() } else { 0 };
        (undrilled + self.board.asked.len()) as u64
    }

    /// Whether a further segment may be drilled.
    pub(super) fn has_room(&self) -> bool {
        self.residues.entries() < RESIDUE_ENTRIES_MAX
    }

    pub(super) fn rescans(&self) -> Vec<Action> {
        let positions = (0..).map(PartitionIndex).zip(&self.lanes).map(|(partition, lane)| (partition, lane.position));
        let overtaken = self.files.overtaken(positions).into_iter();
        let due = overtaken.filter_map(|hash| {
            let file = self.files.live(&hash)?;
            let read_again = self.files.waiting.get(&hash).is_some_and(|again| again.id > file.id);
            (!read_again).then(|| (file.id, file.facts.path.clone()))
        });
        due.map(|(file, path)| Action::Rescan { file, path, why: RescanWhy::Ahead }).collect()
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

/// What has no window is never over: it comes after all that is.
fn is_endless(key: &SegmentKey) -> bool {
    matches!(key, SegmentKey::Window { start: None, .. })
}

/// Segments of keys come back with each commit: they take turns, from the shard that was answered last.
fn is_passed(key: &SegmentKey, turn: u32) -> bool {
    matches!(key, SegmentKey::Keys { shard } if *shard <= turn)
}

/// In order, of keys from their turn on, and what is endless last.
fn in_turn(all: &BTreeSet<(bool, SegmentKey)>, turn: u32) -> impl Iterator<Item = &(bool, SegmentKey)> {
    let least = SegmentKey::Offsets { partition: PartitionIndex(0), index: i64::MIN };
    let first = SegmentKey::Window { start: None, shard: 0 };
    let next = SegmentKey::Window { start: Some(i64::MIN), shard: 0 };
    let (keys, passed) = (SegmentKey::Keys { shard: 0 }, SegmentKey::Keys { shard: turn });
    let others = move |stays| {
        let before = all.range((stays, least)..(stays, first)).chain(all.range((stays, next)..(stays, keys)));
        let behind = all.range((Excluded((stays, passed)), Included((stays, SegmentKey::Nowhere))));
        before.chain(behind).chain(all.range((stays, keys)..=(stays, passed)))
    };
    let endless = move |stays| all.range((stays, first)..(stays, next));
    [false, true].into_iter().flat_map(others).chain([false, true].into_iter().flat_map(endless))
}

fn distinct(files: &[FileId]) -> Vec<FileId> {
    let mut files = files.to_vec();
    files.dedup();
    files
}

fn whole(segment: SegmentKey, state: &Segment) -> DrillAsk {
    let messages = match segment {
        SegmentKey::Offsets { partition, .. } => vec![(partition, state.from..state.upto)],
        _ => state.stretches(),
    };
    let (files, gone) = (distinct(&state.files), state.gone.clone());
    let entries = match segment {
        SegmentKey::Offsets { .. } => state.upto.abs_diff(state.from),
        SegmentKey::Keys { .. } => state.credit.count,
        _ => state.debit.count,
    };
    DrillAsk { segment, messages, entries, files, gone }
}

/// A segment of a window, whose residue is not of all that it has.
fn whole_again(key: SegmentKey, segment: &Segment, residue: &Residue) -> Option<DrillAsk> {
    let mut ask = whole(key, segment);
    ask.gone.retain(|file| !residue.read_gone.contains(file));
    (!is_read(residue, segment)).then_some(ask)
}

/// What a residue does not have yet.
fn more(key: SegmentKey, segment: &Segment, residue: &Residue) -> Option<DrillAsk> {
    if residue.whole {
        let mut ask = whole(key, segment);
        ask.gone.retain(|file| !residue.read_gone.contains(file));
        return Some(ask);
    }
    if residue.unreadable {
        return None;
    }
    let mut ask = whole(key, segment);
    ask.messages.iter_mut().for_each(|(_, range)| range.start = residue.read_upto);
    ask.entries = ask.offsets();
    ask.files.retain(|file| !residue.read_files.contains_key(file));
    ask.gone.retain(|file| !residue.read_gone.contains(file));
    let is_done = ask.offsets() == 0 && ask.files.is_empty() && ask.gone.is_empty();
    (!is_done).then_some(ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_window_comes_last_however_much_there_is_of_it() {
        let window = |start, shard| SegmentKey::Window { start, shard };
        let offsets = SegmentKey::Offsets { partition: PartitionIndex(3), index: -7 };
        let mut all: BTreeSet<(bool, SegmentKey)> = (0..100).map(|shard| (false, window(None, shard))).collect();
        let others = [
            (false, offsets),
            (false, window(Some(i64::MIN), 1)),
            (false, SegmentKey::Nowhere),
            (true, offsets),
            (true, window(Some(9), 0)),
            (true, SegmentKey::Nowhere),
        ];
        all.extend(others);
        all.insert((true, window(None, 5)));
        let turns: Vec<(bool, SegmentKey)> = in_turn(&all, 0).copied().collect();
        assert_eq!(turns[..6], others);
        assert_eq!((turns.len(), turns[106]), (107, (true, window(None, 5))));
    }

    #[test]
    fn keys_take_turns_and_those_that_nobody_has_read_come_first() {
        let key = |shard| SegmentKey::Keys { shard };
        let all = BTreeSet::from([(false, key(1)), (false, key(5)), (false, key(9)), (true, key(0)), (true, key(7))]);
        let turns: Vec<(bool, SegmentKey)> = in_turn(&all, 5).copied().collect();
        assert_eq!(turns, [(false, key(9)), (false, key(1)), (false, key(5)), (true, key(7)), (true, key(0))]);
        let places: Vec<bool> = turns.iter().map(|(_, key)| is_passed(key, 5)).collect();
        assert_eq!(places, [false, true, true, false, true]);
    }
}

//! Answers to drills: what does not agree joins the residue of its segment.
//!
//! Contract: an answer is taken only if it fits what is asked now: the next offsets, live files that were not read, removed
//! files that are remembered. The bags decide whether it was whole; where they say no, the segment is asked again, and where they
//! say so twice of the same segment, nothing can be said of it.

use std::collections::BTreeSet;

use super::Shadow;
use super::event::{Drilled, Refused, SeenRow};
use super::file::FileId;
use super::page::PageKey;
use super::residue::{ReadShare, Residue, digest16};
use super::segment::Segment;
use super::tally::is_read;
use crate::bag::Bag;
use crate::hole::Holes;
use crate::judge::{MessageEntry, MessageState, RowStanding};
use crate::position::MessageAt;
use crate::segment::SegmentKey;

impl Shadow {
    pub(super) fn drilled(&mut self, mut drilled: Drilled) -> Result<(), Refused> {
        let key = drilled.segment;
        let stale = || Refused::Stale { segment: key };
        let segment = self.pages.segment(key).ok_or_else(stale)?;
        if segment.is_balanced() {
            return Err(stale());
        }
        if matches!(key, SegmentKey::Keys { .. }) {
            return self.drilled_keys(drilled);
        }
        if self.terms.windows().is_some() {
            return self.drilled_window(drilled);
        }
        let before = self.residues.get(&key).filter(|residue| !residue.whole);
        let mut residue = match before {
            Some(residue) => residue.clone(),
            None => match self.residues.get(&key) {
                Some(old) => old.clone().learned(segment.from).again(segment.from),
                None => Residue::new(segment.from),
            },
        };
        if !fits(&drilled, segment, &residue) {
            return Err(stale());
        }
        self.keep_undecodable(&mut drilled);
        let read_before = residue.read_upto;
        let lost = drilled.lost_messages;
        let files: BTreeSet<FileId> = drilled.files.keys().copied().collect();
        join(&mut residue, drilled, segment, self.files.late_after());
        let is_copy = self.has_copy_of_agreed(key, &residue, read_before, &files);
        residue.settle();
        if !is_sound(segment, &residue) {
            if !lost {
                self.note_misreading(key, &residue);
                return Ok(());
            }
            residue = Residue { unreadable: true, ..residue.again(segment.from) };
        }
        self.misread.forget(&key);
        let is_all = is_read(&residue, segment);
        if is_all {
            residue.blame(segment);
        }
        // What was read before is known to have stood; what is read now is, as long as it is kept.
        let learned = self.residues.get(&key).filter(|old| old.whole && !is_copy);
        let learned: BTreeSet<FileId> = learned.map(|old| old.read_files.keys().copied().collect()).unwrap_or_default();
        let has_slips = is_all && !is_copy && !segment.slips.is_empty();
        let old = self.residues.get(&key).filter(|_| is_copy);
        let now = old.map(|old| Residue { whole: true, ..old.clone() }).unwrap_or(residue);
        self.put_residue(key, Some(now));
        if has_slips || !learned.is_empty() {
            self.change(key, |segment| {
                segment.forget_fresh(&learned);
                if is_all {
                    segment.slips.clear();
                }
            });
        }
        Ok(())
    }

    /// The answer to a segment of a window, which is read whole.
    fn drilled_window(&mut self, mut drilled: Drilled) -> Result<(), Refused> {
        let key = drilled.segment;
        let stale = || Refused::Stale { segment: key };
        let segment = self.pages.segment(key).ok_or_else(stale)?;
        let mut files = segment.files.clone();
        files.dedup();
        let is_whole = drilled.messages == segment.stretches() && drilled.files.keys().copied().eq(files);
        if !is_whole || drilled.gone.keys().any(|file| !segment.gone.contains(file)) {
            return Err(stale());
        }
        let old = self.residues.get(&key);
        let mut residue = old.map(|old| old.clone().learned(0).again(0)).unwrap_or_default();
        let learned: BTreeSet<FileId> = old.map(|old| old.read_files.keys().copied().collect()).unwrap_or_default();
        self.keep_strays_undecodable(&mut drilled);
        let lost = drilled.lost_messages;
        for (partition, share) in &segment.shares {
            let of =
                |message: &&MessageEntry| message.at.partition == *partition && message.state == MessageState::Judged;
            let judged = drilled.found.iter().filter(of).count() as u64;
            residue.read.insert(*partition, ReadShare { from: share.from, upto: share.upto, judged, agreed: 0 });
        }
        join(&mut residue, drilled, segment, self.files.late_after());
        self.tell_late(segment, &mut residue);
        residue.read_upto = 0;
        residue.settle_identities();
        if residue.read_debit != segment.debit || residue.read_credit() != segment.credit {
            if !lost {
                self.note_misreading(key, &residue);
                return Ok(());
            }
            residue = Residue { unreadable: true, ..residue.again(0) };
        }
        self.misread.forget(&key);
        // An answer to an older question may lack what removed files say.
        if !residue.unreadable && is_read(&residue, segment) {
            residue.blame(segment);
        }
        self.put_residue(key, Some(residue));
        if !learned.is_empty() {
            self.change(key, |segment| segment.forget_fresh(&learned));
        }
        Ok(())
    }

    /// As [`Shadow::keep_undecodable`]; what cannot be told is in each case beside the segments.
    fn keep_strays_undecodable(&self, drilled: &mut Drilled) {
        let strays =
            self.residues.get(&SegmentKey::Nowhere).map(|strays| strays.messages.as_slice()).unwrap_or_default();
        let is_stray = |at: &MessageAt| strays.binary_search_by_key(at, |stray| stray.at).is_ok();
        for message in drilled.found.iter().filter(|message| is_stray(&message.at)) {
            if let (MessageState::Judged, Some(digest)) = (message.state, &message.digest) {
                drilled.debit.remove(digest);
            }
        }
        let is_told =
            |message: &MessageEntry| !is_stray(&message.at) && !matches!(message.state, MessageState::Undecodable(_));
        drilled.found.retain(is_told);
    }

    /// Messages that could not be told when they were consumed stay so, whatever is known of them now: they are in no debit, and
    /// were told with their cause. What an inexact one is in a debit is not known here: with it an answer does not add up.
    fn keep_undecodable(&self, drilled: &mut Drilled) {
        let Some(page) = self.pages.page(&PageKey::of(drilled.segment).0) else { return };
        for message in &mut drilled.found {
            let Some(cause) = page.undecodable_at(message.at.offset) else { continue };
            if let (MessageState::Judged, Some(digest)) = (message.state, &message.digest) {
                drilled.debit.remove(digest);
            }
            (message.state, message.digest, message.rest) = (MessageState::Undecodable(cause), None, None);
        }
    }

    /// The log or a file gave something else than before: what was read is of no use. Where the same segment gives it once more,
    /// it is read by other terms than it was consumed by, or is not what it was: what its messages are nobody can say, until rows of
    /// it go or move, or the process begins anew.
    pub(super) fn note_misreading(&mut self, key: SegmentKey, residue: &Residue) {
        let Some(segment) = self.pages.segment(key) else { return };
        let is_passing = messages_add_up(segment, residue) && self.is_overtaken(segment);
        let again = residue.again(segment.from);
        if self.misread.note(key, segment.revision) && !is_passing {
            self.misread.forget(&key);
            self.put_residue(key, Some(Residue { unreadable: true, ..again }));
        } else if !matches!(key, SegmentKey::Keys { .. }) && self.residues.get(&key).is_none_or(|old| !old.whole) {
            self.put_residue(key, Some(again));
        }
    }

    /// Whether rows of its files are below the position now and were not when they were scanned: they are scanned again.
    fn is_overtaken(&self, segment: &Segment) -> bool {
        let files = segment.files.iter().filter_map(|file| self.files.named(*file));
        let mut ahead = files.flat_map(|file| &file.ahead);
        ahead.any(|(partition, least)| self.lane(*partition).is_some_and(|lane| *least < lane.position))
    }

    /// Whether a row came whose message agreed and was taken out.
    fn has_copy_of_agreed(&self, key: SegmentKey, residue: &Residue, read: i64, files: &BTreeSet<FileId>) -> bool {
        let SegmentKey::Offsets { partition, .. } = key else { return false };
        let (Some(lane), Some(page)) = (self.lane(partition), self.pages.page(&PageKey::of(key).0)) else {
            return false;
        };
        let is_hole = |offset: i64| {
            let unexplained = page.unexplained.iter().any(|(from, to)| (*from..*to).contains(&offset));
            unexplained || is_in(&page.holes, offset)
        };
        let new = residue.rows.iter().filter(|row| files.contains(&FileId(row.entry.at.file.0)));
        new.filter_map(|row| row.offset)
            .any(|offset| (lane.start..read).contains(&offset) && !residue.holds(offset) && !is_hole(offset))
    }
}

/// Whether the bags say that what was read is what there is.
fn is_sound(segment: &Segment, residue: &Residue) -> bool {
    messages_add_up(segment, residue) && rows_add_up(segment, residue)
}

/// No part of them is more than all.
fn messages_add_up(segment: &Segment, residue: &Residue) -> bool {
    let is_part = residue.read_upto < segment.upto && residue.read_debit.count <= segment.debit.count;
    is_part || residue.read_debit == segment.debit
}

fn rows_add_up(segment: &Segment, residue: &Residue) -> bool {
    let (read, all) = (residue.read_credit(), &segment.credit);
    let is_part = segment.files.iter().any(|file| !residue.read_files.contains_key(file)) && read.count <= all.count;
    is_part || read == *all
}

fn is_in(holes: &Holes, offset: i64) -> bool {
    holes.at(offset).is_some()
}

fn fits(drilled: &Drilled, segment: &Segment, residue: &Residue) -> bool {
    let next = match drilled.messages.as_slice() {
        [(_, messages)] => messages.start == residue.read_upto && messages.end <= segment.upto,
        // Rows that are nowhere have no messages.
        none => none.is_empty() && residue.read_upto == segment.upto,
    };
    let files = drilled.files.keys().all(|file| segment.files.contains(file) && !residue.read_files.contains_key(file));
    let gone = drilled.gone.keys().all(|file| segment.gone.contains(file));
    next && files && gone
}

/// Which rows are late the segment knows, since a rewrite may have moved them; the reading says it of rows without offset that no
/// rewrite moved.
fn join(residue: &mut Residue, drilled: Drilled, segment: &Segment, late_after: FileId) {
    let upto = drilled.messages.iter().map(|(_, range)| range.end).max();
    residue.read_upto = residue.read_upto.max(upto.unwrap_or(i64::MIN));
    residue.read_debit.merge(&drilled.debit);
    // Taken anew at each judging.
    let plain = |message: MessageEntry| MessageEntry { loss: None, stood: false, ..message };
    residue.messages.extend(drilled.found.into_iter().map(plain));
    residue.messages.sort_by_key(|message| message.at);
    for (file, rows) in drilled.files {
        let bag: Bag = rows.iter().map(|row: &SeenRow| &row.entry.digest).collect();
        residue.read_files.insert(file, bag);
        residue.rows.extend(rows.into_iter().map(|mut row| {
            (row.entry.standing, row.entry.hole) = (RowStanding::InScope, None);
            if let Some(offset) = row.offset {
                row.entry.late = segment.is_late(file, offset, late_after);
            }
            row
        }));
    }
    residue.rows.sort_by_key(|row| row.entry.at);
    for (file, rows) in drilled.gone {
        residue.read_gone.insert(file);
        residue.unseen |= rows.is_none();
        residue.stood.extend(rows.into_iter().flatten().map(|row| digest16(&row.entry.digest)));
    }
}

//! Messages that need not have a row any more, since their declared retention is over: whole segments of them.
//!
//! Contract: only of messages that had a row; what never had one is lost, however long ago. Nothing is read for it. See
//! `docs/decisions/0058-declared-removals.md`.

use super::Shadow;
use super::segment::Segment;
use crate::limits::EXPIRED_KEPT_MS;
use crate::position::PartitionIndex;
use crate::segment::SegmentKey;
use crate::verdict::ExcludedCause;

impl Shadow {
    /// Whether all messages of a segment had a row, none has one now, and none need have one any more. Nothing but a letter says
    /// another thing of one of them: where it has no row in its segment nobody looks for it elsewhere.
    pub(super) fn has_expired(&self, key: SegmentKey, segment: &Segment) -> bool {
        let is_over = |last| self.terms.clock(self.judged_at_ms).is_expired(last);
        if !segment.is_without_row() || !is_over(segment.times.max_ms) || !segment.has_stood_whole(key) {
            return false;
        }
        let is_named = match key {
            SegmentKey::Offsets { .. } => self.is_named(key, segment),
            _ => segment.stretches().into_iter().any(|(partition, range)| self.names_any(partition, range)),
        };
        !is_named
    }

    /// Forgets of a segment what is of no use once all of its messages have expired: what was read of it, and later all but how many
    /// they were. Whether there was something.
    pub(super) fn let_expire(&mut self, key: SegmentKey) -> bool {
        let Some(segment) = self.pages.segment(key).filter(|segment| self.has_expired(key, segment)) else {
            return false;
        };
        let kept_ms = self.terms.retention_ms.unwrap_or(i64::MAX).saturating_add(EXPIRED_KEPT_MS);
        let is_long_ago = segment.times.max_ms.is_some_and(|last| last.saturating_add(kept_ms) <= self.judged_at_ms);
        if is_long_ago {
            self.close(key);
        } else if self.residues.has(&key) {
            let residue = self.put_residue(key, None);
            // Of a window it may have rows of messages that are still to come.
            if let Some(residue) = residue.filter(|_| self.terms.windows().is_some()) {
                self.change(key, |segment| segment.let_stand(residue.slips()));
            }
        } else {
            return false;
        }
        true
    }

    /// Messages of a segment are counted, and in no book any more but for where its offsets are.
    fn close(&mut self, key: SegmentKey) {
        let Some(segment) = self.pages.segment(key) else { return };
        let messages: Vec<(PartitionIndex, u64)> = match key {
            SegmentKey::Offsets { partition, .. } => vec![(partition, segment.debit.count)],
            _ => segment.shares.iter().map(|(partition, share)| (*partition, share.judged)).collect(),
        };
        self.change(key, |segment| {
            let Segment { from, upto, excluded, undecodable, hole_offsets, revision, .. } = *segment;
            let closed = Segment { revision, ..Segment::default() };
            *segment = match key {
                // Each offset stays in an account.
                SegmentKey::Offsets { .. } => {
                    let excluded = excluded.saturating_add(u32::try_from(segment.debit.count).unwrap_or(u32::MAX));
                    Segment { from, upto, excluded, undecodable, hole_offsets, ..closed }
                }
                _ => closed,
            };
        });
        messages.into_iter().for_each(|(partition, messages)| self.note_expired(partition, messages));
    }

    /// Judged messages are in no book any more, since they have expired.
    pub(super) fn note_expired(&mut self, partition: PartitionIndex, messages: u64) {
        if let Some(lane) = self.lane_mut(partition).filter(|_| messages > 0) {
            lane.judged -= messages;
            *lane.excluded.entry(ExcludedCause::Expired).or_default() += messages;
        }
    }
}

impl Segment {
    /// Whether it has messages, all of them of a time, and no row.
    pub(super) fn is_without_row(&self) -> bool {
        self.credit.is_empty() && !self.debit.is_empty() && self.times.untimed == 0
    }

    /// Whether each of its messages is known to have had a row.
    pub(super) fn has_stood_whole(&self, key: SegmentKey) -> bool {
        match key {
            SegmentKey::Offsets { .. } => self.stood_below >= self.upto,
            SegmentKey::Window { .. } => self.shares.values().all(|share| share.stood_below >= share.upto),
            SegmentKey::Keys { .. } | SegmentKey::Nowhere => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::late::Lateness;
    use super::super::late::tests::Play;
    use super::super::terms::Terms;
    use super::*;
    use crate::shadow::invariants::{check, check_kept};

    /// Eight messages of the same time that had their rows, of which those of these files are left.
    fn play(left: &[&str], retention_ms: Option<i64>) -> Play {
        let mut play = Play::new();
        play.0.set_terms(Terms { retention_ms, ..play.0.terms().clone() });
        play.scan("a", &[0, 1, 2, 3], Lateness::default());
        play.scan("b", &[4, 5, 6, 7], Lateness::default());
        play.live(&["a", "b"]);
        play.live(left);
        play
    }

    fn said(play: &Play) -> (u64, u64, u64, Option<u64>) {
        check(&play.0).expect("the laws hold");
        check_kept(&play.0).expect("what is kept is what the state says");
        let standing = play.0.standing();
        let (messages, expired) = (standing.messages(), standing.excluded().get(&ExcludedCause::Expired).copied());
        (messages.intact, messages.withdrawn, messages.excluded, expired)
    }

    /// Looks once more, at that instant; a look takes a tenth of a second.
    fn at(play: &mut Play, at_ms: i64, live: &[&str]) -> (u64, u64, u64, Option<u64>) {
        play.2 = at_ms / 100 - 1;
        play.live(live);
        said(play)
    }

    #[test]
    fn rows_that_go_too_early_are_withdrawn_until_their_time_is_up() {
        let mut play = play(&["a"], Some(5_000));
        assert_eq!(said(&play), (4, 4, 0, None));
        assert_eq!(at(&mut play, 4_900, &["a"]), (4, 4, 0, None));
        assert_eq!(at(&mut play, 5_000, &["a"]), (4, 0, 4, Some(4)));
        assert!(play.0.runs().is_empty(), "what was said of them is over");
        assert_eq!(play.restored().standing(), play.0.standing());
        // What is there is compared, however old it is.
        play.scan("b", &[4, 5, 6, 7], Lateness::default());
        assert_eq!(at(&mut play, 9_000, &["a", "b"]), (8, 0, 0, None));
        assert_eq!(at(&mut play, 9_100, &[]), (0, 0, 8, Some(8)));
    }

    #[test]
    fn where_no_retention_is_declared_all_are_withdrawn_until_one_is() {
        let mut play = play(&[], None);
        assert_eq!(at(&mut play, 90_000, &[]), (0, 8, 0, None));
        play.0.set_terms(Terms { retention_ms: Some(80_000), ..play.0.terms().clone() });
        assert_eq!(said(&play), (0, 0, 8, Some(8)));
        play.0.set_terms(Terms { retention_ms: Some(100_000), ..play.0.terms().clone() });
        assert_eq!(said(&play), (0, 8, 0, None));
    }

    #[test]
    fn what_expired_long_ago_is_counted_and_held_no_longer() {
        let mut play = play(&["a"], Some(5_000));
        let end = 5_000 + EXPIRED_KEPT_MS;
        assert_eq!(at(&mut play, end - 100, &["a"]), (4, 0, 4, Some(4)));
        assert_eq!(play.0.standing().segments.bare, 1);
        assert_eq!(at(&mut play, end, &["a"]), (4, 0, 4, Some(4)));
        let standing = play.0.standing();
        assert_eq!((standing.segments.bare, standing.segments.balanced, standing.consumed()), (0, 1, 8));
        // Each offset stays in an account.
        let closed = SegmentKey::Offsets { partition: PartitionIndex(0), index: 1 };
        let closed = play.0.pages.segment(closed).expect("it is there");
        assert_eq!((closed.from, closed.upto, closed.excluded, closed.debit.count), (4, 8, 4, 0));
        assert_eq!(play.restored().standing(), standing);
    }
}

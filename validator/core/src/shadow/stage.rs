//! The stage of a segment: derived from its bags, its times and the clock, never stored.

use super::Shadow;
use super::explain::Shown;
use super::segment::Segment;
use crate::limits::{BARE_STRADDLE_MS, EXPIRED_KEPT_MS, WINDOW_STRADDLE_MS};
use crate::segment::SegmentKey;
use crate::verdict::MessageVerdict;

/// Where a segment is on its way to a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Its bags are equal.
    Balanced,
    /// Of keys: its rows show versions that may be shown, and others are on their way.
    Underway,
    /// It was drilled.
    Disputed,
    /// It has messages and no row, and all of them have this verdict.
    Bare(MessageVerdict),
    /// It is to be drilled.
    ToDrill,
    /// Its messages may still be on their way.
    Open,
}

impl Shadow {
    /// The stage of a held segment. `shown`: of keys, what their rows are.
    pub(super) fn stage_of(&self, key: SegmentKey, segment: &Segment, shown: Option<&Shown>) -> Stage {
        if segment.is_balanced() {
            return Stage::Balanced;
        }
        if shown.is_some_and(|shown| shown.apart.is_empty()) {
            return Stage::Underway;
        }
        if self.residues.has(&key) {
            return Stage::Disputed;
        }
        if matches!(key, SegmentKey::Keys { .. }) {
            return Stage::ToDrill;
        }
        match self.bare(key, segment) {
            Some(verdict) => Stage::Bare(verdict),
            None if self.is_to_drill(segment) => Stage::ToDrill,
            None => Stage::Open,
        }
    }

    fn is_to_drill(&self, segment: &Segment) -> bool {
        let has_lost = !segment.gone.is_empty() || !segment.stood.is_empty() || segment.unseen || segment.is_shaken();
        if segment.debit.is_empty() || has_lost || segment.times.untimed > 0 {
            return true;
        }
        self.terms.clock(self.judged_at_ms).is_due(segment.unproven_min_ms.or(segment.times.min_ms))
    }

    /// The one verdict on all messages of a segment without rows, where it needs no reading.
    fn bare(&self, key: SegmentKey, segment: &Segment) -> Option<MessageVerdict> {
        if self.has_expired(key, segment) {
            return Some(MessageVerdict::Excluded);
        }
        if self.terms.windows().is_some() {
            return self.bare_window(segment);
        }
        let SegmentKey::Offsets { partition, .. } = key else { return None };
        if !segment.credit.is_empty() || segment.debit.is_empty() || segment.times.untimed > 0 {
            return None;
        }
        // Unless a row that may be that of any message comes, nothing else is said of one that is named. Where some are not, the
        // segment is read once the first of them is due.
        if self.is_named(key, segment) {
            let is_diverted = !self.board.may_be_explained && self.are_all_named(key, segment);
            return is_diverted.then_some(MessageVerdict::Diverted);
        }
        let clock = self.terms.clock(self.judged_at_ms);
        let (first, last) = (segment.times.min_ms, segment.times.max_ms);
        // Losses lie at offsets that the segment may hold; a row whose identity is damaged may be that of any message.
        let may_be_explained = self.board.may_be_explained;
        if segment.stood_below >= segment.upto && !may_be_explained {
            // Between the first and the last of them it is read.
            return (!clock.is_expired(first)).then_some(MessageVerdict::Withdrawn);
        }
        let may_have_stood = !segment.gone.is_empty() || !segment.stood.is_empty() || segment.unseen;
        if may_have_stood || segment.stood_below > i64::MIN {
            return None;
        }
        if !clock.is_due(first) {
            return Some(MessageVerdict::Pending);
        }
        let straddles = |passed: i64| self.judged_at_ms.saturating_sub(passed) <= BARE_STRADDLE_MS;
        if !clock.is_due(last) {
            return straddles(first?.saturating_add(clock.settle_ms)).then_some(MessageVerdict::Pending);
        }
        if may_be_explained {
            return None;
        }
        let moved_past = self.board.paired_max.get(&partition).is_some_and(|offset| *offset > segment.offset_max);
        if moved_past || clock.has_given_up(last) {
            return Some(MessageVerdict::Missing);
        }
        if clock.has_given_up(first) {
            return straddles(first?.saturating_add(clock.give_up_ms)).then_some(MessageVerdict::Overdue);
        }
        Some(MessageVerdict::Overdue)
    }

    /// The next instant at which a segment may be in another stage, by the clock alone.
    pub(super) fn next_turn(&self, key: SegmentKey, stage: Stage, segment: &Segment) -> Option<i64> {
        let (first, last) = (segment.times.min_ms, segment.times.max_ms);
        let after = |at: Option<i64>, wait: i64| at.map(|at| at.saturating_add(wait));
        let may_expire = self.terms.retention_ms.filter(|_| segment.is_without_row() && segment.has_stood_whole(key));
        let expires = |at: Option<i64>| may_expire.and_then(|retention| after(at, retention));
        let closes = after(expires(last), EXPIRED_KEPT_MS);
        match stage {
            Stage::Balanced => return None,
            Stage::Disputed => return expires(last).filter(|turn| *turn > self.judged_at_ms),
            Stage::Bare(MessageVerdict::Excluded) => return closes.filter(|turn| *turn > self.judged_at_ms),
            _ => {}
        }
        let (settle, give_up) = (self.terms.settle_ms, self.terms.give_up_ms);
        let straddle_ms = if self.terms.windows().is_some() { WINDOW_STRADDLE_MS } else { BARE_STRADDLE_MS };
        let straddled = |at: Option<i64>| after(at, straddle_ms + 1);
        let turns = [
            after(segment.unproven_min_ms.or(first), settle),
            after(first, settle),
            straddled(after(first, settle)),
            after(last, settle),
            after(first, give_up),
            straddled(after(first, give_up)),
            after(last, give_up),
            expires(first),
            expires(last),
        ];
        turns.into_iter().flatten().filter(|turn| *turn > self.judged_at_ms).min()
    }
}

//! Windows in which messages may have stood that nobody has read: those of holes, by what was read before and behind them.
//!
//! Contract: a row there that no message explains may be that of one that retention took. A hole whose reason nobody has said yet
//! hides as much; the others hide nothing, as in a single run (of compacted topics all windows do; interface.md §4, Holes).

use super::pack::{Reader, Writer};
use crate::hole::{Hole, HoleReason};
use crate::limits::HIDDEN_SPANS_MAX;

/// Windows of which messages before and behind a hole may be in disorder.
const SPARE: i64 = 2;

/// Offsets of a hole that is as small as markers of transactions are: it hides nothing before its reason says so, or rows would be
/// another thing at each commit.
const MARKERS_MAX: i64 = 16;

/// Windows between these, in some disorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// That of a message before; none: there is none.
    after: Option<i64>,
    /// That of a message behind; none: none came yet.
    before: Option<i64>,
}

/// What the holes of one partition hide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hidden {
    /// Holes without a reason, half-open.
    gaps: Vec<(i64, i64, Span)>,
    /// Of messages that are gone.
    lost: Vec<Span>,
    /// The window of a message that was read last.
    last: Option<i64>,
    /// One past the last offset of a message that is gone.
    upto: i64,
}

impl Span {
    /// Messages may be in disorder: the one behind may be the older one.
    fn has(&self, window: i64) -> bool {
        let (least, greatest) = match (self.after, self.before) {
            (Some(after), Some(before)) => (Some(after.min(before)), Some(after.max(before))),
            ends => ends,
        };
        least.is_none_or(|least| window.saturating_add(SPARE) >= least)
            && greatest.is_none_or(|greatest| window <= greatest.saturating_add(SPARE))
    }

    fn ends(&mut self, window: i64) {
        self.before = self.before.or(Some(window));
    }
}

impl Hidden {
    /// Whether a window, or what has none, may have messages that nobody has read.
    pub fn has(&self, window: Option<i64>) -> bool {
        let mut spans = self.lost.iter().chain(self.large().map(|(_, _, span)| span));
        spans.any(|span| window.is_none_or(|window| span.has(window)))
    }

    /// Behind messages below this offset others may be gone: later versions of their keys.
    pub fn upto(&self) -> i64 {
        self.large().map(|(_, to, _)| *to).fold(self.upto, i64::max)
    }

    fn large(&self) -> impl Iterator<Item = &(i64, i64, Span)> {
        self.gaps.iter().filter(|(from, to, _)| to - from > MARKERS_MAX)
    }

    /// Messages were read, the first of this window, with these holes between them.
    pub fn read(&mut self, first: Option<i64>, gaps: impl Iterator<Item = (i64, i64)>) {
        if let Some(first) = first {
            self.gaps.iter_mut().for_each(|(_, _, span)| span.ends(first));
            self.lost.iter_mut().for_each(|span| span.ends(first));
        }
        let span = Span { after: self.last, before: None };
        self.gaps.extend(gaps.map(|(from, to)| (from, to, span)));
        self.last = first.or(self.last);
    }

    /// Messages before the first that is followed are gone, or left aside.
    pub fn cut(&mut self) {
        self.lose(Span { after: None, before: None });
    }

    /// Why offsets are not there.
    pub fn explain(&mut self, hole: &Hole) {
        let mut left = Vec::with_capacity(self.gaps.len());
        let mut lost = Vec::new();
        for (from, to, span) in std::mem::take(&mut self.gaps) {
            let (start, end) = (hole.from.max(from), hole.to.min(to));
            if start >= end {
                left.push((from, to, span));
                continue;
            }
            lost.extend((hole.reason == HoleReason::Retention).then_some(span));
            // Of a compacted topic the last version of each key stays; what nobody knows the reason of may be a marker.
            let hides = match hole.reason {
                HoleReason::Retention => true,
                HoleReason::Unknown => end - start > MARKERS_MAX,
                _ => false,
            };
            if hides {
                self.upto = self.upto.max(end);
            }
            left.extend([(from, start, span), (end, to, span)].into_iter().filter(|(from, to, _)| from < to));
        }
        self.gaps = left;
        lost.into_iter().for_each(|span| self.lose(span));
    }

    fn lose(&mut self, span: Span) {
        if self.lost.contains(&span) {
            return;
        }
        self.lost.push(span);
        // What is too much is one: from the first to the last.
        if self.lost.len() > HIDDEN_SPANS_MAX {
            let after = self.lost.iter().map(|span| span.after).min().flatten();
            let is_open = self.lost.iter().any(|span| span.before.is_none());
            let before = self.lost.iter().filter_map(|span| span.before).max().filter(|_| !is_open);
            self.lost = vec![Span { after, before }];
        }
    }

    pub(super) fn write(&self, to: &mut Writer) {
        let span = |to: &mut Writer, span: &Span| {
            to.maybe(span.after);
            to.maybe(span.before);
        };
        to.number(self.gaps.len() as u64);
        for (from, end, of) in &self.gaps {
            to.signed(*from);
            to.signed(*end);
            span(to, of);
        }
        to.number(self.lost.len() as u64);
        self.lost.iter().for_each(|of| span(to, of));
        to.maybe(self.last);
        to.signed(self.upto);
    }

    pub(super) fn read_back(from: &mut Reader<'_>) -> Option<Self> {
        let span = |from: &mut Reader<'_>| Some(Span { after: from.maybe()?, before: from.maybe()? });
        Some(Self {
            gaps: from.list(|from| Some((from.signed()?, from.signed()?, span(from)?)))?,
            lost: from.list(span)?,
            last: from.maybe()?,
            upto: if from.has_keys() { from.signed()? } else { 0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::pack::whole;

    fn hidden(of: &Hidden) -> Vec<i64> {
        (0..30).filter(|window| of.has(Some(*window))).collect()
    }

    #[test]
    fn a_hole_hides_the_windows_between_its_neighbours_until_its_reason_is_harmless() {
        let mut of = Hidden::default();
        of.read(Some(10), std::iter::empty());
        assert_eq!((hidden(&of), of.has(None)), (vec![], false));
        of.read(None, [(100, 200)].into_iter());
        assert_eq!((hidden(&of), of.has(None)), ((8..30).collect(), true));
        of.read(Some(15), std::iter::empty());
        assert_eq!(hidden(&of), (8..18).collect::<Vec<_>>());
        of.read(Some(20), std::iter::empty());
        of.explain(&Hole { from: 0, to: 150, reason: HoleReason::Control });
        assert_eq!(hidden(&of), (8..18).collect::<Vec<_>>(), "a part of it has no reason yet");
        let mut lost = of.clone();
        of.explain(&Hole { from: 150, to: 300, reason: HoleReason::Aborted });
        assert_eq!(hidden(&of), Vec::<i64>::new());
        lost.explain(&Hole { from: 150, to: 200, reason: HoleReason::Retention });
        lost.read(Some(25), std::iter::empty());
        assert_eq!(hidden(&lost), (8..18).collect::<Vec<_>>());
        let mut to = Writer::new();
        lost.write(&mut to);
        assert_eq!(whole(&to.seal(), "holes", Hidden::read_back), Ok(lost));
    }

    #[test]
    fn messages_around_a_hole_may_be_in_disorder_and_markers_hide_nothing() {
        let mut of = Hidden::default();
        of.read(Some(20), std::iter::empty());
        of.read(None, [(100, 200)].into_iter());
        of.read(Some(10), std::iter::empty());
        assert_eq!(hidden(&of), (8..23).collect::<Vec<_>>());
        let mut of = Hidden::default();
        of.read(Some(20), [(7, 8), (9, 11)].into_iter());
        assert_eq!((hidden(&of), of.has(None)), (vec![], false));
        of.explain(&Hole { from: 9, to: 11, reason: HoleReason::Retention });
        assert_eq!((hidden(&of).len(), of.has(None)), (30, true), "nothing was read before it");
    }

    #[test]
    fn what_lies_before_the_first_message_is_hidden_and_many_holes_are_one() {
        let mut of = Hidden::default();
        of.cut();
        assert_eq!(hidden(&of).len(), 30);
        of.read(Some(5), std::iter::empty());
        assert_eq!(hidden(&of), (0..8).collect::<Vec<_>>());
        for at in 0..=HIDDEN_SPANS_MAX as i64 {
            of.read(Some(9 + at % 2), [(at, at + 1)].into_iter());
            of.read(Some(12 + at), std::iter::empty());
            of.explain(&Hole { from: at, to: at + 1, reason: HoleReason::Retention });
        }
        assert!(of.lost.len() <= HIDDEN_SPANS_MAX && of.has(Some(0)) && of.has(Some(20)));
    }
}

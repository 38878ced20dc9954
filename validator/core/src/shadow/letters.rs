//! Dead letters: which messages they name, by page, and why these were put aside.
//!
//! Contract: evidence and no pairing (0052). A letter decides of its own message alone, and only where no row is paired with it; so
//! no other segment depends on it, nor whether the table has moved past. It may come before its message, after it was judged, or
//! again; what was noted stays. Of causes a page keeps as much as `LETTER_CAUSES_MAX` and `LETTER_TEXTS_BYTES_MAX` say.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::delta::{Change, FindingPlace};
use super::event::{Letter, Refused};
use super::pack::{Reader, Writer};
use super::page::{Page, PageKey};
use super::runs::Runs;
use super::segment::Segment;
use super::told::is_told_once;
use super::verdicts::FindingKey;
use super::{News, Shadow};
use crate::judge::{MessageEntry, MessageState};
use crate::limits::{LETTER_CAUSES_MAX, LETTER_TEXTS_BYTES_MAX};
use crate::position::{MessageAt, PartitionIndex};
use crate::segment::SegmentKey;
use crate::verdict::{Cause, MessageVerdict, UndecodableCause, Verdict};

/// What the letters of one page say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Letters {
    offsets: Runs,
    /// By offset, which of `texts`.
    causes: BTreeMap<i64, u32>,
    /// Each once, in the order in which they came.
    texts: Vec<String>,
}

impl Letters {
    /// Whether a letter says nothing that is not noted.
    fn has(&self, letter: &Letter) -> bool {
        let is_known = letter.cause.is_none() || self.cause(letter.offset).is_some() || !self.has_room(letter);
        self.offsets.has(letter.offset) && is_known
    }

    fn has_room(&self, letter: &Letter) -> bool {
        let Some(text) = &letter.cause else { return false };
        let bytes: usize = self.texts.iter().map(String::len).sum();
        self.causes.len() < LETTER_CAUSES_MAX
            && (self.texts.contains(text) || bytes + text.len() <= LETTER_TEXTS_BYTES_MAX)
    }

    /// Takes note of one; false: its message was named before. The first cause stays.
    fn note(&mut self, letter: Letter) -> bool {
        if self.cause(letter.offset).is_none()
            && self.has_room(&letter)
            && let Some(text) = letter.cause
        {
            let known = self.texts.iter().position(|one| *one == text);
            let place = known.unwrap_or_else(|| {
                self.texts.push(text);
                self.texts.len() - 1
            });
            self.causes.insert(letter.offset, place as u32);
        }
        self.offsets.insert(letter.offset)
    }

    /// Whether they name none.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Whether the message of an offset is named.
    pub fn name(&self, offset: i64) -> bool {
        self.offsets.has(offset)
    }

    /// Why it was put aside, as far as that is known.
    pub fn cause(&self, offset: i64) -> Option<&str> {
        let place = self.causes.get(&offset)?;
        self.texts.get(*place as usize).map(String::as_str)
    }

    pub(super) fn write(&self, to: &mut Writer) {
        self.offsets.write(to);
        to.number(self.texts.len() as u64);
        self.texts.iter().for_each(|text| to.text(text));
        to.number(self.causes.len() as u64);
        for (offset, place) in &self.causes {
            to.signed(*offset);
            to.number(u64::from(*place));
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (offsets, texts) = (Runs::read(from)?, from.list(Reader::text)?);
        let causes = from.list(|from| Some((from.signed()?, from.small()?)))?;
        Some(Self { offsets, causes: causes.into_iter().collect(), texts })
    }
}

impl Page {
    /// Why the message of an offset cannot be told; none: it can, it is not there, or an older build consumed it.
    pub fn undecodable_at(&self, offset: i64) -> Option<UndecodableCause> {
        let holds = |(_, offsets): &(&UndecodableCause, &Runs)| offsets.has(offset);
        self.undecodable.iter().find(holds).map(|(cause, _)| *cause)
    }
}

impl Shadow {
    pub(super) fn pages_named(&self, letters: &[Letter]) -> Vec<PageKey> {
        let at = |letter: &Letter| MessageAt { partition: letter.partition, offset: letter.offset };
        letters.iter().map(|letter| self.page_of(at(letter))).collect()
    }

    pub(super) fn note_letters(&mut self, letters: Vec<Letter>) -> Result<(), Refused> {
        if let Some(letter) = letters.iter().find(|letter| self.lane(letter.partition).is_none()) {
            return Err(Refused::UnknownLane(letter.partition));
        }
        let (mut named, mut messages, mut undecodable) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for letter in letters {
            let (partition, offset) = (letter.partition, letter.offset);
            let start = self.lane(partition).map_or(i64::MAX, |lane| lane.start);
            let key = self.terms.width.segment_of(partition, offset);
            let (page, _) = PageKey::of(key);
            // One that is read again is written nowhere again.
            let is_known = self.pages.page(&page).is_some_and(|page| page.letters.has(&letter));
            if is_known || !(start..i64::MAX).contains(&offset) {
                continue;
            }
            let page = self.pages.page_mut(page);
            let cause = page.undecodable_at(offset);
            if !page.letters.note(letter) {
                continue;
            }
            named.insert(key);
            messages.insert(MessageAt { partition, offset });
            if let Some(cause) = cause {
                undecodable.insert(FindingPlace::Message { lane: partition, offset }, cause);
                self.lane_mut(partition).expect("checked above").diverted_undecodable += 1;
            }
        }
        self.tell_diverted(undecodable);
        if self.terms.windows().is_some() && !named.is_empty() {
            self.forget_judged();
            self.recount_keys();
            self.recount_named(&messages);
        }
        for key in named {
            if self.residues.has(&key) {
                self.forget_judged();
            }
            self.recount(key);
        }
        Ok(())
    }

    /// What was told of messages that cannot be told is true no longer: they were put aside.
    fn tell_diverted(&mut self, mut undecodable: BTreeMap<FindingPlace, UndecodableCause>) {
        let (was, verdict) = (Verdict::Message(MessageVerdict::Undecodable), MessageVerdict::Diverted.into());
        // What the ledger does not have yet.
        for news in self.news.iter_mut().filter(|news| news.verdict == was) {
            if undecodable.remove(&news.place).is_some() {
                (news.verdict, news.cause) = (verdict, None);
            }
        }
        for (place, cause) in undecodable {
            let (cause, detail) = (Cause::Undecodable(cause), cause.as_str().to_owned());
            let now = News { verdict, cause: None, place, timestamp_ms: None, detail, change: Change::Opened };
            let over = News { verdict: was, cause: Some(cause), change: Change::Resolved, ..now.clone() };
            self.news.extend([over, now]);
        }
    }

    /// Whether one of the consumed messages of a segment is named.
    pub(super) fn is_named(&self, key: SegmentKey, segment: &Segment) -> bool {
        let page = self.pages.page(&PageKey::of(key).0);
        page.is_some_and(|page| page.letters.offsets.meets(&(segment.from..segment.upto)))
    }

    /// Whether a letter names a message of these offsets.
    pub(super) fn names_any(&self, partition: PartitionIndex, offsets: Range<i64>) -> bool {
        let page_of = |offset: i64| PageKey::of(self.terms.width.segment_of(partition, offset)).0;
        let mut pages = self.pages.between(page_of(offsets.start), page_of(offsets.end));
        pages.any(|page| page.letters.offsets.meets(&offsets))
    }

    /// Whether all messages of a segment that ask for a row are named, as far as that is known without reading them.
    pub(super) fn are_all_named(&self, key: SegmentKey, segment: &Segment) -> bool {
        let Some(page) = self.pages.page(&PageKey::of(key).0).filter(|_| segment.excluded == 0) else { return false };
        let (range, named) = (segment.from..segment.upto, &page.letters.offsets);
        let clipped = |from: i64, to: i64| named.count(from.max(range.start)..to.min(range.end));
        let of_explained: u64 = page.holes.runs().iter().map(|hole| clipped(hole.from, hole.to)).sum();
        let of_holes = of_explained + page.unexplained.iter().map(|(from, to)| clipped(*from, *to)).sum::<u64>();
        // An older build did not say which messages cannot be told.
        let undecodable: u64 = page.undecodable.values().map(|offsets| offsets.count(range.clone())).sum();
        let runs = page.undecodable.values().flat_map(|offsets| offsets.within(range.clone()));
        let of_undecodable: u64 = runs.map(|run| named.count(run)).sum();
        undecodable == u64::from(segment.undecodable)
            && named.count(range.clone()) == segment.debit.count + of_holes + of_undecodable
    }

    /// Of the messages of residues, those that are named.
    pub(super) fn named(&self) -> BTreeSet<MessageAt> {
        let mut named = BTreeSet::new();
        if self.terms.windows().is_some() {
            let messages = self.residues.values().flat_map(|residue| &residue.messages).map(|message| message.at);
            named.extend(messages.filter(|at| self.is_put_aside(*at)));
            return named;
        }
        for (key, residue) in self.residues.iter() {
            let Some(page) = self.pages.page(&PageKey::of(*key).0).filter(|page| !page.letters.offsets.is_empty())
            else {
                continue;
            };
            let is_known = |message: &&MessageEntry| match message.state {
                MessageState::Undecodable(_) => page.undecodable_at(message.at.offset).is_some(),
                MessageState::Judged | MessageState::Excluded(_) => true,
            };
            let messages = residue.messages.iter().filter(|message| page.letters.name(message.at.offset));
            named.extend(messages.filter(is_known).map(|message| message.at));
        }
        named
    }

    /// Why a message was put aside, as far as its letter says.
    pub fn put_aside_for(&self, at: MessageAt) -> Option<&str> {
        self.pages.page(&self.page_of(at))?.letters.cause(at.offset)
    }

    /// The page that says it: it may have to be taken in first.
    pub fn page_of(&self, at: MessageAt) -> PageKey {
        PageKey::of(self.terms.width.segment_of(at.partition, at.offset)).0
    }

    /// Whether an event tells this, and not the state.
    pub(super) fn is_of_event(&self, (place, verdict): &FindingKey) -> bool {
        let is_undecodable = |partition: PartitionIndex, offset: i64| {
            let page = self.pages.page(&self.page_of(MessageAt { partition, offset }));
            page.is_some_and(|page| page.undecodable_at(offset).is_some())
        };
        match place {
            FindingPlace::Message { lane, offset } if *verdict == MessageVerdict::Diverted.into() => {
                is_undecodable(*lane, *offset)
            }
            _ => is_told_once(*verdict),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack::whole;
    use super::*;

    fn letter(offset: i64, cause: Option<String>) -> Letter {
        Letter { partition: PartitionIndex(0), offset, cause }
    }

    #[test]
    fn the_first_cause_stays_and_a_letter_that_is_read_again_says_nothing_new() {
        let mut letters = Letters::default();
        assert!(letters.note(letter(5, None)) && !letters.has(&letter(5, Some("E: late".to_owned()))));
        assert!(!letters.note(letter(5, Some("E: late".to_owned()))), "its message was named before");
        assert!(letters.has(&letter(5, Some("E: other".to_owned()))) && letters.has(&letter(5, None)));
        assert!(!letters.note(letter(5, Some("E: other".to_owned()))));
        assert_eq!((letters.cause(5), letters.cause(6), letters.name(6)), (Some("E: late"), None, false));
    }

    #[test]
    fn causes_are_bounded_and_offsets_are_not() {
        let mut letters = Letters::default();
        let most = i64::try_from(LETTER_CAUSES_MAX).expect("few");
        for offset in 0..4 * most {
            assert!(letters.note(letter(offset * 2, Some(format!("{offset} {}", "x".repeat(400))))));
        }
        let bytes: usize = letters.texts.iter().map(String::len).sum();
        assert!(bytes <= LETTER_TEXTS_BYTES_MAX && !letters.causes.is_empty(), "{bytes}");
        assert!((0..4 * most).all(|offset| letters.name(offset * 2) && !letters.name(offset * 2 + 1)));
        assert!(letters.has(&letter(8 * most - 2, Some("x".repeat(410)))), "there is no room for its cause");
        let mut many = Letters::default();
        (0..4 * most).for_each(|offset| _ = many.note(letter(offset, Some("E".to_owned()))));
        assert_eq!((many.causes.len(), many.texts.len()), (LETTER_CAUSES_MAX, 1));
        for letters in [letters, many] {
            let mut to = Writer::new();
            letters.write(&mut to);
            assert_eq!(whole(&to.seal(), "letters", Letters::read), Ok(letters));
        }
    }
}

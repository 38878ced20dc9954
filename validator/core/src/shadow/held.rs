//! The pages that a shadow holds: all with a segment that is not balanced, and what an event needs.

use std::collections::{BTreeMap, BTreeSet};

use super::page::{Page, PageKey};
use super::segment::Segment;
use crate::segment::SegmentKey;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pages {
    held: BTreeMap<PageKey, Page>,
    dirty: BTreeSet<PageKey>,
    unbalanced: BTreeSet<SegmentKey>,
    unexplained: BTreeSet<PageKey>,
    /// Slips of all segments that are held.
    slips: usize,
    /// Whether pages with letters stay: segments do not say which pages have letters of their messages.
    keeps_letters: bool,
}

impl Pages {
    /// None; whether those with letters stay.
    pub fn new(keeps_letters: bool) -> Self {
        Self { keeps_letters, ..Self::default() }
    }

    /// Slips of all segments.
    pub fn slips(&self) -> usize {
        self.slips
    }

    /// Takes a page in, unless it is held.
    pub fn admit(&mut self, key: PageKey, page: Option<Page>) {
        if self.held.contains_key(&key) {
            return;
        }
        let page = page.unwrap_or_default();
        for (slot, segment) in page.iter() {
            self.slips += segment.slips();
            if let Some(segment_key) = key.segment(slot)
                && !segment.is_balanced()
            {
                self.unbalanced.insert(segment_key);
            }
        }
        if !page.unexplained.is_empty() {
            self.unexplained.insert(key);
        }
        self.held.insert(key, page);
    }

    /// Whether it is held.
    pub fn holds(&self, key: &PageKey) -> bool {
        self.held.contains_key(key)
    }

    /// A segment of a held page.
    pub fn segment(&self, key: SegmentKey) -> Option<&Segment> {
        let (page, slot) = PageKey::of(key);
        self.held.get(&page)?.slots[slot].as_deref()
    }

    /// A held page.
    pub fn page(&self, key: &PageKey) -> Option<&Page> {
        self.held.get(key)
    }

    /// Held pages from the first to the last.
    pub fn between(&self, first: PageKey, last: PageKey) -> impl Iterator<Item = &Page> {
        self.held.range(first..=last).map(|(_, page)| page)
    }

    /// A held page, to be changed.
    pub fn page_mut(&mut self, key: PageKey) -> &mut Page {
        self.dirty.insert(key);
        self.held.entry(key).or_default()
    }

    /// Takes a segment of a held page out, to be changed and put back.
    pub(super) fn take(&mut self, key: SegmentKey) -> Option<Box<Segment>> {
        let (page, slot) = PageKey::of(key);
        let segment = self.held.get_mut(&page)?.slots[slot].take()?;
        self.slips -= segment.slips();
        Some(segment)
    }

    /// Puts a segment in its place.
    pub(super) fn put(&mut self, key: SegmentKey, segment: Box<Segment>) {
        if segment.is_balanced() {
            self.unbalanced.remove(&key);
        } else {
            self.unbalanced.insert(key);
        }
        self.slips += segment.slips();
        let (page, slot) = PageKey::of(key);
        self.page_mut(page).slots[slot] = Some(segment);
    }

    /// Notes that holes of a page have or have no reason.
    pub fn note_explained(&mut self, key: PageKey) {
        let explained = self.held.get(&key).is_none_or(|page| page.unexplained.is_empty());
        if explained {
            self.unexplained.remove(&key);
        } else {
            self.unexplained.insert(key);
        }
    }

    /// Segments that are not balanced, in order.
    pub fn unbalanced(&self) -> impl Iterator<Item = (SegmentKey, &Segment)> {
        self.unbalanced.iter().filter_map(|key| Some((*key, self.segment(*key)?)))
    }

    /// Of them, those from the first to the last.
    pub fn unbalanced_between(&self, first: SegmentKey, last: SegmentKey) -> Vec<SegmentKey> {
        self.unbalanced.range(first..=last).copied().collect()
    }

    /// Pages with holes that nobody has explained.
    pub fn unexplained(&self) -> impl Iterator<Item = (&PageKey, &Page)> {
        self.unexplained.iter().filter_map(|key| Some((key, self.held.get(key)?)))
    }

    /// All held pages.
    pub fn iter(&self) -> impl Iterator<Item = (&PageKey, &Page)> {
        self.held.iter()
    }

    /// Pages that changed since the last checkpoint.
    pub fn dirty(&self) -> impl Iterator<Item = (&PageKey, &Page)> {
        self.dirty.iter().filter_map(|key| Some((key, self.held.get(key)?)))
    }

    /// The ledger has all.
    pub fn saved(&mut self) {
        self.dirty.clear();
    }

    /// Lets settled pages go that the ledger has, but for the newest `most`.
    pub fn let_go(&mut self, most: usize) {
        let surplus = self.held.len().saturating_sub(most);
        if surplus == 0 {
            return;
        }
        let goes = self.held.keys().filter(|key| !self.dirty.contains(key) && !self.is_unsettled(key));
        for key in goes.take(surplus).copied().collect::<Vec<_>>() {
            let page = self.held.remove(&key).unwrap_or_default();
            self.slips -= page.iter().map(|(_, segment)| segment.slips()).sum::<usize>();
        }
    }

    /// Whether a restart reads it.
    pub fn is_needed(&self, page: &Page) -> bool {
        page.is_unsettled() || self.keeps(page)
    }

    fn keeps(&self, page: &Page) -> bool {
        self.keeps_letters && !page.letters.is_empty()
    }

    fn is_unsettled(&self, key: &PageKey) -> bool {
        let (Some(first), Some(last)) = (key.segment(0), key.last_segment()) else { return true };
        if self.held.get(key).is_some_and(|page| self.keeps(page)) {
            return true;
        }
        self.unexplained.contains(key) || self.unbalanced.range(first..=last).next().is_some()
    }
}

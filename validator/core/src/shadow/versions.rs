//! The versions of one key of an upsert table.
//!
//! Contract: in their order (partition, offset). Those before the last one that the table has to show are superseded, and go; of some it is
//! kept by what a row is known that shows one of them. Source: docs/decisions/0017-versions-on-their-way.md.

use std::collections::BTreeMap;

use super::slips::{Mark, mark_of};
use crate::clock::{Clock, MovedPast};
use crate::digest::Digest;
use crate::judge::{MessageEntry, MessageState, is_version};
use crate::limits::{KEY_FORMER_MAX, KEY_SPARED_MS, KEY_VERSIONS_MAX, KEY_VERSIONS_SPARED};
use crate::position::{MessageAt, PartitionIndex};
use crate::verdict::ExcludedCause;

/// Which versions the table has to show: those that are due, and that it has moved past or that are given up.
#[derive(Debug)]
pub struct Hands {
    pub(super) clock: Clock,
    moved_past: MovedPast,
    /// The same for a while.
    moved_far_past: MovedPast,
}

impl Hands {
    /// By the clock, and when rows were last added.
    pub fn new(clock: Clock, moved_ms: Option<i64>) -> Self {
        let moved_past = |settle_ms: i64| MovedPast::LastCommit { at_ms: moved_ms, settle_ms };
        let far = moved_past(clock.settle_ms.saturating_add(KEY_SPARED_MS));
        Self { clock, moved_past: moved_past(clock.settle_ms), moved_far_past: far }
    }

    pub(super) fn have(&self, version: &MessageEntry) -> bool {
        self.have_proven(version)
            || self.clock.is_due(version.timestamp_ms) && self.clock.has_given_up(version.timestamp_ms)
    }

    /// By the commits of the table too: where a clock went wrong, it still is so.
    fn have_proven(&self, version: &MessageEntry) -> bool {
        self.clock.is_due(version.timestamp_ms) && self.moved_past.has_passed(version.at, version.timestamp_ms)
    }

    /// The same, for so long that the table is not set back behind it.
    pub(super) fn far_of(&self, versions: &[MessageEntry]) -> Option<usize> {
        let is_far = |version: &MessageEntry| {
            let at_ms = version.timestamp_ms;
            self.clock.is_due(at_ms) && self.moved_far_past.has_passed(version.at, at_ms)
        };
        versions.iter().rposition(|version| is_version(version.state) && is_far(version))
    }

    /// The place of the last version that commits of the table have passed.
    fn proven_of(&self, versions: &[MessageEntry]) -> Option<usize> {
        versions.iter().rposition(|version| is_version(version.state) && self.have_proven(version))
    }

    /// The place of the last version that the table has to show.
    pub(super) fn settled_of(&self, versions: &[MessageEntry]) -> Option<usize> {
        versions.iter().rposition(|version| is_version(version.state) && self.have(version))
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Versions {
    /// Those that the row may show; where there is none, what is filtered.
    pub live: Vec<MessageEntry>,
    /// Of those that went, the last ones: by the beginning of its digest a row is known to be an old one.
    pub former: Vec<Mark>,
    /// Whether some went before their time, so that a row may show one of them, and none that stayed has to be shown.
    pub is_blurred: bool,
    /// Of the live ones whose values an earlier one has too, in order: those that a row was equal to while they were there.
    pub equalled: Vec<MessageAt>,
}

impl Versions {
    /// Takes a message in.
    pub fn put(&mut self, message: MessageEntry) {
        let is_filtered = |one: &MessageEntry| one.state == MessageState::Excluded(ExcludedCause::Filter);
        // What is filtered says only why a row is there, where nothing else does.
        if is_filtered(&message) && !(self.live.is_empty() && self.former.is_empty()) {
            return;
        }
        self.live.retain(|one| !is_filtered(one));
        let place = self.live.partition_point(|one| one.at < message.at);
        self.live.insert(place, message);
    }

    /// The last one, with its place.
    pub fn last(&self) -> Option<(usize, &MessageEntry)> {
        self.live.iter().enumerate().rev().find(|(_, version)| is_version(version.state))
    }

    /// Those that ask for a row, with their places.
    pub fn judged(&self) -> impl Iterator<Item = (usize, &MessageEntry)> {
        self.live.iter().enumerate().filter(|(_, version)| version.state == MessageState::Judged)
    }

    /// Whether a row that shows a version is of no earlier one: where values come back, the row may be that of the first.
    pub fn is_told_apart(&self, at: usize) -> bool {
        let own = &self.live[at];
        let is_equal = |one: &MessageEntry| one.digest == own.digest;
        let was_there = || own.digest.is_some_and(|digest| self.former.contains(&mark_of(&digest)));
        let is_first = !self.live[..at].iter().any(is_equal) && !was_there();
        own.state == MessageState::Judged && is_first && !self.is_blurred
    }

    /// Notes that a row shows a version.
    pub fn note_shown(&mut self, at: usize) {
        if self.is_told_apart(at) {
            self.live[at].stood = true;
        } else if self.live[at].state == MessageState::Judged && !self.has_equalled(at) {
            let own = self.live[at].at;
            self.equalled.insert(self.equalled.partition_point(|one| *one < own), own);
        }
    }

    /// Whether that is noted.
    pub fn is_noted(&self, at: usize) -> bool {
        self.live[at].stood || self.live[at].state != MessageState::Judged || self.has_equalled(at)
    }

    /// Whether a row was equal to a version while it was there, be it that of an earlier one: it lacked none.
    fn has_equalled(&self, at: usize) -> bool {
        self.equalled.binary_search(&self.live[at].at).is_ok()
    }

    /// Whether a version had a row, and need not have it any more.
    pub fn is_expired(&self, at: usize, clock: &Clock) -> bool {
        let version = &self.live[at];
        let had_row = version.stood || self.has_equalled(at);
        version.state == MessageState::Judged && had_row && clock.is_expired(version.timestamp_ms)
    }

    /// A version as the judge is asked of it: of one that need not have a row any more it is known that it had one.
    pub fn entry(&self, at: usize, clock: &Clock) -> MessageEntry {
        MessageEntry { stood: self.live[at].stood || self.is_expired(at, clock), ..self.live[at] }
    }

    /// Whether these rows are what the last version asks for.
    pub fn agree(&self, rows: &[Digest]) -> bool {
        match self.last() {
            Some((_, last)) if last.state == MessageState::Judged => rows.len() == 1 && last.digest == Some(rows[0]),
            _ => rows.is_empty(),
        }
    }

    /// What the judge is asked where these are the rows: all of them, and why a row may be what none of them says, where none has to be
    /// shown.
    pub fn asked(&self, rows: &[Digest], hands: &Hands) -> impl Iterator<Item = MessageEntry> {
        let before = |state: ExcludedCause, digest: Option<Digest>| MessageEntry {
            at: MessageAt { partition: PartitionIndex(0), offset: i64::MIN },
            timestamp_ms: None,
            identity: None,
            digest,
            rest: None,
            state: MessageState::Excluded(state),
            loss: None,
            stood: false,
        };
        let is_cut = self.is_blurred || !self.former.is_empty();
        let blurred =
            (is_cut && hands.settled_of(&self.live).is_none()).then(|| before(ExcludedCause::BeforeStart, None));
        let was = rows.iter().filter(|row| self.former.contains(&mark_of(row)));
        let was = was.map(move |row| before(ExcludedCause::Superseded, Some(*row)));
        let live = (0..self.live.len()).map(|at| self.entry(at, &hands.clock));
        blurred.into_iter().chain(was.collect::<Vec<_>>()).chain(live)
    }

    /// Lets those go that nothing asks for any more; by partition, the judged ones of them.
    pub fn prune(&mut self, hands: &Hands, gone: &mut BTreeMap<PartitionIndex, u64>) {
        let is_live = |version: &MessageEntry| is_version(version.state);
        let (proven, far) = (hands.proven_of(&self.live), hands.far_of(&self.live));
        let count = self.live.iter().filter(|version| is_live(version)).count();
        let (mut idle, mut surplus) =
            (count.saturating_sub(KEY_VERSIONS_SPARED), count.saturating_sub(KEY_VERSIONS_MAX));
        let (mut at, mut is_early) = (0, self.is_blurred);
        self.live.retain(|version| {
            at += 1;
            let is_past = Some(at - 1) < far || Some(at - 1) < proven && idle > 0;
            if !is_live(version) || !is_past && surplus == 0 {
                return true;
            }
            (idle, surplus) = (idle.saturating_sub(1), surplus.saturating_sub(1));
            is_early |= !is_past;
            if version.state == MessageState::Judged {
                *gone.entry(version.at.partition).or_default() += 1;
            }
            self.former.extend(version.digest.as_ref().map(mark_of));
            false
        });
        let live = &self.live;
        self.equalled.retain(|at| live.binary_search_by_key(at, |version| version.at).is_ok());
        self.former.drain(..self.former.len().saturating_sub(KEY_FORMER_MAX));
        // Until a later one has to be shown nothing is said of a row that may show one of them.
        self.is_blurred = is_early && hands.settled_of(&self.live).is_none();
    }
}

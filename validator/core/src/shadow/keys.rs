//! The keys of one segment of an upsert table: of each the versions that its row may show.
//!
//! Contract: versions stand in their order (partition, offset). Those before the last one that the table has to show go, but for some: they
//! are superseded. Which of the others its row shows the sum of the rows tells: of digests no other choice has that
//! sum. Source: docs/decisions/0017-versions-on-their-way.md, 0057-keys-that-are-followed.md.

use std::collections::BTreeMap;

use crate::bag::Bag;
use crate::clock::{Clock, MovedPast};
use crate::digest::{Digest, IdentityHash};
use crate::judge::{MessageEntry, MessageState, is_version};
use crate::limits::{KEY_CHOICES_MAX, KEY_FORMER_MAX, KEY_VERSIONS_MAX, KEY_VERSIONS_SPARED, KEYS_OF_SEGMENT_MAX};
use crate::position::PartitionIndex;
use crate::verdict::ExcludedCause;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys(pub(super) BTreeMap<IdentityHash, Vec<MessageEntry>>);

/// Which versions the table has to show: those that are due, and that it has moved past or that are given up.
#[derive(Debug)]
pub struct Hands {
    clock: Clock,
    moved_past: MovedPast,
}

impl Hands {
    /// By the clock, and when rows were last added.
    pub fn new(clock: Clock, moved_ms: Option<i64>) -> Self {
        Self { clock, moved_past: MovedPast::LastCommit { at_ms: moved_ms, settle_ms: clock.settle_ms } }
    }

    fn have(&self, version: &MessageEntry) -> bool {
        let at_ms = version.timestamp_ms;
        let passed = self.moved_past.has_passed(version.at, at_ms);
        self.clock.is_due(at_ms) && (passed || self.clock.has_given_up(at_ms))
    }
}

/// What the row of one key may be, and the version that it then shows, by its place; none: there is no row, and no deletion says so.
type Choice = (Option<Digest>, Option<usize>);

/// By key, in order, the place of the version that is shown.
pub type Shown = Vec<Option<usize>>;

/// What messages of one partition count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Their rows show them.
    pub intact: u64,
    /// Later ones took their place.
    pub superseded: u64,
    /// The others.
    pub others: u64,
}

impl Keys {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it takes no further key.
    pub fn is_full(&self) -> bool {
        self.0.len() >= KEYS_OF_SEGMENT_MAX
    }

    /// All versions, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&IdentityHash, &[MessageEntry])> {
        self.0.iter().map(|(key, versions)| (key, versions.as_slice()))
    }

    /// Takes a message in; false: it is of a further key, and there is no room.
    pub fn put(&mut self, key: IdentityHash, message: MessageEntry) -> bool {
        if self.is_full() && !self.0.contains_key(&key) {
            return false;
        }
        let versions = self.0.entry(key).or_default();
        let is_filtered = |one: &MessageEntry| one.state == MessageState::Excluded(ExcludedCause::Filter);
        // What is filtered says only why a row is there, where nothing else does.
        if is_filtered(&message) && !versions.is_empty() {
            return true;
        }
        versions.retain(|one| !is_filtered(one));
        let place = versions.partition_point(|one| one.at < message.at);
        versions.insert(place, message);
        true
    }

    /// Lets versions go that nothing asks for any more; by partition, the judged ones of them.
    pub fn prune(&mut self, hands: &Hands) -> BTreeMap<PartitionIndex, u64> {
        let mut gone = BTreeMap::new();
        for versions in self.0.values_mut() {
            prune_one(versions, hands, &mut gone);
        }
        gone
    }

    /// What rows there are where the table shows the last version of each key.
    pub fn debit(&self) -> Bag {
        let last = self.0.values().filter_map(|versions| last_of(versions));
        last.filter(|(_, last)| last.state == MessageState::Judged)
            .map(|(_, last)| digest_of(last))
            .collect::<Vec<_>>()
            .iter()
            .collect()
    }

    /// Which version each key shows, where rows of this sum leave no doubt, and no row is missing that has to be there.
    pub fn shown(&self, credit: &Bag, hands: &Hands) -> Option<Shown> {
        let choices: Vec<Vec<Choice>> = self.0.values().map(|versions| choices_of(versions, hands)).collect();
        if choices.iter().any(Vec::is_empty) {
            return None;
        }
        let mut left = *credit;
        choices.iter().filter(|of_key| of_key.len() == 1).for_each(|of_key| take(&mut left, of_key[0].0.as_ref()));
        let several: Vec<usize> = (0..choices.len()).filter(|key| choices[*key].len() > 1).collect();
        let all = several.iter().try_fold(1_usize, |all, key| all.checked_mul(choices[*key].len()));
        let mut chosen = vec![0; choices.len()];
        let is_found = match all.filter(|all| *all <= KEY_CHOICES_MAX) {
            Some(_) => find(&choices, &several, left, &mut chosen),
            None => self.find_by_cut(&choices, &several, left, &mut chosen),
        };
        is_found.then(|| chosen.iter().zip(&choices).map(|(chosen, of_key)| of_key[*chosen].1).collect())
    }

    /// Where there are too many choices: a table that has all versions up to one of them, and none behind.
    fn find_by_cut(&self, choices: &[Vec<Choice>], several: &[usize], left: Bag, chosen: &mut [usize]) -> bool {
        let versions: Vec<&Vec<MessageEntry>> = self.0.values().collect();
        let place = |key: usize, choice: &Choice| {
            let version = choice.1.map(|at| &versions[key][at]);
            version.map(|version| (version.timestamp_ms, version.at.offset))
        };
        let mut cuts: Vec<_> =
            several.iter().flat_map(|key| choices[*key].iter().map(|choice| place(*key, choice))).collect();
        cuts.sort_unstable();
        cuts.dedup();
        for cut in cuts.iter().rev().take(KEY_CHOICES_MAX) {
            let mut sum = left;
            for key in several {
                let of_key = &choices[*key];
                // Choices stand from the last version to the first.
                let at = of_key.iter().position(|choice| place(*key, choice) <= *cut).unwrap_or(of_key.len() - 1);
                take(&mut sum, of_key[at].0.as_ref());
                chosen[*key] = at;
            }
            if sum.is_empty() {
                return true;
            }
        }
        false
    }

    /// Where the last version of each key is shown.
    pub fn last(&self) -> Shown {
        self.0.values().map(|versions| last_of(versions).map(|(at, _)| at)).collect()
    }

    /// Whether it is noted that these versions have a row.
    pub fn have_stood(&self, shown: &Shown) -> bool {
        let is_noted = |(versions, shown): (&Vec<MessageEntry>, &Option<usize>)| {
            shown.is_none_or(|at| versions[at].stood || versions[at].state != MessageState::Judged)
        };
        self.0.values().zip(shown).all(is_noted)
    }

    /// Notes that these versions have a row.
    pub fn note_shown(&mut self, shown: &Shown) {
        for (versions, shown) in self.0.values_mut().zip(shown) {
            if let Some(version) = shown.map(|at| &mut versions[at]).filter(|one| one.state == MessageState::Judged) {
                version.stood = true;
            }
        }
    }

    /// Notes versions that rows show: of equal ones the last.
    pub fn note_rows<'r>(&mut self, rows: impl Iterator<Item = (&'r IdentityHash, &'r Digest)>) {
        for (key, digest) in rows {
            let versions = self.0.get_mut(key).map(Vec::as_mut_slice).unwrap_or_default();
            let shows =
                |one: &&mut MessageEntry| one.state == MessageState::Judged && one.digest.as_ref() == Some(digest);
            if let Some(version) = versions.iter_mut().rev().find(shows) {
                version.stood = true;
            }
        }
    }

    /// What messages count as where these versions are shown; and last versions that wait for their row, each with whether the row of its
    /// key is another one.
    pub fn counts(&self, shown: &Shown) -> (BTreeMap<PartitionIndex, Counts>, Vec<(MessageEntry, bool)>) {
        let (mut counts, mut waiting) = (BTreeMap::<PartitionIndex, Counts>::new(), Vec::new());
        for ((key, versions), shown) in self.0.iter().zip(shown) {
            let last = last_of(versions).map(|(at, _)| at);
            for (at, version) in judged(versions) {
                let count = counts.entry(version.at.partition).or_default();
                if Some(at) == *shown {
                    count.intact += 1;
                } else if Some(at) == last {
                    count.others += 1;
                    waiting.push((MessageEntry { identity: Some(*key), ..*version }, shown.is_some()));
                } else {
                    count.superseded += 1;
                }
            }
        }
        (counts, waiting)
    }

    /// The same where nobody has read the rows: what the table need not show any more is superseded, whatever they are.
    pub fn unread(&self, hands: &Hands) -> BTreeMap<PartitionIndex, Counts> {
        let mut counts = BTreeMap::<PartitionIndex, Counts>::new();
        for versions in self.0.values() {
            let settled = settled_of(versions, hands);
            for (at, version) in judged(versions) {
                let count = counts.entry(version.at.partition).or_default();
                *(if Some(at) < settled { &mut count.superseded } else { &mut count.others }) += 1;
            }
        }
        counts
    }

    /// The keys that do not simply show their last version, of a segment with these rows: what the judge is asked, all versions of each;
    /// and what messages of the others count as.
    pub fn disagreeing(
        &self,
        rows: &BTreeMap<IdentityHash, Vec<Digest>>,
    ) -> (Vec<MessageEntry>, BTreeMap<PartitionIndex, Counts>) {
        let (mut entries, mut counts) = (Vec::new(), BTreeMap::<PartitionIndex, Counts>::new());
        for (key, versions) in &self.0 {
            let own = rows.get(key).map(Vec::as_slice).unwrap_or_default();
            if !agrees(versions, own) {
                entries.extend(versions.iter().map(|version| MessageEntry { identity: Some(*key), ..*version }));
                continue;
            }
            let last = last_of(versions).map(|(at, _)| at);
            for (at, version) in judged(versions) {
                let count = counts.entry(version.at.partition).or_default();
                *(if Some(at) == last { &mut count.intact } else { &mut count.superseded }) += 1;
            }
        }
        (entries, counts)
    }

    /// Whether the rows of a key are what its last version asks for.
    pub fn agree(&self, key: &IdentityHash, rows: &[Digest]) -> bool {
        self.0.get(key).map_or(rows.is_empty(), |versions| agrees(versions, rows))
    }

    /// Whether versions of a key tell what its rows should be, although older ones may be unknown: one has to be shown, is shown, or
    /// cannot be read.
    pub fn tell_of(&self, key: &IdentityHash, rows: &[Digest], hands: &Hands) -> bool {
        let versions = self.0.get(key).map(Vec::as_slice).unwrap_or_default();
        let tells = |version: &MessageEntry| match version.state {
            MessageState::Judged => version.digest.is_some_and(|own| rows.contains(&own)),
            MessageState::Undecodable(_) => true,
            MessageState::Excluded(_) => false,
        };
        versions.iter().any(|version| is_version(version.state) && (tells(version) || hands.have(version)))
    }

    /// When a version may become one that the table has to show, or a message due, by the clock alone.
    pub fn next_turn(&self, clock: &Clock) -> Option<i64> {
        let waits = [clock.settle_ms, clock.give_up_ms];
        let versions = self.0.values().flatten().filter(|version| is_version(version.state));
        let turns = versions
            .filter_map(|version| version.timestamp_ms)
            .flat_map(|at| waits.map(|wait| at.saturating_add(wait)));
        turns.filter(|turn| *turn > clock.judged_at_ms).min()
    }

    /// Judged messages.
    pub fn judged(&self) -> BTreeMap<PartitionIndex, u64> {
        let mut all = BTreeMap::new();
        for (_, version) in self.0.values().flat_map(|versions| judged(versions)) {
            *all.entry(version.at.partition).or_default() += 1;
        }
        all
    }
}

/// The last version, with its place.
fn last_of(versions: &[MessageEntry]) -> Option<(usize, &MessageEntry)> {
    versions.iter().enumerate().rev().find(|(_, version)| is_version(version.state))
}

fn judged(versions: &[MessageEntry]) -> impl Iterator<Item = (usize, &MessageEntry)> {
    versions.iter().enumerate().filter(|(_, version)| version.state == MessageState::Judged)
}

/// The place of the last version that the table has to show.
fn settled_of(versions: &[MessageEntry], hands: &Hands) -> Option<usize> {
    versions.iter().rposition(|version| is_version(version.state) && hands.have(version))
}

fn agrees(versions: &[MessageEntry], rows: &[Digest]) -> bool {
    match last_of(versions) {
        Some((_, last)) if last.state == MessageState::Judged => rows.len() == 1 && last.digest == Some(rows[0]),
        _ => rows.is_empty(),
    }
}

/// Its digest in a debit. What cannot be held exactly equals no row.
fn digest_of(version: &MessageEntry) -> Digest {
    version.digest.unwrap_or_else(|| {
        let mut odd = [0xFF; 32];
        odd[..4].copy_from_slice(&version.at.partition.0.to_le_bytes());
        odd[4..12].copy_from_slice(&version.at.offset.to_le_bytes());
        Digest(odd)
    })
}

fn take(from: &mut Bag, digest: Option<&Digest>) {
    if let Some(digest) = digest {
        from.remove(digest);
    }
}

/// From the last version to the first that the table may show; of equal ones the last.
fn choices_of(versions: &[MessageEntry], hands: &Hands) -> Vec<Choice> {
    let settled = settled_of(versions, hands);
    let unreadable = versions.iter().rposition(|version| matches!(version.state, MessageState::Undecodable(_)));
    let unreadable = unreadable.filter(|at| Some(*at) >= settled);
    let first = unreadable.map_or(settled.unwrap_or(0), |at| at + 1);
    let mut choices: Vec<Choice> = Vec::new();
    for (at, version) in versions.iter().enumerate().skip(first).rev().filter(|(_, version)| is_version(version.state))
    {
        let row = match (version.state, version.digest) {
            (MessageState::Judged, None) | (MessageState::Undecodable(_), _) => continue,
            (MessageState::Judged, digest) => digest,
            (MessageState::Excluded(_), _) => None,
        };
        if choices.iter().all(|(other, _)| *other != row) {
            choices.push((row, Some(at)));
        }
    }
    let is_open = unreadable.is_none() && settled.is_none();
    if is_open && choices.iter().all(|(row, _)| row.is_some()) {
        choices.push((None, None));
    }
    choices
}

/// Tries all choices of the keys that have several.
fn find(choices: &[Vec<Choice>], several: &[usize], left: Bag, chosen: &mut [usize]) -> bool {
    let Some((key, rest)) = several.split_first() else { return left.is_empty() };
    (0..choices[*key].len()).any(|at| {
        let mut left = left;
        take(&mut left, choices[*key][at].0.as_ref());
        chosen[*key] = at;
        find(choices, rest, left, chosen)
    })
}

fn prune_one(versions: &mut Vec<MessageEntry>, hands: &Hands, gone: &mut BTreeMap<PartitionIndex, u64>) {
    let settled = settled_of(versions, hands);
    let live = versions.iter().filter(|version| is_version(version.state)).count();
    let (mut idle, mut surplus) = (live.saturating_sub(KEY_VERSIONS_SPARED), live.saturating_sub(KEY_VERSIONS_MAX));
    for (at, version) in versions.iter_mut().enumerate().filter(|(_, version)| is_version(version.state)) {
        let is_past = settled.is_some_and(|settled| at < settled) && idle > 0;
        if !is_past && surplus == 0 {
            break;
        }
        (idle, surplus) = (idle.saturating_sub(1), surplus.saturating_sub(1));
        if version.state == MessageState::Judged {
            *gone.entry(version.at.partition).or_default() += 1;
        }
        version.state = FORMER;
    }
    // A row may show a version that went before its time: until a later one is settled nothing is said of it.
    let is_unknown = !versions.iter().any(|version| is_version(version.state) && hands.have(version));
    let mut kept: Vec<MessageEntry> = Vec::with_capacity(versions.len());
    let mut room = KEY_FORMER_MAX;
    for version in versions.drain(..).rev() {
        if version.state != FORMER && version.state != UNKNOWN {
            kept.push(version);
        } else if room > 0 && (version.digest.is_some() || is_unknown) {
            let state = if is_unknown && room == KEY_FORMER_MAX { UNKNOWN } else { FORMER };
            kept.push(MessageEntry { state, ..version });
            room -= 1;
        }
    }
    versions.extend(kept.into_iter().rev());
}

/// What a version is that a later one took the place of, and is kept to know old rows by.
const FORMER: MessageState = MessageState::Excluded(ExcludedCause::Superseded);

/// The same where rows of the key may show others that nobody knows any more.
const UNKNOWN: MessageState = MessageState::Excluded(ExcludedCause::BeforeStart);

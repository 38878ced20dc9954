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
            shown.is_none_or(|at| versions[at].stood || !is_told_apart(versions, at))
        };
        self.0.values().zip(shown).all(is_noted)
    }

    /// Notes that these versions have a row.
    pub fn note_shown(&mut self, shown: &Shown) {
        for (versions, shown) in self.0.values_mut().zip(shown) {
            if let Some(at) = shown.filter(|at| is_told_apart(versions, *at)) {
                versions[at].stood = true;
            }
        }
    }

    /// Notes versions that rows show: of equal ones the last.
    pub fn note_rows<'r>(&mut self, rows: impl Iterator<Item = (&'r IdentityHash, &'r Digest)>) {
        for (key, digest) in rows {
            let versions = self.0.get_mut(key).map(Vec::as_mut_slice).unwrap_or_default();
            let shows = |one: &MessageEntry| one.state == MessageState::Judged && one.digest.as_ref() == Some(digest);
            if let Some(at) = versions.iter().rposition(shows).filter(|at| is_told_apart(versions, *at)) {
                versions[at].stood = true;
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

/// Whether a row that shows a version is of no earlier one: where values come back, the row may be that of the first.
fn is_told_apart(versions: &[MessageEntry], at: usize) -> bool {
    let is_equal = |one: &MessageEntry| one.digest == versions[at].digest;
    versions[at].state == MessageState::Judged && !versions[..at].iter().any(is_equal)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::MessageAt;

    const KEY: IdentityHash = IdentityHash([7; 16]);

    fn hands(judged_at_ms: i64, moved_ms: Option<i64>) -> Hands {
        Hands::new(Clock { judged_at_ms, settle_ms: 100, give_up_ms: 1_000_000 }, moved_ms)
    }

    fn digest(key: u8, value: i64) -> Digest {
        Digest(*blake3::hash(&[&[key][..], &value.to_le_bytes()].concat()).as_bytes())
    }

    /// A version of a key that sets a value, sent at its offset.
    fn sets(key: u8, partition: u32, offset: i64, value: i64) -> MessageEntry {
        MessageEntry {
            at: MessageAt { partition: PartitionIndex(partition), offset },
            timestamp_ms: Some(offset),
            identity: None,
            digest: Some(digest(key, value)),
            rest: None,
            state: MessageState::Judged,
            loss: None,
            stood: false,
        }
    }

    fn of(versions: impl IntoIterator<Item = MessageEntry>) -> Keys {
        let mut keys = Keys::default();
        versions.into_iter().for_each(|version| assert!(keys.put(KEY, version)));
        keys
    }

    fn rows(of: &[Digest]) -> Bag {
        of.iter().collect()
    }

    #[test]
    fn rows_say_which_version_they_show_and_a_settled_one_must_be_shown() {
        let keys = of([sets(1, 0, 10, 1), sets(1, 0, 20, 2), sets(1, 0, 30, 1)]);
        let open = hands(50, None);
        assert_eq!(keys.shown(&rows(&[digest(1, 2)]), &open), Some(vec![Some(1)]));
        assert_eq!(keys.shown(&rows(&[digest(1, 1)]), &open), Some(vec![Some(2)]), "of equal ones the last");
        assert_eq!(keys.shown(&Bag::EMPTY, &open), Some(vec![None]), "nothing is there yet");
        assert_eq!(keys.shown(&rows(&[digest(1, 9)]), &open), None);
        assert_eq!(keys.shown(&rows(&[digest(1, 2), digest(1, 1)]), &open), None, "two rows of a key");
        // The second version is due, and rows were added since: no row, and the first one, are wrong now.
        let settled = hands(125, Some(124));
        assert_eq!(keys.shown(&rows(&[digest(1, 2)]), &settled), Some(vec![Some(1)]));
        assert_eq!(keys.shown(&Bag::EMPTY, &settled), None);
        let first = of([sets(1, 0, 10, 1), sets(1, 0, 20, 2)]);
        assert_eq!(first.shown(&rows(&[digest(1, 1)]), &settled), None);
    }

    #[test]
    fn a_version_whose_values_come_back_is_not_known_to_have_had_the_row_of_the_first() {
        let mut keys = of([sets(1, 0, 10, 1), sets(1, 0, 20, 2), sets(1, 0, 30, 1)]);
        keys.note_shown(&keys.last());
        let row = digest(1, 1);
        keys.note_rows([(&KEY, &row)].into_iter());
        assert!(keys.0[&KEY].iter().all(|version| !version.stood) && keys.have_stood(&keys.last()));
        keys.note_shown(&vec![Some(1)]);
        assert!(keys.0[&KEY][1].stood);
    }

    #[test]
    fn many_keys_on_their_way_are_explained_by_a_cut() {
        let mut keys = Keys::default();
        let mut up_to_40 = Vec::new();
        for key in 0..20_u8 {
            let mut shown = None;
            for nth in 0..8 {
                let version = sets(key, u32::from(key % 3), i64::from(key) + nth * 13, nth);
                shown = if version.timestamp_ms <= Some(60) { version.digest } else { shown };
                keys.put(IdentityHash([key; 16]), version);
            }
            up_to_40.extend(shown);
        }
        let hands = hands(90, None);
        let shown = keys.shown(&rows(&up_to_40), &hands).expect("it is a cut");
        let shown: Vec<Digest> =
            keys.0.values().zip(&shown).map(|(of, at)| of[at.expect("a row")].digest.expect("exact")).collect();
        assert_eq!(shown, up_to_40);
        up_to_40[3] = digest(3, 7);
        assert_eq!(keys.shown(&rows(&up_to_40), &hands), None, "too many choices, and no cut");
    }

    #[test]
    fn versions_of_a_busy_key_are_bounded_and_what_went_too_early_is_not_judged_by() {
        let many = i64::try_from(KEY_VERSIONS_MAX).expect("few") + 40;
        let mut keys = of((0..many).map(|offset| sets(1, 0, offset, offset)));
        let gone = keys.prune(&hands(50, None));
        assert_eq!(gone, BTreeMap::from([(PartitionIndex(0), 40)]));
        let versions = &keys.0[&KEY];
        assert_eq!(versions.len(), KEY_VERSIONS_MAX + KEY_FORMER_MAX);
        assert_eq!(versions.iter().filter(|version| version.state == UNKNOWN).count(), 1);
        assert!(!keys.tell_of(&KEY, &[digest(1, 3)], &hands(50, None)), "it may be one that went");
        // Once one of them is settled no row may be older.
        let late = hands(1_000, Some(900));
        keys.prune(&late);
        let versions = &keys.0[&KEY];
        assert_eq!(versions.len(), KEY_VERSIONS_SPARED + KEY_FORMER_MAX);
        assert!(versions.iter().all(|version| version.state != UNKNOWN));
        assert!(keys.tell_of(&KEY, &[digest(1, 3)], &late));
    }

    #[test]
    fn a_full_segment_takes_no_further_key() {
        let mut keys = Keys::default();
        let key = |nth: usize| IdentityHash(std::array::from_fn(|at| (nth >> (8 * (at % 2))) as u8));
        assert!((0..KEYS_OF_SEGMENT_MAX).all(|nth| keys.put(key(nth), sets(1, 0, nth as i64, 1))));
        assert!(keys.is_full() && !keys.put(key(KEYS_OF_SEGMENT_MAX), sets(1, 0, 9_000, 1)));
        assert!(keys.put(key(5), sets(1, 0, 9_001, 2)), "it has that one");
    }

    #[test]
    fn what_is_filtered_is_kept_where_nothing_else_is() {
        let filtered =
            MessageEntry { state: MessageState::Excluded(ExcludedCause::Filter), digest: None, ..sets(1, 0, 5, 0) };
        let keys = of([filtered]);
        assert_eq!((keys.debit(), keys.judged().len()), (Bag::EMPTY, 0));
        let keys = of([filtered, sets(1, 0, 6, 1), MessageEntry { at: sets(1, 0, 7, 0).at, ..filtered }]);
        assert_eq!((keys.debit(), keys.0[&KEY].len()), (rows(&[digest(1, 1)]), 1));
    }
}

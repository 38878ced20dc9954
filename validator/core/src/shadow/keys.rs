//! The keys of one segment of an upsert table: of each the versions that its row may show.
//!
//! Contract: versions stand in their order (partition, offset). Those before the last one that the table has to show go, but for some: they
//! are superseded. Source: docs/decisions/0017-versions-on-their-way.md, 0057-keys-that-are-followed.md.

use std::collections::BTreeMap;

use super::explain::Shows;
use super::versions::{Hands, Versions};
use crate::bag::Bag;
use crate::clock::Clock;
use crate::digest::{Digest, IdentityHash};
use crate::judge::{MessageEntry, MessageState, is_version};
use crate::limits::{KEY_SPARED_MS, KEYS_DELETED_SPARED, KEYS_EXPIRED_SPARED, KEYS_OF_SEGMENT_MAX};
use crate::position::{MessageAt, PartitionIndex};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    pub(super) of: BTreeMap<IdentityHash, Versions>,
    /// Whether a message was not taken in: of rows of its key nobody knows.
    pub(super) has_refused: bool,
}

/// What messages of one partition count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Their rows show them.
    pub intact: u64,
    /// Later ones took their place.
    pub superseded: u64,
    /// Their rows are gone, and need not be there any more.
    pub expired: u64,
    /// Nobody knows what their rows should be.
    pub unobservable: u64,
    /// The others.
    pub others: u64,
}

impl Keys {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether there is one of this hash.
    pub fn has(&self, key: &IdentityHash) -> bool {
        self.of.contains_key(key)
    }

    /// Whether it takes no further key.
    pub fn is_full(&self) -> bool {
        self.of.len() >= KEYS_OF_SEGMENT_MAX
    }

    /// Whether there was no room for a message.
    pub fn has_refused(&self) -> bool {
        self.has_refused
    }

    /// The last version of a key.
    pub fn last_of(&self, key: &IdentityHash) -> Option<MessageEntry> {
        self.of.get(key)?.last().map(|(_, last)| MessageEntry { identity: Some(*key), ..*last })
    }

    /// What messages of a key count as where nobody knows its last version; that of the last one that is known is another thing where a letter
    /// names it.
    pub fn count_hidden(&self, key: &IdentityHash, is_named: bool, counts: &mut BTreeMap<PartitionIndex, Counts>) {
        let Some(versions) = self.of.get(key) else { return };
        let last = versions.last().map(|(at, _)| at);
        for (at, version) in versions.judged() {
            let count = counts.entry(version.at.partition).or_default();
            *match (Some(at) == last, is_named) {
                (false, _) => &mut count.superseded,
                (true, false) => &mut count.unobservable,
                (true, true) => &mut count.others,
            } += 1;
        }
    }

    /// All versions, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&IdentityHash, &[MessageEntry])> {
        self.of.iter().map(|(key, versions)| (key, versions.live.as_slice()))
    }

    /// Takes a message in; false: it is of a further key, and there is no room.
    pub fn put(&mut self, key: IdentityHash, message: MessageEntry) -> bool {
        if self.is_full() && !self.of.contains_key(&key) {
            self.has_refused = true;
            return false;
        }
        self.of.entry(key).or_default().put(message);
        true
    }

    /// Lets versions go that nothing asks for any more; by partition, the judged ones of them.
    pub fn prune(&mut self, hands: &Hands) -> BTreeMap<PartitionIndex, u64> {
        let mut gone = BTreeMap::new();
        self.of.values_mut().for_each(|versions| versions.prune(hands, &mut gone));
        gone
    }

    /// Of many keys lets those go that are deleted, as commits of the table have to show and do, or that had filtered messages alone; by
    /// partition, the judged messages of them.
    pub fn forget_deleted(&mut self, shown: &[Shows], hands: &Hands) -> BTreeMap<PartitionIndex, u64> {
        let mut gone = BTreeMap::new();
        let surplus = self.of.len().saturating_sub(KEYS_DELETED_SPARED);
        if surplus == 0 {
            return gone;
        }
        let is_deleted = |versions: &Versions, shown: Shows| {
            let Some((at, last)) = versions.last() else {
                // Of a message that is filtered it is known alone why a row is there, and there is none.
                let first = versions.live.first().filter(|_| shown == Shows::Nothing);
                return first.map(|one| (one.timestamp_ms, one.at));
            };
            let is_shown = shown == Shows::Version(at) && hands.far_of(&versions.live) == Some(at);
            let asks_for_none = matches!(last.state, MessageState::Excluded(_));
            (asks_for_none && is_shown).then_some((last.timestamp_ms, last.at))
        };
        let deleted = self.of.iter().zip(shown);
        let deleted = deleted.filter_map(|((key, versions), shown)| Some((is_deleted(versions, *shown)?, *key)));
        let mut deleted: Vec<_> = deleted.collect();
        deleted.sort_unstable();
        for (_, key) in deleted.into_iter().take(surplus) {
            for (_, version) in self.of.remove(&key).unwrap_or_default().judged() {
                *gone.entry(version.at.partition).or_default() += 1;
            }
        }
        gone
    }

    /// Of the keys that show nothing since their last version has expired lets those go that expired first, but for a few: of each its last
    /// version, and by partition the other judged messages. `is_named`: whether a letter names a message; it is waited for then.
    pub fn forget_expired(
        &mut self,
        clock: &Clock,
        shown: &[Shows],
        is_named: impl Fn(MessageAt) -> bool,
    ) -> (Vec<MessageAt>, BTreeMap<PartitionIndex, u64>) {
        let spared = Clock { judged_at_ms: clock.judged_at_ms.saturating_sub(KEY_SPARED_MS), ..*clock };
        let is_over = |versions: &Versions, at: usize| {
            versions.last().is_some_and(|(last, _)| last == at) && versions.is_expired(at, &spared)
        };
        let shown = self.of.iter().zip(shown).filter_map(|((key, versions), shown)| match shown {
            Shows::Expired(at) if is_over(versions, *at) => Some((versions.live[*at], *key)),
            _ => None,
        });
        let mut old: Vec<_> = shown.filter(|(last, _)| !is_named(last.at)).collect();
        let surplus = old.len().saturating_sub(KEYS_EXPIRED_SPARED);
        old.sort_unstable_by_key(|(last, key)| (last.timestamp_ms, last.at, *key));
        let (mut expired, mut superseded) = (Vec::new(), BTreeMap::new());
        for (last, key) in old.into_iter().take(surplus) {
            expired.push(last.at);
            for (_, version) in self.of.remove(&key).unwrap_or_default().judged().filter(|(_, one)| one.at != last.at) {
                *superseded.entry(version.at.partition).or_default() += 1;
            }
        }
        (expired, superseded)
    }

    /// What rows there are where the table shows the last version of each key.
    pub fn debit(&self) -> Bag {
        let last = self.of.values().filter_map(Versions::last);
        last.filter(|(_, last)| last.state == MessageState::Judged)
            .map(|(_, last)| digest_of(last))
            .collect::<Vec<_>>()
            .iter()
            .collect()
    }

    /// What they show where that is the last version of each key.
    pub fn last(&self) -> Vec<Shows> {
        let last = self.of.values().map(Versions::last);
        last.map(|last| last.map_or(Shows::Nothing, |(at, _)| Shows::Version(at))).collect()
    }

    /// Whether it is noted that the versions shown have a row.
    pub fn have_stood(&self, shown: &[Shows]) -> bool {
        let is_noted = |(versions, shown): (&Versions, &Shows)| match shown {
            Shows::Version(at) => versions.is_noted(*at),
            Shows::Nothing | Shows::Expired(_) | Shows::Apart => true,
        };
        self.of.values().zip(shown).all(is_noted)
    }

    /// Notes that the versions shown have a row.
    pub fn note_shown(&mut self, shown: &[Shows]) {
        for (versions, shown) in self.of.values_mut().zip(shown) {
            if let Shows::Version(at) = shown {
                versions.note_shown(*at);
            }
        }
    }

    /// Notes versions that rows show: of equal ones the last.
    pub fn note_rows<'r>(&mut self, rows: impl Iterator<Item = (&'r IdentityHash, &'r Digest)>) {
        for (key, digest) in rows {
            let Some(versions) = self.of.get_mut(key) else { continue };
            let shows = |one: &MessageEntry| one.state == MessageState::Judged && one.digest.as_ref() == Some(digest);
            if let Some(at) = versions.live.iter().rposition(shows) {
                versions.note_shown(at);
            }
        }
    }

    /// What messages count as where the table shows the last version of each key: then nothing depends on a clock.
    pub fn proven(&self) -> BTreeMap<PartitionIndex, Counts> {
        let clock = Clock { judged_at_ms: i64::MIN, settle_ms: 0, give_up_ms: 0, retention_ms: None };
        self.counts(&self.last(), &clock, |_| false).0
    }

    /// What messages of keys that show a version, or nothing yet, count as; and last versions that wait for their row, each with whether the
    /// row of its key is another one. `is_named`: whether a letter names a message; nothing else is said of it then.
    pub fn counts(
        &self,
        shown: &[Shows],
        clock: &Clock,
        is_named: impl Fn(MessageAt) -> bool,
    ) -> (BTreeMap<PartitionIndex, Counts>, Vec<(MessageEntry, bool)>) {
        let (mut counts, mut waiting) = (BTreeMap::<PartitionIndex, Counts>::new(), Vec::new());
        for ((key, versions), shown) in self.of.iter().zip(shown) {
            let (shown, gone) = match shown {
                Shows::Version(at) => (Some(*at), None),
                Shows::Nothing => (None, None),
                Shows::Expired(at) => (None, Some(*at)),
                Shows::Apart => continue,
            };
            let last = versions.last().map(|(at, _)| at);
            for (at, version) in versions.judged() {
                let count = counts.entry(version.at.partition).or_default();
                let is_last_expired = || Some(at) == last && versions.is_expired(at, clock);
                if Some(at) == shown {
                    count.intact += 1;
                } else if (Some(at) == gone || is_last_expired()) && !is_named(version.at) {
                    count.expired += 1;
                } else if Some(at) == last || Some(at) == gone {
                    count.others += 1;
                    let entry = MessageEntry { identity: Some(*key), ..versions.entry(at, clock) };
                    waiting.push((entry, shown.is_some()));
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
        for versions in self.of.values() {
            let settled = hands.settled_of(&versions.live);
            for (at, version) in versions.judged() {
                let count = counts.entry(version.at.partition).or_default();
                *(if Some(at) < settled { &mut count.superseded } else { &mut count.others }) += 1;
            }
        }
        counts
    }

    /// What the judge is asked of a key that has these rows.
    pub fn asked_of(&self, key: IdentityHash, rows: &[Digest], hands: &Hands) -> Vec<MessageEntry> {
        let versions = self.of.get(&key).into_iter().flat_map(|versions| versions.asked(rows, hands));
        versions.map(|version| MessageEntry { identity: Some(key), ..version }).collect()
    }

    /// Whether the rows of a key are what its last version asks for.
    pub fn agree(&self, key: &IdentityHash, rows: &[Digest]) -> bool {
        self.of.get(key).map_or(rows.is_empty(), |versions| versions.agree(rows))
    }

    /// Whether versions of a key tell what its rows should be, although older ones may be unknown: one has to be shown, is shown, or
    /// cannot be read.
    pub fn tell_of(&self, key: &IdentityHash, rows: &[Digest], hands: &Hands) -> bool {
        let versions = self.of.get(key).map(|versions| versions.live.as_slice()).unwrap_or_default();
        let tells = |version: &MessageEntry| match version.state {
            MessageState::Judged => version.digest.is_some_and(|own| rows.contains(&own)),
            MessageState::Undecodable(_) => true,
            MessageState::Excluded(_) => false,
        };
        versions.iter().any(|version| is_version(version.state) && (tells(version) || hands.have(version)))
    }

    fn live(&self) -> impl Iterator<Item = &MessageEntry> {
        self.of.values().flat_map(|versions| &versions.live).filter(|version| is_version(version.state))
    }

    /// When a version may become one that the table has to show, or a message due, by the clock alone.
    pub fn next_turn(&self, clock: &Clock) -> Option<i64> {
        let versions = self.live();
        let turns = versions
            .filter_map(|version| version.timestamp_ms)
            .flat_map(|at| clock.waits().map(move |wait| at.saturating_add(wait)));
        turns.filter(|turn| *turn > clock.judged_at_ms).min()
    }

    /// When a row has to be added so that a version becomes one that the table has to show.
    pub fn next_pass(&self, settle_ms: i64, moved_ms: Option<i64>) -> Option<i64> {
        let versions = self.live();
        let passes = versions.filter_map(|version| Some(version.timestamp_ms?.saturating_add(settle_ms)));
        passes.filter(|pass| moved_ms.is_none_or(|moved| *pass > moved)).min()
    }

    /// Judged messages.
    pub fn judged(&self) -> BTreeMap<PartitionIndex, u64> {
        let mut all = BTreeMap::new();
        for (_, version) in self.of.values().flat_map(Versions::judged) {
            *all.entry(version.at.partition).or_default() += 1;
        }
        all
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::limits::{KEY_FORMER_MAX, KEY_VERSIONS_MAX, KEY_VERSIONS_SPARED};
    use crate::verdict::ExcludedCause;

    pub(in crate::shadow) const KEY: IdentityHash = IdentityHash([7; 16]);

    pub(in crate::shadow) fn hands(judged_at_ms: i64, moved_ms: Option<i64>) -> Hands {
        Hands::new(Clock { judged_at_ms, settle_ms: 100, give_up_ms: 1_000_000, retention_ms: None }, moved_ms)
    }

    pub(in crate::shadow) fn digest(key: u8, value: i64) -> Digest {
        Digest(*blake3::hash(&[&[key][..], &value.to_le_bytes()].concat()).as_bytes())
    }

    /// A version of a key that sets a value, sent at its offset.
    pub(in crate::shadow) fn sets(key: u8, partition: u32, offset: i64, value: i64) -> MessageEntry {
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

    pub(in crate::shadow) fn of(versions: impl IntoIterator<Item = MessageEntry>) -> Keys {
        let mut keys = Keys::default();
        versions.into_iter().for_each(|version| assert!(keys.put(KEY, version)));
        keys
    }

    pub(in crate::shadow) fn rows(of: &[Digest]) -> Bag {
        of.iter().collect()
    }

    #[test]
    fn a_version_whose_values_come_back_is_not_known_to_have_had_the_row_of_the_first() {
        let mut keys = of([sets(1, 0, 10, 1), sets(1, 0, 20, 2), sets(1, 0, 30, 1)]);
        keys.note_shown(&keys.last());
        let row = digest(1, 1);
        keys.note_rows([(&KEY, &row)].into_iter());
        assert!(keys.of[&KEY].live.iter().all(|version| !version.stood) && keys.have_stood(&keys.last()));
        keys.note_shown(&[Shows::Version(1)]);
        assert!(keys.of[&KEY].live[1].stood);
    }

    #[test]
    fn versions_of_a_busy_key_are_bounded_and_what_went_too_early_is_not_judged_by() {
        let many = i64::try_from(KEY_VERSIONS_MAX).expect("few") + 40;
        let mut keys = of((0..many).map(|offset| sets(1, 0, offset, offset)));
        let gone = keys.prune(&hands(50, None));
        assert_eq!(gone, BTreeMap::from([(PartitionIndex(0), 40)]));
        let versions = &keys.of[&KEY];
        assert_eq!((versions.live.len(), versions.former.len()), (KEY_VERSIONS_MAX, KEY_FORMER_MAX));
        assert!(versions.is_blurred);
        assert!(!keys.tell_of(&KEY, &[digest(1, 3)], &hands(50, None)), "it may be one that went");
        // Once one of them is settled no row may be older.
        let late = hands(1_000, Some(900));
        keys.prune(&late);
        let versions = &keys.of[&KEY];
        assert_eq!((versions.live.len(), versions.former.len()), (KEY_VERSIONS_SPARED, KEY_FORMER_MAX));
        assert!(!versions.is_blurred);
        // A table that was set back would show one of these; later it would not.
        keys.prune(&hands(KEY_SPARED_MS + 1_000, Some(KEY_SPARED_MS + 900)));
        assert_eq!((keys.of[&KEY].live.len(), keys.of[&KEY].former.len()), (1, KEY_FORMER_MAX));
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
    fn of_many_keys_those_go_that_are_deleted_and_have_no_row() {
        let mut keys = Keys::default();
        let key = |nth: u8| IdentityHash([nth; 16]);
        let deletes = |nth: u8, offset: i64| MessageEntry {
            state: MessageState::Excluded(ExcludedCause::Tombstone),
            digest: None,
            ..sets(nth, 0, offset, 0)
        };
        let many = u8::try_from(KEYS_DELETED_SPARED).expect("few");
        (0..many).for_each(|nth| assert!(keys.put(key(nth), sets(nth, 0, i64::from(nth), 1))));
        (0..4).for_each(|nth| assert!(keys.put(key(nth), deletes(nth, 200 + i64::from(nth)))));
        let now = KEY_SPARED_MS + 1_000;
        let hands = hands(now, Some(now));
        let gone = keys.forget_deleted(&keys.last(), &hands);
        assert_eq!((gone.len(), keys.len()), (0, usize::from(many)), "there is room for all");
        (many..many + 3).for_each(|nth| assert!(keys.put(key(nth), sets(nth, 0, 300, 1))));
        // Of one a row is there again, and of another the deletion is not due.
        keys.put(key(1), deletes(1, now - 10));
        let mut shown = keys.last();
        shown[0] = Shows::Apart;
        let gone = keys.forget_deleted(&shown, &hands);
        assert_eq!(gone, BTreeMap::from([(PartitionIndex(0), 2)]));
        assert_eq!([0, 1, 2, 3].map(|nth| keys.has(&key(nth))), [true, true, false, false]);
    }

    #[test]
    fn of_many_keys_whose_rows_have_expired_a_few_stay() {
        let mut keys = Keys::default();
        let key = |nth: u8| IdentityHash([nth; 16]);
        (0..20).for_each(|nth| assert!(keys.put(key(nth), sets(nth, 0, i64::from(nth), 1))));
        // One is named by a letter.
        keys.note_shown(&keys.last());
        let clock = |judged_at_ms| Clock { judged_at_ms, settle_ms: 100, give_up_ms: 1_000, retention_ms: Some(1_000) };
        let shown: Vec<Shows> = keys
            .last()
            .into_iter()
            .map(|last| match last {
                Shows::Version(at) => Shows::Expired(at),
                other => other,
            })
            .collect();
        let is_named = |at: MessageAt| at.offset == 2;
        let mut early = keys.clone();
        assert_eq!(early.forget_expired(&clock(KEY_SPARED_MS), &shown, is_named).0.len(), 0, "a table may be set back");
        let (expired, _) = keys.forget_expired(&clock(KEY_SPARED_MS + 2_000), &shown, is_named);
        assert_eq!((expired.len(), keys.len()), (11, 9));
        assert!(keys.has(&key(2)) && keys.has(&key(19)) && !keys.has(&key(0)));
    }

    #[test]
    fn what_is_filtered_is_kept_where_nothing_else_is() {
        let filtered =
            MessageEntry { state: MessageState::Excluded(ExcludedCause::Filter), digest: None, ..sets(1, 0, 5, 0) };
        let keys = of([filtered]);
        assert_eq!((keys.debit(), keys.judged().len()), (Bag::EMPTY, 0));
        let keys = of([filtered, sets(1, 0, 6, 1), MessageEntry { at: sets(1, 0, 7, 0).at, ..filtered }]);
        assert_eq!((keys.debit(), keys.of[&KEY].live.len()), (rows(&[digest(1, 1)]), 1));
    }
}

//! Which versions of its keys the rows of a segment show, as their sum tells.
//!
//! Contract: for each key one of the versions is chosen that its row may show, or what its rows were when they were read, so that the
//! digests of all add up to the segment's rows: no other choice has that sum. Not each sum is found: choices are
//! tried as long as they are few. Source: docs/decisions/0057-keys-that-are-followed.md.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::Keys;
use super::versions::{Hands, Versions};
use crate::bag::Bag;
use crate::digest::{Digest, IdentityHash};
use crate::judge::{MessageEntry, MessageState, is_version};
use crate::limits::KEY_CHOICES_MAX;

/// Rows of keys that were read, by key: their digests, ascending.
pub type ReadRows = BTreeMap<IdentityHash, Vec<Digest>>;

/// What the rows of one key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// A version, by its place.
    Version(usize),
    /// There is none, and need not be one yet.
    Nothing,
    /// There is none, and need not be one any more: that of a version, by its place, has expired.
    Expired(usize),
    /// What they were when they were read, which is no version that may be shown.
    Apart,
}

/// What the rows of all keys of a segment are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// In the order of the keys.
    pub of_keys: Vec<Shows>,
    /// Keys whose rows are as they were read.
    pub as_read: BTreeSet<IdentityHash>,
    /// Of them, those that show no version that may be shown. Some have no message.
    pub apart: BTreeSet<IdentityHash>,
}

/// See the module. None: it is not found.
pub fn explain(keys: &Keys, credit: &Bag, hands: &Hands, read: &ReadRows) -> Option<Shown> {
    let known = keys.of.iter().map(|(key, versions)| OfKey::new(*key, versions, hands, read));
    let none = Versions::default();
    let strange = read.keys().filter(|key| !keys.has(key)).map(|key| OfKey::new(*key, &none, hands, read));
    let all: Vec<OfKey<'_>> = known.chain(strange).collect();
    if all.iter().any(|of_key| of_key.choices.is_empty()) {
        return None;
    }
    let search = |fixed| Search::new(&all, credit, fixed);
    let found = match read.is_empty() {
        true => {
            search(Fixed::None).every().or_else(|| search(Fixed::None).cut()).or_else(|| search(Fixed::None).aged())
        }
        false => search(Fixed::Read)
            .first()
            .or_else(|| search(Fixed::Apart).first())
            .or_else(|| search(Fixed::None).every())
            .or_else(|| search(Fixed::Apart).every())
            .or_else(|| search(Fixed::Read).every())
            .or_else(|| search(Fixed::Apart).cut())
            .or_else(|| search(Fixed::Read).cut())
            .or_else(|| search(Fixed::None).cut())
            .or_else(|| search(Fixed::Apart).aged())
            .or_else(|| search(Fixed::None).aged()),
    };
    let shown: Vec<(&OfKey<'_>, usize)> = all.iter().zip(found?).collect();
    let of = |is: fn(&OfKey<'_>, usize) -> bool| {
        let those = shown.iter().filter(move |(of_key, chosen)| is(of_key, *chosen));
        those.map(|(of_key, _)| of_key.key).collect()
    };
    Some(Shown {
        as_read: of(|of_key, chosen| of_key.as_read == Some(chosen)),
        apart: of(|of_key, chosen| of_key.choices[chosen].shows == Shows::Apart),
        of_keys: shown.iter().take(keys.len()).map(|(of_key, chosen)| of_key.choices[*chosen].shows).collect(),
    })
}

/// Whose rows are taken to be as they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fixed {
    None,
    /// Those that show no version that may be shown.
    Apart,
    /// All that were read.
    Read,
}

/// What the rows of a key may be.
#[derive(Debug, Clone, Copy)]
struct Choice<'a> {
    rows: &'a [Digest],
    shows: Shows,
}

#[derive(Debug)]
struct OfKey<'a> {
    key: IdentityHash,
    versions: &'a [MessageEntry],
    /// From the last version to the first that may be shown; what was read comes last.
    choices: Vec<Choice<'a>>,
    /// The place of what was read.
    as_read: Option<usize>,
}

impl<'a> OfKey<'a> {
    fn new(key: IdentityHash, of: &'a Versions, hands: &Hands, read: &'a ReadRows) -> Self {
        let mut choices = choices_of(of, hands);
        let versions = of.live.as_slice();
        let as_read = read.get(&key).map(|rows| {
            let own = choices.iter().position(|choice| choice.rows == rows.as_slice());
            own.unwrap_or_else(|| {
                choices.push(Choice { rows, shows: Shows::Apart });
                choices.len() - 1
            })
        });
        Self { key, versions, choices, as_read }
    }

    /// What was read, where it is to be so.
    fn fixed(&self, fixed: Fixed) -> Option<usize> {
        self.as_read.filter(|at| match fixed {
            Fixed::None => false,
            Fixed::Apart => self.choices[*at].shows == Shows::Apart,
            Fixed::Read => true,
        })
    }

    /// When each of its versions came.
    fn places(&self) -> impl Iterator<Item = Place> {
        self.versions.iter().filter(|version| is_version(version.state)).map(place_of)
    }

    /// When the version came whose row may have expired, and the choice that it has.
    fn expired(&self) -> Option<(Place, usize)> {
        let choices = self.choices.iter().enumerate();
        choices.rev().find_map(|(choice, of)| match of.shows {
            Shows::Expired(at) => Some((place_of(&self.versions[at]), choice)),
            _ => None,
        })
    }

    /// What it shows in a table that has all versions up to a place, and none behind; what it must show is there.
    fn shows_at(&self, cut: Option<Place>) -> Option<usize> {
        let is_there = |version: &&MessageEntry| is_version(version.state) && Some(place_of(version)) <= cut;
        let rows = match self.versions.iter().rev().find(is_there) {
            Some(version) if version.state == MessageState::Judged => version.digest.as_slice(),
            _ => &[],
        };
        let is_there = |choice: &Choice<'_>| !matches!(choice.shows, Shows::Apart | Shows::Expired(_));
        let first = || self.choices.iter().rposition(is_there);
        self.choices.iter().position(|choice| choice.rows == rows).or_else(first)
    }
}

/// A place in the order in which messages came.
type Place = (Option<i64>, i64);

fn place_of(version: &MessageEntry) -> Place {
    (version.timestamp_ms, version.at.offset)
}

/// From the last version to the first that the table may show; of equal ones the last.
fn choices_of<'a>(of: &'a Versions, hands: &Hands) -> Vec<Choice<'a>> {
    let versions = of.live.as_slice();
    let settled = hands.settled_of(versions);
    let unreadable = versions.iter().rposition(|version| matches!(version.state, MessageState::Undecodable(_)));
    let unreadable = unreadable.filter(|at| Some(*at) >= settled);
    let first = unreadable.map_or(settled.unwrap_or(0), |at| at + 1);
    let (mut choices, mut seen) = (Vec::<Choice<'a>>::new(), BTreeSet::new());
    let live = versions.iter().enumerate().skip(first).rev().filter(|(_, version)| is_version(version.state));
    for (at, version) in live {
        let rows = match (version.state, version.digest.as_slice()) {
            // What is not held exactly equals no row.
            (MessageState::Judged, []) | (MessageState::Undecodable(_), _) => continue,
            (MessageState::Judged, digest) => digest,
            (MessageState::Excluded(_), _) => &[],
        };
        if seen.insert(rows) {
            choices.push(Choice { rows, shows: Shows::Version(at) });
        }
    }
    let is_open = unreadable.is_none() && settled.is_none();
    // It is where the table has none of them yet, or a deletion.
    if is_open && choices.iter().all(|choice| !choice.rows.is_empty()) {
        choices.push(Choice { rows: &[], shows: Shows::Nothing });
    }
    // Of what cannot be read nobody knows a row: there need not be one.
    if let Some(at) = unreadable.filter(|at| !versions[at + 1..].iter().any(|version| is_version(version.state))) {
        choices.push(Choice { rows: &[], shows: Shows::Version(at) });
    }
    // Of one that has to be shown the row may be gone again.
    let expired = settled.filter(|at| unreadable.is_none() && of.is_expired(*at, &hands.clock));
    if let Some(at) = expired.filter(|_| choices.iter().all(|choice| !choice.rows.is_empty())) {
        choices.push(Choice { rows: &[], shows: Shows::Expired(at) });
    }
    choices
}

/// A search for the choices that have a sum.
struct Search<'a> {
    all: &'a [OfKey<'a>],
    /// Keys that have several.
    open: Vec<usize>,
    /// The sum without the others.
    left: Bag,
    chosen: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(all: &'a [OfKey<'a>], credit: &Bag, fixed: Fixed) -> Self {
        let chosen: Vec<usize> = all.iter().map(|of_key| of_key.fixed(fixed).unwrap_or_default()).collect();
        let is_open = |of_key: &OfKey<'_>| of_key.choices.len() > 1 && of_key.fixed(fixed).is_none();
        let (mut left, mut open) = (*credit, Vec::new());
        for (at, of_key) in all.iter().enumerate() {
            match is_open(of_key) {
                true => open.push(at),
                false => take(&mut left, &of_key.choices[chosen[at]]),
            }
        }
        Self { all, open, left, chosen }
    }

    /// The last version of each that is open.
    fn first(self) -> Option<Vec<usize>> {
        let mut left = self.left;
        self.open.iter().for_each(|at| take(&mut left, &self.all[*at].choices[self.chosen[*at]]));
        left.is_empty().then_some(self.chosen)
    }

    /// Tries all.
    fn every(mut self) -> Option<Vec<usize>> {
        let count = |all: usize, at: &usize| all.checked_mul(self.all[*at].choices.len());
        self.open.iter().try_fold(1, count).filter(|all| *all <= KEY_CHOICES_MAX)?;
        try_from(self.all, &self.open, self.left, &mut self.chosen).then_some(self.chosen)
    }

    /// Where there are too many: a table that has all versions up to one of them, and none behind.
    fn cut(mut self) -> Option<Vec<usize>> {
        let places: BTreeSet<Place> = self.open.iter().flat_map(|at| self.all[*at].places()).collect();
        let cuts: Vec<Option<Place>> = std::iter::once(None).chain(places.into_iter().map(Some)).collect();
        // A table is near the end of its topic, or it stands still.
        let (newest, oldest) = (cuts.iter().rev(), cuts.iter());
        for cut in
            newest.zip(oldest).flat_map(|(newest, oldest)| [newest, oldest]).take(KEY_CHOICES_MAX.min(cuts.len() + 1))
        {
            let mut left = self.left;
            for at in &self.open {
                let chosen = self.all[*at].shows_at(*cut)?;
                take(&mut left, &self.all[*at].choices[chosen]);
                self.chosen[*at] = chosen;
            }
            if left.is_empty() {
                return Some(self.chosen);
            }
        }
        None
    }

    /// Where a job deletes what is old: the rows of the keys that have expired are gone up to one of them, and each other key shows its last
    /// version.
    fn aged(mut self) -> Option<Vec<usize>> {
        let mut left = self.left;
        self.open.iter().for_each(|at| take(&mut left, &self.all[*at].choices[self.chosen[*at]]));
        let mut old: Vec<(Place, usize, usize)> = self
            .open
            .iter()
            .filter_map(|at| self.all[*at].expired().map(|(place, choice)| (place, *at, choice)))
            .collect();
        old.sort_unstable();
        for (_, at, choice) in old {
            give(&mut left, &self.all[at].choices[self.chosen[at]]);
            self.chosen[at] = choice;
            if left.is_empty() {
                return Some(self.chosen);
            }
        }
        None
    }
}

fn give(to: &mut Bag, choice: &Choice<'_>) {
    choice.rows.iter().for_each(|digest| to.add(digest));
}

fn take(from: &mut Bag, choice: &Choice<'_>) {
    choice.rows.iter().for_each(|digest| from.remove(digest));
}

/// Tries all choices of the keys that are open.
fn try_from(all: &[OfKey<'_>], open: &[usize], left: Bag, chosen: &mut [usize]) -> bool {
    let Some((key, rest)) = open.split_first() else { return left.is_empty() };
    all[*key].choices.iter().enumerate().any(|(at, choice)| {
        let mut left = left;
        take(&mut left, choice);
        chosen[*key] = at;
        try_from(all, rest, left, chosen)
    })
}

#[cfg(test)]
mod tests {
    use super::super::keys::tests::{KEY, digest, hands, of, rows, sets};
    use super::*;
    use crate::clock::Clock;
    use Shows::{Apart, Nothing, Version};

    fn shown(keys: &Keys, credit: &[Digest], hands: &Hands) -> Option<Vec<Shows>> {
        explain(keys, &rows(credit), hands, &ReadRows::new()).map(|shown| shown.of_keys)
    }

    fn key(nth: u8) -> IdentityHash {
        IdentityHash([nth; 16])
    }

    #[test]
    fn rows_say_which_version_they_show_and_a_settled_one_must_be_shown() {
        let keys = of([sets(1, 0, 10, 1), sets(1, 0, 20, 2), sets(1, 0, 30, 1)]);
        let open = hands(50, None);
        assert_eq!(shown(&keys, &[digest(1, 2)], &open), Some(vec![Version(1)]));
        assert_eq!(shown(&keys, &[digest(1, 1)], &open), Some(vec![Version(2)]), "of equal ones the last");
        assert_eq!(shown(&keys, &[], &open), Some(vec![Nothing]), "nothing is there yet");
        assert_eq!(shown(&keys, &[digest(1, 9)], &open), None);
        assert_eq!(shown(&keys, &[digest(1, 2), digest(1, 1)], &open), None, "two rows of a key");
        // The second version is due, and rows were added since: no row, and the first one, are wrong now.
        let settled = hands(125, Some(124));
        assert_eq!(shown(&keys, &[digest(1, 2)], &settled), Some(vec![Version(1)]));
        assert_eq!(shown(&keys, &[], &settled), None);
        let first = of([sets(1, 0, 10, 1), sets(1, 0, 20, 2)]);
        assert_eq!(shown(&first, &[digest(1, 1)], &settled), None);
    }

    #[test]
    fn rows_that_a_job_deleted_by_their_age_are_explained_and_no_others() {
        let mut keys = Keys::default();
        (0..40_u8).for_each(|nth| assert!(keys.put(key(nth), sets(nth, 0, i64::from(nth), 1))));
        keys.note_shown(&keys.last());
        let rows_of = |nths: &mut dyn Iterator<Item = u8>| nths.map(|nth| digest(nth, 1)).collect::<Vec<_>>();
        let clock = Clock { judged_at_ms: 1_030, settle_ms: 100, give_up_ms: 1_000_000, retention_ms: Some(1_000) };
        let now = Hands::new(clock, Some(1_000));
        let expired = |shown: Vec<Shows>| shown.iter().filter(|one| matches!(one, Shows::Expired(0))).count();
        for first in [1, 20, 31] {
            let found = shown(&keys, &rows_of(&mut (first..40)), &now).expect("the older ones are gone");
            assert_eq!(expired(found), usize::from(first));
        }
        assert_eq!(shown(&keys, &rows_of(&mut (32..40)), &now), None, "one of them is not old enough");
        let holes = rows_of(&mut (0..40).filter(|nth| nth % 2 == 0));
        assert_eq!(shown(&keys, &holes, &now), None, "too many choices, and they are not of an age");
        // What never had a row is lost, however old it is.
        keys.put(key(50), sets(50, 0, 0, 1));
        assert_eq!(shown(&keys, &rows_of(&mut (20..40)), &now), None);
    }

    #[test]
    fn many_keys_on_their_way_are_explained_by_a_cut() {
        let mut keys = Keys::default();
        let mut up_to_60 = Vec::new();
        for nth in 0..20_u8 {
            let mut last = None;
            for value in 0..8 {
                let version = sets(nth, u32::from(nth % 3), i64::from(nth) + value * 13, value);
                last = if version.timestamp_ms <= Some(60) { version.digest } else { last };
                keys.put(key(nth), version);
            }
            up_to_60.extend(last);
        }
        let hands = hands(90, None);
        let found = shown(&keys, &up_to_60, &hands).expect("it is a cut");
        let digest_of = |(versions, shows): (&[MessageEntry], &Shows)| match shows {
            Version(at) => versions[*at].digest,
            Nothing | Shows::Expired(_) | Apart => None,
        };
        let found: Vec<Option<Digest>> = keys.iter().map(|(_, versions)| versions).zip(&found).map(digest_of).collect();
        assert_eq!(found, up_to_60.iter().copied().map(Some).collect::<Vec<_>>());
        // One of them is wrong, and was read: what the others show is a cut.
        up_to_60[3] = digest(3, 9);
        assert_eq!(shown(&keys, &up_to_60, &hands), None, "too many choices, and no cut");
        let read = ReadRows::from([(key(3), vec![digest(3, 9)])]);
        let found = explain(&keys, &rows(&up_to_60), &hands, &read).expect("a cut, and a row that was read");
        assert_eq!((found.of_keys[3], &found.apart), (Apart, &BTreeSet::from([key(3)])));
    }

    #[test]
    fn values_that_come_back_and_keys_that_come_and_go_are_part_of_a_cut() {
        let mut keys = Keys::default();
        let deletion = |offset: i64| MessageEntry {
            state: MessageState::Excluded(crate::verdict::ExcludedCause::Tombstone),
            digest: None,
            ..sets(0, 0, offset, 0)
        };
        // Of each of 14 keys: one value, another one, the first one again, and nothing.
        for nth in 0..14_u8 {
            let at = i64::from(nth);
            for (round, value) in [(0, 1), (100, 2), (200, 1)] {
                keys.put(key(nth), sets(nth, 0, at + round, value));
            }
            keys.put(key(nth), deletion(at + 300));
        }
        let hands = hands(350, None);
        let at = |cut: i64| {
            let value = |nth: i64| match cut - nth {
                ..0 | 300.. => None,
                0..100 | 200..300 => Some(1),
                _ => Some(2),
            };
            (0..14).filter_map(|nth| Some(digest(nth as u8, value(nth)?))).collect::<Vec<_>>()
        };
        for cut in [-1, 5, 13, 50, 107, 150, 203, 250, 306, 349] {
            assert!(shown(&keys, &at(cut), &hands).is_some(), "{cut}");
        }
    }

    /// Keys of one version each, all of them settled.
    fn settled(keys: u8) -> (Keys, Vec<Digest>) {
        let mut all = Keys::default();
        (0..keys).for_each(|nth| assert!(all.put(key(nth), sets(nth, 0, i64::from(nth), 1))));
        (all, (0..keys).map(|nth| digest(nth, 1)).collect())
    }

    #[test]
    fn a_fault_that_stays_is_explained_by_what_was_read_while_other_keys_change() {
        let (mut keys, mut credit) = settled(40);
        let hands = hands(1_000, Some(900));
        // One is lost, one is wrong, one has two rows, and one row is of no key.
        credit.remove(0);
        credit[0] = digest(1, 7);
        credit.extend([digest(2, 1), digest(99, 1)]);
        let read = ReadRows::from([
            (key(0), vec![]),
            (key(1), vec![digest(1, 7)]),
            (key(2), vec![digest(2, 1), digest(2, 1)]),
            (key(99), vec![digest(99, 1)]),
        ]);
        let apart: BTreeSet<IdentityHash> = read.keys().copied().collect();
        assert_eq!(explain(&keys, &rows(&credit), &hands, &ReadRows::new()), None);
        for nth in 10..15 {
            keys.put(key(nth), sets(nth, 0, 950 + i64::from(nth), 2));
            let found = explain(&keys, &rows(&credit), &hands, &read).expect("the version is on its way");
            assert_eq!((&found.apart, &found.as_read), (&apart, &apart));
            let own = credit.iter().position(|one| *one == digest(nth, 1)).expect("it is there");
            credit[own] = digest(nth, 2);
            let found = explain(&keys, &rows(&credit), &hands, &read).expect("it is there");
            assert_eq!((&found.apart, found.of_keys[usize::from(nth)]), (&apart, Version(1)));
        }
        // They are mended one by one.
        credit.push(digest(0, 1));
        let found = explain(&keys, &rows(&credit), &hands, &read).expect("the lost one is there");
        assert_eq!((found.apart.len(), found.of_keys[0]), (3, Version(0)));
        credit.retain(|one| *one != digest(99, 1));
        let found = explain(&keys, &rows(&credit), &hands, &read).expect("the strange one is gone");
        assert_eq!(found.apart, BTreeSet::from([key(1), key(2)]));
        credit[0] = digest(1, 6);
        assert_eq!(explain(&keys, &rows(&credit), &hands, &read), None, "wrong in another way");
    }

    #[test]
    fn many_faults_that_stay_leave_the_others_their_choices() {
        let (mut keys, mut credit) = settled(60);
        let hands = hands(1_000, Some(900));
        let read: ReadRows = (0..30).map(|nth| (key(nth), vec![digest(nth, 9)])).collect();
        (0..30).for_each(|nth| credit[usize::from(nth)] = digest(nth, 9));
        (40..44).for_each(|nth| assert!(keys.put(key(nth), sets(nth, 0, 950, 2))));
        credit[41] = digest(41, 2);
        let found = explain(&keys, &rows(&credit), &hands, &read).expect("as they were read");
        assert_eq!((found.apart.len(), found.of_keys[41], found.of_keys[42]), (30, Version(1), Version(0)));
    }

    #[test]
    fn keys_that_lagged_when_they_were_read_go_on_beside_a_fault() {
        let (mut keys, mut credit) = settled(16);
        let hands = hands(1_000, Some(900));
        credit[0] = digest(0, 9);
        (1..15).for_each(|nth| assert!(keys.put(key(nth), sets(nth, 0, 950 + i64::from(nth), 2))));
        let read: ReadRows = (0..15).map(|nth| (key(nth), vec![credit[usize::from(nth)]])).collect();
        for nth in 1..15 {
            credit[usize::from(nth)] = digest(nth, 2);
            let found = explain(&keys, &rows(&credit), &hands, &read).expect("a cut, beside the fault");
            assert_eq!((&found.apart, found.as_read.len()), (&BTreeSet::from([key(0)]), 15 - usize::from(nth)));
        }
    }

    #[test]
    fn of_a_last_version_that_cannot_be_read_no_row_is_asked() {
        let unreadable = MessageState::Undecodable(crate::verdict::UndecodableCause::BadPayload);
        let last = MessageEntry { state: unreadable, digest: None, ..sets(1, 0, 20, 0) };
        let keys = of([sets(1, 0, 10, 1), last]);
        let hands = hands(50, None);
        assert_eq!(shown(&keys, &[], &hands), Some(vec![Version(1)]));
        assert_eq!(shown(&keys, &[digest(1, 1)], &hands), None, "whose it is nobody knows");
        let read = ReadRows::from([(KEY, vec![digest(1, 1)])]);
        let found = explain(&keys, &rows(&[digest(1, 1)]), &hands, &read).expect("it was read");
        assert_eq!(found.of_keys, [Apart]);
    }
}

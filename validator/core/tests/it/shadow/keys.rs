//! Books of keys at their edges: faults that stay while the table goes on.

use std::collections::BTreeMap;

use validator_core::bag::Bag;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::hole::{Hole, HoleReason};
use validator_core::judge::{MessageEntry, MessageState, MessageTally, ModeKind, RowEntry, RowStanding};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt, TopicPartition};
use validator_core::segment::{OffsetWidth, SegmentKey};
use validator_core::shadow::Shadow;
use validator_core::shadow::action::{Action, DrillAsk};
use validator_core::shadow::delta::Change;
use validator_core::shadow::event::{
    Consumed, Drilled, Event, LanePart, Look, NewLane, Refused, Scanned, SeenRow, SnapshotFact, Step, Why,
};
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::invariants;
use validator_core::shadow::nets::Sign;
use validator_core::shadow::terms::{Cut, Terms, TimedBy, Windows};

use super::unsound::facts;

const LANE: PartitionIndex = PartitionIndex(0);
const SETTLE_MS: i64 = 1_000;

/// What a row says: its key, and a value.
type Said = (u8, u64);

/// All of them lie in the first shard.
fn identity((key, _): Said) -> IdentityHash {
    let mut bytes = [0; 16];
    bytes[15] = key;
    IdentityHash(bytes)
}

fn digest((key, value): Said) -> Digest {
    let bytes: Vec<u8> = [u64::from(key), value].iter().flat_map(|word| word.to_le_bytes()).collect();
    Digest(*blake3::hash(&bytes).as_bytes())
}

const SEGMENT: SegmentKey = SegmentKey::Keys { shard: 0 };

/// An upsert table, and a topic of one partition.
struct Play {
    shadow: Shadow,
    files: BTreeMap<FileId, (&'static str, Vec<Said>)>,
    bodies: BTreeMap<FileId, FileBags>,
    snapshot: i64,
    at_ms: i64,
    /// Questions for rows that were answered.
    readings: usize,
}

impl Play {
    fn new() -> Self {
        let terms = Terms {
            pipeline: "p".into(),
            settle_ms: SETTLE_MS,
            give_up_ms: 1_000_000,
            retention_ms: None,
            width: OffsetWidth::new(8).expect("a power of two"),
            cut: Cut::Windows(Windows { mode: ModeKind::Upsert, compacted: false }),
            whole_topic: true,
            timed: TimedBy::Nobody,
        };
        let (files, bodies, shadow) = (BTreeMap::new(), BTreeMap::new(), Shadow::new(terms));
        let mut play = Self { shadow, files, bodies, snapshot: 0, at_ms: 0, readings: 0 };
        let tp = TopicPartition { topic: "t".into(), partition: 0 };
        let lane = NewLane { tp, start: 0, declared: false, log_start: 0, high_watermark: 0 };
        play.apply(Event::Partitions(vec![lane])).expect("a new lane");
        play
    }

    fn apply(&mut self, event: Event) -> Result<(), Refused> {
        let pages = self.shadow.pages_of(&event).into_iter().map(|key| (key, None)).collect();
        self.shadow.admit(pages);
        self.shadow.apply(event)?;
        invariants::check(&self.shadow).and_then(|()| invariants::check_kept(&self.shadow)).expect("the laws hold");
        Ok(())
    }

    /// Versions of keys, sent now.
    fn send(&mut self, said: &[Said]) {
        let from = self.shadow.lanes()[0].position;
        let version = |(offset, said): (i64, &Said)| MessageEntry {
            at: MessageAt { partition: LANE, offset },
            timestamp_ms: Some(self.at_ms),
            identity: Some(identity(*said)),
            digest: Some(digest(*said)),
            rest: None,
            state: MessageState::Judged,
            loss: None,
            stood: false,
        };
        let versions: Vec<MessageEntry> = (from..).zip(said).map(version).collect();
        let lanes = vec![LanePart {
            partition: LANE,
            from,
            to: from + said.len() as i64,
            parts: Vec::new(),
            gaps: Vec::new(),
            undecodable: Vec::new(),
            excluded: BTreeMap::new(),
            windows: None,
            versions,
        }];
        self.apply(Event::Consumed(Consumed { lanes })).expect("it follows the position");
    }

    /// Offsets up to this one are skipped, and why.
    fn skip(&mut self, to: i64, reason: HoleReason) {
        let from = self.shadow.lanes()[0].position;
        let part = LanePart {
            partition: LANE,
            from,
            to,
            parts: Vec::new(),
            gaps: std::iter::once(from..to).collect(),
            undecodable: Vec::new(),
            excluded: BTreeMap::new(),
            windows: None,
            versions: Vec::new(),
        };
        self.apply(Event::Consumed(Consumed { lanes: vec![part] })).expect("it follows the position");
        self.apply(Event::Explained(vec![(LANE, Hole { from, to, reason })])).expect("there is a hole");
    }

    /// So much later, a commit after which these files are live.
    fn commit(&mut self, later_ms: i64, live: &[(&'static str, &[Said])]) {
        self.at_ms += later_ms;
        self.apply(Event::Begin).expect("always");
        self.snapshot += 1;
        let (id, operation) = (self.snapshot, "overwrite".to_owned());
        let snapshot = SnapshotFact { id, parent: None, sequence: id, commit_ms: 0, operation };
        let files = live.iter().map(|(path, _)| facts(path)).collect();
        let step = Some(Step { snapshot, uuid: "u".into(), why: Why::Next, live: files, moved_ms: Some(self.at_ms) });
        let look = Look { at_ms: self.at_ms, barrier: Vec::new(), step };
        for path in self.shadow.difference(&look).unscanned {
            let (path, rows) = live.iter().find(|(one, _)| *one == path).expect("it is live");
            let bag: Bag = rows.iter().map(|said| digest(*said)).collect::<Vec<_>>().iter().collect();
            let bags = FileBags { bags: vec![(SEGMENT, bag)], rows: rows.len() as u64, ..FileBags::default() };
            let scanned = Scanned { facts: facts(path), bags: bags.clone(), faults: Vec::new(), slips: None };
            self.apply(Event::Scanned(scanned)).expect("a new file");
            self.bodies.insert(self.shadow.last_file(), bags);
            self.files.insert(self.shadow.last_file(), (path, rows.to_vec()));
        }
        let difference = self.shadow.difference(&look);
        let mut nets = self.shadow.nets(&difference);
        for (files, sign) in [(difference.added, Sign::Added), (difference.removed, Sign::Removed)] {
            files.iter().for_each(|(file, entries)| nets.add(*file, &self.bodies[file], *entries, sign));
        }
        self.apply(Event::Looked(look, nets)).expect("all is scanned");
    }

    fn asked(&self) -> Option<DrillAsk> {
        self.shadow.actions().into_iter().find_map(|action| match action {
            Action::Drill(ask) => Some(ask),
            _ => None,
        })
    }

    /// The rows that were asked for, whatever became of their files since.
    fn read(&self, ask: DrillAsk) -> Drilled {
        let row = |file: &FileId, (position, said): (u64, &Said)| RowEntry {
            at: RowAt { file: FileIndex(file.0), position },
            identity: identity(*said),
            digest: digest(*said),
            rest: digest(*said),
            standing: RowStanding::InScope,
            hole: None,
            late: false,
        };
        let seen = |entry: RowEntry| SeenRow { entry, partition: None, offset: None };
        let rows = |file: &FileId| (0..).zip(&self.files[file].1).map(|one| seen(row(file, one))).collect();
        let files = ask.files.iter().map(|file| (*file, rows(file))).collect();
        let (found, gone) = (Vec::new(), BTreeMap::new());
        let (segment, messages) = (ask.segment, ask.messages);
        Drilled { segment, messages, found, debit: Bag::EMPTY, files, gone, lost_messages: false }
    }

    fn answer(&mut self) {
        while let Some(ask) = self.asked() {
            self.readings += 1;
            assert!(self.readings < 1_000, "it asks for ever: {ask:?}");
            let drilled = self.read(ask);
            self.apply(Event::Drilled(drilled)).expect("nothing changed since");
        }
    }

    /// Findings that came and went since this was last asked.
    fn told(&mut self) -> (usize, usize) {
        let delta = self.shadow.delta();
        let count = |change: Change| delta.findings.iter().filter(|finding| finding.change == change).count();
        let told = (count(Change::Opened), count(Change::Resolved));
        self.shadow.saved(delta.checkpoint);
        told
    }

    fn said(&self) -> MessageTally {
        self.shadow.standing().messages()
    }
}

#[test]
fn a_loss_that_stays_is_told_once_and_read_once_however_often_its_neighbours_change() {
    let mut play = Play::new();
    play.send(&[(1, 0), (2, 0), (3, 0)]);
    play.commit(0, &[("a", &[(2, 0)]), ("b", &[(3, 0)])]);
    play.commit(2_000, &[("a", &[(2, 0)]), ("b", &[(3, 0)]), ("c", &[])]);
    play.answer();
    assert_eq!((play.told(), play.said().missing, play.readings), ((1, 0), 1, 1));
    let names = ["d", "e", "f", "g", "h", "i"];
    for (name, value) in names.into_iter().zip(1..) {
        play.send(&[(3, value)]);
        assert_eq!((play.told(), play.said().missing), ((0, 0), 1));
        play.commit(700, &[("a", &[(2, 0)]), (name, &[(3, value)])]);
        assert_eq!((play.asked(), play.told()), (None, (0, 0)), "at {name}");
        assert_eq!((play.said().missing, play.said().intact), (1, 2));
    }
    // It is mended, by a version that is new.
    play.send(&[(1, 5)]);
    play.commit(700, &[("a", &[(2, 0)]), ("i", &[(3, 6)]), ("j", &[(1, 5)])]);
    assert_eq!((play.asked(), play.told(), play.said().intact), (None, (0, 1), 3));
}

#[test]
fn a_wrong_row_that_moves_stays_told_while_it_is_read_again() {
    let mut play = Play::new();
    play.send(&[(1, 0), (2, 0)]);
    play.commit(2_000, &[("a", &[(1, 9), (2, 0)])]);
    play.answer();
    assert_eq!((play.told(), play.said().corrupted), ((1, 0), 1));
    for (name, value) in ["b", "c", "d"].into_iter().zip(1..) {
        play.send(&[(2, value)]);
        play.commit(100, &[(name, &[(2, value), (1, 9)])]);
        assert_eq!((play.told(), play.said().corrupted, play.said().intact), ((0, 0), 1, 1), "at {name}");
        assert!(play.asked().is_some(), "where it is now");
        play.answer();
        let at = play.shadow.drafts()[0].rows[0];
        assert_eq!((play.files[&FileId(at.file.0)].0, at.position), (name, 1));
        assert_eq!((play.told(), play.said().corrupted), ((0, 0), 1));
    }
    play.commit(100, &[("e", &[(2, 3), (1, 0)])]);
    assert_eq!((play.asked(), play.told(), play.said().intact), (None, (0, 1), 2));
}

#[test]
fn what_is_read_slower_than_the_table_changes_is_told_all_the_same() {
    let mut play = Play::new();
    play.send(&[(1, 0), (2, 0), (3, 0)]);
    play.commit(2_000, &[("a", &[(2, 8), (3, 0)])]);
    let mut late = Vec::new();
    for (name, value) in ["b", "c", "d", "e", "f"].into_iter().zip(1..) {
        late.extend(play.asked());
        play.send(&[(3, value)]);
        play.commit(100, &[(name, &[(2, 8), (3, value)])]);
    }
    assert_eq!((play.said().missing, play.said().corrupted), (0, 0), "nobody has read it");
    let drilled = play.read(late.remove(0));
    play.apply(Event::Drilled(drilled)).expect("what it says of two keys is true on");
    let said = play.said();
    assert_eq!((said.missing, said.corrupted, said.intact), (1, 1, 1));
    // An answer that leaves open what there is now is none.
    play.commit(100, &[("g", &[(2, 7), (3, 5)])]);
    let drilled = play.read(late.remove(0));
    assert!(matches!(play.apply(Event::Drilled(drilled)), Err(Refused::Stale { .. })));
    play.answer();
    let said = play.said();
    assert_eq!((said.missing, said.corrupted, said.intact), (1, 1, 1));
}

#[test]
fn a_row_of_no_key_stays_a_phantom_until_it_goes() {
    let mut play = Play::new();
    play.send(&[(2, 0)]);
    play.commit(2_000, &[("a", &[(2, 0)]), ("b", &[(7, 0)])]);
    play.answer();
    assert_eq!((play.told(), play.shadow.standing().rows.phantom), ((1, 0), 1));
    play.send(&[(2, 1)]);
    play.commit(100, &[("c", &[(2, 1)]), ("b", &[(7, 0)])]);
    assert_eq!((play.asked(), play.told(), play.shadow.standing().rows.phantom), (None, (0, 0), 1));
    // A message of its key that says the same came late.
    play.send(&[(7, 0)]);
    assert_eq!((play.asked(), play.told(), play.said().intact), (None, (0, 1), 2));
}

#[test]
fn what_a_hole_may_hide_of_a_key_is_unobservable_until_it_has_a_message_behind_it() {
    for (reason, is_hidden) in [
        (HoleReason::Retention, true),
        (HoleReason::Unknown, true),
        (HoleReason::Compacted, false),
        (HoleReason::Control, false),
    ] {
        let mut play = Play::new();
        play.send(&[(1, 0), (2, 0), (3, 0), (4, 0)]);
        play.commit(2_000, &[("a", &[(1, 0), (2, 0), (3, 0)])]);
        play.answer();
        assert_eq!((play.said().intact, play.said().missing), (3, 1));
        // Other messages came and are gone: one gave a key another value, one deleted a key.
        play.skip(100, reason);
        play.commit(2_000, &[("b", &[(1, 5), (3, 0)])]);
        play.answer();
        let (said, rows) = (play.said(), play.shadow.standing().rows);
        if is_hidden {
            assert_eq!((said.intact, said.unobservable, said.corrupted, said.withdrawn, said.missing), (1, 3, 0, 0, 0));
            assert_eq!((rows.intact, rows.unobservable), (1, 1));
            assert_eq!(play.shadow.drafts(), []);
        } else {
            assert_eq!((said.intact, said.unobservable, said.corrupted, said.withdrawn, said.missing), (1, 0, 1, 1, 1));
        }
        // What comes behind the hole is known.
        play.send(&[(1, 6), (2, 6), (4, 6)]);
        play.commit(2_000, &[("c", &[(1, 6), (2, 7), (3, 0)])]);
        play.answer();
        let said = play.said();
        assert_eq!((said.intact, said.unobservable, said.corrupted, said.missing), (2, 0, 1, 1), "{reason:?}");
    }
}

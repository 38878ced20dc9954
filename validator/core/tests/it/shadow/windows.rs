//! Books of windows at their edges: holes, cut topics, what has no window, equal messages, expired snapshots.

use std::collections::BTreeMap;

use validator_core::bag::Bag;
use validator_core::digest::Digest;
use validator_core::hole::{Hole, HoleReason};
use validator_core::judge::{MessageEntry, MessageState, MessageTally, ModeKind, RowEntry, RowStanding, RowTally};
use validator_core::limits::RESIDUE_ENTRIES_MAX;
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt, TopicPartition};
use validator_core::segment::{OffsetWidth, SegmentKey};
use validator_core::shadow::Shadow;
use validator_core::shadow::action::{Action, DrillAsk};
use validator_core::shadow::event::{
    Consumed, Drilled, Event, LanePart, Letter, Look, NewLane, Scanned, SeenRow, SegmentPart, SnapshotFact, Step, Why,
};
use validator_core::shadow::file::{FileBags, FileId};
use validator_core::shadow::invariants;
use validator_core::shadow::nets::Sign;
use validator_core::shadow::segment::Times;
use validator_core::shadow::terms::{Cut, Terms, TimedBy, Windows};
use validator_core::shadow::windows::Floor;

use super::unsound::facts;

const LANE: PartitionIndex = PartitionIndex(0);

/// What a message or row says: a number, and its window.
type Said = (u64, Option<i64>);

fn digest((number, window): Said) -> Digest {
    let words = [number, window.is_some().into(), window.unwrap_or_default() as u64];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Digest(*blake3::hash(&bytes).as_bytes())
}

fn segment(said: Said) -> SegmentKey {
    SegmentKey::Window { start: said.1, shard: 0 }
}

/// A table of content alone, and a topic of one partition.
struct Play {
    shadow: Shadow,
    /// By offset.
    messages: BTreeMap<i64, (Said, i64)>,
    files: BTreeMap<FileId, (&'static str, Vec<Said>)>,
    bodies: BTreeMap<FileId, FileBags>,
    snapshot: i64,
}

impl Play {
    /// Followed from this offset.
    fn from(start: i64) -> Self {
        let terms = Terms {
            pipeline: "p".into(),
            settle_ms: 1_000,
            give_up_ms: 1_000_000,
            retention_ms: None,
            width: OffsetWidth::new(8).expect("a power of two"),
            cut: Cut::Windows(Windows { mode: ModeKind::Content, compacted: false }),
            whole_topic: start == 0,
            timed: TimedBy::Nobody,
        };
        let (messages, files, bodies) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut play = Self { shadow: Shadow::new(terms), messages, files, bodies, snapshot: 0 };
        play.follow(start, start);
        play
    }

    fn follow(&mut self, start: i64, high_watermark: i64) {
        let partition = i32::try_from(self.shadow.lanes().len()).expect("few");
        let tp = TopicPartition { topic: "t".into(), partition };
        let lane = NewLane { tp, start, declared: false, log_start: start, high_watermark };
        self.apply(Event::Partitions(vec![lane]));
    }

    fn apply(&mut self, event: Event) {
        let pages = self.shadow.pages_of(&event).into_iter().map(|key| (key, None)).collect();
        self.shadow.admit(pages);
        self.shadow.apply(event).expect("it fits");
        invariants::check(&self.shadow).and_then(|()| invariants::check_kept(&self.shadow)).expect("the laws hold");
    }

    /// Messages of an instant, one after the other, behind so many offsets that hold none.
    fn consume(&mut self, skipped: i64, at_ms: i64, said: &[Said]) {
        let from = self.shadow.lanes()[0].position;
        let first = from + skipped;
        let mut parts: BTreeMap<SegmentKey, SegmentPart> = BTreeMap::new();
        for (offset, said) in (first..).zip(said) {
            self.messages.insert(offset, (*said, at_ms));
            let none = SegmentPart {
                segment: segment(*said),
                bag: Bag::EMPTY,
                times: Times::default(),
                offset_max: offset,
                span: (offset, offset),
                excluded: 0,
                undecodable: 0,
            };
            let part = parts.entry(segment(*said)).or_insert(none);
            part.bag.add(&digest(*said));
            part.times.note(Some(at_ms));
            (part.offset_max, part.span.1) = (offset, offset + 1);
        }
        let seen: Vec<i64> = said.iter().filter_map(|(_, window)| *window).collect();
        let windows = seen.first().copied().zip(seen.iter().copied().max());
        let gaps = std::iter::once(from..first).filter(|gap| !gap.is_empty()).collect();
        let to = first + said.len() as i64;
        let (undecodable, excluded, parts) = (Vec::new(), BTreeMap::new(), parts.into_values().collect());
        let lanes = vec![LanePart {
            partition: LANE,
            from,
            to,
            parts,
            gaps,
            undecodable,
            excluded,
            windows,
            versions: Vec::new(),
        }];
        self.apply(Event::Consumed(Consumed { lanes }));
    }

    /// Looks at a table of these files, of which the new ones are scanned, and answers what is asked.
    fn look(&mut self, at_ms: i64, operation: &str, moved_ms: Option<i64>, live: &[(&'static str, &[Said])]) {
        self.apply(Event::Begin);
        self.snapshot += 1;
        let (id, operation) = (self.snapshot, operation.to_owned());
        let snapshot = SnapshotFact { id, parent: None, sequence: id, commit_ms: 0, operation };
        let files = live.iter().map(|(path, _)| facts(path)).collect();
        let step = Some(Step { snapshot, uuid: "u".into(), why: Why::Next, live: files, moved_ms });
        let look = Look { at_ms, barrier: Vec::new(), step };
        for path in self.shadow.difference(&look).unscanned {
            let (path, rows) = live.iter().find(|(one, _)| *one == path).expect("it is live");
            self.scan(path, rows);
        }
        let difference = self.shadow.difference(&look);
        let mut nets = self.shadow.nets(&difference);
        for (files, sign) in [(difference.added, Sign::Added), (difference.removed, Sign::Removed)] {
            files.iter().for_each(|(file, entries)| nets.add(*file, &self.bodies[file], *entries, sign));
        }
        self.apply(Event::Looked(look, nets));
        self.answer();
    }

    fn scan(&mut self, path: &'static str, rows: &[Said]) {
        let floor = self.shadow.floor();
        let mut bags: BTreeMap<SegmentKey, Bag> = BTreeMap::new();
        let booked: Vec<Said> = rows.iter().copied().filter(|said| !floor.is_above(segment(*said))).collect();
        booked.iter().for_each(|said| bags.entry(segment(*said)).or_default().add(&digest(*said)));
        let out_of_scope = (rows.len() - booked.len()) as u64;
        let bags =
            FileBags { bags: bags.into_iter().collect(), rows: rows.len() as u64, out_of_scope, ..FileBags::default() };
        let (facts, faults) = (facts(path), Vec::new());
        self.apply(Event::Scanned(Scanned { facts, bags: bags.clone(), faults, slips: None }));
        self.bodies.insert(self.shadow.last_file(), bags);
        self.files.insert(self.shadow.last_file(), (path, rows.to_vec()));
    }

    /// Answers drills until nothing is asked; other questions stay.
    fn answer(&mut self) {
        for _ in 0..100 {
            let mut drills = self.shadow.actions().into_iter().filter_map(|action| match action {
                Action::Drill(ask) => Some(ask),
                _ => None,
            });
            let Some(ask) = drills.next() else { return };
            let drilled = self.drilled(&ask);
            self.apply(Event::Drilled(drilled));
        }
        panic!("it asks for ever: {:?}", self.shadow.actions());
    }

    fn drilled(&self, ask: &DrillAsk) -> Drilled {
        let asked = ask.messages.iter().flat_map(|(_, range)| self.messages.range(range.clone()));
        let own = asked.filter(|(_, (said, _))| segment(*said) == ask.segment);
        let found: Vec<MessageEntry> = own
            .map(|(offset, (said, at_ms))| MessageEntry {
                at: MessageAt { partition: LANE, offset: *offset },
                timestamp_ms: Some(*at_ms),
                identity: Some(digest(*said).identity()),
                digest: Some(digest(*said)),
                rest: None,
                state: MessageState::Judged,
                loss: None,
                stood: false,
            })
            .collect();
        let debit = found.iter().filter_map(|message| message.digest).collect::<Vec<_>>().iter().collect();
        let rows = |file: &FileId| self.rows_of(*file, ask.segment);
        let (segment, messages) = (ask.segment, ask.messages.clone());
        let files = ask.files.iter().map(|file| (*file, rows(file))).collect();
        let gone = ask.gone.iter().map(|file| (*file, Some(rows(file)))).collect();
        Drilled { segment, messages, found, debit, files, gone, lost_messages: false }
    }

    fn rows_of(&self, file: FileId, of: SegmentKey) -> Vec<SeenRow> {
        let rows = (0..).zip(&self.files[&file].1).filter(|(_, said)| segment(**said) == of);
        let row = |(position, said): (u64, &Said)| RowEntry {
            at: RowAt { file: FileIndex(file.0), position },
            identity: digest(*said).identity(),
            digest: digest(*said),
            rest: digest(*said),
            standing: RowStanding::InScope,
            hole: None,
            late: false,
        };
        rows.map(|one| SeenRow { entry: row(one), partition: None, offset: None }).collect()
    }

    fn said(&self) -> (MessageTally, RowTally) {
        let standing = self.shadow.standing();
        (standing.messages(), standing.rows)
    }
}

#[test]
fn rows_whose_messages_retention_took_are_nobodys_fault() {
    let mut play = Play::from(0);
    play.consume(0, 0, &[(1, Some(10))]);
    play.consume(50, 0, &[(2, Some(14))]);
    play.consume(0, 0, &[(3, Some(15))]);
    let rows = [(1, Some(10)), (7, Some(12)), (2, Some(14)), (8, Some(25)), (3, Some(15))];
    play.look(5_000, "append", Some(4_000), &[("a", &rows)]);
    assert_eq!(
        play.said().1,
        RowTally { intact: 3, phantom: 1, unobservable: 1, ..RowTally::default() },
        "no reason yet"
    );
    let hole = |reason| Event::Explained(vec![(LANE, Hole { from: 1, to: 51, reason })]);
    let mut control = Play { shadow: play.shadow.clone(), ..Play::from(0) };
    control.apply(hole(HoleReason::Control));
    assert_eq!((control.said().1.phantom, control.said().1.unobservable), (2, 0));
    play.apply(hole(HoleReason::Retention));
    assert_eq!((play.said().1.phantom, play.said().1.unobservable), (1, 1));
    assert_eq!(play.said().0.intact, 3);
}

#[test]
fn books_of_a_cut_topic_begin_behind_its_first_message_and_have_nothing_without_a_window() {
    let mut play = Play::from(5);
    play.consume(0, 0, &[(1, Some(10)), (2, Some(11)), (3, Some(12)), (4, None), (5, Some(12))]);
    let rows = [(1, Some(10)), (9, Some(3)), (8, None), (3, Some(12)), (7, Some(12))];
    play.look(5_000, "append", Some(4_000), &[("a", &rows)]);
    assert_eq!(play.shadow.floor(), Floor::At(12));
    let (messages, rows) = play.said();
    let expected = MessageTally { intact: 1, missing: 1, excluded: 2, unobservable: 1, ..MessageTally::default() };
    assert_eq!(messages, expected);
    assert_eq!(rows, RowTally { intact: 1, phantom: 1, out_of_scope: 3, ..RowTally::default() });
    // Messages that come later are of the same books.
    play.consume(0, 0, &[(6, Some(9)), (7, Some(12))]);
    play.look(
        5_000,
        "append",
        Some(4_000),
        &[("a", &[(1, Some(10)), (9, Some(3)), (8, None), (3, Some(12)), (7, Some(12))])],
    );
    let (messages, rows) = play.said();
    assert_eq!((messages.intact, messages.missing, messages.excluded, rows.phantom), (2, 1, 3, 0));
}

#[test]
fn a_partition_that_comes_later_and_is_cut_hides_what_it_had() {
    let mut play = Play::from(0);
    play.consume(0, 0, &[(1, Some(10))]);
    play.look(5_000, "append", Some(4_000), &[("a", &[(1, Some(10)), (7, Some(12))])]);
    assert_eq!((play.said().1.phantom, play.said().1.unobservable), (1, 0));
    play.follow(40, 40);
    assert_eq!((play.said().1.phantom, play.said().1.unobservable), (0, 1));
}

#[test]
fn a_cut_partition_that_tells_no_window_hides_them_unless_it_is_empty() {
    for (high_watermark, phantom, unobservable) in [(9, 0, 1), (7, 1, 0)] {
        let mut play = Play::from(5);
        play.follow(7, high_watermark);
        play.consume(0, 0, &[(1, Some(10)), (2, Some(12))]);
        play.look(5_000, "append", Some(4_000), &[("a", &[(2, Some(12)), (7, Some(30))])]);
        assert_eq!(play.shadow.floor(), Floor::At(12));
        let rows = play.said().1;
        assert_eq!((rows.intact, rows.phantom, rows.unobservable), (1, phantom, unobservable));
    }
}

#[test]
fn a_loss_stays_one_when_the_snapshots_that_showed_it_are_expired() {
    let mut play = Play::from(0);
    play.consume(0, 0, &[(1, Some(10)), (2, Some(10))]);
    play.look(5_000, "append", Some(4_000), &[("a", &[(1, Some(10))])]);
    assert_eq!((play.said().0.missing, play.said().0.overdue), (1, 0));
    play.look(6_000, "replace", None, &[("b", &[(1, Some(10))])]);
    assert_eq!((play.said().0.missing, play.said().0.overdue), (1, 0));
}

#[test]
fn of_equal_messages_one_that_never_had_a_row_is_not_withdrawn_by_a_rewrite() {
    let mut play = Play::from(0);
    play.consume(0, 0, &[(1, Some(10)), (3, Some(10))]);
    play.consume(0, 9_500, &[(1, Some(10))]);
    play.look(10_000, "append", Some(4_000), &[("a", &[(1, Some(10))])]);
    let expected = MessageTally { intact: 1, missing: 1, pending: 1, ..MessageTally::default() };
    assert_eq!(play.said().0, expected);
    play.look(10_100, "overwrite", Some(4_000), &[("b", &[(1, Some(10)), (9, Some(10))])]);
    assert_eq!(play.said().0, expected);
    // Where its row goes it is one that went.
    play.look(10_200, "delete", Some(4_000), &[]);
    assert_eq!(play.said().0, MessageTally { withdrawn: 1, missing: 1, pending: 1, ..MessageTally::default() });
}

#[test]
fn what_is_not_read_for_want_of_room_is_counted_as_what_it_is() {
    let mut play = Play::from(0);
    let many: Vec<Said> = (0..RESIDUE_ENTRIES_MAX as u64 + 1).map(|value| (value, Some(10))).collect();
    play.consume(0, 0, &many);
    play.look(5_000, "append", None, &[]);
    let all = RESIDUE_ENTRIES_MAX as u64 + 1;
    assert_eq!(play.said().0, MessageTally { overdue: all, ..MessageTally::default() });
    // There is no room for these.
    play.consume(0, 3_000, &[(1, Some(12)), (2, Some(12)), (3, Some(14))]);
    play.consume(0, 4_500, &[(4, Some(14))]);
    let segments = |play: &Play| {
        let standing = play.shadow.standing();
        let (messages, segments) = (standing.messages(), standing.segments);
        let unnamed = (segments.unnamed, standing.unlisted.values().sum::<u64>());
        (messages.overdue - all, messages.pending, unnamed, standing.has_failed_to_look(), standing.is_idle())
    };
    play.look(5_000, "append", None, &[]);
    assert_eq!(segments(&play), (2, 2, (2, 2), false, false), "of one window not all are due");
    play.look(6_000, "append", None, &[]);
    assert_eq!(segments(&play), (4, 0, (2, 4), false, true));
    // The table moves past one of a window, and then past all.
    let rows = [(9, Some(30))];
    play.look(6_000, "append", Some(4_200), &[("a", &rows)]);
    assert_eq!(play.said().0, MessageTally { pending: 2, missing: all + 2, ..MessageTally::default() });
    play.look(6_000, "append", Some(9_000), &[("a", &rows)]);
    assert_eq!(play.said().0, MessageTally { missing: all + 4, ..MessageTally::default() });
    let mut back = play.shadow.clone();
    // A letter names one of them: which of its segment nobody knows before it is read.
    let letter = Letter { partition: LANE, offset: RESIDUE_ENTRIES_MAX as i64 + 2, cause: None };
    let named = Event::Letters(vec![letter]);
    back.admit(back.pages_of(&named).into_iter().map(|key| (key, None)).collect());
    back.apply(named).expect("it fits");
    assert_eq!((back.standing().messages().pending, back.standing().segments.unnamed), (2, 1));
    // Once their rows come they are what they are.
    let rows: Vec<Said> =
        many.iter().copied().chain([(1, Some(12)), (2, Some(12)), (3, Some(14)), (4, Some(14))]).collect();
    play.look(6_000, "append", Some(9_000), &[("a", &[(9, Some(30))]), ("b", &rows)]);
    assert_eq!((play.said().0.intact, play.said().1.phantom), (all + 4, 1));
}

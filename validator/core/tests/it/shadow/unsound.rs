//! A log that is read by other terms than it was consumed by: the schema of the table or of the messages is another one, or a
//! registry knows an id that it did not know.

use std::collections::BTreeMap;

use validator_core::bag::Bag;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{MessageEntry, MessageState, MessageTally, RowEntry, RowStanding};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt, TopicPartition};
use validator_core::segment::{OffsetWidth, SegmentKey};
use validator_core::shadow::Shadow;
use validator_core::shadow::action::{Action, DrillAsk};
use validator_core::shadow::delta::Saved;
use validator_core::shadow::event::{
    Consumed, Drilled, Event, LanePart, Look, NewLane, Scanned, SeenRow, SegmentPart, SnapshotFact, Step, Undecodable,
    Why,
};
use validator_core::shadow::file::{FileBags, FileFacts, FileId};
use validator_core::shadow::invariants;
use validator_core::shadow::nets::Sign;
use validator_core::shadow::segment::Times;
use validator_core::shadow::terms::{Cut, Terms, TimedBy};
use validator_core::shadow::told::{OpenFinding, is_of_event};
use validator_core::verdict::UndecodableCause;

const LANE: PartitionIndex = PartitionIndex(0);
const WIDTH: i64 = 8;

/// What a message or row is by a schema.
fn of(schema: u8, offset: i64) -> Digest {
    let mut bytes = [schema + 1; 32];
    bytes[..8].copy_from_slice(&offset.to_le_bytes());
    Digest(bytes)
}

fn bag(digests: &[Digest]) -> Bag {
    digests.iter().collect()
}

fn segment(index: i64) -> SegmentKey {
    SegmentKey::Offsets { partition: LANE, index }
}

fn message(schema: u8, offset: i64) -> MessageEntry {
    MessageEntry {
        at: MessageAt { partition: LANE, offset },
        timestamp_ms: Some(0),
        identity: Some(identity(offset)),
        digest: Some(of(schema, offset)),
        rest: None,
        state: MessageState::Judged,
        loss: None,
        stood: false,
    }
}

fn identity(offset: i64) -> IdentityHash {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&offset.to_le_bytes());
    IdentityHash(bytes)
}

fn row(schema: u8, file: FileId, (position, offset): (u64, i64)) -> SeenRow {
    let entry = RowEntry {
        at: RowAt { file: FileIndex(file.0), position },
        identity: identity(offset),
        digest: of(schema, offset),
        rest: of(schema, offset),
        standing: RowStanding::InScope,
        hole: None,
        late: false,
    };
    SeenRow { entry, partition: Some(LANE), offset: Some(offset) }
}

/// The answer to a drill where messages and rows are read by these schemas; `rows`: the offsets that all live rows have.
fn answer(ask: &DrillAsk, (messages, of_rows): (u8, u8), rows: &[i64]) -> Drilled {
    let [(_, asked)] = ask.messages.clone().try_into().expect("a range of offsets is of one partition");
    let inside = |offset: &&i64| segment(offset.div_euclid(WIDTH)) == ask.segment;
    let seen = |file: FileId| {
        let rows = (0..).zip(rows.iter().filter(inside));
        rows.map(|(position, offset)| row(of_rows, file, (position, *offset))).collect()
    };
    Drilled {
        segment: ask.segment,
        messages: ask.messages.clone(),
        found: asked.clone().map(|offset| message(messages, offset)).collect(),
        debit: bag(&asked.map(|offset| of(messages, offset)).collect::<Vec<_>>()),
        files: ask.files.iter().map(|file| (*file, seen(*file))).collect(),
        gone: ask.gone.iter().map(|file| (*file, None)).collect(),
        lost_messages: false,
    }
}

/// A file of one live entry.
pub fn facts(path: &str) -> FileFacts {
    FileFacts {
        path: path.to_owned(),
        size: 1,
        entries: 1,
        sequence: Some(1),
        added_by: 1,
        commit_ms: Some(0),
        is_replace: false,
        deletes: [0; 16],
        spec_id: 0,
    }
}

/// A shadow of one partition and a table of one file: its path and what it adds.
struct Play {
    shadow: Shadow,
    live: Option<(&'static str, FileBags)>,
    snapshot: i64,
}

impl Play {
    fn new() -> Self {
        let terms = Terms {
            pipeline: "p".into(),
            settle_ms: 1_000,
            give_up_ms: 1_000_000,
            retention_ms: None,
            width: OffsetWidth::new(WIDTH as u64).expect("a power of two"),
            whole_topic: true,
            timed: TimedBy::Rows,
            cut: Cut::Offsets,
        };
        let mut play = Self { shadow: Shadow::new(terms), live: None, snapshot: 0 };
        let tp = TopicPartition { topic: "t".into(), partition: 0 };
        let lane = NewLane { tp, start: 0, declared: false, log_start: 0, high_watermark: 0 };
        play.apply(Event::Partitions(vec![lane]));
        play
    }

    fn apply(&mut self, event: Event) {
        let keys = self.shadow.pages_of(&event);
        self.shadow.admit(keys.into_iter().map(|key| (key, None)).collect());
        self.shadow.apply(event).expect("nothing stands against it");
        self.check();
    }

    fn check(&self) {
        invariants::check(&self.shadow).and_then(|()| invariants::check_kept(&self.shadow)).expect("the laws hold");
    }

    /// Messages of one segment come, by schema 0.
    fn consume(&mut self, from: i64, to: i64) {
        let digests: Vec<Digest> = (from..to).map(|offset| of(0, offset)).collect();
        let times = Times { min_ms: Some(0), max_ms: Some(0), untimed: 0 };
        let part = SegmentPart {
            segment: segment(from / WIDTH),
            bag: bag(&digests),
            times,
            offset_max: to - 1,
            span: (from, to),
            excluded: 0,
            undecodable: 0,
        };
        self.take(from, to, part, Vec::new());
    }

    /// The same of messages that cannot be told.
    fn consume_undecodable(&mut self, from: i64, to: i64) {
        let undecodable = (from..to).map(|offset| Undecodable {
            at: MessageAt { partition: LANE, offset },
            cause: UndecodableCause::SchemaUnknown,
            timestamp_ms: Some(0),
            detail: "schema 7: the registry does not know it".to_owned(),
            identity: Some(identity(offset)),
        });
        let part = SegmentPart {
            segment: segment(from / WIDTH),
            bag: Bag::EMPTY,
            times: Times::default(),
            offset_max: i64::MIN,
            span: (from, to),
            excluded: 0,
            undecodable: u32::try_from(to - from).expect("few"),
        };
        self.take(from, to, part, undecodable.collect());
    }

    fn take(&mut self, from: i64, to: i64, part: SegmentPart, undecodable: Vec<Undecodable>) {
        let (gaps, excluded) = (Vec::new(), BTreeMap::new());
        let lanes = vec![LanePart {
            partition: LANE,
            from,
            to,
            parts: vec![part],
            gaps,
            undecodable,
            excluded,
            windows: None,
            versions: Vec::new(),
        }];
        self.apply(Event::Consumed(Consumed { lanes }));
    }

    /// Makes one file with rows of these offsets, by schema 0, the live one; rows from the position on are ahead.
    fn write(&mut self, path: &'static str, rows: &[i64]) {
        let position = self.shadow.lanes()[0].position;
        let mut bags: BTreeMap<SegmentKey, Bag> = BTreeMap::new();
        for offset in rows {
            let is_ahead = *offset >= position;
            let place = if is_ahead { SegmentKey::Nowhere } else { segment(offset / WIDTH) };
            bags.entry(place).or_default().add(&of(0, *offset));
        }
        let ahead = rows.iter().copied().filter(|offset| *offset >= position).min();
        let ahead = ahead.map(|least| (LANE, least)).into_iter().collect();
        let bags = FileBags { bags: bags.into_iter().collect(), rows: rows.len() as u64, ahead, ..FileBags::default() };
        self.apply(Event::Scanned(Scanned { facts: facts(path), bags: bags.clone(), faults: Vec::new(), slips: None }));
        self.snapshot += 1;
        let id = self.snapshot;
        let operation = if self.live.is_some() { "replace" } else { "append" }.to_owned();
        let snapshot = SnapshotFact { id, parent: None, sequence: id, commit_ms: 0, operation };
        let step = Some(Step { snapshot, uuid: "u".into(), why: Why::Next, live: vec![facts(path)], moved_ms: None });
        let look = Look { at_ms: 100_000 + id, barrier: Vec::new(), step };
        let difference = self.shadow.difference(&look);
        let mut nets = self.shadow.nets(&difference);
        let gone = self.live.replace((path, bags.clone())).map(|(_, gone)| gone).unwrap_or_default();
        for (files, sign, body) in
            [(&difference.added, Sign::Added, &bags), (&difference.removed, Sign::Removed, &gone)]
        {
            files.iter().for_each(|(file, entries)| nets.add(*file, body, *entries, sign));
        }
        self.apply(Event::Looked(look, nets));
    }

    /// A process begins anew with what is saved now.
    fn restart(&mut self) {
        let (terms, delta) = (self.shadow.terms().clone(), self.shadow.delta());
        let findings = delta.findings.iter().filter(|finding| !is_of_event(finding.verdict, &finding.facts));
        let saved = Saved {
            checkpoint: delta.checkpoint,
            findings: findings.map(OpenFinding::from).collect(),
            state: delta.state,
            lanes: delta.lanes,
            pages: delta.pages,
            files: delta.files_new.into_iter().map(|row| row.file).collect(),
            residues: delta.residues,
            runs: delta.runs,
            totals: delta.totals,
        };
        let standing = self.shadow.standing();
        self.shadow = Shadow::restore(terms, saved).expect("as it was written");
        assert_eq!(self.shadow.standing(), standing);
    }

    fn asked(&self) -> Vec<DrillAsk> {
        let drill = |action| match action {
            Action::Drill(ask) => Some(ask),
            _ => None,
        };
        self.shadow.actions().into_iter().filter_map(drill).collect()
    }

    /// Answers what is asked first.
    fn answer(&mut self, schemas: (u8, u8), rows: &[i64]) {
        let ask = self.asked().first().expect("something is asked").clone();
        self.apply(Event::Drilled(answer(&ask, schemas, rows)));
    }

    fn said(&self) -> MessageTally {
        self.shadow.standing().messages()
    }
}

/// Offsets of one segment without 3.
const ROWS: [i64; 7] = [0, 1, 2, 4, 5, 6, 7];

#[test]
fn a_segment_that_is_twice_not_what_was_consumed_is_unobservable_until_it_is_asked_anew() {
    let mut play = Play::new();
    play.consume(0, WIDTH);
    play.write("a", &ROWS);
    play.answer((0, 0), &ROWS);
    assert_eq!((play.said().missing, play.said().intact), (1, 7));
    // All rows move, and messages have a column now that was not compared before.
    play.write("b", &ROWS);
    play.answer((1, 0), &ROWS);
    assert_eq!((play.said().missing, play.said().intact), (1, 7), "what was said stands while it is asked once more");
    play.answer((1, 0), &ROWS);
    assert_eq!((play.said().unobservable, play.said().total()), (8, 8));
    assert!(play.asked().is_empty(), "it is not asked for ever");
    // A process that begins anew: what is said stands until the answer, which adds up again, or twice not.
    play.restart();
    play.shadow.ask_anew();
    play.check();
    for schema in [1, 1] {
        assert_eq!((play.said().unobservable, play.asked().len()), (8, 1));
        play.answer((schema, 0), &ROWS);
    }
    assert_eq!((play.said().unobservable, play.asked().len()), (8, 0));
    play.shadow.ask_anew();
    play.answer((0, 0), &ROWS);
    assert_eq!((play.said().missing, play.said().intact), (1, 7));
}

#[test]
fn what_changed_between_two_readings_is_read_twice_more() {
    let mut play = Play::new();
    play.consume(0, 4);
    play.write("a", &[0, 1, 2]);
    play.answer((1, 1), &[0, 1, 2]);
    play.consume(4, 6);
    play.answer((1, 1), &[0, 1, 2]);
    assert_eq!((play.said().pending, play.said().unobservable), (6, 0));
    // What was read is not saved: after a restart it is read twice.
    play.restart();
    play.answer((1, 1), &[0, 1, 2]);
    assert_eq!((play.said().pending, play.said().unobservable), (6, 0));
    play.answer((1, 1), &[0, 1, 2]);
    assert_eq!((play.said().unobservable, play.asked().len()), (6, 0));
    // Rows that went or moved are asked for.
    play.write("b", &[0, 1, 2]);
    play.answer((0, 0), &[0, 1, 2]);
    assert_eq!((play.said().intact, play.said().unobservable), (3, 0));
}

#[test]
fn rows_that_are_twice_not_what_was_scanned_are_unobservable() {
    let mut play = Play::new();
    play.consume(0, WIDTH);
    play.write("a", &ROWS);
    play.answer((0, 1), &ROWS);
    play.answer((0, 1), &ROWS);
    let rows = play.shadow.standing().rows;
    assert_eq!((play.said().unobservable, rows.unobservable, play.asked().len()), (8, 7, 0));
}

#[test]
fn rows_whose_file_is_about_to_be_scanned_again_are_asked_until_it_was() {
    let mut play = Play::new();
    play.consume(0, 4);
    play.write("a", &[0, 1, 4, 5]);
    play.consume(4, WIDTH);
    for _ in 0..3 {
        // 4 and 5 are below the position now.
        play.shadow.actions().iter().find(|action| matches!(action, Action::Rescan { .. })).expect("it is due");
        let of_segment = play.asked().into_iter().find(|ask| ask.segment == segment(0)).expect("it is due");
        play.apply(Event::Drilled(answer(&of_segment, (0, 0), &[0, 1, 4, 5])));
        assert_eq!((play.said().pending, play.said().unobservable), (8, 0));
    }
}

#[test]
fn segments_that_do_not_add_up_hold_up_no_other() {
    let mut play = Play::new();
    let firsts = (0..80).map(|index| index * WIDTH);
    // Of each segment the first message has no row.
    let rows: Vec<i64> = firsts.clone().flat_map(|first| first + 1..first + WIDTH).collect();
    for first in firsts {
        play.consume(first, first + WIDTH);
    }
    play.write("a", &rows);
    let all = play.asked();
    assert!(all.len() < 80, "more are asked for than one list has");
    for ask in &all {
        play.apply(Event::Drilled(answer(ask, (1, 1), &rows)));
    }
    let order: Vec<SegmentKey> = play.asked().into_iter().map(|ask| ask.segment).collect();
    let behind = all.len() as i64;
    let expected = (behind..80).chain(0..behind).map(segment).take(behind as usize);
    assert_eq!(order, expected.collect::<Vec<_>>());
}

#[test]
fn messages_that_could_not_be_told_stay_so_when_they_are_read_again() {
    let mut play = Play::new();
    let rows = [0, 1, 2, 3, 4];
    play.consume_undecodable(0, 5);
    play.write("a", &rows);
    let ask = play.asked().remove(0);
    play.consume(5, 6);
    // The registry knows the id now.
    play.apply(Event::Drilled(answer(&ask, (1, 1), &rows)));
    play.answer((0, 0), &rows);
    let said = play.said();
    assert_eq!((said.undecodable, said.intact, said.overdue + said.missing, said.total()), (5, 0, 1, 6), "{said:?}");
    assert!(play.asked().is_empty());
}

#[test]
fn a_part_with_more_messages_than_all_is_no_answer() {
    let mut play = Play::new();
    play.consume(0, 2);
    play.write("a", &[0]);
    let ask = play.asked().remove(0);
    play.consume(2, 3);
    let mut drilled = answer(&ask, (0, 0), &[0]);
    (3..6).for_each(|offset| drilled.debit.add(&of(0, offset)));
    play.apply(Event::Drilled(drilled));
    assert_eq!((play.said().pending, play.asked()[0].messages.clone()), (3, vec![(LANE, 0..3)]));
}

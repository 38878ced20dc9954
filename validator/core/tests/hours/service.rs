//! A service that follows a world of hours: it reads, looks, answers and saves each tick, as the real one does, and can be told to
//! do one thing wrong.

use std::collections::BTreeMap;

use fixtures_kit::hours::{GIVE_UP_MS, SETTLE_MS, Snapshot, WIDTH, World};
use fixtures_kit::story::StoryMode;
use validator_core::hole::{Hole, HoleReason};
use validator_core::judge::ModeKind;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::segment::OffsetWidth;
use validator_core::shadow::Shadow;
use validator_core::shadow::action::Action;
use validator_core::shadow::delta::Delta;
use validator_core::shadow::event::{
    Consumed, Event, LanePart, Look, NewLane, Refused, Scanned, SnapshotFact, Step, Why,
};
use validator_core::shadow::file::{FileBags, FileFacts, FileId};
use validator_core::shadow::invariants;
use validator_core::shadow::nets::Sign;
use validator_core::shadow::terms::{Cut, Terms, TimedBy, Windows};

use crate::ledger::Ledger;
use crate::readings::{Readings, lane_index};

/// Offsets of a lane in one batch.
const BATCH: i64 = 512;
/// Rounds of questions and answers in a tick.
const ROUNDS: usize = 40;
/// Ticks between two checks of the laws.
const CHECKED: i64 = 15;

/// What a wrong service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    None,
    /// It keeps what it wrote to the ledger.
    DeltasKept,
    /// It never tells the shadow that a checkpoint is written.
    NeverSaved,
    /// It keeps the sums of files that are gone.
    BodiesKept,
    /// A removed file is not taken out of the sums.
    NotSubtracted,
    /// Where much came at once its reader leaves the first messages out, and says that they were read.
    ReaderSkips,
}

/// What a service holds in memory: the shadow, and what it keeps beside it.
#[derive(Clone)]
pub struct Held {
    pub shadow: Shadow,
    /// Sums of files that were scanned since the last checkpoint.
    bodies: BTreeMap<FileId, FileBags>,
    deltas: Vec<Delta>,
}

/// See the module.
pub struct Service {
    pub world: World,
    pub held: Held,
    pub ledger: Ledger,
    bug: Bug,
    /// By how much more its clock is wrong where it is ahead.
    further_ms: i64,
    /// Which file of the world one is.
    numbers: BTreeMap<FileId, u64>,
    /// What happened to it.
    pub done: Done,
}

/// What came up: a simulation in which nothing happens proves nothing.
#[derive(Debug, Default)]
pub struct Done {
    pub steps: u64,
    pub jumps: u64,
    pub drills: u64,
    pub restarts: u64,
    /// Findings and runs that were opened or changed while the clock was ahead, of messages that are merely on their way.
    pub early: u64,
    /// Findings that were opened or changed of messages that something happened to.
    pub faults: u64,
}

pub fn terms(mode: StoryMode) -> Terms {
    let windows = |mode| Cut::Windows(Windows { mode, compacted: false });
    let (cut, timed) = match mode {
        StoryMode::Offset => (Cut::Offsets, TimedBy::Rows),
        StoryMode::Key => (windows(ModeKind::Key), TimedBy::Rows),
        StoryMode::Content => (windows(ModeKind::Content), TimedBy::Rows),
        StoryMode::Upsert => (windows(ModeKind::Upsert), TimedBy::Nobody),
    };
    let width = OffsetWidth::new(WIDTH).expect("a power of two");
    let (settle_ms, give_up_ms, whole_topic) = (SETTLE_MS, GIVE_UP_MS, true);
    Terms { pipeline: "hours".to_owned(), settle_ms, give_up_ms, retention_ms: None, width, cut, whole_topic, timed }
}

fn path_of(number: u64) -> String {
    format!("s3://warehouse/lake/market_data/trades_v2/data/{:02}/{number:08}.parquet", number * 37 % 100)
}

impl Service {
    pub fn new(world: World, bug: Bug) -> Self {
        let shadow = Shadow::new(terms(world.mode));
        let held = Held { shadow, bodies: BTreeMap::new(), deltas: Vec::new() };
        let (ledger, numbers, done) = (Ledger::default(), BTreeMap::new(), Done::default());
        Self { world, held, ledger, bug, further_ms: 0, numbers, done }
    }

    /// The same whose clock is a day further ahead wherever it is ahead.
    pub fn of_tomorrow(world: World) -> Self {
        Self { further_ms: GIVE_UP_MS, ..Self::new(world, Bug::None) }
    }

    /// By how much its clock is ahead.
    pub fn ahead_ms(&self) -> i64 {
        let error_ms = self.world.clock_error_ms();
        if error_ms > 0 { error_ms + self.further_ms } else { error_ms }
    }

    /// What it does in a tick of the world.
    pub fn tick(&mut self) {
        if self.world.is_suspended() {
            return;
        }
        self.follow_lanes();
        self.read();
        self.look();
        self.answer();
        if self.world.take_kill() {
            // What no checkpoint has is lost.
            self.held = Held { shadow: self.restored(), bodies: BTreeMap::new(), deltas: Vec::new() };
            self.done.restarts += 1;
            return;
        }
        if self.world.age_ms() / fixtures_kit::hours::TICK_MS % CHECKED == 0 {
            invariants::check(&self.held.shadow).unwrap_or_else(|broken| panic!("{broken}"));
        }
        self.save();
    }

    pub fn restored(&self) -> Shadow {
        Shadow::restore(terms(self.world.mode), self.ledger.saved()).unwrap_or_else(|broken| panic!("{broken}"))
    }

    fn apply(&mut self, event: Event) -> Result<(), Refused> {
        loop {
            let missing = self.held.shadow.pages_of(&event);
            if missing.is_empty() {
                return self.held.shadow.apply(event);
            }
            let pages = missing.into_iter().map(|key| (key, self.ledger.page(&key))).collect();
            self.held.shadow.admit(pages);
        }
    }

    fn must(&mut self, event: Event) {
        self.apply(event).expect("nothing stands against it");
    }

    fn follow_lanes(&mut self) {
        let known = self.held.shadow.lanes().len();
        let new = |lane: usize| NewLane {
            tp: TopicPartition { topic: "market.crypto.trades".to_owned(), partition: lane as i32 },
            start: 0,
            declared: false,
            log_start: 0,
            high_watermark: 0,
        };
        if known < self.world.log.lanes.len() {
            self.must(Event::Partitions((known..self.world.log.lanes.len()).map(new).collect()));
        }
    }

    /// Reads to the ends, in batches, and hears where the log begins.
    fn read(&mut self) {
        loop {
            let readings = Readings::of(&self.world);
            let positions = self.held.shadow.lanes().iter().map(|lane| lane.position);
            let ends = self.world.log.lanes.iter().map(|lane| lane.end);
            let behind = positions.zip(ends).enumerate().filter(|(_, (position, end))| position < end);
            let skips = |from: i64, end: i64| self.bug == Bug::ReaderSkips && end - from > 200;
            let part = |(lane, (from, end)): (usize, (i64, i64))| LanePart {
                from,
                ..readings.lane_part(lane, from + if skips(from, end) { 9 } else { 0 }, end.min(from + BATCH))
            };
            let lanes: Vec<_> = behind.map(part).collect();
            if lanes.is_empty() {
                break;
            }
            self.must(Event::Consumed(Consumed { lanes }));
        }
        if self.world.age_ms() % 60_000 == 0 {
            for lane in 0..self.world.log.lanes.len() {
                let log_start = self.world.log.lanes[lane].log_start;
                self.must(Event::Trimmed { partition: lane_index(lane), log_start });
            }
        }
    }

    fn look(&mut self) {
        if !self.held.shadow.has_begun() {
            self.must(Event::Begin);
        }
        let cursor = self.held.shadow.line().cursor.as_ref().map(|cursor| cursor.id);
        let steps: Vec<Snapshot> = self.world.table.after(cursor).cloned().collect();
        let ends = (0..).map(PartitionIndex).zip(&self.world.log.lanes);
        let barrier: Vec<_> = ends.map(|(partition, lane)| (partition, lane.end, lane.end)).collect();
        let at_ms = self.world.now_ms() + self.ahead_ms();
        let count = steps.len();
        for (nth, snapshot) in steps.into_iter().enumerate() {
            let is_last = nth + 1 == count;
            let at_ms = if is_last { at_ms } else { self.held.shadow.judged_at_ms() };
            let jumps = nth == 0 && snapshot.id > 0 && cursor != Some(snapshot.id - 1);
            let why = if jumps { Why::Jumped } else { Why::Next };
            (self.done.steps, self.done.jumps) = (self.done.steps + 1, self.done.jumps + u64::from(jumps));
            let step = Some(self.step(&snapshot, why));
            self.apply_look(Look { at_ms, barrier: barrier.clone(), step });
        }
        if count == 0 {
            self.apply_look(Look { at_ms, barrier, step: None });
        }
    }

    fn step(&self, snapshot: &Snapshot, why: Why) -> Step {
        let table = &self.world.table;
        let live = snapshot.live.iter().map(|number| {
            let file = table.file(*number).expect("a snapshot that is retained has its files");
            FileFacts {
                path: path_of(*number),
                size: file.size,
                entries: 1,
                sequence: Some(file.added_by),
                added_by: file.added_by,
                commit_ms: table.landed_ms(file),
                is_replace: false,
                deletes: [0; 16],
                spec_id: 0,
            }
        });
        let moved_ms = snapshot.moved_ms.filter(|_| self.world.mode != StoryMode::Offset);
        let fact = SnapshotFact {
            id: snapshot.id,
            parent: snapshot.id.checked_sub(1).filter(|id| *id >= 0),
            sequence: snapshot.id,
            commit_ms: snapshot.commit_ms,
            operation: snapshot.operation.to_owned(),
        };
        Step { snapshot: fact, uuid: "hours".to_owned(), why, live: live.collect(), moved_ms }
    }

    fn apply_look(&mut self, look: Look) {
        let mut difference = self.held.shadow.difference(&look);
        if !difference.unscanned.is_empty() {
            let live = look.step.as_ref().map(|step| step.live.as_slice()).unwrap_or_default();
            for path in difference.unscanned {
                let facts = live.iter().find(|facts| facts.path == path).expect("no row comes before its message");
                self.scan(facts.clone());
            }
            difference = self.held.shadow.difference(&look);
        }
        let mut nets = self.held.shadow.nets(&difference);
        let body = |file: FileId| self.held.bodies.get(&file).cloned().unwrap_or_else(|| self.ledger.body(file));
        for (file, entries) in difference.added {
            nets.add(file, &body(file), entries, Sign::Added);
        }
        for (file, entries) in difference.removed {
            let body = if self.bug == Bug::NotSubtracted { FileBags::default() } else { body(file) };
            nets.add(file, &body, entries, Sign::Removed);
        }
        self.must(Event::Looked(look, nets));
    }

    fn scan(&mut self, facts: FileFacts) {
        let name = facts.path.rsplit('/').next().and_then(|name| name.strip_suffix(".parquet"));
        let number: u64 = name.and_then(|name| name.parse().ok()).expect("a path of ours");
        let file = self.world.table.file(number).expect("a snapshot that is retained has its files");
        let (bags, slips) = Readings::of(&self.world).file(file);
        self.must(Event::Scanned(Scanned { facts, bags: bags.clone(), faults: Vec::new(), slips }));
        let id = self.held.shadow.last_file();
        self.held.bodies.insert(id, bags);
        self.numbers.insert(id, number);
    }

    /// Answers what is asked until nothing is.
    fn answer(&mut self) {
        for _ in 0..ROUNDS {
            let actions = self.held.shadow.actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                match action {
                    Action::Drill(ask) => {
                        let drilled = Readings::of(&self.world).drill(&ask, |file| self.numbers[&file]);
                        self.done.drills += 1;
                        // Another answer may have settled it.
                        let _ = self.apply(Event::Drilled(drilled));
                    }
                    Action::Explain(runs) => {
                        let hole = |(partition, from, to)| (partition, Hole { from, to, reason: HoleReason::Control });
                        self.must(Event::Explained(runs.into_iter().map(hole).collect()));
                    }
                    Action::Rescan { path, .. } => panic!("no row of {path} comes before its message"),
                }
            }
        }
    }

    fn save(&mut self) {
        let delta = self.held.shadow.delta();
        crate::checks::check_told(&delta, &self.world, self.ahead_ms(), &mut self.done);
        if self.bug == Bug::DeltasKept {
            self.held.deltas.push(delta.clone());
        }
        if self.bug == Bug::NeverSaved {
            return;
        }
        self.ledger.write(delta);
        self.held.shadow.saved(self.ledger.checkpoint);
        self.check_taken_back();
        if self.bug != Bug::BodiesKept {
            self.held.bodies.clear();
        }
    }
}

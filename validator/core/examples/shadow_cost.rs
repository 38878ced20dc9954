//! What the state machine of a continuous run costs: an hour of a fast topic unsettled, looks, checkpoints, a stand-still.
//!
//! `cargo run -p validator-core --example shadow_cost`. It prints times and memory and holds them to no bound.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use validator_core::bag::Bag;
use validator_core::digest::{Digest, IdentityHash};
use validator_core::judge::{MessageEntry, MessageState, RowEntry, RowStanding};
use validator_core::position::{FileIndex, MessageAt, PartitionIndex, RowAt, TopicPartition};
use validator_core::segment::{OffsetWidth, SegmentKey};
use validator_core::shadow::Shadow;
use validator_core::shadow::action::{Action, DrillAsk};
use validator_core::shadow::event::{
    Consumed, Drilled, Event, LanePart, Look, NewLane, Scanned, SeenRow, SegmentPart, SnapshotFact, Step, Why,
};
use validator_core::shadow::file::{FileBags, FileFacts, FileId};
use validator_core::shadow::nets::Sign;
use validator_core::shadow::segment::Times;
use validator_core::shadow::terms::{Cut, Terms, TimedBy};

const LANES: u32 = 12;
const BATCH: i64 = 8_192;
const BATCHES: i64 = 4_395;
const WIDTH: i64 = 4_096;
/// Milliseconds between two messages of the topic, times ten.
const MESSAGES_A_MS: i64 = 10;
const HOUR_MS: i64 = 3_600_000;

fn main() {
    let mut bench = Bench::new();
    bench.consume_an_hour();
    bench.land(100);
    bench.stand_still();
    bench.keep_files(100_000);
    bench.dispute(2_000, 50);
}

struct Bench {
    shadow: Shadow,
    offsets: Vec<i64>,
    landed: Vec<i64>,
    bodies: BTreeMap<FileId, FileBags>,
    live: Vec<FileFacts>,
    snapshot: i64,
}

impl Bench {
    fn new() -> Self {
        let width = OffsetWidth::new(WIDTH as u64).expect("a power of two");
        let (settle_ms, give_up_ms) = (2 * HOUR_MS, 1_000 * HOUR_MS);
        let terms = Terms {
            pipeline: "bench".to_owned(),
            settle_ms,
            give_up_ms,
            retention_ms: None,
            width,
            whole_topic: true,
            timed: TimedBy::Rows,
            cut: Cut::Offsets,
        };
        let mut shadow = Shadow::new(terms);
        let lane = |partition| NewLane {
            tp: TopicPartition { topic: "bench".to_owned(), partition },
            start: 0,
            declared: false,
            log_start: 0,
            high_watermark: 0,
        };
        shadow.apply(Event::Partitions((0..LANES as i32).map(lane).collect())).expect("new lanes");
        let offsets = vec![0; LANES as usize];
        let (landed, bodies, live) = (offsets.clone(), BTreeMap::new(), Vec::new());
        Self { shadow, offsets, landed, bodies, live, snapshot: 0 }
    }

    /// Applies an event with the pages that it needs, which a ledger would give.
    fn apply(&mut self, event: Event) -> Duration {
        let started = Instant::now();
        let missing = self.shadow.pages_of(&event);
        self.shadow.admit(missing.into_iter().map(|key| (key, None)).collect());
        self.shadow.apply(event).expect("it fits");
        started.elapsed()
    }

    fn now_ms(&self) -> i64 {
        self.offsets.iter().sum::<i64>() / MESSAGES_A_MS
    }

    fn batch(&mut self) -> Event {
        let now_ms = self.now_ms();
        let lanes = (0..LANES).map(|lane| {
            let from = self.offsets[lane as usize];
            let to = from + BATCH / i64::from(LANES) + i64::from(i64::from(lane) < BATCH % i64::from(LANES));
            self.offsets[lane as usize] = to;
            let parts = pieces(lane, from, to).map(|(segment, bag, last)| SegmentPart {
                segment,
                bag,
                times: Times { min_ms: Some(now_ms), max_ms: Some(now_ms + 800), untimed: 0 },
                offset_max: last,
                span: (from, to),
                excluded: 0,
                undecodable: 0,
            });
            let (partition, parts) = (PartitionIndex(lane), parts.collect());
            LanePart {
                partition,
                from,
                to,
                parts,
                gaps: Vec::new(),
                undecodable: Vec::new(),
                excluded: BTreeMap::new(),
                windows: None,
                versions: Vec::new(),
            }
        });
        Event::Consumed(Consumed { lanes: lanes.collect() })
    }

    fn consume_an_hour(&mut self) {
        let before = resident();
        let (mut events, mut actions, mut deltas, mut standings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for nth in 0..BATCHES {
            let batch = self.batch();
            events.push(self.apply(batch));
            actions.push(timed(|| drop(self.shadow.actions())));
            if nth % 2 == 0 {
                standings.push(timed(|| drop(self.shadow.standing())));
                deltas.push(self.checkpoint());
            }
        }
        let standing = self.shadow.standing();
        println!("{} messages, {} open segments", standing.consumed(), standing.segments.open + standing.segments.bare);
        show("a batch of 8,192 messages applied", &mut events);
        show("the same, of the last 500 batches", &mut events.split_off(events.len().saturating_sub(500)));
        show("what is to be done asked", &mut actions);
        show("the standing asked", &mut standings);
        show("a checkpoint after two batches, made and noted", &mut deltas);
        println!("  memory: {} KiB", (resident() - before) / 1024);
    }

    fn checkpoint(&mut self) -> Duration {
        let started = Instant::now();
        let delta = self.shadow.delta();
        self.shadow.saved(delta.checkpoint);
        started.elapsed()
    }

    /// A commit of rows of every lane.
    fn file(&mut self, rows: i64) -> (FileFacts, FileBags) {
        let mut bags = FileBags::default();
        for lane in 0..LANES {
            let from = self.landed[lane as usize];
            let to = from + rows / i64::from(LANES);
            self.landed[lane as usize] = to;
            bags.bags.extend(pieces(lane, from, to).map(|(segment, bag, _)| (segment, bag)));
            bags.rows += (to - from) as u64;
        }
        (facts(self.live.len()), bags)
    }

    fn look(&mut self, added: Vec<(FileFacts, FileBags)>, at_ms: i64) -> Duration {
        self.snapshot += 1;
        let started = Instant::now();
        for (facts, bags) in added {
            self.live.push(facts.clone());
            self.shadow
                .apply(Event::Scanned(Scanned { facts, bags: bags.clone(), faults: Vec::new(), slips: None }))
                .expect("a file");
            self.bodies.insert(self.shadow.last_file(), bags);
        }
        let id = self.snapshot;
        let operation = "append".to_owned();
        let snapshot = SnapshotFact { id, parent: Some(id - 1), sequence: id, commit_ms: at_ms, operation };
        let step = Step { snapshot, uuid: "bench".to_owned(), why: Why::Next, live: self.live.clone(), moved_ms: None };
        let lanes = (0..).map(PartitionIndex).zip(&self.offsets);
        let barrier = lanes.map(|(partition, offset)| (partition, *offset, *offset)).collect();
        let look = Look { at_ms, barrier, step: Some(step) };
        let difference = self.shadow.difference(&look);
        let mut nets = self.shadow.nets(&difference);
        for (file, entries) in difference.added {
            nets.add(file, &self.bodies[&file], entries, Sign::Added);
        }
        self.apply(Event::Looked(look, nets));
        started.elapsed()
    }

    fn land(&mut self, looks: usize) {
        let (mut times, mut deltas) = (Vec::new(), Vec::new());
        for _ in 0..looks {
            for _ in 0..2 {
                let batch = self.batch();
                self.apply(batch);
            }
            let file = self.file(20_000);
            let at_ms = self.now_ms();
            times.push(self.look(vec![file], at_ms));
            deltas.push(self.checkpoint());
        }
        println!("{:?}", self.shadow.standing().segments);
        show("a look of 20,000 rows", &mut times);
        show("its checkpoint", &mut deltas);
    }

    /// The sink stands still, and all messages become due.
    fn stand_still(&mut self) {
        let mut times = Vec::new();
        let at_ms = self.now_ms();
        times.push(self.look(Vec::new(), at_ms + 4 * HOUR_MS));
        show("a look by which all segments are due", &mut times);
        show("its checkpoint", &mut [self.checkpoint()]);
        let mut actions = vec![timed(|| drop(self.shadow.actions()))];
        show("what is to be done asked", &mut actions);
        println!("{:?}", self.shadow.standing().segments);
    }

    fn keep_files(&mut self, files: usize) {
        let first = self.live.len();
        let added = (first..first + files).map(|nth| (facts(nth), FileBags::default())).collect();
        let at_ms = self.shadow.judged_at_ms();
        let all = self.look(added, at_ms + 1);
        show("a look that adds 100,000 files", &mut [all]);
        show("its checkpoint", &mut [self.checkpoint()]);
        let mut times: Vec<Duration> = (2..12)
            .map(|nth| {
                let file = self.file(20_000);
                self.look(vec![file], at_ms + nth)
            })
            .collect();
        show("a look of 20,000 rows among 100,000 files", &mut times);
    }

    /// Segments whose rows are there but for some.
    fn dispute(&mut self, segments: usize, missing: i64) {
        // A row of no message: it may be that of any of them, so that none is judged unread.
        let bags = FileBags { bags: vec![(SegmentKey::Nowhere, stray().collect())], rows: 1, ..FileBags::default() };
        let (file, at_ms) = (facts(self.live.len()), self.shadow.judged_at_ms());
        self.look(vec![(file, bags)], at_ms + 1);
        let asks = self.shadow.actions().into_iter().filter_map(|action| match action {
            Action::Drill(ask) => Some(ask),
            _ => None,
        });
        let (mut answers, mut asks) = (Vec::new(), asks.collect::<Vec<_>>());
        while answers.len() < segments && !asks.is_empty() {
            for ask in std::mem::take(&mut asks) {
                let event = Event::Drilled(answer(&ask, missing));
                answers.push(self.apply(event));
            }
            asks.extend(self.shadow.actions().into_iter().filter_map(|action| match action {
                Action::Drill(ask) => Some(ask),
                _ => None,
            }));
        }
        println!("{} entries of {} segments", self.shadow.standing().entries, answers.len());
        show("an answer", &mut answers);
        let batch = self.batch();
        self.apply(batch);
        show("the standing asked, nothing judged anew", &mut [timed(|| drop(self.shadow.standing()))]);
        let at_ms = self.shadow.judged_at_ms();
        self.look(Vec::new(), at_ms - 1);
        show("the standing asked, all judged anew", &mut [timed(|| drop(self.shadow.standing()))]);
        show("its checkpoint", &mut [self.checkpoint()]);
    }
}

fn stray() -> impl Iterator<Item = &'static Digest> {
    std::iter::once(&Digest([7; 32]))
}

fn stray_row(file: FileId) -> SeenRow {
    let (identity, digest, rest) = (IdentityHash([7; 16]), Digest([7; 32]), Digest([7; 32]));
    let at = RowAt { file: FileIndex(file.0), position: 0 };
    let entry = RowEntry { at, identity, digest, rest, standing: RowStanding::InScope, hole: None, late: false };
    SeenRow { entry, partition: None, offset: None }
}

/// A drill that finds some messages and no row of them.
fn answer(ask: &DrillAsk, missing: i64) -> Drilled {
    let (segment, messages, gone) = (ask.segment, ask.messages.clone(), BTreeMap::new());
    let SegmentKey::Offsets { partition, .. } = segment else {
        let files = ask.files.iter().map(|file| (*file, vec![stray_row(*file)])).collect();
        return Drilled { segment, messages, found: Vec::new(), debit: Bag::EMPTY, files, gone, lost_messages: false };
    };
    let asked = ask.messages.iter().flat_map(|(_, range)| range.clone());
    let entry = |offset: i64| MessageEntry {
        at: MessageAt { partition, offset },
        timestamp_ms: Some(offset),
        identity: Some(IdentityHash([offset as u8; 16])),
        digest: Some(Digest([offset as u8; 32])),
        rest: Some(Digest([offset as u8; 32])),
        state: MessageState::Judged,
        loss: None,
        stood: false,
    };
    let found: Vec<MessageEntry> = asked.take(missing as usize).map(entry).collect();
    let files = ask.files.iter().map(|file| (*file, Vec::new())).collect();
    let debit = bag(ask.offsets() as i64);
    Drilled { segment, messages, found, debit, files, gone, lost_messages: false }
}

fn facts(nth: usize) -> FileFacts {
    FileFacts {
        path: format!("s3://warehouse/lake/trades/data/ts_hour=2026-01-01-{:02}/00000-{nth:08}-part.parquet", nth % 24),
        size: 1_000_000 + nth as u64,
        entries: 1,
        sequence: Some(nth as i64),
        added_by: nth as i64,
        commit_ms: Some(nth as i64),
        is_replace: false,
        deletes: [0; 16],
        spec_id: 0,
    }
}

/// Of a run of offsets the segments, with a bag that adds up like digests do, and the last offset.
fn pieces(lane: u32, from: i64, to: i64) -> impl Iterator<Item = (SegmentKey, Bag, i64)> {
    let segments = from.div_euclid(WIDTH)..=(to - 1).div_euclid(WIDTH);
    segments.map(move |index| {
        let (first, end) = (from.max(index * WIDTH), to.min((index + 1) * WIDTH));
        (SegmentKey::Offsets { partition: PartitionIndex(lane), index }, bag(end - first), end - 1)
    })
}

fn bag(count: i64) -> Bag {
    let mut bytes = [0; 40];
    bytes[..8].copy_from_slice(&count.to_le_bytes());
    bytes[8..16].copy_from_slice(&(count * 1_000_003).to_le_bytes());
    Bag::from_bytes(&bytes)
}

fn timed(what: impl FnOnce()) -> Duration {
    let started = Instant::now();
    what();
    started.elapsed()
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let micros = |time: Duration| time.as_nanos() as f64 / 1_000.0;
    let mean = times.iter().sum::<Duration>() / times.len().max(1) as u32;
    let (middle, high) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("  {what}: mean {:.1} µs, median {:.1}, p99 {:.1}", micros(mean), micros(middle), micros(high));
}

/// Bytes of this process in memory, where the system tells.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}

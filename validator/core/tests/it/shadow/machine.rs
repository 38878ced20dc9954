//! A service around the shadow, as small as can be: it plays a story, hands over messages, looks at the table, scans, drills
//! and saves, and can be told to do one thing wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fixtures_kit::story::{Act, Lane, Message, Story, StoryMode};
use validator_core::judge::ModeKind;
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::segment::OffsetWidth;
use validator_core::shadow::Shadow;
use validator_core::shadow::event::{Consumed, Drilled, Event, Letter, Look, NewLane, Refused, Why};
use validator_core::shadow::file::{FileBags, FileFacts, FileId};
use validator_core::shadow::invariants;
use validator_core::shadow::nets::Sign;
use validator_core::shadow::terms::{Cut, Terms, TimedBy, Windows};

use super::saved::Ledger;
use crate::dice::Dice;

/// What a wrong service does; the truth must notice each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    None,
    /// A removed file is not taken out of the sums.
    NotSubtracted,
    /// Looks are applied before the tap has passed their barrier.
    BarrierIgnored,
    /// A rewrite adds its files and removes none.
    ReplaceAsAppend,
    /// Files that are no longer live are not read for rows that stood.
    StoodForgotten,
    /// Whatever happened, a step is said to be the next one of the line.
    EachStepNext,
    /// Of the rows that a scan saw no slip is handed over, as if there were none.
    SlipsForgotten,
    /// Of rows that come before their messages no slip is handed over.
    SlipsAheadForgotten,
    /// Every row is said to be late that its file says anything of.
    AllLate,
    /// A file whose rows a rewrite moved is said to have none that is late.
    MovedInTime,
    /// A crash keeps positions and loses the bags: a ledger without transactions.
    PositionsWithoutBags,
    /// After a restart messages are handed over once more, at the new position.
    MergedAgain,
    /// A reader that takes a partition over goes on from where it believes to be, and what it left out counts as read.
    ReaderSkips,
    /// Dead letters are not read.
    LettersUnread,
    /// After a crash letters are read on from where they were read, and those that no checkpoint had are gone.
    LettersLost,
    /// Letters of messages that are not consumed yet are thrown away.
    LettersAheadForgotten,
    /// It is not said when rows were last added.
    NeverMoved,
    /// Of messages that cannot be told it is not said what they are named.
    StraysNameless,
    /// Rows of windows before the books are booked.
    FloorIgnored,
    /// Deletions are counted, and are no versions of their keys.
    DeletionsForgotten,
    /// A declared retention is not known: what has expired is withdrawn.
    RetentionForgotten,
    /// All is old once it is due: what is withdrawn has expired.
    RetentionOver,
}

/// What the outside has at a moment.
pub struct World<'a> {
    pub story: &'a Story,
    /// How rows and messages are named.
    pub mode: StoryMode,
    /// How much of the script has happened.
    pub played: usize,
    pub now_ms: i64,
    pub clock_error_ms: i64,
    pub outage_until_ms: i64,
    /// By lane: last stable offset and high watermark.
    pub ends: Vec<(i64, i64)>,
    pub head: Option<usize>,
    pub retained: BTreeSet<usize>,
    /// Files whose objects are gone.
    pub objects_gone: BTreeSet<usize>,
    /// Dead letters, by what they name: lane, offset.
    pub letters: Vec<(usize, i64)>,
}

impl<'a> World<'a> {
    pub fn new(story: &'a Story, mode: StoryMode) -> Self {
        let ends = story.lanes.iter().map(|lane| (lane.first(), lane.first())).collect();
        Self {
            story,
            mode,
            played: 0,
            now_ms: 0,
            clock_error_ms: 0,
            outage_until_ms: 0,
            ends,
            head: None,
            retained: BTreeSet::new(),
            objects_gone: BTreeSet::new(),
            letters: Vec::new(),
        }
    }

    pub fn is_over(&self) -> bool {
        self.played == self.story.script.len()
    }

    /// What the follower's clock says.
    pub fn clock_ms(&self) -> i64 {
        self.now_ms + self.clock_error_ms
    }

    pub fn play(&mut self) {
        let Some((at_ms, act)) = self.story.script.get(self.played) else { return };
        self.played += 1;
        self.now_ms = *at_ms;
        match act {
            Act::Produce { lane, to } => {
                let (stable, high_watermark) = self.ends[*lane];
                self.ends[*lane] = (stable.max(*to), high_watermark.max(*to));
            }
            Act::Open { lane, high_watermark } => {
                let first = self.story.lanes[*lane].first();
                self.ends[*lane].1 = self.ends[*lane].1.max(*high_watermark).max(first);
            }
            Act::Head(snapshot) => {
                if self.head.is_some_and(|head| self.table(head) != self.table(*snapshot)) {
                    self.retained.clear();
                }
                self.head = Some(*snapshot);
                self.retained.insert(*snapshot);
            }
            Act::Expire { keep } => {
                self.retained = keep.iter().copied().collect();
                let kept: BTreeSet<usize> =
                    keep.iter().flat_map(|one| &self.story.snapshots[*one].live).map(|(file, _)| *file).collect();
                let newest = self.story.snapshots[..=keep.iter().copied().max().unwrap_or(0)].iter();
                let written = newest.flat_map(|one| &one.live).map(|(file, _)| *file);
                self.objects_gone.extend(written.filter(|file| !kept.contains(file)));
            }
            Act::Letter { lane, offset } => self.letters.push((*lane, *offset)),
            Act::Outage { until_ms } => self.outage_until_ms = *until_ms,
            Act::ClockStep { by_ms } => self.clock_error_ms += by_ms,
        }
    }

    /// Whether another message asks for the same row, by its content.
    pub fn has_equal(&self, lane: usize, offset: i64) -> bool {
        let content = |message: &Message| (self.story.window_of_message(message), message.content);
        let of_lane = |lane: usize| self.story.lanes[lane].messages.iter();
        let own = of_lane(lane).find(|message| message.offset == offset).map(content);
        let all = (0..self.story.lanes.len()).flat_map(of_lane).map(content);
        all.filter(|one| Some(*one) == own).count() > 1
    }

    fn table(&self, snapshot: usize) -> u32 {
        self.story.snapshots[snapshot].table
    }

    /// The steps from the follower's last snapshot to the head.
    pub fn line(&self, cursor: Option<usize>) -> VecDeque<(usize, Why)> {
        let Some(head) = self.head else { return VecDeque::new() };
        let mut line = self.story.ancestry(head);
        line.reverse();
        let retained: Vec<usize> = line.iter().copied().filter(|one| self.retained.contains(one)).collect();
        let after = |from: usize| retained.iter().copied().filter(move |one| *one > from).map(|one| (one, Why::Next));
        let first = |why: Why| {
            let oldest = retained.first().copied().unwrap_or(head);
            let mut steps = VecDeque::from([(oldest, why)]);
            steps.extend(after(oldest));
            steps
        };
        let Some(cursor) = cursor else { return first(Why::Next) };
        if self.table(cursor) != self.table(head) {
            return first(Why::Recreated);
        }
        let last_common = line.iter().copied().filter(|one| self.story.ancestry(cursor).contains(one)).max();
        match last_common {
            Some(common) if common == cursor => {
                let mut steps: VecDeque<(usize, Why)> = after(cursor).collect();
                if let Some((first, why)) = steps.front_mut()
                    && self.story.snapshots[*first].parent != Some(cursor)
                {
                    *why = Why::Jumped;
                }
                steps
            }
            Some(common) if self.retained.contains(&common) => {
                let mut steps = VecDeque::from([(common, Why::RolledBack)]);
                steps.extend(after(common));
                steps
            }
            _ => first(Why::RolledBack),
        }
    }
}

/// A look that is not applied yet.
pub struct PendingLook {
    pub at_ms: i64,
    pub barrier: Vec<(PartitionIndex, i64, i64)>,
    pub steps: VecDeque<(usize, Why)>,
    /// Dead letters that there were when it began.
    pub letters: usize,
}

/// See the module.
pub struct Machine<'a> {
    pub world: World<'a>,
    pub shadow: Shadow,
    pub bodies: BTreeMap<FileId, FileBags>,
    /// Which file of the story.
    pub of_story: BTreeMap<FileId, usize>,
    /// Files of which slips were handed over.
    pub slipped: BTreeSet<FileId>,
    /// Snapshots that were made the live set, in their order, with how each followed the one before.
    pub steps: Vec<(usize, Why)>,
    pub look: Option<PendingLook>,
    /// Dead letters that were read.
    pub letters: usize,
    /// By lane, the next offset that its reader reads.
    pub readers: Vec<i64>,
    /// What readers have read and nobody has taken yet.
    pub batches: Vec<Consumed>,
    pub inflight: Vec<Drilled>,
    pub ledger: Ledger,
    /// Whether a removed file could no longer be asked for what stood in it.
    pub lost_sight: bool,
    /// Of a hundred scans, how many hand over slips.
    pub slips_in_hundred: u64,
    pub dice: Dice,
    pub bug: Bug,
    /// Batches that did not begin at the position.
    pub refused: usize,
    /// Messages of an upsert table that were shown when all was at rest and saved.
    pub shown: BTreeSet<(usize, i64)>,
    /// What happened, for people.
    pub log: Vec<String>,
}

pub fn terms(story: &Story, mode: StoryMode) -> Terms {
    let windows = |mode| Cut::Windows(Windows { mode, compacted: false });
    let (cut, timed) = match mode {
        StoryMode::Offset => (Cut::Offsets, TimedBy::Rows),
        StoryMode::Key => (windows(ModeKind::Key), TimedBy::Rows),
        StoryMode::Content => (windows(ModeKind::Content), TimedBy::Rows),
        StoryMode::Upsert => (windows(ModeKind::Upsert), TimedBy::Nobody),
    };
    Terms {
        pipeline: "story".to_owned(),
        settle_ms: story.settle_ms,
        give_up_ms: story.give_up_ms,
        retention_ms: story.retention_ms,
        width: OffsetWidth::new(story.width).expect("a power of two"),
        whole_topic: story.whole_topic,
        timed,
        cut,
    }
}

/// The terms of a service that takes them wrong.
pub fn wrong_terms(terms: Terms, bug: Bug) -> Terms {
    match bug {
        Bug::RetentionForgotten => Terms { retention_ms: None, ..terms },
        Bug::RetentionOver => Terms { retention_ms: Some(terms.settle_ms), ..terms },
        _ => terms,
    }
}

impl<'a> Machine<'a> {
    pub fn new(story: &'a Story, mode: StoryMode, schedule: u64, bug: Bug) -> Self {
        let mut dice = Dice::new(schedule ^ 0x736c_6970);
        let mut machine = Self {
            world: World::new(story, mode),
            shadow: Shadow::new(wrong_terms(terms(story, mode), bug)),
            bodies: BTreeMap::new(),
            of_story: BTreeMap::new(),
            slipped: BTreeSet::new(),
            steps: Vec::new(),
            look: None,
            letters: 0,
            readers: story.lanes.iter().map(Lane::first).collect(),
            batches: Vec::new(),
            inflight: Vec::new(),
            ledger: Ledger::default(),
            lost_sight: false,
            slips_in_hundred: dice.pick(&[0, 60, 100, 100]),
            dice,
            bug,
            refused: 0,
            shown: BTreeSet::new(),
            log: Vec::new(),
        };
        let lanes = (0..).zip(&story.lanes).map(|(partition, lane)| NewLane {
            tp: TopicPartition { topic: "story".to_owned(), partition },
            start: lane.first(),
            declared: lane.start.is_some(),
            log_start: lane.log_start,
            high_watermark: lane.first(),
        });
        machine.must(Event::Partitions(lanes.collect()));
        machine.save();
        machine
    }

    /// Applies an event, with the pages that it needs, and checks the laws.
    pub fn apply(&mut self, event: Event) -> Result<(), Refused> {
        loop {
            let missing = self.shadow.pages_of(&event);
            if missing.is_empty() {
                break;
            }
            let pages = missing.into_iter().map(|key| (key, self.ledger.page(&key))).collect();
            self.shadow.admit(pages);
        }
        // Other events are never refused here, and a copy of everything is slow.
        let may_be_refused = matches!(event, Event::Drilled(_) | Event::Consumed(_));
        let before = may_be_refused.then(|| self.shadow.clone());
        let done = self.shadow.apply(event);
        if done.is_err() {
            assert!(before.is_none_or(|before| before == self.shadow), "a refused event changed something");
        }
        if let Err(broken) = invariants::check(&self.shadow).and_then(|()| invariants::check_kept(&self.shadow)) {
            panic!("{broken}");
        }
        // Bodies of a service that does not subtract are not the sums of its segments.
        if self.bug == Bug::None
            && let Err(broken) = invariants::check_credit(&self.shadow, &self.bodies)
        {
            panic!("{broken}");
        }
        done
    }

    fn must(&mut self, event: Event) {
        self.apply(event).expect("nothing stands against it");
    }

    pub fn positions(&self) -> Vec<i64> {
        self.shadow.lanes().iter().map(|lane| lane.position).collect()
    }

    pub fn cursor(&self) -> Option<usize> {
        self.shadow.line().cursor.as_ref().map(|cursor| usize::try_from(cursor.id).expect("a number of a snapshot"))
    }

    /// Loads the metadata, then asks for the ends of the log.
    pub fn begin_look(&mut self) {
        if self.look.is_some() || self.world.now_ms < self.world.outage_until_ms {
            return;
        }
        let steps = self.world.line(self.cursor());
        let ends = (0..).map(PartitionIndex).zip(&self.world.ends);
        let barrier = ends.map(|(partition, (stable, high_watermark))| (partition, *stable, *high_watermark)).collect();
        let letters = self.world.letters.len();
        self.look = Some(PendingLook { at_ms: self.world.clock_ms(), barrier, steps, letters });
    }

    /// Goes on with the look: scans one file, or applies one step. False: there is nothing to do, or the tap is behind.
    pub fn go_on(&mut self) -> bool {
        let Some(pending) = &self.look else { return false };
        if self.letters < pending.letters {
            self.read_letters(pending.letters);
            return true;
        }
        let positions = self.positions();
        let behind = |(partition, barrier, _): &(PartitionIndex, i64, i64)| positions[partition.0 as usize] < *barrier;
        let ignored = self.bug == Bug::BarrierIgnored;
        if !ignored && pending.barrier.iter().any(behind) {
            return false;
        }
        if !self.shadow.has_begun() {
            self.must(Event::Begin);
            return self.shadow.has_begun();
        }
        let Some(pending) = &self.look else { return false };
        let (at_ms, mut barrier, next) = (pending.at_ms, pending.barrier.clone(), pending.steps.front().copied());
        let is_last = pending.steps.len() <= 1;
        if ignored {
            barrier.clear();
        }
        // What the table was before the look began says nothing about the instant of the look.
        let at_ms = if is_last { at_ms } else { self.shadow.judged_at_ms() };
        let step = next.map(|(snapshot, why)| self.step(snapshot, why));
        let look = Look { at_ms, barrier, step };
        let difference = self.shadow.difference(&look);
        if let Some(path) = difference.unscanned.first() {
            self.scan_or_swap(path.clone(), &look);
            return true;
        }
        self.apply_look(look);
        if let Some((snapshot, why)) = next {
            self.steps.push((snapshot, why));
        }
        let pending = self.look.as_mut().expect("it was there");
        pending.steps.pop_front();
        if is_last {
            self.look = None;
        }
        true
    }

    /// Some of the dead letters that were there when the look began.
    fn read_letters(&mut self, end: usize) {
        let upto = self.letters + 1 + self.dice.below((end - self.letters) as u64) as usize;
        let positions = self.positions();
        let is_read = |(lane, offset): &&(usize, i64)| match self.bug {
            Bug::LettersUnread => false,
            Bug::LettersAheadForgotten => *offset < positions[*lane],
            _ => true,
        };
        let read = self.world.letters[self.letters..upto].iter().filter(is_read);
        let letter = |(lane, offset): &(usize, i64)| Letter {
            partition: PartitionIndex(u32::try_from(*lane).expect("few lanes")),
            offset: *offset,
            cause: (offset % 3 > 0).then(|| format!("cause {}", offset % 3)),
        };
        let letters: Vec<Letter> = read.map(letter).collect();
        self.log.push(format!("letters {letters:?}"));
        self.letters = upto;
        self.must(Event::Letters(letters));
    }

    fn apply_look(&mut self, look: Look) {
        let difference = self.shadow.difference(&look);
        // Whose rows ahead are in no slip, and may be those of messages that come.
        let is_blind = |(file, _): &(FileId, u32)| !self.slipped.contains(file) && !self.bodies[file].ahead.is_empty();
        self.lost_sight |= difference.removed.iter().any(is_blind);
        let mut nets = self.shadow.nets(&difference);
        for (file, entries) in difference.added {
            nets.add(file, &self.bodies[&file], entries, Sign::Added);
        }
        for (file, entries) in difference.removed {
            let nothing = FileBags::default();
            let body = if self.bug == Bug::NotSubtracted { &nothing } else { &self.bodies[&file] };
            nets.add(file, body, entries, Sign::Removed);
        }
        self.log.push(format!("look {look:?}"));
        self.must(Event::Looked(look, nets));
    }

    /// A file is scanned; if it is live and was read again already, it first takes its own place.
    fn scan_or_swap(&mut self, path: String, look: &Look) {
        let swap = Look { at_ms: self.shadow.judged_at_ms(), barrier: Vec::new(), step: None };
        let has_swaps = !self.shadow.difference(&swap).added.is_empty();
        let is_live = self.shadow.is_live(&path);
        if is_live && has_swaps && look.step.is_some() {
            self.apply_look(swap);
            return;
        }
        let of_step = look.step.as_ref().and_then(|step| step.live.iter().find(|facts| facts.path == path));
        let facts = of_step.or_else(|| self.shadow.facts(&path)).expect("a path of the step, or a live one").clone();
        self.scan(facts);
    }

    pub fn scan(&mut self, facts: FileFacts) {
        let number =
            self.world.story.files.iter().position(|file| file.path == facts.path).expect("a file of the story");
        let bags = self.bags_of(number);
        let has_slips = self.dice.percent(self.slips_in_hundred) && self.world.mode != StoryMode::Upsert;
        let slips = has_slips.then(|| self.slips_of(number));
        self.log.push(format!("scan {}", facts.path));
        let scanned = validator_core::shadow::event::Scanned { facts, bags: bags.clone(), faults: Vec::new(), slips };
        self.must(Event::Scanned(scanned));
        let id = self.shadow.last_file();
        self.bodies.insert(id, bags);
        // After a crash numbers are given once more.
        if has_slips {
            self.slipped.insert(id);
        } else {
            self.slipped.remove(&id);
        }
        self.of_story.insert(id, number);
    }
}

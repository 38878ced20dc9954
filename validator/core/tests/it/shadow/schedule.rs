//! The order in which things happen to a service: drawn from a seed, until the story is over and nothing is open.

use std::collections::BTreeSet;

use fixtures_kit::story::{Story, StoryMode, StoryTruth};
use validator_core::shadow::action::Action;
use validator_core::shadow::event::{Consumed, Event, LanePart};
use validator_core::verdict::ExcludedCause;

use super::machine::{Bug, Machine};
use crate::dice::Dice;

/// Events after which a story that is over must be at rest. A question that is asked for ever fails here.
const IDLE_EVENTS_MAX: usize = 20_000;

/// Batches that wait to be taken.
const BATCHES_QUEUED: usize = 4;

/// How a run of a story ended.
pub struct Ended {
    pub said: StoryTruth,
    pub truth: StoryTruth,
    /// Messages without a row of which nobody can know any more whether they had one.
    pub unseen: usize,
    /// Messages that need not have a row any more, and have none.
    pub expired: usize,
    /// Intact messages of which nobody can know whether they are late, and the rows of which that is said.
    pub untold: (u64, u64),
    /// Late messages that are not said to be.
    pub unsaid: u64,
    /// Messages of windows that would count as they do if nobody had read them.
    pub unread: usize,
    /// Withdrawn messages, and of them those of which one step is named.
    pub blamed: (usize, usize),
    pub events: usize,
    pub crashes: usize,
    /// Batches that did not begin at the position.
    pub refused: usize,
    pub log: Vec<String>,
}

/// Plays a story to its end.
pub fn run(story: &Story, mode: StoryMode, schedule: u64, bug: Bug) -> Ended {
    let mut dice = Dice::new(schedule);
    let mut machine = Machine::new(story, mode, schedule, bug);
    let (mut events, mut crashes) = (0, 0);
    let crash_chance = dice.pick(&[0, 2, 6]);
    let rebalance_chance = dice.pick(&[0, 3]);
    while !machine.world.is_over() {
        events += 1;
        if dice.percent(crash_chance) {
            match bug {
                Bug::PositionsWithoutBags => machine.crash_without_bags(),
                _ => machine.crash(),
            }
            crashes += 1;
            machine.hand_over_again(&mut dice);
        }
        if dice.percent(rebalance_chance) {
            machine.rebalance(&mut dice);
        }
        one_event(&mut machine, &mut dice);
        // Only of what is seen at rest is it known what was shown.
        if mode == StoryMode::Upsert && dice.percent(3) {
            events += come_to_rest(&mut machine, &mut dice);
        }
    }
    (machine.world.now_ms, machine.world.clock_error_ms, machine.world.outage_until_ms) = (story.end_ms, 0, 0);
    let start = events;
    while !machine.is_idle() {
        if !machine.shadow.has_begun() && machine.is_read() {
            machine.apply(Event::Begin).expect("it always fits");
            if !machine.shadow.has_begun() {
                break;
            }
        }
        events += 1;
        assert!(
            events - start < IDLE_EVENTS_MAX,
            "never at rest: {:?}, {:?}",
            machine.shadow.actions(),
            machine.shadow.standing()
        );
        if crashes < 3 && dice.percent(1) {
            machine.crash();
            crashes += 1;
        }
        one_event(&mut machine, &mut dice);
    }
    machine.save();
    machine.check_ledger();
    let mut said = machine.said();
    let mut truth = machine.truth(&said);
    if !machine.shadow.has_begun() {
        // Nothing came that says where the books begin: nothing is said of the table.
        truth = said.clone();
    }
    machine.check_late(&truth);
    let unread = machine.check_unread();
    let late = |of: &StoryTruth| of.late.iter().sum::<u64>();
    let unsaid = late(&truth) - late(&said);
    if matches!(mode, StoryMode::Key | StoryMode::Content) {
        // A segment of a window has messages of any lane: it is known of all together.
        truth.late.clone_from(&said.late);
    }
    let untold = (std::mem::take(&mut truth.untold), machine.shadow.standing().untold);
    let unseen = machine.unseen(&said);
    let expired = std::mem::take(&mut truth.expired);
    machine.check_expired(&expired);
    without_a_row(&mut said, &unseen);
    without_a_row(&mut truth, &unseen);
    let blamed = machine.check_blames(&said);
    let (unseen, refused) = (unseen.len(), machine.refused);
    Ended {
        said,
        truth,
        unseen,
        expired: expired.len(),
        untold,
        unsaid,
        unread,
        blamed,
        events,
        crashes,
        refused,
        log: machine.log,
    }
}

/// Reads, looks and answers while nothing new happens, and notes what is shown then; how many events that took. Where a table
/// cannot be looked at, or a transaction is open, there is no rest.
fn come_to_rest(machine: &mut Machine<'_>, dice: &mut Dice) -> usize {
    for events in 0..400 {
        if machine.is_idle() {
            machine.note_shown();
            machine.save();
            return events;
        }
        match dice.below(5) {
            0 => machine.read_some(dice),
            1 => machine.take_some(dice),
            2 => {
                machine.begin_look();
                machine.go_on();
            }
            3 => machine.ask(dice),
            _ => machine.answer(dice),
        }
    }
    400
}

/// Where the object of a removed file is gone before it could be asked, nobody can say whether a message without a row had
/// one there. Of those that the shadow says this of, `missing`, `overdue` and `withdrawn` are compared as one.
fn without_a_row(truth: &mut StoryTruth, unseen: &BTreeSet<(usize, i64)>) {
    for finding in &mut truth.findings {
        let Some(at) = finding.message.filter(|at| unseen.contains(at) && ONE.contains(&finding.verdict)) else {
            continue;
        };
        let counts = &mut truth.messages[at.0];
        let count = counts.entry(finding.verdict).or_default();
        *count -= 1;
        if *count == 0 {
            counts.remove(finding.verdict);
        }
        *counts.entry("without a row").or_default() += 1;
        (finding.verdict, finding.cause) = ("without a row", None);
    }
    truth.findings.sort();
}

/// What a message without a row may be.
const ONE: [&str; 3] = ["missing", "overdue", "withdrawn"];

fn one_event(machine: &mut Machine<'_>, dice: &mut Dice) {
    match dice.below(100) {
        0..20 => machine.world.play(),
        20..34 => machine.read_some(dice),
        34..45 => machine.take_some(dice),
        45..57 => machine.begin_look(),
        57..70 => {
            machine.go_on();
        }
        70..80 => machine.ask(dice),
        80..93 => machine.answer(dice),
        _ => machine.save(),
    }
}

impl Machine<'_> {
    /// The report says of as many that they have expired as have.
    fn check_expired(&self, expired: &[(usize, i64)]) {
        let said = self.shadow.standing().excluded().get(&ExcludedCause::Expired).copied().unwrap_or(0);
        let known = expired.len() as u64;
        assert!(
            self.bug != Bug::None || !self.shadow.has_begun() || said == known,
            "{known} messages have expired, and {said} are said to have"
        );
    }

    /// Messages that are `missing` or `overdue` in what is said, and of which the shadow says that nobody knows whether they had
    /// a row.
    pub fn unseen(&self, said: &StoryTruth) -> BTreeSet<(usize, i64)> {
        let without = said.findings.iter().filter(|finding| ["missing", "overdue"].contains(&finding.verdict));
        let without = without.filter_map(|finding| finding.message);
        let mut unseen: BTreeSet<(usize, i64)> = without.filter(|at| self.may_have_stood(at)).collect();
        assert!(
            unseen.is_empty() || self.lost_sight,
            "all removed files could be asked, and yet {unseen:?} are unknown"
        );
        assert!(unseen.is_empty() || self.slips_in_hundred < 100, "all rows had slips, and yet {unseen:?} are unknown");
        // Nobody can say of which of several equal messages a row was.
        if self.world.mode == StoryMode::Content {
            let of = said.findings.iter().filter_map(|finding| finding.message);
            unseen.extend(of.filter(|(lane, offset)| self.world.has_equal(*lane, *offset)));
        }
        unseen
    }

    /// Readers read on: a batch of one lane, or of two.
    fn read_some(&mut self, dice: &mut Dice) {
        if self.batches.len() >= BATCHES_QUEUED {
            return;
        }
        let lanes = self.world.ends.len() as u64;
        let drawn: BTreeSet<usize> = (0..dice.pick(&[1, 1, 2])).map(|_| dice.below(lanes) as usize).collect();
        let mut batch = Consumed::default();
        for lane in drawn {
            let (from, stable) = (self.readers[lane], self.world.ends[lane].0);
            if from < stable {
                let to = from + 1 + dice.below((stable - from) as u64) as i64;
                batch.lanes.push(self.lane_part(lane, from, from..to));
                self.readers[lane] = to;
            }
        }
        if !batch.lanes.is_empty() {
            self.batches.push(batch);
        }
    }

    /// Takes a batch that was read: the next one, but where a reader was replaced whichever comes. What does not begin at the
    /// position is refused, and its readers go there.
    fn take_some(&mut self, dice: &mut Dice) {
        if self.batches.is_empty() {
            return;
        }
        let nth = if dice.percent(90) { 0 } else { dice.below(self.batches.len() as u64) as usize };
        let mut batch = self.batches.remove(nth);
        if self.bug == Bug::ReaderSkips {
            let positions = self.positions();
            batch.lanes.retain(|part| part.to > positions[part.partition.0 as usize]);
            batch.lanes.iter_mut().for_each(|part| part.from = positions[part.partition.0 as usize]);
        }
        let text: Vec<String> =
            batch.lanes.iter().map(|part| format!("{} {}..{}", part.partition.0, part.from, part.to)).collect();
        let lanes: Vec<usize> = batch.lanes.iter().map(|part| part.partition.0 as usize).collect();
        let done = self.apply(Event::Consumed(batch));
        self.log.push(format!("consumed {text:?}: {done:?}"));
        if done.is_err() {
            self.refused += 1;
            for lane in lanes {
                self.readers[lane] = self.positions()[lane];
            }
        }
    }

    /// The reader of a lane is replaced. The new one begins where the shadow is, or before; what the old one has read comes all
    /// the same, or is lost with it.
    fn rebalance(&mut self, dice: &mut Dice) {
        let lane = dice.below(self.world.ends.len() as u64) as usize;
        if dice.percent(50) {
            let is_of_lane = |part: &LanePart| part.partition.0 as usize == lane;
            let lost: Vec<Consumed> = self.batches.extract_if(.., |batch| batch.lanes.iter().any(is_of_lane)).collect();
            // What it had read of other lanes is read again.
            for part in lost.iter().flat_map(|batch| &batch.lanes).filter(|part| !is_of_lane(part)) {
                let other = part.partition.0 as usize;
                self.readers[other] = self.readers[other].min(part.from);
            }
        }
        if self.bug == Bug::ReaderSkips {
            return;
        }
        let (first, position) = (self.world.story.lanes[lane].first(), self.positions()[lane]);
        let back = dice.below((position - first) as u64 + 1) as i64;
        self.readers[lane] = if dice.percent(50) { position } else { position - back };
        self.log.push(format!("lane {lane} is read from {} by another reader", self.readers[lane]));
    }

    /// The canary that hands messages over once more.
    fn hand_over_again(&mut self, dice: &mut Dice) {
        if self.bug != Bug::MergedAgain {
            return;
        }
        let lane = dice.below(self.world.ends.len() as u64) as usize;
        let (first, position) = (self.world.story.lanes[lane].first(), self.positions()[lane]);
        let back = (position - first).min(4);
        if back == 0 || position + back > self.world.ends[lane].0 {
            return;
        }
        let part = self.lane_part(lane, position, position - back..position);
        self.apply(Event::Consumed(Consumed { lanes: vec![part] })).expect("it begins at the position");
    }

    fn ask(&mut self, dice: &mut Dice) {
        let actions = self.shadow.actions();
        if actions.is_empty() {
            return;
        }
        let action = actions[dice.below(actions.len() as u64) as usize].clone();
        self.log.push(format!("ask {action:?}"));
        match action {
            Action::Drill(ask) => {
                self.lost_sight |= ask.gone.iter().any(|file| self.world.objects_gone.contains(&self.of_story[file]));
                self.inflight.push(self.drill(&ask));
            }
            Action::Explain(runs) => {
                let holes = self.explained(&runs);
                self.apply(Event::Explained(holes)).expect("a reason always fits");
            }
            Action::Rescan { path, .. } => {
                if let Some(facts) = self.shadow.facts(&path).cloned() {
                    self.scan(facts);
                }
            }
        }
    }

    /// Some answer that is on its way: in any order, perhaps again later.
    fn answer(&mut self, dice: &mut Dice) {
        if self.inflight.is_empty() {
            return;
        }
        let nth = dice.below(self.inflight.len() as u64) as usize;
        let answer = if dice.percent(80) { self.inflight.swap_remove(nth) } else { self.inflight[nth].clone() };
        let text = format!(
            "answer {} {:?} files {:?} gone {:?}",
            answer.segment,
            answer.messages,
            answer.files.keys(),
            answer.gone.keys()
        );
        let done = self.apply(Event::Drilled(answer));
        self.log.push(format!("{text}: {done:?}"));
    }

    fn is_read(&self) -> bool {
        self.positions().iter().zip(&self.world.ends).all(|(position, (stable, _))| position >= stable)
    }

    /// Whether all is read, looked at, answered and due.
    fn is_idle(&self) -> bool {
        let read = self.is_read();
        let ends = self.shadow.lanes().iter().zip(&self.world.ends);
        let known = || ends.clone().all(|(lane, (_, high_watermark))| lane.high_watermark >= *high_watermark);
        let segments = self.shadow.standing().segments;
        let open = segments.open + segments.to_drill + segments.drilling;
        let looked = self.shadow.judged_at_ms() == self.world.clock_ms() && self.cursor() == self.world.head;
        read && looked && known() && self.look.is_none() && open == 0 && self.shadow.actions().is_empty()
    }
}

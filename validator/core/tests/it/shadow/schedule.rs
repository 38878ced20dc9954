//! The order in which things happen to a service: drawn from a seed, until the story is over and nothing is open.

use std::collections::BTreeSet;

use fixtures_kit::story::{Story, StoryTruth};
use validator_core::position::{MessageAt, PartitionIndex};
use validator_core::shadow::action::Action;
use validator_core::shadow::event::Event;

use super::machine::{Bug, Machine};
use crate::dice::Dice;

/// Events after which a story that is over must be at rest. A question that is asked for ever fails here.
const IDLE_EVENTS_MAX: usize = 20_000;

/// How a run of a story ended.
pub struct Ended {
    pub said: StoryTruth,
    pub truth: StoryTruth,
    /// Messages without a row of which nobody can know any more whether they had one.
    pub unseen: usize,
    /// Withdrawn messages, and of them those of which one step is named.
    pub blamed: (usize, usize),
    pub events: usize,
    pub crashes: usize,
    pub log: Vec<String>,
}

/// Plays a story to its end.
pub fn run(story: &Story, schedule: u64, bug: Bug) -> Ended {
    let mut dice = Dice::new(schedule);
    let mut machine = Machine::new(story, bug);
    let (mut events, mut crashes) = (0, 0);
    let crash_chance = dice.pick(&[0, 2, 6]);
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
        one_event(&mut machine, &mut dice);
    }
    (machine.world.now_ms, machine.world.clock_error_ms, machine.world.outage_until_ms) = (story.end_ms, 0, 0);
    let start = events;
    while !machine.is_idle() {
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
    let (mut said, mut truth) = (machine.said(), machine.truth());
    let unseen = machine.unseen(&said);
    without_a_row(&mut said, &unseen);
    without_a_row(&mut truth, &unseen);
    let blamed = machine.check_blames(&said);
    Ended { said, truth, unseen: unseen.len(), blamed, events, crashes, log: machine.log }
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
        20..40 => machine.read_some(dice),
        40..55 => machine.begin_look(),
        55..70 => {
            machine.go_on();
        }
        70..80 => machine.ask(dice),
        80..93 => machine.answer(dice),
        _ => machine.save(),
    }
}

impl Machine<'_> {
    /// Messages that are `missing` or `overdue` in what is said, and of which the shadow says that nobody knows whether they had
    /// a row.
    fn unseen(&self, said: &StoryTruth) -> BTreeSet<(usize, i64)> {
        let without = said.findings.iter().filter(|finding| ["missing", "overdue"].contains(&finding.verdict));
        let may = |(lane, offset): &(usize, i64)| {
            let partition = PartitionIndex(u32::try_from(*lane).expect("few lanes"));
            self.shadow.may_have_stood(MessageAt { partition, offset: *offset })
        };
        let unseen: BTreeSet<(usize, i64)> = without.filter_map(|finding| finding.message).filter(may).collect();
        assert!(
            unseen.is_empty() || self.lost_sight,
            "all removed files could be asked, and yet {unseen:?} are unknown"
        );
        unseen
    }

    fn read_some(&mut self, dice: &mut Dice) {
        let lane = dice.below(self.world.ends.len() as u64) as usize;
        let (position, stable) = (self.positions()[lane], self.world.ends[lane].0);
        if position >= stable {
            return;
        }
        let most = (stable - position) as u64;
        let to = position + 1 + dice.below(most) as i64;
        let consumed = self.consumed(lane, to);
        self.log.push(format!("consumed lane {lane} {position}..{to}"));
        self.apply(Event::Consumed(consumed)).expect("it begins at the position");
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
        let consumed = validator_core::shadow::event::Consumed { lanes: vec![part] };
        self.apply(Event::Consumed(consumed)).expect("it begins at the position");
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
            Action::Time { .. } => {}
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

    /// Whether all is read, looked at, answered and due.
    fn is_idle(&self) -> bool {
        let read = self.positions().iter().zip(&self.world.ends).all(|(position, (stable, _))| position >= stable);
        let ends = self.shadow.lanes().iter().zip(&self.world.ends);
        let known = || ends.clone().all(|(lane, (_, high_watermark))| lane.high_watermark >= *high_watermark);
        let segments = self.shadow.standing().segments;
        let open = segments.open + segments.to_drill + segments.drilling;
        let looked = self.shadow.judged_at_ms() == self.world.clock_ms() && self.cursor() == self.world.head;
        read && looked && known() && self.look.is_none() && open == 0 && self.shadow.actions().is_empty()
    }
}

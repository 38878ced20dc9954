//! The shadow in thousands of small worlds that move in time: messages come, sinks fail, tables are rewritten, the process
//! dies. At rest it must say what is true, in whatever order things happened.
//!
//! `cargo xtask stories --seeds 17` replays one; `SEEDS=17` or `SEEDS=0..2000` does the same for the test.

mod answers;
mod compare;
mod keys;
mod machine;
mod older;
mod saved;
mod schedule;
mod unsound;
mod windows;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fixtures_kit::story::{Story, StoryMode, StoryTruth};

use machine::Bug;
use schedule::{Ended, run};

/// The stories of a run: `SEEDS`, one or half-open; else the first 2,000.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return 0..2_000 };
    let number = |text: &str| text.trim().parse::<u64>().expect("SEEDS is N or N..M");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}

/// The story of a seed in a mode.
fn story_of(seed: u64, mode: StoryMode) -> Story {
    let story = Story::generate(seed);
    if mode == StoryMode::Upsert { story.upserted() } else { story }
}

/// The end of a run; else why it has none.
fn ended(story: &Story, mode: StoryMode, schedule: u64, bug: Bug) -> Result<Ended, String> {
    catch_unwind(AssertUnwindSafe(|| run(story, mode, schedule, bug))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

fn difference(ended: &Ended) -> String {
    let (said, truth) = (&ended.said, &ended.truth);
    let not_in = |one: &StoryTruth, other: &StoryTruth| -> Vec<String> {
        let missing = one.findings.iter().filter(|finding| !other.findings.contains(finding));
        missing.map(|finding| format!("\n    {finding:?}")).collect()
    };
    format!(
        "counts said {:?} {:?} late {:?}\n       true {:?} {:?} late {:?}\n  said and not true:{}\n  true and not said:{}",
        said.messages,
        said.rows,
        said.late,
        truth.messages,
        truth.rows,
        truth.late,
        not_in(said, truth).concat(),
        not_in(truth, said).concat()
    )
}

/// What came up in the runs: a simulation in which nothing happens proves nothing.
#[derive(Debug, Default)]
struct Seen {
    runs: usize,
    events: usize,
    crashes: usize,
    /// Batches of replaced readers.
    refused: usize,
    /// Messages without a row of which nobody can know any more whether they had one, and runs with some.
    unseen: usize,
    unseen_runs: usize,
    withdrawn: usize,
    /// Messages that need not have a row any more, and have none.
    expired: usize,
    /// Of the withdrawn messages, those for which one step is named.
    blamed: usize,
    messages: BTreeMap<&'static str, u64>,
    rows: BTreeMap<&'static str, u64>,
    /// Late messages, and intact ones of which nobody can know it.
    late: u64,
    untold: u64,
    /// Rows that are said to be of these, and runs with none.
    untold_rows: u64,
    told_runs: usize,
    /// Late messages that are not said to be: of windows, of which it is known no more where they are.
    unsaid: u64,
    /// Messages of windows that would count as they do if nobody had read them.
    unread: usize,
}

impl Seen {
    fn note(&mut self, ended: &Ended) {
        self.runs += 1;
        self.events += ended.events;
        self.crashes += ended.crashes;
        self.refused += ended.refused;
        self.unseen += ended.unseen;
        self.expired += ended.expired;
        (self.withdrawn, self.blamed) = (self.withdrawn + ended.blamed.0, self.blamed + ended.blamed.1);
        self.unseen_runs += usize::from(ended.unseen > 0);
        (self.late, self.untold) = (self.late + ended.truth.late.iter().sum::<u64>(), self.untold + ended.untold.0);
        self.untold_rows += ended.untold.1;
        self.told_runs += usize::from(ended.untold.1 == 0);
        self.unsaid += ended.unsaid;
        self.unread += ended.unread;
        for (word, count) in ended.truth.messages.iter().flatten() {
            *self.messages.entry(word).or_default() += count;
        }
        for (word, count) in &ended.truth.rows {
            *self.rows.entry(word).or_default() += count;
        }
    }
}

/// What is wrong with the two runs of a story, in words.
fn wrong_runs(seed: u64, is_single: bool, modes: &[StoryMode], seen: &Mutex<Seen>) -> Vec<String> {
    let mut wrong = Vec::new();
    let schedules = [seed, seed + 1_000_000];
    for (mode, schedule) in modes.iter().flat_map(|mode| schedules.map(|schedule| (*mode, schedule))) {
        let story = story_of(seed, mode);
        let (why, log) = match ended(&story, mode, schedule, Bug::None) {
            Ok(ended) => {
                seen.lock().expect("nobody panics with it").note(&ended);
                if ended.said == ended.truth {
                    continue;
                }
                (difference(&ended), ended.log.join("\n"))
            }
            Err(why) => (why, String::new()),
        };
        let shown = if is_single { format!("{}\n{log}\n", story.text()) } else { String::new() };
        wrong.push(format!(
            "{shown}seed {seed}, mode {mode:?}, schedule {schedule}: {why}\nreplay: cargo xtask stories --seeds {seed}"
        ));
    }
    wrong
}

#[test]
fn stories_end_with_the_truth_in_any_order() {
    play_all(&[StoryMode::Offset]);
}

#[test]
fn stories_of_windows_end_with_the_truth_in_any_order() {
    play_all(&[StoryMode::Key, StoryMode::Content]);
}

#[test]
fn stories_of_upsert_tables_end_with_the_truth_in_any_order() {
    play_all(&[StoryMode::Upsert]);
}

/// Plays each story twice in each of these modes.
fn play_all(modes: &[StoryMode]) {
    let seeds = seeds();
    let is_single = seeds.end - seeds.start == 1;
    let (next, seen, wrong) = (AtomicU64::new(seeds.start), Mutex::new(Seen::default()), Mutex::new(BTreeMap::new()));
    let play = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if !seeds.contains(&seed) {
            break;
        }
        let runs = wrong_runs(seed, is_single, modes, &seen);
        if !runs.is_empty() {
            wrong.lock().expect("nobody panics with it").insert(seed, runs);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(play);
        }
    });
    let (seen, wrong) = (seen.into_inner().expect("all have ended"), wrong.into_inner().expect("all have ended"));
    wrong.values().flatten().take(12).for_each(|text| eprintln!("{text}"));
    eprintln!("stories {seeds:?} in {modes:?}: {seen:?}");
    assert!(wrong.is_empty(), "seeds {:?} failed", wrong.keys());
}

/// A simulation that no wrong service fails proves nothing.
#[test]
fn every_wrong_service_is_noticed() {
    let bugs = [
        Bug::NotSubtracted,
        Bug::BarrierIgnored,
        Bug::ReplaceAsAppend,
        Bug::StoodForgotten,
        Bug::SlipsForgotten,
        Bug::SlipsAheadForgotten,
        Bug::EachStepNext,
        Bug::AllLate,
        Bug::MovedInTime,
        Bug::PositionsWithoutBags,
        Bug::MergedAgain,
        Bug::ReaderSkips,
        Bug::LettersUnread,
        Bug::LettersLost,
        Bug::LettersAheadForgotten,
        Bug::RetentionForgotten,
        Bug::RetentionOver,
    ];
    for bug in bugs {
        assert!(is_noticed(StoryMode::Offset, bug), "{bug:?} ends all stories with the truth");
    }
    let of_windows = [
        Bug::NotSubtracted,
        Bug::BarrierIgnored,
        Bug::ReplaceAsAppend,
        Bug::StoodForgotten,
        Bug::SlipsForgotten,
        Bug::EachStepNext,
        Bug::AllLate,
        Bug::MovedInTime,
        Bug::PositionsWithoutBags,
        Bug::MergedAgain,
        Bug::ReaderSkips,
        Bug::LettersUnread,
        Bug::LettersLost,
        Bug::LettersAheadForgotten,
        Bug::NeverMoved,
        Bug::StraysNameless,
        Bug::FloorIgnored,
        Bug::RetentionForgotten,
        Bug::RetentionOver,
    ];
    for bug in of_windows {
        assert!(is_noticed(StoryMode::Key, bug), "{bug:?} ends all stories of windows with the truth");
    }
    let of_keys = [
        Bug::NotSubtracted,
        Bug::BarrierIgnored,
        Bug::ReplaceAsAppend,
        Bug::PositionsWithoutBags,
        Bug::MergedAgain,
        Bug::ReaderSkips,
        Bug::LettersUnread,
        Bug::LettersLost,
        Bug::LettersAheadForgotten,
        Bug::NeverMoved,
        Bug::StraysNameless,
        Bug::DeletionsForgotten,
        Bug::RetentionForgotten,
        Bug::RetentionOver,
    ];
    for bug in of_keys {
        assert!(is_noticed(StoryMode::Upsert, bug), "{bug:?} ends all stories of upsert tables with the truth");
    }
}

fn is_noticed(mode: StoryMode, bug: Bug) -> bool {
    (0..150).any(|seed| {
        let ended = ended(&story_of(seed, mode), mode, seed, bug);
        ended.is_err() || ended.is_ok_and(|ended| ended.said != ended.truth)
    })
}

//! The shadow in thousands of small worlds that move in time: messages come, sinks fail, tables are rewritten, the process
//! dies. At rest it must say what is true, in whatever order things happened.
//!
//! `cargo xtask stories --seeds 17` replays one; `SEEDS=17` or `SEEDS=0..2000` does the same for the test.

mod answers;
mod compare;
mod machine;
mod saved;
mod schedule;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fixtures_kit::story::Story;

use machine::Bug;
use schedule::{Ended, run};

/// The stories of a run: `SEEDS`, one or half-open; else the first 300.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return 0..300 };
    let number = |text: &str| text.trim().parse::<u64>().expect("SEEDS is N or N..M");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}

/// Why a run of a story is not as it should be.
fn fault(story: &Story, schedule: u64, bug: Bug) -> Option<(String, Option<Ended>)> {
    match catch_unwind(AssertUnwindSafe(|| run(story, schedule, bug))) {
        Ok(ended) if ended.said == ended.truth => None,
        Ok(ended) => Some((format!("said  {:#?}\ntruth {:#?}", ended.said, ended.truth), Some(ended))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Some((text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default(), None))
        }
    }
}

#[test]
fn stories_end_with_the_truth_in_any_order() {
    let seeds = seeds();
    let single = seeds.end - seeds.start == 1;
    let (mut failed, mut events, mut crashes) = (Vec::new(), 0, 0);
    for seed in seeds.clone() {
        let story = Story::generate(seed);
        for schedule in [seed, seed + 1_000_000] {
            let ended = fault(&story, schedule, Bug::None);
            let Some((why, ended)) = ended else { continue };
            failed.push(seed);
            if single || failed.len() <= 3 {
                let log = ended.map(|ended| ended.log.join("\n")).unwrap_or_default();
                let shown = if single { format!("{}\n{log}\n", story.text()) } else { String::new() };
                eprintln!("{shown}seed {seed}, schedule {schedule}: {why}\nreplay: cargo xtask stories --seeds {seed}");
            }
        }
        if let Ok(ended) = catch_unwind(AssertUnwindSafe(|| run(&story, seed, Bug::None))) {
            events += ended.events;
            crashes += ended.crashes;
        }
    }
    eprintln!("stories {seeds:?}: {events} events, {crashes} crashes");
    assert!(failed.is_empty(), "{} runs failed, seeds {failed:?}", failed.len());
}

/// A simulation that no wrong service fails proves nothing.
#[test]
fn every_wrong_service_is_noticed() {
    let bugs =
        [Bug::NotSubtracted, Bug::BarrierIgnored, Bug::ReplaceAsAppend, Bug::StoodForgotten, Bug::MergedAgain];
    for bug in bugs {
        let noticed = (0..150).any(|seed| fault(&Story::generate(seed), seed, bug).is_some());
        assert!(noticed, "{bug:?} ends all stories with the truth");
    }
}

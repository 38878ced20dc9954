//! Worlds of the kit, fed commit by commit: what a continuous run says at rest is what the checker says, however the world came
//! about before it.

use fixtures_kit::options::{Cut, Mode};
use fixtures_kit::{Followed, Options, Truth};
use fixtures_warehouse::play::{Done, Pace, Play, Player};

use super::answers::{assert_ledger_true, judged_at_ms};
use super::service::{Service, assert_sound, run_until_idle, told};
use super::stage::{SETTLE, Stage};

/// The world of a seed of the whole suite, as far as a mock broker can hold it and a run of this release follows it.
fn options(seed: u64) -> Options {
    let any = Options::any(seed);
    let offset = [Mode::OffsetFlat, Mode::OffsetProfile, Mode::OffsetNested, Mode::OffsetPlain];
    let mode = if any.mode.is_offset() { any.mode } else { offset[(seed % 4) as usize] };
    let faults = any.faults.iter().copied().filter(|kind| !kind.breaks_files()).collect();
    Options {
        mode,
        holes: 0.0,
        timeless: 0.0,
        cut: Cut::Whole,
        upsert: false,
        delete_when: false,
        equality_deletes: false,
        messages: any.messages.min(150),
        settle_ms: SETTLE.as_millis().try_into().expect("short"),
        faults,
        ..any
    }
}

/// How a world is fed.
#[derive(Debug, Clone, Copy)]
enum Fed {
    /// All of it before the first run.
    AtOnce,
    /// Beside a service that runs all the time and is ended at the end.
    Beside,
    /// A run until it is idle after each commit.
    Between,
}

fn feed(stage: &Stage, mut play: Play, fed: Fed) -> Play {
    if let Fed::Beside = fed {
        let service = Service::start(stage.folder());
        // So that a look falls between most commits.
        let pace = Pace { chapters: Some(1), compact_every: None, ..Pace::plain(100) };
        let play = Player::start(play, pace).finish().expect("it is played");
        let (code, took) = service.stop();
        assert!(code == Some(0), "a stop that was asked for ended with {code:?} after {took:?}");
        return play;
    }
    while let Some(done) = stage.block_on(play.step_in_chapter()).expect("it is played") {
        if let (Done::Committed, Fed::Between) = (done, fed) {
            run_until_idle(stage.folder());
        }
    }
    play
}

/// Holds what is said against the truth; how many messages are diverted.
fn judge(seed: u64, fed: Fed) -> u64 {
    let stage = Stage::new();
    let play = stage.begin(seed, options(seed), 0);
    let play = feed(&stage, play, fed);
    run_until_idle(stage.folder());
    let (report, findings) = told(stage.folder(), &play.contract().name);
    let world = play.world(judged_at_ms(&report));
    let truth = Truth::followed(&world, &Followed::every(&world.table));
    assert_ledger_true(&format!("seed {seed}, fed {fed:?}"), &truth, &report, &findings);
    assert_sound(stage.folder());
    report["messages"]["diverted"].as_u64().unwrap_or_default()
}

#[test]
fn a_world_that_was_there_before_the_first_run() {
    (0..4).for_each(|seed| _ = judge(seed, Fed::AtOnce));
}

#[test]
fn a_world_whose_sink_puts_messages_aside() {
    // One after each commit, the rest long after all was judged.
    let seeds = (300..).filter(|seed| options(*seed).dead_letters);
    let fed = [Fed::AtOnce, Fed::Between, Fed::Beside, Fed::Between];
    let diverted: u64 = seeds.zip(fed).map(|(seed, fed)| judge(seed, fed)).sum();
    assert!(diverted > 0, "no message is diverted");
}

#[test]
fn a_world_that_came_about_beside_a_run() {
    (100..104).for_each(|seed| _ = judge(seed, Fed::Beside));
}

#[test]
fn a_world_with_a_run_after_each_commit() {
    (200..202).for_each(|seed| _ = judge(seed, Fed::Between));
}

//! Worlds of the kit, fed commit by commit: what a continuous run says at rest is what the checker says, however the world came
//! about before it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fixtures_harness::{KafkaCluster, KafkaOptions, Look, wait_until};
use fixtures_kit::options::{Cut, Mode};
use fixtures_kit::{FaultKind, Followed, Options, Truth};
use fixtures_warehouse::play::{Done, Pace, Play, Player};
use serde_json::Value as Json;

use super::answers::{assert_ledger_true, judged_at_ms};
use super::books::Books;
use super::crashes::{Awaited, Moment};
use super::service::{Service, assert_sound, run_until_idle, told};
use super::stage::{SETTLE, Stage};
use crate::real_kafka::good;
use crate::transcript;

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

/// The same by a key and windows of time. Which message a copy is of that stands in another window is not looked for (0056), and
/// equal messages are one to the truth.
pub fn by_window(seed: u64) -> Options {
    let of_windows = [FaultKind::WindowDamaged, FaultKind::KeyDamaged];
    let any = options(seed);
    let faults = any.faults.iter().copied().filter(|kind| !of_windows.contains(kind)).collect();
    Options { mode: Mode::KeyWindow, retries: 0.0, faults, ..any }
}

/// How a world is fed.
#[derive(Debug, Clone, Copy)]
pub enum Fed {
    /// All of it before the first run.
    AtOnce,
    /// Beside a service that runs all the time and is ended at the end.
    Beside,
    /// The same of services of which each is killed after some checkpoints.
    Killed,
    /// A run until it is idle after each commit.
    Between,
}

pub fn feed(stage: &Stage, mut play: Play, fed: Fed) -> Play {
    if let Fed::Beside = fed {
        let service = Service::start(stage.folder());
        // So that a look falls between most commits.
        let pace = Pace { chapters: Some(1), compact_every: None, ..Pace::plain(100) };
        let play = Player::start(play, pace).finish().expect("it is played");
        let (code, took) = service.stop();
        assert!(code == Some(0), "a stop that was asked for ended with {code:?} after {took:?}");
        return play;
    }
    if let Fed::Killed = fed {
        let books = Books::of(stage.folder(), &play.contract().name);
        let pace = Pace { chapters: Some(1), compact_every: None, ..Pace::plain(100) };
        let player = Player::start(play, pace);
        while !player.has_ended() {
            let service = Service::start(stage.folder());
            let mut awaited = Awaited::new(Moment::Checkpoints(2, Duration::from_millis(20)), &books);
            let until = || if player.has_ended() { Look::Done(()) } else { awaited.look(&books, &player) };
            wait_until("the moment of a crash", Duration::from_secs(60), until).expect("it writes checkpoints");
            service.kill();
        }
        return player.finish().expect("it is played");
    }
    while let Some(done) = stage.block_on(play.step_in_chapter()).expect("it is played") {
        if let (Done::Committed, Fed::Between) = (done, fed) {
            run_until_idle(stage.folder());
        }
    }
    play
}

/// What else asks the ledger: the plan of a repair, an export, and one of each kind of finding by its id.
fn assert_told_elsewhere(folder: &Path, pipeline: &str, findings: &[Json]) {
    let of_kind: BTreeMap<&str, &str> =
        findings.iter().filter_map(|finding| Some((finding["verdict"].as_str()?, finding["id"].as_str()?))).collect();
    let explain = of_kind.values().map(|id| format!("explain {id} -c validator.toml"));
    let plan = format!("replay-plan {pipeline} -c validator.toml");
    let others = [plan, "ledger export -c validator.toml --to exported".to_owned()];
    for words in explain.chain(others) {
        let ran = transcript::run(folder, &words, &[]).assert_no_panic();
        assert_eq!(ran.exit, 0, "{words}\n{}", ran.all());
    }
}

/// Holds what is said against the truth; how many messages are diverted.
fn judge(seed: u64, fed: Fed) -> u64 {
    judge_world(seed, options(seed), fed)
}

fn judge_world(seed: u64, options: Options, fed: Fed) -> u64 {
    judge_on(&Stage::new(), seed, options, fed)
}

fn judge_on(stage: &Stage, seed: u64, options: Options, fed: Fed) -> u64 {
    let play = stage.begin(seed, options, 0);
    let play = feed(stage, play, fed);
    run_until_idle(stage.folder());
    let (report, findings) = told(stage.folder(), &play.contract().name);
    let world = play.world(judged_at_ms(&report));
    let truth = Truth::followed(&world, &Followed::every(&world.table));
    assert_ledger_true(&format!("seed {seed}, fed {fed:?}"), &truth, &report, &findings);
    assert_sound(stage.folder());
    assert_told_elsewhere(stage.folder(), &play.contract().name, &findings);
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

#[test]
fn worlds_of_windows_however_they_came_about() {
    let fed = [Fed::AtOnce, Fed::Between, Fed::Beside, Fed::Killed];
    for (seed, fed) in (400..412).zip(fed.into_iter().cycle()) {
        judge_world(seed, by_window(seed), fed);
    }
}

#[test]
fn a_world_of_windows_over_real_brokers() {
    let cluster = Arc::new(good(KafkaCluster::start(&KafkaOptions::default())));
    judge_on(&Stage::over(&cluster), 420, by_window(420), Fed::Killed);
}

//! Hours in minutes: the shadow beside a topic and a table at work for simulated hours. It says what is true, and holds no more at
//! the end than at the beginning.
//!
//! `cargo xtask soak --simulated [--for 6h] [--seed N] [--tied key]` plays each mode for so long, or one; `HOURS_FOR` and `HOURS_SEED`
//! say the same to the test. A binary of its own, since its allocator counts.

mod checks;
mod ledger;
mod measure;
mod readings;
mod service;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use fixtures_kit::hours::World;
use fixtures_kit::story::StoryMode;
use peak_alloc::PeakAlloc;

use measure::{Measured, TURN};
use service::{Bug, Service};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MINUTE_MS: i64 = 60_000;

/// For how long: `HOURS_FOR` as `90m` or `6h`, else one hour.
fn time_ms() -> i64 {
    let text = std::env::var("HOURS_FOR").unwrap_or_else(|_| "1h".to_owned());
    let (number, unit) = text.split_at(text.len() - 1);
    let number: i64 = number.parse().expect("HOURS_FOR is a number and m or h");
    match unit {
        "m" => number * MINUTE_MS,
        "h" => number * 60 * MINUTE_MS,
        _ => panic!("HOURS_FOR is a number and m or h"),
    }
}

fn seed() -> u64 {
    std::env::var("HOURS_SEED").map_or(1, |text| text.parse().expect("HOURS_SEED is a number"))
}

/// Plays a world to its end.
fn play(mut service: Service, checks: bool) -> (Service, Measured) {
    let mut measured = Measured::default();
    while service.world.tick() {
        service.tick();
        if service.world.is_at_rest() {
            if checks {
                service.check_rest();
            }
            measured.rest(&service);
        } else if service.world.age_ms() % MINUTE_MS == 0 {
            measured.sample(&service.held);
        }
    }
    (service, measured)
}

/// Plays a mode, prints what came up, and says where nothing holds how it is played again.
fn hold(mode: StoryMode) {
    let _turn = TURN.lock().unwrap_or_else(|broken| broken.into_inner());
    let (seed, for_ms, started) = (seed(), time_ms(), Instant::now());
    let (tied, minutes) = (format!("{mode:?}").to_lowercase(), for_ms / MINUTE_MS);
    let replay = format!("replay: cargo xtask soak --simulated --tied {tied} --for {minutes}m --seed {seed}");
    println!("hours in mode {mode:?}, seed {seed}; {replay}");
    let (service, measured) = play(Service::new(World::new(seed, mode, for_ms), Bug::None), true);
    let (truth, (commits, files), done) = (service.world.truth(), service.world.table.made(), &service.done);
    let (heap, saved) = measured.growth();
    let standing = service.held.shadow.standing();
    println!(
        "{mode:?}: {minutes} minutes in {:.1} s, {commits} commits, {files} files, at most {} live\n  {truth:?}\n  late as said {}, rows not known {}\n  \
         {done:?}\n  at rest {:?}\n  peaks {:?}, at most {} pages, {:?}\n  grows by {heap:.0} bytes \
         an hour, saved {saved:.0}",
        started.elapsed().as_secs_f64(),
        service.world.table.deepest(),
        standing.messages().late,
        standing.untold,
        measured.rests,
        measured.peaks,
        measured.pages,
        measured.holdings
    );
    assert_eq!(measured.grows(), None, "{mode:?} grows; {replay}");
    let has_all = done.restarts > 0 && done.jumps > 0 && done.drills > 0 && done.faults > 0 && done.early > 0;
    assert!(has_all || for_ms < 60 * MINUTE_MS, "too little happens: {done:?}");
}

#[test]
fn hours_of_offsets_are_told_truly_and_hold_no_more() {
    hold(StoryMode::Offset);
}

#[test]
fn hours_of_keys_in_windows_are_told_truly_and_hold_no_more() {
    hold(StoryMode::Key);
}

#[test]
fn hours_of_contents_in_windows_are_told_truly_and_hold_no_more() {
    hold(StoryMode::Content);
}

#[test]
fn hours_of_an_upsert_table_are_told_truly_and_hold_no_more() {
    hold(StoryMode::Upsert);
}

/// What a clock says that is a day ahead, beyond `give_up`, is taken back when it is right again, whatever it was.
#[test]
fn a_clock_that_was_a_day_ahead_leaves_nothing_behind() {
    let _turn = TURN.lock().unwrap_or_else(|broken| broken.into_inner());
    for mode in [StoryMode::Offset, StoryMode::Key, StoryMode::Content, StoryMode::Upsert] {
        let (service, _) = play(Service::of_tomorrow(World::new(1, mode, 20 * MINUTE_MS)), true);
        println!("{mode:?}: {:?}", service.done);
        assert!(service.done.early > 0, "{mode:?}: no clock was ahead");
    }
}

/// A measure that no leak fails proves nothing.
#[test]
fn a_service_that_keeps_what_it_need_not_is_noticed() {
    let _turn = TURN.lock().unwrap_or_else(|broken| broken.into_inner());
    for bug in [Bug::DeltasKept, Bug::NeverSaved, Bug::BodiesKept] {
        let world = World::new(1, StoryMode::Offset, 40 * MINUTE_MS);
        let (_, measured) = play(Service::new(world, bug), bug != Bug::NeverSaved);
        println!("{bug:?}: {:?}", measured.grows());
        assert!(measured.grows().is_some(), "{bug:?} does not grow: {measured:?}");
    }
}

/// A truth that no wrong service fails proves nothing.
#[test]
fn a_service_that_errs_is_noticed() {
    let _turn = TURN.lock().unwrap_or_else(|broken| broken.into_inner());
    for bug in [Bug::NotSubtracted, Bug::ReaderSkips] {
        let world = World::new(1, StoryMode::Offset, 20 * MINUTE_MS);
        let ended = catch_unwind(AssertUnwindSafe(|| drop(play(Service::new(world, bug), true))));
        assert!(ended.is_err(), "{bug:?} tells the truth");
    }
}

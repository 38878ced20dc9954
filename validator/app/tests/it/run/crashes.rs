//! The process killed at random moments, while a faulty sink writes and a compactor rewrites: at the end every count and every
//! finding is the truth's.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fixtures_harness::{Look, wait_until};
use fixtures_kit::{Followed, Truth};
use fixtures_warehouse::play::{Act, Done, Pace, Play, Player};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::answers::{assert_given_up_told, assert_ledger_true, forget_given_up, judged_at_ms};
use super::books::Books;
use super::service::{Service, assert_sound, run_until_idle, told};
use super::stage::{Stage, chapter, every_fault};

/// Snapshots that an expiry leaves where files stay on the disk.
const KEEP: usize = 2_000;
/// Decides the play and the moments where `SEED` says nothing else.
const SEED: u64 = 1;
/// All of it, on a loaded machine too.
const WITHIN: Duration = Duration::from_secs(1_500);

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// So long after its start.
    After(Duration),
    /// After so many more checkpoints, and a little.
    Checkpoints(u64, Duration),
}

impl Moment {
    /// Any.
    pub fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..3) {
            0 => Self::After(Duration::from_millis(rng.random_range(0..2_500))),
            _ => Self::Checkpoints(rng.random_range(1..4), Duration::from_millis(rng.random_range(0..250))),
        }
    }
}

/// A moment that is waited for.
pub struct Awaited {
    moment: Moment,
    began: Instant,
    before: u64,
    reached: Option<Instant>,
}

impl Awaited {
    /// From now on.
    pub fn new(moment: Moment, books: &Books) -> Self {
        Self { moment, began: Instant::now(), before: books.checkpoints(), reached: None }
    }

    /// Whether it is there; the player is told which snapshot was looked at.
    pub fn look(&mut self, books: &Books, player: &Player) -> Look<()> {
        let checkpoints = books.checkpoints();
        if let Some(snapshot) = books.snapshot() {
            player.saw(snapshot);
        }
        let over = match self.moment {
            Moment::After(time) => self.began.elapsed() >= time,
            Moment::Checkpoints(count, more) => {
                if self.reached.is_none() && checkpoints >= self.before + count {
                    self.reached = Some(Instant::now());
                }
                self.reached.is_some_and(|at| at.elapsed() >= more)
            }
        };
        let (before, began) = (self.before, self.began);
        let seen = || format!("{checkpoints} checkpoints, {before} before, {:?} gone", began.elapsed());
        if over { Look::Done(()) } else { Look::NotYet(seen()) }
    }
}

/// A number of the environment.
pub fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |text| text.parse().expect("a number"))
}

/// Lets it live until the moment, unless it dies before.
fn live_until(moment: Moment, service: &mut Service, books: &Books, player: &Player) {
    let mut awaited = Awaited::new(moment, books);
    let waited = wait_until("the moment of a crash", Duration::from_secs(60), || match service.child().ended() {
        Some(status) => Look::Never(format!("it ended by itself with {status}")),
        None => awaited.look(books, player),
    });
    waited.unwrap_or_else(|why| panic!("{moment:?}: {why}\n{}", service.child().log_tail()));
}

/// What stood before the first look of a ledger is not seen, so that it looks before anything is taken away.
pub fn begin_to_follow(stage: &Stage, play: &mut Play) {
    while stage.block_on(play.step_in_chapter()).expect("it is played") != Some(Done::Committed) {}
    run_until_idle(stage.folder());
}

/// A table that is played with while the process is killed `CRASHES` times, else as often as is said.
fn killed(crashes: u64, pace: Pace) {
    let (seed, crashes) = (number("SEED", SEED), number("CRASHES", crashes));
    let start = Instant::now();
    let stage = Stage::new();
    let mut play = stage.begin(seed, chapter(300, 7, every_fault()), 10);
    let pipeline = play.contract().name.clone();
    begin_to_follow(&stage, &mut play);
    let books = Books::of(stage.folder(), &pipeline);
    let player = Player::start(play, pace.clone());
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6b69_6c6c);
    let mut moments: BTreeMap<&str, u32> = BTreeMap::new();
    for round in 0..crashes {
        let moment = Moment::draw(&mut rng);
        let mut service = Service::start(stage.folder());
        live_until(moment, &mut service, &books, &player);
        service.kill();
        println!("{round}: {moment:?}, {} checkpoints", books.checkpoints());
        let kind = if matches!(moment, Moment::After(_)) { "by time" } else { "by checkpoints" };
        *moments.entry(kind).or_default() += 1;
        assert!(!player.has_ended(), "the play goes on");
        assert!(start.elapsed() < WITHIN, "too slow: {round} crashes in {:?}", start.elapsed());
    }
    let expiries = player.progress().expiries.load(Ordering::SeqCst);
    let play = player.stop().expect("it was played");
    run_until_idle(stage.folder());
    let (mut report, mut findings) = told(stage.folder(), &pipeline);
    let given_up = forget_given_up(&play, &mut report, &mut findings);
    let world = play.world(judged_at_ms(&report));
    let truth = Truth::followed(&world, &Followed::every(&world.table));
    println!(
        "seed {seed}: {moments:?} in {:?}; {} messages, {} snapshots, {expiries} expiries, {} findings, {} more of {} \
         snapshots that were given up",
        start.elapsed(),
        truth.messages.consumed,
        world.table.snapshots.len(),
        truth.findings.len(),
        given_up.len(),
        play.given_up().len()
    );
    assert_ledger_true(&format!("seed {seed}, {crashes} crashes"), &truth, &report, &findings);
    assert_sound(stage.folder());
    books.assert_balanced();
    if pace.expire_every.is_some_and(|(_, keep)| keep == KEEP) {
        assert_given_up_told(&play, &books.snapshots(), &given_up);
    }
}

/// What happens beside commits and good rewrites.
pub fn restless() -> Pace {
    Pace {
        bad_rewrites_in_hundred: 20,
        delete_every: Some(Duration::from_secs(7)),
        roll_back_every: Some(Duration::from_secs(5)),
        expire_every: Some((Duration::from_secs(9), KEEP)),
        expires_only_seen: true,
        ..Pace::plain(200)
    }
}

#[test]
fn killed_a_hundred_times_it_says_what_is_true() {
    killed(100, restless());
}

#[test]
fn killed_while_removed_files_leave_the_disk_it_says_what_is_true() {
    let pace = Pace { expire_every: Some((Duration::from_secs(2), 1)), ..restless() };
    killed(40, pace);
}

#[test]
fn a_snapshot_that_was_looked_at_and_given_up_is_told() {
    let stage = Stage::new();
    let mut play = stage.begin(SEED, chapter(300, 7, every_fault()), 10);
    let pipeline = play.contract().name.clone();
    let books = Books::of(stage.folder(), &pipeline);
    // Not behind every commit.
    for _ in 0..20 {
        begin_to_follow(&stage, &mut play);
        books.checkpoints();
        if stage.block_on(play.act(Act::RollBack)).expect("it is played") {
            break;
        }
    }
    run_until_idle(stage.folder());
    let (mut report, mut findings) = told(stage.folder(), &pipeline);
    let given_up = forget_given_up(&play, &mut report, &mut findings);
    assert_eq!(given_up.len(), 1, "{findings:?}");
    assert!(books.snapshots().iter().any(|snapshot| given_up.contains(snapshot)), "it was looked at");
    assert_given_up_told(&play, &books.snapshots(), &given_up);
}

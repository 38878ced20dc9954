//! Members killed at random moments, while a faulty sink writes and a compactor rewrites: at the end every count and every finding is
//! the truth's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fixtures_harness::{KafkaCluster, KafkaOptions, Look, wait_until};
use fixtures_kit::options::{Mode, Options};
use fixtures_kit::{Followed, Truth};
use fixtures_warehouse::play::{Pace, Player};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::answers::{assert_ledger_true, forget_given_up, judged_at_ms};
use super::super::books::Books;
use super::super::crashes::{Awaited, Moment, begin_to_follow, number, restless};
use super::super::service::{assert_sound, run_until_idle, told};
use super::super::stage::{Stage, chapter, every_fault};
use super::team::Team;
use crate::real_kafka::good;

/// How often a member is killed where `CRASHES` says nothing else: the hundred of the issue take a quarter of an hour.
const CRASHES: u64 = 30;
/// Decides the play, the moments and who is killed where `SEED` says nothing else.
const SEED: u64 = 1;
const WITHIN: Duration = Duration::from_secs(2_400);
/// How often the ledger's server is asked: each answer is a process.
const ASKED_EVERY: Duration = Duration::from_millis(100);
/// What a start may take on a loaded machine.
pub const LISTENS_WITHIN: Duration = Duration::from_secs(5);
const MEMBERS: [&str; 3] = ["a", "b", "c"];

/// Lets the team live until the moment; no member may die by itself.
pub fn live_until(moment: Moment, team: &mut Team, books: &Books, player: &Player) {
    let (mut asked, mut awaited) = (Instant::now(), Awaited::new(moment, books));
    let waited = wait_until("the moment of a crash", Duration::from_secs(120), || {
        if asked.elapsed() < ASKED_EVERY {
            return Look::NotYet("just asked".to_owned());
        }
        asked = Instant::now();
        for (name, service) in team.members() {
            if let Some(status) = service.child().ended() {
                return Look::Never(format!("{name} ended by itself with {status}:\n{}", service.child().log_tail()));
            }
        }
        awaited.look(books, player)
    });
    waited.unwrap_or_else(|why| panic!("{moment:?}: {why}\n{}", tails(team)));
}

fn tails(team: &mut Team) -> String {
    team.members().map(|(name, service)| format!("--- {name}\n{}", service.child().log_tail())).collect()
}

/// Replay with `SEED=1 CRASHES=100 cargo test -p validator-app --test it -- run::fleet::crashes --nocapture`.
#[test]
fn members_killed_again_and_again_say_what_is_true() {
    let (seed, crashes) = (number("SEED", SEED), number("CRASHES", CRASHES));
    println!("SEED={seed} CRASHES={crashes} cargo test -p validator-app --test it -- run::fleet::crashes --nocapture");
    let began = Instant::now();
    let cluster = std::sync::Arc::new(good(KafkaCluster::start(&KafkaOptions::default())));
    let stage = Stage::over(&cluster);
    // With a time in each row: by that of messages no fleet says which rows are late.
    let options = Options { mode: Mode::OffsetProfile, ..chapter(300, 7, every_fault()) };
    let mut play = stage.begin(seed, options, 10);
    let pipeline = play.contract().name.clone();
    let mut team = Team::of(stage.folder());
    begin_to_follow(&stage, &mut play);
    let pace = Pace { messages_per_second: 100, ..restless() };
    let books = Books::of_server(team.server(), &pipeline);
    let player = Player::start(play, pace);
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x666c_6565);
    let mut killed: BTreeMap<&str, u32> = BTreeMap::new();
    MEMBERS.iter().for_each(|name| team.start(name));
    for round in 0..crashes {
        let (moment, member) = (Moment::draw(&mut rng), *MEMBERS.choose(&mut rng).expect("three"));
        live_until(moment, &mut team, &books, &player);
        let was = if team.judge_of(&pipeline).as_deref() == Some(member) { "the judge" } else { "another" };
        team.kill(member);
        *killed.entry(was).or_default() += 1;
        println!("{round}: {moment:?}, {member}, {was}; {} checkpoints, {:?}", books.checkpoints(), began.elapsed());
        // Some come back at once, and some when others have taken their place.
        if rng.random_range(0..4) == 0 {
            live_until(Moment::After(Duration::from_millis(rng.random_range(0..3_000))), &mut team, &books, &player);
        }
        team.start(member);
        assert!(!player.has_ended(), "the play goes on");
        assert!(began.elapsed() < WITHIN, "too slow: {round} crashes in {:?}", began.elapsed());
    }
    // A process that has just begun does not listen to signals yet.
    live_until(Moment::After(LISTENS_WITHIN), &mut team, &books, &player);
    let play = player.stop().expect("it was played");
    let epoch = team.epoch();
    let _server = team.stop();
    run_until_idle(stage.folder());
    let (mut report, mut findings) = told(stage.folder(), &pipeline);
    let given_up = forget_given_up(&play, &mut report, &mut findings);
    let world = play.world(judged_at_ms(&report));
    let truth = Truth::followed(&world, &Followed::every(&world.table));
    println!(
        "seed {seed}: {killed:?} killed in {:?}, the seat was taken {epoch} times; {} messages, {} snapshots, {} findings, {} more of \
         snapshots that were given up",
        began.elapsed(),
        truth.messages.consumed,
        world.table.snapshots.len(),
        truth.findings.len(),
        given_up.len()
    );
    assert_ledger_true(&format!("seed {seed}, {crashes} crashes of a fleet"), &truth, &report, &findings);
    assert_sound(stage.folder());
    println!("{} checkpoints balance", books.assert_balanced());
}

//! A fleet that follows a table by windows of time or by keys: each message of a segment may have been read by another member.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fixtures_harness::{KafkaCluster, KafkaOptions, Postgres};
use fixtures_kit::{Followed, Options, Truth};
use fixtures_warehouse::play::{Pace, Play, Player};

use super::super::answers::{assert_ledger_true, judged_at_ms};
use super::super::books::Books;
use super::super::crashes::Moment;
use super::super::service::{assert_sound, run_until_idle, told};
use super::super::stage::Stage;
use super::super::upserts::{assert_reconciled, of_keys};
use super::super::worlds::by_window;
use super::crashes::{LISTENS_WITHIN, live_until};
use super::team::Team;
use crate::real_kafka::good;

const SEED: u64 = 430;

/// A world that three members followed, whose judge was killed on the way, and the server of their ledger.
fn follow(seed: u64, options: Options) -> (Stage, Play, Rc<Postgres>) {
    let cluster = Arc::new(good(KafkaCluster::start(&KafkaOptions::default())));
    let stage = Stage::over(&cluster);
    let play = stage.begin(seed, options, 0);
    let pipeline = play.contract().name.clone();
    let mut team = Team::of(stage.folder());
    let books = Books::of_server(team.server(), &pipeline);
    ["a", "b", "c"].iter().for_each(|name| team.start(name));
    let player = Player::start(play, Pace { chapters: Some(1), compact_every: None, ..Pace::plain(30) });
    live_until(Moment::Checkpoints(3, Duration::from_millis(50)), &mut team, &books, &player);
    let judge = team.judge_of(&pipeline).expect("somebody judges");
    team.kill(&judge);
    live_until(Moment::After(LISTENS_WITHIN), &mut team, &books, &player);
    let play = player.finish().expect("it is played");
    let server = team.stop();
    run_until_idle(stage.folder());
    (stage, play, server)
}

#[test]
fn windows_whose_messages_several_members_read_are_judged_as_one_would() {
    let (stage, play, _server) = follow(SEED, by_window(SEED));
    let (report, findings) = told(stage.folder(), &play.contract().name);
    let world = play.world(judged_at_ms(&report));
    let truth = Truth::followed(&world, &Followed::every(&world.table));
    assert_ledger_true(&format!("seed {SEED}, a fleet"), &truth, &report, &findings);
    assert_sound(stage.folder());
}

#[test]
fn keys_whose_versions_several_members_read_are_judged_as_one_would() {
    let is_faulty = |options: &Options| !options.faults.is_empty() && options.partitions > 1;
    let mut all = (SEED..).filter_map(|seed| Some((seed, of_keys(seed)?)));
    let (seed, options) = all.find(|(_, options)| is_faulty(options)).expect("there are some");
    let (stage, play, _server) = follow(seed, options);
    assert!(assert_reconciled(&stage, &play, &format!("seed {seed}, a fleet")) > 0, "nothing went wrong");
}

//! A service's life beside its work: it stops soon when asked, a pipeline that cannot be run leaves the others alone, and a state that
//! is not its own or is damaged is refused.

use std::fs;
use std::time::Duration;

use fixtures_harness::{Look, wait_until};
use fixtures_warehouse::play::{Pace, Play, Player};

use super::books::Books;
use super::service::{STOP_WITHIN, Service, assert_sound, run_until_idle, told};
use super::stage::{Stage, chapter};
use crate::transcript::Ran;

/// A first look, on a loaded machine.
pub const LOOKED_WITHIN: Duration = Duration::from_secs(60);

/// A stage with one clean chapter in it.
fn played(seed: u64) -> (Stage, Play) {
    let stage = Stage::new();
    let mut play = stage.begin(seed, chapter(100, 3, Vec::new()), 0);
    stage.block_on(play.finish_chapter()).expect("a chapter is played");
    (stage, play)
}

fn once_more(stage: &Stage) -> Ran {
    stage.run("run -c validator.toml --until-idle 1s")
}

#[test]
fn a_stop_in_the_middle_of_the_work_takes_less_than_ten_seconds() {
    let stage = Stage::new();
    let play = stage.begin(31, chapter(100, 3, Vec::new()), 0);
    let books = Books::of(stage.folder(), &play.contract().name);
    let player = Player::start(play, Pace::plain(500));
    for round in 1..4 {
        let mut service = Service::start(stage.folder());
        let before = books.checkpoints();
        let seen = wait_until("a checkpoint", LOOKED_WITHIN, || match books.checkpoints() {
            now if now > before => Look::Done(()),
            now => Look::NotYet(format!("checkpoint {now}")),
        });
        seen.unwrap_or_else(|why| panic!("{why}\n{}", service.child().log_tail()));
        let (code, took) = service.stop();
        assert_eq!(code, Some(0), "stop {round}");
        assert!(took < STOP_WITHIN, "stop {round} took {took:?}");
    }
    player.stop().expect("it was played");
    assert_sound(stage.folder());
}

#[test]
fn a_pipeline_that_cannot_be_run_leaves_the_others_alone() {
    let (stage, play) = played(32);
    let name = play.contract().name.clone();
    let broken = play.pipeline_toml().replace(&format!("name = {name:?}"), "name = \"broken\"");
    let broken = broken.replace("lake.market_data.trades", "lake.market_data.nowhere");
    fs::write(stage.join("broken.toml"), broken).expect("the folder takes files");
    let service_file = fs::read_to_string(stage.join("validator.toml")).expect("it is there");
    let both = service_file.replace("[\"pipeline.toml\"]", "[\"broken.toml\", \"pipeline.toml\"]");
    fs::write(stage.join("validator.toml"), both).expect("the folder takes files");
    let mut service = Service::start(stage.folder());
    let produced = play.produced() as u64;
    let books = Books::of(stage.folder(), &name);
    let judged = wait_until("the sound pipeline", LOOKED_WITHIN, || {
        if let Some(status) = service.child().ended() {
            return Look::Never(format!("it ended with {status}"));
        }
        if books.checkpoints() == 0 {
            return Look::NotYet("no checkpoint".into());
        }
        let (report, _) = told(stage.folder(), &name);
        let messages = &report["messages"];
        match (messages["consumed"].as_u64(), messages["pending"].as_u64()) {
            (Some(consumed), Some(0)) if consumed == produced => Look::Done(report["outcome"].clone()),
            _ => Look::NotYet(messages.to_string()),
        }
    });
    let outcome = judged.unwrap_or_else(|why| panic!("{why}\n{}", service.child().log_tail()));
    assert_eq!(outcome, "holds");
    let (_, took) = service.stop();
    assert!(took < STOP_WITHIN, "{took:?}");
}

#[test]
fn the_state_of_another_contract_is_refused_with_what_to_do() {
    let (stage, play) = played(33);
    run_until_idle(stage.folder());
    let other = play.pipeline_toml().replace("lake.market_data.trades", "lake.market_data.others");
    let other = if other.contains("width") {
        other
    } else {
        other.replace("mode = \"offset\"", "mode = \"offset\"\nwidth = 64")
    };
    let other = other
        .replace("lake.market_data.others", "lake.market_data.trades")
        .replace("quantity = \"q\"", "quantity = \"p\"");
    assert_ne!(other, play.pipeline_toml(), "the contract is another one");
    fs::write(stage.join("pipeline.toml"), other).expect("the folder takes files");
    let ran = once_more(&stage);
    assert_eq!(ran.exit, 2, "{}", ran.all());
    assert!(ran.stderr.contains("start-over"), "{}", ran.all());
    // What was there is left as it was.
    fs::write(stage.join("pipeline.toml"), play.pipeline_toml()).expect("the folder takes files");
    assert_sound(stage.folder());
    run_until_idle(stage.folder());
}

#[test]
fn a_damaged_state_is_refused_and_left_as_it_is() {
    let (stage, _play) = played(34);
    run_until_idle(stage.folder());
    let file = stage.join("state/ledger.db");
    let mut bytes = fs::read(&file).expect("the ledger is there");
    for place in (100..bytes.len()).step_by(512) {
        bytes[place] ^= 0x5a;
    }
    fs::write(&file, &bytes).expect("it can be written");
    let ran = once_more(&stage);
    assert!(ran.exit == 3 && !ran.stderr.is_empty(), "{}", ran.all());
    let verified = stage.run("ledger verify -c validator.toml");
    assert_eq!(verified.exit, 3, "{}", verified.all());
}

//! A broker that is killed and comes back, and strangers who join and leave groups, while messages flow, a faulty sink commits and a
//! compactor rewrites: the verdicts are those of the truth.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fixtures_harness::{GroupMember, KafkaCluster, KafkaOptions, Look, wait_until};
use fixtures_kit::{Followed, Truth};
use fixtures_warehouse::play::{Pace, Play, Player};

use super::super::answers::{assert_ledger_true, judged_at_ms};
use super::super::service::{assert_sound, run_until_idle, told};
use super::super::stage::{Stage, chapter, every_fault};
use super::running::Running;
use crate::real_kafka::good;

const MESSAGES_PER_SECOND: u32 = 100;

fn cluster() -> Arc<KafkaCluster> {
    Arc::new(good(KafkaCluster::start(&KafkaOptions::default())))
}

/// A play of chapters with every fault, and a service beside it that listens.
fn playing(cluster: &Arc<KafkaCluster>, seed: u64) -> (Stage, String, Player, Running) {
    let stage = Stage::over(cluster);
    let play = stage.begin(seed, chapter(200, 5, every_fault()), 10);
    let file = stage.join("validator.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let listening = text.replacen("[service]\n", "[service]\nlisten = \"127.0.0.1:0\"\n", 1);
    std::fs::write(&file, listening).expect("the folder takes files");
    let name = play.contract().name.clone();
    let pace = Pace {
        bad_rewrites_in_hundred: 20,
        delete_every: Some(Duration::from_secs(7)),
        ..Pace::plain(MESSAGES_PER_SECOND)
    };
    let player = Player::start(play, pace);
    let running = Running::start(stage.folder(), &name);
    (stage, name, player, running)
}

/// Waits until the sink has committed so often since now.
fn commits(player: &Player, more: u64) {
    let count = || player.progress().commits.load(Ordering::SeqCst);
    let wanted = count() + more;
    let seen = wait_until("commits of the sink", Duration::from_secs(90), || match count() {
        _ if player.has_ended() => Look::Never("the play has ended".to_owned()),
        now if now >= wanted => Look::Done(()),
        now => Look::NotYet(format!("{now} of {wanted}")),
    });
    seen.unwrap_or_else(|why| panic!("{why}"));
}

/// At rest everything is as the truth has it.
fn assert_ends_true(what: &str, stage: &Stage, name: &str, play: &Play) {
    run_until_idle(stage.folder());
    let (report, findings) = told(stage.folder(), name);
    let world = play.world(judged_at_ms(&report));
    let truth = Truth::followed(&world, &Followed::every(&world.table));
    println!("{what}: {} messages, {} findings", truth.messages.consumed, truth.findings.len());
    assert!(truth.findings.len() > 5, "hardly anything went wrong");
    assert_ledger_true(what, &truth, &report, &findings);
    assert_sound(stage.folder());
}

#[test]
fn a_broker_killed_while_messages_flow_is_not_judged_without_and_costs_no_verdict() {
    let cluster = cluster();
    let (stage, name, player, mut running) = playing(&cluster, 61);
    commits(&player, 2);
    running.until_it_judges();
    cluster.kill();
    let blind = running.until_it_cannot_judge("brokers");
    good(cluster.restart());
    let seeing = running.until_it_recovers("a broker that was killed");
    assert_ne!(blind["judged_at"], seeing["judged_at"]);
    assert_eq!(seeing["restarts"], 0, "it went on as it was");
    // It goes on, and so do they.
    commits(&player, 2);
    running.until_it_judges();
    running.stop();
    let play = player.stop().expect("it was played");
    assert_ends_true("a broker that was killed", &stage, &name, &play);
}

#[test]
fn groups_that_come_and_go_change_nothing_and_none_is_joined() {
    let cluster = cluster();
    let (stage, name, player, mut running) = playing(&cluster, 62);
    commits(&player, 1);
    running.until_it_judges();
    let topic = {
        let status = running.until("messages", |status| status["messages"]["consumed"].as_u64() > Some(20));
        status["partitions"][0]["topic"].as_str().expect("a topic has a name").to_owned()
    };
    assert_eq!(good(cluster.groups()), BTreeSet::new(), "it joins none");
    // One of the sink's kind, and one that has the name that the validator's own client could have.
    let names = ["a-sink".to_owned(), format!("validator-tap-{}", running.id())];
    for group in &names {
        let first = good(GroupMember::join(&cluster, group, &topic, &[]));
        good(first.read_and_commit(5));
        // A second member takes partitions of the first, and gives them back.
        let second = good(GroupMember::join(&cluster, group, &topic, &[&first]));
        running.until_it_judges();
        drop(second);
        running.until_it_judges();
        drop(first);
        running.until_it_judges();
    }
    let names: BTreeSet<String> = names.into();
    assert!(good(cluster.groups()).is_subset(&names), "{:?}", cluster.groups());
    assert_eq!(good(cluster.committed_by(&topic)), names, "nobody else has committed anything");
    commits(&player, 2);
    running.until_it_judges();
    assert_eq!(running.status().expect("it answers")["restarts"], 0);
    running.stop();
    let play = player.stop().expect("it was played");
    assert_ends_true("groups that come and go", &stage, &name, &play);
}

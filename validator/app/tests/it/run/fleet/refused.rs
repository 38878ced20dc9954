//! Who is no member, and is told why.

use std::rc::Rc;
use std::time::Duration;

use fixtures_harness::{Look, TopicSpec, kafka_cluster, unique_name, wait_until};

use super::super::real::scene::{Scene, send, straight};
use super::super::service::Service;
use super::team::{Team, log};
use crate::real_kafka::good;
use crate::transcript;

const WITHIN: Duration = Duration::from_secs(90);

fn scene(stem: &str) -> Scene {
    scene_of(&unique_name(stem))
}

fn scene_of(topic: &str) -> Scene {
    let cluster = kafka_cluster();
    good(cluster.create_topic(&TopicSpec::new(topic, 2)));
    let mut scene = Scene::of(cluster, topic);
    send(cluster, topic, 0, 0..10);
    scene.land(&straight(0, 0..10));
    scene
}

fn until_intact(team: &Team, messages: i64) {
    let seen = wait_until("a checkpoint with all messages", WITHIN, || {
        let consumed = team.server().run("SELECT coalesce(max(checkpoint), 0) FROM pipelines").unwrap_or_default();
        let judge = team.judge();
        match (judge, consumed.trim().parse::<i64>()) {
            (Some(_), Ok(checkpoint)) if checkpoint >= messages => Look::Done(()),
            other => Look::NotYet(format!("{other:?}")),
        }
    });
    seen.unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_fleet_over_a_file_and_a_member_without_a_fleet_are_refused() {
    let scene = scene("fleet-alone");
    let alone = transcript::run(scene.folder(), "run -c validator.toml --member a", &[]).assert_no_panic();
    assert_eq!(alone.exit, 2, "{}", alone.all());
    assert!(alone.all().contains("`--member` names a process of a fleet, and this one runs alone"), "{}", alone.all());
    let file = scene.join("validator.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    std::fs::write(&file, text.replacen("[service]\n", "[service]\nfleet = true\n", 1)).expect("it is ours");
    let refused = transcript::run(scene.folder(), "run -c validator.toml --member a", &[]).assert_no_panic();
    assert_eq!(refused.exit, 2, "{}", refused.all());
    assert!(refused.all().contains("a fleet shares its ledger, and a file of SQLite is written by one process"));
}

#[test]
fn a_topic_that_was_made_again_is_read_by_nobody() {
    let (cluster, topic) = (kafka_cluster(), unique_name("fleet-again"));
    let scene = scene_of(&topic);
    let mut team = Team::of(scene.folder());
    team.start("a");
    until_intact(&team, 1);
    team.kill("a");
    good(cluster.delete_topic(&topic));
    good(cluster.create_topic(&TopicSpec::new(&topic, 2)));
    send(cluster, &topic, 0, 0..30);
    const COUNTED: &str = "SELECT count(*) FROM parcels";
    let server = Rc::clone(team.server());
    let before = good(server.run(COUNTED));
    team.start("b");
    let told = ["deleted and made again", "by other topics of these names"];
    let seen = wait_until("a member that tells them apart", WITHIN, || {
        let log = log(scene.folder(), "b");
        if told.iter().all(|words| log.contains(words)) { Look::Done(()) } else { Look::NotYet(log) }
    });
    seen.unwrap_or_else(|why| panic!("{why}"));
    assert!(!log(scene.folder(), "b").contains(" reads "), "{}", log(scene.folder(), "b"));
    assert_eq!(good(server.run(COUNTED)), before, "something was read of it");
    team.stop();
}

#[test]
fn a_member_with_other_files_is_refused_and_the_others_go_on() {
    let scene = scene("fleet-terms");
    let mut team = Team::of(scene.folder());
    team.start("a");
    until_intact(&team, 1);
    let file = scene.join("pipeline.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let other = scene.join("other.toml");
    std::fs::write(&other, text.replacen("settle = \"2000ms\"", "settle = \"3000ms\"", 1)).expect("it is ours");
    let words = "run -c validator.toml other.toml --member b";
    let refused = transcript::run(scene.folder(), words, &[]).assert_no_panic();
    assert_eq!(refused.exit, 2, "{}", refused.all());
    assert!(refused.all().contains("the judge of pipeline trades goes by another contract"), "{}", refused.all());
    assert_eq!(team.judge().as_deref(), Some("a"));
    let _server = team.stop();
}

#[test]
fn a_member_whose_pipeline_ends_for_good_gives_the_seat_up() {
    let scene = scene("fleet-seat");
    let mut team = Team::of(scene.folder());
    team.start("a");
    until_intact(&team, 1);
    let (code, _) = team.take("a").stop();
    assert_eq!(code, Some(0), "{}", log(scene.folder(), "a"));
    // Of another contract, which the ledger refuses; and one that keeps the process alive.
    let text = std::fs::read_to_string(scene.join("pipeline.toml")).expect("it was written");
    let other = text.replacen("[fidelity]", "[compare]\nignore = { venue = \"for the test\" }\n[fidelity]", 1);
    let beside = text.replacen("name = \"trades\"", "name = \"beside\"", 1);
    assert!(other != text && beside != text, "{text}");
    std::fs::write(scene.join("other.toml"), other).expect("it is ours");
    std::fs::write(scene.join("beside.toml"), beside).expect("it is ours");
    team.start_with("b", "other.toml beside.toml");
    let refused = wait_until("the refusal", WITHIN, || match log(scene.folder(), "b") {
        log if log.contains("stands in the ledger with another contract") => Look::Done(()),
        log => Look::NotYet(log),
    });
    refused.unwrap_or_else(|why| panic!("{why}"));
    team.start_with("c", "pipeline.toml");
    let judges = wait_until("c judges", WITHIN, || match (team.judge(), team.judge_of("beside")) {
        (Some(c), Some(b)) if c == "c" && b == "b" => Look::Done(()),
        other => Look::NotYet(format!("{other:?}")),
    });
    judges.unwrap_or_else(|why| panic!("{why}\n{}", log(scene.folder(), "c")));
    let (code, took) = team.take("b").stop();
    assert_eq!(code, Some(2), "after {took:?}: it had a pipeline that was refused");
    let _server = team.stop();
}

#[test]
fn of_two_processes_of_one_name_the_first_ends_and_the_second_judges() {
    let scene = scene("fleet-names");
    let mut team = Team::of(scene.folder());
    team.start("a");
    until_intact(&team, 1);
    let reads = wait_until("the first reads", WITHIN, || match log(scene.folder(), "a").contains(" reads ") {
        true => Look::Done(()),
        false => Look::NotYet("not yet".to_owned()),
    });
    reads.unwrap_or_else(|why| panic!("{why}"));
    let mut first = team.take("a");
    let second = Service::start_member(scene.folder(), "a");
    assert_eq!(first.child_ended(WITHIN), Some(2), "{}", log(scene.folder(), "a"));
    assert!(log(scene.folder(), "a").contains("another process is that member now"));
    let epoch = wait_until("the second judges", WITHIN, || match team.epoch() {
        2.. => Look::Done(()),
        epoch => Look::NotYet(format!("{epoch}")),
    });
    epoch.unwrap_or_else(|why| panic!("{why}\n{}", log(scene.folder(), "a")));
    let (code, took) = second.stop();
    assert_eq!(code, Some(0), "after {took:?}");
}

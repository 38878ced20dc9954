//! docs/guide/least-privilege.md, held against a broker with an authorizer: what a fleet needs beside what one process needs.

use std::time::Duration;

use fixtures_harness::{KafkaCluster, KafkaOptions, Look, TopicSpec, wait_until};

use super::super::real::running::Running;
use super::super::real::scene::{PIPELINE, Scene, send, straight};
use super::team::{Team, log};
use crate::least_privilege::block;
use crate::least_privilege::brokers::{PASSWORD, TOPIC, rights};
use crate::real_kafka::good;

const WITHIN: Duration = Duration::from_secs(90);
/// Who has the rights of the guide, and who has not that of a fleet.
const USERS: [&str; 2] = ["all", "without-group"];

/// The prefix of groups in the guide's command.
fn prefix() -> String {
    let command = block("console", "--resource-pattern-type prefixed");
    assert!(command.contains("kafka-acls") && command.contains("--operation Read "), "{command}");
    let (_, group) = command.split_once("--group ").expect("it names groups");
    group.split_whitespace().next().expect("a prefix").to_owned()
}

/// A topic of ten trades that are all in the table, read by that user.
fn scene(cluster: &KafkaCluster, user: &str) -> Scene {
    let secured = cluster.secured();
    let kafka = format!(
        "[kafka]\nbrokers = {:?}\n[kafka.properties]\n\"security.protocol\" = \"SASL_SSL\"\n\
         \"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\"sasl.username\" = {user:?}\n\"sasl.password\" = {PASSWORD:?}\n\
         \"ssl.ca.location\" = {:?}\n",
        secured.bootstrap(),
        secured.authority().display().to_string(),
    );
    let mut scene = Scene::of(cluster, TOPIC).with_sections(|sections, _| {
        let (_, catalogs) = sections.split_once("[catalogs").expect("it has a catalog");
        format!("{kafka}[catalogs{catalogs}")
    });
    scene.land(&straight(0, 0..10));
    scene
}

#[test]
fn a_fleet_needs_its_group_and_says_so_where_it_may_not_join() {
    let users = USERS.map(|name| (name, PASSWORD));
    let cluster = good(KafkaCluster::start_secured(&KafkaOptions::default().with_authorizer(), &users));
    good(cluster.create_topic(&TopicSpec::new(TOPIC, 1)));
    send(&cluster, TOPIC, 0, 0..10);
    for user in USERS {
        good(cluster.grant(user, TOPIC, &rights()));
    }
    good(cluster.grant_groups(USERS[0], &prefix()));

    let allowed = scene(&cluster, USERS[0]);
    let mut team = Team::of(allowed.folder());
    team.start("a");
    let mut running = Running::of_log(team.take("a"), &allowed.join("run-a.log"), PIPELINE);
    running.until("all of them", |status| status["state"] == "healthy" && status["messages"]["intact"] == 10);
    running.stop();

    let refused = scene(&cluster, USERS[1]);
    let mut team = Team::of(refused.folder());
    team.start("b");
    let words = ["may not be joined by this user, who has no right to READ it", "the fleet's group validator.trades."];
    let seen = wait_until("what it lacks", WITHIN, || {
        let log = log(refused.folder(), "b");
        if words.iter().all(|words| log.contains(words)) { Look::Done(()) } else { Look::NotYet(log) }
    });
    seen.unwrap_or_else(|why| panic!("{why}"));
    let mut running = Running::of_log(team.take("b"), &refused.join("run-b.log"), PIPELINE);
    running.until("a state that is no verdict", |status| {
        assert_eq!(status["messages"]["missing"], 0, "{status}");
        status["state"] == "cannot_judge"
    });
    running.stop();
}

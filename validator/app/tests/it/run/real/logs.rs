//! Logs that are not what they were: a topic that is deleted, one that is made again, while the validator runs and while it does not,
//! and partitions that come later.

use fixtures_harness::{KafkaCluster, KafkaOptions, TopicSpec, kafka_cluster, unique_name};

use super::super::service::{Service, command};
use super::scene::{PIPELINE, Scene, send, straight};
use crate::real_kafka::good;
use crate::real_kafka::trades::row;

fn made(cluster: &KafkaCluster, stem: &str, partitions: i32) -> String {
    let topic = unique_name(stem);
    good(cluster.create_topic(&TopicSpec::new(&topic, partitions)));
    topic
}

/// A topic of ten trades that are all in the table, and a service that has judged them.
fn judged(stem: &str) -> (Scene, String, super::running::Running) {
    judged_on(kafka_cluster(), stem)
}

fn judged_on(cluster: &KafkaCluster, stem: &str) -> (Scene, String, super::running::Running) {
    let topic = made(cluster, stem, 1);
    send(cluster, &topic, 0, 0..10);
    let mut scene = Scene::of(cluster, &topic);
    scene.land(&straight(0, 0..10));
    let mut running = scene.start();
    running.until("all of them", |status| status["state"] == "healthy" && status["messages"]["intact"] == 10);
    (scene, topic, running)
}

#[test]
fn a_topic_that_is_deleted_is_named_and_nothing_is_missing_for_it() {
    let cluster = kafka_cluster();
    let (mut scene, topic, mut running) = judged("run-deleted");
    good(cluster.delete_topic(&topic));
    let status = running.until_it_cannot_judge(&format!("topic {topic} does not exist"));
    assert_eq!((&status["messages"]["intact"], &status["messages"]["missing"]), (&10.into(), &0.into()), "{status}");
    scene.land(&straight(0, 10..12));
    // It is made again: another one, whose first messages look like those that come next.
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    send(cluster, &topic, 0, 0..12);
    let status = running.until_it_cannot_judge("deleted and made again");
    assert_eq!((&status["messages"]["consumed"], &status["messages"]["intact"]), (&10.into(), &10.into()), "{status}");
    running.stop();
    assert_is_refused_until_it_starts_over(&mut scene);
}

/// Nobody who starts it later takes the new topic for the old one; new books are begun by a command.
fn assert_is_refused_until_it_starts_over(scene: &mut Scene) {
    let ran = crate::transcript::run(scene.folder(), "run -c validator.toml --until-idle 1s", &[]).assert_no_panic();
    assert_eq!(ran.exit, 3, "{}", ran.all());
    assert!(ran.stderr.contains("deleted and made again") && ran.stderr.contains("ledger start-over"), "{}", ran.all());
    let before = scene.told();
    assert_eq!(before.report["messages"]["intact"], 10, "{before:?}");
    let over = format!("ledger start-over -c validator.toml --pipeline {PIPELINE}");
    let output = command(scene.folder(), &over).output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 12, intact 12 | intact 12, total 12");
}

#[test]
fn a_topic_made_again_while_nobody_looked_is_not_taken_for_the_old_one() {
    let cluster = kafka_cluster();
    let (mut scene, topic, running) = judged("run-again");
    running.stop();
    good(cluster.delete_topic(&topic));
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    send(cluster, &topic, 0, 0..12);
    scene.land(&straight(0, 10..12));
    let mut running = scene.start();
    running.until_it_cannot_judge("deleted and made again");
    running.stop();
    assert_is_refused_until_it_starts_over(&mut scene);
}

/// The broker's disk loses the log, and more messages come than it had: the topic has its name and its id.
fn lose_log(cluster: &KafkaCluster, topic: &str, sent: std::ops::Range<i64>) {
    cluster.kill();
    for file in std::fs::read_dir(cluster.data_dir().join(format!("{topic}-0"))).expect("the log has a folder") {
        let path = file.expect("it can be listed").path();
        if path.file_name().is_some_and(|name| name != "partition.metadata") {
            std::fs::remove_file(path).expect("it can be removed");
        }
    }
    good(cluster.restart());
    send(cluster, topic, 0, sent);
}

#[test]
fn a_log_that_was_cut_and_has_grown_again_is_not_read_on_by_its_offsets() {
    let cluster = good(KafkaCluster::start(&KafkaOptions::default()));
    let (scene, topic, mut running) = judged_on(&cluster, "run-regrown");
    lose_log(&cluster, &topic, 100..114);
    let status = running.until_it_cannot_judge("was cut");
    assert_eq!(status["messages"]["consumed"], 10, "{status}");
    // However long it grows, and whoever starts it.
    send(&cluster, &topic, 0, 114..120);
    running.stop();
    let mut running = scene.start();
    running.until_it_cannot_judge("other messages have its offsets");
    running.stop();
    let ran = crate::transcript::run(scene.folder(), "run -c validator.toml --until-idle 1s", &[]).assert_no_panic();
    assert_eq!(ran.exit, 3, "{}", ran.all());
    assert!(ran.stderr.contains("other messages have its offsets"), "{}", ran.all());
    assert!(ran.stderr.contains("ledger start-over"), "{}", ran.all());
    assert_eq!(scene.told().report["messages"]["intact"], 10);
}

#[test]
fn a_topic_that_is_gone_at_the_start_is_waited_for() {
    let cluster = kafka_cluster();
    let (scene, topic, running) = judged("run-gone");
    running.stop();
    good(cluster.delete_topic(&topic));
    let mut running = scene.start_by(Service::start(scene.folder()));
    running.until_it_cannot_judge(&format!("topic {topic} does not exist"));
    running.stop();
}

#[test]
fn partitions_that_come_later_are_followed_from_their_first_message() {
    let cluster = kafka_cluster();
    let topic = made(cluster, "run-grows", 1);
    send(cluster, &topic, 0, 0..10);
    let mut scene = Scene::of(cluster, &topic);
    scene.land(&straight(0, 0..10));
    let mut running = scene.start();
    running.until("the first partition", |status| status["messages"]["intact"] == 10);
    good(cluster.add_partitions(&topic, 3));
    for partition in 1..3 {
        send(cluster, &topic, partition, 0..4);
        scene.land(&straight(partition, 0..4));
    }
    let status = running.until("all partitions", |status| {
        assert_eq!(status["rows"]["phantom"], 0, "{status}");
        status["messages"]["intact"] == 18
    });
    assert_eq!(status["partitions"].as_array().map(Vec::len), Some(3), "{status}");
    running.stop();
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 18, intact 18 | intact 18, total 18");
    let [of_first, of_later] = ["0..10 consumed 10, intact 10 | ", "0..4 consumed 4, intact 4 | "];
    assert_eq!(rest.partitions(), [format!("0: {of_first}"), format!("1: {of_later}"), format!("2: {of_later}")]);
}

#[test]
fn topics_that_a_pattern_matches_are_followed_as_they_come() {
    let cluster = kafka_cluster();
    let stem = unique_name("run-pattern");
    let [first, later, other] = ["a.trades", "b.trades", "a.quotes"].map(|name| format!("{stem}.{name}"));
    let create = |topic: &str| good(cluster.create_topic(&TopicSpec::new(topic, 1)));
    let rows = |topic: &str, ids: std::ops::Range<i64>| ids.map(|id| row(topic, 0, id, id)).collect::<Vec<_>>();
    [&first, &other].into_iter().for_each(|topic| create(topic));
    send(cluster, &first, 0, 0..10);
    send(cluster, &other, 0, 0..3);
    let mut scene = Scene::of(cluster, &format!("^{stem}[.].*[.]trades$"));
    scene.land_rows(rows(&first, 0..10));
    let mut running = scene.start();
    running.until("the first topic", |status| status["messages"]["intact"] == 10);
    create(&later);
    send(cluster, &later, 0, 0..4);
    scene.land_rows(rows(&later, 0..4));
    running.until("the later topic", |status| status["messages"]["intact"] == 14);
    running.stop();
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 14, intact 14 | intact 14, total 14");
    let topics = rest.report["partitions"].as_array().into_iter().flatten();
    let topics: Vec<&str> = topics.filter_map(|of| of["topic"].as_str()).collect();
    assert_eq!(topics, [first.as_str(), later.as_str()]);
    // A single run over both says the same.
    let ran = crate::transcript::run(scene.folder(), "reconcile pipeline.toml", &[]).assert_no_panic();
    assert_eq!(ran.exit, 0, "{}", ran.all());
    assert!(ran.stdout.contains("14"), "{}", ran.all());
}

#[test]
fn rows_of_a_partition_that_was_not_there_yet_are_its_messages_once_it_is() {
    let cluster = kafka_cluster();
    let topic = made(cluster, "run-strangers", 1);
    send(cluster, &topic, 0, 0..4);
    let mut scene = Scene::of(cluster, &topic);
    scene.land(&[straight(0, 0..4), straight(1, 0..3)].concat());
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "breached | consumed 4, intact 4 | intact 4, phantom 3, total 7");
    good(cluster.add_partitions(&topic, 2));
    send(cluster, &topic, 1, 0..3);
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 7, intact 7 | intact 7, total 7");
    assert_eq!(rest.findings(), [""; 0]);
}

#[test]
fn partitions_that_the_start_leaves_out_are_not_taken_for_others() {
    let cluster = kafka_cluster();
    let topic = made(cluster, "run-left-out", 3);
    for partition in 0..3 {
        send(cluster, &topic, partition, 0..4 + i64::from(partition));
    }
    let mut scene = Scene::of(cluster, &topic).with_lines("start = \"1:2\"");
    (0..3).for_each(|partition| scene.land(&straight(partition, 0..4 + i64::from(partition))));
    let mut running = scene.start();
    running.until("the second partition", |status| status["messages"]["intact"] == 3);
    running.stop();
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 3, intact 3 | intact 3, out_of_scope 12, total 3");
    assert_eq!(rest.partitions(), ["1: 2..5 consumed 3, intact 3 | "]);
}

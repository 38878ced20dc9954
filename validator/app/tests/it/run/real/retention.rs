//! Retention that overtakes the validator: the offsets that nobody can read any more are a hole with its name, and what stands in the
//! table for them is neither right nor wrong.

use fixtures_harness::{TopicSpec, kafka_cluster, unique_name};

use super::scene::{Scene, send, straight};
use crate::real_kafka::good;

#[test]
fn offsets_deleted_before_they_were_read_are_a_hole_that_the_report_names() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-overtaken");
    good(cluster.create_topic(&TopicSpec::new(&topic, 2)));
    let mut scene = Scene::of(cluster, &topic).with_width(8);
    send(cluster, &topic, 0, 0..16);
    send(cluster, &topic, 1, 0..4);
    scene.land(&straight(0, 0..16));
    scene.land(&straight(1, 0..4));
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 20, intact 20 | intact 20, total 20");

    // While nobody reads, 16..24 come and go; the sink had them, but for two of them.
    send(cluster, &topic, 0, 16..40);
    good(cluster.delete_records(&topic, 0, 24));
    let landed = straight(0, 16..40).into_iter().filter(|(_, offset, _)| ![18, 19, 33].contains(offset));
    scene.land(&landed.collect::<Vec<_>>());
    let rest = scene.at_rest();
    let rows = "intact 35, total 41, unobservable 6";
    assert_eq!(rest.summary(), format!("breached, incomplete | consumed 36, intact 35, missing 1 | {rows}"));
    let expected = ["0: 0..40 consumed 32, intact 31, missing 1 | retention 16..24", "1: 0..4 consumed 4, intact 4 | "];
    assert_eq!(rest.partitions(), expected);
    assert_eq!(rest.findings(), ["missing lost 0@33"]);
    let warnings = rest.report["warnings"].to_string();
    assert!(warnings.contains("retention") && warnings.contains("16 to 24"), "{warnings}");
}

#[test]
fn what_was_read_and_is_deleted_before_it_can_be_read_again_cannot_be_judged() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-deleted-behind");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let mut scene = Scene::of(cluster, &topic);
    send(cluster, &topic, 0, 0..10);
    let mut running = scene.start();
    // All are read, and none has a row: they are missing as a whole, which needs no second reading.
    running.until("messages", |status| status["messages"]["consumed"] == 10);
    good(cluster.delete_records(&topic, 0, 10));
    // Now it would have to be told which of them these rows are, and one row is not what its message said.
    let mut rows = straight(0, 0..8);
    rows[3].2 = 77;
    scene.land(&rows);
    let status = running.until("what cannot be told", |status| status["messages"]["unobservable"] == 10);
    assert_eq!(status["messages"]["missing"], 0, "{status}");
    running.stop();
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "unjudged | consumed 10, unobservable 10 | total 8, unobservable 8");
    assert_eq!(rest.partitions(), ["0: 0..10 consumed 10, unobservable 10 | "]);

    // What lands right and whole is proven by its sums alone: nothing is read again.
    scene.land(&straight(0, 8..10));
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "unjudged | consumed 10, unobservable 10 | total 10, unobservable 10");
    send(cluster, &topic, 0, 10..12);
    good(cluster.delete_records(&topic, 0, 10));
    scene.land(&straight(0, 10..12));
    let rest = scene.at_rest();
    assert!(rest.summary().starts_with("unjudged | consumed 12"), "{}", rest.summary());
    assert!(!rest.findings().iter().any(|finding| finding.starts_with("phantom") || finding.starts_with("missing")));
}

#[test]
fn rows_that_make_deleted_messages_whole_prove_them_without_a_second_reading() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-proven");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let mut scene = Scene::of(cluster, &topic);
    send(cluster, &topic, 0, 0..10);
    let mut running = scene.start();
    running.until("messages", |status| status["messages"]["consumed"] == 10);
    good(cluster.delete_records(&topic, 0, 10));
    scene.land(&straight(0, 0..10));
    running.until("all of them", |status| status["messages"]["intact"] == 10);
    running.stop();
    assert_eq!(scene.at_rest().summary(), "holds | consumed 10, intact 10 | intact 10, total 10");
}

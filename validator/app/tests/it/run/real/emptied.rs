//! A table that is made anew, and that nobody writes to for a while: no row stands there, and nobody says that all is as it was.

use fixtures_harness::{TopicSpec, kafka_cluster, unique_name};

use super::scene::{Scene, send, straight};
use crate::real_kafka::good;

#[test]
fn messages_of_a_table_that_was_made_anew_are_withdrawn_until_they_land_again() {
    let (cluster, topic) = (kafka_cluster(), unique_name("run-emptied"));
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    send(cluster, &topic, 0, 0..10);
    let mut scene = Scene::of(cluster, &topic);
    scene.land(&straight(0, 0..10));
    let mut running = scene.start();
    running.until("all of them", |status| status["state"] == "healthy" && status["messages"]["intact"] == 10);

    scene.make_anew();
    running.until("none of them", |status| status["messages"]["withdrawn"] == 10);
    // What knows no snapshot goes on from there, too.
    running.stop();
    let gone = scene.at_rest();
    assert_eq!(gone.summary(), "breached | consumed 10, withdrawn 10 | ");
    assert_eq!(gone.report["table"]["snapshot_id"], serde_json::Value::Null, "{}", gone.report);
    assert_eq!(gone.findings().len(), 11, "each message, and the table: {:?}", gone.findings());

    let mut running = scene.start();
    scene.land(&straight(0, 0..10));
    running.until("all of them again", |status| status["messages"]["intact"] == 10);
    running.stop();
    let rest = scene.at_rest();
    assert_eq!(
        (rest.report["messages"]["intact"].as_u64(), rest.report["messages"]["withdrawn"].as_u64()),
        (Some(10), Some(0))
    );
}

//! Topics that a pattern matches and partitions that are added while a fleet runs: they are shared, and each message is judged once.

use fixtures_harness::{TopicSpec, kafka_cluster, unique_name};

use super::super::real::running::Running;
use super::super::real::scene::{PIPELINE, Scene, send};
use super::team::Team;
use crate::real_kafka::good;
use crate::real_kafka::trades::row;

#[test]
fn topics_and_partitions_that_come_later_are_shared_too() {
    let cluster = kafka_cluster();
    let stem = unique_name("fleet-grows");
    let [first, later, other] = ["a.trades", "b.trades", "a.quotes"].map(|name| format!("{stem}.{name}"));
    let create = |topic: &str, partitions| good(cluster.create_topic(&TopicSpec::new(topic, partitions)));
    let rows = |topic: &str, of: i32| (0..10).map(|id| row(topic, of, id, id)).collect::<Vec<_>>();
    create(&first, 1);
    create(&other, 1);
    send(cluster, &first, 0, 0..10);
    send(cluster, &other, 0, 0..10);
    let mut scene = Scene::of(cluster, &format!("^{stem}[.].*[.]trades$"));
    scene.land_rows(rows(&first, 0));
    let mut team = Team::of(scene.folder());
    let mut start = |name: &str| {
        team.start(name);
        Running::of_log(team.take(name), &scene.join(&format!("run-{name}.log")), PIPELINE)
    };
    // The first has the seat before the second asks for it.
    let mut judge = start("a");
    judge.until("the first topic", |status| status["messages"]["intact"] == 10);
    let beside = start("b");
    create(&later, 2);
    (0..2).for_each(|of| send(cluster, &later, of, 0..10));
    (0..2).for_each(|of| scene.land_rows(rows(&later, of)));
    judge.until("the later topic", |status| status["messages"]["intact"] == 30);
    good(cluster.add_partitions(&first, 2));
    send(cluster, &first, 1, 0..10);
    scene.land_rows(rows(&first, 1));
    judge.until("the later partition", |status| status["messages"]["intact"] == 40);
    judge.stop();
    beside.stop();
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 40, intact 40 | intact 40, total 40");
}

//! Dead letters of a fleet: who has the seat reads them, and who takes it over goes on.

use fixtures_harness::{Look, TopicSpec, kafka_cluster, unique_name, wait_until};
use fixtures_warehouse::Feed;

use super::super::real::running::Running;
use super::super::real::scene::{PIPELINE, Scene, send, straight};
use super::shares::{WITHIN, until_judge};
use super::team::Team;
use crate::real_kafka::good;

fn start(team: &mut Team, scene: &Scene, name: &str) -> Running {
    team.start(name);
    Running::of_log(team.take(name), &scene.join(&format!("run-{name}.log")), PIPELINE)
}

#[test]
fn the_next_judge_goes_on_with_the_dead_letters() {
    let (cluster, topic, aside) = (kafka_cluster(), unique_name("fleet-dlq"), unique_name("fleet-dlq-dlq"));
    good(cluster.create_topic(&TopicSpec::new(&topic, 2)));
    good(cluster.create_topic(&TopicSpec::new(&aside, 1)));
    (0..2).for_each(|partition| send(cluster, &topic, partition, 0..10));
    let mut scene = Scene::of(cluster, &topic).with_dead_letters(&format!("topic = {aside:?}"));
    scene.land(&[straight(0, 0..4), straight(0, 5..10), straight(1, 0..6), straight(1, 7..10)].concat());
    let feed = good(Feed::connect(cluster.bootstrap()));
    let put = |nth: i64, of: (i32, i64)| {
        good(feed.put_letter((&aside, 0, nth), Some(&(topic.clone(), of.0, of.1))));
        good(feed.flush());
    };
    put(0, (0, 4));
    let mut team = Team::of(scene.folder());
    let mut members = [("a", start(&mut team, &scene, "a")), ("b", start(&mut team, &scene, "b"))];
    let judge = until_judge(&team);
    members.sort_by_key(|(name, _)| *name != judge);
    let [(_, mut first), (_, mut next)] = members;
    let is = |diverted: i64, missing: i64| {
        move |status: &serde_json::Value| {
            let of = |word: &str| status["messages"][word].as_i64();
            (of("intact"), of("diverted"), of("missing")) == (Some(18), Some(diverted), Some(missing))
        }
    };
    first.until("the first letter", is(1, 1));
    first.kill();
    put(1, (1, 6));
    let taken = wait_until("the next judge", WITHIN, || match team.judge() {
        Some(name) if name != judge => Look::Done(name),
        other => Look::NotYet(format!("{other:?}")),
    });
    taken.unwrap_or_else(|why| panic!("{why}"));
    next.until("the second letter", is(2, 0));
    next.stop();
    let rest = scene.at_rest();
    assert_eq!(rest.findings(), ["diverted - 0@4", "diverted - 1@6"]);
}

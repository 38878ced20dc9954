//! A schema registry that nobody reaches: messages of schemas that are not known yet are neither undecodable nor lost.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, schema_registry, unique_name};

use super::gate::Gate;
use super::scene::Scene;
use crate::real_kafka::good;
use crate::real_kafka::schema_change::{FIRST, SECOND, columns, frame, row};

#[test]
fn a_registry_that_is_away_holds_the_reading_up_and_makes_nothing_undecodable() {
    let (cluster, registry) = (kafka_cluster(), schema_registry());
    let topic = unique_name("run-registry");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let subject = format!("{topic}-value");
    let (host, path) = registry.url().trim_start_matches("http://").split_once('/').expect("its API has a path");
    let gate = Gate::to(host);
    let url = format!("http://{}/{path}", gate.address());
    let mut scene = Scene::of_columns(cluster, &topic, columns())
        .with_format("avro")
        .with_sections(|sections, _| format!("{sections}\n[schema_registry]\nurl = {url:?}\n"));
    let producer = good(Producer::connect(&producer_config(cluster)));
    let send = |schema: u32, ids: std::ops::Range<i64>| {
        let payloads: Vec<Vec<u8>> = ids.map(|id| frame(schema, id, id >= 30)).collect();
        let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
        good(producer.produce(&topic, &records));
    };
    let rows = |ids: std::ops::Range<i64>, first: i64| ids.map(|id| row(&topic, id - first, id)).collect::<Vec<_>>();
    // Ids below 12 are of the first schema, those from 30 on of the second.
    let first = good(registry.register(&subject, FIRST));
    good(registry.register(&subject, SECOND));
    send(first, 0..10);
    scene.land_rows(rows(0..10, 0));
    let mut running = scene.start();
    running.until("all of them", |status| status["messages"]["intact"] == 10);

    gate.lead_to(None);
    // Another schema that is written alike: nobody has asked for it yet.
    let third = SECOND.replace("\"type\":\"record\"", "\"type\":\"record\",\"doc\":\"the third\"");
    send(good(registry.register(&subject, &third)), 30..40);
    scene.land_rows(rows(30..40, 20));
    let status = running.until_it_cannot_judge("registry");
    let counts = ["intact", "undecodable", "missing", "overdue"].map(|key| status["messages"][key].as_u64());
    assert_eq!(counts, [10, 0, 0, 0].map(Some), "{status}");
    assert!(scene.told().summary().starts_with("unjudged, incomplete | consumed 10, intact 10 "), "{:?}", scene.told());

    gate.lead_to(Some(host));
    let status = running.until_it_recovers("a registry that was away");
    assert_eq!(status["messages"]["intact"], 20, "{status}");
    running.stop();
    assert_eq!(scene.at_rest().summary(), "holds | consumed 20, intact 20 | intact 20, total 20");
}

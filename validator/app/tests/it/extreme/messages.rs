//! A message of 64 MiB.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};

use super::{judged, written};
use crate::real_kafka::good;
use crate::scene::Scene;

const BYTES: usize = 64 << 20;

/// A payload of exactly 64 MiB with a dropped field that fills it, its id `b` and price 2.
fn payload() -> String {
    let head = r#"{"id": "b", "price": "2", "at": "2024-08-08T12:00:00Z", "filler": ""#;
    format!("{head}{}\"}}", "f".repeat(BYTES - head.len() - 2))
}

fn scene() -> Scene {
    Scene::offset().section("[compare]\ndrop = { filler = \"it only fills\" }").file("0@0 a 1 | 0@1 b 2 | 0@2 c 3")
}

const ALL_INTACT: &str = "consumed 3, intact 3 | intact 3, total 3";

#[test]
fn a_recorded_message_of_64_mib_is_judged_beside_its_neighbours() {
    let scene = scene().topic("0@0 a 1").payload(1, payload()).topic("0@2 c 3");
    let judged = judged(written(&scene).path());
    assert_eq!(judged.counts(), ALL_INTACT);
    assert!(judged.mib < 900, "{} MiB for a message of 64 MiB", judged.mib);
}

#[test]
fn a_message_of_64_mib_in_kafka_is_judged_beside_its_neighbours() {
    let (cluster, topic) = (kafka_cluster(), unique_name("huge"));
    let limit = (BYTES + (1 << 20)).to_string();
    good(cluster.create_topic(&TopicSpec::new(&topic, 1).with("max.message.bytes", &limit)));
    let mut config = producer_config(cluster);
    config.set("message.max.bytes", &limit).set("compression.codec", "none");
    let producer = good(Producer::connect(&config));
    let folder = written(&scene().topic("0@0 a 1 | 0@2 c 3"));
    let small =
        |id: &str| format!(r#"{{"id": "{}", "price": "{}", "at": "2024-08-08T12:00:00Z"}}"#, &id[..1], &id[1..]);
    for payload in [small("a1"), payload(), small("c3")] {
        good(producer.send(&topic, &Record::new(0, None, Some(payload.as_bytes())).at(crate::scene::EPOCH_MS)));
        good(producer.flush());
    }
    folder.edit("pipeline.toml", "topic = \"trades\"", &format!("topic = {topic:?}"));
    folder.edit(
        "pipeline.toml",
        "columns = [\"topic\", \"partition\", \"offset\"]",
        "columns = [\"partition\", \"offset\"]",
    );
    folder.edit("pipeline.toml", "[source]\nfiles = [\"topic.jsonl\"]\nenvelope = \"kcat\"\n", "");
    folder.edit("pipeline.toml", "[compare]", "[compare]\nignore = { topic = \"named by the test\" }");
    let service = std::fs::read_to_string(folder.join("validator.toml")).expect("the scene wrote it");
    let service = format!("{service}\n[kafka]\nbrokers = {:?}\n", cluster.bootstrap());
    std::fs::write(folder.join("validator.toml"), service).expect("the folder takes files");
    let judged = judged(folder.path());
    assert_eq!(judged.counts(), ALL_INTACT);
    assert!(judged.mib < 900, "{} MiB for a message of 64 MiB", judged.mib);
}

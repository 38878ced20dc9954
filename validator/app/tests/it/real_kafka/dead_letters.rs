//! What Kafka Connect itself puts aside, with the headers that it writes: diverted, not missing.

use std::fs;
use std::path::Path;

use fixtures_harness::{
    ConnectSink, Producer, Record, RestCatalog, SinkSpec, TopicSpec, kafka_cluster, producer_config, unique_name,
};
use serde_json::{Value, json};

use super::good;
use crate::transcript::validator;

const TABLE: &str = "aside.orders";

/// A key that the sink cannot read beside a payload that anybody can; a payload that nobody can; and sound ones.
fn put_aside(topic: &str, dlq: &str, catalog: &RestCatalog) {
    let cluster = kafka_cluster();
    good(cluster.create_topic(&TopicSpec::new(topic, 2)));
    good(cluster.create_topic(&TopicSpec::new(dlq, 1)));
    let payloads: Vec<String> = (0..6).map(|id| json!({"id": id, "amount": 1.5}).to_string()).collect();
    let sound = |partition: i32, id: usize| Record::new(partition, Some(b"\"k\""), Some(payloads[id].as_bytes()));
    let records = [
        sound(0, 0),
        Record::new(0, Some(b"{broken"), Some(payloads[1].as_bytes())),
        sound(0, 2),
        sound(1, 3),
        Record::new(1, Some(b"\"k\""), Some(b"{\"id\": ")),
        sound(1, 5),
    ];
    good(good(Producer::connect(&producer_config(cluster))).produce(topic, &records));
    let spec = SinkSpec::json(topic, TABLE)
        .with("key.converter", "org.apache.kafka.connect.json.JsonConverter")
        .with("key.converter.schemas.enable", "false")
        .with("errors.tolerance", "all")
        .with("errors.deadletterqueue.topic.name", dlq)
        .with("errors.deadletterqueue.topic.replication.factor", "1")
        .with("errors.deadletterqueue.context.headers.enable", "true");
    let sink = good(ConnectSink::start(cluster, catalog, &spec));
    assert_eq!(good(sink.wait_for_rows(4)), 4, "four messages can be written");
    good(cluster.await_stable(dlq, 0, 2));
    good(sink.stop());
}

fn findings(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("findings.jsonl")).expect("the run wrote it");
    text.lines().map(|line| serde_json::from_str(line).expect("a finding is JSON")).collect()
}

fn verdicts(folder: &Path, pipeline: &str) -> Vec<(String, i64, i64)> {
    let ran = validator(folder, &format!("reconcile {pipeline} --findings findings.jsonl")).assert_no_panic();
    let word = |finding: &Value| finding["verdict"].as_str().unwrap_or_default().to_owned();
    let number = |finding: &Value, name: &str| finding[name].as_i64().unwrap_or(-1);
    let found = findings(folder);
    assert!(ran.exit < 2 || ran.exit == 3, "{}", ran.all());
    found.iter().map(|finding| (word(finding), number(finding, "partition"), number(finding, "offset"))).collect()
}

#[test]
fn what_kafka_connect_puts_aside_is_diverted() {
    let (topic, dlq) = (unique_name("orders"), unique_name("orders-dlq"));
    let catalog = good(RestCatalog::on_disk());
    put_aside(&topic, &dlq, &catalog);
    let folder = tempfile::tempdir().expect("the system gives a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("the folder is writable");
    let (brokers, uri) = (kafka_cluster().bootstrap(), catalog.uri());
    write(
        "validator.toml",
        &format!("[kafka]\nbrokers = {brokers:?}\n[catalogs.lake]\ntype = \"rest\"\nuri = {uri:?}\n"),
    );
    let without = format!(
        "[pipeline]\nname = \"orders\"\ntopic = {topic:?}\ntable = \"lake.{TABLE}\"\nformat = \"json\"\n\
         [identity]\nmode = \"offset\"\nprofile = \"kafka-connect\"\n[fidelity]\ndiverted_max = 1.0\n"
    );
    write("without.toml", &without);
    write("orders.toml", &format!("{without}dead_letter = {{ topic = {dlq:?} }}\n"));

    let plain = |verdict: &str, partition, offset| (verdict.to_owned(), partition, offset);
    let blind = verdicts(folder.path(), "without.toml");
    assert_eq!(blind, [plain("missing", 0, 1), plain("undecodable", 1, 1)]);
    let seen = verdicts(folder.path(), "orders.toml");
    assert_eq!(seen, [plain("diverted", 0, 1), plain("diverted", 1, 1)]);
    for finding in findings(folder.path()) {
        let detail = finding["detail"].as_str().unwrap_or_default();
        let cause =
            format!("among the dead letters of {dlq}, put aside for org.apache.kafka.connect.errors.DataException: ");
        assert!(detail.contains(&cause), "{detail}");
    }
    let ran = validator(folder.path(), "reconcile orders.toml");
    assert_eq!(ran.exit, 0, "nothing is lost: {}", ran.all());

    let checked = validator(folder.path(), "check orders.toml");
    assert!(checked.stdout.contains(&format!("2 dead letters of {dlq} looked at: 2 of messages")), "{}", checked.all());
}

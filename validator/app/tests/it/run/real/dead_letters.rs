//! Dead letters that come while their pipeline is followed: what was told as a loss is one no longer, whatever dies meanwhile.

use std::time::{Duration, Instant};

use fixtures_harness::{KafkaCluster, Producer, Record, TopicSpec, TransactionEnd, kafka_cluster, unique_name};
use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::value::Value;
use fixtures_warehouse::Feed;
use serde_json::Value as Json;

use super::scene::{SETTLE_MS, Scene, send, straight};
use crate::real_kafka::good;
use crate::transcript;

/// A topic of dead letters, and how many are in it.
struct Letters {
    topic: String,
    feed: Feed,
    many: i64,
}

impl Letters {
    fn of(cluster: &KafkaCluster, topic: &str) -> Self {
        good(cluster.create_topic(&TopicSpec::new(topic, 1)));
        Self { topic: topic.to_owned(), feed: good(Feed::connect(cluster.bootstrap())), many: 0 }
    }

    fn put(&mut self, of: (&str, i64)) {
        self.put_by("trades-sink", of);
    }

    /// The first one, behind a record of a transaction that this producer has to end.
    fn put_behind_open(&mut self, of: (&str, i64)) -> Producer {
        let producer = good(Producer::transactional(kafka_cluster(), &self.topic));
        good(producer.begin());
        good(producer.produce(&self.topic, &[Record::new(0, None, Some(b"not yet"))]));
        self.many = 1;
        self.put(of);
        producer
    }

    fn put_by(&mut self, connector: &str, of: (&str, i64)) {
        let of = (of.0.to_owned(), 0, of.1);
        good(self.feed.put_letter_by(connector, (&self.topic, 0, self.many), Some(&of)));
        good(self.feed.flush());
        self.many += 1;
    }
}

/// Ten trades of which these have rows, and a topic of dead letters.
fn scene(stem: &str, rows: &[i64]) -> (Scene, String, Letters) {
    let (topic, aside) = (unique_name(stem), unique_name(&format!("{stem}-dlq")));
    good(kafka_cluster().create_topic(&TopicSpec::new(&topic, 1)));
    send(kafka_cluster(), &topic, 0, 0..10);
    let letters = Letters::of(kafka_cluster(), &aside);
    let mut scene = Scene::of(kafka_cluster(), &topic).with_dead_letters(&format!("topic = {aside:?}"));
    scene.land(&rows.iter().map(|id| (0, *id, *id)).collect::<Vec<_>>());
    (scene, topic, letters)
}

fn said(status: &Json) -> [i64; 4] {
    ["intact", "diverted", "missing", "undecodable"].map(|word| status["messages"][word].as_i64().unwrap_or_default())
}

#[test]
fn a_loss_is_diverted_once_its_letter_comes_and_a_letter_that_is_read_again_changes_nothing() {
    let (mut scene, topic, mut letters) = scene("run-dlq", &[0, 1, 2, 4, 5, 6, 8, 9]);
    let mut running = scene.start();
    running.until("two losses", |status| said(status) == [8, 0, 2, 0]);
    running.kill();
    assert_eq!(scene.told().findings(), ["missing lost 0@3", "missing lost 0@7"]);

    letters.put((&topic, 3));
    let mut running = scene.start();
    running.until("the first letter", |status| said(status) == [8, 1, 1, 0]);
    // It dies while it reads, a few times: whatever a checkpoint has, the letters that it lacks are read again.
    for _ in 0..3 {
        letters.put((&topic, 3));
        letters.put((&topic, 9));
        running.kill();
        running = scene.start();
    }
    letters.put((&topic, 7));
    running.until("the letter of the other", |status| said(status) == [8, 2, 0, 0]);
    running.kill();
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 10, diverted 2, intact 8 | intact 8, total 8");
    assert_eq!(rest.findings(), ["diverted - 0@3", "diverted - 0@7"]);
    let detail = rest.findings[0]["detail"].as_str().unwrap_or_default();
    let cause = "put aside for java.lang.IllegalArgumentException";
    assert!(detail.contains(&format!("among the dead letters of {}, {cause}", letters.topic)), "{detail}");

    // What lands after all is what its row says.
    scene.land(&straight(0, 3..4));
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 10, diverted 1, intact 9 | intact 9, total 9");
    assert_eq!(rest.findings(), ["diverted - 0@7"]);
    let ran = transcript::run(scene.folder(), "reconcile pipeline.toml", &[]).assert_no_panic();
    assert_eq!(ran.exit, 0, "{}", ran.all());

    // The letters are evidence of what the ledger says: it does not go on without them.
    let scene = scene.without_dead_letters();
    let ran = transcript::run(scene.folder(), "run -c validator.toml --until-idle 1s", &[]).assert_no_panic();
    assert_eq!(ran.exit, 2, "{}", ran.all());
    assert!(ran.stderr.contains(&format!("the ledger has dead letters of {}", letters.topic)), "{}", ran.all());
}

#[test]
fn a_message_that_cannot_be_decoded_is_diverted_once_it_is_named() {
    let (topic, aside) = (unique_name("run-dlq-bad"), unique_name("run-dlq-bad-dlq"));
    let cluster = kafka_cluster();
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    send(cluster, &topic, 0, 0..4);
    let feed = good(Feed::connect(cluster.bootstrap()));
    for offset in [4, 5] {
        good(feed.put((&topic, 0, offset), None, None, Some(b"{\"id\": ")));
    }
    good(feed.flush());
    let mut letters = Letters::of(cluster, &aside);
    // Named before anybody has read it, and long after.
    letters.put((&topic, 4));
    let mut scene = Scene::of(cluster, &topic).with_dead_letters(&format!("topic = {aside:?}"));
    scene.land(&straight(0, 0..4));
    assert_eq!(scene.at_rest().findings(), ["diverted - 0@4", "undecodable bad_payload 0@5"]);
    letters.put((&topic, 5));
    let rest = scene.at_rest();
    assert_eq!(rest.findings(), ["diverted - 0@4", "diverted - 0@5"]);
    assert_eq!(rest.summary(), "holds | consumed 6, diverted 2, intact 4 | intact 4, total 4");
    for finding in &rest.findings {
        let detail = finding["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("; here it cannot be decoded either: "), "{detail}");
    }
}

#[test]
fn nothing_is_missing_because_the_dead_letters_cannot_be_read() {
    let (mut scene, topic, letters) = scene("run-dlq-gone", &(0..10).collect::<Vec<_>>());
    let cluster = kafka_cluster();
    let mut running = scene.start();
    running.until("all of them", |status| status["state"] == "healthy" && said(status) == [10, 0, 0, 0]);
    good(cluster.delete_topic(&letters.topic));
    running.until_it_cannot_judge("the brokers");
    send(cluster, &topic, 0, 10..12);
    scene.land(&straight(0, 11..12));
    let (since, waited) = (Instant::now(), Duration::from_millis(SETTLE_MS.unsigned_abs() * 2));
    running.until("a message that would be due", |status| {
        assert_eq!(said(status)[2], 0, "{status}");
        status["messages"]["consumed"] == 12 && since.elapsed() > waited
    });
    // It is made again, and read from its beginning.
    let mut letters = Letters::of(cluster, &letters.topic);
    letters.put((&topic, 10));
    running.until("the letter of the one that is not there", |status| {
        status["state"] == "healthy" && said(status) == [11, 1, 0, 0]
    });
    running.stop();
    assert_eq!(scene.at_rest().findings(), ["diverted - 0@10"]);
}

#[test]
fn nothing_is_missing_while_its_letter_lies_behind_an_open_transaction() {
    let (scene, topic, mut letters) = scene("run-dlq-open", &[0, 1, 2, 4, 5, 6, 7, 8, 9]);
    let producer = letters.put_behind_open((&topic, 3));
    let mut running = scene.start();
    running.until_it_cannot_judge("the brokers");
    let (since, waited) = (Instant::now(), Duration::from_millis(SETTLE_MS.unsigned_abs() * 2));
    running.until("a message that would be due", |status| {
        assert_eq!(said(status)[2], 0, "{status}");
        status["messages"]["consumed"] == 10 && since.elapsed() > waited
    });
    good(producer.end(TransactionEnd::Abort));
    running.until("the letter behind it", |status| status["state"] == "healthy" && said(status) == [9, 1, 0, 0]);
    running.stop();
}

#[test]
fn a_single_run_is_not_made_while_a_letter_may_lie_behind_an_open_transaction() {
    let (scene, topic, mut letters) = scene("dlq-open", &[0, 1, 2, 4, 5, 6, 7, 8, 9]);
    let producer = letters.put_behind_open((&topic, 3));
    let reconciled = || transcript::run(scene.folder(), "reconcile pipeline.toml", &[]).assert_no_panic();
    let ran = reconciled();
    assert_eq!(ran.exit, 3, "{}", ran.all());
    let told = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("from offset 0 on lie behind a transaction that is open"), "{}", ran.all());
    good(producer.end(TransactionEnd::Abort));
    let ran = reconciled();
    assert_eq!(ran.exit, 0, "{}", ran.all());
    let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("diverted 1") && !words.contains("missing 1"), "{}", ran.all());
}

#[test]
fn letters_of_two_sinks_end_the_pipeline_and_hide_no_loss() {
    let (scene, topic, mut letters) = scene("run-dlq-two", &[0, 1, 2, 4, 5, 6, 7, 8, 9]);
    for connector in ["trades-sink", "quotes-sink"] {
        letters.put_by(connector, (&topic, 3));
    }
    let ran = transcript::run(scene.folder(), "run -c validator.toml --until-idle 1s", &[]).assert_no_panic();
    assert_eq!(ran.exit, 2, "{}", ran.all());
    assert!(ran.stderr.contains("are of several connectors: quotes-sink, trades-sink"), "{}", ran.all());
}

#[test]
fn letters_of_a_table_are_read_as_its_files_come() {
    let topic = unique_name("run-dlq-table");
    good(kafka_cluster().create_topic(&TopicSpec::new(&topic, 1)));
    send(kafka_cluster(), &topic, 0, 0..10);
    let mut columns = vec![
        Column::optional("kafka_topic", ColumnType::String),
        Column::optional("kafka_partition", ColumnType::Int),
        Column::optional("kafka_offset", ColumnType::Long),
    ];
    number(&mut columns);
    let names = "columns = [\"kafka_topic\", \"kafka_partition\", \"kafka_offset\"]";
    let mut scene =
        Scene::of(kafka_cluster(), &topic).with_dead_letters(&format!("table = \"lake.market.aside\", {names}"));
    scene.add_table("aside", columns);
    scene.land(&[straight(0, 0..3), straight(0, 4..7), straight(0, 8..10)].concat());
    let mut running = scene.start();
    running.until("two losses", |status| said(status) == [8, 0, 2, 0]);
    let letter = |offset| vec![Value::text(&topic), Value::long(0), Value::long(offset)];
    scene.land_in("aside", vec![letter(3), letter(8)]);
    running.until("the first letter", |status| said(status) == [8, 1, 1, 0]);
    running.kill();
    scene.land_in("aside", vec![letter(7)]);
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 10, diverted 2, intact 8 | intact 8, total 8");
    assert_eq!(rest.findings(), ["diverted - 0@3", "diverted - 0@7"]);
}

#[test]
fn letters_that_were_read_by_other_columns_stay_and_nothing_goes_on_over_them() {
    let topic = unique_name("run-dlq-columns");
    good(kafka_cluster().create_topic(&TopicSpec::new(&topic, 1)));
    send(kafka_cluster(), &topic, 0, 0..10);
    let mut columns = ["attempt", "kafka_offset"].map(|name| Column::optional(name, ColumnType::Long)).to_vec();
    number(&mut columns);
    let by = |name: &str| format!("table = \"lake.market.aside\", columns = [\"{name}\"]");
    let mut scene = Scene::of(kafka_cluster(), &topic).with_dead_letters(&by("attempt"));
    scene.add_table("aside", columns);
    scene.land(&[straight(0, 0..3), straight(0, 4..7), straight(0, 8..10)].concat());
    // By the wrong column nothing is told of any message, and the right one is taken.
    scene.land_in("aside", vec![vec![Value::Null, Value::long(7)]]);
    assert_eq!(scene.at_rest().findings(), ["missing lost 0@3", "missing lost 0@7"]);
    let scene = scene.without_dead_letters().with_dead_letters(&by("kafka_offset"));
    assert_eq!(scene.at_rest().findings(), ["diverted - 0@7", "missing lost 0@3"]);

    let scene = scene.without_dead_letters().with_dead_letters(&by("attempt"));
    let ran = transcript::run(scene.folder(), "run -c validator.toml --until-idle 1s", &[]).assert_no_panic();
    assert_eq!(ran.exit, 2, "{}", ran.all());
    let said = "the ledger has dead letters of lake.market.aside, read by offset in `kafka_offset`, by which";
    assert!(ran.stderr.contains(said) && ran.stderr.contains("ledger start-over"), "{}", ran.all());
}

#[test]
fn a_file_of_more_letters_than_a_part_has_is_read_to_its_end() {
    let topic = unique_name("run-dlq-large");
    good(kafka_cluster().create_topic(&TopicSpec::new(&topic, 1)));
    send(kafka_cluster(), &topic, 0, 0..10);
    let mut columns = vec![Column::optional("kafka_offset", ColumnType::Long)];
    number(&mut columns);
    let declared = "table = \"lake.market.aside\", columns = [\"kafka_offset\"]";
    let mut scene = Scene::of(kafka_cluster(), &topic).with_dead_letters(declared);
    scene.add_table("aside", columns);
    scene.land(&[straight(0, 0..3), straight(0, 4..7), straight(0, 8..10)].concat());
    // A part has 50,000.
    let mut rows = vec![vec![Value::long(3)]; 120_000];
    rows.push(vec![Value::long(7)]);
    scene.land_in("aside", rows);
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 10, diverted 2, intact 8 | intact 8, total 8");
    assert_eq!(rest.findings(), ["diverted - 0@3", "diverted - 0@7"]);
}

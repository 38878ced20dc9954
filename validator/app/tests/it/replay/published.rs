//! `validator replay`: off unless asked for, exact, and proven by what a sink makes of the repair topic.

use std::collections::BTreeMap;

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};
use fixtures_kit::value::Value;
use fixtures_warehouse::MockKafka;
use serde_json::Value as Json;

use super::{State, faulty, refused, run, told, written};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;
use crate::real_kafka::trades::{self, PRICE, columns, pipeline, row, table, with};
use crate::scene::{Folder, Scene};
use crate::transcript::{Ran, run_arguments};

/// What is in a topic: value and headers of each message.
fn topic(folder: &std::path::Path, topic: &str) -> Vec<Json> {
    let query = format!("SELECT _key, _value, _headers, _timestamp FROM kafka.\"{topic}\"");
    let ran = run_arguments(folder, &["sql", "--format", "jsonl", &query], &[]);
    assert_eq!(ran.exit, 0, "{}", ran.all());
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
}

/// A text that a query gives in base64.
fn text(json: &Json) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = json.as_str().expect("base64").bytes().filter(|byte| *byte != b'=');
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for digit in digits {
        let value = ALPHABET.iter().position(|one| *one == digit).expect("a digit");
        (bits, held) = (bits << 6 | u32::try_from(value).expect("small"), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    String::from_utf8(bytes).expect("text")
}

/// Which message it is, by its headers.
fn source(message: &Json) -> (String, i32, i64) {
    let header = |name: &str| text(&message["_headers"][format!("validator.source.{name}")]);
    (header("topic"), header("partition").parse().expect("a number"), header("offset").parse().expect("a number"))
}

fn with_brokers(folder: &Folder, brokers: &str) {
    folder.edit("validator.toml", "[service]", &format!("[kafka]\nbrokers = {brokers:?}\n\n[service]"));
}

#[test]
fn a_replay_says_what_it_would_do_and_writes_exactly_that_when_told_to() {
    let kafka = MockKafka::start().expect("a mock cluster");
    kafka.create_topic("trades", 2).expect("topics are new");
    kafka.create_topic("repair", 2).expect("topics are new");
    let folder = written(&faulty(), &State::Sqlite);
    with_brokers(&folder, &kafka.bootstrap());
    run(&folder);

    let said = told(&folder, "replay trades --to repair");
    assert!(said.ends_with("`--yes` would write 7 messages to topic repair. Nothing was written.\n"), "{said}");
    assert_eq!(topic(folder.path(), "repair").len(), 0);
    let flat = |ran: &Ran| ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let ran = refused(&folder, "replay trades --to trades --yes", 2);
    assert!(flat(&ran).contains("topic trades is a source of messages"), "{}", ran.all());
    let ran = refused(&folder, "replay trades --to nowhere --yes", 2);
    assert!(flat(&ran).contains("topic nowhere does not exist"), "{}", ran.all());

    let said = told(&folder, "replay trades --to repair --yes");
    assert!(
        said.starts_with("before a sink reads repair, 1 row must go that these messages take the place of: ")
            && said.contains(
                "\nreplayed 7 messages (6 missing, 1 corrupted) of trades into repair\nread back 7 messages, "
            ),
        "{said}"
    );
    let messages = topic(folder.path(), "repair");
    let mut sources: Vec<_> = messages.iter().map(source).collect();
    sources.sort();
    let expected = [(0, 1), (0, 2), (0, 5), (0, 7), (1, 0), (1, 1), (1, 3)];
    assert_eq!(sources, expected.map(|(partition, offset)| ("trades".to_owned(), partition, offset)));
    assert!(messages.iter().all(|message| message["_timestamp"] == "2024-08-08T12:00:00.000000Z"), "{messages:?}");

    // Again is twice, and has to be asked for.
    let ran = refused(&folder, "replay trades --to repair --yes", 2);
    assert!(flat(&ran).contains("topic repair holds messages already"), "{}", ran.all());
    told(&folder, "replay trades --to repair --yes --append");
    assert_eq!(topic(folder.path(), "repair").len(), 14);

    // A sink that lands the topic, and the deletes of the plan, make the table whole.
    let landed: Vec<String> = messages.iter().map(landed).collect();
    let whole = Scene::offset()
        .topic("0@0 a 1 | 0@1 b 2.125 | 0@2 c 3 | 0@3 d 4 | 0@4 e 5 | 0@5 f 6 | 0@7 h 8 | 0@8 i 9")
        .topic("1@0 j 1 | 1@1 k 2 | 1@3 l 3")
        .file("0@0 a 1 | 0@3 d 4 | 0@4 e 5 | 0@8 i 9")
        .file(&landed.join(" | "));
    let folder = written(&whole, &State::Sqlite);
    let ran = crate::transcript::validator(folder.path(), "run --until-idle 1s");
    assert_eq!(ran.exit, 0, "{}", ran.all());
    let report = super::json(&folder, "report --format json");
    assert_eq!((&report["outcome"], &report["messages"]["intact"]), (&"holds".into(), &11.into()));
}

/// A row as the sink writes it: the place is that of the headers.
fn landed(message: &Json) -> String {
    let (_, partition, offset) = source(message);
    let payload: Json = serde_json::from_str(&text(&message["_value"])).expect("a payload is JSON");
    format!(
        "{partition}@{offset} {} {}",
        payload["id"].as_str().expect("an id"),
        payload["price"].as_str().expect("a price")
    )
}

#[test]
fn a_message_that_is_not_there_any_more_writes_nothing() {
    let kafka = MockKafka::start().expect("a mock cluster");
    kafka.create_topic("repair", 1).expect("topics are new");
    let folder = written(&faulty(), &State::Sqlite);
    with_brokers(&folder, &kafka.bootstrap());
    run(&folder);
    let recording = std::fs::read_to_string(folder.join("topic.jsonl")).expect("it is there");
    let without: String =
        recording.lines().filter(|line| !line.contains("\"offset\":7")).map(|line| format!("{line}\n")).collect();
    assert_ne!(without, recording);
    std::fs::write(folder.join("topic.jsonl"), without).expect("the folder takes files");
    let ran = refused(&folder, "replay trades --to repair --yes", 3);
    assert!(ran.stderr.contains("trades[0] 5..8 has 1 of 2 messages in the source"), "{}", ran.all());
    assert_eq!(topic(folder.path(), "repair").len(), 0);
}

/// Ids of the trades of the real topic, by offset; every second has a key and a header.
const TRADES: i64 = 8;

#[test]
fn a_replay_over_real_kafka_repairs_a_table() {
    let cluster = kafka_cluster();
    let (name, repair) = (unique_name("broken"), unique_name("repair"));
    for topic in [&name, &repair] {
        good(cluster.create_topic(&TopicSpec::new(topic, 1)));
    }
    let producer = good(Producer::connect(&producer_config(cluster)));
    let payloads: Vec<Vec<u8>> = (0..TRADES).map(trades::payload).collect();
    let headers: [(&str, Option<&[u8]>); 2] = [("origin", Some(b"test")), ("empty", None)];
    let record = |(id, payload): (i64, &Vec<u8>)| {
        let (key, payload) = ((id % 2 == 0).then_some(b"k".as_slice()), payload.clone());
        (id, key, payload)
    };
    let parts: Vec<_> = (0..TRADES).zip(&payloads).map(record).collect();
    let records: Vec<Record<'_>> = parts
        .iter()
        .map(|(id, key, payload)| {
            let one = Record::new(0, *key, Some(payload)).at(1_723_118_400_000 + id);
            if id % 2 == 0 { one.with_headers(&headers) } else { one }
        })
        .collect();
    good(producer.produce(&name, &records));

    let intact = |ids: &[i64]| ids.iter().map(|id| row(&name, 0, *id, *id)).collect::<Vec<_>>();
    let damaged = with(row(&name, 0, 3, 3), PRICE, Value::decimal(1, 8));
    let stage = || Stage::new().with_kafka(cluster);
    let broken = stage();
    broken.write(&table(columns(), vec![intact(&[0, 1, 2]), [vec![damaged], intact(&[6, 7])].concat()]));
    let text = pipeline(&name);
    let ran = broken.run(&text, "reconcile -c validator.toml pipeline.toml --findings f.jsonl --report r.json", &[]);
    assert_eq!(ran.exit, 1, "{}", ran.all());
    let replay = format!("replay -c validator.toml pipeline.toml --findings f.jsonl --to {repair} --yes");
    let ran = broken.run(&text, &replay, &[]);
    assert_eq!(ran.exit, 0, "{}", ran.all());
    assert!(ran.stdout.contains("replayed 3 messages (2 missing, 1 corrupted)"), "{}", ran.all());

    let messages = topic(broken.folder(), &repair);
    let by_offset: BTreeMap<i64, &Json> = messages.iter().map(|message| (source(message).2, message)).collect();
    assert_eq!(by_offset.keys().copied().collect::<Vec<_>>(), [3, 4, 5]);
    let four = by_offset[&4];
    assert_eq!((four["_key"].is_null(), self::text(&four["_headers"]["origin"]).as_str()), (false, "test"));
    assert!(by_offset[&3]["_key"].is_null() && by_offset[&3]["_headers"]["origin"].is_null());
    assert_eq!(four["_timestamp"], "2024-08-08T12:00:00.004000Z");

    // The sink lands what the repair topic holds, and the row of the plan is deleted first.
    let landed = by_offset.values().map(|message| {
        let payload: Json = serde_json::from_str(&self::text(&message["_value"])).expect("a payload is JSON");
        row(&name, 0, source(message).2, payload["id"].as_i64().expect("an id"))
    });
    let whole = stage();
    whole.write(&table(columns(), vec![intact(&[0, 1, 2]), intact(&[6, 7]), landed.collect()]));
    let ran = whole.run(&text, "reconcile -c validator.toml pipeline.toml --report r.json", &[]);
    assert_eq!(ran.exit, 0, "{}", ran.all());
    let report = std::fs::read_to_string(whole.folder().join("r.json")).expect("a report");
    let report: Json = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["messages"]["intact"], TRADES);
}

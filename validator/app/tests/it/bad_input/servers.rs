//! Brokers and the schema registry.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use fixtures_warehouse::MockKafka;
use insta::assert_snapshot;

use super::{check, reconcile, sound, written};
use crate::registry_stub::RegistryStub;
use crate::scene::{Folder, Scene};

const SCHEMA: &str = r#"{"type": "record", "name": "Trade", "fields": [{"name": "id", "type": "string"},
    {"name": "price", "type": "string"}, {"name": "at", "type": ["null", "string"]}]}"#;

/// A message in the registry's framing: id of its schema, then id, price and no time.
fn framed(schema: u32, id: &str, price: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(schema.to_be_bytes());
    for text in [id, price] {
        bytes.push(u8::try_from(text.len() * 2).expect("texts are short"));
        bytes.extend(text.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// Message 0 is sound, message 1 has this payload; the table has the row of the first.
fn avro(second: impl AsRef<[u8]>) -> Folder {
    let scene = Scene::offset().payload(0, framed(1, "a", "1")).payload(1, second).file("0@0 a 1 -");
    let folder = written(&scene);
    folder.edit("pipeline.toml", "format = \"json\"", "format = \"avro\"");
    folder
}

fn with_registry(folder: &Folder, address: &str) {
    folder.edit(
        "validator.toml",
        "[catalogs.lake]",
        &format!("[schema_registry]\nurl = \"http://{address}\"\n\n[catalogs.lake]"),
    );
}

fn with_brokers(folder: &Folder, brokers: &str) {
    let lines = "[source]\nfiles = [\"topic.jsonl\"]\nenvelope = \"kcat\"\n";
    folder.edit("pipeline.toml", lines, "");
    folder.edit("validator.toml", "[catalogs.lake]", &format!("[kafka]\nbrokers = \"{brokers}\"\n\n[catalogs.lake]"));
}

/// An address on which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").to_string()
}

/// What is said, its address masked, and the seconds that the attempts took.
fn masked(said: &str, address: &str) -> String {
    let said = said.replace(address, "HOST:PORT");
    (1..60).fold(said, |said, seconds| said.replace(&format!("in {seconds} s and"), "in N s and"))
}

#[test]
fn a_registry_that_is_down_is_given_up_after_five_attempts() {
    let (folder, address) = (avro(framed(1, "b", "2")), nobody());
    with_registry(&folder, &address);
    let begun = Instant::now();
    assert_snapshot!(masked(&reconcile(&folder), &address), @"
    exit 3
    --- stderr
    error: open the topic
      because: the schema registry gave no answer for
               http://HOST:PORT/subjects/trades-value/versions in N s and 5 attempts: error
               sending request: client error (Connect): tcp connect error: Connection refused (os error
               111)
      hint:    `curl URL/subjects` shows whether the url of [schema_registry] answers
    ");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_registry_that_refuses() {
    let registry = RegistryStub::start(vec![("/subjects/trades-value/versions", 401, String::new())]);
    let folder = avro(framed(1, "b", "2"));
    with_registry(&folder, &registry.address());
    assert_snapshot!(masked(&reconcile(&folder), &registry.address()), @"
    exit 3
    --- stderr
    error: open the topic
      because: the schema registry refuses http://HOST:PORT/subjects/trades-value/versions: 401
               Unauthorized
      hint:    `curl URL/subjects` shows whether the url of [schema_registry] answers
    ");
}

#[test]
fn a_registry_that_is_another_server() {
    let page = "<html>hello</html>".to_owned();
    let registry = RegistryStub::start(vec![("/subjects/trades-value/versions", 200, page)]);
    let folder = avro(framed(1, "b", "2"));
    with_registry(&folder, &registry.address());
    assert_snapshot!(masked(&reconcile(&folder), &registry.address()), @"
    exit 3
    --- stderr
    error: open the topic
      because: the answer of the schema registry for
               http://HOST:PORT/subjects/trades-value/versions cannot be read: expected value at
               line 1 column 1
      hint:    `curl URL/subjects` shows whether the url of [schema_registry] answers
    ");
}

#[test]
fn an_id_that_the_registry_does_not_know() {
    let registry = RegistryStub::of_schema(SCHEMA);
    let folder = avro(framed(77, "b", "2"));
    with_registry(&folder, &registry.address());
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stdout
    UNJUDGED  trades
      coverage 0.5 is below its target 0.9999: too much could not be judged, or not yet

    messages  2
      intact                 1
      undecodable            1

    rows  1 in scope
      intact                 1

    findings  1
      undecodable schema_unknown    1

    undecodable  the registry does not know the schema
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        schema unknown: schema 77: the registry does not know it

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
    assert_snapshot!(check(&folder), @"
    exit 0
    --- stdout
    trades: sound, on a sample of 2 messages
      1 message cannot be decoded: schema 77: the registry does not know it
    ");
}

#[test]
fn avro_that_is_cut_short() {
    let registry = RegistryStub::of_schema(SCHEMA);
    let whole = framed(1, "b", "2");
    let folder = avro(&whole[..whole.len() - 2]);
    with_registry(&folder, &registry.address());
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stdout
    UNJUDGED  trades
      coverage 0.5 is below its target 0.9999: too much could not be judged, or not yet

    messages  2
      intact                 1
      undecodable            1

    rows  1 in scope
      intact                 1

    findings  1
      undecodable bad_payload       1

    undecodable  the payload is not what the format says
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        cannot be decoded: field price: the bytes end within a value (byte 8)

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn avro_with_trailing_bytes() {
    let registry = RegistryStub::of_schema(SCHEMA);
    let folder = avro([framed(1, "b", "2"), vec![7, 7]].concat());
    with_registry(&folder, &registry.address());
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stdout
    UNJUDGED  trades
      coverage 0.5 is below its target 0.9999: too much could not be judged, or not yet

    messages  2
      intact                 1
      undecodable            1

    rows  1 in scope
      intact                 1

    findings  1
      undecodable bad_payload       1

    undecodable  the payload is not what the format says
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        cannot be decoded: N bytes follow the record (byte 10)

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_payload_without_the_registrys_framing() {
    let registry = RegistryStub::of_schema(SCHEMA);
    let folder = avro("{\"id\": \"b\"}");
    with_registry(&folder, &registry.address());
    assert_snapshot!(reconcile(&folder), @"
    exit 3
    --- stdout
    UNJUDGED  trades
      coverage 0.5 is below its target 0.9999: too much could not be judged, or not yet

    messages  2
      intact                 1
      undecodable            1

    rows  1 in scope
      intact                 1

    findings  1
      undecodable bad_payload       1

    undecodable  the payload is not what the format says
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        cannot be decoded: the payload begins with 0x7b, not with 0x00 and a schema id (byte 0)

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn fields_that_the_schema_does_not_have() {
    let registry = RegistryStub::of_schema(SCHEMA);
    let folder = avro(framed(1, "b", "2"));
    folder.edit(
        "pipeline.toml",
        "\n[source]",
        "\n[map]\nprice = \"prise\"\n\n[compare]\ndrop = { venu = \"none\" }\n\n[source]",
    );
    with_registry(&folder, &registry.address());
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: messages have no field prise
      --> pipeline.toml:12:10
       |
    12 | price = "prise"
       |          ^^^^^
       = hint: did you mean price?

    error: messages have no field venu
      --> pipeline.toml:15:17
       |
    15 | drop = { venu = "none" }
       |                 ^^^^^^
       = hint: messages have id, price, at
    "#);
}

#[test]
fn avro_without_a_registry_and_without_a_schema() {
    let folder = avro(framed(1, "b", "2"));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: Avro messages need their schemas: validator.toml has no [schema_registry]
     --> pipeline.toml:5:10
      |
    5 | format = "avro"
      |          ^^^^^^
      = hint: write [schema_registry] with its `url`, or `schema = "file.avsc"` in [pipeline]
    "#);
    folder.edit("pipeline.toml", "format = \"avro\"", "format = \"avro\"\nschema = \"trade.avsc\"");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: read trade.avsc
      because: No such file or directory (os error 2)
      hint:    `ls -l trade.avsc`
    ");
    std::fs::write(folder.join("trade.avsc"), "{\"type\": \"recrd\"}").expect("the folder takes files");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: trade.avsc is no Avro schema: the type recrd is defined nowhere
      hint:    `schema` in [pipeline] names a file as `curl URL/schemas/ids/1/schema` prints it
    ");
}

#[test]
fn no_brokers_at_all() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "[source]\nfiles = [\"topic.jsonl\"]\nenvelope = \"kcat\"\n", "");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the messages have no source: validator.toml has no [kafka]
     --> pipeline.toml:3:9
      |
    3 | topic = "trades"
      |         ^^^^^^^^
      = hint: write [kafka] with `brokers = "localhost:9092"`, or read files with `--source`
    "#);
}

#[test]
fn brokers_that_do_not_answer_are_given_up_after_half_a_minute() {
    let (folder, address) = (written(&sound()), nobody());
    with_brokers(&folder, &address);
    let begun = Instant::now();
    let said = reconcile(&folder).replace(&address, "HOST:PORT");
    assert!(said.contains("HOST:PORT does not answer and is asked for "), "{said}");
    let said: String = said
        .lines()
        .filter(|line| !line.contains("does not answer and is asked for "))
        .map(|line| format!("{line}\n"))
        .collect();
    // What the client adds in brackets differs from run to run.
    let (said, hint) = said.split_once("refused\n").expect("the connection is refused");
    assert_snapshot!(format!("{said}refused …{}", hint.lines().last().unwrap_or_default()), @"
    exit 3
    --- stderr
    error: open the topic
      because: no broker of HOST:PORT answered within 30 s: [thrd:HOST:PORT/bootstrap]:
               HOST:PORT/bootstrap: Connect to ipv4#HOST:PORT failed: Connection refused …  hint:    `kcat -L -b BROKERS` shows whether the brokers of [kafka] answer, and their topics
    ");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_topic_that_the_brokers_do_not_have() {
    let (folder, kafka) = (written(&sound()), MockKafka::start().expect("a broker in this process"));
    with_brokers(&folder, &kafka.bootstrap());
    assert_snapshot!(masked(&reconcile(&folder), &kafka.bootstrap()), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic trades does not exist
      hint:    `kcat -L -b BROKERS` shows whether the brokers of [kafka] answer, and their topics
    ");
}

#[test]
fn an_empty_topic_of_a_broker() {
    let (folder, kafka) = (written(&Scene::offset()), MockKafka::start().expect("a broker in this process"));
    kafka.cluster().create_topic("trades", 2, 1).expect("a topic");
    with_brokers(&folder, &kafka.bootstrap());
    assert_snapshot!(reconcile(&folder), @"
    exit 0
    --- stdout
    HOLDS  trades

    messages  0

    rows  0 in scope

    warning  there was nothing to judge: no message was due and no row was found
    ");
    assert_snapshot!(check(&folder), @"
    exit 0
    --- stdout
    trades: sound, but the topic is empty
    ");
}

#[test]
fn a_partition_that_the_brokers_topic_does_not_have() {
    let (folder, kafka) = (written(&sound()), MockKafka::start().expect("a broker in this process"));
    kafka.cluster().create_topic("trades", 2, 1).expect("a topic");
    with_brokers(&folder, &kafka.bootstrap());
    let ran = crate::transcript::validator(folder.path(), "reconcile pipeline.toml --from 7:0");
    assert_snapshot!(ran.all(), @"
    exit 2
    --- stderr
    error: open the topic
      because: topic trades has no partition 7: it has 2
      hint:    `kcat -L -b BROKERS -t trades` shows the partitions that there are
    ");
}

#[test]
fn a_kafka_property_that_is_not_there_or_not_ones_own() {
    let (folder, kafka) = (written(&sound()), MockKafka::start().expect("a broker in this process"));
    with_brokers(&folder, &kafka.bootstrap());
    folder.edit("validator.toml", "[catalogs.lake]", "[kafka.properties]\n\"fetch.min.bites\" = 1\n\n[catalogs.lake]");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: open the topic
      because: the Kafka property fetch.min.bites is refused: No such configuration property:
               "fetch.min.bites"
      hint:    `properties` in [kafka] of validator.toml go to librdkafka as they are
    "#);
    folder.edit("validator.toml", "\"fetch.min.bites\" = 1", "\"enable.auto.commit\" = true");
    assert_snapshot!(reconcile(&folder), @"
    exit 2
    --- stderr
    error: open the topic
      because: the Kafka property enable.auto.commit is set by the validator, which must not commit,
               write or skip: leave it out
      hint:    `properties` in [kafka] of validator.toml go to librdkafka as they are
    ");
}

//! Topics and recorded sources: positions, fields, what is read at all.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};
use fixtures_kit::{Options, World};
use fixtures_warehouse::MockKafka;
use insta::assert_snapshot;

use super::{ask, ask_in, rows, trades, written};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;
use crate::real_kafka::trades as numbered;
use crate::registry_stub::RegistryStub;
use crate::scene::Scene;

/// 2024-08-08T00:00:00Z
const FIRST_MS: i64 = 1_723_075_200_000;

#[test]
fn a_recorded_source_has_its_positions_and_its_fields() {
    let scene =
        trades().payload(9, "{\"id\": 7, \"price\": \"1\"").payload(10, "{\"id\": \"e\", \"price\": \"0.123456789\"}");
    let folder = written(&scene);
    let query = "SELECT _partition, _offset, id, price, _error FROM source.trades ORDER BY _partition, _offset";
    assert_snapshot!(ask(&folder, "", query).all(), @"
    exit 0
    --- stdout
    _partition  _offset  id         price  _error
    ──────────  ───────  ────  ──────────  ─────────────────────────────────────────────────
             0        0  a     1.00000000  NULL
             0        1  b     2.12500000  NULL
             0        2  c     3.00000000  NULL
             0        9  NULL        NULL  the payload ends inside an object (byte 22)
             0       10  e           NULL  price: 0.123456789 is not exact as decimal(18, 8)
             1        0  d     4.50000000  NULL
             1        1  NULL        NULL  NULL
    7 rows
    ");
    let query = "SELECT * FROM source.trades WHERE _partition = 0 AND _offset BETWEEN 1 AND 2 ORDER BY _offset";
    assert_snapshot!(rows(&folder, "", query).join("\n"), @r#"
    {"_topic":"trades","_partition":0,"_offset":1,"_timestamp":"2024-08-08T12:00:00.000000Z","_key":null,"_value":"eyJpZCI6ICJiIiwgInByaWNlIjogIjIuMTI1IiwgImF0IjogIjIwMjQtMDgtMDhUMTI6MDA6MDBaIn0=","_headers":{},"id":"b","price":"2.12500000","at":"2024-08-08T12:00:00.000000Z","_error":null}
    {"_topic":"trades","_partition":0,"_offset":2,"_timestamp":"2024-08-08T12:00:00.000000Z","_key":null,"_value":"eyJpZCI6ICJjIiwgInByaWNlIjogIjMiLCAiYXQiOiAiMjAyNC0wOC0wOFQxMjowMDowMFoifQ==","_headers":{},"id":"c","price":"3.00000000","at":"2024-08-08T12:00:00.000000Z","_error":null}
    "#);
    let missing = "SELECT m.id FROM source.trades m ANTI JOIN lake.market.trades t \
                   ON m._partition = t.partition AND m._offset = t.\"offset\" WHERE m._error IS NULL";
    let missing = missing.replace("ANTI JOIN", "LEFT ANTI JOIN");
    assert_eq!(rows(&folder, "", &missing), [""; 0]);
}

#[test]
fn filters_on_positions_are_pushed_into_the_read() {
    let folder = written(&trades());
    let plan = |filter: &str| ask(&folder, "", &format!("EXPLAIN SELECT id FROM source.trades WHERE {filter}")).stdout;
    let exact = plan("_partition = 0 AND _offset >= 1");
    assert!(exact.contains("MessageScan: partitions=1, offsets=2") && !exact.contains("FilterExec"), "{exact}");
    let other = plan("id = 'a'");
    assert!(other.contains("MessageScan: partitions=2, offsets=5") && other.contains("FilterExec"), "{other}");
    let analyzed = ask(&folder, "", "EXPLAIN ANALYZE SELECT id FROM source.trades WHERE _offset >= 0 LIMIT 2").stdout;
    assert!(analyzed.contains("messages_read=2"), "{analyzed}");
}

#[test]
fn only_the_fields_that_are_needed_are_decoded() {
    let folder = written(&trades());
    for (query, fields) in [
        ("SELECT count(*) FROM source.trades", ""),
        ("SELECT _partition, max(_offset) FROM source.trades GROUP BY _partition", ""),
        ("SELECT _value FROM source.trades", ""),
        ("SELECT price FROM source.trades", "price"),
        ("SELECT count(*) FROM source.trades WHERE id = 'a'", "id"),
        // What is wrong with a message is known only when all of it is decoded.
        ("SELECT _error FROM source.trades", "id, price, at"),
    ] {
        let plan = ask(&folder, "", &format!("EXPLAIN {query}")).stdout;
        assert!(plan.contains(&format!("offsets=5, fields=[{fields}]")), "{query}\n{plan}");
    }
}

#[test]
fn a_source_of_parquet_rows_has_their_columns() {
    let folder = written(&trades());
    let export =
        ask(&folder, "--format parquet --output rows.parquet", "SELECT id, price FROM lake.market.trades ORDER BY id");
    assert_eq!(export.exit, 0, "{}", export.all());
    folder.edit(
        "pipeline.toml",
        "files = [\"topic.jsonl\"]\nenvelope = \"kcat\"",
        "files = [\"rows.parquet\"]\nenvelope = \"none\"",
    );
    folder.edit("pipeline.toml", "format = \"json\"", "format = \"parquet\"");
    let query = "SELECT _topic, _offset, _value, id, price FROM source.trades WHERE id IS NOT NULL ORDER BY id LIMIT 2";
    assert_snapshot!(rows(&folder, "", query).join("\n"), @r#"
    {"_topic":"trades","_offset":0,"_value":null,"id":"a","price":"1.00000000"}
    {"_topic":"trades","_offset":1,"_value":null,"id":"b","price":"2.12500000"}
    "#);
}

#[test]
fn a_topic_of_a_broker_has_what_was_sent() {
    let world = World::generate(7, &Options { messages: 200, ..Options::clean() });
    assert!(world.fits_mock_broker(), "the world is one for a broker");
    let kafka = MockKafka::start().expect("a broker in this process");
    kafka.load(&world).expect("the topic takes its messages");
    let folder = written(&Scene::offset());
    let brokers = format!("[kafka]\nbrokers = {:?}\n\n[catalogs.lake]", kafka.bootstrap());
    folder.edit("validator.toml", "[catalogs.lake]", &brokers);
    let topic = world.contract.topics[0].clone();
    let query = format!(
        "SELECT _partition, count(*) AS messages, min(_offset) AS first, max(_offset) AS last, \
         sum(octet_length(CAST(_value AS VARCHAR))) AS bytes FROM kafka.\"{topic}\" GROUP BY _partition ORDER BY _partition"
    );
    let expected = world.partitions.iter().filter(|partition| partition.topic == topic).map(|partition| {
        let bytes: usize = partition.messages.iter().filter_map(|message| message.payload.as_ref()).map(Vec::len).sum();
        let offsets: Vec<i64> = partition.messages.iter().map(|message| message.offset).collect();
        let (count, first, last) = (offsets.len(), offsets[0], offsets[offsets.len() - 1]);
        let number = partition.partition;
        format!(r#"{{"_partition":{number},"messages":{count},"first":{first},"last":{last},"bytes":{bytes}}}"#)
    });
    assert_eq!(rows(&folder, "", &query), expected.collect::<Vec<_>>());
    let near = format!("SELECT * FROM kafka.\"{topic}s\"");
    let ran = ask(&folder, "", &near);
    assert!(ran.exit == 2 && ran.stderr.contains(&format!("did you mean kafka.\"{topic}\"?")), "{}", ran.all());
}

#[test]
fn a_topic_of_kafka_by_its_pipeline_and_from_a_time_on() {
    let cluster = kafka_cluster();
    let topic = unique_name("sql");
    good(cluster.create_topic(&TopicSpec::new(&topic, 2)));
    let producer = good(Producer::connect(&producer_config(cluster)));
    let payloads: Vec<Vec<u8>> = (0..40).map(numbered::payload).collect();
    let headers: [(&str, Option<&[u8]>); 3] = [("h", Some(b"1")), ("h", Some(b"2")), ("n", None)];
    let records: Vec<Record<'_>> = (0..40)
        .zip(&payloads)
        .map(|(id, payload)| {
            let record = Record::new((id % 2) as i32, Some(b"k"), Some(payload)).at(FIRST_MS + id / 2 * 1_000);
            if id == 0 { record.with_headers(&headers) } else { record }
        })
        .collect();
    good(producer.produce(&topic, &records));
    let stage = Stage::new().with_service("\n[service]\npipelines = [\"pipeline.toml\"]\n").with_kafka(cluster);
    stage.write(&numbered::table(numbered::columns(), Vec::new()));
    // Writes the two files.
    assert_eq!(stage.run(&numbered::pipeline(&topic), "check --offline pipeline.toml", &[]).exit, 0);
    let answer = |query: &str| {
        let ran = ask_in(stage.folder(), "--format jsonl", &query.replace("TOPIC", &format!("kafka.\"{topic}\"")));
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{}", ran.all());
        ran.stdout.replace(&topic, "TOPIC")
    };
    assert_snapshot!(answer("SELECT * FROM TOPIC WHERE _partition = 0 AND _offset < 2 ORDER BY _offset"), @r#"
    {"_topic":"TOPIC","_partition":0,"_offset":0,"_timestamp":"2024-08-08T00:00:00.000000Z","_key":"aw==","_value":"eyJpZCI6MCwicHJpY2UiOiI2MTgzNy42MzAwMDAwMCIsInZlbnVlIjpudWxsfQ==","_headers":[{"key":"h","value":"MQ=="},{"key":"h","value":"Mg=="},{"key":"n","value":null}],"id":0,"price":"61837.63000000","venue":null,"_error":null}
    {"_topic":"TOPIC","_partition":0,"_offset":1,"_timestamp":"2024-08-08T00:00:01.000000Z","_key":"aw==","_value":"eyJpZCI6MiwicHJpY2UiOiI2MTgzNy42NTAwMDAwMiIsInZlbnVlIjoidmVudWUtMi3DqSJ9","_headers":{},"id":2,"price":"61837.65000002","venue":"venue-2-é","_error":null}
    "#);
    let since =
        "SELECT count(*) AS n, min(id) AS first FROM TOPIC WHERE _timestamp >= TIMESTAMPTZ '2024-08-08T00:00:15Z'";
    assert_eq!(answer(since).trim(), r#"{"n":10,"first":30}"#);
    let plan = answer(&format!("EXPLAIN {since}"));
    assert!(plan.contains("MessageScan: partitions=2, offsets=10"), "{plan}");
    let read = answer("EXPLAIN ANALYZE SELECT * FROM TOPIC LIMIT 3");
    assert!(read.contains("messages_read=3"), "{read}");
}

#[test]
fn a_topic_that_no_pipeline_names_has_the_fields_that_the_registry_knows_or_none() {
    let kafka = MockKafka::start().expect("a broker in this process");
    let folder = written(&Scene::offset());
    let brokers = format!("[kafka]\nbrokers = {:?}\n\n[catalogs.lake]", kafka.bootstrap());
    folder.edit("validator.toml", "[catalogs.lake]", &brokers);
    let columns = |table: &str| rows(&folder, "", &format!("DESCRIBE kafka.\"{table}\"")).len();
    kafka.cluster().create_topic("raw", 1, 1).expect("a topic");
    assert_eq!(columns("raw"), 7);
    let schema = r#"{"type":"record","name":"t","fields":[{"name":"a","type":"long"},{"name":"b","type":"string"}]}"#;
    let answers = vec![
        ("/subjects/raw-value/versions", 200, "[1]".to_owned()),
        (
            "/subjects/raw-value/versions/1",
            200,
            serde_json::json!({ "subject": "raw-value", "version": 1, "id": 1, "schema": schema }).to_string(),
        ),
        ("/schemas/ids/1", 200, serde_json::json!({ "schema": schema }).to_string()),
    ];
    let registry = RegistryStub::start(answers);
    let section = format!("[schema_registry]\nurl = \"http://{}\"\n\n[catalogs.lake]", registry.address());
    folder.edit("validator.toml", "[catalogs.lake]", &section);
    let described = rows(&folder, "", "DESCRIBE kafka.raw").join("\n");
    assert_snapshot!(described, @r#"
    {"column_name":"_topic","data_type":"string","is_nullable":false}
    {"column_name":"_partition","data_type":"int","is_nullable":false}
    {"column_name":"_offset","data_type":"long","is_nullable":false}
    {"column_name":"_timestamp","data_type":"timestamptz","is_nullable":true}
    {"column_name":"_key","data_type":"binary","is_nullable":true}
    {"column_name":"_value","data_type":"binary","is_nullable":true}
    {"column_name":"_headers","data_type":"map<string, binary>","is_nullable":true}
    {"column_name":"a","data_type":"long","is_nullable":true}
    {"column_name":"b","data_type":"string","is_nullable":true}
    {"column_name":"_error","data_type":"string","is_nullable":true}
    "#);
}

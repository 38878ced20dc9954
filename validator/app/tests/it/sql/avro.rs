//! Topics of Avro payloads: by the registry alone, by a pipeline and the registry, and by a schema file.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, schema_registry, unique_name};
use insta::assert_snapshot;

use super::ask_in;
use crate::real_kafka::good;
use crate::real_kafka::schema_change::{FIRST, frame, pipeline, topic_of};
use crate::real_kafka::stage::Stage;
use crate::real_kafka::trades;

const QUERY: &str = "SELECT _offset, id, price, venue, note, _error FROM TOPIC \
                     WHERE _offset IN (0, 3, 12, 15, 40) ORDER BY _offset";

/// The answer in JSON lines, the topic and its relation called TOPIC.
fn answer(stage: &Stage, topic: &str, relation: &str, query: &str) -> String {
    let ran = ask_in(stage.folder(), "--format jsonl", &query.replace("TOPIC", relation));
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{query}\n{}", ran.all());
    ran.stdout.replace(topic, "TOPIC").trim_end().to_owned()
}

#[test]
fn a_topic_of_avro_has_the_fields_of_all_its_schemas_by_the_registry_and_by_its_pipeline() {
    let registry = schema_registry();
    let cut = {
        let whole = frame(good(registry.register(&unique_name("spare"), FIRST)), 77, false);
        whole[..whole.len() - 3].to_vec()
    };
    let topic = topic_of(registry, &[cut]);
    let stage = Stage::new().with_kafka(kafka_cluster()).with_registry(registry);
    stage.write(&trades::table(trades::columns(), Vec::new()));
    // Writes the two files.
    assert_eq!(stage.run(&pipeline(&topic), "check --offline pipeline.toml", &[]).exit, 0);
    let by_topic = format!("kafka.\"{topic}\"");
    let by_registry = answer(&stage, &topic, &by_topic, QUERY);
    assert_snapshot!(by_registry, @r#"
    {"_offset":0,"id":0,"price":"61837.63000000","venue":null,"note":null,"_error":null}
    {"_offset":3,"id":3,"price":"61837.66000003","venue":"venue-0-é","note":null,"_error":null}
    {"_offset":12,"id":12,"price":"61837.75000012","venue":"venue-0-é","note":null,"_error":null}
    {"_offset":15,"id":15,"price":"61837.78000015","venue":null,"note":"note 15 😀","_error":null}
    {"_offset":40,"id":null,"price":null,"venue":null,"note":null,"_error":"field venue: the bytes end within a value (byte 18)"}
    "#);
    let counted = "SELECT count(*) AS n, count(id) AS decoded, count(note) AS notes FROM TOPIC";
    assert_snapshot!(answer(&stage, &topic, &by_topic, counted), @r#"{"n":41,"decoded":40,"notes":12}"#);

    let named = Stage::new()
        .with_service("\n[service]\npipelines = [\"pipeline.toml\"]\n")
        .with_kafka(kafka_cluster())
        .with_registry(registry);
    named.write(&trades::table(trades::columns(), Vec::new()));
    assert_eq!(named.run(&pipeline(&topic), "check --offline pipeline.toml", &[]).exit, 0);
    assert_eq!(answer(&named, &topic, &by_topic, QUERY), by_registry);
    assert_eq!(answer(&named, &topic, "source.trades", QUERY), by_registry);
}

#[test]
fn a_topic_of_bare_avro_records_is_read_by_a_schema_file() {
    let cluster = kafka_cluster();
    let topic = unique_name("bare");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let mut payloads: Vec<Vec<u8>> = (0..5).map(|id| frame(0, id, false)[5..].to_vec()).collect();
    payloads.push(vec![0xff; 3]);
    let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
    good(good(Producer::connect(&producer_config(cluster))).produce(&topic, &records));
    let stage = Stage::new().with_service("\n[service]\npipelines = [\"pipeline.toml\"]\n").with_kafka(cluster);
    stage.write(&trades::table(trades::columns(), Vec::new()));
    std::fs::write(stage.folder().join("trade.avsc"), FIRST).expect("a temporary folder takes files");
    let pipeline = pipeline(&topic).replace("\"avro\"", "\"avro\"\nschema = \"trade.avsc\"");
    assert_eq!(stage.run(&pipeline, "check --offline pipeline.toml", &[]).exit, 0);
    let query = "SELECT _offset, id, price, venue, _error FROM TOPIC ORDER BY _offset";
    let by_source = answer(&stage, &topic, "source.trades", query);
    assert_snapshot!(by_source, @r#"
    {"_offset":0,"id":0,"price":"61837.63000000","venue":null,"_error":null}
    {"_offset":1,"id":1,"price":"61837.64000001","venue":"venue-1-é","_error":null}
    {"_offset":2,"id":2,"price":"61837.65000002","venue":"venue-2-é","_error":null}
    {"_offset":3,"id":3,"price":"61837.66000003","venue":"venue-0-é","_error":null}
    {"_offset":4,"id":4,"price":"61837.67000004","venue":"venue-1-é","_error":null}
    {"_offset":5,"id":null,"price":null,"venue":null,"_error":"field id: the bytes end within a number (byte 0)"}
    "#);
    assert_eq!(answer(&stage, &topic, &format!("kafka.\"{topic}\""), query), by_source);
}

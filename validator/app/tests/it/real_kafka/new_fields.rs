//! A field that nobody declared, in mid-stream: it breaches unless the contract says otherwise, and is counted by message;
//! what messages have that the contract leaves out is nobody's business.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};
use fixtures_kit::value::Value;

use super::facts::{findings, summary};
use super::good;
use super::stage::Stage;
use super::trades::{self, columns, pipeline_with, row, table};

/// Twelve trades; from the eighth on every second has a fee, null in the ninth.
fn topic_with_fees() -> (Stage, String) {
    let cluster = kafka_cluster();
    let topic = unique_name("fees");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let payload = |id: i64| {
        let text = String::from_utf8(trades::payload(id)).expect("JSON is text");
        let fee = if id == 9 { "null" } else { "{\"amount\":\"0.1\"}" };
        let text = if id >= 7 && id % 2 == 1 { format!("{},\"fee\":{fee}}}", &text[..text.len() - 1]) } else { text };
        text.into_bytes()
    };
    let payloads: Vec<Vec<u8>> = (0..12).map(payload).collect();
    let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
    let producer = good(Producer::connect(&producer_config(cluster)));
    good(producer.produce(&topic, &records));
    let stage = Stage::new().with_kafka(cluster);
    let rows: Vec<Vec<Value>> = (0..12).map(|id| row(&topic, 0, id, id)).collect();
    stage.write(&table(columns(), vec![rows]));
    (stage, topic)
}

fn warnings_of_fees(answer: &validator_app::Answer) -> Vec<&str> {
    answer.report.warnings.iter().map(String::as_str).filter(|warning| warning.starts_with("field fee ")).collect()
}

#[test]
fn a_new_field_breaches_by_itself_or_is_a_warning_with_its_count() {
    let (stage, topic) = topic_with_fees();
    let counts = "consumed 12, intact 12 | intact 12, total 12";
    let strict = pipeline_with(&topic, "");
    let answer = stage.judge(&strict);
    assert_eq!(summary(&answer), format!("breached | {counts}"));
    assert_eq!((findings(&answer), answer.report.fidelity.value), (Vec::new(), Some(1.0)));
    let told = ["field fee is in 2 messages, and neither a column nor [compare] drop accounts for it"];
    assert_eq!(warnings_of_fees(&answer), told);

    let answer = stage.judge(&(strict.clone() + "[compare]\nstrict_fields = false\n"));
    assert_eq!(summary(&answer), format!("holds | {counts}"));
    assert_eq!(warnings_of_fees(&answer), told);

    let answer = stage.judge(&(strict + "[compare]\ndrop = { fee = \"kept elsewhere\" }\n"));
    assert_eq!(summary(&answer), format!("holds | {counts}"));
    assert_eq!(warnings_of_fees(&answer), [""; 0]);
}

#[test]
fn messages_that_the_contract_leaves_out_may_have_any_field() {
    let (stage, topic) = topic_with_fees();
    let filtered = pipeline_with(&topic, "filter = \"id <> 7 AND id <> 11\"");
    let answer = stage.judge(&filtered);
    assert_eq!(
        summary(&answer),
        "breached | consumed 12, excluded 2, intact 10 | intact 10, phantom 2, total 12",
        "for the rows of both"
    );
    assert_eq!(warnings_of_fees(&answer), [""; 0]);

    let answer = stage.judge_from(&pipeline_with(&topic, "start = \"8\""), "earliest");
    let told = ["field fee is in 1 message, and neither a column nor [compare] drop accounts for it"];
    assert_eq!(warnings_of_fees(&answer), told, "the eleventh's");
    let answer = stage.judge_from(&pipeline_with(&topic, "start = \"12\""), "earliest");
    assert_eq!(summary(&answer), "holds | consumed 12, excluded 12 | out_of_scope 12");
    assert_eq!(warnings_of_fees(&answer), [""; 0]);
}

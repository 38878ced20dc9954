//! A log that was trimmed: what is gone is a hole only for who asks for it.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};
use fixtures_kit::value::Value;

use super::facts::{findings, partitions, summary};
use super::good;
use super::stage::Stage;
use super::trades::{self, columns, pipeline, row, table};

/// A topic of 20 trades, the first 8 deleted, and a table with all 20.
fn trimmed() -> (Stage, String) {
    let cluster = kafka_cluster();
    let topic = unique_name("trimmed");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let producer = good(Producer::connect(&producer_config(cluster)));
    let payloads: Vec<Vec<u8>> = (0..20).map(trades::payload).collect();
    let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
    good(producer.produce(&topic, &records));
    good(cluster.delete_records(&topic, 0, 8));
    let stage = Stage::new().with_kafka(cluster);
    let rows: Vec<Vec<Value>> = (0..20).map(|offset| row(&topic, 0, offset, offset)).collect();
    stage.write(&table(columns(), vec![rows]));
    (stage, topic)
}

/// Warnings that speak of retention.
fn retention_warnings(answer: &validator_app::Answer) -> Vec<&String> {
    answer.report.warnings.iter().filter(|warning| warning.contains("retention")).collect()
}

#[test]
fn what_was_deleted_is_a_hole_for_who_asks_for_it() {
    let (stage, topic) = trimmed();
    let answer = stage.judge_from(&pipeline(&topic), "0");
    assert_eq!(summary(&answer), "holds, incomplete | consumed 12, intact 12 | intact 12, total 20, unobservable 8");
    assert_eq!(partitions(&answer), ["0: 0..20 consumed 12, intact 12 | retention 0..8"]);
    assert_eq!(findings(&answer), [""; 0]);
    let warnings = retention_warnings(&answer);
    assert_eq!(warnings.len(), 1, "{:?}", answer.report.warnings);
    assert!(warnings[0].contains(&topic) && warnings[0].contains("0 to 8"), "{}", warnings[0]);
}

#[test]
fn a_hole_begins_where_the_question_begins() {
    let (stage, topic) = trimmed();
    let answer = stage.judge_from(&pipeline(&topic), "5");
    let rows = "intact 12, out_of_scope 5, total 15, unobservable 3";
    assert_eq!(summary(&answer), format!("holds, incomplete | consumed 12, intact 12 | {rows}"));
    assert_eq!(partitions(&answer), ["0: 5..20 consumed 12, intact 12 | retention 5..8"]);
    let answer = stage.judge_from(&pipeline(&topic), "10");
    assert_eq!(summary(&answer), "holds | consumed 10, intact 10 | intact 10, out_of_scope 10, total 10");
    assert_eq!(partitions(&answer), ["0: 10..20 consumed 10, intact 10 | "]);
}

#[test]
fn from_earliest_nothing_is_missing_below() {
    let (stage, topic) = trimmed();
    let expected = "holds | consumed 12, intact 12 | intact 12, total 20, unobservable 8";
    for answer in [stage.judge_from(&pipeline(&topic), "earliest"), stage.judge(&pipeline(&topic))] {
        assert_eq!(summary(&answer), expected);
        assert_eq!(partitions(&answer), ["0: 8..20 consumed 12, intact 12 | "]);
        assert_eq!(retention_warnings(&answer), [""; 0]);
    }
}

#[test]
fn a_log_of_which_nothing_is_left_is_judged_for_what_it_is() {
    let (stage, topic) = trimmed();
    good(kafka_cluster().delete_records(&topic, 0, 20));
    let answer = stage.judge(&pipeline(&topic));
    assert_eq!(summary(&answer), "holds |  | total 20, unobservable 20");
    let answer = stage.judge_from(&pipeline(&topic), "0");
    assert_eq!(summary(&answer), "holds, incomplete |  | total 20, unobservable 20");
    assert_eq!(partitions(&answer), ["0: 0..20  | retention 0..20"]);
}

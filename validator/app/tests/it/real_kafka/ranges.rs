//! Ranges as users ask for them, resolved by a real broker: times, offsets by partition, a declared start, several topics.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};
use fixtures_kit::value::Value;
use validator_app::config::Edge;
use validator_app::{Answer, Request};

use super::facts::{findings, partitions, summary};
use super::good;
use super::stage::Stage;
use super::trades::{self, columns, pipeline, pipeline_with, row, table};

/// 2024-08-08T00:00:00Z, the time of offset 0; one message a second follows.
const FIRST_MS: i64 = 1_723_075_200_000;
/// The message of partition 1 that carries the time of the sixteenth.
const EARLY: i64 = 10;

fn time_of(partition: i64, offset: i64) -> i64 {
    let second = if (partition, offset) == (1, EARLY) { 15 } else { offset };
    FIRST_MS + second * 1_000
}

/// A topic of two partitions of twenty trades each, one of which is before its time; and their rows.
fn timed() -> (String, Vec<Vec<Value>>) {
    let cluster = kafka_cluster();
    let topic = unique_name("timed");
    good(cluster.create_topic(&TopicSpec::new(&topic, 2)));
    let producer = good(Producer::connect(&producer_config(cluster)));
    let payloads: Vec<Vec<u8>> = (0..40).map(trades::payload).collect();
    let places = (0..40).map(|id| (id % 2, id / 2));
    let records: Vec<Record<'_>> = places
        .zip(&payloads)
        .map(|((partition, offset), payload)| {
            Record::new(partition as i32, None, Some(payload)).at(time_of(partition, offset))
        })
        .collect();
    good(producer.produce(&topic, &records));
    let rows = (0..40).map(|id| row(&topic, (id % 2) as i32, id / 2, id)).collect();
    (topic, rows)
}

fn judge(stage: &Stage, pipeline: &str, from: Option<&str>, to: Option<&str>) -> Answer {
    let from = from.map(|text| good(Edge::parse_from(text)));
    let to = to.map(|text| good(Edge::parse_to(text)));
    stage.judge_as(pipeline, |request| Request {
        from: from.map(|edge| edge.resolve(request.started_ms)),
        to: to.map(|edge| edge.resolve(request.started_ms)),
        ..request
    })
}

#[test]
fn a_time_is_the_first_offset_at_or_after_it() {
    let (topic, rows) = timed();
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns(), vec![rows]));
    let (from, to) = ("2024-08-08T00:00:05Z", "2024-08-08T00:00:12.500Z");
    let answer = judge(&stage, &pipeline(&topic), Some(from), Some(to));
    assert_eq!(partitions(&answer), ["0: 5..13 consumed 8, intact 8 | ", "1: 5..10 consumed 5, intact 5 | "]);
    assert_eq!(summary(&answer), "holds | consumed 13, intact 13 | intact 13, out_of_scope 27, total 13");
    // Long past is the beginning, after the last message the end; a duration goes back from now.
    let answer = judge(&stage, &pipeline(&topic), Some("2020-01-01T00:00:00Z"), Some("2024-08-08T00:01:00Z"));
    assert_eq!(summary(&answer), "holds | consumed 40, intact 40 | intact 40, total 40");
    let answer = judge(&stage, &pipeline(&topic), Some("-1h"), None);
    assert_eq!(summary(&answer), "holds |  | out_of_scope 40");
    assert_eq!(partitions(&answer), ["0: 20..20  | ", "1: 20..20  | "]);
}

#[test]
fn partitions_that_a_range_leaves_out_are_not_asked_about() {
    let (topic, mut rows) = timed();
    // A fault in either partition, and a row that no message can have: told only when the whole topic is read.
    rows[4][trades::PRICE] = Value::decimal(1, 8);
    rows[5][trades::PRICE] = Value::decimal(1, 8);
    rows.push(row(&topic, 1, 20, 900));
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns(), vec![rows]));
    let answer = judge(&stage, &pipeline(&topic), Some("1:1"), Some("1:19"));
    assert_eq!(partitions(&answer), ["1: 1..19 consumed 18, corrupted 1, intact 17 | "]);
    assert_eq!(
        summary(&answer),
        "breached | consumed 18, corrupted 1, intact 17 | corrupted 1, intact 17, out_of_scope 23, total 18"
    );
    let damaged = |partition, price| {
        let row = 4 + partition;
        format!("corrupted other {partition}@2 [price {price} → 0.00000001 other] 00000:{row}")
    };
    assert_eq!(findings(&answer), [damaged(1, "61837.68000005")]);
    let answer = judge(&stage, &pipeline(&topic), None, None);
    assert_eq!(
        findings(&answer),
        [damaged(0, "61837.67000004"), damaged(1, "61837.68000005"), "phantom unexplained - 00000:40".to_owned(),]
    );
}

#[test]
fn messages_before_the_declared_start_are_excluded_when_asked_for() {
    let (topic, rows) = timed();
    let stage = Stage::new().with_kafka(kafka_cluster());
    // The sink began with the start and wrote one row of before.
    let written =
        rows.into_iter().filter(|row| row[trades::OFFSET] >= Value::long(7) || row[trades::ID] == Value::long(3));
    stage.write(&table(columns(), vec![written.collect()]));
    let by_time = pipeline_with(&topic, "start = \"2024-08-08T00:00:07Z\"");
    for pipeline in [pipeline_with(&topic, "start = \"7\""), by_time] {
        let answer = judge(&stage, &pipeline, None, None);
        assert_eq!(summary(&answer), "holds | consumed 26, intact 26 | intact 26, out_of_scope 1, total 26");
        let answer = judge(&stage, &pipeline, Some("earliest"), None);
        let messages = "consumed 40, excluded 14, intact 26";
        assert_eq!(summary(&answer), format!("holds | {messages} | intact 26, out_of_scope 1, total 26"));
        assert_eq!(partitions(&answer)[0], "0: 0..20 consumed 20, excluded 7, intact 13 | ");
    }
}

#[test]
fn several_topics_into_one_table_are_told_apart() {
    let ((first, mut rows), (second, more)) = (timed(), timed());
    rows.extend(more);
    // The rows of one offset in both topics are exchanged; one of the second topic is lost.
    rows[6][trades::TOPIC] = Value::text(&second);
    rows[46][trades::TOPIC] = Value::text(&first);
    rows.remove(51);
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns(), vec![rows]));
    let topics = pipeline(&first).replace(&format!("topic = {first:?}"), &format!("topics = [{first:?}, {second:?}]"));
    let answer = stage.judge(&topics);
    // Equal trades: an exchange of equal rows is none.
    assert_eq!(findings(&answer), ["missing lost 1@5"]);
    assert_eq!(answer.findings.at_hand[0].topic.as_deref(), Some(second.as_str()));
    assert_eq!(summary(&answer), "breached | consumed 80, intact 79, missing 1 | intact 79, total 79");
    let listed: Vec<(&str, i32)> =
        answer.report.partitions.iter().map(|of| (of.topic.as_str(), of.partition)).collect();
    let mut expected = [(first.as_str(), 0), (first.as_str(), 1), (second.as_str(), 0), (second.as_str(), 1)];
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

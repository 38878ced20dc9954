//! Transactions: what was aborted is no message, its marker neither, and what is still open lies beyond `now`.

use fixtures_harness::{
    Isolation, Placed, Producer, Record, TopicSpec, TransactionEnd, kafka_cluster, producer_config, unique_name,
};
use fixtures_kit::value::Value;

use super::facts::{findings, partitions, summary};
use super::good;
use super::stage::Stage;
use super::trades::{self, PRICE, columns, pipeline, pipeline_by_id, row, table, with};

/// A transaction of so many records in each partition; ids go on from `first_id`. Where each went, with its id.
fn transaction(
    producer: &Producer,
    topic: &str,
    counts: [i64; 2],
    first_id: i64,
    end: TransactionEnd,
) -> Vec<(Placed, i64)> {
    let partitions = std::iter::repeat_n(0, counts[0] as usize).chain(std::iter::repeat_n(1, counts[1] as usize));
    let numbered: Vec<(i32, i64)> = partitions.zip(first_id..).collect();
    let payloads: Vec<Vec<u8>> = numbered.iter().map(|(_, id)| trades::payload(*id)).collect();
    let records: Vec<Record<'_>> = numbered
        .iter()
        .zip(&payloads)
        .map(|((partition, _), payload)| Record::new(*partition, None, Some(payload)))
        .collect();
    let placed = good(producer.transaction(topic, &records, end));
    placed.into_iter().zip(numbered.into_iter().map(|(_, id)| id)).collect()
}

fn rows(topic: &str, placed: &[(Placed, i64)]) -> Vec<Vec<Value>> {
    placed.iter().map(|(at, id)| row(topic, at.partition, at.offset, *id)).collect()
}

/// Offsets 0–4 and 0–3, a marker each, aborted 6–8 and 5–6, a marker each, 10–13 and 8–10, a marker each.
struct Log {
    topic: String,
    committed: Vec<(Placed, i64)>,
    aborted: Vec<(Placed, i64)>,
}

fn log() -> Log {
    let cluster = kafka_cluster();
    let topic = unique_name("transactions");
    good(cluster.create_topic(&TopicSpec::new(&topic, 2)));
    let producer = good(Producer::transactional(cluster, &topic));
    let mut committed = transaction(&producer, &topic, [5, 4], 0, TransactionEnd::Commit);
    let aborted = transaction(&producer, &topic, [3, 2], 100, TransactionEnd::Abort);
    committed.extend(transaction(&producer, &topic, [4, 3], 200, TransactionEnd::Commit));
    // Three markers each.
    good(cluster.await_stable(&topic, 0, 15));
    good(cluster.await_stable(&topic, 1, 12));
    let offsets = |partition| -> Vec<i64> {
        aborted.iter().filter(|(at, _)| at.partition == partition).map(|(at, _)| at.offset).collect()
    };
    assert_eq!((offsets(0), offsets(1)), (vec![6, 7, 8], vec![5, 6]));
    Log { topic, committed, aborted }
}

const HOLES: [&str; 2] = [
    "0: 0..15 consumed 9, intact 9 | control 5..6, aborted 6..9, control 9..10, control 14..15",
    "1: 0..12 consumed 7, intact 7 | control 4..5, aborted 5..7, control 7..8, control 11..12",
];

#[test]
fn a_sink_that_reads_committed_holds_and_the_rest_of_the_log_is_holes() {
    let log = log();
    let stage = Stage::new().with_kafka(kafka_cluster());
    stage.write(&table(columns(), vec![rows(&log.topic, &log.committed)]));
    let answer = stage.judge(&pipeline(&log.topic));
    assert_eq!(summary(&answer), "holds | consumed 16, intact 16 | intact 16, total 16");
    assert_eq!(partitions(&answer), HOLES);
    assert_eq!(findings(&answer), [""; 0]);
    assert_eq!((answer.report.fidelity.value, answer.report.fidelity.coverage), (Some(1.0), Some(1.0)));
}

#[test]
fn rows_of_aborted_records_and_of_markers_are_phantoms() {
    let log = log();
    let stage = Stage::new().with_kafka(kafka_cluster());
    let mut last = rows(&log.topic, &log.aborted);
    // No record ever had the offset of a marker.
    last.push(row(&log.topic, 1, 7, 900));
    stage.write(&table(columns(), vec![rows(&log.topic, &log.committed), last]));
    let answer = stage.judge(&pipeline(&log.topic));
    assert_eq!(summary(&answer), "breached | consumed 16, intact 16 | intact 16, phantom 6, total 22");
    assert_eq!(partitions(&answer), HOLES);
    assert_eq!(
        findings(&answer),
        [
            "phantom aborted - 00001:0",
            "phantom aborted - 00001:1",
            "phantom aborted - 00001:2",
            "phantom aborted - 00001:3",
            "phantom aborted - 00001:4",
            "phantom unexplained - 00001:5",
        ]
    );
    assert_eq!(answer.report.fidelity.value, Some(16.0 / 22.0));
    assert_eq!(answer.report.fidelity.precision, Some(16.0 / 22.0));
    assert_eq!(answer.report.fidelity.completeness, Some(1.0));
}

/// The producer retried what it had aborted: trades 0–3 at offsets 0–3 and again at 5–8. The sink wrote the first two of
/// the aborted ones, lost the third of the retried, and damaged the second.
fn retried() -> (Stage, String) {
    let cluster = kafka_cluster();
    let topic = unique_name("retried");
    good(cluster.create_topic(&TopicSpec::new(&topic, 2)));
    let producer = good(Producer::transactional(cluster, &topic));
    let aborted = transaction(&producer, &topic, [4, 0], 0, TransactionEnd::Abort);
    let retried = transaction(&producer, &topic, [4, 0], 0, TransactionEnd::Commit);
    assert_eq!(retried[0].0.offset, 5);
    let mut written = rows(&topic, &aborted[..2]);
    written.extend(rows(&topic, &[retried[0], retried[1], retried[3]]));
    let (unscaled, _) = trades::price(1);
    written[3] = with(written[3].clone(), PRICE, Value::decimal(-unscaled, 8));
    let stage = Stage::new().with_kafka(cluster);
    stage.write(&table(columns(), vec![written]));
    (stage, topic)
}

#[test]
fn by_offset_rows_of_an_abort_are_told_from_those_of_its_retry() {
    let (stage, topic) = retried();
    let answer = stage.judge(&pipeline(&topic));
    let counts = "consumed 4, corrupted 1, intact 2, missing 1 | corrupted 1, intact 2, phantom 2, total 5";
    assert_eq!(summary(&answer), format!("breached | {counts}"));
    assert_eq!(
        findings(&answer),
        [
            "corrupted sign_flip 0@6 [price 61837.64000001 → -61837.64000001 sign_flip] 00000:3",
            "missing lost 0@7",
            "phantom aborted - 00000:0",
            "phantom aborted - 00000:1",
        ]
    );
    assert_eq!(partitions(&answer)[0].split('|').nth(1), Some(" aborted 0..4, control 4..5, control 9..10"));
}

#[test]
fn by_key_rows_of_an_abort_are_copies_of_its_retry() {
    let (stage, topic) = retried();
    let answer = stage.judge(&pipeline_by_id(&topic, ""));
    let counts = "consumed 4, duplicated 2, duplicated_differing 1, intact 1, missing 1 | copies 4, intact 1, total 5";
    assert_eq!(summary(&answer), format!("breached | {counts}"));
    assert_eq!(
        findings(&answer),
        [
            "duplicated copied 0@5 00000:0 00000:2",
            "duplicated copies_differ 0@6 [price 61837.64000001 → -61837.64000001 sign_flip] 00000:1 00000:3",
            "missing lost 0@7",
        ]
    );
}

#[test]
fn messages_of_an_open_transaction_are_beyond_now_until_it_ends() {
    let cluster = kafka_cluster();
    let topic = unique_name("open");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let producer = good(Producer::transactional(cluster, &topic));
    let first = transaction(&producer, &topic, [3, 0], 0, TransactionEnd::Commit);
    good(producer.begin());
    let payloads: Vec<Vec<u8>> = (3..5).map(trades::payload).collect();
    let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
    let open = good(producer.produce(&topic, &records));
    // A message of no transaction behind an open one is not stable either.
    let plain = good(Producer::connect(&producer_config(cluster)));
    let behind = good(plain.produce(&topic, &[Record::new(0, None, Some(&trades::payload(5)))]));
    good(cluster.await_stable(&topic, 0, 4));
    assert_eq!(good(cluster.watermarks(&topic, 0, Isolation::Uncommitted)), (0, 7));

    let mut all = first;
    all.extend(open.into_iter().zip(3..));
    all.extend(behind.into_iter().zip(5..));
    assert_eq!(all.iter().map(|(at, _)| at.offset).collect::<Vec<_>>(), [0, 1, 2, 4, 5, 6]);
    let stage = Stage::new().with_kafka(cluster);
    stage.write(&table(columns(), vec![rows(&topic, &all)]));
    let answer = stage.judge(&pipeline(&topic));
    assert_eq!(summary(&answer), "holds | consumed 3, intact 3 | intact 3, out_of_scope 3, total 3");
    assert_eq!(partitions(&answer), ["0: 0..4 consumed 3, intact 3 | control 3..4"]);

    good(producer.end(TransactionEnd::Commit));
    good(cluster.await_stable(&topic, 0, 8));
    let answer = stage.judge(&pipeline(&topic));
    assert_eq!(summary(&answer), "holds | consumed 6, intact 6 | intact 6, total 6");
    assert_eq!(partitions(&answer), ["0: 0..8 consumed 6, intact 6 | control 3..4, control 7..8"]);
    assert_eq!(findings(&answer), [""; 0]);
}

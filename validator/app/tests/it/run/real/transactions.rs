//! A topic with transactions, and a sink that reads what is committed: what was aborted is a hole, and what is open is not there yet,
//! however long it stays open.

use fixtures_harness::{
    Isolation, KafkaCluster, Placed, Producer, Record, TopicSpec, TransactionEnd, kafka_cluster, producer_config,
    unique_name,
};

use super::running::now_ms;
use super::scene::{SETTLE_MS, Scene};
use crate::real_kafka::good;
use crate::real_kafka::trades;

/// Ids of a sink's rows are those of its messages: the payload says which.
fn committed(cluster: &KafkaCluster, topic: &str) -> Vec<(i32, i64, i64)> {
    let records = good(cluster.read_all(topic, Isolation::Committed));
    let id = |payload: &[u8]| -> i64 {
        let json: serde_json::Value = serde_json::from_slice(payload).expect("trades are JSON");
        json["id"].as_i64().expect("a trade has an id")
    };
    records.iter().map(|one| (one.partition, one.offset, id(one.payload.as_deref().expect("a payload")))).collect()
}

fn transaction(
    producer: &Producer,
    topic: &str,
    ids: std::ops::Range<i64>,
    end: Option<TransactionEnd>,
) -> Vec<Placed> {
    let payloads: Vec<Vec<u8>> = ids.map(trades::payload).collect();
    let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
    good(producer.begin());
    let placed = good(producer.produce(topic, &records));
    if let Some(end) = end {
        good(producer.end(end));
    }
    placed
}

#[test]
fn aborted_records_are_holes_and_an_open_transaction_is_not_there_yet_however_long_it_is() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-transactions");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let mut scene = Scene::of(cluster, &topic);
    let producer = good(Producer::transactional(cluster, &topic));
    // 0..5 and a marker, 6..9 aborted and a marker.
    transaction(&producer, &topic, 0..5, Some(TransactionEnd::Commit));
    let aborted = transaction(&producer, &topic, 100..103, Some(TransactionEnd::Abort));
    good(cluster.await_stable(&topic, 0, 10));
    scene.land(&committed(cluster, &topic));
    let mut running = scene.start();
    let is = |status: &serde_json::Value, key: &str, count: u64| status["messages"][key].as_u64() == Some(count);
    running.until("what is committed", |status| is(status, "intact", 5) && is(status, "consumed", 5));

    // 10..13 of a transaction that stays open, and behind it 13..15 of none.
    let opened_ms = now_ms();
    transaction(&producer, &topic, 10..13, None);
    super::scene::send(cluster, &topic, 0, 13..15);
    good(cluster.await_stable(&topic, 0, 10));
    let status = running.until("a look long after they were due", |status| {
        super::running::judged_at_ms(status).is_some_and(|at| at > opened_ms + 2 * SETTLE_MS)
    });
    for (key, count) in [("consumed", 5), ("intact", 5), ("missing", 0), ("overdue", 0), ("pending", 0)] {
        assert!(is(&status, key, count), "{key}: {status}");
    }
    assert_eq!(status["lag"], 0, "what is not stable is no lag: {status}");

    // It is committed: all are older than `settle`, and the sink, which could not see them before, has not committed yet.
    good(producer.end(TransactionEnd::Commit));
    good(cluster.await_stable(&topic, 0, 16));
    let status = running.until("what was open", |status| is(status, "consumed", 10) && is(status, "intact", 5));
    assert!(is(&status, "missing", 0), "nothing has passed them: {status}");
    scene.land(&committed(cluster, &topic)[5..]);
    let status = running.until("what was open, landed", |status| is(status, "intact", 10));
    assert!(is(&status, "missing", 0) && is(&status, "overdue", 0), "{status}");
    running.stop();
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "holds | consumed 10, intact 10 | intact 10, total 10");
    let holes = "control 5..6, aborted 6..9, control 9..10, control 15..16";
    assert_eq!(rest.partitions(), [format!("0: 0..16 consumed 10, intact 10 | {holes}")]);
    assert_eq!(rest.findings(), [""; 0]);

    // A sink that reads what is not committed: its rows are of no message, and of no marker either.
    scene.land(&aborted.iter().map(|at| (0, at.offset, at.offset + 94)).chain([(0, 15, 7)]).collect::<Vec<_>>());
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "breached | consumed 10, intact 10 | intact 10, phantom 4, total 14");
    let mut expected = vec!["phantom aborted -"; 3];
    expected.push("phantom unexplained -");
    assert_eq!(rest.findings(), expected);
}

#[test]
fn rows_of_a_transaction_that_is_open_are_neither_judged_nor_lost_sight_of() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-uncommitted");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let mut scene = Scene::of(cluster, &topic);
    let producer = good(Producer::transactional(cluster, &topic));
    transaction(&producer, &topic, 0..3, None);
    // The sink reads all, and a stranger's message behind it.
    good(
        good(Producer::connect(&producer_config(cluster)))
            .produce(&topic, &[Record::new(0, None, Some(&trades::payload(3)))]),
    );
    scene.land(&super::scene::straight(0, 0..4));
    let mut running = scene.start();
    let (status, _) = running.until_it_judges();
    assert_eq!(status["messages"]["consumed"], 0, "{status}");
    assert_eq!((&status["rows"]["out_of_scope"], &status["rows"]["phantom"]), (&4.into(), &0.into()), "{status}");
    good(producer.end(TransactionEnd::Abort));
    // Three of an abort, a marker behind all.
    good(cluster.await_stable(&topic, 0, 5));
    running.until("the end of the transaction", |status| {
        (&status["rows"]["phantom"], &status["rows"]["intact"]) == (&3.into(), &1.into())
    });
    running.stop();
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "breached | consumed 1, intact 1 | intact 1, phantom 3, total 4");
    assert_eq!(rest.partitions(), ["0: 0..5 consumed 1, intact 1 | aborted 0..3, control 4..5"]);
    assert_eq!(rest.findings(), ["phantom aborted -"; 3]);
}

#[test]
fn findings_of_a_whole_segment_are_one_a_message_whatever_lies_between() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-between");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let scene = Scene::of(cluster, &topic);
    let producer = good(Producer::transactional(cluster, &topic));
    // 0..3 and a marker, 4..6 aborted and a marker, 7..9 and a marker, then one that cannot be read, and one more.
    transaction(&producer, &topic, 0..3, Some(TransactionEnd::Commit));
    transaction(&producer, &topic, 3..5, Some(TransactionEnd::Abort));
    transaction(&producer, &topic, 5..7, Some(TransactionEnd::Commit));
    good(cluster.await_stable(&topic, 0, 10));
    let plain = good(Producer::connect(&producer_config(cluster)));
    good(plain.produce(&topic, &[Record::new(0, None, Some(b"no trade"))]));
    super::scene::send(cluster, &topic, 0, 8..9);
    let rest = scene.at_rest();
    assert_eq!(rest.summary(), "unjudged | consumed 7, overdue 6, undecodable 1 | ");
    let overdue = [0, 1, 11, 2, 7, 8].map(|offset| format!("overdue - 0@{offset}"));
    assert_eq!(rest.findings()[..6], overdue);
    assert_eq!(rest.findings()[6..], ["undecodable bad_payload 0@10"]);
}

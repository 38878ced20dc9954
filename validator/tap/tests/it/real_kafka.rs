//! Topics on a real broker: transactions, compaction, deletion, times, and a broker that is killed on the way.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use fixtures_harness::{
    KafkaCluster, KafkaOptions, Producer, Record, TopicSpec, TransactionEnd, kafka_cluster, producer_config,
    unique_name,
};
use validator_core::contract::Bound;
use validator_core::position::PartitionIndex;
use validator_tap::{KafkaConfig, KafkaTap, Tap, TapError};

use crate::support::one;

fn good<T, E: std::error::Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{}", fixtures_harness::chain(&error)))
}

fn topic(cluster: &KafkaCluster, stem: &str) -> String {
    let name = unique_name(stem);
    good(cluster.create_topic(&TopicSpec::new(&name, 1)));
    name
}

fn config(cluster: &KafkaCluster, topic: &str) -> KafkaConfig {
    KafkaConfig::new(cluster.bootstrap(), topic)
}

/// The offsets of the first partition's range that are delivered, in their order.
fn offsets(tap: &KafkaTap) -> Vec<i64> {
    let range = &tap.partitions()[0];
    let mut offsets = Vec::new();
    let end = good(tap.read(&[(PartitionIndex(0), one(range.from..range.to))], &mut |message| {
        offsets.push(message.offset);
        ControlFlow::Continue(())
    }));
    let end = &end.partitions[0];
    assert!(end.failure.is_none(), "{:?}", end.failure);
    assert_eq!(end.position, range.to);
    assert!(offsets.is_sorted_by(|a, b| a < b));
    offsets
}

/// The gaps that a read left, and the tap's reasons for them.
fn holes(tap: &KafkaTap) -> Vec<(i64, i64, &'static str)> {
    let range = &tap.partitions()[0];
    let mut gaps: Vec<(PartitionIndex, Range<i64>)> = Vec::new();
    let mut next = range.from;
    for offset in offsets(tap).into_iter().chain([range.to]) {
        if next < offset {
            gaps.push((PartitionIndex(0), next..offset));
        }
        next = offset + 1;
    }
    good(tap.explain(&gaps)).into_iter().map(|(_, hole)| (hole.from, hole.to, hole.reason.as_str())).collect()
}

fn values(count: usize) -> Vec<Record<'static>> {
    vec![Record::new(0, None, Some(b"value")); count]
}

#[test]
fn committed_records_are_read_and_the_rest_is_explained() {
    let cluster = kafka_cluster();
    let topic = topic(cluster, "transactions");
    let producer = good(Producer::transactional(cluster, &topic));
    // 5 records and a marker, 4 that are aborted and a marker, 3 and a marker: 15 offsets.
    good(producer.transaction(&topic, &values(5), TransactionEnd::Commit));
    good(producer.transaction(&topic, &values(4), TransactionEnd::Abort));
    good(producer.transaction(&topic, &values(3), TransactionEnd::Commit));
    good(cluster.await_stable(&topic, 0, 15));
    let tap = good(KafkaTap::open(&config(cluster, &topic)));
    let range = &tap.partitions()[0];
    assert_eq!((range.from, range.to, range.last_stable, range.high_watermark), (0, 15, 15, 15));
    assert_eq!(offsets(&tap), [0, 1, 2, 3, 4, 11, 12, 13]);
    assert_eq!(holes(&tap), [(5, 6, "control"), (6, 10, "aborted"), (10, 11, "control"), (14, 15, "control")]);
    assert_eq!(tap.compacted(&topic), Some(false));
}

#[test]
fn an_open_transaction_ends_the_range_below_the_high_watermark() {
    let cluster = kafka_cluster();
    let topic = topic(cluster, "open");
    let producer = good(Producer::transactional(cluster, &topic));
    good(producer.transaction(&topic, &values(2), TransactionEnd::Commit));
    good(producer.begin());
    good(producer.produce(&topic, &values(4)));
    let tap = good(KafkaTap::open(&config(cluster, &topic)));
    let range = &tap.partitions()[0];
    assert_eq!((range.to, range.last_stable, range.high_watermark, range.ends_at_now), (3, 3, 7, true));
    assert_eq!(offsets(&tap), [0, 1]);
    good(producer.end(TransactionEnd::Abort));
}

#[test]
fn what_compaction_removed_is_compacted() {
    let cluster = kafka_cluster();
    let name = unique_name("compacted");
    good(cluster.create_topic(&TopicSpec::compacted(&name, 1, 60_000)));
    let producer = good(Producer::connect(&producer_config(cluster)));
    good(producer.produce(&name, &vec![Record::new(0, Some(b"key"), Some(b"value")); 100]));
    let left = good(cluster.compact(&name, 0, (b"roll", b"x"), 10));
    let tap = good(KafkaTap::open(&config(cluster, &name)));
    assert_eq!(tap.compacted(&name), Some(true));
    let read = offsets(&tap);
    // A cleaner that runs once more may take the rolled records too, never bring one back.
    assert!(read.iter().collect::<BTreeSet<_>>().is_subset(&left.iter().collect()), "{read:?} of {left:?}");
    assert!(read.contains(&99));
    let holes = holes(&tap);
    assert_eq!(holes[0], (0, 99, "compacted"));
    assert!(holes.iter().all(|hole| hole.2 == "compacted"), "{holes:?}");
}

#[test]
fn deleted_records_are_a_hole_of_retention_also_when_they_go_after_the_tap_is_opened() {
    let cluster = kafka_cluster();
    let topic = topic(cluster, "deleted");
    let producer = good(Producer::connect(&producer_config(cluster)));
    good(producer.produce(&topic, &values(20)));
    let mut config = config(cluster, &topic);
    config.bounds.from = Some(Bound::Offset(0));
    let early = good(KafkaTap::open(&config));
    assert!(early.partitions()[0].starts_at_first);
    good(cluster.delete_records(&topic, 0, 7));
    let tap = good(KafkaTap::open(&config));
    let range = &tap.partitions()[0];
    assert_eq!((range.from, range.to, range.log_start, range.starts_at_first), (0, 20, 7, false));
    for tap in [early, tap] {
        assert_eq!(offsets(&tap), (7..20).collect::<Vec<_>>());
        assert_eq!(holes(&tap), [(0, 7, "retention")]);
    }
    config.bounds.from = Some(Bound::Earliest);
    let earliest = good(KafkaTap::open(&config));
    assert_eq!((earliest.partitions()[0].from, holes(&earliest)), (7, vec![]));
}

#[test]
fn instants_become_offsets() {
    let cluster = kafka_cluster();
    let topic = topic(cluster, "times");
    let producer = good(Producer::connect(&producer_config(cluster)));
    // Times need not ascend: the first offset at or after an instant counts.
    let records: Vec<_> = [1_000, 3_000, 2_000, 4_000].map(|ms| Record::new(0, None, Some(b"value")).at(ms)).to_vec();
    good(producer.produce(&topic, &records));
    for (from, to, expected) in [(500, 9_000, 0..4), (1_000, 3_000, 0..1), (1_001, 4_000, 1..3), (4_001, 9_000, 4..4)] {
        let mut config = config(cluster, &topic);
        (config.bounds.from, config.bounds.to) = (Some(Bound::Time(from)), Some(Bound::Time(to)));
        let tap = good(KafkaTap::open(&config));
        assert_eq!(offsets(&tap), expected.collect::<Vec<i64>>(), "{from}..{to}");
    }
}

#[test]
fn a_missing_topic_is_missing_and_is_not_made_by_asking() {
    let cluster = kafka_cluster();
    let name = unique_name("nowhere");
    for _ in 0..2 {
        let error = KafkaTap::open(&config(cluster, &name)).expect_err("it is not there");
        assert!(matches!(&error, TapError::TopicMissing { topic } if *topic == name), "{error}");
    }
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_no_message() {
    let cluster = good(KafkaCluster::start(&KafkaOptions::default()));
    let topic = topic(&cluster, "killed");
    let producer = good(Producer::connect(&producer_config(&cluster)));
    let payload = vec![b'x'; 10_000];
    good(producer.produce(&topic, &vec![Record::new(0, None, Some(&payload)); 2_000]));
    let mut config = config(&cluster, &topic);
    // Little is fetched ahead, so that most of it must come after the restart.
    config.properties.insert("max.partition.fetch.bytes".to_owned(), "100000".to_owned());
    config.properties.insert("queued.min.messages".to_owned(), "1".to_owned());
    config.stall_timeout = Duration::from_secs(90);
    let tap = good(KafkaTap::open(&config));
    let mut next = 0;
    let end = good(tap.read(&[(PartitionIndex(0), one(0..2_000))], &mut |message| {
        assert_eq!((message.offset, message.payload), (next, Some(payload.as_slice())));
        next += 1;
        if next == 100 {
            cluster.kill();
            good(cluster.restart());
        }
        ControlFlow::Continue(())
    }));
    assert_eq!((next, end.partitions[0].position), (2_000, 2_000));
    assert!(end.partitions[0].failure.is_none());
}

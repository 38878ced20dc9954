//! Following: recorded files, and topics of librdkafka's mock cluster.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use validator_core::contract::{Bound, Envelope, FieldType, Format, RecordedSource};
use validator_core::position::TopicPartition;
use validator_core::schema::Type;
use validator_tap::{Begin, Bounds, KafkaTap, LaneToOpen, RecordedConfig, RecordedTap, Tap, TapError};

use crate::followed::{Following, Told, offsets};
use crate::kafka::Cluster;

fn lane(topic: &str, partition: i32) -> LaneToOpen {
    LaneToOpen { tp: TopicPartition { topic: topic.to_owned(), partition }, begin: Begin::Bounds }
}

fn numbers(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}

#[test]
fn a_recording_tells_all_its_ends_and_then_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |partition: i32, offset: i64| {
        format!(
            r#"{{"topic":"t","partition":{partition},"offset":{offset},"tstype":"create","ts":{offset},"payload":"x"}}"#
        )
    };
    let lines = [line(0, 0), line(0, 1), line(1, 5), line(0, 7), line(1, 6)].join("\n");
    std::fs::write(folder.path().join("t.jsonl"), lines).expect("written");
    let tap = RecordedTap::open(&RecordedConfig {
        source: RecordedSource {
            files: vec![folder.path().join("*.jsonl").display().to_string()],
            envelope: Envelope::Kcat,
            timestamp: None,
        },
        topics: vec!["t".to_owned()],
        bounds: Bounds::default(),
        format: Format::Json,
        timestamp_type: FieldType::Plain(Type::Timestamptz),
    })
    .expect("opens");
    let ends: Vec<_> = tap.ends().expect("told").iter().map(|end| (end.log_start, end.last_stable)).collect();
    assert_eq!(ends, [(0, 8), (5, 7)]);
    let following = Following::start(tap, &[(0, 1), (1, 5)]);
    let told = following.until("both ends", |told| matches!(told, Told::End(1, _)));
    assert_eq!(offsets(&told), BTreeMap::from([(0, vec![1, 7]), (1, vec![5, 6])]));
    assert_eq!(told[told.len() - 2..], [Told::End(0, 8), Told::End(1, 7)]);
    let tap = following.stop();
    assert!(tap.grown().expect("told").is_empty());
    // Taken up where it was left: nothing but the ends.
    let again = Following::start(tap, &[(0, 8), (1, 7)]);
    let told = again.until("both ends", |told| matches!(told, Told::End(1, _)));
    assert_eq!(told, [Told::End(0, 8), Told::End(1, 7)]);
    again.stop();
}

#[test]
fn lanes_are_numbered_as_they_are_given_and_messages_follow_for_ever() {
    let cluster = Cluster::new(&[("b", 2), ("a", 1)]);
    cluster.count("a", 0, 0..30);
    cluster.count("b", 1, 0..20);
    let mut config = cluster.config("b");
    config.topics = vec!["b".to_owned(), "a".to_owned()];
    config.bounds.start = Some(Bound::Now);
    let known = LaneToOpen { begin: Begin::Known { start: Some(12) }, ..lane("b", 1) };
    let tap = KafkaTap::open_lanes(&config, &[known, lane("a", 0)]).expect("opens");
    let ranges: Vec<_> = tap.partitions().iter().map(|p| (p.tp.to_string(), p.from, p.start)).collect();
    assert_eq!(ranges, [("b[1]".to_owned(), 12, Some(12)), ("a[0]".to_owned(), 30, Some(30))]);
    assert_eq!(tap.grown().expect("told").iter().map(ToString::to_string).collect::<Vec<_>>(), ["b[0]"]);

    let following = Following::start(tap, &[(0, 12), (1, 25)]);
    let mut told = following.until("the end of b", |told| *told == Told::End(0, 20));
    if !told.contains(&Told::End(1, 30)) {
        told.extend(following.until("the end of a", |told| *told == Told::End(1, 30)));
    }
    assert_eq!(offsets(&told), BTreeMap::from([(0, numbers(12..20)), (1, numbers(25..30))]));
    cluster.count("b", 1, 20..25);
    let told = following.until("the next end", |told| *told == Told::End(0, 25));
    assert_eq!(offsets(&told), BTreeMap::from([(0, numbers(20..25))]));
    let tap = following.stop();
    let ends: Vec<_> = tap.ends().expect("told").iter().map(|e| (e.partition.0, e.last_stable)).collect();
    assert_eq!(ends, [(0, 25), (1, 30)]);
    assert_eq!(tap.partitions()[0].last_stable, 20, "what it was opened with stands");
}

#[test]
fn a_lane_that_is_not_there_is_refused_and_so_is_a_topic() {
    let cluster = Cluster::new(&[("t", 2)]);
    let missing = KafkaTap::open_lanes(&cluster.config("t"), &[lane("t", 0), lane("t", 2)]);
    assert!(matches!(&missing, Err(TapError::PartitionMissing { partition: 2, count: 2, .. })), "{missing:?}");
    let missing = KafkaTap::open_lanes(&cluster.config("t"), &[lane("t", 0), lane("nowhere", 0)]);
    assert!(matches!(&missing, Err(TapError::TopicMissing { topic }) if topic == "nowhere"), "{missing:?}");
}

#[test]
fn ends_of_two_thousand_partitions_are_there_within_seconds() {
    const PARTITIONS: i32 = 2_000;
    let cluster = Cluster::new(&[("wide", PARTITIONS)]);
    cluster.count("wide", 1_999, 0..7);
    let lanes: Vec<_> = (0..PARTITIONS).map(|partition| lane("wide", partition)).collect();
    let tap = KafkaTap::open_lanes(&cluster.config("wide"), &lanes).expect("opens");
    let started = Instant::now();
    let ends = tap.ends().expect("told");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!((ends.len(), ends[1_999].last_stable, ends[0].last_stable), (2_000, 7, 0));
    let from: Vec<_> = (0..PARTITIONS as u32).map(|partition| (partition, 0)).collect();
    let following = Following::start(tap, &from);
    let (mut at_end, mut messages) = (std::collections::BTreeSet::new(), 0);
    following.until("all ends", |told| {
        match told {
            Told::End(partition, _) => drop(at_end.insert(*partition)),
            Told::Message(..) => messages += 1,
            _ => {}
        }
        at_end.len() == PARTITIONS as usize
    });
    assert_eq!(messages, 7);
    following.stop();
}

#[test]
fn brokers_that_are_gone_are_lost_and_it_goes_on_when_they_are_back() {
    let cluster = Cluster::new(&[("t", 1)]);
    cluster.count("t", 0, 0..10);
    let mut config = cluster.config("t");
    config.stall_timeout = Duration::from_secs(2);
    config.open_timeout = Duration::from_secs(2);
    let tap = KafkaTap::open(&config).expect("opens");
    let following = Following::start(tap, &[(0, 0)]);
    following.until("the end", |told| *told == Told::End(0, 10));
    cluster.mock.broker_down(1).expect("down");
    following.until("no broker", |told| *told == Told::Lost);
    cluster.mock.broker_up(1).expect("up");
    cluster.count("t", 0, 10..20);
    let told = following.until("the next end", |told| *told == Told::End(0, 20));
    assert_eq!(offsets(&told), BTreeMap::from([(0, numbers(10..20))]));
    following.stop();
}

#[test]
fn ends_are_not_waited_for_longer_than_a_few_seconds() {
    let cluster = Cluster::new(&[("t", 1)]);
    let tap = KafkaTap::open(&cluster.config("t")).expect("opens");
    tap.ends().expect("told");
    cluster.mock.broker_down(1).expect("down");
    let started = Instant::now();
    let error = tap.ends().expect_err("nobody answers");
    assert!(matches!(&error, TapError::BrokersUnreachable { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let started = Instant::now();
    cluster.mock.broker_up(1).expect("up");
    while tap.ends().is_err() {
        assert!(started.elapsed() < Duration::from_secs(60), "it does not come back");
    }
}

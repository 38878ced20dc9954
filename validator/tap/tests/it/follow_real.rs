//! Following a real broker: transactions, deletion, recreation, new partitions, a kill, and a caller that is slow.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use fixtures_harness::{
    KafkaCluster, KafkaOptions, Look, Producer, Record, TopicSpec, TransactionEnd, kafka_cluster, producer_config,
    unique_name, wait_until,
};
use validator_core::position::{PartitionIndex, TopicPartition};
use validator_tap::{Begin, Followed, KafkaConfig, KafkaTap, LaneToOpen, Tap, TapError};

use crate::followed::{Following, Told, offsets};

fn good<T, E: std::error::Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{}", fixtures_harness::chain(&error)))
}

fn topic(cluster: &KafkaCluster, stem: &str, partitions: i32) -> String {
    let name = unique_name(stem);
    good(cluster.create_topic(&TopicSpec::new(&name, partitions)));
    name
}

fn values(count: usize) -> Vec<Record<'static>> {
    vec![Record::new(0, None, Some(b"value")); count]
}

fn open(cluster: &KafkaCluster, topics: &[&str]) -> KafkaTap {
    let mut config = KafkaConfig::new(cluster.bootstrap(), topics[0]);
    config.topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
    let lanes: Vec<_> = topics
        .iter()
        .map(|topic| LaneToOpen {
            tp: TopicPartition { topic: (*topic).to_owned(), partition: 0 },
            begin: Begin::Bounds,
        })
        .collect();
    good(KafkaTap::open_lanes(&config, &lanes))
}

fn of(offsets: impl IntoIterator<Item = i64>) -> BTreeMap<u32, Vec<i64>> {
    BTreeMap::from([(0, offsets.into_iter().collect())])
}

#[test]
fn committed_records_are_told_and_the_end_lies_beyond_markers_and_aborted_ones() {
    let cluster = kafka_cluster();
    let topic = topic(cluster, "follow-transactions", 1);
    let producer = good(Producer::transactional(cluster, &topic));
    // 5 records and a marker, 4 that are aborted and a marker: 11 offsets.
    good(producer.transaction(&topic, &values(5), TransactionEnd::Commit));
    good(producer.transaction(&topic, &values(4), TransactionEnd::Abort));
    let following = Following::start(open(cluster, &[&topic]), &[(0, 0)]);
    let told = following.until("the end", |told| *told == Told::End(0, 11));
    assert_eq!(offsets(&told), of(0..5));
    // An open one shows nothing, and the end of what is committed stands where it begins.
    good(producer.begin());
    good(producer.produce(&topic, &values(4)));
    let told = following.until("a look", |told| matches!(told, Told::Trimmed(..)));
    assert!(offsets(&told).is_empty(), "{told:?}");
    good(producer.end(TransactionEnd::Commit));
    let told = following.until("the next end", |told| *told == Told::End(0, 16));
    assert_eq!(offsets(&told), of(11..15));
    // A transaction of which nothing is seen moves the end alone.
    good(producer.transaction(&topic, &values(3), TransactionEnd::Abort));
    let told = following.until("the last end", |told| *told == Told::End(0, 20));
    assert!(offsets(&told).is_empty(), "{told:?}");
    let tap = following.stop();
    good(producer.begin());
    good(producer.produce(&topic, &values(2)));
    let ends = good(tap.ends());
    assert_eq!((ends[0].log_start, ends[0].last_stable, ends[0].high_watermark), (0, 20, 22));
    good(producer.end(TransactionEnd::Abort));
    // Taken up behind a marker.
    let again = Following::start(tap, &[(0, 15)]);
    let told = again.until("the end", |told| *told == Told::End(0, 23));
    assert!(offsets(&told).is_empty(), "{told:?}");
    again.stop();
}

#[test]
fn deleted_records_are_passed_over_and_the_logs_start_is_told() {
    let cluster = kafka_cluster();
    let topic = topic(cluster, "follow-deleted", 1);
    let producer = good(Producer::connect(&producer_config(cluster)));
    good(producer.produce(&topic, &values(20)));
    let tap = open(cluster, &[&topic]);
    good(cluster.delete_records(&topic, 0, 7));
    let following = Following::start(tap, &[(0, 0)]);
    let told = following.until("the end", |told| *told == Told::End(0, 20));
    assert_eq!(offsets(&told), of(7..20));
    assert!(told.contains(&Told::OutOfRange(0, 0, 7, 20)), "{told:?}");
    // What is deleted behind the position costs nothing, and is told.
    good(cluster.delete_records(&topic, 0, 15));
    following.until("the log's start", |told| *told == Told::Trimmed(0, 15));
    good(producer.produce(&topic, &values(5)));
    let told = following.until("the next end", |told| *told == Told::End(0, 25));
    assert_eq!(offsets(&told), of(20..25));
    following.stop();
}

#[test]
fn an_offset_behind_the_log_stops_its_lane_and_no_other() {
    let cluster = kafka_cluster();
    let (short, long) = (topic(cluster, "follow-short", 1), topic(cluster, "follow-long", 1));
    let producer = good(Producer::connect(&producer_config(cluster)));
    good(producer.produce(&short, &values(5)));
    good(producer.produce(&long, &values(50)));
    let following = Following::start(open(cluster, &[&short, &long]), &[(0, 30), (1, 40)]);
    following.until("out of range", |told| *told == Told::OutOfRange(0, 30, 0, 5));
    // Also when the log grows beyond it: it is not the one that was followed.
    good(producer.produce(&short, &values(40)));
    good(producer.produce(&long, &values(10)));
    let told = following.until("the end of the other", |told| *told == Told::End(1, 60));
    assert_eq!(offsets(&told).get(&0), None, "{told:?}");
    following.stop();
}

#[test]
fn a_topic_that_is_deleted_stops_and_no_other_does() {
    let cluster = kafka_cluster();
    let (gone, other) = (topic(cluster, "follow-gone", 1), topic(cluster, "follow-other", 1));
    let producer = good(Producer::connect(&producer_config(cluster)));
    good(producer.produce(&gone, &values(5)));
    let following = Following::start(open(cluster, &[&gone, &other]), &[(0, 0), (1, 0)]);
    following.until("the end", |told| *told == Told::End(0, 5));
    good(cluster.delete_topic(&gone));
    let told = following.until("the stop", |told| matches!(told, Told::Stopped(..)));
    assert_eq!(told.last(), Some(&Told::Stopped(0, format!("topic {gone} does not exist"))));
    good(producer.produce(&other, &values(3)));
    let told = following.until("the end of the other", |told| *told == Told::End(1, 3));
    assert_eq!(offsets(&told).get(&1), Some(&vec![0, 1, 2]));
    let error = following.stop().ends().expect_err("it is not there");
    assert!(matches!(&error, TapError::TopicMissing { topic } if *topic == gone), "{error}");
}

#[test]
fn a_topic_that_is_made_again_is_another_one_with_fewer_messages_and_with_more() {
    let cluster = kafka_cluster();
    let producer = good(Producer::connect(&producer_config(cluster)));
    for after in [3, 40] {
        let topic = topic(cluster, "follow-again", 1);
        good(producer.produce(&topic, &values(20)));
        let tap = open(cluster, &[&topic]);
        let ids = tap.topic_ids();
        assert!(ids.contains_key(&topic), "{ids:?}");
        let following = Following::start(tap, &[(0, 0)]);
        following.until("the end", |told| *told == Told::End(0, 20));
        good(cluster.delete_topic(&topic));
        good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
        good(good(Producer::connect(&producer_config(cluster))).produce(&topic, &values(after)));
        let told = following.until("the stop", |told| matches!(told, Told::Stopped(..)));
        let said = format!("topic {topic} is not the one that was followed: it was deleted and made again");
        assert_eq!(told.last(), Some(&Told::Stopped(0, said)), "{told:?}");
        let tap = following.stop();
        let error = tap.ends().expect_err("it is another one");
        assert!(matches!(&error, TapError::TopicRecreated { topic: other } if *other == topic), "{error}");
        assert_eq!(tap.topic_ids(), ids);
        assert_ne!(open(cluster, &[&topic]).topic_ids(), ids, "one that is opened anew is of the new one");
    }
}

#[test]
fn new_partitions_are_seen() {
    let cluster = kafka_cluster();
    let topic = topic(cluster, "follow-grows", 1);
    let tap = open(cluster, &[&topic]);
    assert!(good(tap.grown()).is_empty());
    good(cluster.add_partitions(&topic, 3));
    let started = Instant::now();
    let grown = loop {
        let grown = good(tap.grown());
        if grown.len() == 2 {
            break grown;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{grown:?}");
    };
    let tp = |partition| TopicPartition { topic: topic.clone(), partition };
    assert_eq!(grown, [tp(1), tp(2)]);
    assert_eq!(good(tap.ends()).len(), 1, "its own alone");
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_no_message_and_repeats_none() {
    let cluster = good(KafkaCluster::start(&KafkaOptions::default()));
    let topic = topic(&cluster, "follow-killed", 1);
    let producer = good(Producer::connect(&producer_config(&cluster)));
    let payload = vec![b'x'; 10_000];
    good(producer.produce(&topic, &vec![Record::new(0, None, Some(&payload)); 2_000]));
    let mut config = KafkaConfig::new(cluster.bootstrap(), &topic);
    // Little is fetched ahead, so that most of it must come after the restart.
    config.properties.insert("max.partition.fetch.bytes".to_owned(), "100000".to_owned());
    config.properties.insert("queued.min.messages".to_owned(), "1".to_owned());
    let tap = good(KafkaTap::open(&config));
    let (mut next, mut back, mut recovered) = (0, None, None);
    good(tap.follow(&[(PartitionIndex(0), 0)], &mut |followed| {
        match followed {
            Followed::Message(message) => {
                assert_eq!((message.offset, message.payload), (next, Some(payload.as_slice())));
                next += 1;
                if next == 100 {
                    cluster.kill();
                    good(cluster.restart());
                    back = Some(Instant::now());
                }
                // Those before it may have been fetched already.
                if next == 1_900 {
                    recovered = back.map(|back| back.elapsed());
                }
            }
            Followed::End { position: 2_000, .. } => return ControlFlow::Break(()),
            Followed::Stopped { why, .. } => panic!("{why}"),
            _ => {}
        }
        ControlFlow::Continue(())
    }));
    assert_eq!(next, 2_000);
    let recovered = recovered.expect("it went on");
    assert!(recovered < Duration::from_secs(60), "{recovered:?}");
    println!("recovered {recovered:?} after the restart");
    // While it waits for more, too: killed when nothing comes, and the next message is told once.
    let following = Following::start(tap, &[(0, 2_000)]);
    following.until("the end", |told| *told == Told::End(0, 2_000));
    cluster.kill();
    good(cluster.restart());
    let started = Instant::now();
    good(good(Producer::connect(&producer_config(&cluster))).produce(&topic, &values(3)));
    let told = following.until("the next end", |told| *told == Told::End(0, 2_003));
    assert_eq!(offsets(&told), of(2_000..2_003));
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    println!("the next message was told {:?} after the restart", started.elapsed());
    following.stop();
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn a_caller_that_is_slow_holds_the_reading_up_in_bounded_memory() {
    const MESSAGES: usize = 4_000;
    /// Half of what there is; other tests of this process take some too.
    const MOST: u64 = 100 << 20;
    let cluster = kafka_cluster();
    let topic = topic(cluster, "follow-slow", 1);
    let producer = good(Producer::connect(&producer_config(cluster)));
    // 200 MB that do not compress, and 8 MB that may wait.
    let payload: Vec<u8> = (0..50_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for _ in 0..MESSAGES / 100 {
        good(producer.produce(&topic, &vec![Record::new(0, None, Some(&payload)); 100]));
    }
    drop(producer);
    let mut config = KafkaConfig::new(cluster.bootstrap(), &topic);
    config.properties.insert("queued.max.messages.kbytes".to_owned(), "8192".to_owned());
    let tap = good(KafkaTap::open(&config));
    let before = resident();
    let (mut next, mut most) = (0, 0);
    good(tap.follow(&[(PartitionIndex(0), 0)], &mut |followed| {
        match followed {
            Followed::Message(message) => {
                assert_eq!(message.offset, next);
                next += 1;
                if next == 1 {
                    // All 200 MB would be here within a second of it; the queue of the caller is full.
                    let look = || {
                        most = most.max(resident().saturating_sub(before));
                        if most < MOST { Look::NotYet(String::new()) } else { Look::Done(()) }
                    };
                    let filled = wait_until("too much memory", Duration::from_secs(6), look);
                    assert!(filled.is_err(), "{} MB wait for a slow caller", most >> 20);
                }
            }
            Followed::End { .. } => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    }));
    assert_eq!(next, MESSAGES as i64);
    println!("{} MB beside what was there before", most >> 20);
}

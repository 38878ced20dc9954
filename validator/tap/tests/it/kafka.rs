//! Topics on brokers: librdkafka's own mock cluster, in this process.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use validator_core::contract::Bound;
use validator_core::hole::HoleReason;
use validator_core::position::PartitionIndex;
use validator_tap::{Bounds, KafkaConfig, KafkaTap, ReadEnd, Tap, TapError};

use crate::followed::{Following, Told};
use crate::support::one;

/// Far more than any of these tests needs, and the bound of those that wait for a failure.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Cluster {
    pub mock: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Cluster {
    pub fn new(topics: &[(&str, i32)]) -> Self {
        let mock = MockCluster::new(1).expect("a mock cluster");
        for (topic, partitions) in topics {
            mock.create_topic(topic, *partitions, 1).expect("created");
        }
        let producer = ClientConfig::new()
            .set("bootstrap.servers", mock.bootstrap_servers())
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "1000000")
            .create()
            .expect("a producer");
        Self { mock, producer }
    }

    pub fn produce(
        &self,
        topic: &str,
        partition: i32,
        messages: impl IntoIterator<Item = (i64, Option<String>, Option<String>)>,
    ) {
        for (ms, key, payload) in messages {
            let mut record = BaseRecord::<str, str>::to(topic).partition(partition).timestamp(ms);
            record.key = key.as_deref();
            record.payload = payload.as_deref();
            self.producer.send(record).map_err(|(error, _)| error).expect("queued");
            self.producer.poll(Duration::ZERO);
        }
        self.producer.flush(PATIENCE).expect("delivered");
    }

    pub fn count(&self, topic: &str, partition: i32, offsets: Range<i64>) {
        self.produce(topic, partition, offsets.map(|i| (1_000 + i, None, Some(format!("{topic}/{partition}/{i}")))));
    }

    pub fn config(&self, topic: &str) -> KafkaConfig {
        let mut config = KafkaConfig::new(self.mock.bootstrap_servers(), topic);
        config.open_timeout = Duration::from_secs(20);
        config.stall_timeout = Duration::from_secs(20);
        config
    }
}

type Got = Vec<(u32, i64, String)>;

/// Reads the ranges; asserts that each partition ascends.
fn read(tap: &KafkaTap, wanted: &[(PartitionIndex, Vec<Range<i64>>)]) -> (Got, ReadEnd) {
    let mut last: BTreeMap<u32, i64> = BTreeMap::new();
    let mut got = Vec::new();
    let started = Instant::now();
    let end = tap
        .read(wanted, &mut |message| {
            let before = last.insert(message.partition.0, message.offset);
            assert!(before.is_none_or(|before| before < message.offset), "{message:?} after {before:?}");
            let payload = message.payload.map(|p| String::from_utf8_lossy(p).into_owned());
            got.push((message.partition.0, message.offset, payload.unwrap_or_default()));
            ControlFlow::Continue(())
        })
        .expect("begins");
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    got.sort();
    (got, end)
}

fn whole(tap: &KafkaTap) -> Vec<(PartitionIndex, Vec<Range<i64>>)> {
    (0..).zip(tap.partitions()).map(|(index, p)| (PartitionIndex(index), one(p.from..p.to))).collect()
}

fn positions(end: &ReadEnd) -> Vec<(i64, Option<String>)> {
    end.partitions.iter().map(|p| (p.position, p.failure.as_ref().map(ToString::to_string))).collect()
}

#[test]
fn every_message_of_every_partition_comes_once_with_all_its_parts() {
    let cluster = Cluster::new(&[("b", 2), ("a", 1), ("empty", 3)]);
    cluster.count("a", 0, 0..1_500);
    cluster.count("b", 1, 0..700);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "h", value: Some("v") })
        .insert(Header { key: "none", value: None::<&str> });
    let record = BaseRecord::<str, str>::to("b").partition(0).timestamp(77).headers(headers);
    cluster.producer.send(record).map_err(|(error, _)| error).expect("queued");
    cluster.produce("b", 0, [(78, Some(String::new()), Some(String::new()))]);

    let mut config = cluster.config("b");
    config.topics = ["b", "a", "empty"].map(str::to_owned).to_vec();
    let tap = KafkaTap::open(&config).expect("opens");
    let ranges: Vec<_> = tap.partitions().iter().map(|p| format!("{} {}..{}", p.tp, p.from, p.to)).collect();
    assert_eq!(ranges, ["a[0] 0..1500", "b[0] 0..2", "b[1] 0..700", "empty[0] 0..0", "empty[1] 0..0", "empty[2] 0..0"]);
    assert!(
        tap.partitions().iter().all(|p| p.starts_at_first && p.ends_at_now && p.listed && p.high_watermark == p.to)
    );
    assert_eq!(tap.estimate(), 2_202);

    let (got, end) = read(&tap, &whole(&tap));
    let expected = (0..1_500).map(|i| (0, i, format!("a/0/{i}")));
    let expected =
        expected.chain((0..2).map(|i| (1, i, String::new()))).chain((0..700).map(|i| (2, i, format!("b/1/{i}"))));
    assert_eq!(got, expected.collect::<Vec<_>>());
    assert_eq!(positions(&end).iter().map(|p| p.0).collect::<Vec<_>>(), [1_500, 2, 700, 0, 0, 0]);
    assert!(end.partitions.iter().all(|p| p.failure.is_none()));

    let mut parts = Vec::new();
    tap.read(&[(PartitionIndex(1), one(0..2))], &mut |m| {
        parts.push((m.timestamp_ms, m.key.map(<[u8]>::len), m.payload.map(<[u8]>::len), m.headers()));
        ControlFlow::Continue(())
    })
    .expect("reads");
    let headers = vec![("h".to_owned(), Some(b"v".to_vec())), ("none".to_owned(), None)];
    assert_eq!(parts, [(Some(77), None, None, headers), (Some(78), Some(0), Some(0), vec![])]);
}

#[test]
fn few_offsets_far_apart_are_sought_and_those_between_not_delivered() {
    let cluster = Cluster::new(&[("t", 2)]);
    let gap = validator_tap::limits::SEEK_GAP_OFFSETS;
    let total = 3 * gap;
    cluster.count("t", 0, 0..total);
    cluster.count("t", 1, 0..100);
    let tap = KafkaTap::open(&cluster.config("t")).expect("opens");
    let ranges = vec![5..7, 20..22, 2 * gap..2 * gap + 2, total - 1..total];
    let (got, end) = read(&tap, &[(PartitionIndex(0), ranges.clone()), (PartitionIndex(1), one(99..100))]);
    let expected: Vec<_> = ranges
        .into_iter()
        .flatten()
        .map(|i| (0, i, format!("t/0/{i}")))
        .chain([(1, 99, "t/1/99".to_owned())])
        .collect();
    assert_eq!(got, expected);
    assert_eq!(positions(&end), [(total, None), (100, None)]);
}

#[test]
fn any_ranges_are_read_whole_whatever_lies_between_them() {
    let seed = rand::random();
    let mut rng = SmallRng::seed_from_u64(seed);
    let cluster = Cluster::new(&[("t", 3)]);
    let total = 60_000;
    (0..3).for_each(|p| cluster.count("t", p, 0..total));
    let tap = KafkaTap::open(&cluster.config("t")).expect("opens");
    for _ in 0..4 {
        let mut wanted = Vec::new();
        for partition in 0..3 {
            let (mut at, mut ranges) = (0, Vec::new());
            loop {
                let gap =
                    if rng.random_bool(0.4) { rng.random_range(20_000..40_000) } else { rng.random_range(1..2_000) };
                let from: i64 = at + gap;
                at = from + rng.random_range(1..500);
                if at > total {
                    break;
                }
                ranges.push(from..at);
            }
            wanted.push((PartitionIndex(partition), ranges));
        }
        let (got, end) = read(&tap, &wanted);
        let expected: Vec<_> = wanted
            .iter()
            .flat_map(|(p, ranges)| ranges.iter().cloned().flatten().map(|i| (p.0, i, format!("t/{}/{i}", p.0))))
            .collect();
        assert!(got == expected, "seed {seed}: {} of {} messages", got.len(), expected.len());
        let ends: Vec<_> = wanted.iter().map(|(_, ranges)| (ranges.last().map_or(0, |r| r.end), None)).collect();
        assert_eq!(positions(&end), ends, "seed {seed}");
    }
}

#[test]
fn a_range_is_fixed_when_the_tap_is_opened() {
    let cluster = Cluster::new(&[("t", 1)]);
    cluster.count("t", 0, 0..10);
    let tap = KafkaTap::open(&cluster.config("t")).expect("opens");
    cluster.count("t", 0, 10..20);
    let (got, end) = read(&tap, &whole(&tap));
    assert_eq!((got.len(), positions(&end)), (10, vec![(10, None)]));
}

#[test]
fn bounds_choose_offsets_and_partitions() {
    let cluster = Cluster::new(&[("t", 3)]);
    (0..3).for_each(|p| cluster.count("t", p, 0..50));
    let mut config = cluster.config("t");
    config.bounds = Bounds {
        from: Some(Bound::Offsets([(0, 10), (2, 20)].into())),
        to: Some(Bound::Offset(30)),
        start: Some(Bound::Offset(15)),
    };
    let tap = KafkaTap::open(&config).expect("opens");
    let ranges: Vec<_> =
        tap.partitions().iter().map(|p| (p.listed, p.from, p.to, p.start, p.starts_at_first, p.ends_at_now)).collect();
    assert_eq!(
        ranges,
        [
            (true, 10, 30, Some(15), false, false),
            (false, 0, 0, Some(15), false, false),
            (true, 20, 30, Some(15), false, false)
        ]
    );
    assert_eq!(read(&tap, &whole(&tap)).0.len(), 30);
    config.bounds = Bounds { from: Some(Bound::Offsets([(3, 0)].into())), ..Bounds::default() };
    assert!(matches!(KafkaTap::open(&config), Err(TapError::PartitionMissing { partition: 3, count: 3, .. })));
}

#[test]
fn a_read_stops_at_once_when_asked() {
    let cluster = Cluster::new(&[("t", 1)]);
    cluster.count("t", 0, 0..5_000);
    let tap = KafkaTap::open(&cluster.config("t")).expect("opens");
    let mut count = 0;
    let end = tap
        .read(&whole(&tap), &mut |_| {
            count += 1;
            if count == 1_234 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .expect("reads");
    assert_eq!((count, end.stopped, positions(&end)), (1_234, true, vec![(1_234, None)]));
}

#[test]
fn a_missing_topic_and_brokers_that_do_not_answer_are_told_in_bounded_time() {
    let cluster = Cluster::new(&[("t", 1)]);
    let missing = KafkaTap::open(&cluster.config("nowhere"));
    assert!(matches!(&missing, Err(TapError::TopicMissing { topic }) if topic == "nowhere"), "{missing:?}");

    // A port that nobody listens on, and one that accepts and stays silent.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    for address in [closed, silent.local_addr().expect("bound")] {
        let mut config = KafkaConfig::new(address.to_string(), "t");
        config.open_timeout = Duration::from_secs(2);
        let started = Instant::now();
        let error = KafkaTap::open(&config).expect_err("nobody answers");
        assert!(matches!(&error, TapError::BrokersUnreachable { seconds: 2, .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
}

#[test]
fn passing_errors_of_brokers_lose_and_repeat_nothing() {
    let cluster = Cluster::new(&[("t", 2)]);
    cluster.count("t", 0, 0..3_000);
    cluster.count("t", 1, 0..3_000);
    let tap = KafkaTap::open(&cluster.config("t")).expect("opens");
    use RDKafkaRespErr::*;
    let errors = [
        RD_KAFKA_RESP_ERR__TRANSPORT,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    cluster.mock.request_errors(RDKafkaApiKey::Fetch, &errors);
    let (got, end) = read(&tap, &whole(&tap));
    let expected = (0..2).flat_map(|p| (0..3_000).map(move |i| (p, i, format!("t/{p}/{i}"))));
    assert_eq!(got, expected.collect::<Vec<_>>());
    assert!(end.partitions.iter().all(|p| p.failure.is_none()));
}

#[test]
fn a_broker_that_dies_on_the_way_ends_the_read_where_it_came_to() {
    let cluster = Cluster::new(&[("t", 2)]);
    // More than is fetched at once, so that the rest must come after the broker is gone.
    for p in 0..2 {
        cluster.produce("t", p, (0..400).map(|i| (i, None, Some("x".repeat(10_000)))));
    }
    let mut config = cluster.config("t");
    config.stall_timeout = Duration::from_secs(3);
    config.open_timeout = Duration::from_secs(5);
    config.properties.insert("max.partition.fetch.bytes".to_owned(), "100000".to_owned());
    config.properties.insert("queued.min.messages".to_owned(), "1".to_owned());
    let tap = KafkaTap::open(&config).expect("opens");
    let mut next = [0_i64; 2];
    let started = Instant::now();
    let end = tap
        .read(&whole(&tap), &mut |m| {
            let next = &mut next[m.partition.0 as usize];
            assert_eq!(m.offset, *next);
            *next += 1;
            if m.offset == 20 {
                cluster.mock.broker_down(1).expect("down");
            }
            ControlFlow::Continue(())
        })
        .expect("begins");
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    for (end, next) in end.partitions.iter().zip(next) {
        assert_eq!(end.position, next);
        assert!(next < 400);
        assert!(matches!(end.failure.as_deref(), Some(TapError::Stalled { seconds: 3, .. })), "{:?}", end.failure);
    }
    assert!(matches!(tap.explain(&[(PartitionIndex(0), 0..1)]), Err(TapError::BrokersUnreachable { .. })));
}

#[test]
fn retention_that_overtakes_a_read_is_a_hole_and_no_failure() {
    let cluster = Cluster::new(&[("t", 1)]);
    let large = |range: Range<i64>| range.map(|i| (i, None, Some("x".repeat(50_000))));
    cluster.produce("t", 0, large(0..20));
    let mut config = cluster.config("t");
    config.bounds.from = Some(Bound::Offset(0));
    let before = KafkaTap::open(&config).expect("opens");
    // The mock keeps 5 MiB per partition.
    cluster.produce("t", 0, large(20..200));
    let tap = KafkaTap::open(&config).expect("opens");
    let range = &tap.partitions()[0];
    assert!(range.log_start > 20 && range.from == 0 && range.to == 200 && !range.starts_at_first, "{range:?}");

    let (got, end) = read(&before, &whole(&before));
    assert_eq!((got.len(), positions(&end)), (0, vec![(20, None)]), "all that it wanted is gone");
    let (got, end) = read(&tap, &whole(&tap));
    assert_eq!(got.iter().map(|g| g.1).collect::<Vec<_>>(), (range.log_start..200).collect::<Vec<_>>());
    assert_eq!(positions(&end), [(200, None)]);

    let holes = tap.explain(&[(PartitionIndex(0), 0..range.log_start)]).expect("explains");
    assert_eq!(holes.len(), 1);
    let hole = holes[0].1;
    assert_eq!((hole.from, hole.to, hole.reason), (0, range.log_start, HoleReason::Retention));
}

#[test]
fn offsets_that_are_seen_uncommitted_only_are_aborted() {
    let cluster = Cluster::new(&[("t", 1)]);
    cluster.count("t", 0, 0..30);
    let tap = KafkaTap::open(&cluster.config("t")).expect("opens");
    // The mock has no transactions: all that lies in a gap is seen, as an aborted record would be.
    let holes = tap
        .explain(&[(PartitionIndex(0), 3..5), (PartitionIndex(0), 5..6), (PartitionIndex(0), 9..9)])
        .expect("explains");
    let shown: Vec<_> = holes.iter().map(|(p, h)| (p.0, h.from, h.to, h.reason)).collect();
    assert_eq!(shown, [(0, 3, 6, HoleReason::Aborted)]);
    // It does not describe configurations either, and says so at once.
    let started = Instant::now();
    assert_eq!(tap.compacted("t"), None);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(tap.explain(&[]).expect("nothing to explain").is_empty());
}

#[test]
fn the_tap_asks_brokers_for_nothing_that_writes_commits_or_joins() {
    use rdkafka_sys as sys;
    let producer: BaseProducer = ClientConfig::new()
        .set("test.mock.num.brokers", "1")
        .set("bootstrap.servers", "unused:1")
        .create()
        .expect("a producer");
    // SAFETY: the mock cluster belongs to the producer's client, which outlives all of these calls.
    let (mock, brokers) = unsafe {
        let mock = sys::rd_kafka_handle_mock_cluster(producer.client().native_ptr());
        let brokers = std::ffi::CStr::from_ptr(sys::rd_kafka_mock_cluster_bootstraps(mock));
        (mock, brokers.to_string_lossy().into_owned())
    };
    for i in 0..100 {
        let payload = i.to_string();
        producer
            .send(BaseRecord::<str, str>::to("t").partition(0).payload(&payload))
            .map_err(|(e, _)| e)
            .expect("queued");
    }
    producer.flush(PATIENCE).expect("delivered");
    // SAFETY: as above.
    unsafe { sys::rd_kafka_mock_start_request_tracking(mock) };
    let tap = KafkaTap::open(&KafkaConfig::new(brokers, "t")).expect("opens");
    assert_eq!(read(&tap, &whole(&tap)).0.len(), 100);
    let following = Following::start(tap, &[(0, 0)]);
    following.until("the last message", |told| *told == Told::Message(0, 99));
    let tap = following.stop();
    assert_eq!((tap.ends().expect("told").len(), tap.grown().expect("told").len()), (4, 0));
    drop(tap);
    let mut asked = BTreeMap::new();
    // SAFETY: as above; the array and its requests are freed by the matching call.
    unsafe {
        let mut count = 0;
        let requests = sys::rd_kafka_mock_get_requests(mock, &mut count);
        for request in std::slice::from_raw_parts(requests, count) {
            *asked.entry(sys::rd_kafka_mock_request_api_key(*request)).or_insert(0) += 1;
        }
        sys::rd_kafka_mock_request_destroy_array(requests, count);
    }
    // Fetch, ListOffsets, Metadata, FindCoordinator, ApiVersions (Kafka protocol guide, "Api Keys").
    let harmless = [1, 2, 3, 10, 18];
    assert!(asked.contains_key(&1), "{asked:?}");
    assert!(asked.keys().all(|key| harmless.contains(&i32::from(*key))), "{asked:?}");
}

#[test]
fn two_thousand_partitions_are_opened_and_read_within_seconds() {
    const PARTITIONS: i32 = 2_000;
    let cluster = Cluster::new(&[("wide", PARTITIONS)]);
    for partition in 0..PARTITIONS {
        let payload = partition.to_string();
        let record = BaseRecord::<str, str>::to("wide").partition(partition).timestamp(1_000).payload(&payload);
        cluster.producer.send(record).map_err(|(error, _)| error).expect("queued");
    }
    cluster.producer.flush(PATIENCE).expect("delivered");
    let tap = KafkaTap::open(&cluster.config("wide")).expect("opens");
    let (got, end) = read(&tap, &whole(&tap));
    let expected: Got = (0..PARTITIONS as u32).map(|partition| (partition, 0, partition.to_string())).collect();
    assert_eq!(got, expected);
    assert!(positions(&end).iter().all(|end| *end == (1, None)), "{:?}", positions(&end));
}

//! Writing to a repair topic of a mock cluster: every part of a message comes through, in order, and a source is refused.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use validator_core::position::{PartitionIndex, TopicPartition};
use validator_tap::{
    Header, KafkaConfig, KafkaTap, Message, NoHeaders, Republisher, SOURCE_HEADERS, Tap, TapError, with_source,
};

use crate::kafka::Cluster;
use crate::support::one;

fn sources() -> BTreeSet<String> {
    ["trades".to_owned()].into()
}

fn message<'a>(offset: i64, key: Option<&'a [u8]>, payload: Option<&'a [u8]>) -> Message<'a> {
    let partition = PartitionIndex(0);
    Message { partition, offset, timestamp_ms: Some(1_000 + offset), key, payload, lazy_headers: &NoHeaders }
}

#[test]
fn every_part_of_a_message_is_written_and_its_source_named() {
    let cluster = Cluster::new(&[("trades", 3), ("repair", 2)]);
    let config = cluster.config("repair");
    let republisher = Republisher::open(&config, 2, &sources()).expect("it is no source");
    let tp = |partition| TopicPartition { topic: "trades".to_owned(), partition };
    let own: Vec<Header> = vec![("h".into(), Some(b"v".to_vec())), ("h".into(), None), ("e".into(), Some(Vec::new()))];
    let sent = [
        (tp(0), message(5, None, None)),
        (tp(0), message(6, Some(b""), Some(b""))),
        (tp(2), message(7, Some(b"k"), Some(b"\0\xff"))),
        (tp(1), message(8, Some(b"k"), Some(b"other partition"))),
    ];
    for (tp, message) in &sent {
        let headers = with_source(own.clone(), tp, message.offset);
        republisher.send(tp, message, &headers).expect("queued");
    }
    assert_eq!(republisher.finish().expect("acknowledged"), [(0, 0), (0, 1), (0, 2), (1, 0)]);

    let tap = KafkaTap::open(&config).expect("opens");
    let mut found = Vec::new();
    tap.read(&[(PartitionIndex(0), one(0..3)), (PartitionIndex(1), one(0..1))], &mut |m| {
        let parts = (m.timestamp_ms, m.key.map(<[u8]>::to_vec), m.payload.map(<[u8]>::to_vec), m.headers());
        found.push((m.partition.0, m.offset, parts));
        ControlFlow::Continue(())
    })
    .expect("reads");
    found.sort();
    let expected = sent.iter().map(|(tp, m)| {
        let headers = with_source(own.clone(), tp, m.offset);
        (m.timestamp_ms, m.key.map(<[u8]>::to_vec), m.payload.map(<[u8]>::to_vec), headers)
    });
    assert_eq!(found.into_iter().map(|(_, _, parts)| parts).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let names: Vec<String> = with_source(Vec::new(), &tp(2), 7).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, SOURCE_HEADERS);
}

#[test]
fn a_source_a_reserved_property_and_what_cannot_be_written_are_refused() {
    let cluster = Cluster::new(&[("trades", 1), ("repair", 1)]);
    let refused = Republisher::open(&cluster.config("trades"), 1, &sources()).map(|_| ());
    assert!(matches!(&refused, Err(TapError::WritesToSource { topic }) if topic == "trades"), "{refused:?}");
    let mut config = cluster.config("repair");
    config.properties.insert("group.id".to_owned(), "production".to_owned());
    let refused = Republisher::open(&config, 1, &sources()).map(|_| ());
    assert!(matches!(&refused, Err(TapError::ReservedProperty { .. })), "{refused:?}");

    let republisher = Republisher::open(&cluster.config("repair"), 1, &sources()).expect("it is no source");
    let tp = TopicPartition { topic: "trades".to_owned(), partition: 0 };
    let unreadable = vec![("\u{fffd}".to_owned(), None)];
    let refused = republisher.send(&tp, &message(3, None, None), &unreadable);
    assert!(matches!(&refused, Err(TapError::NotWritten { offset: 3, .. })), "{refused:?}");
}

#[test]
fn what_no_broker_acknowledges_is_an_error() {
    let cluster = Cluster::new(&[("repair", 1)]);
    let mut config: KafkaConfig = cluster.config("repair");
    config.stall_timeout = std::time::Duration::from_secs(2);
    let republisher = Republisher::open(&config, 1, &sources()).expect("it is no source");
    cluster.mock.broker_down(1).expect("down");
    let tp = TopicPartition { topic: "trades".to_owned(), partition: 0 };
    republisher.send(&tp, &message(3, None, Some(b"x")), &[]).expect("queued");
    let failed = republisher.finish();
    assert!(matches!(&failed, Err(TapError::NotWritten { offset: 3, .. })), "{failed:?}");
}

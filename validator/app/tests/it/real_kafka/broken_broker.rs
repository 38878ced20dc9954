//! A broker that dies in mid-range: what was read counts, the rest was not looked at, and nobody says that it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fixtures_harness::{Isolation, KafkaCluster, KafkaOptions, Producer, Record, TopicSpec, producer_config};
use fixtures_kit::value::Value;
use validator_core::figures::Outcome;

use super::facts::{counts, findings, summary};
use super::good;
use super::proxy::Proxy;
use super::stage::Stage;
use super::trades::{self, columns, pipeline, row, table};

/// Messages of each of the two partitions, of at least [`PADDING`] bytes each.
const MESSAGES: i64 = 20_000;
const PADDING: usize = 400;
/// More than the first answer to a fetch has (4 MiB a partition), and less than what is there.
const BUDGET_BYTES: i64 = 12_000_000;
/// The reader's patience with a silent broker is two minutes; nothing else may take long.
const ENDED_WITHIN: Duration = Duration::from_secs(240);

/// A cluster behind a proxy, a topic `long` of two partitions in it, and a table of all its messages.
fn behind_proxy() -> (Arc<KafkaCluster>, Proxy, Stage) {
    let proxy = Proxy::start();
    let advertised = ("advertised.listeners".to_owned(), format!("PLAINTEXT://{}", proxy.address()));
    let cluster = good(KafkaCluster::start(&KafkaOptions { properties: vec![advertised] }));
    proxy.lead_to(cluster.bootstrap());
    good(cluster.create_topic(&TopicSpec::new("long", 2)));
    let producer = good(Producer::connect(&producer_config(&cluster)));
    let blanks = " ".repeat(PADDING);
    for id in 0..2 * MESSAGES {
        let mut payload = trades::payload(id);
        payload.extend_from_slice(blanks.as_bytes());
        good(producer.send("long", &Record::new((id % 2) as i32, None, Some(&payload))));
    }
    good(producer.flush());
    let ends = [0, 1].map(|partition| good(cluster.watermarks("long", partition, Isolation::Committed)));
    assert_eq!(ends, [(0, MESSAGES); 2]);
    let rows = |ids: std::ops::Range<i64>| -> Vec<Vec<Value>> {
        ids.map(|id| row("long", (id % 2) as i32, id / 2, id)).collect()
    };
    let stage = Stage::new().with_kafka(&cluster);
    stage.write(&table(columns(), vec![rows(0..MESSAGES), rows(MESSAGES..2 * MESSAGES)]));
    (Arc::new(cluster), proxy, stage)
}

#[test]
fn a_broker_killed_in_mid_range_ends_the_range_and_the_answer_is_never_holds() {
    let (cluster, proxy, stage) = behind_proxy();
    let victim = Arc::clone(&cluster);
    proxy.cut_after(BUDGET_BYTES, move || {
        victim.kill();
        false
    });
    let started = Instant::now();
    let answer = stage.judge(&pipeline("long"));
    let elapsed = started.elapsed();
    assert_eq!(cluster.broker_id(), None, "it was killed while it was read");
    println!("a run over a broker that died took {elapsed:?}");
    assert!(elapsed < ENDED_WITHIN, "{elapsed:?}");

    let report = &answer.report;
    assert_eq!((report.outcome, report.complete), (Outcome::Unjudged, false));
    assert_eq!(findings(&answer), [""; 0]);
    let mut read = 0;
    for partition in &report.partitions {
        assert!((0..MESSAGES).contains(&partition.to), "{partition:?}");
        let to = partition.to;
        let expected = if to > 0 { format!("consumed {to}, intact {to}") } else { String::new() };
        assert_eq!(counts(&partition.messages), expected, "no offset is counted that was not read");
        let told = format!("{}[{}] could be read only up to offset {to}", partition.topic, partition.partition);
        assert!(report.warnings.iter().any(|warning| warning.starts_with(&told)), "{told}: {:?}", report.warnings);
        read += to;
    }
    assert!(read > 0, "something was read before the end");
    let beyond = 2 * MESSAGES - read;
    assert_eq!(counts(&report.messages), format!("consumed {read}, intact {read}"));
    assert_eq!(counts(&report.rows), format!("intact {read}, out_of_scope {beyond}, total {read}"));
}

#[test]
fn a_broker_that_comes_back_in_time_costs_nothing_but_time() {
    let (cluster, proxy, stage) = behind_proxy();
    let victim = Arc::clone(&cluster);
    let killed = Arc::new(AtomicBool::new(false));
    let was_killed = Arc::clone(&killed);
    proxy.cut_after(BUDGET_BYTES, move || {
        was_killed.store(true, Ordering::SeqCst);
        good(victim.restart());
        true
    });
    let answer = stage.judge(&pipeline("long"));
    assert!(killed.load(Ordering::SeqCst), "it was killed while it was read");
    let all = 2 * MESSAGES;
    assert_eq!(summary(&answer), format!("holds | consumed {all}, intact {all} | intact {all}, total {all}"));
    assert_eq!(findings(&answer), [""; 0]);
}

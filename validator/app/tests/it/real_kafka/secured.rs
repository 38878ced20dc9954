//! Brokers that want SASL/SCRAM over TLS: the client's settings of `[kafka.properties]` reach them, and what they refuse is
//! told within the time that brokers are given, without the password.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use fixtures_harness::{KafkaCluster, KafkaOptions, Producer, Record, TopicSpec, producer_config};
use fixtures_kit::value::Value;

use super::good;
use super::stage::Stage;
use super::trades::{self, PRICE, columns, pipeline, row, table, with};
use crate::transcript::Ran;

const RECONCILE: &str = "reconcile pipeline.toml";
const TOPIC: &str = "secured";
const MESSAGES: i64 = 12;
const USER: &str = "auditor";
const PASSWORD: &str = "open-sesame-5417";
const WRONG_PASSWORD: &str = "open-barley-7145";
/// Brokers are given half a minute; the rest is for a loaded machine.
const TOLD_WITHIN: Duration = Duration::from_secs(120);

/// One cluster for all tests of this file, its topic full.
fn cluster() -> &'static KafkaCluster {
    static CLUSTER: LazyLock<KafkaCluster> = LazyLock::new(|| {
        let cluster = good(KafkaCluster::start_secured(&KafkaOptions::default(), &[(USER, PASSWORD)]));
        good(cluster.create_topic(&TopicSpec::new(TOPIC, 1)));
        let payloads: Vec<Vec<u8>> = (0..MESSAGES).map(trades::payload).collect();
        let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
        good(good(Producer::connect(&producer_config(&cluster))).produce(TOPIC, &records));
        cluster
    });
    &CLUSTER
}

/// A stage over the secured listener, of whose messages the table has these rows.
fn stage(authority: &std::path::Path, rows: Vec<Vec<Value>>) -> Stage {
    let secured = cluster().secured();
    let stage = Stage::new().with_service(&format!(
        "[kafka]\nbrokers = {:?}\n[kafka.properties]\n\"security.protocol\" = \"SASL_SSL\"\n\
         \"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\"sasl.username\" = {USER:?}\n\
         \"sasl.password\" = \"${{KAFKA_PASSWORD}}\"\n\"ssl.ca.location\" = \"{}\"\n",
        secured.bootstrap(),
        authority.display(),
    ));
    stage.write(&table(columns(), vec![rows]));
    stage
}

fn rows() -> Vec<Vec<Value>> {
    (0..MESSAGES).map(|id| row(TOPIC, 0, id, id)).collect()
}

/// A run that the brokers refuse: how long it took, and what was told.
fn refused(stage: &Stage, password: &str) -> String {
    let begun = Instant::now();
    let Ran { exit, stdout, stderr } = stage.run(&pipeline(TOPIC), RECONCILE, &[("KAFKA_PASSWORD", password)]);
    let elapsed = begun.elapsed();
    println!("{elapsed:?}\n{stderr}");
    assert!(elapsed < TOLD_WITHIN, "{elapsed:?}");
    assert_eq!((exit, stdout.as_str()), (3, ""), "{stderr}");
    for secret in [PASSWORD, WRONG_PASSWORD] {
        assert!(!stderr.contains(secret), "{stderr}");
    }
    // The page is as wide as the terminal; the words are the same.
    stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_right_password_and_authority_are_let_in_and_the_verdict_is_that_of_any_broker() {
    let authority = cluster().secured().authority();
    let sound = stage(&authority, rows());
    let ran = sound.run(&pipeline(TOPIC), RECONCILE, &[("KAFKA_PASSWORD", PASSWORD)]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{}", ran.all());
    assert!(ran.stdout.starts_with("HOLDS  trades\n"), "{}", ran.all());
    assert!(!ran.stdout.contains(PASSWORD));

    let mut damaged = rows();
    damaged[7] = with(damaged[7].clone(), PRICE, Value::decimal(1, 8));
    let ran = stage(&authority, damaged).run(&pipeline(TOPIC), RECONCILE, &[("KAFKA_PASSWORD", PASSWORD)]);
    assert_eq!(ran.exit, 1, "{}", ran.all());
    assert!(ran.stdout.contains("secured[0]@7") && !ran.all().contains(PASSWORD), "{}", ran.all());
}

#[test]
fn a_wrong_password_is_told_in_time_and_never_printed() {
    let told = refused(&stage(&cluster().secured().authority(), rows()), WRONG_PASSWORD);
    assert!(told.contains("SASL authentication error: Authentication failed"), "{told}");
    assert!(told.contains("invalid credentials with SASL mechanism SCRAM-SHA-512"), "{told}");
}

#[test]
fn brokers_signed_by_another_authority_are_not_trusted() {
    let told = refused(&stage(&cluster().secured().other_authority(), rows()), PASSWORD);
    assert!(told.contains("certificate verify failed"), "{told}");
}

#[test]
fn an_authority_that_is_not_there_is_named() {
    let stage = stage(std::path::Path::new("no/such/ca.pem"), rows());
    let ran = stage.run(&pipeline(TOPIC), RECONCILE, &[("KAFKA_PASSWORD", PASSWORD)]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{}", ran.all());
    assert!(ran.stderr.contains("ssl.ca.location") && !ran.stderr.contains(PASSWORD), "{}", ran.all());
}

//! A broker with an authorizer, and users who may do what the guide says, and less.

use std::sync::LazyLock;

use fixtures_harness::{
    Isolation, KafkaCluster, KafkaOptions, Producer, Record, TopicRight, TopicSpec, TransactionEnd, producer_config,
};
use fixtures_kit::value::Value;
use serde_json::Value as Json;

use super::{assert_could_not_look, block};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;
use crate::real_kafka::trades::{self, columns, pipeline, row, table};
use crate::transcript::Ran;

pub const TOPIC: &str = "market.crypto.trades";
/// What `replay --yes` writes to.
const REPAIR: &str = "repair.market.crypto.trades";
pub const PASSWORD: &str = "open-sesame-5417";
/// Each with the rights of the guide that it lacks.
const USERS: [(&str, &[TopicRight]); 5] = [
    ("all", &[]),
    ("without-describe", &[TopicRight::Describe]),
    ("without-configs", &[TopicRight::DescribeConfigs]),
    ("without-read", &[TopicRight::Read]),
    ("none", &[TopicRight::Describe, TopicRight::Read, TopicRight::DescribeConfigs]),
];

/// The rights in the guide's command.
pub fn rights() -> Vec<TopicRight> {
    rights_on(TOPIC)
}

fn rights_on(topic: &str) -> Vec<TopicRight> {
    let command = block("console", &format!("--topic {topic}"));
    assert!(command.contains("kafka-acls"), "{command}");
    let words = command.split("--operation ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    words.map(|word| TopicRight::from_word(word).unwrap_or_else(|| panic!("{word}"))).collect()
}

/// A cluster, and where its messages lie: eight, and behind them an aborted one, so that there are holes to explain.
struct Guarded {
    cluster: KafkaCluster,
    rows: Vec<Vec<Value>>,
}

fn guarded() -> &'static Guarded {
    static GUARDED: LazyLock<Guarded> = LazyLock::new(|| {
        let users = USERS.map(|(name, _)| (name, PASSWORD));
        let cluster = good(KafkaCluster::start_secured(&KafkaOptions::default().with_authorizer(), &users));
        good(cluster.create_topic(&TopicSpec::new(TOPIC, 1)));
        good(cluster.create_topic(&TopicSpec::new(REPAIR, 1)));
        let payloads: Vec<Vec<u8>> = (0..9).map(trades::payload).collect();
        let records: Vec<Record<'_>> = payloads.iter().map(|payload| Record::new(0, None, Some(payload))).collect();
        let producer = good(Producer::transactional(&cluster, TOPIC));
        let mut placed = good(producer.transaction(TOPIC, &records[..7], TransactionEnd::Commit));
        good(producer.transaction(TOPIC, &records[7..8], TransactionEnd::Abort));
        let plain = good(Producer::connect(&producer_config(&cluster)));
        placed.extend(good(plain.produce(TOPIC, &records[8..])));
        good(cluster.await_stable(TOPIC, 0, 11));
        let rights = rights();
        for (user, lacks) in USERS {
            let granted: Vec<TopicRight> = rights.iter().copied().filter(|right| !lacks.contains(right)).collect();
            if !granted.is_empty() {
                good(cluster.grant(user, TOPIC, &granted));
            }
        }
        let ids = (0..7).chain([8]);
        let rows = placed.iter().zip(ids).map(|(at, id)| row(TOPIC, at.partition, at.offset, id)).collect();
        Guarded { cluster, rows }
    });
    &GUARDED
}

/// A stage whose messages are read by that user.
fn stage(user: &str) -> Stage {
    stage_of(user, &guarded().rows)
}

/// The same of a table of these rows.
fn stage_of(user: &str, rows: &[Vec<Value>]) -> Stage {
    let secured = guarded().cluster.secured();
    let stage = Stage::new().with_service(&format!(
        "[kafka]\nbrokers = {:?}\n[kafka.properties]\n\"security.protocol\" = \"SASL_SSL\"\n\
         \"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\"sasl.username\" = {user:?}\n\
         \"sasl.password\" = \"${{KAFKA_PASSWORD}}\"\n\"ssl.ca.location\" = \"{}\"\n",
        secured.bootstrap(),
        secured.authority().display(),
    ));
    stage.write(&table(columns(), vec![rows.to_vec()]));
    stage
}

fn run(stage: &Stage, words: &str) -> Ran {
    let ran = stage.run(&pipeline(TOPIC), words, &[("KAFKA_PASSWORD", PASSWORD)]);
    println!("{words}\n{}", ran.all());
    ran
}

const CHECK: &str = "check pipeline.toml";
const RECONCILE: &str = "reconcile pipeline.toml --report report.json";
const INIT: &str = "init --topic market.crypto.trades --table lake.market.trades --output made.toml";

fn sql(stage: &Stage) -> Ran {
    let query = "SELECT count(*) AS n FROM kafka.\"market.crypto.trades\"";
    let words = ["sql", "--format", "csv", query];
    crate::transcript::run_arguments(stage.folder(), &words, &[("KAFKA_PASSWORD", PASSWORD)]).assert_no_panic()
}

/// Messages consumed, and the reasons of holes.
type Seen = (u64, Vec<String>);

fn seen(stage: &Stage) -> Seen {
    let text = std::fs::read_to_string(stage.folder().join("report.json")).expect("the run wrote it");
    let report: Json = serde_json::from_str(&text).expect("a report is JSON");
    let holes = report["partitions"][0]["holes"].as_array().expect("a partition has holes");
    let reasons = holes.iter().map(|hole| hole["reason"].as_str().expect("each has a reason").to_owned()).collect();
    (report["messages"]["consumed"].as_u64().expect("a number"), reasons)
}

fn explained() -> Seen {
    (8, ["control", "aborted", "control"].map(str::to_owned).to_vec())
}

/// Every command ends as with all rights.
fn works(user: &str) -> Seen {
    let stage = stage(user);
    for words in [CHECK, RECONCILE, INIT] {
        let ran = run(&stage, words);
        assert_eq!(ran.exit, 0, "{user}: {words}\n{}", ran.all());
    }
    let asked = sql(&stage);
    assert_eq!((asked.exit, asked.stdout.as_str()), (0, "n\n8\n"), "{user}\n{}", asked.all());
    seen(&stage)
}

#[test]
fn the_rights_of_the_guide_are_enough_for_every_command() {
    assert_eq!(works("all"), explained());
    // Nobody has joined a group or committed: the topic of offsets is not even made.
    let groups = guarded().cluster.read_all("__consumer_offsets", Isolation::Uncommitted);
    assert!(groups.is_err() || groups.is_ok_and(|records| records.is_empty()));
}

#[test]
fn who_may_read_may_describe() {
    assert_eq!(works("without-describe"), explained());
}

#[test]
fn without_the_right_to_see_the_policy_holes_have_no_reason_and_all_else_is_as_before() {
    assert_eq!(works("without-configs"), (8, ["unknown", "aborted", "unknown"].map(str::to_owned).to_vec()));
}

#[test]
fn without_the_right_to_read_nothing_is_judged_and_the_right_is_named() {
    let stage = stage("without-read");
    for words in [CHECK, "reconcile pipeline.toml", INIT] {
        let ran = run(&stage, words);
        assert_could_not_look(&ran, &[TOPIC, "no right to READ"]);
    }
    let asked = sql(&stage);
    println!("{}", asked.all());
    assert_could_not_look(&asked, &[TOPIC, "no right to READ"]);
    assert!(!stage.folder().join("made.toml").exists());
}

#[test]
fn without_any_right_the_topic_and_what_is_needed_are_named() {
    let stage = stage("none");
    for words in [CHECK, RECONCILE, INIT] {
        let ran = run(&stage, words);
        assert_could_not_look(&ran, &[TOPIC, "no right to DESCRIBE", "DESCRIBE and READ"]);
        assert!(!stage.folder().join("report.json").exists());
    }
    let asked = sql(&stage);
    println!("{}", asked.all());
    assert_could_not_look(&asked, &[TOPIC, "no right to DESCRIBE"]);
}

/// A stage whose table lacks a row, and the findings of it.
fn lost(user: &str) -> Stage {
    let stage = stage_of(user, &guarded().rows[1..]);
    let found = run(&stage, "reconcile pipeline.toml --findings found.jsonl");
    assert_eq!(found.exit, 1, "{}", found.all());
    stage
}

const REPLAY: &str = "replay pipeline.toml --findings found.jsonl --to repair.market.crypto.trades";

#[test]
fn a_replay_writes_with_the_rights_of_the_guide_and_names_the_one_it_lacks() {
    let stage = lost("all");
    let cluster = &guarded().cluster;
    let rights = rights_on(REPAIR);
    assert_eq!(rights, [TopicRight::Write, TopicRight::Read]);
    // What would be written is said without any right there.
    assert_eq!(run(&stage, REPLAY).exit, 0);
    let write = format!("{REPLAY} --yes");
    assert_could_not_look(&run(&stage, &write), &[REPAIR]);
    good(cluster.grant("all", REPAIR, &[TopicRight::Read]));
    let refused = run(&stage, &write);
    assert_could_not_look(&refused, &[REPAIR, "WRITE"]);
    assert_eq!(good(cluster.read_all(REPAIR, Isolation::Uncommitted)).len(), 0);
    good(cluster.grant("all", REPAIR, &rights));
    let written = run(&stage, &write);
    assert_eq!(written.exit, 0, "{}", written.all());
    assert_eq!(good(cluster.read_all(REPAIR, Isolation::Uncommitted)).len(), 1);
}

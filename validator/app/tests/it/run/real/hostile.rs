//! Hostile text in values: what the ledger's commands say of it is harmless, and a check and a dry run too.

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};
use fixtures_kit::value::Value;
use serde_json::json;

use super::super::service::run_until_idle;
use super::scene::{PIPELINE, Scene};
use crate::real_kafka::good;
use crate::real_kafka::trades::{row, with};
use crate::transcript;

/// Place of the column that holds text.
const VENUE: usize = 5;
const HOSTILE: [&str; 6] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m",
    "\u{202e}gpj.exe\u{2066}\u{200f}\u{200b}\u{feff}",
    "\u{1}\u{8}\u{b}\u{c}\u{e}\u{1f}\u{7f}\u{ffff}",
    "=cmd|' /C calc'!A0",
    "'; rm -rf / #\n$(id) `id`\r\n",
    "<script>alert(1)</script>",
];

fn is_hostile(c: char) -> bool {
    c != '\n' && validator_app::render::is_hostile(c)
}

#[test]
fn the_ledgers_commands_say_hostile_values_harmlessly() {
    let (cluster, topic) = (kafka_cluster(), unique_name("run-hostile"));
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let payload = |(id, text): (i64, &&str)| json!({"id": id, "price": "1.5", "venue": text}).to_string();
    let payloads: Vec<String> = (0..).zip(&HOSTILE).map(payload).collect();
    let records: Vec<Record<'_>> = payloads.iter().map(|text| Record::new(0, None, Some(text.as_bytes()))).collect();
    good(good(Producer::connect(&producer_config(cluster))).produce(&topic, &records));
    let mut scene = Scene::of(cluster, &topic);
    // Each row has another text, and one message has none.
    let damaged = |(id, text): (i64, &&str)| {
        let row = with(row(&topic, 0, id, id), VENUE, Value::text(format!("{text}{text}")));
        with(row, VENUE - 1, Value::decimal(150_000_000, 8))
    };
    scene.land_rows((0..).zip(&HOSTILE[1..]).map(|(id, text)| damaged((id + 1, text))).collect());
    run_until_idle(scene.folder());
    let rest = scene.told();
    assert_eq!(rest.report["messages"]["corrupted"], 5, "{:?}", rest.report["messages"]);
    assert_eq!(rest.findings.len(), 6, "{:?}", rest.findings);
    let ids = rest.findings.iter().map(|finding| finding["id"].as_str().expect("each has an id"));
    let explained = ids.flat_map(|id| ["text", "json"].map(|format| format!("explain {id} --format {format}")));
    let others = [
        "report",
        "report --format json",
        "findings",
        "findings --format jsonl",
        &format!("replay-plan {PIPELINE}"),
        &format!("replay-plan {PIPELINE} --format json"),
        &format!("replay-plan {PIPELINE} --format commands"),
        "ledger verify",
        "check --explain",
        &format!("reconcile {PIPELINE}"),
    ]
    .map(str::to_owned);
    let mut told = String::new();
    for words in explained.chain(others) {
        let ran = transcript::run(scene.folder(), &words, &[]).assert_no_panic();
        assert!([0, 1].contains(&ran.exit), "{words}: {}", ran.all());
        for text in [&ran.stdout, &ran.stderr] {
            assert_eq!(text.chars().find(|c| is_hostile(*c)), None, "{words}");
        }
        if words.contains("commands") {
            // A shell that reads the script runs nothing of it.
            let commands: Vec<&str> = ran.stdout.lines().filter(|line| line.trim_start().starts_with("rm ")).collect();
            assert_eq!(commands, [""; 0], "{}", ran.stdout);
        }
        told += &ran.stdout;
    }
    for text in ["gpj.exe", "calc", "alert(1)"] {
        assert!(told.contains(text), "{text} is told");
    }
}

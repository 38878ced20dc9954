//! Terminals of 40 columns: `init` beside real sides, `run`, and every command of its ledger.

use fixtures_harness::{TopicSpec, kafka_cluster, unique_name};
use fixtures_kit::value::Value;

use super::super::service::run_until_idle;
use super::scene::{PIPELINE, Scene, send, straight};
use crate::real_kafka::good;
use crate::real_kafka::trades::{row, with};
use crate::terminal::{kept_to_forty, seen_at};

const MESSAGES: i64 = 60;
/// One is lost, one has another price, and one is there twice.
const LOST: i64 = 7;
const DAMAGED: i64 = 9;
const TWICE: i64 = 11;

#[test]
fn what_init_and_the_ledger_say_keeps_to_forty_columns() {
    let (cluster, topic) = (kafka_cluster(), unique_name("narrow"));
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    send(cluster, &topic, 0, 0..MESSAGES);
    let mut scene = Scene::of(cluster, &topic);
    let folder = scene.folder().to_owned();
    let init = format!("init -c validator.toml --topic {topic} --table lake.market.trades --output made.toml");

    // Nothing to prove yet, then a sample with damage in it.
    assert_ne!(kept_to_forty(&folder, &init).0, 0);
    let sound: Vec<_> =
        straight(0, 0..MESSAGES).into_iter().filter(|(_, at, _)| ![LOST, DAMAGED].contains(at)).collect();
    scene.land(&sound);
    scene.land_rows(vec![
        with(row(&topic, 0, DAMAGED, DAMAGED), 4, Value::decimal(150_000_000, 8)),
        row(&topic, 0, TWICE, TWICE),
    ]);
    let (exit, said) = kept_to_forty(&folder, &format!("{init} --force"));
    assert_eq!(exit, 1, "{said}");
    assert!(folder.join("made.toml").exists());

    // The log of a run is for those who collect it: its lines are as long as they are.
    let (exit, log) = seen_at(40, &folder, "run -c validator.toml --until-idle 1s", &[("NO_COLOR", "1")]);
    assert!([0, 1, 3].contains(&exit) && !log.contains('\u{1b}'), "{log}");
    run_until_idle(&folder);
    let rest = scene.told();
    assert_eq!(rest.findings.len(), 3, "{:?}", rest.findings);
    let ids: Vec<&str> = rest.findings.iter().map(|finding| finding["id"].as_str().expect("each has an id")).collect();
    for words in [
        "report",
        "findings",
        "findings --all",
        "ledger verify",
        "ledger --help",
        "explain nothing-of-that-id",
        "report --pipeline nobody",
        &format!("explain {}", ids[0]),
        &format!("explain {}", ids[1]),
        &format!("explain {}", ids[2]),
        &format!("findings acknowledge {}", ids[0]),
        &format!("findings ignore {} --reason known --until 30d", ids[1]),
        &format!("replay-plan {PIPELINE}"),
        &format!("replay {PIPELINE} --to repaired"),
        &format!("reconcile {PIPELINE} --quiet"),
        &format!("check {PIPELINE} --explain"),
    ] {
        kept_to_forty(&folder, words);
    }
}

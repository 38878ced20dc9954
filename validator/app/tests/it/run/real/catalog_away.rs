//! A real REST catalog that is killed and comes back, or answers with what it had replaced: what cannot be looked at is not judged.

use fixtures_harness::{RestCatalog, TopicSpec, kafka_cluster, unique_name};

use super::gate::Gate;
use super::running::now_ms;
use super::scene::{SETTLE_MS, Scene, send, straight};
use crate::real_kafka::good;

const TABLE: &str = "market.trades";

/// A topic, and a table in that catalog.
fn scene(stem: &str, uri: &str) -> Scene {
    let cluster = kafka_cluster();
    let topic = unique_name(stem);
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    Scene::of(cluster, &topic).with_width(2).with_sections(|sections, _| {
        let (kafka, _) = sections.split_once("[catalogs").expect("it has a catalog");
        format!("{kafka}[catalogs.lake]\ntype = \"rest\"\nuri = {uri:?}\n")
    })
}

/// A metadata file that changes nothing but the moment of this one, which it follows.
fn goes_on(location: &str) -> String {
    let text = std::fs::read_to_string(location.trim_start_matches("file://")).expect("a metadata file");
    let mut metadata: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    metadata["last-updated-ms"] = now_ms().into();
    let next = location.replace(".metadata.json", "-restored.metadata.json");
    std::fs::write(next.trim_start_matches("file://"), metadata.to_string()).expect("the folder takes files");
    next
}

#[test]
fn a_catalog_that_answers_with_what_it_had_replaced_is_not_believed() {
    let catalog = good(RestCatalog::on_disk());
    good(catalog.create_namespace("market"));
    let mut scene = scene("run-stale", catalog.uri());
    send(kafka_cluster(), scene.topic(), 0, 0..20);
    scene.land(&straight(0, 0..10));
    let older = scene.live().metadata_location().to_owned();
    scene.land(&straight(0, 10..20));
    let newer = scene.live().metadata_location().to_owned();
    good(catalog.register(TABLE, &newer));
    let mut running = scene.start();
    running.until("all of them", |status| status["messages"]["intact"] == 20);
    let log = scene.join("run.log");
    let is_told = || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("metadata that it had replaced"));
    let as_before = |status: &serde_json::Value| {
        let counts = ["intact", "missing", "overdue", "withdrawn"].map(|key| status["messages"][key].as_u64());
        assert_eq!(counts, [20, 0, 0, 0].map(Some), "{status}");
    };

    good(catalog.register(TABLE, &older));
    as_before(&running.until_it_cannot_judge("the catalog"));
    assert!(is_told());
    // One who starts while it does so has the ledger alone to know it by.
    running.stop();
    let mut running = scene.start();
    as_before(&running.until_it_cannot_judge("the catalog"));
    assert!(is_told(), "the log is that of the new process");
    good(catalog.register(TABLE, &newer));
    as_before(&running.until_it_recovers("a catalog that told of the past"));

    // Registered from the older file for good: the next file that is written says so, and the rows are gone.
    good(catalog.register(TABLE, &older));
    as_before(&running.until_it_cannot_judge("the catalog"));
    good(catalog.register(TABLE, &goes_on(&older)));
    let status = running.until("the table as it is", |status| status["messages"]["withdrawn"] == 10);
    assert_eq!((&status["messages"]["intact"], &status["state"]), (&10.into(), &"healthy".into()), "{status}");
    running.stop();
}

#[test]
fn a_catalog_that_is_killed_is_not_judged_without_and_is_looked_at_again_by_itself() {
    let cluster = kafka_cluster();
    let mut catalog = good(RestCatalog::on_disk());
    good(catalog.create_namespace("market"));
    let server = |catalog: &RestCatalog| catalog.uri().trim_start_matches("http://").to_owned();
    let gate = Gate::to(&server(&catalog));
    let uri = format!("http://{}", gate.address());
    let mut scene = scene("run-catalog", &uri);
    let topic = scene.topic().to_owned();
    send(cluster, &topic, 0, 0..10);
    scene.land(&straight(0, 0..10));
    good(catalog.register(TABLE, scene.live().metadata_location()));
    let mut running = scene.start();
    running.until("all of them", |status| status["messages"]["intact"] == 10);

    catalog.kill();
    let away_ms = now_ms();
    running.until_it_cannot_judge("the catalog");
    // Messages come and become due, and their rows are there; nobody can see them.
    send(cluster, &topic, 0, 10..20);
    scene.land(&straight(0, 10..20));
    let status = running.until("messages, long after they were due", |status| {
        status["messages"]["consumed"] == 20 && now_ms() > away_ms + 2 * SETTLE_MS
    });
    assert_eq!(status["state"], "cannot_judge", "{status}");
    let counts = ["intact", "pending", "missing", "overdue"].map(|key| status["messages"][key].as_u64());
    assert_eq!(counts, [10, 10, 0, 0].map(Some), "{status}");
    let report = running.until_report("a checkpoint of them", |report| report["messages"]["consumed"] == 20);
    assert_eq!((&report["outcome"], &report["complete"]), (&"unjudged".into(), &false.into()), "{report}");

    good(catalog.restart());
    good(catalog.register(TABLE, scene.live().metadata_location()));
    gate.lead_to(Some(&server(&catalog)));
    let status = running.until_it_recovers("a catalog that was killed");
    assert_eq!((&status["messages"]["intact"], &status["restarts"]), (&20.into(), &0.into()), "{status}");
    running.stop();
    assert_eq!(scene.at_rest().summary(), "holds | consumed 20, intact 20 | intact 20, total 20");
}

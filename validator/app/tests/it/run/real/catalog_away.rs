//! A real REST catalog that is killed and comes back: what cannot be looked at is not judged.

use fixtures_harness::{RestCatalog, TopicSpec, kafka_cluster, unique_name};

use super::gate::Gate;
use super::running::now_ms;
use super::scene::{SETTLE_MS, Scene, send, straight};
use crate::real_kafka::good;

const TABLE: &str = "market.trades";

#[test]
fn a_catalog_that_is_killed_is_not_judged_without_and_is_looked_at_again_by_itself() {
    let cluster = kafka_cluster();
    let topic = unique_name("run-catalog");
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    let mut catalog = good(RestCatalog::on_disk());
    good(catalog.create_namespace("market"));
    let server = |catalog: &RestCatalog| catalog.uri().trim_start_matches("http://").to_owned();
    let gate = Gate::to(&server(&catalog));
    let uri = format!("http://{}", gate.address());
    let mut scene = Scene::of(cluster, &topic).with_width(2).with_sections(|sections, _| {
        let (kafka, _) = sections.split_once("[catalogs").expect("it has a catalog");
        format!("{kafka}[catalogs.lake]\ntype = \"rest\"\nuri = {uri:?}\n")
    });
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

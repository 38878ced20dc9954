//! docs/guide/least-privilege.md, held against a real PostgreSQL: who keeps a ledger, who only asks, and who may do neither.

use fixtures_harness::{Postgres, TopicSpec, kafka_cluster, unique_name};

use super::super::service::assert_sound;
use super::scene::{Scene, send, straight};
use crate::least_privilege::block;
use crate::real_kafka::good;
use crate::transcript;

const PASSWORD: &str = "open-sesame-9120";

#[test]
fn the_rights_of_the_guide_are_enough_to_keep_a_ledger_and_to_ask_it() {
    let (cluster, topic) = (kafka_cluster(), unique_name("run-rights"));
    good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
    send(cluster, &topic, 0, 0..10);
    let database = good(Postgres::start());
    let state = |role: &str| format!("postgres://{role}:{PASSWORD}@{}/postgres", database.address());
    for holds in ["CREATE SCHEMA", "CREATE ROLE validator_reader"] {
        good(database.run(&block("sql", holds).replace('…', PASSWORD)));
    }
    good(database.run(&format!("CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'")));
    let mut scene = Scene::of(cluster, &topic).with_state(&state("validator_ledger"));
    scene.land(&straight(0, 0..9));
    let rest = scene.at_rest();
    assert_eq!(rest.report["messages"]["intact"], 9, "{:?}", rest.report);
    let id = rest.findings[0]["id"].as_str().expect("each has an id").to_owned();

    // Who only asks is answered the same, and can neither decide nor keep books.
    let scene = scene.with_state(&state("validator_reader"));
    assert_sound(scene.folder());
    let asked = scene.told();
    assert_eq!((asked.summary(), asked.findings()), (rest.summary(), rest.findings()));
    let ask = |words: &str| {
        let ran = transcript::run(scene.folder(), words, &[]).assert_no_panic();
        assert!(!ran.all().contains(PASSWORD), "{}", ran.all());
        ran
    };
    assert_eq!(ask(&format!("explain {id}")).exit, 0);
    for words in [format!("findings acknowledge {id}"), "run -c validator.toml --until-idle 1s".to_owned()] {
        let ran = ask(&words);
        assert_eq!(ran.exit, 3, "{words}: {}", ran.all());
        assert!(ran.all().contains("permission denied"), "{words}: {}", ran.all());
    }

    // Who has no schema can do nothing at all, and is told so.
    let scene = scene.with_state(&state("stranger"));
    for words in ["run -c validator.toml --until-idle 1s", "report"] {
        let ran = transcript::run(scene.folder(), words, &[]).assert_no_panic();
        println!("{words}: {}", ran.all());
        assert!([2, 3].contains(&ran.exit) && !ran.all().contains(PASSWORD), "{words}: {}", ran.all());
    }
}

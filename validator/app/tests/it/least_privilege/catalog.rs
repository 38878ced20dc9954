//! A SQL catalog in a real PostgreSQL, and a role that may do what the guide says, and less.

use std::sync::LazyLock;

use fixtures_harness::Postgres;
use serde_json::json;

use super::{assert_could_not_look, block};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;
use crate::real_kafka::trades::{self, columns, row, table};
use crate::transcript::{Ran, run_arguments};

const TOPIC: &str = "shop.trades";
const PASSWORD: &str = "hunter2";
const ENVIRONMENT: [(&str, &str); 1] = [("PGPASSWORD", PASSWORD)];

fn server() -> &'static Postgres {
    static SERVER: LazyLock<Postgres> = LazyLock::new(|| {
        let server = good(Postgres::start());
        let layout = "CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, \
             table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), \
             iceberg_type VARCHAR(5), PRIMARY KEY (catalog_name, table_namespace, table_name))";
        good(server.run(layout));
        // The guide's own statements.
        let sql = block("sql", "GRANT SELECT ON iceberg_tables");
        assert!(sql.contains("'…'"), "{sql}");
        good(server.run(&sql.replace('…', PASSWORD)));
        good(server.run(&format!("CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'")));
        server
    });
    &SERVER
}

/// A stage with recorded messages, whose table is filed in PostgreSQL and looked up by that role.
fn stage(role: &str, name: &str) -> (Stage, String) {
    let stage = Stage::new().with_service(&format!(
        "\n[catalogs.pg]\ntype = \"sql\"\nuri = \"postgres://{role}@{}/postgres\"\npassword = \"${{PGPASSWORD}}\"\n\
         catalog_name = \"prod\"\n",
        server().address()
    ));
    let lines = (0..6).map(|id| {
        let payload = String::from_utf8(trades::payload(id)).expect("JSON is text");
        json!({"topic": TOPIC, "partition": 0, "offset": id, "ts": 1_700_000_000_000_i64 + id, "key": null, "payload": payload})
    });
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    std::fs::write(stage.folder().join("topic.jsonl"), lines).expect("a temporary folder takes files");
    let written = stage.write(&table(columns(), vec![(0..6).map(|id| row(TOPIC, 0, id, id)).collect()]));
    let insert = format!(
        "INSERT INTO iceberg_tables VALUES ('prod', 'market', '{name}', '{}', NULL, 'TABLE')",
        written.metadata_location
    );
    good(server().run(&insert));
    let pipeline = trades::pipeline(TOPIC).replace("lake.market.trades", &format!("pg.market.{name}"))
        + "[source]\nfiles = [\"topic.jsonl\"]\nenvelope = \"kcat\"\n";
    (stage, pipeline)
}

/// Both commands and a query over the table.
fn commands(stage: &Stage, pipeline: &str, name: &str) -> [Ran; 3] {
    let run = |words| stage.run(pipeline, words, &ENVIRONMENT);
    let (checked, judged) = (run("check pipeline.toml"), run("reconcile pipeline.toml"));
    let query = format!("SELECT count(*) AS n FROM pg.market.{name}");
    let asked = run_arguments(stage.folder(), &["sql", "--format", "csv", &query], &ENVIRONMENT).assert_no_panic();
    [checked, judged, asked]
}

#[test]
fn the_rights_of_the_guide_are_enough_and_a_catalog_is_left_as_it_was() {
    let (stage, pipeline) = stage("validator", "enough");
    let all = "SELECT * FROM iceberg_tables WHERE table_name = 'enough'";
    let before = good(server().run(all));
    let [checked, judged, asked] = commands(&stage, &pipeline, "enough");
    assert_eq!(checked.exit, 0, "{}", checked.all());
    assert_eq!(judged.exit, 0, "{}", judged.all());
    assert_eq!((asked.exit, asked.stdout.as_str()), (0, "n\n6\n"), "{}", asked.all());
    assert_eq!(good(server().run(all)), before);
    // The role could not have written, had it tried.
    let rights = "SELECT has_table_privilege('validator', 'iceberg_tables', 'INSERT, UPDATE, DELETE, TRUNCATE')";
    assert_eq!(good(server().run(rights)).trim(), "f");
}

#[test]
fn without_select_nothing_is_judged_and_the_table_of_the_catalog_is_named() {
    let (stage, pipeline) = stage("stranger", "closed");
    for ran in commands(&stage, &pipeline, "closed") {
        assert_could_not_look(&ran, &["permission denied", "iceberg_tables"]);
        assert!(!ran.all().contains(PASSWORD), "{}", ran.all());
    }
}

//! A real schema registry and a real REST catalog behind a door that lets through what the guide names, and less.

use std::fmt::Write as _;
use std::sync::LazyLock;

use fixtures_harness::{
    Asked, HttpStub, Producer, Record, Reply, RestCatalog, TopicSpec, kafka_cluster, producer_config, schema_registry,
    unique_name,
};

use super::{assert_could_not_look, guide};
use crate::init::k2_messages::trade_v2;
use crate::init::k2_schemas::TRADE_V2;
use crate::init::k2_trades::{trades_v2_columns, trades_v2_row};
use crate::init::stage::{EPOCH_MS, table};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;
use crate::transcript::{Ran, run_arguments};

const TRADES: i64 = 300;

/// Two servers that everybody may write to.
struct Platform {
    topic: String,
    catalog: RestCatalog,
}

fn platform() -> &'static Platform {
    static PLATFORM: LazyLock<Platform> = LazyLock::new(|| {
        let (cluster, topic) = (kafka_cluster(), unique_name("rights"));
        // Of another subject than the topic's, so that it is asked for by its id too.
        let schema = good(schema_registry().register(&unique_name("trade"), TRADE_V2));
        good(cluster.create_topic(&TopicSpec::new(&topic, 1)));
        let framed = |nth: i64| {
            let mut payload = trade_v2(nth).payload.expect("each has one");
            payload[1..5].copy_from_slice(&schema.to_be_bytes());
            payload
        };
        let payloads: Vec<Vec<u8>> = (0..TRADES).map(framed).collect();
        let records = (0..TRADES).zip(&payloads);
        let records: Vec<Record<'_>> =
            records.map(|(nth, payload)| Record::new(0, None, Some(payload)).at(EPOCH_MS + nth * 250)).collect();
        good(good(Producer::connect(&producer_config(cluster))).produce(&topic, &records));
        let catalog = good(RestCatalog::on_disk());
        good(catalog.create_namespace("market"));
        Platform { topic, catalog }
    });
    &PLATFORM
}

/// What the guide lets a server be asked, as it writes it: `GET /subjects/…`.
fn rights(line_holds: &str) -> Vec<String> {
    let guide = guide();
    let line = guide.lines().find(|line| line.contains(line_holds)).expect("the guide has such a line");
    let words = line.split('`').filter(|word| word.starts_with("GET "));
    words.map(str::to_owned).collect()
}

/// Whether a request is one that a right names: `…` stands for the rest of a path, `{name}` for a part of it, which is not
/// there where the server has no prefix.
fn allows(right: &str, asked: &Asked) -> bool {
    let Some((method, path)) = right.split_once(' ') else { return false };
    let wanted: Vec<&str> = path.split('/').filter(|part| *part != "{prefix}").collect();
    let path = asked.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let is_open = wanted.last() == Some(&"…");
    let length = if is_open { parts.len() >= wanted.len() } else { parts.len() == wanted.len() };
    let same = |(wanted, part): (&&str, &&str)| wanted == part || *wanted == "…" || wanted.starts_with('{');
    asked.method == method && length && wanted.iter().zip(&parts).all(same)
}

/// A door before a server: what a right names goes through, all else is forbidden.
fn door(server: &str, below: &str, rights: Vec<String>) -> HttpStub {
    let (server, below) = (server.to_owned(), below.to_owned());
    HttpStub::start(move |asked| {
        let own = Asked { path: asked.path.strip_prefix(&below).unwrap_or("/elsewhere").to_owned(), ..asked.clone() };
        if !rights.iter().any(|right| allows(right, &own)) {
            return Reply::new(403, r#"{"error": {"message": "not for you", "type": "Forbidden", "code": 403}}"#);
        }
        match fixtures_harness::get(&format!("{server}{}", own.path)) {
            Ok((status, body)) => Reply::new(status, body).header("Content-Type", "application/json"),
            Err(error) => Reply::new(502, error.to_string()),
        }
    })
}

/// Both doors and what is behind them.
struct Behind {
    stage: Stage,
    registry: HttpStub,
    catalog: HttpStub,
    table: String,
}

fn behind(of_registry: Vec<String>, of_catalog: Vec<String>) -> Behind {
    let platform = platform();
    let real = schema_registry().url();
    let path = real.splitn(4, '/').nth(3).map_or(String::new(), |path| format!("/{path}"));
    let registry = door(real, &path, of_registry);
    let catalog = door(platform.catalog.uri(), "", of_catalog);
    let mut service = format!("[schema_registry]\nurl = \"{}{path}\"\n\n", registry.url());
    let _ = write!(service, "[catalogs.rest]\ntype = \"rest\"\nuri = \"{}\"\n", catalog.url());
    let stage = Stage::new().with_kafka(kafka_cluster()).with_service(&service);
    let rows = (0..TRADES).map(trades_v2_row).collect();
    let written = stage.write(&table(trades_v2_columns(), rows, 60));
    let table = format!("market.{}", unique_name("t").replace('-', "_"));
    good(platform.catalog.register(&table, &written.metadata_location));
    Behind { stage, registry, catalog, table: format!("rest.{table}") }
}

impl Behind {
    fn run(&self, words: &str) -> Ran {
        self.stage.run("", words, &[])
    }

    fn init(&self) -> Ran {
        self.run(&format!("init --topic {} --table {} --output made.toml --force", platform().topic, self.table))
    }

    fn asked(&self) -> Ran {
        let query = format!("SELECT count(*) AS n FROM {}", self.table);
        run_arguments(self.stage.folder(), &["sql", "--format", "csv", &query], &[]).assert_no_panic()
    }
}

fn of_registry() -> Vec<String> {
    rights("Of the schema registry")
}

fn of_catalog() -> Vec<String> {
    rights("| REST |")
}

#[test]
fn the_requests_of_the_guide_are_enough() {
    assert_eq!((of_registry().len(), of_catalog().len()), (2, 2), "{:?} {:?}", of_registry(), of_catalog());
    let behind = behind(of_registry(), of_catalog());
    let made = behind.init();
    assert_eq!(made.exit, 0, "{}", made.all());
    for words in ["check made.toml", "reconcile made.toml"] {
        let ran = behind.run(words);
        assert_eq!(ran.exit, 0, "{words}: {}", ran.all());
    }
    let asked = behind.asked();
    assert_eq!((asked.exit, asked.stdout.as_str()), (0, "n\n300\n"), "{}", asked.all());
    // Neither was asked for more than it let through, and each right was used.
    for (door, below, rights) in
        [(&behind.registry, "/apis/ccompat/v7", of_registry()), (&behind.catalog, "", of_catalog())]
    {
        let asked: Vec<Asked> = door.asked();
        let own = |asked: &Asked| Asked { path: asked.path.replacen(below, "", 1), ..asked.clone() };
        let all: Vec<Asked> = asked.iter().map(own).collect();
        let beside: Vec<&Asked> = all.iter().filter(|asked| !rights.iter().any(|right| allows(right, asked))).collect();
        assert!(beside.is_empty(), "{beside:?}");
        for right in rights {
            assert!(all.iter().any(|asked| allows(&right, asked)), "{right} was never used: {:?}", door.lines());
        }
    }
}

#[test]
fn without_a_request_of_the_catalog_nothing_is_judged_and_the_server_is_named() {
    let behind_all = behind(of_registry(), of_catalog());
    assert_eq!(behind_all.init().exit, 0);
    let text = std::fs::read_to_string(behind_all.stage.folder().join("made.toml")).expect("a file");
    for lacking in of_catalog() {
        let rights = of_catalog().into_iter().filter(|right| *right != lacking).collect();
        let behind = behind(of_registry(), rights);
        let own = text.replace(&behind_all.table, &behind.table);
        std::fs::write(behind.stage.folder().join("made.toml"), own).expect("a file");
        for ran in [behind.init(), behind.run("check made.toml"), behind.run("reconcile made.toml"), behind.asked()] {
            assert_could_not_look(&ran, &["403", &behind.catalog.address()]);
        }
    }
}

#[test]
fn without_a_request_of_the_registry_nothing_is_judged_and_the_server_is_named() {
    let behind_all = behind(of_registry(), of_catalog());
    assert_eq!(behind_all.init().exit, 0);
    let text = std::fs::read_to_string(behind_all.stage.folder().join("made.toml")).expect("a file");
    let behind = behind(Vec::new(), of_catalog());
    let own = text.replace(&behind_all.table, &behind.table);
    std::fs::write(behind.stage.folder().join("made.toml"), own).expect("a file");
    for ran in [behind.init(), behind.run("check made.toml"), behind.run("reconcile made.toml")] {
        assert_could_not_look(&ran, &["403", &behind.registry.address()]);
    }
}

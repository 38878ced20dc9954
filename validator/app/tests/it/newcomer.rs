//! A newcomer's first hour, from nothing: Kafka, a schema registry, Kafka Connect with Iceberg's own sink and a REST catalog;
//! a few thousand trades; `init` proposes the pipeline file, `check` finds it sound, `reconcile` proves the table; then one row
//! that somebody changed by hand is found and stands on the page.

use std::fs;
use std::path::Path;

use fixtures_harness::{
    ConnectSink, Impact, Producer, Record, RestCatalog, SinkSpec, TopicSpec, Visit, browser, kafka_cluster,
    producer_config, run_python, schema_registry, unique_name,
};
use serde_json::Value;

use crate::real_kafka::good;
use crate::transcript::{self, Ran};

const PARTITIONS: i64 = 3;
const TRADES: i64 = 3_000;
const TABLE: &str = "market.trades";
/// The message whose row is changed.
const DAMAGED: (i64, i64) = (1, 417);
/// Milliseconds since the epoch of the first trade.
const FIRST_MS: i64 = 1_763_000_000_000;

const SCHEMA: &str = r#"{"type": "record", "name": "Trade", "namespace": "market", "fields": [
  {"name": "trade_id", "type": "string"},
  {"name": "symbol", "type": "string"},
  {"name": "side", "type": {"type": "enum", "name": "Side", "symbols": ["BUY", "SELL"]}},
  {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 8}},
  {"name": "quantity", "type": "double"},
  {"name": "executed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "maker", "type": "boolean"},
  {"name": "note", "type": ["null", "string"], "default": null}]}"#;

/// Changes the price of one row by an overwrite, as a hand that repairs a table would: files, manifests and summary agree.
const DAMAGE: &str = r#"
import sys
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import load_catalog
from pyiceberg.expressions import And, EqualTo

uri, name, partition, offset = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
table = load_catalog("hand", type="rest", uri=uri).load_table(name)
row_filter = And(EqualTo("_kafka_metadata_partition", partition), EqualTo("_kafka_metadata_offset", offset))
row = table.scan(row_filter=row_filter).to_arrow()
assert row.num_rows == 1, row.num_rows
at = row.schema.get_field_index("price")
field = row.schema.field(at)
price = pa.array([value * 1000 for value in row.column("price").to_pylist()], field.type)
table.overwrite(row.set_column(at, field, price), overwrite_filter=row_filter)
print(table.scan().to_arrow().num_rows)
"#;

/// What is there before the newcomer comes: everything ends with the process.
struct Platform {
    topic: String,
    catalog: RestCatalog,
}

impl Platform {
    /// Brings up all servers, writes the trades, and waits until the sink has made them rows.
    fn stand_up() -> Self {
        let (cluster, registry) = (kafka_cluster(), schema_registry());
        let topic = unique_name("market.trades");
        good(cluster.create_topic(&TopicSpec::new(&topic, PARTITIONS as i32)));
        let schema = good(registry.register(&format!("{topic}-value"), SCHEMA));
        let payloads: Vec<Vec<u8>> = (0..TRADES).map(|id| framed(schema, id)).collect();
        let records: Vec<Record<'_>> = (0..TRADES)
            .zip(&payloads)
            .map(|(id, payload)| Record::new((id % PARTITIONS) as i32, None, Some(payload)).at(FIRST_MS + id * 250))
            .collect();
        good(good(Producer::connect(&producer_config(cluster))).produce(&topic, &records));
        let catalog = good(RestCatalog::on_disk());
        let sink = good(ConnectSink::start(cluster, &catalog, &SinkSpec::avro(&topic, TABLE, registry)));
        assert_eq!(good(sink.wait_for_rows(TRADES as u64)), TRADES as u64, "the sink wrote each trade once");
        good(sink.stop());
        drop(sink);
        Self { topic, catalog }
    }

    /// The service file that a newcomer writes.
    fn service(&self) -> String {
        format!(
            "[kafka]\nbrokers = {:?}\n\n[schema_registry]\nurl = {:?}\n\n\
             [catalogs.lake]\ntype = \"rest\"\nuri = {:?}\n",
            kafka_cluster().bootstrap(),
            schema_registry().url(),
            self.catalog.uri(),
        )
    }

    fn damage(&self) {
        let [partition, offset] = [DAMAGED.0, DAMAGED.1].map(|number| number.to_string());
        let rows = good(run_python(DAMAGE, &[self.catalog.uri(), TABLE, &partition, &offset]));
        assert_eq!(rows.trim(), TRADES.to_string(), "one row was changed, and none came or went");
    }
}

/// Eight digits after the point.
fn price(id: i64) -> i64 {
    6_183_763_000_000 + (id * 7_919) % 100_000 * 1_000_001
}

/// A trade as Confluent's serializer frames it: a zero byte, the schema's id, then binary Avro.
fn framed(schema: u32, id: i64) -> Vec<u8> {
    let mut out = vec![0];
    out.extend(schema.to_be_bytes());
    put_bytes(&mut out, format!("T-{id:08}").as_bytes());
    put_bytes(&mut out, ["BTC-USDT", "ETH-USDT", "SOL-USDT"][(id % 3) as usize].as_bytes());
    put_long(&mut out, id % 2);
    put_bytes(&mut out, &price(id).to_be_bytes());
    out.extend((id as f64 / 7.0).to_le_bytes());
    put_long(&mut out, FIRST_MS + id * 250);
    out.push(u8::from(id % 5 == 0));
    if id % 4 == 0 {
        put_long(&mut out, 1);
        put_bytes(&mut out, format!("note {id}, çok güzel").as_bytes());
    } else {
        put_long(&mut out, 0);
    }
    out
}

/// Zig-zag, then seven bits a byte, low ones first.
fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut bits = ((value << 1) ^ (value >> 63)) as u64;
    while bits >= 0x80 {
        out.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// Runs a command in the newcomer's folder.
fn validator(folder: &Path, words: &str) -> Ran {
    transcript::validator(folder, words).assert_no_panic()
}

/// The files that a run left, as JSON.
fn read_lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("the run wrote it");
    text.lines().map(|line| serde_json::from_str(line).expect("a finding is JSON")).collect()
}

#[test]
fn a_newcomer_proves_a_pipeline_and_finds_the_row_that_was_changed_by_hand() {
    let platform = Platform::stand_up();
    let folder = tempfile::tempdir().expect("the system gives a folder");
    fs::write(folder.path().join("validator.toml"), platform.service()).expect("the folder is writable");

    let words = format!("init --topic {} --table lake.{TABLE} --output trades.toml", platform.topic);
    let proposed = validator(folder.path(), &words);
    assert_eq!(proposed.exit, 0, "{}", proposed.all());
    let file = fs::read_to_string(folder.path().join("trades.toml")).expect("init wrote it");
    let table: toml::Table = file.parse().expect("a pipeline file is TOML");
    assert_eq!(table["identity"]["profile"].as_str(), Some("kafka-connect"), "{file}");
    assert_eq!(table["pipeline"]["format"].as_str(), Some("avro"), "{file}");

    let checked = validator(folder.path(), "check trades.toml");
    assert_eq!(checked.exit, 0, "{}", checked.all());

    let sound = validator(folder.path(), "reconcile trades.toml --report sound.json");
    assert_eq!(sound.exit, 0, "{}", sound.all());
    let report = &read_report(&folder.path().join("sound.json"));
    let numbers = ["consumed", "intact"].map(|name| report["messages"][name].as_i64());
    assert_eq!((numbers, &report["outcome"]), ([Some(TRADES); 2], &"holds".into()), "{report}");
    assert_eq!(report["warnings"], serde_json::json!([]));

    platform.damage();
    let damaged = validator(folder.path(), "reconcile trades.toml --findings findings.jsonl --html report.html");
    assert_eq!(damaged.exit, 1, "{}", damaged.all());
    let findings = read_lines(&folder.path().join("findings.jsonl"));
    let [finding] = &findings[..] else { panic!("one row was changed: {findings:#?}") };
    let place = (&finding["verdict"], finding["partition"].as_i64(), finding["offset"].as_i64());
    assert_eq!(place, (&"corrupted".into(), Some(DAMAGED.0), Some(DAMAGED.1)), "{finding:#}");
    assert_eq!(finding["cause"], "unit_shift", "{finding:#}");
    assert_eq!(finding["columns"][0]["name"], "price", "{finding:#}");
    let id = DAMAGED.1 * PARTITIONS + DAMAGED.0;
    let values = ["message", "row"].map(|side| finding["columns"][0][side].as_str().map(str::to_owned));
    let expected = [price(id), price(id) * 1_000].map(decimal);
    assert_eq!(values, expected.clone().map(Some), "{finding:#}");
    shows(&folder.path().join("report.html"), &platform.topic, &expected);
}

/// The page names the message and both values, whether scripts run or not, on any screen, and asks for nothing.
fn shows(page: &Path, topic: &str, values: &[String; 2]) {
    let Some(browser) = browser() else { return };
    let visit = || Visit::file(page).text("h1").text(".finding .place").text(".finding .value");
    let visits = [
        visit().axe().screenshot("newcomer-light"),
        visit().dark().axe().screenshot("newcomer-dark"),
        visit().without_scripts(),
        visit().wide(360).screenshot("newcomer-narrow"),
    ];
    for seen in good(browser.look(&visits)) {
        assert!(seen.title.contains("breached"), "{}", seen.title);
        assert_eq!(seen.of(".finding .place"), [format!("{topic}[{}]@{}", DAMAGED.0, DAMAGED.1)]);
        let shown: Vec<&str> =
            seen.of(".finding .value").iter().filter_map(|text| text.split_whitespace().next()).collect();
        assert_eq!(shown, values.each_ref().map(String::as_str));
        assert!(seen.errors.is_empty() && seen.outside.is_empty(), "{seen:?}");
        assert_eq!(seen.violations_from(Impact::Serious), [] as [&fixtures_harness::Violation; 0]);
        assert!([360, 1280].contains(&seen.content_width), "the page must not be scrolled sideways: {seen:?}");
        assert!(seen.first_paint_ms.is_some_and(|paint| paint < 30_000.0), "{seen:?}");
    }
}

fn read_report(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).expect("the run wrote it")).expect("a report is JSON")
}

/// A number of eight digits after the point, without the zeros at its end.
fn decimal(unscaled: i64) -> String {
    let text = format!("{}.{:08}", unscaled / 100_000_000, unscaled % 100_000_000);
    text.trim_end_matches('0').to_owned()
}

//! A newcomer's first hour, from nothing: Kafka, a schema registry, Kafka Connect with Iceberg's own sink and a REST catalog;
//! a few thousand trades; then one row that somebody changed by hand, which the validator finds.

use std::fs;
use std::path::Path;

use fixtures_harness::{
    ConnectSink, Producer, Record, RestCatalog, SinkSpec, TopicSpec, kafka_cluster, producer_config, run_python,
    schema_registry, unique_name,
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
            "[service]\npipelines = [\"trades.toml\"]\n\n[kafka]\nbrokers = {:?}\n\n[schema_registry]\nurl = {:?}\n\n\
             [catalogs.lake]\ntype = \"rest\"\nuri = {:?}\n",
            kafka_cluster().bootstrap(),
            schema_registry().url(),
            self.catalog.uri(),
        )
    }

    /// The pipeline file, written by hand.
    fn pipeline(&self) -> String {
        format!(
            "[pipeline]\nname = \"trades\"\ntopic = {:?}\ntable = \"lake.{TABLE}\"\nformat = \"avro\"\n\n\
             [identity]\nmode = \"offset\"\nprofile = \"kafka-connect\"\n",
            self.topic
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
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).expect("the folder is writable");
    write("validator.toml", platform.service());
    write("trades.toml", platform.pipeline());

    let checked = validator(folder.path(), "check");
    assert_eq!(checked.exit, 0, "{}", checked.all());

    let sound = validator(folder.path(), "reconcile trades --report sound.json");
    assert_eq!(sound.exit, 0, "{}", sound.all());
    let report = &read_report(&folder.path().join("sound.json"));
    let numbers = ["consumed", "intact"].map(|name| report["messages"][name].as_i64());
    assert_eq!((numbers, &report["outcome"]), ([Some(TRADES); 2], &"holds".into()), "{report}");
    assert_eq!(report["warnings"], serde_json::json!([]));

    platform.damage();
    let damaged = validator(folder.path(), "reconcile trades --findings findings.jsonl --report damaged.json");
    assert_eq!(damaged.exit, 1, "{}", damaged.all());
    let findings = read_lines(&folder.path().join("findings.jsonl"));
    let [finding] = &findings[..] else { panic!("one row was changed: {findings:#?}") };
    let place = (&finding["verdict"], finding["partition"].as_i64(), finding["offset"].as_i64());
    assert_eq!(place, (&"corrupted".into(), Some(DAMAGED.0), Some(DAMAGED.1)), "{finding:#}");
    assert_eq!(finding["cause"], "unit_shift", "{finding:#}");
    assert_eq!(finding["columns"][0]["name"], "price", "{finding:#}");
    let id = DAMAGED.1 * PARTITIONS + DAMAGED.0;
    let values = ["message", "row"].map(|side| finding["columns"][0][side].as_str().map(str::to_owned));
    assert_eq!(values, [price(id), price(id) * 1_000].map(|unscaled| Some(decimal(unscaled))), "{finding:#}");
}

fn read_report(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).expect("the run wrote it")).expect("a report is JSON")
}

/// A number of eight digits after the point, without the zeros at its end.
fn decimal(unscaled: i64) -> String {
    let text = format!("{}.{:08}", unscaled / 100_000_000, unscaled % 100_000_000);
    text.trim_end_matches('0').to_owned()
}

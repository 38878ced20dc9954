//! A million messages against the table of their rows, and a handful of faults among them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use fixtures_harness::{
    IcebergCatalog, Isolation, Producer, Record, TopicSpec, iceberg_catalog, kafka_cluster, producer_config,
    run_python, unique_name,
};

use super::facts::{partitions, summary, verdicts};
use super::good;
use super::stage::Stage;

const MESSAGES: i64 = 1_000_000;
const PARTITIONS: i64 = 4;
const OF_PARTITION: i64 = MESSAGES / PARTITIONS;
/// Milliseconds since the epoch of the first trade; one follows each 3 ms.
const FIRST_MS: i64 = 1_723_161_255_208;

/// What `init` may take here, in a build without optimisation and beside other tests.
const INIT_WITHIN: Duration = Duration::from_secs(30);

/// Makes a table `ns.trades` of a CSV file by four appends, each a data file of its own in the order of the lines.
const WRITE_TABLE: &str = r#"
import sys
import pyarrow as pa
import pyarrow.csv as csv
from pyiceberg import types as t
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema

name, uri, warehouse, path = sys.argv[1:]
kinds = {"topic": t.StringType(), "partition": t.IntegerType(), "offset": t.LongType(), "symbol": t.StringType(),
    "sequence_number": t.LongType(), "price": t.DecimalType(18, 8), "quantity": t.DecimalType(18, 8),
    "is_buyer_maker": t.BooleanType(), "trade_time": t.TimestamptzType(), "event_time": t.TimestamptzType()}
schema = Schema(*(t.NestedField(i + 1, name, kind, required=False) for i, (name, kind) in enumerate(kinds.items())))
arrow = pa.schema([field.with_type(pa.string()) if field.type == pa.large_string() else field for field in schema.as_arrow()])
read = {field.name: pa.int64() if pa.types.is_timestamp(field.type) else field.type for field in arrow}
rows = csv.read_csv(path, read_options=csv.ReadOptions(column_names=list(kinds)),
    convert_options=csv.ConvertOptions(column_types=read))
def column(field):
    values = rows[field.name]
    return values.cast(pa.timestamp("ms", tz="UTC")).cast(field.type) if pa.types.is_timestamp(field.type) else values
rows = pa.table([column(field) for field in arrow], schema=arrow)
catalog = SqlCatalog(name, uri=uri, warehouse=warehouse)
catalog.create_namespace_if_not_exists("ns")
table = catalog.create_table("ns.trades", schema, properties={"format-version": "2"})
step = -(-rows.num_rows // 4)
for start in range(0, rows.num_rows, step):
    table.append(rows.slice(start, step))
print(rows.num_rows, len(table.inspect.files()))
"#;

/// One trade as its row says it; times in milliseconds, decimals with eight digits after the point.
#[derive(Clone)]
struct Trade {
    partition: i64,
    offset: i64,
    sequence_number: i64,
    price: i64,
    quantity: i64,
    maker: bool,
    trade_ms: i64,
    event_ms: i64,
}

impl Trade {
    fn new(number: i64) -> Self {
        Self {
            partition: number % PARTITIONS,
            offset: number / PARTITIONS,
            sequence_number: 3_735_683_259 + number,
            price: 6_183_763_000_000 + number * 1_000_001,
            quantity: 1 + number * 7_919 % 100_000_007,
            maker: number % 3 == 0,
            trade_ms: FIRST_MS + number * 3,
            event_ms: FIRST_MS + number * 3 + number % 7,
        }
    }

    fn at(partition: i64, offset: i64) -> Self {
        Self::new(offset * PARTITIONS + partition)
    }

    /// The message, as Binance sends trades.
    fn write_payload(&self, out: &mut String) {
        let (price, quantity) = (decimal(self.price), decimal(self.quantity));
        write!(
            out,
            r#"{{"e":"trade","E":{},"s":"BTCUSDT","t":{},"p":"{price}","q":"{quantity}","T":{},"m":{},"M":true}}"#,
            self.event_ms, self.sequence_number, self.trade_ms, self.maker,
        )
        .expect("a string takes text");
    }

    /// The row, as a line of CSV.
    fn write_row(&self, topic: &str, out: &mut impl std::io::Write) {
        let (price, quantity) = (decimal(self.price), decimal(self.quantity));
        writeln!(
            out,
            "{topic},{},{},BTCUSDT,{},{price},{quantity},{},{},{}",
            self.partition, self.offset, self.sequence_number, self.maker, self.trade_ms, self.event_ms,
        )
        .expect("a temporary folder takes files");
    }
}

fn decimal(unscaled: i64) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let unscaled = unscaled.unsigned_abs();
    format!("{sign}{}.{:08}", unscaled / 100_000_000, unscaled % 100_000_000)
}

fn produce(topic: &str) {
    let cluster = kafka_cluster();
    good(cluster.create_topic(&TopicSpec::new(topic, PARTITIONS as i32)));
    let mut config = producer_config(cluster);
    config.set("compression.codec", "lz4").set("linger.ms", "50").set("batch.size", "1000000");
    config.set("queue.buffering.max.messages", "2000000").set("queue.buffering.max.kbytes", "1048576");
    let producer = good(Producer::connect(&config));
    let mut payload = String::new();
    for trade in (0..MESSAGES).map(Trade::new) {
        payload.clear();
        trade.write_payload(&mut payload);
        let record = Record::new(trade.partition as i32, None, Some(payload.as_bytes())).at(trade.event_ms);
        good(producer.send(topic, &record));
    }
    good(producer.flush());
    for partition in 0..PARTITIONS as i32 {
        assert_eq!(good(cluster.watermarks(topic, partition, Isolation::Committed)), (0, OF_PARTITION));
    }
}

/// What the sink did to the rows of one trade; `None` where it wrote the row.
fn fault(trade: &Trade) -> Option<Vec<Trade>> {
    let one = |change: fn(&mut Trade)| {
        let mut damaged = trade.clone();
        change(&mut damaged);
        Some(vec![damaged])
    };
    match (trade.partition, trade.offset) {
        (0, 1_000) | (1, 77_777) | (2, 0) | (3, 249_990) => Some(Vec::new()),
        (0, 2_000) => Some(vec![trade.clone(); 2]),
        (1, 5) => Some(vec![trade.clone(); 3]),
        (0, 3_000) => one(|trade| trade.price -= trade.price % 1_000_000),
        (1, 4_000) => one(|trade| trade.quantity = -trade.quantity),
        (2, 5_000) => one(|trade| trade.maker = !trade.maker),
        (3, 6_000) => one(|trade| trade.trade_ms += 3_600_000),
        (3, 7_000) => one(|trade| (trade.price, trade.quantity) = (trade.quantity, trade.price)),
        (1, 100_000) => one(|trade| trade.offset += 1),
        _ => None,
    }
}

/// The rows as CSV: those of the trades in their order, then one that no message is.
fn write_rows(topic: &str, path: &Path) -> i64 {
    let mut out = BufWriter::new(File::create(path).expect("a temporary folder takes files"));
    let mut rows = 0;
    let mut write = |trade: &Trade| {
        trade.write_row(topic, &mut out);
        rows += 1;
    };
    for trade in (0..MESSAGES).map(Trade::new) {
        match fault(&trade) {
            None => write(&trade),
            Some(damaged) => damaged.iter().for_each(&mut write),
        }
    }
    write(&Trade { offset: OF_PARTITION, sequence_number: 1, ..Trade::at(0, 10) });
    out.flush().expect("a temporary folder takes files");
    rows
}

fn write_table(topic: &str, catalog: &IcebergCatalog) -> i64 {
    let path = catalog.warehouse().path().join("rows.csv");
    let rows = write_rows(topic, &path);
    let path = path.to_str().expect("a temporary path is text");
    let (uri, warehouse) = (catalog.sqlalchemy_uri(), catalog.warehouse().uri());
    let written = good(run_python(WRITE_TABLE, &[IcebergCatalog::NAME, &uri, &warehouse, path]));
    assert_eq!(written, format!("{rows} 4\n"));
    rows
}

fn pipeline(topic: &str) -> String {
    format!(
        r#"[pipeline]
name = "million"
topic = {topic:?}
table = "foreign.ns.trades"
format = "json"

[identity]
mode = "offset"
columns = ["topic", "partition", "offset"]

[fields]
t = "long"
m = "boolean"
T = "epoch_ms"
E = "epoch_ms"
p = "decimal(18,8)"
q = "decimal(18,8)"

[map]
symbol = "s"
sequence_number = "t"
price = "p"
quantity = "q"
is_buyer_maker = "m"
trade_time = "\"T\""
event_time = "\"E\""

[compare]
drop = {{ e = "always trade", M = "no meaning" }}
"#
    )
}

/// `init` seeks: what it looks at does not grow with the topic.
fn proposed(stage: &Stage, topic: &str) {
    let started = Instant::now();
    let ran = stage.run("", &format!("init --topic {topic} --table foreign.ns.trades --output made.toml"), &[]);
    let elapsed = started.elapsed();
    println!("init in {elapsed:?}\n{}", ran.stderr);
    let text = std::fs::read_to_string(stage.folder().join("made.toml")).expect("the file is written");
    for line in ["mode = \"offset\"", "profile = \"spark\"", "[fields]", "[map]"] {
        assert!(text.lines().any(|written| written.starts_with(line)), "{line}\n{text}");
    }
    assert!(ran.stderr.contains("one place of each partition"), "{}", ran.all());
    assert!(elapsed < INIT_WITHIN, "{elapsed:?}\n{}", ran.all());
}

#[test]
fn a_handful_of_faults_among_a_million_messages_is_found_and_nothing_else() {
    let topic = unique_name("million");
    let started = Instant::now();
    produce(&topic);
    println!("{MESSAGES} messages produced in {:?}", started.elapsed());
    let started = Instant::now();
    let catalog = iceberg_catalog();
    let rows = write_table(&topic, &catalog);
    println!("{rows} rows written in {:?}", started.elapsed());

    let stage = Stage::new().with_kafka(kafka_cluster()).with_catalog(&catalog);
    let started = Instant::now();
    let answer = stage.judge(&pipeline(&topic));
    let elapsed = started.elapsed();
    println!("judged in {elapsed:?}: {:.0} messages per second", MESSAGES as f64 / elapsed.as_secs_f64());

    proposed(&stage, &topic);

    let messages = "consumed 1000000, corrupted 6, duplicated 2, intact 999988, missing 4";
    assert_eq!(
        summary(&answer),
        format!("holds | {messages} | copies 5, corrupted 6, intact 999988, phantom 1, total 1000000")
    );
    assert_eq!(
        partitions(&answer),
        [
            "0: 0..250000 consumed 250000, corrupted 1, duplicated 1, intact 249997, missing 1 | ",
            "1: 0..250000 consumed 250000, corrupted 2, duplicated 1, intact 249996, missing 1 | ",
            "2: 0..250000 consumed 250000, corrupted 1, intact 249998, missing 1 | ",
            "3: 0..250000 consumed 250000, corrupted 2, intact 249997, missing 1 | ",
        ]
    );
    assert_eq!(answer.report.fidelity.value, Some(999_990.0 / 1_000_004.0));
    assert_eq!(
        verdicts(&answer),
        [
            "missing lost 0@1000",
            "duplicated copied 0@2000",
            "corrupted truncated 0@3000 [price 61957.63012 → 61957.63 truncated]",
            "duplicated copied 1@5",
            "corrupted sign_flip 1@4000 [quantity 0.26711913 → -0.26711913 sign_flip]",
            "missing lost 1@77777",
            "corrupted bit_flip 1@100000 [offset 100000 → 100001 bit_flip]",
            "missing lost 2@0",
            "corrupted other 2@5000 [is_buyer_maker false → true other]",
            "corrupted zone_shift 3@6000 [trade_time 2024-08-08T23:55:27.217Z → 2024-08-09T00:55:27.217Z zone_shift]",
            "corrupted column_swap 3@7000 [price 62117.66028003 → 0.21755744 column_swap] \
             [quantity 0.21755744 → 62117.66028003 column_swap]",
            "missing lost 3@249990",
            "phantom unexplained -",
        ]
    );
    let places: Vec<Vec<Option<u64>>> =
        answer.findings.at_hand.iter().map(|finding| finding.rows.iter().map(|row| row.position).collect()).collect();
    assert_eq!(places.iter().map(Vec::len).collect::<Vec<_>>(), [0, 2, 1, 3, 1, 0, 1, 0, 1, 1, 1, 0, 1]);
    let copied: Vec<u64> = answer.findings.at_hand.iter().map(|finding| finding.copies).collect();
    assert_eq!(copied, [0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let last = answer.findings.at_hand[12].rows[0].position;
    assert_eq!(last, Some(rows as u64 - 3 * 250_000 - 1), "the last row of the last file");
}

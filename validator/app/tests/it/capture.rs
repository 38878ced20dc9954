//! A capture of Binance's websocket, frame by frame through Kafka: its trades against a table of them, a few rows damaged.
//! Where the capture is not there (it is no part of the repository) the tests say `skipped`.

use std::io::Read as _;
use std::path::PathBuf;

use fixtures_harness::{Producer, Record, TopicSpec, kafka_cluster, producer_config, unique_name};
use fixtures_kit::schema::{Column, ColumnType, number};
use fixtures_kit::value::{Number, Value};
use serde_json::Value as Json;

use crate::real_kafka::facts::{findings, summary, verdicts};
use crate::real_kafka::good;
use crate::real_kafka::stage::Stage;
use crate::real_kafka::trades;

const CAPTURE: &str = "../../../shared/data/binance-spot-btcusdt-2024-08-08.jsonl.gz";
const FRAMES: usize = 41_249;
const TRADES: usize = 9_757;
const PARTITIONS: usize = 3;
const FILES: usize = 5;

/// One line of the capture.
struct Frame {
    /// When it came in, nanoseconds since the epoch.
    received_ns: i64,
    json: String,
}

/// A trade, where it lies in the topic, and its row.
struct Trade {
    partition: i32,
    offset: i64,
    row: Vec<Value>,
}

/// Places in a row.
const PARTITION: usize = 1;
const OFFSET: usize = 2;
const TRADE_ID: usize = 4;
const PRICE: usize = 5;
const QUANTITY: usize = 6;
const MAKER: usize = 7;
const TRADE_TIME: usize = 8;

fn columns() -> Vec<Column> {
    let decimal = ColumnType::Decimal { precision: 18, scale: 8 };
    let mut columns = vec![
        Column::optional("topic", ColumnType::String),
        Column::optional("partition", ColumnType::Int),
        Column::optional("offset", ColumnType::Long),
        Column::optional("symbol", ColumnType::String),
        Column::optional("trade_id", ColumnType::Long),
        Column::optional("price", decimal.clone()),
        Column::optional("quantity", decimal),
        Column::optional("is_buyer_maker", ColumnType::Boolean),
        Column::optional("trade_time", ColumnType::Timestamptz),
        Column::optional("event_time", ColumnType::Timestamptz),
    ];
    number(&mut columns);
    columns
}

/// The frames, or none where there is no capture.
fn frames() -> Option<Vec<Frame>> {
    let path = PathBuf::from(CAPTURE);
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no capture at {}", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the capture is gzip of text");
    let frame = |line: &str| {
        let (received_ns, json) = line.split_once(' ').expect("a time and a frame");
        Frame { received_ns: received_ns.parse().expect("nanoseconds"), json: json.to_owned() }
    };
    let frames: Vec<Frame> = text.lines().map(frame).collect();
    assert_eq!(frames.len(), FRAMES);
    Some(frames)
}

/// Frame n goes to partition n % 3, at the time it came in.
fn produce(topic: &str, frames: &[Frame]) {
    let cluster = kafka_cluster();
    good(cluster.create_topic(&TopicSpec::new(topic, PARTITIONS as i32)));
    let producer = good(Producer::connect(producer_config(cluster).set("compression.codec", "lz4")));
    for (index, frame) in frames.iter().enumerate() {
        let record = Record::new((index % PARTITIONS) as i32, None, Some(frame.json.as_bytes()));
        good(producer.send(topic, &record.at(frame.received_ns / 1_000_000)));
    }
    good(producer.flush());
}

fn trades_of(topic: &str, frames: &[Frame]) -> Vec<Trade> {
    let trade = |(index, frame): (usize, &Frame)| {
        let json: Json = serde_json::from_str(&frame.json).expect("a frame is JSON");
        let data = &json["data"];
        if data["e"] != "trade" {
            return None;
        }
        let (partition, offset) = ((index % PARTITIONS) as i32, (index / PARTITIONS) as i64);
        let integer = |name: &str| data[name].as_i64().expect("an integer");
        let text = |name: &str| data[name].as_str().expect("text");
        let row = vec![
            Value::text(topic),
            Value::long(partition.into()),
            Value::long(offset),
            Value::text(text("s")),
            Value::long(integer("t")),
            decimal(text("p")),
            decimal(text("q")),
            Value::Boolean(data["m"].as_bool().expect("a boolean")),
            Value::instant(integer("T") * 1_000),
            Value::instant(integer("E") * 1_000),
        ];
        Some(Trade { partition, offset, row })
    };
    let trades: Vec<Trade> = frames.iter().enumerate().filter_map(trade).collect();
    assert_eq!(trades.len(), TRADES);
    trades
}

fn decimal(text: &str) -> Value {
    let (whole, fraction) = text.split_once('.').expect("eight digits after a point");
    assert_eq!(fraction.len(), 8);
    Value::decimal(format!("{whole}{fraction}").parse().expect("digits"), 8)
}

fn number_of(value: &Value) -> Number {
    let Value::Number(number) = value else { panic!("{value:?} is no number") };
    *number
}

fn micros_of(value: &Value) -> i64 {
    let Value::Timestamp { micros, .. } = value else { panic!("{value:?} is no instant") };
    *micros
}

/// The table of these rows in five files, a fifth of them each.
fn write(stage: &Stage, rows: Vec<Vec<Value>>) {
    let each = rows.len().div_ceil(FILES);
    stage.write(&trades::table(columns(), rows.chunks(each).map(<[Vec<Value>]>::to_vec).collect()));
}

const FIELDS: &str = r#"
filter = "stream = 'btcusdt@trade'"

[fields]
stream = "string"
data = "struct<e: string, E: long, s: string, t: long, p: string, q: string, T: long, m: boolean, M: boolean>"

[map]
symbol = "data['s']"
trade_id = "data['t']"
price = "CAST(data['p'] AS DECIMAL(18, 8))"
quantity = "CAST(data['q'] AS DECIMAL(18, 8))"
is_buyer_maker = "data['m']"
trade_time = "to_timestamp_millis(data['T']) AT TIME ZONE 'UTC'"
event_time = "to_timestamp_millis(data['E']) AT TIME ZONE 'UTC'"
"#;

fn pipeline(topic: &str, identity: &str) -> String {
    format!(
        "[pipeline]\nname = \"capture\"\ntopic = {topic:?}\ntable = \"lake.market.trades\"\nformat = \"json\"\n{FIELDS}\n{identity}"
    )
}

const BY_OFFSET: &str = "[identity]\nmode = \"offset\"\ncolumns = [\"topic\", \"partition\", \"offset\"]\n";
const BY_TRADE: &str = "[identity]\nmode = \"key\"\ncolumns = [\"symbol\", \"trade_id\"]\nwindow = \"trade_time\"\nevery = \"1m\"\n\
    [compare]\nignore = { topic = \"not in a frame\", partition = \"neither\", offset = \"neither\" }\n";

#[test]
fn the_trades_of_a_capture_hold_by_offset_and_by_trade() {
    let Some(frames) = frames() else { return };
    let topic = unique_name("capture");
    produce(&topic, &frames);
    let stage = Stage::new().with_kafka(kafka_cluster());
    write(&stage, trades_of(&topic, &frames).into_iter().map(|trade| trade.row).collect());
    let excluded = FRAMES - TRADES;
    for identity in [BY_OFFSET, BY_TRADE] {
        let answer = stage.judge(&pipeline(&topic, identity));
        let messages = format!("consumed {FRAMES}, excluded {excluded}, intact {TRADES}");
        assert_eq!(summary(&answer), format!("holds | {messages} | intact {TRADES}, total {TRADES}"));
        assert_eq!(findings(&answer), [""; 0]);
        assert_eq!(answer.report.warnings, [""; 0], "frames that the filter leaves out may have any field");
    }
}

/// The rows of a sink that made faults, and what should be found: by the place of each message, then of rows alone.
struct Damage {
    rows: Vec<Vec<Value>>,
    expected: Vec<((i32, i64), String)>,
    phantoms: Vec<String>,
}

impl Damage {
    /// Expects a finding about the message of a trade; columns as `name message → row damage`.
    fn expect(&mut self, trade: &Trade, words: &str, columns: &[String]) {
        let at = (trade.partition, trade.offset);
        let columns: String = columns.iter().map(|column| format!(" [{column}]")).collect();
        self.expected.push((at, format!("{words} {}@{}{columns}", at.0, at.1)));
    }

    fn verdicts(&self) -> Vec<String> {
        let mut expected = self.expected.clone();
        expected.sort();
        expected.into_iter().map(|(_, text)| text).chain(self.phantoms.iter().cloned()).collect()
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Timestamp { micros, .. } => {
            let at = chrono::DateTime::from_timestamp_micros(*micros).expect("a time of our era");
            at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
        }
        Value::Number(number) => number.to_string(),
        Value::Boolean(held) => held.to_string(),
        other => panic!("no column holds {other:?}"),
    }
}

fn difference(name: &str, trade: &Trade, column: usize, row: &Value, damage: &str) -> String {
    format!("{name} {} → {} {damage}", shown(&trade.row[column]), shown(row))
}

/// Rows of the trades with a fault of each kind. The price of trade 300 has a second digit after the point.
fn damage(topic: &str, trades: &[Trade], ends: [i64; PARTITIONS], filtered: (i32, i64), causes: [&str; 2]) -> Damage {
    let mut damage = Damage { rows: Vec::new(), expected: Vec::new(), phantoms: Vec::new() };
    let [cut, sign, swapped, zone, unit, flag] = [300, 350, 400, 500, 600, 700];
    let mixed = (800, (801..).find(|other| trades[*other].row[PRICE] != trades[800].row[PRICE]).expect("prices move"));
    for (index, trade) in trades.iter().enumerate() {
        let mut row = trade.row.clone();
        let was = &trade.row;
        match index {
            100 => {
                damage.expect(trade, "missing lost", &[]);
                continue;
            }
            200 => {
                damage.rows.push(row.clone());
                damage.expect(trade, "duplicated copied", &[]);
            }
            _ if index == cut => {
                row[PRICE] = Value::Number(number_of(&was[PRICE]).truncated(1));
                damage.expect(
                    trade,
                    "corrupted truncated",
                    &[difference("price", trade, PRICE, &row[PRICE], "truncated")],
                );
            }
            _ if index == sign => {
                let quantity = number_of(&was[QUANTITY]);
                row[QUANTITY] = Value::decimal(-quantity.unscaled(), quantity.scale());
                let column = difference("quantity", trade, QUANTITY, &row[QUANTITY], "sign_flip");
                damage.expect(trade, "corrupted sign_flip", &[column]);
            }
            _ if index == swapped => {
                row.swap(PRICE, QUANTITY);
                let columns = [
                    difference("price", trade, PRICE, &row[PRICE], "column_swap"),
                    difference("quantity", trade, QUANTITY, &row[QUANTITY], "column_swap"),
                ];
                damage.expect(trade, "corrupted column_swap", &columns);
            }
            _ if index == zone || index == unit => {
                let micros = micros_of(&was[TRADE_TIME]);
                let (micros, name) = if index == zone {
                    (micros + 8 * 3_600_000_000, "zone_shift")
                } else {
                    (micros / 1_000, "unit_shift")
                };
                row[TRADE_TIME] = Value::instant(micros);
                let column = difference("trade_time", trade, TRADE_TIME, &row[TRADE_TIME], name);
                damage.expect(trade, &format!("corrupted {name}"), &[column]);
            }
            _ if index == flag => {
                row[MAKER] = Value::Boolean(was[MAKER] == Value::Boolean(false));
                let column = difference("is_buyer_maker", trade, MAKER, &row[MAKER], "other");
                damage.expect(trade, "corrupted other", &[column]);
            }
            _ if index == mixed.0 || index == mixed.1 => {
                let other = if index == mixed.0 { mixed.1 } else { mixed.0 };
                row[PRICE] = trades[other].row[PRICE].clone();
                damage.expect(trade, "corrupted row_mix", &[difference("price", trade, PRICE, &row[PRICE], "row_mix")]);
            }
            _ => {}
        }
        damage.rows.push(row);
    }
    // A trade that nobody made, beyond the end of its partition; and one at the place of a frame of another stream.
    for (place, ((partition, offset), cause)) in
        [((0, ends[0]), causes[0]), (filtered, causes[1])].into_iter().enumerate()
    {
        let mut row = trades[1_000].row.clone();
        row[0] = Value::text(topic);
        row[PARTITION] = Value::long(partition.into());
        row[OFFSET] = Value::long(offset);
        row[TRADE_ID] = Value::long(1 + place as i64);
        damage.phantoms.push(format!("phantom {cause} -"));
        damage.rows.push(row);
    }
    damage
}

#[test]
fn damaged_rows_of_a_capture_are_each_named_by_offset_and_by_trade() {
    let Some(frames) = frames() else { return };
    let topic = unique_name("damaged");
    produce(&topic, &frames);
    let trades = trades_of(&topic, &frames);
    let in_partition = |partition: usize| (FRAMES - partition).div_ceil(PARTITIONS) as i64;
    let ends = [0, 1, 2].map(in_partition);
    let other = frames.iter().position(|frame| frame.json.contains("@bookTicker")).expect("most are");
    let filtered = ((other % PARTITIONS) as i32, (other / PARTITIONS) as i64);
    for (identity, causes) in [(BY_OFFSET, ["unexplained", "filtered"]), (BY_TRADE, ["unexplained", "unexplained"])] {
        let damage = damage(&topic, &trades, ends, filtered, causes);
        let stage = Stage::new().with_kafka(kafka_cluster());
        let rows = damage.rows.len();
        write(&stage, damage.rows.clone());
        let answer = stage.judge(&pipeline(&topic, identity));
        assert_eq!(verdicts(&answer), damage.verdicts(), "{identity}");
        let (excluded, intact) = (FRAMES - TRADES, TRADES - 10);
        let messages =
            format!("consumed {FRAMES}, corrupted 8, duplicated 1, excluded {excluded}, intact {intact}, missing 1");
        let counted = format!("copies 2, corrupted 8, intact {intact}, phantom 2, total {rows}");
        assert_eq!(summary(&answer), format!("breached | {messages} | {counted}"));
        let faithful = (TRADES - 9) as f64;
        assert_eq!(answer.report.fidelity.value, Some(faithful / (TRADES + 3) as f64));
    }
}

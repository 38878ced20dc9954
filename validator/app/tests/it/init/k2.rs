//! Tables of the K2 market data platform, of both generations, each from the topic that it is fed by.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;

use super::shapes::Shape;
use super::stage::{At, EPOCH_MS, STEP_MS, Sent};
use super::{k2_bronze, k2_equity, k2_gold};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "BNBUSDT"];
const PAIRS: [&str; 3] = ["XBT/USD", "ETH/USD", "XDG/USD"];

pub fn columns(kinds: &[(&str, ColumnType)]) -> Vec<Column> {
    kinds.iter().map(|(name, kind)| Column::optional(name, kind.clone())).collect()
}

pub fn decimal(precision: u8, scale: u8) -> ColumnType {
    ColumnType::Decimal { precision, scale }
}

pub fn sent(nth: i64, payload: String) -> Sent {
    Sent { partition: i32::try_from(nth % 2).expect("0 or 1"), key: None, payload: Some(payload.into_bytes()) }
}

pub fn ms(nth: i64) -> i64 {
    EPOCH_MS + nth * STEP_MS
}

pub fn symbol(nth: i64) -> &'static str {
    SYMBOLS[(nth % 3) as usize]
}

pub fn pair(nth: i64) -> &'static str {
    PAIRS[(nth % 3) as usize]
}

/// Eight places behind the point.
pub fn price(nth: i64) -> i128 {
    i128::from(5_000_000_000_000_i64 + (nth * 7_919) % 1_000_000 * 100)
}

pub fn quantity(nth: i64) -> i128 {
    i128::from(10_000_000 + (nth * 104_729) % 9_999_991)
}

pub fn text8(unscaled: i128) -> String {
    format!("{}.{:08}", unscaled / 100_000_000, unscaled % 100_000_000)
}

pub fn uuid(nth: i64, of: u64) -> String {
    // Spread, as random ones are.
    let a = (nth as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of.wrapping_mul(0xd1b5_4a32_d192_ed03);
    let b = a.rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hex = format!("{a:016x}{b:016x}");
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// Binance's own message: keys that differ in case only.
pub fn binance(nth: i64) -> Sent {
    let (symbol, maker) = (symbol(nth), nth % 3 == 1);
    sent(
        nth,
        format!(
            r#"{{"e":"trade","E":{},"s":"{symbol}","t":{},"p":"{}","q":"{}","T":{},"m":{maker},"M":true}}"#,
            ms(nth) + 3,
            5_000 + nth / 3,
            text8(price(nth)),
            text8(quantity(nth)),
            ms(nth)
        ),
    )
}

pub fn kraken(nth: i64) -> Sent {
    let time = format!("{}.{:06}", ms(nth / 2) / 1000, ms(nth / 2) % 1000 * 1000 + nth % 2);
    let side = if nth % 2 == 0 { "b" } else { "s" };
    sent(
        nth,
        format!(
            r#"{{"channel_id":{},"pair":"{}","price":"{}","volume":"{}","timestamp":"{time}","side":"{side}","order_type":"l","misc":""}}"#,
            119_930_881 + nth % 3,
            pair(nth),
            text8(price(nth % 17)),
            text8(quantity(nth % 11))
        ),
    )
}

fn coinbase(nth: i64) -> Sent {
    let at = chrono::DateTime::from_timestamp_millis(ms(nth)).expect("2024").format("%Y-%m-%dT%H:%M:%S%.3f");
    sent(
        nth,
        format!(
            r#"{{"trade_id":"c{nth}","product_id":"BTC-USD","price":"{}","size":"{}","side":"BUY","time":"{at}{:06}Z","sequence_num":{}}}"#,
            text8(price(nth % 19)),
            text8(quantity(nth % 13)),
            nth % 1_000,
            nth / 4
        ),
    )
}

fn normalised(nth: i64) -> Sent {
    sent(
        nth,
        format!(
            r#"{{"message_id":"{}","trade_id":"BINANCE-{}","symbol":"{}","exchange":"BINANCE","timestamp":{},"price":"{}","quantity":"{}","side":"{}","trade_conditions":["x"],"platform_sequence":null}}"#,
            uuid(nth, 1),
            9_000 + nth,
            symbol(nth),
            ms(nth) * 1000,
            text8(price(nth) + 1),
            text8(quantity(nth)),
            if nth % 2 == 0 { "BUY" } else { "SELL" }
        ),
    )
}

/// A company's data, of which there are four versions.
fn company(nth: i64) -> Sent {
    let id = nth % 60;
    let payload = format!(
        r#"{{"company_id":"c{id}","name":"Company {id}, as of {nth}","updated_at":{},"is_active":{}}}"#,
        ms(nth),
        nth % 3 == 0
    );
    let (partition, key) = (i32::try_from(id % 2).expect("0 or 1"), Some(format!("c{id}").into_bytes()));
    Sent { partition, key, payload: Some(payload.into_bytes()) }
}

fn rounded6(unscaled: i128) -> Value {
    Value::decimal((unscaled + 50) / 100, 6)
}

pub fn bytes(at: At<'_>, message: fn(i64) -> Sent) -> Value {
    Value::Bytes(message(at.nth).payload.expect("each has one"))
}

fn bronze_row(at: At<'_>) -> Vec<Value> {
    vec![
        bytes(at, binance),
        Value::text(at.topic),
        Value::long(at.partition.into()),
        Value::long(at.offset),
        Value::instant(at.timestamp_ms * 1000),
        Value::instant((EPOCH_MS + 3_600_000 + at.nth) * 1000),
        Value::Date(i32::try_from(EPOCH_MS / 86_400_000).expect("2024")),
    ]
}

pub fn shapes() -> Vec<Shape> {
    let others = [k2_bronze::shapes(), k2_equity::shapes(), k2_gold::shapes()];
    v1().into_iter().chain(v2()).chain(others.into_iter().flatten()).collect()
}

fn v1() -> Vec<Shape> {
    let (text, instant) = (ColumnType::String, ColumnType::Timestamptz);
    vec![
        Shape {
            name: "v1 bronze, raw bytes",
            columns: columns(&[
                ("raw_bytes", ColumnType::Binary),
                ("topic", text.clone()),
                ("partition", ColumnType::Int),
                ("offset", ColumnType::Long),
                ("kafka_timestamp", instant.clone()),
                ("ingestion_timestamp", instant.clone()),
                ("ingestion_date", ColumnType::Date),
            ]),
            message: binance,
            row: bronze_row,
            expected: &["format = \"bytes\"", "mode = \"offset\"", "profile = \"k2-bronze\"", "raw_bytes = \"_value\""],
        },
        Shape {
            name: "v1 bronze, raw columns",
            columns: columns(&[
                ("event_type", text.clone()),
                ("event_time_ms", ColumnType::Long),
                ("symbol", text.clone()),
                ("trade_id", ColumnType::Long),
                ("price", text.clone()),
                ("quantity", text.clone()),
                ("trade_time_ms", ColumnType::Long),
                ("is_buyer_maker", ColumnType::Boolean),
                ("ingestion_timestamp", instant.clone()),
            ]),
            message: binance,
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::text("trade"),
                    Value::long(ms(nth) + 3),
                    Value::text(symbol(nth)),
                    Value::long(5_000 + nth / 3),
                    Value::text(text8(price(nth))),
                    Value::text(text8(quantity(nth))),
                    Value::long(ms(nth)),
                    Value::Boolean(nth % 3 == 1),
                    Value::instant((EPOCH_MS + 3_600_000) * 1000),
                ]
            },
            expected: &["mode = \"key\"", "columns = [\"symbol\", \"trade_id\"]", "symbol = \"s\"", "trade_id = \"t\""],
        },
        Shape {
            name: "v1 trades_v2",
            columns: columns(&[
                ("message_id", text.clone()),
                ("trade_id", text.clone()),
                ("symbol", text.clone()),
                ("exchange", text.clone()),
                ("timestamp", ColumnType::Timestamp),
                ("price", decimal(18, 6)),
                ("quantity", decimal(18, 6)),
                ("side", text.clone()),
                ("trade_conditions", text.clone()),
                ("platform_sequence", ColumnType::Long),
            ]),
            message: normalised,
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::text(uuid(nth, 1)),
                    Value::text(format!("BINANCE-{}", 9_000 + nth)),
                    Value::text(symbol(nth)),
                    Value::text("BINANCE"),
                    Value::Timestamp { micros: ms(nth) * 1000, zoned: false },
                    rounded6(price(nth) + 1),
                    rounded6(quantity(nth)),
                    Value::text(if nth % 2 == 0 { "BUY" } else { "SELL" }),
                    Value::text("[\"x\"]"),
                    Value::Null,
                ]
            },
            expected: &[
                "mode = \"key\"",
                "columns = [\"message_id\"]",
                "window = \"timestamp\"",
                "price = \"round(price, 6)\"",
                "timestamp = \"epoch_us\"",
                "trade_conditions = ",
            ],
        },
        Shape {
            name: "v1 silver binance",
            columns: columns(&[
                ("message_id", text.clone()),
                ("trade_id", text.clone()),
                ("symbol", text.clone()),
                ("exchange", text.clone()),
                ("timestamp", ColumnType::Long),
                ("price", decimal(18, 8)),
                ("quantity", decimal(18, 8)),
                ("currency", text.clone()),
                ("side", text.clone()),
                ("validation_timestamp", instant.clone()),
                ("schema_id", ColumnType::Int),
            ]),
            message: binance,
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::text(uuid(nth, 2)),
                    Value::text(format!("BINANCE-{}", 5_000 + nth / 3)),
                    Value::text(symbol(nth)),
                    Value::text("BINANCE"),
                    Value::long(ms(nth) * 1000),
                    Value::decimal(price(nth), 8),
                    Value::decimal(quantity(nth), 8),
                    Value::text("USDT"),
                    Value::text(if nth % 3 == 1 { "SELL" } else { "BUY" }),
                    Value::instant((EPOCH_MS + 3_600_000 + nth) * 1000),
                    Value::long(1),
                ]
            },
            expected: &[
                "mode = \"key\"",
                "columns = [\"trade_id\", \"symbol\"]",
                "trade_id = \"'BINANCE-' || CAST(t AS VARCHAR)\"",
                "timestamp = \"T * 1000\"",
                "side = \"CASE m WHEN false THEN 'BUY' WHEN true THEN 'SELL' END\"",
                "exchange = \"'BINANCE'\"",
                "currency = \"'USDT'\"",
                "message_id = ",
                "validation_timestamp = ",
            ],
        },
        Shape {
            name: "v1 silver kraken",
            columns: columns(&[
                ("message_id", text.clone()),
                ("trade_id", text.clone()),
                ("symbol", text.clone()),
                ("timestamp", instant.clone()),
                ("price", decimal(18, 8)),
                ("quantity", decimal(18, 8)),
                ("side", text.clone()),
                ("bronze_ingestion_timestamp", instant),
            ]),
            message: kraken,
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::text(uuid(nth, 3)),
                    Value::text(format!("KRAKEN-{}", nth / 4)),
                    Value::text(["BTCUSD", "ETHUSD", "DOGEUSD"][(nth % 3) as usize]),
                    Value::instant(ms(nth / 2) * 1000 + nth % 2),
                    Value::decimal(price(nth % 17), 8),
                    Value::decimal(quantity(nth % 11), 8),
                    Value::text(if nth % 2 == 0 { "BUY" } else { "SELL" }),
                    Value::instant((EPOCH_MS + 3_600_000 + nth) * 1000),
                ]
            },
            expected: &["mode = \"content\"", "window = \"timestamp\"", "quantity = \"volume\"", "message_id = "],
        },
    ]
}

/// Columns of a table, its messages, and its rows.
type Reference = (Vec<Column>, fn(i64) -> Sent, fn(i64) -> Vec<Value>);

/// Reference data: the last version of each key.
pub fn reference() -> Reference {
    let columns = columns(&[
        ("company_id", ColumnType::String),
        ("name", ColumnType::String),
        ("updated_at", ColumnType::Timestamptz),
        ("is_active", ColumnType::Boolean),
    ]);
    let row = |nth: i64| {
        let id = nth % 60;
        vec![
            Value::text(format!("c{id}")),
            Value::text(format!("Company {id}, as of {nth}")),
            Value::instant(ms(nth) * 1000),
            Value::Boolean(nth % 3 == 0),
        ]
    };
    (columns, company, row)
}

fn v2() -> Vec<Shape> {
    let (text, instant) = (ColumnType::String, ColumnType::Timestamptz);
    let bronze = |binance: bool| {
        let mut kinds = vec![
            ("exchange_timestamp", instant.clone()),
            ("sequence_number", ColumnType::Long),
            ("symbol", text.clone()),
            ("price", decimal(18, 8)),
            ("quantity", decimal(18, 8)),
            ("quote_volume", decimal(38, 8)),
            ("event_time", instant.clone()),
            ("ingestion_timestamp", instant.clone()),
            ("kafka_offset", ColumnType::Long),
            ("kafka_partition", ColumnType::Int),
        ];
        if !binance {
            kinds.remove(6);
        }
        columns(&kinds)
    };
    vec![
        Shape {
            name: "v2 cold bronze binance",
            columns: bronze(true),
            message: binance,
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::instant(ms(nth) * 1000),
                    Value::long(5_000 + nth / 3),
                    Value::text(symbol(nth)),
                    Value::decimal(price(nth), 8),
                    Value::decimal(quantity(nth), 8),
                    Value::decimal(price(nth) * quantity(nth) / 100_000_000, 8),
                    Value::instant((ms(nth) + 3) * 1000),
                    Value::instant((EPOCH_MS + 3_600_000 + nth) * 1000),
                    Value::long(0),
                    Value::long(0),
                ]
            },
            expected: &[
                "mode = \"key\"",
                "columns = [\"sequence_number\", \"symbol\"]",
                "window = \"exchange_timestamp\"",
                "kafka_offset = \"0 in all 240 rows",
                "T = \"epoch_ms\"",
                "quote_volume = \"p * q - p * q % 0.00000001\"",
            ],
        },
        Shape {
            name: "v2 cold bronze kraken",
            columns: bronze(false),
            message: kraken,
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::instant(ms(nth / 2) * 1000),
                    Value::long(119_930_881 + nth % 3),
                    Value::text(pair(nth)),
                    Value::decimal(price(nth % 17), 8),
                    Value::decimal(quantity(nth % 11), 8),
                    Value::decimal(price(nth % 17) * quantity(nth % 11) / 100_000_000, 8),
                    Value::instant((EPOCH_MS + 3_600_000 + nth) * 1000),
                    Value::long(0),
                    Value::long(0),
                ]
            },
            expected: &[
                "mode = \"content\"",
                "window = \"exchange_timestamp\"",
                "exchange_timestamp = \"date_trunc('millisecond', ",
                "quote_volume = \"price * volume - price * volume % 0.00000001\"",
            ],
        },
        Shape {
            name: "v2 cold bronze coinbase",
            columns: bronze(false),
            message: coinbase,
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::instant(ms(nth) / 1000 * 1_000_000),
                    Value::long(nth / 4),
                    Value::text("BTC-USD"),
                    Value::decimal(price(nth % 19), 8),
                    Value::decimal(quantity(nth % 13), 8),
                    Value::decimal(price(nth % 19) * quantity(nth % 13) / 100_000_000, 8),
                    Value::instant((EPOCH_MS + 3_600_000 + nth) * 1000),
                    Value::long(0),
                    Value::long(0),
                ]
            },
            expected: &[
                "mode = \"content\"",
                "exchange_timestamp = \"date_trunc('second', ",
                "quote_volume = \"price * size - price * size % 0.00000001\"",
            ],
        },
        Shape {
            name: "v2 cold silver",
            columns: columns(&[
                ("message_id", text.clone()),
                ("trade_id", text.clone()),
                ("exchange", text.clone()),
                ("symbol", text.clone()),
                ("canonical_symbol", text.clone()),
                ("side", text),
                ("price", decimal(38, 8)),
                ("quantity", decimal(38, 8)),
                ("timestamp", instant.clone()),
                ("ingestion_timestamp", instant),
            ]),
            message: kraken,
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::text(uuid(nth, 4)),
                    Value::text(format!("KRAKEN-{}", 119_930_881 + nth % 3)),
                    Value::text("kraken"),
                    Value::text(pair(nth)),
                    Value::text(["BTC/USD", "ETH/USD", "DOGE/USD"][(nth % 3) as usize]),
                    Value::text("UNKNOWN"),
                    Value::decimal(price(nth % 17), 8),
                    Value::decimal(quantity(nth % 11), 8),
                    Value::instant(ms(nth / 2) * 1000),
                    Value::instant((EPOCH_MS + 3_600_000 + nth) * 1000),
                ]
            },
            expected: &[
                "mode = \"content\"",
                "window = \"timestamp\"",
                "side = \"UNKNOWN in all 240 rows",
                "exchange = \"'kraken'\"",
                "message_id = ",
            ],
        },
    ]
}

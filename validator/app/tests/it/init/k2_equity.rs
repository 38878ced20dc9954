//! Equities of the K2 platform, whose rows have nothing unique, and messages whose tables name all of their fields.

use fixtures_kit::schema::ColumnType;
use fixtures_kit::value::Value;

use super::k2::{columns, decimal, kraken, ms, pair, price, quantity, sent, symbol, text8, uuid};
use super::shapes::Shape;
use super::stage::{EPOCH_MS, Sent};

const CODES: [(&str, i64); 4] = [("BHP", 7_078), ("RIO", 8_210), ("DVN", 3_153), ("MWR", 7_511)];

/// What stands in message and row: six trades of a second, of which two are the very same.
struct Traded {
    code: &'static str,
    company: i64,
    at_ms: i64,
    /// Six places behind the point.
    price: i128,
    volume: i64,
    qualifiers: i64,
    buyer: Option<String>,
    ingested_ms: i64,
}

fn traded(nth: i64) -> Traded {
    let seen = nth - i64::from(nth % 6 == 5);
    let (code, company) = CODES[(seen % 4) as usize];
    Traded {
        code,
        company,
        at_ms: EPOCH_MS + seen / 6 * 1_000 + seen % 3,
        price: i128::from(36_000_000 + seen * 7_919 % 1_000 * 5_000),
        volume: 1 + seen * 104_729 % 997,
        qualifiers: seen % 2,
        buyer: (seen % 5 != 0).then(|| format!("B{}", seen % 7)),
        ingested_ms: EPOCH_MS + 2_000 + seen / 6 * 1_000,
    }
}

fn text6(unscaled: i128) -> String {
    format!("{}.{:06}", unscaled / 1_000_000, unscaled % 1_000_000)
}

fn equity(nth: i64) -> Sent {
    let Traded { code, company, at_ms, price, volume, qualifiers, buyer, ingested_ms } = traded(nth);
    let (price, buyer) = (text6(price), buyer.map_or_else(|| "null".to_owned(), |buyer| format!("\"{buyer}\"")));
    sent(
        nth,
        format!(
            r#"{{"symbol":"{code}","company_id":{company},"exchange":"ASX","exchange_timestamp":{at_ms},"price":"{price}","volume":{volume},"qualifiers":{qualifiers},"venue":"X","buyer_id":{buyer},"ingestion_timestamp":{ingested_ms},"sequence_number":null}}"#,
        ),
    )
}

fn equity_quote(nth: i64) -> Sent {
    let Traded { code, company, at_ms, price, volume, ingested_ms, .. } = traded(nth);
    let (bid, ask) = (text6(price), text6(price + 10_000));
    sent(
        nth,
        format!(
            r#"{{"symbol":"{code}","company_id":{company},"exchange":"ASX","exchange_timestamp":{at_ms},"bid_price":"{bid}","bid_volume":{volume},"ask_price":"{ask}","ask_volume":{},"ingestion_timestamp":{ingested_ms},"sequence_number":null}}"#,
            volume + 3,
        ),
    )
}

/// Of v2, under the name that all exchanges share.
fn normalised(nth: i64) -> Sent {
    let volume = text8(price(nth) * quantity(nth) / 100_000_000);
    sent(
        nth,
        format!(
            r#"{{"schema_version":"1.0.0","exchange":"binance","symbol":"{}","canonical_symbol":"{}","trade_id":"BINANCE-{}","price":"{}","quantity":"{}","quote_volume":"{volume}","side":"{}","timestamp":{},"exchange_timestamp":{},"metadata":null}}"#,
            symbol(nth),
            canonical(nth),
            40_000 + nth,
            text8(price(nth)),
            text8(quantity(nth)),
            if nth % 2 == 0 { "BUY" } else { "SELL" },
            ms(nth) + 4,
            ms(nth),
        ),
    )
}

fn canonical(nth: i64) -> String {
    symbol(nth).replace("USDT", "/USDT")
}

fn wall(ms: i64) -> Value {
    Value::Timestamp { micros: ms * 1_000, zoned: false }
}

pub fn shapes() -> Vec<Shape> {
    vec![trades(), quotes(), raw_columns(), silver()]
}

fn trades() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 trades, equities",
        columns: columns(&[
            ("symbol", text.clone()),
            ("company_id", ColumnType::Int),
            ("exchange", text.clone()),
            ("exchange_timestamp", ColumnType::Timestamp),
            ("price", decimal(18, 6)),
            ("volume", ColumnType::Long),
            ("qualifiers", ColumnType::Int),
            ("venue", text.clone()),
            ("buyer_id", text),
            ("ingestion_timestamp", ColumnType::Timestamp),
            ("sequence_number", ColumnType::Long),
        ]),
        message: equity,
        row: |at| {
            let Traded { code, company, at_ms, price, volume, qualifiers, buyer, ingested_ms } = traded(at.nth);
            vec![
                Value::text(code),
                Value::long(company),
                Value::text("ASX"),
                wall(at_ms),
                Value::decimal(price, 6),
                Value::long(volume),
                Value::long(qualifiers),
                Value::text("X"),
                buyer.map_or(Value::Null, Value::text),
                wall(ingested_ms),
                Value::Null,
            ]
        },
        expected: &[
            "mode = \"content\"",
            "window = \"exchange_timestamp\"",
            "exchange_timestamp = \"epoch_ms\"",
            "# nothing is unique to a message",
        ],
    }
}

fn quotes() -> Shape {
    Shape {
        name: "v1 quotes, equities",
        columns: columns(&[
            ("symbol", ColumnType::String),
            ("company_id", ColumnType::Int),
            ("exchange", ColumnType::String),
            ("exchange_timestamp", ColumnType::Timestamp),
            ("bid_price", decimal(18, 6)),
            ("bid_volume", ColumnType::Long),
            ("ask_price", decimal(18, 6)),
            ("ask_volume", ColumnType::Long),
            ("ingestion_timestamp", ColumnType::Timestamp),
            ("sequence_number", ColumnType::Long),
        ]),
        message: equity_quote,
        row: |at| {
            let Traded { code, company, at_ms, price, volume, ingested_ms, .. } = traded(at.nth);
            vec![
                Value::text(code),
                Value::long(company),
                Value::text("ASX"),
                wall(at_ms),
                Value::decimal(price, 6),
                Value::long(volume),
                Value::decimal(price + 10_000, 6),
                Value::long(volume + 3),
                wall(ingested_ms),
                Value::Null,
            ]
        },
        expected: &["mode = \"content\"", "window = \"exchange_timestamp\"", "# nothing is unique to a message"],
    }
}

fn raw_columns() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 bronze, raw columns of kraken",
        columns: columns(&[
            ("channel_id", ColumnType::Long),
            ("price", text.clone()),
            ("volume", text.clone()),
            ("timestamp", text.clone()),
            ("side", text.clone()),
            ("order_type", text.clone()),
            ("misc", text.clone()),
            ("pair", text),
            ("ingestion_timestamp", ColumnType::Timestamptz),
        ]),
        message: kraken,
        row: |at| {
            let nth = at.nth;
            vec![
                Value::long(119_930_881 + nth % 3),
                Value::text(text8(price(nth % 17))),
                Value::text(text8(quantity(nth % 11))),
                Value::text(format!("{}.{:06}", ms(nth / 2) / 1_000, ms(nth / 2) % 1_000 * 1_000 + nth % 2)),
                Value::text(if nth % 2 == 0 { "b" } else { "s" }),
                Value::text("l"),
                Value::text(""),
                Value::text(pair(nth)),
                Value::instant((EPOCH_MS + 3_600_000) * 1_000),
            ]
        },
        expected: &["mode = \"content\"", "# nothing is unique to a message", "ingestion_timestamp = "],
    }
}

fn silver() -> Shape {
    let (text, instant) = (ColumnType::String, ColumnType::Timestamptz);
    Shape {
        name: "v2 cold silver, of the normalised topic",
        columns: columns(&[
            ("message_id", text.clone()),
            ("trade_id", text.clone()),
            ("exchange", text.clone()),
            ("symbol", text.clone()),
            ("canonical_symbol", text.clone()),
            ("asset_class", text.clone()),
            ("currency", text.clone()),
            ("price", decimal(38, 8)),
            ("quantity", decimal(38, 8)),
            ("quote_volume", decimal(38, 8)),
            ("side", text),
            ("timestamp", instant.clone()),
            ("ingestion_timestamp", instant.clone()),
            ("processed_at", instant),
            ("sequence_number", ColumnType::Long),
            ("kafka_offset", ColumnType::Long),
            ("kafka_partition", ColumnType::Int),
        ]),
        message: normalised,
        row: |at| {
            let nth = at.nth;
            vec![
                Value::text(uuid(nth, 8)),
                Value::text(format!("BINANCE-{}", 40_000 + nth)),
                Value::text("binance"),
                Value::text(symbol(nth)),
                Value::text(canonical(nth)),
                Value::text("crypto"),
                Value::text("USDT"),
                Value::decimal(price(nth), 8),
                Value::decimal(quantity(nth), 8),
                Value::decimal(price(nth) * quantity(nth) / 100_000_000, 8),
                Value::text(if nth % 2 == 0 { "BUY" } else { "SELL" }),
                Value::instant(ms(nth) * 1_000),
                Value::instant((EPOCH_MS + 3_600_000 + nth) * 1_000),
                Value::instant((EPOCH_MS + 3_700_000 + nth) * 1_000),
                Value::Null,
                Value::long(0),
                Value::long(0),
            ]
        },
        expected: &[
            "mode = \"key\"",
            "columns = [\"trade_id\"]",
            "window = \"timestamp\"",
            "message_id = ",
            "kafka_offset = \"0 in all 240 rows",
        ],
    }
}

//! Equities of the K2 platform, whose rows have nothing unique, in tables that name all fields of their messages.

use fixtures_kit::schema::ColumnType;
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;

use super::k2::{columns, decimal, sent};
use super::k2_topics::{EQUITIES, EQUITY_QUOTES};
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

fn wall(ms: i64) -> Value {
    Value::Timestamp { micros: ms * 1_000, zoned: false }
}

pub fn shapes() -> Vec<Shape> {
    vec![trades(), quotes()]
}

fn trades() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 trades, equities",
        topic: EQUITIES,
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
        partitioning: &[("exchange_timestamp", Transform::Day)],
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
        ignored: &[],
        dropped: &[],
        damaged: "volume",
    }
}

fn quotes() -> Shape {
    Shape {
        name: "v1 quotes, equities",
        topic: EQUITY_QUOTES,
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
        partitioning: &[("exchange_timestamp", Transform::Day)],
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
        ignored: &[],
        dropped: &[],
        damaged: "bid_price",
    }
}

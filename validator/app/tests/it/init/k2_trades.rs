//! Trades and quotes of K2's first generation, from the normalised topics to what its Python writer makes of them.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;

use super::k2::{columns, decimal, json_list, json_map, ms, price, quantity, sent, symbol, text8, uuid, wall};
use super::k2_messages::{
    BINANCE_V1, Exchange, INSTRUMENTS, KRAKEN_V1, SIDES, coarse, conditions, delisted_us, fed_us, kraken_quote_v2,
    kraken_trade_v2, listed_us, quote_v2, side, source_sequence, trade_v2, traded_ms, vendor_data,
};
use super::k2_topics::{BINANCE_QUOTES, BINANCE_TRADES_V1, KRAKEN_QUOTES};
use super::shapes::Shape;
use super::stage::{Sent, TRADES};

pub fn shapes() -> Vec<Shape> {
    let kraken = Shape {
        name: "v1 trades_v2, kraken",
        topic: KRAKEN_V1.topic,
        message: kraken_trade_v2,
        row: |at| row_of(&KRAKEN_V1, at.nth),
        damaged: "side",
        ..trades_v2()
    };
    let kraken_quotes = Shape {
        name: "v1 quotes_v2, kraken",
        topic: KRAKEN_QUOTES,
        message: kraken_quote_v2,
        row: |at| quote_row(&KRAKEN_V1, at.nth),
        damaged: "vendor_data",
        ..quotes_v2()
    };
    vec![trades_v2(), kraken, quotes_v2(), kraken_quotes, doubles(), rounded()]
}

pub fn optional(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::long)
}

pub fn side_word(nth: i64) -> Value {
    Value::text(SIDES[side(nth) as usize])
}

/// The columns of `trades_v2`, and the row of TradeV2 of that number.
pub fn trades_v2_columns() -> Vec<Column> {
    let text = ColumnType::String;
    columns(&[
        ("message_id", text.clone()),
        ("trade_id", text.clone()),
        ("symbol", text.clone()),
        ("exchange", text.clone()),
        ("asset_class", text.clone()),
        ("timestamp", ColumnType::Timestamp),
        ("price", decimal(18, 6)),
        ("quantity", decimal(18, 6)),
        ("currency", text.clone()),
        ("side", text.clone()),
        ("trade_conditions", text.clone()),
        ("source_sequence", ColumnType::Long),
        ("ingestion_timestamp", ColumnType::Timestamp),
        ("platform_sequence", ColumnType::Long),
        ("vendor_data", text),
    ])
}

pub fn trades_v2_row(nth: i64) -> Vec<Value> {
    row_of(&BINANCE_V1, nth)
}

fn row_of(of: &Exchange, nth: i64) -> Vec<Value> {
    vec![
        Value::text(uuid(nth, 1)),
        Value::text(format!("{}-{}", of.name, 9_000 + nth)),
        Value::text((of.symbol)(nth)),
        Value::text(of.name),
        Value::text("crypto"),
        wall(traded_ms(nth) * 1_000 + nth % 7),
        Value::decimal(coarse(price(nth)), 8),
        Value::decimal(coarse(quantity(nth)), 8),
        Value::text(of.currency),
        side_word(nth),
        json_list(&conditions(nth)),
        optional(source_sequence(nth)),
        wall(fed_us(nth)),
        Value::long(nth / 40),
        json_map(vendor_data(nth).as_deref()),
    ]
}

fn trades_v2() -> Shape {
    Shape {
        name: "v1 trades_v2",
        topic: BINANCE_TRADES_V1,
        columns: trades_v2_columns(),
        partitioning: &[("timestamp", Transform::Day)],
        message: trade_v2,
        row: |at| trades_v2_row(at.nth),
        expected: &[
            "format = \"avro\"",
            "mode = \"key\"",
            "columns = [\"message_id\"]",
            "window = \"timestamp\"",
            "# trade_id is unique too",
            "trade_conditions = \"nullif(CAST(trade_conditions AS VARCHAR), '[]')\"",
            "vendor_data = \"nullif(CAST(vendor_data AS VARCHAR), '{}')\"",
            "trade_conditions = \"json_equal\"",
            "vendor_data = \"json_equal\"",
        ],
        ignored: &[],
        dropped: &[],
        damaged: "price",
    }
}

fn quotes_v2() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 quotes_v2",
        topic: BINANCE_QUOTES,
        columns: columns(&[
            ("message_id", text.clone()),
            ("quote_id", text.clone()),
            ("symbol", text.clone()),
            ("exchange", text.clone()),
            ("asset_class", text.clone()),
            ("timestamp", ColumnType::Timestamp),
            ("bid_price", decimal(18, 8)),
            ("bid_quantity", decimal(18, 8)),
            ("ask_price", decimal(18, 8)),
            ("ask_quantity", decimal(18, 8)),
            ("currency", text.clone()),
            ("source_sequence", ColumnType::Long),
            ("ingestion_timestamp", ColumnType::Long),
            ("platform_sequence", ColumnType::Long),
            ("vendor_data", text),
        ]),
        partitioning: &[],
        message: quote_v2,
        row: |at| quote_row(&BINANCE_V1, at.nth),
        expected: &[
            "format = \"avro\"",
            "mode = \"key\"",
            "columns = [\"message_id\"]",
            "window = \"timestamp\"",
            "# quote_id, platform_sequence are unique too",
            "ingestion_timestamp = \"arrow_cast(ingestion_timestamp, 'Int64')\"",
            "vendor_data = \"nullif(CAST(vendor_data AS VARCHAR), '{}')\"",
            "vendor_data = \"json_equal\"",
        ],
        ignored: &[],
        dropped: &[],
        damaged: "ask_quantity",
    }
}

fn quote_row(of: &Exchange, nth: i64) -> Vec<Value> {
    vec![
        Value::text(uuid(nth, 5)),
        Value::text(format!("{}-{}", of.name, 70_000 + nth)),
        Value::text((of.symbol)(nth)),
        Value::text(of.name),
        Value::text("crypto"),
        wall(ms(nth) * 1_000),
        Value::decimal(price(nth), 8),
        Value::decimal(quantity(nth), 8),
        Value::decimal(price(nth) + 12_345, 8),
        Value::decimal(quantity(nth + 7), 8),
        Value::text(of.currency),
        optional(source_sequence(nth)),
        Value::long((ms(nth) + 40) * 1_000),
        Value::long(nth),
        json_map(vendor_data(nth).as_deref()),
    ]
}

/// scripts/create_trades_v2_table.py: fourteen columns, prices and quantities in doubles.
fn doubles() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 trades, doubles",
        topic: BINANCE_TRADES_V1,
        columns: columns(&[
            ("message_id", text.clone()),
            ("symbol", text.clone()),
            ("exchange", text.clone()),
            ("asset_class", text.clone()),
            ("timestamp", ColumnType::Timestamp),
            ("trade_id", text.clone()),
            ("price", ColumnType::Double),
            ("quantity", ColumnType::Double),
            ("side", text.clone()),
            ("trade_conditions", text.clone()),
            ("sequence_number", ColumnType::Int),
            ("vendor_data", text.clone()),
            ("ingestion_timestamp", ColumnType::Timestamp),
            ("data_version", text),
        ]),
        partitioning: &[("timestamp", Transform::Day)],
        message: trade_v2,
        row: |at| {
            let nth = at.nth;
            let double = |unscaled| Value::double(text8(coarse(unscaled)).parse().expect("a number"));
            vec![
                Value::text(uuid(nth, 1)),
                Value::text(symbol(nth)),
                Value::text("BINANCE"),
                Value::text("crypto"),
                wall(traded_ms(nth) * 1_000 + nth % 7),
                Value::text(format!("BINANCE-{}", 9_000 + nth)),
                double(price(nth)),
                double(quantity(nth)),
                side_word(nth),
                json_list(&conditions(nth)),
                optional(source_sequence(nth)),
                json_map(vendor_data(nth).as_deref()),
                wall(fed_us(nth)),
                Value::text("v2"),
            ]
        },
        expected: &[
            "format = \"avro\"",
            "mode = \"key\"",
            "columns = [\"message_id\"]",
            "window = \"timestamp\"",
            "sequence_number = \"source_sequence\"",
            "data_version = \"'v2'\"",
            "trade_conditions = \"json_equal\"",
            "currency = \"kept by no column\"",
        ],
        ignored: &[],
        dropped: &["currency", "platform_sequence"],
        damaged: "quantity",
    }
}

/// The same messages in JSON, into a table whose writer rounds.
fn rounded() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 trades_v2, JSON and a writer that rounds",
        topic: TRADES,
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
            ("vendor_data", text),
        ]),
        partitioning: &[("timestamp", Transform::Day)],
        message: normalised,
        row: |at| {
            let nth = at.nth;
            let rounded = |unscaled: i128| Value::decimal((unscaled + 50) / 100, 6);
            vec![
                Value::text(uuid(nth, 1)),
                Value::text(format!("BINANCE-{}", 9_000 + nth)),
                Value::text(symbol(nth)),
                Value::text("BINANCE"),
                wall(ms(nth) * 1_000),
                rounded(fine(price(nth), nth)),
                rounded(fine(quantity(nth), nth)),
                side_word(nth),
                json_list(&conditions(nth)),
                Value::Null,
                json_map(vendor_data(nth).as_deref()),
            ]
        },
        expected: &[
            "format = \"json\"",
            "mode = \"key\"",
            "columns = [\"message_id\"]",
            "window = \"timestamp\"",
            "price = \"round(price, 6)\"",
            "timestamp = \"epoch_us\"",
            "trade_conditions = \"list<string>\"",
            "trade_conditions = \"nullif(CAST(trade_conditions AS VARCHAR), '[]')\"",
            "vendor_data = \"map<string, string>\"",
        ],
        ignored: &[],
        dropped: &[],
        damaged: "trade_conditions",
    }
}

/// With seven and eight digits behind the point.
fn fine(unscaled: i128, nth: i64) -> i128 {
    unscaled + i128::from(1 + nth % 98)
}

fn normalised(nth: i64) -> Sent {
    let json = |value: Option<serde_json::Value>| value.map_or("null".to_owned(), |value| value.to_string());
    let vendor = vendor_data(nth).map(|entries| entries.into_iter().collect::<serde_json::Value>());
    sent(
        nth,
        format!(
            r#"{{"message_id":"{}","trade_id":"BINANCE-{}","symbol":"{}","exchange":"BINANCE","timestamp":{},"price":"{}","quantity":"{}","side":"{}","trade_conditions":{},"platform_sequence":null,"vendor_data":{}}}"#,
            uuid(nth, 1),
            9_000 + nth,
            symbol(nth),
            ms(nth) * 1000,
            text8(fine(price(nth), nth)),
            text8(fine(quantity(nth), nth)),
            SIDES[side(nth) as usize],
            json(Some(conditions(nth).into())),
            json(vendor),
        ),
    )
}

/// Reference data: the last version of each company. K2 has no table for it; this one is as its writer makes others.
pub fn reference_columns() -> Vec<Column> {
    let text = ColumnType::String;
    columns(&[
        ("message_id", text.clone()),
        ("company_id", text.clone()),
        ("symbol", text.clone()),
        ("exchange", text.clone()),
        ("asset_class", text.clone()),
        ("company_name", text.clone()),
        ("isin", text.clone()),
        ("currency", text.clone()),
        ("listing_date", ColumnType::Timestamp),
        ("delisting_date", ColumnType::Timestamp),
        ("is_active", ColumnType::Boolean),
        ("ingestion_timestamp", ColumnType::Timestamp),
        ("vendor_data", text),
    ])
}

/// The row of the version of that number.
pub fn reference_row(of: &Exchange, company: &str, nth: i64) -> Vec<Value> {
    let optional = |micros: Option<i64>| micros.map_or(Value::Null, wall);
    vec![
        Value::text(uuid(nth, 9)),
        Value::text(company),
        Value::text((of.symbol)(nth % INSTRUMENTS)),
        Value::text(of.name),
        Value::text("crypto"),
        Value::text(format!("Company {}, as of {nth}", nth % INSTRUMENTS)),
        Value::Null,
        Value::text(of.currency),
        optional(listed_us(nth)),
        optional(delisted_us(nth)),
        Value::Boolean(delisted_us(nth).is_none()),
        wall((ms(nth) + 40) * 1_000),
        json_map(vendor_data(nth).as_deref()),
    ]
}

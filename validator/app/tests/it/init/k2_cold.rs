//! The cold tables of K2's second generation: bronze of each exchange, as the statements and as the committed metadata have
//! them, and silver of both kinds of topics.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;

use super::k2::{columns, decimal, double_product, ms, pair, price, product, quantity, symbol, trade_number, uuid};
use super::k2_messages::{
    Normalised, binance, binance_normalised, channel, coinbase, coinbase_normalised, coinbase_product, kraken,
    kraken_normalised, normalised,
};
use super::k2_topics::{BINANCE_RAW, BINANCE_TRADES, COINBASE_RAW, COINBASE_TRADES, KRAKEN_RAW, KRAKEN_TRADES};
use super::shapes::Shape;
use super::stage::EPOCH_MS;

pub fn shapes() -> Vec<Shape> {
    let declared = [bronze_binance(38), bronze_kraken(38), bronze_coinbase(38)];
    let committed = [bronze_binance(18), bronze_kraken(18), bronze_coinbase(18)];
    let silver = [silver_binance(), silver_kraken(), silver_coinbase()];
    let normalised = [normalised_binance(), normalised_kraken(), normalised_coinbase()];
    [declared, committed, silver, normalised].into_iter().flatten().collect()
}

/// The table by its digits: 38 of docker/iceberg/ddl, 18 of the committed metadata.
fn named(digits: u8, declared: &'static str, committed: &'static str) -> &'static str {
    if digits == 38 { declared } else { committed }
}

fn bronze(digits: u8) -> Vec<Column> {
    let instant = ColumnType::Timestamptz;
    columns(&[
        ("exchange_timestamp", instant.clone()),
        ("sequence_number", ColumnType::Long),
        ("symbol", ColumnType::String),
        ("price", decimal(digits, 8)),
        ("quantity", decimal(digits, 8)),
        ("quote_volume", decimal(digits, 8)),
        ("event_time", instant.clone()),
        ("kafka_offset", ColumnType::Long),
        ("kafka_partition", ColumnType::Int),
        ("ingestion_timestamp", instant),
    ])
}

/// Whole seconds, as ClickHouse's DateTime keeps them.
fn inserted(nth: i64) -> Value {
    Value::instant((EPOCH_MS / 1_000 + 3_600 + nth / 40) * 1_000_000)
}

/// The constants where an offset should be, and the time of the insert.
fn placeholders(nth: i64) -> [Value; 3] {
    [Value::long(0), Value::long(0), inserted(nth)]
}

const BRONZE_BY: &[(&str, Transform)] = &[("exchange_timestamp", Transform::Day)];
const SILVER_BY: &[(&str, Transform)] =
    &[("timestamp", Transform::Day), ("exchange", Transform::Identity), ("asset_class", Transform::Identity)];

fn bronze_binance(digits: u8) -> Shape {
    Shape {
        name: named(digits, "v2 cold bronze binance", "v2 cold bronze binance, as committed"),
        topic: BINANCE_RAW,
        columns: bronze(digits),
        partitioning: BRONZE_BY,
        message: binance,
        row: |at| {
            let nth = at.nth;
            let own = vec![
                Value::instant(ms(nth) * 1_000),
                Value::long(trade_number(nth)),
                Value::text(symbol(nth)),
                Value::decimal(price(nth), 8),
                Value::decimal(quantity(nth), 8),
                Value::decimal(double_product(price(nth), quantity(nth)), 8),
                Value::instant((ms(nth) + 3) * 1_000),
            ];
            own.into_iter().chain(placeholders(nth)).collect()
        },
        expected: &[
            "mode = \"key\"",
            "columns = [\"sequence_number\", \"symbol\"]",
            "window = \"exchange_timestamp\"",
            "# not by offset: kafka_offset holds 0 in all 240 rows",
            "kafka_offset = \"0 in all 240 rows",
            "kafka_partition = \"0 in all 240 rows",
            "T = \"epoch_ms\"",
            "event_time = \"E\"",
            "quote_volume = \"CAST(trunc(CAST(p AS DOUBLE) * CAST(q AS DOUBLE) * 100000000) AS BIGINT) * 0.00000001\"",
        ],
        ignored: &["kafka_offset", "kafka_partition", "ingestion_timestamp"],
        dropped: &["M", "a", "b", "e", "m"],
        damaged: named(digits, "quote_volume", "price"),
    }
}

fn bronze_kraken(digits: u8) -> Shape {
    Shape {
        name: named(digits, "v2 cold bronze kraken", "v2 cold bronze kraken, as committed"),
        topic: KRAKEN_RAW,
        columns: bronze(digits),
        partitioning: BRONZE_BY,
        message: kraken,
        row: |at| {
            let nth = at.nth;
            let own = vec![
                // The microseconds that tell two trades apart are cut off.
                Value::instant(ms(nth / 2) * 1_000),
                Value::long(channel(nth)),
                Value::text(pair(nth)),
                Value::decimal(price(nth % 17), 8),
                Value::decimal(quantity(nth % 13), 8),
                Value::decimal(double_product(price(nth % 17), quantity(nth % 13)), 8),
                Value::instant(ms(nth / 2) * 1_000),
            ];
            own.into_iter().chain(placeholders(nth)).collect()
        },
        expected: &[
            "mode = \"content\"",
            "window = \"exchange_timestamp\"",
            "# not by offset: kafka_offset holds 0 in all 240 rows",
            "kafka_offset = \"0 in all 240 rows",
            "exchange_timestamp = \"date_trunc('millisecond', ",
            "event_time = \"date_trunc('millisecond', ",
            "quote_volume = \"CAST(trunc(CAST(price AS DOUBLE) * CAST(volume AS DOUBLE) * 100000000) AS BIGINT) * 0.00000001\"",
            "ingestion_timestamp = \"after the message's timestamp in every row",
        ],
        ignored: &["kafka_offset", "kafka_partition", "ingestion_timestamp"],
        dropped: &["misc", "order_type", "side"],
        damaged: named(digits, "symbol", "quantity"),
    }
}

fn bronze_coinbase(digits: u8) -> Shape {
    Shape {
        name: named(digits, "v2 cold bronze coinbase", "v2 cold bronze coinbase, as committed"),
        topic: COINBASE_RAW,
        columns: bronze(digits),
        partitioning: BRONZE_BY,
        message: coinbase,
        row: |at| {
            let nth = at.nth;
            let own = vec![
                Value::instant(ms(nth) / 1_000 * 1_000_000),
                Value::long(nth / 4),
                Value::text(coinbase_product(nth).replace('-', "")),
                Value::decimal(price(nth % 19), 8),
                Value::decimal(quantity(nth % 13), 8),
                // Made of the text of the product of two doubles, which has no digit to cut here.
                Value::decimal(product(price(nth % 19), quantity(nth % 13)), 8),
                Value::instant(ms(nth) / 1_000 * 1_000_000),
            ];
            own.into_iter().chain(placeholders(nth)).collect()
        },
        expected: &[
            "mode = \"content\"",
            "window = \"exchange_timestamp\"",
            "# not by offset: kafka_offset holds 0 in all 240 rows",
            "exchange_timestamp = \"date_trunc('second', ",
            "symbol = \"replace(product_id, '-', '')\"",
            "quote_volume = \"price * size\"",
            "trade_id = \"kept by no column\"",
            "side = \"kept by no column\"",
        ],
        ignored: &["kafka_offset", "kafka_partition", "ingestion_timestamp"],
        dropped: &["side", "trade_id"],
        damaged: named(digits, "event_time", "sequence_number"),
    }
}

/// The seventeen columns that the offload writes.
fn silver() -> Vec<Column> {
    let (text, instant) = (ColumnType::String, ColumnType::Timestamptz);
    columns(&[
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
        ("source_sequence", ColumnType::Long),
        ("platform_sequence", ColumnType::Long),
        ("is_valid", ColumnType::Boolean),
    ])
}

/// What of a silver row is its own.
struct Trade {
    exchange: &'static str,
    id: String,
    symbol: String,
    canonical: String,
    currency: &'static str,
    price: i128,
    quantity: i128,
    volume: i128,
    side: &'static str,
    at_ms: i64,
    sequence: Value,
}

fn silver_row(nth: i64, trade: Trade) -> Vec<Value> {
    let Trade { exchange, id, symbol, canonical, currency, price, quantity, volume, side, at_ms, sequence } = trade;
    vec![
        Value::text(uuid(nth, 4)),
        Value::text(id),
        Value::text(exchange),
        Value::text(symbol),
        Value::text(canonical),
        Value::text("crypto"),
        Value::text(currency),
        Value::decimal(price, 8),
        Value::decimal(quantity, 8),
        Value::decimal(volume, 8),
        Value::text(side),
        Value::instant(at_ms * 1_000),
        inserted(nth),
        inserted(nth + 40),
        sequence,
        Value::Null,
        Value::Boolean(true),
    ]
}

pub fn silver_binance() -> Shape {
    Shape {
        name: "v2 cold silver, binance",
        topic: BINANCE_RAW,
        columns: silver(),
        partitioning: SILVER_BY,
        message: binance,
        row: |at| {
            let nth = at.nth;
            let trade = Trade {
                exchange: "binance",
                id: format!("BINANCE-{}", trade_number(nth)),
                symbol: symbol(nth).to_owned(),
                canonical: symbol(nth).replace("USDT", "/USDT"),
                currency: "USDT",
                price: price(nth),
                quantity: quantity(nth),
                volume: double_product(price(nth), quantity(nth)),
                side: "UNKNOWN",
                at_ms: ms(nth),
                sequence: Value::long(trade_number(nth)),
            };
            silver_row(nth, trade)
        },
        expected: &[
            "mode = \"key\"",
            "columns = [\"trade_id\", \"symbol\"]",
            "window = \"timestamp\"",
            "trade_id = \"'BINANCE-' || CAST(t AS VARCHAR)\"",
            "canonical_symbol = \"left(s, -4) || '/' || right(s, 4)\"",
            "source_sequence = \"t\"",
            "is_valid = \"true\"",
            "message_id = \"different in every row of 240: a uuid made by the sink, and in no message\"",
            "m = \"kept by no column\"",
        ],
        ignored: &["message_id", "ingestion_timestamp", "processed_at", "platform_sequence"],
        dropped: &["E", "M", "a", "b", "e", "m"],
        damaged: "canonical_symbol",
    }
}

pub fn silver_kraken() -> Shape {
    Shape {
        name: "v2 cold silver, kraken",
        topic: KRAKEN_RAW,
        columns: silver(),
        partitioning: SILVER_BY,
        message: kraken,
        row: |at| {
            let nth = at.nth;
            let trade = Trade {
                exchange: "kraken",
                id: format!("KRAKEN-{}", channel(nth)),
                symbol: pair(nth).to_owned(),
                canonical: pair(nth).replace("XBT", "BTC"),
                currency: "USD",
                price: price(nth % 17),
                quantity: quantity(nth % 13),
                volume: double_product(price(nth % 17), quantity(nth % 13)),
                side: "UNKNOWN",
                at_ms: ms(nth / 2),
                sequence: Value::long(channel(nth)),
            };
            silver_row(nth, trade)
        },
        expected: &[
            "mode = \"content\"",
            "window = \"timestamp\"",
            "side = \"UNKNOWN in all 240 rows",
            // Its messages are under the name of the exchange.
            "exchange = \"CAST(_key AS VARCHAR)\"",
            "trade_id = \"'KRAKEN-' || CAST(channel_id AS VARCHAR)\"",
            "canonical_symbol = \"replace(pair, 'XBT', 'BTC')\"",
            "message_id = \"different in every row of 240: a uuid made by the sink, and in no message\"",
        ],
        ignored: &["message_id", "ingestion_timestamp", "processed_at", "platform_sequence", "side"],
        dropped: &["misc", "order_type"],
        damaged: "trade_id",
    }
}

pub fn silver_coinbase() -> Shape {
    Shape {
        name: "v2 cold silver, coinbase",
        topic: COINBASE_RAW,
        columns: silver(),
        partitioning: SILVER_BY,
        message: coinbase,
        row: |at| {
            let nth = at.nth;
            let symbol = coinbase_product(nth).replace('-', "");
            let trade = Trade {
                exchange: "coinbase",
                id: format!("COINBASE-{}", nth / 4),
                canonical: coinbase_product(nth).replace('-', "/"),
                symbol,
                currency: "USD",
                price: price(nth % 19),
                quantity: quantity(nth % 13),
                volume: product(price(nth % 19), quantity(nth % 13)),
                side: "UNKNOWN",
                at_ms: ms(nth) / 1_000 * 1_000,
                sequence: Value::long(nth / 4),
            };
            silver_row(nth, trade)
        },
        expected: &[
            "mode = \"content\"",
            "window = \"timestamp\"",
            "side = \"UNKNOWN in all 240 rows",
            "trade_id = \"'COINBASE-' || CAST(sequence_num AS VARCHAR)\"",
            "timestamp = \"date_trunc('second', ",
            "canonical_symbol = \"replace(product_id, '-', '/')\"",
        ],
        ignored: &["message_id", "ingestion_timestamp", "processed_at", "platform_sequence", "side"],
        dropped: &["trade_id"],
        damaged: "price",
    }
}

/// A row made of NormalizedTrade, whose names it shares but for the time.
fn of_normalised(of: Normalised, nth: i64) -> Vec<Value> {
    let trade = Trade {
        exchange: of.exchange,
        id: of.id,
        symbol: of.symbol,
        canonical: of.canonical,
        currency: of.currency,
        price: price(nth),
        quantity: quantity(nth),
        volume: product(price(nth), quantity(nth)),
        side: if of.side == 0 { "BUY" } else { "SELL" },
        at_ms: of.at_ms,
        sequence: Value::Null,
    };
    silver_row(nth, trade)
}

fn normalised_binance() -> Shape {
    Shape {
        name: "v2 silver of the normalised topic, binance",
        topic: BINANCE_TRADES,
        columns: silver(),
        partitioning: SILVER_BY,
        message: |nth| normalised(&binance_normalised(nth), nth),
        row: |at| of_normalised(binance_normalised(at.nth), at.nth),
        expected: &[
            "format = \"avro\"",
            "mode = \"key\"",
            "columns = [\"trade_id\"]",
            "window = \"timestamp\"",
            "timestamp = \"CAST(to_timestamp_millis(exchange_timestamp) AS TIMESTAMPTZ)\"",
            "message_id = \"different in every row of 240: a uuid made by the sink, and in no message\"",
            "metadata = \"kept by no column\"",
            "schema_version = \"kept by no column\"",
        ],
        ignored: &["message_id", "ingestion_timestamp", "processed_at", "source_sequence", "platform_sequence"],
        dropped: &["metadata", "schema_version", "timestamp"],
        damaged: "side",
    }
}

/// Its ids are made of the pair and the millisecond, which two trades may share.
fn normalised_kraken() -> Shape {
    Shape {
        name: "v2 silver of the normalised topic, kraken",
        topic: KRAKEN_TRADES,
        message: |nth| normalised(&kraken_normalised(nth), nth),
        row: |at| of_normalised(kraken_normalised(at.nth), at.nth),
        expected: &[
            "mode = \"content\"",
            "window = \"timestamp\"",
            "# nothing is unique to a message",
            "# trade_id alone: 200 different among 240 messages",
            "timestamp = \"CAST(to_timestamp_millis(exchange_timestamp) AS TIMESTAMPTZ)\"",
        ],
        damaged: "quote_volume",
        ..normalised_binance()
    }
}

fn normalised_coinbase() -> Shape {
    Shape {
        name: "v2 silver of the normalised topic, coinbase",
        topic: COINBASE_TRADES,
        message: |nth| normalised(&coinbase_normalised(nth), nth),
        row: |at| of_normalised(coinbase_normalised(at.nth), at.nth),
        damaged: "quantity",
        ..normalised_binance()
    }
}

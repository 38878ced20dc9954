//! Silver and gold of K2's first generation: TradeV2's fifteen fields, made by Spark of exchange-native or of normalised
//! messages, with what each layout adds.

use std::fmt::Write as _;

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;

use super::k2::{columns, decimal, ingested, pair, price, quantity, symbol, trade_number, uuid};
use super::k2_messages::{
    BINANCE_V1, Exchange, KRAKEN_V1, binance_v1, channel, conditions, fed_us, fine, fine_trade_v2, is_best_match,
    is_buyer_maker, kraken_fine_trade_v2, kraken_order, kraken_side, kraken_time_v1, kraken_v1, kraken_v1_us,
    source_sequence, traded_ms, vendor_data,
};
use super::k2_topics::{BINANCE_RAW_V1, BINANCE_TRADES_V1, KRAKEN_RAW_V1, KRAKEN_TRADES_V1};
use super::k2_trades::{optional, side_word};
use super::shapes::Shape;
use super::stage::At;

const HOUR_MS: i64 = 3_600_000;
const DAY_US: i64 = 86_400_000_000;

pub fn shapes() -> Vec<Shape> {
    let by_day = of_normalised("v1 silver binance, map and day", &[]);
    let of_kraken = |name: &'static str, layout: Shape, row: fn(At<'_>) -> Vec<Value>| Shape {
        name,
        topic: KRAKEN_TRADES_V1,
        message: kraken_fine_trade_v2,
        row,
        ..layout
    };
    let kraken_by_day = Shape {
        damaged: "trade_conditions",
        ..of_kraken("v1 silver kraken, map and day", of_normalised("", &[]), |at| normalised_row(&KRAKEN_V1, at.nth))
    };
    let kraken_by_symbol = Shape {
        damaged: "vendor_data",
        ..of_kraken("v1 silver kraken, by day and symbol", by_symbol(), |at| with_symbol(&KRAKEN_V1, at.nth))
    };
    vec![binance(), kraken(), by_day, by_symbol(), kraken_by_day, kraken_by_symbol, gold()]
}

/// How a layout keeps `vendor_data`.
enum Vendor {
    Json,
    Map,
}

/// TradeV2 as Spark's layouts have it, and more columns.
fn layout(vendor: Vendor, more: &[(&'static str, ColumnType)]) -> Vec<Column> {
    let text = ColumnType::String;
    let vendor = match vendor {
        Vendor::Json => text.clone(),
        Vendor::Map => ColumnType::StringMap { key_id: 0, value_id: 0 },
    };
    let own = [
        ("message_id", text.clone()),
        ("trade_id", text.clone()),
        ("symbol", text.clone()),
        ("exchange", text.clone()),
        ("asset_class", text.clone()),
        ("timestamp", ColumnType::Long),
        ("price", decimal(18, 8)),
        ("quantity", decimal(18, 8)),
        ("currency", text.clone()),
        ("side", text),
        ("trade_conditions", ColumnType::list(ColumnType::String)),
        ("source_sequence", ColumnType::Long),
        ("ingestion_timestamp", ColumnType::Long),
        ("platform_sequence", ColumnType::Long),
        ("vendor_data", vendor),
    ];
    columns(&own.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>())
}

/// What the streaming jobs add.
fn of_jobs() -> [(&'static str, ColumnType); 3] {
    [
        ("validation_timestamp", ColumnType::Timestamptz),
        ("bronze_ingestion_timestamp", ColumnType::Timestamptz),
        ("schema_id", ColumnType::Int),
    ]
}

/// The values of [`of_jobs`].
fn job(nth: i64, schema: u32) -> [Value; 3] {
    [Value::instant(ingested(nth) + 9_000_000), Value::instant(ingested(nth)), Value::long(schema.into())]
}

fn list(items: Vec<String>) -> Value {
    Value::List(items.into_iter().map(Value::text).collect())
}

/// The trade as the job for Binance writes it; `to_json` of Spark leaves out what is null.
fn binance_trade(nth: i64) -> Vec<Value> {
    let mut vendor = format!(
        r#"{{"event_type":"trade","event_time_ms":{},"is_buyer_maker":{}"#,
        traded_ms(nth) + 3,
        is_buyer_maker(nth)
    );
    if let Some(is_best_match) = is_best_match(nth) {
        write!(vendor, r#","is_best_match":{is_best_match}"#).expect("a string takes text");
    }
    vec![
        Value::text(uuid(nth, 2)),
        Value::text(format!("BINANCE-{}", trade_number(nth))),
        Value::text(symbol(nth)),
        Value::text("BINANCE"),
        Value::text("crypto"),
        Value::long(traded_ms(nth) * 1_000),
        Value::decimal(price(nth), 8),
        Value::decimal(quantity(nth), 8),
        Value::text("USDT"),
        Value::text(if is_buyer_maker(nth) { "SELL" } else { "BUY" }),
        list(Vec::new()),
        Value::Null,
        Value::long(fed_us(nth)),
        Value::Null,
        Value::text(vendor + "}"),
    ]
}

fn binance() -> Shape {
    Shape {
        name: "v1 silver binance",
        topic: BINANCE_RAW_V1,
        columns: layout(Vendor::Json, &of_jobs()),
        partitioning: &[("validation_timestamp", Transform::Day)],
        message: binance_v1,
        row: |at| binance_trade(at.nth).into_iter().chain(job(at.nth, 11)).collect(),
        expected: &[
            "format = \"avro\"",
            "mode = \"key\"",
            "columns = [\"trade_id\", \"symbol\"]",
            "trade_id = \"'BINANCE-' || CAST(trade_id AS VARCHAR)\"",
            "exchange = \"'BINANCE'\"",
            "asset_class = \"'crypto'\"",
            "currency = \"'USDT'\"",
            "timestamp = \"trade_time_ms * 1000\"",
            "side = \"CASE is_buyer_maker WHEN false THEN 'BUY' WHEN true THEN 'SELL' END\"",
            "vendor_data = \"'{\\\"event_type\\\":' || ",
            "vendor_data = \"json_equal\"",
            "message_id = \"different in every row of 240: a uuid made by the sink, and in no message\"",
            "trade_conditions = \"[] in all 240 rows",
            "source_sequence = \"NULL in all 240 rows",
            "validation_timestamp = ",
            "bronze_ingestion_timestamp = ",
            "schema_id = \"11 in all 240 rows",
        ],
        ignored: &[
            "message_id",
            "trade_conditions",
            "source_sequence",
            "platform_sequence",
            "validation_timestamp",
            "bronze_ingestion_timestamp",
            "schema_id",
        ],
        dropped: &[],
        damaged: "vendor_data",
    }
}

fn kraken() -> Shape {
    Shape {
        name: "v1 silver kraken",
        topic: KRAKEN_RAW_V1,
        columns: layout(Vendor::Json, &of_jobs()),
        partitioning: &[("validation_timestamp", Transform::Day)],
        message: kraken_v1,
        row: |at| {
            let nth = at.nth;
            let (time, order) = (kraken_time_v1(nth), kraken_order(nth));
            let vendor =
                format!(r#"{{"channel_id":{},"order_type":"{order}","misc":"","pair":"{}"}}"#, channel(nth), pair(nth));
            // Of a digest here only its looks matter: no digest of texts is made out again.
            let digest = &uuid(nth % 17 * 1_000 + nth / 2, 7)[..8];
            let trade = vec![
                Value::text(uuid(nth, 3)),
                Value::text(format!("KRAKEN-{time}-{digest}")),
                Value::text(pair(nth).replace("XBT", "BTC").replace('/', "")),
                Value::text("KRAKEN"),
                Value::text("crypto"),
                Value::long(kraken_v1_us(nth)),
                Value::decimal(price(nth % 17), 8),
                Value::decimal(quantity(nth % 13), 8),
                Value::text("USD"),
                Value::text(if kraken_side(nth) == "b" { "BUY" } else { "SELL" }),
                list(vec![if order == "m" { "market" } else { "limit" }.to_owned()]),
                Value::Null,
                Value::long(fed_us(nth)),
                Value::Null,
                Value::text(vendor),
            ];
            trade.into_iter().chain(job(nth, 12)).collect()
        },
        expected: &[
            "format = \"avro\"",
            "mode = \"content\"",
            "# nothing is unique to a message",
            "symbol = \"replace(replace(pair, 'XBT', 'BTC'), '/', '')\"",
            "timestamp = \"CAST(CAST(\\\"timestamp\\\" AS DECIMAL(38, 6)) * 1000000 AS BIGINT)\"",
            "quantity = \"volume\"",
            "side = \"CASE side WHEN 'b' THEN 'BUY' WHEN 's' THEN 'SELL' END\"",
            "vendor_data = \"'{\\\"channel_id\\\":' || ",
            "message_id = \"different in every row of 240: a uuid made by the sink, and in no message\"",
            "trade_id = ",
            "trade_conditions = \"made of order_type by the sink",
            "schema_id = \"12 in all 240 rows",
        ],
        ignored: &[
            "message_id",
            "trade_id",
            "trade_conditions",
            "source_sequence",
            "platform_sequence",
            "validation_timestamp",
            "bronze_ingestion_timestamp",
            "schema_id",
        ],
        dropped: &[],
        damaged: "symbol",
    }
}

/// The layout whose job reads the normalised topic: nothing is made up there, and `vendor_data` stays a map.
fn of_normalised(name: &'static str, more: &[(&'static str, ColumnType)]) -> Shape {
    let day = [("exchange_date", ColumnType::Date)];
    Shape {
        name,
        topic: BINANCE_TRADES_V1,
        columns: layout(Vendor::Map, &day.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>()),
        partitioning: &[("exchange_date", Transform::Day)],
        message: fine_trade_v2,
        row: |at| normalised_row(&BINANCE_V1, at.nth),
        expected: &[
            "format = \"avro\"",
            "mode = \"key\"",
            "columns = [\"message_id\"]",
            "timestamp = \"arrow_cast(\\\"timestamp\\\", 'Int64')\"",
            "ingestion_timestamp = \"arrow_cast(ingestion_timestamp, 'Int64')\"",
            "exchange_date = \"CAST(date_trunc('day', \\\"timestamp\\\") AS DATE)\"",
        ],
        ignored: &[],
        dropped: &[],
        damaged: "source_sequence",
    }
}

fn normalised_row(of: &Exchange, nth: i64) -> Vec<Value> {
    let entries = |entries: Vec<(String, String)>| entries.into_iter().map(|(key, value)| (key, Value::text(value)));
    let micros = traded_ms(nth) * 1_000 + nth % 7;
    vec![
        Value::text(uuid(nth, 1)),
        Value::text(format!("{}-{}", of.name, 9_000 + nth)),
        Value::text((of.symbol)(nth)),
        Value::text(of.name),
        Value::text("crypto"),
        Value::long(micros),
        Value::decimal(fine(price(nth)), 8),
        Value::decimal(fine(quantity(nth)), 8),
        Value::text(of.currency),
        side_word(nth),
        list(conditions(nth)),
        optional(source_sequence(nth)),
        Value::long(fed_us(nth)),
        Value::long(nth / 40),
        vendor_data(nth).map_or(Value::Null, |of| Value::Map(entries(of).collect())),
        Value::Date(i32::try_from(micros / DAY_US).expect("2024")),
    ]
}

fn with_symbol(of: &Exchange, nth: i64) -> Vec<Value> {
    normalised_row(of, nth).into_iter().chain([Value::text((of.symbol)(nth))]).collect()
}

/// The same partitioned by day and symbol.
fn by_symbol() -> Shape {
    Shape {
        row: |at| with_symbol(&BINANCE_V1, at.nth),
        expected: &[
            "mode = \"key\"",
            "columns = [\"message_id\"]",
            "exchange_date = \"CAST(date_trunc('day', \\\"timestamp\\\") AS DATE)\"",
            "partition_symbol = \"symbol\"",
        ],
        damaged: "partition_symbol",
        partitioning: &[("exchange_date", Transform::Identity), ("partition_symbol", Transform::Identity)],
        ..of_normalised("v1 silver binance, by day and symbol", &[("partition_symbol", ColumnType::String)])
    }
}

pub fn gold() -> Shape {
    Shape {
        name: "v1 gold crypto trades",
        topic: BINANCE_RAW_V1,
        columns: layout(
            Vendor::Json,
            &[
                ("gold_ingestion_timestamp", ColumnType::Timestamptz),
                ("exchange_date", ColumnType::Date),
                ("exchange_hour", ColumnType::Int),
            ],
        ),
        partitioning: &[("exchange_date", Transform::Identity), ("exchange_hour", Transform::Identity)],
        message: binance_v1,
        row: |at| {
            let nth = at.nth;
            let hour = traded_ms(nth) / HOUR_MS;
            let more = [
                Value::instant(ingested(nth) + 70_000_000),
                Value::Date(i32::try_from(hour / 24).expect("2024")),
                Value::long(hour % 24),
            ];
            binance_trade(nth).into_iter().chain(more).collect()
        },
        expected: &[
            "mode = \"key\"",
            "columns = [\"trade_id\", \"symbol\"]",
            "exchange = \"'BINANCE'\"",
            "asset_class = \"'crypto'\"",
            "timestamp = \"trade_time_ms * 1000\"",
            "exchange_date = \"CAST(date_trunc('day', to_timestamp_millis(trade_time_ms)) AS DATE)\"",
            "exchange_hour = \"CAST(date_part('hour', to_timestamp_millis(trade_time_ms)) AS INT)\"",
            "side = \"CASE is_buyer_maker WHEN false THEN 'BUY' WHEN true THEN 'SELL' END\"",
            "vendor_data = \"json_equal\"",
            "platform_sequence = \"NULL in all 240 rows sampled",
            "message_id = ",
            "gold_ingestion_timestamp = ",
        ],
        ignored: &[
            "message_id",
            "trade_conditions",
            "source_sequence",
            "platform_sequence",
            "gold_ingestion_timestamp",
        ],
        dropped: &[],
        damaged: "exchange_hour",
    }
}

//! Bronze tables of K2's first generation: payloads as they are beside their position, and exchange-native columns.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;

use super::k2::{bytes, columns, ingested, pair, price, quantity, symbol, text8, trade_number, wall};
use super::k2_messages::{
    binance_v1, channel, fed_us, is_best_match, is_buyer_maker, kraken_order, kraken_side, kraken_time_v1, kraken_v1,
    traded_ms,
};
use super::k2_topics::{BINANCE_RAW_V1, KRAKEN_RAW_V1};
use super::shapes::Shape;
use super::stage::{At, EPOCH_MS, Sent, Topic};

/// Topic, partition, offset.
fn position(at: At<'_>) -> Vec<Value> {
    vec![Value::text(at.topic), Value::long(at.partition.into()), Value::long(at.offset)]
}

fn day() -> Value {
    Value::Date(i32::try_from(EPOCH_MS / 86_400_000).expect("2024"))
}

/// Payload, position and times as Spark writes them.
fn row(at: At<'_>, message: fn(i64) -> Sent) -> Vec<Value> {
    let times = [Value::instant(at.timestamp_ms * 1_000), Value::instant(ingested(at.nth)), day()];
    std::iter::once(bytes(at, message)).chain(position(at)).chain(times).collect()
}

fn with_position(before: &[(&str, ColumnType)], times: ColumnType) -> Vec<Column> {
    let place =
        [("topic", ColumnType::String), ("partition", ColumnType::Int), ("offset", ColumnType::Long)].into_iter();
    let times = [("kafka_timestamp", times.clone()), ("ingestion_timestamp", times)].into_iter();
    let all = before.iter().cloned().chain(place).chain(times).chain([("ingestion_date", ColumnType::Date)]);
    columns(&all.collect::<Vec<_>>())
}

pub fn shapes() -> Vec<Shape> {
    let mut shapes = medallion_and_flink();
    let payload = [("raw_bytes", ColumnType::Binary)];
    shapes.push(raw_bytes("v1 bronze binance, raw bytes", BINANCE_RAW_V1, &payload, binance_v1, |at| {
        row(at, binance_v1)
    }));
    shapes.push(raw_bytes("v1 bronze kraken, raw bytes", KRAKEN_RAW_V1, &payload, kraken_v1, |at| row(at, kraken_v1)));
    shapes.extend([binance_columns(), kraken_columns()]);
    shapes
}

/// What the migration script made: Avro with its frame, byte for byte.
fn raw_bytes(
    name: &'static str,
    topic: Topic,
    payload: &[(&str, ColumnType)],
    message: fn(i64) -> Sent,
    row: fn(At<'_>) -> Vec<Value>,
) -> Shape {
    Shape {
        name,
        topic,
        columns: with_position(payload, ColumnType::Timestamptz),
        partitioning: &[("ingestion_date", Transform::Day)],
        message,
        row,
        expected: &[
            "format = \"bytes\"",
            "mode = \"offset\"",
            "profile = \"k2-bronze\"",
            "raw_bytes = \"_value\"",
            "ingestion_date = ",
        ],
        ignored: &["ingestion_timestamp", "ingestion_date"],
        dropped: &[],
        damaged: "raw_bytes",
    }
}

/// The key as text beside the payload.
fn medallion(name: &'static str, topic: Topic, message: fn(i64) -> Sent, row: fn(At<'_>) -> Vec<Value>) -> Shape {
    Shape {
        expected: &[
            "format = \"bytes\"",
            "mode = \"offset\"",
            "profile = \"k2-bronze\"",
            "avro_payload = \"_value\"",
            "message_key = \"CAST(_key AS VARCHAR)\"",
            "ingestion_date = ",
        ],
        damaged: "message_key",
        ..raw_bytes(
            name,
            topic,
            &[("message_key", ColumnType::String), ("avro_payload", ColumnType::Binary)],
            message,
            row,
        )
    }
}

/// Times without a zone, and the day as it is.
fn flink(name: &'static str, topic: Topic, message: fn(i64) -> Sent, row: fn(At<'_>) -> Vec<Value>) -> Shape {
    Shape {
        columns: with_position(&[("raw_bytes", ColumnType::Binary)], ColumnType::Timestamp),
        partitioning: &[("ingestion_date", Transform::Identity)],
        ..raw_bytes(name, topic, &[], message, row)
    }
}

fn flink_row(at: At<'_>, message: fn(i64) -> Sent) -> Vec<Value> {
    let times = [wall(at.timestamp_ms * 1_000), wall(ingested(at.nth)), day()];
    std::iter::once(bytes(at, message)).chain(position(at)).chain(times).collect()
}

fn medallion_and_flink() -> Vec<Shape> {
    fn keyed(at: At<'_>, key: &str, message: fn(i64) -> Sent) -> Vec<Value> {
        std::iter::once(Value::text(key)).chain(row(at, message)).collect()
    }
    vec![
        medallion("v1 bronze binance, medallion with its key", BINANCE_RAW_V1, binance_v1, |at| {
            keyed(at, symbol(at.nth), binance_v1)
        }),
        medallion("v1 bronze kraken, medallion with its key", KRAKEN_RAW_V1, kraken_v1, |at| {
            keyed(at, pair(at.nth), kraken_v1)
        }),
        flink("v1 bronze binance, Flink", BINANCE_RAW_V1, binance_v1, |at| flink_row(at, binance_v1)),
        flink("v1 bronze kraken, Flink", KRAKEN_RAW_V1, kraken_v1, |at| flink_row(at, kraken_v1)),
    ]
}

/// The day of the time at which the feed handler had the message.
fn fed_day(nth: i64) -> Value {
    Value::Date(i32::try_from(fed_us(nth) / 86_400_000_000).expect("2024"))
}

fn binance_columns() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 bronze binance, raw columns",
        topic: BINANCE_RAW_V1,
        columns: columns(&[
            ("event_type", text.clone()),
            ("event_time_ms", ColumnType::Long),
            ("symbol", text.clone()),
            ("trade_id", ColumnType::Long),
            ("price", text.clone()),
            ("quantity", text),
            ("trade_time_ms", ColumnType::Long),
            ("is_buyer_maker", ColumnType::Boolean),
            ("is_best_match", ColumnType::Boolean),
            ("ingestion_timestamp", ColumnType::Long),
            ("ingestion_date", ColumnType::Date),
        ]),
        partitioning: &[("ingestion_date", Transform::Day)],
        message: binance_v1,
        row: |at| {
            let nth = at.nth;
            vec![
                Value::text("trade"),
                Value::long(traded_ms(nth) + 3),
                Value::text(symbol(nth)),
                Value::long(trade_number(nth)),
                Value::text(text8(price(nth))),
                Value::text(text8(quantity(nth))),
                Value::long(traded_ms(nth)),
                Value::Boolean(is_buyer_maker(nth)),
                is_best_match(nth).map_or(Value::Null, Value::Boolean),
                Value::long(fed_us(nth)),
                fed_day(nth),
            ]
        },
        expected: &[
            "format = \"avro\"",
            "mode = \"key\"",
            "columns = [\"symbol\", \"trade_id\"]",
            "ingestion_date = \"CAST(date_trunc('day', to_timestamp_micros(ingestion_timestamp)) AS DATE)\"",
        ],
        ignored: &[],
        dropped: &[],
        damaged: "quantity",
    }
}

fn kraken_columns() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 bronze kraken, raw columns",
        topic: KRAKEN_RAW_V1,
        columns: columns(&[
            ("channel_id", ColumnType::Long),
            ("price", text.clone()),
            ("volume", text.clone()),
            ("timestamp", text.clone()),
            ("side", text.clone()),
            ("order_type", text.clone()),
            ("misc", text.clone()),
            ("pair", text),
            ("ingestion_timestamp", ColumnType::Long),
            ("ingestion_date", ColumnType::Date),
        ]),
        partitioning: &[("ingestion_date", Transform::Day)],
        message: kraken_v1,
        row: |at| {
            let nth = at.nth;
            vec![
                Value::long(channel(nth)),
                Value::text(text8(price(nth % 17))),
                Value::text(text8(quantity(nth % 13))),
                Value::text(kraken_time_v1(nth)),
                Value::text(kraken_side(nth)),
                Value::text(kraken_order(nth)),
                Value::text(""),
                Value::text(pair(nth)),
                Value::long(fed_us(nth)),
                fed_day(nth),
            ]
        },
        expected: &[
            "format = \"avro\"",
            "mode = \"content\"",
            "# nothing is unique to a message",
            "ingestion_date = \"CAST(date_trunc('day', to_timestamp_micros(ingestion_timestamp)) AS DATE)\"",
        ],
        ignored: &[],
        dropped: &[],
        damaged: "volume",
    }
}

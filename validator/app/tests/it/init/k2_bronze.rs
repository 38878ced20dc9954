//! Bronze tables of the K2 platform beside the first: the medallion's with its key and Flink's.

use fixtures_kit::schema::ColumnType;
use fixtures_kit::value::Value;

use super::k2::{binance, bytes, columns, ms, price, quantity, symbol, text8};
use super::shapes::Shape;
use super::stage::{At, EPOCH_MS, Sent};

/// Binance's own message under its symbol.
fn keyed(nth: i64) -> Sent {
    Sent { key: Some(symbol(nth).as_bytes().to_vec()), ..binance(nth) }
}

/// Topic, partition, offset.
fn position(at: At<'_>) -> Vec<Value> {
    vec![Value::text(at.topic), Value::long(at.partition.into()), Value::long(at.offset)]
}

fn day() -> Value {
    Value::Date(i32::try_from(EPOCH_MS / 86_400_000).expect("2024"))
}

fn ingested(at: At<'_>) -> i64 {
    (EPOCH_MS + 3_600_000 + at.nth) * 1_000
}

pub fn shapes() -> Vec<Shape> {
    let (text, instant, wall) = (ColumnType::String, ColumnType::Timestamptz, ColumnType::Timestamp);
    let place = [("topic", text.clone()), ("partition", ColumnType::Int), ("offset", ColumnType::Long)];
    let with = |before: &[(&'static str, ColumnType)], after: &[(&'static str, ColumnType)]| {
        columns(&before.iter().chain(&place).chain(after).cloned().collect::<Vec<_>>())
    };
    let times = |kind: &ColumnType| {
        [("kafka_timestamp", kind.clone()), ("ingestion_timestamp", kind.clone()), ("ingestion_date", ColumnType::Date)]
    };
    vec![
        Shape {
            name: "v1 bronze, medallion with its key",
            columns: with(&[("message_key", text), ("avro_payload", ColumnType::Binary)], &times(&instant)),
            message: keyed,
            row: |at| {
                let times = [Value::instant(at.timestamp_ms * 1_000), Value::instant(ingested(at)), day()];
                let own = vec![Value::text(symbol(at.nth)), bytes(at, keyed)];
                own.into_iter().chain(position(at)).chain(times).collect()
            },
            expected: &[
                "format = \"bytes\"",
                "mode = \"offset\"",
                "profile = \"k2-bronze\"",
                "avro_payload = \"_value\"",
                "message_key = \"CAST(_key AS VARCHAR)\"",
                "ingestion_date = ",
            ],
        },
        Shape {
            name: "v1 bronze, Flink",
            columns: with(&[("raw_bytes", ColumnType::Binary)], &times(&wall)),
            message: binance,
            row: |at| {
                let wall = |micros: i64| Value::Timestamp { micros, zoned: false };
                let times = [wall(at.timestamp_ms * 1_000), wall(ingested(at)), day()];
                std::iter::once(bytes(at, binance)).chain(position(at)).chain(times).collect()
            },
            expected: &["format = \"bytes\"", "mode = \"offset\"", "profile = \"k2-bronze\"", "raw_bytes = \"_value\""],
        },
        Shape {
            name: "v1 trades, doubles",
            columns: columns(&[
                ("symbol", ColumnType::String),
                ("trade_id", ColumnType::Long),
                ("timestamp", ColumnType::Timestamp),
                ("price", ColumnType::Double),
                ("quantity", ColumnType::Double),
                ("data_version", ColumnType::String),
            ]),
            message: binance,
            row: |at| {
                let nth = at.nth;
                let double = |unscaled| Value::double(text8(unscaled).parse().expect("a number"));
                vec![
                    Value::text(symbol(nth)),
                    Value::long(5_000 + nth / 3),
                    Value::Timestamp { micros: ms(nth) * 1_000, zoned: false },
                    double(price(nth)),
                    double(quantity(nth)),
                    Value::text("v2"),
                ]
            },
            expected: &[
                "mode = \"key\"",
                "columns = [\"symbol\", \"trade_id\"]",
                "window = \"timestamp\"",
                "data_version = \"'v2'\"",
            ],
        },
    ]
}

//! Tables of the sinks that keep the position of a message (design: profiles).

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;

use super::shapes::Shape;
use super::stage::{At, EPOCH_MS, Sent, TRADES};

/// A trade in JSON.
pub fn trade(nth: i64) -> Sent {
    let (price, venue) = (price_text(nth), if nth % 5 == 0 { "null".to_owned() } else { format!("\"v{}\"", nth % 3) });
    let payload = format!(r#"{{"id":"t-{nth}","price":"{price}","venue":{venue},"trace":"x{nth}"}}"#);
    Sent { partition: i32::try_from(nth % 2).expect("0 or 1"), key: None, payload: Some(payload.into_bytes()) }
}

fn price_text(nth: i64) -> String {
    format!("{}.{:04}", 60_000 + nth % 7, (nth * 37) % 10_000)
}

pub fn price(nth: i64) -> Value {
    Value::decimal(i128::from((60_000 + nth % 7) * 10_000 + (nth * 37) % 10_000), 4)
}

fn trade_columns(position: Vec<Column>) -> Vec<Column> {
    let own = [
        Column::optional("id", ColumnType::String),
        Column::optional("price", ColumnType::Decimal { precision: 18, scale: 8 }),
        Column::optional("venue", ColumnType::String),
        Column::optional("written_at", ColumnType::Timestamptz),
    ];
    position.into_iter().chain(own).collect()
}

fn trade_row(position: Vec<Value>, nth: i64) -> Vec<Value> {
    let venue = if nth % 5 == 0 { Value::Null } else { Value::text(format!("v{}", nth % 3)) };
    let written = Value::instant((EPOCH_MS + 3_600_000 + nth / 40 * 1_000) * 1_000);
    position.into_iter().chain([Value::text(format!("t-{nth}")), price(nth), venue, written]).collect()
}

fn named(prefix: &str, kinds: &[(&str, ColumnType)]) -> Vec<Column> {
    kinds.iter().map(|(name, kind)| Column::optional(&format!("{prefix}{name}"), kind.clone())).collect()
}

fn position(with_topic: bool, timestamp: Option<(&'static str, ColumnType)>) -> Vec<(&'static str, ColumnType)> {
    let mut parts = vec![("partition", ColumnType::Int), ("offset", ColumnType::Long)];
    if with_topic {
        parts.insert(0, ("topic", ColumnType::String));
    }
    parts.extend(timestamp);
    parts
}

fn struct_of(name: &str, parts: &[(&str, ColumnType)]) -> Vec<Column> {
    vec![Column::optional(name, ColumnType::Struct(named("", parts)))]
}

/// `array<struct<key: string, value: binary>>`.
fn headers_of_redpanda() -> ColumnType {
    ColumnType::list(ColumnType::Struct(named("", &[("key", ColumnType::String), ("value", ColumnType::Binary)])))
}

/// None, one, or two of which the second has no value.
fn headers(nth: i64) -> Value {
    let header = |key: &str, value: Value| {
        Value::Struct(vec![("key".to_owned(), Value::text(key)), ("value".to_owned(), value)])
    };
    let traced = header("trace", Value::Bytes(format!("x{nth}").into_bytes()));
    let all = [traced, header("replayed", Value::Null)];
    Value::List(all.into_iter().take(usize::try_from(nth % 3).expect("0 to 2")).collect())
}

fn values(at: At<'_>) -> (Value, Value, Value, Value) {
    let micros = at.timestamp_ms * 1_000;
    (Value::text(at.topic), Value::long(at.partition.into()), Value::long(at.offset), Value::instant(micros))
}

fn in_struct(at: At<'_>, with_topic: bool) -> Vec<Value> {
    let (topic, partition, offset, timestamp) = values(at);
    let mut fields = vec![("partition", partition), ("offset", offset), ("timestamp", timestamp)];
    if with_topic {
        fields.insert(0, ("topic", topic));
    }
    vec![Value::Struct(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())]
}

/// The same under a key.
fn keyed(nth: i64) -> Sent {
    Sent { key: Some(format!("k{}", nth % 9).into_bytes()), ..trade(nth) }
}

pub fn shapes() -> Vec<Shape> {
    let mut shapes = of_sinks();
    shapes.extend([redpanda_key_value(), automq_with_key()]);
    shapes
}

/// Redpanda's mode `key_value`: the payload as it is, and all that it keeps beside the position but headers.
fn redpanda_key_value() -> Shape {
    let parts = [
        ("partition", ColumnType::Int),
        ("timestamp", ColumnType::Timestamptz),
        ("offset", ColumnType::Long),
        ("key", ColumnType::Binary),
        ("timestamp_type", ColumnType::Int),
    ];
    Shape {
        name: "redpanda, key_value mode",
        topic: TRADES,
        columns: [struct_of("redpanda", &parts), named("", &[("value", ColumnType::Binary)])].concat(),
        partitioning: &[],
        message: keyed,
        row: |at| {
            let (_, partition, offset, timestamp) = values(at);
            let sent = keyed(at.nth);
            let fields = [
                ("partition", partition),
                ("timestamp", timestamp),
                ("offset", offset),
                ("key", Value::Bytes(sent.key.expect("each has one"))),
                ("timestamp_type", Value::long(0)),
            ];
            let redpanda = Value::Struct(fields.map(|(name, value)| (name.to_owned(), value)).into());
            vec![redpanda, Value::Bytes(sent.payload.expect("each has one"))]
        },
        expected: &["format = \"bytes\"", "mode = \"offset\"", "profile = \"redpanda\"", "value = \"_value\""],
        ignored: &["redpanda.timestamp_type"],
        dropped: &[],
        damaged: "value",
    }
}

/// AutoMQ's columns behind those of the value, their time in milliseconds.
fn automq_with_key() -> Shape {
    let parts = [("partition", ColumnType::Int), ("offset", ColumnType::Long), ("timestamp", ColumnType::Long)];
    let key = named("", &[("_kafka_key", ColumnType::String)]);
    Shape {
        name: "automq, with its key and a time in milliseconds",
        topic: TRADES,
        columns: [trade_columns(Vec::new()), key, struct_of("_kafka_metadata", &parts)].concat(),
        partitioning: &[],
        message: keyed,
        row: |at| {
            let (_, partition, offset, _) = values(at);
            let fields = [("partition", partition), ("offset", offset), ("timestamp", Value::long(at.timestamp_ms))];
            let metadata = Value::Struct(fields.map(|(name, value)| (name.to_owned(), value)).into());
            let key = Value::text(format!("k{}", at.nth % 9));
            trade_row(Vec::new(), at.nth).into_iter().chain([key, metadata]).collect()
        },
        expected: &["mode = \"offset\"", "profile = \"automq\"", "_kafka_key = \"CAST(_key AS VARCHAR)\""],
        ignored: &["written_at"],
        dropped: &["trace"],
        damaged: "_kafka_key",
    }
}

fn of_sinks() -> Vec<Shape> {
    let instant = || Some(("timestamp", ColumnType::Timestamptz));
    let flat = |at: At<'_>| {
        let (topic, partition, offset, timestamp) = values(at);
        trade_row(vec![topic, partition, offset, timestamp], at.nth)
    };
    vec![
        Shape {
            name: "kafka connect, flat",
            topic: TRADES,
            columns: trade_columns(named("_kafka_metadata_", &position(true, instant()))),
            partitioning: &[("_kafka_metadata_timestamp", Transform::Day)],
            message: trade,
            row: flat,
            expected: &["mode = \"offset\"", "profile = \"kafka-connect\"", "written_at = ", "trace = "],
            ignored: &["written_at"],
            dropped: &["trace"],
            damaged: "price",
        },
        Shape {
            name: "kafka connect, nested",
            topic: TRADES,
            columns: trade_columns(struct_of("_kafka_metadata", &position(true, instant()))),
            partitioning: &[],
            message: trade,
            row: |at| trade_row(in_struct(at, true), at.nth),
            expected: &["mode = \"offset\"", "profile = \"kafka-connect\""],
            ignored: &["written_at"],
            dropped: &["trace"],
            damaged: "venue",
        },
        Shape {
            name: "redpanda",
            topic: TRADES,
            columns: trade_columns(struct_of("redpanda", &position(false, instant()))),
            partitioning: &[],
            message: trade,
            row: |at| trade_row(in_struct(at, false), at.nth),
            expected: &["mode = \"offset\"", "profile = \"redpanda\""],
            ignored: &["written_at"],
            dropped: &["trace"],
            damaged: "id",
        },
        Shape {
            name: "automq",
            topic: TRADES,
            columns: trade_columns(struct_of("_kafka_metadata", &position(false, instant()))),
            partitioning: &[],
            message: trade,
            row: |at| trade_row(in_struct(at, false), at.nth),
            expected: &["mode = \"offset\"", "profile = \"automq\""],
            ignored: &["written_at"],
            dropped: &["trace"],
            damaged: "price",
        },
        Shape {
            name: "spark",
            topic: TRADES,
            columns: trade_columns(named("", &position(true, instant()))),
            partitioning: &[("timestamp", Transform::Day)],
            message: trade,
            row: flat,
            expected: &["mode = \"offset\"", "profile = \"spark\""],
            ignored: &["written_at"],
            dropped: &["trace"],
            damaged: "venue",
        },
        Shape {
            name: "flink without a timestamp",
            topic: TRADES,
            columns: trade_columns(named("", &position(true, None))),
            partitioning: &[("venue", Transform::Identity)],
            message: trade,
            row: |at| {
                let (topic, partition, offset, _) = values(at);
                trade_row(vec![topic, partition, offset], at.nth)
            },
            expected: &["mode = \"offset\"", "profile = \"spark\""],
            ignored: &["written_at"],
            dropped: &["trace"],
            damaged: "id",
        },
        Shape {
            name: "redpanda with headers, which no position explains",
            topic: TRADES,
            columns: trade_columns(struct_of(
                "redpanda",
                &[position(false, instant()), vec![("headers", headers_of_redpanda())]].concat(),
            )),
            partitioning: &[],
            message: trade,
            row: |at| {
                let mut position = in_struct(at, false);
                if let Value::Struct(fields) = &mut position[0] {
                    fields.push(("headers".to_owned(), headers(at.nth)));
                }
                trade_row(position, at.nth)
            },
            expected: &[
                "mode = \"offset\"",
                "profile = \"redpanda\"",
                "\"redpanda.headers\" = \"kept beside the position",
            ],
            ignored: &["redpanda.headers", "written_at"],
            dropped: &["trace"],
            damaged: "price",
        },
        Shape {
            name: "every conversion",
            topic: TRADES,
            columns: named(
                "",
                &[
                    ("id", ColumnType::String),
                    ("whole", ColumnType::Long),
                    ("digits", ColumnType::String),
                    ("upper", ColumnType::String),
                    ("lower", ColumnType::String),
                    ("micros", ColumnType::Long),
                    ("price", ColumnType::Decimal { precision: 18, scale: 8 }),
                    ("ratio", ColumnType::Double),
                    ("word", ColumnType::String),
                    ("day", ColumnType::Timestamp),
                    ("kafka_ms", ColumnType::Long),
                    ("kafka_us", ColumnType::Long),
                    ("kafka_key", ColumnType::String),
                    ("second", ColumnType::Timestamptz),
                    ("order", ColumnType::Long),
                ],
            ),
            partitioning: &[],
            message: |nth| {
                let word = ["b", "s"][(nth % 2) as usize];
                let payload = format!(
                    r#"{{"id":"m{nth}","w":"{}","d":{},"u":"Ab{nth}","l":"Cd{nth}","s":{},"pr":{}.25,"r":"{nth}.5","x":"{word}","t":{},"sec":{}.5,"select":{}}}"#,
                    nth * 3,
                    70_000 + nth,
                    1_700_000_000 + nth,
                    nth * 11,
                    EPOCH_MS + nth,
                    EPOCH_MS / 1_000 + nth,
                    nth * 13 + 1
                );
                let key = Some(format!("key-{nth}").into_bytes());
                Sent { partition: 0, key, payload: Some(payload.into_bytes()) }
            },
            row: |at| {
                let nth = at.nth;
                vec![
                    Value::text(format!("m{nth}")),
                    Value::long(nth * 3),
                    Value::text((70_000 + nth).to_string()),
                    Value::text(format!("AB{nth}")),
                    Value::text(format!("cd{nth}")),
                    Value::long((1_700_000_000 + nth) * 1_000_000),
                    Value::decimal(i128::from(nth * 11) * 100 + 25, 2),
                    Value::double(nth as f64 + 0.5),
                    Value::text(["BUY", "SELL"][(nth % 2) as usize]),
                    Value::Timestamp { micros: (EPOCH_MS + nth) * 1_000, zoned: false },
                    Value::long(at.timestamp_ms),
                    Value::long(at.timestamp_ms * 1_000),
                    Value::text(format!("key-{nth}")),
                    Value::instant((EPOCH_MS / 1_000 + nth) * 1_000_000 + 500_000),
                    Value::long(nth * 13 + 1),
                ]
            },
            expected: &[
                "mode = \"key\"",
                "columns = [\"id\"]",
                "whole = ",
                "digits = ",
                "upper = \"upper(u)\"",
                "lower = \"lower(l)\"",
                "micros = \"s * 1000000\"",
                "word = \"CASE x WHEN 'b' THEN 'BUY' WHEN 's' THEN 'SELL' END\"",
                "t = \"epoch_ms\"",
                "kafka_ms = ",
                "kafka_us = ",
                "kafka_key = ",
                "sec = \"decimal(38, 18)\"",
                "second = \"CAST(to_timestamp_micros(CAST(CAST(sec AS DECIMAL(38, 6)) * 1000000 AS BIGINT)) AS TIMESTAMPTZ)\"",
                "order = \"\\\"select\\\"\"",
            ],
            ignored: &[],
            dropped: &[],
            damaged: "ratio",
        },
        Shape {
            name: "columns of other names",
            topic: TRADES,
            columns: trade_columns(named("kafka_", &position(false, None))),
            partitioning: &[],
            message: trade,
            row: |at| {
                let (_, partition, offset, _) = values(at);
                trade_row(vec![partition, offset], at.nth)
            },
            expected: &["mode = \"offset\"", "columns = [\"kafka_partition\", \"kafka_offset\"]"],
            ignored: &["written_at"],
            dropped: &["trace"],
            damaged: "venue",
        },
    ]
}

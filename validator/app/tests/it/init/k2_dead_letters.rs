//! The dead letters of the K2 platform: rows of the messages that a sink could not write, which no pipeline can prove.

use fixtures_kit::schema::ColumnType;
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;
use insta::assert_snapshot;

use super::k2::{columns, symbol};
use super::k2_messages::binance_v1;
use super::k2_topics::{self, BINANCE_RAW_V1};
use super::stage::{EPOCH_MS, Sent, Stage, partitioned};

const MESSAGES: i64 = 240;

fn payload(nth: i64) -> Vec<u8> {
    message(nth).payload.expect("each has one")
}

/// Every twentieth cannot be decoded.
fn message(nth: i64) -> Sent {
    match nth % 20 {
        7 => k2_topics::keyed(&BINANCE_RAW_V1, symbol(nth), format!("<trade n=\"{nth}\"/>").into_bytes()),
        _ => binance_v1(nth),
    }
}

/// `silver_dlq_trades`, with a row for each message of these.
fn dead(letters: impl Iterator<Item = i64>, of: fn(i64) -> Vec<u8>) -> fixtures_kit::table::Table {
    let kinds = columns(&[
        ("raw_record", ColumnType::Binary),
        ("error_reason", ColumnType::String),
        ("error_type", ColumnType::String),
        ("error_timestamp", ColumnType::Timestamptz),
        ("bronze_source", ColumnType::String),
        ("kafka_offset", ColumnType::Long),
        ("schema_id", ColumnType::Int),
        ("dlq_date", ColumnType::Date),
    ]);
    let row = |nth: i64| {
        vec![
            Value::Bytes(of(nth)),
            Value::text(if nth % 40 == 7 { "price is NULL" } else { "the payload does not decode" }),
            Value::text("validation_failed"),
            Value::instant((EPOCH_MS + 3_600_000 + nth) * 1_000),
            Value::text("bronze_binance_trades"),
            // Of forty partitions, and it does not say of which.
            Value::long(nth / 12),
            Value::Null,
            Value::Date(i32::try_from(EPOCH_MS / 86_400_000).expect("2024")),
        ]
    };
    partitioned(kinds, &[("dlq_date", Transform::Day)], letters.map(row).collect(), 4)
}

fn refused(stage: &Stage) -> String {
    let ran = stage.init("--output pipeline.toml");
    assert!(!stage.join("pipeline.toml").exists(), "{}", ran.all());
    ran.all()
}

#[test]
fn a_table_of_dead_letters_is_refused_since_most_messages_have_no_row_in_it() {
    let sent: Vec<Sent> = (0..MESSAGES).map(message).collect();
    let stage = Stage::of(BINANCE_RAW_V1, &sent, &dead((0..MESSAGES).filter(|nth| nth % 20 == 7), payload));
    assert_snapshot!(refused(&stage), @"
    exit 3
    --- stderr
    error: rows of lake.market.trades are dead letters of market.crypto.trades.binance.raw: column
           raw_record keeps the payload, and error_reason, error_type says in every row what is wrong;
           228 of 240 messages sampled have no row
      hint:    name the table that the other messages are written to: a run over it lists these as
               missing
    ");
    // A letter that is well-formed was refused for what it says.
    let stage = Stage::of(
        BINANCE_RAW_V1,
        &(0..MESSAGES).map(binance_v1).collect::<Vec<_>>(),
        &dead((0..MESSAGES).filter(|nth| nth % 20 == 7), |nth| binance_v1(nth).payload.expect("each has one")),
    );
    assert_snapshot!(refused(&stage), @"
    exit 3
    --- stderr
    error: rows of lake.market.trades are dead letters of market.crypto.trades.binance.raw: column
           raw_record keeps the payload, and error_reason, error_type says in every row what is wrong;
           228 of 240 messages sampled have no row
      hint:    name the table that the other messages are written to: a run over it lists these as
               missing
    ");
}

#[test]
fn a_table_of_a_topic_of_dead_letters_is_a_table_as_any_other() {
    let letters = 0..MESSAGES;
    let stage = Stage::of(BINANCE_RAW_V1, &letters.clone().map(message).collect::<Vec<_>>(), &dead(letters, payload));
    let (text, _) = stage.written();
    for line in ["format = \"bytes\"", "raw_record = \"_value\"", "mode = \"content\"", "error_type = "] {
        assert!(text.lines().any(|written| written.starts_with(line)), "{line}\n{text}");
    }
}

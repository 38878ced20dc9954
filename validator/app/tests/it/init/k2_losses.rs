//! Where K2's own hops lose what a message said: the file says so, and the proof does not hold.

use fixtures_kit::value::Value;

use super::k2_cold;
use super::k2_messages::{binance, fine_trade_v2, trade_v2};
use super::k2_topics::BINANCE_TRADES_V1;
use super::k2_trades::{trades_v2_columns, trades_v2_row};
use super::stage::{At, Sent, Stage, partitioned, partitions, table};

const MESSAGES: i64 = 240;

/// The file, what was said, and that the proof does not hold.
fn breached(stage: &Stage) -> (String, String) {
    let ran = stage.init("--output pipeline.toml");
    let text = std::fs::read_to_string(stage.join("pipeline.toml")).unwrap_or_default();
    assert_eq!(ran.exit, 1, "{}\n{text}", ran.all());
    assert_eq!(stage.run("check pipeline.toml").exit, 0, "the file is sound");
    // Words that lines break between.
    (text, ran.stderr.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn digits_that_the_column_does_not_keep_are_said_where_the_writer_gives_such_batches_up() {
    let is_fine = |nth: i64| nth % 3 == 0;
    let sent: Vec<Sent> =
        (0..MESSAGES).map(|nth| if is_fine(nth) { fine_trade_v2(nth) } else { trade_v2(nth) }).collect();
    let rows = (0..MESSAGES).filter(|nth| !is_fine(*nth)).map(trades_v2_row).collect();
    let stage = Stage::of(BINANCE_TRADES_V1, &sent, &table(trades_v2_columns(), rows, 40));
    let (text, said) = breached(&stage);
    for column in ["price", "quantity"] {
        let lost =
            format!("column {column}, decimal(18, 6), cannot hold what field {column} has in 80 of 240 messages");
        let written = text.replace("\n# ", " ");
        assert!(written.contains(&lost) && said.contains(&lost), "{text}\n{said}");
    }
    assert!(said.contains("80 missing"), "{said}");
}

#[test]
fn numbers_beyond_a_long_are_damage_and_none_of_them_is_called_intact() {
    let shape = k2_cold::shapes().swap_remove(0);
    let is_large = |nth: i64| nth % 80 == 40;
    let large = |nth: i64| i64::MAX as u64 + 1_000 + nth as u64;
    let message = |nth: i64| {
        let sent = binance(nth);
        let payload = String::from_utf8(sent.payload.clone().expect("each has one")).expect("JSON");
        let number = format!("\"t\":{}", super::k2::trade_number(nth));
        let payload = payload.replace(&number, &format!("\"t\":{}", large(nth)));
        if is_large(nth) { Sent { payload: Some(payload.into_bytes()), ..sent } } else { sent }
    };
    let sent: Vec<Sent> = (0..MESSAGES).map(message).collect();
    let (_, places) = partitions(&shape.topic, &sent);
    let row = |(nth, (partition, offset, timestamp_ms)): (i64, &(i32, i64, i64))| {
        let (partition, offset, timestamp_ms) = (*partition, *offset, *timestamp_ms);
        let mut row = (shape.row)(At { topic: shape.topic.name, nth, partition, offset, timestamp_ms });
        if is_large(nth) {
            // As 64 bits with a sign have it.
            row[1] = Value::long(large(nth) as i64);
        }
        row
    };
    let rows: Vec<Vec<Value>> = (0..).zip(&places).map(row).collect();
    let stage = Stage::of(shape.topic, &sent, &partitioned(shape.columns.clone(), shape.partitioning, rows, 40));
    let (text, said) = breached(&stage);
    let lost = "column sequence_number, long, cannot hold what field t has in 3 of 240 messages sampled";
    assert!(text.replace("\n# ", " ").contains(lost) && said.contains(lost), "{text}\n{said}");
    assert!(said.contains("237 of 240 messages intact"), "{said}");
}

//! Tables of K2 that the topics of several exchanges write to: gold, and silver of the cold tier.

use fixtures_kit::value::Value;

use super::k2::{ms, trade_number};
use super::shapes::Shape;
use super::stage::{At, Sent, Stage, partitioned};
use super::{k2_cold, k2_silver};
use crate::transcript::Ran;

/// Messages of the topic, each with its row.
const OWN: i64 = 240;
/// How another exchange's rows differ, by the number of a row behind the own ones.
type Other = fn(&mut [Value], i64);

fn kraken(row: &mut [Value], nth: i64) {
    row[1] = Value::text(format!("KRAKEN-{}", trade_number(nth)));
    row[3] = Value::text("KRAKEN");
}

fn coinbase(row: &mut [Value], nth: i64) {
    row[1] = Value::text(format!("COINBASE-{}", trade_number(nth)));
    row[3] = Value::text("COINBASE");
}

/// A table of the topic's rows between those of others.
fn stage(shape: &Shape, others: &[Other], change: impl Fn(i64, &mut [Value])) -> Stage {
    let sent: Vec<Sent> = (0..OWN).map(shape.message).collect();
    let at = |nth: i64| At { topic: shape.topic.name, nth, partition: 0, offset: nth, timestamp_ms: ms(nth) };
    let mut rows = Vec::new();
    for nth in 0..OWN {
        let mut row = (shape.row)(at(nth));
        change(nth, &mut row);
        rows.push(row);
        if nth % 4 == 0 {
            rows.extend(others.iter().map(|other| {
                let mut row = (shape.row)(at(nth + OWN));
                other(&mut row, nth + OWN);
                row
            }));
        }
    }
    Stage::of(shape.topic, &sent, &partitioned(shape.columns.clone(), shape.partitioning, rows, 40))
}

/// The run, and its words.
fn reconciled(stage: &Stage) -> (Ran, String) {
    let ran = stage.run("reconcile pipeline.toml --quiet");
    let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    (ran, words)
}

#[test]
fn a_table_of_several_exchanges_is_judged_by_the_rows_of_its_topic() {
    for others in [&[kraken as Other][..], &[kraken, coinbase]] {
        let stage = stage(&k2_silver::gold(), others, |_, _| {});
        let (text, _) = stage.written();
        let says = format!("# {} of {} rows sampled have another exchange", 60 * others.len(), 240 + 60 * others.len());
        for line in ["row_filter = \"exchange = 'BINANCE'\"", "exchange = \"'BINANCE'\"", "mode = \"key\"", &says] {
            assert!(text.lines().any(|written| written.starts_with(line)), "{line}\n{text}");
        }
        let explained = stage.run("check pipeline.toml --explain");
        assert!(explained.stdout.contains("-- of the rows only those of this pipeline: exchange = 'BINANCE'"));
        let (ran, words) = reconciled(&stage);
        assert_eq!(ran.exit, 0, "{}", ran.all());
        assert!(words.contains(&format!("intact 240 out of scope {}", 60 * others.len())), "{}", ran.all());
    }
}

/// The row of another's message.
fn of(shape: &Shape, row: &mut [Value], nth: i64) {
    let at = At { topic: shape.topic.name, nth, partition: 0, offset: nth, timestamp_ms: ms(nth) };
    row.clone_from_slice(&(shape.row)(at));
}

#[test]
fn silver_of_the_cold_tier_is_judged_by_the_rows_of_its_topic() {
    let of_binance: Other = |row, nth| of(&k2_cold::silver_binance(), row, nth);
    let of_kraken: Other = |row, nth| of(&k2_cold::silver_kraken(), row, nth);
    let of_coinbase: Other = |row, nth| of(&k2_cold::silver_coinbase(), row, nth);
    for (shape, others, name, mode) in [
        (k2_cold::silver_binance(), [of_kraken, of_coinbase], "binance", "key"),
        (k2_cold::silver_kraken(), [of_binance, of_coinbase], "kraken", "content"),
        (k2_cold::silver_coinbase(), [of_binance, of_kraken], "coinbase", "content"),
    ] {
        let stage = stage(&shape, &others, |_, _| {});
        let (text, _) = stage.written();
        for line in [format!("row_filter = \"exchange = '{name}'\""), format!("mode = \"{mode}\"")] {
            assert!(text.lines().any(|written| written == line), "{line}\n{text}");
        }
        let (ran, words) = reconciled(&stage);
        assert_eq!(ran.exit, 0, "{}", ran.all());
        assert!(words.contains("intact 240 out of scope 120"), "{}", ran.all());
    }
}

#[test]
fn damage_to_rows_of_the_topic_is_found_beside_those_of_others() {
    let clean = stage(&k2_silver::gold(), &[kraken], |_, _| {});
    let (text, _) = clean.written();
    // A price, and an exchange: the row seems to be another's, and its message has none.
    for (column, value, says) in [(6, Value::decimal(1, 8), "corrupted 1"), (3, Value::text("KRAKEN"), "missing 1")] {
        let stage = stage(&k2_silver::gold(), &[kraken], |nth, row| {
            if nth == 17 {
                row[column] = value.clone();
            }
        });
        std::fs::write(stage.join("pipeline.toml"), &text).expect("a file");
        let (ran, words) = reconciled(&stage);
        assert_eq!(ran.exit, 1, "{}", ran.all());
        assert!(words.contains(says) && !words.contains("phantom"), "{}", ran.all());
    }
}

#[test]
fn a_condition_that_does_not_fit_the_table_is_told_with_its_place() {
    let stage = stage(&k2_silver::gold(), &[kraken], |_, _| {});
    let (text, _) = stage.written();
    for (condition, says) in [
        ("exchang = 'BINANCE'", "the table has no column exchang"),
        ("price", "it gives decimal(18, 8), a filter gives true or false"),
        ("1 = 1", "row_filter names no column"),
        ("price > (SELECT 1)", "an expression sees one"),
    ] {
        let wrong = text.replace("row_filter = \"exchange = 'BINANCE'\"", &format!("row_filter = \"{condition}\""));
        std::fs::write(stage.join("pipeline.toml"), wrong).expect("a file");
        let ran = stage.run("check pipeline.toml");
        assert!(ran.exit == 2 && ran.stderr.contains(says), "{condition}\n{}", ran.all());
        assert!(ran.stderr.contains("row_filter ="), "{}", ran.all());
    }
}

//! Topics and tables that are allowed and odd: wide, empty of values, of two formats, of two identities, of wrong clocks.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;
use insta::assert_snapshot;

use super::stage::{EPOCH_MS, STEP_MS, Sent, Stage, partitioned, table};

fn sent(payload: impl Into<Vec<u8>>) -> Sent {
    Sent { partition: 0, key: None, payload: Some(payload.into()) }
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|written| written.starts_with(line)), "{line}\n{text}");
    }
}

#[test]
fn a_table_of_bytes_takes_messages_of_any_format() {
    let payload = |nth: i64| match nth % 3 {
        0 => format!("<trade n=\"{nth}\"/>").into_bytes(),
        1 => format!(r#"{{"n":{nth}}}"#).into_bytes(),
        _ => [0, 0, 0, 0, 7].into_iter().chain(nth.to_be_bytes()).collect(),
    };
    let columns = vec![Column::optional("raw", ColumnType::Binary), Column::optional("offset", ColumnType::Long)];
    let rows = (0..90).map(|nth| vec![Value::Bytes(payload(nth)), Value::long(nth)]).collect();
    let stage = Stage::new(&(0..90).map(|nth| sent(payload(nth))).collect::<Vec<_>>(), &table(columns, rows, 30));
    let (text, _) = stage.written();
    has(&text, &["format = \"bytes\"", "raw = \"_value\"", "mode = \"offset\""]);
}

#[test]
fn three_formats_are_told_by_their_shares() {
    let payload = |nth: i64| match nth % 3 {
        0 => b"<trade/>".to_vec(),
        1 => format!(r#"{{"id":"{nth}"}}"#).into_bytes(),
        _ => vec![0, 0, 0, 0, 7, 2],
    };
    let columns = vec![Column::optional("id", ColumnType::String)];
    let rows = (0..90).map(|nth| vec![Value::text(nth.to_string())]).collect();
    let stage = Stage::new(&(0..90).map(|nth| sent(payload(nth))).collect::<Vec<_>>(), &table(columns, rows, 30));
    assert_snapshot!(stage.init("").all(), @"
    exit 3
    --- stderr
    error: topic trades mixes formats, and none is chosen: 30 of 90 messages sampled are JSON objects,
           30 of 90 messages sampled are framed with a schema id (Avro), 30 of 90 messages sampled are
           neither JSON objects nor framed Avro
      hint:    a pipeline has one format: split the topic, or validate the table of raw bytes
    ");
}

#[test]
fn tombstones_between_messages_are_no_messages() {
    let message = |nth: i64| Sent {
        payload: (nth % 8 == 0).then(|| format!(r#"{{"id":"t-{nth}","n":{nth}}}"#).into_bytes()),
        ..sent("")
    };
    let columns = vec![Column::optional("id", ColumnType::String), Column::optional("n", ColumnType::Long)];
    let rows = (0..240).step_by(8).map(|nth| vec![Value::text(format!("t-{nth}")), Value::long(nth)]).collect();
    let stage = Stage::new(&(0..240).map(message).collect::<Vec<_>>(), &table(columns, rows, 10));
    let (text, ran) = stage.written();
    has(&text, &["mode = \"key\"", "columns = [\"id\"]"]);
    assert!(ran.stderr.contains("210 excluded"), "{}", ran.all());
}

#[test]
fn columns_and_fields_without_any_value_stand_by_their_names() {
    let columns = vec![
        Column::optional("id", ColumnType::String),
        Column::optional("a", ColumnType::Decimal { precision: 18, scale: 8 }),
        Column::optional("b", ColumnType::Timestamptz),
        Column::optional("c", ColumnType::Struct(vec![Column::optional("d", ColumnType::Long)])),
        Column::optional("unnamed", ColumnType::Long),
    ];
    let message = |nth: i64| sent(format!(r#"{{"id":"t-{nth}","a":null,"b":null,"c":null}}"#));
    let row = |nth: i64| vec![Value::text(format!("t-{nth}")), Value::Null, Value::Null, Value::Null, Value::Null];
    let stage = Stage::new(&(0..60).map(message).collect::<Vec<_>>(), &table(columns, (0..60).map(row).collect(), 20));
    let (text, _) = stage.written();
    has(&text, &["columns = [\"id\"]", "unnamed = \"NULL in all 60 rows sampled\""]);
    assert!(!text.contains("\na = ") && !text.contains("\nb = ") && !text.contains("\nc = "), "{text}");
}

#[test]
fn nothing_but_nulls_ties_nothing() {
    let columns = vec![Column::optional("a", ColumnType::String), Column::optional("b", ColumnType::Long)];
    let rows = (0..30).map(|_| vec![Value::Null, Value::Null]).collect();
    let messages: Vec<Sent> = (0..30).map(|_| sent(r#"{"a":null,"b":null}"#)).collect();
    assert_snapshot!(Stage::new(&messages, &table(columns, rows, 30)).init("").all(), @"
    exit 3
    --- stderr
    error: no row of lake.market.trades can be paired with a message of trades: 30 messages and 30 rows
           were held against each other, value by value; no column has the values of any field, under
           any conversion that is known here
      hint:    is it the table of this topic? a larger --sample, or a later run, may show more
    ");
}

/// Columns and fields of the same names, each fourth a time in milliseconds.
fn wide(width: i64, messages: i64) -> Stage {
    let kind = |at: i64| match at % 4 {
        0 => ColumnType::String,
        1 => ColumnType::Long,
        2 => ColumnType::Decimal { precision: 18, scale: 4 },
        _ => ColumnType::Timestamptz,
    };
    let columns = (0..width).map(|at| Column::optional(&format!("c{at}"), kind(at))).collect();
    let number = |nth: i64, at: i64| nth * 1_000 + at;
    let message = |nth: i64| {
        let mut text = String::from("{");
        for at in 0..width {
            let of = number(nth, at);
            let comma = if at == 0 { "" } else { "," };
            match at % 4 {
                0 => write!(text, "{comma}\"c{at}\":\"v{of}\""),
                1 => write!(text, "{comma}\"c{at}\":{of}"),
                2 => write!(text, "{comma}\"c{at}\":\"{of}.5\""),
                _ => write!(text, "{comma}\"c{at}\":{}", EPOCH_MS + of),
            }
            .expect("a string takes text");
        }
        sent(text + "}")
    };
    let row = |nth: i64| {
        let value = |at: i64| match at % 4 {
            0 => Value::text(format!("v{}", number(nth, at))),
            1 => Value::long(number(nth, at)),
            2 => Value::decimal(i128::from(number(nth, at)) * 10 + 5, 1),
            _ => Value::instant((EPOCH_MS + number(nth, at)) * 1_000),
        };
        (0..width).map(value).collect()
    };
    Stage::new(&(0..messages).map(message).collect::<Vec<_>>(), &table(columns, (0..messages).map(row).collect(), 50))
}

#[test]
fn a_table_of_five_hundred_columns_is_written_whole_and_soon() {
    let stage = wide(500, 150);
    let started = Instant::now();
    let (text, _) = stage.written();
    assert!(started.elapsed() < Duration::from_secs(60), "{:?} in a debug build", started.elapsed());
    assert_eq!(text.lines().filter(|line| line.contains("= \"epoch_ms\"")).count(), 125, "{text}");
    assert_eq!(stage.run("check pipeline.toml").exit, 0);
}

#[test]
fn of_two_positions_that_both_fit_one_is_the_identity_and_the_other_is_compared() {
    let kinds = [
        ("id", ColumnType::String),
        ("topic", ColumnType::String),
        ("partition", ColumnType::Int),
        ("offset", ColumnType::Long),
        ("kafka_partition", ColumnType::Int),
        ("kafka_offset", ColumnType::Long),
    ];
    let columns = kinds.map(|(name, kind)| Column::optional(name, kind)).into();
    let message = |nth: i64| Sent { partition: (nth % 2) as i32, ..sent(format!(r#"{{"id":"t-{nth}"}}"#)) };
    let row = |nth: i64| {
        let (partition, offset) = (Value::long(nth % 2), Value::long(nth / 2));
        let id = Value::text(format!("t-{nth}"));
        vec![id, Value::text("trades"), partition.clone(), offset.clone(), partition, offset]
    };
    let stage = Stage::new(&(0..80).map(message).collect::<Vec<_>>(), &table(columns, (0..80).map(row).collect(), 20));
    let (text, _) = stage.written();
    has(&text, &["profile = \"spark\"", "kafka_partition = \"_partition\"", "kafka_offset = \"_offset\""]);
}

/// A topic of 12,000 messages of which a sample sees a thirtieth, and rows whose times are `skew_ms` off Kafka's.
fn skewed(skew_ms: i64) -> Stage {
    const COUNT: i64 = 12_000;
    let columns = vec![
        Column::optional("id", ColumnType::String),
        Column::optional("price", ColumnType::Long),
        Column::optional("at", ColumnType::Timestamptz),
    ];
    let at = |nth: i64| EPOCH_MS + nth * STEP_MS + skew_ms;
    let message = |nth: i64| sent(format!(r#"{{"id":"t-{nth}","price":{},"at":{}}}"#, nth * 7, at(nth)));
    let row = |nth: i64| vec![Value::text(format!("t-{nth}")), Value::long(nth * 7), Value::instant(at(nth) * 1_000)];
    Stage::new(&(0..COUNT).map(message).collect::<Vec<_>>(), &table(columns, (0..COUNT).map(row).collect(), 2_000))
}

#[test]
fn clocks_that_differ_by_years_do_not_keep_the_sides_apart() {
    let year = 365 * 86_400_000;
    for skew_ms in [-10 * year, -3_600_000, 3_600_000, 10 * year] {
        let stage = skewed(skew_ms);
        let ran = stage.init("--sample 400 --output pipeline.toml");
        let text = std::fs::read_to_string(stage.join("pipeline.toml")).unwrap_or_default();
        assert_eq!(ran.exit, 0, "{skew_ms}: {}\n{text}", ran.all());
        has(&text, &["mode = \"key\"", "columns = [\"id\"]", "window = \"at\""]);
        assert_eq!(stage.run("reconcile pipeline.toml --quiet").exit, 0, "{skew_ms}");
    }
}

#[test]
fn a_constant_of_one_sampled_day_or_batch_is_no_constant() {
    let kinds = [
        ("id", ColumnType::String),
        ("venue", ColumnType::String),
        ("batch_id", ColumnType::String),
        ("loaded", ColumnType::String),
        ("made_at", ColumnType::Long),
        ("kafka_partition", ColumnType::Int),
        ("level", ColumnType::Int),
    ];
    let columns: Vec<Column> = kinds.map(|(name, kind)| Column::optional(name, kind)).into();
    let message = |nth: i64| sent(format!(r#"{{"id":"t-{nth}"}}"#));
    let row = |nth: i64| {
        let texts = [format!("t-{nth}"), "XNAS".to_owned(), "b7".to_owned(), "2024-08-08".to_owned()];
        let numbers = [Value::long(1_723_118_400), Value::long(3), Value::long(2)];
        texts.into_iter().map(Value::text).chain(numbers).collect()
    };
    let rows: Vec<Vec<Value>> = (0..120).map(row).collect();
    let messages: Vec<Sent> = (0..120).map(message).collect();
    let (text, _) = Stage::new(&messages, &table(columns.clone(), rows.clone(), 40)).written();
    has(&text, &["venue = \"'XNAS'\"", "level = \"2\"", "batch_id = \"b7 in all", "loaded = \"2024-08-08 in all"]);
    has(&text, &["made_at = \"1723118400 in all", "kafka_partition = \"3 in all"]);
    let (text, _) = Stage::new(&messages, &table(columns, rows, 120)).written();
    has(&text, &["venue = \"XNAS in all 120 rows sampled: a constant of the sink"]);
}

/// A topic of trades of sixty symbols, and a table with a file for each symbol of each commit: far more files than are read.
#[test]
fn a_sample_of_many_small_files_meets_the_topic() {
    const COUNT: i64 = 2_400;
    let columns = vec![
        Column::optional("id", ColumnType::String),
        Column::optional("symbol", ColumnType::String),
        Column::optional("price", ColumnType::Long),
        Column::optional("at", ColumnType::Timestamptz),
    ];
    let symbol = |nth: i64| format!("S{}", nth * 7 % 60);
    let at = |nth: i64| EPOCH_MS + nth * STEP_MS;
    let message = |nth: i64| {
        sent(format!(r#"{{"id":"t-{nth}","symbol":"{}","price":{},"at":{}}}"#, symbol(nth), nth * 7, at(nth)))
    };
    let row = |nth: i64| {
        let time = Value::instant(at(nth) * 1_000);
        vec![Value::text(format!("t-{nth}")), Value::text(symbol(nth)), Value::long(nth * 7), time]
    };
    let rows = (0..COUNT).map(row).collect();
    let table = partitioned(columns, &[("symbol", Transform::Identity)], rows, 300);
    assert_eq!(table.files.len(), 480);
    let stage = Stage::new(&(0..COUNT).map(message).collect::<Vec<_>>(), &table);
    let ran = stage.init("--sample 400 --output pipeline.toml");
    let text = std::fs::read_to_string(stage.join("pipeline.toml")).unwrap_or_default();
    assert_eq!(ran.exit, 0, "{}\n{text}", ran.all());
    has(&text, &["mode = \"key\"", "columns = [\"id\"]", "window = \"at\""]);
    assert!(!text.contains("[compare.ignore]") && !text.contains("[compare.drop]"), "{text}");
    assert_eq!(stage.run("reconcile pipeline.toml --quiet").exit, 0);
}

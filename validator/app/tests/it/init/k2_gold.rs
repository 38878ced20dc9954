//! Quotes and gold of the K2 platform; candles, which no pipeline can prove row by message.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;
use insta::assert_snapshot;

use super::k2::{columns, decimal, ms, price, quantity, sent, symbol, text8, uuid};
use super::shapes::Shape;
use super::stage::{EPOCH_MS, Sent, Stage, table};

const HOUR_MS: i64 = 3_600_000;

fn quote(nth: i64) -> Sent {
    let (bid, ask) = (text8(price(nth)), text8(price(nth) + 12_345));
    let (of_bid, of_ask) = (text8(quantity(nth)), text8(quantity(nth + 7)));
    sent(
        nth,
        format!(
            r#"{{"message_id":"{}","quote_id":"BINANCE-{}","symbol":"{}","exchange":"BINANCE","timestamp":{},"bid_price":"{bid}","bid_quantity":"{of_bid}","ask_price":"{ask}","ask_quantity":"{of_ask}","currency":"USDT","ingestion_timestamp":{},"platform_sequence":{nth},"vendor_data":null}}"#,
            uuid(nth, 5),
            70_000 + nth,
            symbol(nth),
            ms(nth) * 1_000,
            (ms(nth) + 40) * 1_000,
        ),
    )
}

/// Binance's own message; a trade every three hours.
fn trade(nth: i64) -> Sent {
    let maker = nth % 3 == 1;
    sent(
        nth,
        format!(
            r#"{{"e":"trade","s":"{}","t":{},"p":"{}","q":"{}","T":{},"m":{maker}}}"#,
            symbol(nth),
            5_000 + nth / 3,
            text8(price(nth)),
            text8(quantity(nth)),
            traded(nth)
        ),
    )
}

fn traded(nth: i64) -> i64 {
    EPOCH_MS + nth * 3 * HOUR_MS
}

pub fn shapes() -> Vec<Shape> {
    vec![quotes(), gold()]
}

fn quotes() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 quotes_v2",
        columns: columns(&[
            ("message_id", text.clone()),
            ("quote_id", text.clone()),
            ("symbol", text.clone()),
            ("exchange", text.clone()),
            ("timestamp", ColumnType::Timestamp),
            ("bid_price", decimal(18, 8)),
            ("bid_quantity", decimal(18, 8)),
            ("ask_price", decimal(18, 8)),
            ("ask_quantity", decimal(18, 8)),
            ("currency", text.clone()),
            ("ingestion_timestamp", ColumnType::Long),
            ("platform_sequence", ColumnType::Long),
            ("vendor_data", text),
        ]),
        message: quote,
        row: |at| {
            let nth = at.nth;
            vec![
                Value::text(uuid(nth, 5)),
                Value::text(format!("BINANCE-{}", 70_000 + nth)),
                Value::text(symbol(nth)),
                Value::text("BINANCE"),
                Value::Timestamp { micros: ms(nth) * 1_000, zoned: false },
                Value::decimal(price(nth), 8),
                Value::decimal(quantity(nth), 8),
                Value::decimal(price(nth) + 12_345, 8),
                Value::decimal(quantity(nth + 7), 8),
                Value::text("USDT"),
                Value::long((ms(nth) + 40) * 1_000),
                Value::long(nth),
                Value::Null,
            ]
        },
        expected: &[
            "mode = \"key\"",
            "columns = [\"message_id\"]",
            "window = \"timestamp\"",
            "timestamp = \"epoch_us\"",
            "# quote_id, platform_sequence are unique too",
        ],
    }
}

fn gold() -> Shape {
    let text = ColumnType::String;
    Shape {
        name: "v1 gold crypto trades",
        columns: columns(&[
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
            ("platform_sequence", ColumnType::Long),
            ("gold_ingestion_timestamp", ColumnType::Timestamptz),
            ("exchange_date", ColumnType::Date),
            ("exchange_hour", ColumnType::Int),
        ]),
        message: trade,
        row: |at| {
            let nth = at.nth;
            let hour = traded(nth) / HOUR_MS;
            vec![
                Value::text(uuid(nth, 6)),
                Value::text(format!("BINANCE-{}", 5_000 + nth / 3)),
                Value::text(symbol(nth)),
                Value::text("binance"),
                Value::text("crypto"),
                Value::long(traded(nth) * 1_000),
                Value::decimal(price(nth), 8),
                Value::decimal(quantity(nth), 8),
                Value::text("USDT"),
                Value::text(if nth % 3 == 1 { "SELL" } else { "BUY" }),
                Value::Null,
                Value::instant((EPOCH_MS + HOUR_MS + nth) * 1_000),
                Value::Date(i32::try_from(hour / 24).expect("2024")),
                Value::long(hour % 24),
            ]
        },
        expected: &[
            "mode = \"key\"",
            "columns = [\"trade_id\", \"symbol\"]",
            "exchange = \"'binance'\"",
            "asset_class = \"'crypto'\"",
            "timestamp = \"T * 1000\"",
            "exchange_date = \"CAST(date_trunc('day', to_timestamp_millis(T)) AS DATE)\"",
            "exchange_hour = \"CAST(date_part('hour', to_timestamp_millis(T)) AS INT)\"",
            "side = \"CASE m WHEN false THEN 'BUY' WHEN true THEN 'SELL' END\"",
            "platform_sequence = \"NULL in all 240 rows sampled",
            "message_id = ",
            "gold_ingestion_timestamp = ",
        ],
    }
}

/// Candles of ten trades each.
fn candles(with_count: bool) -> (Vec<Column>, Vec<Vec<Value>>) {
    let of_price = decimal(38, 8);
    let mut kinds = vec![
        ("window_start", ColumnType::Timestamptz),
        ("canonical_symbol", ColumnType::String),
        ("open", of_price.clone()),
        ("high", of_price.clone()),
        ("low", of_price.clone()),
        ("close", of_price.clone()),
        ("volume", of_price),
    ];
    kinds.extend(with_count.then_some(("trade_count", ColumnType::Long)));
    let row = |candle: i64| {
        let trades = || candle * 10..candle * 10 + 10;
        let decimal = |unscaled| Value::decimal(unscaled, 8);
        let mut row = vec![
            Value::instant(ms(candle * 10) / 1_000 * 1_000_000),
            Value::text("BTC/USDT"),
            decimal(price(candle * 10)),
            decimal(trades().map(price).max().expect("ten")),
            decimal(trades().map(price).min().expect("ten")),
            decimal(price(candle * 10 + 9)),
            decimal(trades().map(quantity).sum()),
        ];
        row.extend(with_count.then_some(Value::long(10)));
        row
    };
    (columns(&kinds), (0..40).map(row).collect())
}

#[test]
fn candles_are_refused_since_each_row_stands_for_several_messages() {
    let refused = |with_count: bool| {
        let (columns, rows) = candles(with_count);
        let stage = Stage::new(&(0..400).map(trade).collect::<Vec<_>>(), &table(columns, rows, 40));
        let ran = stage.init("--output pipeline.toml");
        assert!(!stage.join("pipeline.toml").exists(), "{}", ran.all());
        ran.all()
    };
    assert_snapshot!(refused(true), @"
    exit 3
    --- stderr
    error: rows of lake.market.trades stand for several messages of trades each: column trade_count adds
           up to 400 in 40 rows, and there are 400 messages; columns high, low, close hold values of
           field p, and of no one message
      hint:    a pipeline proves one row for each message: name the table that the sums are made of
    ");
    assert_snapshot!(refused(false), @"
    exit 3
    --- stderr
    error: rows of lake.market.trades stand for several messages of trades each: columns high, low,
           close hold values of field p, and of no one message
      hint:    a pipeline proves one row for each message: name the table that the sums are made of
    ");
}

#[test]
fn gold_of_two_exchanges_is_more_than_one_topic_and_the_proof_says_so() {
    let shape = gold();
    let sent: Vec<Sent> = (0..240).map(trade).collect();
    let at = |nth: i64| super::stage::At { topic: "trades", nth, partition: 0, offset: nth, timestamp_ms: 0 };
    let rows = (0..300).map(|nth| {
        let mut row = (shape.row)(at(nth));
        if nth >= 240 {
            row[3] = Value::text("kraken");
        }
        row
    });
    let ran = Stage::new(&sent, &table(shape.columns.clone(), rows.collect(), 40)).init("");
    assert_eq!(ran.exit, 1, "{}", ran.all());
    assert!(ran.stderr.contains("60 phantom rows"), "{}", ran.all());
}

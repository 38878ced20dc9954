//! Candles of the K2 platform, of all six lengths: each row stands for several messages, which no pipeline can prove.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::table::Transform;
use fixtures_kit::value::Value;
use insta::assert_snapshot;

use super::k2::{columns, decimal, double_product, price, quantity, symbol, text8};
use super::k2_topics::{self, BINANCE_RAW};
use super::stage::{EPOCH_MS, Sent, Stage, partitioned};

const CANDLES: i64 = 40;
/// Trades of a candle.
const OF_CANDLE: i64 = 10;

const MINUTE_MS: i64 = 60_000;

/// The lengths of `cold.gold_ohlcv_*`.
const LENGTHS: [(&str, i64); 6] = [
    ("1m", MINUTE_MS),
    ("5m", 5 * MINUTE_MS),
    ("15m", 15 * MINUTE_MS),
    ("30m", 30 * MINUTE_MS),
    ("1h", 60 * MINUTE_MS),
    ("1d", 24 * 60 * MINUTE_MS),
];

/// The trade of that number, of those of candles of this length: ten in each.
fn traded_ms(nth: i64, length_ms: i64) -> i64 {
    let begun = EPOCH_MS / length_ms * length_ms - (CANDLES - nth / OF_CANDLE) * length_ms;
    begun + nth % OF_CANDLE * (length_ms / OF_CANDLE) + 7
}

/// Binance's own message; each candle is of one symbol.
fn trade(nth: i64, length_ms: i64) -> Sent {
    let (symbol, at) = (symbol(nth / OF_CANDLE), traded_ms(nth, length_ms));
    let payload = format!(
        r#"{{"e":"trade","E":{},"s":"{symbol}","t":{},"p":"{}","q":"{}","T":{at},"m":{},"M":true}}"#,
        at + 3,
        5_000 + nth,
        text8(price(nth)),
        text8(quantity(nth)),
        nth % 3 == 1,
    );
    k2_topics::keyed(&BINANCE_RAW, symbol, payload.into_bytes())
}

/// Its twelve columns, or eleven without the count of trades, and its rows.
fn candles(length_ms: i64, with_count: bool) -> (Vec<Column>, Vec<Vec<Value>>) {
    let (digits, instant) = (decimal(38, 8), ColumnType::Timestamptz);
    let mut kinds = vec![
        ("exchange", ColumnType::String),
        ("canonical_symbol", ColumnType::String),
        ("window_start", instant.clone()),
        ("open_time", instant.clone()),
        ("open_price", digits.clone()),
        ("close_time", instant),
        ("close_price", digits.clone()),
        ("high_price", digits.clone()),
        ("low_price", digits.clone()),
        ("volume", digits.clone()),
        ("quote_volume", digits),
    ];
    kinds.extend(with_count.then_some(("trade_count", ColumnType::Long)));
    let row = |candle: i64| {
        let (first, last) = (candle * OF_CANDLE, candle * OF_CANDLE + OF_CANDLE - 1);
        let trades = || first..=last;
        let number = |unscaled| Value::decimal(unscaled, 8);
        let at = |nth: i64| Value::instant(traded_ms(nth, length_ms) * 1_000);
        let mut row = vec![
            Value::text("binance"),
            Value::text(symbol(candle).replace("USDT", "/USDT")),
            Value::instant(traded_ms(first, length_ms) / length_ms * length_ms * 1_000),
            at(first),
            number(price(first)),
            at(last),
            number(price(last)),
            number(trades().map(price).max().expect("ten")),
            number(trades().map(price).min().expect("ten")),
            number(trades().map(quantity).sum()),
            number(trades().map(|nth| double_product(price(nth), quantity(nth))).sum()),
        ];
        row.extend(with_count.then_some(Value::long(OF_CANDLE)));
        row
    };
    (columns(&kinds), (0..CANDLES).map(row).collect())
}

const OHLCV_BY: &[(&str, Transform)] = &[("window_start", Transform::Month), ("exchange", Transform::Identity)];

fn refused(length_ms: i64, with_count: bool) -> String {
    let (columns, rows) = candles(length_ms, with_count);
    let sent: Vec<Sent> = (0..CANDLES * OF_CANDLE).map(|nth| trade(nth, length_ms)).collect();
    let stage = Stage::of(BINANCE_RAW, &sent, &partitioned(columns, OHLCV_BY, rows, 40));
    let ran = stage.init("--output pipeline.toml");
    assert!(!stage.join("pipeline.toml").exists(), "{}", ran.all());
    ran.all()
}

#[test]
fn candles_of_every_length_are_refused_since_each_row_stands_for_several_messages() {
    let said: Vec<(&str, String)> =
        LENGTHS.iter().map(|(name, length_ms)| (*name, refused(*length_ms, true))).collect();
    assert_snapshot!(said[0].1, @"
    exit 3
    --- stderr
    error: rows of lake.market.trades stand for several messages of market.crypto.trades.binance.raw
           each: column trade_count adds up to 400 in 40 rows, and there are 400 messages; columns
           close_price, high_price, low_price hold values of field p, and of no one message
      hint:    a pipeline proves one row for each message: name the table that the sums are made of
    ");
    for (name, said_of) in &said {
        assert_eq!(*said_of, said[0].1, "{name}");
    }
}

#[test]
fn candles_without_a_count_are_known_by_their_prices() {
    assert_snapshot!(refused(MINUTE_MS, false), @"
    exit 3
    --- stderr
    error: rows of lake.market.trades stand for several messages of market.crypto.trades.binance.raw
           each: columns close_price, high_price, low_price hold values of field p, and of no one
           message
      hint:    a pipeline proves one row for each message: name the table that the sums are made of
    ");
}

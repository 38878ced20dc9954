//! Messages of the K2 platform, number by number: exchange-native ones of both generations, and normalised ones.

use super::avro::{Avro, framed};
use super::k2::{ms, pair, price, product, quantity, symbol, text8, trade_number, uuid};
use super::k2_topics as topics;
use super::stage::{EPOCH_MS, Sent, Topic};

const HOUR_MS: i64 = 3_600_000;

fn in_frame(topic: &Topic, fields: Vec<Avro>) -> Vec<u8> {
    framed(topic.schema.expect("a topic of Avro").id, fields)
}

/// Whether Binance says that the buyer was the maker.
pub fn is_buyer_maker(nth: i64) -> bool {
    nth % 5 < 2
}

/// Binance's own message of v2: keys that differ in case only.
pub fn binance(nth: i64) -> Sent {
    let (symbol, maker) = (symbol(nth), is_buyer_maker(nth));
    let payload = format!(
        r#"{{"e":"trade","E":{},"s":"{symbol}","t":{},"p":"{}","q":"{}","b":{},"a":{},"T":{},"m":{maker},"M":true}}"#,
        ms(nth) + 3,
        trade_number(nth),
        text8(price(nth)),
        text8(quantity(nth)),
        880_000 + nth * 2,
        880_001 + nth * 2,
        ms(nth)
    );
    topics::keyed(&topics::BINANCE_RAW, symbol, payload.into_bytes())
}

/// When the trade of that number was made, of those that come a few in a day.
pub fn traded_ms(nth: i64) -> i64 {
    EPOCH_MS - 31 * 24 * HOUR_MS + nth * 3 * HOUR_MS
}

/// When the feed handler of v1 had it, microseconds.
pub fn fed_us(nth: i64) -> i64 {
    traded_ms(nth) * 1_000 + 41_007 + nth % 7
}

/// Whether the trade was the best match, which older messages do not say.
pub fn is_best_match(nth: i64) -> Option<bool> {
    (nth % 6 != 0).then_some(nth % 2 == 0)
}

/// The same of v1, with words for names; a trade every three hours.
pub fn binance_v1(nth: i64) -> Sent {
    let fields = vec![
        Avro::text("trade"),
        Avro::Long(traded_ms(nth) + 3),
        Avro::text(symbol(nth)),
        Avro::Long(trade_number(nth)),
        Avro::text(text8(price(nth))),
        Avro::text(text8(quantity(nth))),
        Avro::Long(traded_ms(nth)),
        Avro::Boolean(is_buyer_maker(nth)),
        Avro::optional(is_best_match(nth).map(Avro::Boolean)),
        Avro::Long(fed_us(nth)),
    ];
    let payload = in_frame(&topics::BINANCE_RAW_V1, fields);
    topics::keyed(&topics::BINANCE_RAW_V1, symbol(nth), payload)
}

/// Seconds and microseconds, as Kraken writes them; two trades of each millisecond.
pub fn kraken_time(nth: i64) -> String {
    seconds(ms(nth / 2) * 1_000 + nth % 2)
}

/// The same of v1: two trades every six hours.
pub fn kraken_time_v1(nth: i64) -> String {
    seconds(kraken_v1_us(nth))
}

/// The same, microseconds.
pub fn kraken_v1_us(nth: i64) -> i64 {
    traded_ms(nth / 2 * 2) * 1_000 + 321_590 + nth % 2
}

fn seconds(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

pub fn kraken_side(nth: i64) -> &'static str {
    if nth % 2 == 0 { "b" } else { "s" }
}

pub fn kraken_order(nth: i64) -> &'static str {
    if nth % 3 == 0 { "m" } else { "l" }
}

pub fn channel(nth: i64) -> i64 {
    119_930_881 + nth % 11
}

/// Kraken's message of v2, under the name of the exchange: one partition carries all.
pub fn kraken(nth: i64) -> Sent {
    let payload = format!(
        r#"{{"channel_id":{},"pair":"{}","price":"{}","volume":"{}","timestamp":"{}","side":"{}","order_type":"{}","misc":"","ingestion_timestamp":{}}}"#,
        channel(nth),
        pair(nth),
        text8(price(nth % 17)),
        text8(quantity(nth % 13)),
        kraken_time(nth),
        kraken_side(nth),
        kraken_order(nth),
        (ms(nth) + 71) * 1_000,
    );
    topics::keyed(&topics::KRAKEN_RAW, "kraken", payload.into_bytes())
}

/// The same of v1, under its pair.
pub fn kraken_v1(nth: i64) -> Sent {
    let fields = vec![
        Avro::Long(channel(nth)),
        Avro::text(text8(price(nth % 17))),
        Avro::text(text8(quantity(nth % 13))),
        Avro::text(kraken_time_v1(nth)),
        Avro::text(kraken_side(nth)),
        Avro::text(kraken_order(nth)),
        Avro::text(""),
        Avro::text(pair(nth)),
        Avro::Long(fed_us(nth)),
    ];
    topics::keyed(&topics::KRAKEN_RAW_V1, pair(nth), in_frame(&topics::KRAKEN_RAW_V1, fields))
}

const PRODUCTS: [&str; 4] = ["BTC-USD", "ETH-USD", "SOL-USD", "ADA-USD"];

pub fn coinbase_product(nth: i64) -> &'static str {
    PRODUCTS[(nth % 4) as usize]
}

/// Coinbase's message of v2: nanoseconds, and a sequence number that the trades of an event share.
pub fn coinbase(nth: i64) -> Sent {
    let at = chrono::DateTime::from_timestamp_millis(ms(nth)).expect("2024").format("%Y-%m-%dT%H:%M:%S%.3f");
    let payload = format!(
        r#"{{"trade_id":"c{nth}","product_id":"{}","price":"{}","size":"{}","side":"BUY","time":"{at}{:06}Z","sequence_num":{}}}"#,
        coinbase_product(nth),
        text8(price(nth % 19)),
        text8(quantity(nth % 13)),
        nth % 1_000,
        nth / 4
    );
    topics::keyed(&topics::COINBASE_RAW, "coinbase", payload.into_bytes())
}

/// Six places behind the point, so that decimal(18, 6) keeps them: unscaled by eight.
pub fn coarse(unscaled: i128) -> i128 {
    unscaled / 100 * 100
}

pub fn conditions(nth: i64) -> Vec<String> {
    let words: &[&str] = match nth % 5 {
        0 | 1 => &[],
        2 => &["aggTrade"],
        3 => &["limit", "maker"],
        _ => &["späte \"Meldung\""],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// None, nothing in it, or some of it.
pub fn vendor_data(nth: i64) -> Option<Vec<(String, String)>> {
    let entry = |key: &str, value: String| (key.to_owned(), value);
    match nth % 6 {
        0 => None,
        1 => Some(Vec::new()),
        _ => Some(vec![
            entry("is_buyer_maker", is_buyer_maker(nth).to_string()),
            entry("event_type", "trade".to_owned()),
            entry("base_asset", symbol(nth).replace("USDT", "")),
        ]),
    }
}

pub fn source_sequence(nth: i64) -> Option<i64> {
    (nth % 3 != 0).then_some(70_000 + nth * 3)
}

/// The symbol of the enum TradeSide.
pub fn side(nth: i64) -> i64 {
    [0, 1, 0, 1, 3, 2][(nth % 6) as usize]
}

pub const SIDES: [&str; 4] = ["BUY", "SELL", "SELL_SHORT", "UNKNOWN"];

/// An exchange of the normalised topics of v1.
pub struct Exchange {
    pub topic: Topic,
    pub name: &'static str,
    pub symbol: fn(i64) -> String,
    pub currency: &'static str,
}

pub const BINANCE_V1: Exchange = Exchange {
    topic: topics::BINANCE_TRADES_V1,
    name: "BINANCE",
    symbol: |nth| symbol(nth).to_owned(),
    currency: "USDT",
};

pub const KRAKEN_V1: Exchange = Exchange {
    topic: topics::KRAKEN_TRADES_V1,
    name: "KRAKEN",
    symbol: |nth| pair(nth).replace("XBT", "BTC").replace('/', ""),
    currency: "USD",
};

/// TradeV2 whose decimals have the digits behind the point that `keep` leaves them.
fn trade_v2_of(of: &Exchange, nth: i64, keep: fn(i128) -> i128) -> Sent {
    let fields = vec![
        Avro::text(uuid(nth, 1)),
        Avro::text(format!("{}-{}", of.name, 9_000 + nth)),
        Avro::text((of.symbol)(nth)),
        Avro::text(of.name),
        Avro::Long(1),
        Avro::Long(traded_ms(nth) * 1_000 + nth % 7),
        Avro::Decimal(keep(price(nth))),
        Avro::Decimal(keep(quantity(nth))),
        Avro::text(of.currency),
        Avro::Long(side(nth)),
        Avro::List(conditions(nth)),
        Avro::optional(source_sequence(nth).map(Avro::Long)),
        Avro::Long(fed_us(nth)),
        Avro::optional(Some(Avro::Long(nth / 40))),
        Avro::optional(vendor_data(nth).map(Avro::Map)),
    ];
    topics::keyed(&of.topic, &(of.symbol)(nth), in_frame(&of.topic, fields))
}

/// TradeV2 of the normalised topic of v1, with six digits behind the point.
pub fn trade_v2(nth: i64) -> Sent {
    trade_v2_of(&BINANCE_V1, nth, coarse)
}

/// The same of Kraken.
pub fn kraken_trade_v2(nth: i64) -> Sent {
    trade_v2_of(&KRAKEN_V1, nth, coarse)
}

/// With all eight digits behind the point.
pub fn fine(unscaled: i128) -> i128 {
    unscaled + 37
}

/// The same with all eight.
pub fn fine_trade_v2(nth: i64) -> Sent {
    trade_v2_of(&BINANCE_V1, nth, fine)
}

/// The same of Kraken.
pub fn kraken_fine_trade_v2(nth: i64) -> Sent {
    trade_v2_of(&KRAKEN_V1, nth, fine)
}

/// QuoteV2 of the topic of quotes of an exchange.
fn quote_v2_of(topic: &Topic, of: &Exchange, nth: i64) -> Sent {
    let fields = vec![
        Avro::text(uuid(nth, 5)),
        Avro::text(format!("{}-{}", of.name, 70_000 + nth)),
        Avro::text((of.symbol)(nth)),
        Avro::text(of.name),
        Avro::Long(1),
        Avro::Long(ms(nth) * 1_000),
        Avro::Decimal(price(nth)),
        Avro::Decimal(quantity(nth)),
        Avro::Decimal(price(nth) + 12_345),
        Avro::Decimal(quantity(nth + 7)),
        Avro::text(of.currency),
        Avro::optional(source_sequence(nth).map(Avro::Long)),
        Avro::Long((ms(nth) + 40) * 1_000),
        Avro::optional(Some(Avro::Long(nth))),
        Avro::optional(vendor_data(nth).map(Avro::Map)),
    ];
    topics::keyed(topic, &(of.symbol)(nth), in_frame(topic, fields))
}

pub fn quote_v2(nth: i64) -> Sent {
    quote_v2_of(&topics::BINANCE_QUOTES, &BINANCE_V1, nth)
}

pub fn kraken_quote_v2(nth: i64) -> Sent {
    quote_v2_of(&topics::KRAKEN_QUOTES, &KRAKEN_V1, nth)
}

/// The instruments of the reference data, each of which comes again and again.
pub const INSTRUMENTS: i64 = 60;

pub fn company(of: &Exchange, nth: i64) -> String {
    format!("{}{}", (of.symbol)(nth % INSTRUMENTS), nth % INSTRUMENTS)
}

/// Microseconds; the unlisted have none.
pub fn listed_us(nth: i64) -> Option<i64> {
    (nth % 4 != 0).then(|| (EPOCH_MS - 86_400_000 * (nth % INSTRUMENTS + 1)) * 1_000)
}

/// Of those that are no longer active.
pub fn delisted_us(nth: i64) -> Option<i64> {
    (nth % 7 == 0).then_some((ms(nth) - 60_000) * 1_000)
}

/// ReferenceDataV2 under its company: a version of it.
pub fn reference(topic: &Topic, of: &Exchange, nth: i64) -> Sent {
    reference_of(topic, of, &company(of, nth), nth)
}

/// The same of a company of that name.
pub fn reference_of(topic: &Topic, of: &Exchange, company: &str, nth: i64) -> Sent {
    let fields = vec![
        Avro::text(uuid(nth, 9)),
        Avro::text(company),
        Avro::text((of.symbol)(nth % INSTRUMENTS)),
        Avro::text(of.name),
        Avro::Long(1),
        Avro::text(format!("Company {}, as of {nth}", nth % INSTRUMENTS)),
        Avro::Null,
        Avro::optional(Some(Avro::text(of.currency))),
        Avro::optional(listed_us(nth).map(Avro::Long)),
        Avro::optional(delisted_us(nth).map(Avro::Long)),
        Avro::Boolean(delisted_us(nth).is_none()),
        Avro::Long((ms(nth) + 40) * 1_000),
        Avro::optional(vendor_data(nth).map(Avro::Map)),
    ];
    topics::keyed(topic, company, in_frame(topic, fields))
}

/// What a feed handler of v2 makes of a trade.
pub struct Normalised {
    pub topic: Topic,
    pub exchange: &'static str,
    pub symbol: String,
    pub canonical: String,
    pub currency: &'static str,
    pub id: String,
    /// BUY or SELL: the symbol of the enum.
    pub side: i64,
    pub at_ms: i64,
}

pub fn binance_normalised(nth: i64) -> Normalised {
    Normalised {
        topic: topics::BINANCE_TRADES,
        exchange: "binance",
        symbol: symbol(nth).to_owned(),
        canonical: symbol(nth).replace("USDT", "/USDT"),
        currency: "USDT",
        id: format!("BINANCE-{}", 40_000 + nth),
        side: nth % 2,
        at_ms: ms(nth),
    }
}

/// `String.hashCode` of Java.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Each sixth is of the pair and the millisecond of the one before it, and so has its id, which the feed handler makes of
/// these two; some such twins are of one side, others not.
pub fn kraken_normalised(nth: i64) -> Normalised {
    let twin = nth - i64::from(nth % 6 == 5);
    Normalised {
        topic: topics::KRAKEN_TRADES,
        exchange: "kraken",
        symbol: pair(twin).to_owned(),
        canonical: pair(twin).replace("XBT", "BTC"),
        currency: "USD",
        id: format!("KRAKEN-{}-{}", ms(twin), java_hash(pair(twin))),
        side: nth / 5 % 2,
        at_ms: ms(twin),
    }
}

pub fn coinbase_normalised(nth: i64) -> Normalised {
    Normalised {
        topic: topics::COINBASE_TRADES,
        exchange: "coinbase",
        symbol: coinbase_product(nth).to_owned(),
        canonical: coinbase_product(nth).replace('-', "/"),
        currency: "USD",
        id: format!("COINBASE-{}", 40_000 + nth),
        side: nth % 2,
        at_ms: ms(nth),
    }
}

/// NormalizedTrade of v2: milliseconds that no parser knows as such.
pub fn normalised(of: &Normalised, nth: i64) -> Sent {
    let metadata = (nth % 4 != 0).then(|| {
        let there = |value| Avro::optional(Some(value));
        let ids = [there(Avro::Long(nth)), there(Avro::Boolean(is_buyer_maker(nth)))];
        Avro::Record(ids.into_iter().chain([Avro::Null, Avro::Null]).collect())
    });
    let fields = vec![
        Avro::text("1.0.0"),
        Avro::text(of.exchange),
        Avro::text(&of.symbol),
        Avro::text(&of.canonical),
        Avro::text(&of.id),
        Avro::text(text8(price(nth))),
        Avro::text(text8(quantity(nth))),
        Avro::text(text8(product(price(nth), quantity(nth)))),
        Avro::Long(of.side),
        Avro::Long(of.at_ms + 4),
        Avro::Long(of.at_ms),
        Avro::optional(metadata),
    ];
    topics::keyed(&of.topic, &of.symbol, in_frame(&of.topic, fields))
}

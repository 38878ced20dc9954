//! The topics of the K2 platform: their names, partitions, keys and schemas.

use super::k2_schemas as schemas;
use super::stage::{Registered, Sent, Topic};

/// Of config/kafka/topics.yaml and docker-compose.v2.yml.
const BINANCE: i32 = 40;
const KRAKEN: i32 = 20;
const COINBASE: i32 = 20;

const fn topic(name: &'static str, partitions: i32) -> Topic {
    Topic { name, partitions, schema: None }
}

const fn of(topic: Topic, id: u32, subject: &'static str, text: &'static str) -> Topic {
    Topic { schema: Some(Registered { id, subject, text }), ..topic }
}

/// What all crypto exchanges of v1 share; a topic's own subject is not there then.
const SHARED: &str = "market.crypto.trades-value";

// Exchange-native: JSON of v2, Avro of v1.
pub const BINANCE_RAW: Topic = topic("market.crypto.trades.binance.raw", BINANCE);
pub const KRAKEN_RAW: Topic = topic("market.crypto.trades.kraken.raw", KRAKEN);
pub const COINBASE_RAW: Topic = topic("market.crypto.trades.coinbase.raw", COINBASE);
pub const BINANCE_RAW_V1: Topic =
    of(BINANCE_RAW, 11, "market.crypto.trades.binance.raw-value", schemas::BINANCE_RAW_TRADE);
pub const KRAKEN_RAW_V1: Topic = of(KRAKEN_RAW, 12, "market.crypto.trades.kraken.raw-value", schemas::KRAKEN_RAW_TRADE);

// Normalised: NormalizedTrade of v2, TradeV2 of v1 under the subject that exchanges share.
pub const BINANCE_TRADES: Topic = of(
    topic("market.crypto.trades.binance", BINANCE),
    21,
    "market.crypto.trades.binance-value",
    schemas::NORMALIZED_TRADE,
);
pub const KRAKEN_TRADES: Topic = of(
    topic("market.crypto.trades.kraken", KRAKEN),
    21,
    "market.crypto.trades.kraken-value",
    schemas::NORMALIZED_TRADE,
);
pub const COINBASE_TRADES: Topic = of(
    topic("market.crypto.trades.coinbase", COINBASE),
    21,
    "market.crypto.trades.coinbase-value",
    schemas::NORMALIZED_TRADE,
);
pub const BINANCE_TRADES_V1: Topic = of(BINANCE_TRADES, 1_001, SHARED, schemas::TRADE_V2);
pub const KRAKEN_TRADES_V1: Topic = of(KRAKEN_TRADES, 1_001, SHARED, schemas::TRADE_V2);
pub const BINANCE_QUOTES: Topic =
    of(topic("market.crypto.quotes.binance", BINANCE), 1_002, "market.crypto.quotes.binance-value", schemas::QUOTE_V2);
pub const KRAKEN_QUOTES: Topic =
    of(topic("market.crypto.quotes.kraken", KRAKEN), 1_002, "market.crypto.quotes-value", schemas::QUOTE_V2);
/// Compacted, and always of one partition.
pub const BINANCE_REFERENCE: Topic = of(
    topic("market.crypto.reference_data.binance", 1),
    1_003,
    "market.crypto.reference_data.binance-value",
    schemas::REFERENCE_DATA_V2,
);
pub const KRAKEN_REFERENCE: Topic = of(
    topic("market.crypto.reference_data.kraken", 1),
    1_003,
    "market.crypto.reference_data-value",
    schemas::REFERENCE_DATA_V2,
);

// Of the first shape of v1, whose schema the platform has no more.
pub const EQUITIES: Topic = topic("market.equities.trades.asx", 2);
pub const EQUITY_QUOTES: Topic = topic("market.equities.quotes.asx", 2);

/// The message under its key, in the key's partition.
pub fn keyed(topic: &Topic, key: &str, payload: Vec<u8>) -> Sent {
    let sum = key.bytes().fold(0_i32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    Sent { partition: sum.rem_euclid(topic.partitions), key: Some(key.as_bytes().to_vec()), payload: Some(payload) }
}

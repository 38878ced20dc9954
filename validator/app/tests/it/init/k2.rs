//! The K2 market data platform, of both generations: what its tables and topics have in common, and the list of its shapes.

use fixtures_kit::schema::{Column, ColumnType};
use fixtures_kit::value::Value;

use super::shapes::Shape;
use super::stage::{At, EPOCH_MS, STEP_MS, Sent};
use super::{k2_bronze, k2_cold, k2_equity, k2_silver, k2_trades};

pub const SYMBOLS: [&str; 12] = [
    "BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "DOTUSDT", "LTCUSDT", "LINKUSDT",
    "AVAXUSDT", "ATOMUSDT",
];
const PAIRS: [&str; 11] = [
    "XBT/USD", "ETH/USD", "XDG/USD", "SOL/USD", "XRP/USD", "ADA/USD", "DOT/USD", "LTC/USD", "LINK/USD", "AVAX/USD",
    "ATOM/USD",
];

pub fn columns(kinds: &[(&str, ColumnType)]) -> Vec<Column> {
    kinds.iter().map(|(name, kind)| Column::optional(name, kind.clone())).collect()
}

pub fn decimal(precision: u8, scale: u8) -> ColumnType {
    ColumnType::Decimal { precision, scale }
}

/// A message of one of two partitions.
pub fn sent(nth: i64, payload: String) -> Sent {
    Sent { partition: i32::try_from(nth % 2).expect("0 or 1"), key: None, payload: Some(payload.into_bytes()) }
}

pub fn ms(nth: i64) -> i64 {
    EPOCH_MS + nth * STEP_MS
}

pub fn symbol(nth: i64) -> &'static str {
    SYMBOLS[(nth % 12) as usize]
}

pub fn pair(nth: i64) -> &'static str {
    PAIRS[(nth % 11) as usize]
}

/// What Binance counts for each symbol.
pub fn trade_number(nth: i64) -> i64 {
    5_000 + nth / 12
}

/// Of two digits behind the point; unscaled by eight.
pub fn price(nth: i64) -> i128 {
    i128::from(5_000_000_000_000_i64 + (nth * 7_919) % 1_000_000 * 1_000_000)
}

/// Of five digits behind the point; unscaled by eight.
pub fn quantity(nth: i64) -> i128 {
    i128::from((100 + (nth * 104_729) % 99_991) * 1_000)
}

/// Price times quantity, unscaled by eight.
pub fn product(price: i128, quantity: i128) -> i128 {
    price * quantity / 100_000_000
}

/// The same as ClickHouse has it: both are doubles, and what is behind the eighth digit of their product is cut off.
pub fn double_product(price: i128, quantity: i128) -> i128 {
    let double = |unscaled: i128| text8(unscaled).parse::<f64>().expect("a number");
    (double(price) * double(quantity) * 100_000_000.0) as i128
}

pub fn text8(unscaled: i128) -> String {
    format!("{}.{:08}", unscaled / 100_000_000, unscaled % 100_000_000)
}

pub fn uuid(nth: i64, of: u64) -> String {
    // Spread, as random ones are.
    let a = (nth as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of.wrapping_mul(0xd1b5_4a32_d192_ed03);
    let b = a.rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hex = format!("{a:016x}{b:016x}");
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

pub fn bytes(at: At<'_>, message: fn(i64) -> Sent) -> Value {
    Value::Bytes(message(at.nth).payload.expect("each has one"))
}

/// When the sink had the row, microseconds.
pub fn ingested(nth: i64) -> i64 {
    (EPOCH_MS + 3_600_000 + nth) * 1_000
}

pub fn wall(micros: i64) -> Value {
    Value::Timestamp { micros, zoned: false }
}

/// Texts as Python's `json.dumps` writes them.
fn python_text(text: &str) -> String {
    let escape = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_ascii() => c.to_string(),
        c => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// JSON text of a list as Python's `json.dumps` writes it; NULL of nothing.
pub fn json_list(items: &[String]) -> Value {
    let items: Vec<String> = items.iter().map(|item| python_text(item)).collect();
    if items.is_empty() { Value::Null } else { Value::text(format!("[{}]", items.join(", "))) }
}

/// The same of a map.
pub fn json_map(entries: Option<&[(String, String)]>) -> Value {
    let entry = |(key, value): &(String, String)| format!("{}: {}", python_text(key), python_text(value));
    let entries: Vec<String> = entries.unwrap_or_default().iter().map(entry).collect();
    if entries.is_empty() { Value::Null } else { Value::text(format!("{{{}}}", entries.join(", "))) }
}

pub fn shapes() -> Vec<Shape> {
    let all = [k2_bronze::shapes(), k2_trades::shapes(), k2_silver::shapes(), k2_cold::shapes(), k2_equity::shapes()];
    all.into_iter().flatten().collect()
}

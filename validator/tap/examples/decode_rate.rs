//! Nanoseconds per message of the decoders: 14 fields in about 300 bytes.
//!
//! `cargo run --release -p validator-tap --example decode_rate`

use std::hint::black_box;
use std::time::Instant;

use validator_core::contract::{EpochUnit, FieldType};
use validator_core::position::PartitionIndex;
use validator_core::schema::Type;
use validator_tap::{Decoder, JsonDecoder, Message, WantedField};

const MESSAGES: usize = 8_192;
const ROUNDS: usize = 100;

fn main() {
    report("json", &mut json(), &json_payloads());
}

/// The best of many rounds over one batch.
fn report(name: &str, decoder: &mut dyn Decoder, payloads: &[Vec<u8>]) {
    let bytes: usize = payloads.iter().map(Vec::len).sum();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for (offset, payload) in (0..).zip(payloads) {
            let message = Message::of_payload(PartitionIndex(0), offset, Some(payload));
            let outcome = decoder.append(&message).expect("the batch has room");
            assert!(outcome.is_none(), "{outcome:?}");
        }
        let batch = black_box(decoder.finish());
        assert!(batch.inexact.is_empty() && batch.unknown_fields.is_empty());
        best = best.min(started.elapsed().as_nanos() as f64 / payloads.len() as f64);
    }
    println!(
        "{name}: {best:.0} ns per message of {} bytes, {} columns",
        bytes / payloads.len(),
        decoder.fields().len()
    );
}

fn json() -> JsonDecoder {
    let decimal = Type::Decimal { precision: 18, scale: 8 };
    let plain = |name: &str, ty: Type| WantedField::typed(name, FieldType::Plain(ty));
    let fields = [
        plain("message_id", Type::Uuid),
        plain("trade_id", Type::String),
        plain("symbol", Type::String),
        plain("exchange", Type::String),
        plain("asset_class", Type::String),
        WantedField::typed("timestamp", FieldType::Epoch(EpochUnit::Microsecond)),
        plain("price", decimal.clone()),
        plain("quantity", decimal),
        plain("currency", Type::String),
        plain("side", Type::String),
        plain("source_sequence", Type::Long),
        plain("is_buyer_maker", Type::Boolean),
        plain("ingestion_timestamp", Type::Timestamptz),
        plain("venue", Type::String),
    ];
    JsonDecoder::new(&fields, &[].into()).expect("JSON can carry these")
}

fn json_payloads() -> Vec<Vec<u8>> {
    let one = |i: usize| {
        format!(
            r#"{{"message_id":"f79c3e09-677c-4bbd-a479-{:012x}","trade_id":"BINANCE-{i}","symbol":"BTCUSDT","exchange":"BINANCE","asset_class":"crypto","timestamp":{},"price":"{}.{:08}","quantity":"0.{:05}","currency":"USDT","side":"{}","source_sequence":{},"is_buyer_maker":{},"ingestion_timestamp":"2026-01-21T10:15:{:02}.{:06}Z","venue":{}}}"#,
            i * 7919,
            1_768_990_500_000_000_u64 + i as u64 * 1_003,
            50_000 + i % 977,
            i * 104_729 % 100_000_000,
            1 + i * 31 % 99_999,
            if i.is_multiple_of(2) { "BUY" } else { "SELL" },
            3_000_000_000_u64 + i as u64,
            i.is_multiple_of(2),
            i % 60,
            i * 37 % 1_000_000,
            if i.is_multiple_of(3) { "null" } else { "\"spot\"" },
        )
        .into_bytes()
    };
    (0..MESSAGES).map(one).collect()
}

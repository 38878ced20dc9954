//! How fast records of 14 fields are decoded: `cargo run --release -p validator-tap --example avro_rate`.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use validator_core::contract::FieldType;
use validator_core::position::PartitionIndex;
use validator_tap::{AvroDecoder, Decoder, Message, Schemas, WantedField, avro_fields};

const MESSAGES: usize = 8_192;
const ROUNDS: usize = 200;

/// TradeV2 of the first user without its map.
const SCHEMA: &str = r#"{"type":"record","name":"TradeV2","fields":[
    {"name":"message_id","type":"string"},{"name":"trade_id","type":"string"},{"name":"symbol","type":"string"},
    {"name":"exchange","type":"string"},
    {"name":"asset_class","type":{"type":"enum","name":"AssetClass","symbols":["equities","crypto"]}},
    {"name":"timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"quantity","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"currency","type":"string"},
    {"name":"side","type":{"type":"enum","name":"TradeSide","symbols":["BUY","SELL"]}},
    {"name":"trade_conditions","type":{"type":"array","items":"string"}},
    {"name":"source_sequence","type":["null","long"]},
    {"name":"ingestion_timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"platform_sequence","type":["null","long"]}]}"#;

fn long(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    long(out, value.len() as i64);
    out.extend_from_slice(value);
}

fn payload(n: i64) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(&mut out, format!("6f1c9a4e-1b7d-4a52-9c3e-{n:012x}").as_bytes());
    bytes(&mut out, format!("BINANCE-{}", 4_000_000_000 + n).as_bytes());
    bytes(&mut out, b"BTCUSDT");
    bytes(&mut out, b"BINANCE");
    long(&mut out, 1);
    long(&mut out, 1_700_000_000_000_000 + n);
    bytes(&mut out, &(5_000_012_345_678 + n).to_be_bytes()[2..]);
    bytes(&mut out, &(1_234_567 + n).to_be_bytes()[4..]);
    bytes(&mut out, b"USDT");
    long(&mut out, n & 1);
    long(&mut out, 1);
    bytes(&mut out, b"@");
    long(&mut out, 0);
    long(&mut out, 1);
    long(&mut out, 7_000_000 + n);
    long(&mut out, 1_700_000_000_100_000 + n);
    long(&mut out, 0);
    out
}

fn main() {
    let path = std::env::temp_dir().join(format!("avro_rate_{}.avsc", std::process::id()));
    std::fs::write(&path, SCHEMA).expect("a directory for temporary files");
    let schemas = Arc::new(Schemas::file(&path).expect("a schema"));
    // Nothing depends on it.
    let _ = std::fs::remove_file(&path);
    let fields = avro_fields(&schemas, &[], &[]).expect("a file").fields;
    let wanted = fields.into_iter().map(|(name, ty)| WantedField::typed(name, FieldType::Plain(ty))).collect();
    let mut decoder = AvroDecoder::new(wanted, BTreeSet::new(), schemas).expect("each field once");
    let payloads: Vec<Vec<u8>> = (0..MESSAGES as i64).map(payload).collect();
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        for (offset, payload) in payloads.iter().enumerate() {
            let message = Message::of_payload(PartitionIndex(0), offset as i64, Some(payload));
            let outcome = decoder.append(&message).expect("a file does not fail");
            assert!(outcome.is_none(), "a sound payload");
        }
        black_box(decoder.finish());
    }
    let elapsed = begun.elapsed();
    let messages = MESSAGES * ROUNDS;
    let size = payloads.iter().map(Vec::len).sum::<usize>() / MESSAGES;
    let per_message = elapsed.as_secs_f64() * 1e6 / messages as f64;
    println!("{messages} messages of {size} bytes: {per_message:.3} µs each, {:.0} MB/s", size as f64 / per_message);
}

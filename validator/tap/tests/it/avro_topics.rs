//! Whole topics: which fields their schemas have, and the first user's trades.

use validator_core::schema::Type;
use validator_tap::{Decoder, Schemas, avro_fields};

use crate::avro_support::{at, body, decoder, framed, in_file, record};
use crate::stub_registry::{Answer, Stub, not_found, registered};
use crate::support::{decode, show};

fn shown(schemas: &Schemas, topics: &[&str], ids: &[u32]) -> (Vec<String>, Vec<String>) {
    let topics: Vec<String> = topics.iter().map(|t| (*t).to_owned()).collect();
    let found = avro_fields(schemas, &topics, ids).expect("the registry answers");
    let fields = found.fields.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
    (fields, found.refused.iter().map(|(name, why)| format!("{name}: {why}")).collect())
}

fn version(id: u32, schema: &str) -> String {
    serde_json::json!({"subject": "s", "version": 1, "id": id, "schema": schema}).to_string()
}

#[test]
fn fields_are_those_of_all_versions_and_the_latest_type_wins() {
    let first = record(
        r#"{"name":"a","type":"int"},{"name":"old","type":"string"},
           {"name":"in","type":{"type":"record","name":"I","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}}"#,
    );
    let second = record(
        r#"{"name":"in","type":["null",{"type":"record","name":"I","fields":[{"name":"z","type":"string"},{"name":"x","type":"long"}]}]},
           {"name":"a","type":["null","long"]},{"name":"nothing","type":"null"}"#,
    );
    let of_id = record(r#"{"name":"a","type":"string"},{"name":"seen","type":"double"}"#);
    let bodies = [
        ("/subjects/t-value/versions", "[1,2]".to_owned()),
        ("/subjects/t-value/versions/1", version(11, &first)),
        ("/subjects/t-value/versions/2", version(12, &second)),
        ("/schemas/ids/5", registered(&of_id)),
    ];
    let stub = Stub::start(move |path, _| match bodies.iter().find(|(known, _)| *known == path) {
        Some((_, body)) => Answer::Body(200, body.clone()),
        None => not_found(),
    });
    let schemas = at(&stub);
    let latest = ["in: struct<z: string, x: long, y: int>", "a: long", "old: string"];
    assert_eq!(shown(&schemas, &["t"], &[]).0, latest);
    assert_eq!(shown(&schemas, &["t", "gone"], &[12, 5, 5, 11, 404]).0, [&latest[..], &["seen: double"]].concat());
    let asked: Vec<String> = stub.asked().into_iter().map(|asked| asked.path).collect();
    assert!(!asked.contains(&"/schemas/ids/11".to_owned()), "a version tells its id");
    assert_eq!(shown(&schemas, &["gone"], &[]).0.len(), 0);
    // The answers about versions are answers about ids.
    let before = stub.asked().len();
    let mut decoder = decoder(&schemas, &[("a", Type::Long)]);
    let (outcomes, batch) = decode(&mut decoder, &[&framed(12, &body().long(0).long(1).long(7))]);
    assert_eq!((outcomes[0].clone(), show(&batch.columns[0])), (None, vec!["7".to_owned()]));
    assert_eq!(stub.asked().len(), before);
}

#[test]
fn fields_without_a_type_are_named_with_the_reason() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"u","type":["int","string"]},
        {"name":"me","type":["null","R"]},
        {"name":"in","type":{"type":"record","name":"I","fields":[
            {"name":"ok","type":["long"]},{"name":"l","type":{"type":"array","items":["null","int","R"]}}]}},
        {"name":"n","type":{"type":"array","items":"null"}},
        {"name":"mn","type":{"type":"map","values":["null"]}}]}"#;
    let (fields, refused) = shown(&in_file(schema), &[], &[]);
    assert_eq!(fields, ["in: struct<ok: long>"]);
    assert_eq!(
        refused,
        [
            "in.l: a union of null, int, record: a column has one type",
            "me: the record contains itself",
            "mn: a map to nothing but null",
            "n: an array of nothing but null",
            "u: a union of int, string: a column has one type",
        ]
    );
}

#[test]
fn a_schema_that_unfolds_without_end_is_cut() {
    let mut ty = "\"long\"".to_owned();
    for level in 0..40 {
        let again = if level == 0 { "\"long\"".to_owned() } else { format!("\"L{}\"", level - 1) };
        ty = format!(
            r#"{{"type":"record","name":"L{level}","fields":[{{"name":"a","type":{ty}}},{{"name":"b","type":{again}}}]}}"#
        );
    }
    let found = avro_fields(&in_file(&ty), &[], &[]).expect("a file");
    assert!(found.refused.values().any(|why| why == "the schema unfolds to over 100000 fields"));
}

/// TradeV2 of the first user (k2-market-data-platform, src/k2/schemas/trade_v2.avsc).
const TRADE_V2: &str = r#"{"type":"record","name":"TradeV2","namespace":"com.k2.market.data","fields":[
    {"name":"message_id","type":"string"},{"name":"trade_id","type":"string"},{"name":"symbol","type":"string"},
    {"name":"exchange","type":"string"},
    {"name":"asset_class","type":{"type":"enum","name":"AssetClass","symbols":["equities","crypto","futures","options"]}},
    {"name":"timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"quantity","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"currency","type":"string"},
    {"name":"side","type":{"type":"enum","name":"TradeSide","symbols":["BUY","SELL","SELL_SHORT","UNKNOWN"]}},
    {"name":"trade_conditions","type":{"type":"array","items":"string"},"default":[]},
    {"name":"source_sequence","type":["null","long"],"default":null},
    {"name":"ingestion_timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"platform_sequence","type":["null","long"],"default":null},
    {"name":"vendor_data","type":["null",{"type":"map","values":"string"}],"default":null}]}"#;

#[test]
fn the_first_users_trades_decode_into_the_columns_that_their_schema_says() {
    let bodies = [
        ("/subjects/market.crypto.trades.binance-value/versions", "[1]".to_owned()),
        ("/subjects/market.crypto.trades.binance-value/versions/1", version(3, TRADE_V2)),
    ];
    let stub = Stub::start(move |path, _| match bodies.iter().find(|(known, _)| *known == path) {
        Some((_, body)) => Answer::Body(200, body.clone()),
        None => not_found(),
    });
    let schemas = at(&stub);
    let fields = avro_fields(&schemas, &["market.crypto.trades.binance".to_owned()], &[3]).expect("answers").fields;
    let types: Vec<String> = fields.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
    assert_eq!(
        types,
        [
            "message_id string",
            "trade_id string",
            "symbol string",
            "exchange string",
            "asset_class string",
            "timestamp timestamptz",
            "price decimal(18, 8)",
            "quantity decimal(18, 8)",
            "currency string",
            "side string",
            "trade_conditions list<string>",
            "source_sequence long",
            "ingestion_timestamp timestamptz",
            "platform_sequence long",
            "vendor_data map<string, string>",
        ]
    );
    let named: Vec<(&str, Type)> = fields.iter().map(|(name, ty)| (name.as_str(), ty.clone())).collect();
    let mut decoder = decoder(&schemas, &named);
    let head =
        || body().bytes("id").bytes("BINANCE-1").bytes("BTCUSDT").bytes("BINANCE").long(1).long(1_700_000_000_123_456);
    // 50000.12345678, 0.00000001
    let price = 5_000_012_345_678_i64.to_be_bytes();
    let full = head()
        .bytes(&price[2..])
        .bytes([1])
        .bytes("USDT")
        .long(3)
        .long(2)
        .bytes("@")
        .bytes("F")
        .long(0)
        .long(1)
        .long(42)
        .long(-5)
        .long(1)
        .long(i64::MAX)
        .long(1)
        .long(1)
        .bytes("k")
        .bytes("v")
        .long(0);
    let sparse = head().bytes([0xff]).bytes([0]).bytes("").long(0).long(0).long(0).long(0).long(0).long(0);
    let (outcomes, batch) = decode(&mut decoder, &[&framed(3, &full), &framed(3, &sparse)]);
    assert_eq!(outcomes, [None, None]);
    let rows: Vec<String> = batch.columns.iter().map(|column| show(column).join(" | ")).collect();
    assert_eq!(
        rows,
        [
            "\"id\" | \"id\"",
            "\"BINANCE-1\" | \"BINANCE-1\"",
            "\"BTCUSDT\" | \"BTCUSDT\"",
            "\"BINANCE\" | \"BINANCE\"",
            "\"crypto\" | \"crypto\"",
            "1700000000123456 | 1700000000123456",
            "5000012345678 | -1",
            "1 | 0",
            "\"USDT\" | \"\"",
            "\"UNKNOWN\" | \"BUY\"",
            "[\"@\",\"F\"] | []",
            "42 | ~",
            "-5 | 0",
            "9223372036854775807 | ~",
            "<\"k\"=\"v\"> | ~",
        ]
    );
    // The table's decimal(18, 6) cannot hold the price.
    let narrow = [("price", Type::Decimal { precision: 18, scale: 6 }), ("quantity", Type::Double)];
    let mut decoder = crate::avro_support::decoder(&schemas, &narrow);
    let (_, batch) = decode(&mut decoder, &[&framed(3, &full)]);
    assert_eq!(batch.inexact, [(0, 0, "50000.12345678".to_owned())]);
    assert_eq!(show(&batch.columns[1]), ["1e-8"]);
    assert_eq!(batch.unknown_fields.len(), 13);
    assert_eq!(decoder.fields().len(), 2);
}

#[test]
fn a_timestamp_that_is_one_by_convention_only_is_a_number() {
    // NormalizedTrade: its logicalType stands beside the type, where Avro ignores it.
    let schema = record(r#"{"name":"timestamp","type":"long","logicalType":"timestamp-millis"}"#);
    assert_eq!(shown(&in_file(&schema), &[], &[]).0, ["timestamp: long"]);
}

//! The Avro schemas of the K2 platform, all fields of each, without their words.

/// src/k2/schemas/trade_v2.avsc
pub const TRADE_V2: &str = r#"{"type":"record","name":"TradeV2","namespace":"com.k2.marketdata","fields":[
    {"name":"message_id","type":"string"},
    {"name":"trade_id","type":"string"},
    {"name":"symbol","type":"string"},
    {"name":"exchange","type":"string"},
    {"name":"asset_class","type":{"type":"enum","name":"AssetClass","symbols":["equities","crypto","futures","options"]}},
    {"name":"timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"quantity","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"currency","type":"string"},
    {"name":"side","type":{"type":"enum","name":"TradeSide","symbols":["BUY","SELL","SELL_SHORT","UNKNOWN"]}},
    {"name":"trade_conditions","type":{"type":"array","items":"string"}},
    {"name":"source_sequence","type":["null","long"],"default":null},
    {"name":"ingestion_timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"platform_sequence","type":["null","long"],"default":null},
    {"name":"vendor_data","type":["null",{"type":"map","values":"string"}],"default":null}]}"#;

/// src/k2/schemas/quote_v2.avsc
pub const QUOTE_V2: &str = r#"{"type":"record","name":"QuoteV2","namespace":"com.k2.marketdata","fields":[
    {"name":"message_id","type":"string"},
    {"name":"quote_id","type":"string"},
    {"name":"symbol","type":"string"},
    {"name":"exchange","type":"string"},
    {"name":"asset_class","type":{"type":"enum","name":"AssetClass","symbols":["equities","crypto","futures","options"]}},
    {"name":"timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"bid_price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"bid_quantity","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"ask_price","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"ask_quantity","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":8}},
    {"name":"currency","type":"string"},
    {"name":"source_sequence","type":["null","long"],"default":null},
    {"name":"ingestion_timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"platform_sequence","type":["null","long"],"default":null},
    {"name":"vendor_data","type":["null",{"type":"map","values":"string"}],"default":null}]}"#;

/// src/k2/schemas/reference_data_v2.avsc
pub const REFERENCE_DATA_V2: &str = r#"{"type":"record","name":"ReferenceDataV2","namespace":"com.k2.marketdata","fields":[
    {"name":"message_id","type":"string"},
    {"name":"company_id","type":"string"},
    {"name":"symbol","type":"string"},
    {"name":"exchange","type":"string"},
    {"name":"asset_class","type":{"type":"enum","name":"AssetClass","symbols":["equities","crypto","futures","options"]}},
    {"name":"company_name","type":"string"},
    {"name":"isin","type":["null","string"],"default":null},
    {"name":"currency","type":["null","string"],"default":null},
    {"name":"listing_date","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null},
    {"name":"delisting_date","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null},
    {"name":"is_active","type":"boolean","default":true},
    {"name":"ingestion_timestamp","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"vendor_data","type":["null",{"type":"map","values":"string"}],"default":null}]}"#;

/// src/k2/schemas/binance_raw_trade.avsc: microseconds without a logical type.
pub const BINANCE_RAW_TRADE: &str = r#"{"type":"record","name":"BinanceRawTrade","namespace":"com.k2.marketdata.raw","fields":[
    {"name":"event_type","type":"string"},
    {"name":"event_time_ms","type":"long"},
    {"name":"symbol","type":"string"},
    {"name":"trade_id","type":"long"},
    {"name":"price","type":"string"},
    {"name":"quantity","type":"string"},
    {"name":"trade_time_ms","type":"long"},
    {"name":"is_buyer_maker","type":"boolean"},
    {"name":"is_best_match","type":["null","boolean"],"default":null},
    {"name":"ingestion_timestamp","type":"long"}]}"#;

/// src/k2/schemas/kraken_raw_trade.avsc
pub const KRAKEN_RAW_TRADE: &str = r#"{"type":"record","name":"KrakenRawTrade","namespace":"com.k2.marketdata.raw","fields":[
    {"name":"channel_id","type":"long"},
    {"name":"price","type":"string"},
    {"name":"volume","type":"string"},
    {"name":"timestamp","type":"string"},
    {"name":"side","type":"string"},
    {"name":"order_type","type":"string"},
    {"name":"misc","type":"string"},
    {"name":"pair","type":"string"},
    {"name":"ingestion_timestamp","type":"long"}]}"#;

/// schemas/avro/normalized-trade.avsc: `logicalType` beside the type, where parsers ignore it.
pub const NORMALIZED_TRADE: &str = r#"{"type":"record","name":"NormalizedTrade","namespace":"com.k2.marketdata.crypto","fields":[
    {"name":"schema_version","type":"string","default":"1.0.0"},
    {"name":"exchange","type":"string"},
    {"name":"symbol","type":"string"},
    {"name":"canonical_symbol","type":"string"},
    {"name":"trade_id","type":"string"},
    {"name":"price","type":"string"},
    {"name":"quantity","type":"string"},
    {"name":"quote_volume","type":"string"},
    {"name":"side","type":{"type":"enum","name":"TradeSide","symbols":["BUY","SELL"]}},
    {"name":"timestamp","type":"long","logicalType":"timestamp-millis"},
    {"name":"exchange_timestamp","type":"long","logicalType":"timestamp-millis"},
    {"name":"metadata","type":["null",{"type":"record","name":"TradeMetadata","fields":[
        {"name":"sequence_number","type":["null","long"],"default":null},
        {"name":"is_buyer_maker","type":["null","boolean"],"default":null},
        {"name":"buyer_order_id","type":["null","long"],"default":null},
        {"name":"seller_order_id","type":["null","long"],"default":null}]}],"default":null}]}"#;

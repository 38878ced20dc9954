//! A whole file, as `init` writes it, and what it says.

use insta::assert_snapshot;

use super::{k2, shapes, sinks};

#[test]
fn the_file_of_a_key_table() {
    let shape = k2::shapes().into_iter().find(|shape| shape.name == "v2 cold bronze binance").expect("it is there");
    let stage = shapes::stage(&shape);
    let (text, ran) = stage.written();
    let explained = stage.run("check --explain pipeline.toml");
    let is_told = explained.exit == 0 && explained.stdout.contains("trunc(");
    assert!(is_told, "{}", explained.all());
    assert_snapshot!(text, @r#"
    # market.crypto.trades.binance.raw → lake.market.trades, as `validator init` saw them. Made from 240 messages
    # and 240 rows, 240 of them tied by price.

    [pipeline]
    name = "market-crypto-trades-binance-raw"
    topic = "market.crypto.trades.binance.raw"
    table = "lake.market.trades"
    format = "json"

    [fields]                        # types of message fields where they are not those of the columns of their name
    E = "epoch_ms"                  # equal in 240 of 240 tied rows
    T = "epoch_ms"                  # equal in 240 of 240 tied rows
    p = "decimal(38, 8)"            # equal in 240 of 240 tied rows
    q = "decimal(38, 8)"            # equal in 240 of 240 tied rows
    t = "long"                      # equal in 240 of 240 tied rows

    [map]                           # columns that are not here map by their names
    exchange_timestamp = "T"        # equal in 240 of 240 tied rows
    sequence_number = "t"           # equal in 240 of 240 tied rows
    symbol = "s"                    # equal in 240 of 240 tied rows
    price = "p"                     # equal in 240 of 240 tied rows
    quantity = "q"                  # equal in 240 of 240 tied rows
    quote_volume = "CAST(trunc(CAST(p AS DOUBLE) * CAST(q AS DOUBLE) * 100000000) AS BIGINT) * 0.00000001" # p times q in doubles, cut to 8 digits: equal in all 240 tied rows, 240 different values
    event_time = "E"                # equal in 240 of 240 tied rows

    [identity]                      # how a row finds its message
    # sequence_number, symbol: 240 different among 240 messages, 240 among 240 rows
    # sequence_number alone: 20 different among 240 messages
    # symbol alone: 12 different among 240 messages
    # window: both sides have exchange_timestamp, never NULL in the sample, and the table is partitioned by it
    mode = "key"
    columns = ["sequence_number", "symbol"]
    window = "exchange_timestamp"
    # not by offset: kafka_offset holds 0 in all 240 rows sampled: a constant, not Kafka's offset

    [compare.ignore]                # columns that no message explains
    kafka_offset = "0 in all 240 rows sampled: a constant of the sink, and in no message"
    kafka_partition = "0 in all 240 rows sampled: a constant of the sink, and in no message"
    ingestion_timestamp = "after the message's timestamp in every row: a processing time of the sink"

    [compare.drop]                  # fields that no column keeps
    M = "kept by no column"
    a = "kept by no column"
    b = "kept by no column"
    e = "kept by no column"
    m = "kept by no column"

    [fidelity]
    target = 0.9999
    # 6 commits added rows, 1m apart in the median and at most 1m in 95 of 100; settle is twice that
    settle = "2m"
    "#);
    assert_snapshot!(ran.all(), @"
    exit 0
    --- stderr
    sampled:   240 messages (json) and 240 rows; 240 tied by price
    identity:  key, by sequence_number, symbol, in windows of exchange_timestamp
    proved:    the whole topic: 240 of 240 messages intact in 240 rows, fidelity 1; the file is sound on
               240 messages
    open:      kafka_offset holds 0 in all 240 rows sampled: a constant, not Kafka's offset
    open:      nothing is proven of the ignored columns kafka_offset, kafka_partition,
               ingestion_timestamp
    next:      validator reconcile pipeline.toml
    ");
}

#[test]
fn without_output_the_file_is_the_answer() {
    let ran = shapes::stage(&sinks::shapes().swap_remove(0)).init("");
    assert_snapshot!(ran.all(), @r#"
    exit 0
    --- stdout
    # trades → lake.market.trades, as `validator init` saw them. Made from 240 messages and 240 rows, 240 of them
    # tied by id.

    [pipeline]
    name = "trades"
    topic = "trades"
    table = "lake.market.trades"
    format = "json"

    [identity]                      # how a row finds its message
    # _kafka_metadata_offset is the offset of the message that holds the row's values in 240 of 240 tied rows
    # _kafka_metadata_timestamp is its Kafka timestamp in 240 of 240
    mode = "offset"
    profile = "kafka-connect"

    [compare.ignore]                # columns that no message explains
    written_at = "after the message's timestamp in every row: a processing time of the sink"

    [compare.drop]                  # fields that no column keeps
    trace = "kept by no column"

    [fidelity]
    target = 0.9999
    # 6 commits added rows, 1m apart in the median and at most 1m in 95 of 100; settle is twice that
    settle = "2m"
    --- stderr
    sampled:   240 messages (json) and 240 rows; 240 tied by id
    identity:  offset, by _kafka_metadata_topic, _kafka_metadata_partition, _kafka_metadata_offset
    proved:    the whole topic: 240 of 240 messages intact in 240 rows, fidelity 1; the file is sound on
               240 messages
    open:      nothing is proven of the ignored columns written_at
    "#);
}

//! Columns and fields that do not fit each other, and offset columns that hold no offsets.

use insta::assert_snapshot;

use super::{check, reconcile, sound, written};
use crate::scene::Scene;

#[test]
fn an_unknown_column_in_map_and_ignore() {
    let folder = written(&sound().section("[map]\nprise = \"price\"\n\n[compare]\nignore = { idd = \"none\" }"));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the table has no column prise
      --> pipeline.toml:12:9
       |
    12 | prise = "price"
       |         ^^^^^^^
       = hint: did you mean price?

    error: the table has no column idd
      --> pipeline.toml:15:18
       |
    15 | ignore = { idd = "none" }
       |                  ^^^^^^
       = hint: did you mean id?
    "#);
}

#[test]
fn an_unknown_column_in_the_identity() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "\"offset\"]", "\"ofset\"]");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the table has no column ofset
     --> pipeline.toml:9:35
      |
    9 | columns = ["topic", "partition", "ofset"]
      |                                   ^^^^^
      = hint: did you mean offset?
    "#);
}

#[test]
fn a_profile_that_does_not_fit_the_table() {
    let folder = written(&sound());
    folder.edit("pipeline.toml", "columns = [\"topic\", \"partition\", \"offset\"]", "profile = \"redpanda\"");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the table has none of the columns of profile `redpanda`: redpanda.partition
     --> pipeline.toml:9:11
      |
    9 | profile = "redpanda"
      |           ^^^^^^^^^^
      = hint: name them: `columns = ["topic", "partition", "offset"]`
    "#);
}

#[test]
fn an_unknown_field_in_an_expression() {
    // JSON may hold any field, so that only the sample shows that nobody has this one.
    let folder = written(&sound().section("[map]\nprice = \"CAST(prise AS DECIMAL(18, 8))\""));
    assert_snapshot!(check(&folder), @r#"
    exit 2
    --- stdout
    trades: 2 problems
    --- stderr
    error: no message of 2 sampled has a field prise
      --> pipeline.toml:12:15
       |
    12 | price = "CAST(prise AS DECIMAL(18, 8))"
       |               ^^^^^
       = hint: did you mean price?

    error: field price is kept by no column; it is in 2 of 2 messages sampled
     --> pipeline.toml
      = hint: use it in [map], or write [compare] drop = { "price" = "reason" }
    "#);
    assert_snapshot!(reconcile(&folder), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0 is below its target 0.9999
      2 messages with a field that is neither used nor in [compare] drop

    messages  2
      corrupted              2

    rows  2 in scope
      corrupted              2

    findings  2
      corrupted value_for_null      2

    corrupted  the row holds a value where the message has NULL
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        price
          message  NULL
          row      1
        file://DIR/warehouse/market/trades/data/f1.parquet row 0
        written by snapshot 1001 (append)
        price differs: the row has a value where the message has null
      trades[0]@1  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 1
        price
          message  NULL
          row      2
        file://DIR/warehouse/market/trades/data/f1.parquet row 1
        written by snapshot 1001 (append)
        price differs: the row has a value where the message has null

    warning  field price is in 2 messages, and neither a column nor [compare] drop accounts for it

    warning  no message has a value in field prise, which an expression of the contract reads

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn a_column_that_nothing_explains_and_a_field_that_nothing_keeps() {
    let text = r#"0@0 {"id": "a", "prise": "1", "at": "2024-08-08T12:00:00Z", "venue": "x"}"#;
    let folder = written(&Scene::offset().topic(text).file("0@0 a -"));
    assert_snapshot!(check(&folder), @r#"
    exit 2
    --- stdout
    trades: 3 problems
    --- stderr
    error: field prise is kept by no column; it is in 1 of 1 messages sampled
     --> pipeline.toml
      = hint: use it in [map], or write [compare] drop = { "prise" = "reason" }

    error: field venue is kept by no column; it is in 1 of 1 messages sampled
     --> pipeline.toml
      = hint: use it in [map], or write [compare] drop = { "venue" = "reason" }

    error: nothing explains column price: no message of 1 sampled has a field price
     --> pipeline.toml
      = hint: write [map] price = "prise", or [compare] ignore = { "price" = "reason" }
    "#);
    assert_snapshot!(reconcile(&folder), @"
    exit 1
    --- stdout
    BREACHED  trades
      1 message with a field that is neither used nor in [compare] drop

    messages  1
      intact                 1

    rows  1 in scope
      intact                 1

    warning  field prise is in 1 message, and neither a column nor [compare] drop accounts for it

    warning  field venue is in 1 message, and neither a column nor [compare] drop accounts for it
    ");
}

#[test]
fn a_bare_number_for_a_timestamp_wants_its_unit() {
    let folder = written(&sound().section("[fields]\nat = \"long\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: field at is long, column at is timestamptz: long does not become timestamptz by itself: a
           bare number says neither its unit nor its epoch; declare the field as epoch_s, epoch_ms,
           epoch_us or epoch_ns in [fields], or write a [map]
      --> pipeline.toml:12:6
       |
    12 | at = "long"
       |      ^^^^^^
       = hint: declare its unit: [fields] at = "epoch_ms"
    "#);
}

#[test]
fn a_window_that_is_no_time() {
    let folder = written(&Scene::key().topic("0@0 a 1").file("a 1"));
    folder.edit("pipeline.toml", "window = \"at\"", "window = \"price\"");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: price is decimal(18, 8), not a date or a timestamp
      --> pipeline.toml:10:10
       |
    10 | window = "price"
       |          ^^^^^^^
       = hint: the table has id, price, at
    "#);
}

#[test]
fn a_constant_in_the_offset_column() {
    let mut scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2");
    scene = scene.file(&"0@0 a 1 | ".repeat(1_001));
    assert_snapshot!(reconcile(&written(&scene)), @r#"
    exit 2
    --- stderr
    error: reconcile
      because: column offset holds one single offset per partition in 1001 rows: it is a constant, not
               Kafka's offset; use identity mode key
      hint:    name the columns that hold Kafka's own offsets: `columns = ["topic", "partition",
               "offset"]`
    "#);
    let few = Scene::offset().topic("0@0 a 1").file(&"0@0 a 1 | ".repeat(1_000));
    assert_snapshot!(reconcile(&written(&few)), @"
    exit 1
    --- stdout
    BREACHED  trades
      fidelity 0.001 is below its target 0.9999

    messages  1
      duplicated             1

    rows  1,000 in scope
      copies                 1,000

    findings  1
      duplicated copied             1

    duplicated  more than one row, all equal to the message
      trades[0]@0  2024-08-08T12:00:00.000Z
        topic = trades, partition = 0, offset = 0
        file://DIR/warehouse/market/trades/data/f1.parquet row 0
        file://DIR/warehouse/market/trades/data/f1.parquet row 1
        file://DIR/warehouse/market/trades/data/f1.parquet row 2
        file://DIR/warehouse/market/trades/data/f1.parquet row 3
        file://DIR/warehouse/market/trades/data/f1.parquet row 4
        file://DIR/warehouse/market/trades/data/f1.parquet row 5
        file://DIR/warehouse/market/trades/data/f1.parquet row 6
        file://DIR/warehouse/market/trades/data/f1.parquet row 7
        and 992 more rows
        written by snapshot 1001 (append)
        1,000 rows in all
        1000 equal rows for one message

    next
      validator reconcile pipeline.toml --as-of 2024-08-08T14:00:00Z --findings findings.jsonl
    ");
}

#[test]
fn offsets_of_another_topic() {
    let rows: Vec<String> = (0..1_001).map(|n| format!("0@{} a 1", n + 500_000)).collect();
    let scene = Scene::offset().topic("0@0 a 1 | 0@1 b 2").file(&rows.join("|"));
    assert_snapshot!(reconcile(&written(&scene)), @r#"
    exit 2
    --- stderr
    error: reconcile
      because: column offset is negative or at or above the high watermark in 1001 of 1001 rows: it is
               not this topic's offset
      hint:    name the columns that hold Kafka's own offsets: `columns = ["topic", "partition",
               "offset"]`
    "#);
}

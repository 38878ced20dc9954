//! Expressions of [map] and filter.

use insta::assert_snapshot;

use super::{check, reconcile, sound, written};
use crate::scene::Scene;
use crate::transcript::validator;

#[test]
fn an_expression_that_does_not_parse() {
    let folder = written(&sound().section("[map]\nprice = \"price + * 2\"").pipeline("filter = \"id = \""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the expression does not parse: Expected: an expression, found: EOF
     --> pipeline.toml:6:10
      |
    6 | filter = "id = "
      |          ^^^^^^^
      = hint: the table has topic, partition, offset, id, price, at

    error: the expression does not parse: Expected: an expression, found: *
      --> pipeline.toml:13:18
       |
    13 | price = "price + * 2"
       |                  ^
       = hint: the table has topic, partition, offset, id, price, at
    "#);
    assert_snapshot!(validator(folder.path(), "check --offline pipeline.toml").all(), @r#"
    exit 2
    --- stdout
    trades: 2 problems
    --- stderr
    error: the expression does not parse: Expected: an expression, found: EOF
     --> pipeline.toml:6:10
      |
    6 | filter = "id = "
      |          ^^^^^^^
      = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`

    error: the expression does not parse: Expected: an expression, found: *
      --> pipeline.toml:13:18
       |
    13 | price = "price + * 2"
       |                  ^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn an_expression_with_a_type_error() {
    let folder = written(&sound().section("[map]\nprice = \"upper(id)\"\nid = \"sqrt(id) + true\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the expression does not fit the message: Failed to coerce arguments to satisfy a call to
           'sqrt' function: coercion from Utf8 to the signature Uniform(1, [Float64, Float32]) failed
      --> pipeline.toml:13:6
       |
    13 | id = "sqrt(id) + true"
       |      ^^^^^^^^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
    assert_snapshot!(check(&folder), @r#"
    exit 2
    --- stdout
    trades: 1 problem
    --- stderr
    error: the expression does not fit the message: Failed to coerce arguments to satisfy a call to
           'sqrt' function: coercion from Utf8 to the signature Uniform(1, [Float64, Float32]) failed
      --> pipeline.toml:13:6
       |
    13 | id = "sqrt(id) + true"
       |      ^^^^^^^^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn an_expression_of_another_type_than_its_column() {
    let lines = "[map]\nprice = \"id = 'a'\"\nat = \"price\"\nid = \"price * 2 price\"";
    assert_snapshot!(reconcile(&written(&sound().section(lines))), @r#"
    exit 2
    --- stderr
    error: the expression does not parse: Expected: EOF, found: price
      --> pipeline.toml:14:17
       |
    14 | id = "price * 2 price"
       |                 ^^^^^
       = hint: the table has topic, partition, offset, id, price, at
    "#);
    let folder = written(&sound().section("[map]\nprice = \"id = 'a'\"\nat = \"price\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the expression does not fit the message: it gives boolean, the column price is decimal(18,
           8): boolean does not become decimal(18, 8) by itself: true and false are no numbers; write a
           CASE in [map]
      --> pipeline.toml:12:9
       |
    12 | price = "id = 'a'"
       |         ^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`

    error: the expression does not fit the message: it gives decimal(28, 18), the column at is
           timestamptz: decimal(28, 18) does not become timestamptz by itself: a bare number says
           neither its unit nor its epoch; declare the field as epoch_s, epoch_ms, epoch_us or epoch_ns
           in [fields], or write a [map]
      --> pipeline.toml:13:6
       |
    13 | at = "price"
       |      ^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn a_function_that_is_not_there() {
    let folder = written(&sound().section("[map]\nid = \"uper(id)\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the expression does not fit the message: Invalid function 'uper'; Did you mean 'upper'?
      --> pipeline.toml:12:6
       |
    12 | id = "uper(id)"
       |      ^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn a_volatile_expression() {
    let folder = written(&sound().section("[map]\nprice = \"random()\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: random() cannot stand in a contract: the same message must always give the same row
      --> pipeline.toml:12:9
       |
    12 | price = "random()"
       |         ^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
    assert_snapshot!(check(&folder), @r#"
    exit 2
    --- stdout
    trades: 1 problem
    --- stderr
    error: random() cannot stand in a contract: the same message must always give the same row
      --> pipeline.toml:12:9
       |
    12 | price = "random()"
       |         ^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn an_aggregate_and_a_sub_query() {
    let folder = written(&sound().section("[map]\nprice = \"sum(price)\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: sum() cannot stand in a contract: an expression sees one message only
      --> pipeline.toml:12:9
       |
    12 | price = "sum(price)"
       |         ^^^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
    let folder = written(&sound().section("[map]\nprice = \"(SELECT 1)\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: a sub-query cannot stand in a contract: an expression sees one message only
      --> pipeline.toml:12:9
       |
    12 | price = "(SELECT 1)"
       |         ^^^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn a_filter_that_is_no_condition() {
    let folder = written(&sound().pipeline("filter = \"price\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the expression does not fit the message: it gives decimal(28, 18), a filter gives true or
           false
     --> pipeline.toml:6:10
      |
    6 | filter = "price"
      |          ^^^^^^^
      = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn text_beside_a_number() {
    let folder = written(&sound().pipeline("filter = \"n > 5\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the expression does not fit the message: n is text and 5 is a number, and as text 9 comes
           after 10; write CAST(n AS BIGINT), or give the field its type: [fields] n = "long"
     --> pipeline.toml:6:10
      |
    6 | filter = "n > 5"
      |          ^^^^^^^
      = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn a_literal_a_quotient_and_a_shift_that_lose() {
    let lines = "[map]\nprice = \"price / 3\"\nid = \"CAST(1 << 60 AS VARCHAR)\"";
    let folder = written(&sound().section(lines).pipeline("filter = \"at > '2024-08-08'\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the expression does not fit the message: "2024-08-08" is not a timestamptz
     --> pipeline.toml:6:10
      |
    6 | filter = "at > '2024-08-08'"
      |          ^^^^^^^^^^^^^^^^^^^
      = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`

    error: the expression does not fit the message: a quotient of decimals may have no end; write how it
           is rounded: round(a / b, 8)
      --> pipeline.toml:13:9
       |
    13 | price = "price / 3"
       |         ^^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`

    error: the expression does not fit the message: << drops the bits that do not fit; write a
           multiplication, which fails instead
      --> pipeline.toml:14:6
       |
    14 | id = "CAST(1 << 60 AS VARCHAR)"
       |      ^^^^^^^^^^^^^^^^^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn an_expression_that_can_never_work_is_refused_over_an_empty_topic_too() {
    let scene =
        Scene::offset().file("0@0 a 1").section("[map]\nid = \"version()\"\nat = \"at AT TIME ZONE 'Mars/Base'\"");
    assert_snapshot!(check(&written(&scene)), @r#"
    exit 2
    --- stdout
    trades: 2 problems
    --- stderr
    error: version() cannot stand in a contract: the same message must always give the same row
      --> pipeline.toml:12:6
       |
    12 | id = "version()"
       |      ^^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`

    error: the expression does not fit the message: at is an instant already; AT TIME ZONE takes it at
           'UTC' only
      --> pipeline.toml:13:6
       |
    13 | at = "at AT TIME ZONE 'Mars/Base'"
       |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = hint: write SQL over the fields of a message, like `round(price * quantity, 8)`
    "#);
}

#[test]
fn an_expression_as_long_as_a_book() {
    let sum = vec!["price"; 3_000].join(" + ");
    let said = reconcile(&written(&sound().section(&format!("[map]\nprice = \"{sum}\""))));
    let first = said.lines().take(4).collect::<Vec<_>>().join("\n");
    assert_snapshot!(first, @"
    exit 2
    --- stderr
    error: the expression has 2999 operators, and at most 300 are taken
      --> pipeline.toml:12:9
    ");
}

#[test]
fn a_window_longer_than_time() {
    let folder = written(&Scene::key().topic("0@0 a 1").file("a 1"));
    folder.edit("pipeline.toml", "window = \"at\"", "window = \"at\"\nevery = \"10000000d\"");
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: window length 864000000000000 ms is not in 1 ms to 2^43 ms
      --> pipeline.toml:11:9
       |
    11 | every = "10000000d"
       |         ^^^^^^^^^^^
       = hint: write a line like `every = "1m"`
    "#);
}

//! Expressions of [map] and filter.

use insta::assert_snapshot;

use super::{check, reconcile, sound, written};
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

    error: the expression does not parse: Expected: an expression, found: *
      --> pipeline.toml:13:18
       |
    13 | price = "price + * 2"
       |                  ^
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

    error: the expression does not parse: Expected: an expression, found: *
      --> pipeline.toml:13:18
       |
    13 | price = "price + * 2"
       |                  ^
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

    error: the expression does not fit the message: it gives decimal(18, 8), the column at is
           timestamptz: decimal(18, 8) does not become timestamptz by itself: a bare number says neither
           its unit nor its epoch; declare the field as epoch_s, epoch_ms, epoch_us or epoch_ns in
           [fields], or write a [map]
      --> pipeline.toml:13:6
       |
    13 | at = "price"
       |      ^^^^^^^
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
    "#);
}

#[test]
fn a_filter_that_is_no_condition() {
    let folder = written(&sound().pipeline("filter = \"price\""));
    assert_snapshot!(reconcile(&folder), @r#"
    exit 2
    --- stderr
    error: the expression does not fit the message: it gives decimal(18, 8), a filter gives true or
           false
     --> pipeline.toml:6:10
      |
    6 | filter = "price"
      |          ^^^^^^^
    "#);
}

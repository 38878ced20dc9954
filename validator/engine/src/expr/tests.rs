//! What expressions give, and what is refused.

use std::collections::BTreeSet;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};

use validator_core::type_syntax::parse_plain_type;

use super::*;

fn batch() -> RecordBatch {
    let price = Decimal128Array::from(vec![123_456_785, 150_000_000]).with_precision_and_scale(18, 9);
    RecordBatch::try_from_iter([
        ("price", Arc::new(price.expect("18 digits hold it")) as ArrayRef),
        ("T", Arc::new(Int64Array::from(vec![i64::MAX, 7]))),
        ("t", Arc::new(Int64Array::from(vec![1, 2]))),
        ("side", Arc::new(StringArray::from(vec!["b", "s"]))),
    ])
    .expect("columns of one length")
}

fn purpose() -> Purpose {
    Purpose { nanoseconds: false, rounded: Arc::default() }
}

fn compiled(sql: &str) -> Result<MessageExpr, ExprError> {
    compile(sql, &batch().schema(), &purpose())
}

fn fault(sql: &str) -> MapFault {
    compiled(sql).expect("it compiles").evaluate(&batch()).expect_err("one row has no value")
}

#[test]
fn a_cast_that_loses_fails_with_the_source_text() {
    assert_eq!(fault("CAST(price AS DECIMAL(18, 8))"), MapFault::Inexact("0.123456785".to_owned()));
    assert_eq!(fault("CAST(T AS INT)"), MapFault::Inexact(i64::MAX.to_string()));
    assert!(matches!(fault("CAST(side AS BIGINT)"), MapFault::Failed(_)));
}

#[test]
fn a_cast_that_keeps_everything_passes() {
    let whole = compiled("CAST(t AS INT)").expect("it compiles").evaluate(&batch()).expect("1 and 2 are ints");
    assert_eq!(whole.data_type(), &DataType::Int32);
}

#[test]
fn integer_arithmetic_fails_instead_of_wrapping() {
    assert!(matches!(fault("T * 1000"), MapFault::Failed(_)));
    assert!(matches!(fault("T + 1"), MapFault::Failed(_)));
}

#[test]
fn names_that_differ_in_case_are_different_names() {
    let names = referenced_names("T * 1000 + t").expect("it parses");
    assert_eq!(names, BTreeSet::from(["T".to_owned(), "t".to_owned()]));
    let small = compiled("t + 0").expect("it compiles").evaluate(&batch()).expect("no overflow");
    assert_eq!(small.as_primitive::<Int64Type>().values(), &[1, 2]);
}

#[test]
fn decimal_literals_are_exact() {
    let tenth = compiled("price * 0.1").expect("it compiles").evaluate(&batch()).expect("no overflow");
    let tenth = tenth.as_primitive::<Decimal128Type>();
    assert_eq!(tenth.value(1) * 10, 150_000_000 * 10i128.pow(u32::from(tenth.scale() as u8) - 9));
}

#[test]
fn written_rounding_is_counted_where_it_changes_a_value() {
    let purpose = purpose();
    let expression = compile("round(price, 8)", &batch().schema(), &purpose).expect("it compiles");
    expression.evaluate(&batch()).expect("rounding never fails");
    assert_eq!(purpose.rounded.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_volatile_or_sees_more_than_one_message_is_refused() {
    assert!(matches!(compiled("random()"), Err(ExprError::Volatile(_))));
    assert!(matches!(compiled("now()"), Err(ExprError::Volatile(_))));
    assert!(matches!(compiled("sum(t)"), Err(ExprError::NotScalar(_))));
    assert!(matches!(compiled("(SELECT 1)"), Err(ExprError::NotScalar(_) | ExprError::Plan(_))));
}

#[test]
fn what_does_not_parse_or_fit_says_so() {
    assert!(matches!(compiled("CASE WHEN"), Err(ExprError::Parse(_))));
    assert!(matches!(referenced_names("1 +"), Err(ExprError::Parse(_))));
    let unknown = compiled("prize * 2").expect_err("there is no such field");
    assert!(unknown.to_string().contains("prize"), "{unknown}");
}

#[test]
fn columns_schema_is_untouched_by_compilation() {
    let schema = Schema::new(vec![Field::new("a", DataType::Utf8, true)]);
    let expression = compile("upper(a)", &schema, &purpose()).expect("it compiles");
    assert_eq!(expression.data_type(), &DataType::Utf8);
}

/// A message of every type that matters here, `wide` as a field that keeps more digits than its column.
fn types() -> RecordBatch {
    let at = |zone: Option<&str>| {
        let micros = TimestampMicrosecondArray::from(vec![1_700_000_000_123_000, 253_402_300_799_000_000]);
        Arc::new(micros.with_timezone_opt(zone)) as ArrayRef
    };
    let wide = Decimal128Array::from(vec![65_000_120_000_000_000_000_000, 1_500_000_000_000_000_000]);
    RecordBatch::try_from_iter([
        ("wide", Arc::new(wide.with_precision_and_scale(28, 18).expect("28 digits")) as ArrayRef),
        ("n", Arc::new(StringArray::from(vec!["7", "30"]))),
        ("l", Arc::new(Int64Array::from(vec![Some(i64::MIN), None]))),
        ("at", at(Some("+00:00"))),
        ("wall", at(None)),
    ])
    .expect("columns of one length")
}

fn given(sql: &str) -> Result<ArrayRef, MapFault> {
    let compiled = compile(sql, &types().schema(), &purpose());
    compiled.unwrap_or_else(|error| panic!("{sql}: {error}")).evaluate(&types())
}

/// What it gives, as text.
fn shown(sql: &str) -> Vec<String> {
    let array = given(sql).unwrap_or_else(|fault| panic!("{sql}: {fault}"));
    let text = |row| arrow_cast::display::array_value_to_string(&array, row).expect("every value has a text");
    (0..array.len()).map(text).collect()
}

fn refusal(sql: &str) -> String {
    compile(sql, &types().schema(), &purpose()).expect_err("it is refused").to_string()
}

#[test]
fn text_is_never_compared_with_a_number() {
    let refused =
        ["n > 5", "5 < n", "n BETWEEN 5 AND 100", "n IN (7, 30)", "n = 7.0", "CASE n WHEN 7 THEN 1 END", "l = '7'"];
    for sql in refused {
        assert!(refusal(sql).contains("as text 9 comes after 10"), "{sql}: {}", refusal(sql));
    }
    assert_eq!(shown("coalesce(n, 0)"), ["7", "30"]);
    assert_eq!(shown("CAST(n AS BIGINT) > 9"), ["false", "true"]);
    assert_eq!(shown("n || l"), [format!("7{}", i64::MIN), String::new()]);
    assert_eq!(shown("concat(n, 5)"), ["75", "305"]);
}

#[test]
fn functions_that_are_made_of_others_work() {
    assert_eq!(shown("coalesce(l, 0)"), [i64::MIN.to_string(), "0".to_owned()]);
    assert_eq!(shown("nvl(l, 0)"), shown("coalesce(l, 0)"));
    assert_eq!(shown("ifnull(l, 0)"), shown("coalesce(l, 0)"));
    assert_eq!(shown("nvl2(l, 'there', 'not')"), ["there", "not"]);
    assert_eq!(shown("arrow_cast(n, 'Int32')"), ["7", "30"]);
    assert!(matches!(given("arrow_cast(l, 'Int8')"), Err(MapFault::Inexact(_))));
    let nested = "coalesce(".repeat(20) + "l" + &", 0)".repeat(20);
    assert!(refusal(&nested).contains("too deep"), "{}", refusal(&nested));
}

#[test]
fn instants_and_wall_times_are_brought_together_by_what_is_written() {
    let [at, last] = ["2023-11-14T22:13:20.123Z", "9999-12-31T23:59:59Z"].map(str::to_owned);
    for sql in ["at AT TIME ZONE 'UTC'", "wall AT TIME ZONE 'UTC'", "CAST(wall AS TIMESTAMPTZ)", "wall::timestamptz"] {
        assert_eq!(shown(sql), [at.clone(), last.clone()], "{sql}");
    }
    assert_eq!(shown("CAST('2023-11-14T23:13:20.123+01:00' AS TIMESTAMP WITH TIME ZONE)")[0], at);
    assert_eq!(shown("TIMESTAMPTZ '2023-11-14T22:13:20.123Z'")[0], at);
    assert_eq!(shown("CAST('9999-12-31T23:59:59Z' AS TIMESTAMPTZ)")[0], last);
    assert_eq!(shown("wall AT TIME ZONE 'Europe/Berlin'")[0], "2023-11-14T21:13:20.123Z");
    assert_eq!(shown("at >= '2023-11-14T22:13:20.123Z'"), ["true", "true"]);
    assert_eq!(shown("at < '2023-11-14T22:13:20.124Z'"), ["true", "false"]);
    assert!(refusal("at AT TIME ZONE 'Europe/Berlin'").contains("an instant already"));
    assert!(refusal("at > wall").contains("write CAST(wall AS TIMESTAMPTZ)"), "{}", refusal("at > wall"));
    assert!(refusal("at > '2023-11-14'").contains("is not a timestamptz"), "{}", refusal("at > '2023-11-14'"));
}

#[test]
fn products_of_fields_with_many_digits_do_not_overflow() {
    let product = given("round(wide * wide, 8)").expect("76 digits hold it");
    assert!(matches!(product.data_type(), DataType::Decimal256(_, 8)), "{}", product.data_type());
    assert_eq!(shown("CAST(wide * wide AS DECIMAL(18, 4))"), ["4225015600.0144", "2.2500"]);
    let lost = given("CAST(wide * wide AS DECIMAL(18, 3))");
    assert_eq!(lost.err(), Some(MapFault::Inexact("4225015600.0144".to_owned())));
    assert_eq!(shown("wide * 1000 > 65000119"), ["true", "false"]);
    assert_eq!(shown("wide > 2e3"), ["true", "false"]);
    assert_eq!(shown("CAST(2e3 AS BIGINT)"), ["2000", "2000"]);
}

#[test]
fn a_quotient_says_how_it_is_rounded_or_has_an_end() {
    assert!(refusal("wide / 3").contains("round(a / b, 8)"), "{}", refusal("wide / 3"));
    assert!(refusal("round(wide / wide * 2, 8)").contains("round(a / b, 8)"));
    assert_eq!(shown("CAST(wide / 100 AS DECIMAL(18, 8))"), ["650.00120000", "0.01500000"]);
    let purpose = purpose();
    let thirds = compile("round(wide / 7, 2)", &types().schema(), &purpose).expect("it compiles");
    let thirds = thirds.evaluate(&types()).expect("every quotient is rounded");
    let text = |row| arrow_cast::display::array_value_to_string(&thirds, row).expect("a number");
    assert_eq!([text(0), text(1)], ["9285.73", "0.21"]);
    assert_eq!(purpose.rounded.load(Ordering::Relaxed), 2);
    assert!(matches!(given("round(wide / (wide - wide), 2)"), Err(MapFault::Failed(_))));
}

#[test]
fn no_integer_wraps() {
    assert!(matches!(given("-l"), Err(MapFault::Failed(_))));
    assert!(refusal("l << 60").contains("multiplication"));
    assert_eq!(shown("-(l + 1)")[0], i64::MAX.to_string());
}

#[test]
fn a_literal_that_has_no_exact_value_is_refused_when_it_is_read() {
    assert!(refusal("CAST(1.9 AS BIGINT)").contains("1.9"));
    assert!(refusal("CAST('x' AS BIGINT)").contains("is not a long"), "{}", refusal("CAST('x' AS BIGINT)"));
}

#[test]
fn what_another_release_answers_otherwise_is_refused() {
    assert!(refusal("version()").contains("version()"));
    assert!(refusal("arrow_typeof(l)").contains("arrow_typeof()"));
}

#[test]
fn what_is_too_large_is_refused_before_it_is_planned() {
    let sum = |terms: usize| vec!["l"; terms].join(" + ");
    assert!(matches!(referenced_names(&sum(100_000)), Err(ExprError::TooLarge { of: "bytes", .. })));
    assert!(matches!(referenced_names(&sum(3_000)), Err(ExprError::TooLarge { of: "operators", .. })));
    assert!(matches!(referenced_names(&("(".repeat(3_000) + "l")), Err(ExprError::Parse(_))));
    assert!(compile(&sum(301), &types().schema(), &purpose()).is_ok());
}

#[test]
fn a_fault_counts_no_rounding_twice() {
    let purpose = purpose();
    let sql = "CASE WHEN round(wide, 1) > 0 THEN CAST(n AS INT) / (l - l) END";
    let expression = compile(sql, &types().schema(), &purpose).expect("it compiles");
    expression.evaluate(&types()).expect_err("one message divides by zero");
    assert_eq!(purpose.rounded.load(Ordering::Relaxed), 0);
}

#[test]
fn an_expression_stands_beside_fields_of_every_type() {
    let types = "struct<b: boolean, i: int, f: float, d: date, t: time, w: timestamp, n: timestamptz_ns, u: uuid, \
                 x: fixed(4), y: binary, s: struct<p: string>, l: list<long>, m: map<string, decimal(38, 4)>>";
    let DataType::Struct(fields) = parse_plain_type(types).expect("a type").to_arrow() else { panic!("a struct") };
    let schema = Schema::new(fields);
    for sql in ["s.p", "l[1]", "m['k']", "i + 1", "upper(s.p)", "coalesce(b, true)", "NULL", "'x'"] {
        compile(sql, &schema, &purpose()).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// As functions of the query engine do where their values are more than an array holds.
#[test]
fn a_function_that_gives_up_is_the_fault_of_its_message() {
    use datafusion::logical_expr::{ColumnarValue, create_udf};
    let gives_up = |_: &[ColumnarValue]| -> Result<ColumnarValue> { panic!("byte array offset overflow") };
    let function = create_udf("much", Vec::new(), DataType::Int64, Volatility::Immutable, Arc::new(gives_up));
    let schema = DFSchema::try_from(batch().schema().as_ref().clone()).expect("it has a schema");
    let physical = create_physical_expr(&function.call(Vec::new()), &schema, SESSION.execution_props());
    let expression = MessageExpr {
        physical: physical.expect("it is a function"),
        data_type: DataType::Int64,
        rounded: Arc::new(AtomicU64::new(0)),
    };
    let fault = expression.evaluate(&batch()).expect_err("it gave up");
    assert_eq!(fault, MapFault::Failed("no value: byte array offset overflow".to_owned()));
}

#[test]
fn a_value_larger_than_any_message_is_none_and_what_a_slice_hides_counts_for_nothing() {
    let much = compiled("repeat('x', 70000000)").expect("it compiles");
    let fault = much.evaluate(&batch().slice(0, 1)).expect_err("it is too much");
    assert!(matches!(fault, MapFault::Failed(why) if why.starts_with("a value of more than")));
    // Fifty texts of two million bytes, of which one is asked for.
    let texts: StringArray = (0..50).map(|_| Some("x".repeat(2_000_000))).collect();
    let schema = Arc::new(Schema::new(vec![Field::new("s", DataType::Utf8, true)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts)]).expect("a batch");
    let same = compile("s", &schema, &purpose()).expect("it compiles");
    assert!(same.evaluate(&batch.slice(7, 1)).is_ok());
    assert!(same.evaluate(&batch).is_err(), "together they are asked for in halves");
}

/// A list of a slice has all values of the array that it was cut from, and shows its own.
#[test]
fn a_list_beside_a_large_one_is_no_larger_for_it() {
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.append_value((0..10_000_000).map(Some));
    lists.append_value([Some(7)]);
    let lists = lists.finish();
    let schema = Arc::new(Schema::new(vec![Field::new("s", lists.data_type().clone(), true)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(lists)]).expect("a batch");
    let same = compile("s", &schema, &purpose()).expect("it compiles");
    assert!(same.evaluate(&batch.slice(1, 1)).is_ok(), "eight bytes");
    assert!(same.evaluate(&batch.slice(0, 1)).is_err(), "eighty million");
}

#[test]
fn what_no_fields_can_help_is_refused_without_them() {
    let refused = |sql: &str| check_alone(sql).err().map(|error| error.to_string());
    for sql in ["random()", "now()", "count(*)", "max(t)", "(SELECT 1)", "t +", "row_number() OVER ()"] {
        assert!(refused(sql).is_some(), "{sql}");
    }
    for sql in ["t + 1", "CAST(\"x y\" AS DATE)", "s.t", "a[1]", "round(price * q, 8)", "a.b.c = 'x'", "_key", "f(x)"] {
        assert_eq!(refused(sql), None, "{sql}");
    }
}

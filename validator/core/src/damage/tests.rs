//! Tables of differences and their classes, and what columns tell of each other.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};

use super::*;
use crate::convert::convert;
use crate::type_syntax::parse_plain_type;

/// A value as it reaches a column of that type from its text: exact, inexact, or NULL for `null`.
fn value(ty: &Type, text: &str) -> Value {
    if text == "null" {
        return Value::Null;
    }
    let source: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let converted = convert(&source, &Type::String, ty);
    match (converted.inexact.first(), converted.failed.first()) {
        (_, Some((_, why))) => panic!("{why}"),
        (Some((_, text)), _) => Value::Inexact(text.clone()),
        _ => Value::from_arrow(&converted.array, 0, ty),
    }
}

fn ty(text: &str) -> Type {
    parse_plain_type(text).expect("a type")
}

fn class(ty_text: &str, message: &str, row: &str) -> Damage {
    let ty = ty(ty_text);
    let field = Field::new(1, "c", false, ty.clone());
    let row_value = value(&ty, row);
    assert!(!matches!(row_value, Value::Inexact(_)), "a row holds {row} as {ty}");
    let found = differences(&[field], &[value(&ty, message)], &[row_value], &DamageContext::none());
    assert_eq!(found.len(), 1, "{message} and {row} as {ty}");
    found[0].damage
}

const PRICE: &str = "decimal(18, 8)";

#[test]
fn the_first_class_that_fits_names_the_damage() {
    use Damage::*;
    let cases = [
        // V01: any number through a double, then HALF_UP to the scale.
        (PRICE, "0.123456785", "0.12345679", PrecisionLost),
        (PRICE, "0.123456785", "0.12345678", Truncated),
        ("decimal(20, 0)", "9007199254740993", "9007199254740992", FloatRoundTrip),
        ("long", "9007199254740993", "9007199254740992", FloatRoundTrip),
        // V02: int from long wraps, long from double is cut.
        ("int", "3000000000", "-1294967296", OverflowWrap),
        ("int", "2147483648", "-2147483648", OverflowWrap),
        ("int", "2147483648", "2147483647", OverflowWrap),
        ("int", "1.9", "1", Truncated),
        ("int", "1.9", "2", PrecisionLost),
        ("long", "-1.9", "-1", Truncated),
        ("long", "3000000000", "-1294967296", OverflowWrap),
        ("long", "18446744073709551615", "-1", OverflowWrap),
        // V03, V05: one scale for all columns; a rival definition with fewer places; doubles.
        ("decimal(32, 16)", "1.2345678901234567", "1.23", Truncated),
        (PRICE, "0.00000001", "0", Truncated),
        (PRICE, "65000.12345678", "65000.123456", Truncated),
        (PRICE, "65000.12345678", "65000.123457", PrecisionLost),
        ("decimal(38, 20)", "0.1", "0.10000000000000000555", FloatRoundTrip),
        (PRICE, "16777217.12345678", "16777217.12345679", FloatRoundTrip),
        (PRICE, "6032352703.44810383", "6032352703.44810390", FloatRoundTrip),
        (PRICE, "65000.12345671", "65000.1234568", PrecisionLost),
        (PRICE, "65432.12345678", "65432.12500000", FloatRoundTrip),
        // V04: 64 bits of a 128-bit decimal.
        ("decimal(38, 10)", "1234567890123.1234567891", "480711591.9544536787", OverflowWrap),
        ("decimal(5, 2)", "12345.67", "345.67", OverflowWrap),
        ("decimal(5, 2)", "12345.67", "999.99", OverflowWrap),
        // V06: a product in doubles.
        ("decimal(38, 16)", "8078.0391234567890123", "8078.0391234567896390", FloatRoundTrip),
        (PRICE, "0.00000013", "0.00000012", FloatRoundTrip),
        // V07, V13: microseconds cut to milliseconds, nanoseconds to microseconds.
        ("timestamptz", "2024-08-08T00:00:00.123224Z", "2024-08-08T00:00:00.123Z", Truncated),
        ("timestamptz", "2024-08-08T00:00:00.123224Z", "2024-08-08T00:00:00Z", Truncated),
        ("timestamptz", "2024-08-08T00:00:00.123456789Z", "2024-08-08T00:00:00.123456Z", Truncated),
        ("timestamptz", "2024-08-08T00:00:00.123456789Z", "2024-08-08T00:00:00.123457Z", PrecisionLost),
        ("timestamptz_ns", "2024-08-08T00:00:00.1234567891Z", "2024-08-08T00:00:00.123456789Z", Truncated),
        ("timestamptz", "2024-08-08T00:00:00.123524Z", "2024-08-08T00:00:00.124Z", PrecisionLost),
        ("timestamp", "1969-12-31T23:59:59.123224", "1969-12-31T23:59:59.123", Truncated),
        ("timestamp", "1969-12-31T23:59:59.123224", "1969-12-31T23:59:59.124", Truncated),
        ("timestamptz_ns", "2024-08-08T00:00:00.123456789Z", "2024-08-08T00:00:00.123456768Z", FloatRoundTrip),
        ("time", "12:30:45.123456", "12:30:45", Truncated),
        ("time", "12:30:45.999999", "12:30:46", PrecisionLost),
        // V08, V21: milliseconds, microseconds and seconds taken for each other.
        ("timestamptz", "2024-08-08T00:00:00.123456Z", "1970-01-20T22:37:55.200123Z", UnitShift),
        ("timestamptz", "1970-01-20T22:37:55.200123Z", "2024-08-08T00:00:00.123Z", UnitShift),
        ("timestamptz", "2024-08-08T00:00:00Z", "1970-01-01T00:00:01.723075Z", UnitShift),
        ("timestamptz", "2024-08-08T00:00:00Z", "+056572-01-30T00:00:00Z", UnitShift),
        ("long", "1723075200123456", "1723075200123", UnitShift),
        ("long", "1723075200", "1723075200000", UnitShift),
        (PRICE, "1234.56789012", "1.23456789", UnitShift),
        (PRICE, "0.5", "500", UnitShift),
        ("double", "0.1", "100", UnitShift),
        // V09, V10: a wall time taken for UTC.
        ("timestamptz", "2024-08-08T00:00:00.123456Z", "2024-08-08T05:00:00.123456Z", ZoneShift),
        ("timestamp", "2024-08-08T00:00:00", "2024-08-07T18:15:00", ZoneShift),
        ("timestamptz", "2024-08-08T00:00:00Z", "2024-08-09T02:00:00Z", ZoneShift),
        ("timestamptz", "2024-08-08T00:00:00.123456789+02:00", "2024-08-07T22:00:00.123456Z", Truncated),
        ("date", "2024-08-08", "2024-08-07", ZoneShift),
        ("time", "23:30:00", "01:30:00", ZoneShift),
        ("long", "1723075200123", "1723093200123", ZoneShift),
        // V14: NULL replaced by a default, and the other ways with NULL.
        ("string", "null", "", DefaultForNull),
        ("int", "null", "0", DefaultForNull),
        (PRICE, "null", "0", DefaultForNull),
        ("boolean", "null", "false", DefaultForNull),
        ("timestamptz", "null", "1970-01-01T00:00:00Z", DefaultForNull),
        ("uuid", "null", "00000000-0000-0000-0000-000000000000", DefaultForNull),
        ("string", "null", "x", ValueForNull),
        ("boolean", "null", "true", ValueForNull),
        ("double", "0", "null", NullForValue),
        ("int", "1.9", "null", NullForValue),
        // Signs; V24: -0.0, a float in place of a double.
        (PRICE, "12.5", "-12.5", SignFlip),
        ("int", "-2147483648", "null", NullForValue),
        ("double", "-0.0", "0.0", SignFlip),
        ("double", "0.1", "0.10000000149011612", FloatRoundTrip),
        ("double", "0.123456789", "0.12345679104328156", FloatRoundTrip),
        ("double", "0.3", "0.30000000000000004", FloatRoundTrip),
        ("float", "0.1", "0.10000001", FloatRoundTrip),
        ("double", "0.123456785", "0.12345678", Truncated),
        ("int", "-5", "5", SignFlip),
        ("long", "9223372036854775808", "-9223372036854775808", OverflowWrap),
        ("long", "2147483647", "-2147483647", SignFlip),
        // V18: enumerations.
        ("string", "BUY", "SELL", EnumRemap),
        ("string", "LIMIT_MAKER", "MARKET", EnumRemap),
        ("string", "SELL", "1", EnumRemap),
        ("string", "BUY", "buy", CaseOrTrim),
        ("string", "  Straße ", "straße", CaseOrTrim),
        ("string", "USDT ", "USDT", CaseOrTrim),
        ("string", "a long note", "a long", Truncated),
        ("string", "Zürich", "Z", Truncated),
        // V19: JSON in text that lost something; text in quotes.
        ("string", r#"{"a":1,"b":[1,2]}"#, r#"{"a":1}"#, NestedFieldLost),
        ("string", r#"{"a":1,"b":[1,2]}"#, r#"{"b":[2],"a":1}"#, NestedFieldLost),
        ("string", "say \"hi\"", r#""say \"hi\"""#, Encoding),
        ("string", "é€", r"\u00e9\u20ac", Encoding),
        ("string", "a & b", "a &amp; b", Encoding),
        // V20: encodings and normal forms.
        ("string", "Zürich", "ZÃ¼rich", Encoding),
        ("string", "naïve €", "naÃ¯ve â‚¬", Encoding),
        ("string", "ZÃ¼rich", "Zürich", Encoding),
        ("string", "Zürich", "Z\u{fffd}rich", Encoding),
        ("string", "Zürich", "Z\u{fffd}\u{fffd}rich", Encoding),
        ("string", "Zürich?", "Z?rich?", Encoding),
        ("string", "日本語", "???", Encoding),
        ("string", "Zürich", "Zrich", Encoding),
        ("string", "caf\u{e9}", "cafe\u{301}", Encoding),
        ("string", "cafe\u{301}", "caf\u{e9}", Encoding),
        ("string", "한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}", Encoding),
        ("string", "x", "\u{feff}x", Encoding),
        ("string", "secret", "c2VjcmV0", Encoding),
        ("string", "secret!", "c2VjcmV0IQ", Encoding),
        ("string", "secret", "736563726574", Encoding),
        ("binary", "secret", "736563726574", Encoding),
        ("binary", "secret", "secr", Truncated),
        ("binary", "secret", "sEcret", BitFlip),
        ("uuid", "01234567-89ab-cdef-0123-456789abcdef", "67452301-ab89-efcd-0123-456789abcdef", Encoding),
        // C01: flipped bits.
        ("int", "1000", "1001", BitFlip),
        ("long", "1723075200123", "1723075200123999", Other),
        ("long", "123456789", "123456821", BitFlip),
        (PRICE, "65000.12345678", "64957.17378382", BitFlip),
        ("timestamptz", "2024-08-08T00:00:00.123456Z", "2024-08-08T00:00:00.123472Z", BitFlip),
        ("double", "0.123456789", "0.12345690820928955", BitFlip),
        ("date", "2024-08-08", "2024-08-24", BitFlip),
        ("string", "ETHUSDT", "ETHUSDU", BitFlip),
        ("string", "order-1723", "order-1724", BitFlip),
        ("uuid", "01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdff", BitFlip),
        // Nothing is known: no class may fire.
        ("int", "42", "17", Other),
        (PRICE, "65000.12", "65001.37", Other),
        ("decimal(12, 2)", "65000.12", "65001.37", Other),
        ("long", "1723075200123", "1723075200789", Other),
        ("int", "5", "12345", Other),
        (PRICE, "65000.12345678", "64999.87654321", Other),
        (PRICE, "1.5", "2.75", Other),
        ("double", "1.5", "2.75", Other),
        ("boolean", "true", "false", Other),
        ("string", "BTC", "Bitcoin", Other),
        ("string", "hello", "world", Other),
        ("string", "é", "e", Other),
        ("string", "a", "b", Other),
        ("date", "2024-08-08", "2023-01-19", Other),
        ("timestamptz", "2024-08-08T00:00:00Z", "2024-08-08T00:07:00Z", Other),
        ("timestamptz", "2024-08-08T00:00:00Z", "2024-08-10T02:15:00Z", Other),
        ("time", "12:30:00", "12:37:10.000001", Other),
        ("uuid", "01234567-89ab-cdef-0123-456789abcdef", "f1234567-89ab-cdef-0123-4567ffffffff", Other),
        // Inexact, and the row tells nothing more.
        ("int", "1.9", "7", Inexact),
        (PRICE, "0.123456785", "0.2", Inexact),
        ("timestamptz", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", Inexact),
        ("double", "1e400", "1", Inexact),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .map(|(ty, message, row, wanted)| (ty, message, row, wanted, class(ty, message, row)))
        .filter(|(.., wanted, found)| *wanted != found)
        .map(|(ty, message, row, wanted, found)| format!("{ty}: {message} → {row} is {wanted:?}, found {found:?}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn columns(types: &[(&str, &str)]) -> Vec<Field> {
    types.iter().enumerate().map(|(i, (name, text))| Field::new(i as i32 + 1, *name, false, ty(text))).collect()
}

/// Differences of flat rows as `column damage`.
fn named(fields: &[Field], message: &[&str], row: &[&str], context: &DamageContext) -> Vec<String> {
    let values =
        |texts: &[&str]| fields.iter().zip(texts).map(|(field, text)| value(&field.ty, text)).collect::<Vec<_>>();
    let found = differences(fields, &values(message), &values(row), context);
    found.iter().map(|difference| format!("{} {}", difference.column, difference.damage.as_str())).collect()
}

#[test]
fn equal_columns_are_not_listed_and_the_others_in_the_table_s_order() {
    let fields = columns(&[("a", "int"), ("b", "string"), ("c", PRICE)]);
    let none = &DamageContext::none();
    assert!(named(&fields, &["1", "x", "0.5"], &["1", "x", "0.50"], none).is_empty());
    assert_eq!(named(&fields, &["1", "x", "0.5"], &["-1", "x", "null"], none), ["a sign_flip", "c null_for_value"]);
}

#[test]
fn columns_that_hold_each_other_s_values_are_swapped() {
    let fields = columns(&[("bid", PRICE), ("ask", PRICE), ("last", PRICE)]);
    let none = &DamageContext::none();
    let swapped = named(&fields, &["65000.12", "65001.37", "65000.9"], &["65001.37", "65000.12", "65000.9"], none);
    assert_eq!(swapped, ["bid column_swap", "ask column_swap"]);
    let rotated = named(&fields, &["65000.12", "65001.37", "65000.9"], &["65001.37", "65000.9", "65000.12"], none);
    assert_eq!(rotated, ["bid column_swap", "ask column_swap", "last column_swap"]);
    // One column took the other's value, but not the other way round.
    let copied = named(&fields, &["65000.12", "65001.37", "65000.9"], &["65001.37", "65001.37", "65000.9"], none);
    assert_eq!(copied, ["bid other"]);
}

#[test]
fn a_higher_class_wins_over_a_swap() {
    let fields = columns(&[("price", PRICE), ("quantity", PRICE)]);
    let found = named(&fields, &["100", "0.1"], &["0.1", "100"], &DamageContext::none());
    assert_eq!(found, ["price unit_shift", "quantity unit_shift"]);
}

#[test]
fn a_value_of_a_neighbouring_message_is_a_mixed_row() {
    // V23: two rows of a batch swap their prices.
    let fields = columns(&[("price", PRICE), ("active", "boolean"), ("note", "string")]);
    let neighbour = |column: &str, found: &Value| match column {
        "price" => *found == Value::decimal(6_500_137, 2),
        "active" => *found == Value::Boolean(false),
        _ => found.to_string().is_empty(),
    };
    let context = DamageContext { other_rows: &neighbour, ..DamageContext::none() };
    assert_eq!(named(&fields, &["65000.12", "true", "x"], &["65001.37", "true", "x"], &context), ["price row_mix"]);
    // Every neighbour has such values.
    assert_eq!(named(&fields, &["65000.12", "true", "x"], &["65000.12", "false", "x"], &context), ["active other"]);
}

#[test]
fn declared_defaults_are_defaults() {
    let fields = columns(&[("side", "string"), ("rate", "int")]);
    let defaults = BTreeMap::from([("side".to_owned(), vec![Value::string("UNKNOWN"), Value::string("BUY")])]);
    let context = DamageContext { defaults: &defaults, ..DamageContext::none() };
    assert_eq!(
        named(&fields, &["null", "null"], &["BUY", "7"], &context),
        ["side default_for_null", "rate value_for_null"]
    );
    assert_eq!(named(&fields, &["null", "1"], &["SELL", "1"], &context), ["side value_for_null"]);
}

/// Differences of one nested column, as `path damage message row`.
fn nested(ty_text: &str, message: Value, row: Value) -> Vec<String> {
    let fields = columns(&[("book", ty_text)]);
    let found = differences(&fields, &[message], &[row], &DamageContext::none());
    found.iter().map(|d| format!("{} {} {} {}", d.column, d.damage.as_str(), d.message, d.row)).collect()
}

fn level(price: Value, note: Value) -> Value {
    Value::Struct(vec![("price".to_owned(), price), ("note".to_owned(), note)])
}

const LEVEL: &str = "struct<price: decimal(18, 8), note: string>";

#[test]
fn one_differing_leaf_is_named_by_its_path_and_class() {
    let price = |unscaled| Value::decimal(unscaled, 2);
    let (message, row) = (level(price(150), Value::Null), level(price(-150), Value::Null));
    assert_eq!(nested(LEVEL, message.clone(), row.clone()), ["book.price sign_flip 1.5 -1.5"]);
    let list = |level: Value| Value::List(vec![Value::Null, level]);
    let in_list = nested(&format!("list<{LEVEL}>"), list(message.clone()), list(row.clone()));
    assert_eq!(in_list, ["book[1].price sign_flip 1.5 -1.5"]);
    let map = |level: Value| Value::Map(vec![(Value::string("best"), level)]);
    let in_map = nested(&format!("map<string, {LEVEL}>"), map(message), map(row));
    assert_eq!(in_map, ["book.best.price sign_flip 1.5 -1.5"]);
}

#[test]
fn several_differing_leaves_name_the_column_by_the_first_of_their_classes() {
    let (message, row) =
        (level(Value::decimal(150, 2), Value::string("abc ")), level(Value::decimal(-150, 2), Value::string("abc")));
    let found = nested(LEVEL, message, row);
    assert_eq!(found, [r#"book sign_flip {"note":"abc ","price":"1.5"} {"note":"abc","price":"-1.5"}"#]);
}

#[test]
fn what_a_nested_value_lost_is_named() {
    let full = level(Value::decimal(150, 2), Value::string("n"));
    // V15: a field inside is NULL.
    assert_eq!(
        nested(LEVEL, full.clone(), level(Value::decimal(150, 2), Value::Null)),
        ["book.note nested_field_lost n null"]
    );
    assert_eq!(nested(LEVEL, full.clone(), Value::Null).len(), 1);
    assert!(nested(LEVEL, full.clone(), Value::Null)[0].starts_with("book null_for_value"));
    // V14 inside, and NULL against a struct of nothing.
    let defaulted = nested(LEVEL, level(Value::Null, Value::string("n")), level(Value::integer(0), Value::string("n")));
    assert_eq!(defaulted, ["book.price default_for_null null 0"]);
    assert!(nested(LEVEL, Value::Null, level(Value::Null, Value::Null))[0].starts_with("book default_for_null"));
    let entry = |key: &str, value: Value| (Value::string(key), value);
    let (a, b) = (entry("a", Value::integer(1)), entry("b", Value::integer(2)));
    let map = |entries: &[(Value, Value)]| Value::Map(entries.to_vec());
    let ty = "map<string, int>";
    assert_eq!(
        nested(ty, map(&[a.clone(), b.clone()]), map(std::slice::from_ref(&a))),
        ["book.b nested_field_lost 2 null"]
    );
    assert_eq!(
        nested(ty, map(std::slice::from_ref(&a)), map(&[a.clone(), b.clone()])),
        ["book.b value_for_null null 2"]
    );
    let with_null = map(&[a.clone(), entry("b", Value::Null)]);
    let found = nested(ty, with_null, map(&[a]));
    assert!(found[0].starts_with("book nested_field_lost"), "{found:?}");
    let list = |numbers: &[i64]| Value::List(numbers.iter().map(|&number| Value::integer(number)).collect());
    assert!(nested("list<int>", list(&[1, 2, 3]), list(&[1, 2]))[0].starts_with("book truncated"));
    assert!(nested("list<int>", list(&[1, 2, 3]), list(&[1, 3]))[0].starts_with("book nested_field_lost"));
    assert!(nested("list<int>", list(&[1, 2, 3]), list(&[3, 1]))[0].starts_with("book other"));
}

#[test]
fn an_inexact_leaf_is_found_by_the_path_in_its_mark() {
    let row = level(Value::decimal(12_345_679, 8), Value::string("n"));
    let inexact = |text: &str| Value::Inexact(text.to_owned());
    let found = nested(LEVEL, inexact("price: 0.123456785"), row.clone());
    assert_eq!(found, ["book.price precision_lost 0.123456785 0.12345679"]);
    let list = Value::List(vec![row.clone()]);
    let found = nested(&format!("list<{LEVEL}>"), inexact("[0].price: 0.123456785, [0].x: 1"), list);
    assert_eq!(found, ["book[0].price precision_lost 0.123456785 0.12345679"]);
    // Without a path, the one leaf that shows what became of the text.
    let found = nested(LEVEL, inexact("0.123456785"), row.clone());
    assert_eq!(found, ["book.price precision_lost 0.123456785 0.12345679"]);
    // V16: a field that the table's struct has not.
    assert_eq!(nested(LEVEL, inexact("fee: 0.1"), row.clone())[0].split(' ').nth(1), Some("nested_field_lost"));
    assert_eq!(nested(LEVEL, inexact("7.123456789"), row)[0].split(' ').nth(1), Some("inexact"));
    let two = Value::List(vec![Value::decimal(1, 0), Value::decimal(2, 0)]);
    assert!(nested("list<int>", inexact("1.9"), two)[0].starts_with("book inexact"));
}

#[test]
fn leaves_of_a_struct_that_hold_each_other_s_values_are_swapped() {
    let fields = columns(&[("q", "struct<bid: decimal(18, 8), ask: decimal(18, 8)>")]);
    let quote = |bid, ask| {
        Value::Struct(vec![("bid".to_owned(), Value::decimal(bid, 2)), ("ask".to_owned(), Value::decimal(ask, 2))])
    };
    let found =
        differences(&fields, &[quote(6_500_012, 6_500_137)], &[quote(6_500_137, 6_500_012)], &DamageContext::none());
    assert_eq!((found.len(), found[0].column.as_str(), found[0].damage), (1, "q", Damage::ColumnSwap));
}

#[test]
fn a_nested_value_of_a_neighbour_is_a_mixed_row() {
    let fields = columns(&[("book", LEVEL)]);
    let (ours, theirs) =
        (level(Value::integer(3), Value::string("x")), level(Value::integer(70), Value::string("why")));
    let neighbour =
        |column: &str, found: &Value| column == "book" && *found == level(Value::integer(70), Value::string("why"));
    let context = DamageContext { other_rows: &neighbour, ..DamageContext::none() };
    assert_eq!(differences(&fields, &[ours], &[theirs], &context)[0].damage, Damage::RowMix);
}

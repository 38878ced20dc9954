//! Tolerances: what each form makes equal, what it does not, and that forms are idempotent.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray, StructArray, TimestampMicrosecondArray};
use proptest::prelude::*;

use super::*;
use crate::schema::Field;

const TEXTS: [Tolerance; 4] = [Tolerance::Case, Tolerance::Trim, Tolerance::JsonEqual, Tolerance::EnumName];

fn of(tolerance: Tolerance, text: &str) -> String {
    tolerance.text(text).unwrap_or_else(|| text.to_owned())
}

fn same(tolerance: Tolerance, one: &str, other: &str) -> bool {
    of(tolerance, one) == of(tolerance, other)
}

#[test]
fn case_is_each_letters_own_lower_case_letter() {
    assert!(same(Tolerance::Case, "BTC-Usd", "btc-USD"));
    assert!(same(Tolerance::Case, "ÄÖÜ Σ", "äöü σ"));
    assert!(!same(Tolerance::Case, "Σ", "ς"), "the final sigma is a letter of its own");
    assert!(!same(Tolerance::Case, "straße", "STRASSE"));
    assert!(!same(Tolerance::Case, "ı", "I"));
    assert!(!same(Tolerance::Case, " a", "a"));
    for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        let once = lower(&c.to_string());
        assert_eq!(lower(&once), once, "{c:?}");
    }
}

#[test]
fn trim_takes_blanks_of_unicode_at_the_ends_only() {
    assert!(same(Tolerance::Trim, "\t\u{a0}a b\u{2003}\n", "a b"));
    assert!(same(Tolerance::Trim, "  ", ""));
    assert!(!same(Tolerance::Trim, "a  b", "a b"));
    assert!(!same(Tolerance::Trim, "\u{200b}a", "a"), "a zero-width space is no blank");
}

#[test]
fn names_are_their_letters_and_digits() {
    for other in ["sell_short", "SellShort", "sell-short", "Sell Short", "SELL.SHORT", "_SELL_SHORT"] {
        assert!(same(Tolerance::EnumName, "SELL_SHORT", other), "{other}");
    }
    for (one, other) in [("1", "-1"), ("-1", "_1"), ("a+b", "ab"), ("", "_"), ("BUY", "SIDE_BUY"), ("a1", "a2")] {
        assert!(!same(Tolerance::EnumName, one, other), "{one} {other}");
    }
}

#[test]
fn json_is_the_value_that_it_says() {
    let equal = [
        (r#"{"a": 1, "b": [true, null]}"#, r#"{"b":[true,null],"a":1.0}"#),
        ("10e-1", "1"),
        ("-0", "0.00"),
        ("1e400", "10e399"),
        ("123456789012345678901234567890.5", "1234567890123456789012345678905E-1"),
        (r#""A\/""#, r#""A/""#),
        (" 1 ", "1"),
        (r#""😀""#, "\"😀\""),
    ];
    for (one, other) in equal {
        assert!(
            same(Tolerance::JsonEqual, one, other),
            "{one} {other} {} {}",
            of(Tolerance::JsonEqual, one),
            of(Tolerance::JsonEqual, other)
        );
    }
    let different = [
        ("1", "\"1\""),
        ("[1,2]", "[2,1]"),
        ("{}", "null"),
        ("0.1", "0.1000000000000000055511151231257827"),
        (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
        (r#"{"a":1,"a":2}"#, r#"{"a": 2}"#),
        ("01", "1"),
        ("1.", "1"),
        ("[1,]", "[1]"),
        (r#""\ud800""#, r#""\udc00""#),
        ("nul", "null"),
        ("1 2", "1  2"),
        ("", "null"),
        ("9007199254740993", "9007199254740992"),
    ];
    for (one, other) in different {
        assert!(!same(Tolerance::JsonEqual, one, other), "{one} {other}");
    }
    let deep = format!("{} {}", "[".repeat(200), "]".repeat(200));
    assert_eq!(of(Tolerance::JsonEqual, &deep), deep, "too deep: compared as text");
}

#[test]
fn decimals_are_rounded_half_away_from_zero_to_the_scale() {
    let ty = Type::Decimal { precision: 5, scale: 2 };
    let cases = [
        ("1.234", Some(123)),
        ("1.235", Some(124)),
        ("-1.235", Some(-124)),
        ("1.2349999999999999999999999999999999999999999999", Some(123)),
        ("0.005", Some(1)),
        ("0.00499", Some(0)),
        ("-0.001", Some(0)),
        ("999.994", Some(99_999)),
        ("999.995", None),
        ("12345e-4", Some(123)),
        ("1e-400", Some(0)),
        ("1e400", None),
        ("5e0", Some(500)),
        ("abc", None),
    ];
    for (text, expected) in cases {
        let expected = expected.map(|unscaled| Value::decimal(unscaled, 2));
        assert_eq!(Tolerance::RoundScale.settled(text, &ty), expected, "{text}");
    }
}

#[test]
fn instants_are_cut_towards_the_past_also_before_the_epoch_and_beyond_the_unit() {
    let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(1_999), Some(-1), None, Some(i64::MIN)]));
    let cut = canonical(&micros, &Type::Timestamp, &[], Tolerance::TruncateMs);
    let values: Vec<_> = cut.array.as_primitive::<arrow_array::types::TimestampMicrosecondType>().iter().collect();
    assert_eq!(values, [Some(1_000), Some(-1_000), None, Some(i64::MIN)]);
    assert_eq!(cut.rows, [0, 1]);
    let settled = |text: &str, tolerance: Tolerance| tolerance.settled(text, &Type::Timestamptz);
    let expected = Value::Timestamp { seconds: 1, nanos: 123_000_000, zoned: true };
    assert_eq!(settled("1970-01-01T00:00:01.1239999999Z", Tolerance::TruncateMs), Some(expected));
    let expected = Value::Timestamp { seconds: -1, nanos: 0, zoned: true };
    assert_eq!(settled("1969-12-31T23:59:59.9999999Z", Tolerance::TruncateS), Some(expected));
    assert_eq!(settled("1970-01-01T00:00:01.1239999999", Tolerance::TruncateMs), None, "no zone");
    assert_eq!(settled("1970-01-01T00:00:60Z", Tolerance::TruncateS), None, "a leap second");
}

#[test]
fn what_is_empty_is_null_and_what_holds_null_is_not() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(""), Some(" "), None]));
    let changed = canonical(&texts, &Type::String, &[], Tolerance::EmptyIsNull);
    assert_eq!((changed.rows, changed.array.null_count(), changed.array.is_null(0)), (vec![0], 2, true));
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([None::<&str>]);
    lists.append_value([None::<&str>; 0]);
    let lists: ArrayRef = Arc::new(lists.finish());
    let ty = Type::List(Box::new(Field::new(2, "element", false, Type::String)));
    assert_eq!(canonical(&lists, &ty, &[], Tolerance::EmptyIsNull).rows, [1]);
}

#[test]
fn a_leaf_of_a_struct_is_changed_where_the_struct_is_there() {
    let field = Field::new(2, "p", false, Type::String);
    let ty = Type::Struct(vec![field.clone()]);
    let DataType::Struct(fields) = ty.to_arrow() else { panic!("a struct") };
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["A", "B", "c"]));
    let nulls = NullBuffer::from(vec![true, false, true]);
    let array: ArrayRef = Arc::new(StructArray::new(fields, vec![texts], Some(nulls)));
    let changed = canonical(&array, &ty, &[0], Tolerance::Case);
    assert_eq!(changed.rows, [0]);
    assert_eq!(changed.array.as_struct().column(0).as_string::<i32>().value(0), "a");
    assert_eq!(changed.array.data_type(), array.data_type());
}

use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

proptest! {
    #[test]
    fn canonical_text_is_its_own_canonical_form(text in "\\PC{0,12}|[ -~]{0,12}|[A-Za-z_ .-]{0,8}") {
        for tolerance in TEXTS {
            let once = of(tolerance, &text);
            prop_assert_eq!(of(tolerance, &once), once.clone(), "{:?} {:?}", tolerance, text);
        }
    }

    #[test]
    fn canonical_json_says_the_same_and_is_its_own_canonical_form(value in json_value()) {
        let (compact, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).expect("JSON"));
        let canonical = of(Tolerance::JsonEqual, &compact);
        prop_assert_eq!(&canonical, &of(Tolerance::JsonEqual, &pretty));
        prop_assert_eq!(&canonical, &of(Tolerance::JsonEqual, &canonical));
        let back: serde_json::Value = serde_json::from_str(&canonical).expect("canonical text is JSON");
        prop_assert!(near(&back, &value), "{} {}", back, value);
    }

    #[test]
    fn arrays_and_single_values_have_one_canonical_form(texts in proptest::collection::vec(proptest::option::of("[ -~]{0,6}"), 0..20)) {
        let array: ArrayRef = Arc::new(StringArray::from(texts));
        for tolerance in TEXTS.into_iter().chain([Tolerance::EmptyIsNull]) {
            let changed = canonical(&array, &Type::String, &[], tolerance);
            for row in 0..array.len() {
                let (before, after) = (Value::from_arrow(&array, row, &Type::String), Value::from_arrow(&changed.array, row, &Type::String));
                prop_assert_eq!(&tolerance.of_value(&before, &Type::String), &after);
                prop_assert_eq!(changed.rows.contains(&row), before != after);
            }
        }
    }

    #[test]
    fn rounding_is_the_nearest_of_that_scale(unscaled in -10_000_000_i64..10_000_000, from in 0_u32..6, scale in 0_u8..6) {
        let power = |n: u32| 10_i128.pow(n);
        let text = Value::decimal(i128::from(unscaled), from as u8).to_string();
        let ty = Type::Decimal { precision: 38, scale };
        let Some(Value::Number { unscaled: found, .. }) = Tolerance::RoundScale.settled(&text, &ty) else { panic!("{text}") };
        // |found/10^scale - unscaled/10^from| <= half a unit of the scale.
        let distance = (found * power(from) - i128::from(unscaled) * power(u32::from(scale))).abs();
        prop_assert!(2 * distance <= power(from), "{} {}", text, found);
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e6..1e6_f64).prop_map(Into::into),
        "\\PC{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            proptest::collection::btree_map("[a-c\"\\\\]{0,2}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Equal, numbers as doubles: the parser of the test knows no exact ones.
fn near(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (one, other) {
        (Number(a), Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= a.abs() * 1e-14
        }
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b)),
        (Object(a), Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| near(a, b)))
        }
        _ => one == other,
    }
}

//! JSON: what becomes of values of every kind in every type, and of payloads that are none.

use validator_core::contract::{EpochUnit, FieldType};
use validator_core::schema::Type;
use validator_core::verdict::UndecodableCause;
use validator_tap::{Decoder, JsonDecoder, WantedField};

use crate::support::{decode, json, json_dropping, list, map, payload, show, structure};

const BAD: &str = "bad_payload";

/// Decodes one value into one column: the column's value, `inexact TEXT`, or `bad_payload`.
fn one(ty: &Type, value: &str) -> String {
    let mut decoder = json(&[("f", ty.clone())]);
    let document = format!("{{\"f\":{value}}}");
    let (outcomes, batch) = decode(&mut decoder, &[document.as_bytes()]);
    match (&outcomes[0], batch.inexact.as_slice()) {
        (Some(bad), _) => {
            assert_eq!(bad.cause, UndecodableCause::BadPayload);
            assert!(bad.detail.starts_with("field f: "), "{}", bad.detail);
            BAD.to_owned()
        }
        (None, [(0, 0, text)]) => format!("inexact {text}"),
        (None, []) => show(&batch.columns[0])[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn check(ty: Type, cases: &[(&str, &str)]) {
    for (value, expected) in cases {
        assert_eq!(one(&ty, value), *expected, "{value} as {ty}");
    }
}

#[test]
fn whole_numbers_are_taken_from_numbers_only_and_never_rounded() {
    check(
        Type::Int,
        &[
            ("0", "0"),
            ("-0", "0"),
            ("2147483647", "2147483647"),
            ("-2147483648", "-2147483648"),
            ("1e3", "1000"),
            ("5.0", "5"),
            ("1.9", "inexact 1.9"),
            ("3000000000", "inexact 3000000000"),
            ("1e400000000000000000000", "inexact 1e400000000000000000000"),
            ("1E-400000000000000000000", "inexact 1E-400000000000000000000"),
            ("\"42\"", BAD),
            ("true", BAD),
            ("{}", BAD),
            ("[]", BAD),
            ("null", "~"),
        ],
    );
    check(
        Type::Long,
        &[
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775808", "inexact 9223372036854775808"),
            ("9007199254740993.0", "9007199254740993"),
            ("9007199254740993.5", "inexact 9007199254740993.5"),
            ("\"9\"", BAD),
        ],
    );
}

#[test]
fn decimals_keep_every_digit_or_say_that_they_cannot() {
    let ty = Type::Decimal { precision: 18, scale: 8 };
    check(
        ty,
        &[
            ("1.5", "150000000"),
            ("\"1.5\"", "150000000"),
            ("\"0.123456785\"", "inexact 0.123456785"),
            ("0.1234567890", "inexact 0.1234567890"),
            ("0.1234567800", "12345678"),
            ("1e-8", "1"),
            ("-9999999999.99999999", "-999999999999999999"),
            ("10000000000", "inexact 10000000000"),
            ("0.1", "10000000"),
            ("\"x\"", BAD),
            ("\"\"", BAD),
            ("\"1.5 \"", BAD),
            ("true", BAD),
            ("null", "~"),
        ],
    );
    check(
        Type::Decimal { precision: 38, scale: 0 },
        &[
            ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
            ("100000000000000000000000000000000000000", "inexact 100000000000000000000000000000000000000"),
        ],
    );
}

#[test]
fn floats_are_rounded_correctly_and_digits_beyond_their_own_are_counted() {
    check(
        Type::Double,
        &[
            ("0.1", "0.1"),
            ("\"0.1\"", "0.1"),
            ("-0.0", "-0.0"),
            ("1e23", "1e23"),
            ("2.2250738585072011e-308", "2.225073858507201e-308"),
            ("true", BAD),
            ("\"one\"", BAD),
        ],
    );
    check(Type::Float, &[("0.1", "0.1"), ("16777217", "16777216.0"), ("null", "~")]);

    let mut decoder = json(&[("a", Type::Double), ("b", Type::Float)]);
    let (_, batch) = decode(
        &mut decoder,
        &[
            br#"{"a":0.1234567890123456,"b":1.5}"#,
            br#"{"a":0.123456789012345,"b":1.234567}"#,
            br#"{"a":1.00000000000000000}"#,
        ],
    );
    assert_eq!(batch.rounded_to_double, [("a".to_owned(), 1), ("b".to_owned(), 1)].into());
    assert!(batch.inexact.is_empty());
}

#[test]
fn times_come_from_text_and_never_from_bare_numbers() {
    check(
        Type::Timestamptz,
        &[
            ("\"1970-01-01T00:00:01Z\"", "1000000"),
            ("\"1970-01-01T02:00:01.000001+02:00\"", "1000001"),
            ("\"1970-01-01T00:00:00.0000001Z\"", "inexact 1970-01-01T00:00:00.0000001Z"),
            ("\"1970-01-01T00:00:01\"", BAD),
            ("1000", BAD),
            ("\"yesterday\"", BAD),
        ],
    );
    check(
        Type::Timestamp,
        &[("\"1970-01-01T00:00:01\"", "1000000"), ("\"1970-01-01T01:00:01+01:00\"", "1000000"), ("1", BAD)],
    );
    check(Type::TimestamptzNs, &[("\"1970-01-01T00:00:00.123456789Z\"", "123456789")]);
    check(Type::Date, &[("\"1970-01-02\"", "1"), ("1", BAD), ("\"1970-02-30\"", BAD)]);
    check(Type::Time, &[("\"00:00:01.5\"", "1500000"), ("1", BAD)]);
    check(
        Type::Uuid,
        &[
            ("\"f79c3e09-677c-4bbd-a479-3f349cb785e7\"", "0xf79c3e09677c4bbda4793f349cb785e7"),
            ("\"f79c\"", BAD),
            ("7", BAD),
        ],
    );
}

#[test]
fn numbers_that_are_instants_keep_their_units() {
    for (unit, cases) in [
        (EpochUnit::Second, [("1", "1000000"), ("1.000001", "1000001"), ("1.0000001", "inexact 1.0000001")]),
        (
            EpochUnit::Millisecond,
            [
                ("1737567890123", "1737567890123000"),
                ("0.5", "500"),
                ("9223372036854775807", "inexact 9223372036854775807"),
            ],
        ),
        (EpochUnit::Microsecond, [("-1", "-1"), ("1e6", "1000000"), ("0.5", "inexact 0.5")]),
        (EpochUnit::Nanosecond, [("1737567890123456789", "1737567890123456789"), ("0", "0"), ("1.5", "inexact 1.5")]),
    ] {
        for (value, expected) in cases {
            let mut decoder =
                JsonDecoder::new(&[WantedField::typed("f", FieldType::Epoch(unit))], &[].into()).expect("sound");
            let (outcomes, batch) = decode(&mut decoder, &[format!("{{\"f\":{value}}}").as_bytes(), b"{\"f\":\"1\"}"]);
            let got = batch
                .inexact
                .first()
                .map_or_else(|| show(&batch.columns[0])[0].clone(), |(_, _, text)| format!("inexact {text}"));
            assert_eq!((outcomes[0].clone(), got.as_str()), (None, expected), "{value} {unit:?}");
            assert!(outcomes[1].is_some(), "text is no number");
        }
    }
}

#[test]
fn a_typed_string_takes_text_only_and_an_untyped_one_the_json_text_of_anything() {
    check(
        Type::String,
        &[("\"a\\u00e9\\n\"", "\"aé\\n\""), ("\"\"", "\"\""), ("1", BAD), ("true", BAD), ("{}", BAD), ("null", "~")],
    );
    let mut decoder = JsonDecoder::new(&[WantedField::any("f")], &[].into()).expect("sound");
    let documents: [&[u8]; 6] =
        [b"{\"f\":\"a\"}", b"{\"f\":1.50}", b"{\"f\":true}", b"{\"f\":{\"a\": [1]}}", b"{\"f\":[]}", b"{\"f\":null}"];
    let (_, batch) = decode(&mut decoder, &documents);
    assert_eq!(show(&batch.columns[0]), ["\"a\"", "\"1.50\"", "\"true\"", "\"{\\\"a\\\": [1]}\"", "\"[]\"", "~"]);
}

#[test]
fn objects_become_structs_or_maps_and_empty_is_not_null() {
    check(
        structure(&[("p", Type::String), ("n", Type::Int)]),
        &[
            ("{\"p\":\"x\",\"n\":1}", "{p:\"x\",n:1}"),
            ("{\"n\":1}", "{p:~,n:1}"),
            ("{}", "{p:~,n:~}"),
            ("null", "~"),
            ("[]", BAD),
            ("{\"n\":1.5}", "inexact 1.5"),
            ("{\"n\":\"1\"}", BAD),
        ],
    );
    check(
        map(Type::String, Type::Int),
        &[
            ("{\"a\":1,\"b\":null}", "<\"a\"=1,\"b\"=~>"),
            ("{}", "<>"),
            ("null", "~"),
            ("{\"a\":1,\"a\":2}", "<\"a\"=2>"),
            ("{\"\\u0061\":1,\"a\":2}", "<\"a\"=2>"),
        ],
    );
    check(map(Type::Int, Type::String), &[("{\"7\":\"x\"}", "<7=\"x\">"), ("{\"x\":\"x\"}", BAD)]);
    check(
        list(list(Type::Decimal { precision: 9, scale: 1 })),
        &[("[[1,\"2.5\"],[],null]", "[[10,25],[],~]"), ("[]", "[]"), ("[[1.25]]", "inexact 1.25"), ("[1]", BAD)],
    );
}

#[test]
fn many_map_keys_are_as_exact_as_few() {
    let entries: Vec<_> = (0..40).map(|i| format!("\"k{}\":{i}", i % 30)).collect();
    let got = one(&map(Type::String, Type::Int), &format!("{{{}}}", entries.join(",")));
    let expected: Vec<_> = (10..40).map(|i| format!("\"k{}\"={i}", i % 30)).collect();
    assert_eq!(got, format!("<{}>", expected.join(",")));
}

#[test]
fn payloads_that_are_no_single_object_are_undecodable_and_harm_no_neighbour() {
    let bad: [&[u8]; 24] = [
        b"",
        b" ",
        b"null",
        b"1",
        b"\"a\"",
        b"[{\"a\":1}]",
        b"{\"a\":1",
        b"{\"a\":1}{\"a\":2}",
        b"{\"a\":1}\n{\"a\":2}",
        b"{\"a\":1} x",
        b"{\"a\":1}\0",
        b"{\"a\":01}",
        b"{\"a\":NaN}",
        b"{\"a\":1,}",
        b"{a:1}",
        b"{'a':1}",
        b"{\"a\":1 \"b\":2}",
        b"{\"s\":\"\xff\"}",
        b"{\"s\":\"\\ud800\"}",
        b"{\"s\":\"a\nb\"}",
        b"{\"x\":tru}",
        b"\xef\xbb\xbf{\"a\":1}",
        b"{\"l\":[\"x\",\"y\"",
        b"{\"m\":{\"k\":1,\"j\":",
    ];
    let good: &[u8] = br#"{"a":1,"s":"one","l":["x"],"m":{"k":1}}"#;
    let mut decoder = json(&[
        ("a", Type::Long),
        ("s", Type::String),
        ("l", list(Type::String)),
        ("m", map(Type::String, Type::Decimal { precision: 9, scale: 0 })),
    ]);
    for bad in bad {
        let (outcomes, batch) = decode(&mut decoder, &[good, bad, good]);
        assert_eq!((&outcomes[0], &outcomes[2]), (&None, &None));
        let outcome = outcomes[1].as_ref().unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(bad)));
        assert_eq!(outcome.cause, UndecodableCause::BadPayload);
        assert!(outcome.detail.contains("(byte "), "{}", outcome.detail);
        let shown: Vec<_> = batch.columns.iter().map(show).collect();
        for (column, sound) in shown.iter().zip(["1", "\"one\"", "[\"x\"]", "<\"k\"=1>"]) {
            assert_eq!(column, &[sound, "~", sound]);
        }
        assert!(batch.inexact.is_empty());
    }
}

#[test]
fn notes_of_an_undecodable_payload_are_taken_back() {
    let mut decoder = json(&[("a", Type::Int), ("d", Type::Double)]);
    let (outcomes, batch) = decode(
        &mut decoder,
        &[b"{\"a\":1.9}", b"{\"a\":2.9,\"d\":0.12345678901234567,\"new\":1,\"a\":3.9", b"{\"a\":4.9}"],
    );
    assert!(outcomes[1].is_some());
    assert_eq!(batch.inexact, [(0, 0, "1.9".to_owned()), (2, 0, "4.9".to_owned())]);
    assert_eq!((batch.unknown_fields.len(), batch.duplicate_keys, batch.rounded_to_double.len()), (0, 0, 0));
}

#[test]
fn the_last_of_two_equal_keys_counts_and_the_message_is_counted() {
    let nested = structure(&[("n", Type::Int), ("t", Type::String)]);
    let mut decoder = json(&[("a", Type::Int), ("s", nested), ("t", Type::String)]);
    let documents: [&[u8]; 6] = [
        br#"{"a":1,"a":2}"#,
        br#"{"a":1.5,"a":2}"#,
        br#"{"a":1,"a":2.5}"#,
        br#"{"s":{"n":1.5,"n":2,"t":"x"},"s":{"t":"y"}}"#,
        br#"{"s":{"n":1.5,"n":2,"t":"x"},"t":"a","t":null}"#,
        br#"{"other":1,"other":2,"\u0061":5}"#,
    ];
    let (outcomes, batch) = decode(&mut decoder, &documents);
    assert!(outcomes.iter().all(Option::is_none));
    assert_eq!(show(&batch.columns[0]), ["2", "2", "~", "~", "~", "5"]);
    assert_eq!(show(&batch.columns[1])[3..5], ["{n:~,t:\"y\"}", "{n:2,t:\"x\"}"]);
    assert_eq!(show(&batch.columns[2])[4], "~");
    assert_eq!(batch.inexact, [(2, 0, "2.5".to_owned())]);
    assert_eq!(batch.duplicate_keys, 6);
}

#[test]
fn an_earlier_value_of_a_wrong_kind_decides_nothing() {
    let mut decoder = json(&[("a", Type::Int), ("s", structure(&[("n", Type::Int)]))]);
    let documents: [&[u8]; 4] = [
        br#"{"a":"x","s":{"n":"y","n":1.5,"n":3},"a":2}"#,
        br#"{"a":"x","a":2,"a":"y"}"#,
        br#"{"s":"x","s":{"n":7},"a":1}"#,
        br#"{"a":[1,],"a":2}"#,
    ];
    let (outcomes, batch) = decode(&mut decoder, &documents);
    assert_eq!(outcomes.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(show(&batch.columns[0]), ["2", "~", "1", "~"]);
    assert_eq!(show(&batch.columns[1]), ["{n:3}", "~", "{n:7}", "~"]);
    assert_eq!((batch.duplicate_keys, batch.inexact.len()), (2, 0));
}

#[test]
fn keys_are_case_sensitive_and_may_be_escaped() {
    let mut decoder = json(&[("e", Type::String), ("E", Type::Long), ("t", Type::Long), ("T", Type::Long)]);
    let (_, batch) = decode(
        &mut decoder,
        &[br#"{"e":"trade","E":1,"t":2,"T":3}"#, br#"{"T":3,"t":2,"\u0045":1,"e":"trade"}"#, br#"{"T":3}"#],
    );
    let shown: Vec<_> = batch.columns.iter().map(|c| show(c).join(" ")).collect();
    assert_eq!(shown, ["\"trade\" \"trade\" ~", "1 1 ~", "2 2 ~", "3 3 3"]);
    assert!(batch.unknown_fields.is_empty());
}

#[test]
fn fields_nobody_asked_for_are_noted_once_a_message_unless_null_or_dropped() {
    let nested = structure(&[("n", Type::Int)]);
    let mut decoder = json_dropping(
        &[("a", Type::Int), ("l", list(nested.clone())), ("s", nested)],
        &["gone", "s.gone", "l.element.gone"],
    );
    let documents: [&[u8]; 4] = [
        br#"{"a":1,"new":1,"gone":2,"s":{"n":1,"gone":1,"deep":1}}"#,
        br#"{"a":1,"new":null,"l":[{"x":1},{"x":1,"gone":[]}]}"#,
        br#"{"new":[],"Gone":{}}"#,
        br#"{"new":1"#,
    ];
    let expected = [("new", vec![0, 2]), ("s.deep", vec![0]), ("l.element.x", vec![1]), ("Gone", vec![2])];
    for _ in 0..2 {
        let (_, batch) = decode(&mut decoder, &documents);
        assert_eq!(batch.unknown_fields, expected.iter().map(|(k, rows)| ((*k).to_owned(), rows.clone())).collect());
    }
}

#[test]
fn messages_full_of_new_names_cost_bounded_memory_and_lose_no_count() {
    let mut decoder = json(&[("a", Type::Int)]);
    let documents: Vec<_> = (0..3_000).map(|i| format!("{{\"n{i}\":1,\"m{i}\":1,\"a\":{i}}}")).collect();
    let payloads: Vec<&[u8]> = documents.iter().map(String::as_bytes).collect();
    let (outcomes, batch) = decode(&mut decoder, &payloads);
    assert!(outcomes.iter().all(Option::is_none));
    assert!(batch.unknown_fields.len() <= validator_tap::limits::UNKNOWN_FIELDS_MAX + 1);
    assert_eq!(batch.unknown_fields[validator_tap::limits::OTHER_FIELDS].len(), 2_500);
    assert_eq!(batch.duplicate_keys, 0);
    assert_eq!(show(&batch.columns[0])[2_999], "2999");
}

#[test]
fn a_null_payload_is_a_row_of_nulls_and_no_failure() {
    let mut decoder = json(&[("a", Type::Int), ("s", structure(&[("n", Type::Int)]))]);
    let message = validator_tap::Message::of_payload(validator_core::position::PartitionIndex(0), 7, None);
    assert_eq!(decoder.append(&message).expect("fine"), None);
    assert_eq!(decoder.append(&payload(b"{\"a\":1}")).expect("fine"), None);
    let batch = decoder.finish();
    assert_eq!(
        (show(&batch.columns[0]), show(&batch.columns[1])),
        (vec!["~".into(), "1".into()], vec!["~".into(), "~".into()])
    );
}

#[test]
fn nesting_has_a_bound() {
    let deep = |n: usize| format!("{{\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
    let mut decoder = json(&[("a", Type::Int)]);
    let (outcomes, _) =
        decode(&mut decoder, &[deep(127).as_bytes(), deep(128).as_bytes(), "[".repeat(1 << 20).as_bytes()]);
    assert_eq!(outcomes.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn types_that_json_cannot_carry_are_refused_when_the_decoder_is_made() {
    for ty in [Type::Binary, Type::Fixed(4), list(Type::Binary), map(list(Type::Int), Type::Int)] {
        let wanted = [WantedField::typed("f", FieldType::Plain(ty))];
        assert!(JsonDecoder::new(&wanted, &[].into()).is_err());
    }
    assert!(JsonDecoder::new(&[WantedField::any("f"), WantedField::any("f")], &[].into()).is_err());
}

#[test]
fn a_detail_names_the_field_at_fault_where_there_is_one() {
    let detail = |document: &str| {
        let mut decoder = json(&[("id", Type::String), ("tags", list(Type::String))]);
        let (outcomes, _) = decode(&mut decoder, &[document.as_bytes()]);
        outcomes[0].as_ref().expect("it is undecodable").detail.clone()
    };
    let deep = format!("{{\"id\":\"a\",\"x\":{}", "[".repeat(200));
    let long = format!("{{\"{}\":nul}}", "y".repeat(300));
    for (document, told) in [
        (r#"{"id":7}"#, "field id: a text is wanted here (byte 6)"),
        (r#"{"id":"a"#, "field id: the payload ends inside a string (byte 8)"),
        (r#"{"id":"\ud800"}"#, "field id: a lone surrogate (byte 7)"),
        (r#"{"id":"a","tags":["b",tru"#, "field tags: "),
        (r#"{"id":"a","x":1.}"#, "field x: "),
        (&deep, "field x: nested deeper than any payload may be"),
        (&long, "no JSON value starts here"),
        (r#"{"id":"a" "x":1}"#, "`,` or `}` is due here (byte 10)"),
        (r#"{"id":"a"} x"#, "bytes after the end of the document (byte 11)"),
        ("[]", "the document is no object (byte 0)"),
        // The key may come once more, and then decides; what ends the payload is said then.
        (r#"{"id":7,"tags":["#, "the payload ends"),
    ] {
        let detail = detail(document);
        assert!(detail.starts_with(told), "{document}: {detail}");
    }
}

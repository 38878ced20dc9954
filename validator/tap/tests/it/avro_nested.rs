//! Avro payloads: what stands inside of what, unions, maps and records, and how far they may unfold.

use std::collections::BTreeSet;

use validator_core::schema::Type;
use validator_tap::{AvroDecoder, Decoder, TapError, WantedField, limits};

use crate::avro::{decimal, detail};
use crate::avro_support::{body, decode_one, decoder, in_file, record};
use crate::support::{decode, list, map, payload, show, structure};

#[test]
fn unions_of_several_types_are_skipped_batch_after_batch_and_refused_where_wanted() {
    let schema = record(
        r#"{"name":"u","type":["null","int","string",{"type":"array","items":"long"}]},{"name":"n","type":"long"}"#,
    );
    let schemas = in_file(&schema);
    let payloads = [
        body().long(0),
        body().long(1).long(5),
        body().long(2).bytes("x"),
        body().long(3).long(2).long(1).long(2).long(0),
    ]
    .map(|union| union.long(42).0);
    let borrowed: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let mut blind = decoder(&schemas, &[("n", Type::Long)]);
    let mut wanting = decoder(&schemas, &[("n", Type::Long), ("u", Type::String)]);
    for _ in 0..3 {
        let (outcomes, batch) = decode(&mut blind, &borrowed);
        assert!(outcomes.iter().all(Option::is_none));
        assert_eq!(show(&batch.columns[0]), ["42"; 4]);
        assert_eq!(batch.unknown_fields, [("u".to_owned(), vec![1, 2, 3])].into());

        let (outcomes, batch) = decode(&mut wanting, &borrowed);
        assert_eq!(outcomes[0], None);
        for outcome in &outcomes[1..] {
            assert_eq!(detail(outcome), "field u: a union of null, int, string, array: a column has one type (byte 1)");
        }
        assert_eq!(show(&batch.columns[0]), ["42", "~", "~", "~"]);
    }
}

#[test]
fn a_field_that_takes_anything_has_the_text_of_any_branch() {
    let schema = record(
        r#"{"name":"u","type":["null","int","string",{"type":"array","items":"double"},
            {"type":"record","name":"I","fields":[{"name":"a","type":["null","boolean"]},{"name":"b","type":"bytes"}]},
            {"type":"map","values":{"type":"enum","name":"E","symbols":["A"]}}]}"#,
    );
    let wanted = vec![WantedField::any("u")];
    let mut decoder = AvroDecoder::new(wanted, BTreeSet::new(), in_file(&schema)).expect("a field");
    let payloads = [
        body().long(0),
        body().long(1).long(-5),
        body().long(2).bytes("x\"y"),
        body().long(3).long(2).raw(0.5_f64.to_le_bytes()).raw(f64::NAN.to_le_bytes()).long(0),
        body().long(4).long(1).raw([1]).bytes("hi"),
        body().long(5).long(1).bytes("k").long(0).long(0),
    ]
    .map(|b| b.0);
    let borrowed: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let (outcomes, batch) = decode(&mut decoder, &borrowed);
    assert!(outcomes.iter().all(Option::is_none), "{outcomes:?}");
    let shown = ["~", "-5", "x\"y", "[0.5,\"NaN\"]", "{\"a\":true,\"b\":\"aGk=\"}", "{\"k\":\"A\"}"];
    let wanted: Vec<String> = shown.iter().map(|s| if *s == "~" { "~".to_owned() } else { format!("{s:?}") }).collect();
    assert_eq!(show(&batch.columns[0]), wanted);
}

#[test]
fn a_key_that_comes_twice_counts_once_with_its_last_value() {
    let schema = record(
        r#"{"name":"m","type":{"type":"map","values":{"type":"map","values":
            {"type":"bytes","logicalType":"decimal","precision":9,"scale":1}}}}"#,
    );
    let mut decoder = decoder(&in_file(&schema), &[("m", map(Type::String, map(Type::String, decimal(9, 0))))]);
    // In one entry 0.5 is inexact, and then replaced.
    let inner = |entries: &[(&str, u8)]| {
        let all = entries.iter().fold(body().long(entries.len() as i64), |b, (k, v)| b.bytes(k).bytes([*v]));
        if entries.is_empty() { body().long(0).0 } else { all.long(0).0 }
    };
    let outer = |entries: &[(&str, Vec<u8>)]| {
        // A block each.
        entries.iter().fold(body(), |b, (k, v)| b.long(1).bytes(k).raw(v)).long(0).0
    };
    let many: Vec<(String, u8)> = (0..40).map(|i| (format!("k{}", i % 20), i * 2 + 10)).collect();
    let many: Vec<(&str, u8)> = many.iter().map(|(k, v)| (k.as_str(), v / 10 * 10)).collect();
    let payloads = [
        outer(&[("a", inner(&[("x", 5), ("y", 20), ("x", 30)])), ("b", inner(&[]))]),
        outer(&[("a", inner(&[("x", 5)])), ("b", inner(&[("x", 10)])), ("a", inner(&[("z", 40)]))]),
        outer(&[("a", inner(&many))]),
        outer(&[("a", inner(&[("x", 10), ("y", 5)]))]),
    ];
    let borrowed: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let (outcomes, batch) = decode(&mut decoder, &borrowed);
    assert!(outcomes.iter().all(Option::is_none), "{outcomes:?}");
    let shown = show(&batch.columns[0]);
    assert_eq!(shown[0], "<\"a\"=<\"y\"=2,\"x\"=3>,\"b\"=<>>");
    assert_eq!(shown[1], "<\"b\"=<\"x\"=1>,\"a\"=<\"z\"=4>>");
    assert_eq!(shown[2].matches('k').count(), 20);
    assert!(shown[2].contains("\"k0\"=5,") && shown[2].contains("\"k19\"=8"), "{}", shown[2]);
    assert_eq!(shown[3], "<\"a\"=<\"x\"=1,\"y\"=~>>");
    assert_eq!(batch.inexact, [(3, 0, "0.5".to_owned())]);
    assert_eq!(batch.duplicate_keys, 3);
}

#[test]
fn a_record_may_become_a_map_and_never_the_other_way() {
    let schema = record(
        r#"{"name":"r","type":["null",{"type":"record","name":"I","fields":[
               {"name":"a","type":["null","int"]},{"name":"b","type":"long"},{"name":"c","type":"string"}]}]},
           {"name":"m","type":{"type":"map","values":"long"}}"#,
    );
    let r = |a: Option<i64>, b: i64, c: &str| {
        let begun = a.map_or(body().long(1).long(0), |a| body().long(1).long(1).long(a));
        begun.long(b).bytes(c).0
    };
    let payloads = [
        body().raw(r(Some(1), 2, "3.25")).long(0).0,
        body().raw(r(None, 2, "3.255")).long(0).0,
        body().long(0).long(0).0,
        body().raw(r(None, 2, "three")).long(0).0,
    ];
    let borrowed: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let schemas = in_file(&schema);
    let mut decoder = decoder(&schemas, &[("r", map(Type::String, decimal(9, 2)))]);
    let (outcomes, batch) = decode(&mut decoder, &borrowed);
    assert_eq!(show(&batch.columns[0]), ["<\"a\"=100,\"b\"=200,\"c\"=325>", "<\"b\"=200,\"c\"=~>", "~", "~"]);
    assert_eq!(batch.inexact, [(1, 0, "3.255".to_owned())]);
    assert_eq!(detail(&outcomes[3]), "field r: the text does not read as decimal(9, 2) (byte 3)");
    assert_eq!(batch.unknown_fields, [("m".to_owned(), vec![0, 1, 2])].into());

    let mut decoder = crate::avro_support::decoder(&schemas, &[("m", structure(&[("x", Type::Long)]))]);
    let (outcomes, _) = decode(&mut decoder, &borrowed[..1]);
    assert_eq!(detail(&outcomes[0]), "field m: the message has a map here, the column is struct<x: long> (byte 9)");
}

#[test]
fn recursive_records_are_skipped_to_a_bound() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"n","type":"long"},{"name":"next","type":["null","R"]}]}"#;
    let chain = |length: usize| {
        let begun = (0..length).fold(body(), |b, _| b.long(3).long(1));
        begun.long(3).long(0).0
    };
    let mut decoder = decoder(
        &in_file(schema),
        &[("n", Type::Long), ("next", structure(&[("next", structure(&[("n", Type::Long)]))]))],
    );
    let (outcomes, batch) = decode(&mut decoder, &[&chain(0), &chain(1), &chain(50), &chain(1_000_000), &chain(2)]);
    assert_eq!(
        show(&batch.columns[1]),
        ["~", "{next:~}", "{next:{n:3}}", "~", "{next:{n:3}}"],
        "the outer parts are wanted, the rest is skipped"
    );
    assert_eq!(outcomes[2], None);
    assert!(detail(&outcomes[3]).starts_with("field next: values are nested too deep"), "{outcomes:?}");
    assert_eq!(batch.unknown_fields.get("next.n"), Some(&vec![1, 2, 4]));
}

#[test]
fn items_without_bytes_are_bounded() {
    let schema = record(
        r#"{"name":"l","type":{"type":"array","items":"null"}},{"name":"e","type":{"type":"array","items":{"type":"record","name":"E","fields":[]}}}"#,
    );
    let schemas = in_file(&schema);
    let nothing = structure(&[]);
    for fields in [&[("e", list(nothing))][..], &[]] {
        let mut decoder = decoder(&schemas, fields);
        let few = body().long(3).long(0).long(2).long(0).0;
        let huge = body().long(0).long(i64::MAX).long(0).0;
        // Many blocks, none of which is large.
        let many = (0..100_000).fold(body(), |b, _| b.long(100_000)).long(0).long(0).0;
        let (outcomes, batch) = decode(&mut decoder, &[&few, &huge, &many, &few]);
        assert_eq!(outcomes.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, false]);
        assert!(detail(&outcomes[1]).contains("unfolds to far more") && detail(&outcomes[2]).contains("unfolds"));
        if let Some(column) = batch.columns.first() {
            assert_eq!(show(column), ["[{},{}]", "~", "~", "[{},{}]"]);
        }
    }
}

#[test]
fn what_unfolds_counts_as_bytes_of_the_batch() {
    let symbol = "S".repeat(1_000);
    let schema = record(&format!(r#"{{"name":"e","type":{{"type":"enum","name":"E","symbols":["{symbol}"]}}}}"#));
    let mut decoder = decoder(&in_file(&schema), &[("e", Type::String)]);
    decode_one(&mut decoder, &body().long(0).0);
    assert_eq!((decoder.rows(), decoder.payload_bytes()), (1, 1_001));
    let huge = vec![0_u8; limits::BATCH_PAYLOAD_BYTES_MAX - limits::AVRO_EXPANSION_MAX];
    assert!(matches!(decoder.append(&payload(&huge)), Err(TapError::BatchFull { .. })));
    assert_eq!(decoder.rows(), 1);
}

#[test]
fn the_record_may_be_one_of_several_and_nothing_else() {
    let union = r#"["null",{"type":"record","name":"A","fields":[{"name":"n","type":"long"}]},
        {"type":"record","name":"B","fields":[{"name":"s","type":"string"},{"name":"n","type":"int"}]}]"#;
    let mut decoder = decoder(&in_file(union), &[("n", Type::Long), ("s", Type::String)]);
    let payloads = [body().long(1).long(7), body().long(2).bytes("x").long(8), body().long(0), body().long(3)];
    let payloads = payloads.map(|b| b.0);
    let borrowed: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let (outcomes, batch) = decode(&mut decoder, &borrowed);
    assert_eq!(show(&batch.columns[0]), ["7", "8", "~", "~"]);
    assert_eq!(show(&batch.columns[1]), ["~", "\"x\"", "~", "~"]);
    assert_eq!(detail(&outcomes[2]), "its schema is that of null, not of a record (byte 1)");
    assert_eq!(detail(&outcomes[3]), "a union has no such branch (byte 0)");
    let mut text = crate::avro_support::decoder(&in_file("\"string\""), &[]);
    let (outcomes, _) = decode(&mut text, &[b"\x02x"]);
    assert_eq!(detail(&outcomes[0]), "its schema is that of string, not of a record (byte 0)");
}

#[test]
fn a_struct_takes_its_fields_by_name_and_null_where_the_writer_has_none() {
    let schema = record(
        r#"{"name":"l","type":{"type":"array","items":["null",{"type":"record","name":"I","fields":[
               {"name":"c","type":"int"},{"name":"x","type":["null","string"]},{"name":"a","type":"string"}]}]}}"#,
    );
    let inner = structure(&[
        ("a", Type::String),
        ("none", list(Type::Long)),
        ("c", Type::Long),
        ("deep", structure(&[("y", Type::Long)])),
    ]);
    let mut decoder = decoder(&in_file(&schema), &[("l", list(inner)), ("absent", structure(&[("y", Type::Long)]))]);
    let item = |c: i64, x: bool, a: &str| {
        let begun = body().long(1).long(c);
        if x { begun.long(1).bytes("x").bytes(a).0 } else { begun.long(0).bytes(a).0 }
    };
    let two = body().long(3).raw(item(1, false, "p")).long(0).raw(item(2, true, "q")).long(0).0;
    let one = body().long(1).raw(item(3, true, "r")).long(0).0;
    let (outcomes, batch) = decode(&mut decoder, &[&two, &one[..one.len() - 1], &one]);
    assert_eq!(outcomes.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(
        show(&batch.columns[0]),
        ["[{a:\"p\",none:~,c:1,deep:~},~,{a:\"q\",none:~,c:2,deep:~}]", "~", "[{a:\"r\",none:~,c:3,deep:~}]"]
    );
    assert_eq!(show(&batch.columns[1]), ["~"; 3]);
    assert_eq!(batch.unknown_fields, [("l.element.x".to_owned(), vec![0, 2])].into());
}

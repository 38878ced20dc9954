//! Avro payloads: one message after the other, good, bad and of other schemas.

use std::collections::BTreeSet;

use validator_core::contract::{EpochUnit, FieldType};
use validator_core::schema::Type;
use validator_core::verdict::UndecodableCause;
use validator_tap::{AvroDecoder, Decoder, DecoderError, TapError, Undecodable, WantedField, schema_id};

use crate::avro_support::{at, body, decode_one, decoder, dropping, framed, in_file, record};
use crate::stub_registry::{Answer, Stub, registered};
use crate::support::{decode, list, map, payload, show, structure};

pub fn decimal(precision: u8, scale: u8) -> Type {
    Type::Decimal { precision, scale }
}

pub fn detail(outcome: &Option<Undecodable>) -> &str {
    let undecodable = outcome.as_ref().expect("undecodable");
    assert_eq!(undecodable.cause, UndecodableCause::BadPayload);
    &undecodable.detail
}

const LONG_AND_TEXT: &str = r#"{"name":"n","type":"long"},{"name":"s","type":"string"}"#;

#[test]
fn the_frame_names_the_schema() {
    let stub = Stub::of_schemas(&[(0x0102_0304, &record(LONG_AND_TEXT))]);
    let mut decoder = decoder(&at(&stub), &[("n", Type::Long), ("s", Type::String)]);
    let good = framed(0x0102_0304, &body().long(-7).bytes("x"));
    let other_magic = [&[1], &good[1..]].concat();
    let unknown = framed(9, &body());
    let (outcomes, batch) =
        decode(&mut decoder, &[&good, &other_magic, b"", b"\0", b"\0\0\0\x01", &unknown, &good[..5], &good]);
    assert_eq!(show(&batch.columns[0]), ["-7", "~", "~", "~", "~", "~", "~", "-7"]);
    assert_eq!(show(&batch.columns[1]), ["\"x\"", "~", "~", "~", "~", "~", "~", "\"x\""]);
    assert_eq!(outcomes[0], None);
    assert_eq!(detail(&outcomes[1]), "the payload begins with 0x01, not with 0x00 and a schema id (byte 0)");
    assert_eq!(detail(&outcomes[2]), "0 bytes are too few for 0x00 and a schema id (byte 0)");
    assert_eq!(detail(&outcomes[4]), "4 bytes are too few for 0x00 and a schema id (byte 4)");
    let wanted = Undecodable {
        cause: UndecodableCause::SchemaUnknown,
        detail: "schema 9: the registry does not know it".to_owned(),
    };
    assert_eq!(outcomes[5], Some(wanted));
    assert_eq!(detail(&outcomes[6]), "field n: the bytes end within a number (byte 5)");
    assert_eq!(outcomes[7], None);
    let asked = stub.asked().len();
    let most = validator_tap::limits::REGISTRY_ATTEMPTS_MAX as usize;
    assert_eq!(asked, 1 + most, "what is known is asked for once, and what is not until it is believed");
    assert_eq!(schema_id(&good), Some(0x0102_0304));
    assert_eq!((schema_id(&other_magic), schema_id(b"\0\0\0\x01")), (None, None));
}

#[test]
fn a_null_payload_is_a_row_of_nulls_and_no_fault() {
    let mut decoder = decoder(&in_file(&record(LONG_AND_TEXT)), &[("n", Type::Long)]);
    let mut tombstone = payload(b"");
    tombstone.payload = None;
    assert_eq!(decoder.append(&tombstone).expect("the source is fine"), None);
    assert_eq!(show(&decoder.finish().columns[0]), ["~"]);
}

#[test]
fn a_registry_that_fails_is_an_error_and_appends_no_row() {
    let stub = Stub::start(|_, _| Answer::Body(401, "{}".to_owned()));
    let mut decoder = decoder(&at(&stub), &[("n", Type::Long)]);
    let error = decoder.append(&payload(&framed(1, &body()))).expect_err("the registry refuses");
    assert!(matches!(error, TapError::RegistryRefused { .. }));
    assert_eq!((decoder.rows(), decoder.payload_bytes()), (0, 0));
}

#[test]
fn every_cut_and_every_byte_too_many_spoil_their_own_row_only() {
    let schema = record(
        r#"{"name":"n","type":"long"},
           {"name":"s","type":["null","string"]},
           {"name":"l","type":{"type":"array","items":{"type":"record","name":"I","fields":[
               {"name":"k","type":"string"},{"name":"v","type":["double","null"]}]}}},
           {"name":"m","type":{"type":"map","values":"bytes"}},
           {"name":"f","type":{"type":"fixed","name":"F","size":3}},
           {"name":"b","type":"boolean"}"#,
    );
    let element = structure(&[("k", Type::String), ("v", Type::Double)]);
    let fields = [
        ("n", Type::Long),
        ("s", Type::String),
        ("l", list(element)),
        ("m", map(Type::String, Type::Binary)),
        ("f", Type::Fixed(3)),
        ("b", Type::Boolean),
    ];
    let mut decoder = decoder(&in_file(&schema), &fields);
    let good = body()
        .long(300)
        .long(1)
        .bytes("text")
        .long(-2)
        .long(99)
        .bytes("a")
        .long(0)
        .raw(1.5_f64.to_le_bytes())
        .bytes("b")
        .long(1)
        .long(0)
        .long(1)
        .bytes("key")
        .bytes([1, 2])
        .long(0)
        .raw([7, 8, 9, 1])
        .0;
    let shown = ["300", "\"text\"", "[{k:\"a\",v:1.5},{k:\"b\",v:~}]", "<\"key\"=0x0102>", "0x070809", "true"];
    for batch in 0..2 {
        let mut payloads: Vec<Vec<u8>> = Vec::new();
        for cut in 0..good.len() {
            payloads.push(good[..cut].to_vec());
            payloads.push(good.clone());
        }
        payloads.push([&good[..], &[0]].concat());
        payloads.push([&good[..], &good[..]].concat());
        payloads.push(good.clone());
        let borrowed: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let (outcomes, decoded) = decode(&mut decoder, &borrowed);
        for (column, wanted) in decoded.columns.iter().zip(shown) {
            for (row, value) in show(column).iter().enumerate() {
                let wanted = if payloads[row] == good { wanted } else { "~" };
                assert_eq!(value, wanted, "batch {batch}, row {row}: {:?}", outcomes[row]);
                assert_eq!(outcomes[row].is_some(), payloads[row] != good);
            }
        }
        let rows = payloads.len();
        assert_eq!(detail(&outcomes[rows - 3]), format!("1 bytes follow the record (byte {})", good.len()));
        assert_eq!(detail(&outcomes[0]), "field n: the bytes end within a number (byte 0)");
        assert_eq!(decoded.unknown_fields.len(), 0);
    }
}

#[test]
fn malformed_bodies_are_bad_payloads_with_their_place() {
    let schema = record(
        r#"{"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"s","type":"string"},
           {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"u","type":["null","long"]},
           {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}},
           {"name":"l","type":{"type":"array","items":"long"}}"#,
    );
    let fields = [
        ("b", Type::Boolean),
        ("i", Type::Int),
        ("s", Type::String),
        ("e", Type::String),
        ("u", Type::Long),
        ("d", decimal(4, 2)),
        ("l", list(Type::Long)),
    ];
    let bool_to = |rest: crate::avro_support::Body| body().raw([1]).raw(rest.0).0;
    let cases = [
        (vec![2], "field b: a boolean is neither 0 nor 1 (byte 0)"),
        (bool_to(body().long(1 << 31)), "field i: an int is over 32 bits (byte 1)"),
        (bool_to(body().raw([0xff; 10])), "field i: a number is over 64 bits (byte 1)"),
        (bool_to(body().raw([0x80; 9]).raw([2])), "field i: a number is over 64 bits (byte 1)"),
        (bool_to(body().long(1).long(-1)), "field s: a length is below zero (byte 2)"),
        (bool_to(body().long(1).long(i64::MAX)), "field s: the bytes end within a value (byte 12)"),
        (bool_to(body().long(1).bytes([b'a', 0xff])), "field s: a string has bytes that are not UTF-8 (byte 4)"),
        (bool_to(body().long(1).bytes("").long(2)), "field e: an enum has no such symbol (byte 3)"),
        (bool_to(body().long(1).bytes("").long(-1)), "field e: an enum has no such symbol (byte 3)"),
        (bool_to(body().long(1).bytes("").long(0).long(2)), "field u: a union has no such branch (byte 4)"),
        (bool_to(body().long(1).bytes("").long(0).long(0).bytes("")), "field d: a decimal has no bytes (byte 5)"),
        (
            bool_to(body().long(1).bytes("").long(0).long(0).bytes([1]).long(i64::MIN).long(0)),
            "field l: it unfolds to far more than its own length (byte 18)",
        ),
    ];
    // Whether or not anybody wants the field.
    for fields in [&fields[..], &[]] {
        let mut decoder = decoder(&in_file(&schema), fields);
        for (bytes, wanted) in &cases {
            let outcome = decoder.append(&payload(bytes)).expect("the source is fine");
            let detail = detail(&outcome);
            if !fields.is_empty() {
                assert_eq!(detail, *wanted);
            } else {
                assert_eq!(format!("field {}: {detail}", &wanted[6..7]), *wanted);
            }
        }
    }
}

#[test]
fn ids_that_interleave_cut_no_batch_and_evolution_needs_no_care() {
    let versions = [
        record(r#"{"name":"id","type":"string"},{"name":"price","type":"int"}"#),
        record(
            r#"{"name":"price","type":"long"},{"name":"id","type":"string"},{"name":"note","type":["null","string"],"default":null}"#,
        ),
        record(
            r#"{"name":"id","type":{"type":"enum","name":"E","symbols":["x","y"]}},
               {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":1}},
               {"name":"venue","type":["string","null"]}"#,
        ),
    ];
    let stub = Stub::of_schemas(&[(1, &versions[0]), (2, &versions[1]), (70_000, &versions[2])]);
    let mut decoder = decoder(&at(&stub), &[("id", Type::String), ("price", decimal(20, 2)), ("note", Type::String)]);
    let first = framed(1, &body().bytes("a").long(7));
    let second = framed(2, &body().long(-8).bytes("b").long(1).bytes("n"));
    let third = framed(70_000, &body().long(1).bytes([0, 95]).long(1));
    let with_venue = framed(70_000, &body().long(0).bytes([0xff]).long(0).bytes("NYSE"));
    for _ in 0..3 {
        let (outcomes, batch) = decode(&mut decoder, &[&first, &second, &third, &first, &with_venue, &second]);
        assert!(outcomes.iter().all(Option::is_none), "{outcomes:?}");
        assert_eq!(show(&batch.columns[0]), ["\"a\"", "\"b\"", "\"y\"", "\"a\"", "\"x\"", "\"b\""]);
        assert_eq!(show(&batch.columns[1]), ["700", "-800", "950", "700", "-10", "-800"]);
        assert_eq!(show(&batch.columns[2]), ["~", "\"n\"", "~", "~", "~", "\"n\""]);
        assert_eq!(batch.unknown_fields, [("venue".to_owned(), vec![4])].into());
    }
    assert_eq!(stub.asked().len(), 3);
}

#[test]
fn unknown_fields_are_noted_once_per_message_and_only_where_not_null() {
    let schema = record(
        r#"{"name":"a","type":["null","long"]},{"name":"gone","type":"null"},{"name":"dropped","type":"long"},
           {"name":"in","type":{"type":"array","items":{"type":"record","name":"I","fields":[
               {"name":"x","type":"long"},{"name":"y","type":["long","null"]},{"name":"z","type":"long"}]}}}"#,
    );
    let fields = [("in", list(structure(&[("x", Type::Long)])))];
    let mut decoder = dropping(&in_file(&schema), &fields, &["dropped", "in.element.z"]);
    let item = |y: Option<i64>| match y {
        Some(y) => body().long(1).long(0).long(y).long(9).0,
        None => body().long(1).long(1).long(9).0,
    };
    let two = |y| body().long(2).raw(item(y)).raw(item(y)).long(0).0;
    let payloads = [
        body().long(0).long(5).raw(two(None)).0,
        body().long(1).long(1).long(5).raw(two(Some(3))).0,
        body().long(1).long(1).long(5).raw(two(None)).0,
        // Undecodable: what it has is not counted.
        body().long(1).long(1).long(5).raw(two(Some(3))).raw([0]).0,
    ];
    let borrowed: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let (outcomes, batch) = decode(&mut decoder, &borrowed);
    assert_eq!(outcomes.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true]);
    assert_eq!(batch.unknown_fields, [("a".to_owned(), vec![1, 2]), ("in.element.y".to_owned(), vec![1])].into());
    assert_eq!(decode(&mut decoder, &[]).1.unknown_fields.len(), 0, "rows are the batch's");
}

#[test]
fn what_was_noted_of_a_bad_payload_is_forgotten() {
    let schema = record(
        r#"{"name":"d","type":"string"},{"name":"r","type":"string"},{"name":"m","type":{"type":"map","values":"long"}},
           {"name":"u","type":"long"}"#,
    );
    let fields = [("d", decimal(9, 2)), ("r", Type::Double), ("m", map(Type::String, Type::Long))];
    let mut decoder = decoder(&in_file(&schema), &fields);
    let noted = body()
        .bytes("1.234")
        .bytes("0.12345678901234567")
        .long(2)
        .bytes("k")
        .long(1)
        .bytes("k")
        .long(2)
        .long(0)
        .long(7)
        .0;
    let clean = body().bytes("1.23").bytes("0.5").long(0).long(7).0;
    let spoilt = [&noted[..], &[0]].concat();
    let (outcomes, batch) = decode(&mut decoder, &[&spoilt, &clean, &spoilt, &noted, &spoilt, &clean]);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_some()).count(), 3);
    assert_eq!(batch.inexact, [(3, 0, "1.234".to_owned())]);
    assert_eq!(batch.rounded_to_double, [("r".to_owned(), 1)].into());
    assert_eq!(batch.duplicate_keys, 1);
    assert_eq!(batch.unknown_fields, [("u".to_owned(), vec![1, 3, 5])].into());
    assert_eq!(show(&batch.columns[0]), ["~", "123", "~", "~", "~", "123"]);
    let (_, batch) = decode(&mut decoder, &[&clean]);
    assert!(batch.inexact.is_empty() && batch.rounded_to_double.is_empty() && batch.duplicate_keys == 0);
}

#[test]
fn a_field_wanted_twice_makes_no_decoder() {
    let wanted = vec![WantedField::any("a"), WantedField::typed("a", FieldType::Epoch(EpochUnit::Second))];
    let made = AvroDecoder::new(wanted, BTreeSet::new(), in_file(&record("")));
    assert!(matches!(made, Err(DecoderError::FieldTwice { field }) if field == "a"));
}

#[test]
fn a_registry_that_forgets_nothing_is_asked_once_by_all_decoders() {
    let stub = Stub::start(|_, _| Answer::Body(200, registered(&record(LONG_AND_TEXT))));
    let schemas = at(&stub);
    let message = framed(5, &body().long(1).bytes("a"));
    for _ in 0..3 {
        let mut decoder = decoder(&schemas, &[("s", Type::String)]);
        decode_one(&mut decoder, &message);
        assert_eq!(show(&decoder.finish().columns[0]), ["\"a\""]);
    }
    assert_eq!(stub.asked().len(), 1);
}

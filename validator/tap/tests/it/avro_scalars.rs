//! Single values: every writer's type into every column's type.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::Array;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use validator_core::contract::{EpochUnit, FieldType};
use validator_core::convert::{convert, convertible};
use validator_core::schema::Type;
use validator_tap::{AvroDecoder, Decoder, Schemas, WantedField, avro_fields};

use crate::avro_support::{Body, body, decoder, in_file, record};
use crate::support::{decode, payload, show};

fn decimal(precision: u8, scale: u8) -> Type {
    Type::Decimal { precision, scale }
}

/// Every type of a single value, with a maker of bodies.
type Writer = (&'static str, fn(&mut SmallRng) -> Body);

fn some_long(rng: &mut SmallRng) -> i64 {
    let wide = rng.random::<i64>() >> rng.random_range(0..63);
    // Round ones, so that units and scales can be left.
    if rng.random() { wide / 1_000_000_000 * 1_000_000_000 } else { wide }
}

fn some_text(rng: &mut SmallRng) -> String {
    let texts = [
        "",
        "x",
        "1.5",
        "-12.345678901",
        "1e3",
        "99999999999999999999",
        "0.1234567890123456789",
        "1e400",
        "NaN",
        "2024-02-29",
        "2023-02-29",
        "12:30:45.123456",
        "12:30:45.1234567",
        "2024-08-08T12:30:45.123456Z",
        "2024-08-08 12:30:45.123456789+05:30",
        "2024-08-08T12:30:45",
        "00000000-0000-0000-0000-00000000000f",
    ];
    texts[rng.random_range(0..texts.len())].to_owned()
}

fn unscaled(rng: &mut SmallRng, width: usize) -> Vec<u8> {
    let wide = i128::from(some_long(rng)).to_be_bytes();
    wide[16 - width..].to_vec()
}

const WRITERS: [Writer; 20] = [
    (r#""boolean""#, |rng| body().raw([u8::from(rng.random::<bool>())])),
    (r#""int""#, |rng| body().long(i64::from(some_long(rng) as i32))),
    (r#""long""#, |rng| body().long(some_long(rng))),
    (r#""float""#, |rng| {
        let few = [0.1, -0.0, f32::NAN, f32::INFINITY, 1.5, f32::MAX];
        body().raw(few[rng.random_range(0..few.len())].to_le_bytes())
    }),
    (r#""double""#, |rng| {
        let few = [0.1, -0.0, f64::NAN, f64::NEG_INFINITY, 1.5, f64::MAX, f64::from(0.1_f32)];
        body().raw(few[rng.random_range(0..few.len())].to_le_bytes())
    }),
    (r#""bytes""#, |rng| body().bytes(&rng.random::<[u8; 8]>()[..rng.random_range(0..8)])),
    (r#""string""#, |rng| body().bytes(some_text(rng))),
    (r#"{"type":"string","logicalType":"uuid"}"#, |rng| body().bytes(some_text(rng))),
    (r#"{"type":"fixed","name":"F","size":4}"#, |rng| body().raw(rng.random::<[u8; 4]>())),
    (r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#, |rng| body().raw(rng.random::<[u8; 16]>())),
    (r#"{"type":"enum","name":"E","symbols":["A","B2"]}"#, |rng| body().long(rng.random_range(0..2))),
    (r#"{"type":"bytes","logicalType":"decimal","precision":20,"scale":3}"#, |rng| {
        let width = rng.random_range(8..=16);
        body().bytes(unscaled(rng, width))
    }),
    (r#"{"type":"fixed","name":"D","size":12,"logicalType":"decimal","precision":28,"scale":9}"#, |rng| {
        body().raw(unscaled(rng, 12))
    }),
    (r#"{"type":"int","logicalType":"date"}"#, |rng| body().long(rng.random_range(-800_000..3_000_000))),
    (r#"{"type":"int","logicalType":"time-millis"}"#, |rng| body().long(rng.random_range(0..86_400_000))),
    (r#"{"type":"long","logicalType":"time-micros"}"#, |rng| body().long(rng.random_range(0..86_400_000_000))),
    (r#"{"type":"long","logicalType":"timestamp-millis"}"#, |rng| body().long(some_long(rng) >> 11)),
    (r#"{"type":"long","logicalType":"timestamp-micros"}"#, |rng| body().long(some_long(rng))),
    (r#"{"type":"long","logicalType":"timestamp-nanos"}"#, |rng| body().long(some_long(rng))),
    (r#"{"type":"long","logicalType":"local-timestamp-micros"}"#, |rng| body().long(some_long(rng))),
];

fn targets() -> Vec<Type> {
    vec![
        Type::Boolean,
        Type::Int,
        Type::Long,
        Type::Float,
        Type::Double,
        decimal(9, 2),
        decimal(38, 0),
        decimal(38, 12),
        Type::Date,
        Type::Time,
        Type::Timestamp,
        Type::Timestamptz,
        Type::TimestampNs,
        Type::TimestamptzNs,
        Type::String,
        Type::Uuid,
        Type::Fixed(4),
        Type::Fixed(16),
        Type::Binary,
    ]
}

fn type_of(schemas: &Arc<Schemas>) -> Type {
    let fields = avro_fields(schemas, &[], &[]).expect("a file").fields;
    fields.into_iter().next().expect("one field").1
}

/// What lies beneath a logical type may be asked for by declaring it.
fn beneath(writer: &str, to: &Type) -> bool {
    let base = match to {
        Type::Int => writer.contains(r#""int""#),
        Type::Long => writer.contains(r#""long""#) || writer.contains(r#""int""#),
        Type::Binary => writer.contains(r#""bytes""#),
        Type::Fixed(16) => writer.contains(r#""size":16"#),
        _ => false,
    };
    base && writer.contains("logicalType")
}

#[test]
fn values_become_what_the_exact_conversion_of_their_column_makes_of_them() {
    let mut rng = SmallRng::seed_from_u64(0x5ca1a5);
    let (mut exact, mut marked, mut refused) = (0, 0, 0);
    for (writer, make) in WRITERS {
        let schemas = in_file(&record(&format!(r#"{{"name":"f","type":["null",{writer}]}}"#)));
        let from = type_of(&schemas);
        let mut payloads: Vec<Vec<u8>> = (0..40).map(|_| body().long(1).raw(make(&mut rng).0).0).collect();
        payloads.push(body().long(0).0);
        let borrowed: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let (outcomes, plain) = decode(&mut decoder(&schemas, &[("f", from.clone())]), &borrowed);
        assert!(outcomes.iter().all(Option::is_none), "{writer}: {outcomes:?}");
        let overlong: BTreeSet<usize> = plain.inexact.iter().map(|(row, ..)| *row).collect();
        for to in targets() {
            if beneath(writer, &to) {
                continue;
            }
            let (outcomes, direct) = decode(&mut decoder(&schemas, &[("f", to.clone())]), &borrowed);
            let converted = convert(&plain.columns[0], &from, &to);
            if convertible(&from, &to).is_err() {
                assert!(outcomes[..40].iter().all(Option::is_some) && outcomes[40].is_none(), "{writer} into {to}");
                refused += 1;
                continue;
            }
            let failed: BTreeSet<usize> = converted.failed.iter().map(|(row, _)| *row).collect();
            let told: Vec<_> = converted.inexact.iter().map(|(row, text)| (*row, 0, text.clone())).collect();
            let noted: Vec<_> = direct.inexact.iter().filter(|(row, ..)| !overlong.contains(row)).cloned().collect();
            assert_eq!(noted, told, "{writer} into {to}");
            for (row, outcome) in outcomes.iter().enumerate() {
                assert_eq!(outcome.is_some(), failed.contains(&row), "{writer} into {to}: {outcome:?}");
            }
            for (row, (a, b)) in show(&direct.columns[0]).iter().zip(show(&converted.array)).enumerate() {
                assert!(*a == b || overlong.contains(&row), "{writer} into {to}, row {row}: {a} and {b}");
            }
            let rounded = direct.rounded_to_double.get("f").copied().unwrap_or(0);
            assert!(rounded == converted.rounded_to_double || !overlong.is_empty(), "{writer} into {to}");
            exact += direct.columns[0].len() - direct.columns[0].null_count();
            marked += direct.inexact.len();
        }
    }
    assert!(exact > 1_000 && marked > 100 && refused > 100, "{exact} {marked} {refused}");
}

/// Decodes one value of a type into a column: what is shown, or `~` and the mark, or `!` and the reason.
fn one(writer: &str, bytes: Body, to: FieldType) -> String {
    let schemas = in_file(&record(&format!(r#"{{"name":"f","type":{writer}}}"#)));
    let wanted = vec![WantedField::typed("f", to)];
    let mut decoder = AvroDecoder::new(wanted, BTreeSet::new(), schemas).expect("a field");
    let outcome = decoder.append(&payload(&bytes.0)).expect("the source is fine");
    let batch = decoder.finish();
    match (outcome, batch.inexact.first()) {
        (Some(undecodable), _) => format!("!{}", undecodable.detail),
        (None, Some((0, 0, text))) => format!("~{text}"),
        _ => show(&batch.columns[0]).remove(0),
    }
}

#[test]
fn numbers_of_units_since_the_epoch_are_the_instants_they_are_declared_to_be() {
    use EpochUnit::*;
    let long = |unit, value| one(r#""long""#, body().long(value), FieldType::Epoch(unit));
    assert_eq!(long(Second, 1_700_000_000), "1700000000000000");
    assert_eq!(long(Millisecond, -1), "-1000");
    assert_eq!(long(Microsecond, 7), "7");
    assert_eq!(long(Nanosecond, 7), "7");
    assert_eq!(long(Second, i64::MAX), "~9223372036854775807");
    let misplaced = record(r#"{"name":"f","type":"long","logicalType":"timestamp-micros"}"#);
    assert_eq!(type_of(&in_file(&misplaced)), Type::Long);
    let decimals = r#"{"type":"bytes","logicalType":"decimal","precision":20,"scale":7}"#;
    let decimal = |unscaled: i64| one(decimals, body().bytes(unscaled.to_be_bytes()), FieldType::Epoch(Second));
    assert_eq!(decimal(15_000_010), "1500001");
    assert_eq!(decimal(15_000_001), "~1.5000001");
    let millis = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    assert_eq!(one(millis, body().long(5), FieldType::Epoch(Second)), "5000", "an instant is the one it is");
    let refused = one(r#""string""#, body().bytes("5"), FieldType::Epoch(Second));
    assert_eq!(refused, "!field f: string counts no units since the epoch (byte 0)");
}

#[test]
fn a_declared_base_type_takes_the_number_beneath_its_logical_type() {
    let plain = |writer, bytes, to| one(writer, bytes, FieldType::Plain(to));
    assert_eq!(plain(r#"{"type":"long","logicalType":"timestamp-millis"}"#, body().long(5), Type::Long), "5");
    assert_eq!(plain(r#"{"type":"int","logicalType":"date"}"#, body().long(5), Type::Int), "5");
    assert_eq!(plain(r#"{"type":"int","logicalType":"date"}"#, body().long(5), Type::Long), "5");
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#;
    assert_eq!(plain(decimal, body().bytes([0, 5]), Type::Binary), "0x0005");
    let uuid = r#"{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}"#;
    assert_eq!(plain(uuid, body().raw([7; 16]), Type::Fixed(16)), format!("0x{}", "07".repeat(16)));
    let refused = plain(r#"{"type":"long","logicalType":"time-micros"}"#, body().long(5), Type::Int);
    assert!(refused.starts_with("!field f: time does not become int by itself"), "{refused}");
}

#[test]
fn decimals_of_any_width_are_exact_or_shown_in_full() {
    let bytes = |scale: u32| format!(r#"{{"type":"bytes","logicalType":"decimal","precision":100,"scale":{scale}}}"#);
    let run = |scale, bytes_of: &[u8], to| one(&bytes(scale), body().bytes(bytes_of), FieldType::Plain(to));
    assert_eq!(run(0, &[0x80], decimal(3, 0)), "-128");
    assert_eq!(run(0, &[0xff, 0x7f], decimal(3, 0)), "-129");
    assert_eq!(run(2, &[0; 40], decimal(1, 0)), "0");
    assert_eq!(run(2, &[&[0xff; 30][..], &[0x85]].concat(), decimal(9, 2)), "-123");
    assert_eq!(run(2, &[&[0xff; 30][..], &[0x85]].concat(), decimal(9, 1)), "~-1.23");
    assert_eq!(run(40, &[0], decimal(38, 38)), "0");
    assert_eq!(run(40, &[100], decimal(38, 38)), "1");
    assert_eq!(run(40, &[10], decimal(38, 38)), format!("~0.{}1", "0".repeat(38)));
    // 2^127 and -2^127
    let top = [&[0, 0x80][..], &[0; 15]].concat();
    assert_eq!(run(0, &top, decimal(38, 0)), "~170141183460469231731687303715884105728");
    assert_eq!(run(30, &top, decimal(38, 0)), "~170141183.460469231731687303715884105728");
    assert_eq!(run(0, &top[1..], decimal(38, 0)), "~-170141183460469231731687303715884105728");
    // 2^128 - 5, whose last 16 bytes alone are -5
    let turned = [&[0][..], &[0xff; 15], &[0xfb]].concat();
    assert_eq!(run(0, &turned, decimal(38, 0)), "~340282366920938463463374607431768211451");
    assert_eq!(run(0, &turned[1..], decimal(38, 0)), "-5");
    // 2^200 and a double next to it
    let large = [&[1][..], &[0; 25]].concat();
    assert_eq!(run(0, &large, decimal(38, 0)), "~1606938044258990275541962092341162602522202993782792835301376");
    assert_eq!(run(0, &large, Type::Double), format!("{:?}", 2_f64.powi(200)));
    assert_eq!(run(0, &[1; 2_000], decimal(38, 0)), "~(a decimal of 2000 bytes and scale 0)");
    let fixed = r#"{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":4,"scale":2}"#;
    assert_eq!(one(fixed, body().raw([0xff, 0x9c]), FieldType::Plain(decimal(4, 2))), "-100");
    assert_eq!(one(fixed, body().raw([0x7f, 0xff]), FieldType::Plain(decimal(4, 2))), "~327.67");
}

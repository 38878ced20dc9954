//! Avro against a second decoder: random schemas and values, and the same payloads with bits turned.

use std::collections::HashMap;

use apache_avro::types::Value as Avro;
use apache_avro::{Decimal, Schema};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use validator_core::schema::{Field, Type};
use validator_core::value::Value;
use validator_tap::{Decoder, avro_fields};

use crate::avro_support::{decoder, in_file};
use crate::support::{decode, payload};

/// The seeds of a test: the `count` from `VALIDATOR_SEED` on, or from 0.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let given = std::env::var("VALIDATOR_SEED").ok();
    let first = given.map_or(0, |text| text.parse().expect("VALIDATOR_SEED is a number"));
    first..first + count
}

/// A random schema and how values of it are made. Left out is what the second decoder gets wrong: uuids in a fixed, and
/// named types with a logical type that are referred to.
struct World {
    rng: SmallRng,
    names: u32,
    /// The second decoder knows uuids by their value only, and not as text.
    uuids: bool,
}

impl World {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("T{}", self.names)
    }

    fn scalar(&mut self) -> serde_json::Value {
        let all = [
            r#""boolean""#,
            r#""int""#,
            r#""long""#,
            r#""float""#,
            r#""double""#,
            r#""bytes""#,
            r#""string""#,
            r#"{"type":"fixed","name":"$","size":5}"#,
            r#"{"type":"enum","name":"$","symbols":["A","BB","C_C"]}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":30,"scale":8}"#,
            r#"{"type":"fixed","name":"$","size":9,"logicalType":"decimal","precision":20,"scale":2}"#,
            r#"{"type":"string","logicalType":"uuid"}"#,
            r#"{"type":"int","logicalType":"date"}"#,
            r#"{"type":"int","logicalType":"time-millis"}"#,
            r#"{"type":"long","logicalType":"time-micros"}"#,
            r#"{"type":"long","logicalType":"timestamp-millis"}"#,
            r#"{"type":"long","logicalType":"timestamp-micros"}"#,
            r#"{"type":"long","logicalType":"timestamp-nanos"}"#,
            r#"{"type":"long","logicalType":"local-timestamp-millis"}"#,
            r#"{"type":"long","logicalType":"local-timestamp-micros"}"#,
            r#"{"type":"long","logicalType":"local-timestamp-nanos"}"#,
        ];
        let mut text = all[self.rng.random_range(0..all.len())];
        if text.contains("uuid") && !self.uuids {
            text = all[0];
        }
        serde_json::from_str(&text.replace('$', &self.name())).expect("JSON")
    }

    fn ty(&mut self, depth: usize) -> serde_json::Value {
        match self.rng.random_range(0..if depth == 0 { 6 } else { 10 }) {
            0..4 => self.scalar(),
            4 | 5 => {
                let inner = if depth == 0 { self.scalar() } else { self.plain(depth - 1) };
                let null = serde_json::json!("null");
                serde_json::Value::Array(if self.rng.random() { vec![null, inner] } else { vec![inner, null] })
            }
            6 => serde_json::json!(["null", "long", "string", {"type": "array", "items": self.plain(0)}]),
            _ => self.plain(depth),
        }
    }

    /// A type that is no union.
    fn plain(&mut self, depth: usize) -> serde_json::Value {
        match self.rng.random_range(0..if depth == 0 { 1 } else { 4 }) {
            0 => self.scalar(),
            1 => serde_json::json!({"type": "array", "items": self.ty(depth - 1)}),
            2 => serde_json::json!({"type": "map", "values": self.ty(depth - 1)}),
            _ => self.record(depth - 1, 4),
        }
    }

    fn record(&mut self, depth: usize, most: usize) -> serde_json::Value {
        let name = self.name();
        let count = self.rng.random_range(0..=most);
        let fields: Vec<_> =
            (0..count).map(|i| serde_json::json!({"name": format!("f{i}"), "type": self.ty(depth)})).collect();
        serde_json::json!({"type": "record", "name": name, "fields": fields})
    }

    fn long(&mut self) -> i64 {
        self.rng.random::<i64>() >> self.rng.random_range(0..63)
    }

    fn text(&mut self) -> String {
        const LETTERS: [&str; 6] = ["a", "Z", "é", "€", "😀", "\0"];
        (0..self.rng.random_range(0..70)).map(|_| LETTERS[self.rng.random_range(0..LETTERS.len())]).collect()
    }

    fn value(&mut self, schema: &Schema) -> Avro {
        let few = self.rng.random_range(0..4_usize);
        match schema {
            Schema::Null => Avro::Null,
            Schema::Boolean => Avro::Boolean(self.rng.random()),
            Schema::Int => Avro::Int(self.long() as i32),
            Schema::Long => Avro::Long(self.long()),
            Schema::Float => Avro::Float(f32::from_bits(self.rng.random())),
            Schema::Double => Avro::Double(f64::from_bits(self.rng.random())),
            Schema::Bytes => Avro::Bytes((0..few * 40).map(|_| self.rng.random()).collect()),
            Schema::String => Avro::String(self.text()),
            Schema::Fixed(fixed) => Avro::Fixed(fixed.size, (0..fixed.size).map(|_| self.rng.random()).collect()),
            Schema::Enum(of) => {
                let index = self.rng.random_range(0..of.symbols.len());
                Avro::Enum(index as u32, of.symbols[index].clone())
            }
            Schema::Decimal(_) => Avro::Decimal(Decimal::from(self.long().to_be_bytes())),
            Schema::Uuid => {
                let text = format!("{:032x}", self.rng.random::<u128>());
                let dashed = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-");
                // The second library writes a uuid as this text.
                Avro::String(dashed)
            }
            Schema::Date => Avro::Date(self.long() as i32),
            Schema::TimeMillis => Avro::TimeMillis(self.rng.random_range(0..86_400_000)),
            Schema::TimeMicros => Avro::TimeMicros(self.rng.random_range(0..86_400_000_000)),
            Schema::TimestampMillis => Avro::TimestampMillis(self.long() >> 12),
            Schema::TimestampMicros => Avro::TimestampMicros(self.long()),
            Schema::TimestampNanos => Avro::TimestampNanos(self.long()),
            Schema::LocalTimestampMillis => Avro::LocalTimestampMillis(self.long() >> 12),
            Schema::LocalTimestampMicros => Avro::LocalTimestampMicros(self.long()),
            Schema::LocalTimestampNanos => Avro::LocalTimestampNanos(self.long()),
            Schema::Array(array) => Avro::Array((0..few).map(|_| self.value(&array.items)).collect()),
            Schema::Map(map) => {
                Avro::Map((0..few).map(|_| (self.text(), self.value(&map.types))).collect::<HashMap<_, _>>())
            }
            Schema::Union(union) => {
                let branch = self.rng.random_range(0..union.variants().len());
                Avro::Union(branch as u32, Box::new(self.value(&union.variants()[branch])))
            }
            Schema::Record(record) => {
                Avro::Record(record.fields.iter().map(|f| (f.name.clone(), self.value(&f.schema))).collect())
            }
            other => panic!("no such schema is made: {other:?}"),
        }
    }
}

/// What a column of that type should hold, said anew.
fn wanted(value: &Avro, ty: &Type) -> Value {
    match (value, ty) {
        (Avro::Union(_, inner), _) => wanted(inner, ty),
        (Avro::Null, _) => Value::Null,
        (Avro::Boolean(v), Type::Boolean) => Value::Boolean(*v),
        (Avro::Int(v), Type::Int) => Value::integer(i64::from(*v)),
        (Avro::Long(v), Type::Long) => Value::integer(*v),
        (Avro::Float(v), Type::Float) => Value::Float(*v),
        (Avro::Double(v), Type::Double) => Value::Double(*v),
        (Avro::Bytes(v), Type::Binary) | (Avro::Fixed(_, v), Type::Fixed(_)) => Value::Bytes(v.clone()),
        (Avro::String(v), Type::String) | (Avro::Enum(_, v), Type::String) => Value::string(v.clone()),
        (Avro::Uuid(v), Type::String) => Value::string(v.to_string()),
        (Avro::Decimal(v), Type::Decimal { scale, .. }) => {
            let bytes: Vec<u8> = v.try_into().expect("a decimal has bytes");
            let first = if bytes[0] >= 0x80 { -1_i128 } else { 0 };
            Value::decimal(bytes.iter().fold(first, |n, b| n << 8 | i128::from(*b)), *scale)
        }
        (Avro::Date(v), Type::Date) => Value::Date(*v),
        (Avro::TimeMillis(v), Type::Time) => Value::Time(i64::from(*v) * 1_000),
        (Avro::TimeMicros(v), Type::Time) => Value::Time(*v),
        (Avro::TimestampMillis(v), Type::Timestamptz) => Value::timestamp_micros(v * 1_000, true),
        (Avro::TimestampMicros(v), Type::Timestamptz) => Value::timestamp_micros(*v, true),
        (Avro::TimestampNanos(v), Type::TimestamptzNs) => Value::timestamp_nanos(*v, true),
        (Avro::LocalTimestampMillis(v), Type::Timestamp) => Value::timestamp_micros(v * 1_000, false),
        (Avro::LocalTimestampMicros(v), Type::Timestamp) => Value::timestamp_micros(*v, false),
        (Avro::LocalTimestampNanos(v), Type::TimestampNs) => Value::timestamp_nanos(*v, false),
        (Avro::Array(items), Type::List(element)) => {
            Value::List(items.iter().map(|item| wanted(item, &element.ty)).collect())
        }
        (Avro::Map(entries), Type::Map { value, .. }) => {
            Value::Map(entries.iter().map(|(k, v)| (Value::string(k.clone()), wanted(v, &value.ty))).collect())
        }
        (Avro::Record(values), Type::Struct(fields)) => {
            Value::Struct(fields.iter().map(|f| of_field(values, f)).collect())
        }
        (value, ty) => panic!("{value:?} is no {ty}"),
    }
}

fn of_field(values: &[(String, Avro)], field: &Field) -> (String, Value) {
    let value = values.iter().find(|(name, _)| *name == field.name).expect("a field of the schema");
    (field.name.clone(), wanted(&value.1, &field.ty))
}

/// One world: a schema, its fields, and payloads with what each holds.
struct Case {
    schema: Schema,
    text: String,
    payloads: Vec<Vec<u8>>,
    values: Vec<Avro>,
}

fn case(world: &mut World) -> Case {
    let text = world.record(3, 10).to_string();
    let schema = Schema::parse_str(&text).expect("a schema of the specification");
    let mut values = Vec::new();
    let mut payloads = Vec::new();
    for _ in 0..20 {
        let value = world.value(&schema);
        payloads.push(apache_avro::to_avro_datum(&schema, value).expect("a value of the schema"));
        let read = apache_avro::from_avro_datum(&schema, &mut payloads[payloads.len() - 1].as_slice(), None);
        values.push(read.expect("what was just written"));
    }
    Case { schema, text, payloads, values }
}

fn top(value: &Avro) -> &[(String, Avro)] {
    let Avro::Record(values) = value else { panic!("a record") };
    values
}

#[test]
fn random_records_decode_as_a_second_decoder_says() {
    let mut compared = 0;
    for seed in seeds(400) {
        let mut world = World { rng: SmallRng::seed_from_u64(seed), names: 0, uuids: true };
        let case = case(&mut world);
        let schemas = in_file(&case.text);
        let mut fields = avro_fields(&schemas, &[], &[]).expect("a file").fields;
        // Some are not wanted.
        fields.retain(|_| world.rng.random_bool(0.85));
        let named: Vec<(&str, Type)> = fields.iter().map(|(name, ty)| (name.as_str(), ty.clone())).collect();
        let mut decoder = decoder(&schemas, &named);
        for part in case.payloads.chunks(7).zip(case.values.chunks(7)) {
            let borrowed: Vec<&[u8]> = part.0.iter().map(Vec::as_slice).collect();
            let (outcomes, batch) = decode(&mut decoder, &borrowed);
            assert!(outcomes.iter().all(Option::is_none), "seed {seed}: {outcomes:?}\n{}", case.text);
            assert_eq!(batch.inexact.len(), 0, "seed {seed}");
            for (column, field) in batch.columns.iter().zip(decoder.fields()) {
                for (row, value) in part.1.iter().enumerate() {
                    let got = Value::from_arrow(column, row, &field.ty);
                    let (_, wanted) = of_field(top(value), field);
                    assert_eq!(got, wanted, "seed {seed}, field {}, row {row}\n{}", field.name, case.text);
                    compared += 1;
                }
            }
            let held =
                |value: &Avro| !matches!(value, Avro::Null) && !matches!(value, Avro::Union(_, v) if **v == Avro::Null);
            for (name, rows) in batch.unknown_fields.iter().filter(|(name, _)| !name.contains('.')) {
                let there = part.1.iter().filter(|v| top(v).iter().any(|(n, v)| n == name && held(v))).count();
                assert_eq!(there, rows.len(), "seed {seed}, field {name}");
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn cut_and_changed_payloads_are_bad_or_mean_what_a_second_decoder_says_and_harm_no_neighbour() {
    let (mut bad, mut meant) = (0, 0);
    for seed in seeds(150) {
        let mut world = World { rng: SmallRng::seed_from_u64(seed), names: 0, uuids: false };
        let case = case(&mut world);
        let schemas = in_file(&case.text);
        let fields = avro_fields(&schemas, &[], &[]).expect("a file").fields;
        let named: Vec<(&str, Type)> = fields.iter().map(|(name, ty)| (name.as_str(), ty.clone())).collect();
        let mut decoder = decoder(&schemas, &named);
        let mut rows: Vec<Option<Avro>> = Vec::new();
        for (good, value) in case.payloads.iter().zip(&case.values) {
            if good.is_empty() {
                continue;
            }
            assert_eq!(decoder.append(&payload(good)).expect("the source is fine"), None, "seed {seed}");
            rows.push(Some(value.clone()));
            let cut = &good[..world.rng.random_range(0..good.len())];
            let outcome = decoder.append(&payload(cut)).expect("the source is fine");
            assert!(outcome.is_some(), "seed {seed}: {cut:?} of {good:?}\n{}", case.text);
            rows.push(None);
            let mut turned = good.clone();
            for _ in 0..world.rng.random_range(1..4) {
                let at = world.rng.random_range(0..turned.len());
                turned[at] ^= 1 << world.rng.random_range(0..8);
            }
            match decoder.append(&payload(&turned)).expect("the source is fine") {
                Some(_) => {
                    bad += 1;
                    rows.push(None);
                }
                None => {
                    let mut rest = turned.as_slice();
                    let read = apache_avro::from_avro_datum(&case.schema, &mut rest, None);
                    let value = read.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", case.text));
                    assert!(rest.is_empty(), "seed {seed}: bytes are left of {turned:?}\n{}", case.text);
                    meant += 1;
                    rows.push(Some(value));
                }
            }
        }
        let batch = decoder.finish();
        assert_eq!(batch.rows, rows.len());
        for (index, (column, field)) in batch.columns.iter().zip(decoder.fields()).enumerate() {
            for (row, value) in rows.iter().enumerate() {
                let marked = batch.inexact.iter().any(|(r, c, _)| *r == row && *c == index);
                let Some(value) = value.as_ref().filter(|_| !marked) else { continue };
                let (_, wanted) = of_field(top(value), field);
                let got = Value::from_arrow(column, row, &field.ty);
                assert!(got == wanted, "seed {seed}, row {row}, field {}: {got} is not {wanted}", field.name);
            }
        }
    }
    assert!(bad > 500 && meant > 500, "{bad} {meant}");
}

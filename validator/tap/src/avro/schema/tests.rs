//! Schemas, also those that the apache-avro crate reads otherwise.

use validator_core::schema::Type;

use super::*;

fn field_types(text: &str) -> Vec<String> {
    let schema = AvroSchema::parse(text).expect("a schema");
    let Kind::Record(fields) = schema.kind(schema.root()) else { panic!("a record") };
    let shown = |(name, node): &(Box<str>, NodeId)| match schema.node(*node).scalar_type() {
        Some(ty) => format!("{name}: {ty}"),
        None => format!("{name}: ({})", schema.node(*node).name()),
    };
    fields.iter().map(shown).collect()
}

fn error(text: &str) -> String {
    AvroSchema::parse(text).expect_err("no schema").to_string()
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"n.R","fields":[{fields}]}}"#)
}

#[test]
fn a_logical_type_beside_the_type_of_a_field_is_ignored() {
    let text = record(
        r#"{"name":"beside","type":"long","logicalType":"timestamp-millis"},
           {"name":"inside","type":{"type":"long","logicalType":"timestamp-millis"}},
           {"name":"outside","type":{"type":"long"},"logicalType":"timestamp-millis"},
           {"name":"union","type":["null","long"],"logicalType":"timestamp-millis"}"#,
    );
    assert_eq!(field_types(&text), ["beside: long", "inside: timestamptz", "outside: long", "union: (union)"]);
}

#[test]
fn a_named_decimal_is_one_wherever_it_is_referred_to() {
    let text = record(
        r#"{"name":"price","type":{"type":"fixed","name":"Money","size":8,"logicalType":"decimal","precision":18,"scale":8}},
           {"name":"fee","type":"Money"},
           {"name":"tax","type":"n.Money"}"#,
    );
    assert_eq!(field_types(&text), ["price: decimal(18, 8)", "fee: decimal(18, 8)", "tax: decimal(18, 8)"]);
}

#[test]
fn a_uuid_in_a_fixed_is_sixteen_bytes_and_in_a_string_text() {
    let text = record(
        r#"{"name":"a","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},
           {"name":"b","type":{"type":"string","logicalType":"uuid"}},
           {"name":"c","type":{"type":"fixed","name":"V","size":15,"logicalType":"uuid"}},
           {"name":"d","type":{"type":"fixed","name":"D","size":12,"logicalType":"duration"}}"#,
    );
    assert_eq!(field_types(&text), ["a: uuid", "b: string", "c: fixed(15)", "d: fixed(12)"]);
}

#[test]
fn logical_types_that_do_not_fit_are_ignored() {
    for (inside, wanted) in [
        (r#""type":"bytes","logicalType":"decimal","precision":9,"scale":2"#, "decimal(9, 2)"),
        (r#""type":"bytes","logicalType":"decimal","precision":9"#, "decimal(9, 0)"),
        (r#""type":"bytes","logicalType":"decimal","precision":64,"scale":20"#, "decimal(38, 20)"),
        (r#""type":"bytes","logicalType":"decimal","precision":2,"scale":3"#, "binary"),
        (r#""type":"bytes","logicalType":"decimal","precision":0"#, "binary"),
        (r#""type":"bytes","logicalType":"decimal","precision":9,"scale":-1"#, "binary"),
        (r#""type":"bytes","logicalType":"decimal","scale":2"#, "binary"),
        (r#""type":"string","logicalType":"decimal","precision":9"#, "string"),
        (r#""type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":9"#, "decimal(9, 0)"),
        (r#""type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":10"#, "fixed(4)"),
        (r#""type":"fixed","name":"F","size":16,"logicalType":"decimal","precision":38,"scale":38"#, "decimal(38, 38)"),
        (r#""type":"long","logicalType":"date""#, "long"),
        (r#""type":"int","logicalType":"timestamp-millis""#, "int"),
        (r#""type":"long","logicalType":"something-new""#, "long"),
        (r#""type":"long","logicalType":7"#, "long"),
        (r#""type":"bytes","logicalType":"big-decimal""#, "binary"),
        (r#""type":"int","logicalType":"date""#, "date"),
        (r#""type":"int","logicalType":"time-millis""#, "time"),
        (r#""type":"long","logicalType":"time-micros""#, "time"),
        (r#""type":"long","logicalType":"timestamp-micros""#, "timestamptz"),
        (r#""type":"long","logicalType":"timestamp-nanos""#, "timestamptz_ns"),
        (r#""type":"long","logicalType":"local-timestamp-millis""#, "timestamp"),
        (r#""type":"long","logicalType":"local-timestamp-micros""#, "timestamp"),
        (r#""type":"long","logicalType":"local-timestamp-nanos""#, "timestamp_ns"),
    ] {
        let text = record(&format!(r#"{{"name":"f","type":{{{inside}}}}}"#));
        assert_eq!(field_types(&text), [format!("f: {wanted}")], "{inside}");
    }
}

#[test]
fn names_are_looked_up_in_their_namespace_and_then_without() {
    let text = r#"{"type":"record","name":"R","namespace":"a.b","fields":[
        {"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},
        {"name":"inner","type":{"type":"record","name":"c.I","fields":[
            {"name":"g","type":{"type":"enum","name":"E","symbols":["Z"]}},
            {"name":"other","type":"a.b.E"},
            {"name":"bare","type":{"type":"fixed","name":"F","namespace":"","size":3}}]}},
        {"name":"again","type":"E"},
        {"name":"fixed","type":"F"},
        {"name":"me","type":["null","R"]}]}"#;
    assert_eq!(field_types(text), ["e: string", "inner: (record)", "again: string", "fixed: fixed(3)", "me: (union)"]);
    let schema = AvroSchema::parse(text).expect("a schema");
    let Kind::Record(fields) = schema.kind(schema.root()) else { panic!("a record") };
    let Kind::Enum(symbols) = schema.kind(fields[2].1) else { panic!("an enum") };
    assert_eq!(symbols.len(), 2, "the one of this namespace");
    let Kind::Union(branches) = schema.kind(fields[4].1) else { panic!("a union") };
    assert_eq!(branches[1], schema.root(), "it contains itself");
}

/// Once this fails the apache-avro crate may parse our schemas.
#[test]
fn the_apache_avro_crate_still_reads_schemas_otherwise() {
    use apache_avro::Schema;
    let fields = |text: &str| match Schema::parse_str(&record(text)) {
        Ok(Schema::Record(record)) => record.fields.into_iter().map(|field| field.schema).collect::<Vec<_>>(),
        other => panic!("no record: {other:?}"),
    };
    let beside = fields(r#"{"name":"a","type":"long","logicalType":"timestamp-millis"}"#);
    assert!(matches!(beside[0], Schema::TimestampMillis), "it takes what stands beside the type");
    let named = fields(
        r#"{"name":"a","type":{"type":"fixed","name":"M","size":8,"logicalType":"decimal","precision":18,"scale":8}},
           {"name":"b","type":"M"}"#,
    );
    assert!(!matches!(named[1], Schema::Decimal(_)), "it forgets what a named type means");
    let uuids = fields(
        r#"{"name":"a","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},
           {"name":"b","type":{"type":"string","logicalType":"uuid"}}"#,
    );
    assert_eq!(uuids[0], uuids[1], "it forgets how a uuid lies on the wire");
}

#[test]
fn defaults_and_odd_names_are_no_reason_to_refuse_a_writers_schema() {
    let text = record(
        r#"{"name":"a-b","type":["null","long"],"default":7,"aliases":["x y"]},
           {"name":"c","type":"int","default":"none"}"#,
    );
    assert_eq!(field_types(&text), ["a-b: (union)", "c: int"]);
    assert!(apache_avro::Schema::parse_str(&text).is_err(), "or this test is of no use");
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    for (text, wanted) in [
        ("{", "the schema is no JSON: EOF while parsing an object at line 1 column 1"),
        ("7", "7 is no type"),
        ("\"X\"", "the type X is defined nowhere"),
        (r#"{"name":"R"}"#, "a type has no `type`"),
        (r#"{"type":"record","fields":[]}"#, "a named type has no `name`"),
        (r#"{"type":"record","name":"R"}"#, "a record has no `fields`"),
        (r#"{"type":"array"}"#, "an array has no `items`"),
        (r#"{"type":"map"}"#, "a map has no `values`"),
        (r#"{"type":"enum","name":"E","symbols":[1]}"#, "an enum has no `symbols`"),
        (r#"{"type":"fixed","name":"F","size":-1}"#, "a fixed has no `size`"),
        (r#"[["null","int"]]"#, "a union stands directly in a union"),
    ] {
        assert_eq!(error(text), wanted, "{text}");
    }
    let twice = record(r#"{"name":"a","type":"int"},{"name":"a","type":"int"}"#);
    assert_eq!(error(&twice), "n.R has two fields a");
    let unknown = record(r#"{"name":"a","type":{"type":"array","items":"Nope"}}"#);
    assert_eq!(error(&unknown), "the field a of n.R: the type n.Nope is defined nowhere");
    let two = record(
        r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X"]}},
           {"name":"b","type":{"type":"enum","name":"E","symbols":["Y"]}}"#,
    );
    assert_eq!(error(&two), "the field b of n.R: the type n.E is defined twice");
    assert_eq!(field_types(&two.replace('Y', "X")), ["a: string", "b: string"]);
}

#[test]
fn a_primitive_may_stand_bare() {
    for text in ["\"long\"", "long", " long ", r#"{"type":"long"}"#, r#"{"type":{"type":"long"}}"#] {
        let schema = AvroSchema::parse(text).expect("a schema");
        assert_eq!(schema.node(schema.root()).scalar_type(), Some(Type::Long));
    }
}

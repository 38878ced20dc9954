//! Test only: the golden vectors of docs/digest.md, which recompute.py computes without this code.

use std::collections::BTreeMap;

use arrow_array::{ArrayRef, BinaryArray};
use serde_json::Value as Json;

use super::literal::{array, hex, id, parse_type, text};
use super::{Arena, Domain, RowEncoder, inexact_bytes};
use crate::digest::{DigestKey, RowHasher};
use crate::schema::{Field, Type};

const VECTORS: &str = "../../fixtures/data/digest/vectors.json";

fn vectors() -> Json {
    let file = std::fs::read_to_string(VECTORS).expect("the golden vectors are in the repository");
    serde_json::from_str(&file).expect("the golden vectors are JSON")
}

fn domain(vector: &Json) -> Domain {
    match text(&vector["domain"]) {
        "row" => Domain::Row,
        "identity" => Domain::Identity,
        "rest" => Domain::Rest,
        other => panic!("no domain {other}"),
    }
}

/// Encodes a vector's row between two copies of itself, so that neighbours show.
fn encode(vector: &Json) -> Arena {
    let columns = vector["columns"].as_array().expect("columns");
    let fields: Vec<Field> =
        columns.iter().map(|c| Field::new(id(&c[0]), format!("c{}", c[0]), false, parse_type(&c[1]))).collect();
    let arrays: Vec<ArrayRef> =
        columns.iter().zip(&fields).map(|(c, field)| array(&field.ty, &[&c[2], &c[2], &c[2]])).collect();
    let marks = vector["inexact"].as_array().map(|marks| {
        let bytes = inexact_bytes(marks.iter().map(|mark| (id(&mark[0]), text(&mark[1]))));
        BinaryArray::from_iter_values([&bytes, &bytes, &bytes])
    });
    let mut arena = Arena::new();
    let encoder = RowEncoder::new(domain(vector), &fields).expect("ids are sound");
    encoder.encode(3, &arrays, marks.as_ref(), &mut arena).expect("columns have their types");
    arena
}

#[test]
fn every_vector_has_its_canonical_bytes_and_digest() {
    let file = vectors();
    let public = blake3::derive_key(crate::digest::PUBLIC_KEY_CONTEXT, &[]);
    assert_eq!(hex(text(&file["public_key"])), public);
    let page = include_str!("../../../../docs/digest.md");
    assert!(page.contains(text(&file["public_key"])), "docs/digest.md names the public key");
    for vector in file["vectors"].as_array().expect("vectors") {
        let name = text(&vector["name"]);
        let arena = encode(vector);
        for row in 0..3 {
            assert_eq!(arena.row(row), hex(text(&vector["canonical"])), "canonical bytes of {name}, row {row}");
        }
        let key = vector["key"]
            .as_str()
            .map_or(DigestKey::public(), |key| DigestKey::from_bytes(hex(key).try_into().expect("a key has 32 bytes")));
        let mut digests = Vec::new();
        RowHasher::new(&key).digest(&arena, &mut digests);
        assert_eq!(digests.iter().map(|d| d.to_string()).collect::<Vec<_>>(), [text(&vector["digest"]); 3], "{name}");
    }
}

#[test]
fn vectors_are_equal_where_the_file_says_so_and_nowhere_else() {
    let file = vectors();
    let mut rows: BTreeMap<Vec<u8>, &str> = BTreeMap::new();
    for vector in file["vectors"].as_array().expect("vectors") {
        let name = text(&vector["name"]);
        let class = vector["equals"].as_str().unwrap_or(name);
        let first = *rows.entry(encode(vector).row(1).to_vec()).or_insert(class);
        assert_eq!(first, class, "{name} has the bytes of {first}");
    }
    let classes: std::collections::BTreeSet<_> = rows.values().collect();
    assert_eq!(classes.len(), rows.len(), "a vector differs from the one that it equals");
}

#[test]
fn vectors_cover_every_type() {
    fn walk(ty: &Type, seen: &mut std::collections::BTreeSet<String>) {
        seen.insert(ty.to_string().split(['(', '<']).next().expect("a name").to_owned());
        match ty {
            Type::Struct(fields) => fields.iter().for_each(|f| walk(&f.ty, seen)),
            Type::List(element) => walk(&element.ty, seen),
            Type::Map { key, value } => [key, value].iter().for_each(|f| walk(&f.ty, seen)),
            _ => {}
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for vector in vectors()["vectors"].as_array().expect("vectors") {
        vector["columns"].as_array().expect("columns").iter().for_each(|c| walk(&parse_type(&c[1]), &mut seen));
    }
    let all = "binary boolean date decimal double fixed float int list long map string struct time timestamp \
               timestamp_ns timestamptz timestamptz_ns uuid";
    assert_eq!(seen.into_iter().collect::<Vec<_>>().join(" "), all);
}

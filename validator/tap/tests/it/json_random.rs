//! JSON against a second parser: random documents, and the same documents with bytes changed, cut and doubled.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use validator_core::schema::Type;
use validator_tap::Decoder;

use crate::support::{json, list, map, payload, show, structure};

fn fields() -> Vec<(&'static str, Type)> {
    vec![
        ("long", Type::Long),
        ("bool", Type::Boolean),
        ("text", Type::String),
        ("price", Type::Decimal { precision: 30, scale: 10 }),
        ("double", Type::Double),
        ("list", list(Type::Long)),
        ("map", map(Type::String, Type::String)),
        ("in", structure(&[("a", Type::Long), ("b", structure(&[("c", Type::String)]))])),
    ]
}

fn text(rng: &mut SmallRng) -> String {
    const LETTERS: [&str; 12] = ["a", "Z", "é", "€", "😀", "\"", "\\", "/", "\n", "\u{1}", "\u{7f}", "0"];
    (0..rng.random_range(0..12)).map(|_| LETTERS[rng.random_range(0..LETTERS.len())]).collect()
}

/// A value of that type, and what the column shows for it.
fn value(rng: &mut SmallRng, ty: &Type) -> (String, String) {
    if rng.random_bool(0.15) {
        return ("null".to_owned(), "~".to_owned());
    }
    match ty {
        Type::Long => {
            let n = rng.random::<i64>() >> rng.random_range(0..63);
            (n.to_string(), n.to_string())
        }
        Type::Boolean => {
            let b = rng.random::<bool>();
            (b.to_string(), b.to_string())
        }
        Type::String => {
            let plain = text(rng);
            (quote(rng, &plain), format!("{plain:?}"))
        }
        Type::Decimal { scale, .. } => {
            let unscaled = rng.random::<i64>();
            let places = u32::from(*scale);
            let power = 10_i64.pow(places);
            let digits = format!(
                "{}{}.{:010}",
                if unscaled < 0 { "-" } else { "" },
                (unscaled / power).abs(),
                (unscaled % power).abs()
            );
            let written = if rng.random() { format!("\"{digits}\"") } else { format!("{digits}00e+0") };
            (written, unscaled.to_string())
        }
        Type::Double => {
            let f = f64::from_bits(rng.random());
            if f.is_finite() { (format!("{f:e}"), format!("{f:?}")) } else { ("0.5".to_owned(), "0.5".to_owned()) }
        }
        Type::List(element) => {
            let values: Vec<_> = (0..rng.random_range(0..4)).map(|_| value(rng, &element.ty)).collect();
            let join = |side: fn(&(String, String)) -> &str| values.iter().map(side).collect::<Vec<_>>().join(",");
            (format!("[{}]", join(|v| &v.0)), format!("[{}]", join(|v| &v.1)))
        }
        Type::Map { value: ty, .. } => {
            let entries: Vec<_> = (0..rng.random_range(0..4)).map(|i| (format!("k{i}"), value(rng, &ty.ty))).collect();
            let written = entries.iter().map(|(k, v)| format!("\"{k}\" : {}", v.0)).collect::<Vec<_>>().join(" ,\t");
            let shown = entries.iter().map(|(k, v)| format!("\"{k}\"={}", v.1)).collect::<Vec<_>>().join(",");
            (format!("{{{written}}}"), format!("<{shown}>"))
        }
        Type::Struct(fields) => {
            let (mut written, mut shown) = (Vec::new(), Vec::new());
            for field in fields {
                if rng.random_bool(0.2) {
                    shown.push(format!("{}:~", field.name));
                    continue;
                }
                let (w, s) = value(rng, &field.ty);
                written.push(format!("\"{}\":{w}", field.name));
                shown.push(format!("{}:{s}", field.name));
            }
            (format!("{{{}}}", written.join(",")), format!("{{{}}}", shown.join(",")))
        }
        other => unreachable!("{other} is not among the fields"),
    }
}

/// Writes a string with a random choice of escapes.
fn quote(rng: &mut SmallRng, plain: &str) -> String {
    let mut out = String::from('"');
    for c in plain.chars() {
        if c < ' ' || matches!(c, '"' | '\\') || rng.random_bool(0.2) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out.push('"');
    out
}

/// A document with some of the fields in random order, and what each column shows.
fn document(rng: &mut SmallRng) -> (String, Vec<String>) {
    let fields = fields();
    let mut shown = vec!["~".to_owned(); fields.len()];
    let mut members = Vec::new();
    for (index, (name, ty)) in fields.iter().enumerate() {
        if rng.random_bool(0.8) {
            let (written, shows) = value(rng, ty);
            members.push(format!("\"{name}\":{written}"));
            shown[index] = shows;
        }
    }
    for index in (1..members.len()).rev() {
        members.swap(index, rng.random_range(0..=index));
    }
    (format!("{{{}}}", members.join(", ")), shown)
}

/// Changes, cuts, doubles or swaps bytes.
fn damage(rng: &mut SmallRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..bytes.len().max(1));
        match rng.random_range(0..5) {
            0 if !bytes.is_empty() => bytes[at] = rng.random(),
            1 if !bytes.is_empty() => {
                bytes[at] = *b"{}[]\",:\\0\x01"[rng.random_range(0..10)..].first().expect("ten bytes")
            }
            2 => bytes.truncate(at),
            3 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => bytes
                .insert(at.min(bytes.len()), *b"{}[]\",:\\0 "[rng.random_range(0..10)..].first().expect("ten bytes")),
        }
    }
}

#[test]
fn random_documents_are_read_as_they_were_written() {
    let seed = rand::random();
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut decoder = json(&fields());
    for _ in 0..200 {
        let documents: Vec<_> = (0..20).map(|_| document(&mut rng)).collect();
        for (text, _) in &documents {
            assert_eq!(decoder.append(&payload(text.as_bytes())).expect("fits"), None, "seed {seed}: {text}");
        }
        let batch = decoder.finish();
        assert!(batch.inexact.is_empty() && batch.unknown_fields.is_empty(), "seed {seed}");
        for (column, array) in batch.columns.iter().enumerate() {
            for (row, shown) in show(array).iter().enumerate() {
                assert_eq!(shown, &documents[row].1[column], "seed {seed}: {}", documents[row].0);
            }
        }
    }
}

#[test]
fn damaged_documents_are_refused_where_a_second_parser_refuses_and_harm_no_neighbour() {
    let seed = rand::random();
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut decoder = json(&fields());
    let mut refused = 0;
    for _ in 0..4_000 {
        let (good, shown) = document(&mut rng);
        let mut bad = document(&mut rng).0.into_bytes();
        damage(&mut rng, &mut bad);
        let context = || format!("seed {seed}: {}", String::from_utf8_lossy(&bad));
        decoder.append(&payload(good.as_bytes())).expect("fits");
        let outcome = decoder.append(&payload(&bad)).expect("fits");
        decoder.append(&payload(good.as_bytes())).expect("fits");
        let batch = decoder.finish();
        for (array, shown) in batch.columns.iter().zip(&shown) {
            let rows = show(array);
            assert_eq!((&rows[0], &rows[2]), (shown, shown), "{}", context());
            assert!(outcome.is_none() || rows[1] == "~", "{}", context());
        }
        // The second parser cannot hold some numbers; what it holds, we must accept or refuse for its kind.
        let theirs = serde_json::from_slice::<Value>(&bad);
        let wrong_kind = outcome.as_ref().is_some_and(|o| o.detail.contains("is wanted here"));
        match (&outcome, theirs) {
            (None, Ok(value)) => assert!(value.is_object(), "{}", context()),
            (None, Err(error)) => assert!(error.to_string().contains("number out of range"), "{error} {}", context()),
            (Some(_), Err(_)) => refused += 1,
            (Some(fault), Ok(value)) => assert!(wrong_kind || !value.is_object(), "{fault:?} {}", context()),
        }
    }
    assert!(refused > 500, "only {refused} of the damaged documents were no JSON, seed {seed}");
}

//! What was probably meant by a name that is no type.

use super::{EPOCHS, PRIMITIVES};

/// Another system's name, another case, or one letter off.
pub(super) fn suggest(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, known)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return Some(known);
    }
    let nested = ["decimal(18, 8)", "fixed(16)", "struct", "list", "map"];
    let known = PRIMITIVES.iter().map(|(name, _)| *name).chain(EPOCHS.iter().map(|(name, _)| *name)).chain(nested);
    known.min_by_key(|known| distance(&lower, known.split('(').next().unwrap_or(known))).filter(|known| {
        let name = known.split('(').next().unwrap_or(known);
        distance(&lower, name) <= 2.min(name.len() / 3)
    })
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Names of other systems, and Iceberg's for the same thing.
const ALIASES: [(&str, &str); 33] = [
    ("bool", "boolean"),
    ("integer", "int"),
    ("int32", "int"),
    ("smallint", "int"),
    ("tinyint", "int"),
    ("bigint", "long"),
    ("int64", "long"),
    ("real", "float"),
    ("float32", "float"),
    ("float64", "double"),
    ("numeric", "decimal(18, 8)"),
    ("number", "decimal(18, 8)"),
    ("varchar", "string"),
    ("char", "string"),
    ("text", "string"),
    ("utf8", "string"),
    ("str", "string"),
    ("bytes", "binary"),
    ("varbinary", "binary"),
    ("blob", "binary"),
    ("datetime", "timestamp"),
    ("timestamp_ntz", "timestamp"),
    ("timestamp_ltz", "timestamptz"),
    ("timestamp_tz", "timestamptz"),
    ("instant", "timestamptz"),
    ("array", "list"),
    ("row", "struct"),
    ("record", "struct"),
    ("object", "struct"),
    ("epoch", "epoch_ms"),
    ("epoch_seconds", "epoch_s"),
    ("epoch_millis", "epoch_ms"),
    ("epoch_micros", "epoch_us"),
];

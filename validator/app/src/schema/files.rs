//! The schema of a TOML file, from its table of keys.

use serde_json::{Map, Value, json};

use crate::config::keys::{Either, Key, Kind, Need, Table};

/// `${NAME}` may stand in any text, and says nothing of what it will be.
const VARIABLE: &str = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}";
/// A number and a unit of time, perhaps several.
const DURATION: &str = r"^\s*([0-9]+(\.[0-9]+)?\s*[a-zA-Zµ]+\s*)+$";
/// A number and a unit of bytes.
const SIZE: &str = r"^\s*[0-9]+\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)\s*$";
/// Three parts at least.
const TABLE_NAME: &str = r"^[^.]+(\.[^.]+){2,}$";

/// The schema of a file.
pub fn of_file(table: &Table) -> Value {
    of_table(table)
}

fn of_table(table: &Table) -> Value {
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("description".into(), table.says.into());
    let mut properties: Map<String, Value> = table.keys.iter().map(|key| (key.name.to_owned(), of_key(key))).collect();
    for (first, inner) in dotted(table) {
        properties.insert(first, inner);
    }
    schema.insert("properties".into(), properties.into());
    let families: Map<String, Value> = table.keys.iter().filter_map(family).collect();
    if !families.is_empty() {
        schema.insert("patternProperties".into(), families.into());
    }
    let other = table.free.as_ref().map_or(Value::Bool(false), |free| of_kind(free.kind));
    schema.insert("additionalProperties".into(), other);
    let required: Vec<&str> = table.keys.iter().filter(|key| key.need == Need::Always).map(|key| key.name).collect();
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    let with: Map<String, Value> =
        table.keys.iter().filter(|key| !key.with.is_empty()).map(|key| (key.name.into(), json!([key.with]))).collect();
    if !with.is_empty() {
        schema.insert("dependentRequired".into(), with.into());
    }
    let all: Vec<Value> =
        table.either.iter().filter(|either| either.of.is_empty()).map(of_either).chain(by_selector(table)).collect();
    if !all.is_empty() {
        schema.insert("allOf".into(), all.into());
    }
    Value::Object(schema)
}

fn of_key(key: &Key) -> Value {
    let mut schema = of_kind(key.kind);
    if let Some(object) = schema.as_object_mut() {
        let says = if key.default.is_empty() {
            key.says.to_owned()
        } else {
            format!("{} Default: {}.", key.says, key.default)
        };
        if !key.says.is_empty() {
            object.insert("description".into(), says.into());
        }
        if let Some(default) = value_of(key.default) {
            object.insert("default".into(), default);
        }
        if let Some(example) = value_of(key.example) {
            object.insert("examples".into(), json!([example]));
        }
    }
    schema
}

fn of_kind(kind: Kind) -> Value {
    let text = json!({ "type": "string" });
    match kind {
        Kind::Text | Kind::Sql | Kind::Type => text,
        Kind::TableName => pattern(TABLE_NAME),
        Kind::Texts => json!({ "type": "array", "items": text, "minItems": 1 }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::Duration => pattern(DURATION),
        Kind::Size => pattern(SIZE),
        Kind::Words(words) => json!({ "anyOf": [{ "enum": words() }, { "type": "string", "pattern": VARIABLE }] }),
        Kind::Edge => json!({ "type": ["string", "integer"] }),
        Kind::Secret => json!({ "anyOf": [text, {
            "type": "object", "properties": { "file": text }, "required": ["file"], "additionalProperties": false,
        }] }),
        Kind::Property => json!({ "type": ["string", "number", "boolean", "object"] }),
        Kind::Table(table) => of_table(table),
        Kind::Listed(table) => json!({ "type": "array", "items": of_table(table) }),
        Kind::Tables(table) => json!({ "type": "object", "additionalProperties": of_table(table) }),
    }
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "anyOf": [{ "pattern": pattern }, { "pattern": VARIABLE }] })
}

fn of_either(either: &Either) -> Value {
    let one: Vec<Value> = either.keys.iter().map(|key| json!({ "required": [key] })).collect();
    json!({ "oneOf": one })
}

/// For each word of the selector: the keys that may not stand beside it, and those that must.
fn by_selector(table: &Table) -> Vec<Value> {
    let Some(Kind::Words(words)) = table.key(table.selector).map(|key| key.kind) else { return Vec::new() };
    let of_word = |word: &str| {
        let barred: Map<String, Value> = table
            .keys
            .iter()
            .filter(|key| !key.is_for(word))
            .map(|key| (key.name.to_owned(), Value::Bool(false)))
            .collect();
        let needed: Vec<&str> = table
            .keys
            .iter()
            .filter(|key| key.need != Need::Always && key.is_needed_for(word))
            .map(|key| key.name)
            .collect();
        let either: Vec<Value> =
            table.either.iter().filter(|either| either.of.contains(&word)).map(of_either).collect();
        let mut then = Map::new();
        then.insert("properties".into(), barred.into());
        if !needed.is_empty() {
            then.insert("required".into(), needed.into());
        }
        if !either.is_empty() {
            then.insert("allOf".into(), either.into());
        }
        let is_word = json!({ "properties": { table.selector: { "const": word } }, "required": [table.selector] });
        json!({ "if": is_word, "then": then })
    };
    words().into_iter().map(of_word).collect()
}

/// Names with dots that nobody quoted are tables in tables: `s3.region` is a table `s3` with a key `region`.
fn dotted(table: &Table) -> Vec<(String, Value)> {
    let mut firsts: Vec<&str> = table.keys.iter().filter_map(|key| Some(key.name.split_once('.')?.0)).collect();
    firsts.dedup();
    firsts.sort_unstable();
    firsts.dedup();
    let inner = |first: &str| {
        let keys = table.keys.iter().filter_map(|key| Some((key.name.strip_prefix(first)?.strip_prefix('.')?, key)));
        let properties: Map<String, Value> = keys.map(|(name, key)| (name.to_owned(), of_key(key))).collect();
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    };
    firsts.into_iter().map(|first| (first.to_owned(), inner(first))).collect()
}

/// A table whose entries may also be written as keys with a dot: `"header.X-Tenant"`.
fn family(key: &Key) -> Option<(String, Value)> {
    let Kind::Table(table) = key.kind else { return None };
    let free = table.free.as_ref().filter(|_| table.path.ends_with(".header"))?;
    Some((format!(r"^{}\..", key.name), of_kind(free.kind)))
}

/// The JSON of a value that is written in TOML; none where it is words for a person.
fn value_of(toml: &str) -> Option<Value> {
    let table: toml::Table = format!("value = {toml}").parse().ok()?;
    serde_json::to_value(table.get("value")?).ok()
}

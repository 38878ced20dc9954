//! JSON text of several fields under their own names: Spark's `to_json(struct(a, b))`, Python's `json.dumps`.
//!
//! Contract: the objects have the same members, each a field of its name; one that is null is left out everywhere or written
//! as null everywhere. A first member is never null. Texts are equal where they say the same JSON.

use serde_json::{Map, Value as Json};
use validator_core::schema::Type;
use validator_core::tolerance::Tolerance;
use validator_core::value::Value;

use super::{Derived, Part, Sought};
use crate::init::limits::JSON_MEMBERS_MAX;
use crate::init::reading::literal;

/// A name in the objects.
struct Member {
    name: String,
    field: usize,
    /// What stands for it where the field is null: nothing, or the word. None where it never is.
    absent: Option<Absent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    LeftOut,
    Null,
}

/// See the module.
pub fn find(sought: &Sought<'_>) -> Option<Derived> {
    if *sought.ty() != Type::String {
        return None;
    }
    let objects: Vec<Map<String, Json>> =
        sought.ties.iter().map(|tie| object(sought.row(tie))).collect::<Option<_>>()?;
    let members = members(sought, &objects)?;
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let says = format!("{} as one JSON object", names.join(", "));
    let seen = sought.borne_out(&says, |tie| {
        let Value::String(row) = sought.row(tie) else { return None };
        let mut made = Map::new();
        for member in &members {
            match (json(sought.message(tie, member.field))?, member.absent) {
                (Json::Null, Some(Absent::LeftOut)) => {}
                (value, _) => drop(made.insert(member.name.clone(), value)),
            }
        }
        (serde_json::from_str::<Json>(row).ok()? == Json::Object(made)).then(|| sought.row(tie).clone())
    })?;
    Some(Derived { parts: parts(sought, &members), seen, tolerance: Some(Tolerance::JsonEqual) })
}

fn object(row: &Value) -> Option<Map<String, Json>> {
    let Value::String(text) = row else { return None };
    if !text.starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The members in the order of the longest text, those that are never null first.
fn members(sought: &Sought<'_>, objects: &[Map<String, Json>]) -> Option<Vec<Member>> {
    let mut names: Vec<&String> = objects.iter().flat_map(Map::keys).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() || names.len() > JSON_MEMBERS_MAX {
        return None;
    }
    let mut members: Vec<Member> =
        names.into_iter().map(|name| member(sought, objects, name)).collect::<Option<_>>()?;
    let fullest =
        objects.iter().zip(sought.ties).max_by_key(|(object, _)| object.len()).map(|(_, tie)| sought.row(tie));
    let text = fullest.map(Value::to_string).unwrap_or_default();
    members.sort_by_key(|member| (member.absent.is_some(), text.find(&key(&member.name))));
    members.first().is_some_and(|first| first.absent.is_none()).then_some(members)
}

fn member(sought: &Sought<'_>, objects: &[Map<String, Json>], name: &str) -> Option<Member> {
    let field = sought.evidence.messages.field(name)?;
    let mut absent = None;
    for (object, _) in objects.iter().zip(sought.ties).filter(|(_, tie)| sought.message(tie, field).is_null()) {
        let seen = if object.contains_key(name) { Absent::Null } else { Absent::LeftOut };
        if *absent.get_or_insert(seen) != seen {
            return None;
        }
    }
    Some(Member { name: name.to_owned(), field, absent })
}

/// A value as JSON has it; none for kinds whose text is the writer's choice.
fn json(value: &Value) -> Option<Json> {
    match value {
        Value::Null => Some(Json::Null),
        Value::Boolean(value) => Some(Json::Bool(*value)),
        Value::String(text) => Some(Json::String(text.clone())),
        Value::Number { .. } => value.as_integer().and_then(|whole| i64::try_from(whole).ok()).map(Json::from),
        _ => None,
    }
}

/// A name as JSON writes it.
fn key(name: &str) -> String {
    Json::from(name).to_string()
}

fn parts(sought: &Sought<'_>, members: &[Member]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let begun = |sign: &str| literal(&format!("{sign}{}:", key(&member.name)));
        let field = Part::Text(member.field);
        let sql = |text: String| Part::Sql(text);
        match (at, member.absent) {
            (0, _) => parts.push(sql(format!("{} || ", begun("{")))),
            (_, None) => parts.push(sql(format!(" || {} || ", begun(",")))),
            (_, Some(absent)) => {
                let none = if absent == Absent::Null {
                    literal(&format!(",{}:null", key(&member.name)))
                } else {
                    "''".to_owned()
                };
                parts.extend([sql(" || CASE WHEN ".to_owned()), field.clone()]);
                parts.push(sql(format!(" IS NULL THEN {none} ELSE {} || ", begun(","))));
            }
        }
        let is_text = sought.ties.iter().any(|tie| matches!(sought.message(tie, member.field), Value::String(_)));
        match is_text {
            // In a list it is escaped as JSON escapes it; between the quotes nothing is taken away.
            true => {
                parts.extend([sql("btrim(CAST(make_array(".to_owned()), field, sql(") AS VARCHAR), '[]')".to_owned())])
            }
            false => parts.push(field),
        }
        if member.absent.is_some() {
            parts.push(sql(" END".to_owned()));
        }
    }
    parts.push(Part::Sql(" || '}'".to_owned()));
    parts
}

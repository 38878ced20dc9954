//! Fields of the messages as operands of SQL, each of the one type that it is read as.
//!
//! Contract: a field of JSON has one type in a pipeline. What a column already reads it as stays; a rule takes it as that,
//! or not at all.

use std::collections::BTreeMap;

use validator_core::contract::{EpochUnit, Format};
use validator_core::schema::Type;
use validator_core::value::Value;

use super::columns::short;
use super::evidence::Evidence;
use super::reading::of_epoch;
use crate::identifier::identifier;

/// The type that a message field is read as.
pub struct Declared {
    /// Its words; empty for a text that no column is named after, which needs none.
    pub ty: String,
    /// Whether the file has to say so.
    pub is_written: bool,
    /// What was seen.
    pub seen: String,
}

/// The types of fields, by their names.
pub type Types = BTreeMap<String, Declared>;

/// The type of a number that no column reads: every digit that a decimal has.
const ANY_NUMBER: &str = "decimal(38, 18)";

/// What operands are made of.
pub struct Operands<'a> {
    /// The sample.
    pub evidence: &'a Evidence,
    /// What was seen of the rule that takes them.
    pub seen: &'a str,
}

impl Operands<'_> {
    /// The field as an exact number: as it is where it is read as one, else out of its text.
    ///
    /// # Errors
    /// Another column reads it as something else.
    pub fn number(&self, field: usize, declared: &mut Types) -> Result<String, String> {
        let (name, ty) = self.read_as(field, declared, ANY_NUMBER, true);
        match ty.split('(').next() {
            Some("" | "string") => Ok(format!("CAST({name} AS DECIMAL(38, 18))")),
            Some("decimal" | "long" | "int") => Ok(name),
            _ => Err(another_type(self.name(field))),
        }
    }

    /// The field as the text that it has in the message.
    ///
    /// # Errors
    /// Another column reads it as something whose text is another.
    pub fn text(&self, field: usize, declared: &mut Types) -> Result<String, String> {
        let is_named = self.evidence.schema.field(self.name(field)).is_some();
        let (name, ty) = self.read_as(field, declared, if is_named { "string" } else { "" }, is_named);
        match ty.as_str() {
            "" | "string" => Ok(name),
            "long" | "int" | "boolean" => Ok(format!("CAST({name} AS VARCHAR)")),
            _ => Err(another_type(self.name(field))),
        }
    }

    /// The field, a list or a map of texts.
    ///
    /// # Errors
    /// Another column reads it as something else, or it holds more than texts.
    pub fn nested(&self, field: usize, declared: &mut Types) -> Result<String, String> {
        let is_text = |value: &Value| matches!(value, Value::String(_) | Value::Null);
        let of_texts = |value: &Value| match value {
            Value::List(items) => items.iter().all(is_text),
            Value::Struct(fields) => fields.iter().all(|(_, value)| is_text(value)),
            Value::Map(entries) => entries.iter().all(|(_, value)| is_text(value)),
            other => other.is_null(),
        };
        let values = || self.evidence.messages.values.iter().map(|values| &values[field]);
        let wanted = match values().find(|value| !value.is_null()) {
            Some(Value::List(_)) => "list<string>",
            _ => "map<string, string>",
        };
        let (name, ty) = self.read_as(field, declared, wanted, true);
        let is_nested = ty == wanted || ty.starts_with("struct");
        if is_nested && values().all(of_texts) { Ok(name) } else { Err(another_type(self.name(field))) }
    }

    /// The field as the instant that its format says it is.
    ///
    /// # Errors
    /// It is none.
    pub fn time(&self, field: usize, declared: &mut Types) -> Result<String, String> {
        let (name, ty) = self.read_as(field, declared, "timestamptz", true);
        if ty.starts_with("timestamp") { Ok(name) } else { Err(another_type(self.name(field))) }
    }

    /// The field as an instant: as it is where it is read as one, else out of its number.
    ///
    /// # Errors
    /// Another column reads it as something else.
    pub fn instant(&self, field: usize, unit: EpochUnit, declared: &mut Types) -> Result<String, String> {
        let wanted = unit.to_string();
        let (name, ty) = self.read_as(field, declared, &wanted, true);
        match ty.as_str() {
            ty if ty == wanted => Ok(name),
            "long" | "int" => Ok(format!("{}({name})", of_epoch(unit))),
            _ => Err(another_type(self.name(field))),
        }
    }

    /// The field's name in SQL and its type: the one it has, else this one.
    fn read_as(&self, field: usize, declared: &mut Types, ty: &str, is_written: bool) -> (String, String) {
        let message = &self.evidence.messages.fields[field];
        let known = match self.evidence.format {
            Format::Json => {
                let seen = self.seen.to_owned();
                let known = declared.entry(message.name.clone());
                known.or_insert_with(|| Declared { ty: ty.to_owned(), is_written, seen }).ty.clone()
            }
            _ => message.ty.as_ref().map(Type::to_string).unwrap_or_default(),
        };
        (identifier(&message.name), known)
    }

    fn name(&self, field: usize) -> &str {
        &self.evidence.messages.fields[field].name
    }
}

/// Why a column is not made of a field.
pub fn another_type(field: &str) -> String {
    format!("made of field {}, which another column reads as another type", short(field))
}

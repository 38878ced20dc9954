//! One key of a TOML file and its value, read as what the reader of the file expects.
//!
//! Contract: a reading that finds something wrong notes a [`Problem`] that says what was expected, and answers `None`.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::interpolate::{InterpolateError, interpolate};
use super::problem::Problem;
use super::section::Section;
use super::walk::{Located, Walk};

/// One key and its value, not yet read as anything.
pub struct Item<'a> {
    /// The walk it was found on.
    pub walk: &'a Walk<'a>,
    /// The key's name.
    pub key: String,
    /// Where the key itself stands.
    pub key_span: Range<usize>,
    /// Where the value stands.
    pub span: Range<usize>,
    /// The value.
    pub value: &'a DeValue<'a>,
}

impl<'a> Item<'a> {
    /// A value found at this item.
    pub fn located<T>(&self, value: T) -> Located<T> {
        Located { value, span: self.span.clone() }
    }

    /// The table that the item is, under this path.
    pub fn section(&self, path: String) -> Section<'a> {
        let table = match self.value {
            DeValue::Table(table) => Some(table),
            _ => self.wrong::<&'a DeTable<'a>>("a table"),
        };
        Section::new(self.walk, path, table, Some(self.key_span.clone()))
    }

    /// The string that the item is, `${NAME}` filled in.
    pub fn text(&self) -> Option<Located<String>> {
        match self.value {
            DeValue::String(text) => self.filled(text, &self.span),
            _ => self.wrong("a string"),
        }
    }

    /// The list of strings that the item is; wrong elements are noted and left out.
    pub fn texts(&self) -> Option<Vec<Located<String>>> {
        let DeValue::Array(values) = self.value else { return self.wrong("a list of strings") };
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            match value.get_ref() {
                DeValue::String(text) => texts.extend(self.filled(text, &value.span())),
                other => {
                    let message = format!("`{}` is a list of strings, not of {}", self.key, kind(other, true));
                    self.walk.note(Problem::new(message), Some(value.span()));
                }
            }
        }
        Some(texts)
    }

    /// Notes that the item is of another kind.
    pub fn wrong<T>(&self, expected: &str) -> Option<T> {
        let message = format!("`{}` is {expected}, not {}", self.key, kind(self.value, false));
        self.walk.note(Problem::new(message), Some(self.span.clone()));
        None
    }

    /// Notes that the item is of the right kind but not of a value that can be.
    pub fn refuse<T>(&self, found: &str, expected: &str) -> Option<T> {
        let message = format!("`{}` is {expected}, not {found}", self.key);
        self.walk.note(Problem::new(message), Some(self.span.clone()));
        None
    }

    fn filled(&self, text: &str, span: &Range<usize>) -> Option<Located<String>> {
        match interpolate(text, self.walk.environment()) {
            Ok(value) => Some(Located { value, span: span.clone() }),
            Err(error) => {
                let hint = match &error {
                    InterpolateError::Missing { name } => format!("export {name}=… before the run"),
                    InterpolateError::Malformed => "write `$${` for the text `${` itself".to_owned(),
                };
                self.walk.note(Problem::new(error.to_string()).hint(hint), Some(span.clone()));
                None
            }
        }
    }
}

/// What a value is, for a person.
fn kind(value: &DeValue<'_>, plural: bool) -> &'static str {
    let (one, many) = match value {
        DeValue::String(_) => ("a string", "strings"),
        DeValue::Integer(_) => ("a whole number", "numbers"),
        DeValue::Float(_) => ("a number", "numbers"),
        DeValue::Boolean(_) => ("a boolean", "booleans"),
        DeValue::Datetime(_) => ("a date or time", "dates"),
        DeValue::Array(_) => ("a list", "lists"),
        DeValue::Table(_) => ("a table", "tables"),
    };
    if plural { many } else { one }
}

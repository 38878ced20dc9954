//! Tolerances: declared differences that are none, each a canonical form that both sides are brought into before the digest.
//!
//! Contract: a canonical form is a pure function of one value, so that "equal under the tolerance" is an equivalence; it is
//! idempotent; a value that it does not apply to stays what it is. What each does to the last case stands in
//! docs/digest.md, "Tolerances".

mod array;
mod json;

use crate::convert::decimal::POWERS_OF_TEN;
use crate::convert::instant::read_timestamp;
use crate::schema::Type;
use crate::value::Value;

pub use array::{Changed, canonical};

/// One tolerance of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tolerance {
    /// Empty text, bytes, list or map is NULL; so is a struct whose fields are all NULL.
    EmptyIsNull,
    /// Instants are cut to whole milliseconds, towards the past.
    TruncateMs,
    /// Instants are cut to whole seconds, towards the past.
    TruncateS,
    /// Decimals are rounded to the column's scale, half away from zero.
    RoundScale,
    /// Each letter is its own lower-case letter.
    Case,
    /// Blanks at either end are taken away.
    Trim,
    /// JSON text is the value that it says.
    JsonEqual,
    /// A name is its letters and digits, in lower case.
    EnumName,
}

impl Tolerance {
    /// All tolerances and their words in the pipeline file.
    pub const ALL: [(&'static str, Tolerance); 8] = [
        ("empty_is_null", Tolerance::EmptyIsNull),
        ("truncate_ms", Tolerance::TruncateMs),
        ("truncate_s", Tolerance::TruncateS),
        ("round_scale", Tolerance::RoundScale),
        ("case", Tolerance::Case),
        ("trim", Tolerance::Trim),
        ("json_equal", Tolerance::JsonEqual),
        ("enum_name", Tolerance::EnumName),
    ];

    /// The word in the pipeline file and in `policy`.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, tolerance)| *tolerance == self).map_or("", |(word, _)| word)
    }

    /// The types of columns it is for, in words; `None` where it fits `ty`.
    pub fn misfit(self, ty: &Type) -> Option<&'static str> {
        let (fits, types) = match self {
            Tolerance::EmptyIsNull => {
                let nested = matches!(ty, Type::Struct(_) | Type::List(_) | Type::Map { .. });
                (nested || matches!(ty, Type::String | Type::Binary), "text, binary, lists, maps and structs")
            }
            Tolerance::TruncateMs | Tolerance::TruncateS => {
                use Type::{Timestamp, TimestampNs, Timestamptz, TimestamptzNs};
                (matches!(ty, Timestamp | Timestamptz | TimestampNs | TimestamptzNs), "timestamps")
            }
            Tolerance::RoundScale => (matches!(ty, Type::Decimal { .. }), "decimals"),
            Tolerance::Case | Tolerance::Trim | Tolerance::JsonEqual | Tolerance::EnumName => {
                (*ty == Type::String, "text")
            }
        };
        (!fits).then_some(types)
    }

    /// The canonical text; `None` where the text is canonical already, or the tolerance does not apply to it.
    fn text(self, text: &str) -> Option<String> {
        let canonical = match self {
            Tolerance::Case => lower(text),
            Tolerance::Trim => text.trim().to_owned(),
            Tolerance::JsonEqual => json::canonical(text)?,
            Tolerance::EnumName => name(text)?,
            _ => return None,
        };
        (canonical != text).then_some(canonical)
    }

    /// Steps of a timestamp, of which there are `per_second`, cut.
    fn steps(self, steps: i64, per_second: i64) -> i64 {
        let unit = match self {
            Tolerance::TruncateMs => per_second / 1_000,
            Tolerance::TruncateS => per_second,
            _ => 1,
        };
        // The last unit of the past may begin before what 64 bits hold: such a value is its own canonical form.
        steps.checked_sub(steps.rem_euclid(unit)).unwrap_or(steps)
    }

    /// What a message's value that its column cannot hold is under this tolerance, from its source text; `None`: it stays a
    /// value that the column cannot hold.
    pub fn settled(self, text: &str, ty: &Type) -> Option<Value> {
        match (self, ty) {
            (Tolerance::RoundScale, Type::Decimal { precision, scale }) => {
                let unscaled = rounded(text, *scale)?;
                let fits = unscaled.unsigned_abs() < POWERS_OF_TEN[usize::from(*precision)].unsigned_abs();
                fits.then_some(Value::decimal(unscaled, *scale))
            }
            (Tolerance::TruncateMs | Tolerance::TruncateS, _) if self.misfit(ty).is_none() => {
                let zoned = matches!(ty, Type::Timestamptz | Type::TimestamptzNs);
                let instant = read_timestamp(text.as_bytes())?;
                // A second of 60 is no later second's.
                if (zoned && !instant.zoned) || text.contains(":60") {
                    return None;
                }
                let nanos = match self {
                    Tolerance::TruncateMs => instant.nanos / 1_000_000 * 1_000_000,
                    _ => 0,
                };
                Some(Value::Timestamp { seconds: instant.seconds, nanos, zoned })
            }
            _ => None,
        }
    }

    /// The canonical form of a value of a column of type `ty`: the same as [`canonical`] gives in an array.
    pub fn of_value(self, value: &Value, ty: &Type) -> Value {
        match (self, value) {
            (_, Value::Inexact(text)) => self.settled(text, ty).unwrap_or_else(|| value.clone()),
            (Tolerance::EmptyIsNull, value) if is_empty(value) => Value::Null,
            (_, Value::String(text)) => self.text(text).map_or_else(|| value.clone(), Value::String),
            (Tolerance::TruncateMs | Tolerance::TruncateS, Value::Timestamp { seconds, nanos, zoned }) => {
                let nanos = self.steps(i64::from(*nanos), 1_000_000_000) as u32;
                Value::Timestamp { seconds: *seconds, nanos, zoned: *zoned }
            }
            _ => value.clone(),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Struct(fields) => fields.iter().all(|(_, value)| value.is_null()),
        _ => false,
    }
}

/// Each character by its own lower-case mapping (Unicode, Lowercase_Mapping), without a look at its neighbours.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A constant's name without its spelling; `None` where the text is no name: it begins with a letter or `_` and holds
/// letters, digits, `_`, `-`, `.` and spaces only.
fn name(text: &str) -> Option<String> {
    let begins = text.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_');
    let is_separator = |c: char| matches!(c, '_' | '-' | '.' | ' ');
    if !begins || !text.chars().all(|c| c.is_alphanumeric() || is_separator(c)) {
        return None;
    }
    let bare: String = text.chars().filter(|c| !is_separator(*c)).flat_map(char::to_lowercase).collect();
    // Separators alone name nothing, and a digit at the front would be no name any more.
    bare.chars().next().is_some_and(char::is_alphabetic).then_some(bare)
}

/// The number that a text says, rounded to so many digits behind the point, half away from zero.
fn rounded(text: &str, scale: u8) -> Option<i128> {
    let number = json::Number::read(text)?;
    number.rounded(scale)
}

#[cfg(test)]
mod tests;

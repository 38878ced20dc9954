//! Values of findings for a person: unambiguous, harmless to a terminal, and short around the place where they differ.

use serde_json::Value;

use super::escape::quoted;
use super::number::count;

/// Most characters of one value; longer ones are shown around the first difference.
const VALUE_CHARS_MAX: usize = 120;

/// Characters in front of the first difference that are kept.
const CONTEXT_CHARS: usize = 24;

/// One value: NULL, numbers and texts as they are, anything that can be misread in quotes.
pub fn value(value: &Value) -> String {
    let text = plain(value);
    short(&text, 0)
}

/// Two values that differ, both shown around their first difference.
pub fn pair(message: &Value, row: &Value) -> (String, String) {
    let (message, row) = (plain(message), plain(row));
    let common = message.chars().zip(row.chars()).take_while(|(a, b)| a == b).count();
    let from = if message.chars().count().max(row.chars().count()) > VALUE_CHARS_MAX {
        common.saturating_sub(CONTEXT_CHARS)
    } else {
        0
    };
    (short(&message, from), short(&row, from))
}

/// The whole of a value, unambiguous and harmless to a terminal.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => quoted(text).into_owned(),
        other => quoted_json(other),
    }
}

/// JSON of a nested value; JSON escapes control characters itself, the rest is ours.
fn quoted_json(value: &Value) -> String {
    super::escape::escape(&value.to_string()).into_owned()
}

fn short(text: &str, from: usize) -> String {
    let all = text.chars().count();
    if all <= VALUE_CHARS_MAX {
        return text.to_owned();
    }
    let shown: String = text.chars().skip(from).take(VALUE_CHARS_MAX).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + VALUE_CHARS_MAX < all { "…" } else { "" };
    format!("{before}{shown}{after} ({} characters)", count(all as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_and_the_text_null_look_different() {
        assert_eq!(value(&Value::Null), "NULL");
        assert_eq!(value(&json!("NULL")), "\"NULL\"");
        assert_eq!(value(&json!("")), "\"\"");
        assert_eq!(value(&json!(true)), "true");
        assert_eq!(value(&json!({"p": ["\u{202e}x", 1, null]})), "{\"p\":[\"\\u{202e}x\",1,null]}");
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let (a, b) = (format!("{}1{}", "x".repeat(500), "y".repeat(500)), format!("{}2", "x".repeat(500)));
        let (message, row) = pair(&json!(a), &json!(b));
        assert!(message.starts_with(&format!("…{}1yyy", "x".repeat(24))), "{message}");
        assert!(message.ends_with("y… (1,001 characters)"), "{message}");
        assert_eq!(row, format!("…{}2 (501 characters)", "x".repeat(24)));
        assert_eq!(pair(&json!("1.5"), &json!("1.50")), ("1.5".to_owned(), "1.50".to_owned()));
    }
}

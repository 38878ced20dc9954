//! Both values of a column side by side, with what differs between them marked.
//!
//! Contract: short around the first difference; a cut value says how long it is. The words are those of the text report:
//! NULL, quotes around what can be misread, escapes for what a terminal would obey.

use serde_json::Value;

use crate::render::count;
use crate::render::value::plain;

/// Most characters of a value.
const VALUE_CHARS_MAX: usize = 240;

/// Characters in front of the first difference that are kept.
const CONTEXT_CHARS: usize = 40;

/// A value in three parts, of which the middle one differs from the other side's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marked {
    /// Equal on both sides, or `…`.
    pub before: String,
    /// What differs; empty where nothing stands against what the other side has.
    pub differing: String,
    /// Equal on both sides.
    pub after: String,
    /// `1,001 characters` of a value that is cut.
    pub length: Option<String>,
    /// Characters of the whole value.
    pub chars: usize,
    /// Whether it is NULL.
    pub is_null: bool,
}

impl Marked {
    /// All of it in one line of about that many characters.
    pub fn line(&self, chars_max: usize) -> String {
        let text = format!("{}{}{}", self.before, self.differing, self.after);
        if self.length.is_none() && self.chars <= chars_max {
            return text;
        }
        let cut: String = text.chars().take(chars_max).collect();
        let end = if cut.ends_with('…') { "" } else { "…" };
        format!("{cut}{end} ({} characters)", count(self.chars as u64))
    }
}

/// Both values.
pub fn difference(message: &Value, row: &Value) -> (Marked, Marked) {
    let texts = [plain(message), plain(row)].map(|text| text.chars().collect::<Vec<char>>());
    let [one, other] = &texts;
    let shorter = one.len().min(other.len());
    let start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count().min(shorter - start);
    // A value against NULL has nothing in common with it.
    let (start, end) = if message.is_null() || row.is_null() { (0, 0) } else { (start, end) };
    let is_long = one.len().max(other.len()) > VALUE_CHARS_MAX;
    let from = if is_long { start.saturating_sub(CONTEXT_CHARS) } else { 0 };
    let [message_text, row_text] = [(one, message.is_null()), (other, row.is_null())].map(|(text, is_null)| {
        let to = text.len().min(from + VALUE_CHARS_MAX);
        let part = |range: std::ops::Range<usize>| -> String {
            text[range.start.clamp(from.min(to), to)..range.end.clamp(from.min(to), to)].iter().collect()
        };
        let differing_to = text.len() - end;
        let cut = |is_cut: bool| if is_cut { "…" } else { "" };
        Marked {
            before: format!("{}{}", cut(from > 0), part(0..start)),
            differing: part(start..differing_to),
            after: format!("{}{}", part(differing_to..text.len()), cut(to < text.len())),
            length: (from > 0 || to < text.len()).then(|| format!("{} characters", count(text.len() as u64))),
            chars: text.len(),
            is_null,
        }
    });
    (message_text, row_text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(message: Value, row: Value) -> [[String; 3]; 2] {
        let (message, row) = difference(&message, &row);
        [message, row].map(|one| [one.before, one.differing, one.after])
    }

    #[test]
    fn what_differs_is_marked() {
        assert_eq!(parts(json!("2.125"), json!("2.15")), [["2.1", "2", "5"], ["2.1", "", "5"]].map(owned));
        assert_eq!(parts(json!("BUY"), json!(null)), [["", "BUY", ""], ["", "NULL", ""]].map(owned));
        assert_eq!(parts(json!("aa"), json!("aaa")), [["aa", "", ""], ["aa", "a", ""]].map(owned));
    }

    fn owned(parts: [&str; 3]) -> [String; 3] {
        parts.map(str::to_owned)
    }

    #[test]
    fn a_value_of_a_megabyte_is_shown_where_it_differs() {
        let long = "x".repeat(1_000_000);
        let (message, row) = difference(&json!(format!("{long}1yy")), &json!(format!("{long}2")));
        assert_eq!((message.differing.as_str(), row.differing.as_str()), ("1yy", "2"));
        assert_eq!(message.before, format!("…{}", "x".repeat(CONTEXT_CHARS)));
        assert_eq!(message.length.as_deref(), Some("1,000,003 characters"));
        let (message, row) = difference(&json!(long), &json!("x"));
        assert_eq!(message.line(10), "xxxxxxxxxx… (1,000,000 characters)");
        assert_eq!(row.line(10), "x");
    }
}

//! Text from outside, made safe for a terminal: no control characters, no escape sequences, nothing invisible, nothing
//! that turns the direction of writing.

use std::borrow::Cow;
use std::fmt::Write as _;

pub use validator_core::harmless::is_hostile;

/// The text with every character that must not reach a terminal written as `\n`, `\t` or `\u{…}`; a backslash is
/// doubled only where something else is escaped, so that the usual text stays as it is.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    Cow::Owned(out)
}

/// A value for a person: as it is where it cannot be misread, else in quotes with escapes. Quoted are the empty text,
/// spaces at an end, the word NULL, quotes, and whatever has to be escaped.
pub fn quoted(text: &str) -> Cow<'_, str> {
    let misread = text.is_empty()
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || text.eq_ignore_ascii_case("null")
        || text.chars().any(|c| c == '"' || is_hostile(c) || (c.is_whitespace() && c != ' '));
    if !misread {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            c if c.is_whitespace() && c != ' ' => {
                let _ = write!(out, "{}", c.escape_default());
            }
            c => push_escaped(&mut out, c),
        }
    }
    out.push('"');
    Cow::Owned(out)
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        c if is_hostile(c) => {
            let _ = write!(out, "{}", c.escape_default());
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_text_stays_as_it_is() {
        for text in ["price", "C:\\temp", "Zürich 東京 😀", "a \"quoted\" word"] {
            assert_eq!(escape(text), text);
        }
        assert_eq!(quoted("0.123456785"), "0.123456785");
        assert_eq!(quoted("two words"), "two words");
    }

    #[test]
    fn nothing_of_a_terminal_gets_through() {
        let hostile =
            "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}gpj.exe\u{200b}\u{2028}\u{feff}\u{e0041}\u{ffff}\0";
        for shown in [escape(hostile), quoted(hostile)] {
            assert!(!shown.chars().any(is_hostile), "{shown:?}");
        }
        assert_eq!(escape("a\u{1b}[31m\\b"), "a\\u{1b}[31m\\\\b");
    }

    #[test]
    fn values_that_can_be_misread_are_quoted() {
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("abc "), "\"abc \"");
        assert_eq!(quoted("NULL"), "\"NULL\"");
        assert_eq!(quoted("a\u{a0}b"), "\"a\\u{a0}b\"");
        assert_eq!(quoted("say \"x\""), "\"say \\\"x\\\"\"");
    }
}

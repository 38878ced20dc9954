//! Characters that must not reach a terminal or a reader as they are, and JSON without them.
//!
//! Contract: the JSON means what it meant; JSON can write any character as an escape.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character must not reach a terminal as it is.
///
/// Controls (C0, DEL, C1) could move the cursor or start an escape sequence; bidi marks reorder what is read
/// (CVE-2021-42574); zero-width characters, line separators, and tags make two different values look alike.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            // No characters, and not allowed in XML.
            | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// JSON in which each such character of a text is an escape, `\u009b`. What is hostile and stands in no text, a line's end,
/// stays; inside of texts a writer of JSON has escaped those below the blank already.
pub fn harmless_json(json: &str) -> Cow<'_, str> {
    let is_raw = |c: char| c > ' ' && is_hostile(c);
    if !json.chars().any(is_raw) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match is_raw(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hostile_is_an_escape_and_means_the_same() {
        let text = "Z\u{fc}rich \u{9b}31m \u{202e}gpj \u{7f}\u{1b}\n\\ \u{feff}\u{e0041} \u{1f600}";
        let json = serde_json::to_string_pretty(&[text]).expect("text is JSON");
        let harmless = harmless_json(&json);
        assert_eq!(harmless.chars().find(|c| is_hostile(*c) && *c != '\n'), None, "{harmless}");
        assert!(harmless.contains("Z\u{fc}rich \\u009b31m \\u202egpj \\u007f") && harmless.contains("\\udb40\\udc41"));
        assert_eq!(serde_json::from_str::<[String; 1]>(&harmless).expect("it is JSON"), [text]);
        assert!(matches!(harmless_json("{\n  \"a\": 1\n}\n"), Cow::Borrowed(_)));
    }
}

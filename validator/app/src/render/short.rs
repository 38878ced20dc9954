//! Texts that are cut to a length, which is said.

use crate::render::{count, escape};

/// Most characters of a sentence, a path or a command on a page.
pub const TEXT_CHARS_MAX: usize = 600;

/// Most characters of a name: of a column, a topic, a table.
pub const NAME_CHARS_MAX: usize = 200;

/// The text with what a terminal would obey made visible, and cut; how long it is stands behind it.
pub fn short(text: &str, chars_max: usize) -> String {
    let length = text.chars().count();
    if length <= chars_max {
        return escape(text).into_owned();
    }
    let start: String = text.chars().take(chars_max).collect();
    format!("{}… ({} characters)", escape(&start), count(length as u64))
}

/// A sentence, a path, a command.
pub fn text(text: &str) -> String {
    short(text, TEXT_CHARS_MAX)
}

/// A name.
pub fn name(text: &str) -> String {
    short(text, NAME_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_says_how_long_it_was() {
        assert_eq!(short("abc", 3), "abc");
        assert_eq!(short("äbcdé", 3), "äbc… (5 characters)");
        assert_eq!(short("\u{1b}[31m", 9), "\\u{1b}[31m");
    }
}

//! Text in lines no wider than the terminal.

use unicode_width::UnicodeWidthStr;

/// Narrowest terminal that is laid out for; in a narrower one lines break wherever the terminal breaks them.
pub const WIDTH_MIN: usize = 40;

/// Width when it is not known: a file, a pipe.
pub const WIDTH_DEFAULT: usize = 100;

/// Columns that a text takes on a terminal.
pub fn width_of(text: &str) -> usize {
    text.width()
}

/// Breaks a text between words into lines of at most `width` columns, `first` in front of the first line and `rest` in
/// front of the others. A word longer than a line is broken where the line ends.
pub fn wrap(text: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !empty && width_of(&line) + 1 + width_of(word) > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            empty = true;
        }
        // A word that does not fit behind the first indent but does behind the other goes there whole.
        let fits_below = width_of(rest) + width_of(word) <= width;
        if empty && line == first && width_of(&line) + width_of(word) > width && fits_below && first != rest {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
        }
        if !empty {
            line.push(' ');
        }
        for c in word.chars() {
            let mut buffer = [0; 4];
            if width_of(&line) + width_of(c.encode_utf8(&mut buffer)) > width && width_of(&line) > width_of(rest) {
                lines.push(std::mem::replace(&mut line, rest.to_owned()));
            }
            line.push(c);
        }
        empty = false;
    }
    lines.push(line);
    lines
}

/// Lines in lines of at most `width` columns; what goes on stands further in than its line.
pub fn wrap_lines(text: &str, width: usize) -> String {
    let of_line = |line: &str| {
        let indent = " ".repeat(line.len() - line.trim_start().len());
        wrap(line, width, &indent, &format!("{indent}  ")).join("\n") + "\n"
    };
    text.lines().map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_stands_further_in() {
        assert_eq!(wrap_lines("sound at 5\n  the bags of 2 files\n", 14), "sound at 5\n  the bags of\n    2 files\n");
        assert_eq!(wrap_lines("", 14), "");
    }

    #[test]
    fn lines_break_between_words_and_hang() {
        let lines = wrap("the table has moved past it", 16, "- ", "  ");
        assert_eq!(lines, ["- the table has", "  moved past it"]);
        assert_eq!(wrap("", 10, "- ", "  "), ["- "]);
        assert_eq!(wrap("missing 5", 12, "partition  ", "  "), ["partition  ", "  missing 5"]);
    }

    #[test]
    fn a_word_longer_than_a_line_is_broken() {
        assert_eq!(wrap("a 0123456789abc", 8, "", " "), ["a", " 0123456", " 789abc"]);
        assert_eq!(wrap("東京東京", 5, "", ""), ["東京", "東京"]);
    }
}

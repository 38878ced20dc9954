//! Problems of configuration files: what, where, the line with the place marked, and what to do.

use unicode_width::UnicodeWidthChar;

use super::escape::escape;
use super::paint::{Palette, Role};
use super::wrap::wrap;
use crate::config::{Excerpt, Problem};

/// All problems, one below the other, each line at most `width` columns. `word` is `error` or `warning`.
pub fn problems(problems: &[Problem], word: &str, palette: Palette, width: usize) -> String {
    let role = if word == "error" { Role::Bad } else { Role::Doubt };
    let blocks: Vec<String> = problems.iter().map(|problem| block(problem, word, role, palette, width)).collect();
    blocks.join("\n")
}

fn block(problem: &Problem, word: &str, role: Role, palette: Palette, width: usize) -> String {
    let label = format!("{word}: ");
    let mut lines = wrap(&escape(&problem.message), width, &label, &" ".repeat(label.len()));
    lines[0] = format!("{}{}", palette.paint(role, word), &lines[0][word.len()..]);
    let excerpt = problem.file.as_ref().zip(problem.span.as_ref()).map(|(file, span)| file.excerpt(span));
    let gutter = excerpt.as_ref().map_or(1, |excerpt| excerpt.position.line.to_string().len());
    let bar = palette.paint(Role::Place, "|");
    let indent = " ".repeat(gutter);
    if let Some(file) = &problem.file {
        let mut place = escape(&file.path().display().to_string()).into_owned();
        if let Some(Excerpt { position, .. }) = &excerpt {
            place = format!("{place}:{}:{}", position.line, position.column);
        }
        lines.push(format!("{indent}{} {place}", palette.paint(Role::Place, "-->")));
    }
    if let Some(excerpt) = &excerpt {
        let (line, marks) = shown(excerpt, width.saturating_sub(gutter + 3));
        let number = palette.paint(Role::Place, &format!("{:>gutter$}", excerpt.position.line));
        lines.push(format!("{indent} {bar}"));
        lines.push(format!("{number} {bar} {line}").trim_end().to_owned());
        lines.push(format!("{indent} {bar} {}", palette.paint(role, &marks).trim_end()));
    }
    if let Some(hint) = &problem.hint {
        let first = format!("{indent} = hint: ");
        let rest = " ".repeat(first.len());
        lines.extend(wrap(&escape(hint), width, &first, &rest));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The line and the marks below it, cut to the columns there are so that the start of the mark is seen.
fn shown(excerpt: &Excerpt, columns: usize) -> (String, String) {
    let chars: Vec<char> = excerpt.line.chars().map(printable).collect();
    // From where on the line is shown: its start, unless the mark would lie beyond the edge.
    let cut = if chars.len() <= columns || excerpt.marked.end < columns {
        0
    } else {
        excerpt.marked.start.saturating_sub(columns / 3)
    };
    let (mut line, mut marks, mut used) = (String::new(), String::new(), 0);
    if cut > 0 {
        line.push('…');
        marks.push(' ');
        used += 1;
    }
    for (index, c) in chars.iter().enumerate().skip(cut + usize::from(cut > 0)) {
        let wide = c.width().unwrap_or(1);
        if used + wide >= columns && index + 1 < chars.len() {
            line.push('…');
            break;
        }
        line.push(*c);
        let mark = if excerpt.marked.contains(&index) { "^" } else { " " };
        marks.push_str(&mark.repeat(wide));
        used += wide;
    }
    if excerpt.marked.start >= chars.len() {
        marks.push('^');
    }
    (line, marks.trim_end().to_owned())
}

/// A character of one place on the line; what must not reach a terminal becomes a blank or a box.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if escape(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8() => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceFile;
    use std::sync::Arc;

    fn render(text: &str, needle: &str, width: usize) -> String {
        let file = Arc::new(SourceFile::new("rules/trades.toml", text));
        let start = text.find(needle).expect("the needle is in the text");
        let problem = Problem::new("unknown key `windw` in [identity]").hint("did you mean `window`?");
        problems(&[problem.at(&file, Some(start..start + needle.len()))], "error", Palette::PLAIN, width)
    }

    #[test]
    fn a_problem_shows_the_line_and_marks_the_place() {
        insta::assert_snapshot!(render("[identity]\nmode = \"key\"\nwindw = \"timestamp\"\n", "windw", 80), @r#"
        error: unknown key `windw` in [identity]
         --> rules/trades.toml:3:1
          |
        3 | windw = "timestamp"
          | ^^^^^
          = hint: did you mean `window`?
        "#);
    }

    #[test]
    fn on_a_narrow_terminal_the_mark_is_still_seen() {
        let text = format!("side = \"CASE {} WHEN wrng THEN 1 END\"", "x".repeat(60));
        insta::assert_snapshot!(render(&text, "wrng", 40), @r#"
        error: unknown key `windw` in [identity]
         --> rules/trades.toml:1:80
          |
        1 | …xxxxx WHEN wrng THEN 1 END"
          |             ^^^^
          = hint: did you mean `window`?
        "#);
    }

    #[test]
    fn marks_stand_below_wide_characters_and_controls_are_boxes() {
        insta::assert_snapshot!(render("a = \"東京\u{1b}[31m\" # windw", "windw", 80), @r#"
        error: unknown key `windw` in [identity]
         --> rules/trades.toml:1:17
          |
        1 | a = "東京�[31m" # windw
          |                   ^^^^^
          = hint: did you mean `window`?
        "#);
    }
}

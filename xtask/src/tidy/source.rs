//! A Rust source taken apart just far enough for tidy: code without comments and literals, comments without code, which
//! lines are test code, where functions begin and end.
//!
//! Not a parser: it knows comments, literals and brackets, which is all that the rules need.

/// One file. Line numbers count from 1.
pub struct Source {
    /// The lines of the file, comments and the contents of literals blanked.
    pub code: Vec<String>,
    /// The lines of the file, everything but comments blanked.
    pub comments: Vec<String>,
    /// Names in `#[cfg(test)] mod name;`.
    pub test_modules: Vec<String>,
    test_lines: Vec<bool>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    /// The line of `fn`.
    pub first_line: usize,
    /// The line of the closing brace.
    pub last_line: usize,
}

impl Source {
    /// Takes a file apart.
    pub fn new(text: &str) -> Self {
        let (code, comments) = split(text);
        let (test_modules, test_lines) = test_parts(&code);
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        Self { code: lines(&code), comments: lines(&comments), test_modules, test_lines }
    }

    /// From now on every line is test code.
    pub fn mark_as_test(&mut self) {
        self.test_lines.fill(true);
    }

    /// Whether a line is test code.
    pub fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// Lines that are not test code.
    pub fn lines_without_tests(&self) -> usize {
        self.test_lines.iter().filter(|test| !**test).count()
    }

    /// Code by line number.
    pub fn numbered_code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
    }

    /// Every function that has a body, in the order of their first lines.
    pub fn functions(&self) -> Vec<Function> {
        let code: Vec<char> = self.code.join("\n").chars().collect();
        let line_of = |at: usize| code[..at].iter().filter(|one| **one == '\n').count() + 1;
        let mut functions = Vec::new();
        for at in words(&code, "fn") {
            let name: String =
                code[at + 2..].iter().skip_while(|one| one.is_whitespace()).take_while(|one| is_word(**one)).collect();
            if let (false, Some(end)) = (name.is_empty(), body_end(&code, at)) {
                functions.push(Function { name, first_line: line_of(at), last_line: line_of(end) });
            }
        }
        functions
    }
}

fn is_word(one: char) -> bool {
    one.is_alphanumeric() || one == '_'
}

/// Places of a whole word.
fn words(code: &[char], word: &str) -> Vec<usize> {
    let word: Vec<char> = word.chars().collect();
    let whole = |at: &usize| {
        let before = at.checked_sub(1).and_then(|index| code.get(index));
        code[*at..].starts_with(&word)
            && !before.is_some_and(|one| is_word(*one))
            && !code.get(at + word.len()).is_some_and(|one| is_word(*one))
    };
    (0..code.len()).filter(whole).collect()
}

/// The end of the braces that open after `from`, or nothing when a `;` outside of brackets comes first.
fn body_end(code: &[char], from: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (at, one) in code.iter().enumerate().skip(from) {
        match one {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 && brackets == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Names of test modules in files of their own, and for each line whether it belongs to an item for tests.
fn test_parts(code: &str) -> (Vec<String>, Vec<bool>) {
    const MARK: &str = "#[cfg(test)]";
    let chars: Vec<char> = code.chars().collect();
    let mut test_lines = vec![false; code.lines().count()];
    let mut modules = Vec::new();
    let mark: Vec<char> = MARK.chars().collect();
    for at in (0..chars.len()).filter(|at| chars[*at..].starts_with(&mark)) {
        let after = at + mark.len();
        let end = body_end(&chars, after)
            .or_else(|| chars[after..].iter().position(|one| *one == ';').map(|end| after + end));
        let end = end.unwrap_or(chars.len() - 1);
        let item: String = chars[after..=end].iter().collect();
        if let Some(name) = item.trim().strip_suffix(';').and_then(|item| item.rsplit_once("mod ")) {
            modules.push(name.1.trim().to_owned());
        }
        let line_of = |at: usize| chars[..at].iter().filter(|one| **one == '\n').count();
        let (first, last) = (line_of(at), line_of(end).min(test_lines.len().saturating_sub(1)));
        test_lines[first..=last].fill(true);
    }
    (modules, test_lines)
}

/// The text twice: code alone and comments alone, the rest blanked, line breaks kept in both.
fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut at = 0;
    while at < chars.len() {
        let (length, kind) = token(&chars, at);
        for (index, one) in chars[at..at + length].iter().enumerate() {
            let blank = if *one == '\n' { '\n' } else { ' ' };
            let edge = index == 0 || index + 1 == length;
            code.push(if kind == Kind::Code || (kind == Kind::Literal && edge) { *one } else { blank });
            comments.push(if kind == Kind::Comment { *one } else { blank });
        }
        at += length;
    }
    (code, comments)
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The length and kind of what begins at `at`: a comment, a literal, or one character of code.
fn token(chars: &[char], at: usize) -> (usize, Kind) {
    let rest = &chars[at..];
    let after_word = at > 0 && is_word(chars[at - 1]);
    match rest {
        ['/', '/', ..] => (rest.iter().position(|one| *one == '\n').unwrap_or(rest.len()), Kind::Comment),
        ['/', '*', ..] => (block_comment(rest), Kind::Comment),
        ['"', ..] => (quoted(rest), Kind::Literal),
        ['r', '"' | '#', ..] if !after_word || prefix(chars, at) => {
            raw(rest).map_or((1, Kind::Code), |end| (end, Kind::Literal))
        }
        ['\'', '\\', ..] => (3 + rest[3..].iter().position(|one| *one == '\'').unwrap_or(0) + 1, Kind::Literal),
        ['\'', _, '\'', ..] => (3, Kind::Literal),
        _ => (1, Kind::Code),
    }
}

/// Whether the letter before `at` is the `b` or `c` of `br"` or `cr"`, alone.
fn prefix(chars: &[char], at: usize) -> bool {
    matches!(chars[at - 1], 'b' | 'c') && !(at > 1 && is_word(chars[at - 2]))
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`; nothing for a raw identifier.
fn raw(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|one| **one == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let body = 2 + hashes;
    let length = (body..rest.len()).find(|at| rest[*at..].starts_with(&end)).map(|at| at + end.len());
    Some(length.unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r##"//! Doc.
fn one<'a>(x: &'a str) -> [u8; 2] {
    let quote = '"'; // a "comment"
    let escaped = '\''; /* block /* nested */ fn no() {} */
    let raw = br#"fn two() { "# ; r#type();
}
trait T { fn signature(&self) -> [u8; 3]; }
#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests {
    fn three() {
        "fn four() { \" {";
    }
}
fn five() {}
"##;

    #[test]
    fn functions_are_found_outside_of_comments_and_literals() {
        let names: Vec<(String, usize, usize)> = Source::new(SAMPLE)
            .functions()
            .into_iter()
            .map(|function| (function.name, function.first_line, function.last_line))
            .collect();
        assert_eq!(names, [("one".into(), 2, 6), ("three".into(), 12, 14), ("five".into(), 16, 16)]);
    }

    #[test]
    fn items_for_tests_are_test_code() {
        let source = Source::new(SAMPLE);
        let tests: Vec<usize> = (1..=16).filter(|line| source.is_test(*line)).collect();
        assert_eq!(tests, [8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(source.test_modules, ["cases"]);
        assert_eq!(source.lines_without_tests(), 8);
    }

    #[test]
    fn code_and_comments_are_told_apart() {
        let source = Source::new(SAMPLE);
        assert_eq!(source.code.len(), SAMPLE.lines().count());
        assert!(source.code[2].contains("let quote = ") && !source.code[2].contains("comment"));
        assert!(source.comments[2].contains("// a \"comment\"") && !source.comments[2].contains("quote"));
        assert!(source.code[4].ends_with("r#type();"), "{}", source.code[4]);
    }
}

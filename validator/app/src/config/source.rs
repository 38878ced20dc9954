//! The text of one configuration file: where a byte stands in it, and an excerpt that never shows a secret.
//!
//! Contract: lines and columns are 1-based and count characters, as editors do.

use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::nearest::nearest;

/// The words that make the value of a key a secret (compared in lower case).
const SECRET_WORDS: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "digest_key",
    "sasl.jaas",
    "ssl.key",
    "api-key",
    "authorization",
];

/// What stands in an excerpt in place of a secret.
const MASK: &str = "\"***\"";

/// One configuration file.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceFile {
    path: PathBuf,
    text: String,
}

impl fmt::Debug for SourceFile {
    /// The path alone: the text may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceFile").field(&self.path).finish()
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
}

/// One line of a file and the part of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Where the meant part starts.
    pub position: Position,
    /// The line, its secrets masked.
    pub line: String,
    /// The meant part in characters of `line`; never empty, it may stand one past the end.
    pub marked: Range<usize>,
}

impl SourceFile {
    /// A file of this text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or is not UTF-8.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let bytes = fs::read(path).map_err(read)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
            let Position { line, column } = Self::new(path, before).position(at);
            read(io::Error::new(io::ErrorKind::InvalidData, format!("line {line}, column {column} is not UTF-8 text")))
        })?;
        Ok(Self::new(path, text))
    }

    /// The path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A path that the file names: relative ones start at the file's own folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(path)
    }

    /// A glob that the file names: relative ones start at the file's own folder, whose name is no glob.
    pub fn resolve_glob(&self, glob: &str) -> String {
        match self.path.parent().and_then(Path::to_str) {
            Some(folder) if !folder.is_empty() && Path::new(glob).is_relative() => {
                format!("{}/{glob}", glob::Pattern::escape(folder))
            }
            _ => glob.to_owned(),
        }
    }

    /// Where a byte offset stands; offsets beyond the end stand at the end.
    pub fn position(&self, offset: usize) -> Position {
        let before = &self.text[..self.floor(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().filter(|c| *c != '\r').count() + 1,
        }
    }

    /// The line in which a span starts, the span marked in it.
    pub fn excerpt(&self, span: &Range<usize>) -> Excerpt {
        let start = self.floor(span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        let end = self.floor(span.end).clamp(start, line_start + line.len().max(start - line_start));
        let mut marked = {
            let from = self.text[line_start..start].chars().count();
            from..from + self.text[start..end].chars().count().max(1)
        };
        let line = match masked_from(line) {
            None => without_userinfo(line),
            Some(value_at) => {
                let kept = &line[..value_at];
                let width = kept.chars().count();
                if marked.end > width {
                    marked = marked.start.min(width)..width + MASK.len();
                }
                format!("{kept}{MASK}")
            }
        };
        Excerpt { position: self.position(start), line, marked }
    }

    /// The greatest character boundary at or below an offset.
    fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Whether the value of a key of that name is a secret; a misspelt name counts as what it is near to.
pub fn sounds_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| lower.contains(word))
        || lower.split(['.', '-', '_']).any(|part| nearest(part, SECRET_WORDS).is_some())
}

/// Where a secret value starts in a line: behind the `=` of a key that sounds like one. A value that is nothing but
/// `${NAME}` is no secret.
fn masked_from(line: &str) -> Option<usize> {
    let equals = line.match_indices('=').map(|(at, _)| at).find(|at| {
        let key = line[..*at].trim_end().trim_end_matches(['"', '\'']);
        let start =
            key.rfind(|c: char| c.is_whitespace() || matches!(c, '{' | ',' | '"' | '\'')).map_or(0, |at| at + 1);
        sounds_secret(key.get(start..).unwrap_or(key))
    })?;
    let value_at = equals + 1 + (line[equals + 1..].len() - line[equals + 1..].trim_start().len());
    let value = line[value_at..].trim_end();
    let by_name = value.strip_prefix("\"${").and_then(|rest| rest.strip_suffix("}\""));
    let is_name = by_name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    (!is_name && !value.is_empty()).then_some(value_at)
}

/// The line without `user:password` in front of the host of a URL.
fn without_userinfo(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(scheme) = rest.find("://") {
        let host = &rest[scheme + 3..];
        let end = host.find(['/', '"', '\'', ' ', ',']).unwrap_or(host.len());
        out.push_str(&rest[..scheme + 3]);
        match host[..end].rfind('@') {
            // As many stars as characters, so that marks behind them keep their place.
            Some(at) => {
                out.extend(host[..at].chars().map(|_| '*'));
                rest = &host[at..];
            }
            None => rest = host,
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, needle: &str) -> (String, String) {
        let file = SourceFile::new("a.toml", text);
        let start = text.find(needle).expect("the needle is in the text");
        let excerpt = file.excerpt(&(start..start + needle.len()));
        let marked = excerpt.line.chars().skip(excerpt.marked.start).take(excerpt.marked.len()).collect();
        (excerpt.line, marked)
    }

    #[test]
    fn positions_count_characters_and_lines_from_one() {
        let file = SourceFile::new("a.toml", "a = 1\r\nü = \"é\" # x\n");
        assert_eq!(file.position(0), Position { line: 1, column: 1 });
        let x = file.text().find('x').expect("there is an x");
        assert_eq!(file.position(x), Position { line: 2, column: 11 });
        assert_eq!(file.position(10_000), Position { line: 3, column: 1 });
    }

    #[test]
    fn an_excerpt_marks_what_is_meant_and_stops_at_the_line() {
        assert_eq!(excerpt("a = 1\nbé = 2\n", "bé"), ("bé = 2".to_owned(), "bé".to_owned()));
        let file = SourceFile::new("a.toml", "a = '''x\ny'''");
        assert_eq!(file.excerpt(&(4..13)).marked, 4..8);
        assert_eq!(SourceFile::new("a.toml", "").excerpt(&(0..0)).marked, 0..1);
        assert_eq!(SourceFile::new("a.toml", "a =").excerpt(&(3..3)).marked, 3..4);
    }

    #[test]
    fn an_excerpt_never_shows_a_secret() {
        let (line, marked) = excerpt("pasword = 1\npassword = \"hunter2\" # mine", "\"hunter2\"");
        assert_eq!((line.as_str(), marked.as_str()), ("password = \"***\"", "\"***\""));
        let (line, marked) = excerpt("p = { a = 1, \"sasl.password\" = \"hunter2\", b = 2 }", "b = 2");
        assert_eq!((line.as_str(), marked.as_str()), ("p = { a = 1, \"sasl.password\" = \"***\"", "\"***\""));
        let (line, _) = excerpt("url = \"http://me:hunter2@host/x\"", "url");
        assert_eq!(line, "url = \"http://**********@host/x\"");
        let (line, _) = excerpt("token = \"${REGISTRY_TOKEN}\"", "token");
        assert_eq!(line, "token = \"${REGISTRY_TOKEN}\"");
    }
}

//! What is wrong with a query, at its place in the text, with what may have been meant.

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;

use validator_engine::query::{Place, QueryError};

use crate::config::{Problem, SourceFile, nearest};
use crate::failure::Failure;
use crate::identifier::identifier;

/// Columns that are named where no nearer one is known.
const COLUMNS_LISTED: usize = 12;

/// The text of a query, to point at.
#[derive(Debug)]
pub struct Wrong {
    file: Arc<SourceFile>,
}

impl Wrong {
    /// Of this text.
    pub fn new(text: &str) -> Self {
        Self { file: Arc::new(SourceFile::new("query", text)) }
    }

    /// A problem at a place; the whole query where it is not known.
    pub fn at(&self, place: Option<Place>, message: impl Into<String>) -> Problem {
        let span = place.and_then(|place| self.span(place));
        match span {
            Some(span) => Problem::new(message).at(&self.file, Some(span)),
            None => Problem::new(message),
        }
    }

    /// What failed, with all its causes in one sentence, at a place.
    pub fn because(&self, place: Option<Place>, error: &dyn Error) -> Problem {
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let text = next.to_string();
            if !said.contains(&text) {
                said = format!("{said}: {text}");
            }
            cause = next.source();
        }
        self.at(place, said)
    }

    /// The failure of a query: at its place where the query is wrong, else as it is.
    pub fn query(&self, error: QueryError) -> Failure {
        if !error.is_usage() {
            return error.into();
        }
        let problem = match &error {
            QueryError::NoColumn { name, known, at } => {
                let place = at.or_else(|| self.place_of(name));
                let problem = self.at(place, error.to_string());
                match nearest(name, known.iter().map(String::as_str)) {
                    Some(meant) => problem.hint(format!("did you mean {}?", identifier(meant))),
                    None => problem.hint(columns(known)),
                }
            }
            QueryError::NoFunction { name, known, at } => {
                let problem = self.at(at.or_else(|| self.place_of(name)), error.to_string());
                match nearest(name, known.iter().map(String::as_str)) {
                    Some(meant) => problem.hint(format!("did you mean {meant}?")),
                    None => problem.hint("the functions are those of Apache DataFusion"),
                }
            }
            QueryError::NotAQuery { .. } => {
                let problem = self.at(Some(Place { line: 1, column: 1 }), error.to_string());
                problem.hint("SELECT, WITH, VALUES, DESCRIBE, SHOW TABLES and EXPLAIN are taken")
            }
            QueryError::NotOne { .. } => {
                self.at(None, error.to_string()).hint("`validator sql --help` has examples of queries")
            }
            QueryError::Masked { columns, all, .. } => {
                let place = columns.iter().find_map(|name| self.place_of(name));
                let names: Vec<String> = all.iter().map(|name| identifier(name)).collect();
                let hint = format!("`SELECT * EXCEPT ({})` does without; `--unmasked` reads all", names.join(", "));
                self.at(place, error.to_string()).hint(hint)
            }
            QueryError::Value { .. } => self
                .at(None, error.to_string())
                .hint("TRY_CAST gives NULL where CAST fails; a condition leaves rows out"),
            QueryError::Parse { words, at: None } if words.ends_with("found: EOF") => {
                let end = self.file.text().trim_end().len();
                let problem = Problem::new(error.to_string()).at(&self.file, Some(end..end));
                problem.hint("the query ends too early: `validator sql --help` has examples of queries")
            }
            other => self.at(other.place(), other.to_string()).hint("`validator sql --help` has examples of queries"),
        };
        vec![problem].into()
    }

    fn span(&self, place: Place) -> Option<Range<usize>> {
        let text = self.file.text();
        let start: usize = text.split_inclusive('\n').take(place.line.checked_sub(1)?).map(str::len).sum();
        let line = text.get(start..)?.split('\n').next()?;
        let at = line.char_indices().nth(place.column.checked_sub(1)?).map_or(line.len(), |(at, _)| at);
        let rest = &line[at..];
        let length = name_length(rest).max(rest.chars().next().map_or(0, char::len_utf8));
        Some(start + at..start + at + length)
    }

    /// Where a word stands first.
    fn place_of(&self, word: &str) -> Option<Place> {
        let text = self.file.text();
        let beside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let alone =
            |at: &usize| beside(text[..*at].chars().next_back()) && beside(text[at + word.len()..].chars().next());
        let at = text.match_indices(word).map(|(at, _)| at).find(alone)?;
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[..at].matches('\n').count() + 1;
        Some(Place { line, column: text[line_start..at].chars().count() + 1 })
    }
}

/// The bytes of the name, dots and quotes included, that a text begins with.
fn name_length(text: &str) -> usize {
    let mut length = 0;
    loop {
        let rest = &text[length..];
        let word = match rest.strip_prefix('"') {
            Some(quoted) => quoted_length(quoted).map_or(rest.len(), |end| end + 2),
            None => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
        };
        length += word;
        let goes_on = text[length..].strip_prefix('.').and_then(|rest| rest.chars().next());
        match goes_on {
            Some(c) if word > 0 && (c.is_alphanumeric() || c == '_' || c == '"') => length += 1,
            _ => return length,
        }
    }
}

/// The bytes of a quoted name up to the quote that ends it; a doubled one stands for itself.
fn quoted_length(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + text[from..].find('"')?;
        if !text[end + 1..].starts_with('"') {
            return Some(end);
        }
        from = end + 2;
    }
}

fn columns(known: &[String]) -> String {
    let shown: Vec<String> = known.iter().take(COLUMNS_LISTED).map(|name| identifier(name)).collect();
    match known.len() {
        0 => "there are no columns here".to_owned(),
        all if all > shown.len() => format!("there are {} and {} more", shown.join(", "), all - shown.len()),
        _ => format!("there are {}", shown.join(", ")),
    }
}

//! What the sections of one TOML file share: the text, the environment, the problems found and the places of keys.
//!
//! Contract: every problem of a file is kept, in the order of the file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use super::interpolate::Environment;
use super::keys::line_to_write;
use super::problem::Problem;
use super::section::Section;
use super::source::SourceFile;

/// Where the keys of a file stand: `map.side` → the bytes of its value.
pub type Places = BTreeMap<String, Range<usize>>;

/// What the sections of one file share: the problems and the places.
pub struct Walk<'a> {
    file: &'a Arc<SourceFile>,
    environment: Environment<'a>,
    problems: RefCell<Vec<Problem>>,
    places: RefCell<Places>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the file.
    pub span: Range<usize>,
}

impl<'a> Walk<'a> {
    /// A walk over a file, with the variables that `${NAME}` stands for.
    pub fn new(file: &'a Arc<SourceFile>, environment: Environment<'a>) -> Self {
        Self { file, environment, problems: RefCell::default(), places: RefCell::default() }
    }

    /// The file.
    pub fn file(&self) -> &'a Arc<SourceFile> {
        self.file
    }

    /// What `${NAME}` stands for.
    pub fn environment(&self) -> Environment<'a> {
        self.environment
    }

    /// Notes where the value of a key stands.
    pub fn place(&self, path: String, span: Range<usize>) {
        self.places.borrow_mut().insert(path, span);
    }

    /// Notes what the TOML parser refused.
    pub fn refused(&self, errors: &[toml::de::Error]) {
        for error in errors {
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            let message = message.trim_end_matches('.').to_owned();
            let hint = "a line is `[section]` or `key = value`, and text stands in quotes";
            self.note(Problem::new(format!("not TOML: {message}")).hint(hint), error.span());
        }
    }

    /// Notes a problem at a place.
    pub fn note(&self, problem: Problem, span: Option<Range<usize>>) {
        self.problems.borrow_mut().push(problem.at(self.file, span));
    }

    /// The section that is the whole file.
    pub fn root(&'a self, table: &'a DeTable<'a>) -> Section<'a> {
        Section::new(self, String::new(), Some(table), None)
    }

    /// The problems in the order of the file, and the places of its keys. A problem without a hint gets the line that could
    /// stand at its place; `schema` is the file's word for `validator schema`.
    pub fn into_findings(self, schema: &str) -> (Vec<Problem>, Places) {
        let places = self.places.into_inner();
        let mut problems = self.problems.into_inner();
        for problem in problems.iter_mut().filter(|problem| problem.hint.is_none()) {
            let line = problem.span.as_ref().and_then(|span| line_at(span.start, &places));
            let all = || format!("`validator schema {schema}` says what each key may be");
            problem.hint = Some(line.unwrap_or_else(all));
        }
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
        // A key that two checks look at is wrong once.
        problems.dedup();
        (problems, places)
    }
}

/// What to write instead of the value at this byte.
fn line_at(at: usize, places: &Places) -> Option<String> {
    let around = places.iter().filter(|(_, span)| span.start <= at && at < span.end.max(span.start + 1));
    let (path, _) = around.min_by_key(|(_, span)| span.len())?;
    Some(format!("write `{}`", line_to_write(path)?))
}

//! One thing that is wrong with a configuration, and where.
//!
//! Contract: a message is a sentence without a capital and a period, it says what was expected; the hint is something
//! that the reader can do. Neither ever holds a secret.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::source::{Position, SourceFile};

/// One problem (or, in the list of warnings, one thing to know).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The file, when the problem is one of a file.
    pub file: Option<Arc<SourceFile>>,
    /// The place in the file, in bytes; none when it is something that is not there.
    pub span: Option<Range<usize>>,
}

impl Problem {
    /// A problem of no file.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, file: None, span: None }
    }

    /// The same problem, at this place.
    pub fn at(mut self, file: &Arc<SourceFile>, span: Option<Range<usize>>) -> Self {
        self.file = Some(Arc::clone(file));
        self.span = span;
        self
    }

    /// The same problem with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Line and column, when the place is known.
    pub fn position(&self) -> Option<Position> {
        Some(self.file.as_ref()?.position(self.span.as_ref()?.start))
    }
}

/// Problems of one file in its order; what has no place in it comes last.
pub fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
    problems
}

impl fmt::Display for Problem {
    /// `trades.toml:3:9: message`, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.path().display())?;
            if let Some(position) = self.position() {
                write!(f, "{}:{}:", position.line, position.column)?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

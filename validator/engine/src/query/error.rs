//! Why a query has no answer, and where in its text.

use std::error::Error;

use arrow_schema::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use validator_table::FileFault;
use validator_tap::{DecoderError, TapError};

use crate::limits::QUERY_BATCH_ROWS;

/// A place in the text of a query; both are 1-based and count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text is no SQL.
    #[error("the query does not parse: {words}")]
    Parse {
        /// The parser's words.
        words: String,
        /// Where.
        at: Option<Place>,
    },
    /// It would do more than read.
    #[error("{what} is refused: `validator sql` reads and does nothing else")]
    NotAQuery {
        /// What it is.
        what: String,
    },
    /// A clause that the query engine would pass over without a word.
    #[error("{clause} is not supported")]
    Clause {
        /// Its words.
        clause: &'static str,
    },
    /// Nothing, or several statements.
    #[error("expected one query, found {found} statements")]
    NotOne {
        /// How many there are.
        found: usize,
    },
    /// More than can be handled.
    #[error("the query has {has} {of}, and at most {most} are taken")]
    TooLarge {
        /// Of what there is too much.
        of: &'static str,
        /// How much there is.
        has: usize,
        /// How much is taken.
        most: usize,
    },
    /// No such column.
    #[error("there is no column `{name}`")]
    NoColumn {
        /// The name.
        name: String,
        /// The columns there are.
        known: Vec<String>,
        /// Where.
        at: Option<Place>,
    },
    /// No such function.
    #[error("there is no function `{name}`")]
    NoFunction {
        /// The name.
        name: String,
        /// The functions there are.
        known: Vec<String>,
        /// Where.
        at: Option<Place>,
    },
    /// A name or a type does not fit.
    #[error("the query cannot be planned: {words}")]
    Plan {
        /// The query engine's words.
        words: String,
        /// Where.
        at: Option<Place>,
    },
    /// It reads columns that must not be read.
    #[error("{} values that pipeline {pipeline} masks", holding(columns))]
    Masked {
        /// Those that it reads.
        columns: Vec<String>,
        /// All such columns of the relation.
        all: Vec<String>,
        /// The pipeline.
        pipeline: String,
    },
    /// A value that the query cannot be computed with.
    #[error("the query fails on a value: {words}")]
    Value {
        /// The query engine's words.
        words: String,
    },
    /// It needs more memory, or more room to spill, than there is.
    #[error("the query needs more memory than it may take")]
    Resources {
        /// The query engine's words.
        words: String,
    },
    /// A function would make more than is held at once.
    #[error(
        "{function} would make {made} bytes for a batch of {QUERY_BATCH_ROWS} rows{}, and at most {most} are taken",
        standing(*.beside)
    )]
    Grown {
        /// The function.
        function: String,
        /// What it would make at most.
        made: i128,
        /// What is made of the same batch beside it.
        beside: i128,
        /// What is taken.
        most: usize,
    },
    /// The plans cannot be run at all.
    #[error("prepare the query engine: {words}")]
    Runtime {
        /// The query engine's words.
        words: String,
    },
    /// A part of a data file cannot be read.
    #[error("{path} cannot be read: {detail}")]
    File {
        /// The file, as the table names it.
        path: String,
        /// One sentence.
        detail: String,
    },
    /// Messages cannot be read.
    #[error("read messages")]
    Tap(#[source] TapError),
    /// Messages of one partition could be read only up to an offset.
    #[error("{tp} could be read only up to offset {position}: {failure}")]
    Partition {
        /// The partition.
        tp: String,
        /// The offset.
        position: i64,
        /// Why.
        failure: String,
    },
    /// The format cannot deliver a field.
    #[error("prepare the decoder")]
    Decoder(#[source] DecoderError),
}

impl QueryError {
    /// Whether the query is at fault, and not what it reads from: exit 2 rather than 3.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Parse { .. }
            | Self::NotAQuery { .. }
            | Self::Clause { .. }
            | Self::NotOne { .. }
            | Self::TooLarge { .. }
            | Self::NoColumn { .. }
            | Self::NoFunction { .. }
            | Self::Plan { .. }
            | Self::Masked { .. }
            | Self::Value { .. } => true,
            Self::Resources { .. }
            | Self::Grown { .. }
            | Self::Runtime { .. }
            | Self::File { .. }
            | Self::Tap(_)
            | Self::Partition { .. }
            | Self::Decoder(_) => false,
        }
    }

    /// Where in the query it is.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Parse { at, .. }
            | Self::NoColumn { at, .. }
            | Self::NoFunction { at, .. }
            | Self::Plan { at, .. } => *at,
            _ => None,
        }
    }

    pub(super) fn file(fault: &FileFault) -> Self {
        Self::File { path: fault.path.clone(), detail: fault.detail.clone() }
    }

    /// The error of a query that is planned.
    pub(super) fn of_plan(error: DataFusionError) -> Self {
        let error = match own(error) {
            Ok(own) => return own,
            Err(error) => error,
        };
        let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
        let at = span.filter(|span| span.start.line > 0).map(|span| Place {
            line: usize::try_from(span.start.line).unwrap_or(1),
            column: usize::try_from(span.start.column).unwrap_or(1),
        });
        match error.find_root() {
            DataFusionError::SchemaError(wrong, _) => match wrong.as_ref() {
                SchemaError::FieldNotFound { field, valid_fields } => {
                    let known = valid_fields.iter().map(|column| column.name.clone()).collect();
                    return Self::NoColumn { name: field.name.clone(), known, at };
                }
                other => return Self::Plan { words: other.to_string(), at },
            },
            DataFusionError::ResourcesExhausted(words) => return Self::Resources { words: words.clone() },
            _ => {}
        }
        Self::Plan { words: words(&error), at }
    }

    /// The error of a query that runs.
    pub(super) fn of_run(error: DataFusionError) -> Self {
        let error = match own(error) {
            Ok(own) => return own,
            Err(error) => error,
        };
        match error.find_root() {
            DataFusionError::ResourcesExhausted(words) => Self::Resources { words: words.clone() },
            DataFusionError::IoError(_) => Self::Runtime { words: words(&error) },
            _ => Self::Value { words: words(&error) },
        }
    }
}

fn standing(bytes: i128) -> String {
    if bytes == 0 { String::new() } else { format!(" beside {bytes} that are made of it already") }
}

/// `` `a` holds `` or `` `a`, `b` hold ``.
fn holding(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    format!("{} {}", names.join(", "), if names.len() == 1 { "holds" } else { "hold" })
}

impl From<QueryError> for DataFusionError {
    fn from(error: QueryError) -> Self {
        Self::External(Box::new(error))
    }
}

/// The error of ours that the query engine carries, whatever it has been wrapped in.
fn own(error: DataFusionError) -> Result<QueryError, DataFusionError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<QueryError>() {
            Ok(own) => Ok(*own),
            Err(inner) => match inner.downcast::<DataFusionError>() {
                Ok(inner) => own(*inner),
                Err(inner) => Err(DataFusionError::External(inner)),
            },
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) if is_own(&inner) => own(*inner),
        DataFusionError::ArrowError(inner, backtrace) => match *inner {
            ArrowError::ExternalError(inner) => match inner.downcast::<QueryError>() {
                Ok(own) => Ok(*own),
                Err(inner) => match inner.downcast::<DataFusionError>() {
                    Ok(inner) => own(*inner),
                    Err(inner) => Err(DataFusionError::External(inner)),
                },
            },
            other => Err(DataFusionError::ArrowError(Box::new(other), backtrace)),
        },
        DataFusionError::Shared(inner) => match shared(&inner) {
            Some(own) => Ok(own),
            None => Err(DataFusionError::Shared(inner)),
        },
        other => Err(other),
    }
}

fn is_own(error: &DataFusionError) -> bool {
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        if error.is::<QueryError>() {
            return true;
        }
        at = error.source();
    }
    false
}

/// An error that several partitions wait for can only be told again.
fn shared(error: &DataFusionError) -> Option<QueryError> {
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        match error.downcast_ref::<QueryError>() {
            Some(QueryError::File { path, detail }) => {
                return Some(QueryError::File { path: path.clone(), detail: detail.clone() });
            }
            Some(QueryError::Partition { tp, position, failure }) => {
                let (tp, failure) = (tp.clone(), failure.clone());
                return Some(QueryError::Partition { tp, position: *position, failure });
            }
            Some(other) => {
                let why = other.source().map_or_else(|| other.to_string(), ToString::to_string);
                return Some(QueryError::Partition { tp: "the messages".to_owned(), position: 0, failure: why });
            }
            None => at = error.source(),
        }
    }
    None
}

/// The query engine's own words, without its name for the kind of error and on one line.
pub(super) fn words(error: &DataFusionError) -> String {
    let words = error.find_root().strip_backtrace();
    const KINDS: [&str; 7] = [
        "Error during planning: ",
        "Internal error: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "Arrow error: ",
        "SQL error: ",
        "Schema error: ",
    ];
    let mut words = words.as_str();
    while let Some(rest) = KINDS.iter().find_map(|kind| words.strip_prefix(kind)) {
        words = rest;
    }
    // What follows is a table of the engine's own types, or an invitation to report what is our user's.
    let words = words.split(" No function matches").next().unwrap_or(words);
    let words = words.split("\nThis issue was likely caused").next().unwrap_or(words);
    words.lines().map(|line| line.trim_end_matches('.')).collect::<Vec<_>>().join("; ")
}

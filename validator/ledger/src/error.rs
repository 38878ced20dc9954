//! What the ledger refuses and what it cannot do.
//!
//! Contract: an error of a checkpoint leaves the database at a committed checkpoint, and the same delta can be given
//! again.

use std::path::PathBuf;

use validator_core::shadow::delta::Damaged;

/// Why the ledger did not do it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A newer validator made it.
    #[error("the ledger has format {format} and was made by {made_by}; this validator knows up to {known}")]
    Newer {
        /// Its format.
        format: i64,
        /// Who made it.
        made_by: String,
        /// The newest that is known here.
        known: i64,
    },
    /// It is something else.
    #[error("{place} is no ledger: {what}")]
    NotALedger {
        /// Where.
        place: String,
        /// What it is instead.
        what: &'static str,
    },
    /// The name is in the ledger with other properties.
    #[error("pipeline {name} stands in the ledger with another {what}")]
    OtherPipeline {
        /// The pipeline.
        name: String,
        /// What differs.
        what: &'static str,
    },
    /// There is no such pipeline.
    #[error("pipeline {name} is not in the ledger")]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// Bytes that are not what was written.
    #[error("the ledger is damaged: {what}")]
    Damaged {
        /// What does not fit.
        what: String,
    },
    /// A law that holds of every state does not hold of this one.
    #[error("the ledger contradicts itself: {what}")]
    Broken {
        /// Which, and where.
        what: String,
    },
    /// No page of a list begins there.
    #[error("no list of findings goes on after `{after}`")]
    Cursor {
        /// What was asked for.
        after: String,
    },
    /// What is to be written does not fit what is there.
    #[error("a checkpoint contradicts the ledger: {what}")]
    Contradiction {
        /// How.
        what: String,
    },
    /// Another process holds it.
    #[error("another process writes to the ledger {place}")]
    Held {
        /// Where.
        place: String,
    },
    /// Another writer has taken the pipeline over.
    #[error("another writer has taken over pipeline {name}")]
    Fenced {
        /// The pipeline.
        name: String,
    },
    /// The database is not where it was: a standby without the last commits has taken over, or a backup was put back. Who opens the
    /// pipeline again goes on from there.
    #[error("the database has gone back: of pipeline {name} it no longer has checkpoint {checkpoint}")]
    Behind {
        /// The pipeline.
        name: String,
        /// The last one that was written.
        checkpoint: i64,
    },
    /// A fleet shares a database, and this is a file.
    #[error("a fleet keeps its ledger in PostgreSQL, not in the file {place}")]
    NotOfAFleet {
        /// Where.
        place: String,
    },
    /// The judge of the pipeline goes by other files, another table or another version.
    #[error("the judge of pipeline {name} goes by another contract")]
    OtherTerms {
        /// The pipeline.
        name: String,
    },
    /// No room.
    #[error("no room is left for the ledger")]
    Full {
        /// As the database says it.
        #[source]
        source: sqlx::Error,
    },
    /// Nothing can be written there.
    #[error("the ledger cannot be written")]
    ReadOnly {
        /// As the database says it.
        #[source]
        source: sqlx::Error,
    },
    /// Another connection holds a lock for too long.
    #[error("the ledger is locked")]
    Busy {
        /// As the database says it.
        #[source]
        source: sqlx::Error,
    },
    /// The server does not answer.
    #[error("the database of the ledger cannot be reached")]
    Unreachable {
        /// As the client says it.
        #[source]
        source: sqlx::Error,
    },
    /// A file beside the database cannot be made or read.
    #[error("cannot {what} {path}")]
    File {
        /// The operation.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// As the system says it.
        #[source]
        source: std::io::Error,
    },
    /// The address is none.
    #[error("no address of a ledger: {what}")]
    BadUrl {
        /// What is wrong with it.
        what: String,
    },
    /// Anything else that the database refuses.
    #[error("the database of the ledger refused a statement")]
    Query {
        /// As the database says it.
        #[source]
        source: sqlx::Error,
    },
}

impl LedgerError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// Whether the same call may succeed later, with nothing done but waiting or making room.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Busy { .. } | Self::Unreachable { .. } | Self::Held { .. })
    }
}

impl From<Damaged> for LedgerError {
    fn from(damaged: Damaged) -> Self {
        Self::damaged(damaged.to_string())
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(source: sqlx::Error) -> Self {
        match &source {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default().into_owned();
                of_code(&code, source)
            }
            sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => {
                Self::Unreachable { source }
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Self::Damaged { what: format!("a column holds what it cannot: {source}") }
            }
            _ => Self::Query { source },
        }
    }
}

/// SQLite says numbers with the primary code in the low byte, PostgreSQL five characters.
fn of_code(code: &str, source: sqlx::Error) -> LedgerError {
    const SHORT_READ: i32 = 522;
    if code.len() == 5 {
        return match code {
            "53100" => LedgerError::Full { source },
            "25006" => LedgerError::ReadOnly { source },
            "55P03" | "40001" | "40P01" | "57014" => LedgerError::Busy { source },
            "XX001" | "XX002" => LedgerError::damaged(source.to_string()),
            "53300" | "25P03" => LedgerError::Unreachable { source },
            _ if code.starts_with("57P") || code.starts_with("08") => LedgerError::Unreachable { source },
            _ => LedgerError::Query { source },
        };
    }
    let Ok(number) = code.parse::<i32>() else { return LedgerError::Query { source } };
    match number & 0xff {
        5 | 6 => LedgerError::Busy { source },
        8 => LedgerError::ReadOnly { source },
        10 if number != SHORT_READ => LedgerError::Unreachable { source },
        10 | 11 | 26 => LedgerError::damaged(source.to_string()),
        13 => LedgerError::Full { source },
        14 => LedgerError::ReadOnly { source },
        _ => LedgerError::Query { source },
    }
}

//! Why a command ended without an answer, and with which exit code.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use validator_core::encode::EncodeError;
use validator_core::segment::SegmentError;
use validator_engine::dead_letters::DeadLetterError;
use validator_engine::message_reader::ReadError;
use validator_engine::query::QueryError;
use validator_engine::reconcile::RunError;
use validator_ledger::LedgerError;
use validator_publish::PublishError;
use validator_table::{CatalogError, TableError};
use validator_tap::TapError;

use crate::cli::Exit;
use crate::config::{ConfigError, Problem, in_order};
use crate::init::InitError;
use crate::sql::Cut;

/// A command's failure.
#[derive(Debug, Error)]
pub enum Failure {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The contract does not fit the topic or the table.
    #[error("the contract does not fit")]
    Problems(Vec<Problem>),
    /// The table's name.
    #[error("find the table")]
    Name(#[source] CatalogError),
    /// The table.
    #[error("open the table")]
    Table(#[from] TableError),
    /// The source of messages.
    #[error("open the topic")]
    Tap(#[from] TapError),
    /// What a continuous run follows is not there, or not what it was: its verdicts stand still until it is.
    #[error("follow the topic on")]
    Away(#[source] Arc<TapError>),
    /// An Iceberg table that is an export.
    #[error("write a table")]
    Publish(#[source] Box<PublishError>),
    /// The dead letters.
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    /// The columns cannot be encoded.
    #[error("prepare the columns")]
    Encode(#[from] EncodeError),
    /// The segments cannot be cut.
    #[error("cut segments")]
    Segments(#[from] SegmentError),
    /// `init` found nothing to propose.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The run.
    #[error("reconcile")]
    Run(#[from] RunError),
    /// A look at some messages.
    #[error("look at messages of the topic")]
    Sample(#[source] ReadError),
    /// A query.
    #[error("answer the query")]
    Query(#[from] QueryError),
    /// The ledger of a continuous run.
    #[error("keep the ledger")]
    Ledger(#[from] LedgerError),
    /// A continuous run met what it cannot go on from as it is: it is opened anew.
    #[error("{0}")]
    Following(String),
    /// A replay that is not whole.
    #[error("replay into {topic}: {what}")]
    Replay {
        /// The repair topic.
        topic: String,
        /// What is not as it should be.
        what: String,
    },
    /// The address to serve on.
    #[error("serve on {address}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// An answer that is not whole.
    #[error(transparent)]
    Cut(#[from] Cut),
    /// An answer cannot be written.
    #[error("write {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// stdout cannot be written.
    #[error("write to stdout")]
    Stdout(#[source] io::Error),
    /// An assertion of our own does not hold.
    #[error("a check of the validator's own failed, so there is no verdict")]
    Internal(#[source] Broken),
    /// The process lacks something.
    #[error("start the run's threads")]
    Runtime(#[source] io::Error),
}

/// What an assertion said.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Broken(String);

/// Runs a command; an assertion of our own that fails ends it without a verdict, as a run that could not be finished.
///
/// # Errors
/// Those of the command, and [`Failure::Internal`].
pub fn contained<T>(command: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|why| {
        let text = why.downcast_ref::<&str>().copied().or_else(|| why.downcast_ref::<String>().map(String::as_str));
        Err(Failure::Internal(Broken(text.unwrap_or("it left no message").to_owned())))
    })
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Problems(in_order(problems))
    }
}

/// Whether the source itself failed: refused, silent, gone. Everything else is what the user asked for and cannot be had.
pub fn is_failing_source(error: &TapError) -> bool {
    matches!(
        error,
        TapError::BrokersUnreachable { .. }
            | TapError::TopicForbidden { .. }
            | TapError::WriteForbidden { .. }
            | TapError::GroupForbidden { .. }
            | TapError::Client { .. }
            | TapError::Unreadable { .. }
            | TapError::Unexplained { .. }
            | TapError::LogCut { .. }
            | TapError::LogRegrown { .. }
            | TapError::Stalled { .. }
            | TapError::BatchFull { .. }
            | TapError::NotWritten { .. }
            | TapError::RegistryUnreachable { .. }
            | TapError::RegistryRefused { .. }
            | TapError::RegistryAnswer { .. }
    )
}

impl Failure {
    /// The exit code: 2 for what the user wrote, 3 for what could not be looked at.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Problems(_) | Self::Name(_) | Self::Encode(_) | Self::Segments(_) => Exit::Usage,
            Self::Run(RunError::NotOffsets(_) | RunError::Messages(ReadError::Map { .. })) => Exit::Usage,
            Self::Sample(ReadError::Map { .. }) => Exit::Usage,
            Self::Tap(error) if !is_failing_source(error) => Exit::Usage,
            Self::Table(error) if error.is_usage() => Exit::Usage,
            Self::DeadLetters(DeadLetterError::Topic { source, .. }) if !is_failing_source(source) => Exit::Usage,
            Self::DeadLetters(error) if error.is_usage() => Exit::Usage,
            Self::Init(error) => error.exit(),
            Self::Query(error) if error.is_usage() => Exit::Usage,
            Self::Ledger(
                LedgerError::OtherPipeline { .. }
                | LedgerError::Unknown { .. }
                | LedgerError::BadUrl { .. }
                | LedgerError::NotOfAFleet { .. }
                | LedgerError::OtherTerms { .. },
            ) => Exit::Usage,
            _ => Exit::Unjudged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{self, Palette};

    #[test]
    fn a_failed_assertion_is_no_verdict_but_a_run_that_could_not_be_finished() {
        let failed = contained::<Exit>(|| panic!("I1 violated in trades[1]: 2 messages consumed, 1 verdicts"));
        let failure = failed.expect_err("it panicked");
        assert_eq!(failure.exit(), Exit::Unjudged);
        insta::assert_snapshot!(render::failure(&failure, Palette::PLAIN, 100), @"
        error: a check of the validator's own failed, so there is no verdict
          because: I1 violated in trades[1]: 2 messages consumed, 1 verdicts
          hint:    this is a fault of the validator, not of the data: report it with the lines above
        ");
        assert!(matches!(contained(|| Ok(Exit::Breached)), Ok(Exit::Breached)));
    }
}

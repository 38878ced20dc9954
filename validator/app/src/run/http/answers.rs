//! What the API asks of the ledger.

use async_trait::async_trait;
use thiserror::Error;
use validator_core::verdict::Verdict;

/// Why the ledger gives no answer.
#[derive(Debug, Error)]
pub enum AnswerError {
    /// It has nothing yet: no checkpoint was made.
    #[error("{pipeline} has no checkpoint yet")]
    NotYet {
        /// The pipeline.
        pipeline: String,
    },
    /// `after` is not what an answer's `next` was.
    #[error("`after` is not the `next` of an answer")]
    After,
    /// It cannot be read.
    #[error("read the ledger")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Which findings are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsQuery {
    /// Of these states; none: of all.
    pub states: Vec<FindingState>,
    /// Of this verdict.
    pub verdict: Option<Verdict>,
    /// Behind the last of the page before.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Where a finding stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingState {
    /// True now, and nobody has said anything of it.
    Open,
    /// True now, and known.
    Acknowledged,
    /// True now, and not to be told of.
    Ignored,
    /// True no more.
    Resolved,
}

impl FindingState {
    /// All, with their public words.
    pub const ALL: [(&'static str, Self); 4] = [
        ("open", Self::Open),
        ("acknowledged", Self::Acknowledged),
        ("ignored", Self::Ignored),
        ("resolved", Self::Resolved),
    ];
}

/// Some findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsPage {
    /// Each a JSON object of `validator schema finding`, on one line.
    pub findings: Vec<String>,
    /// What `after` is for the next page; none: there is no more.
    pub next: Option<String>,
}

/// What the service answers from the ledger, beside the process that writes to it.
#[async_trait]
pub trait Answers: Send + Sync {
    /// The report of a pipeline, as JSON (`validator schema report`).
    async fn report(&self, pipeline: &str, now_ms: i64) -> Result<String, AnswerError>;

    /// A page of its findings.
    async fn findings(&self, pipeline: &str, query: &FindingsQuery, now_ms: i64) -> Result<FindingsPage, AnswerError>;
}
